"""A comparison: the same rows for every model, nothing learned from judged rows, and no verdict without evidence."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, RepeatedStratifiedKFold, ShuffleSplit, StratifiedKFold, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

import softreg
from softreg import MulticlassSVC, SoftmaxRegression
from softreg.comparison.comparing import as_repeats, compare
from softreg.comparison.contenders import Estimator, Failed, Linear
from softreg.comparison.judging import Manner, judge
from softreg.comparison.watching import activity, margins
from softreg.errors import DataError, UsageError
from softreg.folds import folds, repeated
from softreg.losses import CrammerSinger
from softreg.plots.comparison import COMPARISON_PICTURES
from softreg.rows import make_rows
from softreg.training import Settings

X, y = load_iris(return_X_y=True)
LOSSES = ("softmax", "weston_watkins", "crammer_singer")


def linear(name="softmax", **settings):
    settings = {"tol": 1e-3, "loss": name, **settings}
    return Linear(name, Settings(**settings))


@pytest.fixture(scope="module")
def iris():
    models = {
        "softmax": SoftmaxRegression(tol=1e-4),
        "weston_watkins": MulticlassSVC(tol=1e-3),
        "crammer_singer": MulticlassSVC(loss="crammer_singer", tol=1e-3),
        "bayes": GaussianNB(),
    }
    return compare(models, X, y, cv=3, repeats=2, n_jobs=1)


# --- folds -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_repeats", [1, 3])
def test_each_repeat_judges_every_row_once_and_trains_on_the_others(n_repeats):
    for repeat in repeated(y, 3, 4, n_repeats, seed=7):
        assert sorted(np.concatenate([judged for _, judged in repeat]).tolist()) == list(range(len(y)))
        assert all(not set(train) & set(judged) and len(train) + len(judged) == len(y) for train, judged in repeat)


def test_folds_follow_the_seed_and_repeats_differ():
    once, again = repeated(y, 3, 5, 2, seed=1), repeated(y, 3, 5, 2, seed=1)
    assert all((a[1] == b[1]).all() for r, s in zip(once, again, strict=True) for a, b in zip(r, s, strict=True))
    assert (once[0][0][1] != once[1][0][1]).any()


def test_folds_hold_their_share_of_every_class():
    for _, judged in folds(y, 3, 5, seed=0):
        assert np.bincount(y[judged]).tolist() == [10, 10, 10]


def test_a_group_is_never_on_both_sides():
    groups = np.arange(len(y)) // 5
    for train, judged in folds(y, 3, 3, seed=0, groups=groups):
        assert not set(groups[train]) & set(groups[judged])


def test_more_folds_than_rows_of_the_largest_class_are_refused():
    with pytest.raises(UsageError, match="--cv 7: the table has 4 rows in the largest class"):
        repeated(np.repeat([0, 1], 4), 2, 7, 1, seed=0)


def test_splits_of_scikit_learn_are_put_together_into_repeats():
    splitter = RepeatedStratifiedKFold(n_splits=4, n_repeats=3, random_state=0)
    assert [len(repeat) for repeat in as_repeats(splitter.split(X, y), len(y))] == [4, 4, 4]


def test_splits_that_are_no_folds_are_refused():
    with pytest.raises(UsageError, match="each row judged once"):
        as_repeats(ShuffleSplit(3, test_size=0.9, random_state=0).split(X), len(X))


# --- what each model scored ------------------------------------------------------------------------------------------


def test_every_softreg_fit_is_certified(iris):
    for model in iris.models[:3]:
        assert model.certified
        assert (model.n_certified, model.n_fits) == (6, 6)
        assert model.certificate <= model.tol


def test_scores_are_those_of_scikit_learn_on_the_same_folds(iris):
    from sklearn.metrics import accuracy_score, f1_score, log_loss

    splits = [fold for repeat in repeated(y, 3, 3, 2, seed=0) for fold in repeat]
    found = {"accuracy": [], "macro_f1": [], "log_loss": []}
    for train, judged in splits:
        model = GaussianNB().fit(X[train], y[train])
        predicted = model.predict(X[judged])
        found["accuracy"].append(accuracy_score(y[judged], predicted))
        found["macro_f1"].append(f1_score(y[judged], predicted, average="macro"))
        found["log_loss"].append(log_loss(y[judged], model.predict_proba(X[judged])))
    for metric, values in found.items():
        assert iris.models[3].scores[metric].value == pytest.approx(np.mean(values), rel=1e-12)


def test_a_hinge_has_probabilities_only_after_calibration(iris):
    for model in iris.models[1:3]:
        assert np.isnan(model.scores["log_loss"].value)
        assert model.calibrated["log_loss"].value < np.log(3)
    assert np.isfinite(iris.models[0].scores["log_loss"].value)


def test_a_classifier_without_scores_is_judged_by_its_predictions_alone():
    done = compare([NearestCentroid(), SoftmaxRegression()], X, y, cv=3, repeats=1, n_jobs=1)
    assert np.isfinite(done.models[0].scores["accuracy"].value)
    assert done.models[0].losses is None or all(np.isfinite(v) for v in done.models[0].losses.values())


def test_scores_of_decision_functions_are_calibrated_too():
    X2, y2 = X[y != 0], y[y != 0]  # two classes: one column of scores
    done = compare([LinearSVC(), SoftmaxRegression()], X2, y2, cv=3, repeats=1, n_jobs=1)
    assert done.models[0].calibrated["log_loss"].value < np.log(2)


# --- nothing is learned from judged rows -----------------------------------------------------------------------------


@pytest.mark.parametrize("tune", [False, True])
def test_labels_of_judged_rows_change_no_alpha_and_no_temperature(tune):
    train, judged = folds(y, 3, 3, seed=0)[0]
    manner = Manner("log_loss", tune)
    seen = judge(linear(), X[train], y[train], 3, (X[judged], y[judged]), manner)
    blind = judge(linear(), X[train], y[train], 3, (X[judged], np.roll(y[judged], 7)), manner)
    assert (seen.alpha, seen.inverse_temperature) == (blind.alpha, blind.inverse_temperature)
    assert (seen.predicted == blind.predicted).all()


def test_preprocessing_is_fitted_to_the_training_rows_of_each_fold():
    means = []

    class Noting(StandardScaler):
        def fit(self, X, y=None, **more):
            super().fit(X, y, **more)
            means.append(self.mean_.copy())
            return self

    compare([make_pipeline(Noting(), SoftmaxRegression()), GaussianNB()], X, y, cv=3, repeats=1, n_jobs=1)
    for train, _ in repeated(y, 3, 3, 1, seed=0)[0]:
        assert any(np.array_equal(mean, X[train].mean(axis=0)) for mean in means)


def test_a_pipeline_predicts_as_it_would_alone():
    train, judged = folds(y, 3, 3, seed=0)[0]
    pipeline = make_pipeline(StandardScaler(), SoftmaxRegression())
    done = compare([pipeline, GaussianNB()], X[train], y[train], X_test=X[judged], y_test=y[judged], n_jobs=1)
    expected = pipeline.fit(X[train], y[train]).score(X[judged], y[judged])
    assert done.models[0].scores["accuracy"].value == expected


def test_tuning_chooses_for_each_loss_what_is_best_on_its_inner_rows():
    done = compare(
        [SoftmaxRegression(tol=1e-3), SoftmaxRegression(tol=1e-3, C=1.0)], X, y, cv=3, repeats=1, tune=True, n_jobs=1
    )
    assert all(len(model.alphas) == 3 for model in done.models)
    assert "tuned" in done.verdicts[0]


# --- the difference ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("design", ["folds", "test"])
def test_the_same_model_under_two_names_does_not_differ(loss, design):
    model = SoftmaxRegression() if loss == "softmax" else MulticlassSVC(loss=loss, squared=True, alpha=0.01, tol=1e-2)
    test = {"X_test": X[::3], "y_test": y[::3]} if design == "test" else {"cv": 3, "repeats": 1}
    done = compare({"one": model, "other": model}, X, y, n_jobs=1, **test)
    (difference,) = done.differences
    assert (difference.delta, difference.p, difference.p_holm) == (0.0, 1.0, 1.0)
    assert done.disagreements.total == 0
    assert "both models gave the same predictions on every row" in done.verdicts[0]
    assert "better" not in done.verdicts[0]
    assert "equal" not in done.verdicts[0]


def test_the_first_model_is_the_reference_and_p_values_are_adjusted(iris):
    assert iris.reference == "softmax"
    assert [d.name for d in iris.differences] == ["weston_watkins", "crammer_singer", "bayes"]
    assert all(d.p_holm >= d.p for d in iris.differences)
    assert all(d.p is None for d in iris.other_differences)
    assert len(iris.verdicts) == 3


def test_mcnemar_counts_the_rows_that_one_model_alone_got_right():
    train, judged = folds(y, 3, 3, seed=0)[0]
    done = compare(
        [SoftmaxRegression(), GaussianNB()], X[train], y[train], X_test=X[judged], y_test=y[judged], n_jobs=1
    )
    (d,) = done.differences
    a, b = (done.right[name] for name in done.names)
    assert (d.only_reference, d.only_model) == ((a & ~b).sum(), (b & ~a).sum())
    assert d.delta == pytest.approx((d.only_model - d.only_reference) / len(judged))
    assert d.test == "exact McNemar"


@pytest.mark.parametrize("metric", ["macro_f1", "log_loss", "brier"])
def test_any_metric_may_be_the_primary_one(metric):
    train, judged = folds(y, 3, 3, seed=0)[0]
    models = [SoftmaxRegression(), MulticlassSVC(squared=True)]
    done = compare(models, X[train], y[train], X_test=X[judged], y_test=y[judged], metric=metric, n_jobs=1)
    assert done.differences[0].test == "paired bootstrap"
    assert done.differences[0].metric == metric


# --- rows in dispute, and what a loss does to its rows ---------------------------------------------------------------


def test_disagreements_name_exactly_the_rows_with_two_predictions(iris):
    columns = np.array([iris.disagreements.predicted[name] for name in iris.names])
    assert all(len(set(column)) > 1 for column in columns.T)
    agree = np.ones(len(y), dtype=bool)
    agree[[int(i) - 1 for i in iris.disagreements.ids]] = False
    right = np.stack([iris.right[name] for name in iris.names])
    assert (right[:, agree] == right[0, agree]).all()


def test_zero_gradient_rows_are_those_beyond_the_margin():
    done = judge(linear("crammer_singer"), X, y, 3, (X, y), Manner(), watch=True)
    beyond = done.portrait.margins >= 1
    assert done.activity.zero == pytest.approx(beyond.mean())
    assert (done.portrait.masses[beyond] == 0).all()
    assert done.activity.inside == pytest.approx(1 - beyond.mean())


def test_softmax_never_lets_a_row_go(iris):
    assert iris.models[0].zero_gradient == 0
    assert iris.models[2].zero_gradient > 0.5
    assert (iris.portraits["softmax"].masses > 0).all()


def test_margins_are_the_true_class_over_the_best_other():
    Z = np.array([[3.0, 1.0, 2.0], [0.0, 5.0, 7.0]])
    assert margins(Z, np.array([0, 1])).tolist() == [1.0, -2.0]


def test_weights_count_in_shares():
    rows = make_rows(X, y, np.where(y == 0, 2.0, 0.0), n_classes=3)
    W = np.zeros((5, 3))
    assert activity(rows, CrammerSinger(), W, 1.0).inside == 1.0


@pytest.mark.parametrize("loss", LOSSES)
def test_a_fit_is_the_same_whether_or_not_it_is_watched(loss):
    contender = linear(loss)
    watched, alone = contender.fit(X, y, 3, watch=True), contender.fit(X, y, 3)
    assert (watched.trained.W == alone.trained.W).all()
    history = watched.watcher.joined(watched.trained.result.history)
    assert history["norm"][0] == 0.0
    assert history["norm"][-1] == pytest.approx(np.linalg.norm(alone.trained.W[:-1]))
    assert {len(column) for column in history.values()} == {len(history["iteration"])}


def test_without_a_penalty_the_hinge_comes_to_rest_and_softmax_grows_without_end():
    X, y = load_wine(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    hinge = judge(linear("crammer_singer", alpha=0.0, tol=1e-6), X, y, 3, (X, y), Manner(), watch=True)
    assert hinge.losses[2] == 0
    assert hinge.activity.zero == 1
    softmax = judge(linear(alpha=0.0, tol=1e-6), X, y, 3, (X, y), Manner())
    assert softmax.status == "separated"
    assert not softmax.certified
    rest, grows = (
        linear(loss, alpha=0.0, tol=1e-6, solver="gd", learning_rate=0.5, max_iter=400).fit(X, y, 3, watch=True)
        for loss in ("crammer_singer", "softmax")
    )
    assert rest.trained.result.n_iter < 400  # every margin is met: no row pulls any more
    assert rest.watcher.joined(rest.trained.result.history)["zero_gradient"][-1] == 1.0
    norms = [v for v in grows.watcher.joined(grows.trained.result.history)["norm"] if v is not None]
    assert (np.diff(norms) > 0).all()
    assert norms[-1] > 1.2 * norms[len(norms) // 2]


def test_without_a_penalty_softmax_names_the_class_that_is_separated():
    frame = {"softmax": SoftmaxRegression(alpha=0.0), "bayes": GaussianNB()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        done = compare(frame, X, y, cv=3, repeats=1, n_jobs=1)
    [note] = [note for note in done.notes if note.startswith("softmax, fitted to all 150 rows: ")]
    assert "0" in note  # setosa


def test_the_crammer_singer_minimum_of_iris_without_penalty():
    fit = linear("crammer_singer", alpha=0.0, tol=1e-6).fit(X, y, 3)
    assert fit.trained.result.value == pytest.approx(0.0373, abs=5e-5)


# --- whoever fails fails alone ---------------------------------------------------------------------------------------


class Broken(GaussianNB):
    def fit(self, X, y):
        raise RuntimeError("no luck\ntoday")


def test_a_model_that_fails_leaves_the_others():
    done = compare({"softmax": SoftmaxRegression(), "broken": Broken()}, X, y, cv=3, repeats=1, n_jobs=1)
    assert done.models[1].error == "RuntimeError: no luck today (fold 1)"
    assert done.models[0].error is None
    assert done.warnings == ("broken failed: RuntimeError: no luck today (fold 1)",)
    assert done.verdicts == ()
    json.dumps(done.to_json(), allow_nan=False)


def test_a_reference_that_fails_is_compared_with_nothing():
    done = compare({"broken": Broken(), "softmax": SoftmaxRegression()}, X, y, cv=3, repeats=1, n_jobs=1)
    assert done.differences == ()
    assert done.models[1].scores["accuracy"].value > 0.9


def test_a_fit_that_is_not_certified_is_said_so():
    done = compare([SoftmaxRegression(max_iter=1), GaussianNB()], X, y, cv=3, repeats=1, n_jobs=1)
    assert done.models[0].certified is False
    assert "0 of 3 fits are certified" in done.warnings[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"estimators": [SoftmaxRegression()]}, "at least two"),
        ({"estimators": [SoftmaxRegression(), StandardScaler()]}, "no classifier"),
        ({"metric": "acuracy"}, "metric='acuracy'"),
        ({"metric": "calibration_error"}, "one of accuracy"),
        ({"X_test": X}, "both"),
        ({"X_test": X, "y_test": np.full(len(X), 9)}, "'9' is none of the classes"),
        ({"X": X[:20]}, "inconsistent numbers of samples"),
        ({"groups": np.arange(20)}, "inconsistent numbers of samples"),
        ({"y": np.where(y == 2, np.nan, y)}, "NaN"),
        ({"X_test": X[:, :3], "y_test": y}, "X_test has 3 columns, X has 4"),
        ({"cv": ShuffleSplit(2, test_size=0.05, random_state=0)}, "make up folds"),
        ({"estimators": [SoftmaxRegression(early_stopping=True), GaussianNB()]}, "early_stopping has no place"),
        ({"X": np.full((150, 2), "a")}, "not numbers"),
    ],
)
def test_what_cannot_be_compared_is_refused(change, message):
    with pytest.raises((UsageError, DataError), match=message):
        compare(**{"estimators": [SoftmaxRegression(), GaussianNB()], "X": X, "y": y, **change})


def test_an_estimator_that_cannot_be_fitted_says_why_in_one_line():
    with pytest.raises(Failed, match=r"^RuntimeError: no luck today$"):
        Estimator("broken", Broken()).fit(X, y, 3)


# --- one answer, whatever the machine does ---------------------------------------------------------------------------


def test_worker_processes_change_nothing():
    models = [SoftmaxRegression(), MulticlassSVC(squared=True)]
    alone, together = (compare(models, X, y, cv=5, repeats=1, n_jobs=n).to_json() for n in (1, 2))
    for done in (alone, together):
        for model in done["models"]:
            model["seconds"] = 0
    assert alone == together


def test_names_are_made_different():
    done = compare([SoftmaxRegression(), SoftmaxRegression(alpha=1.0)], X, y, cv=3, repeats=1, n_jobs=1)
    assert done.names == ("softmax 1", "softmax 2")


def test_the_table_has_an_entry_for_each_model(iris):
    assert {len(column) for column in iris.table.values()} == {4}
    assert iris.table["model"] == list(iris.names)


# --- looking at it ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def petals():
    return compare([SoftmaxRegression(), MulticlassSVC(squared=True)], X[:, 2:], y, cv=3, repeats=1, n_jobs=1)


@pytest.mark.parametrize("kind", COMPARISON_PICTURES)
def test_every_picture_can_be_drawn(petals, kind):
    assert petals.plot(kind).ax_.figure is not None


def test_an_unknown_picture_names_the_nearest(iris):
    with pytest.raises(UsageError, match="did you mean margins"):
        iris.plot("margin")


def test_regions_need_two_features(iris):
    with pytest.raises(DataError, match="two features"):
        iris.plot("regions")


def test_the_report_is_one_page_with_the_same_bytes_each_time(iris, tmp_path):
    page = iris.to_html(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text() == page == iris.to_html()
    assert "<script" not in page
    assert iris.verdicts[0][:20] in page


def test_compare_is_public():
    assert softreg.compare is compare
    assert replace(Manner(), tune=True).tune


def test_frames_of_any_columns_of_numbers_are_compared():
    frame = pl.DataFrame({"long": X[:, 2] > 4, "wide": X[:, 3]})
    done = compare([SoftmaxRegression(tol=1e-3), GaussianNB()], frame, y, cv=3, repeats=1, n_jobs=1)
    assert all(model.error is None for model in done.models)


def test_a_transformer_that_fails_fails_its_model_alone():
    models = [make_pipeline(PCA(9), SoftmaxRegression(tol=1e-3)), GaussianNB(), SoftmaxRegression(tol=1e-3)]
    done = compare(models, X, y, cv=3, repeats=1, n_jobs=1)
    assert [model.error is None for model in done.models] == [False, True, True]
    assert "n_components=9" in done.models[0].error


def test_an_estimator_keeps_its_seed():
    models = {
        f"sgd {seed}": SoftmaxRegression(solver="sgd", batch_size=10, max_iter=3, random_state=seed) for seed in (1, 2)
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        done = compare(models, X, y, cv=3, repeats=1, n_jobs=1)
    first, second = (model.scores["log_loss"].value for model in done.models)
    assert first != second


def test_the_order_of_folds_of_unequal_size_does_not_count():
    order, edges = np.random.default_rng(0).permutation(150), (0, 75, 95, 115, 150)
    cv = [(np.setdiff1d(order, order[a:b]), order[a:b]) for a, b in pairwise(edges)]
    models = [SoftmaxRegression(tol=1e-3), GaussianNB()]
    one, other = (compare(models, X, y, cv=splits, n_jobs=1).differences[0] for splits in (cv, cv[::-1]))
    assert (one.low, one.high, one.p) == pytest.approx((other.low, other.high, other.p))


def test_given_folds_are_not_called_stratified():
    done = compare([SoftmaxRegression(tol=1e-3), GaussianNB()], X, y, cv=KFold(3, shuffle=True), n_jobs=1)
    assert done.design.text == "3 folds as given, 1 repeat"


# --- models of others that are told otherwise, or fail late ----------------------------------------------------------


def rows_of(done: Any) -> dict[str, Any]:
    return {row["name"]: row for row in done.to_json()["models"]}


def test_class_weights_are_of_labels_in_every_model() -> None:
    X, y = load_iris(return_X_y=True)
    labels = np.array(["setosa", "versicolor", "virginica"])[y]
    weights = {"setosa": 1.0, "versicolor": 1.0, "virginica": 100.0}
    models = [
        LogisticRegression(class_weight=weights, max_iter=2000),
        make_pipeline(StandardScaler(), LogisticRegression(class_weight=weights)),
    ]
    splits = [(train, judged) for train, judged in StratifiedKFold(4).split(X, y)]
    done = compare({"plain": models[0], "piped": models[1]}, X, labels, cv=splits)
    for name, model in zip(("plain", "piped"), models, strict=True):
        expected = cross_val_score(model, X, labels, cv=splits)
        found = rows_of(done)[name]["scores"]["accuracy"]["value"]
        assert found == pytest.approx(expected.mean(), abs=1e-12)
    with pytest.raises(UsageError, match="'rose'"):
        compare([SoftmaxRegression(), LogisticRegression(class_weight={"rose": 2.0})], X, labels)


class FailsLate(DummyClassifier):
    """A classifier whose fit is fine."""

    def __init__(self, how: str = "raises") -> None:
        super().__init__()
        self.how = how

    def predict(self, X: Any) -> Any:
        if self.how == "raises":
            raise RuntimeError("boom")
        return super().predict(X)

    def predict_proba(self, X: Any) -> Any:
        return super().predict_proba(X) * (np.nan if self.how == "is not finite" else 1)


@pytest.mark.parametrize(("how", "said"), [("raises", "boom"), ("is not finite", "not all finite")])
def test_a_model_that_fails_when_it_predicts_ends_alone(how: str, said: str) -> None:
    X, y = load_iris(return_X_y=True)
    done = compare({"softmax": SoftmaxRegression(alpha=1e-2), "late": FailsLate(how)}, X, y, cv=3)
    assert said in rows_of(done)["late"]["error"]


def test_scores_of_pairs_are_no_scores_of_classes() -> None:
    X, y = load_iris(return_X_y=True)
    models = {shape: SVC(decision_function_shape=shape) for shape in ("ovo", "ovr")}
    rows = rows_of(compare(models, X, y, cv=3))
    assert rows["ovo"]["scores"]["accuracy"] == rows["ovr"]["scores"]["accuracy"]
    assert rows["ovo"]["losses"] is None
    assert rows["ovr"]["losses"] is not None


def test_splits_that_train_on_what_they_judge_are_refused() -> None:
    X, y = load_iris(return_X_y=True)
    splits = [(np.arange(150), judged) for _, judged in StratifiedKFold(3).split(X, y)]
    with pytest.raises(UsageError, match="split 1 row 0 is among the training rows and the test rows"):
        compare([SoftmaxRegression(), LogisticRegression()], X, y, cv=splits)


def test_test_labels_may_be_a_column_and_must_be_known() -> None:
    X, y = load_iris(return_X_y=True)
    models = [SoftmaxRegression(alpha=1e-2), DummyClassifier()]
    one = compare(models, X[::2], y[::2], X_test=X[1::2], y_test=y[1::2])
    other = compare(models, X[::2], y[::2], X_test=X[1::2], y_test=y[1::2, None])
    assert [row["scores"] for row in rows_of(one).values()] == [row["scores"] for row in rows_of(other).values()]
    with pytest.raises(DataError, match="'0' is none of the classes"):
        compare(models, X[::2], np.array(["a", "b", "c"], dtype=object)[y[::2]], X_test=X[1::2], y_test=y[1::2])
