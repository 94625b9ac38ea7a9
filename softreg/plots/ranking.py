"""How well each class's rows are put before the others: receiver operating characteristic, precision and recall."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softreg.errors import DataError, UsageError
from softreg.plots.curves import legend_beside
from softreg.plots.display import Display
from softreg.plots.panels import ModelLook
from softreg.plots.style import GREY, drawable

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

Array = NDArray[Any]

#: Sides of the part of the square that can be shown, each with the distance of its ticks.
SIDES = {0.02: 0.005, 0.05: 0.01, 0.1: 0.02, 0.2: 0.05, 0.5: 0.1, 1.0: 0.2}
#: Points that can be told apart along a side.
POINTS = 1000
#: Classes up to which each has a colour and a name; of more, the worst are named and the rest are grey.
NAMED = 6


class Ranking(Protocol):
    """Of one class against the rest: see `softreg.scores.Ranking`."""

    @property
    def recall(self) -> ArrayLike: ...
    @property
    def fall_out(self) -> ArrayLike: ...
    @property
    def precision(self) -> ArrayLike: ...
    @property
    def auc(self) -> float: ...
    @property
    def average_precision(self) -> float: ...


class RankingDisplay(Display):
    """Each class against the rest, as ROC curves or as precision over recall; the legend holds the areas.

    Of many classes the worst are named, and all have their mean: the mean height over each place of the horizontal
    axis, whose area is the mean of the areas.  Where all classes are told apart well, only the corner is shown in which
    the curves bend.

    Parameters
    ----------
    rankings : mapping of class to Ranking
    kind : {"roc", "pr"}
    """

    def __init__(self, rankings: Mapping[Any, Ranking], kind: Literal["roc", "pr"] = "roc") -> None:
        if kind not in ("roc", "pr"):
            raise UsageError(f"kind {kind!r}: roc or pr")
        if not rankings:
            raise DataError("nothing to draw: no class has rows beside others")
        self.rankings, self.kind = dict(rankings), kind

    @classmethod
    def from_rankings(
        cls,
        rankings: Mapping[Any, Ranking],
        kind: Literal["roc", "pr"] = "roc",
        *,
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """The picture of rankings {class: Ranking}; ``options`` go to `plot`."""
        return cls(rankings, kind).plot(ax, **options)

    def plot(self, ax: Axes | None = None, **line_options: Any) -> Self:
        """Draw the curves on ``ax`` or on a new figure; ``line_options`` go to ``Axes.plot``."""
        return super().plot(ax, **line_options)

    def _size(self, **options: Any) -> tuple[float, float]:
        return 5.9, 3.8

    def _area(self, one: Ranking) -> float:
        return one.auc if self.kind == "roc" else one.average_precision

    def _draw(self, ax: Axes, **line_options: Any) -> None:
        from matplotlib.ticker import MultipleLocator, PercentFormatter

        side = self._side()
        curves = {name: self._curve(one) for name, one in self.rankings.items()}
        ranks = sorted(self.rankings, key=lambda name: self._area(self.rankings[name]))
        named = ranks[:NAMED] if len(ranks) > NAMED else list(self.rankings)
        entries: dict[str, Artist] = {}

        def draw(label: str, x: Array, y: Array, **look: Any) -> None:
            (line,) = ax.plot(*_thinned(x, y, side), **(look | line_options))
            entries.setdefault(label, line)

        if self.kind == "roc":
            ax.plot([0, 1], [0, 1], color=GREY, linewidth=0.9, linestyle=(0, (3, 2)), zorder=1)
        if len(ranks) > 2:  # of two classes one curve is the other's mirror image
            mean = float(np.mean([self._area(one) for one in self.rankings.values()]))
            x, y = _mean_curve(list(curves.values()), side)
            draw(f"mean of {len(ranks)}  {_three(mean)}", x, y, color="black", linewidth=2.2, zorder=2.5)
        for i, name in enumerate(named):
            label = f"{drawable(name, 14)}  {_three(self._area(self.rankings[name]))}"
            look = ModelLook(i)
            draw(label, *curves[name], color=look.colour, linestyle=look.dashes, linewidth=1.4, zorder=3)
        for name in ranks[len(named) :]:
            rest = f"{len(ranks) - NAMED} better classes"
            draw(rest, *curves[name], color="#BBBBBB", linewidth=0.8, zorder=2)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MultipleLocator(SIDES[side]))
            axis.set_major_formatter(PercentFormatter(1.0, decimals=0 if side >= 0.05 else 1))
        pad = 0.02 * side
        left = 0.0 if self.kind == "roc" else 1 - side
        ax.set_xlim(left - pad, left + side + pad)
        ax.set_ylim(1 - side - pad, 1 + pad)
        ax.set_aspect("equal", adjustable="box")
        ax.grid(visible=True)
        if self.kind == "roc":
            ax.set_xlabel("fall-out: share of the other rows above the threshold")
            ax.set_ylabel("recall: share of the class's rows above it")
            title = "each class against the rest, area under the curve"
        else:
            ax.set_xlabel("recall: share of the class's rows above the threshold")
            ax.set_ylabel("precision: share of these that are of the class")
            title = "each class against the rest, average precision"
        ax.set_title(title if side == 1 else f"{title}\n(only the corner in which the curves bend)")
        legend_beside(ax, entries)

    def _curve(self, one: Ranking) -> tuple[Array, Array]:
        if self.kind == "roc":
            return np.asarray(one.fall_out), np.asarray(one.recall)
        # Precision holds from one threshold to the next, not on the line between them.
        recall, precision = np.asarray(one.recall), np.asarray(one.precision)
        return np.repeat(recall, 2)[1:], np.append(np.repeat(precision[1:], 2), precision[-1])

    def _side(self) -> float:
        """How much of the square is shown: the corner that holds the bend of the worst curve, with room around it."""
        bends = []
        for one in self.rankings.values():
            wrong = one.fall_out if self.kind == "roc" else 1 - np.asarray(one.precision)
            # From the second point on: at the first, before any row, every curve is the same.
            bends.append(float(np.maximum(np.asarray(wrong), 1 - np.asarray(one.recall))[1:].min()))
        return next((side for side in SIDES if side >= 4 * max(bends)), 1.0)


def _thinned(x: Array, y: Array, side: float) -> tuple[Array, Array]:
    """The points of a curve that can be told apart where a square of that side is drawn."""
    cells = np.floor(np.column_stack([x, y]) * (POINTS / side))
    moved = np.any(np.diff(cells, axis=0) != 0, axis=1)
    kept = np.append(True, moved) | np.append(moved, True)  # both ends of each step
    return x[kept], y[kept]


def _mean_curve(curves: list[tuple[Array, Array]], side: float) -> tuple[Array, Array]:
    """The mean height of curves at each place of the horizontal axis, just before it and just behind.

    Its area is the mean of theirs; exact where the curves have few places, else on a grid finer than can be seen.
    """
    grid = np.unique(np.concatenate([x for x, _ in curves]))
    if len(grid) > 2 * POINTS:
        cells = np.unique(np.floor(grid * (POINTS / side)), return_index=True)[1]
        grid = grid[np.append(cells, len(grid) - 1)]
    before, behind = np.zeros(len(grid)), np.zeros(len(grid))
    for x, y in curves:
        # Upright steps are two points of one place: the first of them is the height before it, the last behind it.
        places, first = np.unique(x, return_index=True)
        last = np.append(first[1:], len(x)) - 1
        before += _between(grid, places, y[last], y[first])
        behind += _between(grid, places, y[last], y[first], behind=True)
    return np.repeat(grid, 2), np.column_stack([before, behind]).ravel() / len(curves)


def _between(grid: Array, places: Array, leave: Array, arrive: Array, behind: bool = False) -> Array:
    """Heights at ``grid`` of a curve that leaves each of its places at one height and arrives at it at another."""
    right = np.clip(np.searchsorted(places, grid), 0, len(places) - 1)  # the first place not before the grid's
    at = places[right] == grid
    left = np.maximum(right - 1, 0)
    width = np.where(right > left, places[right] - places[left], 1.0)
    share = np.clip((grid - places[left]) / width, 0, 1)
    inside = leave[left] + share * (arrive[right] - leave[left])
    return np.where(at, (leave if behind else arrive)[right], inside)


def _three(area: float) -> str:
    """Three decimals that say 1.000 only where it is so."""
    return ">0.999" if 0.9995 <= area < 1 else f"{area:.3f}"
