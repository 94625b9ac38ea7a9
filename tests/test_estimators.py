"""The estimators' own promises: alpha and C, labels soft and hard, weights, statuses, warm starts, partial fits."""

from __future__ import annotations

import doctest
import pickle
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import InvalidParameterError

import softreg
from softreg import ConvergenceWarning, MulticlassSVC, SoftmaxRegression, workflows
from softreg.estimators import model_file, multiclass_svc, softmax_regression

DATA = Path(__file__).parent.parent / "data"
TARGETS = {"iris": "species", "wine": "cultivar", "digits": "digit", "breast_cancer": "diagnosis"}
SOLVERS = ["auto", "newton", "lbfgs", "gd", "momentum", "nesterov", "sgd", "adam"]


def table(name: str) -> tuple[np.ndarray, np.ndarray]:
    """X and text labels of a bundled table, raw."""
    path = DATA / f"{name}.csv"
    header = path.read_text(encoding="utf-8").split("\n", 1)[0].split(",")
    rows = np.genfromtxt(path, delimiter=",", skip_header=1, dtype=str)
    target = header.index(TARGETS[name])
    features = [j for j in range(len(header)) if j != target]
    return rows[:, features].astype(float), rows[:, target]


def blobs(n: int = 60, p: int = 3, K: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping classes, columns of spread 1."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % K
    return rng.normal(size=(n, p)) + rng.normal(size=(K, p))[y], y


def estimators() -> list[Any]:
    return [
        SoftmaxRegression(),
        MulticlassSVC(),
        MulticlassSVC(squared=True),
        MulticlassSVC(loss="crammer_singer"),
        MulticlassSVC(loss="crammer_singer", squared=True),
    ]


def each(name: str = "model") -> Any:
    return pytest.mark.parametrize(name, estimators(), ids=lambda m: f"{m!r}"[:60])


# --- the objective ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 3])
def test_softmax_objective_is_its_formula(n_classes: int) -> None:
    X, y = blobs(K=n_classes)
    s = np.linspace(0.5, 2, len(y))
    model = SoftmaxRegression(alpha=0.01).fit(X, y, s)
    W = model._weights
    total = 0.0
    for x, label, weight in zip(X, y, s, strict=True):
        z = x @ W[:-1] + W[-1]
        total += weight * (np.log(np.exp(z).sum()) - z[label])
    assert model.objective_ == pytest.approx(total / s.sum() + 0.005 * (W[:-1] ** 2).sum(), rel=1e-12)


@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("loss", ["weston_watkins", "crammer_singer"])
def test_hinge_objective_is_its_formula(loss: str, squared: bool) -> None:
    X, y = blobs()
    model = MulticlassSVC(alpha=0.01, loss=loss, squared=squared, margin=2.0).fit(X, y)
    W = model._weights
    total = 0.0
    for x, label in zip(X, y, strict=True):
        z = x @ W[:-1] + W[-1]
        terms = [max(0.0, 2.0 + z[k] - z[label]) for k in range(3) if k != label]
        power = 2 if squared else 1
        total += sum(t**power for t in terms) if loss == "weston_watkins" else max(terms) ** power
    assert model.objective_ == pytest.approx(total / len(y) + 0.005 * (W[:-1] ** 2).sum(), rel=1e-12)


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_C_is_scikit_learns_on_raw_tables(name: str) -> None:
    X, y = table(name)
    with pytest.warns(ConvergenceWarning):  # float64 cannot certify 1e-14; it is asked for the best there is
        ours = SoftmaxRegression(C=1.0, tol=1e-14).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-14, max_iter=10_000).fit(X, y)
    assert ours.coef_.shape == theirs.coef_.shape
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4 * np.abs(theirs.coef_).max())
    assert ours.predict(X[:5]).tolist() == theirs.predict(X[:5]).tolist()


@pytest.mark.parametrize(("n_classes", "factor"), [(2, 2.0), (3, 1.0)])
def test_C_is_an_alias_of_alpha_after_weights(n_classes: int, factor: float) -> None:
    X, y = blobs(K=n_classes)
    s = np.linspace(0.5, 2, len(y))
    by_C = SoftmaxRegression(C=0.3, class_weight={0: 3.0}).fit(X, y, s)
    total = (s * np.where(y == 0, 3.0, 1.0)).sum()
    by_alpha = SoftmaxRegression(alpha=factor / (0.3 * total), class_weight={0: 3.0}).fit(X, y, s)
    np.testing.assert_allclose(by_C.coef_, by_alpha.coef_, rtol=1e-10)


def test_infinite_C_is_no_penalty() -> None:
    X, y = blobs()
    model = SoftmaxRegression(C=np.inf).fit(X, y)
    assert model.status_ == "stationary"
    assert np.isnan(model.dual_gap_)
    assert np.isnan(model.relative_gap_)
    assert model.kkt_residual_ <= 1e-6


@each()
def test_C_and_alpha_together_are_refused(model: Any) -> None:
    with pytest.raises(ValueError, match="give one of them"):
        model.set_params(C=1.0, alpha=0.1).fit(*blobs())


