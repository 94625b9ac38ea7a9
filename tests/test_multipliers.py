"""Hinges by the method of multipliers: certified, and proved by the dual point that it ends at."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.generated import make_text
from softreg.certificate import DualRows, Witness
from softreg.losses import CrammerSinger
from softreg.minimise import Result, Status, minimise
from softreg.moreau import Centred, Moreau
from softreg.objective import Objective
from softreg.penalties import L2
from softreg.rows import SparseRows, make_rows
from softreg.solvers.auto import choose
from softreg.solvers.hinge import HingePath
from softreg.solvers.multipliers import Multipliers
from softreg.training import Settings, build, train
from tests.kinds import ROWS, UNSMOOTHED, each, random_problem

TOL = 1e-6


both = pytest.mark.parametrize("in_rows", [True, False], ids=["in rows", "in weights"])


def solved(objective: Objective, in_rows: bool = True, W0: Any = None, tol: float = TOL) -> Result:
    return minimise(objective, Multipliers(in_rows), W0, tol=tol, max_iter=1000)


def words(loss: Any, fit_intercept: bool = True, alpha: float = 1e-2, weight: Any = None, **options: Any) -> Objective:
    X, y = make_text(60, 300, 4)
    return Objective(make_rows(X, y, weight, n_jobs=1, **options), loss, L2(alpha), fit_intercept)


@both
@pytest.mark.parametrize("fit_intercept", [True, False])
@each(UNSMOOTHED, "loss")
@each(ROWS, "rows")
def test_every_hinge_is_certified_on_every_kind_of_rows(
    rows: Any, loss: Any, fit_intercept: bool, in_rows: bool
) -> None:
    X, y, weight = random_problem(3)
    objective = Objective(rows.make(X, y, weight, n_jobs=1), loss, L2(1e-2), fit_intercept)
    result = solved(objective, in_rows, tol=1e-4)
    assert result.status is Status.CERTIFIED
    again = objective.certify(result.W, result.witness)
    assert again.value == pytest.approx(result.value, rel=1e-12)
    assert again.certificate.value <= 1.01e-4
    assert fit_intercept or not result.W[-1].any()


@both
@pytest.mark.parametrize("offset", [0.0, 1e4, 1e6])
@each(UNSMOOTHED, "loss")
def test_what_is_stated_is_so_of_the_weights_themselves(loss: Any, offset: float, in_rows: bool) -> None:
    X, y = make_text(60, 300, 4)
    X = X.tolil()
    X[:, 0] = offset + np.random.default_rng(0).normal(size=(60, 1))
    objective = Objective(make_rows(X.tocsr(), y, n_jobs=1), loss, L2(1e-4))
    result = minimise(objective, Multipliers(in_rows), tol=1e-3, max_iter=10)
    again = objective.certify(result.W, result.witness)
    assert result.value == pytest.approx(again.value, rel=1e-9)
    assert again.certificate.value == pytest.approx(result.certificate.value, rel=1e-3)


@both
@pytest.mark.parametrize("alpha", [1.0, 1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("fit_intercept", [True, False])
@each(UNSMOOTHED, "loss")
def test_the_optimum_is_the_one_that_the_envelopes_path_finds(
    loss: Any, fit_intercept: bool, alpha: float, in_rows: bool
) -> None:
    objective = words(loss, fit_intercept, alpha)
    tol = TOL if in_rows or alpha > 1e-6 else 1e-5  # among the weights intercepts are solved for less exactly
    result = solved(objective, in_rows, tol=tol)
    assert result.status is Status.CERTIFIED
    path = minimise(objective, HingePath(), tol=TOL)
    assert path.status is Status.CERTIFIED
    assert abs(result.value - path.value) <= 1.01 * tol * max(result.value, 1e-6 * objective.start)


@both
@each(UNSMOOTHED, "loss")
def test_rows_without_weight_and_a_start_elsewhere_change_nothing(loss: Any, in_rows: bool) -> None:
    weight = np.random.default_rng(0).integers(0, 3, 60).astype(float)
    weight[:8] = 1
    objective = words(loss, weight=weight)
    cold = solved(objective, in_rows)
    W0 = np.random.default_rng(1).normal(size=cold.W.shape)
    warm = solved(objective, in_rows, W0)
    assert cold.status is warm.status is Status.CERTIFIED
    assert warm.value == pytest.approx(cold.value, rel=2 * TOL)


@each(UNSMOOTHED, "loss")
def test_wide_sparse_data_are_what_auto_chooses_it_for(loss: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("softreg.solvers.auto.WIDE", 200)
    solver, reason = choose(words(loss), TOL)
    assert isinstance(solver, Multipliers)
    assert "wide sparse data" in reason
    assert not isinstance(choose(words(loss, alpha=0.0), TOL)[0], Multipliers)
    X, y = make_text(60, 300, 4)
    dense = Objective(make_rows(X.toarray(), y, n_jobs=1), loss, L2(1e-2))
    assert isinstance(choose(dense, TOL)[0], HingePath)
    monkeypatch.setattr("softreg.solvers.auto.MANY_ROWS", 60)
    monkeypatch.setattr("softreg.solvers.auto.WEIGHTS_LIMIT", 1000)
    solver, reason = choose(dense, TOL)
    assert solver == Multipliers(in_rows=False)
    assert "many rows and weights" in reason


@both
def test_columns_of_zeros_end_at_once(in_rows: bool) -> None:
    X, y = make_text(60, 300, 4)
    objective = Objective(SparseRows(0 * X, y, n_jobs=1), CrammerSinger(), L2(1e-2))
    assert solved(objective, in_rows).status is Status.CERTIFIED


@both
def test_the_same_bits_on_any_number_of_threads(in_rows: bool, monkeypatch: Any) -> None:
    monkeypatch.setattr("softreg.rows.products.TILE_ENTRIES", 500)
    monkeypatch.setattr("softreg.rows.blocks.BLOCK_ENTRIES", 2000)
    monkeypatch.setattr("softreg.rows.blocks.MANY_ENTRIES", 0)
    X, y = make_text(60, 300, 4)
    first, second = (
        solved(Objective(SparseRows(X, y, n_jobs=jobs), CrammerSinger(), L2(1e-3)), in_rows, tol=1e-4)
        for jobs in (1, 3)
    )
    assert first.W.tobytes() == second.W.tobytes()
    assert first.witness.dual.entries.tobytes() == second.witness.dual.entries.tobytes()


# --- the envelope about a dual point -----------------------------------------------------------------------------


def centred(loss: Any, seed: int = 0, t: float = 0.7) -> tuple[Centred, Any, Any, Any]:
    """An envelope, logits, classes, and the center's own logits."""
    rng = np.random.default_rng(seed)
    y = rng.integers(5, size=40)
    Z, base = rng.normal(size=(2, 40, 5))
    V = Moreau(loss, 0.3).dual_point(base, y)
    V[np.arange(40), y] = 0
    return Centred(Moreau(loss, t), V), Z, y, base


