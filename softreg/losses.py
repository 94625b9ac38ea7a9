"""Losses of one block of rows: what logits Z (m, K) cost, given the true classes.

A loss sees logits and targets only: no features, weights, averages or penalties.  ``y`` is (m,) integer
class codes; `Softmax` also takes (m, K) target distributions.  Every loss has the same methods:

``value(Z, y)``              (m,)          the loss of each row
``value_grad(Z, y)``         (m,), (m, K)  and its (sub)gradient in z, whose rows sum to 0
``hvp(Z, y, D)``             (m, K)        its Hessian in z times the direction D (m, K)
``hessian(Z, y)``            (m, K, K)     the Hessian itself
``bend(Z, y, G)``            (m, c)        A: the c = ``bend_columns(K)`` numbers a row that fix its Hessian; cheaper
                                           where the gradient G is known already
``bent(A, y, D)``            (m, K)        the Hessian times D from A: no logits, no exponentials again
``bent_diagonal(A, y)``      (m, K)        the Hessian's diagonal
``bent_sum(A, y, s)``        (K, K)        the sum of the rows' Hessians, weighted by s (m,)
``dual_point(Z, y, D)``      (m, K)        V = gradient + Hessian·D, brought into the domain of the conjugate
``fenchel_young(Z, V, y)``   (m,)          l(z) + l*(v) - v·z >= 0, summed from terms that are each >= 0

and says whether it is ``smooth``, bounds its Hessian's eigenvalues (``curvature(n_classes)``) and its conjugate
at the corners of the simplex (``vertex_conjugate``: max over k of l*(e_k - e_y)).  l* is the conjugate
sup_z v·z - l(z).  ``steepness(loss)``, at most 1, bounds how much of an error in its logits a row's loss takes over,
as root mean square over rows whose mean loss is ``loss``.

Logits may be float32; they may be huge (1e8): nothing overflows.  Results have the dtype of Z.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Loss(Protocol):
    """The contract of this module's docstring, for type checkers."""

    @property
    def name(self) -> str: ...
    @property
    def smooth(self) -> bool: ...
    @property
    def vertex_conjugate(self) -> float: ...
    def curvature(self, n_classes: int) -> float: ...
    def steepness(self, loss: float) -> float: ...
    def value(self, Z: Array, y: Array) -> Array: ...
    def value_grad(self, Z: Array, y: Array) -> tuple[Array, Array]: ...
    def hvp(self, Z: Array, y: Array, D: Array) -> Array: ...
    def bend_columns(self, n_classes: int) -> int: ...
    def bend(self, Z: Array, y: Array, G: Array | None = None) -> Array: ...
    def bent(self, A: Array, y: Array, D: Array) -> Array: ...
    def bent_diagonal(self, A: Array, y: Array) -> Array: ...
    def bent_sum(self, A: Array, y: Array, s: Array) -> Array: ...
    def hessian(self, Z: Array, y: Array) -> Array: ...
    def dual_point(self, Z: Array, y: Array, D: Array | None = None) -> Array: ...
    def fenchel_young(self, Z: Array, V: Array, y: Array) -> Array: ...


def _rows(y: Array) -> Array:
    return np.arange(len(y))


def _one_hot(y: Array, like: Array) -> Array:
    """(m, K) 1 for each row's class, of the shape and type of ``like``."""
    out = np.zeros_like(like)
    out[_rows(y), y] = 1
    return out


def _dot(A: Array, B: Array) -> Array:
    """(m,) row-by-row inner products."""
    return np.einsum("ij,ij->i", A, B)


def _xlogy(q: Array, log_ratio: Array) -> Array:
    """q · log_ratio, with 0 · inf = 0."""
    return np.multiply(q, log_ratio, out=np.zeros_like(log_ratio), where=q > 0)


