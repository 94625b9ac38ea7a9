"""Rows of a dense array of any numeric type and memory order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.rows.blocks import Rows


class DenseRows(Rows):
    """Rows of a (n, p) array, converted a block at a time where its type is not the one computed in."""

    X: NDArray[Any]

    def take(self, rows: slice | NDArray[Any]) -> NDArray[Any]:
        return np.asarray(self.X[rows], dtype=self.dtype)
