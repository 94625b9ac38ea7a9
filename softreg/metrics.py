"""How good predictions are, as sums over rows: accuracy, log loss, precision, recall, F1, confusion, three losses.

Weights count rows: a row of weight 2 is that row twice.  The interval of an accuracy then uses the effective number
of rows, (sum s)² / sum s².
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.errors import DataError
from softreg.kernels import logits
from softreg.losses import Loss, Softmax
from softreg.rows import Block, Rows, one_thread_blas

Array = NDArray[Any]

#: Standard normal quantile of a 95 % interval.
Z95 = 1.959963984540054

#: What the loss of each name is called where its mean is shown, and its unit.
LOSS_NAMES = {
    "softmax": ("log loss", "nats/row"),
    "weston_watkins": ("Weston-Watkins hinge", "margin units/row"),
    "crammer_singer": ("Crammer-Singer hinge", "margin units/row"),
}


def loss_name(loss: Loss) -> tuple[str, str]:
    """What a loss is called, and its unit."""
    name, unit = LOSS_NAMES[loss.name]
    return (f"squared {name}", f"squared {unit}") if getattr(loss, "squared", False) else (name, unit)


def wilson(share: float, n: float, z: float = Z95) -> tuple[float, float]:
    """Wilson's score interval of a probability of which ``share`` was seen in ``n`` trials (1927).

    >>> low, high = wilson(345 / 360, 360)
    >>> round(low, 3), round(high, 3)
    (0.932, 0.975)
    """
    if not n > 0:
        return 0.0, 1.0
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # At 0 and at n of n right the end is exact; rounding must not say otherwise.
    return 0.0 if share == 0 else max(centre - half, 0.0), 1.0 if share == 1 else min(centre + half, 1.0)


@dataclass(frozen=True, eq=False)
class Metrics:
    """What a set of labelled rows says about predictions.

    Attributes
    ----------
    confusion : (K, K) array
        Rows (or their weights) of each true class, by predicted class; integers where nothing was weighted.
    loss : float or None
        Mean loss; None where only classes were predicted.
    loss_name, unit : str
    effective_n : float
        Rows an interval counts with.
    """

    confusion: Array
    loss: float | None
    loss_name: str
    unit: str
    effective_n: float

    @property
    def n(self) -> Any:
        """Rows, or the sum of their weights."""
        return self.confusion.sum().item()

    @property
    def n_right(self) -> Any:
        """Rows whose class was predicted."""
        wrong = self.confusion.copy()
        np.fill_diagonal(wrong, 0)
        return self.n - wrong.sum().item()  # all of n where none is wrong, whatever weights add up to

    @property
    def accuracy(self) -> float:
        """Share of rows whose class was predicted; NaN without rows."""
        return self.n_right / self.n if self.n > 0 else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the accuracy."""
        return wilson(self.accuracy, self.effective_n) if self.n > 0 else (0.0, 1.0)

    @property
    def log_loss(self) -> float | None:
        """The loss, where it is the softmax's."""
        return self.loss if self.loss_name == LOSS_NAMES["softmax"][0] else None

    @property
    def support(self) -> Array:
        """(K,) rows of each true class."""
        return self.confusion.sum(axis=1)

    @property
    def precision(self) -> Array:
        """(K,) of the rows predicted as a class, the share that is; NaN where none was."""
        return _share(np.diagonal(self.confusion), self.confusion.sum(axis=0))

    @property
    def recall(self) -> Array:
        """(K,) of the rows of a class, the share predicted as it; NaN where there is none."""
        return _share(np.diagonal(self.confusion), self.support)

    @property
    def f1(self) -> Array:
        """(K,) harmonic mean of precision and recall, 2 TP / (predicted + true); NaN where both are empty."""
        return _share(2 * np.diagonal(self.confusion), self.confusion.sum(axis=0) + self.support)

    def summary(self) -> dict[str, Any]:
        """The numbers that one line shows."""
        return {
            "n": self.n,
            "n_right": self.n_right,
            "accuracy": json_number(self.accuracy),
            "interval": list(self.interval),
            "loss": json_number(self.loss),
            "loss_name": self.loss_name,
            "unit": self.unit,
        }

    def to_json(self) -> dict[str, Any]:
        """Plain values only; None where there was nothing to divide by."""
        per_class = {name: getattr(self, name) for name in ("precision", "recall", "f1", "support")}
        return {
            **self.summary(),
            "log_loss": json_number(self.log_loss),
            **{name: [json_number(value) for value in values.tolist()] for name, values in per_class.items()},
            "confusion": self.confusion.tolist(),
        }


