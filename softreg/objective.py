"""The objective F(W, b) = <loss(z, y)> + penalty(W), z = W'x + b: value, gradient, Hessian, certificate.

Everything is one or two sums over row blocks; ``W`` is (p + 1, K), its last row the unpenalised intercept b
(held at 0 without one).  <·> is the weighted mean over rows.  ``passes`` counts products with X, divided by two:
a value and its gradient are one pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from softreg.certificate import Certificate, Witness, repair, rounding_slack
from softreg.kernels import (
    LIFT,
    bent_kernel,
    certify_kernel,
    dual_kernel,
    gram_kernel,
    hessian_kernel,
    hvp_kernel,
    lifted_kernel,
    may_hold_tiny,
    moments_kernel,
    second_kernel,
    sizes_kernel,
    spread_kernel,
    squares_kernel,
    value_grad_kernel,
    value_kernel,
)
from softreg.losses import Loss
from softreg.penalties import L2
from softreg.rows import Block, Rows

Array = NDArray[Any]


class Moments(NamedTuple):
    """First and second moments of the columns and targets (weighted means)."""

    mean: Array  # (p,) <x>
    square: Array  # (p,) <x²>, 0 where that is below all numbers
    rms: Array  # (p,) sqrt <x²>, 1 for a column of zeros
    scale: Array  # (p,) sqrt <(x - <x>)²>, exactly 0 for a constant column and below `LEAST_SPREAD`
    target: Array  # (K,) <t>
    cross: Array  # (p, K) <x t'>


class Local(NamedTuple):
    """F, its gradient and what fixes its Hessian at one point: the loss's ``bend`` of every row, where it fits."""

    value: float
    gradient: Array
    bend: Array | None = None


class Evaluation(NamedTuple):
    """F and its gradient at one point, with what is known about the distance to the optimum."""

    value: float
    gradient: Array
    loss: float
    certificate: Certificate
    bend: Array | None = None

    @property
    def local(self) -> Local:
        return Local(self.value, self.gradient, self.bend)


@dataclass
class Passes:
    """Passes counted so far; those over a sample also count, by its ``share``, towards the ``whole``."""

    count: float = 0.0
    whole: Passes | None = None
    share: float = 1.0

    def add(self, passes: float) -> None:
        self.count += passes
        if self.whole is not None:
            self.whole.add(self.share * passes)


#: The most that is kept of every row's Hessian between products with it: bytes, or this share of X if that is more.
BEND_BYTES = 32 << 20
BEND_SHARE = 0.1
#: What rounding may hide is looked at more closely beyond this share of F at W = 0.
SMALL_SLACK = 1e-9
#: Columns of a mean square below this lose digits of it, or all: they are squared again, times `LIFT`.
TINY_SQUARE = 1e-270
#: A column of less spread is as good as constant: a weight that would make a difference is too large a number.
LEAST_SPREAD = 2.0**-1000
#: Features up to which the largest eigenvalue of their second moment is computed, not bounded.
GRAM_LIMIT = 3000
#: Steps of the power method beyond, and how many starts take them.
POWER_STEPS = 20
POWER_STARTS = 4
#: Where F hardly bends at all, 1/L is still a number that steps may double for long.
LEAST_CURVATURE = 1e-100
#: Rows at a time where logits alone matter.
INTERCEPT_ROWS = 1 << 14


