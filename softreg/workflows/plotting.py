"""Plot: what fits did, or what a model is, as a picture file."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from softreg.errors import UsageError
from softreg.metrics import loss_name
from softreg.plots import ConfusionDisplay, ConvergenceDisplay, Display, LossDisplay, WeightsDisplay
from softreg.plots.curves import CLOCK_LABELS
from softreg.softmax import softmax
from softreg.store import Model
from softreg.tables import label_text
from softreg.text import listing, safe_text
from softreg.workflows.fitting import plot_unit
from softreg.workflows.history import read_history
from softreg.workflows.inputs import read_for
from softreg.workflows.outputs import check_outputs

KINDS = ("loss", "convergence", "confusion", "roc", "pr", "reliability", "weights")
#: Kinds that are drawn from a model and a labelled table.
OF_ROWS = ("confusion", "roc", "pr", "reliability")


@dataclass(frozen=True, eq=False)
class PlotResult:
    """A picture that was written; ``display`` can draw it again."""

    kind: str
    output: str
    display: Display
    notes: tuple[str, ...] = ()

    @property
    def saved(self) -> tuple[str, ...]:
        return (self.output,)

    def to_json(self) -> dict[str, Any]:
        """Plain values only."""
        return {"kind": self.kind, "output": self.output, "saved": list(self.saved), "notes": list(self.notes)}


def plot(
    kind: str,
    inputs: Sequence[str],
    output: str,
    *,
    shape: str | tuple[int, int] | None = None,
    x: str | None = None,
) -> PlotResult:
    """Draw a picture.

    Parameters
    ----------
    kind : {"loss", "convergence", "confusion", "roc", "pr", "reliability", "weights"}
    inputs : sequence of str
        loss, convergence: model files and files of ``--history``, overlaid; weights: a model; the others: a model
        and a labelled table.
    output : str
        .png, .svg or .pdf.
    shape : "HxW" or (H, W), optional
        Weights as images of that shape.
    x : {"iteration", "passes", "seconds"}, optional
        What the horizontal axis of loss and convergence counts.

    Raises
    ------
    UsageError, ModelFileError, DataError, OutputError
    """
    if kind not in KINDS:
        raise UsageError(f"plot {safe_text(kind, 40)}: one of {', '.join(KINDS)}")
    if shape is not None and kind != "weights":
        raise UsageError(f"plot {kind} draws no images: leave out --shape, or plot weights")
    if x is not None and kind not in ("loss", "convergence"):
        raise UsageError(f"plot {kind} has no clock: leave out --x")
    if x is not None and x not in CLOCK_LABELS:
        raise UsageError(f"--x {safe_text(x, 40)}: one of {', '.join(CLOCK_LABELS)}")
    needed = {"weights": (1, "MODEL"), **dict.fromkeys(OF_ROWS, (2, "MODEL DATA"))}.get(kind)
    if needed is not None and len(inputs) != needed[0]:
        raise UsageError(f"plot {kind} draws from {needed[1]}, not from {len(inputs)} files")
    if not inputs:
        raise UsageError(f"plot {kind}: from what? (softreg plot {kind} MODEL --output {kind}.png)")
    check_outputs({"--output": output}, inputs, models=(), pictures=("--output",))
    notes: tuple[str, ...] = ()
    display: Display
    if kind == "confusion":
        from softreg.workflows.evaluating import evaluate

        scored = evaluate(inputs[0], inputs[1])
        display = ConfusionDisplay.from_counts(scored.metrics.confusion, scored.classes.tolist())
        notes = (*scored.notes, *scored.warnings)
    elif kind in OF_ROWS:
        display, notes = _of_rows(kind, inputs[0], inputs[1])
    elif kind == "weights":
        display = _weights(inputs[0], shape)
    else:
        display = _curves(kind, inputs, x)
    display.save(output)
    return PlotResult(kind, output, display, notes)


def _of_rows(kind: str, path: str, data: str) -> tuple[Display, tuple[str, ...]]:
    """Curves of the rows of a labelled table."""
    from softreg.plots import RankingDisplay, ReliabilityDisplay
    from softreg.scores import calibration_bins, ranking
    from softreg.workflows.evaluating import seen_before

    model = Model.load(path)
    if kind == "reliability":
        try:
            model.check_has_probabilities()
        except UsageError:
            raise UsageError(f"{safe_text(path)}: a {model.loss} model has no probabilities to rely on") from None
    rows = read_for(model, data)
    told, warnings = seen_before(model, rows)
    notes = [*rows.notes, *rows.warnings, *told, *warnings]
    if rows.weight is not None:
        notes.append("every row counts once, whatever its weight")
    Z = model.decision_function(rows.X)
    if kind == "reliability":
        bins = {os.path.basename(path): calibration_bins(rows.y, softmax(Z))}
        return ReliabilityDisplay.from_bins(bins), tuple(notes)
    names = [label_text(label) for label in model.classes.tolist()]
    scores = softmax(Z) if model.loss == "softmax" else _ahead(Z)
    counts = np.bincount(rows.y, minlength=len(names))
    found = {
        names[k]: ranking(scores[:, k], rows.y == k) for k in np.flatnonzero((counts > 0) & (counts < len(rows.y)))
    }
    if absent := [names[k] for k in np.flatnonzero(counts == 0)]:
        notes.append(f"no rows of {listing(absent, 6)}: left out")
    return RankingDisplay.from_rankings(found, "roc" if kind == "roc" else "pr"), tuple(notes)


def _ahead(Z: Any) -> Any:
    """(n, K) how far each class's score is ahead of the best other: it ranks rows where scores are no probabilities."""
    ordered = np.sort(Z, axis=1)
    best, second = ordered[:, -1:], ordered[:, -2:-1]
    return Z - np.where(best == Z, second, best)