def json_number(value: float | None) -> float | None:
    """The number, or None where JSON has none for it."""
    return None if value is None or not math.isfinite(value) else value


def _share(part: Array, whole: Array) -> Array:
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)


def classification(
    y: Array, predicted: Array, n_classes: int, *, weight: Array | None = None, loss: Loss | None = None
) -> Metrics:
    """Metrics of codes y (n,) against predicted codes (n,), or against logits (n, K).

    Parameters
    ----------
    y : (n,) class codes
    predicted : (n,) class codes, or (n, K) logits
    n_classes : int
    weight : (n,) array, optional
    loss : Loss
        Whose mean is wanted of logits; the softmax's by default.

    Raises
    ------
    DataError
        Lengths that differ, or logits that are not finite.
    """
    y, predicted = np.asarray(y), np.asarray(predicted)
    if len(y) != len(predicted) or (weight is not None and len(weight) != len(y)):
        raise DataError(f"{len(y)} labels, {len(predicted)} predictions: one for each row is needed")
    loss = loss or Softmax()
    s = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=np.float64)
    mean = None
    if predicted.ndim == 2:
        if not np.isfinite(predicted).all():
            raise DataError("logits are not finite")
        mean = float(s @ loss.value(predicted, y)) / float(s.sum()) if s.any() else math.nan
        predicted = predicted.argmax(axis=1)
    counts = _confusion(y, predicted, n_classes, None if weight is None else s)
    name, unit = loss_name(loss)
    return Metrics(counts, mean, name, unit, _effective(s))


def _confusion(y: Array, predicted: Array, n_classes: int, weight: Array | None) -> Array:
    flat = np.bincount(y * n_classes + predicted, weights=weight, minlength=n_classes**2)
    return flat.reshape(n_classes, n_classes)


def _effective(weight: Array) -> float:
    squares = float(weight @ weight)
    return float(weight.sum()) ** 2 / squares if squares > 0 else 0.0


def confusion_kernel(block: Block, loss: Loss, W: Array) -> tuple[Any, ...]:
    """Sums of the loss, of true-by-predicted counts (K, K), and of squared weights."""
    with np.errstate(over="ignore", invalid="ignore"):
        Z = logits(block.X, W)
        losses = loss.value(Z, block.y)
    likeliest = block.y.argmax(axis=1) if block.y.ndim == 2 else block.y
    counts = _confusion(likeliest, Z.argmax(axis=1), W.shape[1], block.weight)
    s = np.ones(len(Z)) if block.weight is None else block.weight
    return float(s @ losses), counts, float(s @ s)


def measure(rows: Rows, loss: Loss, W: Array) -> Metrics:
    """Metrics of the model W (p + 1, K) on rows, in one pass and no more than a block of logits.

    Soft labels count as their likeliest class in the confusion, and as they are in the loss.

    Raises
    ------
    DataError
        Values so large that the logits overflow, or no row of positive weight.
    """
    if rows.shape[0] and not rows.total_weight > 0:
        raise DataError("every row has weight 0: none to judge by")
    with one_thread_blas():
        total, counts, squares = rows.sum(partial(confusion_kernel, loss=loss, W=W))
    n = rows.total_weight
    if not math.isfinite(total):
        raise DataError("values so large that the logits of this model overflow")
    if rows.weight is None:
        counts = counts.astype(np.int64)
    name, unit = loss_name(loss)
    return Metrics(counts, total / n if n > 0 else None, name, unit, n * n / squares if squares > 0 else 0.0)
