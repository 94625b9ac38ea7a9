"""The Moreau envelope of a hinge: its conjugate plus (t/2)·sum v² off the true class, so that kinks become parabolas.

Its gradient is a projection, v = argmax v·a - l*(v) - (t/2)·sum v_k², of the slacks a_k = Δ + z_k - z_y onto the
hinge's dual domain: feasible for the hinge itself, exactly 0 or full for all rows but those near a kink.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.losses import CrammerSinger, WestonWatkins

Array = NDArray[Any]


@dataclass(frozen=True)
class Moreau:
    """``hinge`` smoothed by ``t``: at most t/2 below it for each unit of dual mass.

    A row's pattern (K,) says where it bends: True for each rival whose v is free to move, and for the true class
    where the rivals' sum is pinned at its bound.
    """

    hinge: CrammerSinger | WestonWatkins
    t: float

    @property
    def is_max(self) -> bool:
        return isinstance(self.hinge, CrammerSinger)

    @property
    def ridge(self) -> float:
        """Each free v moves by d/ridge when its slack moves by d, but for what a row's v share."""
        return self.t + 0.5 if self.hinge.squared and not self.is_max else self.t

    def slacks(self, Z: Array, y: Array) -> Array:
        """a_k; -inf for the true class."""
        rows = np.arange(len(y))
        A = Z - Z[rows, y][:, None]
        A += self.hinge.margin
        A[rows, y] = -np.inf
        return A

    def project(self, A: Array, y: Array, wide: float = 0.0) -> tuple[Array, Array]:
        """V off the true class (m, K), and the pattern (m, K) with kinks wider by ``wide`` times t or a hundredth."""
        t = self.ridge
        margin = wide * min(t, 0.01 * self.hinge.margin)
        if not self.is_max:
            V, bent = np.maximum(A, 0) / t, -margin < A
            return (V, bent) if self.hinge.squared else (np.minimum(V, 1), bent & (t + margin > A))
        V, pattern = np.zeros_like(A), np.zeros(A.shape, dtype=bool)
        near = np.flatnonzero(A.max(axis=1) > -margin)
        # v = (a - c)⁺/t, with c so high that sum v = 1 (where it would be more), or c = sum v / 2 when squared.
        total, extra = (0.0, 2 * t) if self.hinge.squared else (t, 0.0)
        B = A[near]
        ordered = -np.sort(-B, axis=1)[:, :-1]
        levels = (np.cumsum(ordered, axis=1) - total) / (np.arange(1, B.shape[1]) + extra)
        last = np.maximum((ordered > levels).sum(axis=1), 1) - 1
        level = levels[np.arange(len(near)), last]
        pinned = level > 0
        level = np.maximum(level, 0)[:, None]
        V[near], bent = np.maximum(B - level, 0) / t, level - margin < B
        if not self.hinge.squared:
            bent[np.arange(len(near)), y[near]] = pinned
        pattern[near] = bent
        return V, pattern

    def shared(self, count: Array, pinned: Array) -> Array:
        """(m,) β: the Hessian over a row's ``count`` free rivals is (I - β 11')/ridge."""
        if not self.is_max:
            return np.zeros(len(count))
        if self.hinge.squared:
            return 1 / (count + 2 * self.t)
        return pinned / np.maximum(count, 1)

    def terms(self, A: Array, V: Array) -> tuple[Array, Array, Array]:
        """Envelope, hinge and the hinge's Fenchel-Young term of each row, (m,) each."""
        up, mass = np.maximum(A, 0), V.sum(axis=1)
        down = np.where(V > 0, up - A, 0)
        if self.is_max:
            h = up.max(axis=1)
            gap = np.einsum("ij,ij->i", V, np.where(V > 0, h[:, None] - A, 0))
            gap += (h - mass / 2) ** 2 if self.hinge.squared else np.maximum(1 - mass, 0) * h
            plain = h * h if self.hinge.squared else h
        elif self.hinge.squared:
            plain, gap = np.einsum("ij,ij->i", up, up), ((up - V / 2) ** 2 + V * down).sum(axis=1)
        else:
            plain, gap = up.sum(axis=1), ((1 - V) * up + V * down).sum(axis=1)
        return plain - gap - self.t / 2 * np.einsum("ij,ij->i", V, V), plain, gap

    def dual_point(self, Z: Array, y: Array, D: Array | None = None) -> Array:
        """The gradient in z at Z + D, of rows that sum to 0; a small D keeps all its digits beside a large Z."""
        A = self.slacks(Z, y)
        rows = np.arange(len(y))
        if D is not None:
            A += D - D[rows, y][:, None]
        V = self.project(A, y)[0]
        V[rows, y] = -V.sum(axis=1)
        return V


