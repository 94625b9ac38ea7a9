"""Rows that are repeated, label and all: one of each, weighted by how often it occurs, is the same problem."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from softreg.rows.blocks import BLOCK_ENTRIES

Array = NDArray[Any]

#: Rows below which nothing is gained.
FEW_ROWS = 2000
#: Rows looked at first, and the share of them that has to be new for the rest to be left alone.
LOOKED_AT = 8192
MOSTLY_NEW = 0.9
#: Share of rows, distinct ones, below which they take the place of all.
WORTH_IT = 0.6


class Distinct(NamedTuple):
    """Rows, targets and weights, and of each row there was (n,) which of these it is; None: all are as they were."""

    X: Any
    y: Array
    weight: Array | None
    which: Array | None = None


def without_repeats(X: Any, y: Array, weight: Array | None) -> Distinct:
    """``X, y, weight`` with each repeated row once, of its repetitions' total weight, where that saves much.

    Every sum over rows is the same but for rounding, and so are the optimum and its certificate.  The first of
    equal rows stays where it is, so the answer depends on the rows alone.  Data with few repeats, soft labels and
    sparse rows whose entries are not in order are given back as they are.

    Parameters
    ----------
    X : (n, p) array or CSR matrix, finite
    y : (n,) class codes, or (n, K) target distributions
    weight : (n,) array or None

    Returns
    -------
    Distinct
    """
    n, p = X.shape
    sparse = hasattr(X, "indptr")
    if y.ndim == 2 or n < FEW_ROWS or (sparse and not X.has_canonical_format):
        return Distinct(X, y, weight)
    few = np.linspace(0, n - 1, min(n, LOOKED_AT)).astype(np.intp)
    if len(_firsts(_fingerprints(X[few], y[few]))[0]) > MOSTLY_NEW * len(few):
        return Distinct(X, y, weight)
    first, which = _firsts(_fingerprints(X, y))
    if not p <= len(first) <= WORTH_IT * n or not _equal(X, y, first[which]):
        return Distinct(X, y, weight)
    total = np.bincount(which, weights=weight, minlength=len(first)).astype(np.float64)
    return Distinct(X[first], y[first], total, which)


def _firsts(prints: Array) -> tuple[Array, Array]:
    """The first row of each fingerprint, in order, and for every row which of them it is like."""
    _, first, which = np.unique(prints, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return first[order], place[which]


def _fingerprints(X: Any, y: Array) -> Array:
    """(n,) uint64, the same for equal rows: their bits times odd numbers, a column each, summed modulo 2^64."""
    n, p = X.shape
    odd = np.random.default_rng(0).integers(1 << 63, size=p + 1, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    prints = y.astype(np.uint64) * odd[p]
    if hasattr(X, "indptr"):
        if X.nnz:
            total = np.cumsum(_mixed(X.data) * odd[X.indices], dtype=np.uint64)
            prints += np.diff(np.concatenate([np.zeros(1, dtype=np.uint64), total])[X.indptr])
        return prints
    step = max(BLOCK_ENTRIES // max(p, 1), 1)
    for start in range(0, n, step):
        prints[start : start + step] += _mixed(X[start : start + step]) @ odd[:p]
    return prints


def _mixed(values: Array) -> Array:
    """The bits of each number, its low half no longer empty where there are few digits."""
    bits = (values.astype(np.float64) + 0.0).view(np.uint64)  # + 0.0: there are two zeros
    return bits ^ (bits >> np.uint64(29))


def _equal(X: Any, y: Array, like: Array) -> bool:
    """Whether every row is the one that it is ``like``, entry by entry: two rows may share a fingerprint."""
    repeats = np.flatnonzero(like != np.arange(len(like)))
    if not np.array_equal(y[repeats], y[like[repeats]]):
        return False
    step = max(BLOCK_ENTRIES // max(X.shape[1], 1), 1)
    for start in range(0, len(repeats), step):
        part = repeats[start : start + step]
        A, B = X[part], X[like[part]]
        if isinstance(X, np.ndarray):
            if not np.array_equal(A, B):
                return False
        elif not all(np.array_equal(getattr(A, name), getattr(B, name)) for name in ("indptr", "indices", "data")):
            return False
    return True
