"""How far each row is on the right side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softreg.errors import DataError, UsageError
from softreg.plots.panels import PanelsDisplay, model_columns, shown
from softreg.plots.style import GREY, drawable, literal
from softreg.text import percent, safe_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BINS = 60


class MarginsDisplay(PanelsDisplay):
    """How many rows have which margin, z_y − max of the other logits.

    Below 0 a row is wrong; from the hinges' margin on, their losses are zero and their gradients too.
    One panel a model, all on the same horizontal axis, which leaves out the outermost hundredths of rows;
    they are counted in the first and the last bar.  Where one model's margins are many times another's, the
    axis is logarithmic beyond twice the margin.

    Parameters
    ----------
    margins : mapping of str to array (n,)
        For each model the margins of its rows, in logits; of none, if there is nothing to show.
    margin : float
        Where a hinge's row is at rest.
    """

    def __init__(self, margins: Mapping[str, ArrayLike], *, margin: float = 1.0) -> None:
        self.margins = model_columns(margins, "margins")
        if not all(np.isfinite(m).all() for m in self.margins.values()):
            raise DataError("margins must be finite")
        if not 0 < margin < np.inf:
            raise UsageError(f"margin {safe_text(margin, 40)} is not a positive number")
        self.margin = float(margin)

    @classmethod
    def from_margins(
        cls, margins: Mapping[str, ArrayLike], *, margin: float = 1.0, ax: Axes | None = None, **options: Any
    ) -> Self:
        """The picture of margins {model: (n,)}; ``options`` go to `plot`."""
        return cls(margins, margin=margin).plot(ax, **options)

    def plot(self, ax: Axes | None = None, **bar_options: Any) -> Self:
        """Draw the panels in the place of ``ax`` or on a new figure; ``bar_options`` go to ``Axes.stairs``."""
        return super().plot(ax, **bar_options)

    def _size(self, **options: Any) -> tuple[float, float]:
        return 6.4, 1.0 + 1.25 * len(shown(self.margins))

    def _draw(self, ax: Axes, **bar_options: Any) -> None:
        from matplotlib.ticker import MaxNLocator, PercentFormatter

        models = shown(self.margins)
        low, high, log = self._range()
        edges = self._edges(low, high, log)
        panels = self._split(ax, len(models))
        for panel, (name, values, look) in zip(panels, models, strict=True):
            counts, _ = np.histogram(np.clip(values, low, high), edges)
            options: dict[str, Any] = {"color": look.colour, "linewidth": 1.0, "fill": True} | bar_options
            panel.stairs(counts / len(values), edges, **options)
            panel.axvline(0.0, color="black", linewidth=0.9)
            panel.axvline(self.margin, color=GREY, linewidth=1.1, linestyle=(0, (4, 2)))
            if log:
                panel.set_xscale("symlog", linthresh=2 * self.margin, linscale=1.0)
                self._name_powers(panel, low, high)
            panel.set_xlim(low, high)
            panel.set_ylim(bottom=0.0)
            panel.yaxis.set_major_locator(MaxNLocator(3))
            panel.yaxis.set_major_formatter(PercentFormatter(1.0))
            title = f"{drawable(name, 24)}: {self._summary(values)}"
            panel.set_title(title, loc="left", fontsize=8.5, **literal(title))
            panel.tick_params(labelbottom=panel is panels[-1])
        together = np.concatenate([values for _, values, _ in models])
        lines = f"solid line: 0, wrong | right; dashed line: the hinges' margin, {self.margin:g}"
        ends = [f"first bar: ≤ {low:.3g}"] if together.min() < low else []
        ends += [f"last bar: ≥ {high:.3g}"] if together.max() > high else []
        label = "margin: logit of the true class − largest other"
        panels[-1].set_xlabel("\n".join([label, lines, *filter(None, [", ".join(ends)])]).replace("-", "−"))
        panels[len(panels) // 2].set_ylabel("share of rows")

    def _summary(self, values: NDArray[Any]) -> str:
        wrong, beyond = float((values <= 0).mean()), float((values >= self.margin).mean())
        inside = float(((values > 0) & (values < self.margin)).mean())
        return f"{percent(wrong)} wrong, {percent(inside)} right within the margin, {percent(beyond)} beyond"

    def _range(self) -> tuple[float, float, bool]:
        """Ends of the axis, and whether it is logarithmic far out."""
        ends = np.array([np.quantile(values, [0.01, 0.99]) for _, values, _ in shown(self.margins)])
        low, high = min(ends[:, 0].min(), -0.5 * self.margin), max(ends[:, 1].max(), 2 * self.margin)
        pad = 0.02 * (high - low)
        reach = np.maximum(np.abs(ends).max(axis=1), 2 * self.margin)
        return float(low - pad), float(high + pad), bool(reach.max() > 6 * reach.min())

    def _edges(self, low: float, high: float, log: bool) -> NDArray[Any]:
        """Bins as wide as each other on the axis, with an edge at the margin, so that a hinge's heap is in one bin."""
        unit = 2 * self.margin if log else np.inf

        def bend(x: Any) -> Any:
            far = np.sign(x) * unit * (1 + np.log(np.maximum(np.abs(x), unit) / unit)) if log else x
            return np.where(np.abs(x) <= unit, x, far)

        def straighten(u: Any) -> Any:
            far = np.sign(u) * unit * np.exp(np.maximum(np.abs(u), unit) / unit - 1) if log else u
            return np.where(np.abs(u) <= unit, u, far)

        first, last = float(bend(low)), float(bend(high))
        width = (last - first) / _BINS
        # Solvers meet a margin up to their tolerance: the heap belongs to the bin that begins just below it.
        start = self.margin * (1 - 1e-3)
        below, above = int(np.ceil((start - first) / width)), int(np.ceil((last - start) / width))
        edges = straighten(start + width * np.arange(-below, above + 1))
        edges[0], edges[-1] = low, high
        return np.asarray(edges)

    def _name_powers(self, panel: Axes, low: float, high: float) -> None:
        from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

        powers = self.margin * 10.0 ** np.arange(0, 9)
        ticks = np.unique(np.concatenate([-powers, [0.0], powers]))
        panel.xaxis.set_major_locator(FixedLocator(ticks[(ticks >= low) & (ticks <= high)].tolist()))
        panel.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}".replace("-", "−")))
        panel.xaxis.set_minor_locator(NullLocator())
