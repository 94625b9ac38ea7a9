"""From a file to training rows and validation rows."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.errors import DataError, UsageError
from softreg.metrics import Metrics, measure
from softreg.rows import make_rows
from softreg.tables import TableOptions
from softreg.tables.filled import Filled
from softreg.tables.opening import Paths
from softreg.text import safe_text
from softreg.training import Settings
from softreg.workflows.inputs import Labelled, read_for_classes, read_training
from softreg.workflows.splits import split_rows

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Part:
    """Some rows: X, targets y (codes, or a probability for each class), weights or None, cells that were filled."""

    X: Any
    y: Array
    weight: Array | None = None
    filled: Filled | None = None

    def take(self, rows: Array) -> Part:
        """Those rows."""
        return self._with(self.X[rows], rows)

    def split(self, train: Array, apart: Array) -> tuple[Part, Part]:
        """Those rows and these, where numbers are missing both filled with what the first ones say."""
        if self.filled is None:
            return self.take(train), self.take(apart)
        X_train, X_apart = self.filled.split(self.X, train, apart)
        return self._with(X_train, train), self._with(X_apart, apart)

    def _with(self, X: Any, rows: Array) -> Part:
        weight = None if self.weight is None else self.weight[rows]
        return Part(X, self.y[rows], weight, self.filled and self.filled.take(rows, len(self.y)))

    def metrics(self, W: Array, settings: Settings) -> Metrics:
        """Metrics of raw-scale weights on these rows."""
        return metrics_of(self.X, self.y, W, settings, self.weight)


def part_of(rows: Labelled) -> Part:
    """All rows of a table."""
    return Part(rows.X, rows.y if rows.soft is None else rows.soft, rows.weight, rows.table.filled)


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a fit learns from: a table, the rows of it to train on, and rows kept apart (or None).

    y are class codes.  What is trained on and judged by are ``part`` and ``kept``, which know weights and soft labels.
    """

    rows: Labelled
    X: Any
    y: Array
    groups: Array | None
    validation: tuple[Any, Array] | None
    split_text: str | None
    split_record: dict[str, Any] | None
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    part: Part
    kept: Part | None
    apart: Labelled | None = None  # the table that holds them, where it is another

    @property
    def classes(self) -> Array:
        return self.rows.classes

    @property
    def n_classes(self) -> int:
        return len(self.classes)


def prepare(
    data: Paths,
    *,
    target: str | None,
    settings: Settings,
    validation: str | None = None,
    validation_fraction: float | None = None,
    group: str | None = None,
    options: TableOptions | None = None,
) -> Prepared:
    """Read ``data`` and keep validation rows apart: those of another file, or a fraction, or none.

    Raises
    ------
    UsageError, DataError, ResourceError
    """
    if validation is not None and validation_fraction is not None:
        raise UsageError("--validation and --validation-fraction both choose the validation rows: give one of them")
    if settings.early_stopping and validation is None and validation_fraction is None:
        raise UsageError("--early-stopping needs validation rows (add --validation-fraction 0.1)")
    rows = read_training(data, target, group, options)
    if rows.soft is not None and settings.loss != "softmax":
        raise UsageError(f"--loss {settings.loss}: a hinge knows no soft labels: give --target one column of labels")
    if rows.soft is not None and settings.class_weight is not None:
        raise UsageError("--class-weight: soft labels have no class to weigh")
    whole = part_of(rows)
    table = rows.table
    notes, warnings = list(rows.notes), list(rows.warnings)
    if validation_fraction is not None:
        split = split_rows(rows.y, rows.classes, validation_fraction, settings.random_state, table.groups, group)
        notes += split.notes
        rows = rows.learned_from(split.train)
        whole = part_of(rows)
        part, kept = whole.take(split.train), whole.take(split.validation)
        _check_counts(table.path, kept, "every row drawn for validation has weight 0 (another --seed draws others)")
        codes = (rows.y[split.train], rows.y[split.validation])
        groups = None if table.groups is None else table.groups[split.train]
        return Prepared(
            rows, part.X, codes[0], groups, (kept.X, codes[1]), split.text, split.record, tuple(notes),
            tuple(warnings), part, kept,
        )  # fmt: skip
    if validation is None:
        none = None if group is None else {"kind": "none", "group": group}
        return Prepared(
            rows, rows.X, rows.y, table.groups, None, None, none, tuple(notes), tuple(warnings), whole, None
        )
    other = read_for_classes(validation, table.recipe, rows.classes)
    _check_counts(other.table.path, part_of(other), "every row has weight 0: none to validate by")
    notes += other.notes
    name = safe_text(os.path.basename(validation), 80)
    warnings += [f"{name}: {warning}" for warning in other.warnings]
    if other.table.fingerprint == table.fingerprint:
        warnings.append(f"{name} holds the training rows: its metrics are no estimate for new data")
    text = f"{table.n_rows} train, {len(other.y)} validation ({name})"
    record: dict[str, Any] = {"kind": "file", "fingerprint": other.table.fingerprint, "group": group}
    return Prepared(
        rows, rows.X, rows.y, table.groups, (other.X, other.y), text, record, tuple(notes), tuple(warnings), whole,
        part_of(other), other,
    )  # fmt: skip


def _check_counts(path: str, part: Part, finding: str) -> None:
    if part.weight is not None and not part.weight.any():
        raise DataError(f"{path}: {finding}")


def metrics_of(X: Any, y: Array, W: Array, settings: Settings, weight: Array | None = None) -> Metrics:
    """Metrics of raw-scale weights on rows."""
    rows = make_rows(X, y, weight, n_classes=W.shape[1], n_jobs=settings.n_jobs)
    return measure(rows, settings.make_loss(), np.asarray(W))
