"""Which solver, and why, in words."""

from __future__ import annotations

import numpy as np

from softreg.losses import Softmax
from softreg.minimise import Solver
from softreg.objective import Objective
from softreg.solvers.bends import WEIGHTS_LIMIT
from softreg.solvers.growing import Growing
from softreg.solvers.hinge import HingePath
from softreg.solvers.multipliers import Multipliers
from softreg.solvers.newton import DIRECT_LIMIT, Newton
from softreg.solvers.row_space import RowSpace
from softreg.solvers.smoothing import Smoothing
from softreg.solvers.subproblems import InWeights

#: Weights up to which the Hessian is formed by `auto`.
EXACT_WEIGHTS = 100
#: Features of sparse data beyond which the bends of `HingePath` have only a diagonal preconditioner.
WIDE = 2000
#: Rows from which on, where no factor over the weights pays, one over the bends does not either.
MANY_ROWS = 10000

IN_ROWS = "fewer rows than features, so Newton's steps in the space of rows"


def choose(objective: Objective, accuracy: float = 0.0) -> tuple[Solver, str]:
    """A solver for this objective and the reason, one clause; depends on shape and options only.

    Hinges, squared ones too, have kinks.  Where there is a penalty they are smoothed by their Moreau envelope, whose
    rows bend only near a kink: ever less; or, where no factor over bends or weights pays, about a dual point that
    follows.  Without a penalty they are smoothed by falling temperature.
    """
    solver, reason = _by_size(objective, accuracy)
    if isinstance(objective.loss, Softmax):
        return solver, reason
    if not objective.penalty.alpha > 0 or objective.loss.temperature > 0:  # type: ignore[attr-defined]
        return Smoothing(solver), f"{reason}, the hinge smoothed ever less"
    (n, p), n_weights = objective.rows.shape, int(np.prod(objective.shape))
    if hasattr(objective.rows.X, "indptr") and p > WIDE:
        return Multipliers(), "a hinge on wide sparse data, smoothed about a dual point that follows"
    if n >= MANY_ROWS and n_weights > WEIGHTS_LIMIT and InWeights.suits(objective):
        return Multipliers(in_rows=False), "a hinge of many rows and weights, smoothed about a dual point that follows"
    path = HingePath(rest=Smoothing(Newton(accuracy=accuracy)) if n_weights <= DIRECT_LIMIT else None)
    return path, "a hinge with a penalty, so Newton's steps along its Moreau envelopes"


def _by_size(objective: Objective, accuracy: float) -> tuple[Solver, str]:
    n_weights = int(np.prod(objective.shape))
    if n_weights <= EXACT_WEIGHTS:
        return Newton(accuracy=accuracy), f"{n_weights} weights, few enough for exact steps"
    if isinstance(objective.loss, Softmax) and RowSpace.suits(objective):
        return RowSpace(accuracy), IN_ROWS
    by_products = Newton(direct_limit=0, accuracy=accuracy)
    return Growing(by_products), f"{n_weights} weights, so Newton's steps by conjugate gradients"
