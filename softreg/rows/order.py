"""An order of the rows whose every beginning is a fair sample."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from softreg.rows.blocks import Rows


def class_order(rows: Rows) -> NDArray[np.intp]:
    """All rows in a random order (the same every time) whose every beginning holds each class in its share.

    Rows of weight 0 come last: a sample of them alone would say nothing.
    """
    n = rows.shape[0]
    shuffled = np.random.default_rng(0).permutation(n)
    if rows.y.ndim == 2:
        place = np.arange(n, dtype=np.float64)
    else:
        y = rows.y[shuffled]
        if rows.weight is not None:
            y = np.where(rows.weight[shuffled] > 0, y, rows.n_classes)
        by_class = np.argsort(y, kind="stable")
        counts = np.bincount(y, minlength=rows.n_classes)
        rank = np.arange(n) - np.repeat(np.cumsum(counts) - counts, counts)
        place = np.empty(n)
        place[by_class] = rank / counts[y[by_class]]
    if rows.weight is not None:
        place[rows.weight[shuffled] == 0] = n
    return shuffled[np.argsort(place, kind="stable")]
