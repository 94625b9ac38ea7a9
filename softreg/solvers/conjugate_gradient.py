"""Newton's step by preconditioned conjugate gradients, for Hessians too large to form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.objective import Objective
from softreg.solvers.precondition import ClassPreconditioner, Preconditioner

Array = NDArray[Any]

#: Products with the Hessian in one step, or an eighth of the features if that is more, after which the next step
#: gets a fresh preconditioner: the price of building one grows with the features.
REFRESH = 40


class TruncatedStep:
    """D with H D ≈ -grad F, solved as exactly as the outer iteration can use (Nocedal & Wright 2006, alg. 7.1).

    Far out, to a tenth of the gradient in the preconditioner's norm.  Close in, until the residual R adds less
    to the gap of the Newton dual point, ||R||²/(2 alpha), than a thousandth of what the step gains: each outer
    step then brings the *certified* distance down a hundredfold, and none solves for digits that nobody asked for.
    """

    def __init__(self, objective: Objective, limit: int = 500) -> None:
        self.objective = objective
        self.precondition: Callable[[Array], Array] = Preconditioner(objective)
        self.limit = limit
        self.products = 0

    def __call__(self, W: Array, value: float, G: Array) -> Array:
        objective = self.objective
        if self.products > max(REFRESH, len(W) // 8) and ClassPreconditioner.fits(objective):
            self.precondition = ClassPreconditioner(objective, W)
        precondition = self.precondition
        D = np.zeros_like(G)
        R = -G
        Y = precondition(R)
        P = Y
        rho = start = float(np.vdot(R, Y))
        decrement = 0.0  # of the model, so far: -<G, D>/2
        for products in range(1, self.limit + 1):
            self.products = products
            if rho <= 0:
                break
            HP = objective.hvp(W, P)
            curvature = float(np.vdot(P, HP))
            if curvature <= 0:
                break
            a = rho / curvature
            D = D + a * P
            R = R - a * HP
            decrement += 0.5 * a * rho
            Y = precondition(R)
            rho, previous = float(np.vdot(R, Y)), rho
            if self._enough(value, start, rho, decrement, R):
                break
            P = Y + (rho / previous) * P
        return D if D.any() else precondition(-G)

    def _enough(self, value: float, start: float, rho: float, decrement: float, R: Array) -> bool:
        far = decrement > 1e-2 * value
        if far or not self.objective.penalty.alpha > 0:
            return rho <= (0.01 if far else 1e-8) * start
        strength = self.objective.penalty.curvature(len(R) - 1)
        residual_gap = 0.5 * float((1 / strength) @ np.einsum("jk,jk->j", R[:-1], R[:-1]))
        ahead = max(1e-2 * decrement, 1e-14 * value)
        return residual_gap <= 0.1 * ahead and rho <= 0.01 * start and 1e2 * np.abs(R[-1]).max() <= ahead / value
