"""What every kind of rows shares: blocks, the sum over them in a fixed order, threads, random batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from copy import copy
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from softreg.threads import allowed_jobs, in_order

Array = NDArray[Any]

#: Entries of X and of the logits in a block: 8 MiB of float64. Smaller ones fit a nearer cache, but threads then wait
#: for Python's lock: on MNIST a pass of two threads took 60 ms with these, 100 ms with blocks of a quarter.
BLOCK_ENTRIES = 1 << 20
#: Entries of X and of logits together from which on rows are more than one block.
MANY_ENTRIES = 1 << 16
#: Arrays of the logits' size that a loss holds at a time.
LOGITS = 4
#: The most partial sums that are ever formed; each is the sum of consecutive blocks.
MAX_GROUPS = 32


class Block(NamedTuple):
    """Some rows: X (m, p), targets y (m,) or (m, K), weights (m,) or None when all are 1."""

    X: Any
    y: Array
    weight: Array | None


Kernel = Callable[..., tuple[Any, ...]]


class Rows(ABC):
    """Rows in memory; see the package's docstring for the contract."""

    X: Any
    y: Array
    weight: Array | None

    def __init__(
        self,
        X: Any,
        y: Array,
        weight: Array | None = None,
        *,
        n_classes: int | None = None,
        dtype: DTypeLike | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.X, self.y = X, np.asarray(y)
        self.weight = None if weight is None else np.asarray(weight, dtype=np.float64)
        self.shape: tuple[int, int] = X.shape
        self.dtype = np.dtype(np.float64 if dtype is None else dtype)
        self.n_jobs = allowed_jobs(n_jobs)
        if n_classes is None:
            n_classes = self.y.shape[1] if self.y.ndim == 2 else int(self.y.max()) + 1
        self.n_classes = n_classes
        self.total_weight = float(self.shape[0] if self.weight is None else self.weight.sum())

    @property
    def block_rows(self) -> int:
        """Rows in a block; a function of the shape alone.

        Blocks are alike, and four or a multiple of four, so that threads end together; few rows are one block.
        """
        n, p = self.shape
        largest = min(max(BLOCK_ENTRIES // (p + LOGITS * self.n_classes), 64), 8192)
        if n <= largest and n * (p + self.n_classes) < MANY_ENTRIES:
            return largest
        n_blocks = 4 * -(-n // (4 * largest))
        return -(-n // n_blocks)

    @abstractmethod
    def take(self, rows: slice | Array) -> Any:
        """Those rows of X, ready for products in ``self.dtype``."""

    @property
    def light_dtype(self) -> np.dtype[Any]:
        """The type of products that need not be exact: float32 where X holds no more digits than that."""
        exact_in_float32 = self.X.dtype.itemsize <= (4 if self.X.dtype.kind == "f" else 2)
        return np.dtype(np.float32) if exact_in_float32 else self.dtype

    def subset(self, rows: Array, weight: Array | None = None) -> Self:
        """Those rows, copied, in that order; with other weights, they stand for the whole and keep its total."""
        other = copy(self)
        other.X, other.y, other.shape = self.X[rows], self.y[rows], (len(rows), self.shape[1])
        other.weight = weight
        if weight is None:
            other.weight = None if self.weight is None else self.weight[rows]
            other.total_weight = float(len(rows) if other.weight is None else other.weight.sum())
        return other

    def astype(self, dtype: DTypeLike) -> Self:
        other = copy(self)
        other.dtype = np.dtype(dtype)
        return other

    def block(self, rows: slice | Array) -> Block:
        return Block(self.take(rows), self.y[rows], None if self.weight is None else self.weight[rows])

    def blocks(self) -> Iterator[Block]:
        for start in range(0, self.shape[0], self.block_rows):
            yield self.block(slice(start, start + self.block_rows))

    def batches(self, size: int, rng: np.random.Generator) -> Iterator[Block]:
        """Every row once, in random order, ``size`` at a time."""
        order = rng.permutation(self.shape[0])
        for start in range(0, len(order), size):
            yield self.block(np.sort(order[start : start + size]))

    def sum(self, kernel: Kernel, *beside: Any) -> tuple[Any, ...]:
        """The entry-by-entry sum of ``kernel(block, ...)`` over all blocks, in float64.

        ``beside``: arrays (n, …), or what gives them when sliced, kept beside the rows; the kernel is given its block's
        part of each, to read or fill.
        """
        size = self.block_rows
        n_blocks = -(-self.shape[0] // size)
        if n_blocks == 1:
            whole = slice(0, self.shape[0])
            return tuple(_add([], kernel(self.block(whole), *(array[whole] for array in beside))))
        per_group = -(-n_blocks // MAX_GROUPS)
        starts = range(0, self.shape[0], per_group * size)

        def group(start: int) -> list[Any]:
            stop = min(start + per_group * size, self.shape[0])
            total: list[Any] = []
            for a in range(start, stop, size):
                rows = slice(a, min(a + size, stop))
                total = _add(total, kernel(self.block(rows), *(array[rows] for array in beside)))
            return total

        total: list[Any] = []
        for part in self.parallel(group, starts):
            total = _add(total, part)
        return tuple(total)

    def parallel(self, task: Callable[[int], Any], items: range) -> Iterator[Any]:
        """``task(item)`` for each item, in order, on as many threads as these rows may use."""
        return in_order(task, items, min(self.n_jobs, len(items)))


def _add(total: list[Any], part: Any) -> list[Any]:
    if not total:
        return [np.asarray(a, dtype=np.float64) if np.ndim(a) else float(a) for a in part]
    for i, a in enumerate(part):
        total[i] += a
    return total
