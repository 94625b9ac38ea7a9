"""Files of one table, opened one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import BinaryIO

from softreg.errors import DataError
from softreg.tables.cells import Cells, Source
from softreg.tables.opening import Paths, expand, opened
from softreg.tables.options import TableOptions
from softreg.text import listing, safe_text

#: The kind of a table; its source, or the open file of npz and svmlight; its name; other files; notes.
Opened = tuple[str, Source | BinaryIO, str, list[str], list[str]]
#: Kinds of files whose columns have names.
NAMED = ("text", "json", "parquet")


class NamedFiles:
    """The rows of one or more files with the same columns; see `softreg.tables.cells.Source`."""

    def __init__(self, first: Source, others: Sequence[str], options: TableOptions) -> None:
        self.path, self.names, self.header = first.path, first.names, first.header
        self._first, self._others, self._options = first, others, options
        self._notes: list[str] = []
        self._last = first

    @property
    def notes(self) -> list[str]:
        """Sentences on what was found."""
        return [*self._first.notes, *self._notes]

    @property
    def share(self) -> float:
        """The part that is read; not known of several files."""
        return 0.0 if self._others else self._first.share

    def blocks(self) -> Iterator[Cells]:
        """All rows of the first file, of the second, …"""
        yield from self._first.blocks()
        for path in self._others:
            with opened(path, self._options.encoding) as (file, kind, notes):
                shown = safe_text(path, 240)
                if kind not in NAMED:
                    raise DataError(f"{shown}: {_WORDS[kind]}, where {self.path} is a table with named columns")
                source = make_source(file, kind, shown, self._options, self.names)
                if source.names != self.names:
                    absent = [name for name in self.names if name not in source.names]
                    new = [name for name in source.names if name not in self.names]
                    found = f"no column {listing(absent, 4)}" if absent else f"a new column {listing(new, 4)}"
                    if not absent and not new:
                        found = "the columns are in another order"
                    raise DataError(f"{shown}: not the header of {self.path}: {found}")
                self._notes += notes
                yield from source.blocks()
                self._notes += source.notes


_WORDS = {"npz": "an npz file", "svmlight": "an svmlight file"}


def make_source(
    file: BinaryIO, kind: str, shown: str, options: TableOptions, names: Sequence[str] | None = None
) -> Source:
    """The reader for a kind of file whose columns have names."""
    if kind == "json":
        from softreg.tables.jsonlines import JsonLines

        return JsonLines(file, shown, options, names)
    if kind == "parquet":
        from softreg.tables.parquet import Parquet

        return Parquet(file, shown, options, names)
    from softreg.tables.delimited import Delimited

    return Delimited(file, shown, options, names)


@contextmanager
def open_table(data: Paths, options: TableOptions) -> Iterator[Opened]:
    """A table of one or more files, open until the end of the block."""
    paths = expand(data)
    with ExitStack() as stack:
        file, kind, notes = stack.enter_context(opened(paths[0], options.encoding))
        shown = "standard input" if paths[0] == "-" else safe_text(paths[0], 240)
        if kind not in NAMED:
            yield kind, file, shown, paths[1:], notes
            return
        source = NamedFiles(make_source(file, kind, shown, options), paths[1:], options)
        source._notes += notes
        yield kind, source, shown, paths[1:], notes
