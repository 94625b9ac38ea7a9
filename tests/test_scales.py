"""Units of columns: a fit depends on them as its penalty does, and on nothing else, from 1e-300 to 1e150."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from kinds import EXACT, SOLVERS

from softreg.losses import Softmax
from softreg.minimise import Status
from softreg.objective import Objective
from softreg.penalties import L2
from softreg.rows import make_rows
from softreg.training import Settings, train

#: 2 to these: from the least spread that counts to the largest value that readers take (1e150).
EXPONENTS = st.integers(-985, 495)
STORED = {"dense": np.asarray, "sparse": scipy.sparse.csr_array}
each_store = pytest.mark.parametrize("store", list(STORED.values()), ids=list(STORED))


def data(n=60, p=3, K=3):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, p)) + 1
    y = (X @ rng.normal(size=(p, K)) + rng.gumbel(size=(n, K))).argmax(axis=1)
    y[:K] = np.arange(K)
    return X, y


def fit(X, y, **options):
    return train(X, y, settings=Settings(n_jobs=1, **options))


# --- the law -------------------------------------------------------------------------------------------------------


@each_store
@settings(max_examples=40, deadline=None)
@given(exponents=st.tuples(EXPONENTS, EXPONENTS, EXPONENTS))
def test_moments_have_the_units_of_their_columns(store, exponents):
    X, y = data()
    units = np.ldexp(1.0, exponents)
    one, other = (Objective(make_rows(store(A), y), Softmax(), L2(0.1)).moments for A in (X, X * units))
    for name in ("mean", "rms", "scale"):
        # Powers of two do not round; small columns are summed on their own, in another order.
        np.testing.assert_allclose(getattr(other, name), getattr(one, name) * units, rtol=1e-14)
    np.testing.assert_array_equal(other.cross, one.cross * units[:, None])


@each_store
def test_a_column_of_rows_without_weight_is_a_column_of_zeros(store):
    X, y = data()
    weight = np.where(X[:, 1] > 1, 1.0, 0.0)
    one = Objective(make_rows(store(X * (weight > 0)[:, None]), y, weight), Softmax(), L2(0.1)).moments
    X[:, 1] = np.where(weight > 0, 0.0, 1e150)
    other = Objective(make_rows(store(X), y, weight), Softmax(), L2(0.1)).moments
    assert (other.mean[1], other.rms[1], other.scale[1]) == (0, 1, 0)
    np.testing.assert_allclose(other.scale[::2], one.scale[::2], rtol=1e-14)


@each_store
@settings(max_examples=20, deadline=None)
@given(exponents=st.tuples(EXPONENTS, EXPONENTS, EXPONENTS))
def test_units_of_standardised_columns_change_their_weights_units_only(store, exponents):
    X, y = data()
    units = np.ldexp(1.0, exponents)
    one, other = (fit(store(A), y, standardize=True) for A in (X, X * units))
    assert one.result.status is other.result.status is Status.CERTIFIED
    assert other.result.value == pytest.approx(one.result.value, rel=1e-13)
    np.testing.assert_allclose(other.W[:-1] * units[:, None], one.W[:-1], rtol=1e-9)
    np.testing.assert_allclose(other.W[-1], one.W[-1], rtol=1e-9)


@pytest.mark.parametrize("loss", ["softmax", "weston_watkins", "crammer_singer"])
@pytest.mark.parametrize("exponent", [-985, -531, -30, 30, 495])
@pytest.mark.parametrize("solver", SOLVERS)
def test_no_solver_sees_the_units_of_standardised_columns(solver, exponent, loss):
    X, y = data()
    units = np.array([1.0, 2.0**exponent, 1.0])
    one, other = (
        fit(A, y, standardize=True, solver=solver, loss=loss, max_iter=20, random_state=1) for A in (X, X * units)
    )
    assert one.result.status is other.result.status
    np.testing.assert_allclose(other.W[:-1] * units[:, None], one.W[:-1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("size", [1e-302, 1e-320, 0.0])
def test_a_column_that_no_weight_could_make_count_is_as_good_as_absent(size, standardize):
    X, y = data()
    tiny = X * [1.0, size, 1.0]
    one = fit(np.delete(X, 1, axis=1), y, standardize=standardize, tol=1e-10)
    other = fit(tiny, y, standardize=standardize, tol=1e-10)
    assert other.result.status is Status.CERTIFIED
    assert other.result.value == pytest.approx(one.result.value, rel=1e-9)
    assert np.abs(other.W[1]).max() < 1e-290


# --- where the penalty sees the units ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1e-8, 1e-20, 1e-160, 1e-250])
@pytest.mark.parametrize("solver", EXACT)
def test_a_column_that_the_penalty_alone_decides_does_not_spoil_the_others(solver, size):
    X, y = data()
    expected = fit(np.delete(X, 1, axis=1), y, solver=solver, tol=1e-8).result.value
    found = fit(X * [1.0, size, 1.0], y, solver=solver, tol=1e-8).result
    assert found.status is Status.CERTIFIED, found.message
    # Such a weight is at most size/alpha, and lowers F by at most size²/alpha.
    assert found.value == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("loss", ["softmax", "weston_watkins"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("alpha", [0.0, 1e-4])
@pytest.mark.parametrize("which", [slice(None), slice(1, None, 2)], ids=["all", "some"])
@pytest.mark.parametrize("size", [1e-160, 1e-320, 1e150])
@pytest.mark.parametrize("solver", SOLVERS)
def test_what_is_known_of_a_fit_is_a_number_whatever_the_size_of_columns(
    solver, size, which, alpha, fit_intercept, loss
):
    # Warnings are errors: nothing overflows on the way either.
    X, y = data()
    X[:, which] *= size
    fitted = fit(X, y, solver=solver, alpha=alpha, fit_intercept=fit_intercept, loss=loss, max_iter=10)
    result = fitted.result
    assert np.isfinite(result.value)
    assert np.isfinite(fitted.W).all()
    assert not np.isnan(result.certificate.value)
    assert not np.isnan(result.certificate.kkt)
    if result.status is Status.CERTIFIED:
        assert result.certificate.value <= Settings(loss=loss).target
