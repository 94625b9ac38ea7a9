"""Columns to CSV, JSON lines or Parquet, a batch of rows at a time."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import polars as pl
from numpy.typing import NDArray

from softreg.errors import UsageError
from softreg.tables.labels import label_text
from softreg.text import nearest_or_all, safe_text

Array = NDArray[Any]

FORMATS = ("csv", "jsonl", "parquet")
#: Rows whose text is made at a time: it is several times as large as the columns.
ROWS = 4096
#: Bytes of columns that wait to become Parquet together.
WAITING = 1 << 25
_SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".parquet": "parquet"}

#: Suffixes of what is not written here: a file of that name would be taken for it.
_OTHERS = {".gz", ".bz2", ".xz", ".zst", ".zip", ".tsv", ".xls", ".xlsx", ".feather", ".arrow", ".npz", ".svm"}


def output_format(path: str | None, given: str | None) -> str:
    """csv, jsonl or parquet: as given, else by the file's suffix, else csv.

    Raises
    ------
    UsageError
        None of them.
    """
    if given is not None:
        if given not in FORMATS:
            raise UsageError(f"--format {safe_text(given, 40)}: no such format ({nearest_or_all(given, FORMATS)})")
        return given
    suffix = "" if path is None else os.path.splitext(path)[1].lower()
    if suffix in _OTHERS:
        raise UsageError(f"{safe_text(path)}: {suffix} is none of {', '.join(FORMATS)} (--format says which is meant)")
    return _SUFFIXES.get(suffix, "csv")


def label_column(classes: Array, codes: Array) -> pl.Series:
    """The labels of codes (m,) into classes (K,); null where a code is negative."""
    places = pl.select(pl.when(pl.lit(pl.Series(codes)) >= 0).then(pl.lit(pl.Series(codes)))).to_series()
    labels = classes.tolist()
    return pl.Series(labels if classes.dtype.kind in "iu" else [label_text(label) for label in labels]).gather(places)


def number_column(values: Array) -> pl.Series:
    """Numbers (m,); null where one is NaN."""
    return pl.Series(values).fill_nan(None)


def written(batches: Iterable[Mapping[str, Any]], kind: str) -> Iterator[bytes]:
    """The bytes of a file of these columns, whose names and types are those of the first batch.

    A null is an empty cell in CSV.  No more than a batch or two is in memory, whatever the format.
    """
    if kind == "parquet":
        yield from _parquet(batches)
        return
    first = True
    for columns in batches:
        for part in pl.DataFrame(columns).iter_slices(ROWS):
            text = part.write_csv(include_header=first, null_value="") if kind == "csv" else part.write_ndjson()
            yield text.encode()
            first = False


def _parquet(batches: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """A Parquet file: its directory stands at its end, so what does not fit in memory waits in files of its own."""
    waiting: list[pl.DataFrame] = []
    size = 0
    with tempfile.TemporaryDirectory(prefix="softreg-") as folder:
        parts: list[str] = []
        for columns in batches:
            waiting.append(pl.DataFrame(columns))
            size += int(waiting[-1].estimated_size())
            if size > WAITING:
                parts.append(os.path.join(folder, f"{len(parts):06d}.parquet"))
                pl.concat(waiting).write_parquet(parts[-1])
                waiting, size = [], 0
        if not parts:
            memory = io.BytesIO()
            pl.concat(waiting).write_parquet(memory)
            yield memory.getvalue()
            return
        if waiting:
            parts.append(os.path.join(folder, f"{len(parts):06d}.parquet"))
            pl.concat(waiting).write_parquet(parts[-1])
        whole = os.path.join(folder, "whole.parquet")
        pl.scan_parquet(parts, glob=False).sink_parquet(whole, maintain_order=True)
        with open(whole, "rb") as file:
            while block := file.read(1 << 20):
                yield block
