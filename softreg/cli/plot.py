"""``softreg plot``: draw what a fit did, or what a model is."""

from __future__ import annotations

from typing import Annotated

import typer

from softreg.cli.options import Manner
from softreg.cli.printing import narrate, result
from softreg.errors import UsageError

KINDS = ("loss", "convergence", "confusion", "roc", "pr", "reliability", "weights")


def plot(
    kind: Annotated[str, typer.Argument(metavar="KIND", help=f"{', '.join(KINDS[:-1])} or {KINDS[-1]}.")],
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Models, or --history files; MODEL DATA for confusion, roc, pr and reliability.",
        ),
    ],
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help=".png, .svg or .pdf.", show_default=False)
    ] = None,
    x: Annotated[
        str | None, typer.Option("--x", metavar="CLOCK", help="iteration, passes or seconds.", show_default=False)
    ] = None,
    shape: Annotated[
        str | None,
        typer.Option(
            "--shape", metavar="HxW", help="Weights as images of this shape, such as 8x8.", show_default=False
        ),
    ] = None,
    *,
    manner: Manner,
) -> None:
    """Draw curves of a fit or of predictions, a confusion matrix, or weights."""
    from softreg.text import nearest, safe_text

    if kind not in KINDS:
        meant = nearest(kind, KINDS)
        raise UsageError(
            f"plot {safe_text(kind, 40)}: one of {', '.join(KINDS)}" + (f" (did you mean {meant}?)" if meant else "")
        )
    if output is None:
        raise UsageError(f"plot {kind}: where to? (add --output {kind}.png)")
    from softreg import report, workflows

    drawn = workflows.plot(kind, inputs, output=output, x=x, shape=shape)
    if manner.json:
        result(report.to_json("plot", drawn))
    elif not manner.quiet:
        for note in drawn.notes:
            narrate(report.line("note", note))
        narrate(report.line("saved", safe_text(output, 240)))
