"""One model on one split: fitted to some rows, judged on others; temperature and alpha come from the former."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.calibration import calibrated, fit_temperature
from softreg.comparison.contenders import Contender, Failed, Linear, LinearFit
from softreg.comparison.watching import Activity, activity, margins
from softreg.errors import DataError
from softreg.folds import folds
from softreg.kernels import all_logits
from softreg.losses import CrammerSinger, Softmax, WestonWatkins
from softreg.minimise import Status
from softreg.rows import make_rows, one_thread_blas
from softreg.scores import METRICS, all_scores, score
from softreg.separation import Separation
from softreg.training import ALPHAS

Array = NDArray[Any]

#: Folds inside the training rows: one temperature, or one of seven alphas, needs no more.
INNER_FOLDS = 3
#: Training rows beyond which one inner fold judges alpha and the temperature: it has thousands of rows then.
MANY_ROWS = 10_000
#: Metrics whose intervals and differences are told; a calibration error has no sound interval.
WITH_INTERVAL = tuple(name for name in METRICS if name != "calibration_error")
PROBABILITY_METRICS = tuple(name for name, metric in METRICS.items() if metric.needs_probabilities)


@dataclass(frozen=True)
class Manner:
    """How every model is judged: the same for all of them.

    Attributes
    ----------
    metric : str
        The primary one; ``tune`` chooses alpha by it.
    tune : bool
        Choose alpha of softreg's losses by cross-validation inside the training rows.
    seed : int
        Of the inner folds.
    margin : float
        Of the hinges by which every model is judged.
    """

    metric: str = "accuracy"
    tune: bool = False
    seed: int = 0
    margin: float = 1.0


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of one model on one split; ``error`` says why nothing did.

    Attributes
    ----------
    predicted : (m,) codes of the test rows, in their order
    Z, P, Q : (m, K) scores, the model's own probabilities, and calibrated ones; None where it has none
    scores : metric -> value, of the model's own probabilities
    calibrated : metric -> value, of the calibrated ones
    inverse_temperature : float or None
    bounded : bool
        Whether the inner rows were separated, so that a bound chose it.
    losses : mean softmax, Weston-Watkins and Crammer-Singer loss of the test rows; None without scores
    activity : Activity of the training rows, softreg's losses only
    """

    error: str | None = None
    seconds: float = 0.0
    predicted: Array | None = None
    Z: Array | None = None
    P: Array | None = None
    Q: Array | None = None
    scores: dict[str, float] | None = None
    calibrated: dict[str, float] | None = None
    inverse_temperature: float | None = None
    bounded: bool = False
    losses: tuple[float, float, float] | None = None
    activity: Activity | None = None
    norm: float | None = None
    alpha: float | None = None
    at_edge: bool = False
    passes: float | None = None
    certificate: float | None = None
    certified: bool | None = None
    status: str = ""
    message: str = ""
    loose: int = 0
    portrait: Portrait | None = None


@dataclass(frozen=True, eq=False)
class Portrait:
    """A softreg model seen while and after it was fitted to rows.

    Attributes
    ----------
    W : (p + 1, K) array
    history : columns of `softreg.minimise.History` and zero_gradient, inside_margin, norm
    unit : str
        Of its loss.
    margins, masses : (n,) arrays
        Of each training row z_y - max of the others, and half the sum of the gradient's absolute values.
    separation : Separation or None
        Of softmax without a penalty: which classes are told apart so well that no finite optimum exists.
    """

    W: Array
    history: dict[str, list[Any]]
    unit: str
    margins: Array
    masses: Array
    status: str
    message: str
    separation: Separation | None = None


def judge(
    contender: Contender,
    X: Any,
    y: Array,
    n_classes: int,
    test: tuple[Any, Array],
    manner: Manner,
    groups: Array | None = None,
    watch: bool = False,
) -> Outcome:
    """Fit ``contender`` to rows (X, y) and judge it on the rows of ``test``."""
    try:
        return _judged(contender, X, y, n_classes, test, manner, groups, watch)
    except Failed as error:
        return Outcome(error=str(error))


def _judged(
    contender: Contender,
    X: Any,
    y: Array,
    n_classes: int,
    test: tuple[Any, Array],
    manner: Manner,
    groups: Array | None,
    watch: bool,
) -> Outcome:
    tuned = manner.tune and isinstance(contender, Linear)
    apart = _out_of_fold(contender, X, y, n_classes, manner, groups, ALPHAS if tuned else (None,))
    chosen = _chosen(apart, manner.metric, n_classes)
    alpha = ALPHAS[chosen] if tuned else None
    started = time.perf_counter()
    fitted = contender.fit(X, y, n_classes, alpha, watch)
    seconds = time.perf_counter() - started
    X_test, y_test = test
    predicted, Z, P = fitted.predict(X_test)
    outcome = Outcome(
        seconds=seconds,
        predicted=predicted,
        Z=Z,
        P=P,
        scores=all_scores(y_test, predicted, P, n_classes),
        losses=None if Z is None else losses_of(Z, y_test, manner.margin),
        loose=apart.loose,
        alpha=alpha,
        at_edge=tuned and chosen in (0, len(ALPHAS) - 1),
    )
    if Z is not None and apart.Z[chosen] is not None:
        temperature = fit_temperature(apart.Z[chosen], apart.y)  # type: ignore[arg-type]
        Q = calibrated(Z, temperature)
        values = {name: score(name, y_test, predicted, Q, n_classes) for name in PROBABILITY_METRICS}
        outcome = replace(
            outcome,
            Q=Q,
            calibrated=values,
            inverse_temperature=temperature.inverse,
            bounded=temperature.bounded,
        )
    if isinstance(fitted, LinearFit):
        outcome = _with_proof(outcome, fitted, X, y, n_classes, manner)
        if fitted.watcher is not None:
            outcome = replace(outcome, portrait=portrait_of(fitted, X, y))
    return outcome


