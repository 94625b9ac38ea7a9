"""What a table is once it has been read."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from softreg.tables import labels
from softreg.tables.filled import Filled
from softreg.tables.numbered import json_pieces
from softreg.tables.recipe import Recipe
from softreg.threads import allowed_jobs, in_order

if TYPE_CHECKING:
    from scipy.sparse import csr_array

#: Bytes that are hashed at a time.
_PIECE = 1 << 22

#: Classes in order, and for each row its place among them.
Labels = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Table:
    """Rows read from files.

    X : (n, p) float64 from text and Parquet, as stored from npz; or CSR of shape (n, p).
    labels : classes and (n,) codes into them; None where there are none.
    soft : (n, K) a probability for each class, where labels are soft; ``labels`` are then the likeliest.
    groups : (n,) labels of the group column, or None.
    weight : (n,) float64, or None.
    fingerprint : SHA-256 (hexadecimal) of what was decoded: names, X, labels.  The same data in another format
        have the same.
    n_missing, n_dropped, n_unknown : cells without a value; rows left out for them; cells of categories that
        training never saw.
    filled : the cells of X that were missing and hold what was learned from this very table, or None.
    notes : what a user may want to know, a sentence each.  warnings : what a user must know, a sentence each.
    """

    path: str
    X: np.ndarray | csr_array
    feature_names: Sequence[str]
    labels: Labels | None
    groups: np.ndarray | None
    recipe: Recipe
    fingerprint: str
    weight: np.ndarray | None = None
    soft: np.ndarray | None = None
    n_missing: int = 0
    n_dropped: int = 0
    n_unknown: int = 0
    filled: Filled | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    blocks_of_lines: Sequence[Sequence[int]] = field(default=(), repr=False)

    @property
    def n_rows(self) -> int:
        """The number of rows."""
        return self.X.shape[0]

    @cached_property
    def y(self) -> np.ndarray | None:
        """(n,) labels, int64 or text."""
        return None if self.labels is None else self.labels[0][self.labels[1]]

    def codes(self, classes: np.ndarray) -> np.ndarray:
        """(n,) the place of each row's label in ``classes``, -1 where it is none of them."""
        assert self.labels is not None
        if self.soft is not None:  # in the order of the classes
            return self.labels[1]
        return labels.encode(self.labels[0], classes)[self.labels[1]]

    def learned_from(self, train: np.ndarray) -> Table:
        """The table, and the recipe, where only rows ``train`` say what stands for a missing number."""
        if self.filled is None:
            return self
        fills = self.filled.learned(self.X, train, self.recipe.filled_columns)
        if not len(self.filled.rows):
            return replace(self, recipe=self.recipe.refilled(fills))
        X = self.X.copy()
        self.filled.write(X, fills)
        recipe = self.recipe.refilled(fills)
        groups = None if self.groups is None else np.unique(self.groups, return_inverse=True)
        pairs = [self.labels if self.soft is None else None, groups]
        seen = fingerprint(self.feature_names, X, pairs, [self.weight, self.soft])
        return replace(self, X=X, recipe=recipe, fingerprint=seen)

    def line(self, row: int) -> int:
        """The line of the file on which row ``row`` (from 0) begins; the header is line 1.

        Of a file that has no lines, the number of the row counted from 1.
        """
        if not 0 <= row < self.n_rows:
            raise IndexError(f"row {row} of {self.n_rows}")
        if not self.blocks_of_lines:
            return row + 1
        ends = np.cumsum([len(lines) for lines in self.blocks_of_lines])
        block = bisect_right(ends, row)
        return int(self.blocks_of_lines[block][row - int(ends[block])])  # a negative index, from the block's end


def fingerprint(
    names: Sequence[str],
    X: np.ndarray | csr_array,
    labels: Sequence[Labels | None],
    numbers: Sequence[np.ndarray | None] = (),
) -> str:
    """SHA-256 of a decoded table, arrays by the digests of their pieces; ``numbers`` are weights and soft labels."""
    digest = hashlib.sha256()
    parts = [X] if isinstance(X, np.ndarray) else [X.indptr, X.indices, X.data]
    # Keys in order of the alphabet, the names among them written in pieces: there may be millions.
    before = {"classes": [None if pair is None else pair[0].tolist() for pair in labels], "dtype": str(X.dtype)}
    after = {"shape": list(X.shape), "sparse": len(parts) > 1}
    digest.update(f'{json.dumps(before)[:-1]}, "names": ['.encode())
    for piece in json_pieces(names):
        digest.update(piece.encode())
    digest.update(f"], {json.dumps(after)[1:]}".encode())
    for part in parts:
        # Index types are a matter of size, not of content.
        _update(digest, part, part.dtype if part is parts[-1] else np.dtype(np.int64))
    for pair in labels:
        if pair is not None:
            _update(digest, pair[1], np.dtype(np.int64))
    for array in numbers:
        if array is not None:
            _update(digest, array, array.dtype)
    return digest.hexdigest()


def _update(digest: Any, array: np.ndarray, dtype: np.dtype) -> None:
    """Hash an array in row order, as little-endian ``dtype``: the digests of pieces, worked out by threads."""
    rows = max(1, _PIECE // max(1, array[:1].size * dtype.itemsize))

    def piece(start: int) -> bytes:
        block = array[start : start + rows]
        return hashlib.sha256(np.ascontiguousarray(block, dtype=dtype.newbyteorder("<")).data.cast("B")).digest()

    for part in in_order(piece, range(0, len(array), rows), allowed_jobs(None)):
        digest.update(part)
