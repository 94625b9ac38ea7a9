"""Who is compared: softreg's solvers and everybody else's, each with the settings that suit it.

A peer that is not installed, or does not suit a row, is skipped by name with the reason.  One whose objective is not
F (it penalises the intercept, or solves one-vs-rest) is `apart`: timed at its defaults and shown in a table of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib import import_module
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.counting import Trace, counted
from benchmarks.objective import Weights
from benchmarks.row import Answer, Row

Array = NDArray[Any]

#: scikit-learn's newton-cholesky stores a Hessian of so many numbers squared: 288 MB.
LARGEST_HESSIAN = 6000
#: Columns that differ more than this in size: a method of plain gradient steps does not arrive in any sensible time.
LARGEST_SPREAD = 100.0


@dataclass(frozen=True)
class Peer:
    """One solver with one type of arithmetic; ``dtype`` None is that of the data."""

    solver: str
    dtype: str | None = None

    family: ClassVar[str]
    package: ClassVar[str]
    losses: ClassVar[tuple[str, ...]] = ("softmax",)
    #: Run only when asked for by name.
    extra: ClassVar[bool] = False
    #: Its own certificate says when to stop: no ladder, ``tol`` is the level.
    certifies: ClassVar[bool] = False
    largest_dial: ClassVar[int] = 1 << 20

    @property
    def name(self) -> str:
        return " ".join(part for part in (self.family, self.solver, self._suffix) if part)

    @property
    def _suffix(self) -> str:
        return "float32" if self.dtype == "float32" else ""

    def is_extra(self) -> bool:
        return self.extra

    def absent(self) -> str:
        """Why it cannot run on this machine; empty if it can."""
        return "" if find_spec(self.package) else f"{self.package} is not installed"

    def minimises(self, row: Row) -> bool:
        """Whether the row's loss is one of its own."""
        return row.loss in self.losses

    def unsuited(self, row: Row) -> str:
        """Why it does not run on this row; empty if it does."""
        return ""

    def apart(self, row: Row) -> str:
        """In what its objective differs from F; empty if it does not."""
        return ""

    def fit(self, X: Any, y: Array, row: Row, dial: int) -> Any:
        """The fitted model; this is what is timed."""
        raise NotImplementedError

    def answer(self, model: Any, row: Row, dial: int) -> Answer:
        raise NotImplementedError

    def trace(self, X: Any, y: Array, row: Row, target: float) -> Trace | None:
        """A run that is watched, not timed; None for a peer that cannot be watched."""
        return None


class Softreg(Peer):
    """Our estimators; the dial is log10(1/tol) and the certificate ends the fit."""

    family = "softreg"
    package = "softreg"
    losses = ("softmax", "crammer_singer", "crammer_singer_squared", "weston_watkins", "weston_watkins_squared")
    certifies = True

    def is_extra(self) -> bool:
        return self.dtype is not None or self.solver in ("gd", "momentum", "nesterov", "sgd", "adam")

    def fit(self, X: Any, y: Array, row: Row, dial: int) -> Any:
        from softreg import MulticlassSVC, SoftmaxRegression

        options: dict[str, Any] = {
            "alpha": row.alpha,
            "solver": self.solver,
            "tol": 10.0**-dial,
            "fit_intercept": row.intercept,
            "max_time": row.limit,
            "n_jobs": row.threads,
        }
        if row.loss == "softmax":
            return SoftmaxRegression(**options).fit(X, y)
        loss = row.loss.removesuffix("_squared")
        return MulticlassSVC(loss=loss, squared=row.loss != loss, **options).fit(X, y)

    def answer(self, model: Any, row: Row, dial: int) -> Answer:
        history = {name: list(model.history_[name]) for name in ("seconds", "passes", "objective", "certificate")}
        more = {"status": model.status_, "gap": model.relative_gap_, "message": model.message_, "history": history}
        weights = Weights.of_coef(model.coef_, model.intercept_, row.classes)
        return Answer(weights, int(model.n_iter_), True, history["passes"][-1], more)