@each()
def test_certificate_is_at_least_the_true_gap(model: Any) -> None:
    X, y = blobs()
    model = clone(model).set_params(alpha=0.01).fit(X, y)
    assert model.status_ == "certified"
    assert model.relative_gap_ <= (model.tol or (1e-6 if model.squared else 1e-3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        best = clone(model).set_params(tol=1e-9).fit(X, y)
    assert model.objective_ - best.objective_ <= model.dual_gap_ * (1 + 1e-9)
    assert model.certificate_.gap == model.dual_gap_


# --- labels -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 4])
def test_one_hot_soft_labels_are_labels(n_classes: int) -> None:
    X, y = blobs(K=n_classes)
    hard = SoftmaxRegression(alpha=0.01, max_iter=2)
    soft = clone(hard)
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        hard.set_params(tol=0.0).fit(X, y)
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        soft.set_params(tol=0.0).fit(X, np.eye(n_classes)[y])
    np.testing.assert_allclose(soft.loss_curve_, hard.loss_curve_, rtol=1e-12)
    np.testing.assert_allclose(soft.history_["gradient_norm"][:2], hard.history_["gradient_norm"][:2], rtol=1e-12)
    for model, target in ((hard, y), (soft, np.eye(n_classes)[y])):
        with pytest.warns(ConvergenceWarning):
            model.set_params(max_iter=None, tol=1e-14).fit(X, target)
    np.testing.assert_allclose(soft.predict_proba(X), hard.predict_proba(X), atol=1e-8)
    assert soft.classes_.tolist() == list(range(n_classes))


def test_soft_labels_are_mixtures_of_rows() -> None:
    X, _ = blobs(n=20)
    rng = np.random.default_rng(1)
    T = rng.dirichlet(np.ones(3), size=20)
    soft = SoftmaxRegression(alpha=0.01).fit(X, T)
    each_class = SoftmaxRegression(alpha=0.01).fit(np.repeat(X, 3, axis=0), np.tile(np.arange(3), 20), T.ravel())
    np.testing.assert_allclose(soft.predict_proba(X), each_class.predict_proba(X), atol=1e-5)
    assert soft.score(X, T) == pytest.approx((soft.predict(X) == T.argmax(axis=1)).mean())


def test_soft_labels_of_a_frame_name_the_classes() -> None:
    pandas = pytest.importorskip("pandas")
    X, y = blobs()
    T = pandas.DataFrame(np.eye(3)[y], columns=["cat", "dog", "ant"])
    model = SoftmaxRegression().fit(X, T)
    assert model.classes_.tolist() == ["cat", "dog", "ant"]
    assert set(model.predict(X)) <= {"cat", "dog", "ant"}
    with pytest.raises(ValueError, match="the classes are"):
        model.fit(X, T, X_val=X, y_val=T[["dog", "cat", "ant"]])


@pytest.mark.parametrize(
    ("T", "finding"),
    [
        ([[0.5, 0.4]] * 4, "row 0: soft labels sum to 0.9"),
        ([[1.5, -0.5]] * 4, "row 0, column 1: soft label -0.5 is below 0"),
        ([[1.0, 0.0], [0.0, 1.0]], "inconsistent numbers of samples"),
        ([[1.0, 0.0]] * 4, "class"),
        ([[1.0, np.nan]] * 4, "NaN"),
    ],
)
def test_bad_soft_labels_are_refused(T: Any, finding: str) -> None:
    with pytest.raises(ValueError, match=finding):
        SoftmaxRegression().fit(np.arange(8.0).reshape(4, 2), T)


def test_nearly_normal_soft_labels_are_normalised() -> None:
    X, y = blobs()
    T = np.eye(3)[y] * (1 + 5e-7)
    exact = SoftmaxRegression().fit(X, np.eye(3)[y])
    assert SoftmaxRegression().fit(X, T).objective_ == pytest.approx(exact.objective_, rel=1e-12)
    assert T.max() > 1  # the caller's array is left as it was


def test_hinges_refuse_soft_labels() -> None:
    X, y = blobs()
    with pytest.raises(ValueError):
        MulticlassSVC().fit(X, np.eye(3)[y])


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["b", "a", "c"]),
        np.array([3, -1, 7]),
        np.array([0.5, 1.0, 2.0]) * 2,
        np.array(["ü", "日", "x"], object),
    ],
)
def test_labels_of_any_kind_come_back(labels: np.ndarray) -> None:
    X, y = blobs()
    model = SoftmaxRegression().fit(X, labels[y])
    assert model.classes_.tolist() == sorted(labels.tolist())
    assert model.predict(X).dtype == labels.dtype
    assert (model.predict(X) == labels[y]).mean() > 0.5


def test_boolean_labels_come_back() -> None:
    X, y = blobs(K=2)
    predicted = SoftmaxRegression().fit(X, y.astype(bool)).predict(X)
    assert predicted.dtype == bool


@pytest.mark.parametrize(
    ("y", "finding"), [(["a"] * 4, "one class"), (["a", 1, "b", 2], "sorted"), (["a", None, "b", "b"], "None")]
)
def test_labels_that_cannot_be_learned_are_refused(y: Any, finding: str) -> None:
    with pytest.raises(ValueError, match=finding):
        SoftmaxRegression().fit(np.arange(8.0).reshape(4, 2), np.array(y, dtype=object))


# --- two classes --------------------------------------------------------------------------------------------------


