"""The estimators among scikit-learn's own tools: frames, pipelines, searches, metadata routing, callbacks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator, clone
from sklearn.inspection import DecisionBoundaryDisplay
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from softreg import ConvergenceWarning, MulticlassSVC, SoftmaxRegression
from softreg.solvers import SOLVERS


def blobs(n: int = 60, p: int = 3, K: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.arange(n) % K
    return rng.normal(size=(n, p)) + rng.normal(size=(K, p))[y], y


BOTH = pytest.mark.parametrize(
    "model", [SoftmaxRegression(alpha=0.01), MulticlassSVC(alpha=0.01)], ids=lambda m: type(m).__name__
)


# --- frames -------------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_are_arrays_with_names(model: Any, library: str) -> None:
    frames = pytest.importorskip(library)
    X, y = blobs()
    names = ["height", "width", "depth"]
    frame = frames.DataFrame({name: X[:, j] for j, name in enumerate(names)})
    labels = frames.Series(["cat", "dog", "ant"] * 20)
    model = clone(model).fit(frame, labels)
    plain = clone(model).fit(X, np.array(["cat", "dog", "ant"])[y])
    if library == "polars" and not hasattr(model, "feature_names_in_"):
        pytest.skip("this scikit-learn reads no names from this polars")
    assert model.feature_names_in_.tolist() == names
    np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-8)  # frames are in column order
    np.testing.assert_allclose(model.decision_function(frame), plain.decision_function(X), atol=1e-10)
    assert model.predict(frame).tolist() == plain.predict(X).tolist()
    with pytest.raises(ValueError, match="order"):
        model.predict(frame[["width", "height", "depth"]])


def test_integer_frames_are_numbers() -> None:
    pandas = pytest.importorskip("pandas")
    X, y = blobs()
    whole = np.rint(10 * X).astype(np.int16)
    model = SoftmaxRegression(alpha=0.1).fit(pandas.DataFrame(whole, columns=list("abc")), y)
    np.testing.assert_allclose(model.coef_, SoftmaxRegression(alpha=0.1).fit(whole.astype(float), y).coef_, rtol=1e-8)


# --- pipelines and searches ---------------------------------------------------------------------------------------


@BOTH
def test_grid_search_with_workers_finds_an_alpha(model: Any) -> None:
    X, y = blobs(n=90)
    pipeline = make_pipeline(StandardScaler(), clone(model))
    name = f"{pipeline.steps[-1][0]}__alpha"
    search = GridSearchCV(pipeline, {name: [1e-3, 1e-2, 10.0]}, cv=3, n_jobs=2, error_score="raise").fit(X, y)
    assert search.best_params_[name] in (1e-3, 1e-2, 10.0)
    assert search.best_score_ > 0.5
    assert search.best_estimator_[-1].status_ == "certified"


def test_log_loss_scores_it() -> None:
    X, y = blobs(n=90)
    scores = cross_val_score(SoftmaxRegression(alpha=0.01), X, np.array(["a", "b", "c"])[y], scoring="neg_log_loss")
    assert (scores > -np.log(3)).all()


def test_pipelines_keep_frames_in_front_of_it() -> None:
    pandas = pytest.importorskip("pandas")
    X, y = blobs()
    pipeline = make_pipeline(StandardScaler().set_output(transform="pandas"), SoftmaxRegression())
    pipeline.fit(pandas.DataFrame(X, columns=["a", "b", "c"]), y)
    assert pipeline[-1].feature_names_in_.tolist() == ["a", "b", "c"]


def test_boundaries_can_be_drawn() -> None:
    from matplotlib.figure import Figure

    X, y = blobs(p=2)
    ax = Figure().subplots()
    model = SoftmaxRegression().fit(X, y)
    DecisionBoundaryDisplay.from_estimator(model, X, ax=ax, response_method="predict", grid_resolution=20)
    assert ax.has_data()


def test_clones_are_unfitted_and_equal() -> None:
    model = MulticlassSVC(alpha=0.3, loss="crammer_singer", margin=2.0).fit(*blobs())
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "coef_")


# --- metadata routing ---------------------------------------------------------------------------------------------


@pytest.fixture
def routing() -> Any:
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.mark.usefixtures("routing")
def test_weights_are_routed_through_a_search() -> None:
    X, y = blobs(n=90)
    s = np.where(y == 0, 5.0, 1.0)
    model = SoftmaxRegression(alpha=0.1).set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
    search = GridSearchCV(model, {"alpha": [0.1]}, cv=3).fit(X, y, sample_weight=s)
    np.testing.assert_allclose(search.best_estimator_.coef_, SoftmaxRegression(alpha=0.1).fit(X, y, s).coef_)


@pytest.mark.usefixtures("routing")
def test_validation_rows_go_through_the_same_steps() -> None:
    X, y = blobs()
    X_val, y_val = blobs(seed=3)
    model = SoftmaxRegression(alpha=0.1).set_fit_request(X_val=True, y_val=True)
    pipeline = Pipeline([("scale", StandardScaler()), ("model", model)], transform_input=["X_val"])
    pipeline.fit(X, y, X_val=X_val, y_val=y_val)
    scaler = StandardScaler().fit(X)
    by_hand = SoftmaxRegression(alpha=0.1).fit(scaler.transform(X), y, X_val=scaler.transform(X_val), y_val=y_val)
    assert pipeline["model"].history_["validation_loss"] == by_hand.history_["validation_loss"]


# --- callbacks ----------------------------------------------------------------------------------------------------


class Recorder:
    """What scikit-learn's callback protocol asks for; stops after ``limit`` iterations."""

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.scores: list[float] = []
        self.up = self.down = 0

    def setup(self, estimator: Any, context: Any) -> None:
        self.up += 1

    def teardown(self, estimator: Any, context: Any) -> None:
        self.down += 1

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        self.begun.append(context.task_name)

    def on_fit_task_end(
        self, estimator: Any, context: Any, *, X: Any = None, y: Any = None, fitted_estimator: Any = None
    ) -> bool:
        self.ended.append(context.task_name)
        if fitted_estimator is not None:
            self.scores.append(fitted_estimator.score(X, y))
        return self.limit is not None and self.ended.count("iteration") >= self.limit