@dataclass(frozen=True)
class Centred:
    """A hinge's envelope about a dual point v0, a row each: max over v of v·a - l*(v) - (t/2)·sum (v_k - v0_k)².

    That is the envelope about 0 of slacks a + t·v0, less (t/2)·sum v0².  It touches the hinge where v0 is a gradient of
    it, however large t is.  Rows are those that ``start`` (n, K), v0 off the true class, was made for, all at a time.
    """

    moreau: Moreau
    start: Array

    name = "centred"
    smooth = True

    def look(self, Z: Array, y: Array) -> tuple[Array, Array, Array]:
        """Values (m,), v off the true class (m, K) and `bend`, from one projection."""
        rows = np.arange(len(y))
        A = self.moreau.slacks(Z, y)
        A += self.moreau.t * self.start
        V, pattern = self.moreau.project(A, y)
        values = self.moreau.terms(A, V)[0] - self.moreau.t / 2 * np.einsum("ij,ij->i", self.start, self.start)
        pinned = pattern[rows, y]
        pattern[rows, y] = False
        bend = pattern.astype(np.float64)
        bend[rows, y] = self.moreau.shared(pattern.sum(axis=1), pinned)
        return values, V, bend

    def value_grad(self, Z: Array, y: Array) -> tuple[Array, Array]:
        values, V, _ = self.look(Z, y)
        V[np.arange(len(y)), y] = -V.sum(axis=1)
        return values, V

    def bend_columns(self, n_classes: int) -> int:
        return n_classes

    def bend(self, Z: Array, y: Array) -> Array:
        """Where each row bends: 1 for rivals that are free, and for the true class the β of `Moreau.shared`."""
        return self.look(Z, y)[2]

    def bent_diagonal(self, A: Array, y: Array) -> Array:
        rows = np.arange(len(y))
        shared = A[rows, y]
        F = A.copy()
        F[rows, y] = 0
        count = F.sum(axis=1)
        F *= (1 - shared)[:, None]
        F[rows, y] = count - shared * count**2
        return F / self.moreau.ridge

    def hessian(self, Z: Array, y: Array) -> Array:
        """Of rows in the middle of a kink, wherever they are: what a preconditioner begins with."""
        K = Z.shape[1]
        return np.broadcast_to((np.eye(K) - 1 / K) / (2 * self.moreau.ridge), (len(Z), K, K))

    def bent(self, A: Array, y: Array, D: Array) -> Array:
        """(E H E') d, H = (I - β 11')/ridge over free rivals, E their columns e_k - e_y."""
        rows = np.arange(len(y))
        U = A * (D - D[rows, y][:, None])
        U[rows, y] = 0
        U -= A * (A[rows, y] * U.sum(axis=1))[:, None]
        U[rows, y] = 0
        U /= U.dtype.type(self.moreau.ridge)
        U[rows, y] = -U.sum(axis=1)
        return U

    def bent_sum(self, A: Array, y: Array, s: Array) -> Array:
        K = A.shape[1]
        total = np.zeros((K, K))
        for k in range(K):
            own = y == k
            F = A[own]
            shared = F[:, k].copy()
            F[:, k] = 0
            S = F * s[own, None]
            H = (np.diag(S.sum(axis=0)) - (S * shared[:, None]).T @ F) / self.moreau.ridge
            H[k] -= H.sum(axis=0)
            H[:, k] -= H.sum(axis=1)
            total += H
        return (total + total.T) / 2
