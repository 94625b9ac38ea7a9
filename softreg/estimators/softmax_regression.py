"""Softmax regression, multinomial logistic regression."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.estimators.base import LinearClassifier
from softreg.estimators.inputs import check_soft_labels, looks_soft
from softreg.softmax import log_softmax, softmax
from softreg.training import DEFAULT_ALPHA

Array = NDArray[Any]


class SoftmaxRegression(LinearClassifier):
    """Softmax regression, multinomial logistic regression: class probabilities from linear scores.

    The weights minimise the mean cross-entropy plus a penalty that leaves the intercept alone::

        F(W, b) = 1/Σs · Σ_r s_r (log Σ_k exp(z_rk) - z_ry) + alpha/2 · ||W||²,   z_r = W'x_r + b

    in nats per row, and the fit ends with a proof of how far F can be above its minimum.

    Parameters
    ----------
    alpha : float, default=1e-4
        Strength of the penalty on the *mean* loss; 0: no penalty, and no proof but a KKT residual.
    C : float, optional
        scikit-learn's way to say alpha: alpha = 1/(C·Σs), 2/(C·Σs) for two classes, Σs the sum of the row weights
        after class weights.  Set one of the two.
    fit_intercept : bool, default=True
    class_weight : dict of label to weight, "balanced" or None, default=None
        Multiplies the row weights; "balanced" gives every class the same total.
    solver : {"auto", "newton", "lbfgs", "gd", "momentum", "nesterov", "sgd", "adam"}, default="auto"
        The answer is the same; "auto" chooses the fastest by the size of the problem.
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
    tol : float, default=1e-6
        Target of the certificate: gap <= tol · max(F, 1e-6 · F at W = 0), or KKT residual <= tol when alpha = 0.
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
        Labels, sorted; for soft labels the frame's columns, or 0 … K-1.
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
        certified, stationary, not_certified, stopped_early, separated, diverged or interrupted.
    message_ : str
        The status as a sentence with its numbers.
    separation_ : softreg.separation.Separation or None
        With alpha = 0: what separates the classes, so that no finite optimum exists.
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
    >>> from softreg import SoftmaxRegression
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> model = SoftmaxRegression().fit(X, y)
    >>> model.status_, model.relative_gap_ <= 1e-6
    ('certified', True)
    >>> model.predict_proba(X[:2]).round(2)
    array([[1., 0., 0.],
           [1., 0., 0.]])

    Labels may be uncertain: a row of three classes, the first twice as likely as the second.

    >>> model = SoftmaxRegression(alpha=0.1).fit([[0.0], [1.0]], [[2 / 3, 1 / 3, 0], [0, 0, 1]])
    >>> model.predict([[0.0]])
    array([0])
    """

    _accepts_soft_labels = True

    def __init__(
        self,
        alpha: float = DEFAULT_ALPHA,
        *,
        C: float | None = None,
        fit_intercept: bool = True,
        class_weight: Any = None,
        solver: str = "auto",
        learning_rate: float | str = "auto",
        batch_size: int = 256,
        momentum: float = 0.9,
        max_iter: int | None = None,
        max_time: float | None = None,
        tol: float = 1e-6,
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
        return {"loss": "softmax"}

    def predict_proba(self, X: Any) -> Array:
        """Probabilities S(z) of the classes, in the order of ``classes_``.

        Parameters
        ----------
        X : array, CSR matrix or frame of shape (n, p)

        Returns
        -------
        (n, K) array
            float32 where X is, computed in float64.
        """
        Z, dtype = self._logits(X)
        return _as_type_of_X(softmax(Z), dtype)

    def predict_log_proba(self, X: Any) -> Array:
        """Logarithms of `predict_proba`, finite however certain a row is.

        Parameters
        ----------
        X : array, CSR matrix or frame of shape (n, p)

        Returns
        -------
        (n, K) array
            float32 where X is, computed in float64.
        """
        Z, dtype = self._logits(X)
        L = _as_type_of_X(log_softmax(Z), dtype)
        if L.dtype != Z.dtype:
            # A float32 probability of exactly 1 has logarithm 0: the two methods must not disagree.
            L[_as_type_of_X(softmax(Z), dtype) == 1] = 0
        return L

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy; of soft labels, the share of rows whose most probable label is predicted.

        Parameters
        ----------
        X : array, CSR matrix or frame of shape (n, p)
        y : array of shape (n,) or (n, K)
        sample_weight : array of shape (n,), optional

        Returns
        -------
        float
        """
        if looks_soft(y):
            y = self.classes_[check_soft_labels(X, y, self.classes_).y.argmax(axis=1)]
        return super().score(X, y, sample_weight)


def _as_type_of_X(P: Array, dtype: Any) -> Array:
    return P.astype(np.float32 if dtype == np.float32 else np.float64, copy=False)
