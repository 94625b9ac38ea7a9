"""Hinges are solved to a certified 1e-6, plain and squared, on every kind of rows; their proofs are proofs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.optimize
from scipy.optimize import linprog
from sklearn.datasets import load_iris

from softreg.losses import CrammerSinger, WestonWatkins
from softreg.minimise import Result, minimise
from softreg.moreau import Moreau
from softreg.objective import Objective
from softreg.penalties import L2
from softreg.rows import DenseRows
from softreg.solvers.auto import choose
from softreg.solvers.bends import Bends
from softreg.solvers.hinge import HingePath
from softreg.solvers.newton import Newton
from softreg.solvers.smoothing import Smoothing
from softreg.training import Settings, train
from tests.kinds import ROWS, UNSMOOTHED, each, problem, random_problem, table

TOL = 1e-6


def solved(objective: Objective, tol: float = TOL, **options: Any) -> Result:
    return minimise(objective, HingePath(), tol=tol, max_iter=2000, **options)


@pytest.mark.parametrize("fit_intercept", [True, False])
@each(UNSMOOTHED, "loss")
@each(ROWS, "rows")
def test_every_hinge_is_certified_on_every_kind_of_rows(rows: Any, loss: Any, fit_intercept: bool) -> None:
    X, y, weight = random_problem(3)
    objective = Objective(rows.make(X, y, weight, n_jobs=1), loss, L2(1e-3), fit_intercept)
    result = solved(objective)
    assert result.status == "certified"
    again = objective.certify(result.W, result.witness)
    assert again.certificate.value <= 1.01 * TOL
    assert again.value == pytest.approx(result.value, rel=1e-12)
    assert fit_intercept or not result.W[-1].any()


@each(UNSMOOTHED, "loss")
@pytest.mark.parametrize("name", ["iris", "wine"])
def test_raw_tables_are_certified_with_weak_penalties(name: str, loss: Any) -> None:
    for alpha in (1e-2, 1e-4):
        assert solved(problem(*table(name), loss=loss, alpha=alpha)).status == "certified"


@each(UNSMOOTHED, "loss")
def test_the_gap_is_never_below_the_distance_to_the_optimum(loss: Any) -> None:
    X, y, weight = random_problem(5, n=120)
    objective = problem(X, y, weight, loss=loss, alpha=1e-2)
    best = solved(objective, tol=1e-10).value
    points: list[Any] = []
    solved(objective, callbacks=[lambda iterate, history: points.append(iterate)])
    for point in points:
        assert point.certificate.gap >= point.value - best - 1e-9 * best
        assert objective.value(point.W) == pytest.approx(point.value, rel=1e-9)


@pytest.mark.parametrize("loss", [CrammerSinger(margin=1.5), WestonWatkins(margin=1.5)], ids=["cs", "ww"])
def test_it_agrees_with_a_quadratic_programme(loss: Any) -> None:
    X, y, weight = random_problem(7, n=12, p=2, K=3)
    X = X / 3
    objective = problem(X, y, weight, loss=loss, alpha=0.1, fit_intercept=False)
    n, p, K = 12, 2, 3
    share = weight / weight.sum()
    rivals = [(r, k) for r in range(n) for k in range(K) if k != y[r]]
    slack_of = [r if loss.name == "crammer_singer" else i for i, (r, _) in enumerate(rivals)]
    n_slacks = max(slack_of) + 1
    cost = np.zeros(n_slacks)
    for (r, _), s in zip(rivals, slack_of, strict=True):
        cost[s] = share[r]
    # Minimise alpha/2 ||W||² + cost'xi subject to xi_s - (z_k - z_y) >= margin, xi >= 0.
    A = np.zeros((len(rivals), p * K + n_slacks))
    for i, ((r, k), s) in enumerate(zip(rivals, slack_of, strict=True)):
        D = np.zeros((p, K))
        D[:, k] -= X[r]
        D[:, y[r]] += X[r]
        A[i, : p * K], A[i, p * K + s] = D.ravel(), 1
    x0 = np.concatenate([np.zeros(p * K), np.full(n_slacks, 2.0)])
    found = scipy.optimize.minimize(
        lambda x: 0.05 * x[: p * K] @ x[: p * K] + cost @ x[p * K :],
        x0,
        jac=lambda x: np.concatenate([0.1 * x[: p * K], cost]),
        bounds=[(None, None)] * (p * K) + [(0, None)] * n_slacks,
        constraints={"type": "ineq", "fun": lambda x: A @ x - loss.margin, "jac": lambda x: A},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 500},
    )
    result = solved(objective, tol=1e-9)
    assert result.value == pytest.approx(found.fun, rel=1e-6)
    assert result.W[:-1] == pytest.approx(found.x[: p * K].reshape(p, K), abs=1e-3)


def test_it_agrees_with_liblinear() -> None:
    svm = pytest.importorskip("sklearn.svm")
    X, y = table("iris")
    alpha = 1e-2
    other = svm.LinearSVC(
        multi_class="crammer_singer",
        fit_intercept=False,
        C=1 / (alpha * len(y)),
        tol=1e-3,
        max_iter=1000000,
        random_state=0,
    ).fit(X, y)
    objective = problem(X, y, loss=CrammerSinger(), alpha=alpha, fit_intercept=False)
    result = solved(objective)
    theirs = objective.value(np.vstack([other.coef_.T, np.zeros((1, 3))]))
    assert result.value <= theirs * (1 + 1e-6)
    assert theirs - result.value <= 1e-4 * theirs


@each(UNSMOOTHED, "loss")
def test_weights_count_as_repeated_rows(loss: Any) -> None:
    X, y, _ = random_problem(9, n=80)
    weight = np.arange(len(y)) % 3
    repeated = problem(np.repeat(X, weight, axis=0), np.repeat(y, weight), loss=loss)
    assert solved(problem(X, y, weight, loss=loss)).value == pytest.approx(solved(repeated).value, rel=2 * TOL)


def test_the_same_bytes_whatever_the_number_of_threads() -> None:
    X, y, weight = random_problem(11, n=20000, p=30)
    found = [
        solved(Objective(DenseRows(X, y, weight, n_jobs=n_jobs), CrammerSinger(), L2(1e-3)), tol=1e-4).W.tobytes()
        for n_jobs in (1, 2)
    ]
    assert found[0] == found[1]


def test_without_a_penalty_it_says_so() -> None:
    X, y, _ = random_problem(1)
    with pytest.raises(ValueError, match="alpha > 0"):
        solved(problem(X, y, loss=CrammerSinger(), alpha=0.0))


# --- the envelope ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("t", [0.05, 0.7, 20.0])
@each(UNSMOOTHED, "loss")
def test_the_dual_point_maximises_what_defines_the_envelope(loss: Any, t: float) -> None:
    rng = np.random.default_rng(0)
    Z, y = rng.normal(size=(200, 5)), rng.integers(0, 5, 200)
    moreau = Moreau(loss, t)
    A = moreau.slacks(Z, y)
    V, _ = moreau.project(A, y)
    envelope, plain, gap = moreau.terms(A, V)
    full = moreau.dual_point(Z, y)
    assert plain == pytest.approx(loss.value(Z, y), rel=1e-12)
    assert gap == pytest.approx(loss.fenchel_young(Z, full, y), rel=1e-9, abs=1e-12)
    assert (envelope <= plain + 1e-12).all()
    # v·z - l*(v) - t/2 |v|² = l - FY - t/2 |v|² is no larger at any other feasible v.
    for _ in range(20):
        other = loss.dual_point(Z + rng.normal(size=Z.shape), y)
        other *= rng.random((len(y), 1))
        value = plain - loss.fenchel_young(Z, other.copy(), y)
        other[np.arange(len(y)), y] = 0
        assert (value - t / 2 * (other**2).sum(axis=1) <= envelope + 1e-9).all()


@pytest.mark.parametrize("t", [0.05, 0.7])
@each(UNSMOOTHED, "loss")
def test_the_dual_point_is_the_envelopes_gradient(loss: Any, t: float) -> None:
    rng = np.random.default_rng(1)
    Z, y, D = rng.normal(size=(50, 4)), rng.integers(0, 4, 50), rng.normal(size=(50, 4))
    moreau = Moreau(loss, t)

    def value(Z: Any) -> Any:
        A = moreau.slacks(Z, y)
        return moreau.terms(A, moreau.project(A, y)[0])[0]

    slope = (value(Z + 1e-6 * D) - value(Z - 1e-6 * D)) / 2e-6
    assert (moreau.dual_point(Z, y) * D).sum(axis=1) == pytest.approx(slope, abs=1e-4)


@pytest.mark.parametrize("fit_intercept", [True, False])
@each(UNSMOOTHED, "loss")
def test_each_way_to_solve_newtons_system_finds_the_same_step(loss: Any, fit_intercept: bool) -> None:
    X, y, weight = random_problem(13, n=60)
    objective = problem(X / 9, y, weight, loss=loss, alpha=0.1, fit_intercept=fit_intercept)
    moreau = Moreau(loss, 4.0)
    rng = np.random.default_rng(2)
    W = 0.3 * rng.normal(size=objective.shape)
    _, pattern = moreau.project(moreau.slacks(X / 9 @ W[:-1] + W[-1], y), y)
    pattern[weight == 0] = False
    bends = Bends(objective, moreau, pattern)
    G = rng.normal(size=objective.shape)
    G -= G.mean(axis=1, keepdims=True)
    G[-1] *= fit_intercept
    steps = [
        -bends.over_bends()(G),
        -bends.over_weights()(G),
        bends.conjugate_gradients(G, 1e-20, bends.preconditioner()),
    ]
    for D in steps:
        assert bends.times(D) == pytest.approx(-G, abs=1e-6)


def test_a_small_step_keeps_its_digits_beside_large_logits() -> None:
    """Which is what lets a proof be tighter than the rounding of the logits themselves."""
    moreau = Moreau(CrammerSinger(), 1e-6)
    Z, y = np.array([[1e8, 1e8 - 1, 0.0]]), np.array([0])
    D = np.array([[0.0, 3.3e-7, 0.0]])
    assert moreau.dual_point(Z, y, D)[0, 1] == pytest.approx(0.33, rel=1e-12)


def test_the_witness_is_the_envelopes_gradient() -> None:
    X, y, _ = random_problem(15)
    objective = problem(X, y, loss=CrammerSinger())
    result = solved(objective)
    looser = objective.certify(result.W, replace(result.witness, temperature=100 * result.witness.temperature))
    assert looser.certificate.gap > result.certificate.gap


# --- an independent program as oracle -------------------------------------------------------------------------------


def linear_program(X, y, K, one_slack_a_rival):
    """The least mean hinge without a penalty, by HiGHS: slacks for each row (and rival) over the margin's excess."""
    n, p = X.shape
    q, m = (p + 1) * K, n * K if one_slack_a_rival else n
    A = []
    for r in range(n):
        for k in set(range(K)) - {int(y[r])}:
            row = np.zeros(q + m)
            for column, sign in ((k, 1.0), (int(y[r]), -1.0)):
                row[column * (p + 1) : (column + 1) * (p + 1)] = sign * np.append(X[r], 1.0)
            row[q + (r * K + k if one_slack_a_rival else r)] = -1.0
            A.append(row)
    cost = np.append(np.zeros(q), np.full(m, 1 / n))
    free, above_zero = [(None, None)] * q, [(0, None)] * m
    return linprog(cost, A_ub=np.array(A), b_ub=-np.ones(len(A)), bounds=free + above_zero).fun


