"""An approximate inverse of the Hessian that makes a solver indifferent to column scale and correlation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from softreg.losses import Loss
from softreg.objective import Objective
from softreg.solvers.coordinates import Coordinates

Array = NDArray[Any]

#: Features up to which the (p, p) second moment is factored; wider data get its diagonal.
FACTOR_LIMIT = 3000


class Preconditioner:
    """M = c·(second moment of (x, 1)) + penalty, the same for every class: at W = 0 the softmax Hessian (Böhning 1992).

    Calling it solves M D = G for G (p + 1, K), through a Cholesky factor of the centred and scaled second moment,
    or its diagonal when there are more than ``limit`` features.
    """

    def __init__(self, objective: Objective, limit: int = FACTOR_LIMIT) -> None:
        self.coordinates = Coordinates.of(objective)
        mean, scale = self.coordinates.mean, self.coordinates.scale
        p = len(mean)
        c = self.curvature = typical_curvature(objective.loss, objective.shape[1])
        strength = objective.penalty.curvature(p) / scale**2
        self.factor: Any = None
        if p <= limit:
            M = c * objective.gram(mean, scale)
            M.flat[:: p + 1] += strength
            self.factor = _factor(M)
        else:
            # Sparse and wide: centring would change nothing of the diagonal that matters.
            self.diagonal = c + strength

    def __call__(self, G: Array) -> Array:
        g = self.coordinates.gradient(G)
        if self.factor is None:
            g[:-1] /= self.diagonal[:, None]
        else:
            g[:-1] = cho_solve(self.factor, g[:-1], check_finite=False)
        g[-1] /= self.curvature
        return self.coordinates.raw(g)


class ClassPreconditioner:
    """The Hessian's diagonal blocks at W, one class each: knows the class curvature that `Preconditioner` does not.

    Costs about p/4 passes and K·p² numbers; worth it where conjugate gradients would take more.
    """

    def __init__(self, objective: Objective, W: Array) -> None:
        self.coordinates = Coordinates.of(objective)
        grams = objective.class_grams(W, self.coordinates.mean, self.coordinates.scale)
        if not objective.fit_intercept:
            grams[:, -1, :] = grams[:, :, -1] = 0
        diagonals = np.einsum("kjj->kj", grams)
        diagonals += 1e-10 * diagonals.max(axis=1, keepdims=True)
        self.factors = [_factor(gram) for gram in grams]

    @staticmethod
    def fits(objective: Objective) -> bool:
        """Whether the blocks are small enough to hold: 256 MB at most."""
        q, K = objective.shape
        return K * q * q <= 1 << 25

    def __call__(self, G: Array) -> Array:
        g = self.coordinates.gradient(G)
        for k, factor in enumerate(self.factors):
            g[:, k] = cho_solve(factor, g[:, k], check_finite=False)
        return self.coordinates.raw(g)


def _factor(M: Array) -> Any:
    ridge = 0.0
    while True:
        A = M.copy()
        A.flat[:: len(A) + 1] += ridge * np.abs(M.diagonal()).max(initial=1.0)
        try:
            return cho_factor(A, lower=True, overwrite_a=True, check_finite=False)
        except LinAlgError:
            ridge = max(100 * ridge, len(M) * np.finfo(float).eps)


def typical_curvature(loss: Loss, n_classes: int) -> float:
    """Mean curvature of the loss over the K - 1 directions it has, at z = 0 or at the margin, whichever is larger."""
    y = np.zeros(1, dtype=np.intp)
    Z = np.zeros((1, n_classes))
    at_zero = loss.hessian(Z, y)[0].trace()
    Z[0, 0] = getattr(loss, "margin", 0.0)
    at_margin = loss.hessian(Z, y)[0].trace()
    return max(float(at_zero), float(at_margin), 1e-12) / (n_classes - 1)
