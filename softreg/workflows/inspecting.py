"""Inspect: everything a model file says of itself, without the data."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from softreg.errors import UsageError
from softreg.store import Model
from softreg.tables import label_text
from softreg.tables.numbered import Numbered
from softreg.tables.recipe import Column, Recipe, describe_columns
from softreg.text import listing, safe_text, short

#: Weights shown for each class.
TOP = 5
_DEFAULTS: dict[str, Any] = {
    "squared": False, "margin": 1.0, "C": None, "fit_intercept": True, "class_weight": None, "standardize": False,
    "early_stopping": False, "max_iter": None, "max_time": None, "tol": None,
}  # fmt: skip


@dataclass(frozen=True)
class TopWeights:
    """The features that speak most for and against a class; weights are per unit of the feature."""

    label: str
    intercept: float
    weights: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class InspectResult:
    """What a model is.

    Attributes
    ----------
    file : str
    facts : tuple of (label, text)
        Certificate, objective, provenance, … in words.
    columns : sequence of (name, kind, becomes)
        What the recipe makes of each column of a table.
    top : tuple of TopWeights
    recipe, settings, certificate, metrics, split : dict or None
        As the file holds them.
    """

    file: str
    facts: tuple[tuple[str, str], ...]
    columns: Sequence[tuple[str, str, str]]
    top: tuple[TopWeights, ...]
    classes: tuple[Any, ...]
    features: Sequence[str]
    recipe: dict[str, Any] | None
    settings: dict[str, Any]
    certificate: dict[str, Any] | None
    metrics: dict[str, Any]
    split: dict[str, Any] | None
    fingerprint: str | None
    versions: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Plain values only."""
        return {
            "file": self.file,
            "facts": dict(self.facts),
            "classes": list(self.classes),
            "n_features": len(self.features),
            "recipe": self.recipe,
            "top_weights": [
                {"class": top.label, "intercept": top.intercept, "weights": dict(top.weights)} for top in self.top
            ],
            "settings": self.settings,
            "certificate": self.certificate,
            "metrics": self.metrics,
            "split": self.split,
            "fingerprint": self.fingerprint,
            "versions": self.versions,
        }


def inspect(model: str | Model, top: int = TOP) -> InspectResult:
    """Describe a model: its recipe, its largest weights, what made it and what proves it.

    Parameters
    ----------
    model : str or Model
    top : int
        Features shown for each class.

    Raises
    ------
    UsageError, ModelFileError
    """
    if top < 1:
        raise UsageError(f"--top {top}: a whole number, 1 or above")
    fitted = model if isinstance(model, Model) else Model.load(model)
    p, K = len(fitted.W) - 1, fitted.W.shape[1]
    features = fitted.feature_names or Numbered(p, str)
    labels = [label_text(label) for label in fitted.classes.tolist()]
    certificate = fitted.certificate
    return InspectResult(
        file="model" if isinstance(model, Model) else os.fspath(model),
        facts=tuple(_facts(fitted, labels, p)),
        columns=_rows(fitted.recipe),
        top=tuple(_top(fitted.W[:, k], labels[k], features, top) for k in range(K)),
        classes=tuple(fitted.classes.tolist()),
        features=features,
        recipe=None if fitted.recipe is None else fitted.recipe.to_json(),
        settings=fitted.settings_json,
        certificate=None
        if certificate is None
        else {name: getattr(certificate, name) for name in ("kind", "gap", "relative", "kkt")},
        metrics=fitted.metrics,
        split=fitted.split,
        fingerprint=fitted.fingerprint,
        versions=fitted.versions,
    )


def _facts(model: Model, labels: list[str], p: int) -> list[tuple[str, str]]:
    counts = [f"{safe_text(label, 24)} {n:g}" for label, n in zip(labels, model.class_counts.tolist(), strict=True)]
    penalty = f"alpha {short(model.alpha)}" + (f" (C = {model.C:.3g})" if model.alpha > 0 else "")
    others = [f"{key} {value}" for key, value in model.settings_json.items() if value != _DEFAULTS.get(key, value)]
    facts = [
        ("model", f"{model.loss}, {len(labels)} classes, {p} features; {penalty}"),
        ("status", model.message),
        ("trained on", f"{model.n_rows} rows ({listing(counts, 12)})"),
    ]
    if model.recipe is not None:
        facts.append(("table", _table(model)))
    facts.append(("solver", f"{model.solver}, seed {model.settings_json.get('random_state', 0)}"))
    if others:
        facts.append(("settings", safe_text(", ".join(others), 200)))
    for part in ("train", "validation"):
        found = model.metrics.get(part)
        if isinstance(found, dict) and isinstance(found.get("accuracy"), int | float):
            loss = found.get("loss")
            shown = f"{found.get('loss_name', 'loss')} {loss:.4f}, " if isinstance(loss, int | float) else ""
            facts.append((part, f"{shown}accuracy {found['accuracy']:.3f} on {found.get('n', '?')} rows"))
    facts.append(("data", f"SHA-256 {model.fingerprint}" if model.fingerprint else "not known"))
    facts.append(
        ("made with", ", ".join(f"{name} {safe_text(version, 30)}" for name, version in model.versions.items()))
    )
    return facts


def _table(model: Model) -> str:
    recipe = model.recipe
    assert recipe is not None
    parts = [describe_columns(recipe) + (", sparse" if recipe.sparse else "")]
    parts += [f"{role} {safe_text(name, 40)}" for name, role in recipe.special.items() if role != "probability"]
    if recipe.target_proba:
        parts.append(f"soft labels {listing(recipe.target_proba, 6)}")
    parts.append(f"missing: {recipe.missing}")
    if recipe.na:
        parts.append(f"as which count {listing(recipe.na, 6)}")
    if recipe.has_categories:
        parts.append(f"unknown categories: {recipe.unknown}")
    if recipe.base is not None:
        parts.append(f"svmlight indices from {recipe.base}")
    for key, default in (("decimal", "."), ("header", True), ("delimiter", None), ("encoding", None)):
        if getattr(recipe, key) != default:
            parts.append(f"{key} {getattr(recipe, key)!r}")
    return "; ".join(parts)


def _rows(recipe: Recipe | None) -> Sequence[tuple[str, str, str]]:
    """A row for each column of the table."""
    if recipe is None:
        return ()
    if isinstance(recipe.columns, Numbered):
        return Numbered(len(recipe.columns), lambda name: _row(Column(name)))
    return tuple(map(_row, recipe.columns))


def _row(column: Column) -> tuple[str, str, str]:
    """A column, its kind, and what it becomes."""
    if column.is_category:
        parts = [listing(column.levels, 6)]
        if column.other:
            parts.append(f"other ({column.other} rarer)")
        if column.missing:
            parts.append("missing")
        return column.name, column.kind, f"{column.width} of 0/1: {', '.join(parts)}"
    becomes = "as it is" if column.kind == "number" else "true 1, false 0"
    if column.fill is not None:
        becomes += f", missing {column.fill:.6g}"
    if column.indicator:
        becomes += " and a 0/1 column"
    return column.name, column.kind, becomes


def _top(w: Any, label: str, features: Sequence[str], top: int) -> TopWeights:
    size = np.abs(w[:-1])
    top = min(top, len(size))
    least = np.partition(size, -top)[-top]
    above, equal = np.flatnonzero(size > least), np.flatnonzero(size == least)
    order = [*above[np.argsort(-size[above], kind="stable")].tolist(), *equal[: top - len(above)].tolist()]
    return TopWeights(label, float(w[-1]), tuple((features[j], float(w[j])) for j in order))
