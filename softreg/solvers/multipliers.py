"""Hinges by the method of multipliers: smooth problems whose optimum, in the end, is that of the hinge itself."""

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
from softreg.solvers.subproblems import InRows, InWeights, Subproblem

Array = NDArray[Any]


@dataclass(frozen=True)
class Multipliers:
    """W_i minimises the penalty plus the hinge's envelope about v_{i-1}; v_i is the envelope's gradient there.

    The proximal point method on the dual (Rockafellar 1976): v_i maximises it less (t/2)·<|v - v_{i-1}|²>.  The
    envelope about the dual optimum touches the hinge where the optimum is, so that t need not go to 0, and Newton's
    systems stay as good as they are.  They are solved by conjugate gradients, ``in_rows`` or on the weights, and a v
    is left once Newton's next step promises little more than v has moved.

    t begins at ``first`` units and falls to `Subproblem.last` of them, a unit being <|x|²>/(alpha n), how far a row
    alone moves its own margin while its v goes from 0 to 1, but no more than ``most`` margins.  Smaller ones take
    fewer and harder systems, so that further down it goes only where three v's have not lowered the gap by ``enough``.
    """

    in_rows: bool = True
    first: float = 4.0
    most: float = 8.0
    factor: float = 0.6
    enough: float = 0.3
    share: float = 1.0  # of what v has moved, that the next step may still promise
    limit: int = 30  # steps for one v

    @property
    def name(self) -> str:
        return "method of multipliers" + ", in the space of rows" * self.in_rows

    def iterates(self, objective: Objective, W0: Array) -> Iterator[Iterate]:
        weight = objective.rows.weight
        problem: Subproblem = InRows(objective, W0) if self.in_rows else InWeights(objective, W0)
        V = np.zeros((objective.rows.shape[0], W0.shape[1]))
        unit = self._unit(objective)
        t, best, waited = self.first * unit, np.inf, 0
        yield _iterate(objective, problem, V)
        while True:
            problem.about(Centred(Moreau(objective.loss, t), V))  # type: ignore[arg-type]
            start = V
            for _ in range(self.limit):
                promise = problem.step()
                if promise is None:
                    break
                V = problem.dual()
                moved = t / 2 * float(np.average(np.einsum("ij,ij->i", V - start, V - start), weights=weight))
                if promise <= self.share * moved:
                    break
            if V is start:  # no step: what is missing may be digits
                if not problem.sharpen():
                    return
                continue
            iterate = _iterate(objective, problem, V)
            yield iterate
            assert iterate.certificate is not None
            waited += 1
            if iterate.certificate.value < (1 - self.enough) * best:
                best, waited = iterate.certificate.value, 0
            if t > problem.last * unit or waited == 3:
                t, waited = t * self.factor, 0

    def _unit(self, objective: Objective) -> float:
        n, p = objective.rows.shape
        own = float((objective.moments.square / objective.penalty.curvature(p)).sum()) / n
        return min(own or 1.0, self.most * objective.loss.margin)  # type: ignore[attr-defined]


def _iterate(objective: Objective, problem: Subproblem, V: Array) -> Iterate:
    """The point and what v proves of it; where F has kinks its gradient is one by v."""
    hinge: Any = objective.loss
    rows, W = objective.rows, problem.weights()
    Z = problem.logits(W)
    losses, own = hinge.value_grad(Z, rows.y)
    full = hinge.feasible(V.copy(), rows.y)
    gaps = hinge.fenchel_young(Z, full, rows.y)
    loss, gap = (float(np.average(terms, weights=rows.weight)) for terms in (losses, gaps))
    A, residual = problem.pulled(full)
    pull, bias = problem.pulled(own) if hinge.smooth else (A, residual)
    G = np.vstack([objective.penalty.grad(W[:-1]) + pull, bias if objective.fit_intercept else 0 * bias])
    value, slack = loss + objective.penalty.value(W[:-1]), objective.slack(W, max(loss, gap))
    certificate = objective.certificate_from(W, value, loss, G, A, residual, gap + slack)
    return Iterate(W, value, G, 1.0, certificate, Witness(dual=DualRows.of(V)))
