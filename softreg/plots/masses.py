"""How hard each row still pulls at the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softreg.errors import DataError
from softreg.plots.curves import legend_beside
from softreg.plots.display import Display
from softreg.plots.panels import model_columns, shown
from softreg.plots.style import GREY

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_POINTS = 400
_LEAST = 1e-16


class MassesDisplay(Display):
    """Gradient mass of each row, the rows sorted by it: who still pulls at W, and who is content.

    A row's mass is half the sum of its gradient's absolute values: for softmax 1 − p_y, for a hinge what
    its violated margins add up to.  Exactly zero has a line of its own under the logarithmic axis; masses below
    1e-16 are drawn there as 1e-16.

    Parameters
    ----------
    masses : mapping of str to array (n,)
        For each model the masses of its rows, not negative; of none, if there is nothing to show.
    """

    def __init__(self, masses: Mapping[str, ArrayLike]) -> None:
        self.masses = model_columns(masses, "masses")
        if not all((np.isfinite(m) & (m >= 0)).all() for m in self.masses.values()):
            raise DataError("masses must be finite and not negative")

    @classmethod
    def from_masses(cls, masses: Mapping[str, ArrayLike], *, ax: Axes | None = None, **options: Any) -> Self:
        """The picture of masses {model: (n,)}; ``options`` go to `plot`."""
        return cls(masses).plot(ax, **options)

    def plot(self, ax: Axes | None = None, **line_options: Any) -> Self:
        """Draw the masses on ``ax`` or on a new figure; ``line_options`` go to ``Axes.plot``."""
        return super().plot(ax, **line_options)

    def _draw(self, ax: Axes, **line_options: Any) -> None:
        from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator, PercentFormatter

        models = shown(self.masses)
        positive = np.concatenate([m[m > 0] for _, m, _ in models])
        top = max(0, int(np.ceil(np.log10(positive.max(initial=1.0)))))
        bottom = int(np.floor(np.log10(max(positive.min(initial=0.1), _LEAST))))
        zero = bottom - max(1.0, 0.12 * (top - bottom))
        some_zero = any((m == 0).any() for _, m, _ in models)
        entries: dict[str, Artist] = {}
        for name, mass, look in models:
            share, level = _sorted(mass)
            heights = np.where(level > 0, np.log10(np.maximum(level, 10.0**bottom)), zero)
            options: dict[str, Any] = {
                "color": look.colour,
                "linestyle": look.dashes,
                "marker": look.marker,
                "markevery": 40,
            }
            options |= line_options
            (entries[name],) = ax.plot(share, heights, **options)
        if some_zero:
            ax.axhline(zero, color=GREY, linewidth=0.9, linestyle=(0, (4, 2)), zorder=1)
        every = max(1, -(-(top - bottom) // 6))
        powers = list(range(top, bottom - 1, -every))[::-1]
        ticks = [zero, *powers] if some_zero else powers
        ax.yaxis.set_major_locator(FixedLocator(ticks))
        ax.yaxis.set_minor_locator(NullLocator())
        ax.yaxis.set_major_formatter(
            FuncFormatter(lambda value, _: "exactly 0" if value == zero else _power(round(value)))
        )
        ax.set_ylim((zero if some_zero else bottom) - 0.04 * (top - zero), top + 0.04 * (top - zero))
        ax.set_xlim(0.0, 1.0)
        ax.xaxis.set_major_formatter(PercentFormatter(1.0))
        ax.set_xlabel("share of the rows, those that pull hardest first")
        ax.set_ylabel("gradient mass of the row")
        ax.grid(visible=True, axis="y")
        legend_beside(ax, entries)


def _sorted(mass: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Shares of rows and masses there, from the largest mass down; where it falls to zero, as a step."""
    mass = np.sort(mass)[::-1]
    n, positive = len(mass), int((mass > 0).sum())
    places = np.unique(np.linspace(0, max(positive - 1, 0), _POINTS).round().astype(int))[:positive]
    share, level = (places + 0.5) / n, mass[places]
    if positive < n:
        share = np.concatenate([share, [positive / n] * 2, [1.0]])
        level = np.concatenate([level, level[-1:] if positive else [0.0], [0.0, 0.0]])
    return share, level


def _power(exponent: int) -> str:
    if -3 <= exponent <= 3:
        return f"{10.0**exponent:g}"
    return f"1e{exponent}".replace("-", "−")
