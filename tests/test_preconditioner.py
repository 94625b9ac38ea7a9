"""What conjugate gradients are preconditioned with is the Hessian, by class or whole, its rows sampled by curvature."""

import numpy as np
import pytest
from kinds import LOSSES, ROWS, SMOOTH, each, problem, random_problem, random_W, soft_targets, table

from softreg.losses import Softmax
from softreg.minimise import Status, minimise
from softreg.objective import Objective
from softreg.penalties import L2
from softreg.rows.order import class_order
from softreg.solvers import precondition
from softreg.solvers.conjugate_gradient import TruncatedStep, balance
from softreg.solvers.coordinates import Coordinates
from softreg.solvers.growing import Growing
from softreg.solvers.newton import ExactStep, Newton
from softreg.solvers.precondition import (
    ClassPreconditioner,
    HessianPreconditioner,
    Preconditioner,
    leverage_scores,
    systematic_sample,
)
from softreg.training import Settings, train


def centred(G):
    return G - G.mean(axis=1, keepdims=True)


@pytest.mark.parametrize("fit_intercept", [True, False])
@each(SMOOTH, "loss")
def test_class_blocks_are_those_of_the_hessian_between_two_centrings(loss, fit_intercept):
    objective = problem(*table("iris"), loss=loss, alpha=1e-2, fit_intercept=fit_intercept)
    W = 0.1 * random_W(np.random.default_rng(0), objective)
    q, K = objective.shape
    coordinates = Coordinates.of(objective)
    H = objective.hessian(W, coordinates.mean, coordinates.scale).reshape(q, K, q, K)
    G = centred(np.random.default_rng(1).standard_normal((q, K)))
    g = centred(coordinates.gradient(G))
    d = np.zeros_like(g)
    rows = slice(None) if fit_intercept else slice(q - 1)  # without an intercept its row is nobody's concern
    for k in range(K):
        d[rows, k] = np.linalg.solve(H[rows, k, rows, k], g[rows, k])
    expected = coordinates.raw(centred(d))
    found = ClassPreconditioner(objective, objective.local(W).bend, W)(G)
    np.testing.assert_allclose(found[rows], expected[rows], rtol=1e-5, atol=1e-6 * np.abs(expected).max())


def test_class_blocks_of_float32_hold_columns_of_any_size(monkeypatch):
    monkeypatch.setattr(precondition, "SMALL_FACTORS", 0)
    X, y = table("iris")
    found = []
    for units in (np.ones(4), np.array([1, 1e100, 1e145, 1e-100])):
        objective = problem(X * units, y, alpha=1e-300)
        W = objective.zeros()
        G = centred(np.random.default_rng(1).standard_normal(objective.shape))
        G[:-1] *= units[:, None]
        preconditioner = ClassPreconditioner(objective, objective.local(W).bend, W)
        assert preconditioner.inverse.dtype == np.float32
        D = preconditioner(G)
        D[:-1] *= units[:, None]
        found.append(D)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-4, atol=1e-4 * np.abs(found[0]).max())


@each(SMOOTH, "loss")
def test_the_whole_hessian_is_inverted_on_centred_classes(loss):
    objective = problem(*table("iris"), loss=loss, alpha=1e-2)
    W = 0.1 * random_W(np.random.default_rng(0), objective)
    inverse = HessianPreconditioner(objective, objective.local(W).bend, W)
    D = centred(random_W(np.random.default_rng(1), objective))
    np.testing.assert_allclose(inverse(objective.hvp(W, D)), D, rtol=1e-5, atol=1e-6 * np.abs(D).max())