@each()
def test_two_classes_show_one_column_and_keep_two(model: Any) -> None:
    X, y = blobs(K=2)
    model = clone(model).set_params(alpha=0.01).fit(X, y)
    W = model._weights
    assert W.shape == (4, 2)
    assert model.coef_.shape == (1, 3)
    assert model.intercept_.shape == (1,)
    np.testing.assert_array_equal(model.coef_[0], W[:-1, 1] - W[:-1, 0])
    z = model.decision_function(X)
    assert z.shape == (60,)
    np.testing.assert_allclose(z, X @ model.coef_[0] + model.intercept_[0], atol=1e-12)
    np.testing.assert_array_equal(model.predict(X), (z > 0).astype(int))
    if hasattr(model, "predict_proba"):
        np.testing.assert_allclose(model.predict_proba(X)[:, 1], 1 / (1 + np.exp(-z)), rtol=1e-12)


def test_hinges_have_no_probabilities() -> None:
    assert not hasattr(MulticlassSVC().fit(*blobs()), "predict_proba")
    assert not hasattr(MulticlassSVC(), "predict_log_proba")


@pytest.mark.parametrize("margin", [1e4, -1e4])
def test_log_probabilities_of_certain_rows_are_finite(margin: float) -> None:
    model = SoftmaxRegression(alpha=0.1).fit(*blobs(p=1, K=2))
    x = np.array([[(margin - model.intercept_[0]) / model.coef_[0, 0]]])
    L = model.predict_log_proba(x)[0]
    assert L.tolist() == pytest.approx([-1e4, 0.0] if margin > 0 else [0.0, -1e4], rel=1e-10)


# --- weights ------------------------------------------------------------------------------------------------------


@each()
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_weight_two_is_the_row_twice(model: Any, kind: str) -> None:
    X, y = blobs()
    s = np.where(np.arange(60) % 4 == 0, 2.0, 1.0)
    twice = np.repeat(np.arange(60), s.astype(int))
    as_kind = sparse.csr_array if kind == "sparse" else np.asarray
    fits = []
    for data, labels, weight in ((X, y, s), (X[twice], y[twice], None)):
        fits.append(clone(model).set_params(alpha=0.01, tol=1e-14 if model._accepts_soft_labels else 1e-9))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            fits[-1].fit(as_kind(data), labels, weight)
    a, b = fits
    # At the start both see the same F and gradient but for the order of summation.
    assert a.loss_curve_[0] == pytest.approx(b.loss_curve_[0], rel=1e-12)
    assert a.history_["gradient_norm"][0] == pytest.approx(b.history_["gradient_norm"][0], rel=1e-12)
    np.testing.assert_allclose(a.decision_function(X), b.decision_function(X), atol=1e-6)
    if hasattr(a, "predict_proba"):
        np.testing.assert_allclose(a.predict_proba(X), b.predict_proba(X), atol=1e-8)


def test_sample_and_class_weights_multiply() -> None:
    X, y = blobs()
    labels = np.array(["a", "b", "c"])[y]
    s = np.linspace(0.1, 1, 60)
    both = SoftmaxRegression(class_weight={"b": 2.5}).fit(X, labels, s)
    one = SoftmaxRegression().fit(X, labels, s * np.where(labels == "b", 2.5, 1.0))
    np.testing.assert_array_equal(both.coef_, one.coef_)


def test_balanced_gives_each_class_the_same_total() -> None:
    X, y = blobs()
    kept = (y > 0) | (np.arange(60) < 15)
    X, y = X[kept], y[kept]
    counts = np.bincount(y)
    balanced = SoftmaxRegression(class_weight="balanced").fit(X, y)
    by_hand = SoftmaxRegression(class_weight=dict(enumerate(len(y) / 3 / counts))).fit(X, y)
    np.testing.assert_allclose(balanced.coef_, by_hand.coef_, rtol=1e-9)


@pytest.mark.parametrize(
    ("weight", "finding"),
    [
        (np.full(60, -1.0), "[Nn]egative"),
        (np.full(60, np.nan), "NaN"),
        (np.full(60, np.inf), "infinity"),
        (np.zeros(60), "zero"),
        (np.ones(59), "shape"),
        ((np.arange(60) % 3 > 0).astype(float), "class 'a' has no row of positive weight"),
        ((np.arange(60) % 3 == 0).astype(float), "only one class"),
    ],
)
def test_weights_that_cannot_be_used_are_refused(weight: np.ndarray, finding: str) -> None:
    X, y = blobs()
    with pytest.raises(ValueError, match=finding):
        SoftmaxRegression().fit(X, np.array(["a", "b", "c"])[y], weight)


@pytest.mark.parametrize(
    ("class_weight", "finding"),
    [({"z": 1.0}, "'z', which is not among the classes"), ({"a": -1.0}, "0 or above"), ({"a": 0.0}, "class 'a'")],
)
def test_class_weights_that_cannot_be_used_are_refused(class_weight: Any, finding: str) -> None:
    X, y = blobs()
    with pytest.raises(ValueError, match=finding):
        SoftmaxRegression(class_weight=class_weight).fit(X, np.array(["a", "b", "c"])[y])


# --- X ------------------------------------------------------------------------------------------------------------


