"""Tables that are in memory already: pandas and polars frames, arrays of numbers or objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl

from softreg.errors import DataError
from softreg.tables.cells import TypedCells, float_text
from softreg.text import is_missing, safe_text

_ROWS = 1 << 16


class Frame:
    """A frame or array as a source of rows; see `softreg.tables.cells.Source`.

    ``categories`` are the columns whose type says that they hold categories.
    """

    def __init__(self, X: Any, names: Sequence[str], path: str = "X") -> None:
        self.path, self.names, self.notes, self.header = path, list(names), list[str](), True
        columns = [_column(X, j) for j in range(len(self.names))]
        self.categories = [
            name
            for name, column in zip(self.names, columns, strict=True)
            if _is_category(getattr(column, "dtype", None))
        ]
        self._series = [_series(name, column) for name, column in zip(self.names, columns, strict=True)]
        self._n = len(self._series[0]) if self._series else 0

    @property
    def share(self) -> float:
        """All of it is there."""
        return 1.0

    def blocks(self) -> Iterator[TypedCells]:
        """All rows, in order."""
        for start in range(0, self._n, _ROWS):
            end = min(start + _ROWS, self._n)
            yield TypedCells(self.path, [s.slice(start, end - start) for s in self._series], range(start + 1, end + 1))


def _column(X: Any, j: int) -> Any:
    if isinstance(X, pl.DataFrame):
        return X.to_series(j)
    return X.iloc[:, j] if hasattr(X, "iloc") else X[:, j]


def _is_category(dtype: object) -> bool:
    return str(dtype) == "category" or isinstance(dtype, pl.Categorical | pl.Enum)


def _series(name: str, column: Any) -> pl.Series:
    if isinstance(column, pl.Series):
        return column.alias(name)
    if isinstance(column, np.ndarray) or not _is_category(column.dtype):
        values = column if isinstance(column, np.ndarray) else column.to_numpy()
        if values.dtype.kind in "biuf" and values.dtype.itemsize <= 8:
            native = values.dtype.newbyteorder("=")
            return pl.Series(name, np.ascontiguousarray(values, dtype=np.float32 if native == np.float16 else native))
        if values.dtype.kind == "M":
            unit = np.datetime_data(values.dtype)[0]
            return pl.Series(name, values.astype(f"M8[{unit if unit in ('ms', 'us', 'ns') else 'us'}]"))
        if values.dtype.kind == "c":
            raise DataError(f"Complex data not supported: column '{safe_text(name, 40)}' holds complex numbers")
    return pl.Series(name, [_written(name, value) for value in column], dtype=pl.String)


def _written(name: str, value: Any) -> str | None:
    """The text form of an object: as of typed files."""
    if is_missing(value):
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float | np.floating):
        return float_text(float(value))
    if isinstance(value, int | np.integer) or hasattr(value, "isoformat"):
        return value.isoformat() if hasattr(value, "isoformat") else str(int(value))
    raise DataError(
        f"column '{safe_text(name, 40)}': an argument must be a string or a number, not {type(value).__name__}"
    )
