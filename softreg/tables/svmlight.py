"""svmlight files: ``label index:value …`` on each line, what is not named being 0.  Read in blocks, by arrays."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from softreg.errors import DataError, ResourceError, UsageError
from softreg.tables import labels
from softreg.tables.coded import Coded, code
from softreg.tables.memory import size
from softreg.tables.numbered import Numbered
from softreg.tables.opening import opened
from softreg.tables.options import LARGEST, TableOptions
from softreg.tables.recipe import LabelType, Recipe
from softreg.tables.table import Table, fingerprint
from softreg.text import safe_text

BLOCK_BYTES = 1 << 21
MOST_FEATURES = 20_000_000

_NEWLINE, _COLON = 10, 58
_SEPARATES = np.zeros(256, bool)
_SEPARATES[[9, 10, 11, 12, 13, 32, _COLON]] = True
_DIGIT = np.zeros(256, bool)
_DIGIT[48:58] = True
#: From here on not every whole number is a float64.
_EXACT = 2.0**53


@dataclass
class _Block:
    """Rows of a file: labels as written, entries (index as in the file, value), how many of them a row has, lines.

    ``rounded``: how many values are whole numbers that no float64 is, and the first of them with its place.
    """

    path: str
    labels: pl.Series
    indices: np.ndarray
    values: np.ndarray
    counts: np.ndarray
    lines: Any
    rounded: tuple[int, str] = (0, "")


def read_svmlight(
    file: BinaryIO,
    path: str,
    others: Sequence[str],
    target: str | None,
    *,
    recipe: Recipe | None,
    group: str | None,
    require_target: bool,
    require_group: bool = True,
    options: TableOptions,
) -> Table:
    """The table in open file and ``others``; see ``read_table`` for the arguments."""
    if group is not None and require_group:
        raise UsageError(f"--group {safe_text(group, 40)}: an svmlight file has no such column")
    gathered = list(_files(file, path, others))
    if not gathered:
        raise DataError(f"{path}: the file is empty")
    coded, notes = Coded(), list[str]()
    if target is not None and recipe is None:
        notes.append(f"labels begin each line: an svmlight file has no column '{safe_text(target, 40)}'")
    for block in gathered:
        coded.add(*code(block.labels))
    indices = np.concatenate([block.indices for block in gathered])
    values = np.concatenate([block.values for block in gathered])
    counts = np.concatenate([block.counts for block in gathered])
    lowest = int(indices.min()) if len(indices) else 1
    if recipe is None:
        if not len(indices):
            raise DataError(f"{path}: labels only, not one index:value")
        for block in gathered:
            _refuse_too_large(block)
        base = 0 if lowest == 0 else 1
        p = int(indices.max()) - base + 1
        most = options.max_features or MOST_FEATURES
        if p > most:
            way_out = f"--max-features {p} allows it" if p < 2**31 else "renumber the features"
            raise ResourceError(
                f"{path}: index {int(indices.max())} makes {p} features, {size(8 * p)} of weights for each class "
                f"(at most {most}; {way_out})"
            )
        notes.append(f"svmlight indices begin at {base}")
    else:
        p, base = len(recipe.features), 1 if recipe.base is None else recipe.base
        if lowest < base:
            raise DataError(f"{path}: index 0, where the model's first index is 1")
        beyond = indices - base >= p
        if beyond.any():
            n = int(np.count_nonzero(beyond))
            notes.append(
                f"ignored, not among the model's columns: {n} entr{'ies' if n > 1 else 'y'} beyond index {p - 1 + base}"
            )
            row = np.repeat(np.arange(len(counts)), counts)
            counts = np.bincount(row[~beyond], minlength=len(counts))
            indices, values = indices[~beyond], values[~beyond]
    indptr = np.concatenate(([0], np.cumsum(counts)))
    width = np.int32 if max(int(indptr[-1]), p) < 2**31 else np.int64
    X = csr_array((values, (indices - base).astype(width), indptr.astype(width)), shape=(len(counts), p))
    y = _classes(coded)
    if recipe is None:
        notes += labels.check_classes(path, y[0], len(counts))
        kind: LabelType = "int" if y[0].dtype.kind == "i" else "str"
        recipe = Recipe.plain(Numbered(p, str), None, kind, base=base, sparse=True, unknown=options.unknown)
    elif recipe.base is None:
        notes.append("columns matched with the model's by position: an svmlight file has no column names")
    notes += labels.lookalikes(y[0])
    return Table(
        path=path,
        X=X,
        feature_names=recipe.features,
        labels=y,
        groups=None,
        recipe=recipe,
        fingerprint=fingerprint(recipe.features, X, [y, None]),
        notes=tuple(notes),
        warnings=_rounding(gathered),
        blocks_of_lines=tuple(block.lines for block in gathered),
    )


def _refuse_too_large(block: _Block) -> None:
    """DataError for a value of which the square is no float64: nothing can be learned from it."""
    large = np.flatnonzero(np.abs(block.values) > LARGEST)
    if len(large):
        t = int(large[0])
        line = block.lines[int(np.searchsorted(np.cumsum(block.counts), t, side="right"))]
        raise DataError(
            f"{block.path}:{line}: index {block.indices[t]}: {block.values[t]:g} is too large to be squared "
            "(measure it in another unit)"
        )


def _rounding(blocks: Sequence[_Block]) -> tuple[str, ...]:
    """A warning where whole numbers are no float64."""
    found = [block.rounded for block in blocks if block.rounded[0]]
    n = sum(count for count, _ in found)
    what = "a whole number is" if n == 1 else f"{n} whole numbers are"
    return (f"{what} rounded to 53 binary digits, first {found[0][1]}",) if n else ()


def _files(file: BinaryIO, path: str, others: Sequence[str]) -> Iterator[_Block]:
    yield from _blocks(file, path)
    for other in others:
        shown = safe_text(other, 240)
        with opened(other) as (more, kind, _):
            if kind != "svmlight":
                raise DataError(f"{shown}: no svmlight file, as {path} is")
            yield from _blocks(more, shown)


def _blocks(file: BinaryIO, path: str) -> Iterator[_Block]:
    """Whole lines, some at a time."""
    rest, line = b"", 1
    while True:
        more = file.read(max(BLOCK_BYTES, len(rest)))
        text = rest + more
        if not more and text and not text.endswith(b"\n"):
            text += b"\n"
        end = text.rfind(b"\n") + 1
        if end:
            block = _parse(text[:end], path, line)
            if len(block.lines):
                yield block
            line += text.count(b"\n", 0, end)
        rest = text[end:]
        if not more:
            return


def _parse(text: bytes, path: str, first_line: int) -> _Block:
    if b"\0" in text:
        at = first_line + text.count(b"\n", 0, text.index(b"\0"))
        raise DataError(f"{path}:{at}: a NUL byte; is this a text file?")
    if first_line == 1:
        text = text.removeprefix(b"\xef\xbb\xbf")
    if b"#" in text:
        text = re.sub(rb"#[^\n]*", b"", text)
    data = np.frombuffer(text, np.uint8)
    apart = _SEPARATES[data]
    before = np.concatenate(([True], apart[:-1]))
    starts, ends = np.flatnonzero(~apart & before), np.flatnonzero(apart & ~before)
    line = first_line + np.searchsorted(np.flatnonzero(data == _NEWLINE), starts)
    is_label = np.concatenate(([True], line[1:] != line[:-1]))[: len(starts)]
    colon_before = (starts > 0) & (data[starts - 1] == _COLON)
    colon_after = data[ends] == _COLON
    index, value = ~is_label & ~colon_before & colon_after, ~is_label & colon_before & ~colon_after
    good = index | value | (is_label & ~colon_before & ~colon_after)
    # index and value by turns, with nothing but one colon between them
    follows = np.concatenate((index[:-1] & value[1:] & (ends[:-1] + 1 == starts[1:]), [False]))[: len(starts)]
    good &= np.where(index, follows, np.where(value, np.concatenate(([False], follows[:-1]))[: len(starts)], True))
    if not good.all():
        t = int(np.flatnonzero(~good)[0])
        raise DataError(f"{path}:{line[t]}: {_finding(text, int(starts[t]), int(ends[t]))}")
    numbers = _numbers(data, starts[~is_label], ends[~is_label])
    in_index = index[~is_label]
    indices, values = numbers[in_index], numbers[~in_index]
    entry_line = line[index]
    odd = np.concatenate(([0], np.cumsum(~_DIGIT[data])))
    bad = (odd[ends[index]] > odd[starts[index]]) | ~(indices < _EXACT)
    if bad.any():
        t = int(np.flatnonzero(bad)[0])
        a, b = int(starts[index][t]), int(ends[index][t])
        said = safe_text(text[a:b].decode(errors="replace"), 40)
        hint = "; groups of queries are not for classes" if said == "qid" else ""
        raise DataError(f"{path}:{entry_line[t]}: '{said}' is no index, which is a whole number{hint}")
    bad = ~np.isfinite(values)
    if bad.any():
        t = int(np.flatnonzero(bad)[0])
        a, b = int(starts[value][t]), int(ends[value][t])
        said = safe_text(text[a:b].decode(errors="replace"), 40)
        raise DataError(f"{path}:{entry_line[t]}: '{said}' is not a finite number (svmlight knows no missing values)")
    indices = indices.astype(np.int64)
    bad = (np.diff(indices) <= 0) & (entry_line[1:] == entry_line[:-1])
    if bad.any():
        t = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"{path}:{entry_line[t]}: index {indices[t + 1]} after {indices[t]}: indices of a row must increase"
        )
    rows = line[is_label]
    counts = np.bincount(np.searchsorted(rows, entry_line), minlength=len(rows))
    named = _texts(data, starts[is_label], ends[is_label], path, first_line)
    for k in np.flatnonzero(named.str.contains(",", literal=True).to_numpy())[:1]:
        raise DataError(f"{path}:{rows[k]}: several labels '{safe_text(named[int(k)], 40)}' for one row")
    rounded = 0, ""
    large = np.flatnonzero(np.abs(values) >= _EXACT)
    if len(large):
        written = pl.Series(_gather(data, starts[value][large], ends[value][large]).decode().split("\n")[:-1])
        exact, kept = (s.cast(pl.Int128, strict=False) for s in (written, pl.Series(values[large])))
        differ = np.flatnonzero((exact != kept).fill_null(False).to_numpy())
        if len(differ):
            t = int(large[differ[0]])
            place = f"{safe_text(written[int(differ[0])], 40)} in {path}:{entry_line[t]}, index {indices[t]}"
            rounded = len(differ), place
    return _Block(path, named, indices, values, counts, rows, rounded)


def _finding(text: bytes, start: int, end: int) -> str:
    said = safe_text(text[start:end].decode(errors="replace"), 40)
    if text[end : end + 1] == b":":
        return f"'{said}:' where a label must be or without a value"
    return f"'{said}' is no index:value"


def _gather(data: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> bytes:
    """Each token on a line of its own."""
    lengths = ends - starts + 1
    moved = starts - np.concatenate(([0], np.cumsum(lengths)[:-1]))
    found = data[np.repeat(moved, lengths) + np.arange(int(lengths.sum()))]
    found[np.cumsum(lengths) - 1] = _NEWLINE
    return found.tobytes()


def _numbers(data: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The tokens as float64, NaN where one is none."""
    if not len(starts):
        return np.empty(0)
    text, schema = _gather(data, starts, ends), {"token": pl.Float64}
    read = pl.read_csv(text, has_header=False, quote_char=None, separator=" ", schema=schema, ignore_errors=True)
    return read.to_series().fill_null(np.nan).to_numpy()


def _texts(data: np.ndarray, starts: np.ndarray, ends: np.ndarray, path: str, line: int) -> pl.Series:
    try:
        tokens = _gather(data, starts, ends).decode().split("\n")[:-1] if len(starts) else []
    except UnicodeDecodeError:
        raise DataError(f"{path}:{line}: not UTF-8 text from here on") from None
    return pl.Series(tokens, dtype=pl.String)


def _classes(coded: Coded) -> tuple[np.ndarray, np.ndarray]:
    """Labels are numbers here, however they are written: +1, 1 and 1.0 are one class."""
    written = Coded()
    levels = [_written(level) for level in coded.levels]
    written.add(*code(pl.Series(levels, dtype=pl.String)))
    classes, place = written.classes()
    return classes, place[coded.codes]


def _written(text: str) -> str:
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else text
