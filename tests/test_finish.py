"""Laws of the dual point that is sought when a solver has ended without a certificate: a bound, at a bounded price."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse

from softreg.losses import Softmax
from softreg.minimise import minimise
from softreg.objective import Objective
from softreg.penalties import L2
from softreg.rows import make_rows
from softreg.solvers import make_solver
from softreg.solvers.finish import HANDFUL, PRODUCT, newton_certificate

#: Rows, columns, classes: Hessians that are cheap to form, dear to form, and too large.
SHAPES = [(300, 3, 3), (300, 2, 200), (400, 40, 12), (200, 60, 80), (60, 400, 4)]


def unfinished(n, p, K, store=np.asarray, iterations=4, alpha=1e-3):
    """An objective, and where a few steps of gradient descent leave it."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, p))
    y = (X @ rng.normal(size=(p, K)) + rng.gumbel(size=(n, K))).argmax(axis=1)
    y[:K] = np.arange(K)
    objective = Objective(make_rows(store(X), y, n_classes=K), Softmax(), L2(alpha))
    seen = []
    solver = make_solver("gd", objective)[0]
    minimise(objective, solver, max_iter=iterations, tol=0.0, callbacks=[lambda iterate, history: seen.append(iterate)])
    return objective, seen[-1]


@pytest.mark.parametrize("iterations", [0, 4, 60])
@pytest.mark.parametrize("store", [np.asarray, scipy.sparse.csr_array])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_last_proof_costs_no_more_passes_than_the_fit_or_a_handful(shape, store, iterations):
    objective, iterate = unfinished(*shape, store=store, iterations=iterations)
    spent = objective.passes
    found = newton_certificate(objective, iterate, 1e-6)
    # Beside the step: what fixes the Hessian, the moments, the certificate itself.
    assert objective.passes - spent <= max(HANDFUL, spent) + PRODUCT + 5
    assert found.certificate.value <= iterate.certificate.value
    np.testing.assert_array_equal(found.W, iterate.W)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_last_proof_holds_and_is_tighter_than_the_gradient_s(shape):
    objective, iterate = unfinished(*shape, iterations=60)
    found = newton_certificate(objective, iterate, 1e-6)
    best = minimise(objective, make_solver("newton", objective)[0], tol=1e-9).value
    assert iterate.value - best <= found.certificate.gap * (1 + 1e-9)
    assert found.certificate.gap < iterate.certificate.gap
    again = objective.certify(found.W, found.witness).certificate
    assert again.gap == pytest.approx(found.certificate.gap, rel=1e-9)
