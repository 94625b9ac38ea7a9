"""Linear classifiers, softmax and multiclass hinge, each fit with a certificate of its distance from the optimum."""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers know it, without the time to import typing
if TYPE_CHECKING:
    from typing import Any

    from softreg.comparison import Comparison, compare
    from softreg.estimators import ConvergenceWarning, MulticlassSVC, SoftmaxRegression, TableEncoder, load
    from softreg.losses import CrammerSinger, Softmax, WestonWatkins
    from softreg.plots import ConfusionDisplay, ConvergenceDisplay, LossDisplay, WeightsDisplay
    from softreg.softmax import (
        cross_entropy,
        cross_entropy_grad,
        log_softmax,
        softmax_jacobian,
        softmax_layer_jacobian,
        weight_gradient,
    )

__version__ = "0.1.0"

#: Where each public name lives; a module is imported when one of its names is first used.
_HOMES = {
    "softreg.comparison": ("Comparison", "compare"),
    "softreg.estimators": ("ConvergenceWarning", "MulticlassSVC", "SoftmaxRegression", "TableEncoder", "load"),
    "softreg.losses": ("CrammerSinger", "Softmax", "WestonWatkins"),
    "softreg.plots": ("ConfusionDisplay", "ConvergenceDisplay", "LossDisplay", "WeightsDisplay"),
    "softreg.softmax": (
        "cross_entropy",
        "cross_entropy_grad",
        "log_softmax",
        "softmax_jacobian",
        "softmax_layer_jacobian",
        "weight_gradient",
    ),
}

__all__ = [
    "Comparison",
    "ConfusionDisplay",
    "ConvergenceDisplay",
    "ConvergenceWarning",
    "CrammerSinger",
    "LossDisplay",
    "MulticlassSVC",
    "Softmax",
    "SoftmaxRegression",
    "TableEncoder",
    "WeightsDisplay",
    "WestonWatkins",
    "compare",
    "cross_entropy",
    "cross_entropy_grad",
    "load",
    "log_softmax",
    "softmax_jacobian",
    "softmax_layer_jacobian",
    "weight_gradient",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module 'softreg' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
