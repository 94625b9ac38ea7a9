"""A table to learn from: its blocks are read once, and what they hold becomes X, y and the recipe for later tables."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from softreg.errors import DataError
from softreg.tables import labels
from softreg.tables.cells import Cells, Source, UnusableColumn
from softreg.tables.coded import Coded
from softreg.tables.filled import Filled, fill_of
from softreg.tables.gathering import Gathered, rounding_sentences
from softreg.tables.memory import check_fits
from softreg.tables.options import LARGEST, TableOptions
from softreg.tables.raw import HEAD, Plan, kinds
from softreg.tables.recipe import MISSING_CODE, UNKNOWN_CODE, Column, Recipe
from softreg.tables.roles import Roles, choose, class_of
from softreg.tables.table import Table, fingerprint
from softreg.text import safe_text

if TYPE_CHECKING:
    from scipy.sparse import csr_array

#: A text column of more different values than this, and than half the rows, names rows and does not describe them.
_MANY = 20
#: Whole numbers beyond are no ids but measurements.
_ANY_ID = 2.0**64
#: X is stored sparse where that takes less than this part of the bytes.
_MUCH_SMALLER = 0.25


def learn(source: Source, target: str | None, group: str | None, options: TableOptions) -> Table:
    """Read a whole table and decide how its columns become X.

    Raises
    ------
    UsageError, DataError, ResourceError
    """
    path = source.path
    roles = choose(path, source.names, target, group, options)
    try:
        recipe, gathered, codes, notes = _recipe(source, roles, options)
    except UnusableColumn as error:
        raise error.but(_without(error.column, roles)) from None
    warnings = rounding_sentences(gathered.rounded)
    y = _labels(path, gathered, roles, options)
    if not roles.target_proba:
        notes += labels.check_classes(path, y[0], gathered.n_rows) + labels.doubts(y[0])
    notes += labels.lookalikes(y[0])
    recipe = replace(recipe, label_type="int" if y[0].dtype.kind == "i" else "str")
    filled = _filled(recipe, gathered)
    X = recipe.assemble(gathered.numbers, codes)
    groups = gathered.coded[roles.group].classes() if roles.group is not None else None
    weight, soft = gathered.weight, gathered.soft
    return Table(
        path=path,
        X=X,
        feature_names=recipe.features,
        labels=y,
        groups=None if groups is None else groups[0][groups[1]],
        recipe=recipe,
        fingerprint=fingerprint(recipe.features, X, [y if soft is None else None, groups], [weight, soft]),
        weight=weight,
        soft=soft,
        n_missing=sum(count for count, _ in gathered.missing.values()),
        n_dropped=gathered.n_dropped,
        filled=filled,
        notes=(*roles.notes, *source.notes, *notes),
        warnings=tuple(warnings),
        blocks_of_lines=tuple(gathered.lines),
    )


def learn_columns(source: Source, options: TableOptions) -> tuple[Recipe, np.ndarray | csr_array]:
    """The recipe of a table without labels, and the table prepared by it."""
    recipe, gathered, codes, _ = _recipe(source, Roles(list(source.names)), options)
    return recipe, recipe.assemble(gathered.numbers, codes)


def _recipe(
    source: Source, roles: Roles, options: TableOptions
) -> tuple[Recipe, Gathered, list[np.ndarray], list[str]]:
    """What becomes of the columns; the rows; codes of the categories among their levels; notes."""
    path = source.path
    blocks = source.blocks()
    head = _head(blocks)
    plan = _plan(source, roles, options, head)
    gathered = Gathered(source, plan, roles, drop=options.missing == "drop")
    gathered.read(head, blocks)
    del head
    if not gathered.n_read:
        raise DataError(f"{path}: no data rows{' below the header' if source.header else ''}")
    gathered.refuse_missing_roles()
    if gathered.missing and options.missing == "error":
        raise DataError(f"{path}: empty cells: {gathered.empty_cells()} ({_ways_out(gathered, roles)})")
    if not gathered.n_rows:
        hint = "--missing mean fills them, --missing drop-columns leaves such columns out"
        if _empty_columns(gathered, roles):
            hint = "--missing drop-columns leaves such columns out"
        raise DataError(f"{path}: every row has a missing cell: {gathered.empty_cells()} ({hint})")
    notes, columns, codes = list[str](), [], []
    if options.missing == "drop-columns":
        said = gathered.empty_cells()
        gone = [name for name in roles.features if name in gathered.missing]
        roles = replace(roles, features=[name for name in roles.features if name not in gone])
        if not roles.features:
            raise DataError(f"{path}: every column has a missing cell: {said} (--missing mean fills them)")
        if gone:
            notes.append(f"left out {len(gone)} column{'s' * (len(gone) > 1)} with missing cells: {said}")
            plan = gathered.leave_out(gone)
    if gathered.n_dropped:
        notes.append(f"dropped {gathered.n_dropped} of {gathered.n_read} rows, with {gathered.empty_cells()}")
    elif gathered.missing:
        numeric = options.missing if options.missing != "indicator" else "mean and an indicator"
        how = f"numbers get the {numeric}, categories a level of their own"
        notes.append(f"missing cells: {gathered.empty_cells()}; {how}")
    place = {name: j for j, name in enumerate(plan.numbers)}
    for name in roles.features:
        if name in place:
            kind = "boolean" if name in plan.booleans else "number"
            columns.append(_numeric_column(path, Column(name, kind), gathered, place[name], options))
            continue
        column, code = _category(path, name, gathered.coded[name], options)
        columns.append(column)
        codes.append(code)
        if column.other:
            notes.append(
                f"column '{safe_text(name, 40)}': {column.other} rarer levels of "
                f"{column.other + len(column.levels)} are one (--max-levels {options.max_levels})"
            )
    notes += _probable_ids(plan, gathered)
    recipe = Recipe(
        tuple(columns),
        roles.target,
        "str",
        id=roles.id,
        weight=roles.weight,
        group=roles.group,
        target_proba=roles.target_proba,
        # Of drop-columns no column is left that may have a missing cell.
        missing="error" if options.missing == "drop-columns" else options.missing,
        unknown=options.unknown,
        na=options.na,
        decimal=options.decimal,
        header=options.header,
        delimiter=options.delimiter,
        encoding=options.encoding,
    )
    _check_names(path, recipe)
    return replace(recipe, sparse=_is_sparse(path, recipe, gathered.numbers, codes)), gathered, codes, notes


def _without(name: str, roles: Roles) -> str:
    """What helps where a column cannot be read."""
    purposes = {"target": roles.target, "group": roles.group, "weight-col": roles.weight}
    for option, column in [*purposes.items(), *(("target-proba", column) for column in roles.target_proba)]:
        if column == name:
            return f"save it as {'text' if option in ('target', 'group') else 'numbers'}, or name another --{option}"
    return f"--drop {safe_text(shlex.quote(name), 40)} leaves it out"


def _empty_columns(gathered: Gathered, roles: Roles) -> list[str]:
    """Features without a value in any row."""
    return [name for name in roles.features if gathered.missing.get(name, (0, ""))[0] == gathered.n_read]


def _ways_out(gathered: Gathered, roles: Roles) -> str:
    if empty := _empty_columns(gathered, roles):
        name = safe_text(empty[0], 40)
        return f"'{name}' has no value at all: --missing drop-columns leaves out such columns, --drop those you name"
    return (
        "--missing mean fills them, --missing drop leaves such rows out, --missing drop-columns leaves such "
        "columns out; also median, indicator"
    )


def _head(blocks: Iterator[Cells]) -> list[Cells]:
    """The first blocks, of HEAD rows or more."""
    head: list[Cells] = []
    while sum(len(cells.lines) for cells in head) < HEAD:
        cells = next(blocks, None)
        if cells is None:
            break
        head.append(cells)
    return head


def _plan(source: Source, roles: Roles, options: TableOptions, head: list[Cells]) -> Plan:
    place = {name: j for j, name in enumerate(source.names)}
    open_ones = [name for name in roles.features if name not in options.categorical]
    found = kinds(head, [place[name] for name in open_ones], options.na, options.decimal) if head else []
    kind = {**dict.fromkeys(roles.features, "category"), **dict(zip(open_ones, found, strict=bool(head)))}
    texts = [name for name in roles.features if kind[name] == "category"]
    texts += [name for name in (roles.target, roles.group) if name is not None]
    numbers = [name for name in roles.features if kind[name] != "category"]
    return Plan(
        {name: place[name] for name in numbers},
        frozenset(name for name in numbers if kind[name] == "boolean"),
        {name: place[name] for name in texts},
        options.na,
        options.decimal,
        frozenset(name for name in (roles.target, roles.group) if name is not None),
        header=options.header,
        largest=LARGEST,
    )


class UnfitColumn(DataError):
    """A column that nothing can be learned from as it is: its name, what was found, and the way out."""

    def __init__(self, path: str, column: str, finding: str, advice: str) -> None:
        self.column, self.advice = column, advice
        self.finding = f"column '{safe_text(column, 40)}' {finding}"
        super().__init__(f"{path}: {self.finding} ({advice})")


def _leaves_out(name: str) -> str:
    return f"--drop {safe_text(shlex.quote(name), 40)} leaves it out"


def _numeric_column(path: str, column: Column, gathered: Gathered, place: int, options: TableOptions) -> Column:
    """The column of numbers at ``place``, with what stands for a missing one."""
    if options.missing not in ("mean", "median", "indicator"):
        return column
    name, cells = column.name, gathered.numbers[:, place]
    there = cells if name not in gathered.missing else cells[~np.isnan(cells)]
    if not len(there):
        more = ", --missing drop-columns all that miss a cell"
        raise UnfitColumn(path, name, "has no value at all", f"{_leaves_out(name)}{more}")
    return replace(
        column,
        fill=fill_of(there, options.missing),
        indicator=options.missing == "indicator" and name in gathered.missing,
    )


def _filled(recipe: Recipe, gathered: Gathered) -> Filled | None:
    """The cells of X that get what stands for a missing number; before they get it."""
    places = recipe.filled_columns
    if not places:
        return None
    rows, columns = [np.empty(0, np.intp)], [np.empty(0, np.intp)]
    names = [column.name for column in recipe.columns if not column.is_category]
    for number, (name, place) in enumerate(zip(names, places, strict=True)):
        if name in gathered.missing:
            rows.append(np.flatnonzero(np.isnan(gathered.numbers[:, number])))
            columns.append(np.full(len(rows[-1]), place))
    return Filled(np.concatenate(rows), np.concatenate(columns), recipe.missing)


def _category(path: str, name: str, coded: Coded, options: TableOptions) -> tuple[Column, np.ndarray]:
    """A column of text with its levels, and its codes among them."""
    met, codes = coded.levels, coded.codes
    n = len(codes)
    if len(met) > max(_MANY, n / 2) and name not in options.categorical:
        finding = f"has {len(met)} different texts in {n} rows, such as '{safe_text(met[0], 30)}'"
        option = safe_text(shlex.quote(name), 40)
        raise UnfitColumn(path, name, finding, f"{_leaves_out(name)}, --id-col {option} keeps it as the rows' name")
    counts = np.bincount(codes[codes >= 0], minlength=len(met))
    # By count, and where that is equal by text: the same levels whatever the order of rows.
    order = sorted(range(len(met)), key=lambda k: (-counts[k], met[k]))
    kept = sorted(met[k] for k in order[: options.max_levels])
    other = len(met) - len(kept)
    missing = options.missing in ("mean", "median", "indicator") and bool((codes < 0).any())
    if not kept and not missing:
        raise UnfitColumn(path, name, "has no value at all", _leaves_out(name))
    column = Column(name, "category", levels=tuple(kept), other=other, missing=missing)
    place = {level: k for k, level in enumerate(kept)}
    places = np.array([*(place.get(level, UNKNOWN_CODE) for level in met), MISSING_CODE], dtype=np.int32)
    return column, places[codes]


def _labels(path: str, gathered: Gathered, roles: Roles, options: TableOptions) -> tuple[np.ndarray, np.ndarray]:
    if roles.target is not None:
        return gathered.coded[roles.target].classes()
    soft, pattern = gathered.soft, options.target_proba
    assert soft is not None
    assert pattern is not None
    classes = labels.text_array([class_of(name, pattern) for name in roles.target_proba])
    empty = np.flatnonzero(~soft.any(axis=0))
    if len(empty):
        raise DataError(f"{path}: column '{safe_text(roles.target_proba[empty[0]], 40)}' is 0 in every row")
    return classes, soft.argmax(axis=1)


def _check_names(path: str, recipe: Recipe) -> None:
    seen: set[str] = set()
    for column in recipe.columns:
        for feature in column.features:
            if feature in seen:
                raise DataError(
                    f"{path}: two columns would make a feature '{safe_text(feature, 60)}' "
                    f"(--drop {safe_text(shlex.quote(column.name), 40)} leaves one out)"
                )
            seen.add(feature)


def _is_sparse(path: str, recipe: Recipe, numbers: np.ndarray, codes: list[np.ndarray]) -> bool:
    """Whether X is much smaller as CSR; ResourceError where it does not fit either way."""
    n, p = len(numbers), len(recipe.features)
    if not codes:
        return False
    entries = sum(int(np.count_nonzero(code != MISSING_CODE)) for code in codes)
    entries += int(np.count_nonzero(numbers)) + sum(column.indicator for column in recipe.columns) * n
    sparse = 12 * entries + 4 * n < _MUCH_SMALLER * 8 * n * p
    check_fits(path, f"X of {n} rows and {p} columns", 12 * entries + 4 * n if sparse else 8 * n * p)
    return sparse


def _probable_ids(plan: Plan, gathered: Gathered) -> list[str]:
    """A note for each column of whole numbers that is different in every row."""
    notes = []
    n = gathered.n_rows
    for j, name in enumerate(plan.numbers if n > _MANY else ()):
        head = gathered.numbers[:HEAD, j]
        if (np.abs(head) < _ANY_ID).all() and (head == np.floor(head)).all() and len(np.unique(head)) == len(head):
            cells = gathered.numbers[:, j]
            if (cells == np.floor(cells)).all() and len(np.unique(cells)) == n:
                option = safe_text(shlex.quote(name), 40)
                notes.append(
                    f"column '{safe_text(name, 40)}' has another whole number in every row: an id? "
                    f"(--drop {option} or --id-col {option})"
                )
    return notes
