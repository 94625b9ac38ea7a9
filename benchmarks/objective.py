"""The one objective that every answer is judged by, written down once more, apart from softreg's own.

    F(W, b) = mean_r l(z_r, y_r) + alpha/2 · ||W||²,      z_r = W'x_r + b,      b not penalised

in float64 whatever a solver computed in.  W is (p, K), b (K,), y codes 0 … K-1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: Entries of X that are converted to float64 at a time.
BLOCK_ENTRIES = 1 << 22


class Weights(NamedTuple):
    """What a solver found: W (p, K) and b (K,)."""

    W: Array
    b: Array

    @classmethod
    def of_coef(cls, coef: Any, intercept: Any, n_classes: int) -> Weights:
        """From scikit-learn's ``coef_`` (K, p), or (1, p) for two classes: w = W₁ - W₀, of least norm ±w/2."""
        coef = np.asarray(coef, dtype=np.float64)
        b = np.broadcast_to(np.asarray(intercept, dtype=np.float64).ravel(), (len(coef),))
        if n_classes == 2 and len(coef) == 1:
            return cls(np.hstack([-coef.T, coef.T]) / 2, np.array([-b[0], b[0]]) / 2)
        return cls(coef.T, b)


def softmax(Z: Array, y: Array) -> Array:
    """log Σ_k exp(z_k) - z_y."""
    top = Z.max(axis=1)
    return top + np.log(np.exp(Z - top[:, None]).sum(axis=1)) - Z[np.arange(len(y)), y]


def _margins(Z: Array, y: Array) -> Array:
    """max(0, 1 + z_k - z_y), 0 for k = y."""
    rows = np.arange(len(y))
    M = np.maximum(0, 1 + Z - Z[rows, y][:, None])
    M[rows, y] = 0
    return M


LOSSES: dict[str, Callable[[Array, Array], Array]] = {
    "softmax": softmax,
    "crammer_singer": lambda Z, y: _margins(Z, y).max(axis=1),
    "crammer_singer_squared": lambda Z, y: _margins(Z, y).max(axis=1) ** 2,
    "weston_watkins": lambda Z, y: _margins(Z, y).sum(axis=1),
    "weston_watkins_squared": lambda Z, y: (_margins(Z, y) ** 2).sum(axis=1),
}


def value(X: Any, y: Array, weights: Weights, loss: str, alpha: float) -> float:
    """F at ``weights``, in float64."""
    n, p = X.shape
    rows = max(1, BLOCK_ENTRIES // max(p, weights.W.shape[1]))
    W = np.asarray(weights.W, dtype=np.float64)
    total = 0.0
    for start in range(0, n, rows):
        part = slice(start, start + rows)
        Z = np.asarray(X[part].astype(np.float64) @ W) + weights.b
        total += float(LOSSES[loss](Z, y[part]).sum())
    return total / n + alpha / 2 * float((W * W).sum())
