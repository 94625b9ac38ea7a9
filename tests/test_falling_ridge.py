"""The falling ridge: badly scaled columns, rows far out and rare classes."""

import numpy as np
import pytest
import scipy.sparse as sp

from softreg.minimise import Status, minimise
from softreg.solvers import Growing
from softreg.solvers.coordinates import Coordinates
from softreg.solvers.falling_ridge import FallingRidge, Ridge
from softreg.solvers.held import HeldRows, Trial, step_past_rows
from softreg.solvers.pairs import PairHessian, row_leverage
from softreg.training import Settings, build


def wild(n=3000, seed=0, sparse=False, n_jobs=1):
    """Columns of spread 0.1 to 1e7 with rows far out, four classes, the rarest of six rows."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 6)) * [1, 0.1, 30, 1, 1, 1]
    X[:, 3] = np.exp(4 * rng.standard_normal(n)) * (rng.random(n) < 0.3)
    X[:, 4] = np.exp(6 * rng.standard_normal(n)) * (rng.random(n) < 0.1)
    X[:, 5] = rng.random(n) < 0.02
    y = (X[:, 0] + X[:, 1] * 3 > 0.5).astype(np.intp) + (X[:, 3] > 20)
    y[rng.random(n) < 0.02] = 1
    y[:6] = 3
    X[:6, 0] += 3
    settings = Settings(alpha=1e-4, n_jobs=n_jobs)
    return build(sp.csr_array(X) if sparse else X, y, rng.integers(1, 4, n).astype(float), settings, 4).objective


@pytest.mark.parametrize("sparse", [False, True])
def test_badly_scaled_rows_are_certified(sparse):
    objective = wild(sparse=sparse)
    result = minimise(objective, FallingRidge(1e-6), tol=1e-6)
    assert result.status is Status.CERTIFIED
    again = objective.certify(result.W, result.witness)
    assert again.value == pytest.approx(result.value, rel=1e-9)
    assert again.certificate.value <= 1e-6


def test_samples_lead_to_the_same_optimum():
    objective = wild()
    solver = FallingRidge(1e-6, samples=((300, 1e-2), (1000, 1e-3)))
    result, whole = minimise(objective, solver, tol=1e-6), minimise(objective, FallingRidge(1e-6), tol=1e-6)
    assert result.status is Status.CERTIFIED
    assert result.value == pytest.approx(whole.value, rel=2e-6)


def test_same_bits_on_one_thread_and_on_three():
    one, three = (minimise(wild(6000, n_jobs=jobs), FallingRidge(1e-6), tol=1e-6) for jobs in (1, 3))
    assert one.W.tobytes() == three.W.tobytes()


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_pairs_of_all_rows_are_the_hessian(fit_intercept, monkeypatch):
    monkeypatch.setattr(
        "softreg.solvers.pairs.systematic_sample", lambda h, size: (np.flatnonzero(h), np.sqrt(h[h > 0]))
    )
    objective = wild(500)
    object.__setattr__(objective, "fit_intercept", fit_intercept)
    W = np.random.default_rng(0).standard_normal(objective.shape) * 1e-3
    W[-1] *= fit_intercept
    bend = objective.local(W, keep=True).bend
    hessian = PairHessian(objective, bend, row_leverage(objective))
    scale = Coordinates.of(objective).scale
    D = np.random.default_rng(1).standard_normal(objective.shape)
    D -= D.mean(axis=1, keepdims=True)
    D[:-1] /= scale[:, None]
    D[-1] *= fit_intercept
    back = hessian(objective.hvp(W, D, bend))
    assert np.abs((back - D)[:-1] * scale[:, None]).max() < 1e-6


def test_a_trial_knows_f_and_its_slope_along_the_way():
    objective = wild(500)
    rng = np.random.default_rng(0)
    W, D = rng.standard_normal((2, *objective.shape)) / 1e3
    trial = Trial(objective, W, D, objective.local(W, keep=True).bend)
    assert trial.value == pytest.approx(objective.value(W + D), rel=1e-12)
    for t in (0.3, 1.0, 2.0):
        value, gradient = objective.value_grad(W + t * D)
        assert trial.along(t) == pytest.approx((value, np.vdot(gradient, D)), rel=1e-9)


def test_holding_rows_lets_a_step_go_further():
    objective = wild()
    W = objective.zeros()
    better = 0
    for _ in range(6):
        here = objective.local(W, keep=True)
        hessian = PairHessian(objective, here.bend, row_leverage(objective))
        D = hessian(-here.gradient)
        plain, held = Trial(objective, W, D, here.bend), step_past_rows(objective, W, here, D, hessian)
        assert held.value <= plain.value
        better += held.value < plain.value - 1e-3 * here.value
        steps = [(held.along(t)[0], t) for t in (1.0, 0.3, 0.1, 0.01, 1e-3)]
        W = W + min(steps)[1] * held.D
    assert better


def test_a_held_row_is_held_once():
    objective = wild(500)
    W = objective.zeros()
    here = objective.local(W, keep=True)
    hessian = PairHessian(objective, here.bend, row_leverage(objective))
    held = HeldRows(objective, W, hessian(-here.gradient), hessian, 0.1)
    rows, classes = np.array([3, 8]), np.array([0, 3])
    assert held.add(rows, classes)
    assert not held.add(rows, classes)


def test_the_ridge_pulls_alike_on_every_unit():
    objective = wild(500)
    ridge = Ridge(objective.penalty, 0.5, np.arange(1.0, 7.0))
    W = np.random.default_rng(0).standard_normal((6, 4))
    slope = (ridge.value(W + 1e-6 * W) - ridge.value(W - 1e-6 * W)) / 2e-6
    assert slope == pytest.approx(np.vdot(ridge.grad(W), W), rel=1e-6)
    np.testing.assert_allclose(ridge.grad(W), ridge.curvature(6)[:, None] * W)


def test_growing_hands_over_where_a_sample_misled(monkeypatch):
    called = []
    objective = wild(20000)
    assert FallingRidge.suits(objective)
    iterates = FallingRidge.iterates
    monkeypatch.setattr("softreg.solvers.growing.MISLED", 0.0)  # no sample is good enough
    monkeypatch.setattr(FallingRidge, "iterates", lambda self, *a: called.append(self) or iterates(self, *a))
    result = minimise(objective, Growing(smallest=500), tol=1e-6)
    assert called
    assert result.status is Status.CERTIFIED
    assert objective.certify(result.W, result.witness).certificate.value <= 1e-6


def test_what_it_does_not_suit():
    objective = wild(500)
    assert FallingRidge.suits(objective)
    assert not FallingRidge.suits(objective.sample(np.arange(100)))  # fewer rows than a factor is worth
