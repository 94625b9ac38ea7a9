"""All rows of a table, read a block at a time by a few threads, kept as one array of numbers and coded text."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TypeVar

import numpy as np

from softreg.errors import DataError
from softreg.tables.cells import Cells, Source
from softreg.tables.coded import Coded, code
from softreg.tables.raw import Plan, Raw, read_raw
from softreg.tables.roles import Roles
from softreg.tables.stack import Stack
from softreg.text import safe_text
from softreg.threads import allowed_jobs, in_order

A = TypeVar("A")
B = TypeVar("B")

#: Largest distance from 1 of the sum of a row's probabilities.
_SUM = 1e-6
#: Most threads that read: more wait for memory.
_THREADS = 4


#: What is wrong with cells of a column: how many there are, and the first in words.
_Counts = dict[str, tuple[int, str]]


@dataclass(frozen=True)
class _Part:
    """A block but its numbers: rows it had, cells that are missing or rounded, and of the rows that stay the rest."""

    n_read: int
    missing: _Counts
    rounded: _Counts
    lines: Sequence[int]
    codes: dict[str, tuple[list[str], np.ndarray]]
    extra: np.ndarray | None


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
        self.missing: _Counts = {}
        self.rounded: _Counts = {}
        self.n_read, self.n_dropped = 0, 0
        self.lines: list[Sequence[int]] = []
        self._source, self._plan, self._roles, self._drop = source, plan, roles, drop
        place = {name: j for j, name in enumerate(source.names)}
        extra = [*([] if roles.weight is None else [roles.weight]), *roles.target_proba]
        numbers = {name: place[name] for name in extra}
        self._extra_plan = replace(plan, numbers=numbers, booleans=frozenset(), texts={}, fixed=True)
        self._extra: list[np.ndarray] = []
        self._stack = Stack(source.path, len(plan.numbers))

    @property
    def n_rows(self) -> int:
        """Rows kept."""
        return self.n_read - self.n_dropped

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
        for part in by_block(self._task, map(self._placed, chain(head, blocks))):
            self._add(part)
        self.numbers = self._stack.finish()

    def _placed(self, cells: Cells) -> tuple[Cells, np.ndarray]:
        # How much of the file a block ends is known here only, before others are read ahead.
        return cells, self._stack.place(len(cells.lines), self._source.share)

    def _task(self, item: tuple[Cells, np.ndarray]) -> _Part:
        cells, place = item
        extra = read_raw(cells, self._extra_plan) if self._extra_plan.numbers else None
        raw = read_raw(cells, self._plan)
        if extra is not None:
            self._check_extra(extra)
        n_read, missing, rounded = len(raw), _Counts(), _Counts()
        for some in (raw, extra) if extra is not None else (raw,):
            for name, rows in some.missing.items():
                missing[name] = (len(rows), self._where(some, rows))
            for name, (rows, text) in some.rounded.items():
                rounded[name] = (len(rows), f"{safe_text(text, 40)} in {self._where(some, rows)}")
        if self._drop and raw.missing:
            stays = np.ones(len(raw), dtype=bool)
            for name, rows in raw.missing.items():
                if name not in (self._roles.target, self._roles.group):
                    stays[rows] = False
            raw, extra = raw.keep(stays), None if extra is None else extra.keep(stays)
        codes = {name: code(text) for name, text in raw.texts.items()}
        place[: len(raw)] = raw.numbers
        return _Part(n_read, missing, rounded, raw.lines, codes, None if extra is None else extra.numbers)

    def _where(self, raw: Raw, rows: np.ndarray) -> str:
        line = f"line {int(raw.lines[int(rows[0])])}"
        return line if raw.path == self._source.path else f"{line} of {raw.path}"

    def _add(self, part: _Part) -> None:
        self.n_read += part.n_read
        self.n_dropped += part.n_read - len(part.lines)
        self._stack.fill(len(part.lines))
        for found, counts in ((self.missing, part.missing), (self.rounded, part.rounded)):
            for name, (n, first) in counts.items():
                before, where = found.get(name, (0, first))
                found[name] = (before + n, where)
        for name, codes in part.codes.items():
            self.coded[name].add(*codes)
        if part.extra is not None:
            self._extra.append(part.extra)
        self.lines.append(part.lines)

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
        self.numbers = self.numbers[:, stay]
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


def by_block(task: Callable[[A], B], blocks: Iterable[A]) -> Iterator[B]:
    """``task(block)`` for each, in order, a few at a time in threads of their own."""
    # One more than there are cores, for each waits for polars' own threads now and then.
    return in_order(task, blocks, min(allowed_jobs(None) + 1, _THREADS), ahead=0)
