"""Evaluate: how good a model is on rows whose labels are known."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.errors import DataError, UsageError
from softreg.inference import bootstrap
from softreg.metrics import Metrics, classification, json_number, wilson
from softreg.scores import (
    CLASS_METRICS,
    LEAST_PROBABILITY,
    METRICS,
    ROW_METRICS,
    calibration_bins,
    calibration_error,
    class_mean,
    matthews,
    row_terms,
    top_k,
)
from softreg.softmax import softmax
from softreg.store import Model
from softreg.tables import label_text
from softreg.tables.opening import Paths
from softreg.text import listing, safe_text
from softreg.workflows.inputs import Labelled, read_for
from softreg.workflows.preparing import part_of
from softreg.workflows.requiring import Condition, check_conditions, parse_conditions

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class EvaluateResult:
    """The metrics of a model on a table.

    Attributes
    ----------
    data : str
        The table in words.
    classes : (K,) array
    metrics : Metrics
        Over the rows whose label the model knows.
    scores : mapping of name to (value, low, high)
        accuracy, balanced_accuracy, macro_f1, mcc, top_2 …, log_loss, brier, calibration_error: the value and its 95 %
        interval; NaN where there is none.
    baselines : mapping of name to float
        The same scores of a model that knows nothing but the shares of classes in training, and says them of every row.
    n_unseen : int
        Rows of other labels, left out.
    notes, warnings : tuple of str
    """

    data: str
    classes: Array
    metrics: Metrics
    scores: Mapping[str, tuple[float, float, float]]
    baselines: Mapping[str, float]
    n_unseen: int
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    conditions: tuple[Condition, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values only."""
        return {
            "data": self.data,
            "classes": self.classes.tolist(),
            **self.metrics.to_json(),
            "scores": {
                name: dict(zip(("value", "low", "high"), map(json_number, score), strict=True))
                for name, score in self.scores.items()
            },
            "baselines": {name: json_number(value) for name, value in self.baselines.items()},
            "n_unseen": self.n_unseen,
            "required": [{"condition": c.text, "holds": c.holds(self.scores[c.metric][0])} for c in self.conditions],
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }


#: Rows up to which test rows are resampled for intervals: beyond, they are narrower than anybody asks.
MOST_RESAMPLED = 20_000
#: How many of the likeliest classes a row's may be among.
TOP = (2, 3, 5)


def evaluate(model: str | Model, data: Paths, require: Sequence[str] = (), top_k: int | None = None) -> EvaluateResult:
    """Score a model on a labelled table.

    Parameters
    ----------
    model : str or Model
        A model file, or the model itself.
    data : path or paths
        A table with the model's columns and its target.
    require : sequence of str
        Conditions such as ``accuracy>=0.95``; `check_required` says whether they hold.
    top_k : int, optional
        One more k for the share of rows whose class is among the k likeliest; 2, 3 and 5 are there anyway.

    Raises
    ------
    UsageError
        A condition that cannot be read, or a k that the classes do not allow.
    ModelFileError, DataError
    """
    fitted = model if isinstance(model, Model) else Model.load(model)
    ks = _ks(len(fitted.classes), top_k)
    conditions = parse_conditions(require, score_names(ks))
    rows = read_for(fitted, data)
    try:
        metrics = part_of(rows).metrics(fitted.W, fitted.settings)
    except DataError as error:
        raise DataError(f"{rows.table.path}: {error}") from None
    told, warnings = seen_before(fitted, rows, metrics)
    notes = [*rows.notes, *told]
    absent = np.flatnonzero(metrics.support == 0)
    if len(absent):
        labels = listing([label_text(fitted.classes.tolist()[k]) for k in absent], 6)
        notes.append(f"no rows of {labels}: nothing is known of recall there")
    n = rows.table.n_rows
    name = safe_text(os.path.basename(rows.table.path), 80)
    text = f"{name}: {n} rows, {len(metrics.support) - len(absent)} of the model's {len(metrics.support)} classes"
    scores, baselines = _scores(fitted, rows, metrics, ks)
    if fitted.loss == "softmax" and f"{scores['log_loss'][0]:.3f}" != f"{metrics.loss:.3f}":
        most = -math.log(LEAST_PROBABILITY)
        notes.append(
            f"log loss {metrics.loss:.4f} is exact; in the table no row counts more than {most:.1f} nats, as in "
            "scikit-learn"
        )
    if rows.weight is not None or rows.soft is not None:
        notes.append("rows with weights or soft labels: no intervals but the accuracy's, and no calibration error")
    elif len(rows.y) > MOST_RESAMPLED:
        notes.append(f"more than {MOST_RESAMPLED} rows: no intervals but those of accuracies")
    return EvaluateResult(
        text,
        fitted.classes,
        metrics,
        scores,
        baselines,
        n - len(rows.y),
        tuple(notes),
        (*rows.warnings, *warnings),
        tuple(conditions),
    )


def check_required(scored: EvaluateResult) -> None:
    """GateError where a condition of ``--require`` does not hold."""
    check_conditions(scored.conditions, {name: score[0] for name, score in scored.scores.items()})


