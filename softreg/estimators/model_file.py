"""An estimator as a model file, and a model file as an estimator."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from softreg.certificate import Witness
from softreg.estimators.base import LinearClassifier, Solution
from softreg.estimators.multiclass_svc import MulticlassSVC
from softreg.estimators.softmax_regression import SoftmaxRegression
from softreg.store import Model
from softreg.tables.numbered import Numbered


def load(path: str | PathLike[str]) -> SoftmaxRegression | MulticlassSVC:
    """The fitted estimator in a model file, written by ``estimator.save`` or by ``softreg fit --output``.

    Parameters that decide what is fitted are those of the fit, the others their defaults; ``history_`` comes without
    seconds, ``separation_`` is None.

    Parameters
    ----------
    path : path

    Returns
    -------
    SoftmaxRegression or MulticlassSVC

    Raises
    ------
    softreg.errors.ModelFileError
        There is no such file, it is damaged, not a softreg model, or of a newer softreg.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import softreg
    >>> model = softreg.SoftmaxRegression(alpha=0.1).fit([[0.0], [1.0], [2.0]], ["low", "low", "high"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(Path(folder) / "levels.softreg")
    ...     again = softreg.load(Path(folder) / "levels.softreg")
    >>> again.alpha, again.predict([[5.0]]).tolist()
    (0.1, ['high'])
    """
    return from_model(Model.load(Path(path)))


def to_model(estimator: LinearClassifier) -> Model:
    """What the file of a fitted estimator holds."""
    solution = estimator._solution
    names = getattr(estimator, "feature_names_in_", None)
    mean, scale = (None, None) if solution.standard is None else solution.standard
    return Model(
        W=estimator._weights,
        classes=estimator.classes_,
        settings_json=solution.settings.to_json(),
        alpha=solution.alpha,
        C=solution.C,
        n_rows=solution.n_rows,
        class_counts=solution.class_counts,
        objective=estimator.objective_,
        certificate=estimator.certificate_,
        witness=solution.witness,
        status=estimator.status_,
        message=estimator.message_,
        solver=solution.solver,
        feature_names=None if names is None else tuple(names),
        mean=mean,
        scale=scale,
        history=estimator.history_,
    )


def _made_up(model: Model) -> bool:
    """Whether the features' names are x1 … xp of an array without names."""
    return isinstance(model.feature_names, Numbered) and (model.recipe is None or model.recipe.target is None)


def from_model(model: Model) -> SoftmaxRegression | MulticlassSVC:
    """The fitted estimator that a model is."""
    settings = model.settings
    kind: type[SoftmaxRegression | MulticlassSVC] = SoftmaxRegression if model.loss == "softmax" else MulticlassSVC
    names = set(kind._get_param_names())
    parameters: dict[str, Any] = {name: value for name, value in vars(settings).items() if name in names}
    if isinstance(settings.class_weight, dict):
        labels = model.classes.tolist()
        parameters["class_weight"] = {labels[code]: weight for code, weight in settings.class_weight.items()}
    if kind is SoftmaxRegression:
        parameters["tol"] = settings.target
    estimator = kind(**parameters)
    for name, value in estimator._weight_attributes(model.W, model.classes).items():
        setattr(estimator, name, value)
    estimator._solution = Solution(
        settings=settings,
        alpha=model.alpha,
        C=model.C,
        solver=model.solver,
        n_rows=model.n_rows,
        class_counts=model.class_counts,
        witness=model.witness or Witness(),
        standard=None if model.mean is None or model.scale is None else (model.mean, model.scale),
    )
    estimator.n_features_in_ = len(model.W) - 1
    if model.feature_names is not None and not _made_up(model):
        estimator.feature_names_in_ = np.array(model.feature_names, dtype=object)
    estimator.history_ = dict(model.history)
    estimator.loss_curve_ = list(estimator.history_.get("objective", []))
    estimator.n_iter_ = max([1, *estimator.history_.get("iteration", [])[-1:]])
    estimator.objective_ = model.objective
    estimator._set_certificate(model.certificate)
    estimator.separation_ = None
    estimator.status_, estimator.message_ = model.status, model.message
    return estimator
