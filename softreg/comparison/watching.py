"""What a fit does to its rows as it goes on: how many still pull, how many are inside the margin, how large W is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.kernels import logits
from softreg.losses import Loss
from softreg.minimise import History, Iterate
from softreg.rows import Block, Rows

Array = NDArray[Any]

#: A row whose gradient mass is below this hardly moves a model any more.
TINY = 1e-6
#: Each iterate is looked at up to this one; later ones when so many more per cent have gone by.
EVERY = 20
THIN = 1.05


@dataclass(frozen=True)
class Activity:
    """Of a set of rows under one W, weights counted: shares of rows, and the length of W.

    Attributes
    ----------
    zero : float
        Share of rows whose gradient in the logits is exactly 0.
    tiny : float
        Share of rows whose gradient mass, half the sum of its absolute values, is below 1e-6.
    inside : float
        Share of rows whose margin z_y - max of the others is below the hinges' margin: wrong, or right by too little.
    """

    zero: float
    tiny: float
    inside: float


def margins(Z: Array, y: Array) -> Array:
    """z_y - max over k ≠ y of z_k, of each row: above 0 where it is classified rightly."""
    rows = np.arange(len(y))
    own = Z[rows, y]
    others = Z.copy()
    others[rows, y] = -np.inf
    return own - others.max(axis=1)


def activity_kernel(block: Block, loss: Loss, W: Array, margin: float) -> tuple[float, float, float]:
    """Weights of the rows of zero gradient, of tiny mass, and inside the margin."""
    Z = logits(block.X, W)
    _, G = loss.value_grad(Z, block.y)
    s = np.ones(len(Z)) if block.weight is None else block.weight
    mass = 0.5 * np.abs(G).sum(axis=1)
    return float(s @ (~G.any(axis=1))), float(s @ (mass < TINY)), float(s @ (margins(Z, block.y) < margin))


def activity(rows: Rows, loss: Loss, W: Array, margin: float) -> Activity:
    """`Activity` of rows with class codes, in one pass."""
    sums = rows.sum(partial(activity_kernel, loss=loss, W=W, margin=margin))
    total = rows.total_weight
    return Activity(*(value / total for value in sums))


@dataclass
class Watcher:
    """A callback that looks at the training rows as a fit goes on: at the first iterates, then ever more rarely.

    The solver's clock and its count of passes know nothing of it.
    """

    rows: Rows
    loss: Loss
    margin: float
    seen: dict[int, tuple[Activity, float]] = field(default_factory=dict)
    due: float = 0.0

    def __call__(self, iterate: Iterate, history: History) -> None:
        iteration = history["iteration"][-1]
        if iteration >= self.due:
            self.look(iteration, iterate.W)
            self.due = iteration + 1 if iteration < EVERY else iteration * THIN

    def look(self, iteration: int, W: Array) -> None:
        """Note what W does at this iteration."""
        self.seen[iteration] = activity(self.rows, self.loss, W, self.margin), float(np.linalg.norm(W[:-1]))

    def joined(self, history: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
        """The history with three more columns, None where nobody looked."""
        columns: dict[str, list[Any]] = {name: list(values) for name, values in history.items()}
        found = [self.seen.get(i) for i in columns["iteration"]]
        columns["zero_gradient"] = [None if f is None else f[0].zero for f in found]
        columns["inside_margin"] = [None if f is None else f[0].inside for f in found]
        columns["norm"] = [None if f is None else f[1] for f in found]
        return columns
