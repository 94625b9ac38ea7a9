"""Histories as lines: what the loss and the convergence picture have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from softreg.errors import DataError, UsageError
from softreg.plots.style import COLOURS, GREY, MARKERS, drawable, literal
from softreg.text import safe_text

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.legend import Legend
    from matplotlib.lines import Line2D

#: Equal-length columns of numbers, None where a value is not known.
History = Mapping[str, Sequence[float | None]]
Clock = Literal["iteration", "passes", "seconds"]

CLOCK_LABELS = {
    "iteration": "iteration",
    "passes": "passes over the data",
    "seconds": "solver time (seconds)",
}


def column(history: History, name: str) -> NDArray[np.float64]:
    """A column of a history with NaN where nothing is known; all NaN if there is no such column."""
    try:
        values = history[name]
    except KeyError:
        return np.full(len(history["iteration"]), np.nan)
    return np.array(values, dtype=np.float64)


def check_histories(histories: Mapping[str, History]) -> None:
    """Raise DataError unless there is a run, and each has the three clocks with one length for all columns."""
    if not histories:
        raise DataError("no history to draw (give at least one run)")
    for label, history in histories.items():
        for name in CLOCK_LABELS:
            if name not in history.keys():  # noqa: SIM118 - a History need only look like a dict
                raise DataError(f"{safe_text(label, 40) or 'history'}: no column '{name}'")
        if len({len(history[name]) for name in history.keys()}) > 1:  # noqa: SIM118
            raise DataError(f"{safe_text(label, 40) or 'history'}: columns of different lengths")


def check_clock(x: str) -> None:
    if x not in CLOCK_LABELS:
        raise UsageError(f"x = '{safe_text(x, 40)}' is not a clock (choose iteration, passes or seconds)")


def draw_curves(
    ax: Axes,
    histories: Mapping[str, History],
    x: Clock,
    kinds: Mapping[str, tuple[str, Any]],
    *,
    positive: bool = False,
    **line_options: Any,
) -> list[NDArray[np.float64]]:
    """One line for each run and each of ``kinds`` (column -> name, line style), and the legend beside them.

    Colour and marker tell the runs apart, the line style the columns; with one run the colour tells columns.
    Unknown and infinite values (and, where only ``positive`` ones can be shown, the others) are left out.
    Returns the y values drawn.
    """
    check_clock(x)
    many = len(histories) > 1
    clocks = [column(history, x) for history in histories.values()]
    log_unit = _log_unit(clocks, x)
    end = max((float(np.nanmax(clock)) for clock in clocks if np.isfinite(clock).any()), default=0.0)
    drawn: list[NDArray[np.float64]] = []
    runs: dict[str, Artist] = {}
    styles: dict[str, Artist] = {}
    for r, ((label, history), clock) in enumerate(zip(histories.items(), clocks, strict=True)):
        for k, (name, (title, dashes)) in enumerate(kinds.items()):
            y = column(history, name)
            known = np.isfinite(clock) & np.isfinite(y) & ((y > 0) | (not positive))
            if not known.any():
                continue
            look = r if many else k
            options: dict[str, Any] = {
                "color": COLOURS[look % len(COLOURS)],
                "marker": MARKERS[look % len(MARKERS)],
                "markevery": _marked(clock[known], end, log_unit, look),
                "linestyle": dashes,
                # The first on top and filled; hollow markers leave the lines behind them visible.
                "markerfacecolor": None if k == 0 else "white",
                "zorder": 3 - 0.1 * k,
            }
            options = {key: value for key, value in options.items() if value is not None} | line_options
            (line,) = ax.plot(clock[known], y[known], **options)
            drawn.append(y[known])
            if many:
                runs.setdefault(label, _key(line, "-", markerfacecolor=line.get_color()))
                styles.setdefault(title, _key(line, dashes, color=GREY, marker=""))
            else:
                styles.setdefault(title, _key(line, dashes))
    if not drawn:
        wanted = " or ".join(name for name in kinds)
        raise DataError(f"nothing to draw: no history has a finite {'positive ' * positive}{wanted}")
    ax.set_xlabel(CLOCK_LABELS[x])
    ax.grid(visible=True, axis="y")
    _scale_clock(ax, log_unit, x)
    legend_beside(ax, runs | (styles if len(styles) > 1 or not many else {}))
    return drawn


def set_title(ax: Axes, title: str | None, note: str | None) -> None:
    """A title with a line of explanation under it, either of them optional, drawn letter by letter."""
    lines = [drawable(title, 70)] if title else []
    lines += [drawable(note, 90)] if note else []
    if lines:
        ax.set_title("\n".join(lines), loc="left", **literal(*lines))


def _log_unit(clocks: list[NDArray[np.float64]], x: Clock) -> float | None:
    """Where a logarithmic clock begins, if one run is thirty times as long as another; otherwise None.

    Below it the clock is linear, so that zero, where runs start, has a place.
    """
    ends = [float(np.nanmax(clock)) for clock in clocks if np.isfinite(clock).any()]
    if not ends or min(ends) <= 0 or max(ends) <= 30 * min(ends):
        return None
    return 1.0 if x != "seconds" else float(10.0 ** np.floor(np.log10(min(ends) / 3)))


def _marked(clock: NDArray[np.float64], end: float, log_unit: float | None, look: int) -> Any:
    """Every point of a short run; of a long one the last and some at equal distances on the axis.

    The distances are the same for all runs up to a shift, so that markers seldom hide each other.
    """
    if len(clock) <= 16:
        return 1
    if log_unit is not None:
        clock, end = np.log1p(clock / log_unit), np.log1p(end / log_unit)
    places = (np.arange(10) + look % 4 / 4) * end / 10
    marked = np.searchsorted(np.maximum.accumulate(clock), places)
    return sorted({*marked[marked < len(clock)].tolist(), len(clock) - 1})


def _scale_clock(ax: Axes, log_unit: float | None, x: Clock) -> None:
    from matplotlib.ticker import LogFormatter, MaxNLocator

    if log_unit is not None:
        ax.set_xscale("symlog", linthresh=log_unit, linscale=0.4)
        ax.xaxis.set_major_formatter(LogFormatter(labelOnlyBase=True, linthresh=log_unit))
        ax.set_xlim(left=0.0)
    elif x == "iteration":
        ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))


def _key(line: Line2D, dashes: Any, **changes: Any) -> Artist:
    """A copy of a line for the legend, with every point marked."""
    from matplotlib.lines import Line2D

    names = ("color", "marker", "markerfacecolor", "linewidth", "markersize")
    look = {name: getattr(line, f"get_{name}")() for name in names}
    return Line2D([], [], linestyle=dashes, **(look | changes))


def legend_beside(ax: Axes, entries: Mapping[str, Artist]) -> Legend:
    """A legend beside the axes, where it can hide no point."""
    labels = [drawable(label) for label in entries]
    # Named by numbers first: matplotlib leaves out labels that begin with an underscore.
    legend = ax.legend(
        list(entries.values()),
        [str(i) for i in range(len(labels))],
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        borderaxespad=0.0,
        handlelength=3.4,
    )
    for text, label in zip(legend.get_texts(), labels, strict=True):
        text.set(text=label, **literal(label))
    return legend