@each()
def test_sparse_is_dense(model: Any) -> None:
    X, y = blobs()
    X = np.where(X > 0.5, X, 0.0)
    dense = clone(model).set_params(alpha=0.1).fit(X, y)
    for kind in (sparse.csr_array, sparse.csc_array, sparse.csr_matrix, sparse.coo_array):
        other = clone(dense).fit(kind(X), y)
        np.testing.assert_allclose(other.coef_, dense.coef_, atol=1e-10)
        np.testing.assert_allclose(other.decision_function(kind(X)), dense.decision_function(X), atol=1e-10)


def test_memory_order_does_not_matter() -> None:
    X, y = blobs()
    a = SoftmaxRegression().fit(X, y)
    b = SoftmaxRegression().fit(np.asfortranarray(X), y)
    np.testing.assert_allclose(a.coef_, b.coef_, rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.uint8, np.int64])
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_numbers_of_any_type_are_not_copied_whole(dtype: Any, kind: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.integers(0, 200, size=(60_000, 200)).astype(dtype)
    if kind == "sparse":
        X = sparse.csr_array(X)
    y = rng.integers(0, 3, size=60_000)
    model = SoftmaxRegression(n_jobs=1, tol=1e9).fit(X[:100], y[:100])  # what is imported once is not counted
    tracemalloc.start()
    try:
        model.fit(X, y)
        model.predict(X)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 0.6 * X.size * 8  # a float64 copy would be all of it
    assert model.coef_.dtype == np.float64


def test_float32_in_float32_out() -> None:
    X, y = blobs()
    model = SoftmaxRegression(alpha=0.01).fit(X.astype(np.float32), y)
    for method in (model.predict_proba, model.predict_log_proba):
        assert method(X.astype(np.float32)).dtype == np.float32
        assert method(X).dtype == np.float64
    np.testing.assert_allclose(
        model.predict_proba(X), SoftmaxRegression(alpha=0.01).fit(X, y).predict_proba(X), atol=1e-4
    )


@pytest.mark.parametrize("where", ["fit", "predict"])
@pytest.mark.parametrize("damage", ["far", "negative", "falling", "short"])
@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csc_array, sparse.coo_array])
def test_damaged_sparse_matrices_are_refused(kind: Any, damage: str, where: str) -> None:
    X, y = blobs()
    model = SoftmaxRegression().fit(X, y)
    A = kind(X)
    if kind is sparse.coo_array:
        if damage == "falling":
            pytest.skip("coordinates have no order")
        column = A.col.copy()
        column[3] = 10**6 if damage == "far" else -1
        A.coords = (A.coords[0], column[:-1] if damage == "short" else column)
    elif damage == "far":
        A.indices[3] = 10**6
    elif damage == "negative":
        A.indices[3] = -1
    elif damage == "falling":
        A.indptr[1] = 10**6
    else:
        A.indices = A.indices[:-3]
    with pytest.raises(ValueError, match="damaged"):
        model.fit(A, y) if where == "fit" else model.predict(A)


def test_sparse_input_is_left_as_it_was() -> None:
    X, y = blobs()
    A = sparse.csr_array(X)
    A.indices[:3] = A.indices[:3][::-1].copy()
    before = A.data.copy(), A.indices.copy(), A.indptr.copy()
    SoftmaxRegression(standardize=True).fit(A, y)
    for old, new in zip(before, (A.data, A.indices, A.indptr), strict=True):
        np.testing.assert_array_equal(old, new)


# --- settings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["iris", "wine"])
def test_standardize_is_a_scaler_in_front(name: str) -> None:
    X, y = table(name)
    inside = SoftmaxRegression(standardize=True, tol=1e-12)
    outside = make_pipeline(StandardScaler(), SoftmaxRegression(tol=1e-12))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        inside.fit(X, y)
        outside.fit(X, y)
    scaler, model = outside[0], outside[1]
    coef = model.coef_ / scaler.scale_
    np.testing.assert_allclose(inside.coef_, coef, atol=1e-6 * np.abs(coef).max())
    np.testing.assert_allclose(inside.intercept_, model.intercept_ - coef @ scaler.mean_, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(inside.predict_proba(X), outside.predict_proba(X), atol=1e-6)


def test_without_intercept_there_is_none() -> None:
    X, y = blobs()
    model = SoftmaxRegression(fit_intercept=False).fit(X, y)
    np.testing.assert_array_equal(model.intercept_, np.zeros(3))
    np.testing.assert_allclose(model.predict_proba(np.zeros((1, 3))), np.full((1, 3), 1 / 3))


@each()
@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_reaches_the_optimum(model: Any, solver: str) -> None:
    if solver in ("momentum", "nesterov") and not getattr(model, "squared", True):
        pytest.skip("fixed steps crawl on a hinge that is hardly smoothed; gd stands for them")
    X, y = blobs()
    best = clone(model).set_params(alpha=0.1).fit(X, y)
    model = clone(model).set_params(alpha=0.1, solver=solver, random_state=0, batch_size=20, tol=1e-2)
    if solver == "momentum" and getattr(model, "loss", "") == "crammer_singer":
        model.set_params(learning_rate=0.05)  # its square has no curvature bound to choose from
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)
    tolerance = 0.05 if solver in ("sgd", "adam") else 0.01
    assert best.objective_ - best.dual_gap_ <= model.objective_ <= best.objective_ * (1 + tolerance)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_random_state_decides_everything_random(solver: str) -> None:
    X, y = blobs()

    def fit(seed: Any) -> np.ndarray:
        model = SoftmaxRegression(alpha=0.1, solver=solver, random_state=seed, batch_size=10, max_iter=3)
        with pytest.warns(ConvergenceWarning):
            return model.fit(X, y).coef_

    np.testing.assert_array_equal(fit(1), fit(1))
    np.testing.assert_array_equal(fit(np.random.RandomState(1)), fit(np.random.RandomState(1)))
    assert np.abs(fit(1) - fit(2)).max() > 0


