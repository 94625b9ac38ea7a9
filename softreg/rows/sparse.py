"""Rows of a sparse matrix in CSR form."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy  # its submodules load when first used
from numpy.typing import NDArray

from softreg.rows.blocks import BLOCK_ENTRIES, LOGITS, Rows


class SparseRows(Rows):
    """Rows of a (n, p) CSR matrix or array; blocks are views of its entries, never dense."""

    X: Any

    @property
    def block_rows(self) -> int:
        n_rows, n_features = self.shape
        entries = max(self.X.nnz / max(n_rows, 1), 1)
        # A block's X'G has p rows, however few entries the block has: at least as many entries as to be worth them.
        enough = min(8 * n_features / entries, 2 * n_features)
        most = BLOCK_ENTRIES // max(entries + LOGITS * self.n_classes, n_features / 64)
        return int(max(min(most, 8192), enough, 64))

    def take(self, rows: slice | NDArray[Any]) -> Any:
        if not isinstance(rows, slice):
            return self.X[rows].astype(self.dtype, copy=False)
        start, stop = rows.start, min(rows.stop, self.shape[0])
        indptr = self.X.indptr[start : stop + 1]
        part = slice(indptr[0], indptr[-1])
        data = np.asarray(self.X.data[part], dtype=self.dtype)
        return scipy.sparse.csr_array((data, self.X.indices[part], indptr - indptr[0]), (stop - start, self.shape[1]))
