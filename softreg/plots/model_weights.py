"""What several models have learned, on one scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from numpy.typing import ArrayLike, NDArray

from softreg.errors import DataError
from softreg.plots.cells import NAME_LIMIT
from softreg.plots.display import figure_of
from softreg.plots.panels import PanelsDisplay
from softreg.plots.style import drawable, drawables, literal
from softreg.plots.weights import MOST_IMAGES, TITLE, WeightsDisplay, check_shape, scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ACROSS = 10  # images side by side: digits in one row


class ModelWeightsDisplay(PanelsDisplay):
    """Weights of several models under each other, one panel a model, all on one colour scale: see `WeightsDisplay`.

    Where models differ in the length of their weights, the scale shows it: the shorter one is pale.

    Parameters
    ----------
    models : mapping of str to array (K, p)
    classes : sequence of K labels
    feature_names : sequence of p names, optional
    unit : str
        What the colours measure.
    shape : (height, width), optional
        Draw the weights of each class as an image of that many pixels; of many models at most 100 images.

    Raises
    ------
    UsageError
        If an image of ``shape`` has not as many pixels as there are features.
    DataError
        If there is no model, or they differ in classes or features.
    """

    def __init__(
        self,
        models: Mapping[str, ArrayLike],
        classes: Sequence[object] | NDArray[Any],
        feature_names: Sequence[object] | NDArray[Any] | None = None,
        *,
        unit: str = "logits per unit of the feature",
        shape: tuple[int, int] | None = None,
    ) -> None:
        self.models = {name: WeightsDisplay(W, classes, feature_names, unit=unit) for name, W in models.items()}
        sizes = {model.coef.shape for model in self.models.values()}
        if len(sizes) != 1:
            finding = "models of different classes or features" if sizes else "no model"
            raise DataError(f"nothing to draw: {finding}")
        ((self._K, p),) = sizes
        check_shape(shape, p)
        self.unit, self.shape = unit, shape

    def plot(self, ax: Axes | None = None, **image_options: Any) -> Self:
        """Draw the panels in the place of ``ax`` or on a new figure; ``image_options`` go to ``Axes.imshow``."""
        return super().plot(ax, **image_options)

    def _grid(self) -> tuple[int, int]:
        """Images across and down in each panel."""
        shown = min(self._K, self._most)
        across = min(shown, _ACROSS)
        return across, -(-shown // across)

    @property
    def _most(self) -> int:
        """Images of a model, of many classes in full rows."""
        return max(MOST_IMAGES // len(self.models) // _ACROSS, 1) * _ACROSS

    def _size(self, **options: Any) -> tuple[float, float]:
        M = len(self.models)
        if self.shape is None:
            first = next(iter(self.models.values()))
            names = 0.075 * max(map(len, drawables(first.feature_names or [""], NAME_LIMIT)))
            # Names of features stand once, under the last panel.
            each = min(max(0.27 * self._K, 0.7), max(2.0, 9.0 / M))
            return first._size()[0], M * (each + 0.3) + names + 0.5
        across, down = self._grid()
        side, tall = min(0.95, 7.4 / across), self.shape[0] / self.shape[1]
        # Tall images are made narrow rather than the figure endless.
        side = min(side, 12.0 / (M * down * tall))
        return max(1.08 * side * across, 2.2) + 0.9, M * (down * (tall * side + TITLE / 72 + 0.05) + 0.3) + 0.3

    def _draw(self, ax: Axes, **image_options: Any) -> None:
        panels = self._split(ax, len(self.models))
        colours = scale(max(model.largest for model in self.models.values())) | image_options
        shown, more = self._K if self.shape is None else min(self._K, self._most), ""
        if shown < self._K:
            more = f": the first {shown} of {self._K} classes"
        drawn = []
        for panel, (name, model) in zip(panels, self.models.items(), strict=True):
            title = drawable(name, 50) + more
            panel.set_title(title, loc="left", fontsize=9, **literal(title))
            if self.shape is None:
                drawn.append(model.draw_cells(panel, colours))
                panel.set_xlabel("feature" if panel is panels[-1] else "")
            else:
                drawn.append(model.draw_images(panel, self.shape, colours, *self._grid()))
        unit = drawable(self.unit, 50)
        bar = figure_of(ax).colorbar(drawn[-1], ax=panels, aspect=12.0 * len(panels), fraction=0.04, pad=0.02)
        bar.outline.set_visible(False)
        bar.set_label(f"weight ({unit})", **literal(unit))
        if self.shape is None:
            for panel in panels[:-1]:
                panel.tick_params(labelbottom=False)
            models = zip(panels, drawn, self.models.values(), strict=True)
            written = [model.name_features(panel, image) for panel, image, model in models]
            if not all(written):  # numbers in every panel or in none
                for text in (text for texts in written for text in texts):
                    text.remove()
