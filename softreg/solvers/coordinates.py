"""Columns brought to mean 0 and spread 1 for the solver's linear algebra only: the objective does not change.

With x~ = (x - mean)/scale the weights are W~ = scale·W, b~ = b + mean'W: an exact change of variables that
makes a solver indifferent to the units of the columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.objective import Objective

Array = NDArray[Any]

#: The least scale, in roots of the penalty's strength: it bends at most a million times as much as the loss.
SMALL = 1e-3
#: Columns smaller than this stay as they are: the square of their scale is no number.
LEAST = 2.0**-500


@dataclass(frozen=True)
class Coordinates:
    """``mean`` and ``scale`` (p,) of the columns, as the solver wants to see them.

    A column so small that the penalty alone decides its weights stays smaller than 1: its part of the Hessian,
    strength/scale², would else dwarf all others, or be no number at all.
    """

    mean: Array
    scale: Array

    @classmethod
    def of(cls, objective: Objective) -> Coordinates:
        """Mean and spread with an intercept to take up the shift; without one, 0 and the root mean square."""
        moments = objective.moments
        if objective.fit_intercept:
            mean, scale = moments.mean, moments.scale
        else:
            mean, scale = np.zeros_like(moments.mean), moments.rms
        least = SMALL * np.sqrt(objective.penalty.curvature(len(scale)))
        return cls(mean, np.where(scale > LEAST, np.maximum(scale, least), 1.0))

    def gradient(self, G: Array) -> Array:
        """dF/dW~ from dF/dW."""
        out = G.copy()
        out[:-1] -= self.mean[:, None] * G[-1]
        out[:-1] /= self.scale[:, None]
        return out

    def raw(self, D: Array) -> Array:
        """The step in W of a step in W~."""
        out = D.copy()
        out[:-1] /= self.scale[:, None]
        out[-1] -= self.mean @ out[:-1]
        return out
