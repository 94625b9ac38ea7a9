"""Hinges on wide sparse data: the method of multipliers, each of its problems solved in the coordinates of the rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.certificate import DualRows, Witness
from softreg.minimise import Iterate
from softreg.moreau import Centred, Moreau
from softreg.objective import Objective
from softreg.solvers.row_space import Point, RowSpace, Space

Array = NDArray[Any]


@dataclass(frozen=True)
class Multipliers:
    """W_i minimises the penalty plus the hinge's envelope about v_{i-1}; v_i is the envelope's gradient there.

    The proximal point method on the dual (Rockafellar 1976): v_i maximises it less (t/2)·<|v - v_{i-1}|²>.  The
    envelope about the dual optimum touches the hinge where the optimum is, so that t need not go to 0, and Newton's
    systems stay as good as they are.  Each is solved by `RowSpace`'s conjugate gradients, and a v is left once
    Newton's next step promises little more than v has moved.

    t falls from ``first`` to ``last`` units, a unit being <|x|²>/(alpha n), how far a row alone moves its own margin
    while its v goes from 0 to 1, but no more than ``most`` margins.  Smaller ones take fewer and harder systems, so
    that further down it goes only while a new v leaves the share ``slow`` of the gap.
    """

    first: float = 4.0
    last: float = 0.6
    most: float = 8.0
    factor: float = 0.6
    slow: float = 0.9
    share: float = 2.0  # of what v has moved, that the next step may still promise
    limit: int = 30  # steps for one v

    name = "method of multipliers, in the space of rows"

    def iterates(self, objective: Objective, W0: Array) -> Iterator[Iterate]:
        hinge: Any = objective.loss
        weight, y = objective.rows.weight, objective.rows.y
        inner = RowSpace(residual=0.3)
        space = Space(objective, W0)
        here = space.first()
        V = np.zeros((len(y), W0.shape[1]))
        unit = self._unit(objective)
        t = self.first * unit
        yield self._iterate(objective, space, here, V)
        gap = np.inf
        while True:
            space.objective = objective.with_loss(Centred(Moreau(hinge, t), V))  # type: ignore[arg-type]
            here, start = space.again(here), V
            for _ in range(self.limit):
                step = inner.step(space, here, objective.penalty.alpha)
                length = inner.searched(space, here, step, objective.penalty.alpha)
                if length is None:
                    break
                here = space.moved(here, step, length)
                V = _gradient(space, here)
                moved = t / 2 * float(np.average(np.einsum("ij,ij->i", V - start, V - start), weights=weight))
                if step.decrement <= self.share * moved:
                    break
            if V is start:  # no step: what is missing may be digits
                if not space.light:
                    return
                space.light = False
                continue
            iterate = self._iterate(objective, space, here, V)
            yield iterate
            assert iterate.certificate is not None
            gap, before = iterate.certificate.value, gap
            if t > self.last * unit or gap > self.slow * before:
                t *= self.factor

    def _unit(self, objective: Objective) -> float:
        n, p = objective.rows.shape
        own = float((objective.moments.square / objective.penalty.curvature(p)).sum()) / n
        return min(own or 1.0, self.most * objective.loss.margin)  # type: ignore[attr-defined]

    def _iterate(self, objective: Objective, space: Space, here: Point, V: Array) -> Iterate:
        """The point and what v proves of it, from the logits at hand; where F has kinks its gradient is one by v."""
        hinge: Any = objective.loss
        rows, Z, W = objective.rows, here.Z[: space.n] + here.b, space.weights(here.A, here.b)
        losses, own = hinge.value_grad(Z, rows.y)
        full = hinge.feasible(V.copy(), rows.y)
        gaps = hinge.fenchel_young(Z, full, rows.y)
        loss, gap = (float(np.average(terms, weights=rows.weight)) for terms in (losses, gaps))
        A, residual = space.pulled(full)
        pull, bias = space.pulled(own) if hinge.smooth else (A, residual)
        G = np.vstack([objective.penalty.grad(W[:-1]) + pull, bias if objective.fit_intercept else 0 * bias])
        value, slack = loss + objective.penalty.value(W[:-1]), objective.slack(W, max(loss, gap))
        certificate = objective.certificate_from(W, value, loss, G, A, residual, gap + slack)
        return Iterate(W, value, G, 1.0, certificate, Witness(dual=DualRows.of(V)))


def _gradient(space: Space, here: Point) -> Array:
    """The envelope's gradient in the logits (n, K), without the true class's."""
    y = space.objective.rows.y
    V = space.objective.loss.value_grad(here.Z[: space.n] + here.b, y)[1]
    V[np.arange(len(y)), y] = 0
    return V