def test_nothing_is_drawn_where_nothing_is_random() -> None:
    np.random.seed(0)  # noqa: NPY002 - the state that must not move
    before = np.random.get_state()[2]  # noqa: NPY002
    SoftmaxRegression().fit(*blobs())
    assert np.random.get_state()[2] == before  # noqa: NPY002


@each()
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("alpha", -1.0), ("alpha", np.inf), ("alpha", "1"), ("C", 0.0), ("solver", "sag"), ("learning_rate", 0.0),
        ("learning_rate", "fast"), ("batch_size", 0), ("momentum", 1.0), ("max_iter", -1), ("max_iter", 2.5),
        ("max_time", 0.0), ("tol", -1e-3), ("standardize", "yes"), ("early_stopping", None),
        ("validation_fraction", 1.0), ("n_iter_no_change", 0), ("warm_start", "no"), ("random_state", "x"),
        ("n_jobs", 1.5), ("verbose", -1), ("class_weight", "even"), ("fit_intercept", 2.5),
    ],
)  # fmt: skip
def test_bad_parameters_are_named(model: Any, name: str, value: Any) -> None:
    with pytest.raises(InvalidParameterError, match=name):
        clone(model).set_params(**{name: value}).fit(*blobs())


@pytest.mark.parametrize(("name", "value"), [("loss", "hinge"), ("margin", 0.0), ("squared", "yes")])
def test_bad_hinges_are_named(name: str, value: Any) -> None:
    with pytest.raises(InvalidParameterError, match=name):
        MulticlassSVC(**{name: value}).fit(*blobs())


# --- how a fit ends -----------------------------------------------------------------------------------------------


@each()
def test_no_iterations_leave_the_start(model: Any) -> None:
    X, y = blobs()
    model = clone(model).set_params(max_iter=0, tol=0.0)
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        model.fit(X, y)
    np.testing.assert_array_equal(model.coef_, np.zeros((3, 3)))
    assert model.n_iter_ == 1
    assert model.status_ == "not_certified"
    assert model.predict(X).tolist() == [0] * 60


def test_history_has_its_columns() -> None:
    model = SoftmaxRegression().fit(*blobs(), X_val=blobs(seed=1)[0], y_val=blobs(seed=1)[1])
    assert list(model.history_) == [
        "iteration", "passes", "seconds", "objective", "loss", "gradient_norm", "certificate", "step",
        "validation_loss", "validation_accuracy",
    ]  # fmt: skip
    assert {len(column) for column in model.history_.values()} == {len(model.loss_curve_)}
    assert model.loss_curve_ == model.history_["objective"]
    assert all(value is not None for value in model.history_["validation_loss"])
    assert model.n_iter_ == len(model.loss_curve_) - 1
    assert model.objective_ == min(model.loss_curve_)


def test_too_few_iterations_name_how_many_would_do() -> None:
    X, y = blobs()
    with pytest.warns(ConvergenceWarning, match=r"at the rate so far max_iter=\d+ would do") as caught:
        SoftmaxRegression(alpha=1e-3, solver="gd", max_iter=40).fit(X, y)
    model = SoftmaxRegression(alpha=1e-3, solver="gd", max_iter=40)
    for _ in range(4):  # a forecast can fall short, but following it gets there
        model.max_iter = int(str(caught[-1].message).rsplit("max_iter=", 1)[1].split()[0])
        with warnings.catch_warnings(record=True) as caught:  # type: ignore[assignment]
            warnings.simplefilter("always")
            model.fit(X, y)
        if not caught:
            break
    assert model.status_ == "certified"


def test_divergence_names_a_smaller_rate_and_keeps_finite_weights() -> None:
    X, y = blobs()
    model = SoftmaxRegression(alpha=0.1, solver="gd", learning_rate=1e4)
    with pytest.warns(ConvergenceWarning, match="learning_rate"):
        model.fit(X, y)
    assert model.status_ == "diverged"
    assert np.isfinite(model.coef_).all()


def test_what_cannot_even_start_is_a_value_error() -> None:
    X, y = blobs()
    with pytest.raises(ValueError, match="learning_rate"):
        MulticlassSVC(solver="gd", learning_rate="lipschitz", loss="crammer_singer", squared=True).fit(X, y)


def test_separated_classes_are_named_with_their_features() -> None:
    pandas = pytest.importorskip("pandas")
    X, y = table("iris")
    frame = pandas.DataFrame(X, columns=["sepal_length", "sepal_width", "petal_length", "petal_width"])
    model = SoftmaxRegression(alpha=0.0)
    with pytest.warns(ConvergenceWarning, match=r"setosa .*petal.*set alpha > 0"):
        model.fit(frame, y)
    assert model.status_ == "separated"
    assert model.separation_ is not None


