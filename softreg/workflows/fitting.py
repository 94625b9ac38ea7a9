"""Fit: from a table to a certified model, its metrics and its files."""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from softreg.certificate import Certificate
from softreg.errors import FitError
from softreg.metrics import Metrics, json_number
from softreg.minimise import Callback, Diverged, History, Status
from softreg.solvers import make_solver
from softreg.store import Model
from softreg.tables import TableOptions, label_text
from softreg.tables.numbered import Numbered
from softreg.tables.opening import Paths
from softreg.text import safe_text, short
from softreg.training import Problem, Settings, Trained, build, class_sums, train
from softreg.workflows.history import HistoryLog
from softreg.workflows.inputs import describe
from softreg.workflows.outputs import check_outputs, names_of
from softreg.workflows.preparing import Prepared, prepare

if TYPE_CHECKING:
    from softreg.workflows.tuning import TuneResult

LOSS_WORDS = {
    "softmax": "cross-entropy",
    "weston_watkins": "Weston-Watkins hinge",
    "crammer_singer": "Crammer-Singer hinge",
}


@dataclass(frozen=True)
class FitPlan:
    """What is known before the first step, each as a line of text; ``tol`` is the certificate's target."""

    data: str
    split: str | None
    tuning: str | None
    objective: str
    solver: str
    tol: float
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class FitResult:
    """What a fit came to.

    Attributes
    ----------
    model : Model
    plan : FitPlan
    history : History
        With seconds of solver time, which the model does not hold.
    status : Status
    message : str
    certificate : Certificate
    objective : float
    n_iter : int
    passes, seconds : float
        Passes over the data and time of the solver.
    train : Metrics
        Of the rows trained on: no estimate for new data.
    validation : Metrics or None
    notes, warnings : tuple of str
    saved : tuple of str
        The files written.
    next : str or None
        A command to go on with.
    signal : int or None
        What interrupted the fit.
    interrupted_path : str or None
        Where the model of an interrupted fit went.
    tuning : TuneResult or None
    """

    model: Model
    plan: FitPlan
    history: History
    status: Status
    message: str
    certificate: Certificate
    objective: float
    n_iter: int
    passes: float
    seconds: float
    train: Metrics
    validation: Metrics | None
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    saved: tuple[str, ...]
    next: str | None
    signal: int | None
    interrupted_path: str | None
    tuning: TuneResult | None

    def to_json(self) -> dict[str, Any]:
        """Plain values only."""
        model = self.model
        return {
            "status": str(self.status),
            "message": self.message,
            "objective": json_number(self.objective),
            "certificate": certificate_json(self.certificate),
            "tol": self.plan.tol,
            "n_iter": self.n_iter,
            "passes": json_number(self.passes),
            "seconds": json_number(self.seconds),
            "loss": model.loss,
            "alpha": model.alpha,
            "C": json_number(model.C),
            "solver": model.solver,
            "n_rows": model.n_rows,
            "n_features": len(model.W) - 1,
            "classes": model.classes.tolist(),
            "class_counts": model.class_counts.tolist(),
            "train": self.train.to_json(),
            "validation": None if self.validation is None else self.validation.to_json(),
            "plan": asdict(self.plan),
            "tuning": None if self.tuning is None else self.tuning.to_json(),
            "notes": list(self.notes),
            "warnings": list(self.warnings),
            "saved": list(self.saved),
            "next": self.next,
            "signal": self.signal,
            "interrupted_path": self.interrupted_path,
        }


def certificate_json(certificate: Certificate) -> dict[str, Any]:
    """The certificate's fields; None where nothing is proved."""
    numbers = {name: json_number(getattr(certificate, name)) for name in ("gap", "relative", "kkt")}
    return {"kind": certificate.kind, **numbers}


