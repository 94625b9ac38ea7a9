"""How often the tests of a comparison reject: ``python -m benchmarks.inference``.

The rows are Gaussian: given its class, of three, a row has two blocks of five features, independent and alike in law,
whose first three have the mean ``SPREAD`` in the coordinate of the class.  A model that sees only the first block and
the same model that sees only the second are equally good by symmetry, whatever the model is.  To make the second worse
its means are moved together until the best classifier of it loses 0.02 of accuracy.

folds   softmax regression fitted to 200 rows in 5 folds × 10 repeats, one block against the other: the corrected
        resampled t-test, and beside it as a warning the t-test that takes the 50 folds for independent
rows    two fixed classifiers (each the best for its block) on 2 000 independent test rows: the exact McNemar test and
        the paired bootstrap of accuracy

A test that keeps its level rejects in at most 5 % of repetitions when there is no difference, but for the chance of
the simulation itself, which is given as a standard error.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import ndtr
from scipy.stats import ttest_1samp
from sklearn.model_selection import RepeatedStratifiedKFold

from benchmarks.results import FORMAT, save
from softreg import SoftmaxRegression
from softreg.inference import LEVEL, bootstrap, corrected_t, mcnemar, mcnemar_smallest

Array = NDArray[Any]

N_CLASSES = 3
BLOCK = 5
#: Distance of each class's mean from the origin, in standard deviations: the best classifier is right on 4 of 5 rows.
SPREAD = 1.6
DIFFERENCE = 0.02
FIT_ROWS, FOLDS, FOLD_REPEATS = 200, 5, 10
TEST_ROWS = 2000
ALPHA = 1e-2
#: Of the objective; what is left moves hardly a row across a boundary, and neither model is favoured.
TOL = 1e-4
HEADER = ("test", "of", "rejects when equal", "rejects at 0.02", "true difference", "says it finds", "repeats")


@dataclass(frozen=True)
class Rejections:
    """One test: the class is a row of the table.

    ``size`` and ``power`` are shares of repeats that reject at 5 %, without a difference and with one of mean
    ``difference``; ``smallest`` is the median of what the test says it finds with 80 % power.
    """

    test: str
    design: str
    size: float
    power: float
    difference: float
    smallest: float | None
    repeats: int

    def error(self, share: float) -> float:
        """Standard error of a share of repeats."""
        return math.sqrt(share * (1 - share) / self.repeats)


def best_accuracy(spread: float) -> float:
    """Accuracy of the nearest mean: the class's own noise plus spread exceeds the noise of each other class."""

    def right_at(noise: float) -> float:
        density = math.exp(-(noise**2) / 2) / math.sqrt(2 * math.pi)
        return density * float(ndtr(noise + spread)) ** (N_CLASSES - 1)

    return float(quad(right_at, -10, 10)[0])


@cache
def worse_spread() -> float:
    """The spread at which the best classifier is right on 0.02 fewer of the rows."""
    return float(brentq(lambda s: best_accuracy(s) - best_accuracy(SPREAD) + DIFFERENCE, 0, SPREAD))


def some_rows(n: int, rng: np.random.Generator, spreads: Sequence[float]) -> tuple[Array, list[Array]]:
    """Classes (n,); blocks (n, 5): the first model's, and the second's at each spread, those with the same noise."""
    y = rng.integers(N_CLASSES, size=n)
    means = np.eye(N_CLASSES, BLOCK)[y]
    first, second = rng.normal(size=(2, n, BLOCK))
    return y, [first + SPREAD * means, *(second + spread * means for spread in spreads)]


def fold_accuracies(X: Array, y: Array, seed: int) -> Array:
    """(50,) accuracy of a softmax regression on each fold of each repeat."""
    folds = RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=FOLD_REPEATS, random_state=seed)
    model = SoftmaxRegression(alpha=ALPHA, tol=TOL)
    return np.array(
        [(model.fit(X[train], y[train]).predict(X[test]) == y[test]).mean() for train, test in folds.split(X, y)]
    )


