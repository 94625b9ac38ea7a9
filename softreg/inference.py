"""Whether two classifiers differ: tests and intervals of a paired difference, on folds or on one set of test rows.

A difference is model minus reference.  Intervals are of 95 %, tests two-sided, and "the smallest difference found" is
the one for which the test rejects at 5 % in 80 % of repetitions.  docs/statistics.md says why these tests.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from softreg.errors import DataError
from softreg.metrics import Z95, json_number
from softreg.scores import (
    CLASS_METRICS,
    METRICS,
    ROW_METRICS,
    class_mean,
    row_terms,
    score,
)

Array = NDArray[Any]

LEVEL = 0.05
POWER = 0.8
#: Standard normal quantile of the power.
Z80 = float(special.ndtri(POWER))
CORRECTED_T = "corrected resampled t"
MCNEMAR = "exact McNemar"
BOOTSTRAP = "paired bootstrap"
#: Differences of folds that vary by less than this share of the largest differ by rounding only.
ROUNDING = 1e-9
#: Test folds, over all repeats, from which the corrected t is asked for a decision.
ENOUGH_FOLDS = 50
#: Counts of resamples held at a time.
CHUNK = 2_000_000


@dataclass(frozen=True)
class Difference:
    """One model minus the reference in one metric, and what a test says of it.

    Attributes
    ----------
    metric, name, reference : str
    delta, low, high : float
        In the metric's unit; a 95 % interval.
    test : str
        ``corrected resampled t``, ``exact McNemar`` or ``paired bootstrap``.
    p, p_holm : float or None
        None for metrics that are shown without a verdict; ``p_holm`` is adjusted for the number of models.
    smallest : float or None
        The difference that this design finds with 80 % power at the 5 % level; None where nothing varied.
    n : int
        Folds, over all repeats, or test rows.
    only_reference, only_model : int or None
        Rows that only one of them got right (McNemar).
    """

    metric: str
    name: str
    reference: str
    delta: float
    low: float
    high: float
    test: str
    p: float | None = None
    p_holm: float | None = None
    smallest: float | None = None
    n: int = 0
    only_reference: int | None = None
    only_model: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values only; None for a number that does not exist."""
        return {k: json_number(v) if isinstance(v, float) else v for k, v in asdict(self).items()}


def corrected_t(d: Array, test_over_train: float) -> tuple[float, float, float, float, float | None]:
    """Corrected resampled t-test of the differences d (J,) of J folds: (delta, low, high, p, smallest).

    t = mean d / sqrt((1/J + n_test/n_train) s²) with J - 1 degrees of freedom (Nadeau & Bengio 2003).  The second
    term stands for what the folds share: their training rows overlap, so that J differences tell less than J
    independent ones would, and repeats alone never make the interval narrower than that term allows.

    Differences that are all alike say nothing about chance: p = 1, the interval is the point, nothing is found.  The
    same where one is not a number.

    Parameters
    ----------
    d : (J,) array
        Model minus reference on each fold of each repeat.
    test_over_train : float
        Test rows per training row: 1 / 4 for five folds.

    Raises
    ------
    DataError
        Fewer than two folds.
    """
    mean, error, df = _corrected_error(d, test_over_train)
    if not error > 0:
        return mean, mean, mean, 1.0, None
    half = float(special.stdtrit(df, 1 - LEVEL / 2)) * error
    p = 2 * float(special.stdtr(df, -abs(mean) / error))
    return mean, mean - half, mean + half, p, _noncentrality(df) * error


def corrected_interval(values: Array, test_over_train: float) -> tuple[float, float, float]:
    """Mean of a metric over folds, with the interval that belongs to `corrected_t`: (mean, low, high).

    Approximate, and not kept within the metric's range.
    """
    return corrected_t(values, test_over_train)[:3]


def _corrected_error(d: Array, test_over_train: float) -> tuple[float, float, int]:
    """Mean, corrected standard error, degrees of freedom; the error is 0 where only rounding varies."""
    d = np.asarray(d, dtype=np.float64)
    if len(d) < 2:
        raise DataError(f"{len(d)} fold says nothing about chance: a test on folds needs two or more")
    mean, s = float(d.mean()), float(d.std(ddof=1))
    if not s > ROUNDING * np.abs(d).max():
        return mean, 0.0, len(d) - 1
    return mean, math.sqrt(1 / len(d) + test_over_train) * s, len(d) - 1