@pytest.mark.parametrize("limit", [10, 1], ids=["factored", "diagonal"])
@pytest.mark.parametrize("weighted", [False, True])
@each(SMOOTH, "loss")
def test_the_second_moment_follows_the_curvature_of_the_loss(loss, weighted, limit):
    X, y, weight = random_problem(0)
    objective = problem(X, y, weight if weighted else None, loss=loss)
    W = 5 * random_W(np.random.default_rng(1), objective)
    here = objective.local(W)
    p, K = X.shape[1], objective.shape[1]
    found = Preconditioner(objective, limit)
    found.follow(objective, here.bend)
    h = np.average(loss.bent_diagonal(here.bend, y), axis=0, weights=weight if weighted else None) * K / (K - 1)
    h = np.maximum(h, 1e-6 * h.max())
    coordinates = Coordinates.of(objective)
    M = h.mean() * (objective.gram(coordinates.mean, coordinates.scale) if limit >= p else np.eye(p))
    M += np.diag(objective.penalty.alpha / coordinates.scale**2)
    G = np.random.default_rng(2).standard_normal(objective.shape)
    g = coordinates.gradient(G)
    expected = coordinates.raw(np.vstack([np.linalg.solve(M, g[:-1]), g[-1] / h]))
    np.testing.assert_allclose(found(G), expected, rtol=1e-6, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize("kind", [ClassPreconditioner, HessianPreconditioner])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_preconditioned_steps_are_newtons(fit_intercept, kind):
    objective = problem(*table("wine"), alpha=1e-2, fit_intercept=fit_intercept)
    W = 0.1 * random_W(np.random.default_rng(1), objective)
    here = objective.local(W)
    truncated = TruncatedStep(objective)
    truncated.precondition, truncated.products = kind(objective, here.bend, W), 0
    exact = ExactStep(objective)(W, here)
    step = truncated(W, here)
    # Solved to a tenth of the gradient in the preconditioner's norm at least: the model's decrease is nearly all there.
    assert -np.vdot(here.gradient, step) >= 0.98 * -np.vdot(here.gradient, exact)


def test_a_systematic_sample_keeps_the_total_and_nearly_the_moments():
    rng = np.random.default_rng(0)
    h = rng.exponential(size=20_000) ** 3
    x = rng.standard_normal((20_000, 3))
    chosen, root = systematic_sample(h, 4000)
    assert len(chosen) <= 4000
    assert np.sum(root**2) == pytest.approx(h.sum())
    whole, part = x.T @ (x * h[:, None]), (x[chosen] * root[:, None] ** 2).T @ x[chosen]
    assert np.abs(whole - part).max() < 0.1 * np.abs(whole).max()


def test_few_rows_are_all_taken_but_those_that_do_not_count():
    h = np.r_[np.ones(50), np.full(50, 1e-6)]
    chosen, root = systematic_sample(h, 60)
    np.testing.assert_array_equal(chosen, np.arange(50))
    np.testing.assert_array_equal(root, 1)


@each(ROWS, "kind")
def test_rows_far_out_are_drawn_by_what_they_add(kind):
    X, y, weight = random_problem(0)
    X[7] *= 12
    objective = Objective(kind.make(X, y, weight), Softmax(), L2(1e-12))
    coordinates = Coordinates.of(objective)
    h = np.random.default_rng(1).exponential(size=(len(y), 3))
    h[7] = 1e-3
    score = leverage_scores(objective, coordinates, h)
    np.testing.assert_allclose(score.sum(axis=0), h.sum(axis=0), rtol=1e-6)  # the same total
    assert (score >= 0.5 * h).all()
    assert (score[7] / h[7] > 4 * np.median(score / h, axis=0)).all()


def wild_table():
    """Columns of ten decades, one of them the classes' logarithm: a few rows are all that its mean and spread know."""
    rng = np.random.default_rng(0)
    X = np.exp(rng.standard_normal((6000, 12)) * np.linspace(0.5, 3, 12))
    y = np.digitize(np.log(X[:, -1]) + rng.standard_normal(6000), [-3, 0, 3, 6]) + 5 * (X[:, 0] > 1.5)
    return X, y


@pytest.mark.parametrize("kind", [ClassPreconditioner, HessianPreconditioner])
def test_leverage_on_all_rows_changes_nothing(kind):
    objective = problem(*table("wine"), alpha=1e-2)
    W = 0.1 * random_W(np.random.default_rng(1), objective)
    bend, G = objective.local(W).bend, objective.value_grad(W)[1]
    expected = kind(objective, bend, W)(G)
    np.testing.assert_allclose(
        kind(objective, bend, W, True)(G), expected, rtol=1e-6, atol=1e-9 * np.abs(expected).max()
    )


def test_tables_of_wild_columns_are_certified():
    X, y = wild_table()
    objective = problem(X, y, alpha=1e-4)
    result = minimise(objective, Growing(Newton(direct_limit=0)), tol=1e-6)
    assert result.status is Status.CERTIFIED


def test_a_tiny_step_makes_preconditioners_look_far_out():
    objective = problem(*table("wine"), alpha=1e-2)
    W = 0.1 * random_W(np.random.default_rng(1), objective)
    here = objective.local(W)
    step_of = TruncatedStep(objective)
    step_of(W, here)
    first = step_of.precondition
    step_of.went(0.5)
    step_of(W, here)
    assert step_of.precondition is first
    step_of.went(1e-3)
    step_of(W, here)
    assert step_of.precondition is not first


@each(ROWS, "kind")
def test_a_sample_of_all_rows_is_the_objective(kind):
    X, y, weight = random_problem(0)
    objective = Objective(kind.make(X, y, weight), Softmax(), L2(1e-2))
    W = random_W(np.random.default_rng(1), objective)
    sample = objective.sample(np.arange(len(y)))
    assert sample.value_grad(W)[0] == pytest.approx(objective.value_grad(W)[0], rel=1e-13)
    doubled = objective.sample(np.arange(len(y)), 2 * weight)  # weights that stand for the whole
    assert doubled.penalty == objective.penalty
    loss = objective.value(W) - objective.penalty.value(W[:-1])
    assert doubled.value(W) - objective.penalty.value(W[:-1]) == pytest.approx(2 * loss, rel=1e-12)


@each(LOSSES, "loss")
@each(ROWS, "kind")
def test_what_is_kept_of_a_point_gives_the_same_hessian_product(kind, loss):
    X, y, weight = random_problem(0)
    objective = Objective(kind.make(X, y, weight), loss, L2(1e-2))
    W, D = (random_W(np.random.default_rng(seed), objective) for seed in (1, 2))
    here = objective.local(W)
    value, G = objective.value_grad(W)
    assert here.value == value
    np.testing.assert_array_equal(here.gradient, G)
    expected = objective.hvp(W, D)
    found = objective.hvp(W, D, here.bend)
    eps = np.finfo(objective.rows.light_dtype).eps
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e3 * eps * np.abs(expected).max())
    light = objective.light.hvp(W, D, here.bend)
    np.testing.assert_allclose(light, expected, rtol=0, atol=1e4 * eps * np.abs(expected).max())


