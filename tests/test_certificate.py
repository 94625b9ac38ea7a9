"""A certificate is never below the truth, and near the optimum not far above it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from kinds import LOSSES, ROWS, SMOOTH, each, problem, random_problem, random_W, soft_targets, solve, table

from softreg.certificate import Certificate, Witness, repair, rounding_slack
from softreg.losses import CrammerSinger, Softmax
from softreg.objective import Objective
from softreg.penalties import L2
from softreg.solvers.newton import ExactStep

EPS = np.finfo(float).eps


@cache
def data(name):
    """Raw tables, and tables at their worst: wild units, repeated, constant and empty columns, weights of 0."""
    if name == "two classes":
        X, y = table("breast_cancer")
        return X[::4], y[::4], None
    if name == "weighted":
        X, y = table("iris")
        return X, y, np.random.default_rng(0).integers(0, 4, len(X)) / 2
    if name == "worst":
        X, y = table("iris")
        return np.column_stack([X * [1e-6, 1.0, 1e6, 1e3], X[:, :2], np.ones(len(X)), np.zeros(len(X))]), y, None
    if name == "whole numbers":
        return random_problem(0)
    return *table(name), None


@cache
def reference(name, loss_name, alpha, fit_intercept):
    """An objective and the best weights there are for it, by Newton."""
    X, y, weight = data(name)
    loss = LOSSES[loss_name]
    objective = problem(X, y, weight, loss=loss, alpha=alpha, fit_intercept=fit_intercept)
    result = solve(objective, tol=1e-13 if loss.smooth else 1e-5)
    return objective, result.W, result.value


CASES = [
    ("wine", 1e-4, True),
    ("two classes", 1e-4, True),
    ("weighted", 1e-3, True),
    ("worst", 1e-4, True),
    ("worst", 1e-6, False),
]


def points(objective, W_best, rng, far=(1.0, 30.0)):
    """Weights near the optimum and far from it."""
    yield objective.zeros()
    for size in far:
        yield random_W(rng, objective, size)
    yield W_best
    reach = max(1.0, np.abs(objective.rows.X @ W_best[:-1] + W_best[-1]).max())
    for size in (1e-1, 1e-4, 1e-7):
        yield W_best + reach * random_W(rng, objective, size)
    if objective.fit_intercept:
        moved = W_best.copy()
        moved[-1, 0] += 1
        yield moved


def newton_step(objective, W):
    return ExactStep(objective)(W, objective.local(W))


def assert_law(certificate, value, F_ref):
    """gap >= F - F_ref, but for 1e-12 of the reference and the rounding of F itself."""
    assert certificate.kind == "gap"
    assert certificate.gap >= value - F_ref - 1e-12 * F_ref - 4 * EPS * value


# --- the law -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "alpha", "fit_intercept"), CASES)
@pytest.mark.parametrize("loss_name", list(LOSSES))
def test_the_natural_gap_is_never_below_the_truth(loss_name, name, alpha, fit_intercept):
    objective, W_best, F_ref = reference(name, loss_name, alpha, fit_intercept)
    for W in points(objective, W_best, np.random.default_rng(1)):
        evaluation = objective.certify(W)
        assert_law(evaluation.certificate, evaluation.value, F_ref)
        value, G = objective.value_grad(W)
        assert_law(objective.natural_certificate(W, value, G), value, F_ref)


@pytest.mark.parametrize(("name", "alpha", "fit_intercept"), CASES)
@pytest.mark.parametrize("loss_name", list(LOSSES))
def test_the_gap_of_a_newton_step_is_never_below_the_truth_however_sloppy_the_step(
    loss_name, name, alpha, fit_intercept
):
    objective, W_best, F_ref = reference(name, loss_name, alpha, fit_intercept)
    rng = np.random.default_rng(2)
    for W in points(objective, W_best, rng):
        D = newton_step(objective, W)
        for sloppiness in (0.0, 0.5):
            step = D * (1 + sloppiness * rng.standard_normal(D.shape))
            for lag in (0, 1):
                evaluation = objective.certify(W + lag * step, Witness(step, lag))
                assert_law(evaluation.certificate, evaluation.value, F_ref)


@pytest.mark.parametrize(("name", "alpha", "fit_intercept"), CASES)
@pytest.mark.parametrize("loss_name", [name for name in LOSSES if name != "softmax" and LOSSES[name].temperature == 0])
def test_the_gap_of_a_smoothed_dual_point_is_never_below_the_truth(loss_name, name, alpha, fit_intercept):
    objective, W_best, F_ref = reference(name, loss_name, alpha, fit_intercept)
    rng = np.random.default_rng(3)
    for temperature in (1.0, 0.03):
        smoothed = objective.with_loss(objective.loss.smoothed(temperature))
        for W in points(objective, W_best, rng, far=(1.0,)):
            step = newton_step(smoothed, W)
            for witness in (
                Witness(temperature=temperature),
                Witness(step, 0, temperature),
                Witness(step, 1, temperature),
            ):
                evaluation = objective.certify(W if witness.step is None else W + witness.lag * step, witness)
                assert_law(evaluation.certificate, evaluation.value, F_ref)


def test_the_gap_is_never_below_the_truth_for_soft_labels():
    X, y, weight = data("weighted")
    objective = problem(X, soft_targets(y, 3), weight, alpha=1e-3)
    best = solve(objective, tol=1e-13)
    rng = np.random.default_rng(4)
    for W in points(objective, best.W, rng):
        step = newton_step(objective, W)
        for sloppy in (step, step * (1 + 0.5 * rng.standard_normal(step.shape))):
            for witness in (Witness(), Witness(sloppy, 0), Witness(sloppy, 1)):
                evaluation = objective.certify(W + (witness.step is not None) * witness.lag * sloppy, witness)
                assert_law(evaluation.certificate, evaluation.value, best.value)


@each(LOSSES, "loss")
def test_any_step_at_all_proves_something_true(loss):
    X, y, weight = data("whole numbers")
    objective = problem(X, y, weight, loss=loss, alpha=0.01)
    F_ref = solve(objective, tol=1e-13 if loss.smooth else 1e-5).value
    rng = np.random.default_rng(5)
    for size in (1e-3, 1.0, 1e3):
        for lag in (0, 1):
            W, step = random_W(rng, objective), random_W(rng, objective, size)
            evaluation = objective.certify(W, Witness(step, lag))
            assert_law(evaluation.certificate, evaluation.value, F_ref)


# --- the intercept -------------------------------------------------------------------------------------------------


@each(LOSSES, "loss")
def test_a_wrong_intercept_is_never_certified(loss):
    # Columns of zeros: the gradient in W vanishes wherever b is, and only the residual of b can tell.
    y = np.repeat(np.arange(3), [50, 30, 20])
    objective = problem(np.zeros((100, 2)), y, loss=loss, alpha=0.1)
    F_ref = solve(objective, tol=1e-13 if loss.smooth else 1e-6).value
    for b in ([0, 0, 0], [0.5, 0, 0], [0, 0, 5], [-1, 3, 2]):
        W = objective.zeros()
        W[-1] = b
        evaluation = objective.certify(W)
        assert_law(evaluation.certificate, evaluation.value, F_ref)
        if evaluation.value > F_ref * (1 + 1e-6):
            assert not evaluation.certificate.meets(1e-9)


def test_the_best_constant_prediction_is_certified():
    y = np.repeat(np.arange(3), [50, 30, 20])
    objective = problem(np.zeros((100, 2)), y, alpha=0.1)
    W = objective.zeros()
    W[-1] = np.log([0.5, 0.3, 0.2])
    evaluation = objective.certify(W)
    assert evaluation.value == pytest.approx(-(np.log([0.5, 0.3, 0.2]) * [0.5, 0.3, 0.2]).sum(), rel=1e-14)
    assert evaluation.certificate.relative < 1e-12


def test_repair_leaves_a_mean_of_zero_alone():
    mean_target = np.array([0.2, 0.3, 0.5])
    mixing, u = repair(np.zeros(3), mean_target)
    assert mixing == 0
    np.testing.assert_array_equal(u, mean_target)


def test_repair_mixes_as_little_as_brings_the_mean_to_zero_with_a_distribution():
    rng = np.random.default_rng(6)
    for size in (1e-15, 1e-8, 1e-3, 0.1, 1.0, 30.0):
        for K in (2, 3, 10):
            mean_target = rng.dirichlet(np.ones(K))
            residual = size * rng.standard_normal(K)
            residual -= residual.mean()
            mixing, u = repair(residual, mean_target)
            assert 0 < mixing < 1
            assert u.min() >= 0
            assert u.sum() == pytest.approx(1, rel=1e-15)
            mean = (1 - mixing) * residual + mixing * (u - mean_target)
            np.testing.assert_allclose(mean, 0, atol=4 * EPS * (1 + size))
            assert mixing == pytest.approx(
                max(r / (r + t) for r, t in zip(residual, mean_target, strict=True) if r > 0)
            )
            if size < 10:  # with any less mixing u would leave the simplex
                less = 0.99 * mixing
                assert (mean_target - (1 - less) / less * residual).min() < 0


@each(LOSSES, "loss")
def test_a_repaired_dual_point_is_feasible_row_by_row(loss):
    # (1 - lambda) v + lambda (u - t): rows in the domain of the conjugate, whose mean is 0.
    X, y, weight = data("weighted")
    objective = problem(X, y, weight, loss=loss)
    W = random_W(np.random.default_rng(7), objective)
    V = loss.dual_point(X @ W[:-1] + W[-1], y)
    residual = weight @ V / weight.sum()
    assert np.abs(residual).max() > 1e-3
    mixing, u = repair(residual, objective.moments.target)
    mixed = (1 - mixing) * V + mixing * (u - np.eye(3)[y])
    np.testing.assert_allclose(weight @ mixed / weight.sum(), 0, atol=1e-15)
    np.testing.assert_allclose(mixed.sum(axis=1), 0, atol=1e-14)
    off = mixed.copy()
    off[np.arange(len(y)), y] = 0
    assert off.min() >= 0
    if loss.name == "weston_watkins":
        assert loss.squared or off.max() <= 1
    else:
        assert getattr(loss, "squared", False) or off.sum(axis=1).max() <= 1 + 1e-15


def test_the_gap_is_that_of_the_repaired_dual_point_or_more():
    # The gap is summed without visiting rows again; row by row it can only come out smaller.
    X, y, weight = data("weighted")
    for loss in LOSSES.values():
        if getattr(loss, "squared", False) and loss.temperature > 0:
            continue  # the Fenchel-Young term of a smoothed square is itself a bound, not convex in v
        objective = problem(X, y, weight, loss=loss, alpha=1e-2)
        W = random_W(np.random.default_rng(8), objective)
        Z = X @ W[:-1] + W[-1]
        V = loss.dual_point(Z, y)
        mixing, u = repair(weight @ V / weight.sum(), objective.moments.target)
        mixed = (1 - mixing) * V + mixing * (u - np.eye(3)[y])
        A = X.T @ (weight[:, None] * mixed) / weight.sum()
        by_rows = objective.penalty.conjugate_gap(W[:-1], A) + weight @ loss.fenchel_young(Z, mixed, y) / weight.sum()
        assert objective.certify(W).certificate.gap >= by_rows * (1 - 1e-12)


# --- what it is ----------------------------------------------------------------------------------------------------


@each(SMOOTH, "loss")
def test_without_an_intercept_the_natural_gap_is_the_squared_gradient_over_two_alpha(loss):
    X, y, weight = data("weighted")
    objective = problem(X, y, weight, loss=loss, alpha=0.01, fit_intercept=False)
    W = random_W(np.random.default_rng(9), objective)
    value, G = objective.value_grad(W)
    expected = (G**2).sum() / (2 * 0.01)
    assert objective.certify(W).certificate.gap == pytest.approx(expected, rel=1e-11)
    assert objective.natural_certificate(W, value, G).gap == pytest.approx(expected, rel=1e-11)


def test_the_gap_of_a_newton_step_is_its_residual_and_a_divergence():
    # ||grad F + data Hessian·D||²/(2 alpha) + <KL(S + J d || S)>, at the base point, without an intercept.
    X, y, weight = data("weighted")
    alpha, s = 0.01, weight / weight.sum()
    objective = problem(X, y, weight, alpha=alpha, fit_intercept=False)
    W = random_W(np.random.default_rng(10), objective)
    D = 0.1 * random_W(np.random.default_rng(11), objective)
    S = Softmax().probabilities(X @ W[:-1])
    d = X @ D[:-1]
    Q = S + S * (d - (S * d).sum(axis=1, keepdims=True))
    assert Q.min() > 0
    R = objective.value_grad(W)[1] + objective.hvp(W, D)
    residual = R[:-1] - alpha * D[:-1]
    expected = (residual**2).sum() / (2 * alpha) + s @ (Q * np.log(Q / S)).sum(axis=1)
    assert objective.certify(W, Witness(D, lag=0)).certificate.gap == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer"])
def test_near_the_optimum_newton_s_gap_is_within_a_factor_two_of_the_truth(name):
    objective, _, F_ref = reference(name, "softmax", 1e-4, True)
    seen = 0
    path = [i.W for i in _newton_path(objective)]
    for W in path:
        here = objective.value(W)
        truth = here - F_ref
        if not 1e-9 * F_ref < truth < 1e-6 * F_ref:  # below, rounding; above, q may leave the simplex
            continue
        D = newton_step(objective, W)
        gap = objective.certify(W, Witness(D, lag=0)).certificate.gap
        assert truth <= gap + 1e-12 * F_ref
        assert gap <= 2 * truth
        seen += 1
    # Small steps away from the optimum stay in reach of the quadratic model.
    last = path[-1]
    away = random_W(np.random.default_rng(0), objective)
    for size in 10.0 ** -np.arange(1, 12, 0.25):
        W = last + size * away
        truth = objective.value(W) - F_ref
        if 1e-9 * F_ref < truth < 1e-7 * F_ref:
            gap = objective.certify(W, Witness(newton_step(objective, W), lag=0)).certificate.gap
            assert truth <= gap + 1e-12 * F_ref
            assert gap <= 2 * truth
            seen += 1
    assert seen > 0


def _newton_path(objective):
    found = []
    solve(objective, tol=1e-13, callbacks=[lambda iterate, history: found.append(iterate)])
    return found


def test_on_raw_wine_newton_s_gap_is_far_below_the_natural_one():
    objective, W_best, _ = reference("wine", "softmax", 1e-4, True)
    last = _newton_path(objective)[-1].W
    for W in (last, W_best):
        natural = objective.certify(W).certificate.gap
        newton = objective.certify(W, Witness(newton_step(objective, W), lag=0)).certificate.gap
        assert newton <= 1.01 * natural  # at the end both are what rounding may hide
    first = next(i for i in _newton_path(objective) if i.certificate.relative < 1e-3 and i.witness.step is not None)
    assert first.certificate.gap < 1e-2 * objective.natural_certificate(first.W, first.value, first.gradient).gap


@each(LOSSES, "loss")
@each({k: ROWS[k] for k in ("float64", "uint8", "csr", "csr unsorted int32", "standardized")}, "kind")
def test_value_and_gradient_of_a_certificate_are_the_objective_s_own(kind, loss):
    X, y, weight = random_problem(0)
    objective = Objective(kind.make(X, y, weight), loss, L2(0.01))
    rng = np.random.default_rng(12)
    W, step = random_W(rng, objective), random_W(rng, objective, 0.1)
    value, G = objective.value_grad(W)
    for witness in (Witness(), Witness(step, 0), Witness(step, 1)):
        evaluation = objective.certify(W, witness)
        assert evaluation.value == pytest.approx(value, rel=1e-14)
        assert evaluation.loss == pytest.approx(value - objective.penalty.value(W[:-1]), rel=1e-13)
        np.testing.assert_allclose(evaluation.gradient, G, rtol=1e-12, atol=1e-14)


@each(LOSSES, "loss")
@each(ROWS, "kind")
def test_the_gap_does_not_depend_on_how_rows_are_held(kind, loss):
    X, y, weight = random_problem(0)
    held = Objective(kind.make(X, y, weight), loss, L2(0.01))
    plain = problem(kind.stands_for(X).astype(float), y, weight, loss=loss)
    rng = np.random.default_rng(13)
    W, step = random_W(rng, plain), random_W(rng, plain, 0.1)
    for witness in (Witness(), Witness(step, 0)):
        expected = plain.certify(W, witness).certificate
        assert held.certify(W, witness).certificate.gap == pytest.approx(expected.gap, rel=1e-10)
        assert held.certify(W, witness).certificate.kkt == pytest.approx(expected.kkt, rel=1e-10)


def test_a_witness_proves_the_same_gap_again_from_the_data_alone():
    objective, _, _ = reference("iris", "softmax", 1e-4, True)
    result = solve(objective, tol=1e-6)
    X, y = table("iris")
    second_party = problem(X, y, alpha=1e-4)
    again = second_party.certify(result.W, result.witness)
    assert again.value == pytest.approx(result.value, rel=1e-14)
    assert again.certificate.relative <= result.certificate.relative * (1 + 1e-3)
    assert again.certificate.meets(1e-6)


def test_the_gap_is_relative_to_the_objective_or_a_millionth_of_where_it_started():
    X, y = table("iris")
    objective = problem(X, y, alpha=1e-2)
    evaluation = objective.certify(objective.zeros())
    assert evaluation.certificate.relative == evaluation.certificate.gap / evaluation.value
    separable = problem(np.repeat(np.eye(3), 5, axis=0), np.repeat(np.arange(3), 5), loss=CrammerSinger(), alpha=1e-12)
    W = np.vstack([2 * np.eye(3), np.zeros((1, 3))])
    certificate = separable.certify(W).certificate
    assert separable.value(W) < 1e-6
    assert certificate.relative == pytest.approx(certificate.gap / 1e-6, rel=1e-12)


def test_without_a_penalty_there_is_no_gap_but_a_slope():
    X, y = table("iris")
    objective = problem(X, y, alpha=0.0)
    W = random_W(np.random.default_rng(14), objective)
    value, G = objective.value_grad(W)
    for certificate in (objective.certify(W).certificate, objective.natural_certificate(W, value, G)):
        assert certificate.kind == "kkt"
        assert certificate.gap is None
        assert certificate.relative is None
        assert certificate.value == certificate.kkt == pytest.approx(objective.kkt(W, G))


def test_a_certificate_meets_its_target_or_not():
    gap = Certificate("gap", 2e-8, 1e-7, 0.5)
    assert gap.value == 1e-7
    assert gap.meets(1e-7)
    assert not gap.meets(0.99e-7)
    slope = Certificate("kkt", None, None, 1e-5)
    assert slope.value == 1e-5
    assert slope.meets(1e-5)
    assert not slope.meets(1e-6)
    assert not Certificate("gap", np.nan, np.nan, np.nan).meets(1e9)


def test_no_gap_is_smaller_than_rounding():
    assert rounding_slack(9.0) == 640 * EPS
    for name in ("iris", "wine"):
        objective, W_best, _ = reference(name, "softmax", 1e-4, True)
        Z = objective.rows.X @ W_best[:-1] + W_best[-1]
        S = Softmax().probabilities(Z)
        off = 1 - S[np.arange(len(S)), objective.rows.y]  # the share of an error in its logits that a row takes over
        assert objective.certify(W_best).certificate.gap >= 64 * EPS * (1 + (off * np.abs(Z).max(axis=1)).mean())


def separable(alpha):
    """Three far clusters of columns in the hundreds: logits of terms in the thousands, and next to no loss."""
    rng = np.random.default_rng(3)
    y = np.arange(300) % 3
    X = 200 + rng.standard_normal((300, 40)) + 4 * rng.standard_normal((3, 40))[y]
    return problem(X, y, alpha=alpha)


def test_confident_rows_hide_little():
    objective = separable(1e-9)
    result = solve(objective, tol=1e-6)
    assert result.certificate.meets(1e-6)
    loss = result.value - objective.penalty.value(result.W[:-1])
    assert objective.slack(result.W, loss) < 0.02 * objective.slack(result.W)
    assert objective.slack(result.W) > 1e-6 * max(result.value, 1e-6 * objective.start)  # what a full allowance costs


@pytest.mark.skipif(np.finfo(np.longdouble).eps >= EPS, reason="no longer type of floating-point numbers here")
@pytest.mark.parametrize("alpha", [1e-6, 1e-9])
def test_the_gap_is_above_that_of_longer_numbers(alpha):
    objective = separable(alpha)
    W = solve(objective, tol=1e-6).W
    X, y, n = objective.rows.X.astype(np.longdouble), objective.rows.y, objective.rows.shape[0]
    T = np.eye(3, dtype=np.longdouble)[y]
    Z = X @ W[:-1] + W[-1]
    E = np.exp(Z - Z.max(axis=1, keepdims=True))
    S = E / E.sum(axis=1, keepdims=True)
    mixing, u = repair((S - T).mean(axis=0), T.mean(axis=0))
    Q = (1 - mixing) * S + mixing * u  # KL(Q || S) is the Fenchel-Young term
    R = objective.penalty.alpha * W[:-1] + X.T @ (Q - T) / n
    gap = (R**2).sum() / (2 * alpha) + (Q * np.log(Q / S)).sum() / n
    assert 0 <= gap <= objective.certify(W).certificate.gap


def test_stronger_penalties_prove_more_from_the_same_residual():
    X, y = table("iris")
    weak = problem(X, y, alpha=1e-4, fit_intercept=False)
    strong = replace(weak, penalty=L2(1e-2))
    for objective in (weak, strong):
        best = solve(objective, tol=1e-10)
        D = 1e-6 * random_W(np.random.default_rng(15), objective)
        G = objective.value_grad(best.W + D)[1]
        gap = objective.certify(best.W + D).certificate.gap
        assert gap == pytest.approx((G**2).sum() / (2 * objective.penalty.alpha), rel=1e-3, abs=1e-12)


@each(ROWS, "kind")
def test_a_wild_column_hides_no_more_than_its_mean_size(kind):
    X, y, weight = random_problem(0)
    X[np.argmax(weight)] *= 10
    objective = Objective(kind.make(X, y, weight), Softmax(), L2(1e-6))
    W = 1e6 * np.random.default_rng(1).standard_normal(objective.shape)
    largest = np.abs(W).max(axis=1)
    terms = np.abs(kind.stands_for(X)) @ largest[:-1] + largest[-1]
    assert objective.slack(W) == pytest.approx(rounding_slack(float(np.average(terms, weights=weight))), rel=1e-6)
    assert objective.slack(W) < 0.95 * rounding_slack(float(objective.rms @ largest[:-1]))
