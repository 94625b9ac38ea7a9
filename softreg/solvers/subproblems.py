"""Smooth problems about a dual point, a Newton step at a time: in the coordinates of the rows, or of the weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from softreg.kernels import back_product, logits, weighted
from softreg.moreau import Centred
from softreg.objective import Local, Objective
from softreg.rows import Block
from softreg.solvers.conjugate_gradient import TruncatedStep
from softreg.solvers.line_search import minimising
from softreg.solvers.precondition import HessianPreconditioner
from softreg.solvers.row_space import RowSpace, Space

Array = NDArray[Any]

#: Share of rows below which a class's intercept bends as if of so many; and what is added to any, for classes may fall
#: into groups that no row joins.  More is in the way of <v> = 0, for which a certificate pays dearly (1e-3 for all:
#: MNIST at alpha 1e-2 is at 7e-3 after 54 s, not at 1e-3 after 16).
FEW, ANY = 1e-3, 1e-6
#: Share of F below which what a step promises is rounding.
NOTHING = 1e-15
#: Rows whose losses are looked at together.
CHUNK = 4096


class Subproblem(Protocol):
    """A point of the penalty plus <envelope>; ``last``: the least t, in `Multipliers`' units, that its systems like."""

    last: float

    def about(self, envelope: Centred) -> None: ...
    def step(self) -> float | None:
        """Take a Newton step: what it promised, or None where there is none to take."""
        ...

    def dual(self) -> Array:
        """(n, K) the envelope's gradient in the logits, without the true class's."""
        ...

    def weights(self) -> Array: ...
    def logits(self, W: Array) -> Array:
        """(n, K) of `weights`, not of the sum of the steps that led there."""
        ...

    def pulled(self, V: Array) -> tuple[Array, Array]:
        """<x v'> (p, K) and <v> (K,) of dual rows."""
        ...

    def sharpen(self) -> bool:
        """Go on with more digits; False where there are no more."""
        ...


class InRows:
    """W = X'A: conjugate gradients of `RowSpace`, which need X X' only."""

    last = 0.6

    def __init__(self, objective: Objective, W0: Array) -> None:
        self.objective = objective
        self.space = Space(objective, W0)
        self.here = self.space.first()
        self.solver = RowSpace(residual=0.3)
        self.pulled = self.space.pulled

    def about(self, envelope: Centred) -> None:
        self.space.objective = self.objective.with_loss(envelope)  # type: ignore[arg-type]
        self.here = self.space.again(self.here)

    def step(self) -> float | None:
        alpha = self.objective.penalty.alpha
        step = self.solver.step(self.space, self.here, alpha)
        length = self.solver.searched(self.space, self.here, step, alpha)
        if length is None:
            return None
        self.here = self.space.moved(self.here, step, length)
        return step.decrement

    def dual(self) -> Array:
        y = self.objective.rows.y
        V = self.space.objective.loss.value_grad(self.here.Z[: self.space.n] + self.here.b, y)[1]
        V[np.arange(len(y)), y] = 0
        return V

    def weights(self) -> Array:
        return self.space.weights(self.here.A, self.here.b)

    def logits(self, W: Array) -> Array:
        return self.space.logits(W)

    def sharpen(self) -> bool:
        was, self.space.light = self.space.light, False
        return was


@dataclass(frozen=True)
class _Damped(Objective):
    """With ``least`` (K,) more curvature of intercepts: one that no row bends has a slope and nowhere to stop."""

    least: Any = 0.0

    def hvp(self, W: Array, D: Array, bend: Array | None = None) -> Array:
        H = super().hvp(W, D, bend)
        H[-1] += self.least * D[-1]
        return H

    def intercept_hessian(self, bend: Array) -> Array:
        return super().intercept_hessian(bend) + np.diag(np.broadcast_to(self.least, self.shape[1]))

    def intercept_curvature(self, bend: Array) -> Array:
        return super().intercept_curvature(bend) + self.least

    def about(self, envelope: Centred, bend: Array) -> Objective:
        """The same rows under the envelope with those bends."""
        plain = self._derived(loss=envelope, least=0.0)
        few = plain.intercept_curvature(bend) * envelope.moreau.ridge < FEW
        least = np.where(few, FEW, ANY) / envelope.moreau.ridge
        return plain._derived(least=least) if self.fit_intercept else plain


class _Step(TruncatedStep):
    """With preconditioners that are made of bends alone: logits are not those of W."""

    def _better(self) -> Any:
        kind = super()._better()
        return None if kind is HessianPreconditioner else kind