@pytest.mark.parametrize(("least", "share", "fits"), [(1600, 0.0, 66), (0, 0.35, 70)])
def test_a_point_too_large_to_keep_is_computed_again(monkeypatch, least, share, fits):
    objective = problem(*table("iris"))
    W = random_W(np.random.default_rng(1), objective)
    monkeypatch.setattr("softreg.objective.BEND_BYTES", least)
    monkeypatch.setattr("softreg.objective.BEND_SHARE", share)
    here = objective.local(W)
    assert here.bend is None
    assert here.value == objective.value_grad(W)[0]
    step_of = TruncatedStep(objective)
    step_of(W, here)
    assert step_of.few.rows.shape == (fits, 4)  # what fits helps to precondition
    assert minimise(objective, Newton(direct_limit=0), tol=1e-8).status is Status.CERTIFIED


def test_passes_over_a_sample_count_by_its_share():
    objective = problem(*table("iris"))
    objective.sample(np.arange(15)).value_grad(objective.zeros())
    assert objective.passes == pytest.approx(0.1)


# --- growing samples -------------------------------------------------------------------------------------------------


def test_every_sample_holds_every_class_in_its_share():
    rng = np.random.default_rng(0)
    y = np.sort(np.r_[np.zeros(900, int), np.ones(95, int), np.full(4, 2), [3]])
    rows = problem(rng.standard_normal((1000, 2)), y).rows
    order = class_order(rows)
    np.testing.assert_array_equal(np.sort(order), np.arange(1000))
    for size in (50, 250):
        counts = np.bincount(y[order[:size]], minlength=4)
        assert counts.min() >= 1
        assert abs(counts[0] - 0.9 * size) <= 4


