"""The multiclass linear support vector machine."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from softreg.estimators.base import LinearClassifier
from softreg.training import DEFAULT_ALPHA


class MulticlassSVC(LinearClassifier):
    """Multiclass linear support vector machine: one problem for all classes, with a hinge loss.

    The weights minimise the mean hinge plus a penalty that leaves the intercept alone::

        F(W, b) = 1/Σs · Σ_r s_r l(z_r, y_r) + alpha/2 · ||W||²,   z_r = W'x_r + b
        weston_watkins  l(z, y) = Σ_{k≠y} max(0, margin + z_k - z_y)
        crammer_singer  l(z, y) = max(0, margin + max_{k≠y} z_k - z_y)

    in margin units, each max squared with ``squared``; the fit ends with a proof of how far F can be above its
    minimum.  There are no probabilities: see `SoftmaxRegression`.

    Parameters
    ----------
    alpha : float, default=1e-4
        Strength of the penalty on the *mean* loss; 0: no penalty, and no proof but a KKT residual.
    loss : {"weston_watkins", "crammer_singer"}, default="weston_watkins"
    squared : bool, default=False
        Square each hinge: smooth for weston_watkins, and quicker to certify.
    margin : float, default=1.0
        Lead over the other classes that costs nothing.
    C : float, optional
        scikit-learn's way to say alpha: alpha = 1/(C·Σs), Σs the sum of the row weights after class weights.  Set
        one of the two.
    fit_intercept : bool, default=True
    class_weight : dict of label to weight, "balanced" or None, default=None
        Multiplies the row weights; "balanced" gives every class the same total.
    solver : {"auto", "newton", "lbfgs", "gd", "momentum", "nesterov", "sgd", "adam"}, default="auto"
        The answer is the same; "auto" chooses the fastest by the size of the problem.  Where the loss has kinks, it
        is smoothed inside the solver ever less, and the loss itself is what is certified.
    learning_rate : float, "auto" or "lipschitz", default="auto"
        Step of the gradient methods; "auto" finds it, "lipschitz" is 1/L.
    batch_size : int, default=256
        Rows a step; sgd, adam and `partial_fit`.
    momentum : float, default=0.9
        Share of the last step that is kept; momentum, sgd and `partial_fit`.
    max_iter : int, optional
        None: until certified, or no more progress can be made.
    max_time : float, optional
        Seconds of solver time.
    tol : float, optional
        Target of the certificate: gap <= tol · max(F, 1e-6 · F at W = 0), or KKT residual <= tol when alpha = 0.
        None: 1e-6 with ``squared``, 1e-3 without.
    standardize : bool, default=False
        Penalise the weights of columns brought to mean 0 and spread 1; ``coef_`` stays on the raw columns.
    early_stopping : bool, default=False
        Stop when the loss of validation rows has not fallen for ``n_iter_no_change`` iterations, and keep the best.
    validation_fraction : float, default=0.1
        Share of the rows that ``early_stopping`` keeps apart, when `fit` gets no ``X_val``.
    n_iter_no_change : int, default=10
    warm_start : bool, default=False
        Go on from the last fit's weights; classes and features must be the same.
    random_state : int, RandomState or None, default=None
        Of sgd, adam, `partial_fit` and the validation split; nothing else is random.
    n_jobs : int, optional
        Threads; they change speed only.  None: all cores, 1 inside a worker process.
    verbose : int, default=0
        1 prints a line at iterations 1, 2, 5, 10, …; 2 at each.

    Attributes
    ----------
    classes_ : (K,) array
        Labels, sorted.
    coef_ : (K, p) array
        On the raw columns; (1, p), W₁ - W₀, for two classes.
    intercept_ : (K,) array
        (1,) for two classes.
    objective_ : float
        F at the weights.
    dual_gap_ : float
        F is at most this far above its minimum; NaN when alpha = 0.
    relative_gap_ : float
        ``dual_gap_`` / max(F, 1e-6 · F at W = 0), what ``tol`` is compared with; NaN when alpha = 0.
    kkt_residual_ : float
        Largest |dF/dW_jk| / RMS(column j).
    certificate_ : softreg.certificate.Certificate
        The three numbers together; None after `partial_fit`.
    status_ : str
        certified, stationary, not_certified, stopped_early, diverged or interrupted.
    message_ : str
        The status as a sentence with its numbers.
    separation_ : None
        The hinges have a finite optimum for separable classes too.
    n_iter_ : int
    history_ : dict of equal-length lists
        iteration, passes, seconds, objective, loss, gradient_norm, certificate, step, validation_loss,
        validation_accuracy; after `partial_fit` iteration and objective.
    loss_curve_ : list of float
        F at the start and after each iteration.
    n_features_in_ : int
    feature_names_in_ : (p,) array
        Where X was a frame with text names.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from softreg import MulticlassSVC
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MulticlassSVC(loss="crammer_singer").fit(X, y)
    >>> model.status_, model.relative_gap_ <= 1e-3
    ('certified', True)
    >>> model.coef_.shape
    (3, 4)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **LinearClassifier._parameter_constraints,
        "loss": [StrOptions({"weston_watkins", "crammer_singer"})],
        "squared": ["boolean"],
        "margin": [Interval(Real, 0, None, closed="neither")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
    }

    def __init__(
        self,
        alpha: float = DEFAULT_ALPHA,
        *,
        loss: str = "weston_watkins",
        squared: bool = False,
        margin: float = 1.0,
        C: float | None = None,
        fit_intercept: bool = True,
        class_weight: Any = None,
        solver: str = "auto",
        learning_rate: float | str = "auto",
        batch_size: int = 256,
        momentum: float = 0.9,
        max_iter: int | None = None,
        max_time: float | None = None,
        tol: float | None = None,
        standardize: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        warm_start: bool = False,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.alpha = alpha
        self.loss = loss
        self.squared = squared
        self.margin = margin
        self.C = C
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.solver = solver
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.momentum = momentum
        self.max_iter = max_iter
        self.max_time = max_time
        self.tol = tol
        self.standardize = standardize
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _loss_settings(self) -> dict[str, Any]:
        return {"loss": self.loss, "squared": bool(self.squared), "margin": float(self.margin)}
