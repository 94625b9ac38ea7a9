"""Which rows are kept apart for validation: by class or by whole groups, from a seed, to be found again."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.errors import DataError, UsageError
from softreg.folds import pinned_groups
from softreg.tables import label_text
from softreg.text import listing, safe_text

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Split:
    """Row numbers to train on and to keep apart, each increasing; ``text`` is the split in words.

    ``record`` goes into the model file: with the same table `same_rows` finds the same training rows again.
    """

    train: Array
    validation: Array
    text: str
    record: dict[str, Any]
    notes: tuple[str, ...] = field(default=())


def split_rows(
    y: Array,
    classes: Array,
    fraction: float,
    seed: int,
    groups: Array | None = None,
    group: str | None = None,
) -> Split:
    """Keep ``fraction`` of the rows apart: the same share of every class, or whole groups.

    Parameters
    ----------
    y : (n,) class codes
    classes : (K,) labels, for messages
    fraction : float
    seed : int
    groups : (n,) array, optional
        Rows of one value stay on one side.
    group : str, optional
        Name of that column.

    Raises
    ------
    UsageError
        A fraction that leaves too few rows on a side.
    DataError
        All rows of a class would be kept apart.
    """
    if not 0 < fraction < 1:
        raise UsageError(f"--validation-fraction {fraction:g}: a number between 0 and 1")
    if groups is None:
        validation, pinned = _by_class(y, len(classes), fraction, seed)
        how = f"stratified, seed {seed}"
    else:
        validation, pinned = _by_group(y, groups, len(classes), fraction, seed)
        how = f"whole groups of {safe_text(group, 40)}, seed {seed}"
    apart = np.zeros(len(y), dtype=bool)
    apart[validation] = True
    train = np.flatnonzero(~apart)
    _check_every_class(y[train], classes)
    left, kept = (np.bincount(y[rows], minlength=len(classes)) for rows in (train, np.flatnonzero(apart)))
    absent = np.flatnonzero(kept == 0)
    notes = []
    if len(absent):
        shown = listing([f"{label_text(classes.tolist()[k])} ({left[k]})" for k in absent], 6)
        why = "their groups cannot be divided" if pinned and groups is not None else "too few to divide"
        notes.append(f"all rows of {shown} are in training: {why}; validation says nothing about them")
    record = {"kind": "fraction", "fraction": fraction, "seed": seed, "group": group, "rows": _digest(train)}
    text = f"{len(train)} train, {int(apart.sum())} validation ({how})"
    return Split(train, np.flatnonzero(apart), text, record, tuple(notes))


def same_rows(record: dict[str, Any], y: Array, classes: Array, groups: Array | None) -> Split | None:
    """The split of ``record`` made again; None where it comes out otherwise (another scikit-learn may draw so)."""
    split = split_rows(y, classes, record["fraction"], record["seed"], groups, record["group"])
    return split if split.record["rows"] == record["rows"] else None


def _digest(rows: Array) -> str:
    return hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest()


def _by_class(y: Array, n_classes: int, fraction: float, seed: int) -> tuple[Array, bool]:
    from sklearn.model_selection import StratifiedShuffleSplit  # a second to import: only where it is used

    counts = np.bincount(y, minlength=n_classes)
    free = np.flatnonzero(counts[y] >= 2)
    if not len(free):
        raise DataError("--validation-fraction: no class has two rows, of which one could be kept apart")
    n_classes = int((counts >= 2).sum())
    n_apart = math.ceil(fraction * len(free))
    if n_apart < n_classes or len(free) - n_apart < n_classes:
        side = f"{n_apart} validation" if n_apart < n_classes else f"{len(free) - n_apart} training"
        raise UsageError(
            f"--validation-fraction {fraction:g} of {len(free)} rows leaves {side} rows for {n_classes} classes: "
            f"at least one for each is needed"
        )
    splitter = StratifiedShuffleSplit(n_splits=1, test_size=n_apart, random_state=seed)
    _, apart = next(splitter.split(np.zeros(len(free)), y[free]))
    return np.sort(free[apart]), len(free) < len(y)


def _by_group(y: Array, groups: Array, n_classes: int, fraction: float, seed: int) -> tuple[Array, bool]:
    from sklearn.model_selection import GroupShuffleSplit

    codes, pinned = pinned_groups(y, groups, n_classes)
    free = np.flatnonzero(~pinned[codes])
    n_free = len(np.unique(codes[free]))
    if n_free < 2:
        raise DataError(
            f"--group: {len(pinned)} groups, of which {int(pinned.sum())} hold all rows of a class: "
            "none can be kept apart"
        )
    n_apart = math.ceil(fraction * n_free)
    if n_apart >= n_free:
        raise UsageError(f"--validation-fraction {fraction:g} of {n_free} groups leaves none to train on")
    splitter = GroupShuffleSplit(n_splits=1, test_size=n_apart, random_state=seed)
    _, apart = next(splitter.split(np.zeros(len(free)), groups=codes[free]))
    return np.sort(free[apart]), bool(pinned.any())


def _check_every_class(y: Array, classes: Array) -> None:
    missing = np.flatnonzero(np.bincount(y, minlength=len(classes)) == 0)
    if len(missing):
        label = safe_text(label_text(classes.tolist()[missing[0]]), 40)
        raise DataError(
            f"all rows of class '{label}' would be kept apart and none trained on: "
            "choose a smaller --validation-fraction or another --seed"
        )