def test_soft_targets_are_sampled_at_random():
    X, y, _ = random_problem(0, n=300)
    objective = problem(X, soft_targets(y, 4))
    np.testing.assert_array_equal(np.sort(class_order(objective.rows)), np.arange(300))


def test_samples_are_of_rows_that_count_and_the_optimum_is_theirs():
    X, y, _ = random_problem(0, n=40_000)
    rng = np.random.default_rng(0)
    for labels in (y, soft_targets(y, 4)):
        weight = np.zeros(len(y))
        weight[rng.choice(len(y), 200, replace=False)] = 1
        order = class_order(problem(X, labels, weight).rows)
        assert weight[order[:200]].all()
        few = weight > 0
        fit, alone = train(X, labels, weight), train(X[few], labels[few])
        assert fit.result.status is alone.result.status is Status.CERTIFIED
        assert fit.result.value == pytest.approx(alone.result.value, rel=2e-6)


@pytest.mark.parametrize("weighted", [False, True])
@each(ROWS, "kind")
def test_growing_arrives_where_newton_does(kind, weighted):
    X, y, weight = random_problem(0, n=2000)
    objective = Objective(kind.make(X, y, weight if weighted else None), Softmax(), L2(1e-3))
    exact = minimise(objective, Newton(), tol=1e-10)
    grown = minimise(objective, Growing(smallest=100), tol=1e-10)
    assert grown.status is Status.CERTIFIED
    assert grown.value == pytest.approx(exact.value, rel=2e-10)


def test_a_start_that_knows_something_is_not_thrown_away():
    X, y, _ = random_problem(0, n=2000)
    objective = problem(X, y, alpha=1e-3)
    known = minimise(objective, Newton(), tol=1e-10).W
    again = minimise(objective, Growing(smallest=100), known, tol=1e-8)
    assert again.n_iter <= 1


def test_preconditioners_know_when_they_do_not_fit(monkeypatch):
    objective = problem(*table("iris"))
    assert ClassPreconditioner.fits(objective)
    assert HessianPreconditioner.fits(objective)
    monkeypatch.setattr(precondition, "CLASS_FACTORS", 10)
    monkeypatch.setattr(precondition, "FACTOR_LIMIT", 10)
    assert not ClassPreconditioner.fits(objective)
    assert not HessianPreconditioner.fits(objective)
    assert minimise(objective, Newton(direct_limit=0), tol=1e-8).status is Status.CERTIFIED


@pytest.mark.parametrize("weighted", [False, True])
@each(SMOOTH, "loss")
def test_balanced_intercepts_solve_the_hessian_s_own_block(loss, weighted):
    X, y, weight = random_problem(0)
    objective = problem(X, y, weight if weighted else None, loss=loss)
    W = random_W(np.random.default_rng(1), objective)
    here = objective.local(W)
    residual = centred(np.random.default_rng(2).standard_normal((1, 4)))[0]
    c = balance(objective, here.bend, residual)
    D = objective.zeros()
    D[-1] = c
    np.testing.assert_allclose(objective.hvp(W, D)[-1], residual, rtol=1e-6, atol=1e-8)


def test_intercepts_are_balanced_where_no_row_s_bend_is_kept(monkeypatch):
    rng = np.random.default_rng(0)
    n, p, K = 4000, 12, 60
    X = rng.standard_normal((n, p)) * np.exp(rng.standard_normal(p))
    Z = X @ rng.standard_normal((p, K)) + 2 * rng.gumbel(size=(n, K)) + 2 * rng.standard_normal(K)
    y = np.append(np.arange(K), Z.argmax(axis=1)[K:])
    kept = train(X, y, settings=Settings(n_jobs=1)).result
    monkeypatch.setattr("softreg.objective.BEND_SHARE", 0.0)
    monkeypatch.setattr("softreg.objective.BEND_BYTES", n * K * 2)  # of a quarter of the rows
    result = train(X, y, settings=Settings(n_jobs=1)).result
    assert result.status is Status.CERTIFIED
    assert result.n_iter <= 1.5 * kept.n_iter  # 14 instead of 9 where only the weights' residual was looked at
