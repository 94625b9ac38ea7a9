"""The pictures of a comparison by name: which of its numbers each Display shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from softreg.errors import DataError, UsageError
from softreg.plots.agreement import AgreementDisplay
from softreg.plots.display import Display
from softreg.plots.intervals import DifferencesDisplay, IntervalsDisplay
from softreg.plots.loss import LossDisplay
from softreg.plots.margins import MarginsDisplay
from softreg.plots.masses import MassesDisplay
from softreg.plots.regions import RegionsDisplay
from softreg.plots.reliability import ReliabilityDisplay
from softreg.plots.traces import SuboptimalityDisplay, TracesDisplay
from softreg.plots.weights import WeightsDisplay
from softreg.scores import METRICS
from softreg.text import nearest_or_all, safe_text

if TYPE_CHECKING:
    from softreg.comparison import Comparison


def _of_rows(c: Comparison, column: str) -> dict[str, Any]:
    """A column of each portrait; an empty one of models that were not watched, which keep their colour so."""
    _check_watched(c)
    return {name: getattr(c.portraits[name], column) if name in c.portraits else () for name in c.names}


def _weights_of(c: Comparison) -> dict[str, Any]:
    _check_watched(c)
    return {name: portrait.W for name, portrait in c.portraits.items()}


def _check_watched(c: Comparison) -> None:
    if not c.portraits:
        raise DataError("only models of softreg are watched while they are fitted: there is none here")


def histories(c: Comparison, unit: str | None = None) -> dict[str, Any]:
    """The history of each model that was watched, with that unit of loss; empty columns of the others."""
    _check_watched(c)
    columns: dict[str, list[float]] = {name: [] for portrait in c.portraits.values() for name in portrait.history}
    found: dict[str, Any] = {}
    for name in c.names:
        portrait = c.portraits.get(name)
        found[name] = portrait.history if portrait is not None and unit in (None, portrait.unit) else columns
    if not any(history["iteration"] for history in found.values()):
        raise DataError(f"no model has a loss in {unit}")
    return found


def bounds(c: Comparison) -> dict[str, float]:
    """Lower bounds of the objectives of models without penalty, whose certificate is no gap."""
    found = {}
    for model in c.models:
        portrait = c.portraits.get(model.name)
        if portrait is not None and 0.0 in model.alphas:
            known = [value for value in portrait.history["objective"] if value is not None]
            # Separated rows push the loss towards 0, which it never reaches.
            found[model.name] = 0.0 if portrait.status == "separated" or not known else min(known)
    return found


def _metrics(c: Comparison) -> Display:
    estimates: dict[str, dict[str, tuple[float, float, float]]] = {}
    for metric, kind in METRICS.items():
        title = f"{kind.title}{', calibrated' * kind.needs_probabilities}"
        found = {}
        for model in c.models:
            one = (model.calibrated if kind.needs_probabilities else model.scores).get(metric)
            if one is not None:
                found[model.name] = (one.value, one.low, one.high)
        estimates[title] = found
    return IntervalsDisplay(estimates, models=c.names)


def _differences(c: Comparison) -> Display:
    every = (*c.differences, *c.other_differences)
    rows = [(d.name, METRICS[d.metric].title, d.delta, d.low, d.high) for d in every]
    return DifferencesDisplay(rows, c.reference, models=c.names)


def _loss(c: Comparison) -> Display:
    return LossDisplay(
        histories(c),
        unit="nats or margin units per row",
        note=f"each under its own loss, {c.portrait_text}",
    )


def _suboptimality(c: Comparison) -> Display:
    certified = [name for name, portrait in c.portraits.items() if portrait.status == "certified"]
    return SuboptimalityDisplay(histories(c), bounds=bounds(c), certified=certified)


def _trace(column: str, log: bool = False) -> Callable[[Comparison], Display]:
    return lambda c: TracesDisplay(histories(c), column, log=log)


def _margins(c: Comparison) -> Display:
    return MarginsDisplay(_of_rows(c, "margins"), margin=c.margin)


def _masses(c: Comparison) -> Display:
    return MassesDisplay(_of_rows(c, "masses"))


def _reliability(c: Comparison) -> Display:
    raw = {name.removesuffix(", raw"): bins for name, bins in c.bins.items() if name not in c.names}
    return ReliabilityDisplay({name: c.bins.get(name) for name in c.names}, raw)


def _weights(c: Comparison) -> Display:
    coefficients = {name: W[:-1].T for name, W in _weights_of(c).items()}
    return WeightsDisplay.from_models(coefficients, c.classes, c.feature_names, shape=c.image_shape)


def _regions(c: Comparison) -> Display:
    if c.points is None:
        raise DataError("regions need exactly two features (--features a,b)")
    return RegionsDisplay(_weights_of(c), *c.points, c.classes, c.feature_names)


def _agreement(c: Comparison) -> Display:
    return AgreementDisplay(c.right)


#: Name of a picture → what draws it.
COMPARISON_PICTURES: dict[str, Callable[[Comparison], Display]] = {
    "metrics": _metrics,
    "differences": _differences,
    "loss": _loss,
    "suboptimality": _suboptimality,
    "zero_gradient": _trace("zero_gradient"),
    "norm": _trace("norm", log=True),
    "margins": _margins,
    "masses": _masses,
    "reliability": _reliability,
    "weights": _weights,
    "regions": _regions,
    "agreement": _agreement,
}


def check_picture(kind: str) -> str:
    """The name of a picture; UsageError, which names the nearest, where there is none."""
    key = kind.replace("-", "_")
    if key not in COMPARISON_PICTURES:
        hint = nearest_or_all(key, list(COMPARISON_PICTURES))
        raise UsageError(f"no picture '{safe_text(kind, 40)}' of a comparison ({hint})")
    return key


def picture(c: Comparison, kind: str, **options: Any) -> Display:
    """That picture, drawn; DataError where the comparison has nothing to show in it."""
    return COMPARISON_PICTURES[check_picture(kind)](c).plot(**options)
