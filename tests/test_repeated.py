"""Repeated rows: one of each, weighted, is the same problem."""

import numpy as np
import pytest
import scipy.sparse as sp

from softreg.rows import repeated
from softreg.rows.repeated import without_repeats
from softreg.training import Settings, build, train


def table(n=400, times=10, sparse=False, dtype=np.float64):
    rng = np.random.default_rng(3)
    X = np.round(rng.standard_normal((n, 6)) * 3).astype(dtype)
    X[:, 3] *= 1000
    X[rng.random(X.shape) < 0.5] = 0
    y = (X[:, 0] + rng.standard_normal(n) > 0).astype(np.intp) + (X[:, 1] > 2)
    again = rng.permutation(np.repeat(np.arange(n), times))
    return (sp.csr_array(X[again]) if sparse else X[again]), y[again]


def as_pairs(X, y):
    X = X if isinstance(X, np.ndarray) else X.toarray()
    return [(*map(float, row), int(k)) for row, k in zip(X, y, strict=True)]


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16])
def test_each_row_once_where_it_was_first(sparse, dtype):
    X, y = table(sparse=sparse, dtype=dtype)
    weight = np.random.default_rng(0).random(len(y))
    few, codes, weights, _ = without_repeats(X, y, weight)
    pairs = as_pairs(X, y)
    assert as_pairs(few, codes) == list(dict.fromkeys(pairs))
    assert few.dtype == X.dtype
    total = dict.fromkeys(pairs, 0.0)
    for pair, w in zip(pairs, weight, strict=True):
        total[pair] += w
    np.testing.assert_allclose(weights, list(total.values()), rtol=1e-12)


@pytest.mark.parametrize("sparse", [False, True])
def test_objective_and_gradient_are_the_same(sparse):
    X, y = table(sparse=sparse)
    W = np.random.default_rng(1).standard_normal((7, 3)) / 100
    value, gradient = build(X, y, None, Settings(), 3).objective.value_grad(W)
    merged_value, merged_gradient = build(*without_repeats(X, y, None)[:3], Settings(), 3).objective.value_grad(W)
    assert merged_value == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(merged_gradient, gradient, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("loss", ["softmax", "crammer_singer"])
def test_fit_of_repeated_rows_is_that_of_weighted_ones_to_the_bit(loss):
    X, y = table()
    one, codes, times, _ = without_repeats(X, y, None)
    assert len(one) < len(X)
    settings = Settings(loss=loss, alpha=1e-2)
    many, few = train(X, y, settings=settings), train(one, codes, times, settings)
    assert many.W.tobytes() == few.W.tobytes()
    assert many.result.certificate == few.result.certificate
    everywhere = build(X, y, None, settings, 3).objective
    assert everywhere.certify(many.W, many.result.witness).certificate.value <= 1.01 * settings.target


def test_rows_stay_where_few_are_repeated():
    X, y = table(n=4000, times=1)
    X += np.arange(len(X))[:, None]
    assert without_repeats(X, y, None)[0] is X
    assert without_repeats(X[:100], y[:100], None)[2] is None


def test_rows_of_one_fingerprint_are_compared(monkeypatch):
    X, y = table()
    monkeypatch.setattr(repeated, "_fingerprints", lambda X, y: np.zeros(len(y), dtype=np.uint64))
    monkeypatch.setattr(repeated, "MOSTLY_NEW", 2.0)
    assert without_repeats(X[:, :1], y, None)[0].shape[0] == len(y)


def test_labels_tell_rows_apart_and_the_two_zeros_do_not():
    X = np.zeros((4000, 1))
    X[::2] = -0.0
    y = np.repeat([0, 1], 2000)
    few, codes, weights, _ = without_repeats(X, y, None)
    assert len(few) == 2
    assert codes.tolist() == [0, 1]
    assert weights.tolist() == [2000.0, 2000.0]


def test_soft_labels_are_left_alone():
    X, y = table()
    assert without_repeats(X, np.eye(3)[y], None)[0] is X