def _noncentrality(df: int) -> float:
    """True difference, in standard errors, that a t-test finds with 80 % power at the 5 % level."""
    critical = float(special.stdtrit(df, 1 - LEVEL / 2))
    # Rejecting on the wrong side has a chance below 1e-4 here and is left out.
    return _root(lambda nc: 1 - float(special.nctdtr(df, nc, critical)) - POWER, 0.0, 3 * critical)


def _root(f: Callable[[float], float], low: float, high: float) -> float:
    """Where f, which rises from below 0 to above, is 0, to rounding."""
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if f(middle) < 0 else (low, middle)
    return high


def mcnemar(only_reference: int, only_model: int) -> float:
    """Exact two-sided p of McNemar's test, from the rows that only one of two models got right.

    If the models are equally good such a row is either's with chance 1/2: p = min(1, 2 P(X <= fewer)), X binomial.
    1 without any such row.
    """
    return min(1.0, 2 * float(special.bdtr(min(only_reference, only_model), only_reference + only_model, 0.5)))


def mcnemar_smallest(n: int, discordant: int) -> float | None:
    """Difference in accuracy that McNemar's test on n rows finds with 80 % power, if as many rows are discordant.

    Solves n - 1/δ = [(z_0.975 sqrt(ψ) + z_0.8 sqrt(ψ - δ²)) / δ]², ψ the share of discordant rows (Connor 1987); the
    1/δ rows are what the test's exactness costs.  Without discordant rows ψ is 3 / n, the most that is compatible with
    none at 95 % (rule of three).  A difference needs at least as many discordant rows as it is large: ψ rises to δ
    where it is below.  Power at the answer is 79 to 87 %.  None where no difference is enough.
    """
    share = (discordant or 3) / n

    def lack(delta: float) -> float:
        psi = max(share, delta)
        seen = math.sqrt(max(n * delta**2 - delta, 0.0))
        return seen - Z95 * math.sqrt(psi) - Z80 * math.sqrt(max(psi - delta**2, 0.0))

    return _root(lack, 0.0, 1.0) if lack(1.0) >= 0 else None


@dataclass(frozen=True)
class Bootstrap:
    """Percentile intervals, given the fitted models: only the test rows are resampled.

    Attributes
    ----------
    intervals : mapping
        model -> metric -> (low, high); NaN where there is none.
    differences : mapping
        model -> metric -> (delta, low, high, p, smallest), without the reference; NaN and None where there is none.
    """

    intervals: Mapping[str, Mapping[str, tuple[float, float]]]
    differences: Mapping[str, Mapping[str, tuple[float, float, float, float, float | None]]]


def bootstrap(
    y: Array,
    models: Mapping[str, tuple[Array, Array | None]],
    metrics: Sequence[str],
    n_classes: int,
    reference: str,
    seed: int = 0,
    n_resamples: int = 2000,
) -> Bootstrap:
    """Resample test rows, the same for all models, and see how the metrics vary.

    Balanced accuracy and macro-F1 keep the number of rows of each class; the other metrics draw freely.  The
    calibration error has no interval, because resampled rows repeat and look miscalibrated.  p is twice the smaller
    share of resamples whose difference is not above, or not below, 0.

    Parameters
    ----------
    y : (n,) class codes
    models : mapping
        name -> (predicted codes (n,), probabilities (n, K) or None)
    metrics : sequence of str
    n_classes : int
    reference : str
        A name of ``models``.
    seed, n_resamples : int

    Raises
    ------
    UsageError
        A metric that does not exist.
    DataError
        No rows, or predictions that do not fit them.
    """
    if len(y) == 0:
        raise DataError("no test rows to resample")
    values = {
        (name, metric): score(metric, y, predicted, P, n_classes)
        for metric in metrics
        for name, (predicted, P) in models.items()
    }
    known = [key for key, value in values.items() if not math.isnan(value)]
    drawn = {
        **_free(y, models, [key for key in known if key[1] in ROW_METRICS], reference, seed, n_resamples),
        **_by_class(y, models, [key for key in known if key[1] in CLASS_METRICS], reference, seed, n_resamples),
    }
    nothing = Draws(np.array([math.nan]), np.array([math.nan]))
    intervals = {name: {m: drawn.get((name, m), nothing).interval for m in metrics} for name in models}
    differences = {
        name: {
            m: (values[name, m] - values[reference, m], *drawn.get((name, m), nothing).difference_judged)
            for m in metrics
        }
        for name in models
        if name != reference
    }
    return Bootstrap(intervals, differences)