@pytest.mark.parametrize("loss", ["crammer_singer", "weston_watkins"])
@pytest.mark.parametrize("columns", [slice(0, 4), slice(0, 2)], ids=["four columns", "two columns"])
def test_without_a_penalty_the_optimum_is_that_of_a_linear_program(loss, columns):
    X, y = load_iris(return_X_y=True)
    X = X[:, columns]
    least = linear_program(X, y, 3, one_slack_a_rival=loss == "weston_watkins")
    found = train(X, y, settings=Settings(loss=loss, alpha=0.0, tol=1e-6)).result.value
    assert least * (1 - 1e-9) <= found <= least * (1 + 1e-6)


@pytest.mark.parametrize("wide", [False, True])
@each(UNSMOOTHED, "loss")
def test_steps_by_conjugate_gradients_shift_no_weights_of_all_classes(loss: Any, wide: bool, monkeypatch: Any) -> None:
    # Such a shift costs the penalty and changes no margin; systems over bends or weights would never take it back.
    monkeypatch.setattr("softreg.solvers.bends.BENDS_LIMIT", 0)
    monkeypatch.setattr("softreg.solvers.bends.WEIGHTS_LIMIT", 0)
    monkeypatch.setattr("softreg.solvers.bends.FACTOR_LIMIT", 0 if wide else 2000)
    X, y, weight = random_problem(3)
    result = solved(problem(X, y, weight, loss=loss, alpha=1e-2), tol=1e-3)
    assert result.status == "certified"
    assert np.abs(result.W[:-1].sum(axis=1)).max() <= 1e-12 * np.abs(result.W).max()