@dataclass(frozen=True)
class Softmax:
    """log sum_k exp(z_k) - z_y: multinomial log-loss (cross-entropy), in nats.

    Gradient S - t and Hessian diag(S) - S S', with S = softmax(z) and t the target distribution (e_y for a
    class code).  The Hessian's eigenvalues are at most 1/2 (Böhning 1992).  Confident rows keep every digit:
    the largest exponential is exactly 1, and only the rest is summed.
    """

    name = "softmax"
    smooth = True
    vertex_conjugate = 0.0
    unit = "nats"

    def curvature(self, n_classes: int) -> float:
        return 0.5

    def steepness(self, loss: float) -> float:
        """|S - t|_1/2 = 1 - S_y <= min(1, l): confident rows take over next to nothing."""
        return float(np.sqrt(min(1.0, max(loss, 0.0))))

    def value(self, Z: Array, y: Array) -> Array:
        return self.value_grad(Z, y)[0]

    def value_grad(self, Z: Array, y: Array) -> tuple[Array, Array]:
        if y.ndim == 2:
            return self._value_grad_soft(Z, y)
        E = np.subtract(Z, Z.max(axis=1)[:, None], order="F")
        # One index into the columns laid end to end: twice as fast as a pair of a row and a class.
        flat, own = E.T.reshape(-1), y.astype(np.intp, copy=False) * len(y) + _rows(y)
        d_y = flat[own]
        with np.errstate(under="ignore"):
            np.exp(E, out=E)
        e_y = flat[own]
        flat[own] = 0
        rest = E.sum(axis=1)
        # When y is the top class e_y is exactly 1 and the logarithm is log1p(rest): no digit of a confident
        # row's loss is lost.  Otherwise rest >= 1 and nothing cancels.
        loss = np.log1p(rest + (e_y - 1)) - d_y
        total = rest + e_y
        E /= total[:, None]
        flat[own] = -rest / total  # S_y - 1, from the others
        return loss, E

    def _value_grad_soft(self, Z: Array, T: Array) -> tuple[Array, Array]:
        rows = _rows(Z)
        top_class = Z.argmax(axis=1)
        top = Z[rows, top_class]
        with np.errstate(under="ignore"):
            E = np.exp(Z - top[:, None])
        E[rows, top_class] = 0
        rest = E.sum(axis=1)
        loss = np.log1p(rest) + _dot(T, top[:, None] - Z)  # sum_k t_k = 1; every term is >= 0
        E /= (1 + rest)[:, None]
        G = E - T
        G[rows, top_class] = (1 - T[rows, top_class]) - rest / (1 + rest)
        return loss, G

    def probabilities(self, Z: Array) -> Array:
        """S(z), (m, K)."""
        with np.errstate(under="ignore"):
            E = np.exp(Z - Z.max(axis=1, keepdims=True))
        E /= E.sum(axis=1, keepdims=True)
        return E

    def bend_columns(self, n_classes: int) -> int:
        return n_classes

    def bend(self, Z: Array, y: Array, G: Array | None = None) -> Array:
        if G is None:
            return self.probabilities(Z)
        if y.ndim == 2:
            return G + y
        S = G.copy(order="K")
        S[_rows(y), y] += 1
        return S

    def bent(self, A: Array, y: Array, D: Array) -> Array:
        return A * (D - _dot(A, D)[:, None])

    def bent_diagonal(self, A: Array, y: Array) -> Array:
        return A * (1 - A)

    def bent_sum(self, A: Array, y: Array, s: Array) -> Array:
        S = A * s[:, None]
        return np.diag(S.sum(axis=0)) - S.T @ A

    def hvp(self, Z: Array, y: Array, D: Array) -> Array:
        return self.bent(self.bend(Z, y), y, D)

    def hessian(self, Z: Array, y: Array) -> Array:
        S = self.probabilities(Z)
        H = -S[:, :, None] * S[:, None, :]
        k = np.arange(Z.shape[1])
        H[:, k, k] = S * (1 - S)
        return H

    def dual_point(self, Z: Array, y: Array, D: Array | None = None) -> Array:
        V = self.value_grad(Z, y)[1]
        if D is None:
            return V
        V += self.bent(self.bend(Z, y, V), y, D)
        if y.ndim == 1:
            return _project_off_class(V, y, each=np.inf, total=1.0)
        Q = np.maximum(V + y, 0)
        if np.array_equal(Q, V + y):
            return V
        return Q / Q.sum(axis=1, keepdims=True) - y

    def fenchel_young(self, Z: Array, V: Array, y: Array) -> Array:
        """KL(q || S(z)) with q = v + t, as the sum of q log(q/S) - q + S."""
        Q = V + y if y.ndim == 2 else V.copy(order="K")
        if y.ndim == 1:
            Q[_rows(y), y] += 1
        np.maximum(Q, 0, out=Q)
        with np.errstate(under="ignore"):
            log_S = np.subtract(Z, Z.max(axis=1)[:, None])
            log_S -= np.log(np.exp(log_S).sum(axis=1))[:, None]
            terms = np.log(Q, out=np.zeros_like(Q), where=Q > 0)
            terms -= log_S
            terms *= Q  # q log(q/S), 0 where q is
            terms -= Q
            terms += np.exp(log_S, out=log_S)
        return np.maximum(terms, 0, out=terms).sum(axis=1)