@dataclass(frozen=True, eq=False)
class Draws:
    """A metric of one model in each resample (B,), and its difference from the reference's; NaN where there is none."""

    values: Array
    differences: Array

    @property
    def interval(self) -> tuple[float, float]:
        """Percentiles 2.5 and 97.5 of the values."""
        return _percentiles(self.values)

    @property
    def difference_judged(self) -> tuple[float, float, float, float | None]:
        """(low, high, p, smallest) of the difference."""
        D = self.differences
        if np.isnan(D).any():
            return math.nan, math.nan, math.nan, None
        # + 1: what was seen is one more draw; p is never 0 on account of too few resamples.
        shares = [(int(np.count_nonzero(side)) + 1) / (len(D) + 1) for side in (D <= 0, D >= 0)]
        spread = float(D.std())
        return *_percentiles(D), min(1.0, 2.0 * min(shares)), (Z95 + Z80) * spread if spread > 0 else None


def _percentiles(values: Array) -> tuple[float, float]:
    low, high = np.quantile(values, [LEVEL / 2, 1 - LEVEL / 2])
    return float(low), float(high)


Models = Mapping[str, tuple[Array, Array | None]]
#: A model's name and a metric's.
Key = tuple[str, str]


def _free(
    y: Array, models: Models, keys: Sequence[Key], reference: str, seed: int, n_resamples: int
) -> dict[Key, Draws]:
    """Means over rows drawn freely."""
    if not keys:
        return {}
    terms = {key: row_terms(key[1], y, *models[key[0]]) for key in keys}
    absent = np.full(len(y), math.nan)
    # The differences have columns of their own: those of one model with itself must be 0 without rounding.
    columns = [*terms.values(), *(terms[key] - terms.get((reference, key[1]), absent) for key in keys)]
    units, count = np.unique(np.column_stack(columns), axis=0, return_counts=True)
    chunks = _resamples(count, np.zeros(len(count)), np.random.default_rng([seed, 0]), n_resamples)
    means = np.concatenate([chunk @ units for chunk in chunks]) / len(y)
    return {key: Draws(means[:, i], means[:, i + len(keys)]) for i, key in enumerate(keys)}


def _by_class(
    y: Array, models: Models, keys: Sequence[Key], reference: str, seed: int, n_resamples: int
) -> dict[Key, Draws]:
    """Metrics of classes; each class keeps its number of rows."""
    if not keys:
        return {}
    names = list(models)
    units, count = np.unique(np.column_stack([y, *(models[name][0] for name in names)]), axis=0, return_counts=True)
    truth, classes = units[:, 0], np.arange(units.max() + 1)
    is_class = truth[:, None] == classes
    drawn: dict[Key, list[Array]] = {key: [] for key in keys}
    for chunk in _resamples(count, truth, np.random.default_rng([seed, 1]), n_resamples):
        actual = chunk @ is_class
        for i, name in enumerate(names, start=1):
            guessed = units[:, i, None] == classes
            right, predicted = chunk @ (guessed & is_class), chunk @ guessed
            for metric in [m for other, m in keys if other == name]:
                drawn[name, metric].append(class_mean(metric, right, predicted, actual))
    values = {key: np.concatenate(parts) for key, parts in drawn.items()}
    return {key: Draws(value, value - values[reference, key[1]]) for key, value in values.items()}