class ScikitLearn(Peer):
    """LogisticRegression; the dial is max_iter, with tol = 0."""

    family = "scikit-learn"
    package = "sklearn"

    def unsuited(self, row: Row) -> str:
        size = (row.columns + 1) * row.classes
        if self.solver == "newton-cholesky" and size > LARGEST_HESSIAN:
            return f"its Hessian would be {size}² numbers"
        if self.solver in ("sag", "saga") and row.spread > LARGEST_SPREAD:
            return f"columns differ {row.spread:.0e} times in size: plain gradient steps do not arrive"
        return ""

    def _estimator(self, row: Row, max_iter: int) -> Any:
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(
            C=row.C, solver=self.solver, tol=0.0, max_iter=max_iter, fit_intercept=row.intercept, random_state=0
        )

    def fit(self, X: Any, y: Array, row: Row, dial: int) -> Any:
        return self._estimator(row, dial).fit(X, y)

    def answer(self, model: Any, row: Row, dial: int) -> Answer:
        iterations = int(np.max(model.n_iter_))
        # An epoch of sag or saga reads every row once: a product to predict and one to move the weights.
        passes = float(iterations) if self.solver in ("sag", "saga") else None
        weights = Weights.of_coef(model.coef_, model.intercept_, row.classes)
        return Answer(weights, iterations, iterations < dial, passes)

    def trace(self, X: Any, y: Array, row: Row, target: float) -> Trace | None:
        if self.solver in ("sag", "saga"):
            return None
        with counted(target, row.limit) as trace:
            self.fit(X, y, row, self.largest_dial)
        return trace


class Cyanure(Peer):
    """cyanure's multinomial classifier (its intercept is not penalised); the dial is max_iter, its passes."""

    family = "cyanure"
    package = "cyanure"

    def fit(self, X: Any, y: Array, row: Row, dial: int) -> Any:
        return (
            import_module("cyanure.estimators")
            .Classifier(
                loss="logistic",
                penalty="l2",
                multi_class="multinomial",
                # Of two classes it fits one vector w = W₁ - W₀: ||W||² is ||w||²/2.
                lambda_1=row.alpha / (2 if row.classes == 2 else 1),
                fit_intercept=row.intercept,
                solver=self.solver,
                tol=1e-14,
                max_iter=dial,
                duality_gap_interval=dial,  # a gap costs a pass, and the ladder needs none
                n_threads=row.threads,
                verbose=False,
                random_state=0,
            )
            .fit(X, y)
        )

    def answer(self, model: Any, row: Row, dial: int) -> Answer:
        coef = np.asarray(model.coef_)
        coef = coef[None, :] if coef.ndim == 1 else coef.T if coef.shape[0] == row.columns else coef
        intercept = model.intercept_ if row.intercept else 0.0
        # Of two classes it may keep no count: then it went on to the end.
        iterations = int(np.max(model.n_iter_, initial=0)) or dial
        weights = Weights.of_coef(coef, intercept, row.classes)
        return Answer(weights, iterations, iterations < dial, float(iterations))


class Torch(Peer):
    """torch.optim.LBFGS on the whole table with a strong Wolfe search; the dial is max_iter."""

    family = "torch"
    package = "torch"

    def unsuited(self, row: Row) -> str:
        return "dense data only" if row.storage != "dense" else ""

    def fit(self, X: Any, y: Array, row: Row, dial: int) -> Any:
        torch: Any = import_module("torch")
        torch.set_num_threads(row.threads)
        data, target = torch.from_numpy(X), torch.from_numpy(y)
        W = torch.zeros(row.columns, row.classes, dtype=data.dtype, requires_grad=True)
        b = torch.zeros(row.classes, dtype=data.dtype, requires_grad=row.intercept)
        optimizer = torch.optim.LBFGS(
            [W, b] if row.intercept else [W],
            max_iter=dial,
            max_eval=10 * dial + 10,
            history_size=10,
            tolerance_grad=0,
            tolerance_change=0,
            line_search_fn="strong_wolfe",
        )
        evaluations = 0

        def closure() -> Any:
            nonlocal evaluations
            evaluations += 1
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(data @ W + b, target) + row.alpha / 2 * (W * W).sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        return W.detach().numpy(), b.detach().numpy(), evaluations

    def answer(self, model: Any, row: Row, dial: int) -> Answer:
        W, b, evaluations = model
        return Answer(Weights(W, b), evaluations, evaluations < dial, float(evaluations))


