"""What can watch a fit: called with each iterate and the history so far; True asks to stop."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.kernels import logits
from softreg.losses import Loss
from softreg.minimise import History, Iterate
from softreg.rows import Block, Rows

Array = NDArray[Any]


def score_kernel(block: Block, loss: Loss, W: Array) -> tuple[float, float]:
    """Sums of the loss and of correctly classified rows."""
    Z = logits(block.X, W)
    losses = loss.value(Z, block.y)
    truth = block.y.argmax(axis=1) if block.y.ndim == 2 else block.y
    right = Z.argmax(axis=1) == truth
    s = np.ones(len(right)) if block.weight is None else block.weight
    return float(s @ losses), float(s @ right)


@dataclass
class Validation:
    """Loss and accuracy on rows kept apart, written into the history's last row."""

    rows: Rows
    loss: Loss

    def __call__(self, iterate: Iterate, history: History) -> None:
        loss, right = self.rows.sum(partial(score_kernel, loss=self.loss, W=iterate.W))
        n = self.rows.total_weight
        history.amend(validation_loss=loss / n, validation_accuracy=right / n)


@dataclass
class EarlyStopping:
    """Stop when ``patience`` iterates in a row have not lowered the validation loss; keeps the best iterate.

    A `Validation` must be called before it.
    """

    patience: int = 10
    best: Iterate | None = field(default=None, init=False)
    best_loss: float = field(default=np.inf, init=False)
    waited: int = field(default=0, init=False)

    def __call__(self, iterate: Iterate, history: History) -> bool:
        loss = history["validation_loss"][-1]
        if loss < self.best_loss:
            self.best, self.best_loss, self.waited = iterate, loss, 0
        else:
            self.waited += 1
        return self.asked

    @property
    def asked(self) -> bool:
        """Whether it has asked to stop."""
        return self.waited >= self.patience
