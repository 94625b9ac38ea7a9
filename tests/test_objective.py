"""Laws of the objective: a weighted mean over rows plus a penalty, however the rows are held."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse
from formulas import objective_by_loops
from kinds import LOSSES, ROWS, SMOOTH, UNSMOOTHED, each, problem, random_problem, random_W, soft_targets, solve, table

from softreg.kernels import back_product, logits
from softreg.losses import CrammerSinger, Softmax, WestonWatkins
from softreg.minimise import Status, minimise
from softreg.objective import Objective
from softreg.penalties import L2
from softreg.rows import DenseRows, SparseRows, blocks, make_rows, one_thread_blas
from softreg.solvers import make_solver

ALPHA = 0.07


def small(loss=None, *, weighted=True, fit_intercept=True, alpha=ALPHA, n=40):
    X, y, weight = random_problem(0, n=n)
    objective = problem(X, y, weight if weighted else None, loss=loss, alpha=alpha, fit_intercept=fit_intercept)
    return objective, random_W(np.random.default_rng(1), objective)


def directions(objective, seed=2):
    D = np.random.default_rng(seed).standard_normal(objective.shape)
    if not objective.fit_intercept:
        D[-1] = 0
    return D


# --- the two products ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("K", range(1, 10))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_products_are_sums_of_integers_for_any_number_of_classes(dtype, K):
    # Small integers: no product rounds, in either type.
    rng = np.random.default_rng(K)
    X, W = rng.integers(-3, 4, (37, 5)), rng.integers(-3, 4, (6, K))
    Z = logits(X.astype(dtype), W.astype(np.float64))
    assert (Z.dtype, Z.shape) == (dtype, (37, K))
    assert np.array_equal(Z, X @ W[:-1] + W[-1])
    assert K == 1 or Z.flags.f_contiguous
    assert np.array_equal(back_product(X.astype(dtype), Z), X.T @ Z.astype(np.int64))


# --- value and gradient --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@each(LOSSES, "loss")
def test_value_and_gradient_are_the_plain_loops(loss, weighted, fit_intercept):
    objective, W = small(loss, weighted=weighted, fit_intercept=fit_intercept)
    rows = objective.rows
    expected = objective_by_loops(loss, rows.X, rows.y, rows.weight, W, ALPHA, fit_intercept)
    value, G = objective.value_grad(W)
    assert value == pytest.approx(expected[0], rel=1e-13)
    np.testing.assert_allclose(G, expected[1], rtol=1e-11, atol=1e-14)
    assert objective.value(W) == pytest.approx(expected[0], rel=1e-13)


@each(LOSSES, "loss")
@each(ROWS, "kind")
def test_the_objective_does_not_depend_on_how_rows_are_held(kind, loss, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_ENTRIES", 1)
    X, y, weight = random_problem(0)
    expected = problem(kind.stands_for(X).astype(float), y, weight, loss=loss)
    objective = Objective(kind.make(X, y, weight), loss, L2(1e-2))
    W = random_W(np.random.default_rng(1), expected)
    D = directions(objective)
    value, G = expected.value_grad(W)
    assert objective.value(W) == pytest.approx(value, rel=5e-15)
    np.testing.assert_allclose(objective.value_grad(W)[1], G, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(objective.hvp(W, D), expected.hvp(W, D), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("storage", [np.asarray, scipy.sparse.csr_matrix])
def test_softmax_is_scikit_learn_s_multinomial_loss(storage, weighted, fit_intercept):
    pytest.importorskip("sklearn")
    loss_module = pytest.importorskip("sklearn._loss")
    linear_loss = pytest.importorskip("sklearn.linear_model._linear_loss")
    X, y, weight = random_problem(0)
    X, weight = storage(X.astype(float)), weight if weighted else None
    objective = Objective(make_rows(X, y, weight), Softmax(), L2(ALPHA), fit_intercept)
    twin = linear_loss.LinearModelLoss(loss_module.HalfMultinomialLoss(n_classes=4), fit_intercept=fit_intercept)
    W, D = random_W(np.random.default_rng(1), objective), directions(objective)
    cut = slice(None) if fit_intercept else slice(-1)
    data = {"X": X, "y": y.astype(float), "sample_weight": weight, "l2_reg_strength": ALPHA}
    value, G = twin.loss_gradient(np.asfortranarray(W[cut].T), **data)
    assert objective.value_grad(W)[0] == pytest.approx(value, rel=1e-13)
    np.testing.assert_allclose(objective.value_grad(W)[1][cut], G.T, rtol=1e-10, atol=1e-14)
    product = twin.gradient_hessian_product(np.asfortranarray(W[cut].T), **data)[1]
    np.testing.assert_allclose(objective.hvp(W, D)[cut], product(D[cut].T).T, rtol=1e-10, atol=1e-13)


@each(LOSSES, "loss")
def test_weight_two_is_the_row_twice(loss):
    X, y, _ = random_problem(3)
    weight = np.ones(len(X))
    weight[::3] = 2
    twice = np.repeat(np.arange(len(X)), weight.astype(int))
    heavy, long = problem(X, y, weight, loss=loss), problem(X[twice], y[twice], loss=loss)
    W = random_W(np.random.default_rng(1), heavy)
    assert heavy.value(W) == pytest.approx(long.value(W), rel=1e-13)
    np.testing.assert_allclose(heavy.value_grad(W)[1], long.value_grad(W)[1], rtol=1e-12, atol=1e-15)
    for a, b in zip(heavy.moments, long.moments, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-15)


@each(LOSSES, "loss")
def test_weight_zero_is_the_row_absent(loss):
    X, y, weight = random_problem(3)
    keep = weight > 0
    assert not keep.all()
    silent, absent = problem(X, y, weight, loss=loss), problem(X[keep], y[keep], weight[keep], loss=loss)
    W = random_W(np.random.default_rng(1), silent)
    assert silent.value(W) == pytest.approx(absent.value(W), rel=1e-13)
    np.testing.assert_allclose(silent.value_grad(W)[1], absent.value_grad(W)[1], rtol=1e-12, atol=1e-15)
    ahead, there = (o.certify(W).certificate for o in (silent, absent))
    assert ahead.gap == pytest.approx(there.gap, rel=1e-11)


@each(LOSSES, "loss")
def test_the_scale_of_the_weights_changes_nothing(loss):
    X, y, weight = random_problem(3)
    a, b = problem(X, y, weight, loss=loss), problem(X, y, 1e6 * weight, loss=loss)
    W = random_W(np.random.default_rng(1), a)
    assert a.value(W) == pytest.approx(b.value(W), rel=1e-14)
    np.testing.assert_allclose(a.value_grad(W)[1], b.value_grad(W)[1], rtol=1e-12, atol=1e-16)


@each(LOSSES, "loss")
def test_permuting_the_classes_permutes_the_weights(loss):
    X, y, weight = random_problem(3)
    order = np.array([2, 0, 3, 1])
    a, b = problem(X, y, weight, loss=loss), problem(X, np.argsort(order)[y], weight, loss=loss)
    W = random_W(np.random.default_rng(1), a)
    assert a.value(W) == pytest.approx(b.value(W[:, order]), rel=1e-14)
    np.testing.assert_allclose(a.value_grad(W)[1][:, order], b.value_grad(W[:, order])[1], rtol=1e-12, atol=1e-15)


def test_one_hot_soft_labels_are_labels():
    X, y, weight = random_problem(3)
    hard, soft = problem(X, y, weight), problem(X, np.eye(4)[y], weight)
    W, D = random_W(np.random.default_rng(1), hard), directions(hard)
    assert soft.value(W) == pytest.approx(hard.value(W), rel=1e-12)
    np.testing.assert_allclose(soft.value_grad(W)[1], hard.value_grad(W)[1], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(soft.hvp(W, D), hard.hvp(W, D), rtol=1e-12)
    for a, b in zip(soft.moments, hard.moments, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_a_soft_label_is_its_labels_shared_out():
    X, y, _ = random_problem(3)
    T = soft_targets(y, 4)
    n = len(X)
    soft = problem(X, T)
    shared = problem(np.tile(X, (4, 1)), np.repeat(np.arange(4), n), T.T.ravel())
    W = random_W(np.random.default_rng(1), soft)
    assert soft.value(W) == pytest.approx(shared.value(W), rel=1e-13)
    np.testing.assert_allclose(soft.value_grad(W)[1], shared.value_grad(W)[1], rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(soft.moments.cross, shared.moments.cross, rtol=1e-13)


def test_the_intercept_is_not_penalised():
    objective, W = small()
    flat = replace(objective, penalty=L2(0.0))
    higher = W.copy()
    higher[-1] += 10  # the same logits but for a shift
    assert objective.value(higher) == pytest.approx(objective.value(W), rel=1e-14)
    np.testing.assert_array_equal(objective.value_grad(W)[1][-1], flat.value_grad(W)[1][-1])


def test_the_intercept_s_gradient_is_zero_where_it_is_held():
    objective, W = small(fit_intercept=False)
    assert not objective.value_grad(W)[1][-1].any()
    assert not objective.hvp(W, np.ones(objective.shape))[-1].any()
    assert not objective.certify(W).gradient[-1].any()


def test_float32_arithmetic_is_summed_in_float64():
    # Losses 2^24 + 1 in a handful of rows, 1 in all others, both exact in float32; their sum is not.
    X = np.zeros((2000, 1))
    X[:3] = 2.0**24 - 2
    y = np.zeros(2000, dtype=int)
    W = np.array([[0.0, 1.0], [0.0, 0.0]])
    objective = Objective(DenseRows(X, y, n_classes=2, dtype=np.float32), CrammerSinger(), L2(0.0))
    assert objective.value(W) == (3 * (2.0**24 - 1) + 1997) / 2000
    assert objective.value_grad(W)[0] == (3 * (2.0**24 - 1) + 1997) / 2000


@each(LOSSES, "loss")
def test_float32_arithmetic_is_near_float64_s(loss):
    objective = problem(*table("wine"), loss=loss)
    W = random_W(np.random.default_rng(1), objective)
    single = objective.astype(np.float32)
    assert single.value(W) == pytest.approx(objective.value(W), rel=1e-4)
    G = objective.value_grad(W)[1]
    np.testing.assert_allclose(single.value_grad(W)[1], G, atol=1e-3 * np.abs(G).max())


# --- second derivatives --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fit_intercept", [True, False])
@each(SMOOTH, "loss")
def test_the_hessian_product_is_the_derivative_of_the_gradient(loss, fit_intercept):
    objective, W = small(loss, fit_intercept=fit_intercept)
    D = directions(objective)
    h = 1e-6
    numeric = (objective.value_grad(W + h * D)[1] - objective.value_grad(W - h * D)[1]) / (2 * h)
    np.testing.assert_allclose(objective.hvp(W, D), numeric, rtol=1e-5, atol=1e-15 / h * 100)


@each(LOSSES, "loss")
@each({k: ROWS[k] for k in ("float64", "uint8", "csr", "standardized", "standardized csr")}, "kind")
def test_the_hessian_is_its_product_with_every_unit(kind, loss):
    X, y, weight = random_problem(0, n=100, p=3, K=3)
    objective = Objective(kind.make(X, y, weight), loss, L2(ALPHA))
    W = random_W(np.random.default_rng(1), objective)
    H = objective.hessian(W, np.zeros(3), np.ones(3))
    for i, unit in enumerate(np.eye(H.shape[0])):
        np.testing.assert_allclose(
            H[:, i], objective.hvp(W, unit.reshape(objective.shape)).ravel(), rtol=1e-11, atol=1e-13
        )


def test_the_hessian_of_shifted_and_scaled_columns_is_that_of_the_changed_data():
    X, y, weight = random_problem(0, n=100, p=3, K=3)
    mean, scale = np.array([1.0, -2.0, 5.0]), np.array([2.0, 0.5, 3.0])
    objective, changed = problem(X, y, weight, alpha=ALPHA), problem((X - mean) / scale, y, weight, alpha=0.0)
    W = random_W(np.random.default_rng(1), objective)
    W_changed = np.vstack([W[:-1] * scale[:, None], W[-1] + mean @ W[:-1]])  # the same logits
    penalty = np.diag(np.repeat(np.append(ALPHA / scale**2, 0.0), 3))
    expected = changed.hessian(W_changed, np.zeros(3), np.ones(3)) + penalty
    np.testing.assert_allclose(objective.hessian(W, mean, scale), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("fit_intercept", [True, False])
@each({k: v for k, v in SMOOTH.items() if np.isfinite(v.curvature(4))}, "loss")
def test_curvature_bounds_the_hessian_s_largest_eigenvalue(loss, fit_intercept):
    X, y, weight = random_problem(0, n=100, p=3, K=3)
    objective = problem(X, y, weight, loss=loss, alpha=ALPHA, fit_intercept=fit_intercept)
    for size in (0.0, 0.3, 3.0):
        W = random_W(np.random.default_rng(1), objective, size)
        H = objective.hessian(W, np.zeros(3), np.ones(3))
        if not fit_intercept:
            H = H[:-3, :-3]
        assert np.linalg.eigvalsh(H)[-1] <= objective.curvature() * (1 + 1e-12)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@each(ROWS, "kind")
def test_products_alone_bound_the_curvature_within_a_factor_of_two(kind, weighted, fit_intercept, monkeypatch):
    X, y, weight = random_problem(0, n=100)
    objective = Objective(kind.make(X, y, weight if weighted else None), Softmax(), L2(0.0), fit_intercept)
    exact = objective.curvature()
    monkeypatch.setattr("softreg.objective.GRAM_LIMIT", 0)
    assert exact * (1 - 1e-12) <= objective.curvature() <= 2 * exact * (1 + 1e-12)


@pytest.mark.parametrize("spread", [[], [0.0] * 5, [1.0], [1e-160]])
def test_columns_next_to_nothing_leave_the_intercept_s_curvature(spread, monkeypatch):
    monkeypatch.setattr("softreg.objective.GRAM_LIMIT", 0)
    X, y = np.array([[1.0], [-1.0]] * 10) * np.array(spread)[None], np.arange(20) % 3
    least = Softmax().curvature(3)  # of a column of ones
    assert least * (1 - 1e-12) <= problem(X, y, alpha=0.0).curvature() <= 2 * least * (1 + 1e-12)


@pytest.mark.parametrize("solver", ["gd", "momentum", "nesterov", "sgd"])
def test_first_order_solvers_of_wide_data_form_no_matrix_of_features(solver, monkeypatch):
    def refuse(*arguments):
        raise MemoryError

    monkeypatch.setattr(Objective, "gram", refuse)
    rng = np.random.default_rng(0)
    X = scipy.sparse.random_array((60, 5000), density=0.01, rng=rng, format="csr") * 3
    y = np.arange(60) % 3
    weights = []
    for n_jobs in (1, 2):
        monkeypatch.setattr("softreg.rows.blocks.BLOCK_ENTRIES", 1)
        objective = Objective(make_rows(X, y, n_jobs=n_jobs), Softmax(), L2(1e-1))
        result = minimise(objective, make_solver(solver, objective)[0], tol=1e-3, max_iter=100)
        assert result.value < objective.start
        if solver != "sgd":
            assert result.status is Status.CERTIFIED, result.message
        weights.append(result.W.tobytes())
    assert weights[0] == weights[1]


def test_the_hessian_of_softmax_at_zero_is_boehning_s():
    X, y, weight = random_problem(0, n=100, p=3, K=3)
    objective = problem(X, y, weight, alpha=ALPHA)
    U = np.column_stack([X, np.ones(len(X))])
    second = (U * weight[:, None]).T @ U / weight.sum()
    expected = np.kron(second, (np.eye(3) - 1 / 3) / 3) + np.diag(np.repeat([ALPHA] * 3 + [0.0], 3))
    H = objective.hessian(objective.zeros(), np.zeros(3), np.ones(3))
    np.testing.assert_allclose(H, expected, rtol=1e-11, atol=1e-12)


# --- moments and measures ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [True, False])
@each(ROWS, "kind")
def test_moments_are_weighted_means(kind, weighted):
    X, y, weight = random_problem(0)
    seen, s = kind.stands_for(X).astype(float), weight if weighted else np.ones(len(X))
    moments = Objective(kind.make(X, y, weight if weighted else None), Softmax(), L2(0.1)).moments
    T = np.eye(4)[y]
    mean = np.average(seen, axis=0, weights=s)
    expected = {
        "mean": mean,
        "square": np.average(seen**2, axis=0, weights=s),
        "scale": np.sqrt(np.average((seen - mean) ** 2, axis=0, weights=s)),
        "target": np.average(T, axis=0, weights=s),
        "cross": (seen * s[:, None]).T @ T / s.sum(),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(moments, name), value, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("constant", [0.0, 1.0, 0.1, 1e6 + 0.1, -3e-9])
def test_a_constant_column_has_spread_zero_exactly(constant):
    X, y, weight = random_problem(0)
    X = np.column_stack([X, np.full(len(X), constant)])
    for s in (None, weight):
        assert problem(X, y, s).moments.scale[-1] == 0
        assert (problem(X, y, s).moments.scale[:-1] > 0).all()


def test_the_spread_of_a_shifted_column_does_not_cancel():
    X, y, _ = random_problem(0)
    far = X[:, :1] + 1e9
    np.testing.assert_allclose(problem(far, y).moments.scale[0], X[:, 0].std(), rtol=1e-6)


def test_the_root_mean_square_of_a_column_of_zeros_is_one():
    X, y, _ = random_problem(0)
    X[:, 2] = 0
    moments = problem(X, y).moments
    assert moments.rms[2] == 1
    np.testing.assert_allclose(np.delete(moments.rms, 2), np.sqrt((np.delete(X, 2, axis=1) ** 2).mean(axis=0)))


@each(LOSSES, "loss")
def test_start_is_the_objective_at_zero(loss):
    objective, _ = small(loss)
    assert objective.start == pytest.approx(objective.value(objective.zeros()), rel=1e-14)


def test_start_belongs_to_the_loss_at_hand():
    objective, _ = small()
    assert objective.start == pytest.approx(np.log(4))
    assert objective.with_loss(CrammerSinger(margin=3.0)).start == 3.0


def test_kkt_is_the_largest_slope_in_units_of_the_column():
    objective, W = small()
    G = objective.value_grad(W)[1]
    rms = np.append(np.sqrt(np.average(objective.rows.X**2, axis=0, weights=objective.rows.weight)), 1.0)
    assert objective.kkt(W, G) == pytest.approx(np.abs(G / rms[:, None]).max(), rel=1e-13)
    assert objective.kkt(W, 0 * G) == 0


def test_kkt_without_a_penalty_does_not_depend_on_the_units_of_columns():
    X, y, weight = random_problem(3)
    units = 10.0 ** np.array([-6, -3, 0, 3, 6])
    a, b = problem(X, y, weight, alpha=0.0), problem(X * units, y, weight, alpha=0.0)
    W = random_W(np.random.default_rng(1), a)
    V = np.vstack([W[:-1] / units[:, None], W[-1]])
    kkt = [o.certify(at).certificate.kkt for o, at in ((a, W), (b, V))]
    assert kkt[0] == pytest.approx(kkt[1], rel=1e-12)


# --- passes, relatives, batches ------------------------------------------------------------------------------------


def test_passes_count_products_with_the_data_halved():
    objective, W = small()
    costs = []
    for work in (objective.value, objective.value_grad, lambda V: objective.hvp(V, V)):
        before = objective.passes
        work(W)
        costs.append(objective.passes - before)
    assert costs == [0.5, 1.0, 1.5]


def test_relatives_of_an_objective_count_their_passes_together_and_keep_its_moments():
    objective, W = small()
    moments = objective.moments
    other = objective.with_loss(CrammerSinger())
    before = objective.passes
    other.value_grad(W)
    assert objective.passes == before + 1
    assert other.moments is moments
    assert objective.astype(np.float32).moments is moments
    assert other.loss == CrammerSinger()
    assert objective.loss == Softmax()


@pytest.mark.parametrize("weighted", [True, False])
@each({k: ROWS[k] for k in ("float64", "uint8", "csr", "standardized", "standardized csr")}, "kind")
@each(LOSSES, "loss")
def test_batches_are_the_same_objective_on_fewer_rows(loss, kind, weighted):
    # Each row once: the mean over batches, by their number of rows, is the whole objective, weights included.
    X, y, weight = random_problem(3)
    objective = Objective(kind.make(X, y, weight if weighted else None), loss, L2(ALPHA))
    W = random_W(np.random.default_rng(1), objective)
    before = objective.passes
    value, G, rows = 0.0, np.zeros(objective.shape), 0
    for batch in objective.batches(64, np.random.default_rng(0)):
        share = batch.rows.shape[0] / 300
        batch_value, batch_G = batch.value_grad(W)
        value, G, rows = value + share * batch_value, G + share * batch_G, rows + batch.rows.shape[0]
    assert rows == 300
    assert objective.passes - before == pytest.approx(1.0)  # one epoch is one pass
    expected_value, expected_G = objective.value_grad(W)
    assert value == pytest.approx(expected_value, rel=1e-13)
    np.testing.assert_allclose(G, expected_G, rtol=1e-10, atol=1e-13)


def test_objectives_with_the_same_parts_are_equal_and_pickle():
    objective, W = small()
    twin = pickle.loads(pickle.dumps(objective))
    assert twin.value(W) == objective.value(W)
    assert twin.loss == objective.loss
    assert twin.penalty == objective.penalty


@each(LOSSES, "loss")
@each({k: ROWS[k] for k in ("float64", "fortran", "float32", "csr", "standardized")}, "kind")
def test_threads_change_no_bit(kind, loss, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_ENTRIES", 1)
    X, y, weight = random_problem(3, n=700)

    def run(jobs):
        objective = Objective(kind.make(X, y, weight, n_jobs=jobs), loss, L2(ALPHA))
        W = random_W(np.random.default_rng(1), objective)
        with one_thread_blas():
            evaluation = objective.certify(W)
            results = [
                objective.value(W),
                *objective.value_grad(W),
                objective.hvp(W, W),
                objective.hessian(W, objective.moments.mean, np.ones(5)),
                evaluation.certificate.gap,
                *objective.moments,
            ]
        return [np.asarray(a).tobytes() for a in results]

    assert run(1) == run(2) == run(3)


# --- what it means -------------------------------------------------------------------------------------------------


def test_one_step_of_gradient_descent_is_the_derived_gradient_written_as_a_loop():
    X, y = table("iris")
    objective = problem(X, y)
    path = make_solver("gd", objective, learning_rate=0.1)[0].iterates(objective, objective.zeros())
    next(path)
    W = next(path).W
    n, p, K = len(X), X.shape[1], 3
    for i in range(K):
        for j in range(p + 1):
            total = 0.0
            for r in range(n):
                x_j = X[r, j] if j < p else 1.0
                total += (1 / K - (y[r] == i)) * x_j  # S_i = 1/K at W = 0
            assert W[j, i] == pytest.approx(-0.1 * total / n, rel=1e-13, abs=1e-14)


@each(UNSMOOTHED, "loss")
def test_a_hinge_s_gradient_vanishes_once_every_margin_is_met(loss):
    X = np.repeat(np.eye(3), 5, axis=0)
    y = np.repeat(np.arange(3), 5)
    objective = problem(X, y, loss=loss, alpha=0.0)
    W = np.vstack([10 * np.eye(3), np.zeros((1, 3))])
    value, G = objective.value_grad(W)
    assert value == 0
    assert not G.any()
    assert np.abs(objective.with_loss(Softmax()).value_grad(W)[1]).max() > 0


def test_alpha_keeps_its_meaning_when_rows_are_repeated():
    X, y, weight = random_problem(3)
    once, often = problem(X, y, weight), problem(np.tile(X, (5, 1)), np.tile(y, 5), np.tile(weight, 5))
    W = random_W(np.random.default_rng(1), once)
    assert once.value(W) == pytest.approx(often.value(W), rel=1e-13)
    assert solve(once).value == pytest.approx(solve(often).value, rel=1e-12)


def test_sparse_rows_are_never_made_dense():
    # A wide matrix whose dense form would take 16 GB.
    p = 1_000_000
    X = scipy.sparse.csr_array((np.ones(2000), (np.arange(2000), np.arange(2000) * 500)), shape=(2000, p))
    objective = Objective(SparseRows(X, np.arange(2000) % 2), WestonWatkins(squared=True), L2(1.0))
    value, G = objective.value_grad(objective.zeros())
    assert value == 1.0
    assert G.shape == (p + 1, 2)
    assert np.count_nonzero(G[:-1]) == 4000


@pytest.mark.parametrize("soft", [False, True])
@each(LOSSES, "loss")
@each(ROWS, "kind")
def test_value_and_gradient_at_zero_need_the_moments_only(kind, loss, soft):
    X, y, weight = random_problem(0)
    if soft and not isinstance(loss, Softmax):
        pytest.skip("soft targets are for softmax")
    objective = Objective(kind.make(X, soft_targets(y, 4) if soft else y, weight), loss, L2(1e-2))
    here = objective.at_zero()
    value, G = objective.value_grad(objective.zeros())
    assert here.value == pytest.approx(value, rel=1e-14)
    np.testing.assert_allclose(here.gradient, G, rtol=1e-12, atol=1e-14)
