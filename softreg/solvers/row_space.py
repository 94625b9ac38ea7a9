"""Newton's method in the coordinates of the rows, for data with fewer rows than features."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from softreg.certificate import Certificate, Witness
from softreg.minimise import Iterate
from softreg.moreau import Centred
from softreg.objective import Objective
from softreg.rows import Rows, StandardizedRows
from softreg.rows.products import Products
from softreg.solvers.line_search import minimising

Array = NDArray[Any]

#: Least share of rows that the intercept takes to bend: with fewer, a step of its own would be longer than t.
LEAST_BEND = 1e-3
#: Rows up to which X X' itself is formed.
GRAM_ROWS = 1000
#: Spreads of a column from which on its mean takes digits from X'A, a sum in which the means cancel.
FAR = 100.0


@dataclass(frozen=True)
class RowSpace:
    """Newton-CG on A (n, K), W = X'A, with the intercept eliminated and alpha coming down by ``factor``.

    At the optimum alpha W = -<x v'>: the weights are a combination of rows (the representer theorem; Kimeldorf &
    Wahba 1971), and so are gradients, residuals and steps.  Conjugate gradients on n·K numbers take the very steps
    they would take on p·K; their inner products need X X'R only, and whatever depends on the logits alone, a line
    search or the intercept's best step, needs no product at all.

    The intercept has no penalty: left among the weights it costs conjugate gradients two thirds of their
    products (62 instead of 22 on tf-idf text at alpha 1e-6).  Each product is followed by the intercept's own K x K
    solve (the Schur complement), so they never see it.

    A small alpha is reached through larger ones, each step a few products: far from the optimum a Newton step for the
    final alpha is long and mostly wasted.  ``start`` times the mean square of a row over n is the first one.

    ``accuracy``: the relative gap asked for; no step is solved for digits beyond it.  Close in, a step is solved until
    its residual adds less than the share ``residual`` of what it gains.
    """

    accuracy: float = 0.0
    residual: float = 3e-2
    start: float = 1.0
    factor: float = 0.1
    approach: int = 20  # steps at one alpha on the way, at most
    limit: int = 300  # products in one step, at most

    name = "newton, in the space of rows"

    @staticmethod
    def suits(objective: Objective) -> bool:
        """Fewer rows than features, a penalty on every one of them, and a loss that has curvature."""
        n, p = objective.rows.shape
        return n < p and objective.penalty.alpha > 0 and objective.loss.smooth

    def iterates(self, objective: Objective, W0: Array) -> Iterator[Iterate]:
        space = Space(objective, W0)
        here = space.first()
        yield Iterate(W0, here.value, space.gradient(here) if W0.any() else objective.at_zero().gradient)
        if W0.any() and here.value > objective.start:
            space = Space(objective, objective.zeros())
            here = space.first()
        if not here.A.any():
            for alpha in self._path(objective):
                here = self._approach(space, here, alpha)
        yield from self._descend(space, here)

    def _path(self, objective: Objective) -> list[float]:
        """Penalties on the way to the objective's own, largest first."""
        alpha = objective.penalty.alpha
        strength = objective.penalty.curvature(objective.shape[0] - 1) / alpha
        first = self.start * float((objective.moments.scale**2 / strength).sum()) / objective.rows.shape[0]
        steps = np.log(first / alpha) / np.log(1 / self.factor) if first > 0 else 0.0
        return [first * self.factor**i for i in range(math.ceil(steps - 0.5))]

    def _approach(self, space: Space, here: Point, alpha: float) -> Point:
        """A point near the optimum at ``alpha``: the last step gained less than a tenth of F."""
        for _ in range(self.approach):
            step = self.step(space, here, alpha)
            found = self.searched(space, here, step, alpha)
            if found is None:
                break
            before, here = here, space.moved(here, step, found)
            if step.decrement <= 0.1 * space.value(before, alpha):
                break
        return here

    def _descend(self, space: Space, here: Point) -> Iterator[Iterate]:
        """Newton's steps at the objective's own alpha; those close to the optimum come with their dual point's gap."""
        objective = space.objective
        alpha = objective.penalty.alpha
        W = None
        stalls, smallest = 0, np.inf
        while True:
            step = self.step(space, here, alpha)
            stalls = 0 if step.decrement < 0.5 * smallest else stalls + 1
            smallest = min(smallest, step.decrement)
            t = self.searched(space, here, step, alpha)
            if t is None or stalls > 2:
                arrived = step.decrement < 1e-12 * max(here.value, 1e-6 * objective.start)
                if not space.light and (t is None or arrived):
                    return
                space.light = False  # what is missing may be digits
                if t is None:
                    continue
            before, before_W = here, W
            here, W = space.moved_with_weights(here, step, t)
            G = space.gradient(here)
            if t == 1 and step.decrement <= 1e-2 * before.value:
                witness = Witness(W - (space.weights(before.A, before.b) if before_W is None else before_W))
                yield Iterate(W, here.value, G, t, space.proof(before, here, W, G), witness)
            else:
                yield Iterate(W, here.value, G, t)

    def searched(self, space: Space, here: Point, step: Step, alpha: float) -> float | None:
        """How far to go along the step."""
        if not step.decrement > 0:
            return None
        point = minimising(
            lambda t: space.along(here, step, float(t[0]), alpha),
            np.zeros(1),
            space.value(here, alpha),
            np.ones(1),
            -2 * step.decrement,
        )
        return None if point is None else point.step

    def step(self, space: Space, here: Point, alpha: float) -> Step:
        """H D ≈ -G by conjugate gradients: to a third of the gradient far out, ever better close in."""
        value = space.value(here, alpha)
        hessian = Curvature(space, here)
        dtype = space.dtype
        r = -(here.g + alpha * here.A)
        rb = -here.g.sum(axis=0)
        b = hessian.intercept(rb)  # 0 without an intercept
        decrement = 0.5 * float(rb @ b)
        r = (r - hessian.of_intercept(b)).astype(dtype, copy=False)
        Kr = space.gram(r)
        rho = start = dot(r, Kr)
        A, Z = np.zeros_like(r), np.zeros_like(Kr)
        P, ZP = r, Kr
        for _ in range(self.limit):
            if not rho > 0:
                break
            U, pb = hessian(ZP)
            U += dtype.type(alpha) * P
            curvature = dot(ZP, U)
            if not curvature > 0:
                break
            a = rho / curvature
            A += dtype.type(a) * P
            Z += dtype.type(a) * ZP
            b += a * pb
            r = r - dtype.type(a) * U
            decrement += 0.5 * a * rho
            Kr = space.gram(r)
            rho, previous = dot(r, Kr), rho
            if decrement > 1e-2 * value:
                enough = 0.1 * start
            else:  # rho/(2 alpha) is what this residual adds to the gap of Newton's dual point
                enough = 2 * alpha * max(self.residual * decrement, 0.3 * self.accuracy * value)
            if rho <= enough:
                break
            beta = dtype.type(rho / previous)
            P = r + beta * P
            ZP = Kr + beta * ZP
        return Step(A.astype(np.float64), b, Z.astype(np.float64), decrement)


