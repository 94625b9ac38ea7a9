"""How near one value-and-gradient pass comes to what this machine can do: ``python -m benchmarks.roofline``.

A pass reads X once (n·p numbers), forms two products of 2·n·p·K operations each, X W and X' G, and n·K exponentials.
It can be no faster than memory delivers X, nor than the cores do the arithmetic; the roofline is the slower of the two,
each from speeds measured in the same run:

memory     X read by the same threads over the same blocks, an inner product of each block with itself
products   the two products as the pass forms them, on blocks that stay in each core's cache, and the exponentials

Everything of a row is measured in one process, in an order that rotates; the table holds medians (``--best``: the
least times, for a machine that others use too).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.kernels import back_product, logits
from softreg.losses import Softmax
from softreg.objective import Objective
from softreg.penalties import L2
from softreg.rows import Block, make_rows, one_thread_blas
from softreg.workflows.speed import exp_speed, skinny_speeds

Array = NDArray[Any]

#: The weak penalty that every pass here is of.
ALPHA = 1e-4
HEADER = (
    "X", "type", "threads", "memory ms", "products ms", "exp ms", "roofline ms", "pass ms", "pass / roofline",
    "products over X ms", "scikit-learn ms",
)  # fmt: skip


@dataclass(frozen=True)
class Roofline:
    """Medians, in seconds, for one type and number of threads; the class is a row of the table.

    ``memory`` reads X; ``products`` and ``exponentials`` are what the arithmetic takes at the speeds of cached blocks;
    ``streamed`` forms the two products over all of X and nothing else; ``peer`` is scikit-learn's pass, None where it
    is absent.
    """

    shape: tuple[int, int, int]
    dtype: str
    threads: int
    memory: float
    products: float
    exponentials: float
    measured: float
    streamed: float
    peer: float | None

    @property
    def roofline(self) -> float:
        return max(self.memory, self.products + self.exponentials)

    @property
    def ratio(self) -> float:
        """How many times the roofline a pass takes."""
        return self.measured / self.roofline

    @property
    def bytes(self) -> int:
        """Of X, read once."""
        n, p, _ = self.shape
        return n * p * np.dtype(self.dtype).itemsize

    @property
    def operations(self) -> int:
        """Of the two products."""
        n, p, K = self.shape
        return 4 * n * p * K

    def cells(self) -> list[str]:
        n, p, K = self.shape
        times = [self.memory, self.products, self.exponentials, self.roofline, self.measured]
        return [
            f"{n}×{p}, K={K}",
            self.dtype,
            str(self.threads),
            *(f"{1e3 * seconds:.1f}" for seconds in times),
            f"{self.ratio:.2f}",
            f"{1e3 * self.streamed:.1f}",
            "absent" if self.peer is None else f"{1e3 * self.peer:.1f}",
        ]

    def sentence(self) -> str:
        """Bytes and operations of a pass, and the speeds behind the row."""
        memory, cached = self.bytes / self.memory / 1e9, self.operations / self.products / 1e9
        return (
            f"{self.dtype}, threads {self.threads}: {self.bytes / 1e6:.0f} MB and {self.operations / 1e9:.2f} Gflop a "
            f"pass; memory {memory:.1f} GB/s; products {cached:.1f} Gflop/s in cache, "
            f"{self.operations / self.streamed / 1e9:.1f} over X"
        )


def measure(
    X: Array,
    y: Array,
    n_classes: int,
    threads: int,
    repeats: int = 9,
    typical: Callable[[Sequence[float]], float] = median,
) -> Roofline:
    """The roofline of a pass over X (n, p), in X's type, and the pass.

    ``typical`` makes one time of the ``repeats`` measured: their median, or on a machine that others use too, min.
    """
    n, p = X.shape
    rows = make_rows(X, y, n_classes=n_classes, dtype=X.dtype, n_jobs=threads)
    objective = Objective(rows, Softmax(), L2(ALPHA))
    W = np.random.default_rng(0).normal(size=(p + 1, n_classes)) / np.sqrt(p)

    def read() -> None:
        rows.sum(_read_kernel)

    def stream() -> None:
        rows.sum(lambda block: _products_kernel(block, W))

    work: dict[str, Callable[[], Any]] = {"read": read, "pass": lambda: objective.value_grad(W), "stream": stream}
    peer = _scikit_learn(X, y, W, threads)
    if peer is not None:
        work["peer"] = peer
        value, its = objective.value_grad(W)[0], peer()
        if abs(value - its) > 1e-4 * abs(value):
            raise RuntimeError(f"two passes, two values: {value:.9g} and scikit-learn's {its:.9g}")

    seconds: dict[str, list[float]] = {name: [] for name in work}
    names = list(work)
    each: dict[str, list[float]] = {"forward": [], "back": [], "exp": []}  # seconds of an operation
    for turn in range(repeats + 1):
        turned = turn % len(names)
        for name in names[turned:] + names[:turned]:
            with one_thread_blas():
                start = perf_counter()
                work[name]()
                seconds[name].append(perf_counter() - start)
        forward, back = skinny_speeds(X.dtype, threads, p, n_classes, repeats=1)
        for name, speed in (("forward", forward), ("back", back), ("exp", exp_speed(X.dtype, threads, repeats=1))):
            each[name].append(1 / speed)
    # The first turn fetches code and data.
    took = {name: typical(times[1:]) for name, times in (seconds | each).items()}
    return Roofline(
        shape=(n, p, n_classes),
        dtype=str(X.dtype),
        threads=threads,
        memory=took["read"],
        products=2.0 * n * p * n_classes * (took["forward"] + took["back"]),
        exponentials=n * n_classes * took["exp"],
        measured=took["pass"],
        streamed=took["stream"],
        peer=took.get("peer"),
    )


def _read_kernel(block: Block) -> tuple[float]:
    flat = block.X.reshape(-1)
    return (float(flat @ flat),)


def _products_kernel(block: Block, W: Array) -> tuple[Array]:
    return (back_product(block.X, logits(block.X, W)),)


def _scikit_learn(X: Array, y: Array, W: Array, threads: int) -> Callable[[], float] | None:
    """scikit-learn's pass at the same W, its products on as many threads; None where it is absent or has changed."""
    try:
        from sklearn._loss.loss import HalfMultinomialLoss
        from sklearn.linear_model._linear_loss import LinearModelLoss
    except ImportError:
        return None
    from threadpoolctl import threadpool_limits

    loss = LinearModelLoss(HalfMultinomialLoss(n_classes=W.shape[1]), fit_intercept=True)
    coef, target = np.asfortranarray(W.T.astype(X.dtype)), y.astype(X.dtype)

    def value() -> float:
        with threadpool_limits(threads, user_api="blas"):
            return float(loss.loss_gradient(coef, X, target, l2_reg_strength=ALPHA, n_threads=threads)[0])

    return value


