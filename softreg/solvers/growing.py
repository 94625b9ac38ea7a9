"""A start from growing samples of the rows: far from the optimum, a few rows point the way as well as all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from softreg.minimise import Iterate, Solver
from softreg.objective import Objective
from softreg.rows.order import class_order
from softreg.solvers.falling_ridge import FallingRidge
from softreg.solvers.newton import Newton

Array = NDArray[np.float64]

#: A step shorter than this says nothing of how near the optimum is.
SHORT = 0.03
#: F over all rows, in terms of F over the last sample, that tells of rows far out that the sample lacked.
MISLED = 2.0


@dataclass(frozen=True)
class Growing:
    """Minimise F over a sixteenth of the rows, then a quarter, each to a few per cent, then over all of them.

    Samples nest and hold every class (Daneshmand, Lucchi & Hofmann 2016: statistical accuracy is all that a sample's
    optimum is worth).  Where F over all rows is then far worse than over the sample, rows far out are in the way: with
    rows enough for a factor to be cheap beside them, the falling ridge takes over.  A start other than W = 0 is kept as
    it is: it knows more than a sample does.
    """

    inner: Solver = field(default_factory=lambda: Newton(direct_limit=0))
    shares: tuple[float, ...] = (1 / 16, 1 / 4)
    enough: float = 0.05
    limit: int = 12  # steps over a sample
    patience: int = 3  # steps in a row that gain little, where some step was short
    far_limit: int = 72  # and steps there
    smallest: int = 2000
    largest: int = 28 << 20  # bytes of a sample

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
        X = objective.rows.X
        row_bytes = max((X.nbytes if isinstance(X, np.ndarray) else 12 * X.nnz) // len(order), 1)
        ridge = FallingRidge(getattr(self.inner, "accuracy", 0.0)) if FallingRidge.suits(objective) else None
        expected = np.inf
        for size in sizes:
            rows = np.sort(order[: min(size, self.largest // row_bytes)])
            W, expected = self._approach(objective.sample(rows), W)  # a copy of rows, that nothing holds on to
        for iterate in self.inner.iterates(objective, W):  # the first is F at W
            if ridge is not None and iterate.value > MISLED * expected:
                yield from ridge.iterates(objective, W0)
                return
            ridge = None
            yield iterate

    def _approach(self, sample: Objective, W: Array) -> tuple[Array, float]:
        """Weights whose last step gained little, and F over the sample there.

        A short step gains little wherever it is.  Where rows far out cause some, the whole way is long, and far cheaper
        to go over a sample than over all rows.
        """
        before, limit, patience, calm = np.inf, self.limit, 1, 0
        for n, iterate in enumerate(self.inner.iterates(sample, W)):
            W = iterate.W
            short = iterate.step is not None and iterate.step < SHORT
            if short:
                limit, patience = self.far_limit, self.patience
            small = before - iterate.value < self.enough * iterate.value
            calm = calm + 1 if small and not short else 0
            before = iterate.value
            if n >= limit or calm >= patience:
                break
        return W, before
