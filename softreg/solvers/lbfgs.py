"""L-BFGS with a preconditioner in the place of its scaled identity."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dnrm2

from softreg.minimise import Iterate
from softreg.objective import Objective
from softreg.solvers.line_search import Evaluate, Point, accepts
from softreg.solvers.precondition import Preconditioner

Array = NDArray[Any]


@dataclass(frozen=True)
class LBFGS:
    """W <- W - t B grad F, B from the last ``memory`` steps by the two-loop recursion (Nocedal 1980; alg. 7.4 of
    Nocedal & Wright 2006) started from gamma M^-1, M the `Preconditioner`; t by a weak Wolfe line search.
    """

    memory: int = 10
    preconditioned: bool = True

    name = "lbfgs"

    def iterates(self, objective: Objective, W0: Array) -> Iterator[Iterate]:
        solve: Callable[[Array], Array] = Preconditioner(objective) if self.preconditioned else np.array
        pairs: deque[tuple[Array, Array, float]] = deque(maxlen=self.memory)
        W = W0
        value, G = objective.value_grad(W)
        yield Iterate(W, value, G)
        gamma = 1.0
        while True:
            D = -two_loop(G, pairs, solve, gamma)
            slope = float(np.vdot(G, D))
            if not slope < 0:
                if not pairs:
                    return
                pairs.clear()
                continue
            point = weak_wolfe(objective.value_grad, W, value, D, slope)
            if point is None:
                if not pairs:
                    return
                pairs.clear()
                continue
            s, r = point.W - W, point.gradient - G
            W, value, G = point.W, point.value, point.gradient
            yield Iterate(W, value, G, point.step)
            sr = float(np.vdot(s, r))
            if sr > 1e-14 * dnrm2(s.ravel()) * dnrm2(r.ravel()):  # norms of any size: no square is formed
                pairs.append((s, r, 1 / sr))
                gamma = sr / float(np.vdot(r, solve(r)))


def two_loop(
    G: Array, pairs: deque[tuple[Array, Array, float]], solve: Callable[[Array], Array], gamma: float
) -> Array:
    """B G: the inverse-Hessian estimate times the gradient."""
    q = G.copy()
    shares = []
    for s, r, rho in reversed(pairs):
        share = rho * float(np.vdot(s, q))
        q -= share * r
        shares.append(share)
    q = gamma * solve(q)
    for (s, r, rho), share in zip(pairs, reversed(shares), strict=True):
        q += (share - rho * float(np.vdot(r, q))) * s
    return q


def weak_wolfe(
    evaluate: Evaluate,
    W: Array,
    value: float,
    direction: Array,
    slope: float,
    limit: int = 30,
) -> Point | None:
    """A step with sufficient decrease and a flattened slope, by doubling and bisection (Lewis & Overton 2013)."""
    low, high, step = 0.0, np.inf, 1.0
    best: Point | None = None
    for _ in range(limit):
        V = W + step * direction
        found = evaluate(V)
        new_value, new_slope = found[0], float(np.vdot(found[1], direction))
        if not accepts(value, slope, step, new_value, new_slope):
            high = step
        else:
            best = Point(step, V, found)
            if new_slope >= 0.9 * slope:
                return best
            low = step
        step = 0.5 * (low + high) if np.isfinite(high) else 2 * step
    return best
