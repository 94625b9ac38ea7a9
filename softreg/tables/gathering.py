"""All rows of a table, read a block at a time by a few threads, kept as one array of numbers and coded text."""

from __future__ import annotations

import os
import shlex
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from typing import TypeVar

import numpy as np

from softreg.errors import DataError
from softreg.tables.cells import Cells, Source
from softreg.tables.coded import Coded
from softreg.tables.memory import check_fits
from softreg.tables.raw import Plan, Raw, read_raw
from softreg.tables.roles import Roles
from softreg.text import safe_text

A = TypeVar("A")
B = TypeVar("B")

#: Largest distance from 1 of the sum of a row's probabilities.
_SUM = 1e-6
#: Threads that read: more wait for memory.
_THREADS = 4


class Gathered:
    """What was read of a table so far.

    Attributes
    ----------
    coded : dict of name to Coded
        The columns of text.
    missing : dict of name to (how many cells, where the first is)
    rounded : dict of name to (how many whole numbers were, the first with its place)
    n_read, n_dropped : rows that were there, and those left out
    lines : a sequence of lines for each block
    """

    def __init__(self, source: Source, plan: Plan, roles: Roles, drop: bool = False) -> None:
        self.coded = {name: Coded() for name in plan.texts}
        self.missing: dict[str, tuple[int, str]] = {}
        self.rounded: dict[str, tuple[int, str]] = {}
        self.n_read, self.n_dropped = 0, 0
        self.lines: list[Sequence[int]] = []
        self._source, self._plan, self._roles, self._drop = source, plan, roles, drop
        place = {name: j for j, name in enumerate(source.names)}
        extra = [*([] if roles.weight is None else [roles.weight]), *roles.target_proba]
        numbers = {name: place[name] for name in extra}
        self._extra_plan = replace(plan, numbers=numbers, booleans=frozenset(), texts={}, fixed=True)
        self._extra: list[np.ndarray] = []
        self._numbers = np.empty((0, len(plan.numbers)))

    @property
    def n_rows(self) -> int:
        """Rows kept."""
        return self.n_read - self.n_dropped

    @property
    def numbers(self) -> np.ndarray:
        """(n, q) float64, NaN where missing; the memory is that of the rows there are."""
        self._numbers.resize((self.n_rows, self._numbers.shape[1]), refcheck=False)
        return self._numbers

    @property
    def weight(self) -> np.ndarray | None:
        """(n,) weights of the rows."""
        return None if self._roles.weight is None else np.concatenate(self._extra)[:, 0]

    @property
    def soft(self) -> np.ndarray | None:
        """(n, K) soft labels."""
        K = len(self._roles.target_proba)
        return np.ascontiguousarray(np.concatenate(self._extra)[:, -K:]) if K else None

    def read(self, head: Sequence[Cells], blocks: Iterator[Cells]) -> None:
        """Read all blocks: those that were looked at already, and the others."""
        # How much of the file a block ends is known here only, before others are read ahead.
        for raw, extra, share in in_order(self._task, ((cells, self._source.share) for cells in chain(head, blocks))):
            self._add(raw, extra, share)

    def _task(self, item: tuple[Cells, float]) -> tuple[Raw, Raw | None, float]:
        cells, share = item
        extra = read_raw(cells, self._extra_plan) if self._extra_plan.numbers else None
        return read_raw(cells, self._plan), extra, share

    def _add(self, raw: Raw, extra: Raw | None, share: float) -> None:
        m = len(raw)
        self._count(raw)
        if extra is not None:
            self._count(extra)
            self._check_extra(extra)
        start = self.n_rows
        self.n_read += m
        if self._drop and raw.missing:
            gone = np.zeros(m, dtype=bool)
            for name, rows in raw.missing.items():
                if name not in (self._roles.target, self._roles.group):
                    gone[rows] = True
            self.n_dropped += int(gone.sum())
            raw = raw.keep(~gone)
            if extra is not None:
                extra = extra.keep(~gone)
        self._reserve(share)
        self._numbers[start : self.n_rows] = raw.numbers
        for name, text in raw.texts.items():
            self.coded[name].add(text)
        if extra is not None:
            self._extra.append(extra.numbers)
        self.lines.append(raw.lines)

    def _count(self, raw: Raw) -> None:
        for name, rows in raw.missing.items():
            before, first = self.missing.get(name, (0, ""))
            self.missing[name] = (before + len(rows), first or self._place(raw, rows))
        for name, (rows, text) in raw.rounded.items():
            before, first = self.rounded.get(name, (0, ""))
            self.rounded[name] = (before + len(rows), first or f"{safe_text(text, 40)} in {self._place(raw, rows)}")

    def _place(self, raw: Raw, rows: np.ndarray) -> str:
        line = f"line {int(raw.lines[int(rows[0])])}"
        return line if raw.path == self._source.path else f"{line} of {raw.path}"

    def _reserve(self, share: float) -> None:
        """Make room for the rows read so far, and for those that the part of the file read lets expect."""
        n, q = self.n_rows, self._numbers.shape[1]
        if n <= len(self._numbers):
            return
        expected = int(n / share * 1.01) if share > 0 else 0
        if expected < n:  # a pipe, or a file that grows
            expected = n * 3 // 2
        check_fits(self._source.path, f"{expected} rows of {q} columns", 8 * q * expected - self._numbers.nbytes)
        self._numbers.resize((expected, q), refcheck=False)

    def _check_extra(self, extra: Raw) -> None:
        values, names = extra.numbers, list(self._extra_plan.numbers)
        for j, name in enumerate(names):
            bad = np.flatnonzero(values[:, j] < 0)
            if len(bad):
                what = "weight" if name == self._roles.weight else "probability"
                line = int(extra.lines[int(bad[0])])
                raise DataError(f"{extra.path}:{line}: column '{safe_text(name, 40)}': a {what} below 0")
        K = len(self._roles.target_proba)
        if K:
            sums = values[:, -K:].sum(axis=1)
            bad = np.flatnonzero(np.abs(sums - 1) > _SUM)
            if len(bad):
                line = int(extra.lines[int(bad[0])])
                raise DataError(
                    f"{extra.path}:{line}: the probabilities of the classes sum to {sums[bad[0]]:.6g}, not 1"
                )

    def leave_out(self, names: Collection[str]) -> Plan:
        """Forget these columns; the plan of the others."""
        plan = self._plan
        stay = [j for j, name in enumerate(plan.numbers) if name not in names]
        self._numbers = self.numbers[:, stay]
        for name in names:
            for known in (self.coded, self.missing, self.rounded):
                known.pop(name, None)
        self._plan = replace(
            plan,
            numbers={name: place for name, place in plan.numbers.items() if name not in names},
            booleans=plan.booleans.difference(names),
            texts={name: place for name, place in plan.texts.items() if name not in names},
        )
        return self._plan

    def refuse_missing_roles(self) -> None:
        """DataError where a label, group, weight or probability is missing: nothing stands in for those."""
        roles = (self._roles.target, self._roles.group, *self._extra_plan.numbers)
        names = [name for name in roles if name is not None and name in self.missing]
        if names:
            raise DataError(f"{self._source.path}: empty cells: {self.empty_cells()}; fill them or remove the rows")

    def empty_cells(self) -> str:
        """How many cells are missing in which columns, and where first."""
        order = {name: j for j, name in enumerate(self._source.names)}
        columns = sorted(self.missing, key=lambda name: order[name])
        described = [
            f"{self.missing[name][0]} in '{safe_text(name, 40)}' (first in {self.missing[name][1]})"
            for name in columns[:3]
        ]
        if len(columns) > 3:
            more = columns[3:]
            count = sum(self.missing[name][0] for name in more)
            described.append(f"and {count} in {len(more)} more column{'s' * (len(more) > 1)}")
        return ", ".join(described)


def rounding_sentences(rounded: Mapping[str, tuple[int, str]]) -> list[str]:
    """Of each column whose whole numbers are no float64, how many were changed and which was the first."""
    said = []
    for name, (n, first) in rounded.items():
        option = safe_text(shlex.quote(name), 40)
        what = "a whole number is" if n == 1 else f"{n} whole numbers are"
        said.append(
            f"column '{safe_text(name, 40)}': {what} rounded to 53 binary digits, first {first} "
            f"(--categorical {option} or --id-col {option} keeps every digit)"
        )
    return said


def in_order(task: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
    """``task(item)`` for each item, in order, a few of them at a time in threads of their own.

    An error comes where its item's turn is, even if the next items cannot be had.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = min(cores, _THREADS)
    waiting: deque[Future[B]] = deque()
    source = iter(items)
    failed: BaseException | None = None
    with ThreadPoolExecutor(threads, thread_name_prefix="softreg-read") as pool:
        try:
            while True:
                try:
                    item = next(source)
                except StopIteration:
                    break
                except Exception as error:
                    failed = error
                    break
                waiting.append(pool.submit(task, item))
                del item
                if len(waiting) >= threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
    if failed is not None:
        raise failed
