"""Which models are right on the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from softreg.errors import DataError
from softreg.plots.display import Display
from softreg.plots.panels import model_columns, shown
from softreg.plots.style import drawable, drawables, literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 16


class AgreementDisplay(Display):
    """How many rows each combination of models got right: all of them, only one, none.

    All right at the top, all wrong at the bottom, between them the combinations that occur, the frequent
    ones first; beyond 16 bars the rare ones are added up.

    Parameters
    ----------
    right : mapping of str to array (n,) of bool
        For each model whether it was right on each row, the rows the same for all; of none, if it is not known.
    """

    def __init__(self, right: Mapping[str, ArrayLike]) -> None:
        self.right = {name: column for name, column, _ in shown(model_columns(right, "rows", np.bool_))}
        if len({len(column) for column in self.right.values()}) > 1:
            raise DataError("models judged on different numbers of rows")

    @classmethod
    def from_rows(cls, right: Mapping[str, ArrayLike], *, ax: Axes | None = None, **options: Any) -> Self:
        """The picture of rows right {model: (n,)}; ``options`` go to `plot`."""
        return cls(right).plot(ax, **options)

    def plot(self, ax: Axes | None = None, **bar_options: Any) -> Self:
        """Draw the bars on ``ax`` or on a new figure; ``bar_options`` go to ``Axes.barh``."""
        return super().plot(ax, **bar_options)

    def bars(self) -> list[tuple[str, int]]:
        """What each bar says, top to bottom: who was right, and on how many rows."""
        names = list(self.right)
        patterns, counts = np.unique(np.column_stack(list(self.right.values())), axis=0, return_counts=True)
        found = {tuple(pattern.tolist()): int(count) for pattern, count in zip(patterns, counts, strict=True)}
        M = len(names)
        top, bottom = (True,) * M, (False,) * M
        mixed = sorted((p for p in found if p not in (top, bottom)), key=lambda p: (-found[p], p))
        rare = sum(found[p] for p in mixed[_MOST - 2 :])
        middle = [(_words(names, p), found[p]) for p in mixed[: _MOST - 2]]
        middle += [("other combinations", rare)] if rare else []
        words = ("all right", "all wrong") if M > 1 else ("right", "wrong")
        return [(words[0], found.get(top, 0)), *middle, (words[1], found.get(bottom, 0))]

    def _size(self, **options: Any) -> tuple[float, float]:
        bars = self.bars()
        return 4.2 + 0.075 * max(len(words) for words, _ in bars), 0.7 + 0.25 * len(bars)

    def _draw(self, ax: Axes, **bar_options: Any) -> None:
        from matplotlib.ticker import FuncFormatter

        bars = self.bars()
        words, counts = [word for word, _ in bars], np.array([count for _, count in bars])
        n, places = counts.sum(), np.arange(len(bars))
        log = counts.max() > 50 * counts[counts > 0].min()
        colours = ["#B8C4CC", *["#0072B2"] * (len(bars) - 2), "#4D4D4D"]
        options: dict[str, Any] = {"color": colours, "height": 0.7} | bar_options
        ax.barh(places, counts, **options)
        if log:
            ax.set_xscale("log")
            ax.set_xlim(0.5, 8.0 * counts.max())
            ax.xaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{count:.0f}"))
        else:
            ax.set_xlim(0.0, 1.25 * counts.max())
        for place, count in zip(places.tolist(), counts.tolist(), strict=True):
            ax.annotate(
                f"{count} ({count / n:.1%})".replace("%", " %"),
                (max(count, 0.5 if log else 0), place),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
            )
        ax.set_ylim(len(bars) - 0.5, -0.5)
        ax.set_yticks(places, words, **literal(*words))
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        ax.set_xlabel(f"rows, of {n} (logarithmic)" if log else f"rows, of {n}")


def _words(names: list[str], pattern: tuple[bool, ...]) -> str:
    """Who was right, said by the smaller part: "only a right", "all but b right"."""
    right = [name for name, hit in zip(names, pattern, strict=True) if hit]
    wrong = [name for name, hit in zip(names, pattern, strict=True) if not hit]
    if len(right) <= len(wrong) or len(names) == 2:
        return f"only {_and(right)} right"
    return f"all but {_and(wrong)} right"


def _and(names: list[str]) -> str:
    shorter = drawables(names, 24 if len(names) < 3 else 14)
    return drawable(" and ".join([", ".join(shorter[:-1]), shorter[-1]]) if len(shorter) > 1 else shorter[0], 60)
