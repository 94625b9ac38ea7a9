"""A wrong gradient fails the check, whatever is wrong with it; a right one never does."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
from kinds import HINGES, LOSSES, ROWS, each, problem, random_problem, random_W, soft_targets, solve, table

from softreg.gradcheck import gradcheck
from softreg.losses import CrammerSinger, Softmax, WestonWatkins
from softreg.objective import Objective
from softreg.penalties import L2
from softreg.rows import DenseRows

TABLES = ["iris", "wine", "breast_cancer"]


# --- right gradients -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLES)
@each(LOSSES, "loss")
def test_a_right_gradient_passes_on_raw_tables(loss, name):
    check = gradcheck(problem(*table(name), loss=loss, alpha=1e-4))
    assert check.passed, check.to_text()
    assert check.slope == pytest.approx(2, abs=0.05)
    assert check.n_wrong == 0
    assert check.n_kinked == 0
    assert check.verdict.startswith("right gradient: Taylor slope 2.0")


@each({k: LOSSES[k] for k in ("softmax", "ww_squared", "cs")}, "loss")
def test_a_right_gradient_passes_where_entries_are_a_sample(loss):
    check = gradcheck(problem(*table("digits"), loss=loss, alpha=1e-4))
    assert check.passed, check.to_text()
    assert check.n_checked == 60 < check.n_entries == 650


@pytest.mark.parametrize("alpha", [0.0, 1e-4, 10.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
@each(LOSSES, "loss")
def test_a_right_gradient_passes_in_wild_units_with_any_penalty(loss, fit_intercept, alpha):
    X, y = table("iris")
    X = np.column_stack([X * [1e-7, 1.0, 1e6, 1e3], X[:, 0] + 1e5, np.ones(len(X)), np.zeros(len(X))])
    weight = np.random.default_rng(0).integers(0, 4, len(X)) / 2
    check = gradcheck(problem(X, y, weight, loss=loss, alpha=alpha, fit_intercept=fit_intercept), directions=1, seed=1)
    assert check.passed, check.to_text()


@pytest.mark.parametrize("where", ["zero", "optimum", "far", "tiny"])
@each(LOSSES, "loss")
def test_a_right_gradient_passes_wherever_it_is_checked(loss, where):
    objective = problem(*table("iris"), loss=loss, alpha=1e-3)
    rng = np.random.default_rng(2)
    if where == "zero":
        W = objective.zeros()
    elif where == "optimum":
        W = solve(objective, tol=1e-8 if loss.smooth else 1e-3).W
    else:
        W = random_W(rng, objective, 1e3 if where == "far" else 1e-6)
    check = gradcheck(objective, W)
    assert check.passed, check.to_text()


@each(ROWS, "kind")
@each({k: LOSSES[k] for k in ("softmax", "ww", "cs_squared")}, "loss")
def test_a_right_gradient_passes_on_any_rows_in_either_precision(loss, kind):
    X, y, weight = random_problem(0, n=80, K=3)
    objective = Objective(kind.make(X, y, weight), loss, L2(1e-3))
    assert gradcheck(objective, directions=1).passed
    assert gradcheck(objective.astype(np.float32), directions=1).passed


def test_a_right_gradient_passes_for_soft_labels():
    X, y, weight = random_problem(0)
    check = gradcheck(problem(X, soft_targets(y, 4), weight))
    assert check.passed
    assert check.slope == pytest.approx(2, abs=0.01)


@pytest.mark.parametrize("temperature", [1.0, 1e-3, 1e-9])
@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("kind", [WestonWatkins, CrammerSinger])
def test_a_right_gradient_passes_at_any_temperature(kind, squared, temperature):
    check = gradcheck(problem(*table("wine"), loss=kind(1.0, squared, temperature), alpha=0.0))
    assert check.passed, check.to_text()


def test_kinks_at_the_point_itself_are_counted_and_only_the_subgradient_inequality_asked_for():
    check = gradcheck(problem(*table("iris"), loss=CrammerSinger()), np.zeros((5, 3)))
    assert check.n_kinked == 150  # every rival ties
    assert check.passed
    assert "150 rows lie on a kink" in check.verdict
    assert not any(line.trusted[0] for line in check.taylor)


def test_rows_that_a_step_carries_across_a_kink_are_reported_and_not_trusted():
    line = gradcheck(problem(*table("iris"), loss=WestonWatkins())).taylor[0]
    bent = np.array(line.rows_bent)
    assert bent[0] > 0
    assert (np.diff(bent) <= 0).all()
    assert bent[-1] == 0
    assert not np.array(line.trusted)[bent > 0].any()


# --- wrong gradients -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wrong(Objective):
    """An objective whose gradient is spoilt: ``mistake(objective, W, value, G)`` returns the wrong one."""

    mistake: object = None

    def value_grad(self, W):
        value, G = super().value_grad(W)
        return value, self.mistake(self, W, value, G)


def spoil(objective, mistake):
    return Wrong(objective.rows, objective.loss, objective.penalty, objective.fit_intercept, mistake=mistake)


def wrong_sign(objective, W, value, G):
    return -G


def wrong_sign_of_the_penalty(objective, W, value, G):
    return G - 2 * np.vstack([objective.penalty.grad(W[:-1]), np.zeros((1, W.shape[1]))])


def forgotten_penalty(objective, W, value, G):
    return G - np.vstack([objective.penalty.grad(W[:-1]), np.zeros((1, W.shape[1]))])


def penalised_intercept(objective, W, value, G):
    G = G.copy()
    G[-1] += objective.penalty.alpha * W[-1]
    return G


def forgotten_weights(objective, W, value, G):
    rows = DenseRows(objective.rows.X, objective.rows.y)
    return Objective(rows, objective.loss, objective.penalty).value_grad(W)[1]


def sum_instead_of_mean(objective, W, value, G):
    return G * objective.rows.total_weight


def mean_of_block_means(objective, W, value, G):
    X, y, s = objective.rows.X, objective.rows.y, objective.rows.weight
    parts = [slice(0, 100), slice(100, None)]
    means = [
        Objective(DenseRows(X[part], y[part], s[part], n_classes=3), objective.loss, objective.penalty).value_grad(W)[1]
        for part in parts
    ]
    return sum(means) / len(means)


def dropped_last_rows(objective, W, value, G):
    X, y, s = objective.rows.X, objective.rows.y, objective.rows.weight
    return Objective(DenseRows(X[:-10], y[:-10], s[:-10]), objective.loss, objective.penalty).value_grad(W)[1]


def transposed_classes(objective, W, value, G):
    return G[:, ::-1]


def one_entry_off_by_a_thousandth(objective, W, value, G):
    G = G.copy()
    G[2, 1] *= 1.001
    return G


def zero(objective, W, value, G):
    return 0 * G


def not_a_number(objective, W, value, G):
    return G * np.nan


MISTAKES = {
    mistake.__name__: mistake
    for mistake in (
        wrong_sign,
        wrong_sign_of_the_penalty,
        forgotten_penalty,
        penalised_intercept,
        forgotten_weights,
        sum_instead_of_mean,
        mean_of_block_means,
        dropped_last_rows,
        transposed_classes,
        one_entry_off_by_a_thousandth,
        zero,
        not_a_number,
    )
}


@each(MISTAKES, "mistake")
@each(LOSSES, "loss")
def test_a_wrong_gradient_fails(loss, mistake):
    X, y = table("iris")
    weight = np.random.default_rng(3).integers(1, 4, len(X)) / 2
    objective = problem(X, y, weight, loss=loss, alpha=1e-2)
    check = gradcheck(spoil(objective, mistake), directions=1, seed=1)
    assert not check.passed
    assert check.n_wrong > 0
    assert not check.entries[0].passed
    assert check.verdict.startswith("wrong gradient")


@each({k: v for k, v in MISTAKES.items() if v is not not_a_number}, "mistake")
def test_a_wrong_gradient_has_taylor_slope_one(mistake):
    X, y = table("iris")
    weight = np.random.default_rng(3).integers(1, 4, len(X)) / 2
    check = gradcheck(spoil(problem(X, y, weight, alpha=1e-2), mistake), seed=1)
    assert check.slope == pytest.approx(1, abs=0.1)
    assert not any(line.passed for line in check.taylor)


@dataclass(frozen=True)
class MarginOnTheTrueClass(WestonWatkins):
    """A gradient that counts the true class among its rivals."""

    def value_grad(self, Z, y):
        losses, G = super().value_grad(Z, y)
        G[np.arange(len(y)), y] += 1
        return losses, G


@dataclass(frozen=True)
class HalfSquare(CrammerSinger):
    """A squared hinge with the gradient of half its square."""

    def value_grad(self, Z, y):
        losses, G = super().value_grad(Z, y)
        return losses, G / 2


@dataclass(frozen=True)
class Unshifted(Softmax):
    """Probabilities instead of probabilities minus the label."""

    def value_grad(self, Z, y):
        return super().value_grad(Z, y)[0], self.probabilities(Z)


@pytest.mark.parametrize("loss", [MarginOnTheTrueClass(), HalfSquare(squared=True), Unshifted()])
@pytest.mark.parametrize("name", ["iris", "wine"])
def test_a_wrong_gradient_of_a_loss_fails(loss, name):
    assert not gradcheck(problem(*table(name), loss=loss)).passed


def test_a_wrong_entry_among_many_is_found():
    objective = problem(*table("digits"), alpha=1e-2)

    def mistake(objective, W, value, G):
        G = G.copy()
        G[33, 7] += 1e-3
        return G

    check = gradcheck(spoil(objective, mistake))
    assert not check.passed  # by the table if the entry is in the sample, and by the slope in any case
    assert not all(line.passed for line in check.taylor)


@each(HINGES, "loss")
def test_a_wrong_subgradient_on_kinks_fails_too(loss):
    objective = spoil(problem(*table("iris"), loss=loss), wrong_sign)
    assert not gradcheck(objective, np.zeros((5, 3))).passed


# --- the report ----------------------------------------------------------------------------------------------------


def test_the_table_names_features_and_classes_and_marks_what_is_wrong():
    names = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    objective = spoil(problem(*table("iris")), one_entry_off_by_a_thousandth)
    text = gradcheck(objective, top=15).to_text(names, ["setosa", "versicolor", "virginica"])
    wrong = [line for line in text.splitlines() if "WRONG" in line]
    assert len(wrong) == 1
    assert wrong[0].split()[:2] == ["petal_length", "versicolor"]
    assert "9.99" in wrong[0].split()[4] or "1.0e-03" in wrong[0]
    assert "intercept" in text
    assert text.startswith("wrong gradient: Taylor slope 1.")
    plain = gradcheck(problem(*table("iris"))).to_text()
    assert "feature 0" in plain
    assert "WRONG" not in plain


def test_names_cannot_steer_the_terminal():
    check = gradcheck(problem(*table("iris")), top=15)
    text = check.to_text(["a\x1b[31m", "b", "c", "d"], ["x\n", "y", "z"])
    assert "\x1b" not in text
    assert "x\n" not in text.replace("x\\x0a", "")


def test_the_result_is_plain_data():
    check = gradcheck(problem(*table("iris")), top=3)
    report = json.loads(json.dumps(check.to_json()))
    assert report["passed"] is True
    assert report["verdict"] == check.verdict
    assert len(report["entries"]) == 3
    assert report["entries"][0].keys() >= {"feature", "class_index", "analytic", "numeric", "relative_error", "trusted"}
    assert len(report["taylor"]) == 3
    assert len(report["taylor"][0]["h"]) == len(report["taylor"][0]["remainder"])


def test_the_same_seed_gives_the_same_check_and_another_another():
    objective = problem(*table("iris"))
    assert gradcheck(objective, seed=4) == gradcheck(objective, seed=4)
    assert gradcheck(objective, seed=4) != gradcheck(objective, seed=5)


def test_numeric_derivatives_are_honest_about_their_error():
    X, y = table("iris")
    objective = problem(X, y, alpha=1e-2)
    W = random_W(np.random.default_rng(6), objective)
    G = objective.value_grad(W)[1]
    check = gradcheck(objective, W, top=15)
    assert check.n_checked == check.n_entries == len(check.entries) == 15
    for entry in check.entries:
        assert entry.analytic == G[entry.feature, entry.class_index]
        assert abs(entry.numeric - entry.analytic) <= entry.error + 1e-12
        assert entry.trusted == (entry.error <= 1e-3 * abs(entry.numeric))
        assert entry.error < 1e-6


def test_a_held_intercept_is_not_checked():
    check = gradcheck(problem(*table("iris"), fit_intercept=False), top=20)
    assert check.n_entries == check.n_checked == 12
    assert {entry.feature for entry in check.entries} == {0, 1, 2, 3}


def test_the_caller_s_weights_are_left_alone():
    objective = problem(*table("iris"))
    W = random_W(np.random.default_rng(7), objective)
    W.flags.writeable = False
    assert gradcheck(objective, W).passed


def test_a_point_of_the_wrong_shape_or_out_of_bounds_is_refused():
    objective = problem(*table("iris"))
    with pytest.raises(ValueError, match=r"gradcheck: W has shape \(4, 3\), the objective's is \(5, 3\)"):
        gradcheck(objective, np.zeros((4, 3)))
    with pytest.raises(ValueError, match="not finite at W"), np.errstate(all="ignore"):
        gradcheck(replace(objective, loss=WestonWatkins(squared=True)), np.full((5, 3), 1e200) * [[1, 2, 3]])
