"""How near the optimum the solver was, and when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from softreg.plots.curves import Clock, History, check_histories, draw_curves, set_title
from softreg.plots.display import Display
from softreg.plots.style import GREY, drawable, literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class ConvergenceDisplay(Display):
    """Certificate and gradient norm as the solver went on, on a logarithmic axis, with the target ``tol``.

    The certificate bounds the relative distance to the optimum from above; a run that ends below the
    line of ``tol`` is certified.  Values of exactly zero have no place on the axis and are left out.

    Parameters
    ----------
    histories : mapping of str to mapping
        For each run its label and its history: equal-length columns ``iteration``, ``passes``, ``seconds``,
        ``certificate`` and ``gradient_norm``, with None where a value is not known.
    tol : float, optional
        The target of the certificate, drawn as a labelled line.
    certificate : str
        What the certificate is: ``"relative gap"``, or ``"KKT residual"`` where there is no penalty.
    note : str, optional
        A line above the curves.
    """

    def __init__(
        self,
        histories: Mapping[str, History],
        *,
        tol: float | None = None,
        certificate: str = "relative gap",
        note: str | None = None,
    ) -> None:
        check_histories(histories)
        self.histories, self.tol, self.certificate, self.note = dict(histories), tol, certificate, note

    @classmethod
    def from_history(
        cls,
        history: History,
        label: str | None = None,
        *,
        tol: float | None = None,
        certificate: str = "relative gap",
        note: str | None = None,
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """The convergence of one run; ``label`` is its title, and ``options`` go to `plot`."""
        return cls({label or "": history}, tol=tol, certificate=certificate, note=note).plot(ax, **options)

    @classmethod
    def from_histories(
        cls,
        histories: Mapping[str, History],
        *,
        tol: float | None = None,
        certificate: str = "relative gap",
        note: str | None = None,
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """The convergence of several runs, overlaid; ``options`` go to `plot`."""
        return cls(histories, tol=tol, certificate=certificate, note=note).plot(ax, **options)

    def plot(self, ax: Axes | None = None, *, x: Clock = "iteration", **line_options: Any) -> Self:
        """Draw the curves; parameters and errors as in `LossDisplay.plot`."""
        return super().plot(ax, x=x, **line_options)

    def _draw(self, ax: Axes, *, x: Clock = "iteration", **line_options: Any) -> None:
        certificate = drawable(self.certificate, 40)
        kinds = {"certificate": (certificate, "-"), "gradient_norm": ("gradient norm", (0, (5, 1.5)))}
        ax.set_yscale("log")
        draw_curves(ax, self.histories, x, kinds, positive=True, **line_options)
        if self.tol is not None and self.tol > 0:
            ax.axhline(self.tol, color=GREY, linewidth=1.2, linestyle=(0, (6, 2, 1, 2)), zorder=2)
            # At the left, where every run is still far above it.
            ax.annotate(
                f"tol {self.tol:g}",
                xy=(0.0, self.tol),
                xycoords=ax.get_yaxis_transform(),
                xytext=(4, 2),
                textcoords="offset points",
                color=GREY,
                fontsize=8,
            )
        ax.set_ylabel(f"{certificate}, gradient norm", **literal(certificate))
        set_title(ax, next(iter(self.histories)) if len(self.histories) == 1 else None, self.note)
