"""Which rows are judged by which fit: folds that hold their share of every class, and whole groups."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.errors import DataError, UsageError

Array = NDArray[Any]

#: Row numbers to train on and to judge, each increasing.
Fold = tuple[Array, Array]


def pinned_groups(y: Array, groups: Array, n_classes: int) -> tuple[Array, Array]:
    """Codes of the groups, and which of them hold all rows of a class: those are always trained on."""
    labels, codes = np.unique(groups, return_inverse=True)
    codes = codes.reshape(-1)
    pinned = np.zeros(len(labels), dtype=bool)
    for k in range(n_classes):
        where = np.unique(codes[y == k])
        if len(where) == 1:
            pinned[where] = True
    return codes, pinned


def folds(
    y: Array, n_classes: int, n_folds: int, seed: int, groups: Array | None = None, exact: bool = False
) -> list[Fold]:
    """``n_folds`` splits whose judged rows are all different, or as many as rows and groups allow.

    Each fold has its share of every class.  Rows of classes that cannot be divided (one row, or one group) are trained
    on every time.

    Parameters
    ----------
    y : (n,) class codes
    n_classes, n_folds, seed : int
    groups : (n,) array, optional
        Rows of one value stay together.
    exact : bool
        Refuse fewer folds than asked for.

    Raises
    ------
    UsageError
        With ``exact``, where rows or groups are fewer than folds.
    DataError
        There are not two folds, or a class has all its rows in one.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    counts = np.bincount(y, minlength=n_classes)
    if groups is None:
        free, codes = np.flatnonzero(counts[y] >= 2), None
        most, of = int(counts.max()), "rows in the largest class"
    else:
        codes, pinned = pinned_groups(y, groups, n_classes)
        free = np.flatnonzero(~pinned[codes])
        n_free = len(np.unique(codes[free]))
        most, of = min(n_free, int(np.bincount(y[free], minlength=1).max(initial=0))), "groups that can be divided"
    if exact and most < 2:
        none = "no class has two rows" if codes is None else f"the table has {most} {of}"
        raise UsageError(f"--cv {n_folds}: {none}: no folds can be made")
    if exact and most < n_folds:
        raise UsageError(f"--cv {n_folds}: the table has {most} {of}: at most {most} folds can be made")
    n_folds = min(n_folds, most)
    if n_folds < 2:
        raise DataError("too few rows or groups for cross-validation: at least two folds are needed")
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    splitter = kind(n_splits=n_folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of classes with fewer rows than folds: as said above
        parts = list(splitter.split(np.zeros(len(free)), y[free], None if codes is None else codes[free]))
    found = []
    for _, judged in parts:
        apart = np.zeros(len(y), dtype=bool)
        apart[free[judged]] = True
        train = np.flatnonzero(~apart)
        if not apart.any() or (np.bincount(y[train], minlength=n_classes) == 0).any():
            raise DataError("a class has all its rows in one fold: choose another --seed, or fewer folds")
        found.append((train, np.flatnonzero(apart)))
    return found


def repeated(
    y: Array, n_classes: int, n_folds: int, n_repeats: int, seed: int, groups: Array | None = None
) -> list[list[Fold]]:
    """``n_repeats`` times ``n_folds`` folds, each time from a seed of its own; the first is ``seed`` itself.

    Raises
    ------
    UsageError, DataError
        As `folds`, which here refuses fewer folds than asked for.
    """
    more = np.random.SeedSequence(seed).generate_state(max(n_repeats - 1, 0))
    seeds = [seed, *(int(state >> 1) for state in more.tolist())]
    return [folds(y, n_classes, n_folds, s, groups, exact=True) for s in seeds[:n_repeats]]
