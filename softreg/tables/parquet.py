"""Parquet files, a batch of rows at a time, in the types they were stored in."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

import polars as pl

from softreg.errors import DataError
from softreg.tables.cells import TypedCells
from softreg.tables.options import TableOptions
from softreg.text import safe_text

#: Cells of a batch.
CELLS = 1 << 20
_MARK = b"PAR1"


class Parquet:
    """A Parquet file; see `softreg.tables.cells.Source`."""

    def __init__(self, file: BinaryIO, path: str, options: TableOptions, names: Sequence[str] | None = None) -> None:
        self.path, self.notes, self.header = path, list[str](), False
        _check_ends(file, path)
        # By its number where the system has such names: what is read is then the file that was opened, even if another
        # takes its place meanwhile.
        self._at = f"/proc/self/fd/{file.fileno()}"
        if not os.path.exists(self._at):
            named = isinstance(file.name, str) and os.path.isfile(file.name)
            self._at = file.name if named else f"/dev/fd/{file.fileno()}"
        self._n, self._read = 0, 0
        with _readable(path):
            self._frame = pl.scan_parquet(self._at, glob=False)
            self.names = self._frame.collect_schema().names()
            self.n_rows = int(self._frame.select(pl.len()).collect().item())
        if not self.names:
            raise DataError(f"{path}: a Parquet file without columns")
        for j, name in enumerate(self.names):
            if not name.strip():
                raise DataError(f"{path}: column {j + 1} has no name")

    @property
    def share(self) -> float:
        """The part of the rows that is read."""
        return self._read / self.n_rows if self.n_rows else 1.0

    def blocks(self) -> Iterator[TypedCells]:
        """All rows, in order."""
        rows = max(1, min(100_000, CELLS // len(self.names)))
        with _readable(self.path):
            batches = iter(self._frame.collect_batches(chunk_size=rows, maintain_order=True))
        while True:
            with _readable(self.path):
                batch = next(batches, None)
            if batch is None:
                break
            for frame in batch.iter_slices(rows):
                start, self._read = self._read, self._read + len(frame)
                yield TypedCells(self.path, frame.get_columns(), range(start + 1, self._read + 1))
        if self._read != self.n_rows:
            raise DataError(f"{self.path}: {self._read} rows where its footer says {self.n_rows}: is it cut short?")


def _check_ends(file: BinaryIO, path: str) -> None:
    """Refuse a file that lost its end before anything else reads it."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 8))
    tail = file.read(8)
    file.seek(0)
    if len(tail) < 8 or tail[4:] != _MARK or size < 12 or int.from_bytes(tail[:4], "little") > size - 12:
        raise DataError(f"{path}: the Parquet file is damaged or cut short: its footer is missing")


@contextmanager
def _readable(path: str) -> Iterator[None]:
    """DataError for what polars cannot read; it panics at some of it, and what it then prints is for its authors."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OverflowError) as error:
            finding = safe_text((str(error).splitlines() or [""])[0])
            raise DataError(f"{path}: not a readable Parquet file: {finding}") from None
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            said.seek(0)
            if b"panicked" not in (text := said.read()):
                os.write(2, text)
