"""Tables as labelled rows: for training, and for a model that already knows its classes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.errors import DataError
from softreg.store import Model
from softreg.tables import Table, TableOptions, label_text, read_table
from softreg.tables.labels import bare, told_apart
from softreg.tables.numbered import Numbered
from softreg.tables.opening import Paths
from softreg.tables.recipe import Recipe, describe_columns
from softreg.text import listing, safe_text

Array = NDArray[Any]

#: Most classes that are named with their counts.
CLASSES_NAMED = 6


@dataclass(frozen=True, eq=False)
class Labelled:
    """Rows X of a table with class codes y into ``classes``; ``notes`` are for the user.

    ``weight`` (n,) and ``soft`` (n, K), a probability for each class, are there where the table has them.
    """

    table: Table
    X: Any
    y: Array
    classes: Array
    weight: Array | None = None
    soft: Array | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def counts(self) -> Array:
        return np.bincount(self.y, minlength=len(self.classes))

    def learned_from(self, train: Array) -> Labelled:
        """The same rows where only rows ``train`` say what stands for missing numbers."""
        table = self.table.learned_from(train)
        return replace(self, table=table, X=table.X)


def read_training(
    data: Paths, target: str | None, group: str | None = None, options: TableOptions | None = None
) -> Labelled:
    """A table to learn from: its classes are the labels it has, sorted."""
    table = read_table(data, target, group=group, options=options)
    assert table.labels is not None
    classes, codes = table.labels
    _check_weights(table, classes, codes)
    return Labelled(table, table.X, codes, classes, table.weight, table.soft, table.notes, table.warnings)


def _check_weights(table: Table, classes: Array, codes: Array) -> None:
    """DataError where a class has rows, and none of them counts."""
    if table.weight is None or table.soft is not None:
        return
    idle = np.flatnonzero(np.bincount(codes, weights=table.weight, minlength=len(classes)) == 0)
    if len(idle):
        shown = listing([f"'{label_text(classes.tolist()[k])}'" for k in idle], 5)
        every = "every row has weight 0" if len(idle) == len(classes) else f"every row of class {shown} has weight 0"
        raise DataError(f"{table.path}: {every}: weigh some of them, or remove the rows")


def read_for_classes(path: Paths, recipe: Recipe, classes: Array) -> Labelled:
    """A table as ``recipe`` reads it, without the rows whose label is none of ``classes``.

    Raises
    ------
    DataError
        The table does not fit, or no label is known.
    """
    return _known(read_table(path, recipe=recipe), classes)


def read_for(model: Model, path: Paths) -> Labelled:
    """A labelled table as ``model`` sees it."""
    return _known(read_as_training(model, path), model.classes)


def read_as_training(model: Model, path: Paths) -> Table:
    """The table with the columns the model was trained on; the fingerprint is the model's for the same data."""
    group = (model.split or {}).get("group")  # part of the fingerprint; data of another kind may have no such column
    return read_table(path, recipe=recipe_of(model), group=group, require_group=False)


def recipe_of(model: Model) -> Recipe:
    """How a table is read for the model; columns of numbers x1 … xp where it was trained on arrays without names."""
    return model.recipe or Recipe.plain(feature_names(model), None, "int")


def feature_names(model: Model) -> Sequence[str]:
    """The model's column names; x1 … xp, as of an npz file, where it was trained on arrays without names."""
    return model.feature_names or Numbered(len(model.W) - 1, str)


def _known(table: Table, classes: Array) -> Labelled:
    codes = table.codes(classes)
    known = codes >= 0
    if known.all():
        return Labelled(table, table.X, codes, classes, table.weight, table.soft, table.notes, table.warnings)
    assert table.y is not None
    labels, counts = np.unique(table.y[~known], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    shown = listing([f"'{label_text(labels.tolist()[i])}' ({counts[i]})" for i in order], 5)
    n = int((~known).sum())
    if not known.any():
        raise DataError(
            f"{table.path}: none of its labels is a class of the model: {shown}; "
            f"classes: {listing(list(map(label_text, classes.tolist())))}{_meant(labels, classes)}"
        )
    warning = f"{n} row{'s' * (n > 1)} left out, of labels that training never saw: {shown}{_meant(labels, classes)}"
    weight = None if table.weight is None else table.weight[known]
    return Labelled(table, table.X[known], codes[known], classes, weight, None, table.notes, (*table.warnings, warning))


def _meant(labels: Array, classes: Array) -> str:
    """A question where an unseen label is a class in another spelling: 1.0 and 1, True and true."""
    known = {bare(label): label_text(label) for label in classes.tolist()}
    for label in map(label_text, labels.tolist()):
        if (meant := known.get(bare(label))) is not None:
            seen, known_as = told_apart([safe_text(label, 40), safe_text(meant, 40)])
            return f"; is {seen} meant as {known_as}?"
    return ""


def describe(rows: Labelled) -> str:
    """What was understood of a table, in a line."""
    table, counts = rows.table, rows.counts
    n, p = table.X.shape
    columns = describe_columns(table.recipe) + ("" if isinstance(table.X, np.ndarray) else ", sparse")
    if p != len(table.recipe.columns):
        columns += f" → {p} features"
    names = [safe_text(label_text(label), 24) for label in rows.classes.tolist()]
    low, high = int(counts.min()), int(counts.max())
    if len(names) <= CLASSES_NAMED:
        classes = ", ".join(f"{name} {count}" for name, count in zip(names, counts.tolist(), strict=True))
    elif low == high:
        classes = f"{low} rows each"
    else:
        classes = f"{low} to {high} rows each"
    name = safe_text(os.path.basename(table.path), 80)
    return f"{name}: {n} rows, {columns}, {len(names)} classes ({classes}), {table.n_missing} missing"