class Point(NamedTuple):
    """A of W = X'A, and b: their logits Z without b, F, the loss's gradient g a row (divided by the weights' sum)."""

    A: Array
    b: Array
    Z: Array
    value: float
    loss: float
    g: Array


class Step(NamedTuple):
    """A step X'A, b of Newton's with its logits Z (without b) and half its slope, the model's decrease."""

    A: Array
    b: Array
    Z: Array
    decrement: float


def dot(a: Array, b: Array) -> float:
    return float(np.vdot(a, b))


class Space:
    """The span of the rows of X, and of the start's columns where it is not 0: K more rows that no loss sees.

    Arrays here are (m, K), m = n, or n + K with a start.  ``gram`` multiplies by X diag(1/factor) X' (factor: the
    penalty's, a feature each), so that products of row coordinates are those of weights in the penalty's norm.
    With an intercept, dense columns far from 0 are taken less their ``mean`` (p,), and b is that of such columns.
    """

    def __init__(self, objective: Objective, W0: Array) -> None:
        self.objective = objective
        rows = objective.rows
        self.n = rows.shape[0]
        self.weight = None if rows.weight is None else rows.weight[:, None]
        self.intercept = objective.fit_intercept
        alpha = objective.penalty.alpha
        self.factor = objective.penalty.curvature(rows.shape[1]) / alpha
        self.plain = bool((self.factor == 1).all())
        self.W0 = W0
        self.started = bool(W0[:-1].any())
        self.mean = self._means()
        self.products = Products(rows if self.mean is None else _less(rows, self.mean))
        self.light = True
        self.kernel: Array | None = None
        if self.n <= GRAM_ROWS and self.n < rows.shape[1]:
            self.kernel = self._kernel()

    def _means(self) -> Array | None:
        """The columns' means, where some column is so far from 0 that it matters and may be moved."""
        if not self.intercept or hasattr(self.objective.rows.X, "indptr"):
            return None
        moments = self.objective.moments
        return moments.mean if (np.abs(moments.mean) > FAR * moments.scale).any() else None

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of conjugate gradients: X's own, in which its products are cheapest, while that does."""
        light = self.light and self.kernel is None
        return np.dtype(self.products.dtype if light else np.float64)

    def _kernel(self) -> Array:
        """The Gram matrix itself, (m, m)."""
        eye = np.eye(self.n + (self.W0.shape[1] if self.started else 0))
        self.objective.count.add(len(eye) / self.W0.shape[1])
        return self._forward(self._backward(eye) / self.factor[:, None])

    def _forward(self, V: Array) -> Array:
        Z = self.products.forward(V)
        if self.started:
            Z = np.vstack([Z, (self.factor[:, None] * self.W0[:-1]).T @ V])
        return Z

    def _backward(self, R: Array) -> Array:
        G = self.products.backward(R[: self.n])
        if self.started:
            G += self.factor[:, None] * (self.W0[:-1] @ R[self.n :])
        return G

    def gram(self, R: Array) -> Array:
        if self.kernel is not None:
            return self.kernel @ R
        self.objective.count.add(1.0)
        if self.started:
            T = self._backward(R)
            return self._forward(T if self.plain else T / self.factor[:, None]).astype(R.dtype, copy=False)
        return self.products.gram(R, None if self.plain else self.factor).astype(R.dtype, copy=False)

    def weights(self, A: Array, b: Array) -> Array:
        """(p + 1, K): X'A in the penalty's norm, and b, for the columns as they are."""
        self.objective.count.add(0.5)
        T = self._backward(A)
        if not self.plain:
            T /= self.factor[:, None]
        return np.vstack([T, (b if self.mean is None else b - self.mean @ T)[None]])

    def logits(self, W: Array) -> Array:
        """(n, K) X W + b."""
        self.objective.count.add(0.5)
        return self.products.forward(W[:-1]) + self._own(W)

    def _own(self, W: Array) -> Array:
        """(K,) the b of W here."""
        return W[-1] if self.mean is None else W[-1] + self.mean @ W[:-1]

    def first(self) -> Point:
        """The start."""
        K = self.W0.shape[1]
        A = np.zeros((self.n + (K if self.started else 0), K))
        Z = np.zeros_like(A)
        if self.started:
            A[self.n :] = np.eye(K)
            self.objective.count.add(0.5)
            Z = self._forward(self.W0[:-1])
        return self._point(A, self._own(self.W0), Z)

    def again(self, here: Point) -> Point:
        """The same point, for another loss of the objective."""
        return self._point(here.A, here.b, here.Z)

    def _point(self, A: Array, b: Array, Z: Array, penalty: float | None = None) -> Point:
        loss, G = self.losses(Z[: self.n] + b)
        g = np.zeros_like(Z)
        g[: self.n] = G
        if penalty is None:
            penalty = 0.5 * self.objective.penalty.alpha * dot(A, Z)
        return Point(A, b, Z, loss + penalty, loss, g)

    def losses(self, Z: Array) -> tuple[float, Array]:
        """The mean loss and, a row each, its gradient's terms."""
        rows = self.objective.rows
        losses, G = self.objective.loss.value_grad(Z, rows.y)
        G *= (1.0 if self.weight is None else self.weight) / rows.total_weight
        total = losses.sum() if rows.weight is None else rows.weight @ losses
        return float(total) / rows.total_weight, G

    def value(self, here: Point, alpha: float) -> float:
        return here.loss + 0.5 * alpha * dot(here.A, here.Z)

    def along(self, here: Point, step: Step, t: float, alpha: float) -> tuple[float, Array]:
        """F and its slope at ``here`` + t·step: no product with X."""
        n = self.n
        loss, G = self.losses(here.Z[:n] + t * step.Z[:n] + (here.b + t * step.b))
        first, second = dot(here.A, step.Z), dot(step.A, step.Z)
        value = loss + alpha * (0.5 * dot(here.A, here.Z) + t * first + 0.5 * t * t * second)
        slope = dot(G, step.Z[:n] + step.b) + alpha * (first + t * second)
        return value, np.array([slope])

    def moved(self, here: Point, step: Step, t: float) -> Point:
        """The point after the step; where the step's logits are float32, its own are computed anew."""
        A, b = here.A + t * step.A, here.b + t * step.b
        return self._point(A, b, here.Z + t * step.Z if self.dtype == np.float64 else self.gram(A))

    def moved_with_weights(self, here: Point, step: Step, t: float) -> tuple[Point, Array]:
        """As `moved`, and its weights (p + 1, K).

        Its logits are those of the weights: where the terms of X'A cancel, X X'A is another point's, and what it
        proves is not said of these weights.
        """
        A, b = here.A + t * step.A, here.b + t * step.b
        W = self.weights(A, b)
        self.objective.count.add(0.5)
        return self._point(A, b, self._forward(W[:-1]), self.objective.penalty.value(W[:-1])), W

    def gradient(self, here: Point) -> Array:
        """F's gradient (p + 1, K)."""
        self.objective.count.add(0.5)
        G = np.empty(self.objective.shape)
        G[:-1] = self._backward(here.g + self.objective.penalty.alpha * here.A)
        G[-1] = here.g.sum(axis=0) if self.intercept else 0
        if self.mean is not None:
            G[:-1] += self.mean[:, None] * G[-1]
        return G

    def proof(self, before: Point, here: Point, W: Array, G: Array) -> Certificate:
        """The certificate of the dual point of Newton's step from ``before`` to ``here``, as `Objective.certify`'s."""
        objective, rows, n = self.objective, self.objective.rows, self.n
        base, Z = before.Z[:n] + before.b, here.Z[:n] + self._own(W)
        V = objective.loss.dual_point(base, rows.y, Z - base)
        gaps = objective.loss.fenchel_young(Z, V, rows.y)
        gap = float(gaps.sum() if rows.weight is None else rows.weight @ gaps) / rows.total_weight
        slack = objective.slack(W, max(here.loss, gap))
        return objective.certificate_from(W, here.value, here.loss, G, *self.pulled(V), gap + slack)

    def pulled(self, V: Array) -> tuple[Array, Array]:
        """<x v'> (p, K) and <v> (K,) of dual rows."""
        self.objective.count.add(0.5)
        sV = V * ((1.0 if self.weight is None else self.weight) / self.objective.rows.total_weight)
        pull, residual = self.products.backward(sV), sV.sum(axis=0)
        return pull if self.mean is None else pull + self.mean[:, None] * residual, residual


