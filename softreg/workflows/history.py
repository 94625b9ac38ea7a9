"""The history of a fit as a CSV file that grows while the fit runs, and read back."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from softreg.errors import DataError, OutputError
from softreg.minimise import HISTORY_COLUMNS, History, Iterate
from softreg.text import safe_text


class HistoryLog:
    """A callback that writes each row as soon as it is known.

    An error of writing does not stop the fit it watches; `check` raises it.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.written = 0
        self.error: OSError | None = None
        try:
            # Not through a temporary file: a log is there to be read while it grows.  Unbuffered: a row that
            # cannot be written fails here, and closing has nothing left to fail at.
            self._file = open(path, "wb", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise self._cannot(error) from error
        try:
            self._write(HISTORY_COLUMNS)
        except OSError as error:
            self.close()
            raise self._cannot(error) from error

    def __call__(self, iterate: Iterate, history: History) -> None:
        self.complete(history)

    def complete(self, history: History) -> None:
        """Write the rows of ``history`` that are not yet written."""
        try:
            while self.written < history.n_rows and self.error is None:
                row = [history[name][self.written] for name in HISTORY_COLUMNS]
                self._write(["" if value is None else repr(_plain(value)) for value in row])
                self.written += 1
        except OSError as error:
            self.error = error

    def _write(self, cells: Sequence[str]) -> None:
        rest = memoryview((",".join(cells) + "\n").encode())
        while rest:  # a nearly full disk takes a part
            rest = rest[self._file.write(rest) :]

    def close(self) -> None:
        """Nothing more will be written; may be called twice."""
        with suppress(OSError):
            self._file.close()

    def check(self) -> None:
        """Raise OutputError if a row could not be written."""
        if self.error is not None:
            raise self._cannot(self.error) from self.error

    def _cannot(self, error: OSError) -> OutputError:
        reason = error.strerror or str(error)
        return OutputError(f"{safe_text(self.path)}: cannot be written: {safe_text(reason[:1].lower() + reason[1:])}")


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def read_history(path: str) -> dict[str, list[float | None]]:
    """The columns of a file that ``--history`` has written, None for an empty cell.

    Raises
    ------
    DataError
        It is not such a file; a last line that is still being written is left out.
    """
    shown = safe_text(os.fspath(path), 240)
    try:
        with open(path, encoding="utf-8", newline="") as file:
            lines = file.readlines()
    except FileNotFoundError:
        raise DataError(f"{shown}: no such file") from None
    except UnicodeDecodeError:
        raise DataError(f"{shown}: neither a model nor a file of --history: it is no text") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{shown}: neither a model nor a file of --history: {safe_text(error)}") from None
    if lines and not lines[-1].endswith("\n"):
        lines.pop()
    rows = list(csv.reader(lines))
    if not rows or not {"iteration", "passes", "seconds"} <= set(rows[0]):
        raise DataError(
            f"{shown}: neither a model nor a file of --history (its columns would be {HISTORY_COLUMNS[0]}, …)"
        )
    columns: dict[str, list[float | None]] = {name: [] for name in rows[0]}
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(rows[0]):
            raise DataError(f"{shown}:{number}: {len(row)} fields, expected {len(rows[0])}")
        for name, cell in zip(rows[0], row, strict=True):
            try:
                columns[name].append(float(cell) if cell else None)
            except ValueError:
                raise DataError(
                    f"{shown}:{number}: column '{safe_text(name, 40)}': '{safe_text(cell, 40)}' is not a number"
                ) from None
    return columns