def fit(
    data: Paths,
    *,
    target: str | None = None,
    settings: Settings | None = None,
    options: TableOptions | None = None,
    validation: str | None = None,
    validation_fraction: float | None = None,
    group: str | None = None,
    tune: bool = False,
    output: str | None = None,
    plot: str | None = None,
    history: str | None = None,
    strict: bool = False,
    progress: Callback | None = None,
    on_plan: Callable[[FitPlan], None] | None = None,
    on_tuning: Callable[[int, int], None] | None = None,
) -> FitResult:
    """Fit a model to a table.

    Parameters
    ----------
    data : str or sequence of str
        File of a table, or several of one: CSV, TSV, JSON lines, Parquet, svmlight or npz; ``-`` is standard input.
    target : str, optional
        The column of labels; needed except for npz.
    settings : Settings, optional
        ``random_state`` also seeds the split.
    options : TableOptions, optional
        How the table is read, and what its columns are for.
    validation : str, optional
        File of validation rows.
    validation_fraction : float, optional
        The part of ``data`` to keep apart instead.
    group : str, optional
        Column whose equal values stay on one side of every split.
    tune : bool
        Choose alpha by cross-validation on the training rows first.
    output, plot, history : str, optional
        Files to write: the model, the loss curve (.png, .svg or .pdf), a CSV row for each iteration.
    strict : bool
        Refuse a fit that is neither certified, nor stationary, nor stopped early.
    progress : callable, optional
        ``(iterate, history)``, called after each iterate of the final fit; True asks to stop.
    on_plan : callable, optional
        Called once with the `FitPlan`, before the final fit.
    on_tuning : callable, optional
        Called while alpha is chosen: how many fits are done, and how many there are.

    Returns
    -------
    FitResult

    Raises
    ------
    UsageError, DataError, OutputError, ResourceError
        Before anything is trained, wherever that can be known.
    FitError
        The fit diverged, or ``strict`` is not met; ``output`` is left as it was.
    """
    settings = settings or Settings()
    check_outputs({"--output": output, "--plot": plot, "--history": history}, [*names_of(data), validation])
    ready = prepare(
        data,
        target=target,
        settings=settings,
        validation=validation,
        validation_fraction=validation_fraction,
        group=group,
        options=options,
    )
    tuned = None
    if tune:
        from softreg.workflows.tuning import tune_prepared

        tuned = tune_prepared(ready, settings, on_tuning)
        settings = replace(settings, alpha=tuned.alpha)
    plan = make_plan(ready, settings, None if tuned is None else tuned.text)
    if on_plan is not None:
        on_plan(plan)
    log = None if history is None else HistoryLog(history)
    try:
        trained = run(ready, settings, [] if log is None else [log], progress)
        if log is not None:
            log.complete(trained.result.history)
    finally:
        if log is not None:
            log.close()
    plain = settings == Settings() and options in (None, TableOptions()) and group is None
    return _finish(ready, settings, plan, tuned, trained, data, target, output, plot, log, strict, plain)


def run(ready: Prepared, settings: Settings, watchers: list[Any], progress: Callback | None) -> Trained:
    """Train on prepared rows; FitError where even the start is not finite or the solver diverged."""
    try:
        trained = train(
            ready.part.X,
            ready.part.y,
            ready.part.weight,
            settings,
            n_classes=ready.n_classes,
            validation=None if ready.kept is None else (ready.kept.X, ready.kept.y, ready.kept.weight),
            callbacks=[*watchers, *([] if progress is None else [progress])],
        )
    except Diverged as error:
        raise FitError(f"diverged: {error}{_calmer(settings)}") from error
    if trained.result.status is Status.DIVERGED:
        raise FitError(f"diverged: {trained.result.message}{_calmer(settings)}; nothing is saved")
    return trained


def _calmer(settings: Settings) -> str:
    return "" if settings.solver == "auto" or settings.learning_rate != "auto" else " (--solver auto)"


