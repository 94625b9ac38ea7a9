"""From cells as they are written to numbers and text with their meaning, or one line that says which cell has none."""

from __future__ import annotations

import math
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from softreg.errors import DataError
from softreg.tables.cells import Cells
from softreg.text import safe_text

#: Kinds of columns are decided from so many rows at the start.
HEAD = 1000
_BOOLEANS = ("true", "false")
# Text that is meant as a number, however it is dressed: a column of it is no category.
_DRESSED = (
    r"^[+-]?(?:(?i:nan|inf|infinity)|0[xX][0-9a-fA-F]+|\d+(?:_\d+)+|\d+,\d+|\d{1,3}(?:[,' ]\d{3})+(?:\.\d+)?"
    r"|[$€£] ?[\d,]*\.?\d+|[\d,]*\.?\d+ ?(?:%|€)|\d{1,3}(?:\.\d{3})+,\d+|\d*\.?\d+[eE][+-]?\d+)$"
)
_PLAIN = r"[+-]?[\d.]+([eE][+-]?\d+)?|[+-]?inf(inity)?"
_BLANKS = " \t"
_FINITE = sys.float_info.max
#: From here on not every whole number is a float64.
_ROUNDED = 2.0**53


@dataclass(frozen=True)
class Plan:
    """Which columns are read as what: places in the file, each under its name.

    numbers : columns of numbers and booleans, in the order of X; ``booleans`` says which of them are the latter.
    texts : columns that are wanted as text; in those of ``exact`` (labels) blanks are text too.
    na : texts that mean that a value is missing.
    header : whether the first line holds names.
    fixed : whether it is settled what the columns are, by a model or by their purpose.
    largest : the largest number, and its negative the smallest, that is allowed.
    """

    numbers: dict[str, int]
    booleans: frozenset[str]
    texts: dict[str, int]
    na: tuple[str, ...] = ()
    decimal: str = "."
    exact: frozenset[str] = frozenset()
    header: bool = True
    fixed: bool = False
    largest: float = _FINITE


