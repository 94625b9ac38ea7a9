"""Evaluate: how good a model is on rows whose labels are known."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.errors import DataError
from softreg.metrics import Metrics
from softreg.store import Model
from softreg.tables import label_text
from softreg.text import listing, safe_text
from softreg.workflows.inputs import read_for
from softreg.workflows.preparing import metrics_of

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
    n_unseen : int
        Rows of other labels, left out.
    notes, warnings : tuple of str
    """

    data: str
    classes: Array
    metrics: Metrics
    n_unseen: int
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values only."""
        return {
            "data": self.data,
            "classes": self.classes.tolist(),
            **self.metrics.to_json(),
            "n_unseen": self.n_unseen,
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }


def evaluate(model: str | Model, data: str) -> EvaluateResult:
    """Score a model on a labelled table.

    Parameters
    ----------
    model : str or Model
        A model file, or the model itself.
    data : str
        A table with the model's columns and its target.

    Raises
    ------
    ModelFileError, DataError
    """
    fitted = model if isinstance(model, Model) else Model.load(model)
    rows = read_for(fitted, data)
    try:
        metrics = metrics_of(rows.X, rows.y, fitted.W, fitted.settings)
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
    return EvaluateResult(text, fitted.classes, metrics, n - len(rows.y), tuple(notes), tuple(warnings))
