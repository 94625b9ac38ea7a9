"""Full-batch gradient descent with the derived gradient dL/dW_ij = (S_i - δ_yi) x_j, never preconditioned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.minimise import Diverged, Iterate
from softreg.objective import Objective
from softreg.solvers.line_search import backtracking

Array = NDArray[Any]


@dataclass(frozen=True)
class GradientDescent:
    """W <- W - learning_rate · grad F (Cauchy 1847).

    ``learning_rate``
        A number: that step always.  "auto": backtracking, each iteration first trying twice the last good step.
        "lipschitz": 1/L, L Böhning's bound on the Hessian's eigenvalues.
    ``momentum``
        0: plain.  Above 0: the heavy ball, V <- momentum · V - learning_rate · grad F, W <- W + V (Polyak 1964).
    ``nesterov``
        The gradient is taken ahead, at W + beta_k (W - W_previous), and the momentum restarts whenever it points
        uphill (Nesterov 1983; O'Donoghue & Candès 2015); ``momentum`` is then not used.
    """

    learning_rate: float | str = "auto"
    momentum: float = 0.0
    nesterov: bool = False

    @property
    def name(self) -> str:
        return "nesterov" if self.nesterov else "momentum" if self.momentum else "gd"

    def iterates(self, objective: Objective, W0: Array) -> Iterator[Iterate]:
        if self.nesterov:
            yield from self._accelerated(objective, W0)
        elif self.learning_rate == "auto" and not self.momentum:
            yield from self._backtracking(objective, W0)
        else:
            yield from self._fixed(objective, W0)

    def _rate(self, objective: Objective) -> float:
        if not isinstance(self.learning_rate, str):
            return float(self.learning_rate)
        bound = objective.curvature()
        if not np.isfinite(bound):
            raise Diverged(f"{self.name} needs a number for learning_rate: this loss has no curvature bound")
        return 1 / bound

    def _backtracking(self, objective: Objective, W0: Array) -> Iterator[Iterate]:
        bound = objective.curvature()
        rate = 1 / bound if np.isfinite(bound) else 1.0
        W = W0
        value, G = objective.value_grad(W)
        yield Iterate(W, value, G)
        while True:
            point = backtracking(objective.value_grad, W, value, -G, -float(np.vdot(G, G)), step=2 * rate)
            if point is None:
                return
            rate, W, value, G = point.step, point.W, point.value, point.gradient
            yield Iterate(W, value, G, rate)

    def _fixed(self, objective: Objective, W0: Array) -> Iterator[Iterate]:
        rate = self._rate(objective)
        W = W0
        velocity = np.zeros_like(W)
        value, G = objective.value_grad(W)
        start = value
        yield Iterate(W, value, G)
        while G.any():
            velocity = self.momentum * velocity - rate * G
            W = W + velocity
            with np.errstate(over="ignore", invalid="ignore"):
                value, G = objective.value_grad(W)
            if not np.isfinite(value) or value > 1e3 * max(start, 1.0):
                raise Diverged(f"{self.name} diverged at learning_rate {rate:g}: try {rate / 10:g}, or auto")
            yield Iterate(W, value, G, rate)

    def _accelerated(self, objective: Objective, W0: Array) -> Iterator[Iterate]:
        automatic = self.learning_rate == "auto"
        if automatic:
            bound = objective.curvature()
            rate = 1 / bound if np.isfinite(bound) else 1.0
        else:
            rate = self._rate(objective)
        W = ahead = W0
        value, G = objective.value_grad(W)
        start = value
        yield Iterate(W, value, G)
        theta = 1.0
        while G.any():
            value_ahead, G_ahead = (value, G) if ahead is W else objective.value_grad(ahead)
            square = float(np.vdot(G_ahead, G_ahead))
            if automatic:
                rate *= 1.5  # let the step grow again after a steep place
            while True:
                V = ahead - rate * G_ahead
                new_value, new_G = objective.value_grad(V)
                # The descent lemma at this step, but for rounding.
                descends = new_value <= value_ahead - 0.5 * rate * square + 1e-13 * abs(value_ahead)
                if descends or not automatic or rate < 1e-300:
                    break
                rate *= 0.5
            if not np.isfinite(new_value) or new_value > 1e3 * max(start, 1.0):
                raise Diverged(f"{self.name} diverged at learning_rate {rate:g}: try {rate / 10:g}, or auto")
            theta_next = (1 + np.sqrt(1 + 4 * theta * theta)) / 2
            beta = (theta - 1) / theta_next
            theta = theta_next
            if float(np.vdot(G_ahead, V - W)) > 0:  # the momentum points uphill
                theta, beta = 1.0, 0.0
            ahead = V + beta * (V - W) if beta else V
            W, value, G = V, new_value, new_G
            yield Iterate(W, value, G, rate)
