"""Which pictures the report shows, and what there is to see in each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from softreg.errors import DataError
from softreg.html.writing import text
from softreg.plots.comparison import COMPARISON_PICTURES, histories
from softreg.plots.display import Display
from softreg.plots.inline import inline_svg
from softreg.plots.loss import LossDisplay

if TYPE_CHECKING:
    from softreg.comparison import Comparison


class Picture(NamedTuple):
    """A picture of the report: what draws it, its title, and what to see in it."""

    draw: Callable[[Comparison], Display]
    title: str
    caption: str


def _named(kind: str, **options: Any) -> Callable[[Comparison], Display]:
    return lambda c: COMPARISON_PICTURES[kind](c).plot(**options)


def _losses(unit: str) -> Callable[[Comparison], Display]:
    return lambda c: LossDisplay.from_histories(histories(c, unit), unit=unit)


METRICS = Picture(
    _named("metrics"),
    "Every metric with its 95 % interval",
    "Intervals of two models may overlap although the difference between them is sure: the rows are the same, so the "
    "differences below are what to judge by. Hollow points have no interval. More is better for accuracy, balanced "
    "accuracy and macro-F1, less for the others.",
)
DIFFERENCES = Picture(
    _named("differences"),
    "Differences from the reference",
    "An interval that crosses the line of zero is no evidence of a difference; one that does not is evidence only in "
    "the primary metric, which was chosen beforehand and corrected for the number of models.",
)
#: Groups of pictures that belong together, each with the sentence that leads to it.
STORY: tuple[tuple[str, str, tuple[Picture, ...]], ...] = (
    (
        "What each loss makes of its rows",
        "A hinge stops caring about a row once its margins are met: the row's gradient is exactly zero, and removing "
        "it would not move the model. Cross-entropy never does: every row pulls, however sure the model is of it.",
        (
            Picture(
                _named("margins"),
                "Margins of the training rows",
                "A hinge asks for its margin (dashed) and no more: rows gather just beyond it. Softmax has no such "
                "place and goes on pushing rows outwards. Left of the solid line rows are wrong.",
            ),
            Picture(
                _named("masses"),
                "Who still pulls at the model",
                "Rows sorted by gradient mass. A hinge's curve falls off a cliff to exactly 0: the rows before it are "
                "its support. That of softmax thins out, but reaches 0 nowhere.",
            ),
            Picture(
                _named("zero_gradient"),
                "Rows at rest while the models were fitted",
                "Share of training rows whose gradient is exactly zero, iterate by iterate: for softmax it stays at 0.",
            ),
            Picture(
                _named("norm"),
                "Length of the weights while the models were fitted",
                "With a penalty every curve levels out. Without one, on rows that can be separated, softmax would grow "
                "for ever, under gradient descent as the logarithm of the iteration, while a hinge stops at loss 0.",
            ),
        ),
    ),
    (
        "How the fits went",
        "Every objective is convex, so it has one least value, and a certificate says how near the fit came to it.",
        (
            Picture(_losses("nats per row"), "Softmax loss", "In nats: 0 would be certainty of the right class."),
            Picture(
                _losses("margin units per row"),
                "Hinge losses",
                "In units of the margin: not comparable with nats, nor the sum of Weston–Watkins with the maximum of "
                "Crammer–Singer.",
            ),
            Picture(
                _named("suboptimality", x="passes"),
                "Way left to the optimum, against work",
                "All losses on one axis: the objective above its lower bound, as a part of what it was at the start. A "
                "ringed end is certified.",
            ),
            Picture(
                _named("suboptimality", x="seconds"),
                "Way left to the optimum, against time",
                "The same against the solver's clock, without what was watched for these pictures.",
            ),
        ),
    ),
    (
        "What the models say",
        "Whether their probabilities can be believed, where they agree, and what they have learned.",
        (
            Picture(
                _named("reliability"),
                "Calibration",
                "Points on the diagonal: the model is right as often as it says. Below it, it is too sure of itself. "
                "Hollow points are softmax before calibration.",
            ),
            Picture(
                _named("agreement"),
                "Who is right on which rows",
                "Models that are right on the same rows differ little, whatever their metrics; the rows between “all "
                "right” and “all wrong” are those that decide.",
            ),
            Picture(
                _named("regions"),
                "Decision regions",
                "Colour and marker are the true class, the tint is the decision; ringed rows are wrong.",
            ),
            Picture(
                _named("weights"),
                "Weights",
                "One colour scale for all models: red speaks for the class, blue against it. A paler model has shorter "
                "weights, not worse ones.",
            ),
        ),
    ),
)


def figure(c: Comparison, picture: Picture, prefix: str) -> str:
    """The picture and its caption, or nothing where the comparison has nothing to show in it."""
    try:
        drawn = picture.draw(c)
    except DataError:
        return ""
    svg, width = inline_svg(drawn.figure_, prefix, picture.title)
    # Never larger than drawn; smaller where the page is narrow.
    svg = svg.replace("<svg ", f'<svg style="max-width:{width:.0f}px" ', 1)
    caption = f"<b>{text(picture.title)}.</b> {text(picture.caption)}"
    return f'<figure>\n<div class="scroll">\n{svg}\n</div>\n<figcaption>{caption}</figcaption>\n</figure>'