def _project_off_class(V: Array, y: Array, each: float, total: float) -> Array:
    """V with 0 <= v_k <= each off the true class, their sum <= total, and v_y minus that sum."""
    rows = _rows(y)
    V[rows, y] = 0
    np.clip(V, 0, each, out=V)
    mass = V.sum(axis=1)
    over = mass > total
    if over.any():
        V[over] *= (total / mass[over])[:, None]
        mass = np.minimum(mass, total)
    V[rows, y] = -mass
    return V


@dataclass(frozen=True)
class WestonWatkins:
    """sum_{k != y} max(0, Δ + z_k - z_y): the sum-form multiclass hinge, in margin units.

    ``squared`` squares each term; ``temperature`` t > 0 replaces max(0, m) by t log(1 + exp(m/t)), never
    below it and at most t log 2 above, a term (Weston & Watkins 1999).
    """

    margin: float = 1.0
    squared: bool = False
    temperature: float = 0.0

    name = "weston_watkins"
    unit = "margin units"

    @property
    def smooth(self) -> bool:
        return self.squared or self.temperature > 0

    def curvature(self, n_classes: int) -> float:
        # The Hessian is a star graph's Laplacian weighted by the terms' second derivatives: at most K of them.
        if self.temperature > 0:
            return np.inf if self.squared else n_classes * 0.25 / self.temperature
        return n_classes * 2.0 if self.squared else np.inf

    def steepness(self, loss: float) -> float:
        return 1.0

    @property
    def vertex_conjugate(self) -> float:
        return 0.25 - self.margin if self.squared else -self.margin

    def smoothed(self, temperature: float) -> Self:
        return replace(self, temperature=temperature)

    def _margins(self, Z: Array, y: Array) -> Array:
        """m_k = Δ + z_k - z_y; -inf for the true class, which has no term."""
        rows = _rows(y)
        M = Z - Z[rows, y][:, None]
        M += Z.dtype.type(self.margin)
        M[rows, y] = -np.inf
        return M

    def _terms(self, M: Array) -> tuple[Array, Array]:
        """The hinge of each margin and its slope."""
        t = self.temperature
        if t > 0:
            with np.errstate(under="ignore"):
                tail = np.exp(-np.abs(M) / t)  # in [0, 1]
            P = np.maximum(M, 0) + t * np.log1p(tail)
            A = np.where(M > 0, 1, tail) / (1 + tail)
        else:
            P = np.maximum(M, 0)
            A = (M > 0).astype(M.dtype)
        if self.squared:
            return P * P, 2 * P * A
        return P, A

    def _second(self, M: Array) -> Array:
        """The second derivative of each term."""
        t = self.temperature
        if t == 0:
            return (2 if self.squared else 0) * (M > 0).astype(M.dtype)
        P, A = replace(self, squared=False)._terms(M)
        with np.errstate(under="ignore"):
            slope = A * (1 - A) / t
            if self.squared:
                return 2 * A * A + 2 * P * slope
        return slope

    def value(self, Z: Array, y: Array) -> Array:
        return self._terms(self._margins(Z, y))[0].sum(axis=1)

    def value_grad(self, Z: Array, y: Array) -> tuple[Array, Array]:
        P, G = self._terms(self._margins(Z, y))
        G[_rows(y), y] = -G.sum(axis=1)
        return P.sum(axis=1), G

    def bend_columns(self, n_classes: int) -> int:
        return n_classes

    def bend(self, Z: Array, y: Array, G: Array | None = None) -> Array:
        return self._second(self._margins(Z, y))  # 0 for the true class

    def bent(self, A: Array, y: Array, D: Array) -> Array:
        rows = _rows(y)
        U = A * (D - D[rows, y][:, None])
        U[rows, y] = -U.sum(axis=1)
        return U

    def bent_diagonal(self, A: Array, y: Array) -> Array:
        A = A.copy()
        A[_rows(y), y] = A.sum(axis=1)
        return A

    def bent_sum(self, A: Array, y: Array, s: Array) -> Array:
        H = -(_one_hot(y, A) * s[:, None]).T @ A  # row y, column k: what class k bends against class y
        diagonal = -H.sum(axis=0) - H.sum(axis=1)
        return H + H.T + np.diag(diagonal)

    def hvp(self, Z: Array, y: Array, D: Array) -> Array:
        return self.bent(self.bend(Z, y), y, D)

    def hessian(self, Z: Array, y: Array) -> Array:
        rows = _rows(y)
        S = self._second(self._margins(Z, y))
        H = np.zeros((*Z.shape, Z.shape[1]))
        k = np.arange(Z.shape[1])
        H[:, k, k] = S
        H[rows, y, :] = -S
        H[rows, :, y] = -S
        H[rows, y, y] = S.sum(axis=1)
        return H

    def dual_point(self, Z: Array, y: Array, D: Array | None = None) -> Array:
        V = self.value_grad(Z, y)[1]
        if D is None:
            return V
        return self.feasible(V + self.hvp(Z, y, D), y)

    def feasible(self, V: Array, y: Array) -> Array:
        """V as dual rows: 0 <= v_k <= 1 off the true class (squared: no upper bound), and v_y minus their sum."""
        return _project_off_class(V, y, each=np.inf if self.squared else 1.0, total=np.inf)

    def fenchel_young(self, Z: Array, V: Array, y: Array) -> Array:
        """Plain: sum (1 - v) m⁺ + v m⁻.  Squared: sum (m⁺ - v/2)² + v m⁻.

        Smoothed: t times the two-outcome KL(v || a), a the slope; its square, by the perspective of that at
        s = max(2P, v): (P - s/2)² + s KL(v/s || a), an upper bound, exact where v is the gradient.
        """
        rows = _rows(y)
        M = self._margins(Z, y)
        M[rows, y] = 0
        U = V.copy()
        U[rows, y] = 0
        t = self.temperature
        if t > 0:
            P = np.maximum(M, 0) + t * np.log1p(np.exp(-np.abs(M) / t))
            s = np.maximum(2 * P, U) if self.squared else np.ones_like(U)
            terms = s * t * _binary_kl(np.divide(U, s, out=np.zeros_like(U), where=s > 0), M / t)
            if self.squared:
                terms += (P - s / 2) ** 2
            terms[rows, y] = 0
        else:
            up, down = np.maximum(M, 0), np.maximum(-M, 0)
            terms = ((up - U / 2) ** 2 if self.squared else (1 - U) * up) + U * down
        return terms.sum(axis=1)


