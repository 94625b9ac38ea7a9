"""An approximate inverse of the Hessian that makes a solver indifferent to column scale and correlation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotri, spotri
from scipy.sparse import diags_array

from softreg.losses import Loss
from softreg.objective import Objective
from softreg.rows import Block
from softreg.solvers.cholesky import factor_positive, solve_factored
from softreg.solvers.coordinates import Coordinates

Array = NDArray[Any]

#: Features up to which the (p, p) second moment is factored; wider data get its diagonal.
FACTOR_LIMIT = 3000
#: Numbers that the factors of `ClassPreconditioner` may hold together: 256 MB of float64.
CLASS_FACTORS = 1 << 25
#: Numbers beyond which they are float32: applying them is a read of them all.
SMALL_FACTORS = 1 << 20
#: Size of a column beyond which float32 may not hold its outliers.
ROOM = 1e30
#: Numbers of the rows that are multiplied at a time, on their way into a class's block: more take no less time.
BLOCK_WORK = 1 << 19
#: Rows of an inverse that are mirrored at a time.
MIRRORED = 64


class Preconditioner:
    """M = c·(second moment of (x, 1)) + penalty, the same for every class: at W = 0 the softmax Hessian (Böhning 1992).

    Calling it solves M D = G for G (p + 1, K), through a Cholesky factor of the centred and scaled second moment,
    or its diagonal when there are more than ``limit`` features.  Away from W = 0 the loss bends less, and the penalty
    counts for more: `follow` sets c to the mean curvature there.
    """

    def __init__(self, objective: Objective, limit: int = FACTOR_LIMIT) -> None:
        self.coordinates = Coordinates.of(objective)
        p, K = objective.rows.shape[1], objective.shape[1]
        self.strength = objective.penalty.curvature(p) / self.coordinates.scale**2
        self.gram = objective.gram(self.coordinates.mean, self.coordinates.scale) if p <= limit else None
        self._bend(np.full(K, typical_curvature(objective.loss, K)))

    def _bend(self, curvature: Array) -> None:
        """Take each class's mean curvature for what it is: its own for an intercept, the mean for weights."""
        self.curvature = curvature
        self.factor: Any = None
        c = float(curvature.mean())
        if self.gram is not None:
            M = c * self.gram
            M.flat[:: len(M) + 1] += self.strength
            self.factor, _ = factor_positive(M)
        else:
            # Sparse and wide: centring would change nothing of the diagonal that matters.
            self.diagonal = c + self.strength

    def follow(self, objective: Objective, bend: Array) -> None:
        """Take the curvature that the loss has now, unless it is near what is known."""
        found = objective.intercept_curvature(bend)
        found *= len(found) / (len(found) - 1)
        if not 0.7 < found.mean() / self.curvature.mean() < 1.4:
            self._bend(np.maximum(found, 1e-6 * found.max(initial=0.0) or 1.0))

    def __call__(self, G: Array) -> Array:
        g = self.coordinates.gradient(G)
        if self.factor is None:
            g[:-1] /= self.diagonal[:, None]
        else:
            g[:-1] = solve_factored(self.factor, g[:-1])
        g[-1] /= self.curvature
        return self.coordinates.raw(g)


