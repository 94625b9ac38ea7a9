"""A block of rows as a source hands it over: text as it is written, and numbers where the text is one.

Every format has one written form of a value, so that one table in two formats is one table: 1 and 1.0 of typed data
are "1", true is "true", a date is 2026-11-22; text stays as it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import polars as pl

from softreg.errors import DataError
from softreg.text import safe_text

#: Integers up to here are exact as float64.
_EXACT = 2.0**53
#: Types whose text form is polars'.
_PLAIN = (pl.Boolean, pl.Date, pl.Time, pl.Categorical, pl.Enum, pl.Null)


class Cells(Protocol):
    """Some rows of a table.

    path : of the file they come from, for messages.  lines : where each row begins (counted from 1).
    """

    path: str
    lines: Sequence[int]

    def numbers(self, columns: Sequence[int]) -> np.ndarray:
        """(m, len(columns)) float64; NaN or infinite where a cell is empty or no finite number."""
        ...

    def text(self, column: int, rows: np.ndarray | None = None) -> pl.Series:
        """(m,) text as it is written, or that of a few ``rows`` of these; null or "" where there is none."""
        ...


class Source(Protocol):
    """A table that can be read from the start to the end.

    names : of its columns.  notes : sentences on what was found.  header : whether its first line holds the names.
    share : the part of it that is read, from 0 to 1; 0 where it cannot be known.
    """

    path: str
    names: list[str]
    header: bool

    @property
    def notes(self) -> list[str]: ...

    @property
    def share(self) -> float: ...

    def blocks(self) -> Iterator[Cells]:
        """All rows, in order."""
        ...


class UnusableColumn(DataError):
    """A column of what is neither numbers nor text; whoever knows what the column is for adds a way out."""

    def __init__(self, place: str, column: str, what: str) -> None:
        super().__init__(f"{place}: column '{safe_text(column, 40)}' holds {what}, neither numbers nor text")
        self.column = column

    def but(self, way_out: str) -> DataError:
        """The same with a way out."""
        return DataError(f"{self} ({way_out})")


class TypedCells:
    """Rows of typed columns, as of Parquet and JSON."""

    def __init__(self, path: str, frame: Sequence[pl.Series], lines: Sequence[int]) -> None:
        self.path, self.lines = path, lines
        self._columns = frame

    def numbers(self, columns: Sequence[int]) -> np.ndarray:
        out = np.empty((len(self.lines), len(columns)))
        for j, column in enumerate(columns):
            series = self._columns[column]
            if not series.dtype.is_numeric():
                series = self.text(column)
            out[:, j] = series.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()
        return out

    def text(self, column: int, rows: np.ndarray | None = None) -> pl.Series:
        series = self._columns[column]
        return written(series if rows is None else series.gather(rows), self.path)


def written(series: pl.Series, path: str) -> pl.Series:
    """The one text form of typed values; null stays null, and NaN becomes it."""
    dtype = series.dtype
    if dtype == pl.String:
        return series
    if dtype.is_float():
        values = series.fill_nan(None)
        different = values.unique().drop_nulls().to_list()
        if not different:  # a mapping of nothing has no type
            return values.cast(pl.String)
        return values.cast(pl.Float64).replace_strict(
            different, list(map(float_text, different)), return_dtype=pl.String
        )
    if dtype == pl.Datetime:
        return series.dt.strftime("%Y-%m-%dT%H:%M:%S%.f")
    if dtype.is_integer() or dtype.is_decimal() or dtype in _PLAIN:
        return series.cast(pl.String)
    raise UnusableColumn(path, series.name, f"values of type {safe_text(str(dtype), 60)}")


def float_text(value: float) -> str:
    """The shortest text of the number; without a point where it is whole.

    >>> float_text(3.0), float_text(-0.0), float_text(0.1), float_text(1e300)
    ('3', '-0', '0.1', '1e+300')
    """
    if not (value.is_integer() and abs(value) < _EXACT):
        return repr(value)
    return str(int(value)) if value or math.copysign(1, value) > 0 else "-0"
