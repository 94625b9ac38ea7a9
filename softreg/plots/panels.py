"""Pictures of several small axes, and what pictures of several models share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softreg.errors import DataError
from softreg.plots.display import Display, figure_of
from softreg.plots.style import COLOURS, MARKERS
from softreg.text import safe_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# With the colour, what tells lines apart; the first is the reference.
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)), (0, (9, 2)))


class PanelsDisplay(Display):
    """A picture of several small axes.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        The frame around the panels, which shows nothing itself.
    axes_ : list of matplotlib.axes.Axes
        The panels, row by row.
    """

    axes_: list[Axes]

    def _split(self, ax: Axes, n: int, across: int = 1, *, beside: bool = False) -> list[Axes]:
        """``n`` panels, ``across`` of them side by side, in the place of ``ax``.

        With ``beside``, one more, narrow, empty and as high as all of them, at the right: what hangs on it, such as a
        legend, gets room, which ``ax`` itself would not be given.
        """
        from matplotlib.gridspec import GridSpec

        down = -(-n // across)
        spec = ax.get_subplotspec()
        ax.set_axis_off()
        ratios = [*[1.0] * across, *[0.01] * beside]
        if spec is not None:
            grid: Any = spec.subgridspec(down, across + beside, width_ratios=ratios)
        else:  # placed by hand
            box = ax.get_position()
            sides = {"left": box.x0, "right": box.x1, "bottom": box.y0, "top": box.y1}
            grid = GridSpec(down, across + beside, figure=figure_of(ax), width_ratios=ratios, **sides)
        self.axes_ = [ax.figure.add_subplot(grid[i // across, i % across]) for i in range(n)]
        if beside:
            last = ax.figure.add_subplot(grid[:, across])
            last.set_axis_off()
            return [*self.axes_, last]
        return self.axes_


class ModelLook:
    """Colour, marker and dashes of the model at a place of a mapping: the same in every picture."""

    def __init__(self, place: int) -> None:
        self.colour = COLOURS[place % len(COLOURS)]
        self.marker = MARKERS[place % len(MARKERS)]
        self.dashes = DASHES[place % len(DASHES)]


def model_columns(values: Mapping[str, ArrayLike], what: str, dtype: Any = np.float64) -> dict[str, NDArray[Any]]:
    """Each model's values as a vector; a model with nothing to show has none, and so keeps its place and colour.

    Raises
    ------
    DataError
        If they are not vectors, no model has any, or one holds NaN.
    """
    columns = {name: np.asarray(column, dtype=dtype) for name, column in values.items()}
    for name, column in columns.items():
        if column.ndim != 1:
            raise DataError(f"{safe_text(name, 40)}: {what} of shape {column.shape}: not one value a row")
        if np.isnan(column).any():
            raise DataError(f"{safe_text(name, 40)}: {what} hold NaN")
    if not any(map(len, columns.values())):
        raise DataError(f"nothing to draw: no model has {what}")
    return columns


def shown(columns: Mapping[str, NDArray[Any]]) -> list[tuple[str, NDArray[Any], ModelLook]]:
    """The models that have something to show, each with its look."""
    return [(name, column, ModelLook(i)) for i, (name, column) in enumerate(columns.items()) if len(column)]


def across_for(n: int, most: int) -> int:
    """How many of ``n`` panels stand side by side: at most ``most``, rows as full as can be."""
    return min(range(1, min(n, most) + 1), key=lambda across: (-(-n // across), (across - n % across) % across))
