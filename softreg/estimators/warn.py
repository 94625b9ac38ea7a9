"""What a fit that is not certified says: the finding, and one next step that is worked out from its history."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.exceptions import ConvergenceWarning as SklearnConvergenceWarning

from softreg.minimise import Result, Status
from softreg.training import Settings, Trained


class ConvergenceWarning(SklearnConvergenceWarning):
    """A fit ended without a certificate; scikit-learn's filters and handlers apply to it."""


def sentence(trained: Trained, classes: Sequence[object], features: Sequence[str]) -> str:
    """The message of a fit; when classes are separated, which ones and by which features."""
    message = trained.result.message
    if trained.separation is not None:
        message += ": " + trained.separation.sentence([str(label) for label in classes], list(features))
    return message


def next_step(result: Result, settings: Settings) -> str:
    """One thing to try, worked out from how the fit went."""
    if result.status is Status.INTERRUPTED:
        return "fit again with warm_start=True to go on from here"
    if result.status is Status.SEPARATED:
        return "set alpha > 0, 1e-4 say"
    if result.status is Status.DIVERGED:
        steps = [step for step in result.history["step"] if step]
        if not isinstance(settings.learning_rate, str):
            return f"set learning_rate={settings.learning_rate / 10:g}, or 'auto'"
        return f"set learning_rate={steps[-1] / 10:.1g}" if steps else "set solver='auto'"
    for name, limit in (("max_iter", settings.max_iter), ("max_time", settings.max_time)):
        if limit is not None and f"stopped by {name}" in result.message:
            needed = forecast(result, "iteration" if name == "max_iter" else "seconds", settings.target)
            if needed is None or needed > 1000 * max(limit, 1):
                return f"set {name}=None" if settings.solver == "auto" else "set solver='auto'"
            return (
                f"at the rate so far {name}={needed:.2g} would do"
                if name == "max_time"
                else (f"at the rate so far max_iter={round(needed)} would do")
            )
    if settings.solver not in ("auto", "newton"):
        return "set solver='auto'"
    if settings.alpha == 0:
        return "set alpha > 0, 1e-4 say"
    # A tenfold margin: the last digits of a gap differ from machine to machine.
    return f"set tol={10 * result.certificate.value:.0e}"


def forecast(result: Result, clock: str, tol: float) -> float | None:
    """Where on ``clock`` the certificate would meet ``tol`` if it went on falling as in the second half; a fifth more.

    Rounded up to two digits; None when it does not fall.
    """
    lowest = np.minimum.accumulate(np.asarray(result.history["certificate"], dtype=float))
    x = np.asarray(result.history[clock], dtype=float)
    end, middle = len(x) - 1, (len(x) - 1) // 2
    if not (tol > 0 and lowest[end] < lowest[middle] and x[end] > x[middle] and np.isfinite(lowest[middle])):
        return None
    rate = np.log(lowest[middle] / lowest[end]) / (x[end] - x[middle])
    needed = 1.2 * (x[end] + np.log(lowest[end] / tol) / rate)
    digit = 10.0 ** (np.floor(np.log10(needed)) - 1)
    return float(np.ceil(needed / digit) * digit)
