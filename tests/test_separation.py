"""What is said to be separated is, and what is separated is mostly found: a linear program knows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse
from scipy.optimize import linprog

from softreg.minimise import Status
from softreg.training import Settings, Trained, train


def can_gain(X: Any, y: Any) -> tuple[int, int]:
    """How many of all (row, other class) pairs can gain for ever while none loses, and how many there are.

    Maximises the sum of s, 0 <= s_rk <= 1, s_rk <= (D_y - D_k)·(x, 1): directions have no length, so that s is 0 or 1.
    """
    n, K = len(y), int(y.max()) + 1
    Xi = np.column_stack([(X - X.mean(axis=0)) / np.where(X.std(axis=0) > 0, X.std(axis=0), 1), np.ones(n)])
    q = Xi.shape[1]
    pairs = [(r, k) for r in range(n) for k in range(K) if k != y[r]]
    A = np.zeros((len(pairs), q * K + len(pairs)))
    for i, (r, k) in enumerate(pairs):
        A[i, k * q : (k + 1) * q] = Xi[r]
        A[i, y[r] * q : (y[r] + 1) * q] = -Xi[r]
        A[i, q * K + i] = 1
    cost = np.concatenate([np.zeros(q * K), -np.ones(len(pairs))])
    bounds = [(-1e6, 1e6)] * (q * K) + [(0, 1)] * len(pairs)
    found = linprog(cost, A_ub=A, b_ub=np.zeros(len(pairs)), bounds=bounds)
    return round(-found.fun), len(pairs)


def fitted(X: Any, y: Any, **options: Any) -> Trained:
    return train(X, y, None, Settings(alpha=0.0, n_jobs=1, **options))


def some_data(seed: int) -> tuple[Any, Any]:
    """Few rows of whole numbers, so that ties are exact; classes apart, touching or mixed."""
    rng = np.random.default_rng(seed)
    n, p, K = int(rng.integers(8, 30)), int(rng.integers(1, 4)), int(rng.integers(2, 5))
    y = np.concatenate([np.arange(K), rng.integers(0, K, n - K)])
    X = rng.integers(-3, 4, (n, p)).astype(float)
    X[:, 0] += rng.choice([0, 2, 7]) * y
    return X, y


@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize("seed", range(24))
def test_classes_are_separated_where_the_linear_program_says_so(seed: int, offset: float) -> None:
    X, y = some_data(seed)
    gaining, of = can_gain(X, y)
    trained = fitted(X + offset, y)
    assert (trained.result.status is Status.SEPARATED) == (gaining > 0)
    if trained.separation is not None:
        assert trained.separation.complete == (gaining == of)


def test_columns_far_from_0_separate_nothing_that_they_do_not_separate_near_it() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(0, 1000, 20), rng.uniform(500, 1500, 20), [1e5]])
    y = np.repeat([0, 1], [20, 21])
    for offset in (0.0, 1.6e9):  # seconds since 1970
        assert fitted((x + offset)[:, None], y).separation is None


@pytest.mark.parametrize("overlap", [1e-3, 1e-7])
def test_an_overlap_however_small_is_no_separation(overlap: float) -> None:
    x = np.array([0, 0.2, 1 + overlap, 1, 1.8, 2])
    y = np.array([0, 0, 0, 1, 1, 1])
    assert fitted(x[:, None], y).separation is None
    apart = np.array([0, 0.2, 1 - overlap, 1, 1.8, 2])
    assert overlap < 1e-3 or fitted(apart[:, None], y).separation is not None


def test_sparse_and_dense_rows_are_separated_alike() -> None:
    for seed in range(6):
        X, y = some_data(seed)
        assert fitted(X, y).result.status is fitted(scipy.sparse.csr_array(X), y).result.status
