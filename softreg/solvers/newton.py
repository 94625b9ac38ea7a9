"""Newton's method: exact steps while the Hessian is small, conjugate gradients beyond."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from softreg.certificate import Witness
from softreg.minimise import Iterate
from softreg.objective import Objective
from softreg.solvers.coordinates import Coordinates
from softreg.solvers.line_search import accepts, minimising

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
    arrives with its certificate.
    """

    direct_limit: int = DIRECT_LIMIT

    name = "newton"

    def iterates(self, objective: Objective, W0: Array) -> Iterator[Iterate]:
        W = W0
        value, G = objective.value_grad(W)
        yield Iterate(W, value, G)
        step_of: Any
        exact = W.size <= self.direct_limit
        if exact:
            step_of = ExactStep(objective)
        else:
            from softreg.solvers.conjugate_gradient import TruncatedStep

            step_of = TruncatedStep(objective)
        if value > objective.start:  # a start worse than W = 0 helps nobody, and may be too far to see a slope
            W = objective.zeros()
            value, G = objective.value_grad(W)
        centre = W.mean(axis=1, keepdims=True)
        if np.abs(centre).max() > 0:  # the same logits but for a shift, and never a larger penalty
            W = W - centre
            value, G = objective.value_grad(W)
        stalls = 0
        smallest = np.inf
        while True:
            D = step_of(W, value, G)
            slope = float(np.vdot(G, D))
            if not slope < 0:
                return
            decrement = -slope / 2
            stalls = 0 if decrement < 0.5 * smallest else stalls + 1
            smallest = min(smallest, decrement)
            if stalls > 2 and decrement < 1e-12 * max(value, 1e-6 * objective.start):
                return
            if decrement <= 1e-2 * value:
                witness = Witness(D)
                here = objective.certify(W + D, witness)
                if accepts(value, slope, 1.0, here.value, float(np.vdot(here.gradient, D))):
                    W, value, G = W + D, here.value, here.gradient
                    yield Iterate(W, value, G, 1.0, here.certificate, witness)
                    continue
            point = minimising(objective.value_grad, W, value, D, slope)
            if point is None and exact:
                # Rounding in a nearly singular H has spoilt the direction: lean towards the gradient.
                for ridge in (1e-9, 1e-6, 1e-3):
                    D = step_of(W, value, G, ridge)
                    point = minimising(objective.value_grad, W, value, D, float(np.vdot(G, D)))
                    if point is not None:
                        break
            if point is None:
                return
            _, W, value, G = point
            yield Iterate(W, value, G, point.step)


class ExactStep:
    """Solves H D = -grad F by Cholesky, in centred and scaled columns, with one step of refinement."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.coordinates = Coordinates.of(objective)

    def __call__(self, W: Array, value: float, G: Array, ridge: float = 0.0) -> Array:
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


def fix_shift(H: Array, shape: tuple[int, int]) -> None:
    """Give H curvature along W_j + c for each feature j: the loss has none, and the gradient no part in it."""
    q, K = shape
    blocks = H.reshape(q, K, q, K)
    j = np.arange(q)
    strength = np.einsum("jkjk->j", blocks) / K
    blocks[j, :, j, :] += (np.where(strength > 0, strength, 1.0) / K)[:, None, None]


def solve_positive(H: Array, b: Array, ridge: float = 0.0) -> Array:
    """(H + ridge·I)^-1 b for a positive semidefinite H of unit diagonal; the ridge grows until Cholesky passes."""
    n = len(H)
    while True:
        A = H.copy()
        A.flat[:: n + 1] += ridge
        try:
            factor = cho_factor(A, lower=True, overwrite_a=True, check_finite=False)
        except LinAlgError:
            ridge = max(100 * ridge, n * np.finfo(float).eps)
            continue
        x = cho_solve(factor, b, check_finite=False)
        if ridge == 0:
            x += cho_solve(factor, b - H @ x, check_finite=False)
        return x