class ClassPreconditioner:
    """P diag(B_1 … B_K)^-1 P: B_k the Hessian's diagonal block of class k at W, P = I - 11'/K centring the classes.

    B_k = <h_k u u'> + penalty, u = ((x - mean)/scale, 1), h_k the loss's curvature in z_k.  It knows the class
    curvature that `Preconditioner` does not.  P matters as much: no loss sees a shift of all classes, along which the
    Hessian is the penalty alone and the blocks are not.  On MNIST it takes conjugate gradients from 112 products to
    11 for a reduction of 1e-8, where the blocks without P take 86.

    Of many rows, ``size`` are drawn for each class in proportion to h_k (systematic sampling): far from the class's
    borders h_k is next to nothing.  Where some rows lie far out, ``leverage`` draws by what a row adds to the block.
    """

    def __init__(self, objective: Objective, bend: Array, W: Array, leverage: bool = False) -> None:
        self.coordinates = Coordinates.of(objective)
        rows = objective.rows
        q, K = objective.shape
        curvature = objective.loss.bent_diagonal(bend, rows.y).astype(np.float64, copy=False)
        if rows.weight is not None:
            curvature *= rows.weight[:, None]
        curvature /= rows.total_weight
        strength = np.append(objective.penalty.curvature(q - 1) / self.coordinates.scale**2, 0.0)
        small = K * q * q <= SMALL_FACTORS
        self.inverse = np.empty((K, q, q), dtype=np.float64 if small else np.float32)
        size = self.sample_size(objective)
        score = leverage_scores(objective, self.coordinates, curvature) if leverage else curvature

        def build(k: int) -> None:
            chosen, root = systematic_sample(score[:, k], size)
            if leverage:
                root *= np.sqrt(curvature[chosen, k] / score[chosen, k])
            self.inverse[k] = self._inverse_block(objective, chosen, root, strength)

        for _ in rows.parallel(build, range(K)):
            pass

    @staticmethod
    def sample_size(objective: Objective) -> int:
        """Rows for each class: three a feature, and as many as cost no more than two passes or so."""
        n, p = objective.rows.shape
        return max(3 * p, 8 * n // (p + 1), 2000)

    @classmethod
    def passes(cls, objective: Objective) -> float:
        """Half of what building costs, in passes: each step takes more products than the one before.

        Its floating-point operations run three times as fast as a pass's.
        """
        n, q = objective.rows.shape[0], objective.shape[0]
        return (min(n, cls.sample_size(objective)) * q + q * q) / (16 * n)

    def _inverse_block(self, objective: Objective, chosen: Array, root: Array, strength: Array) -> Array:
        q = len(strength)
        dtype = self.inverse.dtype
        B = np.zeros((q, q), dtype=dtype)
        mean, scale = self.coordinates.mean, self.coordinates.scale
        # Centred in the type of the products, where the largest column leaves room for its outliers.
        exact = max(np.abs(mean).max(initial=0.0), scale.max(initial=0.0)) > ROOM
        rows = objective.light.rows
        step = max(1, BLOCK_WORK // q)
        for start in range(0, len(chosen), step):
            part = slice(start, start + step)
            X = rows.take(chosen[part])
            X = X if isinstance(X, np.ndarray) else X.toarray()
            U = np.empty((X.shape[0], q), dtype=dtype)
            if exact:
                U[:, :-1] = (X - mean) / scale
            else:
                np.subtract(X, mean, out=U[:, :-1], casting="same_kind")
                U[:, :-1] /= scale.astype(dtype)
            U[:, -1] = 1.0 if objective.fit_intercept else 0.0
            U *= root[part, None].astype(dtype)
            B += U.T @ U
        B.flat[:: q + 1] += strength.astype(dtype)
        return inverse_positive(B)

    @staticmethod
    def fits(objective: Objective) -> bool:
        q, K = objective.shape
        return K * q * q <= CLASS_FACTORS

    def __call__(self, G: Array) -> Array:
        g = self.coordinates.gradient(G)
        g -= g.mean(axis=1, keepdims=True)
        d = np.matmul(self.inverse, g.T.astype(self.inverse.dtype)[:, :, None])[:, :, 0].T.astype(np.float64)
        d -= d.mean(axis=1, keepdims=True)
        return self.coordinates.raw(d)


class HessianPreconditioner:
    """P H^-1 P with H the whole Hessian at W, summed over a sample of rows drawn by their curvature.

    It knows how classes bend together, which `ClassPreconditioner` does not.  With ``leverage`` the sample finds rows
    far out, and the inverse keeps the digits that they take.
    """

    def __init__(self, objective: Objective, bend: Array, W: Array, leverage: bool = False) -> None:
        self.coordinates = Coordinates.of(objective)
        rows, (q, K) = objective.rows, objective.shape
        s = np.ones(len(rows.y)) if rows.weight is None else rows.weight
        curvature = s * objective.loss.bent_diagonal(bend, rows.y).sum(axis=1, dtype=np.float64) / rows.total_weight
        if leverage:
            curvature = leverage_scores(objective, self.coordinates, curvature[:, None])[:, 0]
        chosen, root = systematic_sample(curvature, self.sample_size(objective))
        weight = s[chosen] * root**2 / curvature[chosen]
        H = objective.sample(chosen, weight).hessian(W, self.coordinates.mean, self.coordinates.scale)
        if not objective.fit_intercept:
            H[-K:, :] = H[:, -K:] = 0
        fix_shift(H, (q, K))
        dtype = np.dtype(np.float64 if leverage or H.size <= SMALL_FACTORS else np.float32)
        self.inverse = inverse_positive(H.astype(dtype, copy=False))

    @staticmethod
    def sample_size(objective: Objective) -> int:
        """Rows enough for every direction four times over, and as many as cost no more than ten passes or so."""
        n, (q, K) = objective.rows.shape[0], objective.shape
        return max(4 * q * K // (K - 1), 120 * n // (q * K), 2000)

    @classmethod
    def passes(cls, objective: Objective) -> float:
        """What building costs, in passes."""
        n, (q, K) = objective.rows.shape[0], objective.shape
        return (min(n, cls.sample_size(objective)) * q * K + (q * K) ** 2) / (12 * n)

    @staticmethod
    def fits(objective: Objective) -> bool:
        return int(np.prod(objective.shape)) <= FACTOR_LIMIT

    def __call__(self, G: Array) -> Array:
        g = self.coordinates.gradient(G)
        g -= g.mean(axis=1, keepdims=True)
        d = (self.inverse @ g.ravel().astype(self.inverse.dtype)).astype(np.float64).reshape(g.shape)
        d -= d.mean(axis=1, keepdims=True)
        return self.coordinates.raw(d)


def fix_shift(H: Array, shape: tuple[int, int]) -> None:
    """Give H curvature along W_j + c for each feature j: the loss has none, and the gradient no part in it."""
    q, K = shape
    blocks = H.reshape(q, K, q, K)
    j = np.arange(q)
    strength = H.diagonal().reshape(q, K).sum(axis=1) / K
    blocks[j, :, j, :] += (np.where(strength > 0, strength, 1.0) / K)[:, None, None]


def inverse_positive(B: Array) -> Array:
    """The inverse of a positive semidefinite B, which is overwritten; a ridge of rounding size makes it definite."""
    double = B.dtype == np.float64
    diagonal = B.diagonal().copy()
    floor = np.finfo(B.dtype).eps * diagonal.max(initial=0.0) or 1.0
    scale = 1 / np.sqrt(np.maximum(diagonal, floor))
    B *= scale
    B *= scale[:, None]
    factor, _ = factor_positive(B, ridge=1e-11 if double else 1e-6)
    inverse, _ = (dpotri if double else spotri)(factor, lower=True, overwrite_c=True)
    inverse *= scale
    inverse *= scale[:, None]
    for j in range(0, len(inverse), MIRRORED):  # the upper triangle, in place
        near = slice(j, j + MIRRORED)
        inverse[near, j + MIRRORED :] = inverse[j + MIRRORED :, near].T
        inverse[near, near] = np.tril(inverse[near, near]) + np.tril(inverse[near, near], -1).T
    return inverse


def leverage_scores(objective: Objective, coordinates: Coordinates, h: Array) -> Array:
    """(n, K) what row i adds to class k's block: half is h_ik, half its mean share of the block's diagonal."""
    squares = partial(squares_of, mean=coordinates.mean, scale=coordinates.scale)
    objective.count.add(1.0)
    second = objective.rows.sum(partial(_seconds, squares), h)[0]
    strength = objective.penalty.curvature(len(coordinates.mean)) / coordinates.scale**2
    bent = (second > 0).any(axis=1)
    total = second + strength[:, None]
    share = h.sum(axis=0) / np.where(total > 0, total, 1.0) / max(int(bent.sum()), 1)
    score = np.empty_like(h)
    objective.rows.sum(partial(_scores, squares, share), h, score)
    return score


def squares_of(X: Any, mean: Array, scale: Array) -> Any:
    """Squares of centred and scaled columns; sparse ones are not centred."""
    if isinstance(X, np.ndarray):
        U = (X - mean) / scale
        U *= U
        return U
    return (X @ diags_array(1 / scale)).power(2)


def _seconds(squares: Callable[[Any], Any], block: Block, h: Array) -> tuple[Any, ...]:
    return (squares(block.X).T @ h,)


def _scores(squares: Callable[[Any], Any], share: Array, block: Block, h: Array, out: Array) -> tuple[Any, ...]:
    out[:] = 0.5 * h * (1 + squares(block.X) @ share)
    return (0.0,)


def systematic_sample(h: Array, size: int) -> tuple[Array, Array]:
    """Rows and their root weights r, so that sum r² x x' over them is about sum h x x' over all.

    All rows that count (more than a thousandth of the mean), where these are at most ``size``; else ``size`` of them,
    row i about ``size``·h_i/sum(h) times, evenly spread along the cumulated h of those that count.
    """
    total = float(h.sum())
    count = np.flatnonzero(h > 1e-3 * total / len(h))
    h = h[count]
    if len(count) <= size:
        return count, np.sqrt(h)
    cumulated = np.cumsum(h)
    at = (np.arange(size) + 0.5) * (cumulated[-1] / size)
    places = np.minimum(np.searchsorted(cumulated, at), len(h) - 1)
    first = np.flatnonzero(np.diff(places, prepend=-1))
    times = np.diff(first, append=size)
    return count[places[first]], np.sqrt(times * (total / size))


def typical_curvature(loss: Loss, n_classes: int) -> float:
    """Mean curvature of the loss over the K - 1 directions it has, at z = 0 or at the margin, whichever is larger."""
    y = np.zeros(1, dtype=np.intp)
    Z = np.zeros((1, n_classes))
    at_zero = loss.hessian(Z, y)[0].trace()
    Z[0, 0] = getattr(loss, "margin", 0.0)
    at_margin = loss.hessian(Z, y)[0].trace()
    return max(float(at_zero), float(at_margin), 1e-12) / (n_classes - 1)
