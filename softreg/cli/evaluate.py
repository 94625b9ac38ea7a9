"""``softreg evaluate``: how good a model is on rows whose labels are known."""

from __future__ import annotations

from softreg.cli.options import Manner, Model, Table
from softreg.cli.printing import narrate, result


def evaluate(model: Model, data: Table, *, manner: Manner) -> None:
    """Score a model on rows whose labels are known."""
    from softreg import report, workflows

    scored = workflows.evaluate(model, data)
    if manner.json:
        result(report.to_json("evaluate", scored))
    elif not manner.quiet:
        result(report.evaluation_text(scored))
    for warning in scored.warnings:
        narrate(f"warning: {warning}")
