"""``softreg evaluate``: how good a model is on rows whose labels are known."""

from __future__ import annotations

from typing import Annotated

import typer

from softreg.cli.options import Manner, Model, Table
from softreg.cli.printing import narrate, result


def evaluate(
    model: Model,
    data: Table,
    require: Annotated[
        list[str] | None,
        typer.Option(
            "--require",
            metavar="CONDITION",
            help="Exit 8 unless 'accuracy>=0.95', say; repeatable.",
            show_default=False,
        ),
    ] = None,
    *,
    manner: Manner,
) -> None:
    """Score a model on rows whose labels are known."""
    from softreg import report, workflows

    scored = workflows.evaluate(model, data, require or ())
    if manner.json:
        result(report.to_json("evaluate", scored))
    elif not manner.quiet:
        result(report.evaluation_text(scored))
    for warning in scored.warnings:
        narrate(f"warning: {warning}")
    workflows.check_required(scored)
