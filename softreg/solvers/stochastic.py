"""Mini-batch solvers: one iterate an epoch, each row once an epoch, in an order drawn from ``seed``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.minimise import Diverged, Iterate
from softreg.objective import Objective

Array = NDArray[Any]


#: Epochs without a new lowest objective (by a thousandth of it) after which a stochastic solver has stalled.
PATIENCE = 30


class _Progress:
    """Whether F still falls."""

    def __init__(self, value: float) -> None:
        self.lowest, self.waited = value, 0

    def stalled(self, value: float) -> bool:
        if value < self.lowest - 1e-3 * abs(self.lowest):
            self.lowest, self.waited = value, 0
        else:
            self.waited += 1
        return self.waited >= PATIENCE


def _checked(objective: Objective, W: Array, start: float, rate: float, name: str) -> tuple[float, Array]:
    with np.errstate(over="ignore", invalid="ignore"):
        value, G = objective.value_grad(W)
    if not np.isfinite(value) or value > 1e3 * max(start, 1.0):
        raise Diverged(f"{name} diverged at learning_rate {rate:g}: try {rate / 10:g}, or auto")
    return value, G


@dataclass(frozen=True)
class SGD:
    """V <- momentum · V - rate/(1 + decay · epoch) · grad F_batch, W <- W + V (Robbins & Monro 1951; Polyak 1964).

    ``learning_rate``
        A number, or "auto": (1 - momentum)/L, L the curvature bound of the objective, or 0.1 where none exists.
    """

    learning_rate: float | str = "auto"
    batch_size: int = 256
    momentum: float = 0.9
    decay: float = 0.1
    seed: int = 0

    name = "sgd"

    def iterates(self, objective: Objective, W0: Array) -> Iterator[Iterate]:
        rng = np.random.default_rng(self.seed)
        if isinstance(self.learning_rate, str):
            bound = objective.curvature()
            rate = (1 - self.momentum) / bound if np.isfinite(bound) else 0.1
        else:
            rate = float(self.learning_rate)
        W = W0
        value, G = objective.value_grad(W)
        start = value
        yield Iterate(W, value, G)
        velocity = np.zeros_like(W)
        epoch = 0
        progress = _Progress(value)
        while not progress.stalled(value):
            step = rate / (1 + self.decay * epoch)
            for batch in objective.batches(self.batch_size, rng):
                with np.errstate(over="ignore", invalid="ignore"):
                    velocity = self.momentum * velocity - step * batch.value_grad(W)[1]
                    W = W + velocity
                if not np.isfinite(W).all():
                    raise Diverged(f"{self.name} diverged at learning_rate {rate:g}: try {rate / 10:g}, or auto")
            epoch += 1
            value, G = _checked(objective, W, start, rate, self.name)
            yield Iterate(W, value, G, step)


@dataclass(frozen=True)
class Adam:
    """W <- W - rate · m̂ / (sqrt(v̂) + epsilon), moments of the batch gradients (Kingma & Ba 2015, algorithm 1).

    The rate falls as 1/sqrt(1 + epoch), as in the paper's convergence proof.
    """

    learning_rate: float | str = "auto"
    batch_size: int = 256
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    seed: int = 0

    name = "adam"

    def iterates(self, objective: Objective, W0: Array) -> Iterator[Iterate]:
        rng = np.random.default_rng(self.seed)
        # Steps are about `rate` in each weight whatever the gradient's size; 0.01 moves standardised columns well.
        rate = 0.01 if isinstance(self.learning_rate, str) else float(self.learning_rate)
        W = W0
        value, G = objective.value_grad(W)
        start = value
        yield Iterate(W, value, G)
        m, v, t, epoch = np.zeros_like(W), np.zeros_like(W), 0, 0
        progress = _Progress(value)
        while not progress.stalled(value):
            step = rate / np.sqrt(1 + epoch)
            for batch in objective.batches(self.batch_size, rng):
                t += 1
                G = batch.value_grad(W)[1]
                m = self.beta1 * m + (1 - self.beta1) * G
                v = self.beta2 * v + (1 - self.beta2) * G * G
                W = W - step * (m / (1 - self.beta1**t)) / (np.sqrt(v / (1 - self.beta2**t)) + self.epsilon)
            epoch += 1
            value, G = _checked(objective, W, start, rate, self.name)
            yield Iterate(W, value, G, float(step))
