"""What is compared: linear models of softreg, and classifiers of scikit-learn's manner, under one face."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from softreg.comparison.watching import Watcher
from softreg.kernels import all_logits
from softreg.minimise import Diverged, Status
from softreg.rows import make_rows
from softreg.softmax import softmax
from softreg.text import short
from softreg.training import Settings, Trained, train

Array = NDArray[Any]


class Failed(Exception):
    """A model that could not be fitted; the message says why.  The others go on."""


class Fitted(Protocol):
    """A contender after its fit: scores, their classes, and perhaps probabilities."""

    def predict(self, X: Any) -> tuple[Array, Array | None, Array | None]:
        """Codes (n,); scores (n, K) that a temperature may turn into probabilities; probabilities (n, K).

        Scores and probabilities are None where the model has none of its own.
        """
        ...


class Contender(Protocol):
    """A model to compare: a name, and how it is fitted to rows with class codes."""

    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...

    def fit(self, X: Any, y: Array, n_classes: int, alpha: float | None = None, watch: bool = False) -> Fitted:
        """Fit to rows with class codes, with another alpha where it has one; raises `Failed`."""
        ...


@dataclass(frozen=True, eq=False)
class LinearFit:
    """A softreg model on the columns that ``prepared`` makes of X; ``watcher`` has seen its fit.

    ``preparing``: seconds that the transformer took to learn and to prepare the rows.
    """

    trained: Trained
    prepared: Any
    settings: Settings
    watcher: Watcher | None = None
    preparing: float = 0.0

    def columns(self, X: Any) -> Any:
        """X as the model sees it."""
        return X if self.prepared is None else _matrix(self.prepared.transform(X))

    def predict(self, X: Any) -> tuple[Array, Array | None, Array | None]:
        Z = all_logits(self.columns(X), self.trained.W)
        if self.settings.loss != "softmax":
            return Z.argmax(axis=1), Z, None
        return Z.argmax(axis=1), Z, softmax(Z)


@dataclass(frozen=True, eq=False)
class Linear:
    """One of softreg's losses under its settings, on columns that a transformer of the same rows prepares."""

    name: str
    settings: Settings
    preprocessing: Any = None

    @property
    def loss(self) -> str:
        return self.settings.loss

    @property
    def description(self) -> str:
        s = self.settings
        kind = f"{'squared ' * s.squared}{LOSS_WORDS[s.loss]}"
        strength = f"alpha {short(s.alpha)}" if s.C is None else f"C {short(s.C)}"
        extra = "" if s.solver == "auto" else f", {s.solver}"
        extra += ", standardized" * s.standardize
        extra += f", after {type(self.preprocessing).__name__}" * (self.preprocessing is not None)
        return f"{kind}, {strength}{extra}"

    def fit(self, X: Any, y: Array, n_classes: int, alpha: float | None = None, watch: bool = False) -> LinearFit:
        settings = self.settings if alpha is None else replace(self.settings, alpha=alpha, C=None)
        prepared = None
        started = time.perf_counter()
        if self.preprocessing is not None:
            from sklearn.base import clone

            try:
                prepared = clone(self.preprocessing).fit(X, y)
                X = _matrix(prepared.transform(X))
            except Exception as error:  # whatever a transformer may raise
                raise Failed(_said(error)) from error
        preparing = time.perf_counter() - started
        watcher = None
        if watch:
            rows = make_rows(X, y, None, n_classes=n_classes, n_jobs=settings.n_jobs)
            watcher = Watcher(rows, settings.make_loss(), settings.margin)
        try:
            trained = train(X, y, None, settings, n_classes=n_classes, callbacks=[] if watcher is None else [watcher])
        except (Diverged, ValueError) as error:
            raise Failed(str(error)) from error
        result = trained.result
        if result.status is Status.DIVERGED:
            raise Failed(result.message)
        if result.status is Status.INTERRUPTED:
            signal.raise_signal(result.signal or signal.SIGINT)  # a table of fewer models compares nothing
        if watcher is not None:
            watcher.look(result.history["iteration"][-1], trained.W)
        return LinearFit(trained, prepared, settings, watcher, preparing)


def _matrix(X: Any) -> Any:
    return X.tocsr() if hasattr(X, "tocsr") else np.asarray(X)


LOSS_WORDS = {
    "softmax": "softmax",
    "weston_watkins": "Weston-Watkins hinge",
    "crammer_singer": "Crammer-Singer hinge",
}


@dataclass(frozen=True, eq=False)
class EstimatorFit:
    """A fitted scikit-learn classifier."""

    estimator: Any
    n_classes: int

    def predict(self, X: Any) -> tuple[Array, Array | None, Array | None]:
        try:
            codes, Z, P = self._predicted(X)
        except Exception as error:  # as of its fit
            raise Failed(f"predicting, {_said(error)}") from error
        for values in (Z, P):
            if values is not None and not np.isfinite(values).all():
                raise Failed("its scores are not all finite numbers")
        return codes, Z, P

    def _predicted(self, X: Any) -> tuple[Array, Array | None, Array | None]:
        codes = np.asarray(self.estimator.predict(X)).astype(np.intp)
        known = np.asarray(self.estimator.classes_).astype(np.intp)
        P = Z = None
        if hasattr(self.estimator, "predict_proba"):
            P = self._spread(np.asarray(self.estimator.predict_proba(X), dtype=np.float64), known, 0.0)
            Z = np.log(np.maximum(P, 1e-300))
        if hasattr(self.estimator, "decision_function"):
            D = np.asarray(self.estimator.decision_function(X), dtype=np.float64)
            if D.ndim == 1:
                D = np.stack([np.zeros_like(D), D], axis=1)
            if D.shape[1] == len(known) and not self._scores_pairs(len(known)):
                Z = self._spread(D, known, float(D.min()) - 1.0)
        return codes, Z, P

    def _scores_pairs(self, n_classes: int) -> bool:
        """Whether scores are of pairs of classes, one against one: three classes have as many pairs."""
        options = self.estimator.get_params() if hasattr(self.estimator, "get_params") else {}
        shapes = [value for key, value in options.items() if key.split("__")[-1] == "decision_function_shape"]
        return n_classes > 2 and "ovo" in shapes

    def _spread(self, values: Array, known: Array, fill: float) -> Array:
        """Columns of all K classes, where the fit has seen fewer."""
        out = np.full((len(values), self.n_classes), fill)
        out[:, known] = values
        return out


@dataclass(frozen=True, eq=False)
class Estimator:
    """Any classifier of scikit-learn's manner, fitted anew to each set of rows."""

    name: str
    estimator: Any

    @property
    def description(self) -> str:
        return " ".join(repr(self.estimator).split())

    def fit(self, X: Any, y: Array, n_classes: int, alpha: float | None = None, watch: bool = False) -> EstimatorFit:
        import warnings

        from sklearn.base import clone
        from sklearn.exceptions import ConvergenceWarning

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # others' fits have no certificate: the table says so
            try:
                return EstimatorFit(clone(self.estimator).fit(X, y), n_classes)
            except Exception as error:  # whatever another program's model raises is that model's end, not ours
                raise Failed(_said(error)) from error


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
