"""Metrics: hand values, scikit-learn's as a second opinion, and the laws of weights and blocks."""

import json
import math

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn import metrics as sk

from softreg.errors import DataError
from softreg.losses import CrammerSinger, Softmax, WestonWatkins
from softreg.metrics import classification, measure, wilson
from softreg.rows import make_rows

LOSSES = [Softmax(), WestonWatkins(), CrammerSinger(squared=True), WestonWatkins(margin=2.0, squared=True)]


def some_rows(n=500, p=4, K=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, p)), rng.integers(K, size=n), rng.normal(size=(p + 1, K)), rng.uniform(0, 2, size=n)


def test_wilson_interval_of_345_in_360():
    low, high = wilson(345 / 360, 360)
    assert (round(low, 3), round(high, 3)) == (0.932, 0.975)


def test_wilson_interval_stays_within_0_and_1_and_never_is_a_point():
    assert wilson(0.0, 10)[0] == 0.0
    assert wilson(1.0, 10)[1] == 1.0
    assert wilson(1.0, 10)[0] == pytest.approx(10 / (10 + 1.959963984540054**2))
    assert wilson(math.nan, 0) == (0.0, 1.0)


def test_hand_values():
    m = classification(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1]), 4)
    assert m.confusion.tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    assert (m.n, m.n_right, m.accuracy) == (4, 2, 0.5)
    np.testing.assert_array_equal(m.precision, [1, 1 / 3, np.nan, np.nan])
    np.testing.assert_array_equal(m.recall, [0.5, 1, 0, np.nan])
    np.testing.assert_array_equal(m.f1, [2 / 3, 0.5, 0, np.nan])
    assert m.support.tolist() == [2, 1, 1, 0]
    assert m.loss is None
    text = json.dumps(m.to_json(), allow_nan=False)
    assert json.loads(text)["recall"] == [0.5, 1.0, 0.0, None]


def test_uniform_logits_cost_the_logarithm_of_the_classes():
    m = classification(np.array([0, 1, 2]), np.zeros((3, 3)), 3)
    assert m.log_loss == m.loss == pytest.approx(math.log(3), rel=1e-15)


@pytest.mark.parametrize("weighted", [False, True])
def test_scikit_learn_agrees(weighted):
    X, y, W, s = some_rows()
    s = s if weighted else None
    Z = X @ W[:-1] + W[-1]
    m = classification(y, Z, 3, weight=s)
    predicted = Z.argmax(axis=1)
    P = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
    assert m.accuracy == pytest.approx(sk.accuracy_score(y, predicted, sample_weight=s), rel=1e-12)
    assert m.loss == pytest.approx(sk.log_loss(y, P, sample_weight=s), rel=1e-12)
    ours = (m.precision, m.recall, m.f1)
    theirs = sk.precision_recall_fscore_support(y, predicted, sample_weight=s)
    for a, b in zip(ours, theirs[:3], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    np.testing.assert_allclose(m.confusion, sk.confusion_matrix(y, predicted, sample_weight=s), rtol=1e-12)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
@pytest.mark.parametrize("kind", [np.asarray, csr_array])
def test_a_sum_over_blocks_is_the_whole(loss, kind):
    X, y, W, s = some_rows(n=20_000)
    measured = measure(make_rows(kind(X), y, s, n_classes=3), loss, W)
    whole = classification(y, X @ W[:-1] + W[-1], 3, weight=s, loss=loss)
    np.testing.assert_allclose(measured.confusion, whole.confusion, rtol=1e-12)
    assert measured.loss == pytest.approx(whole.loss, rel=1e-12)
    assert measured.effective_n == pytest.approx(whole.effective_n, rel=1e-12)
    assert (measured.loss_name, measured.unit) == (whole.loss_name, whole.unit)
    assert (measured.log_loss is None) == (loss.name != "softmax")


def test_weight_two_is_the_row_twice():
    X, y, W, _ = some_rows(n=50)
    twice = measure(make_rows(np.repeat(X, 2, axis=0), np.repeat(y, 2), n_classes=3), Softmax(), W)
    weighted = measure(make_rows(X, y, np.full(50, 2.0), n_classes=3), Softmax(), W)
    np.testing.assert_array_equal(weighted.confusion, twice.confusion)
    assert weighted.loss == pytest.approx(twice.loss, rel=1e-13)
    # For the interval weights are no new rows: it must not shrink.
    assert weighted.effective_n == pytest.approx(50)


def test_counts_of_unweighted_rows_are_integers():
    X, y, W, _ = some_rows()
    m = measure(make_rows(X, y, n_classes=3), Softmax(), W)
    assert m.confusion.dtype == np.int64
    assert isinstance(m.n, int)


def test_squared_hinges_say_so():
    X, y, W, _ = some_rows()
    m = measure(make_rows(X, y, n_classes=3), WestonWatkins(squared=True), W)
    assert (m.loss_name, m.unit) == ("squared Weston-Watkins hinge", "squared margin units/row")


def test_logits_that_overflow_are_refused():
    X, y, W, _ = some_rows()
    with pytest.raises(DataError, match="overflow"):
        measure(make_rows(X * 1e300, y, n_classes=3), Softmax(), W * 1e20)
    with pytest.raises(DataError, match="not finite"):
        classification(y, np.full((500, 3), np.nan), 3)
    with pytest.raises(DataError, match="one for each row"):
        classification(y, np.zeros(3, dtype=int), 3)


def test_accuracy_is_1_where_all_is_right_whatever_weights_add_up_to():
    for seed in range(200):
        rng = np.random.default_rng(seed)
        y = rng.integers(0, 6, 40)
        found = classification(y, y, 6, weight=rng.random(40))
        assert found.accuracy == 1
        assert found.n_right == found.n


def test_logits_of_no_rows_have_no_loss():
    assert math.isnan(classification(np.zeros(0, int), np.zeros((0, 3)), 3).loss)
