"""Numbers that stand for missing ones: which cells they are in, and what they are by the rows they are learned from."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    Matrix: TypeAlias = np.ndarray | csr_array


def fill_of(cells: np.ndarray, how: str) -> float:
    """What stands for a missing one among these numbers: their ``median``, else their mean."""
    with np.errstate(over="ignore"):
        fill = float(np.median(cells) if how == "median" else cells.mean())
    return fill if np.isfinite(fill) else float(np.median(cells))


@dataclass(frozen=True, eq=False)
class Filled:
    """The cells of X (n, p) that were missing and hold what was learned from other rows of their column.

    Rows that judge a model must not help to make it: where a table is cut in two, `split` and `learned` fill both parts
    from the training rows alone.

    Parameters
    ----------
    rows, columns : (m,) integer arrays
        Where the cells are.
    how : str
        "median", or anything else for the mean.
    """

    rows: np.ndarray
    columns: np.ndarray
    how: str

    def learned(self, X: Matrix, train: np.ndarray, columns: Iterable[int] | None = None) -> dict[int, float]:
        """What stands for a missing cell of these columns (those that have any), learned from rows ``train``.

        A column without a number in these rows is left out: what stands there says nothing to a model.
        """
        inside = np.zeros(X.shape[0], dtype=bool)
        inside[train] = True
        source: Any = X if isinstance(X, np.ndarray) else X.tocsc()
        found = {}
        for column in np.unique(self.columns).tolist() if columns is None else columns:
            cells = source[:, column] if isinstance(X, np.ndarray) else source[:, [column]].toarray()[:, 0]
            there = inside.copy()
            there[self.rows[self.columns == column]] = False
            if there.any():
                found[column] = fill_of(cells[there], self.how)
        return found

    def write(self, X: Matrix, fills: Mapping[int, float]) -> None:
        """Put the fills into X."""
        for column, fill in fills.items():
            rows = self.rows[self.columns == column]
            if len(rows):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # a fill of 0 had no entry in a sparse X
                    X[rows, column] = fill

    def take(self, rows: np.ndarray, n: int) -> Filled:
        """Of the cells of X (``n`` rows) those in these rows, counted as they are there."""
        place = np.full(n, -1, dtype=np.intp)
        place[rows] = np.arange(len(rows))
        here = place[self.rows]
        return Filled(here[here >= 0], self.columns[here >= 0], self.how)

    def split(self, X: Matrix, train: np.ndarray, apart: np.ndarray) -> tuple[Matrix, Matrix]:
        """Rows ``train`` and rows ``apart`` of X, both filled with what the first ones say."""
        fills = self.learned(X, train)
        parts = []
        for rows in (train, apart):
            part = X[rows]
            self.take(rows, X.shape[0]).write(part, fills)
            parts.append(part)
        return parts[0], parts[1]
