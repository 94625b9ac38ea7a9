"""How well each class's rows are put before the others: receiver operating characteristic, precision and recall."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike

from softreg.errors import DataError, UsageError
from softreg.plots.curves import legend_beside
from softreg.plots.display import Display
from softreg.plots.panels import ModelLook
from softreg.plots.style import GREY, drawable

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

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
        return 5.8, 3.8

    def _area(self, one: Ranking) -> float:
        return one.auc if self.kind == "roc" else one.average_precision

    def _draw(self, ax: Axes, **line_options: Any) -> None:
        from matplotlib.ticker import PercentFormatter

        many = len(self.rankings) > NAMED
        by_area = sorted(self.rankings, key=lambda name: self._area(self.rankings[name]))
        named = by_area[:NAMED] if many else list(self.rankings)
        entries: dict[str, Artist] = {}
        if self.kind == "roc":
            ax.plot([0, 1], [0, 1], color=GREY, linewidth=0.9, linestyle=(0, (3, 2)), zorder=1)
        for name in self.rankings:
            if name not in named:
                x, y = self._curve(self.rankings[name])
                grey: dict[str, Any] = {"color": "#BBBBBB", "linewidth": 0.8, "zorder": 2} | line_options
                (line,) = ax.plot(x, y, **grey)
                entries.setdefault(f"{len(self.rankings) - NAMED} better classes", line)
        for i, name in enumerate(named):
            one = self.rankings[name]
            x, y = self._curve(one)
            look = ModelLook(i)
            options: dict[str, Any] = {
                "color": look.colour,
                "linestyle": look.dashes,
                "linewidth": 1.4,
                "zorder": 3,
            } | line_options
            (entries[f"{drawable(name, 14)}  {self._area(one):.3f}"],) = ax.plot(x, y, **options)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        ax.set_xlim(-0.02, 1.02)
        ax.set_ylim(-0.02, 1.02)
        ax.set_aspect("equal", adjustable="box")
        ax.grid(visible=True)
        mean = float(np.mean([self._area(one) for one in self.rankings.values()]))
        if self.kind == "roc":
            ax.set_xlabel("fall-out: share of the other rows above the threshold")
            ax.set_ylabel("recall: share of the class's rows above it")
            ax.set_title(f"class against the rest, area under the curve; mean {mean:.3f}")
        else:
            ax.set_xlabel("recall: share of the class's rows above the threshold")
            ax.set_ylabel("precision: share of these that are of the class")
            ax.set_title(f"class against the rest, average precision; mean {mean:.3f}")
        legend_beside(ax, entries)

    def _curve(self, one: Ranking) -> tuple[Any, Any]:
        if self.kind == "roc":
            return np.asarray(one.fall_out), np.asarray(one.recall)
        # Precision holds from one threshold to the next, not on the line between them.
        recall, precision = np.asarray(one.recall), np.asarray(one.precision)
        return np.repeat(recall, 2)[1:], np.append(np.repeat(precision[1:], 2), precision[-1])
