"""Which rows are kept apart for validation: by class or by whole groups, from a seed, to be found again."""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.errors import DataError, UsageError
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

    codes, pinned = _pinned_groups(y, groups, n_classes)
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


def _pinned_groups(y: Array, groups: Array, n_classes: int) -> tuple[Array, Array]:
    """Codes of the groups, and which of them hold all rows of a class: those are always trained on."""
    labels, codes = np.unique(groups, return_inverse=True)
    codes = codes.reshape(-1)
    pinned = np.zeros(len(labels), dtype=bool)
    for k in range(n_classes):
        where = np.unique(codes[y == k])
        if len(where) == 1:
            pinned[where] = True
    return codes, pinned


def _check_every_class(y: Array, classes: Array) -> None:
    missing = np.flatnonzero(np.bincount(y, minlength=len(classes)) == 0)
    if len(missing):
        label = safe_text(label_text(classes.tolist()[missing[0]]), 40)
        raise DataError(
            f"all rows of class '{label}' would be kept apart and none trained on: "
            "choose a smaller --validation-fraction or another --seed"
        )


def folds(y: Array, n_classes: int, n_folds: int, seed: int, groups: Array | None = None) -> Iterator[Split]:
    """``n_folds`` splits, or as many as rows and groups allow, whose validation rows are all different.

    Each fold has its share of every class.  Rows of classes that cannot be divided (one row, or one group) are in
    training every time.

    Raises
    ------
    DataError
        There are not two folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    counts = np.bincount(y, minlength=n_classes)
    if groups is None:
        free, codes = np.flatnonzero(counts[y] >= 2), None
        most = int(counts.max())
    else:
        codes, pinned = _pinned_groups(y, groups, n_classes)
        free = np.flatnonzero(~pinned[codes])
        most = min(len(np.unique(codes[free])), int(np.bincount(y[free], minlength=1).max(initial=0)))
    n_folds = min(n_folds, most)
    if n_folds < 2:
        raise DataError("--tune: too few rows or groups for cross-validation")
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    splitter = kind(n_splits=n_folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of classes with fewer rows than folds: as said above
        parts = list(splitter.split(np.zeros(len(free)), y[free], None if codes is None else codes[free]))
    for number, (_, validation) in enumerate(parts):
        apart = np.zeros(len(y), dtype=bool)
        apart[free[validation]] = True
        train = np.flatnonzero(~apart)
        if not apart.any() or (np.bincount(y[train], minlength=n_classes) == 0).any():
            raise DataError("--tune: a class has all its rows in the groups of one fold: choose another --seed")
        yield Split(train, np.flatnonzero(apart), f"fold {number + 1} of {n_folds}", {"kind": "fold", "fold": number})
