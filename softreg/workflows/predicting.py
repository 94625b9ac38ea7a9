"""Predict: a label, and probabilities if wanted, for each row of a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from softreg.errors import DataError, UsageError
from softreg.softmax import softmax
from softreg.store import Model
from softreg.tables import label_text
from softreg.text import safe_text
from softreg.workflows.inputs import read_as_training

Array = NDArray[Any]

#: With these a cell is a formula to a spreadsheet.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, eq=False)
class PredictResult:
    """Predictions in the order of the rows.

    Attributes
    ----------
    codes : (n,) array
        Positions in ``classes``.
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
        """(n,) predicted labels, of the type they had in training."""
        return self.classes[self.codes]

    @property
    def header(self) -> list[str]:
        """Names of the columns: prediction, p[class] …"""
        if self.probabilities is None:
            return ["prediction"]
        return ["prediction", *(f"p[{label_text(label)}]" for label in self.classes.tolist())]

    def rows(self) -> Iterator[list[Any]]:
        """A row of the output for each row of the input: the label as it is written in files, and numbers."""
        written = [label_text(label) for label in self.classes.tolist()]
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
            "probabilities": None if self.probabilities is None else self.probabilities.tolist(),
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
    table = read_as_training(fitted, data, require_target=False)
    try:
        Z = fitted.decision_function(table.X)
    except DataError as error:
        raise DataError(f"{table.path}: {error}") from None
    warnings = tuple(spreadsheet_warnings(fitted.classes))
    return PredictResult(Z.argmax(axis=1), fitted.classes, softmax(Z) if proba else None, table.notes, warnings)


def spreadsheet_warnings(classes: Array) -> list[str]:
    """A warning where a spreadsheet would take a label for a formula."""
    labels = [label for label in classes.tolist() if isinstance(label, str) and label.startswith(_FORMULA)]
    if not labels:
        return []
    return [f"a spreadsheet may take labels such as '{safe_text(labels[0], 40)}' for formulas: import them as text"]
