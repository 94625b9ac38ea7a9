"""The results file: machine facts and rows, as JSON that any program can read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from math import isfinite
from pathlib import Path
from typing import Any

from softreg.files import atomic_write

FORMAT = 1


def save(path: Path, results: dict[str, Any]) -> None:
    """Write ``results``; numbers that are not finite become null."""
    with atomic_write(path, "w") as file:
        json.dump(_finite(results), file, indent=1, allow_nan=False)
        file.write("\n")


def read(paths: Iterable[Path]) -> dict[str, Any]:
    """The rows of one or several files together; of the same row in two files the later file's counts.

    Raises
    ------
    ValueError
        For a file that is not a results file of this format.
    """
    together: dict[str, Any] = {}
    rows: dict[Any, Any] = {}
    for path in paths:
        try:
            results = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError) as error:
            raise ValueError(f"{path}: {error}") from error
        if not isinstance(results, dict) or results.get("format") != FORMAT:
            raise ValueError(f"{path}: not a results file of python -m benchmarks run")
        together = together | results
        rows |= {row_key(row): row for row in results["rows"]}
        together["sets_skipped"] = list(results["sets_skipped"])
    return together | {"rows": list(rows.values())}


def row_key(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["set"], row["loss"], row["alpha"], row["intercept"]


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not isfinite(value):
        return None
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value
