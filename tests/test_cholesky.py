"""A positive semidefinite matrix is factored with no more of a ridge than it takes."""

import numpy as np
import pytest

from softreg.minimise import Diverged
from softreg.solvers.cholesky import factor_positive, solve_factored

DTYPES = [np.float32, np.float64]


def some(dtype, rank, n=6, size=1.0):
    U = np.random.default_rng(0).standard_normal((n, rank))
    return (size * (U @ U.T)).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [(), (3,)])
def test_a_definite_matrix_is_factored_as_it_is(dtype, columns):
    M, b = some(dtype, 12), np.random.default_rng(1).standard_normal((6, *columns)).astype(dtype)
    L, ridge = factor_positive(M)
    assert ridge == 0
    assert L.dtype == dtype
    x = solve_factored(L, b)
    np.testing.assert_allclose(M @ x, b, atol=1e3 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1e-12, 1.0, 1e12])
def test_a_singular_matrix_takes_a_ridge_of_the_size_of_rounding(dtype, size):
    M = some(dtype, 2, size=size)
    M[2] = M[:, 2] = 0  # no Cholesky passes a row of zeros
    L, ridge = factor_positive(M)
    assert 0 < ridge <= 1e4 * len(M) * np.finfo(dtype).eps
    lower = np.tril(L).astype(float)
    diagonal = ridge * max(1.0, float(M.diagonal().max()))
    np.testing.assert_allclose(lower @ lower.T, M + diagonal * np.eye(6), rtol=1e-4, atol=10 * diagonal)


def test_a_given_ridge_is_the_least():
    L, ridge = factor_positive(np.eye(4), ridge=3.0)
    assert ridge == 3.0
    np.testing.assert_allclose(np.diag(L), 2.0)


def test_an_indefinite_matrix_takes_what_makes_it_definite():
    M = np.array([[1.0, 5.0], [5.0, 1.0]])
    L, ridge = factor_positive(M)
    assert ridge >= 4
    np.testing.assert_allclose(np.tril(L) @ np.tril(L).T, M + ridge * np.eye(2))


def test_nothing_is_solved_for_nothing():
    L, _ = factor_positive(np.zeros((0, 0)))
    assert solve_factored(L, np.zeros((0, 3))).shape == (0, 3)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("place", [(0, 0), (2, 1)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_matrix_that_is_not_finite_has_no_factor(dtype, place, bad):
    M = some(dtype, 12)
    M[place] = M[place[::-1]] = bad
    with pytest.raises(Diverged, match="not finite"):
        factor_positive(M)
