"""Newton's system of a Moreau envelope: only rows near a kink bend, and it is solved in whichever space is smallest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.kernels import back_product, logits
from softreg.moreau import Moreau
from softreg.objective import Objective
from softreg.rows import Block
from softreg.solvers.cholesky import factor_positive, solve_factored
from softreg.solvers.coordinates import Coordinates
from softreg.solvers.newton import fix_shift

Array = NDArray[Any]

#: Bends up to which the system is formed over them, and weights up to which it is formed over the weights.
BENDS_LIMIT = 6000
WEIGHTS_LIMIT = 3000
#: Features up to which conjugate gradients are preconditioned by a factor a class; beyond, by a diagonal.
FACTOR_LIMIT = 2000
#: Curvature along a preconditioned direction that is none, beside the 1 or so that it should be.
NOTHING = 1e-100
#: Steps of conjugate gradients that make up for a factor's rounding.
FEW = 12


class Bends:
    """The Hessian alpha + <x x' ⊗ E (I - β 11') E' / ridge>, columns of E being e_k - e_y for its free rivals k."""

    def __init__(self, objective: Objective, moreau: Moreau, pattern: Array) -> None:
        self.objective, self.moreau = objective, moreau
        own = objective.rows.y
        pinned = pattern[np.arange(len(own)), own]
        count = pattern.sum(axis=1) - pinned
        self.index = np.flatnonzero(count > pinned)
        self.n_bends = int((count - pinned)[self.index].sum())
        everything = len(self.index) > 0.5 * len(own)
        if everything:
            self.index = np.arange(len(own))
        self.rows = objective.rows if everything else objective.rows.subset(self.index)
        self.y, self.pinned, self.count = own[self.index], pinned[self.index], count[self.index]
        self.free = pattern[self.index]
        self.free[np.arange(len(self.y)), self.y] = False
        weight = objective.rows.weight
        self.weight = np.ones(len(self.y)) if weight is None else weight[self.index]
        self.share = moreau.shared(self.count, self.pinned)
        self.curvature = self.weight / (moreau.ridge * objective.rows.total_weight)
        # Where an intercept takes up the shift, dense columns are centred: their products then keep more digits.
        dense = isinstance(objective.rows.take(slice(0, 1)), np.ndarray)
        self.mean = objective.moments.mean * (objective.fit_intercept and dense)
        self.strength = objective.penalty.curvature(objective.shape[0] - 1)

    def solve(self, G: Array, tight: float | None) -> Array:
        """D with H D = -G: by Cholesky over the bends or the weights, or by conjugate gradients until the gap that
        the residual leaves is at most ``tight`` (None: to a tenth)."""
        q, K = G.shape
        n_weights = q * K
        inverse: Callable[[Array], Array]
        if self.n_bends <= min(BENDS_LIMIT, n_weights):
            inverse = self.over_bends()
        elif n_weights <= WEIGHTS_LIMIT and self._weights_work() <= 200 * len(self.index) * n_weights + 1e8:
            inverse = self.over_weights()
        else:
            return self.conjugate_gradients(G, tight, self.preconditioner())
        if not len(self.y):
            return -inverse(G)
        # A factor's rounding, which a small t and badly scaled columns make large, is left to a few more steps.
        return self.conjugate_gradients(G, tight, inverse, limit=2 if tight is None else FEW)

    def _weights_work(self) -> float:
        q, K = self.objective.shape
        return float((self.count + 1.0) @ (self.count + 1.0)) * q * q + (q * K) ** 3 / 3

    def _residual_gap(self, R: Array) -> float:
        """What a gradient R adds to the gap."""
        return 0.5 * float((1 / self.strength) @ np.einsum("jk,jk->j", R[:-1], R[:-1]))

    # --- over the bends: (C + A A'/alpha) δ = -A G/alpha, D = -(G + A'δ)/alpha (Sherman, Morrison & Woodbury) ---

    def over_bends(self) -> Callable[[Array], Array]:
        objective, K = self.objective, self.free.shape[1]
        f = len(self.y)
        # Where the sum is pinned one free rival takes the true class's place.
        base = np.where(self.pinned, self.free.argmax(axis=1), self.y)
        free = self.free.copy()
        free[np.flatnonzero(self.pinned), base[self.pinned]] = False
        r, k = np.nonzero(free)
        if not len(r):
            return lambda G: np.vstack([G[:-1] / self.strength[:, None], G[-1:]])
        X = self.rows.take(slice(0, f))
        if isinstance(X, np.ndarray) and self.mean.any():
            X = X - self.mean
        E = np.zeros((len(r), K))
        i = np.arange(len(r))
        E[i, k] = 1
        E[i, base[r]] -= 1
        M = self._bend_products(X, r, E)
        weight = objective.rows.total_weight / np.where(self.weight > 0, self.weight, 1.0)
        M[i, i] += self.moreau.ridge * weight[r]
        summed = 0.5 if self.moreau.is_max and self.moreau.hinge.squared else 0.0
        shared = np.where(self.pinned, self.moreau.ridge, summed)
        ends = np.searchsorted(r, np.arange(f + 1))
        for s in np.flatnonzero((shared > 0) & (np.diff(ends) > 0)):
            M[ends[s] : ends[s + 1], ends[s] : ends[s + 1]] += shared[s] * weight[s]
        diagonal = 1 / np.sqrt(M.diagonal())
        M *= diagonal
        M *= diagonal[:, None]
        factor, _ = factor_positive(M)
        E *= diagonal[:, None]
        ME = solve_factored(factor, E)
        S = E.T @ ME

        def inverse(G: Array) -> Array:
            G = G.copy()
            G[:-1] -= np.outer(self.mean, G[-1])
            Z = X @ (G[:-1] / self.strength[:, None])
            d = solve_factored(factor, diagonal * (Z[r, k] - Z[r, base[r]]))
            bias = np.zeros(K)
            if objective.fit_intercept:
                # The intercept has no strength of its own: what the bends leave of its gradient is solved for exactly.
                bias = _solve_semidefinite(S, G[-1] - E.T @ d)
                d = d + ME @ bias
            d = d * diagonal
            U = np.zeros((f, K))
            np.add.at(U, (r, k), d)
            np.add.at(U, (r, base[r]), -d)
            D = np.vstack([(G[:-1] - back_product(X, U)) / self.strength[:, None], bias[None]])
            D[-1] -= self.mean @ D[:-1]
            return D

        return inverse

    def _bend_products(self, X: Any, r: Array, E: Array) -> Array:
        """A A'/alpha: inner products of rows times those of the bends' class pairs."""
        S = X / np.sqrt(self.strength) if isinstance(X, np.ndarray) else X.multiply(1 / np.sqrt(self.strength)).tocsr()
        gram = S @ S.T
        gram = gram if isinstance(gram, np.ndarray) else gram.toarray()
        M = np.empty((len(r), len(r)))
        for a in range(0, len(r), 256):
            part = slice(a, a + 256)
            M[part] = gram[r[part]][:, r]
            M[part] *= E[part] @ E.T
        return M

    # --- over the weights, in centred and scaled columns ---

    def over_weights(self) -> Callable[[Array], Array]:
        objective, (q, K) = self.objective, self.objective.shape
        coordinates = Coordinates.of(objective)
        H: Array = np.zeros((q, K, q, K))
        signed = self.free.astype(float)
        signed[np.arange(len(self.y)), self.y] = -self.count
        for a in range(0, len(self.y), 8192):
            part = slice(a, min(a + 8192, len(self.y)))
            X = self.rows.take(part)
            U = np.ones((X.shape[0], q))
            U[:, :-1] = ((X if isinstance(X, np.ndarray) else X.toarray()) - coordinates.mean) / coordinates.scale
            curvature, y = self.curvature[part], self.y[part]
            free, e = self.free[part], signed[part]
            for k in range(K):
                for other in range(k, K):
                    # E E' - β (E 1)(E 1)'
                    P = -self.share[part] * e[:, k] * e[:, other]
                    if k == other:
                        P += free[:, k] + (y == k) * self.count[part]
                    else:
                        P -= (y == k) * free[:, other] + (y == other) * free[:, k]
                    bent = np.flatnonzero(P)
                    if len(bent):
                        H[:, k, :, other] += U[bent].T @ (U[bent] * (P[bent] * curvature[bent])[:, None])
        for k in range(K):
            for other in range(k):
                H[:, k, :, other] = H[:, other, :, k].T
        j = np.arange(q - 1)
        H[j, :, j, :] += (self.strength / coordinates.scale**2)[:, None, None] * np.eye(K)
        H = H.reshape(q * K, q * K)
        fix_shift(H, (q, K))
        diagonal = H.diagonal().copy()
        diagonal = np.maximum(diagonal, 1e-14 * diagonal.max())
        H.flat[:: q * K + 1] = diagonal
        diagonal = 1 / np.sqrt(diagonal)
        H *= diagonal
        H *= diagonal[:, None]
        if not objective.fit_intercept:
            H[-K:, :-K] = H[:-K, -K:] = 0
        factor, _ = factor_positive(H)

        def inverse(G: Array) -> Array:
            g = solve_factored(factor, diagonal * coordinates.gradient(G).ravel())
            return _centred(coordinates.raw((diagonal * g).reshape(q, K)))

        return inverse

    # --- conjugate gradients ---

    def times(self, D: Array) -> Array:
        """H D."""

        def kernel(block: Block, free: Array, share: Array, curvature: Array) -> tuple[Any, ...]:
            rows = np.arange(len(block.y))
            U = logits(block.X, D)
            U = (U - U[rows, block.y][:, None]) * free
            U -= free * (share * U.sum(axis=1))[:, None]
            U *= curvature[:, None]
            U[rows, block.y] = -U.sum(axis=1)
            return back_product(block.X, U), U.sum(axis=0)

        self.objective.count.add(len(self.y) / self.objective.rows.shape[0])
        XU, bias = self.rows.sum(kernel, self.free, self.share, self.curvature)
        H = np.empty_like(D)
        H[:-1] = XU + self.strength[:, None] * D[:-1]
        H[-1] = bias if self.objective.fit_intercept else 0
        return H

    def preconditioner(self) -> Callable[[Array], Array]:
        """The Hessian's diagonal blocks, one a class, from some rows of each; its diagonal where they are too wide.

        Between two centrings of the classes, as `softreg.solvers.precondition.ClassPreconditioner`: a shift of all of
        them is no step, and no later system could take it back.
        """
        count, share = self.count, self.share
        diagonal = self.free * (1 - share)[:, None]
        diagonal[np.arange(len(self.y)), self.y] = count - share * count**2
        diagonal *= self.curvature[:, None]
        p = len(self.strength)
        if p > FACTOR_LIMIT:

            def squares(block: Block, curvatures: Array) -> tuple[Any, ...]:
                X = block.X
                squared = X * X if isinstance(X, np.ndarray) else X.multiply(X).tocsr()
                return back_product(squared, curvatures), curvatures.sum(axis=0)

            XX, bias = self.rows.sum(squares, diagonal)
            blocks = np.vstack([XX + self.strength[:, None], np.maximum(bias, 1e-4 * bias.mean())])
            return lambda R: _centred(_centred(R) / blocks)
        coordinates = Coordinates.of(self.objective)
        factors = []
        for k in range(diagonal.shape[1]):
            bent = np.flatnonzero(diagonal[:, k])
            every = max(1, len(bent) // (3 * p + 100))
            M = np.zeros((p + 1, p + 1))
            for a in range(0, len(bent[::every]), 2048):
                some = bent[::every][a : a + 2048]
                X = self.rows.take(some)
                U = np.ones((len(some), p + 1))
                U[:, :-1] = ((X if isinstance(X, np.ndarray) else X.toarray()) - coordinates.mean) / coordinates.scale
                U *= np.sqrt(diagonal[some, k] * every)[:, None]
                M += U.T @ U
            M.flat[: -1 : p + 2] += self.strength / coordinates.scale**2
            M[-1, -1] += 1e-6 * M[-1, -1] + 1e-6
            M.flat[:: p + 2] *= 1 + 1e-10
            factors.append(factor_positive(M)[0])

        def solve(R: Array) -> Array:
            g = _centred(coordinates.gradient(R))
            for k, factor in enumerate(factors):
                g[:, k] = solve_factored(factor, g[:, k])
            D = _centred(coordinates.raw(g))
            if not self.objective.fit_intercept:
                D[-1] = 0
            return D

        return solve

    def conjugate_gradients(
        self, G: Array, tight: float | None, precondition: Callable[[Array], Array], limit: int = 300
    ) -> Array:
        D, R = np.zeros_like(G), -G
        Y = P = precondition(R)
        rho = start = float(np.vdot(R, Y))
        best = float(np.linalg.norm(R))
        kept = Y
        for _ in range(limit):
            HP = self.times(P)
            curvature = float(np.vdot(P, HP))
            if not curvature > NOTHING * rho:
                break
            step = rho / curvature
            D = D + step * P
            R = R - step * HP
            size = float(np.linalg.norm(R))
            if limit <= FEW and not size < best:
                break  # rounding, in a system that is singular but for it
            best, kept = size, D
            Y = precondition(R)
            rho, previous = float(np.vdot(R, Y)), rho
            if (rho <= 1e-2 * start and (tight is None or self._residual_gap(R) <= tight)) or not rho > 0:
                break
            P = Y + (rho / previous) * P
        return kept


def _centred(D: Array) -> Array:
    return D - D.mean(axis=1, keepdims=True)


def _solve_semidefinite(S: Array, b: Array) -> Array:
    """S^-1 b, long but finite where S has no curvature."""
    values, vectors = np.linalg.eigh((S + S.T) / 2)
    if not values[-1] > 0:
        return b - b.mean()
    x = vectors @ ((vectors.T @ b) / np.maximum(values, 1e-6 * values[-1]))
    return x - x.mean()  # a shift of every class has no curvature and is no change