class Liblinear(Peer):
    """LinearSVC; the dial d is tol = 10^(1 - d/8).  It penalises an intercept, so it has F's objective without one.

    Its Crammer-Singer solver does not listen to max_iter: it ends after 100 000 sweeps, whatever is asked.
    """

    family = "LIBLINEAR"
    package = "sklearn"
    largest_dial = 104
    sweeps: ClassVar[int] = 100_000

    losses = ("crammer_singer", "crammer_singer_squared", "weston_watkins", "weston_watkins_squared")

    def minimises(self, row: Row) -> bool:
        if self.solver == "crammer-singer":
            return row.loss == "crammer_singer"
        # Of two classes the hinges are one, l = max(0, 1 + z_other - z_y).
        return row.loss in self.losses and row.classes == 2

    def apart(self, row: Row) -> str:
        return "penalises the intercept" if row.intercept else ""

    def _options(self, row: Row) -> dict[str, Any]:
        if self.solver == "crammer-singer":
            return {"multi_class": "crammer_singer"}
        squared = row.loss.endswith("_squared")
        return {"loss": "squared_hinge", "dual": row.columns > row.rows} if squared else {"loss": "hinge"}

    def fit(self, X: Any, y: Array, row: Row, dial: int) -> Any:
        from sklearn.svm import LinearSVC

        return LinearSVC(
            C=row.C,
            **({} if self.apart(row) else {"tol": 10 ** (1 - dial / 8), "max_iter": 100_000_000}),
            fit_intercept=row.intercept,
            random_state=0,
            **self._options(row),
        ).fit(X, y)

    def answer(self, model: Any, row: Row, dial: int) -> Answer:
        weights = Weights.of_coef(model.coef_, model.intercept_, row.classes)
        iterations = int(np.max(model.n_iter_))
        return Answer(weights, iterations, self.solver == "crammer-singer" and iterations >= self.sweeps)


class OneVsRest(Peer):
    """LIBLINEAR, a problem for each class: another model, for those who wonder how it compares."""

    family = "LIBLINEAR"
    package = "sklearn"
    losses = Softreg.losses

    def apart(self, row: Row) -> str:
        return "one-vs-rest" + (", penalises the intercept" if row.intercept else "")

    def minimises(self, row: Row) -> bool:
        return row.loss in self.losses and row.classes > 2

    def fit(self, X: Any, y: Array, row: Row, dial: int) -> Any:
        from sklearn.linear_model import LogisticRegression
        from sklearn.multiclass import OneVsRestClassifier
        from sklearn.svm import LinearSVC

        if row.loss == "softmax":
            one = LogisticRegression(C=row.C, solver="liblinear", fit_intercept=row.intercept, random_state=0)
            return OneVsRestClassifier(one).fit(X, y)
        loss = "squared_hinge" if row.loss.endswith("_squared") else "hinge"
        return LinearSVC(C=row.C, loss=loss, fit_intercept=row.intercept, random_state=0).fit(X, y)

    def answer(self, model: Any, row: Row, dial: int) -> Answer:
        if hasattr(model, "estimators_"):
            coef = np.vstack([one.coef_ for one in model.estimators_])
            intercept = np.hstack([one.intercept_ for one in model.estimators_])
        else:
            coef, intercept = model.coef_, model.intercept_
        return Answer(Weights.of_coef(coef, intercept, row.classes), 1)


def everybody() -> list[Peer]:
    """All peers there are, installed or not."""
    from softreg.solvers import SOLVERS

    ours: list[Peer] = [Softreg(solver) for solver in SOLVERS]
    ours.append(Softreg("auto", "float32"))
    theirs: list[Peer] = []
    for dtype in ("float64", "float32"):
        theirs += [ScikitLearn(solver, dtype) for solver in ("lbfgs", "newton-cg", "newton-cholesky")]
    theirs += [ScikitLearn(solver, "float64") for solver in ("sag", "saga")]
    for dtype in ("float64", "float32"):
        theirs += [Cyanure(solver, dtype) for solver in ("auto", "qning-svrg", "qning-ista")]
    theirs += [Torch("lbfgs", dtype) for dtype in ("float64", "float32")]
    theirs += [Liblinear(solver, "float64") for solver in ("crammer-singer", "hinge")]
    theirs.append(OneVsRest("one-vs-rest", "float64"))
    return ours + theirs


def choose(patterns: Iterable[str] = ()) -> list[Peer]:
    """The peers whose name matches one of ``patterns`` (``*`` stands for anything); all but the extra ones if empty.

    Raises
    ------
    ValueError
        For a pattern that matches nobody.
    """
    patterns = list(patterns)
    everyone = everybody()
    if not patterns:
        return [peer for peer in everyone if not peer.is_extra()]
    for pattern in patterns:
        if not any(fnmatch(peer.name, pattern) for peer in everyone):
            raise ValueError(f"no peer is called '{pattern}' (python -m benchmarks list names them)")
    return [peer for peer in everyone if any(fnmatch(peer.name, pattern) for pattern in patterns)]


def by_name(name: str) -> Peer:
    return next(peer for peer in everybody() if peer.name == name)