@each(UNSMOOTHED, "loss")
def test_gradient_and_hessian_are_the_values_derivatives(loss: Any) -> None:
    envelope, Z, y, _ = centred(loss)
    D, h = np.random.default_rng(1).normal(size=Z.shape), 1e-6
    (up, G_up), (down, G_down) = (envelope.value_grad(Z + s * h * D, y) for s in (1, -1))
    G = envelope.value_grad(Z, y)[1]
    np.testing.assert_allclose((up - down) / (2 * h), np.einsum("ij,ij->i", G, D), rtol=1e-6, atol=1e-7)
    H = envelope.bent(envelope.bend(Z, y), y, D)
    np.testing.assert_allclose((G_up - G_down) / (2 * h), H, rtol=1e-5, atol=1e-7)


@each(UNSMOOTHED, "loss")
def test_diagonal_and_sum_of_the_hessians_are_theirs(loss: Any) -> None:
    envelope, Z, y, _ = centred(loss)
    bend = envelope.bend(Z, y)
    s = np.random.default_rng(2).random(len(y))
    diagonal = np.column_stack([envelope.bent(bend, y, np.broadcast_to(e, Z.shape)) @ e for e in np.eye(5)])
    np.testing.assert_allclose(envelope.bent_diagonal(bend, y), diagonal, atol=1e-12)
    columns = [(envelope.bent(bend, y, np.broadcast_to(e, Z.shape)) * s[:, None]).sum(axis=0) for e in np.eye(5)]
    np.testing.assert_allclose(envelope.bent_sum(bend, y, s), np.column_stack(columns), atol=1e-12)


