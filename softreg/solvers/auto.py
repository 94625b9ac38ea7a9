"""Which solver, and why, in words."""

from __future__ import annotations

import numpy as np

from softreg.losses import Softmax
from softreg.minimise import Solver
from softreg.objective import Objective
from softreg.solvers.growing import Growing
from softreg.solvers.newton import Newton
from softreg.solvers.row_space import RowSpace
from softreg.solvers.smoothing import Smoothing

#: Weights up to which the Hessian is formed by `auto`.
EXACT_WEIGHTS = 100


def choose(objective: Objective, accuracy: float = 0.0) -> tuple[Solver, str]:
    """A solver for this objective and the reason, one clause; depends on shape and options only.

    Hinges, squared ones too, are smoothed at falling temperature: on digits Newton's own steps on the squared
    Weston-Watkins hinge are 169, smoothed they are 51.
    """
    solver, reason = _by_size(objective, accuracy)
    if not isinstance(objective.loss, Softmax):
        return Smoothing(solver), f"{reason}, the hinge smoothed ever less"
    return solver, reason


def _by_size(objective: Objective, accuracy: float) -> tuple[Solver, str]:
    n_weights = int(np.prod(objective.shape))
    if n_weights <= EXACT_WEIGHTS:
        return Newton(accuracy=accuracy), f"{n_weights} weights, few enough for exact steps"
    if isinstance(objective.loss, Softmax) and RowSpace.suits(objective):
        return RowSpace(accuracy), "fewer rows than features, so Newton's steps in the space of rows"
    by_products = Newton(direct_limit=0, accuracy=accuracy)
    return Growing(by_products), f"{n_weights} weights, so Newton's steps by conjugate gradients"
