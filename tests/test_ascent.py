"""The first point that hinges with many rows start from: near the optimum, whatever the weights and the intercept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from softreg.losses import CrammerSinger
from softreg.minimise import minimise
from softreg.objective import Objective
from softreg.penalties import L2
from softreg.rows import DenseRows
from softreg.solvers import ascent, hinge
from softreg.solvers.ascent import rough_start
from softreg.solvers.hinge import HingePath
from tests.kinds import ROWS, each, problem, random_problem

LOSS = CrammerSinger(margin=1.5)


@pytest.mark.parametrize("fit_intercept", [True, False])
@each(ROWS, "rows")
def test_it_is_near_the_optimum_on_every_kind_of_rows(rows: Any, fit_intercept: bool) -> None:
    X, y, weight = random_problem(3, n=600)
    objective = Objective(rows.make(X, y, weight, n_jobs=1), LOSS, L2(1.0), fit_intercept)
    best = minimise(objective, HingePath(), tol=1e-6, max_iter=2000).value
    W = rough_start(objective, epochs=30)
    assert objective.value(W) <= 1.02 * best
    assert fit_intercept or not W[-1].any()


def test_a_row_is_worth_its_weight() -> None:
    X, y, _ = random_problem(9, n=80)
    weight = np.arange(len(y)) % 3
    repeated = problem(np.repeat(X, weight, axis=0), np.repeat(y, weight), loss=LOSS, alpha=1.0)
    objective = problem(X, y, weight, loss=LOSS, alpha=1.0)
    values = [objective.value(rough_start(one, gap=1e-5, epochs=100)) for one in (objective, repeated)]
    assert values[0] == pytest.approx(values[1], rel=1e-2)


def test_the_nearest_distribution_is_nearer_than_others() -> None:
    rng = np.random.default_rng(0)
    P = rng.normal(size=(5, 300))
    near = ascent._nearest_distributions(P)
    assert near.sum(axis=0) == pytest.approx(1, abs=1e-12)
    assert (near >= 0).all()
    for _ in range(20):
        other = rng.dirichlet(np.full(5, 0.5), 300).T
        assert (((P - near) * (other - near)).sum(axis=0) <= 1e-12).all()


def test_a_path_that_starts_there_is_certified_with_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hinge, "WEIGHTS_LIMIT", 0)
    X, y, weight = random_problem(11, n=20000, p=30)
    results = [
        minimise(Objective(DenseRows(X, y, weight, n_jobs=n_jobs), LOSS, L2(1e-1)), HingePath(), tol=1e-4)
        for n_jobs in (1, 2)
    ]
    assert results[0].status == "certified"
    assert results[0].W.tobytes() == results[1].W.tobytes()
    assert results[0].history["objective"][0] == pytest.approx(LOSS.margin)