with_callbacks = pytest.mark.skipif(
    not hasattr(BaseEstimator, "set_callbacks") and not hasattr(SoftmaxRegression, "set_callbacks"),
    reason="this scikit-learn has no callbacks",
)


@with_callbacks
@pytest.mark.parametrize("solver", SOLVERS)
def test_callbacks_see_every_iteration_and_can_stop(solver: str) -> None:
    X, y = blobs(n=200)
    labels = np.array(["a", "b", "c"])[y]
    options = {"solver": solver, "alpha": 0.01, "standardize": True, "batch_size": 20, "random_state": 0}
    watch = Recorder(limit=3)
    model = SoftmaxRegression(**options).set_callbacks(watch).fit(X, labels)  # type: ignore[arg-type]
    assert watch.ended.count("iteration") == 3
    assert model.status_ == "stopped_early"
    assert sorted(watch.begun) == sorted(watch.ended)
    assert len(watch.scores) == 4  # three iterations and the whole fit
    assert watch.scores[-1] == model.score(X, labels)
    assert (watch.up, watch.down) == (1, 1)


@with_callbacks
def test_callbacks_see_raw_scale_weights() -> None:
    X, y = blobs()
    X = 100 * X + 7
    watch = Recorder()
    model = SoftmaxRegression(alpha=0.01, standardize=True, max_iter=50).set_callbacks(watch).fit(X, y)
    assert watch.scores[-2] == model.score(X, y)
    assert watch.ended.count("iteration") == model.n_iter_


@with_callbacks
def test_callbacks_are_torn_down_when_a_fit_fails() -> None:
    watch = Recorder()
    model = MulticlassSVC(solver="gd", learning_rate="lipschitz", loss="crammer_singer", squared=True)
    with pytest.raises(ValueError, match="learning_rate"):
        model.set_callbacks(watch).fit(*blobs())
    assert watch.down == watch.up


@with_callbacks
def test_scoring_monitor_and_progress_bar_work(capsys: pytest.CaptureFixture[str]) -> None:
    from sklearn.callback import ProgressBar, ScoringMonitor

    X, y = blobs()
    monitor = ScoringMonitor(scoring="accuracy")
    model = MulticlassSVC(alpha=0.1, squared=True).set_callbacks(monitor, ProgressBar()).fit(X, y)
    assert model.status_ == "certified"
    search = GridSearchCV(SoftmaxRegression(alpha=0.1, max_iter=1), {"tol": [0.0]}, cv=2)
    with pytest.warns(ConvergenceWarning):
        search.fit(X, y)
    capsys.readouterr()
