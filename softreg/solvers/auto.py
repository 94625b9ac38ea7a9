"""Which solver, and why, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.losses import Softmax
from softreg.minimise import Iterate, Solver
from softreg.objective import Objective
from softreg.solvers.lbfgs import LBFGS
from softreg.solvers.newton import DIRECT_LIMIT, Newton
from softreg.solvers.smoothing import Smoothing

Array = NDArray[Any]

#: Rows · weights² up to which forming the Hessian beats conjugate gradients.
DIRECT_WORK = 5e11


@dataclass(frozen=True)
class LBFGSThenNewton:
    """Cheap L-BFGS steps until they slow down, then Newton's by conjugate gradients to a tight certificate.

    They have slowed down when ``window`` steps together lower F by less than ``slow`` of itself.
    """

    window: int = 10
    slow: float = 1e-5

    name = "lbfgs, then newton"

    def iterates(self, objective: Objective, W0: Array) -> Iterator[Iterate]:
        values: list[float] = []
        W = W0
        for iterate in LBFGS().iterates(objective, W0):
            yield iterate
            W = iterate.W
            values.append(iterate.value)
            if len(values) > self.window and values[-self.window - 1] - values[-1] < self.slow * values[-1]:
                break
        path = Newton(direct_limit=0).iterates(objective, W)
        next(path)  # W itself, already given
        yield from path


def choose(objective: Objective) -> tuple[Solver, str]:
    """A solver for this objective and the reason, one clause; depends on shape and options only.

    Hinges, squared ones too, are smoothed at falling temperature: on digits Newton's own steps on the squared
    Weston-Watkins hinge are 169, smoothed they are 51.
    """
    solver, reason = _by_size(objective)
    if not isinstance(objective.loss, Softmax):
        return Smoothing(solver), f"{reason}, the hinge smoothed ever less"
    return solver, reason


def _by_size(objective: Objective) -> tuple[Solver, str]:
    n_weights = int(np.prod(objective.shape))
    n_rows = objective.rows.shape[0]
    if n_weights <= DIRECT_LIMIT and n_rows * n_weights**2 <= DIRECT_WORK:
        return Newton(), f"{n_weights} weights, few enough for exact steps"
    return LBFGSThenNewton(), f"{n_weights} weights and {n_rows} rows, too many for exact steps"
