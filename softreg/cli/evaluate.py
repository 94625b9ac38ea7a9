"""``softreg evaluate``: how good a model is on rows whose labels are known."""

from __future__ import annotations

from typing import Annotated

import typer

from softreg.cli.options import Manner, Model, Tables
from softreg.cli.printing import narrate, result


def evaluate(
    model: Model,
    data: Tables,
    require: Annotated[
        list[str] | None,
        typer.Option(
            "--require",
            metavar="CONDITION",
            help="Exit 8 unless 'accuracy>=0.95', say; repeatable.",
            show_default=False,
        ),
    ] = None,
    top_k: Annotated[
        int | None,
        typer.Option("--top-k", metavar="K", help="Is a row's class among its K likeliest?", show_default=False),
    ] = None,
    *,
    manner: Manner,
) -> None:
    """Score a model on rows whose labels are known."""
    from softreg import report, workflows

    scored = workflows.evaluate(model, data[0] if len(data) == 1 else data, require or (), top_k)
    if manner.json:
        result(report.to_json("evaluate", scored))
    elif not manner.quiet:
        result(report.evaluation_text(scored))
    for warning in scored.warnings:
        narrate(f"warning: {warning}")
    workflows.check_required(scored)