def _weights(path: str, shape: str | tuple[int, int] | None) -> Display:
    model = Model.load(path)
    unit = loss_name(model.settings.make_loss())[1].removesuffix("/row")
    return WeightsDisplay.from_coefficients(
        model.W[:-1].T,
        model.classes.tolist(),
        model.feature_names,
        unit=f"{unit} per unit of the feature",
        shape=read_shape(shape) if isinstance(shape, str) else shape,
    )


def read_shape(text: str) -> tuple[int, int]:
    """(8, 12) of "8x12"; UsageError if it is not of that form."""
    match = re.fullmatch(r"\s*(\d{1,6})\s*[x×X]\s*(\d{1,6})\s*", text)
    if match is None or not int(match[1]) * int(match[2]):
        raise UsageError(f"--shape {safe_text(text, 40)}: height and width in pixels, such as 8x8")
    return int(match[1]), int(match[2])


def _curves(kind: str, inputs: Sequence[str], x: str | None) -> Display:
    models = [Model.load(path) if _is_archive(path) else None for path in inputs]
    clock: Any = x or "iteration"
    if clock == "seconds" and any(models):
        raise UsageError(
            "--x seconds: model files hold no seconds: draw from the files of fit --history, or --x passes"
        )
    histories = {}
    for label, path, model in zip(_labels(inputs), inputs, models, strict=True):
        histories[label] = read_history(path) if model is None else _complete(model)
    known = [model for model in models if model is not None]
    note = known[0].message if len(models) == len(known) == 1 else None
    if kind == "loss":
        units = {plot_unit(model.settings) for model in known}
        unit = units.pop() if len(units) == 1 and len(known) == len(models) else "per row"
        return LossDisplay.from_histories(histories, unit=unit, note=note, x=clock)
    targets = {model.settings.target for model in known}
    kinds = {model.certificate.kind for model in known if model.certificate is not None}
    certificate = "KKT residual" if kinds == {"kkt"} else "certificate" if len(kinds) > 1 else "relative gap"
    tol = targets.pop() if len(targets) == 1 else None
    return ConvergenceDisplay.from_histories(histories, tol=tol, certificate=certificate, note=note, x=clock)


def _complete(model: Model) -> dict[str, list[Any]]:
    """A model's history with the clocks it does not keep."""
    history = {name: list(column) for name, column in model.history.items()}
    n = len(next(iter(history.values()), []))
    for name in CLOCK_LABELS:
        history.setdefault(name, [None] * n)
    return history


def _is_archive(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            start = file.read(2)
    except OSError:
        return False  # reading it as a history says why
    return start == b"PK" or start[:1] == b"\x80"


def _labels(paths: Sequence[str]) -> list[str]:
    """A name for each file: the last part of its path, the whole path where that is not enough."""
    short = [os.path.basename(path) for path in paths]
    names = [name if short.count(name) == 1 else path for name, path in zip(short, paths, strict=True)]
    return [name if names[:i].count(name) == 0 else f"{name} ({i + 1})" for i, name in enumerate(names)]
