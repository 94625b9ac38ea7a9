"""How far to go along a descent direction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

ARMIJO = 1e-4


class Point(NamedTuple):
    step: float
    W: Array
    value: float
    gradient: Array


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
    value_grad: Callable[[Array], tuple[float, Array]],
    W: Array,
    value: float,
    direction: Array,
    slope: float,
    step: float = 1.0,
    shrink: float = 0.5,
    limit: int = 40,
) -> Point | None:
    """The first of step, step·shrink, … that `accepts`; None when none of ``limit`` does (Armijo 1966)."""
    for _ in range(limit):
        V = W + step * direction
        new_value, gradient = value_grad(V)
        if accepts(value, slope, step, new_value, float(np.vdot(gradient, direction))):
            return Point(step, V, new_value, gradient)
        step *= shrink
    return None
