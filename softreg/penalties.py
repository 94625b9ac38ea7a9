"""Penalties on W without its intercept, in two parts: a smooth one and a rough one that has a prox.

``W`` is (p, K) here: the intercept never reaches a penalty.  A penalty has

``value(W)``, ``grad(W)``, ``curvature()``   the smooth part, its gradient, the diagonal (p,) of its Hessian in W_j
``rough_value(W)``, ``prox(W, step)``        the rough part r and argmin_U r(U) + ||U - W||²/(2 step)
``distance(W, G)``                           (p, K) distance of 0 from G + the subdifferential of r at W
``conjugate_gap(W, A)``                      Fenchel-Young term: penalty(W) + penalty*(-A) + <A, W> >= 0,
                                             the first term of the certificate (A = <x v'>, from the data)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class L2:
    """(alpha/2) sum_j factor_j ||W_j||²: all smooth; ``factor`` (p,) is 1 for every feature unless given."""

    alpha: float
    factor: tuple[float, ...] | None = field(default=None, repr=False)

    def _strength(self) -> Array | float:
        """alpha · factor, (p, 1), or alpha for all."""
        return self.alpha if self.factor is None else self.alpha * np.asarray(self.factor)[:, None]

    def value(self, W: Array) -> float:
        if self.factor is None:
            return 0.5 * self.alpha * float(np.vdot(W, W))
        return 0.5 * float(np.vdot(self._strength() * W, W))

    def grad(self, W: Array) -> Array:
        return self._strength() * W

    def curvature(self, n_features: int) -> Array:
        return np.full((n_features, 1), self._strength())[:, 0]

    def rough_value(self, W: Array) -> float:
        return 0.0

    def prox(self, W: Array, step: float) -> Array:
        return W

    def distance(self, W: Array, G: Array) -> Array:
        return np.abs(G)

    def conjugate_gap(self, W: Array, A: Array) -> float:
        """||alpha W + A||² / (2 alpha): exactly penalty(W) + penalty*(-A) + <A, W>, without cancellation."""
        strength = self._strength()
        R = strength * W
        R += A
        if self.factor is None:
            return 0.5 / self.alpha * float(np.vdot(R, R))
        return 0.5 * float(np.vdot(R / strength, R))