def _less(rows: Rows, mean: Array) -> Rows:
    """The rows with ``mean`` (p,) taken from every column."""
    return StandardizedRows(rows, mean, np.ones_like(mean))


class Curvature:
    """The Hessian of the mean loss at a point, with the intercept eliminated: row coordinates from logits."""

    def __init__(self, space: Space, here: Point) -> None:
        self.space = space
        objective = space.objective
        self.loss, self.y = objective.loss, objective.rows.y
        total = objective.rows.total_weight
        self.scale: Any = 1 / total if space.weight is None else (space.weight / total).astype(space.dtype)
        bend = self.loss.bend(here.Z[: space.n] + here.b, self.y)
        H = objective.intercept_hessian(bend)
        if isinstance(self.loss, Centred):  # where no row bends the intercept still has somewhere to go
            values, Q = np.linalg.eigh(H)
            inverse = Q / np.maximum(values, LEAST_BEND / self.loss.moreau.ridge) @ Q.T
        else:
            inverse = np.linalg.pinv(H, rcond=1e-12, hermitian=True)
        self.inverse: Array = inverse
        self.bend = bend.astype(space.dtype)

    def intercept(self, residual: Array) -> Array:
        """The intercept's step that takes away ``residual``."""
        return self.inverse @ residual if self.space.intercept else np.zeros_like(residual)

    def of_intercept(self, b: Array) -> Array:
        """The Hessian times an intercept alone."""
        return self._of(np.broadcast_to(b.astype(self.bend.dtype), (self.space.n, len(b))), self._rows())

    def _rows(self) -> int:
        return self.space.n + (len(self.inverse) if self.space.started else 0)

    def _of(self, D: Array, m: int) -> Array:
        n = self.space.n
        U = self.loss.bent(self.bend, self.y, D)
        U *= self.scale
        if m == n:
            return U
        out = np.zeros((m, D.shape[1]), dtype=U.dtype)
        out[:n] = U
        return out

    def __call__(self, Z: Array) -> tuple[Array, Array]:
        """The Hessian times logits Z joined by the intercept's best answer to them, and that answer."""
        n, m = self.space.n, len(Z)
        if not self.space.intercept:
            return self._of(Z[:n], m), np.zeros(Z.shape[1])
        U = self._of(Z[:n], m)
        b = -self.inverse @ U.sum(axis=0, dtype=np.float64)
        U += self.of_intercept(b)
        return U, b
