"""Newton's method: exact steps while the Hessian is small, conjugate gradients beyond."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.certificate import Witness
from softreg.minimise import Iterate
from softreg.objective import Local, Objective
from softreg.solvers.cholesky import solve_positive
from softreg.solvers.coordinates import Coordinates
from softreg.solvers.line_search import CLOSE, Evaluate, accepts, minimising
from softreg.solvers.precondition import fix_shift

Array = NDArray[Any]

#: Weights up to which the Hessian is formed and factored.
DIRECT_LIMIT = 3000


@dataclass(frozen=True)
class Newton:
    """W <- W - t H^-1 grad F, t from 1 by a search on slopes (damped Newton; Nocedal & Wright 2006, ch. 3).

    H is factored by Cholesky when it has at most ``direct_limit`` rows, else H^-1 grad F comes from
    preconditioned conjugate gradients, solved ever more exactly (inexact Newton; Dembo, Eisenstat & Steihaug
    1982).  Columns are centred and scaled inside, which leaves Newton's steps as they are and their rounding
    small.  Once steps are close, the full one is evaluated together with its own dual point, so that the answer
    arrives with its certificate.  ``accuracy`` is the relative gap beyond which conjugate gradients seek no digits.
    """

    direct_limit: int = DIRECT_LIMIT
    accuracy: float = 0.0

    name = "newton"

    def iterates(self, objective: Objective, W0: Array) -> Iterator[Iterate]:
        W = W0
        step_of: Any
        evaluate: Evaluate
        exact = W.size <= self.direct_limit
        if exact:
            step_of, evaluate = ExactStep(objective), objective.value_grad
        else:
            from softreg.solvers.conjugate_gradient import TruncatedStep

            step_of, evaluate = TruncatedStep(objective, self.accuracy), objective.local
        here = Local(*evaluate(W))
        yield Iterate(W, here.value, here.gradient)
        if here.value > objective.start:  # a start worse than W = 0 helps nobody, and may be too far to see a slope
            W = objective.zeros()
            here = Local(*evaluate(W))
        centre = W.mean(axis=1, keepdims=True)
        if np.abs(centre).max() > 1e-12 * np.abs(W).max():  # the same logits but for a shift, and a larger penalty
            W = W - centre
            here = Local(*evaluate(W))
        stalls = 0
        smallest = np.inf
        while True:
            value, G = here.value, here.gradient
            D = step_of(W, here)
            slope = float(np.vdot(G, D))
            if not slope < 0:
                return
            decrement = -slope / 2
            stalls = 0 if decrement < 0.5 * smallest else stalls + 1
            smallest = min(smallest, decrement)
            if stalls > 2 and decrement < 1e-12 * max(value, 1e-6 * objective.start):
                return
            if decrement <= CLOSE * value:
                witness = Witness(D)
                there = objective.certify(W + D, witness, local=not exact)
                if accepts(value, slope, 1.0, there.value, float(np.vdot(there.gradient, D))):
                    W = W + D
                    yield Iterate(W, there.value, there.gradient, 1.0, there.certificate, witness)
                    here = there.local
                    continue
            point = minimising(evaluate, W, value, D, slope)
            if point is None and exact:
                # Rounding in a nearly singular H has spoilt the direction: lean towards the gradient.
                for ridge in (1e-9, 1e-6, 1e-3):
                    D = step_of(W, here, ridge)
                    point = minimising(evaluate, W, value, D, float(np.vdot(G, D)))
                    if point is not None:
                        break
            if point is None:
                return
            if not exact:
                step_of.went(point.step)
            W, here = point.W, Local(*point.found)
            yield Iterate(W, here.value, here.gradient, point.step)


class ExactStep:
    """Solves H D = -grad F by Cholesky, in centred and scaled columns, with one step of refinement."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.coordinates = Coordinates.of(objective)

    def __call__(self, W: Array, here: Local, ridge: float = 0.0) -> Array:
        G = here.gradient
        coordinates, shape = self.coordinates, G.shape
        H = self.objective.hessian(W, coordinates.mean, coordinates.scale)
        if not self.objective.fit_intercept:
            K = shape[1]
            H[-K:, :] = H[:, -K:] = 0
        fix_shift(H, shape)
        # Where the loss has no curvature at all (a hinge whose margins are met) the step is held finite.
        diagonal = H.diagonal().copy()
        floor = 1e-14 * diagonal.max(initial=0.0) or 1.0
        H.flat[:: len(H) + 1] = diagonal = np.maximum(diagonal, floor)
        scale = 1 / np.sqrt(diagonal)
        H *= scale
        H *= scale[:, None]
        g = coordinates.gradient(G).ravel() * scale
        d = solve_positive(H, -g, ridge) * scale
        return coordinates.raw(d.reshape(shape))
