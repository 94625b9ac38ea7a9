"""A start from growing samples of the rows: far from the optimum, a few rows point the way as well as all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from softreg.minimise import Iterate, Solver
from softreg.objective import Objective
from softreg.rows.order import class_order
from softreg.solvers.newton import Newton

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Growing:
    """Minimise F over a sixteenth of the rows, then a quarter, each to a few per cent, then over all of them.

    Samples nest and hold every class (Daneshmand, Lucchi & Hofmann 2016: statistical accuracy is all that a sample's
    optimum is worth).  A start other than W = 0 is kept as it is: it knows more than a sample does.
    """

    inner: Solver = field(default_factory=lambda: Newton(direct_limit=0))
    shares: tuple[float, ...] = (1 / 16, 1 / 4)
    enough: float = 0.05
    limit: int = 12  # steps over a sample
    smallest: int = 2000
    largest: int = 28 << 20  # bytes of a dense sample

    @property
    def name(self) -> str:
        return self.inner.name

    def iterates(self, objective: Objective, W0: Array) -> Iterator[Iterate]:
        sizes = [int(share * objective.rows.shape[0]) for share in self.shares]
        sizes = [size for size in sizes if size >= self.smallest]
        if W0.any() or not sizes:
            yield from self.inner.iterates(objective, W0)
            return
        start = objective.at_zero()
        yield Iterate(W0, start.value, start.gradient)
        W = W0
        order = class_order(objective.rows)
        row_bytes = objective.rows.X.dtype.itemsize * objective.rows.shape[1]
        for size in sizes:
            sample = objective.sample(np.sort(order[: min(size, self.largest // row_bytes)]))
            before = np.inf
            for n, iterate in enumerate(self.inner.iterates(sample, W)):
                W = iterate.W
                if n == self.limit or before - iterate.value < self.enough * iterate.value:
                    break
                before = iterate.value
        yield from self.inner.iterates(objective, W)
