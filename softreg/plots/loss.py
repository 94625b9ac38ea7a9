"""The loss curve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from softreg.plots.curves import Clock, History, check_histories, draw_curves, set_title
from softreg.plots.display import Display
from softreg.plots.style import drawable, literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DASHES = {
    "loss": ("training loss", "-"),
    "validation_loss": ("validation loss", (0, (5, 1.5))),
    "objective": ("objective", (0, (1, 1.2))),
}


class LossDisplay(Display):
    """Loss of the training rows and, where it was watched, of the validation rows, as the solver went on.

    A single run also shows its objective, the training loss plus the penalty: what the solver minimises.
    Several runs are overlaid, each with its colour and marker.  The loss axis is logarithmic when
    the curves span more than two decades.

    Parameters
    ----------
    histories : mapping of str to mapping
        For each run its label and its history: equal-length columns ``iteration``, ``passes``, ``seconds`` and
        any of ``loss``, ``objective``, ``validation_loss``, with None where a value is not known.
    unit : str
        Unit of the loss: ``"nats per row"`` for softmax, ``"margin units per row"`` for hinges.
    note : str, optional
        A line above the curves, such as ``certified: at most 8e-08 (relative) above the optimum``.
    """

    def __init__(
        self, histories: Mapping[str, History], *, unit: str = "nats per row", note: str | None = None
    ) -> None:
        check_histories(histories)
        self.histories, self.unit, self.note = dict(histories), unit, note

    @classmethod
    def from_history(
        cls,
        history: History,
        label: str | None = None,
        *,
        unit: str = "nats per row",
        note: str | None = None,
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """The loss curve of one run; ``label`` is its title, and ``options`` go to `plot`."""
        return cls({label or "": history}, unit=unit, note=note).plot(ax, **options)

    @classmethod
    def from_histories(
        cls,
        histories: Mapping[str, History],
        *,
        unit: str = "nats per row",
        note: str | None = None,
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """The loss curves of several runs, overlaid; ``options`` go to `plot`."""
        return cls(histories, unit=unit, note=note).plot(ax, **options)

    def plot(self, ax: Axes | None = None, *, x: Clock = "iteration", **line_options: Any) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure when None.
        x : {"iteration", "passes", "seconds"}
            What the horizontal axis counts: iterations, passes over the data, or seconds of solver time.
        **line_options
            Passed on to ``Axes.plot`` for every curve.

        Raises
        ------
        UsageError
            If ``x`` is no clock.
        DataError
            If no history holds a finite loss.
        """
        return super().plot(ax, x=x, **line_options)

    def _draw(self, ax: Axes, *, x: Clock = "iteration", **line_options: Any) -> None:
        alone = len(self.histories) == 1
        kinds = {name: _DASHES[name] for name in _DASHES if alone or name != "objective"}
        drawn = np.concatenate(draw_curves(ax, self.histories, x, kinds, **line_options))
        if drawn.min() > 0 and drawn.max() > 100 * drawn.min():
            ax.set_yscale("log")
        unit = drawable(self.unit, 40)
        ax.set_ylabel(f"loss ({unit})", **literal(unit))
        set_title(ax, next(iter(self.histories)) if alone else None, self.note)