@pytest.mark.parametrize("t", [0.01, 1.0, 100.0])
@each(UNSMOOTHED, "loss")
def test_it_is_never_above_the_hinge_and_touches_it_where_its_center_is_a_gradient(loss: Any, t: float) -> None:
    envelope, Z, y, _ = centred(loss, t=t)
    assert (envelope.value_grad(Z, y)[0] <= loss.value(Z, y) + 1e-9).all()
    V = loss.value_grad(Z, y)[1]
    V[np.arange(len(y)), y] = 0
    at = Centred(Moreau(loss, t), V)
    np.testing.assert_allclose(at.value_grad(Z, y)[0], loss.value(Z, y), rtol=1e-9, atol=1e-9 * max(t, 1))


# --- the witness -------------------------------------------------------------------------------------------------


def test_dual_rows_are_the_rows_they_were_made_of() -> None:
    rng = np.random.default_rng(0)
    V = rng.random((20, 4)) * (rng.random((20, 4)) < 0.3)
    rows = DualRows.of(V)
    assert len(rows) == 20
    for part in (slice(0, 20), slice(3, 9), slice(19, 40), slice(5, 5)):
        np.testing.assert_array_equal(rows[part], V[part])
    which = rng.integers(20, size=50)
    np.testing.assert_array_equal(rows.repeated(which)[0:50], V[which])
    nothing = DualRows.of(np.zeros((3, 2)))
    np.testing.assert_array_equal(nothing.repeated(np.array([0, 2, 2, 1]))[0:4], np.zeros((4, 2)))


@each(UNSMOOTHED, "loss")
def test_whatever_numbers_dual_rows_hold_the_gap_is_a_bound(loss: Any) -> None:
    objective = words(loss)
    optimum = solved(objective, tol=1e-9)
    rng = np.random.default_rng(4)
    for scale in (0.1, 1.0, 10.0):
        V = np.abs(scale * rng.normal(size=(60, 4)))
        for W in (optimum.W, optimum.W + rng.normal(size=optimum.W.shape)):
            found = objective.certify(W, Witness(dual=DualRows.of(V)))
            assert found.certificate.gap >= found.value - optimum.value - 1e-9
    # Beyond the domain, a dual point in proportion to W would leave nothing of the penalty's term.
    best = optimum.witness.dual
    for c in (1.1, 1.5, 3.0):
        beyond = Witness(dual=DualRows(best.entries * [1, 1, c], best.shape))
        found = objective.certify(c * optimum.W, beyond)
        assert found.certificate.gap >= found.value - optimum.value - 1e-9


def test_dual_rows_of_other_data_prove_nothing_and_break_nothing() -> None:
    objective = words(CrammerSinger())
    W = solved(objective).W
    stranger = Witness(dual=DualRows.of(np.ones((7, 4))))
    assert objective.certify(W, stranger).certificate.gap == objective.certify(W).certificate.gap


def test_repeated_rows_have_the_dual_rows_of_the_one_that_stood_for_them(monkeypatch: Any) -> None:
    monkeypatch.setattr("softreg.solvers.auto.WIDE", 20)
    monkeypatch.setattr("softreg.rows.repeated.FEW_ROWS", 100)
    X, y = make_text(60, 30, 3, words=8)
    X.sort_indices()
    which = np.random.default_rng(0).integers(60, size=600)
    X, y = X[which], y[which]
    settings = Settings(loss="crammer_singer", alpha=1e-2, tol=1e-5)
    fitted = train(X, y, settings=settings)
    assert fitted.result.witness.dual is not None
    assert fitted.problem.objective.rows.shape[0] < len(y)
    again = build(X, y, None, settings, 3).objective.certify(fitted.W, fitted.result.witness)
    assert again.certificate.value <= 1.01e-5
