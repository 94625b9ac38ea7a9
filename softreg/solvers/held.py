"""Newton's step that does not run into rows: the few that it would hit keep their own loss."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.kernels import logits, weighted
from softreg.objective import Local, Objective
from softreg.rows import Block
from softreg.solvers.pairs import PairHessian

Array = NDArray[Any]

#: Steps are mended this often before a line search takes what there is.
ROUNDS = 10
#: A step by which F falls this share of what its model says is not mended: a round costs far less than a step.
AS_PROMISED = 0.9
#: Of the rows hit, those that are held at a time for each pair of true class and attacker, and in all.
FOR_A_PAIR = 4
AT_A_TIME = 150
#: Rows that are looked at for those.
MOST = 5000


class Trial:
    """What F is at W + D and along the way, and which rows the quadratic model of F there did not see coming.

    Attributes
    ----------
    value, slope : float
        F(W + D) and its slope along D there.
    surprise : float
        What rows' losses are above the model, together.
    """

    def __init__(self, objective: Objective, W: Array, D: Array, bend: Array, Z: Array | None = None) -> None:
        self.objective, self.W, self.D = objective, W, D
        n, K = bend.shape
        self.Z, self.dZ = (np.empty((K, n)).T if Z is None else Z), np.empty((K, n)).T
        self.excess = np.empty(n)
        objective.count.add(1.0 if Z is None else 0.5)
        kernel = self._kernel if Z is None else self._kernel_again
        loss, slope, surprise = objective.rows.sum(kernel, bend, self.Z, self.dZ, self.excess)
        self.value, self.slope = self._with_penalty(1.0, loss, slope)
        self.surprise = surprise / objective.rows.total_weight

    def _kernel(self, block: Block, S: Array, Z: Array, dZ: Array, excess: Array) -> tuple[Any, ...]:
        Z[:] = logits(block.X, self.W)
        return self._kernel_again(block, S, Z, dZ, excess)

    def _kernel_again(self, block: Block, S: Array, Z: Array, dZ: Array, excess: Array) -> tuple[Any, ...]:
        y, rows = block.y, np.arange(len(block.y))
        dZ[:] = logits(block.X, self.D)
        after, slope = self._along(1.0, Z, dZ, y)
        with np.errstate(divide="ignore"):
            before = np.minimum(-np.log(S[rows, y]), 1e300)
        mean = np.einsum("ij,ij->i", S, dZ)
        spread = np.einsum("ij,ij,ij->i", S, dZ, dZ) - mean**2
        gone = ~(S[rows, y] > 0)  # their loss is known from logits only
        if gone.any():
            before[gone] = self.objective.loss.value(Z[gone], y[gone])
        excess[:] = after - before - (mean - dZ[rows, y]) - 0.5 * spread
        if block.weight is not None:
            excess *= block.weight
        return weighted(block, after).sum(), weighted(block, slope).sum(), np.maximum(excess, 0).sum()

    def _along(self, t: float, Z: Array, dZ: Array, y: Array) -> tuple[Array, Array]:
        """Each row's loss at Z + t dZ and its slope along dZ."""
        losses, G = self.objective.loss.value_grad(Z + t * dZ, y)
        return losses, np.einsum("ij,ij->i", G, dZ)

    def _with_penalty(self, t: float, loss: float, slope: float) -> tuple[float, float]:
        """F and its slope at W + tD, from what losses and their slopes sum to."""
        penalty, n, V = self.objective.penalty, self.objective.rows.total_weight, self.W + t * self.D
        return loss / n + penalty.value(V[:-1]), slope / n + float(np.vdot(penalty.grad(V[:-1]), self.D[:-1]))

    def hit(self) -> tuple[Array, Array]:
        """Rows whose loss the model misses most, a few for each pair of classes, and the class that attacks each."""
        y, K = self.objective.rows.y, self.W.shape[1]
        worst = np.flatnonzero(self.excess > 1e-4 * self.surprise * self.objective.rows.total_weight)
        worst = worst[np.argsort(-self.excess[worst], kind="stable")][:MOST]
        Z, dZ, own = self.Z[worst], self.dZ[worst], y[worst]
        loss = self.objective.loss
        unseen = np.abs(loss.value_grad(Z + dZ, own)[1] - loss.value_grad(Z, own)[1] - loss.hvp(Z, own, dZ))
        unseen[np.arange(len(worst)), own] = 0
        attacker = unseen.argmax(axis=1)
        pair = own * K + attacker
        order = np.argsort(pair, kind="stable")
        start = np.searchsorted(pair[order], pair[order])
        taken = np.sort(order[np.arange(len(order)) - start < FOR_A_PAIR])[:AT_A_TIME]
        return worst[taken], attacker[taken]

    def along(self, t: float) -> tuple[float, float]:
        """F at W + tD and its slope along D, from the logits at hand."""
        if t == 1:
            return self.value, self.slope

        def kernel(block: Block, Z: Array, dZ: Array) -> tuple[Any, ...]:
            losses, slopes = self._along(t, Z, dZ, block.y)
            return weighted(block, losses).sum(), weighted(block, slopes).sum()

        return self._with_penalty(t, *self.objective.rows.sum(kernel, self.Z, self.dZ))


