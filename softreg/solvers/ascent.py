"""A first point for the Crammer-Singer hinge, by ascent on its dual, a block of rows at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.moreau import Moreau
from softreg.objective import Objective, logits
from softreg.rows import Block

Array = NDArray[Any]

#: Rows and steps of a block: what one product with its Gram matrix and one pass through Python should be worth.
ROWS = 256
STEPS = 20
#: A row's own curvature <|x|²>/(alpha n) from which on blocks hinder one another: 0.2 on MNIST at alpha 1e-2, where
#: five epochs come within 1e-3, and 17 at 1e-4, where sixteen do not come near.
CURVATURE = 0.5
#: The intercept's share of a row's curvature: the larger, the sooner <v> = 0, and the slower all else.
INTERCEPT = 0.1


def rough_start(objective: Objective, gap: float = 3e-3, epochs: int = 10) -> Array:
    """W (p + 1, K) within about a relative ``gap`` of the optimum.

    Block-coordinate ascent on the dual (Shalev-Shwartz & Zhang 2013): over a block's distributions p = v + e_y, some
    accelerated projected-gradient steps (Beck & Teboulle 2009, with restarts) with the block's Gram matrix; W follows
    from v.  Rows that had nothing to gain in one epoch sit out the next.  The intercept is the multiplier of <v> = 0.
    """
    dual = _Dual(objective)
    rng = np.random.default_rng(0)
    rows = np.flatnonzero(dual.weight > 0)
    for _ in range(epochs):
        order = rng.permutation(rows)
        dual.remind()
        for a in range(0, len(order), ROWS):
            dual.ascend(np.sort(order[a : a + ROWS]))
        objective.count.add(len(order) / len(dual.y))
        value, gains = dual.gains()
        total = float(dual.weight @ gains)
        if total <= gap * value:
            break
        rows = np.flatnonzero((gains > 1e-2 * total) & (dual.weight > 0))
    return dual.W - dual.W.mean(axis=1, keepdims=True)


def curvature(objective: Objective) -> float:
    """<|x|²>/(alpha n): how far a row alone moves its own margin when its v goes from nothing to all."""
    square, strength = objective.moments.square, objective.penalty.curvature(objective.rows.shape[1])
    return float((square / strength).sum()) / objective.rows.shape[0]


class _Dual:
    """P (n, K), a distribution over classes a row, and the W = -X'V/strength, V = P - T, that belongs to it."""

    def __init__(self, objective: Objective) -> None:
        rows, K = objective.rows, objective.shape[1]
        n, p = rows.shape
        self.objective, self.y = objective, rows.y
        self.weight = (np.ones(n) if rows.weight is None else rows.weight) / rows.total_weight
        square = objective.moments.square
        self.strength = objective.penalty.curvature(p)
        self.pull = INTERCEPT * float((square / self.strength).sum()) if objective.fit_intercept else 0.0
        self.P = np.zeros((n, K))
        self.P[np.arange(n), self.y] = 1
        self.W = np.zeros((p + 1, K))

    def remind(self) -> None:
        """The method of multipliers' step: <v> as it stands pulls the intercept once more."""
        if self.pull:
            V = self.weight @ self.P - np.bincount(self.y, self.weight, self.P.shape[1])
            self.W[-1] -= self.pull * V

    def ascend(self, rows: Array) -> None:
        X = self.objective.rows.take(rows)
        weight = self.weight[rows]
        Q = (X / self.strength) @ X.T if isinstance(X, np.ndarray) else (X.multiply(1 / self.strength) @ X.T).toarray()
        Q = (Q + self.pull) * np.sqrt(weight) * np.sqrt(weight)[:, None]
        A = logits(X, self.W).T.astype(float, order="C")  # classes first: sums over them run along memory
        A += self.objective.loss.margin  # type: ignore[attr-defined]
        A[self.y[rows], np.arange(len(rows))] -= self.objective.loss.margin  # type: ignore[attr-defined]
        P = np.ascontiguousarray(self.P[rows].T)
        new = _ascend_simplices(Q, np.sqrt(weight), A, P)
        self.P[rows] = new.T
        V = ((new - P) * weight).T
        self.W[:-1] -= (X.T @ V) / self.strength[:, None]
        self.W[-1] -= self.pull * V.sum(axis=0)

    def gains(self) -> tuple[float, Array]:
        """F at W, and of each row (n,) what its part of the gap between F and the dual is."""
        margins = Moreau(self.objective.loss, 1.0)  # type: ignore[arg-type]
        gains, hinges = np.empty(len(self.y)), np.empty(len(self.y))

        def kernel(block: Block, P: Array, gains: Array, hinges: Array) -> tuple[Any, ...]:
            A = margins.slacks(logits(block.X, self.W), block.y)
            A[np.arange(len(block.y)), block.y] = 0
            hinges[:] = A.max(axis=1)
            gains[:] = hinges - np.einsum("ij,ij->i", P, A)
            return (0.0,)

        self.objective.count.add(0.5)
        self.objective.rows.sum(kernel, self.P, gains, hinges)
        penalty = self.objective.penalty.value(self.W[:-1])
        return float(self.weight @ hinges) + penalty, gains


def _ascend_simplices(Q: Array, root: Array, A: Array, P: Array) -> Array:
    """Columns P (K, m), distributions, after `STEPS` towards the most of <A, D> - <D, D Q>/2, D their change.

    ``root`` (m,): roots of the columns' weights, which D and A are to be multiplied by.
    """
    diagonal = np.maximum(Q.diagonal(), 1e-12 * Q.diagonal().max() + np.finfo(float).tiny)
    M = np.abs(Q) / np.sqrt(diagonal) / np.sqrt(diagonal)[:, None]
    M.flat[:: len(M) + 1] = 1  # for a row of zeros too
    v = np.ones(len(Q))
    for _ in range(10):  # max (Mv)/v bounds M's largest eigenvalue (Collatz 1942)
        u = M @ v
        bound = float((u / v).max())
        v = u / u.max()
    steepest = bound * diagonal
    metric = steepest * root**2
    start, Y, theta = P, P, 1.0
    for _ in range(STEPS):
        new = _nearest_distributions(Y + (A - ((Y - start) * root) @ Q / root) / steepest)
        change = new - P
        if np.einsum("ki,ki,i->", Y - new, change, metric) > 0:
            theta, Y = 1.0, new
        else:
            last, theta = theta, (1 + np.sqrt(1 + 4 * theta * theta)) / 2
            Y = new + ((last - 1) / theta) * change
        P = new
    return P


def _nearest_distributions(P: Array) -> Array:
    """(p - c)+ of each column, c found by Newton's steps from below (Michelot 1986)."""
    P = P - np.maximum(P.max(axis=0) - 1, (P.sum(axis=0) - 1) / len(P))
    for _ in range(len(P) + 1):
        up = P > 0
        excess = np.einsum("ki,ki->i", P, up) - 1
        if excess.max() <= 1e-14:
            break
        P -= excess / np.maximum(up.sum(axis=0), 1)
    P = np.maximum(P, 0)
    return P / P.sum(axis=0)
