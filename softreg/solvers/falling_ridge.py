"""Newton's method along a falling ridge: for badly scaled columns and rows far out, where it would stop at each row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from softreg.certificate import Witness
from softreg.losses import Softmax
from softreg.minimise import Iterate
from softreg.objective import Local, Objective
from softreg.penalties import L2
from softreg.rows.order import class_order
from softreg.solvers.conjugate_gradient import TruncatedStep
from softreg.solvers.coordinates import Coordinates
from softreg.solvers.held import Trial, step_past_rows
from softreg.solvers.line_search import accepts
from softreg.solvers.newton import DIRECT_LIMIT, Newton
from softreg.solvers.pairs import ROWS_A_COLUMN, PairHessian, row_leverage

Array = NDArray[np.float64]

#: Rows for each weight from which on a factor costs less than the passes that it saves.
ROWS_A_WEIGHT = 8
#: Share of F that a step promises at the end: until then a line search goes further than the full step does.
AT_THE_END = 1e-6
#: And rows drawn there for each pair of classes and column: conjugate gradients have digits to find.
ROWS_AT_THE_END = 20


@dataclass(frozen=True)
class Ridge:
    """penalty + ridge/2 · ||scale·W||²: the same pull on every column, whatever its units."""

    penalty: L2
    ridge: float
    scale: Array

    @property
    def alpha(self) -> float:
        return self.penalty.alpha

    @property
    def squares(self) -> Array:
        return self.ridge * self.scale**2

    def value(self, W: Array) -> float:
        return self.penalty.value(W) + 0.5 * float(self.squares @ np.einsum("jk,jk->j", W, W))

    def grad(self, W: Array) -> Array:
        return self.penalty.grad(W) + self.squares[:, None] * W

    def curvature(self, n_features: int) -> Array:
        return self.penalty.curvature(n_features) + self.squares

    def added(self, W: Array, here: Local) -> Local:
        """F and its gradient with the ridge, from those without."""
        gradient = here.gradient.copy()
        gradient[:-1] += self.squares[:, None] * W[:-1]
        return Local(here.value + self.value(W[:-1]) - self.penalty.value(W[:-1]), gradient, here.bend)


class PairStep(TruncatedStep):
    """Newton's step by conjugate gradients with the Hessian by pairs, built anew for each step."""

    def __init__(self, objective: Objective, accuracy: float, rows: int = ROWS_A_COLUMN) -> None:
        super().__init__(objective, accuracy, limit=30)
        self.rows_a_column = rows
        self.light = False
        self.leverage_of_rows = row_leverage(objective)

    def _prepare(self, W: Array, here: Local) -> PairHessian:
        assert here.bend is not None
        self.hessian = PairHessian(self.objective, here.bend, self.leverage_of_rows, self.rows_a_column)
        return self.hessian

    def _better(self) -> None:
        return None


