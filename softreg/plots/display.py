"""What all Displays share: a figure to draw on, and saving it as the same bytes each time."""

from __future__ import annotations

import os
from contextlib import nullcontext
from io import BytesIO
from typing import TYPE_CHECKING, Any, ClassVar, Self

from softreg.errors import UsageError
from softreg.files import atomic_write
from softreg.plots.style import look
from softreg.text import safe_text

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# What each format would otherwise say about the moment and the version that made it.
_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


class Display:
    """A picture that knows its data; subclasses draw it in ``_draw``.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        The figure last drawn on.
    ax_ : matplotlib.axes.Axes
        The axes last drawn on.
    """

    figure_: Figure
    ax_: Axes

    def plot(self, ax: Axes | None = None, **options: Any) -> Self:
        """Draw on ``ax``, or on a new figure when it is None, and return the Display itself.

        The new figure does not pass through pyplot: nothing pops up and nothing has to be closed.
        """
        manner: AbstractContextManager[None] = look() if ax is None else nullcontext()
        with manner:
            if ax is None:
                ax = self._new_figure(**options).add_subplot()
            self.ax_, self.figure_ = ax, figure_of(ax)
            self._draw(ax, **options)
        return self

    def save(self, path: str | os.PathLike[str], *, dpi: float = 200.0) -> None:
        """Write the last drawing to ``path``: see `save_figure`."""
        if not hasattr(self, "figure_"):
            self.plot()
        save_figure(self.figure_, path, dpi=dpi)

    #: Width and height of a new figure in inches; subclasses that need more room for more classes ask for it.
    _SIZE: ClassVar[tuple[float, float]] = (6.4, 3.6)

    def _size(self, **options: Any) -> tuple[float, float]:
        return self._SIZE

    def _new_figure(self, **options: Any) -> Figure:
        from matplotlib.figure import Figure

        return Figure(figsize=self._size(**options), layout="constrained")

    def _draw(self, ax: Axes, **options: Any) -> None:
        raise NotImplementedError

    def _repr_png_(self) -> bytes:
        """The picture itself, in a notebook."""
        return rendered(self.figure_, "png", 110.0)


def save_figure(figure: Figure, path: str | os.PathLike[str], *, dpi: float = 200.0) -> None:
    """Write ``figure`` to ``path`` as PNG, SVG or PDF, whichever its suffix says.

    The same figure gives the same bytes: no date, no version, no random identifiers.  Text is outlines in SVG
    and embedded fonts in PDF, so that both look the same everywhere.  The old file is replaced only when
    the new one is complete.

    Parameters
    ----------
    dpi : float
        Dots per inch of a PNG, and of the images inside the other two.

    Raises
    ------
    UsageError
        If the suffix is none of .png, .svg, .pdf.
    OutputError
        If ``path`` cannot be written.
    """
    kind = picture_format(path)
    picture = rendered(figure, kind, dpi)
    with atomic_write(path, "wb") as file:
        file.write(picture)


def picture_format(path: str | os.PathLike[str]) -> str:
    """``"png"``, ``"svg"`` or ``"pdf"``, by the suffix of ``path``; UsageError if it is another.

    Called before training too, so that hours of work do not end at a misspelt suffix.
    """
    kind = os.path.splitext(os.fspath(path))[1].lower().removeprefix(".")
    if kind not in _METADATA:
        finding = f"'.{safe_text(kind, 20)}' is not a picture format" if kind else "no picture format"
        raise UsageError(f"{safe_text(path)}: {finding} (end the name in .png, .svg or .pdf)")
    return kind


def rendered(figure: Figure, kind: str, dpi: float) -> bytes:
    """The bytes of ``figure`` as ``"png"``, ``"svg"`` or ``"pdf"``: the same each time."""
    memory = BytesIO()
    with look():
        figure.savefig(memory, format=kind, dpi=dpi, metadata=_METADATA[kind], facecolor="auto")
    return memory.getvalue()


def figure_of(ax: Axes) -> Figure:
    """The whole figure that ``ax`` is part of, through any subfigures."""
    figure = ax.figure
    while (parent := getattr(figure, "figure", figure)) is not figure and parent is not None:
        figure = parent  # a subfigure: its figure is what can be saved
    return figure  # type: ignore[return-value]
