"""What a table is once it has been read, and how its columns became the columns of X."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from softreg.errors import ModelFileError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

LabelType = Literal["int", "str"]


@dataclass(frozen=True)
class Recipe:
    """How the columns of a file become X and y: the same for training data and for data to predict.

    ``features`` are the columns of X in order; ``target`` is the column of labels (None where the data had no
    names); ``label_type`` says whether the classes are integers or text.
    """

    features: tuple[str, ...]
    target: str | None
    label_type: LabelType

    def to_json(self) -> dict[str, Any]:
        """The recipe as plain lists and strings."""
        return {"features": list(self.features), "target": self.target, "label_type": self.label_type}

    @classmethod
    def from_json(cls, value: object) -> Recipe:
        """The recipe that ``to_json`` described; ModelFileError where ``value`` is no such description."""
        if not isinstance(value, dict) or set(value) != {"features", "target", "label_type"}:
            raise ModelFileError("the recipe must have exactly the keys features, target and label_type")
        features, target, label_type = value["features"], value["target"], value["label_type"]
        if not isinstance(features, list) or not all(isinstance(name, str) for name in features):
            raise ModelFileError("the recipe's features must be a list of column names")
        if len(set(features)) != len(features) or not features:
            raise ModelFileError("the recipe's features must be one or more different column names")
        if not (target is None or isinstance(target, str)) or target in features:
            raise ModelFileError("the recipe's target must be a column name that is no feature, or null")
        if label_type not in ("int", "str"):
            raise ModelFileError("the recipe's label_type must be int or str")
        return cls(tuple(features), target, label_type)


@dataclass(frozen=True, eq=False)
class Table:
    """Rows read from a file.

    X : (n, p) float64 from text, as stored from npz; or CSR of shape (n, p).
    y : (n,) labels, int64 or text; None where the file has none.
    groups : (n,) labels of the ``group`` column, or None.
    n_missing : cells without a value; such a table is refused, so 0.
    fingerprint : SHA-256 (hexadecimal) of what was decoded: names, X, labels.  CSV and TSV of the same data
        have the same.
    notes : what a user may want to know, a sentence each.
    """

    path: str
    X: np.ndarray | csr_array
    feature_names: tuple[str, ...]
    y: np.ndarray | None
    groups: np.ndarray | None
    recipe: Recipe
    fingerprint: str
    n_missing: int = 0
    notes: tuple[str, ...] = ()
    blocks_of_lines: Sequence[Sequence[int]] = field(default=(), repr=False)

    @property
    def n_rows(self) -> int:
        """The number of rows."""
        return self.X.shape[0]

    def line(self, row: int) -> int:
        """The line of the file on which row ``row`` (from 0) begins; the header is line 1.

        Of an npz file, which has no lines, the number of the row counted from 1.
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
    labels: Sequence[tuple[np.ndarray, np.ndarray] | None],
) -> str:
    """SHA-256 of a decoded table; ``labels`` are pairs (classes, codes)."""
    digest = hashlib.sha256()
    parts = [X] if isinstance(X, np.ndarray) else [X.indptr, X.indices, X.data]
    header = {
        "names": list(names),
        "shape": list(X.shape),
        "dtype": str(X.dtype),
        "sparse": len(parts) > 1,
        "classes": [None if pair is None else pair[0].tolist() for pair in labels],
    }
    digest.update(json.dumps(header, sort_keys=True).encode())
    for part in parts:
        # Index types are a matter of size, not of content.
        _update(digest, part if part is parts[-1] else part.astype(np.int64, copy=False))
    for pair in labels:
        if pair is not None:
            _update(digest, pair[1].astype(np.int64, copy=False))
    return digest.hexdigest()


def _update(digest: Any, array: np.ndarray) -> None:
    """Hash an array in row order and little-endian, a block at a time where it is stored otherwise."""
    rows = max(1, (1 << 22) // max(1, array[:1].nbytes))
    for start in range(0, len(array), rows):
        block = array[start : start + rows]
        digest.update(np.ascontiguousarray(block, dtype=block.dtype.newbyteorder("<")).data.cast("B"))