class HeldRows:
    """min over D of <G, D> + D'HD/2 + sum over held rows of what their loss is above its tangent.

    A row far out may have no curvature and no gradient where W is, and all of its loss a step further: Newton's step
    does not see it and a line search can only stop there, one row and one step after the other.  The minimum is
    D = D_0 - H^-1 A c, D_0 the step without them, A the columns u (e_k - e_y) of held rows and c one number for each,
    at most the row's weight: a problem as small as there are such rows.
    """

    def __init__(self, objective: Objective, W: Array, D: Array, hessian: PairHessian, promise: float) -> None:
        self.objective, self.W, self.D, self.hessian = objective, W, D, hessian
        self.promise = promise
        self.rows = np.zeros(0, dtype=np.intp)
        self.classes = np.zeros(0, dtype=np.intp)
        self.T = np.zeros((W.size, 0))  # L^-1 A
        self.c = np.zeros(0)

    def add(self, rows: Array, classes: Array) -> bool:
        """Hold these rows against those classes; False where all of them are held already."""
        K = self.W.shape[1]
        new = ~np.isin(rows * K + classes, self.rows * K + self.classes)
        rows, classes = rows[new], classes[new]
        if not len(rows):
            return False
        A = np.zeros((len(rows), *self.hessian.shape[::-1]))
        each = np.arange(len(rows))
        U = self.hessian.scaled(self.objective, rows)
        A[each, classes] = U
        A[each, self.objective.rows.y[rows]] -= U
        A = A.reshape(len(rows), -1) * self.hessian.scale
        self.T = np.hstack([self.T, self.hessian.half(A.T)])
        self.rows, self.classes = np.append(self.rows, rows), np.append(self.classes, classes)
        self.c = np.append(self.c, np.zeros(len(rows)))
        return True

    def step(self, limit: int = 400) -> Array:
        """The D that minimises, by Newton's method on c."""
        rows = self.objective.rows
        M = self.T.T @ self.T
        few, which = np.unique(self.rows, return_inverse=True)
        s = (np.ones(len(few)) if rows.weight is None else rows.weight[few]) / rows.total_weight
        X, own = rows.take(self.rows), rows.y[self.rows]
        each = np.arange(len(self.rows))
        margin, change = (Z[each, self.classes] - Z[each, own] for Z in (logits(X, self.W), logits(X, self.D)))
        start, p0 = _softplus(margin, which, len(few))

        def evaluate(c: Array) -> tuple[float, Array, Array]:
            moved = change - M @ c
            losses, p = _softplus(margin + moved, which, len(few))
            tangent = start + np.bincount(which, p0 * moved, minlength=len(few))
            return float(0.5 * c @ (M @ c) + s @ (losses - tangent)), s[which] * (p - p0), p

        c = self.c
        value, push, p = evaluate(c)
        for _ in range(limit):
            P = np.zeros((len(few), len(c)))
            P[which, each] = p
            curvature = np.diag(s[which] * p) - (P * s[:, None]).T @ P
            direction = np.linalg.solve(np.eye(len(c)) + curvature @ M, push - c)
            slope = float((c - push) @ (M @ direction))
            if not -slope > 0.02 * self.promise:
                break
            best, t, low, high = (value, c, push, p), 1.0, 0.0, np.inf
            for _ in range(80):
                trial = c + t * direction
                found = evaluate(trial)
                there = float((trial - found[1]) @ (M @ direction))
                if found[0] < best[0]:
                    best = found[0], trial, found[1], found[2]
                if found[0] < value + 1e-4 * t * slope and abs(there) < 0.3 * abs(slope):
                    break
                low, high = (low, t) if there > 0 else (t, high)
                t = 2 * t if np.isinf(high) else 0.5 * (low + high)
            if not best[0] < value:
                break
            value, c, push, p = best
        self.c = c
        return self.D - self.hessian.step(self.hessian.half(self.T @ c, transposed=True))


def _softplus(margins: Array, which: Array, n: int) -> tuple[Array, Array]:
    """log(1 + sum of exp over each row's margins), (n,), and the share of each margin in it."""
    top = np.zeros(n)
    np.maximum.at(top, which, margins)
    with np.errstate(under="ignore"):
        e = np.exp(margins - top[which])
        total = np.exp(-top) + np.bincount(which, e, minlength=n)
    return top + np.log(total), e / total[which]


def step_past_rows(objective: Objective, W: Array, here: Local, D: Array, hessian: PairHessian) -> Trial:
    """The best trial among Newton's step D and D with rows held, ever more until F falls as the model says."""
    assert here.bend is not None
    promise = min(-float(np.vdot(here.gradient, D)) / 2, 0.1 * here.value)
    best = trial = Trial(objective, W, D, here.bend)
    held = HeldRows(objective, W, D, hessian, promise)
    for _ in range(ROUNDS):
        expected = here.value - (trial.value - trial.surprise)
        if here.value - trial.value >= AS_PROMISED * expected or not held.add(*trial.hit()):
            break
        trial = Trial(objective, W, held.step(), here.bend, trial.Z)
        if trial.value < best.value:
            best = trial
    return best