class InWeights:
    """Conjugate gradients of `TruncatedStep`, with its preconditioners; logits are kept, so that a search is cheap."""

    last = 0.02

    def __init__(self, objective: Objective, W0: Array) -> None:
        n, K = objective.rows.shape[0], W0.shape[1]
        # No loss sees a shift of all classes, and steps do not take one.
        self.objective, self.W = objective, W0 - W0.mean(axis=1, keepdims=True)
        self.Z, self.dZ = np.zeros((K, n)).T, np.empty((K, n)).T
        self.bend, self.V = np.zeros((n, K)), np.zeros((n, K))
        self.damped = _Damped(
            objective.rows, objective.loss, objective.penalty, objective.fit_intercept, objective.count
        )
        object.__setattr__(self.damped, "moments", objective.moments)  # known already
        self.solver = _Step(self.damped, residual=0.1)
        if W0.any():
            self._logits(self.W, self.Z)

    @staticmethod
    def suits(objective: Objective) -> bool:
        """Whether there is room for every row's bend."""
        return objective.rows.shape[0] <= objective.bend_rows

    def about(self, envelope: Centred) -> None:
        self.envelope = envelope
        self._look()

    def step(self) -> float | None:
        D = self.solver(self.W, self.here)
        slope = float(np.vdot(self.here.gradient, D))
        if not -slope > NOTHING * self.here.value:
            return None
        self._logits(D, self.dZ)
        found = minimising(lambda t: self._along(float(t[0]), D), np.zeros(1), self.here.value, np.ones(1), slope)
        if found is None:
            return None
        self.W = self.W + found.step * D
        self.Z += found.step * self.dZ
        self._look()
        return -slope / 2

    def dual(self) -> Array:
        return self.V

    def weights(self) -> Array:
        return self.W

    def logits(self, W: Array) -> Array:
        self._logits(W, self.Z)
        return self.Z

    def pulled(self, V: Array) -> tuple[Array, Array]:
        def kernel(block: Block, V: Array) -> tuple[Any, ...]:
            sV = weighted(block, V)
            return back_product(block.X, sV), sV.sum(axis=0)

        self.objective.count.add(0.5)
        A, residual = self.objective.rows.sum(kernel, V)
        return A / self.objective.rows.total_weight, residual / self.objective.rows.total_weight

    def sharpen(self) -> bool:
        was, self.solver.light = self.solver.light, False
        return was

    def _logits(self, W: Array, out: Array) -> None:
        def kernel(block: Block, out: Array) -> tuple[Any, ...]:
            out[:] = logits(block.X, W)
            return (0.0,)

        self.objective.count.add(0.5)
        self.objective.rows.sum(kernel, out)

    def _look(self) -> None:
        """F of the envelope, its gradient, bends and dual rows at the logits."""
        objective, moreau = self.objective, self.envelope.moreau
        self.V = np.empty_like(self.V)

        def kernel(block: Block, Z: Array, start: Array, bend: Array, V: Array) -> tuple[Any, ...]:
            values, V[:], bend[:] = Centred(moreau, start).look(Z, block.y)
            G = weighted(block, V)
            G = G.copy() if G is V else G
            G[np.arange(len(G)), block.y] = -G.sum(axis=1)
            return weighted(block, values).sum(), back_product(block.X, G), G.sum(axis=0)

        objective.count.add(0.5)
        loss, XG, bias = objective.rows.sum(kernel, self.Z, self.envelope.start, self.bend, self.V)
        value = loss / objective.rows.total_weight + objective.penalty.value(self.W[:-1])
        self.here = Local(value, objective.full_gradient(XG, bias, self.W), self.bend)
        self.solver.objective = self.damped.about(self.envelope, self.bend)

    def _chunks(self) -> Iterator[tuple[slice, Array, Array | float]]:
        rows = self.objective.rows
        for a in range(0, rows.shape[0], CHUNK):
            part = slice(a, a + CHUNK)
            yield part, rows.y[part], 1.0 if rows.weight is None else rows.weight[part]

    def _along(self, t: float, D: Array) -> tuple[float, Array]:
        """F of the envelope and its slope at W + t·D: no product with X."""
        loss = slope = 0.0
        for part, y, weight in self._chunks():
            dZ = self.dZ[part]
            values, V, _ = Centred(self.envelope.moreau, self.envelope.start[part]).look(self.Z[part] + t * dZ, y)
            own = dZ[np.arange(len(y)), y]
            loss += float((weight * values).sum())
            slope += float((weight * (np.einsum("ij,ij->i", V, dZ) - V.sum(axis=1) * own)).sum())
        W, penalty, n = self.W + t * D, self.objective.penalty, self.objective.rows.total_weight
        return loss / n + penalty.value(W[:-1]), np.array([slope / n + np.vdot(penalty.grad(W[:-1]), D[:-1])])
