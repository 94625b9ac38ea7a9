"""JSON lines: an object for each row, its keys the columns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np
import polars as pl

from softreg.errors import DataError
from softreg.tables.cells import TypedCells, UnusableColumn, float_text
from softreg.tables.options import TableOptions
from softreg.text import nearest, safe_text

#: Rows of a block; the columns are the keys of the first block's rows.
ROWS = 4096
_LONGEST = 1 << 26


class JsonLines:
    """A file of JSON lines; see `softreg.tables.cells.Source`."""

    def __init__(self, file: BinaryIO, path: str, options: TableOptions, names: Sequence[str] | None = None) -> None:
        self.path, self.notes, self.header = path, list[str](), False
        self._file, self._line = file, 0
        self._first = self._objects()
        if not self._first:
            raise DataError(f"{path}: the file is empty")
        self.names = list(names or dict.fromkeys(key for _, record in self._first for key in record))
        if not self.names:
            raise DataError(f"{path}:1: an object without keys")

    @property
    def share(self) -> float:
        """Not known."""
        return 0.0

    def blocks(self) -> Iterator[TypedCells]:
        """All rows, in order."""
        objects, self._first = self._first, []
        place = {name: j for j, name in enumerate(self.names)}
        while objects:
            columns: list[list[str | None]] = [[None] * len(objects) for _ in self.names]
            nested: dict[int, UnusableColumn] = {}
            for i, (line, record) in enumerate(objects):
                for key, value in record.items():
                    if key not in place:
                        close = nearest(key, self.names)
                        hint = f" (did you mean '{safe_text(close, 40)}'?)" if close else ""
                        raise DataError(f"{self.path}:{line}: key '{safe_text(key, 40)}' is new here{hint}")
                    if isinstance(value, list | dict):
                        what = "a list" if isinstance(value, list) else "an object"
                        nested.setdefault(place[key], UnusableColumn(f"{self.path}:{line}", key, what))
                    else:
                        columns[place[key]][i] = value if type(value) is str else _text(value)
            series = [pl.Series(name, cells, dtype=pl.String) for name, cells in zip(self.names, columns, strict=True)]
            yield _Cells(self.path, series, [line for line, _ in objects], nested)
            objects = self._objects()

    def _objects(self) -> list[tuple[int, dict[str, Any]]]:
        """The next rows with their lines."""
        found: list[tuple[int, dict[str, Any]]] = []
        while len(found) < ROWS:
            text = self._file.readline(_LONGEST + 1)
            if not text:
                break
            self._line += 1
            if len(text) > _LONGEST:
                raise DataError(f"{self.path}:{self._line}: a line longer than {_LONGEST >> 20} MiB")
            if self._line == 1:
                text = text.removeprefix(b"\xef\xbb\xbf")
            if not text.strip():
                continue
            found.append((self._line, self._object(text)))
        return found

    def _object(self, text: bytes) -> dict[str, Any]:
        place = f"{self.path}:{self._line}"
        try:
            record = json.loads(text.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
        except UnicodeDecodeError as error:
            raise DataError(f"{place}: not UTF-8 (byte {error.start + 1} of the line)") from None
        except json.JSONDecodeError as error:
            raise DataError(f"{place}: not JSON: {safe_text(error.msg.lower())} (column {error.colno})") from None
        except (ValueError, RecursionError) as error:
            raise DataError(f"{place}: {safe_text(str(error).splitlines()[0], 80)}") from None
        if not isinstance(record, dict):
            raise DataError(f"{place}: a line must hold an object {{…}} of columns and values")
        return record


class _Cells(TypedCells):
    """Rows of which a column may hold lists or objects: no reason to refuse them while nobody asks for it."""

    def __init__(
        self, path: str, frame: Sequence[pl.Series], lines: Sequence[int], nested: dict[int, UnusableColumn]
    ) -> None:
        super().__init__(path, frame, lines)
        self._nested = nested

    def text(self, column: int, rows: np.ndarray | None = None) -> pl.Series:
        if column in self._nested:
            raise self._nested[column]
        return super().text(column, rows)


def _text(value: bool | float | int | None) -> str | None:
    """The written form: 1 for 1 and 1.0, true, nothing for null."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return float_text(value) if isinstance(value, float) else str(value)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"key '{safe_text(twice, 40)}' stands twice")
    return record


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON (null means missing)")