def _finish(
    ready: Prepared,
    settings: Settings,
    plan: FitPlan,
    tuned: TuneResult | None,
    trained: Trained,
    data: Paths,
    target: str | None,
    output: str | None,
    plot: str | None,
    log: HistoryLog | None,
    strict: bool,
    plain: bool,
) -> FitResult:
    result = trained.result
    message = outcome(ready, trained)
    interrupted = result.status is Status.INTERRUPTED
    if strict and not result.status.is_fine and not interrupted:
        raise FitError(f"{message} (--strict)")
    train_metrics = ready.part.metrics(trained.W, settings)
    validation_metrics = None if ready.kept is None else ready.kept.metrics(trained.W, settings)
    model = make_model(ready, trained, message, train_metrics, validation_metrics)
    saved: list[str] = []
    interrupted_path = None
    if output is not None and interrupted:
        if os.path.isfile(output) or not os.path.exists(output):  # of a pipe or device there is no old content to keep
            interrupted_path = f"{output}.interrupted"
            model.save(interrupted_path)
            saved.append(interrupted_path)
    elif output is not None:
        model.save(output)
        saved.append(output)
    if log is not None:
        log.check()  # the model is saved by now
        saved.append(log.path)
    if plot is not None and not interrupted:
        draw(plot, {"": result.history}, settings, message)
        saved.append(plot)
    last = result.history.last()
    return FitResult(
        model=model,
        plan=plan,
        history=result.history,
        status=result.status,
        message=message,
        certificate=result.certificate,
        objective=result.value,
        n_iter=result.n_iter,
        passes=last["passes"],
        seconds=last["seconds"],
        train=train_metrics,
        validation=validation_metrics,
        notes=tuple(_notes(settings, train_metrics, validation_metrics, result.status, tuned)),
        warnings=(*ready.warnings, *([] if tuned is None else tuned.warnings), *_warnings(trained, settings, message)),
        saved=tuple(saved),
        next=_next(ready, trained, data, target, output, plain),
        signal=result.signal if interrupted else None,
        interrupted_path=interrupted_path,
        tuning=tuned,
    )


# --- in words ----------------------------------------------------------------------------------------------------


def make_plan(ready: Prepared, settings: Settings, tuning: str | None = None) -> FitPlan:
    """What will be minimised and how, before it is."""
    # Without standardizing, which would read all the data: neither alpha nor the choice of a solver depends on it.
    problem = build(
        ready.part.X, ready.part.y, ready.part.weight, replace(settings, standardize=False), ready.n_classes
    )
    solver, reason = make_solver(
        settings.solver,
        problem.objective,
        learning_rate=settings.learning_rate,
        batch_size=settings.batch_size,
        momentum=settings.momentum,
        seed=settings.random_state,
    )
    chosen = f"{solver.name}: {reason} (--solver gd for plain gradient descent)" if reason else solver.name
    return FitPlan(
        data=describe(ready.rows),
        split=ready.split_text,
        tuning=tuning,
        objective=objective_text(problem, settings),
        solver=chosen,
        tol=settings.target,
        notes=ready.notes,
    )


def objective_text(problem: Problem, settings: Settings) -> str:
    """The objective as a formula with its numbers."""
    mean = f"mean {'squared ' * settings.squared}{LOSS_WORDS[settings.loss]}"
    if settings.loss != "softmax" and settings.margin != 1:
        mean += f" (margin {short(settings.margin)})"
    penalty = " + (alpha/2)·||W||²" if problem.alpha > 0 else ""
    numbers = f"alpha {short(problem.alpha)}" + (f" (C = {problem.C:.3g})" if problem.alpha > 0 else ": no penalty")
    parts = [numbers]
    if not settings.fit_intercept:
        parts.append("no intercept")
    elif problem.alpha > 0:
        parts.append("intercept not penalised")
    if settings.standardize:
        parts.append("columns standardized")
    if settings.class_weight is not None:
        parts.append("classes weighted")
    return f"{mean}{penalty}   {', '.join(parts)}"


def outcome(ready: Prepared, trained: Trained) -> str:
    """The status as a sentence; of separated classes, which and by what."""
    if trained.separation is None:
        return trained.result.message
    classes = [safe_text(label_text(label), 40) for label in ready.classes.tolist()]
    names = ready.rows.table.feature_names
    features = names if isinstance(names, Numbered) else [safe_text(name, 40) for name in names]
    return f"{trained.result.message}: {trained.separation.sentence(classes, features)}"


