"""One temperature: scores become probabilities softmax(β z), with β fitted on rows that the scores have not seen.

No prediction changes by it, and it serves the scores of any classifier (Guo et al. 2017, there T = 1/β).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.errors import DataError
from softreg.softmax import softmax

Array = NDArray[Any]

#: Largest β, in units of 1 / (median margin of the rows that are right).
LARGEST = 1e3
#: Relative precision of β.
PRECISION = 1e-10
#: Scores nearer to each other than this share of the largest difference, and than LEAST_MARGIN, are a tie.
EQUAL = 1e-14
LEAST_MARGIN = 1e-290


@dataclass(frozen=True)
class Temperature:
    """P = softmax(β z), β = ``inverse``.

    Attributes
    ----------
    inverse : float
        β >= 0, in 1 / (units of the scores); 0 makes all classes equally probable.
    bounded : bool
        Whether the rows asked for a larger β than that many rows can justify.
    n : int
        Rows it was fitted on.
    """

    inverse: float
    bounded: bool
    n: int


def fit_temperature(Z: Array, y: Array) -> Temperature:
    """The β >= 0 of least mean log loss of softmax(β z), unless the rows are too few to justify it.

    Where every row is right the log loss falls for ever as β grows.  So the m rows that are right must, together, keep
    at least m / (m + 2) expected errors, sum of (1 - P_y): a mean confidence of at most (m + 1) / (m + 2), which is
    Laplace's rule of succession for m successes in m trials.  A larger β is cut back to that and ``bounded`` is set.
    It happens where the scores separate the classes or miss by a row or two; more wrong rows keep β lower by
    themselves.  Nor does β exceed 1000 / (median margin of those rows), whatever ties there are.  Everything scales:
    scores times c have β / c.

    Parameters
    ----------
    Z : (n, K) array
        Scores, larger for likelier classes.
    y : (n,) class codes

    Raises
    ------
    DataError
        No rows, lengths that differ, or scores that are not finite.
    """
    Z, y = np.asarray(Z, dtype=np.float64), np.asarray(y)
    if Z.ndim != 2 or len(Z) != len(y) or len(y) == 0:
        raise DataError(f"a temperature needs (n, K) scores and n labels: got shapes {Z.shape} and {y.shape}")
    if not np.isfinite(Z).all():
        raise DataError("a temperature needs finite scores")
    rows = np.arange(len(y))
    gaps = Z[rows, y][:, None] - Z  # (n, K) z_y - z_k; the true class's own is 0
    others = gaps.copy()
    others[rows, y] = np.inf
    margins = others.min(axis=1)
    right = margins > EQUAL * np.abs(gaps).max() + LEAST_MARGIN
    if not right.any():  # nothing is to be learned but that the scores are of no use
        return Temperature(0.0, False, len(y))
    unit = float(np.median(margins[right]))
    gaps /= unit
    beta = _minimum(gaps)
    bounded = beta == LARGEST
    certain = gaps[right]
    allowed = len(certain) / (len(certain) + 2)
    if _errors(certain, beta) < allowed:
        beta, bounded = _where_errors_are(certain, allowed, beta), True
    return Temperature(beta / unit, bounded, len(y))


def calibrated(Z: Array, temperature: Temperature) -> Array:
    """(n, K) probabilities softmax(β z)."""
    Z = np.asarray(Z, dtype=np.float64)
    return softmax(temperature.inverse * (Z - Z.max(axis=1, keepdims=True)))


def _slopes(gaps: Array, beta: float) -> tuple[float, float]:
    """First and second derivative of the mean log loss in β: minus mean and variance of the gaps under softmax(β z)."""
    P = softmax(-beta * gaps)
    means = (P * gaps).sum(axis=1)
    variances = (P * (gaps - means[:, None]) ** 2).sum(axis=1)
    return -float(means.mean()), float(variances.mean())


def _minimum(gaps: Array) -> float:
    """The β in [0, LARGEST] of least mean log loss: Newton's method, kept within a shrinking bracket."""
    if _slopes(gaps, 0.0)[0] >= 0:
        return 0.0
    if _slopes(gaps, LARGEST)[0] <= 0:
        return LARGEST
    low, high, beta = 0.0, LARGEST, 1.0
    while high - low > PRECISION * high:
        slope, curvature = _slopes(gaps, beta)
        low, high = (beta, high) if slope < 0 else (low, beta)
        step = slope / curvature if curvature > 0 else np.inf
        if abs(step) <= PRECISION * beta:
            break
        beta = beta - step if low < beta - step < high else (low + high) / 2
    return beta


def _errors(gaps: Array, beta: float) -> float:
    """Expected errors, sum of 1 - P_y, of rows whose own class has the largest score."""
    with np.errstate(under="ignore"):
        rest = np.exp(-beta * gaps).sum(axis=1) - 1  # without the true class's own 1
    return float((rest / (1 + rest)).sum())


def _where_errors_are(gaps: Array, wanted: float, high: float) -> float:
    """The β below ``high`` at which the expected errors, which fall in β, are as many as wanted."""
    low = 0.0
    while high - low > PRECISION * high:
        beta = (low + high) / 2
        low, high = (beta, high) if _errors(gaps, beta) > wanted else (low, beta)
    return high