@dataclass(frozen=True)
class Objective:
    """Loss ∘ affine ∘ Rows + Penalty.

    Parameters
    ----------
    rows : Rows
    loss : Loss
    penalty : L2
    fit_intercept : bool
    """

    rows: Rows
    loss: Loss
    penalty: L2
    fit_intercept: bool = True
    count: Passes = field(default_factory=Passes, repr=False, compare=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of W: (p + 1, K)."""
        return self.rows.shape[1] + 1, self.rows.n_classes

    @property
    def passes(self) -> float:
        return self.count.count

    def zeros(self) -> Array:
        return np.zeros(self.shape)

    def with_loss(self, loss: Loss) -> Self:
        """The same rows and penalty under another loss; passes are counted together."""
        return self._derived(loss=loss)

    def with_penalty(self, penalty: L2) -> Self:
        """The same rows and loss under another penalty; passes are counted together."""
        return self._derived(penalty=penalty)

    def astype(self, dtype: DTypeLike) -> Self:
        """The same objective with products in another floating-point type."""
        return self._derived(rows=self.rows.astype(dtype))

    def _derived(self, **changes: Any) -> Self:
        other = replace(self, **changes)
        if "moments" in self.__dict__:  # what is already known stays known
            object.__setattr__(other, "moments", self.moments)
        return other

    def _sum(self, passes: float, kernel: Any, *beside: Any, **known: Any) -> tuple[Any, ...]:
        self.count.add(passes)
        return self.rows.sum(partial(kernel, **known), *beside)

    def full_gradient(self, XG: Array, bias: Array, W: Array) -> Array:
        """F's gradient (p + 1, K) from the sums of x g' and of g over rows, g the loss's gradient in the logits."""
        G = np.empty(self.shape)
        G[:-1] = XG / self.rows.total_weight + self.penalty.grad(W[:-1])
        G[-1] = bias / self.rows.total_weight if self.fit_intercept else 0
        return G

    @cached_property
    def start(self) -> float:
        """F at W = 0, the same for every row: log K, or the hinge's margins."""
        y = np.zeros(1, dtype=np.intp)
        return float(self.loss.value(np.zeros((1, self.rows.n_classes)), y)[0])

    @cached_property
    def rms(self) -> Array:
        """(p,) root mean square of each column, 1 for a column of zeros."""
        return self.moments.rms

    @cached_property
    def sizes(self) -> Array:
        """(p,) mean absolute value of each column."""
        return self._sum(0.5, sizes_kernel)[0] / self.rows.total_weight

    @cached_property
    def moments(self) -> Moments:
        n = self.rows.total_weight
        target, cross = self._sum(0.5, moments_kernel, n_classes=self.rows.n_classes)
        mean = cross.sum(axis=1) / n
        square, scale = self._spreads(mean)
        rms = np.where(square > 0, np.sqrt(square), 1.0)
        tiny = np.flatnonzero(square < TINY_SQUARE)
        if len(tiny) and may_hold_tiny(self.rows.X):
            lifted, spread = self._spreads(LIFT * mean[tiny], tiny)
            rms[tiny] = np.where(lifted > 0, np.maximum(np.sqrt(lifted) / LIFT, np.finfo(np.float64).tiny), 1.0)
            scale[tiny] = np.where(spread >= LIFT * LEAST_SPREAD, spread / LIFT, 0.0)
        return Moments(mean, square, rms, scale, target / n, cross / n)

    def _spreads(self, mean: Array, lifted: Array | None = None) -> tuple[Array, Array]:
        """<x²> and sqrt <(x - <x>)²> of all columns, or of those ``lifted``; ``mean``: theirs."""
        n, eps = self.rows.total_weight, np.finfo(np.float64).eps

        def total(kernel: Any, **known: Any) -> Array:
            if lifted is None:
                return self._sum(0.5, kernel, **known)[0]
            share = len(lifted) / self.rows.shape[1]
            return self._sum(0.5 * share, lifted_kernel, of=kernel, columns=lifted, **known)[0]

        if hasattr(self.rows.X, "indptr"):  # by subtraction: a spread below rounding of <x²> is not seen
            square = total(squares_kernel) / n
            spread = np.maximum(square - mean**2, 0)
            spread = np.where(spread > 64 * eps * square, spread, 0.0)
        else:
            spread = total(spread_kernel, mean=mean) / n
            square = spread + mean**2
        # A constant column's spread is rounding only.
        constant = spread <= (16 * eps * self.rows.shape[0] * np.abs(mean)) ** 2 + 16 * eps * eps * square
        return square, np.where(constant, 0.0, np.sqrt(spread))

    def curvature(self) -> float:
        """A bound L on the largest eigenvalue of F's Hessian (Böhning): the step 1/L always descends."""
        bound = self.loss.curvature(self.rows.n_classes)
        if not np.isfinite(bound):
            return float("inf")
        second = self._largest_second() if self.rows.shape[1] <= GRAM_LIMIT else self._second_bound()
        largest = bound * second + self.penalty.curvature(self.shape[0] - 1).max(initial=0.0)
        return max(float(largest), LEAST_CURVATURE)

    def _largest_second(self) -> float:
        """The largest eigenvalue of the second moment M of (x, 1)."""
        p = self.rows.shape[1]
        second = self.gram(np.zeros(p), np.ones(p))
        if self.fit_intercept:
            second = np.block([[second, self.moments.mean[:, None]], [self.moments.mean[None], np.ones((1, 1))]])
        return float(np.linalg.eigvalsh(second)[-1]) if len(second) else 0.0

    def _second_bound(self) -> float:
        """A bound on it that needs products with X only: M's trace, or twice what the power method finds.

        Whatever M is, k steps from a random start find less than half the largest eigenvalue with a probability below
        sqrt(p)·0.824/2^(k - 1/2) (Kuczynski & Wozniakowski 1992): from all of a few starts, 1e-10 for p = 10^7.
        """
        V = np.random.default_rng(0).standard_normal((self.shape[0], POWER_STARTS))
        V[-1] *= self.fit_intercept
        trace = float(self.moments.square.sum()) + self.fit_intercept
        found = 0.0
        for _ in range(POWER_STEPS):
            V /= np.abs(V).max(axis=0)
            V /= np.linalg.norm(V, axis=0)
            XU, bias, squares = self._sum(1.0, second_kernel, W=V)
            found = max(found, float(squares.max()) / self.rows.total_weight)
            V = np.vstack([XU, self.fit_intercept * bias[None]])
            if not V.any(axis=0).all():
                break
        return min(2 * found, trace)

    def gram(self, mean: Array, scale: Array) -> Array:
        """(p, p) second moment of (x - mean)/scale."""
        return self._sum(0.5, gram_kernel, mean=mean, scale=scale)[0] / self.rows.total_weight

    def at_zero(self) -> Local:
        """F and its gradient at W = 0, where a row's gradient depends on its class alone: made of moments."""
        n, K = self.rows.total_weight, self.shape[1]
        losses, G = self.loss.value_grad(np.zeros((K, K)), np.arange(K))
        return Local(
            float(losses[0]), self.full_gradient(n * self.moments.cross @ G, n * self.moments.target @ G, self.zeros())
        )

    def value(self, W: Array) -> float:
        """F(W)."""
        (loss,) = self._sum(0.5, value_kernel, loss=self.loss, W=W)
        return loss / self.rows.total_weight + self.penalty.value(W[:-1])

    def value_grad(self, W: Array) -> tuple[float, Array]:
        """F(W) and its gradient (p + 1, K), in one pass."""
        loss, XG, bias = self._sum(1.0, value_grad_kernel, loss=self.loss, W=W)
        value = loss / self.rows.total_weight + self.penalty.value(W[:-1])
        return value, self.full_gradient(XG, bias, W)

    @cached_property
    def light(self) -> Self:
        """The same objective for Hessian products: in float32 where X holds no more digits than that."""
        return self if self.rows.light_dtype == self.rows.dtype else self.astype(self.rows.light_dtype)

    def local(self, W: Array, keep: bool = False) -> Local:
        """F, its gradient and, where it fits in memory or is to be kept, what fixes its Hessian at W: one pass."""
        bend = self._room_for_bend(keep)
        loss, XG, bias = self._sum(1.0, value_grad_kernel, *bend, loss=self.loss, W=W)
        return Local(loss / self.rows.total_weight + self.penalty.value(W[:-1]), self.full_gradient(XG, bias, W), *bend)

    @property
    def bend_rows(self) -> int:
        """Rows whose `bend` may be kept."""
        X = self.rows.X
        held = X.nbytes if isinstance(X, np.ndarray) else X.data.nbytes
        one = self.loss.bend_columns(self.shape[1]) * self.rows.light_dtype.itemsize
        return int(max(BEND_BYTES, BEND_SHARE * held) // one)

    def _room_for_bend(self, keep: bool = False) -> list[Array]:
        """An array for every row's `bend`, or none where it would take too much memory and need not be kept."""
        n = self.rows.shape[0]
        if n > self.bend_rows and not keep:
            return []
        columns = self.loss.bend_columns(self.shape[1])
        return [np.empty((columns, n), dtype=self.rows.light_dtype).T]  # classes contiguous, as in the kernels' logits

    def hvp(self, W: Array, D: Array, bend: Array | None = None) -> Array:
        """The Hessian at W times D (p + 1, K); a third cheaper with W's ``bend``."""
        if bend is None:
            XU, bias = self._sum(1.5, hvp_kernel, loss=self.loss, W=W, D=D)
        else:
            XU, bias = self._sum(1.0, bent_kernel, bend, loss=self.loss, D=D)
        H = np.empty(self.shape)
        H[:-1] = XU / self.rows.total_weight + self.penalty.curvature(len(D) - 1)[:, None] * D[:-1]
        H[-1] = bias / self.rows.total_weight if self.fit_intercept else 0
        return H

    def intercept_hessian(self, bend: Array) -> Array:
        """(K, K) the Hessian in the intercepts alone, from what is kept of it: no product with X."""
        K = self.shape[1]
        return self._over_bends(self.loss.bent_sum, bend, np.zeros((K, K)))

    def intercept_curvature(self, bend: Array) -> Array:
        """(K,) that Hessian's diagonal: each class's mean curvature."""
        return self._over_bends(lambda A, y, s: s @ self.loss.bent_diagonal(A, y), bend, np.zeros(self.shape[1]))

    def _over_bends(self, of: Any, bend: Array, total: Array) -> Array:
        """The mean over rows of what ``of(bend, y, weights)`` sums, some rows at a time; added to ``total``."""
        rows = self.rows
        for start in range(0, len(bend), INTERCEPT_ROWS):
            part = slice(start, start + INTERCEPT_ROWS)
            A = bend[part].astype(np.float64, copy=False)
            total += of(A, rows.y[part], np.ones(len(A)) if rows.weight is None else rows.weight[part])
        return total / rows.total_weight

    def hessian(self, W: Array, mean: Array, scale: Array) -> Array:
        """The Hessian for columns (x - mean)/scale, ((p + 1)·K, (p + 1)·K), row-major in (feature, class)."""
        (half,) = self._sum(0.5 + self.shape[1] / 2, hessian_kernel, loss=self.loss, W=W, mean=mean, scale=scale)
        K, q = half.shape[0], half.shape[2]
        half /= self.rows.total_weight
        H = half + half.swapaxes(0, 1)
        np.einsum("kkij->kij", H)[...] *= 0.5
        np.einsum("kkjj->kj", H)[:, :-1] += self.penalty.curvature(q - 1) / scale**2
        return H.transpose(2, 0, 3, 1).reshape(q * K, q * K)

    # --- certificates ---

    def _repaired(self, W: Array, loss: float, A: Array, residual: Array) -> tuple[Array, float, float]:
        """A = <x v'> of the repaired dual point, the factor left of its FY terms, and what the mixing adds."""
        if not self.fit_intercept:
            return A, 1.0, 0.0
        moments = self.moments
        mixing, u = repair(residual, moments.target)
        if mixing == 0:
            return A, 1.0, 0.0
        # FY(z, u - t) is at most its mean over the corners e_k of the simplex, whose sums are known moments.
        z = W[:-1].T @ moments.mean + W[-1]
        z_target = float(np.vdot(moments.cross, W[:-1]) + moments.target @ W[-1])
        corner = loss + max(self.loss.vertex_conjugate, 0.0) + z_target - float(u @ z)
        mixed = moments.mean[:, None] * u
        mixed -= moments.cross
        mixed *= mixing
        mixed += (1 - mixing) * A
        return mixed, 1 - mixing, mixing * max(corner, 0.0)

    def certificate_from(
        self, W: Array, value: float, loss: float, G: Array, A: Array, residual: Array, gap: float
    ) -> Certificate:
        kkt = self.kkt(W, G)
        # Sums of float32 products are no proof: the gap is for float64 only.
        if not self.penalty.alpha > 0 or self.rows.dtype != np.float64:
            return Certificate("kkt", None, None, kkt)
        A, share, added = self._repaired(W, loss, A, residual)
        total = self.penalty.conjugate_gap(W[:-1], A) + share * gap + added
        return Certificate("gap", total, total / max(value, 1e-6 * self.start), kkt)

    def kkt(self, W: Array, G: Array) -> float:
        """max |dF/dW_jk| / RMS(column j); 0 exactly at the minimum."""
        distance = self.penalty.distance(W[:-1], G[:-1]).max(axis=1, initial=0.0) / self.rms
        return float(max(distance.max(initial=0.0), np.abs(G[-1]).max()))

    def natural_certificate(self, W: Array, value: float, G: Array) -> Certificate:
        """The certificate of the natural dual point, from F and its gradient alone."""
        A = G[:-1] - self.penalty.grad(W[:-1])
        loss = value - self.penalty.value(W[:-1])
        return self.certificate_from(W, value, loss, G, A, G[-1], self.slack(W, loss))

    def slack(self, W: Array, loss: float = np.inf) -> float:
        """What rounding may hide in the gap at W, where the mean loss is ``loss`` or less."""
        # The terms of a logit may be far larger than the logit: |x|·|W| + |b| is what rounding sees.  The mean over
        # rows of the first is <|x|>·|W|, at most RMS(x)·|W|: that is known, and does for all but wild columns.
        # A row's length is no less than the largest of its entries, and sooner known.
        length = np.sqrt(np.einsum("jk,jk->j", W, W))
        slack = rounding_slack(float(length[-1] + self.rms @ length[:-1]), self.loss.steepness(loss))
        if slack <= SMALL_SLACK * self.start:
            return slack
        largest = np.abs(W).max(axis=1)
        slack = rounding_slack(float(largest[-1] + self.rms @ largest[:-1]), self.loss.steepness(loss))
        return min(slack, rounding_slack(float(largest[-1] + self.sizes @ largest[:-1])))

    def certify(self, W: Array, witness: Witness | None = None, *, local: bool = False) -> Evaluation:
        """F, its gradient and a certificate at W, in one read of the data; with ``local`` the `bend` there too."""
        witness = witness or Witness()
        K = self.shape[1]
        step = witness.step
        bend = self._room_for_bend() if local else []
        if witness.dual is not None and witness.dual.shape == (self.rows.shape[0], K):
            loss, XGV, biases, gaps = self._sum(1.5, dual_kernel, witness.dual, loss=self.loss, W=W)
        else:  # of other data it proves nothing
            loss, XGV, biases, gaps = self._sum(
                1.5 if step is None else 2.0,
                certify_kernel,
                *bend,
                loss=self.loss,
                dual_loss=witness.loss(self.loss),
                W=W,
                with_step=None if step is None else np.hstack([W, step]),
                lag=witness.lag,
            )
        n = self.rows.total_weight
        loss, gaps = loss / n, gaps / n
        gaps += self.slack(W, max(loss, gaps))  # the dual point is as far from S as its terms are large
        value = loss + self.penalty.value(W[:-1])
        G = self.full_gradient(XGV[:, :K], biases[:K], W)
        certificate = self.certificate_from(W, value, loss, G, XGV[:, K:] / n, biases[K:] / n, gaps)
        return Evaluation(value, G, loss, certificate, *bend)

    def sample(self, rows: Array, weight: Array | None = None) -> Self:
        """The same objective on those rows only; their moments are taken to be the whole's."""
        share = len(rows) / self.rows.shape[0]
        return self._derived(rows=self.rows.subset(rows, weight), count=Passes(whole=self.count, share=share))

    def batches(self, size: int, rng: np.random.Generator) -> Iterator[Self]:
        """The same objective on ``size`` rows at a time, in random order, each row once."""
        for block in self.rows.batches(size, rng):
            self.count.add(block.X.shape[0] / self.rows.shape[0])
            yield self._derived(rows=_OneBlock(self.rows, block), count=Passes())


class _OneBlock:
    """Rows that are one block, already taken."""

    def __init__(self, rows: Rows, block: Block) -> None:
        self.block = block
        self.shape = block.X.shape
        self.n_classes = rows.n_classes
        weight = block.weight
        self.total_weight = rows.total_weight * self.shape[0] / rows.shape[0] if weight is not None else self.shape[0]

    def sum(self, kernel: Any) -> tuple[Any, ...]:
        return kernel(self.block)
