"""Whether probabilities can be believed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from softreg.errors import DataError
from softreg.metrics import wilson
from softreg.plots.curves import legend_beside
from softreg.plots.display import Display
from softreg.plots.panels import ModelLook
from softreg.plots.style import GREY, drawable
from softreg.scores import Bins, calibration_error
from softreg.text import safe_text

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class ReliabilityDisplay(Display):
    """How often a model is right when it says how sure it is: on the diagonal, as often as it says.

    Each point is a bin of about equally many rows; below the diagonal a model is more confident than right.  Of a
    single model each has the 95 % Wilson interval of its share.

    Parameters
    ----------
    bins : mapping of str to Bins
        For each model its bins, of calibrated probabilities or the only ones there are; None, if it has none.
    raw : mapping of str to Bins, optional
        Bins of the same models' probabilities before calibration, drawn hollow and dotted.
    """

    def __init__(self, bins: Mapping[str, Bins | None], raw: Mapping[str, Bins] | None = None) -> None:
        self.bins, self.raw = dict(bins), dict(raw or {})
        for name, one in [*self.bins.items(), *self.raw.items()]:
            if name not in self.bins:
                raise DataError(f"'{safe_text(name, 40)}': raw bins of a model that is not among the models")
            if one is not None and not np.shape(one.confidence) == np.shape(one.accuracy) == np.shape(one.count):
                raise DataError(f"{safe_text(name, 40)}: bins of different lengths")
        if not any(len(bins.count) for _, _, bins, _ in self._lines()):
            raise DataError("nothing to draw: no model has probabilities")

    @classmethod
    def from_bins(
        cls,
        bins: Mapping[str, Bins | None],
        raw: Mapping[str, Bins] | None = None,
        *,
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """The picture of bins {model: Bins}; ``options`` go to `plot`."""
        return cls(bins, raw).plot(ax, **options)

    def plot(self, ax: Axes | None = None, **line_options: Any) -> Self:
        """Draw the lines on ``ax`` or on a new figure; ``line_options`` go to ``Axes.plot``."""
        return super().plot(ax, **line_options)

    def _size(self, **options: Any) -> tuple[float, float]:
        return 4.4 + 0.075 * max(len(label) for label, *_ in self._lines()), 3.8

    def _lines(self) -> list[tuple[str, ModelLook, Bins, bool]]:
        found = []
        for i, (name, one) in enumerate(self.bins.items()):
            label = drawable(name, 22)
            if one is not None:
                found.append((label, ModelLook(i), one, False))
            if (before := self.raw.get(name)) is not None:
                found.append((f"{label}, raw", ModelLook(i), before, True))
        return found

    def _draw(self, ax: Axes, **line_options: Any) -> None:
        from matplotlib.ticker import MaxNLocator, PercentFormatter

        ax.plot([0, 1], [0, 1], color=GREY, linewidth=0.9, zorder=1)
        entries: dict[str, Artist] = {}
        lowest = 1.0
        for label, look, bins, raw in self._lines():
            order = np.argsort(bins.confidence, kind="stable")
            x, y = bins.confidence[order], bins.accuracy[order]
            options: dict[str, Any] = {
                "color": look.colour,
                "marker": look.marker,
                "linestyle": (0, (1, 1.2)) if raw else "-",
                "markerfacecolor": "white" if raw else look.colour,
                "linewidth": 1.2,
            } | line_options
            (entries[label],) = ax.plot(x, y, **options)
            lowest = min(lowest, x.min(initial=1.0), y.min(initial=1.0))
        if len(entries) == 1:
            self._draw_alone(ax, bins, look.colour)
        # As much of the square as is used: a good model's points all lie in its upper corner.
        low = max(0.0, np.floor(10 * lowest - 0.2) / 10)
        pad = 0.02 * (1 - low)
        ax.set_xlim(low - pad, 1 + pad)
        ax.set_ylim(low - pad, 1 + pad)
        ax.set_aspect("equal", adjustable="box")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(5))
            axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        ax.grid(visible=True)
        ax.set_xlabel("confidence: mean largest probability of the bin's rows")
        ax.set_ylabel("right: share of the bin's rows")
        legend_beside(ax, entries)

    def _draw_alone(self, ax: Axes, bins: Bins, colour: str) -> None:
        """How sure each bin is, and what its gaps come to."""
        count = bins.count
        ends = [wilson(share, n) for share, n in zip(bins.accuracy.tolist(), count.tolist(), strict=True)]
        ax.vlines(bins.confidence, *np.transpose(ends), color=colour, linewidth=1.0, alpha=0.6, zorder=1.5)
        rows = f"{count.min()}" if count.min() == count.max() else f"{count.min()} to {count.max()}"
        ax.set_title(f"calibration error {calibration_error(bins):.3f}   ({len(count)} bins of {rows} rows)")
