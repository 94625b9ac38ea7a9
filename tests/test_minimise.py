"""The loop, its history and its endings; and where every solver has to arrive."""

from __future__ import annotations

import signal
from dataclasses import dataclass, replace

import numpy as np
import pytest
from kinds import EXACT, FIRST_ORDER, LOSSES, SMOOTH, SOLVERS, STOCHASTIC, each, problem, random_problem, solve, table

from softreg.certificate import Certificate
from softreg.minimise import HISTORY_COLUMNS, Diverged, History, Iterate, Status, minimise
from softreg.objective import Objective
from softreg.penalties import L2
from softreg.rows import DenseRows, StandardizedRows
from softreg.solvers import make_solver


def iris(loss=None, alpha=1e-3, **options):
    return problem(*table("iris"), loss=loss, alpha=alpha, **options)


def standardised(name, loss=None, alpha=1e-2):
    X, y = table(name)
    rows = StandardizedRows(DenseRows(X, y, n_jobs=1), X.mean(axis=0), X.std(axis=0))
    return Objective(rows, loss or LOSSES["softmax"], L2(alpha))


@dataclass(frozen=True)
class Scripted:
    """A solver that walks along given points."""

    points: tuple
    spoil: tuple = ()  # indices of iterates whose value and gradient become NaN
    raises: Exception | None = None
    proves: Certificate | None = None  # what it says of every iterate
    name: str = "scripted"

    def iterates(self, objective, W0):
        for i, W in enumerate((W0, *self.points)):
            value, G = objective.value_grad(W)
            spoilt = np.nan if i in self.spoil else 1.0
            yield Iterate(W, value * spoilt, G * spoilt, float(i), self.proves)
        if self.raises is not None:
            raise self.raises


def downhill(objective, n=5):
    """A few points, each lower than the one before."""
    path = make_solver("gd", objective)[0].iterates(objective, objective.zeros())
    return tuple(next(path).W for _ in range(n + 1))[1:]


# --- history -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", SOLVERS)
def test_history_has_equal_columns_and_passes_and_seconds_that_never_fall(solver):
    result = solve(iris(), solver, tol=1e-6, max_iter=30)
    history = result.history
    assert tuple(history) == HISTORY_COLUMNS
    assert len(history) == len(HISTORY_COLUMNS)
    assert {len(column) for column in history.values()} == {result.n_iter + 1} == {history.n_rows}
    assert history["iteration"] == list(range(history.n_rows))
    for name in ("passes", "seconds"):
        assert (np.diff(history[name]) >= 0).all()
    assert history["passes"][0] > 0
    assert (np.diff(history["passes"]) > 0).all()
    for name in ("objective", "loss", "gradient_norm", "certificate"):
        assert np.isfinite(history[name]).all()
    assert history["step"][0] is None
    assert set(history["validation_loss"]) == {None}
    assert history.last()["objective"] == history["objective"][-1]


@pytest.mark.parametrize("solver", SOLVERS)
def test_history_tells_the_truth_about_every_iterate(solver):
    objective = iris()
    seen = []
    result = solve(objective, solver, tol=1e-6, max_iter=8, callbacks=[lambda iterate, history: seen.append(iterate)])
    assert len(seen) == result.history.n_rows
    for row, iterate in enumerate(seen):
        value, G = objective.value_grad(iterate.W)
        assert iterate.value == pytest.approx(value, rel=1e-13)
        assert result.history["objective"][row] == iterate.value
        assert result.history["loss"][row] == pytest.approx(value - 0.5e-3 * (iterate.W[:-1] ** 2).sum(), rel=1e-12)
        assert result.history["gradient_norm"][row] == pytest.approx(np.linalg.norm(G), rel=1e-6, abs=1e-12)
        assert result.history["certificate"][row] == iterate.certificate.value


def test_history_is_a_mapping_whose_last_row_can_be_filled_in():
    history = History()
    history.append(iteration=0, objective=1.0)
    history.append(iteration=1, objective=0.5)
    history.amend(validation_loss=0.7)
    assert history["validation_loss"] == [None, 0.7]
    assert history["objective"] == [1.0, 0.5]
    assert history["step"] == [None, None]
    assert dict(history).keys() == set(HISTORY_COLUMNS)
    assert history.n_rows == 2


