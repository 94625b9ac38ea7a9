"""Estimates with their intervals, and differences with theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from softreg.errors import DataError
from softreg.plots.cells import NAME_LIMIT, NAME_SIZE
from softreg.plots.panels import ModelLook, PanelsDisplay, across_for
from softreg.plots.style import drawable, drawables, literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: A value and the ends of its interval; NaN where there is none.
Interval = tuple[float, float, float]


class IntervalsDisplay(PanelsDisplay):
    """What was estimated of each model, one panel a metric, models down the side.

    Parameters
    ----------
    estimates : mapping of str to mapping of str to (value, low, high)
        For each metric's title its estimates by model; low and high are NaN where there is no interval, and the
        value where there is none either.
    """

    #: Whether zero is a line.
    _ZERO = False

    def __init__(self, estimates: Mapping[str, Mapping[str, Interval]], models: Sequence[str] | None = None) -> None:
        self.estimates = {title: dict(values) for title, values in estimates.items()}
        named = list(dict.fromkeys(name for values in self.estimates.values() for name in values))
        self.models = named if models is None else list(models)
        if not any(np.isfinite(one[0]) for values in self.estimates.values() for one in values.values()):
            raise DataError("nothing to draw: no finite value")

    @classmethod
    def from_estimates(
        cls,
        estimates: Mapping[str, Mapping[str, Interval]],
        *,
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """The picture of estimates {metric: {model: (value, low, high)}}; ``options`` go to `plot`."""
        return cls(estimates).plot(ax, **options)

    def plot(self, ax: Axes | None = None, **line_options: Any) -> Self:
        """Draw the panels in the place of ``ax`` or on a new figure; ``line_options`` go to ``Axes.errorbar``."""
        return super().plot(ax, **line_options)

    def _names(self) -> list[str]:
        """The models with a line of their own, top to bottom."""
        return [name for name in self.models if any(name in values for values in self.estimates.values())]

    def _labels(self) -> list[str]:
        """What is written at their lines."""
        return drawables(self._names(), NAME_LIMIT)

    def _size(self, **options: Any) -> tuple[float, float]:
        across = across_for(len(self.estimates), 3)
        down = -(-len(self.estimates) // across)
        names = 0.075 * max(map(len, self._labels()))
        return names + 0.3 + 2.1 * max(across, 1.6), down * (0.62 + 0.23 * len(self._names())) + 0.1

    def _draw(self, ax: Axes, **line_options: Any) -> None:
        from matplotlib.ticker import MaxNLocator

        across = across_for(len(self.estimates), 3)
        panels = self._split(ax, len(self.estimates), across)
        names = self._names()
        for i, (panel, (title, values)) in enumerate(zip(panels, self.estimates.items(), strict=True)):
            for place, name in enumerate(names):
                if name in values:
                    self._point(panel, place, ModelLook(self.models.index(name)), values[name], line_options)
            if self._ZERO:
                panel.axvline(0.0, color="black", linewidth=0.9, zorder=1)
            panel.set_ylim(len(names) - 0.5, -0.5)
            labels = self._labels() if i % across == 0 else [""] * len(names)
            panel.set_yticks(range(len(names)), labels, fontsize=NAME_SIZE, **literal(*labels))
            panel.tick_params(axis="y", length=0)
            panel.spines["left"].set_visible(False)
            panel.grid(visible=True, axis="x")
            panel.xaxis.set_major_locator(MaxNLocator(3, min_n_ticks=2))
            # Room at the ends, where the numbers under neighbouring panels would meet.
            panel.margins(x=0.18)
            shown = drawable(title, 40)
            panel.set_title(shown, loc="left", fontsize=8.5, **literal(shown))

    def _point(self, panel: Axes, place: int, look: ModelLook, one: Interval, options: dict[str, Any]) -> None:
        value, low, high = (float(end) for end in one)
        if not np.isfinite(value):
            return
        ends = [[max(value - low, 0.0)], [max(high - value, 0.0)]] if np.isfinite([low, high]).all() else None
        manner: dict[str, Any] = {"color": look.colour, "marker": look.marker, "capsize": 3.0, "elinewidth": 1.3}
        # Nothing but the marker where no interval is known: hollow, so that it is not taken for a short one.
        manner["markerfacecolor"] = look.colour if ends else "white"
        panel.errorbar([value], [place], xerr=ends, **(manner | options))


class DifferencesDisplay(IntervalsDisplay):
    """How much better or worse than the reference each model was, with 95 % intervals around the difference.

    One panel a metric; an interval that crosses the line of zero is no evidence of a difference.

    Parameters
    ----------
    rows : sequence of (model, metric title, difference, low, high)
        Differences are the model less the reference.
    reference : str
    models : sequence of str, optional
        All models in their order, for the colours; when None, the reference and then those of ``rows``.
    """

    _ZERO = True

    def __init__(
        self,
        rows: Sequence[tuple[str, str, float, float, float]],
        reference: str,
        models: Sequence[str] | None = None,
    ) -> None:
        estimates: dict[str, dict[str, Interval]] = {}
        for name, title, delta, low, high in rows:
            estimates.setdefault(title, {})[name] = (delta, low, high)
        self.reference = reference
        named = [reference, *(name for name in dict.fromkeys(row[0] for row in rows) if name != reference)]
        super().__init__(estimates, named if models is None else models)

    @classmethod
    def from_rows(
        cls,
        rows: Sequence[tuple[str, str, float, float, float]],
        reference: str,
        models: Sequence[str] | None = None,
        *,
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """The picture of differences; ``options`` go to `plot`."""
        return cls(rows, reference, models).plot(ax, **options)

    def _labels(self) -> list[str]:
        return [f"{drawable(name, 18)} − {drawable(self.reference, 18)}" for name in self._names()]
