"""Which class a model gives to each point of a plane."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softreg.errors import DataError
from softreg.plots.curves import legend_beside
from softreg.plots.panels import PanelsDisplay, across_for
from softreg.plots.style import COLOURS, MARKERS, drawable, drawables, literal
from softreg.text import percent, safe_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: From points (m, 2) to codes (m,) of classes.
Predict = Callable[[NDArray[np.float64]], ArrayLike]

_GRID = 240
_MOST_POINTS = 600
_MOST_CLASSES = 14
_TINT = 0.22


class RegionsDisplay(PanelsDisplay):
    """What models of two features decide, one panel a model: regions, their boundaries, and the rows.

    Colour and marker say a row's true class; rows on the wrong side are ringed.  Of many rows a sample
    evenly spaced in the table is drawn; the share wrong in the title is that of all.

    Parameters
    ----------
    models : mapping of str to array (3, K) or function
        For each model its W, last row the intercept, or a function from points (m, 2) to class codes (m,).
    X : array (n, 2)
    y : array (n,) of class codes
    classes : sequence of K labels
    feature_names : sequence of 2 names
    """

    def __init__(
        self,
        models: Mapping[str, ArrayLike | Predict],
        X: ArrayLike,
        y: ArrayLike,
        classes: Sequence[object] | NDArray[Any],
        feature_names: Sequence[object] = ("first feature", "second feature"),
    ) -> None:
        self.X, self.y = np.asarray(X, dtype=np.float64), np.asarray(y)
        self.classes, self.feature_names = list(classes), list(feature_names)
        if self.X.ndim != 2 or self.X.shape[1] != 2 or len(self.X) != len(self.y) or not len(self.y):
            raise DataError(f"rows of shape {self.X.shape} for {len(self.y)} classes: not (n, 2), n at least 1")
        if not np.isfinite(self.X).all():
            raise DataError("rows must be finite")
        if not np.issubdtype(self.y.dtype, np.integer) or self.y.min() < 0 or self.y.max() >= len(self.classes):
            raise DataError(f"class codes must be whole numbers from 0 to {len(self.classes) - 1}")
        if len(self.feature_names) != 2:
            raise DataError(f"{len(self.feature_names)} feature names for 2 features")
        if not models:
            raise DataError("nothing to draw: no model")
        self.models: dict[str, NDArray[np.float64] | Predict] = {}
        for name, model in models.items():
            if not callable(model):
                model = np.asarray(model, dtype=np.float64)
                if model.shape != (3, len(self.classes)):
                    finding = f"weights of shape {model.shape}: not (3, {len(self.classes)})"
                    raise DataError(f"{safe_text(name, 40)}: {finding}")
            self.models[name] = model

    @classmethod
    def from_models(
        cls,
        models: Mapping[str, ArrayLike | Predict],
        X: ArrayLike,
        y: ArrayLike,
        classes: Sequence[object] | NDArray[Any],
        feature_names: Sequence[object] = ("first feature", "second feature"),
        *,
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """The picture of models of two features; ``options`` go to `plot`."""
        return cls(models, X, y, classes, feature_names).plot(ax, **options)

    def plot(self, ax: Axes | None = None, **point_options: Any) -> Self:
        """Draw the panels in the place of ``ax`` or on a new figure; ``point_options`` go to ``Axes.plot``."""
        return super().plot(ax, **point_options)

    def _size(self, **options: Any) -> tuple[float, float]:
        across = across_for(len(self.models), 3)
        return 1.7 + 2.45 * max(across, 1.5), 0.4 + 2.6 * -(-len(self.models) // across)

    def _draw(self, ax: Axes, **point_options: Any) -> None:
        across = across_for(len(self.models), 3)
        *panels, side = self._split(ax, len(self.models), across, beside=True)
        low, high = self.X.min(axis=0), self.X.max(axis=0)
        pad = np.where(high > low, 0.06 * (high - low), 0.5)
        (left, bottom), (right, top) = low - pad, high + pad
        grid = np.meshgrid(np.linspace(left, right, _GRID), np.linspace(bottom, top, _GRID))
        points = np.column_stack([axis.ravel() for axis in grid])
        names = drawables(self.feature_names)
        for i, (panel, (name, model)) in enumerate(zip(panels, self.models.items(), strict=True)):
            codes, depth = _decided(model, points, len(self.classes))
            self._tint(panel, grid, codes.reshape(_GRID, _GRID), depth)
            wrong = _decided(model, self.X, len(self.classes))[0] != self.y
            self._rows(panel, wrong, point_options)
            panel.set_xlim(left, right)
            panel.set_ylim(bottom, top)
            title = f"{drawable(name, 22)}: {percent(float(wrong.mean()))} wrong"
            panel.set_title(title, loc="left", fontsize=8.5, **literal(title))
            panel.spines[:].set_visible(True)
            if i + across >= len(panels):
                panel.set_xlabel(names[0], **literal(names[0]))
            if i % across == 0:
                panel.set_ylabel(names[1], **literal(names[1]))
            panel.tick_params(labelbottom=i + across >= len(panels), labelleft=i % across == 0)
        self._legend(side)

    def _tint(self, panel: Axes, grid: Sequence[NDArray[Any]], codes: NDArray[Any], depth: NDArray[Any] | None) -> None:
        palette = 1 - _TINT * (1 - np.array([_rgb(k) for k in range(len(self.classes))]))
        xs, ys = grid
        extent = (xs.min(), xs.max(), ys.min(), ys.max())
        panel.imshow(palette[codes], extent=extent, origin="lower", aspect="auto", interpolation="nearest", zorder=0)
        for k in np.unique(codes):
            # Where a class's score leads by nothing; of a function only its answers are known.
            lead = np.where(codes == k, 1.0, -1.0) if depth is None else depth[k].reshape(codes.shape)
            if (lead > 0).any() and (lead < 0).any():
                panel.contour(xs, ys, lead, levels=[0.0], colors="#333333", linewidths=0.9, zorder=1)

    def _rows(self, panel: Axes, wrong: NDArray[np.bool_], options: dict[str, Any]) -> None:
        n = len(self.y)
        drawn = np.unique(np.linspace(0, n - 1, min(n, _MOST_POINTS)).round().astype(int))
        manner: dict[str, Any] = {"markersize": 4.2, "markeredgecolor": "white", "markeredgewidth": 0.4} | options
        for k in np.unique(self.y[drawn]).tolist():
            rows = drawn[self.y[drawn] == k]
            panel.plot(*self.X[rows].T, _marker(k), color=COLOURS[k % len(COLOURS)], zorder=2, **manner)
        rings = drawn[wrong[drawn]]
        # Where many are wrong, fine rings: the rows must stay visible.
        ring: dict[str, Any] = {"markersize": 8.5, "markeredgewidth": 0.9 if len(rings) < 60 else 0.4}
        panel.plot(*self.X[rings].T, "o", markerfacecolor="none", color="black", **ring)

    def _legend(self, ax: Axes) -> None:
        from matplotlib.lines import Line2D

        # Of many classes those with most rows.
        counts = np.bincount(self.y, minlength=len(self.classes))
        named = sorted(np.argsort(-counts, kind="stable")[:_MOST_CLASSES].tolist())
        labels = [drawable(self.classes[k]) for k in named]
        keys = [Line2D([], [], linestyle="", marker=_marker(k), color=COLOURS[k % len(COLOURS)]) for k in named]
        if len(self.classes) > len(named):
            labels.append(f"and {len(self.classes) - len(named)} more")
            keys.append(Line2D([], [], linestyle=""))
        labels.append("classified wrongly")
        keys.append(Line2D([], [], linestyle="", marker="o", markersize=8.5, color="black", fillstyle="none"))
        # By their places, for two classes may look the same once they are drawable.
        legend = legend_beside(ax, {str(i): key for i, key in enumerate(keys)})
        for text, label in zip(legend.get_texts(), labels, strict=True):
            text.set(text=label, **literal(label))


def _decided(
    model: NDArray[np.float64] | Predict, points: NDArray[np.float64], n_classes: int
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Codes (m,) of the classes chosen, and by how much each class's score leads (K, m) if there are scores."""
    if callable(model):
        return np.asarray(model(points)), None
    Z = points @ model[:-1] + model[-1]
    if n_classes == 1:
        return np.zeros(len(points), dtype=int), None
    two = np.sort(Z, axis=1)[:, -2:]
    best = Z.argmax(axis=1)
    others = np.repeat(two[:, 1:], n_classes, axis=1)
    others[np.arange(len(Z)), best] = two[:, 0]
    return best, (Z - others).T


def _marker(k: int) -> str:
    # Seven colours and eight markers have no common factor: 56 classes look different.
    return MARKERS[k % len(MARKERS)]


def _rgb(k: int) -> tuple[float, float, float]:
    code = COLOURS[k % len(COLOURS)]
    return int(code[1:3], 16) / 255, int(code[3:5], 16) / 255, int(code[5:7], 16) / 255