@dataclass(frozen=True)
class FallingRidge:
    """Newton's steps on F + ridge/2·||scale·W||², the ridge falling tenfold, and at last on F itself.

    Where the ridge is strong no logit is large and steps are long; each optimum is a start for the next.  What a step
    would still run into is held (`held`).  The first steps are taken over samples of the rows.  Where the Hessian by
    pairs leads no further, exact steps do.
    """

    accuracy: float = 0.0
    first: float = 1.0
    last: float = 1e-13
    factor: float = 0.1
    enough: float = 0.3  # share of F that a step may still promise when the ridge falls
    faint: float = 1e-3  # share of F below which what the ridge adds to it is left out
    samples: tuple[tuple[int, float], ...] = ((2000, 1e-2), (20000, 1e-2))  # rows, and the ridge they are good for
    patience: int = 8  # steps at one ridge

    name = "newton"

    @staticmethod
    def suits(objective: Objective) -> bool:
        """Softmax with a penalty, weights few enough for a factor and for the rows, room for every row's bend."""
        return (
            isinstance(objective.loss, Softmax)
            and objective.rows.y.ndim == 1
            and objective.penalty.alpha > 0
            and objective.shape[1] > 2
            and int(np.prod(objective.shape)) <= min(DIRECT_LIMIT, objective.rows.shape[0] // ROWS_A_WEIGHT)
            and objective.rows.shape[0] <= objective.bend_rows
        )

    def iterates(self, objective: Objective, W0: Array) -> Iterator[Iterate]:
        W, ridge = W0, self.first
        order = class_order(objective.rows)
        for size, until in self.samples:
            if 2 * size < len(order):
                for W, *_ in self._fall(objective.sample(np.sort(order[:size])), W, ridge, until):  # noqa: B007, B020
                    pass
                ridge = until
        here = None
        for W, here, t in self._fall(objective, W, ridge, self.last):  # noqa: B020
            yield Iterate(W, here.value, here.gradient, t)
        for iterate in self._end(objective, W, here or objective.local(W, keep=True)):
            W = iterate.W
            yield iterate
        yield from Newton(accuracy=self.accuracy).iterates(objective, W)

    def _fall(self, objective: Objective, W: Array, ridge: float, last: float) -> Iterator[tuple[Array, Local, float]]:
        """W, F there and the length of the step, after each step, down to the ridge ``last`` or a faint one."""
        scale = Coordinates.of(objective).scale
        step_of = PairStep(objective, self.accuracy)
        here = objective.local(W, keep=True)
        while ridge > 0.99 * last:
            penalty = Ridge(objective.penalty, ridge, scale)
            if W.any() and penalty.added(W, here).value - here.value < self.faint * here.value:
                return
            ridged = step_of.objective = objective.with_penalty(penalty)  # type: ignore[arg-type]
            for _ in range(self.patience):
                there = penalty.added(W, here)
                D = step_of(W, there)
                promise = -float(np.vdot(there.gradient, D)) / 2
                trial, t = _go(ridged, W, there, D, step_of.hessian)
                if t == 0:
                    break
                W = W + t * trial.D
                here = objective.local(W, keep=True)
                yield W, here, t
                if promise < self.enough * there.value:
                    break
            ridge *= self.factor

    def _end(self, objective: Objective, W: Array, here: Local) -> Iterator[Iterate]:
        step_of = PairStep(objective, self.accuracy, rows=ROWS_AT_THE_END)
        while True:
            D = step_of(W, here)
            slope = float(np.vdot(here.gradient, D))
            if not slope < 0:
                return
            if -slope / 2 <= AT_THE_END * here.value:
                witness = Witness(D)
                there = objective.certify(W + D, witness, local=True)
                if accepts(here.value, slope, 1.0, there.value, float(np.vdot(there.gradient, D))):
                    W, here = W + D, there.local
                    yield Iterate(W, there.value, there.gradient, 1.0, there.certificate, witness)
                    continue
            trial, t = _go(objective, W, here, D, step_of.hessian)
            if t == 0:
                return
            W = W + t * trial.D
            here = objective.local(W, keep=True)
            yield Iterate(W, here.value, here.gradient, t)


def _go(objective: Objective, W: Array, here: Local, D: Array, hessian: PairHessian) -> tuple[Trial, float]:
    """A trial from Newton's step D, and how far to go along it: past rows, or as far as the first of them."""
    assert here.bend is not None
    trial = step_past_rows(objective, W, here, D, hessian)
    t = _length(trial, here)
    if t == 0 and trial.D is not D:
        trial = Trial(objective, W, D, here.bend)
        t = _length(trial, here)
    return trial, t


def _length(trial: Trial, here: Local, limit: int = 24) -> float:
    """How far along a trial the slope has shrunk to a third, by the secant rule inside its bracket; 0: no descent."""
    slope = float(np.vdot(here.gradient, trial.D))
    if not slope < 0:
        return 0.0
    low, low_slope, high, high_slope, t = 0.0, slope, np.inf, np.nan, 1.0
    best = (here.value, 0.0)
    for n in range(limit):
        value, there = trial.along(t)
        if value < best[0]:
            best = value, t
            if abs(there) <= 0.3 * abs(slope):
                break
        if there > 0 or not np.isfinite(there):
            high, high_slope = t, there
        else:
            low, low_slope = t, there
        if np.isinf(high):
            t = 2 * t
            continue
        share = low_slope / (low_slope - high_slope) if np.isfinite(high_slope) else 0.1
        least = 0.05 if n % 2 else 0.3  # every other time near the middle: a wall leaves the secant at its foot
        t = low + min(max(share, least), 1 - least) * (high - low)
    return best[1]
