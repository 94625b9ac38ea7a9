"""What is still tried when a solver has ended without a certificate: a dual point from one Newton step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from softreg.certificate import Witness
from softreg.minimise import Iterate
from softreg.objective import Local, Objective
from softreg.solvers.conjugate_gradient import TruncatedStep
from softreg.solvers.newton import DIRECT_LIMIT, ExactStep
from softreg.solvers.precondition import FACTOR_LIMIT, ClassPreconditioner, Preconditioner

Array = NDArray[Any]

#: Passes that a proof may cost after the shortest fit.
HANDFUL = 20.0
#: Passes of one product with the Hessian, at most.
PRODUCT = 1.5


def newton_certificate(objective: Objective, iterate: Iterate, tol: float) -> Iterate:
    """The iterate with the tighter of its certificate and the one of Newton's dual point *at the same W*.

    The weights stay as the solver left them; only what is known about them improves.  The step costs no more passes
    than the fit has (or a handful): it is exact where forming and factoring the Hessian costs so little, else
    conjugate gradients go as far as that takes them.
    """
    if not (objective.penalty.alpha > 0 and objective.loss.smooth):
        return iterate
    budget = max(HANDFUL, objective.passes)
    here = Local(iterate.value, iterate.gradient)
    step_of: ExactStep | BoundedStep
    if iterate.W.size <= DIRECT_LIMIT and exact_passes(objective) <= budget:
        step_of = ExactStep(objective)
    else:
        step_of = BoundedStep(objective, tol, budget)
        if objective.rows.shape[0] <= objective.bend_rows:
            here = objective.local(iterate.W)
    witness = Witness(step_of(iterate.W, here), lag=0)
    found = objective.certify(iterate.W, witness)
    if iterate.certificate is not None and found.certificate.value >= iterate.certificate.value:
        return iterate
    return replace(iterate, certificate=found.certificate, witness=witness)


class BoundedStep(TruncatedStep):
    """One Newton step by conjugate gradients: about ``budget`` passes of products, and a preconditioner for no more."""

    def __init__(self, objective: Objective, accuracy: float, budget: float) -> None:
        super().__init__(objective, accuracy, limit=int(budget / PRODUCT))
        self.budget = budget

    def _prepare(self, W: Array, here: Local) -> Callable[[Array], Array]:
        objective = self.objective
        blocks = ClassPreconditioner.fits(objective) and ClassPreconditioner.passes(objective) <= self.budget
        if blocks and W.any():
            return ClassPreconditioner(*self._known(W, here), W)
        return Preconditioner(objective, FACTOR_LIMIT if moment_passes(objective) <= self.budget else 0)

    def _better(self) -> None:
        return None


def exact_passes(objective: Objective) -> float:
    """What forming the Hessian and factoring it costs, in passes: floating-point operations alone."""
    q, K = objective.shape
    return (objective.rows.shape[0] * q * q * K * (K + 1) + (q * K) ** 3 / 3) / pass_operations(objective)


def moment_passes(objective: Objective) -> float:
    """What the second moment of the columns and its factor cost, in passes."""
    n, p = objective.rows.shape
    return (2 * n * p * p + p**3 / 3) / pass_operations(objective)


def pass_operations(objective: Objective) -> float:
    """Floating-point operations of one pass."""
    X, (n, p) = objective.rows.X, objective.rows.shape
    return 4.0 * objective.shape[1] * ((X.nnz if hasattr(X, "indptr") else n * p) + n)
