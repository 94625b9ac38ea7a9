"""How fast this machine reads memory and forms products: what bounds a pass over the data."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from statistics import median
from threading import Barrier
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from softreg.kernels import back_product, logits
from softreg.rows import one_thread_blas
from softreg.rows.blocks import BLOCK_ENTRIES

Array = NDArray[Any]

#: Bytes read when memory is measured, and of these by each thread at least: more than caches hold.
READ_BYTES = 1 << 28
READ_BYTES_EACH = 1 << 25
#: Each measurement is the median of so many.
REPEATS = 5
#: Of the square product.
SQUARE = 768


@dataclass(frozen=True)
class Products:
    """Speeds of one floating-point type, all threads together, in operations (or numbers) a second.

    ``forward`` and ``back`` are the two products of a pass with a block of 784 features and 10 classes, X W and X' G;
    ``square`` is a product of square matrices, the most that BLAS can do; ``exp`` counts exponentials.
    """

    forward: float
    back: float
    square: float
    exp: float


@dataclass(frozen=True)
class Speed:
    """What was measured: bytes read a second by one thread and by all, and products for each type."""

    threads: int
    read_one: float
    read_all: float
    float32: Products
    float64: Products

    def to_json(self) -> dict[str, Any]:
        """Plain values only."""
        return asdict(self)

    def to_lines(self) -> list[tuple[str, str]]:
        """Labels and what was measured, for `softreg env`."""
        together = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        lines = [("reading", f"{_giga(self.read_one)} GB/s by one thread, {_giga(self.read_all)} by {together}")]
        for name, speeds in (("float32", self.float32), ("float64", self.float64)):
            text = (
                f"(m×784)·(784×10) {_giga(speeds.forward)}, its transpose {_giga(speeds.back)}, "
                f"square {_giga(speeds.square)} Gflop/s; {_giga(speeds.exp)} G exp/s, by {together}"
            )
            lines.append((name, text))
        return lines


def measure_speed(threads: int) -> Speed:
    """Measure this machine, ``threads`` at once; about two seconds."""
    return Speed(
        threads=threads,
        read_one=read_speed(1),
        read_all=read_speed(threads),
        float32=_products(np.float32, threads),
        float64=_products(np.float64, threads),
    )


def _products(dtype: DTypeLike, threads: int) -> Products:
    forward, back = skinny_speeds(dtype, threads, 784, 10)
    return Products(forward, back, square_speed(dtype, threads), exp_speed(dtype, threads))


def read_speed(threads: int, size: int | None = None) -> float:
    """Bytes a second that ``threads`` together read from memory, each ``size`` bytes of its own.

    What is timed is the inner product of a vector with itself: two operations a number, far below what a core can do.
    """
    size = max(READ_BYTES // threads, READ_BYTES_EACH) if size is None else size
    vectors = [np.ones(size // 8) for _ in range(threads)]
    pieces = [np.array_split(vector, 32) for vector in vectors]

    def read(thread: int) -> None:
        for piece in pieces[thread]:
            piece @ piece

    return threads * size / seconds_together(read, threads)


def skinny_speeds(dtype: DTypeLike, threads: int, p: int, K: int, repeats: int = REPEATS) -> tuple[float, float]:
    """Operations a second of X W + b and of X' G as a pass forms them, on blocks that each thread has in its cache.

    Of a block and of a quarter, which a nearer cache holds and which is multiplied otherwise: whichever is faster.
    """
    speeds = [_skinny(dtype, threads, p, K, entries, repeats) for entries in (BLOCK_ENTRIES // 4, BLOCK_ENTRIES)]
    forward, back = (max(pair) for pair in zip(*speeds, strict=True))
    return forward, back


def _skinny(dtype: DTypeLike, threads: int, p: int, K: int, entries: int, repeats: int) -> tuple[float, float]:
    m = min(max(entries // p, 64), 8192)
    rng = np.random.default_rng(0)
    X = [rng.random((m, p)).astype(dtype) for _ in range(threads)]
    W, G = rng.random((p + 1, K)).astype(dtype), np.asfortranarray(rng.random((m, K)).astype(dtype))
    rounds = max(1, int(2e7 / (m * p * K)))

    def forward(thread: int) -> None:
        for _ in range(rounds):
            logits(X[thread], W)

    def back(thread: int) -> None:
        for _ in range(rounds):
            back_product(X[thread], G)

    operations = 2.0 * m * p * K * threads * rounds
    seconds = [seconds_together(work, threads, repeats) for work in (forward, back)]
    return operations / seconds[0], operations / seconds[1]


def square_speed(dtype: DTypeLike, threads: int, size: int = SQUARE) -> float:
    """Operations a second of products of square matrices, one for each thread."""
    A = [np.full((size, size), 0.5, dtype=dtype) for _ in range(threads)]

    def multiply(thread: int) -> None:
        A[thread] @ A[thread]

    return 2.0 * size**3 * threads / seconds_together(multiply, threads)


def exp_speed(dtype: DTypeLike, threads: int, repeats: int = REPEATS, size: int = 1 << 15) -> float:
    """Exponentials a second, of numbers in the cache."""
    z = np.linspace(-20, 0, size).astype(dtype)
    out = [np.empty_like(z) for _ in range(threads)]

    def exponentials(thread: int) -> None:
        for _ in range(16):
            np.exp(z, out=out[thread])

    return 16.0 * size * threads / seconds_together(exponentials, threads, repeats)


def seconds_together(work: Callable[[int], None], threads: int, repeats: int = REPEATS) -> float:
    """Seconds until ``work(0)`` … ``work(threads - 1)``, started at once, are all done; the median of some trials."""
    barrier = Barrier(threads)

    def timed(thread: int) -> tuple[float, float]:
        barrier.wait()
        start = perf_counter()
        work(thread)
        return start, perf_counter()

    with one_thread_blas(), ThreadPoolExecutor(threads) as pool:
        trials = [list(pool.map(timed, range(threads))) for _ in range(repeats + 1)]
    # The first trial fetches code and data.
    return median(max(end for _, end in trial) - min(start for start, _ in trial) for trial in trials[1:])


def _giga(value: float) -> str:
    return f"{value / 1e9:.3g}"