def _resamples(count: Array, stratum: Array, rng: np.random.Generator, n_resamples: int) -> Iterator[Array]:
    """How often each distinct row is drawn, (resamples, U) at a time; ``count`` (U,) says how often it occurs.

    Rows alike are drawn together, as one multinomial: the same law as row by row, and quick where few differ.
    """
    strata = [np.flatnonzero(stratum == s) for s in np.unique(stratum)]
    size = max(1, CHUNK // len(count))
    for start in range(0, n_resamples, size):
        drawn = np.empty((min(size, n_resamples - start), len(count)))
        for units in strata:
            n = count[units].sum()
            drawn[:, units] = rng.multinomial(n, count[units] / n, size=len(drawn))
        yield drawn


def holm(ps: Sequence[float]) -> list[float]:
    """p-values adjusted for their number, step down from the smallest (Holm 1979), in the order given.

    >>> holm([0.04, 0.01, 0.03])
    [0.06, 0.03, 0.06]
    """
    adjusted, largest = [0.0] * len(ps), 0.0
    for rank, i in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[i]))
        adjusted[i] = largest
    return adjusted


def verdict(
    difference: Difference,
    setting: str,
    tuned_text: str,
    repeats: int | None,
    n_folds: int | None,
    same_predictions: bool = False,
) -> str:
    """What a tested difference says, in one sentence.

    Parameters
    ----------
    difference : Difference
        With p.
    setting : str
        Such as "5-fold cross-validation, 2 repeats".
    tuned_text : str
        How alpha came about; empty if there is nothing to say.
    repeats, n_folds : int or None
        Of cross-validation.
    same_predictions : bool
        Whether the two predicted the same class for every row.
    """
    d = difference
    against = f"{d.name} against {d.reference}" + (f" ({tuned_text})" if tuned_text else "")
    title, low_power = METRICS[d.metric].title, _low_power(repeats, n_folds)
    p = d.p if d.p_holm is None else d.p_holm
    if same_predictions and d.delta == 0:
        finding = "both models gave the same predictions on every row: a difference of 0, p = 1"
        return f"{against}: {finding}, {TEST_TEXTS[d.test]} on {setting}{low_power}"
    if p is None or math.isnan(p + d.delta + d.low + d.high):
        return f"{against}: no test of {title} on {setting}"
    finding = "no evidence of a difference at this sample size"
    if p <= LEVEL:
        better = d.name if (d.delta > 0) == METRICS[d.metric].greater_is_better else d.reference
        finding = f"{better} is better"
    amounts = _Amounts(d)
    delta = f"Δ {title} {amounts.signed(d.delta)}{amounts.unit}"
    interval = f"95 % interval {amounts.signed(d.low)} to {amounts.signed(d.high)}"
    adjusted = " after Holm's adjustment" if d.p_holm is not None and d.p_holm != d.p else ""
    power = f"this design finds a difference of {amounts.unsigned(d.smallest)} with 80 % power"
    if d.smallest is None:
        power = "what this design finds with 80 % power is not known"
    return (
        f"{against}: {finding}; {delta} ({interval}), {_p_text(p)}{adjusted}, "
        f"{TEST_TEXTS[d.test]} on {setting}; {power}{low_power}"
    )


TEST_TEXTS = {
    CORRECTED_T: "corrected resampled t-test",
    MCNEMAR: "exact McNemar test",
    BOOTSTRAP: "paired bootstrap",
}


class _Amounts:
    """Differences of a metric as text, with as many decimals as two digits of the interval's half width have."""

    def __init__(self, d: Difference) -> None:
        points = METRICS[d.metric].unit in ("share of rows", "mean recall")
        self.factor = 100 if points else 1
        self.unit = " percentage points" if points else f" {METRICS[d.metric].unit}".rstrip()
        width = (d.high - d.low) / 2 or abs(d.delta) or 1.0
        self.decimals = min(max(1 - math.floor(math.log10(width * self.factor)), 0), 9)

    def signed(self, value: float) -> str:
        text = f"{self.factor * value:+.{self.decimals}f}"
        return text if float(text) else text[1:]

    def unsigned(self, value: float | None) -> str:
        return "" if value is None else f"{self.factor * value:.{self.decimals}f}{self.unit}"


def _p_text(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def _low_power(repeats: int | None, n_folds: int | None) -> str:
    if repeats is None or n_folds is None or repeats * n_folds >= ENOUGH_FOLDS:
        return ""
    return f"; low power; --repeats {math.ceil(ENOUGH_FOLDS / n_folds)} for a decision"
