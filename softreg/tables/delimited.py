"""CSV and TSV files with a header line, through polars, a block of rows at a time.

Every column is text first and a number afterwards, so that whatever is not a number can be named with its line
and column.  Numbers are rounded correctly: each equals Python's ``float`` of the same text.
"""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np
import polars as pl

from softreg.errors import DataError, UsageError
from softreg.tables import labels
from softreg.tables.records import Block, RaggedRow, RecordReader, split_record
from softreg.tables.table import Recipe, Table, fingerprint
from softreg.text import listing, nearest, safe_text


def read_delimited(
    file: BinaryIO,
    path: str,
    target: str | None,
    *,
    features: Sequence[str] | None,
    group: str | None,
    require_target: bool,
) -> Table:
    """The table in an open file; see ``read_table`` for the arguments, ``path`` is for messages."""
    reader = RecordReader(file, path)
    blocks = iter(reader)
    first = next(blocks, None)
    if first is None:
        raise DataError(f"{path}: blank lines only" if reader.n_blank else f"{path}: the file is empty")
    header_line = first.lines[0]
    header, first = first.behead()
    names = [name.strip(" ") for name in split_record(header, reader.separator)]
    _check_header(f"{path}:{header_line}", names)
    columns = _choose(path, names, target, features, group, require_target)
    body = _Body(path, names, columns, reader.separator, _size_left(file))
    body.add(first)
    for block in blocks:
        body.add(block)
    if reader.n_blank:
        columns.notes.append(f"skipped {reader.n_blank} blank line{'s' * (reader.n_blank > 1)}")
    return body.table(fitting=features is None, target=target, require_target=require_target)


@dataclass(frozen=True)
class _Columns:
    """The places in the file of the columns to read."""

    features: list[int]
    target: int | None
    group: int | None
    notes: list[str]


def _check_header(place: str, names: list[str]) -> None:
    for j, name in enumerate(names):
        if not name:
            raise DataError(f"{place}: column {j + 1} has no name")
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise DataError(f"{place}: {times} columns are named '{safe_text(name, 40)}'")


def _choose(
    path: str,
    names: list[str],
    target: str | None,
    features: Sequence[str] | None,
    group: str | None,
    require_target: bool,
) -> _Columns:
    """Which columns are features (in training order), target and group."""
    if target is None and require_target:
        suggestion = safe_text(shlex.quote(names[-1]), 40)
        raise UsageError(f"{path}: which column is the target? columns: {listing(names)} (add --target {suggestion})")
    if target is not None and target == group:
        raise UsageError(f"{path}: column '{safe_text(target, 40)}' cannot be both target and group")
    place = {name: j for j, name in enumerate(names)}
    for name, needed in ((target, require_target), (group, True)):
        if name is not None and needed and name not in place:
            raise DataError(f"{path}: no column '{safe_text(name, 40)}'{_hint(name, names)}")
    special = {name for name in (target, group) if name is not None}
    notes = []
    if features is None:
        features = [name for name in names if name not in special]
        if not features:
            raise DataError(f"{path}: no column is left to learn from beside '{listing(sorted(special))}'")
    else:
        missing = [name for name in features if name not in place]
        if missing:
            count = f"{len(missing)} column{'s' * (len(missing) > 1)}"
            raise DataError(f"{path}: {count} of the model missing: {listing(missing)}{_columns(names)}")
        extra = [name for name in names if name not in special.union(features)]
        if extra:
            notes.append(f"ignored, not among the model's columns: {listing(extra)}")
    return _Columns([place[name] for name in features], place.get(target), place.get(group), notes)  # type: ignore[arg-type]


def _hint(name: str, names: Sequence[str]) -> str:
    close = nearest(name, names)
    return f" (did you mean '{safe_text(close, 40)}'?){_columns(names)}" if close else _columns(names)


def _columns(names: Sequence[str]) -> str:
    return f"; columns: {listing(names)}"


def _size_left(file: BinaryIO) -> int:
    """The bytes of the whole file, or 0 where it cannot be known, as of a pipe."""
    return os.fstat(file.fileno()).st_size


