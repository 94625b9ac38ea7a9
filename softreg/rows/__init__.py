"""Rows: where the data are stored and how to visit them.  All that is ever learnt is a sum over their blocks.

A `Rows` has ``shape`` (n, p), ``y``, ``n_classes``, ``total_weight`` and

``sum(kernel)``          the sum of ``kernel(block)`` over all blocks: a tuple of floats and arrays
``batches(size, rng)``   the same rows in random order, as small blocks, once
``astype(dtype)``        the same rows, their arithmetic in another floating-point type

A kernel is a pure function of one `Block`.  The order of summation depends on the shape alone, never on the
number of threads, so that the same sum has the same bits.
"""

from softreg.blas import one_thread_blas
from softreg.rows.blocks import Block, Kernel, Rows
from softreg.rows.dense import DenseRows
from softreg.rows.sparse import SparseRows
from softreg.rows.standardized import StandardizedRows

__all__ = [
    "Block",
    "DenseRows",
    "Kernel",
    "Rows",
    "SparseRows",
    "StandardizedRows",
    "make_rows",
    "one_thread_blas",
]


def make_rows(X, y, weight=None, *, n_classes=None, dtype=None, n_jobs=None) -> Rows:  # type: ignore[no-untyped-def]
    """`Rows` over an array or a CSR matrix: ``y`` (n,) codes or (n, K) targets, ``weight`` (n,) or None for 1."""
    kind = SparseRows if hasattr(X, "indptr") else DenseRows
    return kind(X, y, weight, n_classes=n_classes, dtype=dtype, n_jobs=n_jobs)
