"""Hinges to a tight certificate: follow the minimiser of their Moreau envelope as the smoothing goes to 0."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.certificate import Witness
from softreg.kernels import back_product, logits
from softreg.minimise import Iterate, Solver
from softreg.moreau import Moreau
from softreg.objective import Objective
from softreg.rows import Block
from softreg.solvers.bends import Bends

Array = NDArray[Any]

#: Rows whose margins are looked at together.
CHUNK = 4096
#: Width of a kink in units of t: what rounding may hide, and more while steps are cut short.
NARROW = 1e-4
#: The smallest t to start from, where columns are next to nothing and intercepts alone move margins.
LEAST = 1e-4
#: The smallest t at which a given W is looked for on the path.
NEAREST = 1e-9


@dataclass(frozen=True)
class HingePath:
    """Semismooth Newton (Qi & Sun 1993) on the Moreau envelope of a hinge, its smoothing t falling to 0.

    From t so large that W stays near 0, a predictor solves for the next t with every row's pattern as it is - exact
    until a row starts or stops to bend - and Newton steps correct it (Allgower & Georg 2003).  Rows without a kink
    nearby enter no system.  Where kinks lie so close together that steps stop at each, and ``patience`` of them reach
    no lower objective and no tighter proof, the ``rest`` is left to another solver.
    """

    rest: Solver | None = None
    factor: float = 0.1
    end: float = 1e-14
    limit: int = 100
    patience: int = 200

    name = "hinge path"

    def iterates(self, objective: Objective, W0: Array) -> Iterator[Iterate]:
        if not objective.penalty.alpha > 0:
            raise ValueError(f"{self.name}: alpha = {objective.penalty.alpha:g}; it needs a penalty, alpha > 0")
        W, lowest, tightest, waited = W0, np.inf, np.inf, 0
        for iterate in self._follow(objective, W0):
            assert iterate.certificate is not None
            waited += 1
            if iterate.value < lowest:
                W, lowest, waited = iterate.W, iterate.value, 0
            if iterate.certificate.value < tightest:
                tightest, waited = iterate.certificate.value, 0
            yield iterate
            if waited > self.patience:
                break
        if self.rest is not None:
            yield from self.rest.iterates(objective, W)

    def _follow(self, objective: Objective, W0: Array) -> Iterator[Iterate]:
        path = _Path(objective, W0 - W0.mean(axis=1, keepdims=True))
        moreau = Moreau(objective.loss, path.nearest() if path.W.any() else path.largest())  # type: ignore[arg-type]
        path.look(moreau)
        yield path.iterate(moreau, None)
        factor, misses = self.factor, 0
        best: Iterate | None = None
        while moreau.t > self.end:
            n = 0
            for n in range(self.limit):  # noqa: B007
                decrement, step = path.newton(moreau)
                # Between levels a point near the end is no better known: the last one that was proved stands.
                yield best or path.iterate(moreau, step)
                if path.settled(decrement, step) or decrement < 1e-15 * path.value:
                    break
            if not path.far:
                found = path.refined(moreau)
                if best is None or found.certificate.value < best.certificate.value:  # type: ignore[union-attr]
                    best, misses = found, 0
                    yield best
                else:  # rounding has won
                    misses += 1
                    if misses == 2:
                        return
            factor = self.factor if n <= 5 else min(2 * factor, 0.5) if n > 12 else factor
            moreau = path.predict(moreau, max(factor, 0.3) if path.smoothing < 1e-4 * path.value else factor)


class _Path:
    """A point W with its logits, the rows' pattern there, and the envelope's value and gradient."""

    def __init__(self, objective: Objective, W: Array) -> None:
        n, K = objective.rows.shape[0], W.shape[1]
        self.objective = objective
        self.rows = objective.rows
        self.W = W
        self.A, self.ZD = np.empty((K, n)).T, np.empty((K, n)).T
        self.pattern = np.zeros((n, K), dtype=bool)
        self.weight = self.rows.weight
        self.left = np.inf
        self.refresh()

    def largest(self) -> float:
        """t at which the margins have moved by about their size."""
        objective = self.objective
        strongest = objective.penalty.curvature(self.rows.shape[1]).max(initial=objective.penalty.alpha)
        return max(float(2 * objective.moments.square.sum() / strongest), LEAST)

    def nearest(self) -> float:
        """t of the envelope whose dual point proves the least gap at W: where on the path W is."""
        gaps = {}
        t = self.largest()
        while t > NEAREST:
            self.look(Moreau(self.objective.loss, t))  # type: ignore[arg-type]
            self.prove()
            if self.certificate.gap is not None:
                gaps[t] = self.certificate.gap
            t /= 10
        return min(gaps, key=gaps.__getitem__, default=self.largest())

    def refresh(self) -> None:
        """Slacks of W itself; between refreshes small steps are added to them, which keeps the digits near a kink."""
        self.wide = NARROW
        self.moved = np.zeros_like(self.W)
        margin = Moreau(self.objective.loss, 1.0)  # type: ignore[arg-type]

        def kernel(block: Block, A: Array) -> tuple[Any, ...]:
            # Beside a step's, as `certify_kernel` takes them: a product of as many columns has the same last digits.
            A[:] = margin.slacks(logits(block.X, np.hstack([self.W, self.moved]))[:, : A.shape[1]], block.y)
            return (0.0,)

        self.objective.count.add(0.5)
        self.rows.sum(kernel, self.A)

    def _logits(self, W: Array, out: Array) -> None:
        def kernel(block: Block, Z: Array) -> tuple[Any, ...]:
            Z[:] = logits(block.X, W)
            Z -= Z[np.arange(len(block.y)), block.y][:, None]
            return (0.0,)

        self.objective.count.add(0.5)
        self.rows.sum(kernel, out)

    def look(self, moreau: Moreau) -> None:
        """Values, gradient and pattern at W."""

        def kernel(block: Block, A: Array, pattern: Array) -> tuple[Any, ...]:
            V, pattern[:] = moreau.project(A, block.y, self.wide)
            if block.weight is not None:
                pattern[block.weight == 0] = False
            sums = np.stack(moreau.terms(A, V))
            sums = sums.sum(axis=1) if block.weight is None else sums @ block.weight
            return (sums, *_pull(block, V))

        objective = self.objective
        objective.count.add(0.5)
        sums, XV, bias = self.rows.sum(kernel, self.A, self.pattern)
        sums = sums / self.rows.total_weight
        penalty = objective.penalty.value(self.W[:-1])
        self.envelope, self.value, self.smoothing = sums[0] + penalty, sums[1] + penalty, sums[2]
        self.gradient = self._full(XV, bias)
        self.gradient[:-1] += objective.penalty.grad(self.W[:-1])

    def _full(self, XV: Array, bias: Array) -> Array:
        G = np.vstack([XV, bias[None]]) / self.rows.total_weight
        if not self.objective.fit_intercept:
            G[-1] = 0
        return G

    def prove(self) -> None:
        """The hinge's certificate here, from the sums at hand."""
        objective, G = self.objective, self.gradient
        loss = self.value - objective.penalty.value(self.W[:-1])
        A = G[:-1] - objective.penalty.grad(self.W[:-1])
        self.certificate = objective.certificate_from(
            self.W, self.value, loss, G, A, G[-1], self.smoothing + objective.slack(self.W)
        )

    @property
    def far(self) -> bool:
        """Whether the smoothing alone is more than a hundredth of F."""
        return self.smoothing > 1e-2 * self.value

    def iterate(self, moreau: Moreau, step: float | None) -> Iterate:
        """The point and its proof: from the sums at hand where it is far from any that will do."""
        self.prove()
        witness = Witness(temperature=moreau.t, envelope=True)
        if self.objective.loss.smooth or not self.far:  # W's own logits and, where it has one, its own gradient
            here = self.objective.certify(self.W, witness)
            return Iterate(self.W, here.value, here.gradient, step, here.certificate, witness)
        return Iterate(self.W, self.value, self.gradient, step, self.certificate, witness)

    def refined(self, moreau: Moreau) -> Iterate:
        """W as it is, proved by a dual point one small step from it, which rounding in W's logits does not reach."""
        objective, W = self.objective, self.W
        self.refresh()
        self.look(moreau)
        for _ in range(6):
            decrement, step = self.newton(moreau)
            if self.settled(decrement, step):
                break
        witness = Witness(self.moved, lag=0, temperature=moreau.t, envelope=True)
        here = objective.certify(W, witness)
        return Iterate(W, here.value, here.gradient, 1.0, here.certificate, witness)

    def settled(self, decrement: float, step: float) -> bool:
        """Whether what is left of the gap is the smoothing's."""
        self.prove()
        if self.far or self.certificate.gap is None:
            return decrement <= 1e-2 * self.envelope
        left = self.certificate.gap - self.smoothing
        stuck = decrement < 1e-12 * self.value and left > 0.5 * self.left
        self.left = left
        return left <= 0.2 * self.smoothing or stuck

    def newton(self, moreau: Moreau) -> tuple[float, float]:
        """One Newton step with a search along it; half the decrement and the step."""
        bends = Bends(self.objective, moreau, self.pattern)
        G = self.gradient
        D = bends.solve(G, None if self.far else 0.2 * self.smoothing)
        slope = float(np.vdot(G, D))
        if not slope < 0:
            return 0.0, 0.0
        self._logits(D, self.ZD)
        step = self._search(moreau, D, slope)
        self._move(D, step)
        if step > 0.5:
            self.wide = max(self.wide / 8, NARROW)
        elif step < 0.1:
            self.wide = min(max(8 * self.wide, 0.1), 10.0)
        self.look(moreau)
        return -slope / 2, step

    def _move(self, D: Array, step: float) -> None:
        self.W = self.W + step * D
        self.moved = self.moved + step * D
        self.A += step * self.ZD

    def predict(self, moreau: Moreau, factor: float) -> Moreau:
        """To a smaller t with the pattern as it is; a smaller fall of t where that does not lower the envelope."""
        if self.wide > NARROW:
            self.wide = NARROW
            self.look(moreau)
        n_bends = self.pattern.sum()
        for _ in range(4):
            new = Moreau(moreau.hinge, moreau.t * factor)
            G = self._predicted_gradient(moreau, new)
            D = Bends(self.objective, new, self.pattern).solve(G, None if self.far else 0.2 * self.smoothing * factor)
            self._logits(D, self.ZD)
            before = self._envelope(new, 0.0, D)
            if self._envelope(new, 1.0, D) <= 2 * before:
                self._move(D, 1.0)
                break
            factor = factor**0.5
        self.look(new)
        if self.pattern.sum() < 0.5 * n_bends:  # too few to say where to go: rows near a kink have a say too
            self.wide = 1.0
            self.look(new)
        return new

    def _predicted_gradient(self, old: Moreau, new: Moreau) -> Array:
        """The gradient at W under ``new``, each free v moving in proportion and every other one held."""

        def kernel(block: Block, A: Array, pattern: Array) -> tuple[Any, ...]:
            rows = np.arange(len(block.y))
            pinned = pattern[rows, block.y]
            free = pattern.copy()
            free[rows, block.y] = False
            A = np.where(free, A, 0)
            total, count = A.sum(axis=1), free.sum(axis=1)
            V = np.zeros_like(A)
            for moreau, sign in ((new, 1), (old, -1)):
                V += sign / moreau.ridge * (A - free * (moreau.shared(count, pinned) * total)[:, None])
            return _pull(block, V)

        self.objective.count.add(0.5)
        return self.gradient + self._full(*self.rows.sum(kernel, self.A, self.pattern))

    def _chunks(self) -> Iterator[tuple[slice, Array, Array | None]]:
        for a in range(0, self.rows.shape[0], CHUNK):
            rows = slice(a, a + CHUNK)
            yield rows, self.rows.y[rows], None if self.weight is None else self.weight[rows]

    def _envelope(self, moreau: Moreau, step: float, D: Array) -> float:
        """The envelope at W + step·D."""
        total = 0.0
        for rows, y, weight in self._chunks():
            A = self.A[rows] + step * self.ZD[rows]
            terms = moreau.terms(A, moreau.project(A, y)[0])[0]
            total += float(terms.sum() if weight is None else weight @ terms)
        return total / self.rows.total_weight + self.objective.penalty.value((self.W + step * D)[:-1])

    def _slope(self, moreau: Moreau, step: float, D: Array) -> float:
        """The envelope's slope along D at W + step·D."""
        total = 0.0
        for rows, y, weight in self._chunks():
            ZD = self.ZD[rows]
            V = moreau.project(self.A[rows] + step * ZD, y)[0]
            along = np.einsum("ij,ij->i", V, ZD)
            total += float(along.sum() if weight is None else weight @ along)
        pull = self.objective.penalty.grad((self.W + step * D)[:-1])
        return total / self.rows.total_weight + float(np.vdot(pull, D[:-1]))

    def _search(self, moreau: Moreau, D: Array, start: float, limit: int = 20) -> float:
        """A step at which the slope has shrunk to a tenth, by the secant rule inside its bracket."""
        low, low_slope, high, high_slope = 0.0, start, np.inf, np.nan
        step = 1.0
        for _ in range(limit):
            slope = self._slope(moreau, step, D)
            if abs(slope) <= 0.1 * abs(start):
                break
            if slope > 0:
                high, high_slope = step, slope
            else:
                low, low_slope = step, slope
            if np.isfinite(high):
                share = low_slope / (low_slope - high_slope)
                step = low + min(max(share, 0.1), 0.9) * (high - low)
            else:
                step = 2 * step
        return step


def _pull(block: Block, V: Array) -> tuple[Array, Array]:
    """X'V and its intercept's part, V given off the true class; rows of zeros are not multiplied."""
    some = np.flatnonzero(V.any(axis=1))
    U = V[some]
    U[np.arange(len(some)), block.y[some]] = -U.sum(axis=1)
    if block.weight is not None:
        U *= block.weight[some][:, None]
    return back_product(block.X[some], U), U.sum(axis=0)
