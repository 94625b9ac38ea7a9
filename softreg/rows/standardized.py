"""Rows seen through an affine change of columns: (x - mean) / scale."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import scipy  # its submodules load when first used
from numpy.typing import NDArray

from softreg.rows.blocks import Rows


class StandardizedRows(Rows):
    """Other rows with every column shifted by ``mean`` (p,) and divided by ``scale`` (p,), a block at a time.

    Sparse rows are only divided, so that they stay sparse; with an intercept the optimum is the same.
    """

    def __init__(self, rows: Rows, mean: NDArray[Any], scale: NDArray[Any]) -> None:
        self.rows = rows
        self.is_sparse = hasattr(rows.X, "indptr")
        self.mean = np.zeros_like(mean) if self.is_sparse else mean
        self.scale = scale
        super().__init__(rows.X, rows.y, rows.weight, n_classes=rows.n_classes, dtype=rows.dtype, n_jobs=rows.n_jobs)

    @property
    def block_rows(self) -> int:
        return self.rows.block_rows

    def subset(self, rows: NDArray[Any], weight: NDArray[Any] | None = None) -> Self:
        other = super().subset(rows, weight)
        other.rows = self.rows.subset(rows, weight)
        return other

    def take(self, rows: slice | NDArray[Any]) -> Any:
        # In float64 even when the arithmetic that follows is float32: x - mean may cancel.
        X = self.rows.astype(np.float64).take(rows)
        if self.is_sparse:
            return (X @ scipy.sparse.diags_array(1 / self.scale)).tocsr().astype(self.dtype, copy=False)
        return ((X - self.mean) / self.scale).astype(self.dtype, copy=False)

    def to_raw(self, W: NDArray[Any]) -> NDArray[Any]:
        """The weights (p + 1, K) that do to raw columns what ``W`` does to standardized ones."""
        raw = W.copy()
        raw[:-1] /= self.scale[:, None]
        raw[-1] -= self.mean @ raw[:-1]
        return raw

    def from_raw(self, W: NDArray[Any]) -> NDArray[Any]:
        """The inverse of `to_raw`."""
        standardized = W.copy()
        standardized[-1] += self.mean @ W[:-1]
        standardized[:-1] *= self.scale[:, None]
        return standardized