def test_a_rejected_fit_leaves_the_last_one() -> None:
    X, y = blobs()
    model = SoftmaxRegression().fit(X, y)
    coef = model.coef_.copy()
    with pytest.raises(ValueError):
        model.fit(X, y, -np.ones(60))
    np.testing.assert_array_equal(model.coef_, coef)


def test_progress_is_printed_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    SoftmaxRegression().fit(*blobs())
    assert capsys.readouterr().out == ""
    SoftmaxRegression(verbose=1).fit(*blobs())
    out = capsys.readouterr().out
    assert "iteration 0: objective 1.09861" in out
    assert "certified" in out


# --- going on -----------------------------------------------------------------------------------------------------


@each()
def test_a_rejected_fit_leaves_the_columns_of_the_last_one(model: Any, tmp_path: Any) -> None:
    pandas = pytest.importorskip("pandas")
    X, y = blobs()
    names = [f"c{j}" for j in range(X.shape[1])]
    frame = pandas.DataFrame(X, columns=names)
    model = clone(model).set_params(alpha=0.01).fit(frame, y)
    for refused in (pandas.DataFrame(X, columns=names[::-1]), pandas.DataFrame(X[:, :1], columns=["c0"])):
        with pytest.raises(ValueError, match="one class"):
            model.fit(refused, np.zeros(len(y)))
        assert list(model.feature_names_in_) == names
        with pytest.raises(ValueError, match="feature names"):
            model.predict(refused)
    model.save(tmp_path / "m.softreg")
    np.testing.assert_array_equal(softreg.load(tmp_path / "m.softreg").predict(frame), model.predict(frame))
    fresh = clone(model)
    with pytest.raises(ValueError, match="one class"):
        fresh.fit(X, np.zeros(len(y)))
    assert not hasattr(fresh, "n_features_in_")


def test_labels_that_are_pandas_na_are_refused_as_missing() -> None:
    pandas = pytest.importorskip("pandas")
    X = np.arange(6.0)[:, None]
    for dtype in ("string", object):
        y = pandas.Series(["a", "b", pandas.NA, "a", "b", "b"], dtype=dtype)
        with pytest.raises(ValueError, match="drop the rows without a label"):
            SoftmaxRegression().fit(X, y)


def test_score_of_soft_labels_refuses_columns_that_are_not_the_classes() -> None:
    pandas = pytest.importorskip("pandas")
    X, y = blobs()
    T = pandas.DataFrame(np.eye(3)[np.unique(y, return_inverse=True)[1]], columns=["a", "b", "c"])
    model = SoftmaxRegression(alpha=0.01).fit(X, T)
    assert model.score(X, T) == model.score(X, T.idxmax(axis=1))
    for wrong in (T[["c", "b", "a"]], T.assign(d=0.0)):
        with pytest.raises(ValueError, match="the classes are"):
            model.score(X, wrong)


def test_partial_fit_refuses_early_stopping_and_counts_all_rows_it_has_seen() -> None:
    X, y = blobs()
    with pytest.raises(ValueError, match="early_stopping"):
        SoftmaxRegression(early_stopping=True).partial_fit(X, y, classes=np.unique(y))
    model = SoftmaxRegression(class_weight={np.unique(y)[0]: 5.0})
    for rows in np.array_split(np.random.default_rng(0).permutation(len(y)), 4):
        model.partial_fit(X[rows], y[rows], classes=np.unique(y))
    np.testing.assert_array_equal(model._solution.class_counts, np.unique(y, return_counts=True)[1])
    assert model._solution.n_rows == len(y)


def test_partial_fit_on_rows_that_do_not_count_remembers_the_classes() -> None:
    X, y = blobs()
    first = np.unique(y)[0]
    model = SoftmaxRegression(class_weight={first: 0.0})
    model.partial_fit(X[y == first], y[y == first], classes=np.unique(y))
    assert not model.coef_.any()
    model.partial_fit(X, y)
    assert model.coef_.any()


@each()
@pytest.mark.parametrize("standardize", [False, True])
def test_warm_start_without_an_intercept_forgets_the_old_one(model: Any, standardize: bool) -> None:
    X, y = blobs()
    options = {"alpha": 0.01, "fit_intercept": False, "standardize": standardize}
    cold = clone(model).set_params(**options).fit(X, y)
    warm = clone(model).set_params(alpha=0.01, warm_start=True).fit(X + 3, y)
    warm.set_params(**options).fit(X, y)
    assert not warm.intercept_.any()
    assert warm.status_ == cold.status_ == "certified"
    assert warm.objective_ == pytest.approx(cold.objective_, rel=2e-3)


@each()
def test_warm_start_at_the_optimum_stays_there(model: Any) -> None:
    X, y = blobs()
    model = clone(model).set_params(alpha=0.01, warm_start=True).fit(X, y)
    coef, objective, work = model.coef_.copy(), model.objective_, model.n_iter_
    model.fit(X, y)
    exact = model._accepts_soft_labels or model.squared
    assert model.objective_ <= objective * (1 + (1e-6 if exact else 1e-3))  # tol: both are certified to it
    assert model.n_iter_ <= work
    np.testing.assert_allclose(model.coef_, coef, atol=(1e-3 if exact else 0.2) * np.abs(coef).max())


