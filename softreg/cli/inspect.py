"""``softreg inspect``: what a model file holds."""

from __future__ import annotations

from typing import Annotated

import typer

from softreg.cli.options import Manner, Model
from softreg.cli.printing import result


def inspect(
    model: Model,
    top: Annotated[int, typer.Option("--top", metavar="COUNT", help="Weights shown for each class; 5.")] = 5,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a page in Markdown.", show_default=False)] = False,
    *,
    manner: Manner,
) -> None:
    """Show a model's recipe, weights, settings, provenance and certificate."""
    from softreg import report, workflows

    inspected = workflows.inspect(model, top)
    if manner.json:
        result(report.to_json("inspect", inspected))
    elif not manner.quiet:
        result(report.inspection_markdown(inspected) if markdown else report.inspection_text(inspected))