def _warnings(trained: Trained, settings: Settings, message: str) -> list[str]:
    """One for a fit that is not what was asked for, with what to do."""
    status = trained.result.status
    if status.is_fine or status is Status.INTERRUPTED:
        return []
    if status is Status.SEPARATED:
        advice = "a penalty, such as --alpha 1e-4, makes it finite"
    elif "max_iter" in message:
        advice = "raise --max-iter, or leave it out"
    elif "max_time" in message:
        advice = "raise --max-time, or leave it out"
    elif settings.solver != "auto":
        advice = "--solver auto goes further"
    else:
        advice = f"try {'' if settings.standardize else '--standardize, '}a larger --alpha, or a larger --tol"
    return [f"{message}; {advice}"]


def _notes(
    settings: Settings, train: Metrics, validation: Metrics | None, status: Status, tuned: TuneResult | None
) -> list[str]:
    if validation is None or train.loss is None or validation.loss is None:
        return []
    notes = []
    # Far apart: half as much again, and by more than such losses differ from split to split.
    if validation.loss > 1.5 * train.loss + 0.05:
        if tuned is not None:
            remedy = "more rows or fewer columns may help"
        elif settings.C is None:
            remedy = f"try --alpha {short(max(settings.alpha, 1e-4) * 100)}, or --tune"
        else:
            remedy = f"try --C {settings.C / 100:.3g}, or --tune"
        notes.append(f"validation loss far above training loss: {remedy}")
    if status is Status.STOPPED_EARLY and settings.early_stopping:
        notes.append("the validation rows also chose when to stop: their metrics flatter the model a little")
    return notes


def _next(
    ready: Prepared, trained: Trained, data: Paths, target: str | None, output: str | None, plain: bool
) -> str | None:
    """A command that leads on from here; ``plain``: data and target are all that this one was."""
    if trained.result.status is Status.INTERRUPTED:
        return None
    q = shlex.quote
    if output is None:
        column = "" if target is None else f" --target {q(target)}"
        apart = " --validation-fraction 0.2" if ready.validation is None else ""
        if not plain:
            return f"the same with{apart} --output model.softreg"
        files = " ".join(map(q, names_of(data)))
        return f"softreg fit {files}{column}{apart} --output model.softreg"
    names = ready.rows.table.feature_names
    side = math.isqrt(len(names))
    pixels = side * side == len(names) and side >= 4 and _are_pixels(names)
    shape = f" --shape {side}x{side}" if pixels else ""
    return f"softreg plot weights {q(output)}{shape} --output weights.png"


def _are_pixels(names: Sequence[str]) -> bool:
    """Names that differ in their numbers only, such as pixel_0_3, of which a picture may be made."""
    if isinstance(names, Numbered):
        return True
    first = _without_digits(names[0])
    return all(_without_digits(name) == first for name in names)


def _without_digits(name: str) -> str:
    return "".join(c for c in name if not c.isdigit())


# --- the model and the picture ------------------------------------------------------------------------------------


def make_model(ready: Prepared, trained: Trained, message: str, train: Metrics, validation: Metrics | None) -> Model:
    """Everything of a fit that goes into its file."""
    table, result, problem = ready.rows.table, trained.result, trained.problem
    standard = problem.standard
    return Model(
        W=np.asarray(trained.W, dtype=np.float64),
        classes=ready.classes,
        settings_json=problem.settings.to_json(),
        alpha=problem.alpha,
        C=problem.C,
        n_rows=len(ready.y),
        class_counts=class_sums(ready.part.y, ready.part.weight, ready.n_classes),
        objective=result.value,
        certificate=result.certificate,
        witness=result.witness,
        status=str(result.status),
        message=message,
        solver=trained.solver,
        feature_names=table.feature_names,
        recipe=table.recipe,
        fingerprint=table.fingerprint,
        mean=None if standard is None else standard.mean,
        scale=None if standard is None else standard.scale,
        history=result.history,
        metrics={"train": train.summary(), "validation": None if validation is None else validation.summary()},
        split=ready.split_record,
    )


def draw(path: str, histories: dict[str, Any], settings: Settings, note: str | None) -> None:
    """The loss curves of fits with these settings."""
    from softreg.plots import LossDisplay

    LossDisplay.from_histories(histories, unit=plot_unit(settings), note=note).save(path)


def plot_unit(settings: Settings) -> str:
    """The unit of the loss on a picture's axis."""
    if settings.loss == "softmax":
        return "nats per row"
    return "squared margin units per row" if settings.squared else "margin units per row"