def test_warm_start_needs_the_same_classes_and_features() -> None:
    X, y = blobs()
    model = SoftmaxRegression(warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="goes on from a fit of classes"):
        model.fit(X, y + 1)
    with pytest.raises(ValueError, match="goes on from a fit of 3 features"):
        model.fit(X[:, :2], y)


@each()
def test_partial_fit_learns(model: Any) -> None:
    X, y = blobs(n=300)
    labels = np.array(["a", "b", "c"])[y]
    model = clone(model).set_params(alpha=0.01, batch_size=32, learning_rate=0.01, random_state=0)
    best = clone(model).set_params(learning_rate="auto").fit(X, labels)
    model.partial_fit(X[:30], labels[:30], classes=["c", "a", "b"])
    for _ in range(40):
        for start in range(0, 300, 50):
            model.partial_fit(X[start : start + 50], labels[start : start + 50])
    assert model.classes_.tolist() == ["a", "b", "c"]
    assert model.score(X, labels) >= best.score(X, labels) - 0.05
    assert model.n_iter_ == 241
    assert model.status_ == "not_certified"


def test_partial_fit_without_momentum_is_the_gradient_step_of_each_batch() -> None:
    X, y = blobs(n=30)
    model = SoftmaxRegression(alpha=0.5, learning_rate=0.3, momentum=0.0, batch_size=100)
    model.partial_fit(X, y, classes=[0, 1, 2])
    model.partial_fit(X, y)
    W = np.zeros((4, 3))
    for _ in range(2):
        G = np.zeros((4, 3))
        for x, label in zip(X, y, strict=True):
            z = W.T @ np.append(x, 1)
            S = np.exp(z) / np.exp(z).sum()
            G += np.outer(np.append(x, 1), S - np.eye(3)[label]) / 30
        G[:-1] += 0.5 * W[:-1]
        W -= 0.3 * G
    np.testing.assert_allclose(model._weights, W, atol=1e-13)


def test_partial_fit_goes_on_from_a_fit() -> None:
    X, y = blobs()
    model = SoftmaxRegression(alpha=0.01, learning_rate=1e-9).fit(X, y)
    coef = model.coef_.copy()
    model.partial_fit(X, y)
    np.testing.assert_allclose(model.coef_, coef, atol=1e-6)


def test_partial_fit_refuses_what_it_cannot_know() -> None:
    X, y = blobs()
    with pytest.raises(ValueError, match="needs classes"):
        SoftmaxRegression().partial_fit(X, y)
    with pytest.raises(ValueError, match=r"labels \[2\] that are not among the classes \[0, 1\]"):
        SoftmaxRegression().partial_fit(X, y, classes=[0, 1])
    model = SoftmaxRegression().partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="not those of before"):
        model.partial_fit(X, y, classes=[0, 1, 2, 3])
    with pytest.raises(ValueError, match="features"):
        model.partial_fit(X[:, :2], y)
    for name, value in (("C", 1.0), ("class_weight", "balanced"), ("standardize", True)):
        with pytest.raises(ValueError, match="all rows at once"):
            SoftmaxRegression(**{name: value}).partial_fit(X, y, classes=[0, 1, 2])


# --- validation rows ----------------------------------------------------------------------------------------------


def test_early_stopping_keeps_the_best() -> None:
    X, y = blobs(n=40, p=20)
    X_val, y_val = blobs(n=40, p=20, seed=5)
    model = SoftmaxRegression(alpha=1e-6, solver="gd", early_stopping=True, n_iter_no_change=5)
    model.fit(X, y, X_val=X_val, y_val=y_val)  # no warning
    assert model.status_ == "stopped_early"
    losses = model.history_["validation_loss"]
    assert losses[-1] > min(losses)
    P = model.predict_proba(X_val)
    assert -np.log(P[np.arange(40), y_val]).mean() == pytest.approx(min(losses), rel=1e-10)


def test_early_stopping_draws_its_own_rows() -> None:
    X, y = blobs(n=90)
    model = SoftmaxRegression(alpha=1e-6, solver="gd", early_stopping=True, n_iter_no_change=3, random_state=0)
    model.fit(X, np.array(["a", "b", "c"])[y], np.linspace(0.5, 1, 90))
    assert model.status_ in ("stopped_early", "certified")
    assert model._solution.n_rows == 81
    assert clone(model).fit(X, y)._solution.class_counts.tolist() == [27, 27, 27]
    soft = clone(model).fit(X, np.eye(3)[y])
    assert soft.history_["validation_loss"][0] == pytest.approx(np.log(3))


def test_validation_rows_need_both_parts_and_known_labels() -> None:
    X, y = blobs()
    with pytest.raises(ValueError, match="y_val is missing"):
        SoftmaxRegression().fit(X, y, X_val=X)
    with pytest.raises(ValueError, match="y_val has labels \\[9\\]"):
        SoftmaxRegression().fit(X, y, X_val=X, y_val=np.where(y == 0, 9, y))
    with pytest.raises(ValueError, match="features"):
        SoftmaxRegression().fit(X, y, X_val=X[:, :2], y_val=y)


# --- objects ------------------------------------------------------------------------------------------------------


