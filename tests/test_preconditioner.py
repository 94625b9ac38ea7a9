"""The class blocks that conjugate gradients are preconditioned with are the Hessian's own."""

import numpy as np
import pytest
from kinds import LOSSES, each, problem, random_W, table

from softreg.solvers.conjugate_gradient import TruncatedStep
from softreg.solvers.newton import ExactStep
from softreg.solvers.precondition import ClassPreconditioner


@each(LOSSES, "loss")
def test_class_blocks_are_the_diagonal_blocks_of_the_hessian(loss):
    objective = problem(*table("iris"), loss=loss, alpha=1e-3)
    W = random_W(np.random.default_rng(0), objective)
    q, K = objective.shape
    mean, scale = objective.moments.mean, objective.moments.scale
    H = objective.hessian(W, mean, scale).reshape(q, K, q, K)
    blocks = objective.class_grams(W, mean, scale)
    for k in range(K):
        np.testing.assert_allclose(blocks[k], H[:, k, :, k], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_steps_with_class_blocks_are_newtons(fit_intercept):
    objective = problem(*table("wine"), alpha=1e-2, fit_intercept=fit_intercept)
    W = 0.1 * random_W(np.random.default_rng(1), objective)
    value, G = objective.value_grad(W)
    truncated = TruncatedStep(objective)
    truncated.precondition, truncated.products = ClassPreconditioner(objective, W), 0
    exact = ExactStep(objective)(W, value, G)
    step = truncated(W, value, G)
    # Solved to a tenth of the gradient in the preconditioner's norm at least: the model's decrease is nearly all there.
    assert -np.vdot(G, step) >= 0.98 * -np.vdot(G, exact)
