"""Sparse rows from a file, believed only after every index has been checked.

scipy trusts the three arrays of a CSR matrix: one index out of range and a product reads foreign memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from softreg.errors import DataError, ResourceError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

KEYS = ("data", "indices", "indptr", "shape", "format")
_MOST_COLUMNS = 20_000_000


def csr_from_parts(path: str, parts: Mapping[str, np.ndarray]) -> csr_array:
    """The (n, p) matrix of the arrays that ``scipy.sparse.save_npz`` writes, the columns of each row in order."""
    form = parts["format"].tolist() if parts["format"].ndim == 0 else None
    form = form.decode("ascii", "replace") if isinstance(form, bytes) else form
    if form != "csr":
        raise DataError(f"{path}: sparse format {form!r}; save X.tocsr() instead")
    n, p = _shape(path, parts["shape"])
    data, indices, indptr = parts["data"], _integers(path, parts, "indices"), _integers(path, parts, "indptr")
    if data.ndim != 1 or len(data) != len(indices):
        raise DataError(f"{path}: data {data.shape} and indices {indices.shape} must be as long as each other")
    if len(indptr) != n + 1 or indptr[0] != 0 or indptr[-1] != len(indices):
        raise DataError(f"{path}: indptr must be {n + 1} numbers from 0 to {len(indices)}, the entries stored")
    if (indptr[1:] < indptr[:-1]).any():
        raise DataError(f"{path}: indptr must not decrease")
    if len(indices) and (indices.min() < 0 or indices.max() >= p):
        raise DataError(f"{path}: a column index is outside 0 to {p - 1}")
    if p > _MOST_COLUMNS:
        raise ResourceError(f"{path}: {p} columns are more than the {_MOST_COLUMNS} that can be named")
    from scipy.sparse import csr_array  # here, for dense files share this module's KEYS and need no scipy

    X = csr_array((data, indices, indptr), shape=(n, p))
    if not X.has_canonical_format:
        X.sort_indices()
        step = np.diff(X.indices.astype(np.int64))
        begins = X.indptr[1:-1]
        step[begins[(begins > 0) & (begins < len(X.indices))] - 1] = 1  # from one row to the next
        if (step == 0).any():
            raise DataError(f"{path}: a column is stored twice in a row; call X.sum_duplicates() before saving")
        X.has_canonical_format = True  # scipy remembers what it found before the sort
    return X


def _shape(path: str, shape: np.ndarray) -> tuple[int, int]:
    if shape.shape != (2,) or shape.dtype.kind not in "iu" or (shape < 0).any() or (shape > 2**62).any():
        raise DataError(f"{path}: the key shape must hold two sizes")
    n, p = shape.tolist()
    return n, p


def _integers(path: str, parts: Mapping[str, np.ndarray], key: str) -> np.ndarray:
    array = parts[key]
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise DataError(f"{path}: {key} must be a list of integers, not {array.dtype} {array.shape}")
    if array.dtype.kind == "u" or array.dtype.itemsize < 4 or not array.dtype.isnative:
        if len(array) and array.max() > 2**62:
            raise DataError(f"{path}: {key} holds a number beyond any size")
        return array.astype(np.int64)
    return array
