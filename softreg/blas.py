"""BLAS held at one thread, and products with few columns in the order that it multiplies fastest."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: BLAS's float32 kernels take classes by fours and are slow with the rest: two more of zeros make a pass over MNIST a
#: sixth faster.  Those of float64 gain nothing.
CLASSES_AT_ONCE = 4
#: OpenBLAS's kernels that multiply small matrices as they lie.  Others, and larger matrices, are first copied into an
#: order of their own, which for few classes takes as long as multiplying does.
SMALL_KERNELS = {"SkylakeX", "Cooperlake", "SapphireRapids"}
#: What is small, after kernel/x86_64/?gemm_small_kernel_permit_skylakex.c: half as many numbers multiplied as allowed;
#: and where X is read as its transpose, so many logits of so many columns.
SMALL = 500_000
SMALL_LOGITS, LEAST_COLUMNS = 1200, 32
#: Columns from which on X W is faster with X read as it lies, though its logits have to be brought into their order.
MANY_COLUMNS = 128
#: Rows in a small product below which nothing is gained; and where X'G is a sum of such products, which takes time too.
LEAST_ROWS, LEAST_TERMS = 16, 100
#: Bytes of X up to which it is copied within a near cache, and products in one piece are as fast.
NEAR = 1 << 21


def times(X: Array, V: Array) -> Array:
    """X V, (m, K) with columns contiguous, for X (m, p) and few columns of V, of one type."""
    (m, p), K = X.shape, V.shape[1]
    A = _by_fours(V.T)
    as_it_lies = p >= max(MANY_COLUMNS, 2 * K)
    most = SMALL // max(V.size if as_it_lies else A.size, 1)
    if not as_it_lies:
        most = min(most, SMALL_LOGITS // len(A)) if p >= LEAST_COLUMNS else 0
    if not LEAST_ROWS <= most < m or X.strides[1] != X.itemsize or not _gains(X):
        return (A @ X.T)[:K].T
    size, n = _even(m, most)
    few = X[:n].reshape(-1, size, p)
    Z = np.empty((len(A), m), dtype=X.dtype)
    places = Z[:, :n].reshape(len(A), -1, size)
    if as_it_lies:
        places[:K] = np.matmul(few, np.ascontiguousarray(V)).transpose(2, 0, 1)
    else:
        np.matmul(np.ascontiguousarray(A), few.transpose(0, 2, 1), out=places.transpose(1, 0, 2))
    if n < m:
        np.matmul(A, X[n:].T, out=Z[:, n:])
    return Z[:K].T


def transposed_times(X: Array, G: Array) -> Array:
    """X'G, (p, K), for X (m, p) and G (m, K) with columns contiguous, of one type."""
    (m, p), K = X.shape, G.shape[1]
    A = _by_fours(G.T)
    most = SMALL // max(len(A) * p, 1)
    by_columns = X.strides[0] == X.itemsize and p >= LEAST_COLUMNS
    possible = min(m, most) >= LEAST_TERMS and (by_columns or (most < m and X.strides[1] == X.itemsize))
    if not possible or A.dtype != X.dtype or not _gains(X):
        return (A @ X)[:K].T
    size, n = _even(m, most)
    if by_columns:
        few = X.T[:, :n].reshape(p, -1, size).transpose(1, 0, 2)
        total = np.matmul(few, np.ascontiguousarray(G[:n]).reshape(-1, size, K)).sum(axis=0)
    else:
        few = X[:n].reshape(-1, size, p)
        total = np.matmul(A[:, :n].reshape(len(A), -1, size).transpose(1, 0, 2), few).sum(axis=0)[:K].T
    if n < m:
        total += (A[:, n:] @ X[n:])[:K].T
    return total


def _even(m: int, most: int) -> tuple[int, int]:
    """How many of m rows to take at a time, at most ``most``, and how many rows that makes in all."""
    parts = -(-m // most)
    return m // parts, m // parts * parts


def _by_fours(A: Array) -> Array:
    """A, a row a class, with rows of zeros up to a multiple of what the kernels for its type take at once."""
    K = len(A)
    lacking = -K % CLASSES_AT_ONCE
    if K == 1 or not lacking or A.dtype != np.float32:
        return A
    padded = np.zeros((K + lacking, A.shape[1]), dtype=A.dtype)
    padded[:K] = A
    return padded


def _gains(X: Array) -> bool:
    return X.nbytes > NEAR and _multiplies_small()


@cache
def _multiplies_small() -> bool:
    """Whether BLAS has kernels for small matrices here."""
    return any(getattr(library, "architecture", None) in SMALL_KERNELS for library in _controller().lib_controllers)


@cache
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def one_thread_blas() -> AbstractContextManager[Any]:
    """Hold BLAS at one thread: blocks are what runs in parallel, and one thread gives the same bits everywhere."""
    controller = _controller()
    if all(lib.num_threads == 1 for lib in controller.lib_controllers if lib.user_api == "blas"):
        return nullcontext()
    return controller.limit(limits=1, user_api="blas")