@dataclass
class _Body:
    """The rows below the header, while they are read."""

    path: str
    names: list[str]
    columns: _Columns
    separator: bytes
    file_bytes: int
    n_rows: int = 0
    n_bytes: int = 0
    lines: list[Sequence[int]] = field(default_factory=list)
    targets: list[pl.Series] = field(default_factory=list)
    groups: list[pl.Series] = field(default_factory=list)
    empty: dict[int, tuple[int, int]] = field(default_factory=dict)  # column: how many cells, first line

    def __post_init__(self) -> None:
        self.X = np.empty((0, len(self.columns.features)))

    def add(self, block: Block) -> None:
        """Read one more block of rows into X and the labels."""
        if not len(block.lines):
            return
        cells = self._cells(block)
        start, self.n_rows = self.n_rows, self.n_rows + len(block.lines)
        self.n_bytes += len(block.text)
        self._reserve()
        self._numbers(cells, block, self.X[start : self.n_rows])
        for column, series in ((self.columns.target, self.targets), (self.columns.group, self.groups)):
            if column is not None:
                text = cells.gather_every(len(self.names), column).fill_null("")
                series.append(text)
                empty = (text == "").arg_true()
                if len(empty):
                    self._note_empty(column, len(empty), block.lines[empty[0]])
        self.lines.append(block.lines)

    def _cells(self, block: Block) -> pl.Series:
        """All cells of a block as text, row by row; null or "" where there is nothing.

        One long column instead of many costs polars nothing for the number of columns, and is in the order of X.
        """
        p = len(self.names)
        try:
            cells = pl.read_csv(
                block.cells(self.separator, p),
                has_header=False,
                separator=self.separator.decode(),
                quote_char='"' if block.quoted else None,
                schema={"cell": pl.String},
            ).to_series()
        except RaggedRow as ragged:
            line, count = ragged.args
            cells_found = f"{count} cell{'s' * (count != 1)}"
            raise DataError(f"{self.path}:{line}: {cells_found}, but the header has {p}") from None
        except pl.exceptions.PolarsError as error:
            finding = safe_text(str(error).split("\n", 1)[0])
            raise DataError(f"{self.path}:{block.lines[0]}: not readable from here on: {finding}") from error
        if len(cells) != p * len(block.lines):
            raise DataError(f"{self.path}:{block.lines[0]}: not readable from here on: cells were lost")
        return cells

    def _reserve(self) -> None:
        """Make room for the rows read so far, and for those that the size of the file lets expect."""
        if self.n_rows <= len(self.X):
            return
        expected = int(self.n_rows * self.file_bytes / self.n_bytes * 1.01)
        if expected < self.n_rows:  # a pipe, or a file that grows
            expected = self.n_rows * 3 // 2
        self.X.resize((expected, self.X.shape[1]), refcheck=False)

    def _numbers(self, cells: pl.Series, block: Block, out: np.ndarray) -> None:
        """Fill ``out`` (m, p) from the cells, or refuse the first one that is not a finite number."""
        numbers = cells.cast(pl.Float64, strict=False).to_numpy().reshape(len(out), -1)
        np.take(numbers, self.columns.features, axis=1, out=out, mode="clip")  # "raise" would buffer
        finite = np.isfinite(out)
        if finite.all():
            return
        # In what is left are empty cells, numbers with spaces around them, and nonsense.
        rows, features = np.nonzero(~finite)
        columns = np.array(self.columns.features)[features]
        text = cells.gather(rows * len(self.names) + columns).fill_null("").str.strip_chars(" \t")
        values = text.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()
        empty = (text == "").to_numpy()
        for i in np.flatnonzero(~np.isfinite(values) & ~empty)[:1]:
            name = safe_text(self.names[columns[i]], 40)
            raise DataError(
                f"{self.path}:{block.lines[rows[i]]}: column '{name}': '{safe_text(text[int(i)], 40)}' "
                + ("is not a number" if np.isnan(values[i]) else "is not finite as a float64")
            )
        out[rows, features] = values
        empty_rows = rows[empty]
        found = np.unique(columns[empty], return_index=True, return_counts=True)
        for column, first, count in zip(*(part.tolist() for part in found), strict=True):
            self._note_empty(column, count, block.lines[empty_rows[first]])

    def _note_empty(self, column: int, count: int, line: int) -> None:
        before, first_line = self.empty.get(column, (0, int(line)))
        self.empty[column] = (before + count, first_line)

    def table(self, fitting: bool, target: str | None, require_target: bool) -> Table:
        """All that was read, checked as a whole."""
        if not self.n_rows:
            raise DataError(f"{self.path}: no data rows below the header")
        notes = [*self.columns.notes]
        if not require_target and self.columns.target in self.empty:
            count, _ = self.empty.pop(self.columns.target)
            notes.append(f"column '{safe_text(target, 40)}' not used: {count} of its cells are empty")
            self.targets.clear()
        if self.empty:
            raise DataError(f"{self.path}: {self._empty_cells()}")
        self.X.resize((self.n_rows, self.X.shape[1]), refcheck=False)
        y, groups = (_encoded(parts) for parts in (self.targets, self.groups))
        if y is not None:
            if fitting:
                labels.check_classes(self.path, y[0], self.n_rows)
            notes += labels.lookalikes(y[0])
        features = tuple(self.names[j] for j in self.columns.features)
        return Table(
            path=self.path,
            X=self.X,
            feature_names=features,
            y=None if y is None else y[0][y[1]],
            groups=None if groups is None else groups[0][groups[1]],
            recipe=Recipe(features, target, "int" if y is not None and y[0].dtype.kind == "i" else "str"),
            fingerprint=fingerprint(features, self.X, [y, groups]),
            notes=tuple(notes),
            blocks_of_lines=tuple(self.lines),
        )

    def _empty_cells(self) -> str:
        columns = sorted(self.empty)
        described = [
            f"{count} in '{safe_text(self.names[j], 40)}' (first in line {line})"
            for j in columns[:3]
            for count, line in [self.empty[j]]
        ]
        if len(columns) > 3:
            described.append(f"and {sum(self.empty[j][0] for j in columns[3:])} in {len(columns) - 3} more columns")
        return f"empty cells: {', '.join(described)}; fill them or remove the rows"


def _encoded(parts: list[pl.Series]) -> tuple[np.ndarray, np.ndarray] | None:
    """Labels as (classes, codes), from their text in blocks."""
    if not parts:
        return None
    text = pl.concat(parts)
    classes = labels.text_classes(text.unique().to_list())
    order = pl.Enum([labels.label_text(label) for label in classes.tolist()])
    return classes, text.cast(order).to_physical().to_numpy().astype(np.int64)
