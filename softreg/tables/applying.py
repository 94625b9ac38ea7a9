"""Tables for a model that exists: its recipe says what their columns are, whole or a batch at a time."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from softreg.errors import DataError
from softreg.tables import labels
from softreg.tables.cells import Cells, Source
from softreg.tables.coded import Coded, code
from softreg.tables.gathering import Gathered, by_block
from softreg.tables.raw import Plan, Raw, read_raw
from softreg.tables.recipe import MISSING_CODE, UNKNOWN_CODE, Column, Recipe
from softreg.tables.roles import Roles, match
from softreg.tables.table import Table, fingerprint
from softreg.text import listing, safe_text

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Missing = Literal["recipe", "error", "skip"]


@dataclass
class Found:
    """What a reader met that a user should hear of, counted while the batches go by.

    unknown : of each column, the categories that training never saw and their cells.  rounded : of each column, whole
    numbers that are no float64.  notes : other sentences, complete when the last batch is read.
    """

    unknown: dict[str, Counter[str]] = field(default_factory=dict)
    rounded: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    @property
    def n_unknown(self) -> int:
        """Cells of categories that training never saw."""
        return sum(counts.total() for counts in self.unknown.values())

    def sentences(self) -> list[str]:
        """All of it, as notes."""
        said = list(self.notes)
        for name, counts in self.unknown.items():
            shown = listing([f"'{safe_text(text, 30)}' ({n})" for text, n in counts.most_common(3)])
            more = f", and {len(counts) - 3} more" if len(counts) > 3 else ""
            n = counts.total()
            said.append(
                f"column '{safe_text(name, 40)}': {n} cell{'s' * (n > 1)} of categories that training never saw: "
                f"{shown}{more}"
            )
        for name, n in self.rounded.items():
            said.append(f"column '{safe_text(name, 40)}': {n} whole number{'s' * (n > 1)} rounded to 53 binary digits")
        return said


@dataclass(frozen=True, eq=False)
class Batch:
    """Some rows of a table as a model sees them.

    Attributes
    ----------
    lines : sequence of int
        Where each of the m rows begins in the file.
    kept : (m,) bool array
        False for a row that is skipped: the other attributes, but for ``ids`` and ``columns``, have no entry for it.
    X : (k, p) array or CSR matrix
    ids : (m,) text or None
        Of the recipe's id column, as it is written.
    columns : dict of name to (m,) text
        The columns asked for as they are written.
    """

    lines: object
    kept: np.ndarray
    X: np.ndarray | csr_array
    ids: pl.Series | None = None
    columns: dict[str, pl.Series] = field(default_factory=dict)


def plan_for(recipe: Recipe, roles: Roles, names: list[str]) -> Plan:
    """What is read of a file with columns ``names``."""
    place = {name: j for j, name in enumerate(names)}
    numbers = [column for column in recipe.columns if not column.is_category]
    texts = [column.name for column in recipe.columns if column.is_category]
    texts += [name for name in (roles.target, roles.group) if name is not None]
    return Plan(
        {column.name: place[column.name] for column in numbers},
        frozenset(column.name for column in numbers if column.kind == "boolean"),
        {name: place[name] for name in texts},
        recipe.na,
        recipe.decimal,
        frozenset(name for name in (roles.target, roles.group) if name is not None),
        header=recipe.header,
        fixed=True,
    )


def read_known(source: Source, recipe: Recipe, *, needed: tuple[str, ...], group: bool) -> Table:
    """A whole table as the recipe reads it."""
    roles = match(source.path, source.names, recipe, needed, source.header)
    if not group:
        roles = Roles(roles.features, roles.target, roles.id, roles.weight, None, roles.target_proba, roles.notes)
    plan = plan_for(recipe, roles, source.names)
    gathered = Gathered(source, plan, roles, drop=recipe.missing == "drop")
    gathered.read([], source.blocks())
    if not gathered.n_read:
        raise DataError(f"{source.path}: no data rows{' below the header' if source.header else ''}")
    notes = [*roles.notes, *source.notes]
    if roles.target is not None and roles.target in gathered.missing and "target" not in needed:
        count, _ = gathered.missing.pop(roles.target)
        notes.append(f"column '{safe_text(roles.target, 40)}' not used: {count} of its cells are empty")
        roles = Roles(roles.features, None, roles.id, roles.weight, roles.group, roles.target_proba, roles.notes)
    gathered.refuse_missing_roles()
    _refuse_missing(source.path, recipe, gathered)
    if not gathered.n_rows:
        raise DataError(f"{source.path}: every row has a missing cell: {gathered.empty_cells()}")
    if gathered.n_dropped:
        notes.append(f"dropped {gathered.n_dropped} of {gathered.n_read} rows, with {gathered.empty_cells()}")
    found = Found(rounded=Counter({name: n for name, (n, _) in gathered.rounded.items()}))
    codes = []
    for column in recipe.columns:
        if column.is_category:
            coded = gathered.coded[column.name]
            codes.append(_places(column, coded.levels)[coded.codes])
            _note_unknown(found, column, coded)
    _refuse_unknown(source.path, recipe, found)
    X = recipe.assemble(gathered.numbers, codes)
    y = None if roles.target is None else gathered.coded[roles.target].classes()
    soft = gathered.soft if roles.target_proba else None
    if soft is not None:
        y = (np.arange(soft.shape[1]), soft.argmax(axis=1))  # their names are the model's to know
    if y is not None and soft is None:
        notes += labels.lookalikes(y[0])
    groups = None if roles.group is None else gathered.coded[roles.group].classes()
    weight = gathered.weight
    return Table(
        path=source.path,
        X=X,
        feature_names=recipe.features,
        labels=y,
        groups=None if groups is None else groups[0][groups[1]],
        recipe=recipe if roles.target is not None or recipe.target_proba else replace(recipe, target=None),
        fingerprint=fingerprint(recipe.features, X, [y if soft is None else None, groups], [weight, soft]),
        weight=weight,
        soft=soft,
        n_missing=sum(count for count, _ in gathered.missing.values()),
        n_dropped=gathered.n_dropped,
        n_unknown=found.n_unknown,
        notes=(*notes, *found.sentences()),
        blocks_of_lines=tuple(gathered.lines),
    )


def read_in_batches(
    source: Source, recipe: Recipe, found: Found, *, missing: Missing, keep: tuple[str, ...]
) -> Iterator[Batch]:
    """Rows as the recipe reads them, some at a time, in order; ``found`` is filled on the way."""
    roles = match(source.path, source.names, recipe, (), source.header)
    absent = [name for name in keep if name not in source.names]
    if absent:
        raise DataError(f"{source.path}: no column '{safe_text(absent[0], 40)}'; columns: {listing(source.names)}")
    found.notes += roles.notes
    place = {name: j for j, name in enumerate(source.names)}
    plan = plan_for(recipe, Roles(roles.features, None, roles.id, None, None), source.names)  # no labels, no weights
    wanted = dict.fromkeys([*keep, *([] if roles.id is None else [roles.id])])

    def task(cells: Cells) -> tuple[Raw, dict[str, pl.Series]]:
        return read_raw(cells, plan), {name: cells.text(place[name]) for name in wanted}

    n = 0
    for raw, texts in by_block(task, source.blocks()):
        n += len(raw)
        kept = _kept(raw, recipe, missing)
        for name, (rows, _) in raw.rounded.items():
            found.rounded[name] += len(rows)
        lines = raw.lines
        if not kept.all():
            raw = raw.keep(kept)
        codes = []
        for column in recipe.columns:
            if column.is_category:
                coded = Coded()
                coded.add(*code(raw.texts[column.name]))
                codes.append(_places(column, coded.levels)[coded.codes])
                _note_unknown(found, column, coded)
        _refuse_unknown(raw.path, recipe, found)
        yield Batch(
            lines,
            kept,
            recipe.assemble(raw.numbers, codes),
            ids=None if roles.id is None else texts[roles.id],
            columns={name: texts[name] for name in keep},
        )
    found.notes += source.notes
    if not n:
        raise DataError(f"{source.path}: no data rows{' below the header' if source.header else ''}")


def _kept(raw: Raw, recipe: Recipe, missing: Missing) -> np.ndarray:
    """The rows that can be used; DataError for a missing cell that may not be."""
    kept = np.ones(len(raw), dtype=bool)
    for column in recipe.columns:
        rows = raw.missing.get(column.name)
        if rows is None or (missing == "recipe" and recipe.missing not in ("error", "drop")):
            continue
        if missing == "error" or (missing == "recipe" and recipe.missing == "error"):
            line = int(raw.lines[int(rows[0])])
            raise DataError(
                f"{raw.path}:{line}: column '{safe_text(column.name, 40)}' is empty, as the training data never were "
                "(--missing skip leaves such rows without a prediction)"
            )
        kept[rows] = False
    return kept


def _refuse_missing(path: str, recipe: Recipe, gathered: Gathered) -> None:
    if gathered.missing and recipe.missing == "error":
        raise DataError(f"{path}: empty cells: {gathered.empty_cells()}; fill them or remove the rows")


def _places(column: Column, met: list[str]) -> np.ndarray:
    """For each text, and last for a missing one, its code among the levels of a category."""
    place = {level: k for k, level in enumerate(column.levels)}
    return np.array([*(place.get(level, UNKNOWN_CODE) for level in met), MISSING_CODE], dtype=np.int32)


def _note_unknown(found: Found, column: Column, coded: Coded) -> None:
    if column.other:  # training had levels beyond those that are named: an unseen one is as rare as they are
        return
    known = set(column.levels)
    met = coded.levels
    strange = [k for k, level in enumerate(met) if level not in known]
    codes = coded.codes
    if strange:
        counts = np.bincount(codes[codes >= 0], minlength=len(met))
        found.unknown.setdefault(column.name, Counter()).update({met[k]: int(counts[k]) for k in strange})
    if not column.missing and (codes < 0).any():
        found.unknown.setdefault(column.name, Counter()).update({"(missing)": int((codes < 0).sum())})


def _refuse_unknown(path: str, recipe: Recipe, found: Found) -> None:
    if recipe.unknown == "error" and found.unknown:
        name, counts = next(iter(found.unknown.items()))
        text = counts.most_common(1)[0][0]
        raise DataError(
            f"{path}: column '{safe_text(name, 40)}': '{safe_text(text, 40)}' is a category that training never saw "
            f"(a fit with --unknown ignore takes it as none of {safe_text(shlex.quote(name), 40)})"
        )
