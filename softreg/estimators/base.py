"""fit, partial_fit and predict with scikit-learn's manners, the same for every loss."""

from __future__ import annotations

import signal
import warnings
from dataclasses import dataclass
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from softreg.certificate import Certificate, Witness
from softreg.estimators.inputs import (
    Targets,
    check_every_class_counts,
    check_features,
    check_labels,
    check_labels_among,
    check_soft_labels,
    check_weight,
    class_weight_by_code,
    keeps_columns_on_error,
    looks_soft,
)
from softreg.estimators.warn import ConvergenceWarning, next_step, sentence
from softreg.estimators.watch import CallbackSupportMixin, Progress, SklearnCallbacks, callback_context
from softreg.kernels import all_logits
from softreg.minimise import Callback, Diverged, Status
from softreg.objective import Objective
from softreg.penalties import L2
from softreg.rows import make_rows, one_thread_blas
from softreg.solvers import SOLVERS
from softreg.training import DEFAULT_ALPHA, Settings, Trained, class_sums, combined_weight, train

Array = NDArray[Any]


@dataclass(frozen=True)
class Solution:
    """What a model file needs beside the weights: how they were found, and what proves them."""

    settings: Settings
    alpha: float
    C: float
    solver: str
    n_rows: int
    class_counts: Array
    witness: Witness
    standard: tuple[Array, Array] | None  # mean and scale of the columns