def on_folds(repeats: int, seed: int) -> list[Rejections]:
    """The corrected t-test and the naive one."""
    found: dict[str, list[list[bool]]] = {"corrected resampled t": [], "naive t": []}
    differences: list[float] = []
    smallest: list[float | None] = []
    for repeat in range(repeats):
        y, blocks = some_rows(FIT_ROWS, np.random.default_rng([seed, 0, repeat]), [SPREAD, worse_spread()])
        first, *seconds = [fold_accuracies(X, y, repeat) for X in blocks]
        d = [first - second for second in seconds]  # without a true difference, and with one
        corrected = [corrected_t(each, 1 / (FOLDS - 1)) for each in d]
        found["corrected resampled t"].append([result[3] <= LEVEL for result in corrected])
        found["naive t"].append([bool(ttest_1samp(each, 0).pvalue <= LEVEL) for each in d])
        differences.append(float(d[1].mean()))
        smallest.append(corrected[1][4])
    design = f"{FOLDS} folds × {FOLD_REPEATS}, {FIT_ROWS} rows"
    return [
        _rejections(test, design, rejected, differences, smallest if test != "naive t" else [])
        for test, rejected in found.items()
    ]


def on_rows(repeats: int, seed: int) -> list[Rejections]:
    """McNemar's test and the bootstrap of two fixed classifiers."""
    found: dict[str, list[list[bool]]] = {"exact McNemar": [], "paired bootstrap": []}
    differences: list[float] = []
    smallest: dict[str, list[float | None]] = {test: [] for test in found}
    for repeat in range(repeats):
        y, blocks = some_rows(TEST_ROWS, np.random.default_rng([seed, 1, repeat]), [SPREAD, worse_spread()])
        first, *seconds = [X[:, :N_CLASSES].argmax(axis=1) for X in blocks]
        only_first = [int(((first == y) & (second != y)).sum()) for second in seconds]
        only_second = [int(((first != y) & (second == y)).sum()) for second in seconds]
        found["exact McNemar"].append(
            [mcnemar(*counts) <= LEVEL for counts in zip(only_first, only_second, strict=True)]
        )
        resampled = [
            bootstrap(y, {"second": (second, None), "first": (first, None)}, ["accuracy"], N_CLASSES, "second", repeat)
            for second in seconds
        ]
        judged = [one.differences["first"]["accuracy"] for one in resampled]
        found["paired bootstrap"].append([one[3] <= LEVEL for one in judged])
        differences.append(judged[1][0])
        smallest["exact McNemar"].append(mcnemar_smallest(TEST_ROWS, only_first[1] + only_second[1]))
        smallest["paired bootstrap"].append(judged[1][4])
    design = f"{TEST_ROWS} test rows"
    return [_rejections(test, design, rejected, differences, smallest[test]) for test, rejected in found.items()]


def _rejections(
    test: str, design: str, rejected: list[list[bool]], differences: list[float], smallest: list[float | None]
) -> Rejections:
    size, power = np.mean(rejected, axis=0).tolist()
    known = [value for value in smallest if value is not None]
    middle = float(np.median(known)) if known else None
    return Rejections(test, design, size, power, float(np.mean(differences)), middle, len(rejected))


def table(rows: Sequence[Rejections]) -> str:
    """Markdown, a row for each test; shares of repeats ± their standard error."""
    lines = [HEADER, tuple("---" for _ in HEADER)]
    for row in rows:
        shares = [f"{100 * share:.1f} ± {100 * row.error(share):.1f} %" for share in (row.size, row.power)]
        says = "" if row.smallest is None else f"{row.smallest:.3f}"
        lines.append((row.test, row.design, *shares, f"{row.difference:.4f}", says, str(row.repeats)))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inference", description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--repeats", type=int, default=400, help="simulated data sets in folds; five times as many test sets"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("inference.json"), help="JSON file of the results")
    options = parser.parse_args(arguments)
    rows = [*on_folds(options.repeats, options.seed), *on_rows(5 * options.repeats, options.seed)]
    facts = {"format": FORMAT, "seed": options.seed, "level": LEVEL, "accuracy": best_accuracy(SPREAD)}
    save(options.out, facts | {"rows": [asdict(row) for row in rows]})
    print(table(rows))


if __name__ == "__main__":
    main()
