"""Predict a table as it is read: a batch of rows in memory, a row of output for each row of input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.errors import DataError, UsageError
from softreg.softmax import softmax
from softreg.store import Model, NotFinite
from softreg.tables import Batch, Found, label_text, read_batches
from softreg.tables.opening import Paths
from softreg.tables.writing import label_column, number_column
from softreg.text import safe_text
from softreg.workflows.inputs import recipe_of
from softreg.workflows.predicting import spread, spreadsheet_warnings

Array = NDArray[Any]

MISSING = ("recipe", "error", "skip")


@dataclass
class PredictStream:
    """Predictions of a table, computed while they are taken.

    Attributes
    ----------
    model : Model
    data : path or paths
    proba : bool
        Columns p[class] with the probability of each class.
    top_k : int or None
        Columns label_1, p_1 … of the likeliest classes (score_1 … of a hinge, its logits).
    min_confidence : float or None
        A row whose likeliest class is less probable gets no prediction.
    keep : sequence of str
        Columns to carry over, as they are written; the recipe's id column always is.
    missing : {"recipe", "error", "skip"}
        What a missing cell is; a row that is skipped gets no prediction.
    n, n_skipped, n_unsure : int
        Rows so far: all, without a prediction for a missing cell, and for too little confidence.
    found : Found
        What the reader met; complete at the end.
    """

    model: Model
    data: Paths
    proba: bool = False
    top_k: int | None = None
    min_confidence: float | None = None
    keep: Sequence[str] = ()
    missing: str = "recipe"
    n: int = 0
    n_skipped: int = 0
    n_unsure: int = 0
    found: Found = field(default_factory=Found)

    def __post_init__(self) -> None:
        K = len(self.model.classes)
        if self.proba or self.min_confidence is not None:
            self.model.check_has_probabilities()
        if self.top_k is not None and not 1 <= self.top_k <= K:
            raise UsageError(f"--top-k {self.top_k}: the model has {K} classes")
        if self.min_confidence is not None and not 0 <= self.min_confidence <= 1:
            raise UsageError(f"--min-confidence {self.min_confidence:g}: a probability, from 0 to 1")
        if self.missing not in MISSING:
            raise UsageError(f"--missing {safe_text(self.missing, 40)}: one of {', '.join(MISSING)}")
        own = {"prediction", *(f"p[{text}]" for text in self._texts if self.proba)}
        own |= {f"{name}_{i}" for i in range(1, (self.top_k or 0) + 1) for name in ("label", self._shown)}
        for name in self.keep:
            if name in own or list(self.keep).count(name) > 1:
                raise UsageError(f"--keep: '{safe_text(name, 40)}' would be the name of two columns")
        id_name = recipe_of(self.model).id
        if id_name in own:
            raise UsageError(f"the id column '{safe_text(id_name, 40)}' has the name of a column of the output")

    @property
    def _shown(self) -> str:
        """What the likeliest classes are shown with."""
        return "p" if self.model.loss == "softmax" else "score"

    @property
    def _texts(self) -> list[str]:
        return [label_text(label) for label in self.model.classes.tolist()]

    def batches(self) -> Iterator[dict[str, Any]]:
        """The columns of some thousand rows after the other, in the order of the table.

        Raises
        ------
        DataError, ResourceError
        """
        recipe = recipe_of(self.model)
        for batch in read_batches(recipe, self.data, self.found, missing=self.missing, keep=self.keep):  # type: ignore[arg-type]
            yield self._columns(batch, recipe.id)

    def notes(self) -> list[str]:
        """What a user should hear of, once all batches are taken."""
        said = self.found.sentences()
        if self.n_skipped:
            said.append(f"{self.n_skipped} of {self.n} rows have a missing cell and no prediction")
        if self.n_unsure:
            bound = f"{self.min_confidence:g}"
            said.append(f"{self.n_unsure} of {self.n} rows are less sure than {bound} and have no prediction")
        return said

    def warnings(self, kind: str = "csv") -> list[str]:
        """What may go wrong with the output."""
        return spreadsheet_warnings(self.model.classes) if kind == "csv" else []

    def _columns(self, batch: Batch, id_name: str | None) -> dict[str, Any]:
        kept = batch.kept
        m = len(kept)
        columns: dict[str, Any] = {}
        if batch.ids is not None and id_name is not None and id_name not in self.keep:
            columns[id_name] = batch.ids
        columns.update(batch.columns)
        try:
            Z = self.model.decision_function(batch.X)
        except NotFinite as error:
            row = self.n + int(np.flatnonzero(kept)[error.row]) + 1
            raise DataError(f"{safe_text(self.data)}: {error.named(row)}") from None
        self.n += m
        self.n_skipped += int((~kept).sum())
        P = softmax(Z) if self.model.loss == "softmax" else None
        codes = Z.argmax(axis=1)
        sure = np.ones(len(codes), dtype=bool)
        if self.min_confidence is not None and P is not None:
            sure = P.max(axis=1) >= self.min_confidence
            self.n_unsure += int((~sure).sum())
        columns["prediction"] = label_column(self.model.classes, spread(np.where(sure, codes, -1), kept, -1))
        if self.proba and P is not None:
            for text, p in zip(self._texts, P.T, strict=True):
                columns[f"p[{text}]"] = number_column(spread(p, kept, np.nan))
        if self.top_k is not None:
            order = np.argsort(-Z, axis=1, kind="stable")[:, : self.top_k]
            shown = Z if P is None else P
            for i in range(self.top_k):
                rank = order[:, i]
                columns[f"label_{i + 1}"] = label_column(self.model.classes, spread(rank, kept, -1))
                values = shown[np.arange(len(rank)), rank]
                columns[f"{self._shown}_{i + 1}"] = number_column(spread(values, kept, np.nan))
        return columns


def predict_stream(model: str | Model, data: Paths, **options: Any) -> PredictStream:
    """`PredictStream` of a model file, or of a model itself.

    Raises
    ------
    UsageError, ModelFileError
    """
    name = "model" if isinstance(model, Model) else model
    fitted = model if isinstance(model, Model) else Model.load(model)
    try:
        return PredictStream(fitted, data, **options)
    except UsageError as error:
        raise UsageError(f"{safe_text(name)}: {error}") from None
