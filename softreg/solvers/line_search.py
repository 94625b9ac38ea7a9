"""How far to go along a descent direction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

ARMIJO = 1e-4
#: A Newton step that promises to lower F by less than this share of it is close: it is evaluated with its dual point.
CLOSE = 1e-4
#: A Newton step that goes no further than this met rows far out, whose curvature was not to be seen from its start.
TINY = 3e-3


class Point(NamedTuple):
    """A trial that was taken: its step, W, and what evaluating F there gave (value and gradient first)."""

    step: float
    W: Array
    found: Any

    @property
    def value(self) -> float:
        return float(self.found[0])

    @property
    def gradient(self) -> Array:
        return self.found[1]


#: F and its gradient, perhaps with more behind them.
Evaluate = Callable[[Array], tuple[Any, ...]]


def accepts(value: float, slope: float, step: float, new_value: float, new_slope: float) -> bool:
    """Armijo's sufficient decrease; near the minimum, where decreases drown in rounding, the slope is the witness.

    There a step is good when F has not risen beyond rounding and its slope along the direction has shrunk.
    """
    if not np.isfinite(new_value):
        return False
    if new_value <= value + ARMIJO * step * slope:
        return True
    noise = 1e-13 * abs(value)
    return abs(step * slope) <= 1e3 * noise and new_value <= value + noise and abs(new_slope) <= 0.9 * abs(slope)


def backtracking(
    evaluate: Evaluate,
    W: Array,
    value: float,
    direction: Array,
    slope: float,
    step: float = 1.0,
    limit: int = 40,
) -> Point | None:
    """From ``step`` down, each trial where the line's slopes say its minimum is, until one `accepts` (Armijo 1966).

    A trial that is too long leaves its slope behind: F is convex, so the secant of the two slopes points at the
    minimum between them, kept within a tenth and a half of the last trial.  None when no trial is accepted.
    """
    for _ in range(limit):
        V = W + step * direction
        found = evaluate(V)
        new_value, new_slope = found[0], float(np.vdot(found[1], direction))
        if accepts(value, slope, step, new_value, new_slope):
            return Point(step, V, found)
        secant = slope / (slope - new_slope) if np.isfinite(new_slope) and new_slope > slope else 0.5
        step *= min(max(secant, 0.1), 0.5)
    return None


def minimising(
    evaluate: Evaluate,
    W: Array,
    value: float,
    direction: Array,
    slope: float,
    limit: int = 12,
) -> Point | None:
    """A step at which the slope along the line has shrunk to a fifth, by the secant rule kept inside its bracket.

    Worth its passes when a direction is dear: a convex F is cheap to search along.  `backtracking` from the last
    trial when the limit is reached first.
    """
    low, low_slope, high, high_slope = 0.0, slope, np.inf, np.nan
    step = 1.0
    best: Point | None = None
    for _ in range(limit):
        V = W + step * direction
        found = evaluate(V)
        new_value, new_slope = found[0], float(np.vdot(found[1], direction))
        if accepts(value, slope, step, new_value, new_slope) and (best is None or new_value <= best.value):
            best = Point(step, V, found)
            if abs(new_slope) <= 0.2 * abs(slope):
                return best
        if not np.isfinite(new_slope) or new_slope > 0:
            high, high_slope = step, new_slope
        else:
            low, low_slope = step, new_slope
        if not np.isfinite(high):
            step = 2 * step
        elif np.isfinite(high_slope):
            share = low_slope / (low_slope - high_slope)
            step = low + min(max(share, 0.05), 0.95) * (high - low)
        else:
            step = low + 0.1 * (high - low)
    return best or backtracking(evaluate, W, value, direction, slope, step)
