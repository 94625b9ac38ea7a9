"""Solvers by the name that the command line, a configuration file and an estimator use."""

from __future__ import annotations

from softreg.minimise import Solver
from softreg.objective import Objective
from softreg.solvers.auto import choose
from softreg.solvers.gradient_descent import GradientDescent
from softreg.solvers.growing import Growing
from softreg.solvers.hinge import HingePath
from softreg.solvers.lbfgs import LBFGS
from softreg.solvers.multipliers import Multipliers
from softreg.solvers.newton import Newton
from softreg.solvers.smoothing import Smoothing
from softreg.solvers.stochastic import SGD, Adam

__all__ = [
    "LBFGS",
    "SGD",
    "SOLVERS",
    "Adam",
    "GradientDescent",
    "Growing",
    "HingePath",
    "Multipliers",
    "Newton",
    "Smoothing",
    "choose",
    "make_solver",
]

#: "momentum" and "nesterov" are gradient descent with that option.
SOLVERS = ("auto", "newton", "lbfgs", "gd", "momentum", "nesterov", "sgd", "adam")


def make_solver(
    name: str,
    objective: Objective,
    *,
    learning_rate: float | str = "auto",
    batch_size: int = 256,
    momentum: float = 0.9,
    seed: int = 0,
    accuracy: float = 0.0,
) -> tuple[Solver, str]:
    """The solver called ``name``, ready for ``objective``, and why it was chosen (empty when the user did).

    ``accuracy``: the relative gap asked for; Newton's inner solves go no further than it needs.
    Where the loss has kinks, the solvers that need a smooth one run on it smoothed, the temperature falling.
    """
    reason = ""
    solver: Solver
    if name == "auto":
        solver, reason = choose(objective, accuracy)
    elif name == "newton":
        solver = Newton(accuracy=accuracy)
    elif name == "lbfgs":
        solver = LBFGS()
    elif name == "gd":
        solver = GradientDescent(learning_rate)
    elif name == "momentum":
        solver = GradientDescent(learning_rate, momentum=momentum)
    elif name == "nesterov":
        solver = GradientDescent(learning_rate, nesterov=True)
    elif name == "sgd":
        solver = SGD(learning_rate, batch_size, momentum, seed=seed)
    elif name == "adam":
        solver = Adam(learning_rate, batch_size, seed=seed)
    else:
        raise ValueError(f"solver={name!r}: one of {', '.join(SOLVERS)}")
    if name != "auto" and not objective.loss.smooth and not isinstance(solver, SGD | Adam):
        solver = Smoothing(solver)
    return solver, reason