def _binary_kl(V: Array, M: Array) -> Array:
    """v log(v/a) + (1 - v) log((1 - v)/(1 - a)) with a = 1/(1 + exp(-m)); v in [0, 1]."""
    softplus = np.maximum(M, 0) + np.log1p(np.exp(-np.abs(M)))
    with np.errstate(divide="ignore"):
        terms = _xlogy(V, np.log(V)) + _xlogy(1 - V, np.log1p(-V)) + softplus - V * M
    return np.maximum(terms, 0)


@dataclass(frozen=True)
class CrammerSinger:
    """max(0, Δ + max_{k != y} z_k - z_y): the max-form multiclass hinge, in margin units.

    ``squared`` squares it.  ``temperature`` t > 0 smooths the max, t log sum_k exp((z_k + Δ[k != y] - z_y)/t):
    softmax with shifted logits, never below the hinge nor more than t log K above it (Crammer & Singer 2001).
    The square of the unsmoothed form has kinks where two rivals tie.
    """

    margin: float = 1.0
    squared: bool = False
    temperature: float = 0.0

    name = "crammer_singer"
    unit = "margin units"

    @property
    def smooth(self) -> bool:
        return self.temperature > 0

    def curvature(self, n_classes: int) -> float:
        return 0.5 / self.temperature if self.temperature > 0 and not self.squared else np.inf

    def steepness(self, loss: float) -> float:
        return 1.0

    @property
    def vertex_conjugate(self) -> float:
        return 0.25 - self.margin if self.squared else -self.margin

    def smoothed(self, temperature: float) -> Self:
        return replace(self, temperature=temperature)

    def _slacks(self, Z: Array, y: Array) -> Array:
        """a_k = z_k - z_y + Δ[k != y]: 0 for the true class."""
        rows = _rows(y)
        A = Z - Z[rows, y][:, None]
        A += Z.dtype.type(self.margin)
        A[rows, y] = 0
        return A

    def _hinge(self, Z: Array, y: Array) -> tuple[Array, Array]:
        """The hinge before squaring, and its gradient."""
        A = self._slacks(Z, y)
        if self.temperature > 0:
            A /= self.temperature
            h, G = Softmax().value_grad(A, y)
            return h * self.temperature, G
        rows = _rows(y)
        worst = A.argmax(axis=1)
        h = A[rows, worst]
        G = np.zeros_like(A)
        G[rows, worst] = h > 0
        G[rows, y] -= h > 0
        return h, G

    def value(self, Z: Array, y: Array) -> Array:
        h = self._hinge(Z, y)[0]
        return h * h if self.squared else h

    def value_grad(self, Z: Array, y: Array) -> tuple[Array, Array]:
        h, G = self._hinge(Z, y)
        if self.squared:
            G *= 2 * h[:, None]
            h = h * h
        return h, G

    def bend_columns(self, n_classes: int) -> int:
        return n_classes + 1

    def bend(self, Z: Array, y: Array, G: Array | None = None) -> Array:
        """The gradient plus e_y, a distribution over classes (the hinge's own, before squaring), and the hinge."""
        h, G = self._hinge(Z, y)
        G[_rows(y), y] += 1
        return np.hstack([G, h[:, None]])

    def bent(self, A: Array, y: Array, D: Array) -> Array:
        S, h, t = A[:, :-1], A[:, -1:], self.temperature
        U = Softmax().bent(S, y, D) / t if t > 0 else np.zeros_like(D)
        if self.squared:
            along = _dot(S, D) - D[_rows(y), y]  # the hinge's slope along D
            U = 2 * (h * U + S * along[:, None])
            U[_rows(y), y] -= 2 * along
        return U

    def bent_diagonal(self, A: Array, y: Array) -> Array:
        S, h, t = A[:, :-1], A[:, -1:], self.temperature
        H = S * (1 - S) / t if t > 0 else np.zeros_like(S)
        if self.squared:
            G = S.copy()
            G[_rows(y), y] -= 1
            H = 2 * (h * H + G * G)
        return H

    def bent_sum(self, A: Array, y: Array, s: Array) -> Array:
        S, h, t = A[:, :-1], A[:, -1], self.temperature
        H = Softmax().bent_sum(S, y, (2 * h * s if self.squared else s) / t) if t > 0 else np.zeros((S.shape[1],) * 2)
        if self.squared:
            G = S - _one_hot(y, S)
            H += 2 * (G * s[:, None]).T @ G
        return H

    def hvp(self, Z: Array, y: Array, D: Array) -> Array:
        return self.bent(self.bend(Z, y), y, D)

    def hessian(self, Z: Array, y: Array) -> Array:
        H = np.zeros((*Z.shape, Z.shape[1]))
        if self.temperature > 0:
            H = Softmax().hessian(self._slacks(Z, y) / self.temperature, y) / self.temperature
        if self.squared:
            h, G = self._hinge(Z, y)
            H = 2 * (h[:, None, None] * H + G[:, :, None] * G[:, None, :])
        return H

    def dual_point(self, Z: Array, y: Array, D: Array | None = None) -> Array:
        V = self.value_grad(Z, y)[1]
        if D is None:
            return V
        return self.feasible(V + self.hvp(Z, y, D), y)

    def feasible(self, V: Array, y: Array) -> Array:
        """V as dual rows: v_k >= 0 off the true class, their sum <= 1 (squared: no bound), and v_y minus that sum."""
        return _project_off_class(V, y, each=np.inf, total=np.inf if self.squared else 1.0)

    def fenchel_young(self, Z: Array, V: Array, y: Array) -> Array:
        """With s = sum of v off the true class.  Plain: sum v (h - a) + (1 - s) h.  Squared: the same sum + (h - s/2)².

        Smoothed: t KL(q || p), p and q the distributions behind gradient and v; its square, by the perspective
        of that at c = max(2h, s): (h - c/2)² + c t KL, an upper bound, exact where v is the gradient.
        """
        rows = _rows(y)
        A = self._slacks(Z, y)
        U = V.copy()
        U[rows, y] = 0
        s = U.sum(axis=1)
        if self.temperature > 0:
            t = self.temperature
            if not self.squared:
                return t * Softmax().fenchel_young(A / t, V, y)
            h = self._hinge(Z, y)[0]
            c = np.maximum(2 * h, s)
            Q = np.divide(V, c[:, None], out=np.zeros_like(V), where=c[:, None] > 0)
            return (h - c / 2) ** 2 + c * t * Softmax().fenchel_young(A / t, Q, y)
        h = A.max(axis=1)
        idle = (h - s / 2) ** 2 if self.squared else np.maximum(1 - s, 0) * h
        return _dot(U, h[:, None] - A) + idle


#: Every loss by the name that the command line, a configuration file and an estimator use.
LOSSES: dict[str, type[Softmax] | type[WestonWatkins] | type[CrammerSinger]] = {
    "softmax": Softmax,
    "weston_watkins": WestonWatkins,
    "crammer_singer": CrammerSinger,
}
