"""Laws of the penalties, on weights alone."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from kinds import each

from softreg.penalties import L2

PENALTIES = {
    "l2": L2(0.3),
    "l2 strong": L2(50.0),
    "l2 factors": L2(0.3, factor=(1.0, 2.0, 0.5, 4.0)),
}
P, K = 4, 3


def weights(seed=0):
    return np.random.default_rng(seed).normal(size=(P, K))


def strength(penalty):
    return penalty.alpha * (np.ones(P) if penalty.factor is None else np.array(penalty.factor))


def test_l2_is_half_alpha_times_the_sum_of_squares():
    W = np.array([[3.0, -4.0], [0.0, 12.0]])
    assert L2(0.5).value(W) == 0.25 * 169
    assert L2(0.5, factor=(2.0, 1.0)).value(W) == 0.25 * (2 * 25 + 144)
    np.testing.assert_array_equal(L2(0.5).grad(W), 0.5 * W)


def test_no_alpha_is_no_penalty():
    assert L2(0.0).value(weights()) == 0
    assert not L2(0.0).grad(weights()).any()
    assert not L2(0.0).curvature(P).any()


@each(PENALTIES, "penalty")
def test_the_gradient_is_the_derivative_and_the_curvature_the_derivative_of_that(penalty):
    W = weights()
    h = 1e-5
    for j in range(P):
        for k in range(K):
            E = np.zeros((P, K))
            E[j, k] = h
            numeric = (penalty.value(W + E) - penalty.value(W - E)) / (2 * h)
            assert penalty.grad(W)[j, k] == pytest.approx(numeric, rel=1e-7, abs=1e-8)
            bend = (penalty.grad(W + E) - penalty.grad(W - E))[j, k] / (2 * h)
            assert penalty.curvature(P)[j] == pytest.approx(bend, rel=1e-7)


@pytest.mark.parametrize("step", [0.1, 1.0, 7.0])
@each(PENALTIES, "penalty")
def test_prox_minimises_the_rough_part_plus_the_squared_distance_on_a_grid(penalty, step):
    W = weights()
    U = penalty.prox(W, step)

    def cost(V):
        return penalty.rough_value(V) + ((V - W) ** 2).sum() / (2 * step)

    for j in range(P):
        for k in range(K):
            for change in np.linspace(-2, 2, 401):
                V = U.copy()
                V[j, k] += change
                assert cost(U) <= cost(V) + 1e-12 * (1 + cost(V))


@each(PENALTIES, "penalty")
def test_the_distance_to_the_subdifferential_is_the_slope_where_nothing_is_rough(penalty):
    G = weights(1)
    np.testing.assert_array_equal(penalty.distance(weights(), G), np.abs(G))


@each(PENALTIES, "penalty")
def test_the_gap_term_is_value_plus_conjugate_plus_product(penalty):
    for seed in range(5):
        W, A = weights(seed), weights(seed + 10)
        conjugate = ((A**2) / (2 * strength(penalty)[:, None])).sum()
        expected = penalty.value(W) + conjugate + (A * W).sum()
        assert penalty.conjugate_gap(W, A) == pytest.approx(expected, rel=1e-12, abs=1e-12)
        assert penalty.conjugate_gap(W, A) >= 0


@each(PENALTIES, "penalty")
def test_the_gap_term_vanishes_where_the_data_balance_the_penalty(penalty):
    W = weights()
    assert penalty.conjugate_gap(W, -penalty.grad(W)) == 0
    # It does not cancel: a tiny imbalance r costs r²/(2 alpha), far below the rounding of the terms it is made of.
    A = -penalty.grad(W)
    A[0, 0] += 1e-12
    expected = 1e-24 / (2 * strength(penalty)[0])
    assert penalty.conjugate_gap(W, A) == pytest.approx(expected, rel=1e-2)


@each(PENALTIES, "penalty")
def test_the_gap_term_bounds_what_the_penalty_can_lose(penalty):
    # sup over U of penalty(W) - penalty(U) + <A, W - U>: no U may exceed it.
    W, A = weights(), weights(1)
    bound = penalty.conjugate_gap(W, A)
    for seed in range(200):
        U = 3 * weights(100 + seed)
        assert penalty.value(W) - penalty.value(U) + (A * (W - U)).sum() <= bound + 1e-12


@each(PENALTIES, "penalty")
def test_penalties_are_values(penalty):
    assert pickle.loads(pickle.dumps(penalty)) == penalty
    assert hash(penalty) == hash(pickle.loads(pickle.dumps(penalty)))
    W = weights()
    W.flags.writeable = False
    penalty.value(W), penalty.grad(W), penalty.prox(W, 1.0), penalty.conjugate_gap(W, W), penalty.distance(W, W)
