"""Compare: softmax and both hinges on one split, under one budget, each judged by all three losses."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from softreg.metrics import json_number, losses_table
from softreg.minimise import Callback, Status
from softreg.objective import Objective
from softreg.penalties import L2
from softreg.rows import make_rows
from softreg.training import Settings
from softreg.workflows.fitting import FitPlan, make_plan, outcome, run
from softreg.workflows.outputs import check_outputs
from softreg.workflows.preparing import Prepared, metrics_of, prepare

#: In the order of the losses in every row.
LOSSES = ("softmax", "weston_watkins", "crammer_singer")
FRACTION = 0.2

CAVEAT = (
    "One split is too little to call a winner: intervals that overlap are a tie, and another --seed may reverse the "
    "order."
)


@dataclass(frozen=True, eq=False)
class ComparedModel:
    """One model of a comparison.

    Attributes
    ----------
    name : str
        Its loss.
    status, message : str
    accuracy : float
    interval : (float, float)
        Of the validation rows, 95 % (Wilson).
    log_loss : float or None
        Of the validation rows, nats per row; softmax only.
    losses, train_losses : (float, float, float)
        Mean softmax, Weston-Watkins and Crammer-Singer loss of validation and of training rows.
    zero_gradient, n_train : int
        Training rows on which a plain hinge is exactly flat, of how many.
    passes, seconds : float
    certificate, tol : float
    certified : bool
    history : mapping
    """

    name: str
    status: str
    message: str
    accuracy: float
    interval: tuple[float, float]
    log_loss: float | None
    losses: tuple[float, float, float]
    train_losses: tuple[float, float, float]
    zero_gradient: int
    n_train: int
    passes: float
    seconds: float
    certificate: float
    tol: float
    certified: bool
    history: Mapping[str, list[Any]]

    def to_json(self) -> dict[str, Any]:
        """Plain values only, without the history."""
        return {
            "name": self.name,
            "status": self.status,
            "message": self.message,
            "accuracy": json_number(self.accuracy),
            "interval": list(self.interval),
            "log_loss": json_number(self.log_loss),
            "losses": dict(zip(LOSSES, map(json_number, self.losses), strict=True)),
            "train_losses": dict(zip(LOSSES, map(json_number, self.train_losses), strict=True)),
            "zero_gradient": self.zero_gradient,
            "n_train": self.n_train,
            "passes": json_number(self.passes),
            "seconds": json_number(self.seconds),
            "certificate": json_number(self.certificate),
            "tol": self.tol,
            "certified": self.certified,
        }


@dataclass(frozen=True, eq=False)
class CompareResult:
    """The models, in the order softmax, Weston-Watkins, Crammer-Singer, and how far to believe the comparison."""

    rows: tuple[ComparedModel, ...]
    data: str
    split: str
    caveat: str
    saved: tuple[str, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values only."""
        return {
            "data": self.data,
            "split": self.split,
            "models": [row.to_json() for row in self.rows],
            "caveat": self.caveat,
            "saved": list(self.saved),
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }


def compare(
    data: str,
    *,
    target: str | None = None,
    settings: Settings | None = None,
    validation_fraction: float | None = None,
    group: str | None = None,
    plot: str | None = None,
    progress: Callback | None = None,
    on_plan: Callable[[FitPlan], None] | None = None,
) -> CompareResult:
    """Train softmax and both plain hinges on the same rows with the same settings.

    Parameters
    ----------
    data, target, group, progress
        As for `softreg.workflows.fit`.
    settings : Settings, optional
        Their ``loss`` and ``squared`` are not used.
    validation_fraction : float, optional
        0.2 by default.
    plot : str, optional
        Draw the three loss curves here.
    on_plan : callable, optional
        Called before each of the three fits.

    Raises
    ------
    UsageError, DataError, OutputError, FitError
    """
    settings = settings or Settings()
    check_outputs({"--plot": plot}, [data])
    fraction = FRACTION if validation_fraction is None else validation_fraction
    ready = prepare(data, target=target, settings=settings, validation_fraction=fraction, group=group)
    rows = []
    for name in LOSSES:
        chosen = replace(settings, loss=name, squared=False)
        plan = make_plan(ready, chosen)
        if on_plan is not None:
            on_plan(plan)
        rows.append(_compared(ready, chosen, progress))
    saved = []
    if plot is not None:
        from softreg.plots import LossDisplay

        histories = {row.name: row.history for row in rows}
        LossDisplay.from_histories(histories, unit="nats or margin units per row", note="each under its own loss").save(
            plot
        )
        saved.append(plot)
    warnings = [f"{row.name}: {row.message}" for row in rows if not Status(row.status).is_fine]
    return CompareResult(
        rows=tuple(rows),
        data=plan.data,
        split=ready.split_text or "",
        caveat=CAVEAT,
        saved=tuple(saved),
        notes=ready.notes,
        warnings=(*ready.warnings, *warnings),
    )


def _compared(ready: Prepared, settings: Settings, progress: Callback | None) -> ComparedModel:
    trained = run(ready, settings, [], progress)
    result = trained.result
    if result.status is Status.INTERRUPTED:
        signal.raise_signal(result.signal or signal.SIGINT)  # a table of fewer models compares nothing
    assert ready.validation is not None
    validation = metrics_of(*ready.validation, trained.W, settings)
    apart, train = (
        losses_table(
            Objective(
                make_rows(X, y, None, n_classes=ready.n_classes, n_jobs=settings.n_jobs),
                settings.make_loss(),
                L2(0.0),
                settings.fit_intercept,
            ),
            trained.W,
            settings.margin,
        )
        for X, y in (ready.validation, (ready.X, ready.y))
    )
    last = result.history.last()
    return ComparedModel(
        name=settings.loss,
        status=str(result.status),
        message=outcome(ready, trained),
        accuracy=validation.accuracy,
        interval=validation.interval,
        log_loss=validation.log_loss,
        losses=apart.means,
        train_losses=train.means,
        zero_gradient=train.zero_gradient,
        n_train=train.n,
        passes=last["passes"],
        seconds=last["seconds"],
        certificate=float(result.certificate.value),
        tol=settings.target,
        certified=bool(result.certificate.meets(settings.target)),
        history=result.history,
    )
