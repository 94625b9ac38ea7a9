"""Newton's method in the coordinates of the rows ends where every other solver ends, with the proof that it has."""

import numpy as np
import pytest
import scipy.sparse
from kinds import SMOOTH, each, soft_targets, solve

import softreg.solvers.row_space as row_space
from softreg.losses import Softmax
from softreg.minimise import Status, minimise
from softreg.objective import Objective
from softreg.penalties import L2
from softreg.rows import DenseRows, SparseRows, StandardizedRows
from softreg.solvers.newton import Newton
from softreg.solvers.row_space import RowSpace

TOL = 1e-10
#: A relative gap of 1e-10 at F of order 1 and alpha >= 1e-3: ||W - W*||² <= 2·gap/alpha.
CLOSE = {"rtol": 0, "atol": 1e-3}


def words(n=60, p=150, K=4, seed=0, dtype=np.float64):
    """Rows of few words, some common and most rare; a class each has its own."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % K
    X = rng.poisson(3 / (1 + np.arange(p) / 8), (n, p)) * (rng.random((n, p)) < 0.5)
    X[np.arange(n), 20 + y] += rng.integers(0, 3, n)
    return scipy.sparse.csr_array(X.astype(dtype) / 3), y


def objective_of(X, y, weight=None, *, loss=None, alpha=1e-3, factor=None, fit_intercept=True, kind=SparseRows):
    return Objective(kind(X, y, weight, n_jobs=1), loss or Softmax(), L2(alpha, factor), fit_intercept)


@pytest.fixture(params=["products", "gram matrix"])
def form(request, monkeypatch):
    monkeypatch.setattr(row_space, "GRAM_ROWS", 0 if request.param == "products" else 1000)


@pytest.mark.parametrize("fit_intercept", [True, False])
@each(SMOOTH, "loss")
def test_the_optimum_is_newtons(loss, fit_intercept, form):
    X, y = words()
    ours = minimise(objective_of(X, y, loss=loss, fit_intercept=fit_intercept), RowSpace(), tol=TOL)
    assert ours.status is Status.CERTIFIED
    newton = solve(objective_of(X, y, loss=loss, fit_intercept=fit_intercept), "newton", tol=TOL)
    assert abs(ours.value - newton.value) <= TOL * (ours.value + newton.value)
    np.testing.assert_allclose(ours.W[:-1], newton.W[:-1], **CLOSE)


@pytest.mark.parametrize("alpha", [1.0, 1e-2, 1e-4, 1e-6, 1e-8])
def test_every_alpha_is_certified(alpha, form):
    X, y = words()
    # At 1e-8 F is 1e-5, and what rounding may hide in logits of 100 is 1e-7 of it.
    result = minimise(objective_of(X, y, alpha=alpha), RowSpace(), tol=1e-6)
    assert result.status is Status.CERTIFIED


def test_weights_soft_targets_and_penalty_factors_count(form):
    X, y = words()
    rng = np.random.default_rng(1)
    weight = rng.integers(0, 4, X.shape[0]) / 2
    factor = tuple(rng.uniform(0.2, 3, X.shape[1]))
    problem = objective_of(X, soft_targets(y, 4), weight, factor=factor)
    ours = minimise(problem, RowSpace(), tol=TOL)
    assert ours.status is Status.CERTIFIED
    newton = solve(objective_of(X, soft_targets(y, 4), weight, factor=factor), "newton", tol=TOL)
    np.testing.assert_allclose(ours.W[:-1], newton.W[:-1], **CLOSE)


@pytest.mark.parametrize("kind", [DenseRows, SparseRows])
@pytest.mark.parametrize("offset", ["none", "columns", "one constant column", "repeats that disagree"])
def test_what_is_stated_is_so_of_the_weights_themselves(offset, kind, form):
    rng = np.random.default_rng(0)
    X, y, alpha = rng.normal(size=(40, 200)), rng.integers(0, 3, 40), 1e-4
    if offset == "columns":
        X += 1e5
    elif offset == "one constant column":
        X[:, 0] = 1e6
    elif offset == "repeats that disagree":
        X, y, alpha = np.vstack([X, X]), np.concatenate([y, (y + 1) % 3]), 1e-12
    problem = objective_of(scipy.sparse.csr_array(X) if kind is SparseRows else X, y, alpha=alpha, kind=kind)
    result = minimise(problem, RowSpace(), tol=1e-6, max_iter=30)
    again = problem.certify(result.W, result.witness)
    assert result.value == pytest.approx(again.value, rel=1e-9)
    assert again.certificate.value <= 1.001 * result.certificate.value
    best = minimise(objective_of(X, y, alpha=alpha, kind=DenseRows), Newton(), tol=1e-10, max_iter=50)
    assert again.value - best.value <= result.certificate.gap
    if kind is DenseRows and alpha == 1e-4:  # sparse columns are not moved to their means
        assert result.certificate.value <= 2e-6


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
def test_a_start_outside_the_span_of_the_rows_is_left_behind(scale, form):
    X, y = words()
    W0 = scale * np.random.default_rng(2).normal(size=(X.shape[1] + 1, 4))
    ours = minimise(objective_of(X, y), RowSpace(), W0, tol=TOL)
    cold = minimise(objective_of(X, y), RowSpace(), tol=TOL)
    assert ours.status is Status.CERTIFIED
    np.testing.assert_allclose(ours.W[:-1], cold.W[:-1], **CLOSE)


def test_a_start_at_the_optimum_stays_there(form):
    X, y = words()
    problem = objective_of(X, y)
    W = minimise(problem, RowSpace(), tol=1e-12).W
    again = minimise(objective_of(X, y), RowSpace(), W, tol=1e-8)
    assert again.status is Status.CERTIFIED
    assert again.n_iter <= 1


def test_the_certificate_is_the_one_that_the_witness_gives(form):
    X, y = words()
    problem = objective_of(X, y, alpha=1e-4)
    result = minimise(problem, RowSpace(), tol=1e-7)
    assert result.witness.step is not None
    proof = problem.certify(result.W, result.witness)
    assert proof.value == pytest.approx(result.value, rel=1e-12)
    # Both sum terms that are far larger than the gap, in another order.
    assert proof.certificate.gap == pytest.approx(result.certificate.gap, rel=1e-5, abs=1e-13)


def test_the_weights_are_a_combination_of_rows(form):
    X, y = words()
    W = minimise(objective_of(X, y), RowSpace(), tol=TOL).W[:-1]
    A = X.toarray()
    np.testing.assert_allclose(A.T @ np.linalg.lstsq(A.T, W, rcond=None)[0], W, atol=1e-10)


@pytest.mark.parametrize("kind", ["dense", "dense float32", "csr float32", "standardized csr", "standardized dense"])
def test_every_kind_of_rows_is_certified(kind, form):
    X, y = words()
    mean, scale = np.full(X.shape[1], 0.1), np.linspace(0.5, 2, X.shape[1])
    rows = {
        "dense": lambda: DenseRows(X.toarray(), y),
        "dense float32": lambda: DenseRows(X.toarray().astype(np.float32), y),
        "csr float32": lambda: SparseRows(X.astype(np.float32), y),
        "standardized csr": lambda: StandardizedRows(SparseRows(X, y), mean, scale),
        "standardized dense": lambda: StandardizedRows(DenseRows(X.toarray(), y), mean, scale),
    }[kind]()
    problem = Objective(rows, Softmax(), L2(1e-3))
    result = minimise(problem, RowSpace(), tol=1e-9)
    assert result.status is Status.CERTIFIED
    newton = solve(Objective(rows, Softmax(), L2(1e-3)), "newton", tol=1e-9)
    assert abs(result.value - newton.value) <= 1e-9 * (result.value + newton.value)


def test_the_same_bits_on_any_number_of_threads(monkeypatch):
    monkeypatch.setattr(row_space, "GRAM_ROWS", 0)
    monkeypatch.setattr("softreg.rows.products.TILE_ENTRIES", 50)
    X, y = words()
    one, three = (
        minimise(Objective(SparseRows(X, y, n_jobs=jobs), Softmax(), L2(1e-4)), RowSpace()).W for jobs in (1, 3)
    )
    np.testing.assert_array_equal(one, three)


def test_constant_and_empty_columns_and_a_class_without_rows(form):
    X, y = words()
    dense = X.toarray()
    dense[:, 0], dense[:, 1] = 2.0, 0.0
    rows = SparseRows(scipy.sparse.csr_array(dense), y, n_classes=5)
    result = minimise(Objective(rows, Softmax(), L2(1e-2), False), RowSpace(), tol=1e-8)
    assert result.status is Status.CERTIFIED
    np.testing.assert_array_equal(result.W[1], 0)


def test_it_suits_smooth_losses_with_a_penalty_and_fewer_rows_than_features():
    X, y = words()
    assert RowSpace.suits(objective_of(X, y))
    assert not RowSpace.suits(objective_of(X, y, alpha=0.0))
    assert not RowSpace.suits(objective_of(X[:, :20], y))
