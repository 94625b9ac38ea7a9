"""What a comparison measures: accuracy, balanced accuracy, macro-F1, log loss, Brier score and calibration error.

y and predicted are (n,) class codes, P (n, K) probabilities; every row counts once.  A metric that cannot be had (no
probabilities, no rows) is NaN.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.errors import DataError, UsageError
from softreg.text import nearest_or_all

Array = NDArray[Any]

#: Bins of the calibration error, where there are rows enough for them.
N_BINS = 15
#: Probabilities below this count as this in the log loss, as in scikit-learn: no row costs more than 36 nats.
LEAST_PROBABILITY = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Metric:
    """A number that says how good predictions are.

    Attributes
    ----------
    name : str
        As typed: ``log_loss``.
    title : str
        As read: log loss.
    unit : str
        Empty where the number has none.
    greater_is_better : bool
    needs_probabilities : bool
    """

    name: str
    title: str
    unit: str
    greater_is_better: bool
    needs_probabilities: bool


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "accuracy", "share of rows", True, False),
        Metric("balanced_accuracy", "balanced accuracy", "mean recall", True, False),
        Metric("macro_f1", "macro-F1", "", True, False),
        Metric("log_loss", "log loss", "nats/row", False, True),
        Metric("brier", "Brier score", "", False, True),
        Metric("calibration_error", "calibration error", "probability", False, True),
    )
}
#: Means over rows of `row_terms`.
ROW_METRICS = ("accuracy", "log_loss", "brier")
#: Means over classes of `class_mean`.
CLASS_METRICS = ("balanced_accuracy", "macro_f1")


def score(metric: str, y: Array, predicted: Array, P: Array | None, n_classes: int) -> float:
    """The metric of that name; NaN without rows, or where it needs probabilities and there are none.

    Raises
    ------
    UsageError
        A metric that does not exist.
    DataError
        Lengths that differ.
    """
    wanted = find_metric(metric)
    y, predicted = np.asarray(y), np.asarray(predicted)
    if len(y) != len(predicted) or (P is not None and P.shape != (len(y), n_classes)):
        shape = "" if P is None else f", probabilities of shape {P.shape}"
        raise DataError(f"{len(y)} labels of {n_classes} classes, {len(predicted)} predictions{shape}: they do not fit")
    if len(y) == 0 or (wanted.needs_probabilities and P is None):
        return math.nan
    if metric in ROW_METRICS:
        return float(row_terms(metric, y, predicted, P).mean())
    if metric in CLASS_METRICS:
        counts = [np.bincount(codes, minlength=n_classes) for codes in (y[y == predicted], predicted, y)]
        return float(class_mean(metric, *counts))
    assert P is not None
    return calibration_error(calibration_bins(y, P))


def all_scores(y: Array, predicted: Array, P: Array | None, n_classes: int) -> dict[str, float]:
    """Every metric by its name."""
    return {name: score(name, y, predicted, P, n_classes) for name in METRICS}


def find_metric(name: str) -> Metric:
    """The metric of that name.

    Raises
    ------
    UsageError
        There is none; the message names the one probably meant.
    """
    if name not in METRICS:
        raise UsageError(f"unknown metric {name!r}: {nearest_or_all(name, list(METRICS))}")
    return METRICS[name]


def row_terms(metric: str, y: Array, predicted: Array, P: Array | None) -> Array:
    """(n,) the terms whose mean is the metric, one of `ROW_METRICS`.

    accuracy   1 where the class was predicted
    log_loss   -log P_y, in nats
    brier      sum over the classes of (P_k - [k = y])², 0 … 2
    """
    if metric == "accuracy":
        return (y == predicted).astype(np.float64)
    assert P is not None
    P_y = P[np.arange(len(y)), y].astype(np.float64)
    if metric == "log_loss":
        return -np.log(np.maximum(P_y, LEAST_PROBABILITY))
    squares = np.square(P, dtype=np.float64).sum(axis=1)
    return squares - P_y**2 + (1 - P_y) ** 2


def class_mean(metric: str, right: Array, predicted: Array, actual: Array) -> Array:
    """The metric, one of `CLASS_METRICS`, from counts (…, K): right, predicted as the class, truly of the class.

    balanced_accuracy   mean of right / actual over the classes that have rows
    macro_f1            mean of 2 right / (predicted + actual) over the classes that have rows or were predicted
    """
    if metric == "balanced_accuracy":
        part, whole = right, np.broadcast_to(actual, right.shape)
    else:
        part, whole = 2 * right, predicted + actual
    present = whole > 0
    shares = np.divide(part, whole, out=np.zeros(whole.shape), where=present)
    return shares.sum(axis=-1) / present.sum(axis=-1)


@dataclass(frozen=True, eq=False)
class Bins:
    """Rows sorted by confidence, in bins of about equal count; the least confident first.

    Attributes
    ----------
    confidence : (B,) array
        Mean probability of the likeliest class.
    accuracy : (B,) array
        Share of rows of which it is the class.
    count : (B,) array of int
    """

    confidence: Array
    accuracy: Array
    count: Array


def calibration_bins(y: Array, P: Array, n_bins: int = N_BINS) -> Bins:
    """How often the likeliest class is right, by how probable it is said to be.

    Bins are of equal count; no more of them than n / 2, because the variance of a share needs two rows.  Rows of equal
    confidence stay together, so that the order of rows does not matter: counts differ then, empty bins are left out.
    """
    confidence = P.max(axis=1).astype(np.float64)
    right = P.argmax(axis=1) == y
    n = len(confidence)
    n_bins = max(1, min(n_bins, n // 2))
    rank = np.searchsorted(np.sort(confidence), confidence)  # of the first row of equal confidence
    place = rank * n_bins // max(n, 1)
    count = np.bincount(place, minlength=n_bins)
    filled = count > 0
    sums = [np.bincount(place, weights=values, minlength=n_bins)[filled] for values in (confidence, right)]
    return Bins(sums[0] / count[filled], sums[1] / count[filled], count[filled])


def calibration_error(bins: Bins) -> float:
    """Root mean square of confidence - accuracy over bins, each square less the variance that its sampling adds.

    sqrt(max(0, sum_b n_b/n [(conf_b - acc_b)² - acc_b (1 - acc_b) / (n_b - 1)])), after Kumar, Liang & Ma (2019).
    Without the last term even exact probabilities would show an error of about sqrt(bins / n).  A bin of one row has
    no known variance and nothing is taken off; NaN without rows.
    """
    if bins.count.sum() == 0:
        return math.nan
    variance = bins.accuracy * (1 - bins.accuracy) / np.maximum(bins.count - 1, 1)
    squares = (bins.confidence - bins.accuracy) ** 2 - variance
    return math.sqrt(max(0.0, float(np.average(squares, weights=bins.count))))


def matthews(confusion: Array) -> float:
    """Matthews' correlation of true and predicted class, for K classes (Gorodkin 2004): 1 right, 0 chance.

    NaN where all rows are of one class, or are predicted as one: there is nothing to correlate.

    Parameters
    ----------
    confusion : (K, K) array
        Rows of each true class by predicted class.
    """
    C = np.asarray(confusion, dtype=np.float64)
    true, predicted, n = C.sum(axis=1), C.sum(axis=0), C.sum()
    spread = (n**2 - predicted @ predicted) * (n**2 - true @ true)
    return float((np.trace(C) * n - true @ predicted) / math.sqrt(spread)) if spread > 0 else math.nan


def top_k(Z: Array, y: Array, k: int, weight: Array | None = None) -> float:
    """Share of rows (of their weight) whose class is among the k of largest score; of ties the first classes count."""
    rows = np.arange(len(y))
    own = Z[rows, y][:, None]
    before = (own < Z).sum(axis=1) + ((own == Z) & (np.arange(Z.shape[1]) < y[:, None])).sum(axis=1)
    return float(np.average(before < k, weights=weight))


@dataclass(frozen=True, eq=False)
class Ranking:
    """How well scores put rows of one class before all others, threshold by threshold from strict to lenient.

    Attributes
    ----------
    recall : (m,) array
        Share of the class's rows above the threshold (true positive rate).
    fall_out : (m,) array
        Share of the other rows above it (false positive rate).
    precision : (m,) array
        Share of the rows above it that are of the class.
    auc : float
        Area under recall over fall-out: chance that a row of the class scores above another, ties counting half.
    average_precision : float
        Sum of precision times the gain in recall.
    """

    recall: Array
    fall_out: Array
    precision: Array
    auc: float
    average_precision: float


def ranking(scores: Array, positive: Array) -> Ranking:
    """`Ranking` of scores (n,) of rows that are of the class or not; rows of equal score stand or fall together.

    Parameters
    ----------
    scores : (n,) array
    positive : (n,) array of bool

    Raises
    ------
    DataError
        No row of the class, or none of another.
    """
    n_positive = int(positive.sum())
    if n_positive in (0, len(positive)):
        raise DataError("a ranking needs rows of the class and rows of others")
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)  # of rows of equal score
    hits = np.cumsum(positive[order])[last]
    above = last + 1.0
    recall = np.append(0.0, hits / n_positive)
    fall_out = np.append(0.0, (above - hits) / (len(positive) - n_positive))
    precision = np.append(1.0, hits / above)
    return Ranking(
        recall=recall,
        fall_out=fall_out,
        precision=precision,
        auc=float(np.sum(np.diff(fall_out) * (recall[1:] + recall[:-1]) / 2)),
        average_precision=float(np.sum(np.diff(recall) * precision[1:])),
    )
