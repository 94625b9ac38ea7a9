"""Products of the whole of X, and of X transposed, with matrices of a few columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy  # its submodules load when first used
from numpy.typing import NDArray

from softreg.rows.blocks import Rows
from softreg.rows.sparse import SparseRows

Array = NDArray[Any]

#: Entries of X in a tile, at least.
TILE_ENTRIES = 1 << 18
#: Tiles, at most: where a product is a sum over tiles, each brings a term of the product's whole size.
MAX_TILES = 4


class Products:
    """X V (n, K), X'R (p, K) and X X'R for X (n, p), in the type of V and R, or in ``dtype`` if that is finer.

    Sparse and wide, X is held once more, by features, while that takes at most as much as a few weights do (`copies`):
    X V then scatters into n rows and X'R gathers from them, where X held by rows would gather from and scatter into p.
    The tiles that threads take, and the order in which their results are summed, follow from X alone.
    """

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.shape = n, p = rows.shape
        self.by_features = False
        self.dtype = rows.dtype
        if not hasattr(rows.X, "indptr"):
            self.tiles: list[Any] = []  # taken from the rows when they are visited
            self.edges = [*range(0, n, rows.block_rows), n]
            return
        # The caller's own entries where they can be multiplied as they are, else as float64.
        plain = isinstance(rows, SparseRows) and rows.X.dtype in (np.float32, np.float64)
        X = rows.X if plain else rows.astype(np.float64).take(slice(0, n))
        self.dtype = X.dtype
        self.by_features = p > n and copies(rows)
        M = X.T.tocsr() if self.by_features else X
        self.edges = edges_of(M.indptr, min(MAX_TILES, max(1, M.nnz // TILE_ENTRIES)))
        self.tiles = [rows_of(M, a, b) for a, b in zip(self.edges[:-1], self.edges[1:], strict=True)]

    def forward(self, V: Array) -> Array:
        """X V, (n, K)."""
        return self._summed(V) if self.by_features else self._side_by_side(V)

    def backward(self, R: Array) -> Array:
        """X'R, (p, K)."""
        return self._side_by_side(R) if self.by_features else self._summed(R)

    def gram(self, R: Array, factor: Array | None = None) -> Array:
        """X diag(1/factor) X'R, (n, K)."""
        if not self.by_features:
            T = self.backward(R)
            return self.forward(T if factor is None else (T / factor[:, None]).astype(T.dtype, copy=False))

        def part(i: int) -> Array:  # a tile's share of X'R never leaves the cache
            T = self.tiles[i] @ R
            if factor is not None:
                T /= factor[self.edges[i] : self.edges[i + 1], None]
            return self.tiles[i].T @ T

        return self._total(part)

    def _tile(self, i: int, dtype: Any) -> Any:
        if self.tiles:
            return self.tiles[i]
        return self.rows.astype(dtype).take(slice(self.edges[i], self.edges[i + 1]))

    def _side_by_side(self, V: Array) -> Array:
        """The rows of the product, tile after tile."""
        out = np.empty((self.edges[-1], V.shape[1]), dtype=np.result_type(V, self.dtype))

        def part(i: int) -> None:
            out[self.edges[i] : self.edges[i + 1]] = self._tile(i, V.dtype) @ V

        for _ in self.rows.parallel(part, range(len(self.edges) - 1)):
            pass
        return out

    def _summed(self, V: Array) -> Array:
        """The product of the transpose: a sum over tiles."""
        return self._total(lambda i: self._tile(i, V.dtype).T @ V[self.edges[i] : self.edges[i + 1]])

    def _total(self, part: Callable[[int], Array]) -> Array:
        terms = iter(self.rows.parallel(part, range(len(self.edges) - 1)))
        total = next(terms)
        for term in terms:
            total += term
        return total


def copies(rows: Rows) -> bool:
    """Whether a second X fits beside what a fit holds anyway: 30 MB, or eight matrices of weights."""
    held = rows.X.nnz * (rows.X.dtype.itemsize + rows.X.indices.itemsize)
    return held <= (30 << 20) + 8 * 8 * rows.shape[1] * rows.n_classes


def edges_of(indptr: Array, n_tiles: int) -> list[int]:
    """Row numbers that cut a CSR matrix into ``n_tiles`` of about as many entries each."""
    inner = [int(np.searchsorted(indptr, indptr[-1] * i // n_tiles)) for i in range(1, n_tiles)]
    return sorted({0, *inner, len(indptr) - 1})


def rows_of(M: Any, start: int, stop: int) -> Any:
    """Rows of a CSR matrix as a view of its entries."""
    part = slice(M.indptr[start], M.indptr[stop])
    indptr = M.indptr[start : stop + 1] - M.indptr[start]
    return scipy.sparse.csr_array((M.data[part], M.indices[part], indptr), (stop - start, M.shape[1]))
