"""The confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softreg.errors import DataError
from softreg.plots.cells import NAME_LIMIT, colour_bar, name_cells, separate_cells, write_cells
from softreg.plots.display import Display
from softreg.plots.style import drawables

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class ConfusionDisplay(Display):
    """How many rows of each true class were predicted as each class.

    The numbers are counts; the colour is the share of the row's true class, so that rare classes are as easy to
    judge as frequent ones.  Numbers are written as long as they are legible (about 20 classes), and class
    names are thinned out where they would touch.

    Parameters
    ----------
    counts : array (K, K)
        Rows are true classes, columns predicted ones; sums of weights may stand for counts.
    classes : sequence of K labels
    """

    def __init__(self, counts: ArrayLike, classes: Sequence[object] | NDArray[Any]) -> None:
        self.counts = np.asarray(counts)
        self.classes = list(classes)
        K = len(self.classes)
        if self.counts.shape != (K, K) or K == 0:
            raise DataError(f"confusion counts of shape {self.counts.shape} for {K} classes: not ({K}, {K})")
        if not (np.isfinite(self.counts).all() and (self.counts >= 0).all()):
            raise DataError("confusion counts must be finite and not negative")

    @classmethod
    def from_counts(
        cls,
        counts: ArrayLike,
        classes: Sequence[object] | NDArray[Any],
        *,
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """The picture of counts (K, K), rows true, columns predicted; ``options`` go to `plot`."""
        return cls(counts, classes).plot(ax, **options)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        classes: Sequence[object] | NDArray[Any] | None = None,
        *,
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """The picture of labels (n,) against predicted labels (n,); ``options`` go to `plot`.

        ``classes`` gives the order; when None, the labels that occur, sorted.

        Raises
        ------
        DataError
            If the lengths differ, there are no rows, or a label is not in ``classes``.
        """
        true, predicted = np.asarray(y_true).tolist(), np.asarray(y_pred).tolist()
        if not isinstance(true, list) or len(true) != len(predicted) or not true:
            raise DataError("true and predicted labels must be two columns of one length, at least 1")
        order = _sorted_labels(true, predicted) if classes is None else np.asarray(classes).tolist()
        place = {label: k for k, label in enumerate(order)}
        try:
            cells = [(place[t], place[p]) for t, p in zip(true, predicted, strict=True)]
        except KeyError as error:
            raise DataError(f"label {error} is not among the {len(order)} classes given") from None
        counts = np.zeros((len(order), len(order)), dtype=np.int64)
        np.add.at(counts, tuple(np.array(cells).T), 1)
        return cls(counts, order).plot(ax, **options)

    def plot(self, ax: Axes | None = None, **image_options: Any) -> Self:
        """Draw the matrix on ``ax`` or on a new figure; ``image_options`` go to ``Axes.imshow``."""
        return super().plot(ax, **image_options)

    def _size(self, **options: Any) -> tuple[float, float]:
        cells = float(np.clip(1.2 + 0.34 * len(self.classes), 2.2, 6.6))
        longest = 0.075 * max(map(len, drawables(self.classes, NAME_LIMIT)))
        standing = longest if longest > cells / len(self.classes) else 0.15
        return cells + longest + 1.2, cells + standing + 0.6

    def _draw(self, ax: Axes, **image_options: Any) -> None:
        from matplotlib.ticker import PercentFormatter

        K = len(self.classes)
        totals = self.counts.sum(axis=1, keepdims=True)
        share = np.divide(self.counts, totals, out=np.zeros((K, K)), where=totals > 0)
        colours: dict[str, Any] = {"cmap": "Blues", "vmin": 0.0, "vmax": 1.0} | image_options
        image = ax.imshow(share, **colours)
        separate_cells(ax, K, K)
        ax.set_xlabel("predicted class")
        ax.set_ylabel("true class")
        ax.set_title(self._summary(), loc="left", fontsize=9)
        colour_bar(ax, image, "share of the true class's rows", format=PercentFormatter(1.0))
        name_cells(ax, self.classes, self.classes)
        numbers = np.array([[f"{count:.6g}" for count in row] for row in self.counts.tolist()])
        write_cells(ax, image, numbers, faint=self.counts == 0)

    def _summary(self) -> str:
        right, total = self.counts.trace(), self.counts.sum()
        if not total > 0:
            return "no rows"
        return f"accuracy {right / total:.3f} ({right:.10g} of {total:.10g} rows)"


def _sorted_labels(true: list[Any], predicted: list[Any]) -> list[Any]:
    labels = set(true) | set(predicted)
    try:
        return sorted(labels)
    except TypeError:
        raise DataError("true and predicted labels are of different types, such as numbers and text") from None
