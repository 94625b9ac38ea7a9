"""What is still tried when a solver has ended without a certificate: a dual point from one Newton step."""

from __future__ import annotations

from dataclasses import replace

from softreg.certificate import Witness
from softreg.minimise import Iterate
from softreg.objective import Local, Objective
from softreg.solvers.conjugate_gradient import TruncatedStep
from softreg.solvers.newton import DIRECT_LIMIT, ExactStep


def newton_certificate(objective: Objective, iterate: Iterate, tol: float) -> Iterate:
    """The iterate with the tighter of its certificate and the one of Newton's dual point *at the same W*.

    The weights stay as the solver left them; only what is known about them improves.
    """
    if not (objective.penalty.alpha > 0 and objective.loss.smooth):
        return iterate
    step_of = (ExactStep if iterate.W.size <= DIRECT_LIMIT else TruncatedStep)(objective)
    witness = Witness(step_of(iterate.W, Local(iterate.value, iterate.gradient)), lag=0)
    here = objective.certify(iterate.W, witness)
    if iterate.certificate is not None and here.certificate.value >= iterate.certificate.value:
        return iterate
    return replace(iterate, certificate=here.certificate, witness=witness)
