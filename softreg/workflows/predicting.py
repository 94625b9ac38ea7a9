"""Predict: a label, and probabilities if wanted, for each row of a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.errors import DataError, UsageError
from softreg.softmax import softmax
from softreg.store import Model, NotFinite
from softreg.tables import Found, label_text, read_batches
from softreg.text import safe_text
from softreg.workflows.inputs import recipe_of

Array = NDArray[Any]

#: With these a cell is a formula to a spreadsheet.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, eq=False)
class PredictResult:
    """Predictions in the order of the rows.

    Attributes
    ----------
    codes : (n,) array
        Positions in ``classes``; -1 for a row of a missing cell, where the model's recipe leaves such rows out.
    classes : (K,) array
    probabilities : (n, K) array or None
    notes, warnings : tuple of str
    """

    codes: Array
    classes: Array
    probabilities: Array | None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """Rows."""
        return len(self.codes)

    @property
    def labels(self) -> Array:
        """(n,) predicted labels, of the type they had in training; None where there is no prediction."""
        if len(self.codes) and self.codes.min() < 0:
            labels = np.full(len(self.codes), None, dtype=object)
            labels[self.codes >= 0] = self.classes[self.codes[self.codes >= 0]]
            return labels
        return self.classes[self.codes]

    @property
    def header(self) -> list[str]:
        """Names of the columns: prediction, p[class] …"""
        if self.probabilities is None:
            return ["prediction"]
        return ["prediction", *(f"p[{label_text(label)}]" for label in self.classes.tolist())]

    def rows(self) -> Iterator[list[Any]]:
        """A row of the output for each row of the input: the label as it is written in files, and numbers."""
        written = [*(label_text(label) for label in self.classes.tolist()), ""]
        if self.probabilities is None:
            for code in self.codes.tolist():
                yield [written[code]]
        else:
            for code, p in zip(self.codes.tolist(), self.probabilities, strict=True):
                yield [written[code], *p.tolist()]

    def to_json(self) -> dict[str, Any]:
        """Plain values only."""
        return {
            "n": self.n,
            "classes": self.classes.tolist(),
            "predictions": self.labels.tolist(),
            "probabilities": None if self.probabilities is None else [_numbers(row) for row in self.probabilities],
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }


def predict(model: str | Model, data: str, proba: bool = False) -> PredictResult:
    """Label the rows of a table.

    Parameters
    ----------
    model : str or Model
        A model file, or the model itself.
    data : str
        A table with the model's columns; labels are not needed.
    proba : bool
        Probabilities too; softmax models only.

    Raises
    ------
    UsageError
        Probabilities of a hinge model.
    ModelFileError, DataError
    """
    name = "model" if isinstance(model, Model) else model
    fitted = model if isinstance(model, Model) else Model.load(model)
    if proba:
        try:
            fitted.check_has_probabilities()
        except UsageError as error:
            raise UsageError(f"{safe_text(name)}: {error}") from None
    found = Found()
    codes: list[Array] = []
    probabilities: list[Array] = []
    for batch in read_batches(recipe_of(fitted), data, found):
        try:
            Z = fitted.decision_function(batch.X)
        except NotFinite as error:
            row = sum(len(part) for part in codes) + int(np.flatnonzero(batch.kept)[error.row]) + 1
            raise DataError(f"{safe_text(data)}: {error.named(row)}") from None
        codes.append(spread(Z.argmax(axis=1), batch.kept, -1))
        if proba:
            probabilities.append(spread(softmax(Z), batch.kept, np.nan))
    predicted = np.concatenate(codes)
    notes = found.sentences()
    if n_skipped := int((predicted < 0).sum()):
        notes.append(f"{n_skipped} of {len(predicted)} rows have a missing cell and no prediction")
    P = np.concatenate(probabilities) if proba else None
    return PredictResult(predicted, fitted.classes, P, tuple(notes), tuple(spreadsheet_warnings(fitted.classes)))


def spread(values: Array, kept: Array, nothing: float) -> Array:
    """The values of the rows kept, and what stands for nothing in the others."""
    if kept.all():
        return values
    spread = np.full((len(kept), *values.shape[1:]), nothing, dtype=values.dtype)
    spread[kept] = values
    return spread


def _numbers(row: Array) -> list[float] | None:
    return None if np.isnan(row).any() else row.tolist()


def spreadsheet_warnings(classes: Array) -> list[str]:
    """A warning where a spreadsheet would take a label for a formula."""
    labels = [label for label in classes.tolist() if isinstance(label, str) and label.startswith(_FORMULA)]
    if not labels:
        return []
    return [f"a spreadsheet may take labels such as '{safe_text(labels[0], 40)}' for formulas: import them as text"]