class LinearClassifier(CallbackSupportMixin, ClassifierMixin, BaseEstimator):
    """z = W'x + b and the class of the largest z_k; subclasses say which loss W minimises."""

    _accepts_soft_labels = False

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "alpha": [Interval(Real, 0, None, closed="left")],
        "C": [Interval(Real, 0, None, closed="right"), None],
        "fit_intercept": ["boolean"],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "solver": [StrOptions(set(SOLVERS))],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto", "lipschitz"})],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "max_iter": [Interval(Integral, 0, None, closed="left"), None],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
        "tol": [Interval(Real, 0, None, closed="left")],
        "standardize": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _loss_settings(self) -> dict[str, Any]:
        """The fields of `Settings` that say which loss is minimised."""
        raise NotImplementedError

    def _settings(self, classes: Array, seed: int) -> Settings:
        # As plain Python numbers: they end in a model file's JSON.
        rate = self.learning_rate
        endless = self.C is not None and np.isposinf(self.C) and self.alpha == DEFAULT_ALPHA  # no penalty at all
        return Settings(
            **self._loss_settings(),
            alpha=0.0 if endless else float(self.alpha),
            C=None if self.C is None or endless else float(self.C),
            fit_intercept=bool(self.fit_intercept),
            class_weight=class_weight_by_code(self.class_weight, classes),
            solver=self.solver,
            learning_rate=rate if isinstance(rate, str) else float(rate),
            batch_size=int(self.batch_size),
            momentum=float(self.momentum),
            max_iter=None if self.max_iter is None else int(self.max_iter),
            max_time=None if self.max_time is None else float(self.max_time),
            tol=None if self.tol is None else float(self.tol),
            standardize=bool(self.standardize),
            early_stopping=bool(self.early_stopping),
            n_iter_no_change=int(self.n_iter_no_change),
            random_state=seed,
            n_jobs=None if self.n_jobs is None else int(self.n_jobs),
        )

    def _seed(self, drawn: bool) -> int:
        """An integer seed; scikit-learn's global generator is touched only where something is ``drawn``."""
        if isinstance(self.random_state, Integral):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1)) if drawn else 0

    # --- fitting ---

    @_fit_context(prefer_skip_nested_validation=True)
    @keeps_columns_on_error
    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None) -> Self:
        """Find the weights of lowest objective, and a certificate of how near the lowest they are.

        Parameters
        ----------
        X : array, CSR matrix or frame of shape (n, p)
            Finite numbers of any numeric type; they are converted a block of rows at a time.
        y : array of shape (n,)
            Labels: text, numbers or booleans.  `SoftmaxRegression` also takes distributions over the classes,
            (n, K) with K >= 2, rows >= 0 that sum to 1.
        sample_weight : array of shape (n,), optional
            Weights >= 0: a row of weight 2 counts as that row twice.
        X_val, y_val : optional
            Rows kept apart: their loss and accuracy join ``history_`` and decide ``early_stopping``.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For data that cannot be learned from, and parameters that do not go together.

        Warns
        -----
        ConvergenceWarning
            When the fit ended neither certified, nor stationary, nor by early stopping.
        """
        start = self._start_of_warm_fit()
        X = check_features(self, X, reset=True)
        if start is not None:
            self._check_same_width(start[1], X)
        targets = self._check_targets(X, y)
        weight = check_weight(sample_weight, X)
        validation = self._check_validation(X_val, y_val, targets)
        seed = self._seed(drawn=self.solver in ("sgd", "adam") or (self.early_stopping and validation is None))
        settings = self._settings(targets.classes, seed)
        if self.early_stopping and validation is None:
            X, targets, weight, validation = self._split(X, targets, weight, seed)
        total = combined_weight(targets.y, weight, settings.class_weight, len(targets.classes))
        check_every_class_counts(targets, total)
        self._check_same_classes(start, targets.classes)

        data = {"X": X, "y": y, "metadata": None if weight is None else {"sample_weight": weight}}
        context = callback_context(self, settings.max_iter)
        callbacks: list[Callback] = []
        if self.verbose:
            callbacks.append(Progress(type(self).__name__, int(self.verbose)))
        if context is not None:
            context.call_on_fit_task_begin(estimator=self, **data)
            if hasattr(self, "_skl_callbacks"):
                attributes = lambda W: self._weight_attributes(W, targets.classes)  # noqa: E731
                callbacks.append(SklearnCallbacks(context, self, data, attributes))
        try:
            trained = train(
                X,
                targets.y,
                weight,
                settings,
                n_classes=len(targets.classes),
                validation=validation,
                W0=None if start is None else start[1],
                callbacks=callbacks,
            )
        except Diverged as error:
            raise ValueError(str(error)) from error
        self._keep(trained, targets, weight)
        if context is not None:
            context.call_on_fit_task_end(estimator=self, **data, reconstruction_attributes={})
        self._report(trained)
        return self

    def _check_targets(self, X: Any, y: Any) -> Targets:
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        if self._accepts_soft_labels and looks_soft(y):
            return check_soft_labels(X, y)
        return check_labels(X, y)

    def _check_validation(self, X_val: Any, y_val: Any, targets: Targets) -> tuple[Any, Array, None] | None:
        if (X_val is None) != (y_val is None):
            missing = "y_val" if y_val is None else "X_val"
            raise ValueError(f"{missing} is missing: validation rows need both X_val and y_val")
        if X_val is None:
            return None
        X_val = check_features(self, X_val, reset=False)
        if self._accepts_soft_labels and looks_soft(y_val):
            return X_val, check_soft_labels(X_val, y_val, targets.classes).y, None
        return X_val, check_labels_among(X_val, y_val, targets.classes, "y_val"), None

    def _split(self, X: Any, targets: Targets, weight: Array | None, seed: int) -> tuple[Any, ...]:
        """Rows to train on, and rows kept apart for early stopping: every class in both, in its proportion."""
        kept, apart = train_test_split(
            np.arange(len(targets.y)),
            test_size=self.validation_fraction,
            stratify=None if targets.is_soft else targets.y,
            random_state=seed,
        )
        kept.sort()
        apart.sort()
        weights = (None, None) if weight is None else (weight[kept], weight[apart])
        if weights[1] is not None and not weights[1].any():
            raise ValueError("every validation row drawn has weight zero: raise validation_fraction, or give X_val")
        validation = (X[apart], targets.y[apart], weights[1])
        return X[kept], Targets(targets.classes, targets.y[kept]), weights[0], validation

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_weights")

    def _start_of_warm_fit(self) -> tuple[Array, Array] | None:
        """The classes and weights to go on from, before this fit replaces them."""
        if not (self.warm_start and hasattr(self, "_weights")):
            return None
        return self.classes_, self._weights

    def _check_same_width(self, W: Array, X: Any) -> None:
        if len(W) != X.shape[1] + 1:
            raise ValueError(
                f"warm_start=True goes on from a fit of {len(W) - 1} features, "
                f"X has {X.shape[1]} features: set warm_start=False to start anew"
            )

    def _check_same_classes(self, start: tuple[Array, Array] | None, classes: Array) -> None:
        if start is None:
            return
        before = start[0]
        if before.tolist() != classes.tolist():
            raise ValueError(
                f"warm_start=True goes on from a fit of classes {before.tolist()[:20]}, "
                f"y has classes {classes.tolist()[:20]}: set warm_start=False to start anew"
            )

    def _weight_attributes(self, W: Array, classes: Array) -> dict[str, Any]:
        """The fitted attributes that predict; two classes show the difference of their columns."""
        shown = W[:, 1:] - W[:, :1] if len(classes) == 2 else W
        return {
            "_weights": W,
            "classes_": classes,
            "coef_": np.ascontiguousarray(shown[:-1].T),
            "intercept_": shown[-1].copy(),
        }

    def _keep(self, trained: Trained, targets: Targets, weight: Array | None) -> None:
        """Set every fitted attribute, all at once."""
        result, problem = trained.result, trained.problem
        standard = problem.standard
        self.__dict__.pop("_velocity", None)
        for name, value in self._weight_attributes(trained.W, targets.classes).items():
            setattr(self, name, value)
        self._solution = Solution(
            settings=problem.settings,
            alpha=problem.alpha,
            C=problem.C,
            solver=trained.solver,
            n_rows=len(targets.y),
            class_counts=class_sums(targets.y, weight, len(targets.classes)),
            witness=result.witness,
            standard=None if standard is None else (standard.mean, standard.scale),
        )
        self.n_iter_: int = max(result.n_iter, 1)
        self.history_ = dict(result.history)
        self.loss_curve_ = list(result.history["objective"])
        self.objective_ = float(result.value)
        self._set_certificate(result.certificate)
        self.separation_ = trained.separation
        self.status_ = str(result.status)
        names = self._feature_names() if trained.separation else []
        self.message_ = sentence(trained, targets.classes.tolist(), names)

    def _set_certificate(self, certificate: Certificate | None) -> None:
        """The certificate and its numbers, NaN where there are none."""
        numbers = (None,) * 3 if certificate is None else (certificate.gap, certificate.relative, certificate.kkt)
        self.certificate_ = certificate
        self.dual_gap_, self.relative_gap_, self.kkt_residual_ = (
            float("nan" if number is None else number) for number in numbers
        )

    def _feature_names(self) -> list[str]:
        names = getattr(self, "feature_names_in_", None)
        return [f"x{j}" for j in range(self.n_features_in_)] if names is None else list(names)

    def _report(self, trained: Trained) -> None:
        result = trained.result
        if result.status is Status.INTERRUPTED and result.signal not in (None, signal.SIGINT):
            signal.raise_signal(result.signal)  # asked to end, not only to stop fitting
        if self.verbose:
            why = f" ({trained.reason})" if trained.reason else ""
            print(f"[{type(self).__name__}] {trained.solver}{why}: {self.message_}", flush=True)
        if not result.status.is_fine:
            step = next_step(result, trained.problem.settings)
            warnings.warn(f"{self.message_}; {step}", ConvergenceWarning, stacklevel=4)

    @_fit_context(prefer_skip_nested_validation=True)
    @keeps_columns_on_error
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """One epoch of mini-batch gradient steps with momentum over these rows, from the weights there are.

        V <- momentum · V - rate · grad F(batch), W <- W + V, the rows in random order, ``batch_size`` at a time;
        V is carried from call to call.  rate is ``learning_rate``, or with "auto" (1 - momentum)/L for the bound L
        on the curvature over these rows (0.1 where the loss has none).  ``solver`` is not used, and nothing is
        certified.

        Parameters
        ----------
        X : array, CSR matrix or frame of shape (n, p)
        y : array of shape (n,)
            Labels, all among the classes.
        classes : array of shape (K,), optional
            Every label there will be; needed by the first call.
        sample_weight : array of shape (n,), optional

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For labels that are not among the classes, and for parameters that need all rows at once: ``C``,
            ``class_weight="balanced"``, ``standardize`` and ``early_stopping``.
        """
        first = not hasattr(self, "_weights")
        if first and classes is None:
            raise ValueError("the first call of partial_fit needs classes: every label there will be")
        for name, needs_all in (
            ("C", self.C is not None),
            ("class_weight='balanced'", isinstance(self.class_weight, str)),
            ("standardize", self.standardize),
            ("early_stopping", self.early_stopping),
        ):
            if needs_all:
                raise ValueError(f"{name} needs all rows at once, which partial_fit does not see: leave it out")
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        X = check_features(self, X, reset=first)
        if classes is not None:
            classes = np.unique(classes)
            if len(classes) < 2:
                raise ValueError("classes has only one class: at least two classes are needed")
            if not first and classes.tolist() != self.classes_.tolist():
                raise ValueError(
                    f"classes={classes.tolist()[:20]} are not those of before, {self.classes_.tolist()[:20]}"
                )
        known = classes if first else self.classes_
        if self._accepts_soft_labels and looks_soft(y):
            codes = check_soft_labels(X, y, known).y
        else:
            codes = check_labels_among(X, y, known, "y")
        weight = check_weight(sample_weight, X)
        self._epoch(X, codes, weight, known)
        return self

    def _epoch(self, X: Any, y: Array, weight: Array | None, classes: Array) -> None:
        seed = self._seed(drawn=True)
        settings = self._settings(classes, seed)
        total = combined_weight(y, weight, settings.class_weight, len(classes))
        rows = make_rows(X, y, total, n_classes=len(classes), n_jobs=settings.n_jobs)
        if not rows.total_weight > 0:  # only classes of weight zero: nothing to learn from
            for name, attribute in self._weight_attributes(np.zeros((X.shape[1] + 1, len(classes))), classes).items():
                self.__dict__.setdefault(name, attribute)
            return
        objective = Objective(rows, settings.make_loss(), L2(settings.alpha), settings.fit_intercept)
        W = getattr(self, "_weights", objective.zeros())
        V = getattr(self, "_velocity", np.zeros_like(W))
        calls = len(self.loss_curve_) if hasattr(self, "loss_curve_") else 0
        rng = np.random.default_rng([seed, calls])
        with one_thread_blas(), np.errstate(over="ignore", invalid="ignore"):
            rate = settings.learning_rate
            if isinstance(rate, str):
                bound = objective.curvature()
                rate = (1 - settings.momentum) / bound if np.isfinite(bound) else 0.1
            for batch in objective.batches(settings.batch_size, rng):
                if batch.rows.total_weight > 0:
                    V = settings.momentum * V - rate * batch.value_grad(W)[1]
                    W = W + V
            value = objective.value(W) if np.isfinite(W).all() else np.inf
        if not np.isfinite(value):
            raise ValueError(f"partial_fit diverged at learning_rate {rate:g}: try {rate / 10:g}, or auto")
        for name, attribute in self._weight_attributes(W, classes).items():
            setattr(self, name, attribute)
        went_on = hasattr(self, "_velocity")
        self._velocity = V
        self.n_iter_ = getattr(self, "n_iter_", 0) + 1
        self.loss_curve_ = [*getattr(self, "loss_curve_", []), value]
        self.objective_ = value
        self._set_certificate(None)
        self.separation_ = None
        iterations = range(self.n_iter_ + 1 - len(self.loss_curve_), self.n_iter_ + 1)
        self.history_ = {"iteration": list(iterations), "objective": self.loss_curve_}
        self.status_ = str(Status.NOT_CERTIFIED)
        self.message_ = f"not certified: partial_fit saw {rows.shape[0]} rows; call fit for a certificate"
        seen, counts = rows.shape[0], class_sums(y, weight, len(classes))
        if went_on:  # from earlier calls, not from a fit
            seen, counts = seen + self._solution.n_rows, counts + self._solution.class_counts
        factor = 2.0 if settings.loss == "softmax" and len(classes) == 2 else 1.0
        self._solution = Solution(
            settings=settings,
            alpha=settings.alpha,
            C=factor / (settings.alpha * rows.total_weight) if settings.alpha > 0 else np.inf,
            solver="sgd",
            n_rows=seen,
            class_counts=counts,
            witness=Witness(),
            standard=None,
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Write the fitted model to one file, whole or not at all; `softreg.load` reads it.

        Parameters
        ----------
        path : path
            Replaced if it is a softreg model.

        Raises
        ------
        softreg.errors.OutputError
            The file cannot be written, or is there and no softreg model.
        """
        from softreg.estimators.model_file import to_model  # here, for it knows this class

        check_is_fitted(self)
        to_model(self).save(Path(path))

    # --- predicting ---

    def _logits(self, X: Any) -> tuple[Array, Any]:
        """(n, K) logits in float64, and the type of X."""
        check_is_fitted(self)
        X = check_features(self, X, reset=False)
        return all_logits(X, self._weights), X.dtype

    def decision_function(self, X: Any) -> Array:
        """Logits z = W'x + b, float64.

        Parameters
        ----------
        X : array, CSR matrix or frame of shape (n, p)

        Returns
        -------
        array of shape (n, K); for two classes (n,), z₁ - z₀
        """
        Z, _ = self._logits(X)
        return Z[:, 1] - Z[:, 0] if Z.shape[1] == 2 else Z

    def predict(self, X: Any) -> Array:
        """The label of the largest logit of each row.

        Parameters
        ----------
        X : array, CSR matrix or frame of shape (n, p)

        Returns
        -------
        array of shape (n,), of the type of ``classes_``
        """
        Z, _ = self._logits(X)
        return self.classes_[Z.argmax(axis=1)]


__all__ = ["DEFAULT_ALPHA", "LinearClassifier", "Solution"]