@dataclass
class Raw:
    """Rows with their meaning: numbers (m, q) with NaN, and text with null, where a value is missing.

    ``missing`` holds those rows of each column that has any; ``rounded`` the rows and the text of the first of those
    whole numbers that are no float64.
    """

    path: str
    lines: Sequence[int]
    numbers: np.ndarray
    texts: dict[str, pl.Series] = field(default_factory=dict)
    missing: dict[str, np.ndarray] = field(default_factory=dict)
    rounded: dict[str, tuple[np.ndarray, str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.lines)

    def keep(self, rows: np.ndarray) -> Raw:
        """Only the rows where ``rows`` (m,) is true; of these nothing is said about what is missing."""
        lines = np.asarray(self.lines)[rows]
        mask = pl.Series(rows)
        return Raw(self.path, lines, self.numbers[rows], {name: s.filter(mask) for name, s in self.texts.items()})


def read_raw(cells: Cells, plan: Plan) -> Raw:
    """The wanted columns of a block.

    Raises
    ------
    DataError
        A cell of a column of numbers is none, or of a boolean one neither true nor false.
    """
    names, places = list(plan.numbers), list(plan.numbers.values())
    numbers = cells.numbers(places)
    # Writable, and the caller's own.
    numbers = numbers if numbers.flags.writeable and numbers.base is None else numbers.copy()
    for mark in plan.na:
        if (value := _float(mark)) is not None:
            for j in np.flatnonzero((numbers == value).any(axis=0)).tolist():
                rows = np.flatnonzero(numbers[:, j] == value)
                said = cells.text(places[j], rows).str.strip_chars(_BLANKS)
                numbers[rows[said.is_in(list(plan.na)).to_numpy()], j] = np.nan
    odd = np.zeros(numbers.shape, dtype=bool)
    rounded: dict[str, tuple[np.ndarray, str]] = {}
    if numbers.size and not (numbers.max() < _ROUNDED and numbers.min() > -_ROUNDED):  # NaN is neither
        size = np.abs(numbers)
        odd = ~(size <= plan.largest)
        rounded = _rounded(cells, plan, numbers, (size >= _ROUNDED) & ~odd)
    missing: dict[str, np.ndarray] = {}
    for j in np.flatnonzero(odd.any(axis=0)).tolist():
        rows = np.flatnonzero(odd[:, j])
        text = present(cells.text(places[j], rows), plan.na)
        is_boolean = names[j] in plan.booleans
        values = _booleans(text) if is_boolean else _numbers(text, plan.decimal)
        bad = ~(np.abs(values) <= plan.largest) & text.is_not_null().to_numpy()
        if bad.any():
            i = int(np.flatnonzero(bad)[0])
            raise DataError(_complaint(cells, int(rows[i]), names[j], text[i], plan))
        numbers[rows, j] = values
        gone = rows[np.isnan(values)]
        if len(gone):
            missing[names[j]] = gone
    if plan.booleans:
        for j, name in enumerate(names):
            if name in plan.booleans and not odd[:, j].all():
                row = int(np.flatnonzero(~odd[:, j])[0])
                raise DataError(_complaint(cells, row, name, cells.text(places[j])[row], plan))
    texts = {name: present(cells.text(place), plan.na, name in plan.exact) for name, place in plan.texts.items()}
    for name, text in texts.items():
        if text.null_count():
            missing[name] = text.is_null().arg_true().to_numpy()
    return Raw(cells.path, cells.lines, numbers, texts, missing, rounded)


def _rounded(cells: Cells, plan: Plan, numbers: np.ndarray, large: np.ndarray) -> dict[str, tuple[np.ndarray, str]]:
    """Of each column the rows of ``large`` whose whole number is no float64, and the first such number."""
    found = {}
    for j, (name, place) in enumerate(plan.numbers.items()):
        rows = np.flatnonzero(large[:, j])
        if len(rows):
            text = cells.text(place, rows).str.strip_chars(_BLANKS)
            exact, kept = text.cast(pl.Int128, strict=False), pl.Series(numbers[rows, j]).cast(pl.Int128, strict=False)
            differ = (exact != kept).fill_null(False).to_numpy()
            if differ.any():
                found[name] = (rows[differ], text.filter(pl.Series(differ))[0])
    return found


def present(text: pl.Series, na: Sequence[str], exact: bool = False) -> pl.Series:
    """The text as it is written; null for what is blank (or empty: ``exact``) or means that a value is missing."""
    bare = text if exact else text.str.strip_chars(_BLANKS)
    gone = bare.is_null() | (bare == "")
    if na:
        gone |= bare.is_in(list(na)).fill_null(True)
    return text.set(gone, None) if gone.any() else text


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _numbers(text: pl.Series, decimal: str) -> np.ndarray:
    """Numbers that have blanks or quotation marks around them; NaN for what is none."""
    bare = text.str.strip_chars(_BLANKS)
    if decimal == ",":
        bare = bare.set(bare.str.contains(".", literal=True).fill_null(False), "").str.replace(",", ".")
    return bare.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()


def _booleans(text: pl.Series) -> np.ndarray:
    bare = text.str.strip_chars(_BLANKS).str.to_lowercase()
    return np.where((bare == "true").fill_null(False), 1.0, np.where((bare == "false").fill_null(False), 0.0, np.nan))


def _complaint(cells: Cells, row: int, name: str, text: str, plan: Plan) -> str:
    value, line = text.strip(_BLANKS), cells.lines[row]
    finding, way_out = _finding(value, name in plan.booleans, plan.decimal, safe_text(shlex.quote(name), 40))
    if not plan.header and line == 1:
        way_out = "does the first line hold names? it is read as data, by --no-header"
    elif plan.fixed:
        way_out = "the column must hold " + ("true or false" if name in plan.booleans else "finite numbers")
    return f"{cells.path}:{line}: column '{safe_text(name, 40)}': '{safe_text(value, 40)}' {finding} ({way_out})"


def _finding(value: str, boolean: bool, decimal: str, option: str) -> tuple[str, str]:
    """What is wrong with a cell of the column that is ``option`` on a command line, and a way out."""
    mark = safe_text(shlex.quote(value), 30)
    if boolean:
        return "is neither true nor false", f"--categorical {option} takes it as text"
    if decimal == "." and _float(value) is not None and re.fullmatch(_PLAIN, value, re.IGNORECASE):
        if math.isfinite(float(value)):
            return "is too large to be squared", f"--na {mark} where it means missing, else another unit"
        return "is not finite as a float64", f"--drop {option} leaves the column out"
    if re.fullmatch(r"[+-]?\d+,\d+", value):
        return "is not a number", "--decimal , where a comma stands for the point"
    if re.fullmatch(_DRESSED, value) and not re.fullmatch("[+-]?nan", value, re.IGNORECASE):
        return "is not a plain number", f"write it as 1234.5 is written; --categorical {option} where it is text"
    return "is not a number", f"--na {mark} where it means missing, --categorical {option} where it is text"


def kinds(head: Sequence[Cells], columns: Sequence[int], na: Sequence[str], decimal: str) -> list[str]:
    """Of each column number, boolean or category, by the first HEAD rows.

    A column is numeric when at least half of what is there are numbers, or meant as such; and so for booleans.
    """
    found = ["number"] * len(columns)
    if not columns:
        return found
    # Text is only asked for where it matters: of numbers only where one may mean a missing value.
    marked = any(_float(mark) is not None for mark in na)
    plain = [np.isfinite(cells.numbers(columns)) & (not marked) for cells in head]
    ends = np.cumsum([len(block) for block in plain])
    plain = [block[: max(HEAD - (end - len(block)), 0)] for block, end in zip(plain, ends.tolist(), strict=True)]
    for j in range(len(columns)):
        n_plain = sum(int(np.count_nonzero(block[:, j])) for block in plain)
        rows = [np.flatnonzero(~block[:, j]) for block in plain]
        if not any(map(len, rows)):
            continue
        texts = [cells.text(columns[j], which) for cells, which in zip(head, rows, strict=True)]
        text = present(pl.concat(texts), na).drop_nulls()
        if not len(text):
            continue
        bare = text.str.strip_chars(_BLANKS)
        numeric = np.isfinite(_numbers(bare, decimal)) | bare.str.contains(_DRESSED).to_numpy()
        if 2 * (n_plain + np.count_nonzero(numeric)) < n_plain + len(bare):
            truths = int(bare.str.to_lowercase().is_in(_BOOLEANS).sum())
            found[j] = "boolean" if 2 * truths >= n_plain + len(bare) else "category"
    return found
