"""Columns to CSV, JSON lines or Parquet, a batch of rows at a time."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import polars as pl

from softreg.errors import UsageError
from softreg.text import nearest, safe_text

FORMATS = ("csv", "jsonl", "parquet")
_SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".parquet": "parquet"}


def output_format(path: str | None, given: str | None) -> str:
    """csv, jsonl or parquet: as given, else by the file's suffix, else csv.

    Raises
    ------
    UsageError
        None of them.
    """
    if given is not None:
        if given not in FORMATS:
            meant = nearest(given, FORMATS)
            hint = f"did you mean {meant}?" if meant else f"one of {', '.join(FORMATS)}"
            raise UsageError(f"--format {safe_text(given, 40)}: no such format ({hint})")
        return given
    suffix = "" if path is None else os.path.splitext(path)[1].lower()
    return _SUFFIXES.get(suffix, "csv")


def written(batches: Iterable[Mapping[str, Any]], kind: str) -> Iterator[bytes]:
    """The bytes of a file of these columns, whose names and types are those of the first batch.

    CSV and JSON lines come batch by batch; a Parquet file as a whole, for its directory stands at its end.
    A value that is None is an empty cell, or null.
    """
    schema: pl.Schema | None = None
    frames = []
    for columns in batches:
        frame = pl.DataFrame({name: _series(values) for name, values in columns.items()}, strict=False)
        first = schema is None
        if schema is None:
            schema = frame.schema
        else:
            frame = frame.cast(schema)  # of a batch of nothing but null
        if kind == "csv":
            yield frame.write_csv(include_header=first, null_value="").encode()
        elif kind == "jsonl":
            yield frame.write_ndjson().encode()
        else:
            frames.append(frame)
    if kind == "parquet" and frames:
        memory = io.BytesIO()
        pl.concat(frames).write_parquet(memory)
        yield memory.getvalue()


def _series(values: Any) -> pl.Series:
    return values if isinstance(values, pl.Series) else pl.Series(values)
