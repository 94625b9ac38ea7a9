"""From arrays and settings to a fitted W with its certificate: what the estimators and the command line share.

No scikit-learn: labels are already class codes 0 … K-1, X is an array or a CSR matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.callbacks import EarlyStopping, Validation
from softreg.errors import DataError
from softreg.losses import LOSSES, Loss, Softmax
from softreg.minimise import Callback, Result, Status, describe, minimise
from softreg.objective import Objective
from softreg.penalties import L2
from softreg.rows import Rows, StandardizedRows, make_rows, one_thread_blas
from softreg.rows.repeated import without_repeats
from softreg.separation import Separation, find_separation
from softreg.solvers import SOLVERS, make_solver
from softreg.solvers.finish import newton_certificate
from softreg.solvers.newton import Newton

Array = NDArray[Any]

DEFAULT_ALPHA = 1e-4
#: What a search for alpha tries, from large to small: a fit that starts from the one before has a short way.
ALPHAS = (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
#: Solvers that meet rows a few at a time: a row that stands for many would make their steps uneven.
ONE_ROW_AT_A_TIME = ("sgd", "adam")


@dataclass(frozen=True)
class Settings:
    """Everything that decides a fit, under the names that flags, configuration keys and estimators use.

    Parameters
    ----------
    loss : {"softmax", "weston_watkins", "crammer_singer"}
    squared : bool
        Square each hinge term; hinges only.
    margin : float
        Δ of the hinges.
    alpha : float
        Strength of the penalty alpha/2·||W||² on the *mean* loss.
    C : float, optional
        Alias: alpha = 1/(C·Σs), or 2/(C·Σs) for the softmax of two classes, s the weights (scikit-learn's C).
    fit_intercept : bool
    class_weight : dict of class code to weight, "balanced", or None
    solver : str
        One of ``softreg.solvers.SOLVERS``.
    learning_rate : float or "auto"
    batch_size : int
    momentum : float
    max_iter, max_time : int, float (seconds), optional
        None: until certified or stalled.
    tol : float, optional
        Target of the certificate, relative; None: 1e-6, and 1e-3 for hinges that are not squared.
    standardize : bool
        Penalise the weights of columns brought to mean 0 and spread 1; coefficients stay on the raw scale.
    early_stopping : bool
    n_iter_no_change : int
    random_state : int
        Seed of the stochastic solvers.
    n_jobs : int, optional
        Threads; changes speed only.
    """

    loss: str = "softmax"
    squared: bool = False
    margin: float = 1.0
    alpha: float = DEFAULT_ALPHA
    C: float | None = None
    fit_intercept: bool = True
    class_weight: dict[int, float] | str | None = None
    solver: str = "auto"
    learning_rate: float | str = "auto"
    batch_size: int = 256
    momentum: float = 0.9
    max_iter: int | None = None
    max_time: float | None = None
    tol: float | None = None
    standardize: bool = False
    early_stopping: bool = False
    n_iter_no_change: int = 10
    random_state: int = 0
    n_jobs: int | None = None

    def __post_init__(self) -> None:
        _check(self.loss in LOSSES, f"loss={self.loss!r}: one of {', '.join(LOSSES)}")
        _check(self.solver in SOLVERS, f"solver={self.solver!r}: one of {', '.join(SOLVERS)}")
        _check(not (self.squared and self.loss == "softmax"), "squared=True needs a hinge loss, not softmax")
        _check(np.isfinite(self.margin) and self.margin > 0, f"margin={self.margin!r}: a number above 0")
        _check(np.isfinite(self.alpha) and self.alpha >= 0, f"alpha={self.alpha!r}: a number, 0 or above")
        _check(self.C is None or 0 < self.C < np.inf, f"C={self.C!r}: a number above 0 (no penalty is alpha=0)")
        both = self.C is not None and self.alpha != DEFAULT_ALPHA
        _check(not both, f"C={self.C!r} and alpha={self.alpha!r} set the same thing: give one of them")
        rate = self.learning_rate
        _check(
            rate in ("auto", "lipschitz") if isinstance(rate, str) else np.isfinite(rate) and rate > 0,
            f"learning_rate={rate!r}: a number above 0, auto, or lipschitz",
        )
        _check(self.batch_size >= 1, f"batch_size={self.batch_size!r}: 1 or above")
        _check(0 <= self.momentum < 1, f"momentum={self.momentum!r}: from 0 to below 1")
        _check(self.max_iter is None or self.max_iter >= 0, f"max_iter={self.max_iter!r}: 0 or above")
        _check(self.max_time is None or self.max_time > 0, f"max_time={self.max_time!r}: a number above 0")
        _check(self.tol is None or self.tol >= 0, f"tol={self.tol!r}: a number, 0 or above")
        _check(self.n_iter_no_change >= 1, f"n_iter_no_change={self.n_iter_no_change!r}: 1 or above")
        _check(self.n_jobs is None or self.n_jobs != 0, "n_jobs=0: a number of threads, or -1 for all cores")

    def make_loss(self) -> Loss:
        if self.loss == "softmax":
            return Softmax()
        return LOSSES[self.loss](margin=self.margin, squared=self.squared)  # type: ignore[call-arg]

    @property
    def target(self) -> float:
        """``tol``, or its default for the loss."""
        if self.tol is not None:
            return self.tol
        return 1e-6 if self.loss == "softmax" or self.squared else 1e-3

    def to_json(self) -> dict[str, Any]:
        """Settings that decide the answer: ``n_jobs`` changes speed only and is left out."""
        return {name: value for name, value in asdict(self).items() if name != "n_jobs"}

    @classmethod
    def from_json(cls, header: dict[str, Any]) -> Settings:
        known = {f.name for f in fields(cls)}
        values = {name: value for name, value in header.items() if name in known}
        weights = values.get("class_weight")
        if isinstance(weights, dict):  # JSON keys are text
            values["class_weight"] = {int(code): float(w) for code, w in weights.items()}
        return cls(**values)


def _check(holds: Any, message: str) -> None:
    if not holds:
        raise ValueError(message)


@dataclass(frozen=True)
class Problem:
    """An objective built from data and settings, in the coordinates it is solved in."""

    objective: Objective
    settings: Settings
    alpha: float
    C: float
    standard: StandardizedRows | None

    def to_raw(self, W: Array) -> Array:
        return W if self.standard is None else self.standard.to_raw(W)

    def from_raw(self, W: Array) -> Array:
        return W if self.standard is None else self.standard.from_raw(W)


@dataclass(frozen=True)
class Trained:
    """A fit: raw-scale weights, the result in the coordinates that were solved in, and what led to it.

    Attributes
    ----------
    W : (p + 1, K) array
        On the raw columns, last row the intercept.
    result : Result
    problem : Problem
    solver, reason : str
    separation : Separation or None
    """

    W: Array
    result: Result
    problem: Problem
    solver: str
    reason: str
    separation: Separation | None = None


def build(
    X: Any,
    y: Array,
    weight: Array | None,
    settings: Settings,
    n_classes: int,
    standard: tuple[Array, Array] | None = None,
) -> Problem:
    """The objective of these data under these settings.

    Parameters
    ----------
    X : (n, p) array or CSR matrix, finite
    y : (n,) class codes, or (n, K) target distributions (softmax only)
    weight : (n,) array or None
    settings : Settings
    n_classes : int
    standard : (mean, scale), optional
        Of columns standardized before, to rebuild the same objective; else they are measured.

    Raises
    ------
    DataError
        A class without a row of positive weight, weights that are all zero.
    """
    weight = combined_weight(y, weight, settings.class_weight, n_classes)
    loss = settings.make_loss()
    rows: Rows = make_rows(X, y, weight, n_classes=n_classes, n_jobs=settings.n_jobs)
    _check_classes(rows)
    factor = 2.0 if settings.loss == "softmax" and n_classes == 2 else 1.0
    total = rows.total_weight
    alpha = settings.alpha if settings.C is None else factor / (settings.C * total)
    C = factor / (alpha * total) if alpha > 0 else np.inf
    objective = Objective(rows, loss, L2(alpha), settings.fit_intercept)
    wrapped = None
    if settings.standardize or standard is not None:
        if standard is None:
            with one_thread_blas():
                moments = objective.moments
            standard = (moments.mean, np.where(moments.scale > 0, moments.scale, 1.0))
        mean = standard[0] if settings.fit_intercept else np.zeros_like(standard[0])
        wrapped = StandardizedRows(rows, mean, standard[1])
        objective = Objective(wrapped, loss, L2(alpha), settings.fit_intercept)
    return Problem(objective, settings, alpha, C, wrapped)


def combined_weight(y: Array, weight: Array | None, class_weight: Any, n_classes: int) -> Array | None:
    """Row weights times class weights; "balanced" gives every class the same total."""
    if class_weight is None:
        return weight
    if y.ndim == 2:
        raise ValueError("class_weight needs class labels, not soft labels")
    s = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=np.float64)
    if isinstance(class_weight, str):
        _check(class_weight == "balanced", f"class_weight={class_weight!r}: balanced, or a weight for each class")
        counts = np.bincount(y, weights=s, minlength=n_classes)
        per_class = np.divide(s.sum() / n_classes, counts, out=np.ones(n_classes), where=counts > 0)
    else:
        per_class = np.ones(n_classes)
        for code, value in class_weight.items():
            per_class[code] = value
    return s * per_class[y]


def class_sums(y: Array, weight: Array | None, n_classes: int) -> Array:
    """Rows of each class, or their shares of soft labels; a row of weight 2 is two."""
    if y.ndim == 2:
        return y.sum(axis=0) if weight is None else weight @ y
    return np.bincount(y, weight, minlength=n_classes)


def _check_classes(rows: Rows) -> None:
    if rows.weight is not None and not rows.total_weight > 0:
        raise DataError("sample weights are all zero: no row counts")
    if rows.y.ndim == 2:
        totals = rows.y.sum(axis=0) if rows.weight is None else rows.weight @ rows.y
    else:
        totals = np.bincount(rows.y, weights=rows.weight, minlength=rows.n_classes)
    empty = np.flatnonzero(~(totals > 0))
    if len(totals) - len(empty) < 2:
        raise DataError("only one class has rows of positive weight: at least two classes are needed")
    if len(empty):
        raise DataError(f"class number {empty[0]} has no row of positive weight: remove the class or weigh its rows")


def train(
    X: Any,
    y: Array,
    weight: Array | None = None,
    settings: Settings | None = None,
    *,
    n_classes: int | None = None,
    validation: tuple[Any, Array, Array | None] | None = None,
    W0: Array | None = None,
    callbacks: Sequence[Callback] = (),
) -> Trained:
    """Fit W to the data.

    Parameters
    ----------
    X, y, weight, settings, n_classes
        As for `build`; ``n_classes`` is the largest code + 1 unless given.
    validation : (X, y, weight), optional
        Rows kept apart: their loss and accuracy join the history; needed by ``early_stopping``.
    W0 : (p + 1, K) array, optional
        Raw-scale starting point; its intercept is left out where none is fitted.
    callbacks : sequence of ``(iterate, history) -> bool | None``
        The iterate's W is on the raw columns, as the result's will be.

    Returns
    -------
    Trained

    Raises
    ------
    ValueError
        Settings that do not go together; DataError (a ValueError) for data that cannot be learned from.
    softreg.minimise.Diverged
        The objective is not finite even at the start.
    """
    settings = settings or Settings()
    y = np.asarray(y)
    if y.ndim == 2 and settings.loss != "softmax":
        raise ValueError(f"soft labels need loss softmax, not {settings.loss}")
    if n_classes is None:
        n_classes = y.shape[1] if y.ndim == 2 else int(y.max()) + 1
    which = None
    if settings.solver not in ONE_ROW_AT_A_TIME:
        X, y, weight, which = without_repeats(X, y, weight)
    problem = build(X, y, weight, settings, n_classes)
    objective = problem.objective
    solver, reason = make_solver(
        settings.solver,
        objective,
        learning_rate=settings.learning_rate,
        batch_size=settings.batch_size,
        momentum=settings.momentum,
        seed=settings.random_state,
        accuracy=settings.target,
    )
    watchers: list[Callback] = []
    stopping = None
    if validation is not None:
        X_val, y_val, weight_val = validation
        kept: Rows = make_rows(X_val, y_val, weight_val, n_classes=n_classes, n_jobs=settings.n_jobs)
        if problem.standard is not None:
            kept = StandardizedRows(kept, problem.standard.mean, problem.standard.scale)
        watchers.append(Validation(kept, objective.loss))
        if settings.early_stopping:
            stopping = EarlyStopping(settings.n_iter_no_change)
            watchers.append(stopping)
    elif settings.early_stopping:
        raise ValueError("early_stopping needs validation rows")
    if W0 is not None:
        W0 = problem.from_raw(W0)
        if not settings.fit_intercept and W0[-1].any():
            W0 = np.vstack([W0[:-1], np.zeros_like(W0[-1:])])
    result = minimise(
        objective,
        solver,
        W0,
        tol=settings.target,
        max_iter=settings.max_iter,
        max_time=settings.max_time,
        callbacks=[*watchers, *(_on_raw_columns(callback, problem) for callback in callbacks)],
        certify_at_end=newton_certificate,
    )
    if stopping is not None and stopping.asked and result.status is Status.STOPPED_EARLY:
        best = stopping.best
        assert best is not None
        assert best.certificate is not None
        message = f"stopped early: no lower validation loss in {settings.n_iter_no_change} iterations"
        result = replace(
            result,
            W=best.W,
            value=best.value,
            certificate=best.certificate,
            witness=best.witness,
            message=describe(result.status, message, best.certificate, settings.target),
        )
    if which is not None and result.witness.dual is not None:
        result = replace(result, witness=replace(result.witness, dual=result.witness.dual.repeated(which)))
    separation = None
    if problem.alpha == 0 and settings.loss == "softmax" and result.status in (Status.STATIONARY, Status.NOT_CERTIFIED):
        separation = _separation(objective, result)
        if separation is not None:
            result = replace(result, status=Status.SEPARATED, message="no finite optimum exists without a penalty")
    return Trained(problem.to_raw(result.W), result, problem, solver.name, reason, separation)


def _on_raw_columns(callback: Callback, problem: Problem) -> Callback:
    """What the caller watches are its own columns, whatever coordinates are solved in."""
    if problem.standard is None:
        return callback
    return lambda iterate, history: callback(replace(iterate, W=problem.to_raw(iterate.W)), history)


def _separation(objective: Objective, result: Result) -> Separation | None:
    """What the fit's own direction proves, or else the direction of Newton's steps from where it ended."""
    with one_thread_blas():
        found = find_separation(objective, result.W, result.W)
        if found is None:
            points: list[Array] = []
            minimise(objective, Newton(), result.W, tol=1e-9, max_iter=30, callbacks=[lambda i, h: points.append(i.W)])
            if len(points) > 1:
                found = find_separation(objective, points[-1], points[-1] - points[-2])
    return found
