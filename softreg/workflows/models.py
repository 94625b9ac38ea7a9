"""The models of a comparison as users write them: softmax, softmax:alpha=1e-3, sklearn:GaussianNB."""

from __future__ import annotations

import ast
from dataclasses import fields, replace
from typing import Any

from softreg.comparison.contenders import Contender, Estimator, Linear
from softreg.config import read_value
from softreg.errors import UsageError
from softreg.losses import LOSSES
from softreg.text import nearest, safe_text
from softreg.training import Settings

#: Of a model's own settings, those that may differ from model to model.
KEYS = [f.name for f in fields(Settings) if f.name not in ("loss", "n_jobs", "early_stopping", "n_iter_no_change")]


def parse_models(text: str, settings: Settings) -> list[Contender]:
    """The models of a list such as ``softmax,weak=softmax:alpha=1e-2,sklearn:GaussianNB:var_smoothing=1e-8``.

    Each is [NAME=]MODEL[:KEY=VALUE…]; MODEL is a loss, or sklearn:CLASS.

    Raises
    ------
    UsageError
        An unknown model, key or value; fewer than two models, or two of one name.
    """
    specs = [part.strip() for part in text.split(",")]
    if not all(specs):
        raise UsageError(f"--models '{safe_text(text, 60)}': a name is missing between two commas")
    found = [_contender(spec, settings) for spec in specs]
    if len(found) < 2:
        raise UsageError(f"--models '{safe_text(text, 60)}': one model cannot be compared; name two or more")
    names = [contender.name for contender in found]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(
                f"--models: two are called '{safe_text(name, 60)}': name them, first={safe_text(name, 40)},"
                f"second={safe_text(name, 40)}"
            )
    return found


def _contender(spec: str, settings: Settings) -> Contender:
    label, model, options = _parts(spec)
    if model == "sklearn":
        if not options or "=" in options[0]:
            raise UsageError(f"--models '{safe_text(spec, 60)}': which class? sklearn:RandomForestClassifier, say")
        return Estimator(label or spec, _sklearn(spec, options[0], options[1:], settings))
    loss = model.replace("-", "_")
    if loss not in LOSSES:
        meant = nearest(loss, [*LOSSES, "sklearn"])
        hint = f"did you mean {meant}?" if meant else f"one of {', '.join(LOSSES)}, sklearn:CLASS"
        raise UsageError(f"--models: no model '{safe_text(model, 60)}' ({hint})")
    changes: dict[str, Any] = {}
    for option in options:
        key, sign, value = option.partition("=")
        key = key.strip().replace("-", "_")
        if key not in KEYS or not sign:
            meant = nearest(key, KEYS)
            hint = f"did you mean {meant}=…?" if meant else f"one of {', '.join(KEYS)}, each with =VALUE"
            raise UsageError(f"--models '{safe_text(spec, 60)}': no setting '{safe_text(key, 40)}' ({hint})")
        changes[key] = _boolean(value) if value.lower() in ("true", "false", "yes", "no") else read_value(key, value)
    try:
        chosen = replace(settings, **{**_squared(settings, loss), "loss": loss, **changes})
    except ValueError as error:
        raise UsageError(f"--models '{safe_text(spec, 60)}': {error}") from None
    return Linear(label or spec, chosen)


def _parts(spec: str) -> tuple[str | None, str, list[str]]:
    """Name (or None), model, options: the = of a name comes before the first colon."""
    head, *options = spec.split(":")
    label, sign, model = head.partition("=")
    return (label.strip(), model.strip(), options) if sign and label.strip() else (None, head.strip(), options)


def _squared(settings: Settings, loss: str) -> dict[str, Any]:
    """Squared hinges beside softmax: softmax has no hinge to square."""
    return {"squared": False} if loss == "softmax" else {"squared": settings.squared}


def _boolean(text: str) -> bool:
    return text.lower() in ("true", "yes")


def _sklearn(spec: str, name: str, options: list[str], settings: Settings) -> Any:
    from sklearn.utils import all_estimators

    known = dict(all_estimators(type_filter="classifier"))
    if name not in known:
        meant = nearest(name, known)
        hint = f" (did you mean sklearn:{meant}?)" if meant else ""
        raise UsageError(f"--models: scikit-learn has no classifier '{safe_text(name, 60)}'{hint}")
    values = {}
    for option in options:
        key, _, value = option.partition("=")
        try:
            values[key.strip()] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            values[key.strip()] = value
    try:
        model = known[name](**values)
    except TypeError as error:
        raise UsageError(f"--models '{safe_text(spec, 60)}': {safe_text(str(error), 160)}") from None
    parameters = model.get_params(deep=False)
    if "random_state" in parameters and "random_state" not in values:
        model.set_params(random_state=settings.random_state)
    return model