def table(rows: Sequence[Roofline]) -> str:
    """Markdown: a row for each measurement, and the speeds below."""
    lines = [HEADER, ["---"] * len(HEADER), *(row.cells() for row in rows)]
    text = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    return text + "\n\n" + "\n".join(f"- {row.sentence()}" for row in rows)


def generated(n: int, p: int, n_classes: int) -> tuple[Array, Array]:
    """Uniform numbers and classes: a pass takes the same time whatever they are."""
    rng = np.random.default_rng(0)
    return rng.random((n, p), dtype=np.float32), rng.integers(0, n_classes, n)


def main(argv: Sequence[str] | None = None) -> None:
    """The command line; prints the table."""
    from softreg.threads import allowed_jobs

    parser = argparse.ArgumentParser(prog="python -m benchmarks.roofline", description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--columns", type=int, default=784)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--npz", type=Path, help="arrays X and y of a file instead of generated ones")
    parser.add_argument("--types", nargs="+", default=["float32", "float64"], choices=["float32", "float64"])
    parser.add_argument("--threads", nargs="+", type=int, default=sorted({1, allowed_jobs(-1)}))
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--best", action="store_true", help="the best of the repeats, not their median")
    asked = parser.parse_args(argv)
    if asked.npz is not None:
        with np.load(asked.npz, allow_pickle=False) as file:
            X, labels = file["X"], file["y"]
        y = np.unique(labels, return_inverse=True)[1]
    else:
        X, y = generated(asked.rows, asked.columns, asked.classes)
    n_classes = int(y.max()) + 1 if asked.npz is not None else asked.classes
    measured = []
    for dtype in asked.types:
        converted = np.ascontiguousarray(X, dtype=dtype)
        measured += [
            measure(converted, y, n_classes, threads, asked.repeats, min if asked.best else median)
            for threads in asked.threads
        ]
    print(table(measured))


if __name__ == "__main__":
    main()
