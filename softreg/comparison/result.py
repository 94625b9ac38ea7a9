"""A comparison: each model's numbers, what differs and how sure that is, rows in dispute, and how it was done."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from softreg.comparison.judging import Portrait
from softreg.inference import Difference
from softreg.metrics import json_number
from softreg.scores import METRICS, Bins

if TYPE_CHECKING:
    from softreg.plots import Display

Array = NDArray[Any]


@dataclass(frozen=True)
class Design:
    """Which rows judge which fits.

    Attributes
    ----------
    kind : {"folds", "test"}
    n, n_test : int
        Rows of the table, and of the test rows; of folds the mean number of rows judged at once.
    n_folds, n_repeats : int or None
    seed : int
    tuned : bool
    text : str
    """

    kind: str
    n: int
    n_test: int
    n_folds: int | None
    n_repeats: int | None
    seed: int
    tuned: bool
    text: str


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval, NaN where it has none."""

    value: float
    low: float = float("nan")
    high: float = float("nan")

    def to_json(self) -> dict[str, float | None]:
        return {name: json_number(value) for name, value in asdict(self).items()}


@dataclass(frozen=True, eq=False)
class ModelSummary:
    """One model of a comparison; where ``error`` says why it failed, the numbers are None or empty.

    Attributes
    ----------
    name, description : str
    error : str or None
    scores : mapping of metric to Estimate
        Of the model's own predictions and probabilities; a hinge has no probabilities of its own.
    calibrated : mapping of metric to Estimate
        Log loss, Brier score and calibration error after one temperature.
    inverse_temperature : (smallest, median, largest) over the fits, or None
    temperature_bounded : int
        Fits whose inner rows were separated, so that a bound chose the temperature.
    losses : mapping of loss to its mean over the judged rows, or None
    zero_gradient, tiny_gradient, inside_margin : float or None
        Shares of the training rows, the mean over the fits.
    norm : float or None
        ||W|| without intercepts, the mean over the fits.
    alphas : tuple of float
    passes, seconds : float
        Of all its final fits together.
    certificate : float or None
        The worst.
    tol : float or None
    certified : bool or None
    n_certified, n_fits : int
    status, message : str
        Of the worst fit.
    """

    name: str
    description: str
    error: str | None = None
    scores: Mapping[str, Estimate] = field(default_factory=dict)
    calibrated: Mapping[str, Estimate] = field(default_factory=dict)
    inverse_temperature: tuple[float, float, float] | None = None
    temperature_bounded: int = 0
    losses: Mapping[str, float] | None = None
    zero_gradient: float | None = None
    tiny_gradient: float | None = None
    inside_margin: float | None = None
    norm: float | None = None
    alphas: tuple[float, ...] = ()
    passes: float | None = None
    seconds: float = 0.0
    certificate: float | None = None
    tol: float | None = None
    certified: bool | None = None
    n_certified: int = 0
    n_fits: int = 0
    status: str = ""
    message: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values only."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        for name in ("scores", "calibrated"):
            values[name] = {metric: estimate.to_json() for metric, estimate in values[name].items()}
        values["losses"] = None if self.losses is None else dict(self.losses)
        return values


@dataclass(frozen=True, eq=False)
class Disagreements:
    """Judged rows on which not all models predict the same: their ids, labels and predictions."""

    ids: tuple[str, ...] = ()
    truth: tuple[str, ...] = ()
    predicted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return len(self.ids)

    def to_json(self) -> list[dict[str, Any]]:
        """One object a row."""
        return [
            {"row": self.ids[i], "truth": self.truth[i], **{name: codes[i] for name, codes in self.predicted.items()}}
            for i in range(self.total)
        ]


