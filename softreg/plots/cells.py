"""Matrices as coloured cells: room for numbers and names, measured rather than guessed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from softreg.plots.display import figure_of
from softreg.plots.style import drawables, literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.colorbar import Colorbar
    from matplotlib.image import AxesImage
    from matplotlib.text import Text

LETTER = 0.62  # width of an average letter of the font, in font sizes
NAME_SIZE = 8.0  # points
NAME_LIMIT = 24  # letters
_SMALLEST = 5.5  # points; smaller text is decoration


def name_cells(ax: Axes, rows: Sequence[object], columns: Sequence[object]) -> None:
    """Name the rows and columns of a matrix drawn on ``ax``; where names would touch, only every so many.

    Column names lie if they fit side by side, and stand upright otherwise.
    """
    row_names, column_names = drawables(rows, NAME_LIMIT), drawables(columns, NAME_LIMIT)
    # First the longest names alone, standing: they leave the cells least room, which is then measured.
    _name(ax.yaxis, [max(row_names, key=len)])
    _name(ax.xaxis, [max(column_names, key=len)], rotation=90.0)
    width, height = cell_points(ax, len(row_names), len(column_names))
    widest = max(map(len, column_names)) * LETTER * NAME_SIZE + 4
    line = 1.25 * NAME_SIZE
    if widest <= max(width, 2 * line):  # lying, even if short names have to be thinned
        _name(ax.xaxis, column_names, every=_every(widest, width))
    else:
        _name(ax.xaxis, column_names, rotation=90.0, every=_every(line, width))
    _name(ax.yaxis, row_names, every=_every(line, height))


def _every(needed: float, cell: float) -> int:
    """The round number of cells that gives a name the room it needs."""
    least = int(np.ceil(needed / cell))
    rounds = (m * 10**e for e in range(7) for m in (1, 2, 5))
    return next((n for n in rounds if n >= least), least)


def _name(axis: Axis, names: list[str], *, rotation: float = 0.0, every: int = 1) -> None:
    shown = range(0, len(names), every)
    axis.set_ticks(
        list(shown),
        [names[i] for i in shown],
        rotation=rotation,
        fontsize=NAME_SIZE,
        **literal(*names),
    )
    # With a name for every cell there is no doubt which it names.
    axis.set_tick_params(length=0.0 if every == 1 else 3.0)


def write_cells(
    ax: Axes, image: AxesImage, texts: NDArray[np.str_], faint: NDArray[np.bool_] | None = None
) -> list[Text]:
    """Write ``texts`` (rows, columns) into the cells of ``image``, if they fit at a legible size; else nothing."""
    width, height = cell_points(ax, *texts.shape)
    longest = max(len(text) for text in texts.flat)
    size = min(9.0, 0.85 * width / (longest * LETTER), 0.75 * height)
    if size < _SMALLEST:
        return []
    colours = np.asarray(image.to_rgba(cast("Any", image.get_array())))
    dark = colours[..., :3] @ (0.299, 0.587, 0.114) < 0.55
    return [
        ax.text(
            j,
            i,
            str(texts[i, j]),
            ha="center",
            va="center_baseline",
            fontsize=size,
            color="white" if dark[i, j] else "#9A9A9A" if faint is not None and faint[i, j] else "black",
        )
        for i, j in np.ndindex(*texts.shape)
    ]


def separate_cells(ax: Axes, rows: int, columns: int) -> None:
    """White lines between the cells of a small matrix, and no frame."""
    ax.spines[:].set_visible(False)
    if rows <= 30 and columns <= 40:
        ax.set_xticks(np.arange(1, columns) - 0.5, minor=True)
        ax.set_yticks(np.arange(1, rows) - 0.5, minor=True)
        ax.grid(visible=True, which="minor", color="white", linewidth=0.8)
        ax.tick_params(which="minor", length=0)


def colour_bar(ax: Axes, image: AxesImage, label: str = "", **options: Any) -> Colorbar:
    """A colour bar as high as ``ax``, to the right of it and belonging to it."""
    place = ax.inset_axes((1.0, 0.0, 0.03, 1.0))
    place.set_axes_locator(cast("Any", _BesideAxes(ax)))
    bar = figure_of(ax).colorbar(image, cax=place, **options)
    bar.outline.set_visible(False)
    bar.set_label(label)
    return bar


class _BesideAxes:
    """The place 8 points to the right of an Axes, 9 points wide: the same gap for wide and narrow ones."""

    def __init__(self, ax: Axes) -> None:
        self._ax = ax

    def __call__(self, ax: Axes, renderer: Any) -> Any:
        from matplotlib.transforms import Bbox

        box = self._ax.get_position()
        width = figure_of(self._ax).get_figwidth() * 72.0
        return Bbox.from_bounds(box.x1 + 8 / width, box.y0, 9 / width, box.height)


def cell_points(ax: Axes, rows: int, columns: int) -> tuple[float, float]:
    """Width and height of a cell, in points, in the layout as it stands."""
    figure = figure_of(ax)
    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()
    box = ax.get_window_extent()
    points = 72.0 / figure.dpi
    return max(box.width * points / columns, 0.1), max(box.height * points / rows, 0.1)
