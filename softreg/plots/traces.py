"""What was watched while a model was fitted, and how far each fit still had to go."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from softreg.errors import DataError
from softreg.plots.curves import Clock, History, check_clock, check_histories, column, draw_curves
from softreg.plots.display import Display
from softreg.plots.style import COLOURS, drawable, literal
from softreg.text import safe_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LABELS = {
    "zero_gradient": "rows of exactly zero gradient",
    "inside_margin": "rows wrong or within the margin",
    "norm": "norm of the weights, ‖W‖",
}
_SHARES = ("zero_gradient", "tiny_gradient", "inside_margin", "validation_accuracy")


class TracesDisplay(Display):
    """One column of the histories of several runs, overlaid: whatever was watched as the solvers went on.

    Parameters
    ----------
    histories : mapping of str to mapping
        For each run its label and its history: equal-length columns ``iteration``, ``passes``, ``seconds`` and
        ``column``, with None where a value is not known.  A run with empty columns is left out and keeps its colour.
    column : str
        Such as ``"zero_gradient"`` (share of rows, drawn in per cent) or ``"norm"``.
    label : str, optional
        Name and unit of the vertical axis.
    log : bool
        Both axes logarithmic: growth as a power of the iteration is then a straight line.
    """

    def __init__(
        self, histories: Mapping[str, History], column: str, label: str | None = None, *, log: bool = False
    ) -> None:
        check_histories(histories)
        self.histories, self.column, self.log = dict(histories), column, log
        self.label = _LABELS.get(column, column) if label is None else label

    @classmethod
    def from_histories(
        cls,
        histories: Mapping[str, History],
        column: str,
        label: str | None = None,
        *,
        log: bool = False,
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """The traces of several runs; ``options`` go to `plot`."""
        return cls(histories, column, label, log=log).plot(ax, **options)

    def plot(self, ax: Axes | None = None, *, x: Clock = "iteration", **line_options: Any) -> Self:
        """Draw the curves; parameters and errors as in `LossDisplay.plot`."""
        return super().plot(ax, x=x, **line_options)

    def _draw(self, ax: Axes, *, x: Clock = "iteration", **line_options: Any) -> None:
        from matplotlib.ticker import PercentFormatter

        # Named as a column of the legend too, which a single run has instead of its label.
        label = drawable(self.label, 50)
        drawn = draw_curves(ax, self.histories, x, {self.column: (label, "-")}, positive=self.log, **line_options)
        ax.set_ylabel(label, **literal(label))
        _without_needless_legend(ax, self.histories)
        if self.column in _SHARES:
            ax.yaxis.set_major_formatter(PercentFormatter(1.0))
            ax.set_ylim(-0.03, 1.03)
        elif self.log:
            ax.set_yscale("log")
            ax.grid(visible=True, which="major")
            ends = [np.nanmax(clock) for clock in self._clocks(x) if np.isfinite(clock).any()]
            if max(ends) > 10 and x != "seconds":
                ax.set_xscale("symlog", linthresh=1.0, linscale=0.3)
                ax.set_xlim(left=0.0)
        else:
            low, high = min(y.min() for y in drawn), max(y.max() for y in drawn)
            if low >= 0 and low < 0.5 * high:
                ax.set_ylim(bottom=0.0)

    def _clocks(self, x: Clock) -> list[NDArray[np.float64]]:
        return [column(history, x) for history in self.histories.values()]


class SuboptimalityDisplay(Display):
    """How far above its optimum each run's objective still was, on one logarithmic axis for all losses.

    (F − L) / (F₀ − L), where F₀ is the objective at the start and L a lower bound of the optimum: the part of
    the way that is still to go at most, 1 at the start whatever the loss and its unit.  The last point
    of a certified run is ringed: it is a proof, not an estimate.

    Parameters
    ----------
    histories : mapping of str to mapping
        As for `TracesDisplay`, with the columns ``objective`` and ``certificate``.
    bounds : mapping of str to float, optional
        Lower bounds of runs whose certificate is no relative gap (those without penalty).  Any other run's is
        F (1 − certificate) at its last iterate, or the least F it saw where no certificate is known.
    certified : collection of str
        Which runs ended certified.
    """

    def __init__(
        self,
        histories: Mapping[str, History],
        *,
        bounds: Mapping[str, float] | None = None,
        certified: Collection[str] = (),
    ) -> None:
        check_histories(histories)
        self.histories, self.certified = dict(histories), frozenset(certified)
        self.bounds = dict(bounds or {})
        unknown = [name for name in (*self.bounds, *self.certified) if name not in self.histories]
        if unknown:
            raise DataError(f"no history of '{safe_text(unknown[0], 40)}'")

    @classmethod
    def from_histories(
        cls,
        histories: Mapping[str, History],
        *,
        bounds: Mapping[str, float] | None = None,
        certified: Collection[str] = (),
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """The suboptimality of several runs, overlaid; ``options`` go to `plot`."""
        return cls(histories, bounds=bounds, certified=certified).plot(ax, **options)

    def plot(self, ax: Axes | None = None, *, x: Clock = "passes", **line_options: Any) -> Self:
        """Draw the curves; parameters and errors as in `LossDisplay.plot`."""
        return super().plot(ax, x=x, **line_options)

    def _draw(self, ax: Axes, *, x: Clock = "passes", **line_options: Any) -> None:
        check_clock(x)
        to_go = {name: self._to_go(name) for name in self.histories}
        histories = {
            name: {x: history[x], "iteration": history["iteration"], "to_go": to_go[name].tolist()}
            for name, history in self.histories.items()
        }
        ax.set_yscale("log")
        draw_curves(ax, histories, x, {"to_go": ("objective", "-")}, positive=True, **line_options)
        _without_needless_legend(ax, histories)
        for i, (name, history) in enumerate(histories.items()):
            clock, y = column(history, x), to_go[name]
            if name in self.certified and len(y) and y[-1] > 0:
                colour = COLOURS[i % len(COLOURS)]
                ax.plot(clock[-1:], y[-1:], "o", markersize=10, markerfacecolor="none", color=colour, zorder=4)
        ax.set_ylabel("objective above its optimum\n(at most; the start is 1)")

    def _to_go(self, name: str) -> NDArray[np.float64]:
        history = self.histories[name]
        F = column(history, "objective")
        known = np.flatnonzero(np.isfinite(F))
        if not len(known):
            return np.full(len(F), np.nan)
        last, certificate = known[-1], column(history, "certificate")[known[-1]]
        bound = self.bounds.get(name)
        if bound is None:
            bound = F[last] * (1 - certificate) if 0 <= certificate < 1 else np.nanmin(F)
        way = F[known[0]] - bound
        return (F - bound) / way if way > 0 else np.full(len(F), np.nan)


def _without_needless_legend(ax: Axes, histories: Mapping[str, History]) -> None:
    """Of a single run the axis says all."""
    if len(histories) == 1 and (legend := ax.get_legend()) is not None:
        legend.remove()