@dataclass(frozen=True, eq=False)
class Comparison:
    """What `softreg.compare` returns.

    Attributes
    ----------
    names : tuple of str
        The models, the reference first.
    metric : str
        The primary one, declared beforehand.
    data : str
        What was understood of the rows.
    design : Design
    models : tuple of ModelSummary
    differences : tuple of softreg.inference.Difference
        In the primary metric, of each model from the reference, with p-values that Holm's method has adjusted.
    other_differences : tuple of Difference
        In the other metrics: intervals, no verdict.
    verdicts : tuple of str
        A sentence for each difference.
    disagreements : Disagreements
        Of test rows; of folds the rows as the first repeat judged them.
    right : mapping of name to (n,) bool
        Of the same rows, whether each model was right.
    portraits : mapping of name to Portrait
        Softreg's models as fitted to ``portrait_text``.
    bins : mapping of label to Bins
        Of calibrated probabilities; of the softmax's own too.
    points : ((n, 2) array, (n,) codes) or None
        The training rows where there are exactly two features.
    image_shape : (height, width) or None
        Of rows that are images.
    margin : float
        Of the hinges by which models are judged.
    folds : tuple of dict
        Every model's metrics in every fold.
    command : str or None
    """

    names: tuple[str, ...]
    metric: str
    data: str
    classes: tuple[str, ...]
    feature_names: tuple[str, ...]
    design: Design
    models: tuple[ModelSummary, ...]
    differences: tuple[Difference, ...]
    other_differences: tuple[Difference, ...]
    verdicts: tuple[str, ...]
    disagreements: Disagreements
    right: Mapping[str, Array]
    portraits: Mapping[str, Portrait]
    portrait_text: str
    bins: Mapping[str, Bins]
    points: tuple[Array, Array] | None
    image_shape: tuple[int, int] | None
    folds: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    margin: float = 1.0
    command: str | None = None

    @property
    def reference(self) -> str:
        """The model that the others are compared with."""
        return self.names[0]

    @property
    def table(self) -> dict[str, list[Any]]:
        """A column for each number and an entry for each model: ready for a data frame."""
        columns: dict[str, list[Any]] = {"model": [model.name for model in self.models]}
        for group, metrics in (("", METRICS), ("calibrated_", self._calibrated_metrics())):
            for metric in metrics:
                found = [(model.calibrated if group else model.scores).get(metric) for model in self.models]
                for part in ("value", "low", "high"):
                    name = f"{group}{metric}" + ("" if part == "value" else f"_{part}")
                    columns[name] = [float("nan") if e is None else getattr(e, part) for e in found]
        for loss in ("softmax", "weston_watkins", "crammer_singer"):
            columns[f"{loss}_loss"] = [None if m.losses is None else m.losses[loss] for m in self.models]
        for name in (
            "zero_gradient", "tiny_gradient", "inside_margin", "norm", "passes", "seconds", "certificate", "certified",
            "error",
        ):  # fmt: skip
            columns[name] = [getattr(model, name) for model in self.models]
        return columns

    def _calibrated_metrics(self) -> list[str]:
        return [name for name, metric in METRICS.items() if metric.needs_probabilities]

    def plot(self, kind: str = "metrics", **options: Any) -> Display:
        """One picture of the comparison.

        Parameters
        ----------
        kind : str
            One of ``softreg.plots.COMPARISON_PICTURES``: metrics, differences, loss, suboptimality, margins, masses, …
        **options
            Go to the picture's ``plot``.

        Raises
        ------
        UsageError
            No such picture, or nothing to show in it.
        """
        from softreg.plots.comparison import picture

        return picture(self, kind, **options)

    def to_html(self, path: str | os.PathLike[str] | None = None) -> str:
        """The report as one page that needs nothing else; written to ``path`` too, where it is given.

        Raises
        ------
        OutputError
            ``path`` cannot be written.
        """
        from softreg.html import comparison_html

        page = comparison_html(self)
        if path is not None:
            from softreg.files import atomic_write

            with atomic_write(path, "wb") as file:
                file.write(page.encode())
        return page

    def _repr_html_(self) -> str:
        """The report, in a notebook."""
        return self.to_html()

    def to_json(self) -> dict[str, Any]:
        """Plain values only: all but the pictures' data."""
        return {
            "data": self.data,
            "design": asdict(self.design),
            "metric": self.metric,
            "reference": self.reference,
            "models": [model.to_json() for model in self.models],
            "differences": [difference.to_json() for difference in self.differences],
            "other_differences": [difference.to_json() for difference in self.other_differences],
            "verdicts": list(self.verdicts),
            "disagreements": self.disagreements.to_json(),
            "folds": [
                {name: json_number(value) if isinstance(value, float) else value for name, value in line.items()}
                for line in self.folds
            ],
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }


def agreement(predicted: Mapping[str, Array]) -> Array:
    """(n,) whether all models predict the same."""
    columns = np.stack(list(predicted.values()))
    return (columns == columns[0]).all(axis=0)
