"""Cholesky's factor of a matrix that is positive semidefinite but for rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dpotrs, spotrf, spotrs

from softreg.minimise import Diverged

Array = NDArray[Any]


def factor_positive(M: Array, ridge: float = 0.0) -> tuple[Array, float]:
    """L, in the lower triangle, with L L' = M + ridge·max|diagonal|·I; and the ridge, grown until Cholesky passes.

    Raises `Diverged` where M is not finite.
    """
    potrf = spotrf if M.dtype == np.float32 else dpotrf
    size, least = np.abs(M.diagonal()).max(initial=1.0), len(M) * float(np.finfo(M.dtype).eps)
    while np.isfinite(size) and ridge <= 100 * len(M):  # with one of len(M) any matrix of numbers passes
        A = M.copy(order="F")
        A.flat[:: len(A) + 1] += ridge * size
        L, failed = potrf(A, lower=True, overwrite_a=True, clean=False)
        if not failed and np.isfinite(L.diagonal()).all():  # a NaN off M's diagonal is no failure to LAPACK
            return L, ridge
        ridge = max(100 * ridge, least)
    raise Diverged("the Hessian is not finite: columns are too large for this alpha, standardize them or raise it")


def solve_factored(L: Array, b: Array) -> Array:
    """(L L')^-1 b for one column or several."""
    if not b.size:
        return b
    return (spotrs if L.dtype == np.float32 else dpotrs)(L, b, lower=True)[0]


def solve_positive(H: Array, b: Array, ridge: float = 0.0) -> Array:
    """(H + ridge·I)^-1 b for a positive semidefinite H of unit diagonal; the ridge grows until Cholesky passes."""
    factor, ridge = factor_positive(H, ridge)
    x = solve_factored(factor, b)
    if ridge == 0:
        x += solve_factored(factor, b - H @ x)
    return x
