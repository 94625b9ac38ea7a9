"""Evaluate: how good a model is on rows whose labels are known."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.errors import DataError
from softreg.inference import bootstrap
from softreg.metrics import Metrics, json_number, wilson
from softreg.scores import METRICS, all_scores, matthews, top_k
from softreg.softmax import softmax
from softreg.store import Model
from softreg.tables import label_text
from softreg.text import listing, safe_text
from softreg.workflows.inputs import Labelled, read_for
from softreg.workflows.preparing import metrics_of
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
        interval; NaN where there is none.  Empty where rows have weights.
    baselines : mapping of name to float
        ``accuracy`` of always saying the commonest class of training, ``log_loss`` of always saying its shares.
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
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }


#: Rows up to which test rows are resampled for intervals: beyond, they are narrower than anybody asks.
MOST_RESAMPLED = 20_000
#: How many of the likeliest classes a row's may be among.
TOP = (2, 3, 5)


def score_names(n_classes: int) -> list[str]:
    """Names of all scores of a model of so many classes."""
    return [*METRICS, "mcc", *(f"top_{k}" for k in TOP if k < n_classes)]


def evaluate(model: str | Model, data: str, require: Sequence[str] = ()) -> EvaluateResult:
    """Score a model on a labelled table.

    Parameters
    ----------
    model : str or Model
        A model file, or the model itself.
    data : str
        A table with the model's columns and its target.
    require : sequence of str
        Conditions such as ``accuracy>=0.95``; `check_required` says whether they hold.

    Raises
    ------
    UsageError
        A condition that cannot be read.
    ModelFileError, DataError
    """
    fitted = model if isinstance(model, Model) else Model.load(model)
    conditions = parse_conditions(require, score_names(len(fitted.classes)))
    rows = read_for(fitted, data)
    try:
        metrics = metrics_of(rows.X, rows.y, fitted.W, fitted.settings, rows.weight)
    except DataError as error:
        raise DataError(f"{rows.table.path}: {error}") from None
    notes = list(rows.notes)
    warnings = list(rows.warnings)
    absent = np.flatnonzero(metrics.support == 0)
    if len(absent):
        labels = listing([label_text(fitted.classes.tolist()[k]) for k in absent], 6)
        notes.append(f"no rows of {labels}: nothing is known of recall there")
    if rows.table.fingerprint == fitted.fingerprint:
        split = fitted.split or {}
        part = "most of these rows were" if split.get("kind") == "fraction" else "these rows were"
        warnings.append(f"{part} trained on: not an estimate for new data")
    elif (fitted.split or {}).get("kind") == "file" and rows.table.fingerprint == (fitted.split or {})["fingerprint"]:
        notes.append("these are the validation rows of the fit")
    n = rows.table.n_rows
    name = safe_text(os.path.basename(data), 80)
    text = f"{name}: {n} rows, {len(metrics.support) - len(absent)} of the model's {len(metrics.support)} classes"
    scores: dict[str, tuple[float, float, float]] = {}
    if rows.weight is None and rows.soft is None and len(rows.y):
        scores = _scores(fitted, rows, metrics)
        if len(rows.y) > MOST_RESAMPLED:
            notes.append(f"more than {MOST_RESAMPLED} rows: no intervals but the accuracy's")
    elif len(rows.y):
        notes.append("rows with weights or soft labels: the metrics that count rows are left out")
    return EvaluateResult(
        text,
        fitted.classes,
        metrics,
        scores,
        _baselines(fitted, rows),
        n - len(rows.y),
        tuple(notes),
        tuple(warnings),
        tuple(conditions),
    )


def check_required(scored: EvaluateResult) -> None:
    """GateError where a condition of ``--require`` does not hold."""
    check_conditions(scored.conditions, {name: score[0] for name, score in scored.scores.items()})


def _scores(fitted: Model, rows: Labelled, metrics: Metrics) -> dict[str, tuple[float, float, float]]:
    """Every score with its interval, from the scores of all rows."""
    Z, y, K = fitted.decision_function(rows.X), rows.y, len(fitted.classes)
    predicted = Z.argmax(axis=1)
    P = softmax(Z) if fitted.loss == "softmax" else None
    intervals: Mapping[str, tuple[float, float]] = {}
    if len(y) <= MOST_RESAMPLED:
        resampled = [name for name, metric in METRICS.items() if P is not None or not metric.needs_probabilities]
        intervals = bootstrap(y, {"model": (predicted, P)}, resampled, K, "model").intervals["model"]
    found = {}
    for name, value in all_scores(y, predicted, P, K).items():
        low, high = metrics.interval if name == "accuracy" else intervals.get(name, (math.nan, math.nan))
        found[name] = (value, low, high)
    found["mcc"] = (matthews(metrics.confusion), math.nan, math.nan)
    for k in TOP:
        if k < K:
            share = top_k(Z, y, k)
            found[f"top_{k}"] = (share, *wilson(share, len(y)))
    return found


def _baselines(fitted: Model, rows: Labelled) -> dict[str, float]:
    """What knowing only the shares of classes in training would score; of equal shares the first class is said."""
    if not len(rows.y):
        return {}
    counts = np.asarray(fitted.class_counts, dtype=np.float64)
    priors = counts / counts.sum()
    return {
        "accuracy": float((rows.y == int(counts.argmax())).mean()),
        "log_loss": float(-np.log(priors[rows.y]).mean()),
    }
