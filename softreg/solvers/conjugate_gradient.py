"""Newton's step by preconditioned conjugate gradients, for Hessians too large to form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.objective import Local, Objective
from softreg.rows.order import class_order
from softreg.solvers.cholesky import solve_positive
from softreg.solvers.line_search import CLOSE, TINY
from softreg.solvers.precondition import ClassPreconditioner, HessianPreconditioner, Preconditioner

Array = NDArray[Any]

#: Products with the Hessian in one step that are few enough to keep a preconditioner, whatever a better one costs.
#: Those beyond, since it was built, may cost as much as the better one does.
FEW = 8
#: Products from which on the loss's curvature is looked at again.
FOLLOW = 4
#: Curvature lent to a shift of all intercepts, in units of the classes: next to nothing where there is some already.
SHIFT = 1e-6


class TruncatedStep:
    """D with H D ≈ -grad F, solved as exactly as the outer iteration can use (Nocedal & Wright 2006, alg. 7.1).

    Far out, the squared residual falls in the preconditioner's norm by the share of F that the step promises: beyond
    that, curvature has changed before the digits count.  Close in, until the residual R adds less to the gap of the
    Newton dual point, ||R||²/(2 alpha), than a hundredth of what the step gains, or than the ``accuracy`` asked for.
    Products are in float32 where X holds no more digits, for as long as ``light``.
    """

    def __init__(self, objective: Objective, accuracy: float = 0.0, limit: int = 500, residual: float = 0.01) -> None:
        self.objective = objective
        self.accuracy = accuracy
        self.limit = limit
        self.residual = residual
        self.light = True
        self.precondition: Callable[[Array], Array] | None = None
        self.few: Objective | None = None
        self.fresh = False  # whether the last step was the first with its preconditioner
        self.products = 0
        self.excess = 0  # products beyond `FEW` in each step with the preconditioner at hand
        self.leverage = False  # whether preconditioners look for rows far out
        self.outdated = False  # whether the one at hand does not, and should

    def went(self, step: float) -> None:
        """How far the last step went: where next to nowhere, preconditioners look for rows far out from now on."""
        if step < TINY and not self.leverage:
            self.leverage = self.outdated = True

    def _prepare(self, W: Array, here: Local) -> Callable[[Array], Array]:
        """The preconditioner for this step: a new or a better one where the last step's products cost more than it."""
        kind = self._better()
        self.fresh = True
        if kind is not None and FEW + self.excess > max(FEW, kind.passes(self.objective)):
            self.precondition = kind(*self._known(W, here), W, self.leverage)
            self.excess = 0
        elif (self.precondition is None or self.outdated) and W.any() and ClassPreconditioner.fits(self.objective):
            self.precondition = ClassPreconditioner(*self._known(W, here), W, self.leverage)
            self.outdated = False
        elif self.precondition is None:
            self.precondition = Preconditioner(self.objective)
        else:
            self.fresh = False
            if isinstance(self.precondition, Preconditioner) and self.products > FOLLOW and here.bend is not None:
                self.precondition.follow(self.objective, here.bend)
        return self.precondition

    def _known(self, W: Array, here: Local) -> tuple[Objective, Array]:
        """The objective and what fixes its Hessian at W: of a sample where there is no room for all rows."""
        if here.bend is not None:
            return self.objective, here.bend
        if self.few is None:
            self.few = self.objective.sample(np.sort(class_order(self.objective.rows)[: self.objective.bend_rows]))
        bend = self.few.local(W, keep=True).bend  # their number is what all rows have room for
        assert bend is not None
        return self.few, bend

    def _better(self) -> type[ClassPreconditioner] | type[HessianPreconditioner] | None:
        """What may take the place of the preconditioner at hand: its own kind once that has aged, else the next."""
        now, objective = self.precondition, self.objective
        if now is None:
            return None
        if isinstance(now, HessianPreconditioner):
            return None if self.fresh else HessianPreconditioner
        if isinstance(now, ClassPreconditioner) and self.fresh:
            return HessianPreconditioner if HessianPreconditioner.fits(objective) else None
        return ClassPreconditioner if ClassPreconditioner.fits(objective) else None

    def __call__(self, W: Array, here: Local) -> Array:
        precondition = self._prepare(W, here)
        objective = self.objective.light if self.light else self.objective
        value, G, bend = here
        D = np.zeros_like(G)
        R = -G
        Y = precondition(R)
        P = Y
        rho = start = float(np.vdot(R, Y))
        decrement = 0.0  # of the model, so far: -<G, D>/2
        # Once products have cost what a better preconditioner does, that is the next thing to build.
        kind = self._better()
        limit = self.limit if kind is None else max(FEW, int(kind.passes(self.objective)) - self.excess) + 1
        for products in range(1, limit + 1):
            self.products = products
            if rho <= 0:
                break
            HP = objective.hvp(W, P, bend)
            curvature = float(np.vdot(P, HP))
            if curvature <= 0:
                break
            a = rho / curvature
            D = D + a * P
            R = R - a * HP
            decrement += 0.5 * a * rho
            Y = precondition(R)
            rho, previous = float(np.vdot(R, Y)), rho
            if self._enough(value, start, rho, decrement, R, balanced=bend is not None):
                break
            P = Y + (rho / previous) * P
        self.excess += max(0, self.products - FEW)
        if not D.any():
            return precondition(-G)
        if bend is not None and objective.fit_intercept and decrement <= CLOSE * value:
            D[-1] += balance(self.objective, bend, R[-1])
        return D

    def _enough(self, value: float, start: float, rho: float, decrement: float, R: Array, balanced: bool) -> bool:
        floor = 1e-7 if self.light else 1e-10  # what products in float32 can still tell
        promise = decrement / value
        if promise > CLOSE or not self.objective.penalty.alpha > 0:
            return rho <= max(floor, min(0.1, promise)) * start
        strength = self.objective.penalty.curvature(len(R) - 1)
        residual_gap = 0.5 * float((1 / strength) @ np.einsum("jk,jk->j", R[:-1], R[:-1]))
        if not balanced and self.objective.fit_intercept:  # what the repair of a dual point will cost
            residual_gap += float((np.abs(R[-1]) / self.objective.moments.target).max()) * self.objective.start
        asked = max(self.residual * decrement, 0.1 * max(0.3 * self.accuracy, 1e-14) * value)
        return rho <= floor * start or (residual_gap <= asked and rho <= 0.1 * start)


def balance(objective: Objective, bend: Array, residual: Array) -> Array:
    """Intercepts c (K,) that solve H_bb c = residual: the dual rows of a step moved by c have mean 0.

    What is left of that mean a certificate pays for dearly (`certificate.repair`); this costs no product with X.
    Each class is in units of its own curvature: a rare one has little.
    """
    H = objective.intercept_hessian(bend)
    diagonal = H.diagonal()
    scale = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    H *= scale
    H *= scale[:, None]
    shift = 1 / scale  # of all classes alike: no loss sees it, and the residual has none
    H += SHIFT * np.outer(shift, shift) / (shift @ shift)
    return scale * solve_positive(H, scale * (residual - residual.mean()))
