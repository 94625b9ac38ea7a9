"""The Hessian of softmax as a sum over pairs of classes, each over a few rows drawn by what they add to it."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.linalg.lapack import dpotrf

from softreg.objective import Objective
from softreg.rows import Block
from softreg.solvers.cholesky import factor_positive
from softreg.solvers.coordinates import Coordinates
from softreg.solvers.precondition import squares_of, systematic_sample

Array = NDArray[Any]

#: Rows drawn for a pair of classes: so many for each column.
ROWS_A_COLUMN = 5
#: Rows that have less than this share of what a class's rows have on average are not looked at.
NEAR = 1e-9


class PairHessian:
    """H = sum over k < l of (e_k - e_l)(e_k - e_l)' ⊗ <s_k s_l u u'> + penalty, by its Cholesky factor L.

    That is diag(s) - s s' written out: positive semidefinite for any choice of rows in each pair, and nothing where
    two classes are nowhere in doubt.  A pair's rows are drawn by s_k s_l times their ``leverage``; where few count,
    all that do are taken.  Calling it solves H D = G; `half` is L^-1, for those who need H^-1 between few vectors.
    """

    def __init__(self, objective: Objective, bend: Array, leverage: Array, rows_a_column: int = ROWS_A_COLUMN) -> None:
        self.coordinates = coordinates = Coordinates.of(objective)
        rows, (q, K) = objective.rows, objective.shape
        self.shape = q, K
        s = leverage / rows.total_weight if rows.weight is None else leverage * rows.weight / rows.total_weight
        size = rows_a_column * q

        def draw(k: int) -> list[tuple[int, Array, Array]]:
            first = s * bend[:, k]
            near = np.flatnonzero(first > NEAR * first.mean())
            first = first[near]
            found = []
            for other in range(k + 1, K):
                score = bend[:, other].take(near)
                score *= first
                if score.any():
                    chosen, root = systematic_sample(score, size)
                    chosen = near[chosen]
                    found.append((other, chosen, root / np.sqrt(leverage[chosen])))
            return found

        drawn = list(rows.parallel(draw, range(K)))
        used = np.unique(np.concatenate([np.zeros(0, np.intp), *(i for found in drawn for _, i, _ in found)]))
        U = self.scaled(objective, used)
        blocks = np.zeros((K, q, K, q))

        def fill(k: int) -> None:
            for other, chosen, root in drawn[k]:
                V = U[np.searchsorted(used, chosen)] * root[:, None]
                B = V.T @ V
                blocks[k, :, other] = blocks[other, :, k] = -B

        for _ in rows.parallel(fill, range(K)):
            pass
        strength = objective.penalty.curvature(q - 1) / coordinates.scale**2
        j = np.arange(q - 1)
        for k in range(K):
            blocks[k, :, k] = -blocks[k].sum(axis=1)
            blocks[k, j, k, j] += strength
        if not objective.fit_intercept:
            blocks[:, -1] = blocks[:, :, :, -1] = 0
        shift = np.einsum("kjkj->j", blocks) / K  # curvature along a shift of all classes, which no loss has
        j = np.arange(q)
        blocks[:, j, :, j] += (np.where(shift > 0, shift, 1.0) / K)[:, None, None]
        whole = blocks.reshape(q * K, q * K)
        diagonal = whole.diagonal().copy()
        diagonal = np.maximum(diagonal, 1e-14 * diagonal.max(initial=0.0) or 1.0)
        whole.flat[:: q * K + 1] = diagonal
        self.scale = 1 / np.sqrt(diagonal)
        whole *= self.scale
        whole *= self.scale[:, None]
        self.factor = _cholesky(whole)

    def scaled(self, objective: Objective, chosen: Array) -> Array:
        """u = ((x - mean)/scale, 1) of those rows."""
        X = objective.rows.take(chosen)
        U = np.empty((len(chosen), self.shape[0]))
        np.subtract(X if isinstance(X, np.ndarray) else X.toarray(), self.coordinates.mean, out=U[:, :-1])
        U[:, :-1] /= self.coordinates.scale
        U[:, -1] = 1.0 if objective.fit_intercept else 0.0
        return U

    def half(self, columns: Array, transposed: bool = False) -> Array:
        """L^-1 times columns, or L^-T."""
        return solve_triangular(self.factor, columns, lower=True, trans=int(transposed), check_finite=False)

    def step(self, d: Array) -> Array:
        """The step in W of a vector in the factor's coordinates."""
        D = (d * self.scale).reshape(self.shape[::-1]).T
        return self.coordinates.raw(D - D.mean(axis=1, keepdims=True))

    def __call__(self, G: Array) -> Array:
        g = self.coordinates.gradient(G)
        g -= g.mean(axis=1, keepdims=True)
        return self.step(self.half(self.half(g.T.ravel() * self.scale), transposed=True))


def row_leverage(objective: Objective) -> Array:
    """(n,) (1 + |u|²/p)/2: how far out each row is, 1 on average."""
    coordinates = Coordinates.of(objective)
    objective.count.add(0.5)
    leverage = np.empty(objective.rows.shape[0])
    squares = partial(squares_of, mean=coordinates.mean, scale=coordinates.scale)
    objective.rows.sum(partial(_leverage, squares), leverage)
    return leverage


def _leverage(squares: Any, block: Block, out: Array) -> tuple[Any, ...]:
    out[:] = 0.5 + 0.5 * np.asarray(squares(block.X).mean(axis=1)).ravel()
    return (0.0,)


def _cholesky(H: Array) -> Array:
    """L of H + ridge·I for the least ridge that lets it pass; H, of unit diagonal, is overwritten."""
    factor, failed = dpotrf(H.T, lower=True, overwrite_a=True, clean=False)
    if not failed:
        return factor
    H = np.tril(H, -1)  # this half is as it was
    H += H.T
    H.flat[:: len(H) + 1] = 1
    return factor_positive(H)[0]