@each()
def test_pickles_predict_the_same(model: Any) -> None:
    X, y = blobs()
    model = clone(model).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.decision_function(X), model.decision_function(X))
    assert again.history_ == model.history_
    assert len(pickle.dumps(model)) < 100_000  # the rows are not inside


@each()
@pytest.mark.parametrize("n_classes", [2, 3])
def test_files_bring_back_the_same_model(model: Any, n_classes: int, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    X, y = blobs(K=n_classes)
    frame = pandas.DataFrame(X, columns=["height", "width", "ü"])
    labels = np.array(["cat", "dog", "ant"])[y]
    weights = {"cat": 2.0, "dog": 1.5}
    model = clone(model).set_params(alpha=0.1, standardize=True, class_weight=weights).fit(frame, labels)
    path = tmp_path / "pets.softreg"
    model.save(path)
    again = softreg.load(path)
    assert type(again) is type(model)
    assert again.get_params() == {**model.get_params(), "random_state": 0}
    np.testing.assert_array_equal(again.decision_function(frame), model.decision_function(frame))
    assert again.predict(frame).tolist() == model.predict(frame).tolist()
    assert again.certificate_ == model.certificate_
    assert (again.status_, again.message_, again.n_iter_) == (model.status_, model.message_, model.n_iter_)
    assert again.loss_curve_ == model.loss_curve_
    np.testing.assert_array_equal(again.coef_, model.coef_)
    with pytest.raises(ValueError, match="order"):
        again.predict(frame[["width", "height", "ü"]])
    again.save(path)  # a model may replace a model
    again.set_params(warm_start=True).fit(frame, labels)


def test_files_hold_soft_partial_and_unpenalised_fits(tmp_path: Path) -> None:
    X, y = blobs()
    fits = [
        SoftmaxRegression().fit(X, np.eye(3)[y]),
        SoftmaxRegression().partial_fit(X, y, classes=[0, 1, 2]),
        SoftmaxRegression(alpha=0.0).fit(X, y == 0),
    ]
    for model in fits:
        model.save(tmp_path / "m.softreg")
        again = softreg.load(str(tmp_path / "m.softreg"))
        np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
        assert again.classes_.dtype == model.classes_.dtype
        np.testing.assert_equal(again.dual_gap_, model.dual_gap_)
        assert again.status_ == model.status_


def test_unfitted_models_are_not_saved(tmp_path: Path) -> None:
    with pytest.raises(NotFittedError):
        SoftmaxRegression().save(tmp_path / "m.softreg")


def test_unfitted_models_say_so() -> None:
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        with pytest.raises(NotFittedError):
            getattr(SoftmaxRegression(), method)([[0.0]])


def test_lazy_frames_are_told_apart() -> None:
    polars = pytest.importorskip("polars")
    with pytest.raises(TypeError, match="collect"):
        SoftmaxRegression().fit(polars.LazyFrame({"a": [1.0, 2.0]}), [0, 1])


@pytest.mark.parametrize("module", [softmax_regression, multiclass_svc, model_file], ids=lambda m: m.__name__)
def test_examples_in_docstrings_are_true(module: Any) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


def test_public_names_are_all_there() -> None:
    for name in softreg.__all__:
        assert getattr(softreg, name) is not None
    assert set(softreg.__all__) <= set(dir(softreg))
    assert sorted(name for names in softreg._HOMES.values() for name in names) == sorted(softreg.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        softreg.nothing  # noqa: B018


# --- states that a fit must not leave behind ---------------------------------------------------------------------


def test_an_endless_C_is_no_penalty_also_in_the_file(tmp_path):
    X, y = load_iris(return_X_y=True)
    X[:, 0] += np.random.default_rng(0).standard_normal(150)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", softreg.ConvergenceWarning)
        model = SoftmaxRegression(C=np.inf, max_iter=3).fit(X, y)
    model.save(tmp_path / "m")
    again = softreg.load(tmp_path / "m")
    assert (again.alpha, again.C) == (0.0, None)
    with pytest.raises(ValueError, match="set the same thing"):
        SoftmaxRegression(C=2.0, alpha=0.1).fit(X, y)


def test_a_fit_that_fails_leaves_no_half_fitted_model():
    X, y = load_iris(return_X_y=True)
    model = SoftmaxRegression()
    with pytest.raises(ValueError, match="one class"):
        model.fit(X, np.zeros(150))
    with pytest.raises(NotFittedError):
        model.predict(X)
    model.set_params(warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="goes on from a fit of 4 features"):
        model.fit(X[:, :3], y)
    assert model.score(X, y) > 0.9


def test_a_row_of_weight_2_is_two_in_the_shares_of_classes():
    X, y = load_iris(return_X_y=True)
    model = SoftmaxRegression(alpha=0.1).fit(X, y, sample_weight=1.0 + (y == 2))
    assert model._solution.class_counts.tolist() == [50, 50, 100]


def test_names_that_nobody_gave_are_not_asked_for(tmp_path):
    X, y = load_iris(return_X_y=True)
    np.savez(tmp_path / "t.npz", X=X, y=y)
    workflows.fit(str(tmp_path / "t.npz"), output=str(tmp_path / "m"))
    assert softreg.load(tmp_path / "m").score(X, y) > 0.9  # warnings are errors