def seen_before(fitted: Model, rows: Labelled, metrics: Metrics | None = None) -> tuple[list[str], list[str]]:
    """Notes and warnings about rows that the model was trained on, or judged by during the fit.

    They are known by the table's fingerprint; and, in any order and format, by their metrics: the loss of other rows
    does not agree with a stored one in eleven digits.
    """
    split = fitted.split or {}
    fingerprint = rows.table.fingerprint
    if fingerprint == fitted.fingerprint:
        part = "most of these rows were" if split.get("kind") == "fraction" else "these rows were"
        return [], [f"{part} trained on: not an estimate for new data"]
    known = [name for name in ("train", "validation") if metrics and _same(metrics, fitted.metrics.get(name))]
    if "train" in known:
        return [], ["these rows were trained on: not an estimate for new data"]
    if "validation" in known or (split.get("kind") == "file" and fingerprint == split["fingerprint"]):
        return ["these are the validation rows of the fit"], []
    return [], []


def _same(metrics: Metrics, stored: Mapping[str, Any] | None) -> bool:
    """Whether stored metrics are those of the same rows; a loss of 0 may be anybody's."""
    if stored is None or not metrics.loss or not stored.get("loss"):
        return False
    counts = (metrics.n, metrics.n_right) == (stored.get("n"), stored.get("n_right"))
    return counts and math.isclose(metrics.loss, stored["loss"], rel_tol=1e-11)


def score_names(ks: Sequence[int]) -> list[str]:
    """Names of all scores, with top-k accuracies of these k."""
    return [*METRICS, "mcc", *(f"top_{k}" for k in ks)]


def _ks(n_classes: int, top_k: int | None) -> list[int]:
    if top_k is not None and not 1 < top_k <= n_classes:
        raise UsageError(f"--top-k {top_k}: 2 to {n_classes}, for the model has {n_classes} classes")
    return sorted({*(k for k in TOP if k < n_classes), *([] if top_k is None else [top_k])})


def _scores(
    fitted: Model, rows: Labelled, metrics: Metrics, ks: Sequence[int]
) -> tuple[dict[str, tuple[float, float, float]], dict[str, float]]:
    """Every score with its interval, and what the shares of classes in training score for every row alike."""
    y, K = rows.y, len(fitted.classes)
    Z = fitted.decision_function(rows.X)
    P = softmax(Z) if fitted.loss == "softmax" else None
    counts = np.asarray(fitted.class_counts, dtype=np.float64)
    priors = np.broadcast_to(counts / counts.sum(), Z.shape)
    values = _values(rows, metrics.confusion, Z, P, ks)
    guessed = np.full(len(y), int(counts.argmax()))  # of equal shares the first class
    constant = classification(y, guessed, K, weight=rows.weight).confusion
    baselines = _values(rows, constant, priors, None if P is None else priors, ks)
    intervals = {"accuracy": metrics.interval}
    if rows.weight is None and rows.soft is None:
        intervals |= {f"top_{k}": wilson(values[f"top_{k}"], len(y)) for k in ks}
        if len(y) <= MOST_RESAMPLED:
            resampled = [name for name, metric in METRICS.items() if P is not None or not metric.needs_probabilities]
            drawn = bootstrap(y, {"model": (Z.argmax(axis=1), P)}, resampled, K, "model").intervals["model"]
            # Where no row differs from another, resampling knows of no error, not that there is none.
            intervals = {name: ends for name, ends in drawn.items() if ends[0] < ends[1]} | intervals
    nothing = (math.nan, math.nan)
    return {name: (value, *intervals.get(name, nothing)) for name, value in values.items()}, baselines


def _values(rows: Labelled, confusion: Array, Z: Array, P: Array | None, ks: Sequence[int]) -> dict[str, float]:
    """Every score of scores Z (n, K) and probabilities P, rows counted by their weight; NaN where there is none."""
    y, weight = rows.y, rows.weight
    predicted = Z.argmax(axis=1)
    right, guessed, actual = np.diagonal(confusion), confusion.sum(axis=0), confusion.sum(axis=1)
    values = dict.fromkeys(METRICS, math.nan)
    for name in ROW_METRICS:
        if P is not None or not METRICS[name].needs_probabilities:
            values[name] = float(np.average(_row_terms(name, rows, predicted, P), weights=weight))
    for name in CLASS_METRICS:
        values[name] = float(class_mean(name, right, guessed, actual))
    if P is not None and weight is None and rows.soft is None:
        values["calibration_error"] = calibration_error(calibration_bins(y, P))
    values["mcc"] = matthews(confusion)
    return values | {f"top_{k}": top_k(Z, y, k, weight) for k in ks}


def _row_terms(name: str, rows: Labelled, predicted: Array, P: Array | None) -> Array:
    """`row_terms`; of soft labels Q the cross-entropy -Q log P and the squared distance ||P - Q||²."""
    if rows.soft is None or P is None or name == "accuracy":
        return row_terms(name, rows.y, predicted, P)
    if name == "log_loss":
        return -(rows.soft * np.log(np.maximum(P, LEAST_PROBABILITY))).sum(axis=1)
    return np.square(P - rows.soft).sum(axis=1)