def _with_proof(outcome: Outcome, fitted: LinearFit, X: Any, y: Array, n_classes: int, manner: Manner) -> Outcome:
    """What is known of a softreg fit besides its predictions."""
    trained = fitted.trained
    result, settings = trained.result, fitted.settings
    rows = make_rows(fitted.columns(X), y, None, n_classes=n_classes, n_jobs=settings.n_jobs)
    with one_thread_blas():
        active = activity(rows, settings.make_loss(), trained.W, manner.margin)
    last = result.history.last()
    return replace(
        outcome,
        activity=active,
        norm=float(np.linalg.norm(trained.W[:-1])),
        alpha=trained.problem.alpha,
        passes=last["passes"],
        seconds=fitted.preparing + last["seconds"],
        certificate=float(result.certificate.value),
        certified=bool(result.certificate.meets(settings.target)) and result.status is not Status.SEPARATED,
        status=str(result.status),
        message=result.message,
    )


def losses_of(Z: Array, y: Array, margin: float) -> tuple[float, float, float]:
    """Mean softmax, Weston-Watkins and Crammer-Singer loss of scores."""
    losses = (Softmax(), WestonWatkins(margin=margin), CrammerSinger(margin=margin))
    values = [float(loss.value(Z, y).mean()) for loss in losses]
    return values[0], values[1], values[2]


def portrait_of(fitted: LinearFit, X: Any, y: Array) -> Portrait:
    """What the pictures show of a model whose fit was watched."""
    trained, settings = fitted.trained, fitted.settings
    assert fitted.watcher is not None
    loss = settings.make_loss()
    Z = all_logits(fitted.columns(X), trained.W)
    masses = 0.5 * np.abs(loss.value_grad(Z, y)[1]).sum(axis=1)
    return Portrait(
        W=trained.W,
        history=fitted.watcher.joined(trained.result.history),
        unit="nats per row" if settings.loss == "softmax" else "margin units per row",
        margins=margins(Z, y),
        masses=masses,
        status=str(trained.result.status),
        message=trained.result.message,
        separation=trained.separation,
    )


@dataclass(frozen=True, eq=False)
class Apart:
    """Inner rows, each judged by a fit that has not seen it, for each alpha tried.

    ``predicted`` (m,), ``Z`` and ``P`` (m, K) are lists with an entry for each alpha.
    """

    y: Array
    predicted: list[Array]
    Z: list[Array | None]
    P: list[Array | None]
    loose: int


def _out_of_fold(
    contender: Contender,
    X: Any,
    y: Array,
    n_classes: int,
    manner: Manner,
    groups: Array | None,
    alphas: tuple[float | None, ...],
) -> Apart:
    """Scores of training rows from inner folds: all of them, or the first where rows are many."""
    try:
        parts = folds(y, n_classes, INNER_FOLDS, manner.seed, groups)
    except DataError as error:
        raise Failed(f"inner folds of its training rows: {error}") from error
    if len(y) > MANY_ROWS:
        parts = parts[:1]
    found: list[list[tuple[Array, Array | None, Array | None]]] = [[] for _ in alphas]
    loose = 0
    for train, apart in parts:
        X_train, y_train, X_apart = X[train], y[train], X[apart]
        for i, alpha in enumerate(alphas):
            fitted = contender.fit(X_train, y_train, n_classes, alpha)
            found[i].append(fitted.predict(X_apart))
            if isinstance(fitted, LinearFit):
                loose += not fitted.trained.result.status.is_fine
    return Apart(
        y=np.concatenate([y[apart] for _, apart in parts]),
        predicted=[np.concatenate([one[0] for one in each]) for each in found],
        Z=[_joined([one[1] for one in each]) for each in found],
        P=[_joined([one[2] for one in each]) for each in found],
        loose=loose,
    )


def _joined(parts: list[Array | None]) -> Array | None:
    return None if any(part is None for part in parts) else np.concatenate(parts)  # type: ignore[arg-type]


def _chosen(apart: Apart, metric: str, n_classes: int) -> int:
    """The alpha of the best primary metric over the inner rows; of equal ones the largest."""
    if len(apart.predicted) == 1:
        return 0
    values = []
    for predicted, Z in zip(apart.predicted, apart.Z, strict=True):
        P = None
        if METRICS[metric].needs_probabilities:
            assert Z is not None
            P = calibrated(Z, fit_temperature(Z, apart.y))
        values.append(score(metric, apart.y, predicted, P, n_classes))
    return int(np.argmax(values) if METRICS[metric].greater_is_better else np.argmin(values))