@each(UNSMOOTHED, "loss")
def test_another_solver_does_what_the_path_leaves(loss: Any) -> None:
    objective = problem(*table("iris"), loss=loss, alpha=1e-3)
    cut = HingePath(end=1.0)
    assert minimise(objective, cut, tol=TOL).status == "not_certified"
    assert minimise(objective, replace(cut, rest=Smoothing(Newton())), tol=1e-5).status == "certified"
    assert choose(objective)[0] == HingePath(rest=Smoothing(Newton()))


@pytest.mark.parametrize("loss", ["crammer_singer", "weston_watkins"])
def test_columns_far_from_0_are_left_to_the_other_solver(loss: str) -> None:
    rng = np.random.default_rng(0)
    X, y, offset = rng.normal(size=(200, 2)), rng.integers(0, 2, 200), np.array([1e6, 1e7])
    trained = train(X + offset, y, None, Settings(loss=loss, alpha=1e-6, n_jobs=1))
    assert trained.result.status == "certified"
    moved = train(X, y, None, Settings(loss=loss, alpha=1e-6, n_jobs=1))
    assert trained.result.value == pytest.approx(moved.result.value, rel=2e-3)


@pytest.mark.parametrize("loss", ["softmax", "crammer_singer", "weston_watkins"])
def test_without_columns_intercepts_alone_are_fitted(loss: str) -> None:
    trained = train(np.empty((9, 0)), np.array([0, 0, 0, 0, 0, 1, 1, 1, 2]), None, Settings(loss=loss))
    assert trained.result.status == "certified"
    assert trained.W[-1].argmax() == 0


@pytest.mark.parametrize("seed", range(5))
@each(UNSMOOTHED, "loss")
def test_what_is_stated_is_so_of_the_weights_themselves(loss: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2, 30)) + 10.0 ** rng.integers(0, 8, 30)
    objective = problem(X, np.array([0, 1]), loss=loss, alpha=1e3)
    result = solved(objective, tol=1e-3)
    again = objective.certify(result.W, result.witness)
    assert result.value == pytest.approx(again.value, rel=1e-12)
    assert result.certificate.value == pytest.approx(again.certificate.value, rel=1e-3)
