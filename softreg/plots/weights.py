"""What the model has learned: its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softreg.errors import DataError, UsageError
from softreg.plots.cells import LETTER, NAME_LIMIT, NAME_SIZE, colour_bar, name_cells, separate_cells, write_cells
from softreg.plots.display import Display, figure_of
from softreg.plots.style import GREY, drawable, drawables, literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage
    from matplotlib.text import Text

    from softreg.plots.model_weights import ModelWeightsDisplay

MOST_IMAGES = 100
#: Features that a heat map shows as cells of their own.
MOST_CELLS = 800
_GAP = 0.08  # between two images, in image widths
TITLE = 13.0  # points above an image for its class's name


class WeightsDisplay(Display):
    """Weight of each feature for each class: red speaks for the class, blue against it, white is zero.

    As a heat map, classes by features; or, for features that are the pixels of an image, as one image a
    class.  One colour scale, symmetric about zero, serves all classes.

    Parameters
    ----------
    coef : array (K, p)
        A binary model may show one row, which speaks for the second of its two classes and against the first.
    classes : sequence of K labels (or of two, when coef has one row)
    feature_names : sequence of p names, optional
    unit : str
        What the colours measure; logits of a softmax are nats.
    """

    def __init__(
        self,
        coef: ArrayLike,
        classes: Sequence[object] | NDArray[Any],
        feature_names: Sequence[object] | NDArray[Any] | None = None,
        *,
        unit: str = "nats per unit of the feature",
    ) -> None:
        dense = coef.toarray() if hasattr(coef, "toarray") else coef  # scikit-learn's sparsify()
        self.coef = np.asarray(dense, dtype=np.float64)
        if self.coef.ndim != 2 or 0 in self.coef.shape:
            raise DataError(f"coefficients of shape {self.coef.shape}: not (classes, features)")
        K, p = self.coef.shape
        self.classes = list(classes)
        if K == 1 and len(self.classes) == 2:
            self.rows = [f"{drawable(self.classes[1], 14)} − {drawable(self.classes[0], 14)}"]
        else:
            self.rows = drawables(self.classes, NAME_LIMIT)
        if len(self.rows) != K:
            raise DataError(f"coefficients of shape {self.coef.shape} for {len(self.classes)} classes")
        self.feature_names = None if feature_names is None else list(feature_names)
        if self.feature_names is not None and len(self.feature_names) != p:
            raise DataError(f"{len(self.feature_names)} feature names for {p} features")
        self.unit = unit

    @classmethod
    def from_coefficients(
        cls,
        coef: ArrayLike,
        classes: Sequence[object] | NDArray[Any],
        feature_names: Sequence[object] | NDArray[Any] | None = None,
        *,
        unit: str = "nats per unit of the feature",
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """The picture of coefficients (K, p); ``options`` (such as ``shape``) go to `plot`."""
        return cls(coef, classes, feature_names, unit=unit).plot(ax, **options)

    @classmethod
    def from_models(
        cls,
        models: Mapping[str, ArrayLike],
        classes: Sequence[object] | NDArray[Any],
        feature_names: Sequence[object] | NDArray[Any] | None = None,
        *,
        unit: str = "logits per unit of the feature",
        shape: tuple[int, int] | None = None,
        ax: Axes | None = None,
        **options: Any,
    ) -> ModelWeightsDisplay:
        """The weights of several models of the same classes and features, on one colour scale.

        ``models`` are coefficients (K, p) by name; ``shape`` draws those of a class as an image, as in `plot`.
        """
        from softreg.plots.model_weights import ModelWeightsDisplay

        return ModelWeightsDisplay(models, classes, feature_names, unit=unit, shape=shape).plot(ax, **options)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        unit: str = "nats per unit of the feature",
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """The picture of a fitted linear classifier's ``coef_``, ``classes_`` and ``feature_names_in_``."""
        names = getattr(estimator, "feature_names_in_", None)
        return cls(estimator.coef_, estimator.classes_, names, unit=unit).plot(ax, **options)

    def plot(self, ax: Axes | None = None, *, shape: tuple[int, int] | None = None, **image_options: Any) -> Self:
        """Draw the weights on ``ax`` or on a new figure.

        Parameters
        ----------
        shape : (height, width), optional
            Draw the weights of each class as an image of that many pixels, at most the first 100 classes.
        **image_options
            Passed on to ``Axes.imshow``.

        Raises
        ------
        UsageError
            If an image of ``shape`` has not as many pixels as there are features.
        """
        check_shape(shape, self.coef.shape[1])
        return super().plot(ax, shape=shape, **image_options)

    def _size(self, *, shape: tuple[int, int] | None = None, **options: Any) -> tuple[float, float]:
        K, p = self.coef.shape
        if shape is not None:
            across, down = _grid(min(K, MOST_IMAGES))
            # Tall images are made narrow rather than the figure endless.
            width = min(float(np.clip(1.25 * across, 2.2, 8.0)), 8.0 * across / down * shape[1] / shape[0])
            height = max(width / across * shape[0] / shape[1] + 0.25, 0.5) * down
            return max(width, 2.2) + 0.9, height + 0.35
        names = drawables(self.feature_names or [], NAME_LIMIT)
        lying, standing = 0.085 * max(map(len, self.rows)), 0.075 * max(map(len, names), default=0)
        width, height = 1.4 + lying + 0.3 * p, 0.9 + standing + 0.27 * K
        return float(np.clip(width, 4.2, 9.0)), float(np.clip(height, 2.2, 9.0))

    def _draw(self, ax: Axes, *, shape: tuple[int, int] | None = None, **image_options: Any) -> None:
        colours = scale(self.largest) | image_options
        if shape is None:
            image = self.draw_cells(ax, colours)
            colour_bar(ax, image)
            self._set_title(ax)
            self.name_features(ax, image)
        else:
            shown = min(len(self.rows), MOST_IMAGES)
            colour_bar(ax, self.draw_images(ax, shape, colours, *_grid(shown)))
            self._set_title(ax, f"; the first {shown} of {len(self.rows)} classes" * (len(self.rows) > shown))

    @property
    def largest(self) -> float:
        """The largest finite weight, whatever its sign; 0 if there is none."""
        return float(np.abs(self.coef[np.isfinite(self.coef)]).max(initial=0.0))

    def draw_cells(self, ax: Axes, colours: dict[str, Any]) -> AxesImage:
        """The heat map, classes by features, still without names."""
        K, p = self.coef.shape
        # Where a cell has less than a dot the mean of neighbouring features is drawn, so that no weight is skipped.
        edges = np.linspace(0, p, min(p, MOST_CELLS) + 1).astype(int)
        cells = np.add.reduceat(self.coef, edges[:-1], axis=1) / np.diff(edges)
        options = {"aspect": "auto", "interpolation": "nearest", "extent": (-0.5, p - 0.5, K - 0.5, -0.5)}
        image = ax.imshow(cells, **(options | colours))
        separate_cells(ax, K, p)
        ax.set_xlabel("feature")
        ax.set_ylabel("class")
        return image

    def name_features(self, ax: Axes, image: AxesImage) -> list[Text]:
        """Names of classes and features, and the weights themselves if they fit, which are returned."""
        p = self.coef.shape[1]
        name_cells(ax, self.rows, range(p) if self.feature_names is None else self.feature_names)
        return write_cells(ax, image, np.array([[_two_digits(w) for w in row] for row in self.coef.tolist()]))

    def draw_images(
        self, ax: Axes, shape: tuple[int, int], colours: dict[str, Any], across: int, down: int
    ) -> AxesImage:
        """The first classes, ``across`` by ``down``, each as an image under its name.

        All images in one Axes, so that they can stand wherever an Axes can; a unit is an image's width.
        """
        from matplotlib.patches import Rectangle

        height = shape[0] / shape[1]
        # What the names' 13 points are in image widths follows from the room there is.
        place, figure_size = ax.get_position(), figure_of(ax).get_size_inches() * 72.0
        step = 1.0 + _GAP
        title = TITLE / max(place.width * figure_size[0] / (across * step), 1.0)
        letters = int(TITLE / title / (LETTER * NAME_SIZE))
        for k in range(min(len(self.rows), across * down)):
            x, y = k % across * step, k // across * (height + title + _GAP / 2)
            image = ax.imshow(self.coef[k].reshape(shape), extent=(x, x + 1, y + height, y), origin="upper", **colours)
            ax.add_patch(Rectangle((x, y), 1, height, fill=False, edgecolor=GREY, linewidth=0.5, clip_on=False))
            name = drawable(self.rows[k], max(letters, 3))
            ax.text(x + 0.5, y - 0.2 * title, name, ha="center", va="bottom", fontsize=NAME_SIZE, **literal(name))
        ax.set_xlim(0, across * step - _GAP)
        ax.set_ylim(down * (height + title + _GAP / 2) - title - _GAP / 2, -title)
        ax.set_axis_off()
        return image

    def _set_title(self, ax: Axes, more: str = "") -> None:
        # Above, not along the colour bar: that of a model of two classes is shorter than the words.
        unit = drawable(self.unit, 50)
        ax.set_title(f"weight ({unit}){more}", loc="left", fontsize=9, **literal(unit))


def scale(largest: float) -> dict[str, Any]:
    """The colours of weights up to ``largest``, symmetric about zero."""
    return {"cmap": "RdBu_r", "vmin": -(largest or 1.0), "vmax": largest or 1.0}


def check_shape(shape: tuple[int, int] | None, p: int) -> None:
    """Raise UsageError unless an image of ``shape`` has as many pixels as there are features."""
    if shape is not None and (min(shape) < 1 or shape[0] * shape[1] != p):
        raise UsageError(f"shape {shape[0]}x{shape[1]} has {shape[0] * shape[1]} pixels, the model {p} features")


def _two_digits(w: float) -> str:
    return f"{w:#.2g}".rstrip(".").replace("-", "−") if w else "0"


def _grid(K: int) -> tuple[int, int]:
    """Columns and rows for K images: few empty places, wider than high."""

    def untidiness(across: int) -> float:
        down = -(-K // across)
        return (across * down - K) / K + abs(np.log(across / down / 1.8))

    across = min(range(1, K + 1), key=untidiness) if K > 4 else K
    return across, -(-K // across)