def test_callbacks_are_not_billed_to_the_solver(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("softreg.minimise.time.perf_counter", lambda: clock[0])

    def slow_callback(iterate, history):
        clock[0] += 1000

    result = solve(iris(), "gd", max_iter=3, max_time=1.0, callbacks=[slow_callback])
    assert result.history["seconds"] == [0.0] * 4


# --- endings -------------------------------------------------------------------------------------------------------


def test_no_iterations_leave_the_start():
    for W0 in (None, np.full((5, 3), 0.1)):
        result = solve(iris(), "newton", W0=W0, max_iter=0)
        assert result.n_iter == 0
        assert result.history.n_rows == 1
        np.testing.assert_array_equal(result.W, np.zeros((5, 3)) if W0 is None else W0)
        assert result.status is Status.NOT_CERTIFIED
        assert "stopped by max_iter = 0" in result.message
        assert result.certificate.gap > 0


def test_one_iteration_is_one_step():
    result = solve(iris(), "gd", max_iter=1)
    assert result.n_iter == 1
    assert result.history["iteration"] == [0, 1]
    assert result.value < result.history["objective"][0]
    assert "stopped by max_iter = 1" in result.message


def test_a_start_that_is_certified_is_the_end():
    first = solve(iris(), "newton", tol=1e-6)
    again = solve(iris(), "newton", tol=1e-6, W0=first.W, max_iter=100)
    assert again.status is Status.CERTIFIED
    assert again.n_iter <= 2


def test_time_is_limited_in_seconds_of_solver_time(monkeypatch):
    clock = [0.0]

    def tick():
        clock[0] += 0.25
        return clock[0]

    monkeypatch.setattr("softreg.minimise.time.perf_counter", tick)
    result = solve(iris(), "gd", max_time=1.0)
    assert result.status is Status.NOT_CERTIFIED
    assert "stopped by max_time = 1 s" in result.message
    assert result.history["seconds"] == [0.25, 0.5, 0.75, 1.0, 1.25]


def test_any_callback_can_ask_to_stop():
    calls = []

    def stop_at_three(iterate, history):
        calls.append(history.n_rows)
        return history.n_rows == 4

    result = solve(iris(), "gd", callbacks=[lambda iterate, history: None, stop_at_three])
    assert calls == [1, 2, 3, 4]
    assert result.status is Status.STOPPED_EARLY
    assert result.message.startswith("stopped early after 3 iterations; relative gap ")


def test_certified_says_so_with_its_numbers():
    result = solve(iris(), "newton", tol=1e-6)
    assert result.status is Status.CERTIFIED
    assert result.certificate.relative <= 1e-6
    assert result.message == (
        f"certified: at most {result.certificate.relative:.1e} (relative) above the optimum, tol 1e-06"
    )


def test_without_a_penalty_the_end_is_stationary_and_says_why():
    X, y, _ = random_problem(0)
    result = solve(problem(X, y, alpha=0.0), "newton", tol=1e-8)
    assert result.status is Status.STATIONARY
    assert result.certificate.kind == "kkt"
    assert result.certificate.kkt <= 1e-8
    assert result.message.startswith("stationary: KKT residual ")
    assert "alpha = 0, no gap exists" in result.message


def test_a_solver_that_gives_up_is_not_certified():
    objective = iris()
    result = minimise(objective, Scripted(downhill(objective)), tol=1e-6)
    assert result.status is Status.NOT_CERTIFIED
    assert result.message.startswith("not certified: relative gap ")
    assert result.message.endswith("scripted made no more progress after 5 iterations")


@pytest.mark.parametrize("proves", [None, Certificate("gap", np.nan, np.nan, np.nan)])
def test_a_solver_that_reaches_nan_has_diverged_and_its_best_point_is_kept(proves):
    objective = iris()
    points = downhill(objective)
    result = minimise(objective, Scripted(points, spoil=(4,), proves=proves))
    assert result.status is Status.DIVERGED
    np.testing.assert_array_equal(result.W, points[2])
    assert np.isfinite(result.history["objective"]).all()
    assert "non-finite" in result.message


def test_a_solver_that_says_it_diverged_is_believed_and_its_best_point_kept():
    objective = iris()
    points = downhill(objective)
    result = minimise(objective, Scripted(points, raises=Diverged("steps grew without end: try 0.1")))
    assert result.status is Status.DIVERGED
    assert result.message.startswith("steps grew without end: try 0.1")
    np.testing.assert_array_equal(result.W, points[-1])


def test_a_start_that_is_not_finite_is_an_error():
    with pytest.raises(Diverged, match="scripted"):
        minimise(iris(), Scripted((), spoil=(0,)))


def test_the_best_iterate_is_kept_not_the_last():
    objective = iris()
    points = downhill(objective)
    result = minimise(objective, Scripted((*points, points[0])))
    np.testing.assert_array_equal(result.W, points[-1])
    assert result.value == min(result.history["objective"])


def test_a_learning_rate_far_too_large_ends_as_diverged_with_a_way_out():
    objective = iris()
    solver = make_solver("gd", objective, learning_rate=1e6)[0]
    result = minimise(objective, solver, tol=1e-6)
    assert result.status is Status.DIVERGED
    assert "learning_rate" in result.message
    assert np.isfinite(result.W).all()
    assert result.value <= result.history["objective"][0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_with_the_best_iterate(number):
    before = signal.getsignal(number)

    def interrupt(iterate, history):
        if history.n_rows == 3:
            signal.raise_signal(number)

    result = solve(iris(), "gd", callbacks=[interrupt])
    assert result.status is Status.INTERRUPTED
    assert result.message.startswith("interrupted after 2 iterations; relative gap ")
    assert result.value == min(result.history["objective"])
    assert result.signal == number
    assert signal.getsignal(number) is before


def test_a_second_interrupt_acts_at_once():
    def interrupt_twice(iterate, history):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        solve(iris(), "gd", callbacks=[interrupt_twice])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_another_program_s_signal_handler_is_left_alone():
    caught = []
    before = signal.signal(signal.SIGINT, lambda number, frame: caught.append(number))
    try:
        result = solve(iris(), "gd", max_iter=3, callbacks=[lambda i, h: signal.raise_signal(signal.SIGINT)])
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(caught) == 4
    assert result.status is Status.NOT_CERTIFIED


def test_a_better_certificate_can_be_sought_at_the_end():
    objective = iris()
    points = downhill(objective)

    def improve(objective, iterate, tol):
        return replace(iterate, certificate=Certificate("gap", 0.5 * tol, 0.5 * tol, 0.0))

    result = minimise(objective, Scripted(points), tol=1e-6, certify_at_end=improve)
    assert result.status is Status.CERTIFIED
    assert result.history.n_rows == 7
    assert result.history["certificate"][-1] == 0.5e-6


def test_statuses_are_the_words_the_documentation_uses():
    words = ["certified", "stationary", "not_certified", "stopped_early", "separated", "diverged", "interrupted"]
    assert [str(status) for status in Status] == words
    assert [status.is_fine for status in Status] == [True, True, False, True, False, False, False]


@pytest.mark.parametrize("solver", SOLVERS)
def test_solvers_yield_the_start_first_and_change_nothing_that_the_caller_holds(solver):
    objective = iris()
    W0 = np.random.default_rng(0).normal(size=objective.shape) / 10
    given = W0.copy()
    first = next(iter(make_solver(solver, objective)[0].iterates(objective, W0)))
    np.testing.assert_array_equal(first.W, given)
    result = minimise(objective, make_solver(solver, objective)[0], W0, tol=1e-3, max_iter=5)
    np.testing.assert_array_equal(W0, given)
    assert result.history["objective"][0] == pytest.approx(objective.value(given), rel=1e-14)


@pytest.mark.parametrize("solver", SOLVERS)
def test_earlier_iterates_keep_their_weights(solver):
    seen = []
    solve(
        iris(),
        solver,
        tol=1e-9,
        max_iter=5,
        callbacks=[lambda iterate, history: seen.append((iterate.W, iterate.W.copy()))],
    )
    for held, copy in seen:
        np.testing.assert_array_equal(held, copy)


def test_an_unknown_solver_is_refused_with_the_names_there_are():
    with pytest.raises(ValueError, match="one of auto, newton, lbfgs"):
        make_solver("simplex", iris())


# --- where solvers arrive ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer"])
@pytest.mark.parametrize(
    ("loss", "solver"),
    [("softmax", solver) for solver in EXACT]
    + [(loss, solver) for loss in ("ww_squared", "cs_squared") for solver in ("auto", "newton")],
)
def test_raw_tables_are_certified_at_the_default_tolerance(loss, solver, name):
    X, y = table(name)
    objective = problem(X, y, loss=LOSSES[loss], alpha=1e-4)
    result = solve(objective, solver, tol=1e-6)
    assert result.status is Status.CERTIFIED, result.message
    assert objective.certify(result.W, result.witness).certificate.meets(1e-6 * (1 + 1e-3))


@pytest.mark.parametrize("name", ["iris", "wine"])
@each({k: v for k, v in LOSSES.items() if k in ("ww", "cs")}, "loss")
def test_plain_hinges_are_certified_to_a_thousandth(loss, name):
    X, y = table(name)
    result = solve(problem(X, y, loss=loss, alpha=1e-4), "auto", tol=1e-3)
    assert result.status is Status.CERTIFIED, result.message


@pytest.mark.parametrize("solver", EXACT + FIRST_ORDER)
@pytest.mark.parametrize("name", ["iris", "wine"])
def test_every_descent_method_reaches_newton_s_optimum_on_standardised_columns(name, solver):
    best = solve(standardised(name), "newton", tol=1e-12).value
    result = solve(standardised(name), solver, tol=1e-6)
    assert result.status is Status.CERTIFIED, result.message
    assert best * (1 - 1e-12) <= result.value <= best * (1 + 1e-6)


@pytest.mark.parametrize("solver", STOCHASTIC)
def test_stochastic_methods_come_near_the_optimum_and_never_claim_more_than_is_true(solver):
    objective = standardised("iris")
    best = solve(objective, "newton", tol=1e-12).value
    result = minimise(objective, make_solver(solver, objective, batch_size=8)[0], tol=1e-6, max_iter=150)
    assert best * (1 - 1e-12) <= result.value <= 1.2 * best
    assert result.certificate.gap >= result.value - best - 1e-12 * best


@each(SMOOTH, "loss")
@pytest.mark.parametrize("solver", EXACT)
def test_every_exact_solver_finds_the_same_weights(solver, loss):
    X, y, weight = random_problem(0)
    expected = solve(problem(X, y, weight, loss=loss), "newton", tol=1e-13)
    result = solve(problem(X, y, weight, loss=loss), solver, tol=1e-12)
    # Strongly convex in W with alpha = 1e-2: a gap of 1e-12·F leaves |W - W*|² <= 2·gap/alpha.
    np.testing.assert_allclose(result.W[:-1], expected.W[:-1], atol=1e-4)


@pytest.mark.parametrize("solver", EXACT)
def test_saturated_table_has_logarithms_of_frequencies(solver):
    counts = np.array([[5, 3, 2], [1, 8, 1], [4, 4, 12]])
    cells = [(j, k) for j in range(3) for k in range(3) for _ in range(counts[j, k])]
    X = np.eye(3)[[j for j, _ in cells]]
    y = np.array([k for _, k in cells])
    objective = problem(X, y, alpha=0.0, fit_intercept=False)
    result = solve(objective, solver, tol=1e-10)
    expected = np.log(counts / counts.sum(axis=1, keepdims=True))
    found = result.W[:-1]
    np.testing.assert_allclose(
        found - found.mean(axis=1, keepdims=True), expected - expected.mean(axis=1, keepdims=True), atol=1e-7
    )


@pytest.mark.parametrize("alpha", [0.0, 10.0])
@pytest.mark.parametrize("solver", EXACT + FIRST_ORDER)
def test_an_intercept_alone_predicts_the_weighted_class_frequencies(solver, alpha):
    y = np.repeat(np.arange(3), [50, 30, 20])
    weight = np.linspace(0.5, 2.0, 100)
    result = solve(problem(np.zeros((100, 1)), y, weight, alpha=alpha), solver, tol=1e-12)
    frequencies = np.bincount(y, weights=weight) / weight.sum()
    odds = np.exp(result.W[-1])
    np.testing.assert_allclose(odds / odds.sum(), frequencies, atol=1e-5)
    assert not result.W[:-1].any()


@pytest.mark.parametrize("solver", EXACT)
def test_no_columns_at_all_is_an_intercept_alone(solver):
    y = np.repeat(np.arange(3), [50, 30, 20])
    result = solve(problem(np.zeros((100, 0)), y, alpha=0.1), solver, tol=1e-9)
    assert result.status is Status.CERTIFIED
    odds = np.exp(result.W[-1])
    np.testing.assert_allclose(odds / odds.sum(), [0.5, 0.3, 0.2], atol=1e-4)


@pytest.mark.parametrize("solver", EXACT)
def test_permuting_the_classes_permutes_the_solution(solver):
    X, y, weight = random_problem(0)
    order = np.array([2, 0, 3, 1])
    one, other = (solve(problem(X, labels, weight), solver) for labels in (y, np.argsort(order)[y]))
    np.testing.assert_allclose(one.W[:, order], other.W, atol=1e-4)


@pytest.mark.parametrize("solver", EXACT)
def test_a_row_of_weight_two_is_fitted_as_the_row_twice(solver):
    X, y, _ = random_problem(0)
    weight = np.ones(len(X))
    weight[::3] = 2
    twice = np.repeat(np.arange(len(X)), weight.astype(int))
    one, other = solve(problem(X, y, weight), solver), solve(problem(X[twice], y[twice]), solver)
    assert one.value == pytest.approx(other.value, rel=1e-11)
    np.testing.assert_allclose(one.W, other.W, atol=1e-4)


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_same_fit_has_the_same_bits_on_any_number_of_threads(solver, monkeypatch):
    monkeypatch.setattr("softreg.rows.blocks.BLOCK_ENTRIES", 1)
    X, y, weight = random_problem(0, n=400)
    weights = []
    for n_jobs in (1, 2, 1, 3):
        objective = Objective(DenseRows(X, y, weight, n_jobs=n_jobs), LOSSES["softmax"], L2(1e-2))
        result = minimise(objective, make_solver(solver, objective, seed=3)[0], tol=1e-6, max_iter=12)
        weights.append(result.W.tobytes() + str(result.certificate).encode())
    assert len(set(weights)) == 1


@pytest.mark.parametrize("solver", STOCHASTIC)
def test_the_order_of_rows_is_drawn_from_the_seed(solver):
    def fit(seed):
        objective = iris()
        options = {"batch_size": 16, "seed": seed, "learning_rate": 0.01}
        return minimise(objective, make_solver(solver, objective, **options)[0], tol=1e-6, max_iter=3).W.tobytes()

    assert fit(0) == fit(0)
    assert fit(0) != fit(1)


@pytest.mark.parametrize("solver", ["gd", *EXACT])
def test_the_objective_is_never_raised_by_a_method_that_searches_its_step(solver):
    values = np.array(solve(iris(), solver, tol=1e-8, max_iter=60).history["objective"])
    assert (np.diff(values) <= 1e-13 * values[:-1]).all()


# --- which iterate is returned, and when there is none left ----------------------------------------------------------


@dataclass(frozen=True)
class Listed:
    """A solver that yields given iterates."""

    given: tuple
    name: str = "listed"

    def iterates(self, objective, W0):
        return iter(self.given)


def known(objective, W, relative):
    """An iterate with a certificate that says ``relative``."""
    value, G = objective.value_grad(W)
    return Iterate(W, value, G, None, Certificate("gap", relative * value, relative, 1.0))


@pytest.mark.parametrize("order", [(1e-3, 1e-5, 1e-4), (1e-5, 1e-3), (1e-3, 1e-5)])
def test_of_points_of_the_same_objective_the_one_best_known_is_returned(order):
    objective = iris(LOSSES["cs"])  # of a hinge the solver's own certificate stands
    W = downhill(iris())[-1]
    result = minimise(objective, Listed(tuple(known(objective, W.copy(), gap) for gap in order)), tol=1e-9)
    assert result.certificate.value == 1e-5


def test_a_solver_that_stays_at_its_best_point_for_long_is_not_cut_off():
    objective = iris(LOSSES["cs"])
    first, second = (known(objective, W, gap) for W, gap in zip(downhill(iris(), 2), (1e-2, 1e-9), strict=True))
    assert minimise(objective, Listed((first,) * 1000 + (second,)), tol=1e-6).status is Status.CERTIFIED
    moving = tuple(known(objective, first.W.copy(), 1e-2) for _ in range(1000))
    assert minimise(objective, Listed((*moving, second)), tol=1e-6).status is Status.NOT_CERTIFIED
