"""Relative suboptimality against seconds, both logarithmic, one panel a set."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.report import OURS, Row, Solver, seconds_to, tightest
from softreg.plots.style import COLOURS, GREY, MARKERS, drawable, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Each line is the best of its kind on that set: the faster arithmetic, the faster method.
LINES: tuple[tuple[str, Callable[[Solver], bool]], ...] = (
    ("softreg", lambda s: s["name"] == OURS),
    ("scikit-learn newton-cholesky", lambda s: s["family"] == "scikit-learn" and s["solver"] == "newton-cholesky"),
    ("scikit-learn newton-cg", lambda s: s["family"] == "scikit-learn" and s["solver"] == "newton-cg"),
    ("scikit-learn lbfgs", lambda s: s["family"] == "scikit-learn" and s["solver"] == "lbfgs"),
    ("cyanure", lambda s: s["family"] == "cyanure"),
    ("torch L-BFGS", lambda s: s["family"] == "torch"),
    ("LIBLINEAR", lambda s: s["family"] == "LIBLINEAR"),
)
COLUMNS = 3


def picture(results: dict[str, Any], alpha: float | None = None, loss: str | None = None) -> Figure:
    """A figure of every set at one alpha (the middle one of the results) and one loss (their first).

    Raises
    ------
    ValueError
        Where there is no such row.
    """
    from matplotlib.figure import Figure

    rows = results["rows"]
    if not rows:
        raise ValueError("no row to draw")
    alphas = sorted({row["alpha"] for row in rows})
    alpha = alphas[len(alphas) // 2] if alpha is None else alpha
    loss = rows[0]["loss"] if loss is None else loss
    chosen = [row for row in rows if row["alpha"] == alpha and row["loss"] == loss]
    if not chosen:
        raise ValueError(f"no row of {loss} at alpha {alpha:g}: there are {', '.join(f'{a:g}' for a in alphas)}")
    with look():
        columns = min(COLUMNS, len(chosen))
        lines = -(-len(chosen) // columns)
        figure = Figure(figsize=(max(3.1 * columns, 5.4), 2.35 * lines + 0.9), layout="constrained")
        panels = figure.subplots(lines, columns, squeeze=False).ravel()
        drawn: dict[str, Any] = {}
        for panel, row in zip(panels, chosen, strict=False):
            drawn |= _panel(panel, row, results)
        for panel in panels[len(chosen) :]:
            panel.set_visible(False)
        figure.supxlabel("seconds of one fit", fontsize=9)
        figure.supylabel("relative suboptimality of F", fontsize=9)
        names = [name for name, _ in LINES if name in drawn]
        figure.legend([drawn[name] for name in names], names, loc="outside upper left", ncols=min(len(names), 4))
    return figure


def _panel(ax: Axes, row: Row, results: dict[str, Any]) -> dict[str, Any]:
    """One set: a line for each kind of solver, markers where a level was timed; the handles by name."""
    drawn = {}
    floor = float(tightest(results)) / 5
    for place, (name, belongs) in enumerate(LINES):
        solver = _best(row, [s for s in row["solvers"] if belongs(s) and not s["apart"]], tightest(results))
        if solver is None:
            continue
        colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
        width = 2.0 if name == "softreg" else 1.1
        timed = _timed(solver)
        if name == "softreg":
            timed = timed[:1]  # one path: a looser tol only ends it earlier
        seconds, gaps = _curve(solver, row["optimum"], floor)
        seconds = seconds * _clock(timed, seconds, gaps, floor)
        ax.plot(seconds, gaps, color=colour, linewidth=width, zorder=1 + width)
        for x, y in timed:
            ax.plot(x, max(y, floor), color=colour, marker=marker, linestyle="", zorder=1 + width)
        (drawn[name],) = ax.plot([], [], color=colour, marker=marker, linewidth=width)
    ax.set(xscale="log", yscale="log", ylim=(floor / 1.5, 3))
    ax.set_yticks([10.0**k for k in range(-6, 1, 2) if 10.0**k >= floor])
    ax.minorticks_off()
    ax.grid(visible=True)
    shape = f"{row['rows']} × {row['columns']}, {row['classes']} classes"
    ax.set_title(drawable(row["set"]), fontweight="bold")
    ax.set_title(shape, loc="right", fontsize=7.5, color=GREY)
    return drawn


def _best(row: Row, solvers: list[Solver], level: str) -> Solver | None:
    """The one that arrives first, or else comes nearest."""

    def rank(solver: Solver) -> tuple[float, float]:
        seconds = seconds_to(solver, level)
        return (0.0, seconds) if seconds is not None else (1.0, solver["best"]["suboptimality"])

    return min((s for s in solvers if s["best"] and s["curve"]), key=rank, default=None)


def _curve(solver: Solver, optimum: float, floor: float) -> tuple[Any, Any]:
    """Seconds and the lowest suboptimality so far; it ends where it meets the floor."""
    seconds, objective = np.array(solver["curve"], dtype=np.float64).T
    gaps = np.minimum.accumulate((objective - optimum) / optimum)
    below = np.flatnonzero(gaps <= floor)
    end = below[0] + 1 if len(below) else len(gaps)
    keep = seconds[:end] > 0
    return seconds[:end][keep], np.maximum(gaps[:end][keep], floor)


def _timed(solver: Solver) -> list[tuple[float, float]]:
    """(median seconds, suboptimality) of each level reached, the tightest first."""
    levels = sorted(solver["levels"].items(), key=lambda item: float(item[0]))
    return [(got["seconds"], got["suboptimality"]) for _, got in levels if got["reached"]]


def _clock(timed: list[tuple[float, float]], seconds: Any, gaps: Any, floor: float) -> float:
    """The curve is of one run, the markers are medians: the factor that brings it to the tightest marker."""
    if not timed:
        return 1.0
    there = np.flatnonzero(gaps <= max(timed[0][1], floor) * (1 + 1e-6))
    return float(timed[0][0] / seconds[there[0]]) if len(there) else 1.0
