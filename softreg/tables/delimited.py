"""CSV and TSV through polars, a block of rows at a time.

Numbers are rounded correctly: each equals Python's ``float`` of the same text.
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import BinaryIO

import numpy as np
import polars as pl

from softreg.errors import DataError
from softreg.tables.options import TableOptions
from softreg.tables.records import Block, RaggedRow, RecordReader, split_record
from softreg.text import safe_text

#: Rows for each column from which on a block is narrow.
NARROW = 10
#: Bytes of a cell, on average, from which on cells are copied one by one.
_LONG = 1 << 10

_LONE_CR = re.compile(rb"\r(?!\n)")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class Delimited:
    """A file of delimited text; see `softreg.tables.cells.Source`."""

    def __init__(self, file: BinaryIO, path: str, options: TableOptions, names: Sequence[str] | None = None) -> None:
        """``names`` are those of the files before, which this one must have too."""
        self.path, self.notes, self.header = path, list[str](), options.header
        self._decimal = options.decimal
        separator = None if options.delimiter is None else options.delimiter.encode()
        self._reader = RecordReader(file, path, separator)
        self._rest = iter(self._reader)
        self._read, self._size = 0, _size(file)
        first = next(self._rest, None)
        if first is None:
            raise DataError(f"{path}: blank lines only" if self._reader.n_blank else f"{path}: the file is empty")
        head, below = first.behead()
        fields = split_record(head, self._reader.separator)
        if not options.header:
            self.names, self._first = [f"x{j}" for j in range(1, len(fields) + 1)], first
        else:
            self.names, self._first = [name.strip(" ") for name in fields], below
            _check_header(f"{path}:{first.lines[0]}", self.names, self._reader.separator)

    @property
    def share(self) -> float:
        """The part of the file that is read; 0 where its size is not known."""
        return min(1.0, self._read / self._size) if self._size else 0.0

    def blocks(self) -> Iterator[DelimitedCells]:
        """All rows, in order."""
        if len(self._first.lines):
            yield self._cells(self._first)
        for block in self._rest:
            yield self._cells(block)
        blank = self._reader.n_blank
        if blank:
            self.notes.append(f"skipped {blank} blank line{'s' * (blank > 1)}")

    def _cells(self, block: Block) -> DelimitedCells:
        self._read += len(block.text)
        return DelimitedCells(self.path, block, self._reader.separator, len(self.names), self._decimal, self.header)


def _size(file: BinaryIO) -> int:
    """The bytes of a file that is read as it lies, else 0: how much a pipe or packed file will give is not known."""
    try:
        found = os.fstat(file.fileno())
    except (OSError, AttributeError):
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0


def _check_header(place: str, names: list[str], separator: bytes) -> None:
    if len(names) <= 2 and names[0].lower().startswith("sep=") and not any(names[1:]):
        mark = names[0][4:] or separator.decode()
        raise DataError(
            f"{place}: a note for spreadsheets, not the names of columns: remove this line (separator {mark!r})"
        )
    for j, name in enumerate(names):
        if not name:
            why = "write one, or leave the column out of the file"
            if 0 < j == len(names) - 1:
                mark = separator.decode()
                why = f"the line ends with {mark!r}: write a name and --drop it, or end no line with {mark!r}"
            raise DataError(f"{place}: column {j + 1} has no name ({why})")
    name, times = Counter(names).most_common(1)[0]
    numbers = all(_NUMBER.fullmatch(name) for name in names)
    if numbers and [*names] not in (
        [str(j) for j in range(len(names))],
        [str(j) for j in range(1, len(names) + 1)],
    ):
        raise DataError(f"{place}: the first line holds numbers and no names of columns (--no-header reads it as data)")
    if times > 1:
        hint = "--no-header reads the line as data" if _NUMBER.fullmatch(name) else "give each a name of its own"
        raise DataError(f"{place}: {times} columns are named '{safe_text(name, 40)}' ({hint})")


class DelimitedCells:
    """The cells of a block: of a narrow one parsed as they lie, of any other one a line.

    One long column costs polars nothing for the number of columns; many short ones cost it much.
    """

    def __init__(self, path: str, block: Block, separator: bytes, p: int, decimal: str, header: bool) -> None:
        self.path, self.lines = path, block.lines
        self._p, self._quoted, self._decimal, self._separator = p, block.quoted, decimal, separator.decode()
        self._block, self._header = block, header
        self._texts: dict[int, pl.Series] = {}

    def numbers(self, columns: Sequence[int]) -> np.ndarray:
        """(m, q) float64; NaN or infinite where a cell is empty or no finite number."""
        if self._p > 1 and len(self.lines) >= NARROW * self._p and (found := self._as_they_lie(columns)) is not None:
            return found
        values = self._numbers.reshape(len(self.lines), self._p)
        return values if list(columns) == list(range(self._p)) else np.take(values, columns, axis=1)

    def _as_they_lie(self, columns: Sequence[int]) -> np.ndarray | None:
        """The numbers, and beside them the text of the other columns; None where a look at each cell is needed."""
        text, m = self._block.text, len(self.lines)
        if self._quoted or self._decimal == "," or b"\r" in text:
            return None
        wanted = set(columns)
        schema = {str(j): pl.Float64 if j in wanted else pl.String for j in range(self._p)}
        try:
            frame = pl.read_csv(
                text, has_header=False, separator=self._separator, quote_char=None, schema=schema, ignore_errors=True
            )
        except pl.exceptions.PolarsError:
            return None
        # A long record is refused, a short one filled up with null in silence: none is short where the last column has
        # no null, or where there are as many cells in all as there should be.
        if frame.height != m or (
            frame[str(self._p - 1)].null_count()
            and np.count_nonzero(np.frombuffer(text, np.uint8) == ord(self._separator)) != m * (self._p - 1)
        ):
            return None
        self._texts = {j: frame[str(j)] for j in range(self._p) if j not in wanted}
        return frame.select(map(str, columns)).to_numpy(order="c") if columns else np.empty((m, 0))

    def text(self, column: int, rows: np.ndarray | None = None) -> pl.Series:
        """The cells of a column, without quotation marks around them; all, or those in ``rows``."""
        text = self._text(column)
        return text if rows is None else text.gather(rows)

    def _text(self, column: int) -> pl.Series:
        if column in self._texts:
            return self._texts[column]
        ends = self._ends[column :: self._p] + 1
        before = self._ends[column - 1 :: self._p] if column else self._ends[self._p - 1 : -1 : self._p]
        starts = before + 1 if column else np.concatenate(([0], before + 1))
        lengths = ends - starts
        if self._ends[-1] > _LONG * len(self._ends):
            parts = [self._data[a:b] for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
            return self._read(np.concatenate(parts), pl.String, len(lengths))
        # Byte k of what is gathered comes from k plus how far its cell has been moved.
        moved = starts - np.concatenate(([0], np.cumsum(lengths)[:-1]))
        data = self._data[np.repeat(moved, lengths) + np.arange(int(lengths.sum()))]
        return self._read(data, pl.String, len(lengths))

    @cached_property
    def _cut(self) -> tuple[np.ndarray, np.ndarray]:
        """The bytes of the cells, one a line, and where each ends; made where it is used, in a thread of its own."""
        try:
            return self._block.cells(self._separator.encode(), self._p)
        except RaggedRow as ragged:
            line, count = ragged.args
            cells = f"{count} cell{'s' * (count != 1)}"
            before = "the header" if self._header else "the first line"
            why = "cut short?" if count < self._p else "a cell that holds the separator needs quotation marks"
            if _LONE_CR.search(self._block.text):
                why = "line ends of two kinds, one a lone carriage return: write the file with one kind"
            raise DataError(f"{self.path}:{line}: {cells}, but {before} has {self._p} ({why})") from None

    @property
    def _data(self) -> np.ndarray:
        return self._cut[0]

    @property
    def _ends(self) -> np.ndarray:
        return self._cut[1]

    @cached_property
    def _numbers(self) -> np.ndarray:
        n = len(self._ends)
        if self._decimal == "," or self._quoted:
            text = self._read(self._data, pl.String, n)
            if self._decimal == ",":  # a point would be a thousands separator: no number
                text = text.set(text.str.contains(".", literal=True).fill_null(False), "").str.replace(",", ".")
            return text.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()
        return self._read(self._data, pl.Float64, n).fill_null(np.nan).to_numpy()

    def _read(self, data: np.ndarray, dtype: type[pl.DataType], n: int) -> pl.Series:
        try:
            cells = pl.read_csv(
                data.tobytes(),
                has_header=False,
                separator=self._separator,
                quote_char='"' if self._quoted else None,
                schema={"cell": dtype},
                ignore_errors=dtype == pl.Float64,
            ).to_series()
        except pl.exceptions.PolarsError as error:
            finding = safe_text(str(error).split("\n", 1)[0])
            raise DataError(f"{self.path}:{self.lines[0]}: not readable from here on: {finding}") from error
        if len(cells) != n:
            raise DataError(f"{self.path}:{self.lines[0]}: not readable from here on: cells were lost")
        return cells
