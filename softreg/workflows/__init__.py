"""What softreg does, as functions that work and return results: fit, evaluate, predict, verify, compare, plot, …

None of them prints.  Each lives in a file of its own, which is imported when the function is first used: ``fit``
needs no matplotlib, ``predict`` no scipy.  (No file has the name of a function: a module of that name would hide it.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from softreg.workflows.checking import GradcheckResult, gradcheck
    from softreg.workflows.comparing import CompareResult, check_strict, compare
    from softreg.workflows.environment import Environment, env
    from softreg.workflows.evaluating import EvaluateResult, check_required, evaluate
    from softreg.workflows.examining import CheckResult, check
    from softreg.workflows.explaining import explain_logits, explain_row
    from softreg.workflows.fitting import FitPlan, FitResult, fit
    from softreg.workflows.inspecting import InspectResult, inspect
    from softreg.workflows.plotting import PlotResult, plot
    from softreg.workflows.predicting import PredictResult, predict
    from softreg.workflows.streaming import PredictStream, predict_stream
    from softreg.workflows.tuning import TuneResult, tune
    from softreg.workflows.verifying import Claim, VerifyResult, verify

#: The names of each file of this package.
_HOMES = {
    "comparing": ("CompareResult", "check_strict", "compare"),
    "environment": ("Environment", "env"),
    "evaluating": ("EvaluateResult", "check_required", "evaluate"),
    "examining": ("CheckResult", "check"),
    "explaining": ("explain_logits", "explain_row"),
    "inspecting": ("InspectResult", "inspect"),
    "fitting": ("FitPlan", "FitResult", "fit"),
    "checking": ("GradcheckResult", "gradcheck"),
    "plotting": ("PlotResult", "plot"),
    "predicting": ("PredictResult", "predict"),
    "streaming": ("PredictStream", "predict_stream"),
    "tuning": ("TuneResult", "tune"),
    "verifying": ("Claim", "VerifyResult", "verify"),
}

__all__ = [
    "CheckResult",
    "Claim",
    "CompareResult",
    "Environment",
    "EvaluateResult",
    "FitPlan",
    "FitResult",
    "GradcheckResult",
    "InspectResult",
    "PlotResult",
    "PredictResult",
    "PredictStream",
    "TuneResult",
    "VerifyResult",
    "check",
    "check_required",
    "check_strict",
    "compare",
    "env",
    "evaluate",
    "explain_logits",
    "explain_row",
    "fit",
    "gradcheck",
    "inspect",
    "plot",
    "predict",
    "predict_stream",
    "tune",
    "verify",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"softreg.workflows.{home}"), name)
    raise AttributeError(f"module 'softreg.workflows' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
