"""Is there a direction along which the loss falls for ever?  Then no finite optimum exists without a penalty.

A direction D (p + 1, K) with (D_y - D_k)·x >= 0 for every row and every other class k, and > 0 for some, makes
the softmax loss fall without end (Albert & Anderson 1984).  Newton's steps tend to such a direction; what it does
to each row is then looked up in the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.kernels import logits
from softreg.objective import Objective
from softreg.rows import Block

Array = NDArray[Any]

#: Margins below this share of the direction's size count as zero.
TOLERANCE = 1e-6
#: How far along a direction of size 1 the objective is looked at: margins of -`TOLERANCE` are then losses of 10^4.
FAR = 1e10


@dataclass(frozen=True)
class Separation:
    """A direction that separates classes, and what it separates.

    Attributes
    ----------
    direction : (p + 1, K) array
    pairs : (K, K) array of bool
        [y, k]: some row of class y gains on class k for ever, and none loses.
    complete : bool
        Every row gains on every other class: the classes are linearly separable.
    features : (p,) array of int
        Features by how much they matter to the direction, first the most.
    """

    direction: Array
    pairs: Array
    complete: bool
    features: Array

    def sentence(self, classes: list[str], features: Sequence[str]) -> str:
        """Which classes, by which features."""
        if self.complete:
            who = "every class is" if len(classes) > 2 else f"{classes[0]} and {classes[1]} are"
            return f"{who} linearly separable from the others" if len(classes) > 2 else f"{who} linearly separable"
        both = self.pairs | self.pairs.T
        lead = int(both.sum(axis=1).argmax())
        others = [classes[k] for k in np.flatnonzero(both[lead])]
        by = ", ".join(features[j] for j in self.features[:3])
        return f"{classes[lead]} is separated from {' and '.join(others)} by {by}"


def margins_kernel(block: Block, D: Array, small: float) -> tuple[Any, ...]:
    """Counts over rows of class y of margins (D_y - D_k)·x below -small, and above small: two (K, K) tables."""
    Z = logits(block.X, D)
    present = np.ones(len(Z), dtype=bool) if block.weight is None else block.weight > 0
    M = Z[np.arange(len(Z)), block.y][:, None] - Z
    below, above = np.zeros((2, D.shape[1], D.shape[1]))
    np.add.at(below, block.y[present], M[present] < -small)
    np.add.at(above, block.y[present], M[present] > small)
    return below, above


def find_separation(objective: Objective, W: Array, direction: Array) -> Separation | None:
    """The `Separation` that ``direction`` proves, or None.  Classes it hardly tells apart are first made equal.

    Its size is that of what it does to columns brought to mean 0 and spread 1: how far they are from 0 says nothing.
    It is believed only if far along it, from ``W``, the objective is not above what it is at W.
    """
    if objective.rows.y.ndim == 2:
        return None
    D = direction - direction.mean(axis=1, keepdims=True)
    size = float(np.abs(_standardized(objective, D)).sum(axis=0).max())
    if not size > 0 or not np.isfinite(size):
        return None
    D = _merge_classes(D / size, objective)
    terms = float((objective.moments.rms @ np.abs(D[:-1]) + np.abs(D[-1])).max())
    rounding = 64 * np.finfo(np.float64).eps * terms
    below, above = objective.rows.sum(partial(margins_kernel, D=D, small=max(TOLERANCE, rounding)))
    if below.any() or not above.any() or objective.value(W + FAR * D) > objective.value(W) + FAR * rounding:
        return None
    counts = np.rint(objective.rows.sum(partial(_count_kernel, n_classes=D.shape[1]))[0])
    off_diagonal = ~np.eye(len(counts), dtype=bool)
    complete = bool((above == counts[:, None])[off_diagonal].all())
    spread = objective.moments.scale * np.ptp(D[:-1], axis=1)
    return Separation(D, above > 0, complete, np.argsort(-spread))


def _standardized(objective: Objective, D: Array) -> Array:
    """The weights (p + 1, K) that do to columns of mean 0 and spread 1 what D does to these."""
    moments = objective.moments
    return np.vstack([moments.scale[:, None] * D[:-1], D[-1] + moments.mean @ D[:-1]])


def _count_kernel(block: Block, n_classes: int) -> tuple[Any, ...]:
    present = np.ones(len(block.y), dtype=bool) if block.weight is None else block.weight > 0
    return (np.bincount(block.y[present], minlength=n_classes).astype(float),)


def _merge_classes(D: Array, objective: Objective) -> Array:
    """D with columns that differ by less than a thousandth of its size, which is 1, replaced by their mean."""
    D, standard = D.copy(), _standardized(objective, D)
    left = list(range(D.shape[1]))
    while left:
        k = left[0]
        alike = [i for i in left if float(np.abs(standard[:, i] - standard[:, k]).sum()) <= 1e-3]
        D[:, alike] = D[:, alike].mean(axis=1, keepdims=True)
        left = [i for i in left if i not in alike]
    return D
