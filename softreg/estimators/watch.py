"""What watches an estimator's fit: lines of progress, and scikit-learn's callbacks (1.9 and later)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from softreg.minimise import History, Iterate

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # scikit-learn before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing: this scikit-learn has no callbacks."""


__all__ = ["CallbackSupportMixin", "Progress", "SklearnCallbacks", "callback_context"]


@dataclass
class Progress:
    """A line on standard output at iterations 0, 1, 2, 5, 10, 20, 50, … (every one when ``verbose`` is 2 or more)."""

    name: str
    verbose: int

    def __call__(self, iterate: Iterate, history: History) -> None:
        row = history.last()
        n = row["iteration"]
        if self.verbose < 2 and n > 0 and str(n).rstrip("0") not in ("1", "2", "5"):
            return
        assert iterate.certificate is not None
        kind = "gap" if iterate.certificate.kind == "gap" else "KKT residual"
        text = f"[{self.name}] iteration {n}: objective {row['objective']:.6g}, {kind} {row['certificate']:.1e}"
        if row["validation_loss"] is not None:
            text += f", validation loss {row['validation_loss']:.6g}"
        print(f"{text}, {row['seconds']:.2f} s", flush=True)


def callback_context(estimator: Any, max_iter: int | None) -> Any:
    """scikit-learn's context of this fit, or None where there are no callbacks."""
    if not hasattr(estimator, "_init_callback_context"):
        return None
    return estimator._init_callback_context(max_subtasks=max_iter)


@dataclass
class SklearnCallbacks:
    """Hands each iteration to scikit-learn's callbacks as a finished task; any of them may ask to stop.

    ``attributes(W)`` are the fitted attributes from which a callback builds an estimator that can predict.
    """

    context: Any
    estimator: Any
    data: dict[str, Any]  # X, y, metadata
    attributes: Callable[[Any], dict[str, Any]]

    def __call__(self, iterate: Iterate, history: History) -> bool:
        if history.last()["iteration"] == 0:
            return False  # the starting point is nobody's work
        task = self.context.subcontext(task_name="iteration")
        task.call_on_fit_task_begin(estimator=self.estimator, **self.data)
        return bool(
            task.call_on_fit_task_end(
                estimator=self.estimator,
                **self.data,
                reconstruction_attributes=lambda: self.attributes(iterate.W),
            )
        )
