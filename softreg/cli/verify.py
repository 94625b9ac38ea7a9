"""``softreg verify``: does what a model file claims hold on its training data?"""

from __future__ import annotations

from softreg.cli.options import Manner, Model, Tables
from softreg.cli.printing import narrate, result


def verify(model: Model, data: Tables, *, manner: Manner) -> int:
    """Recompute from the data what a model file claims."""
    from softreg import report, workflows

    verified = workflows.verify(model, data[0] if len(data) == 1 else data)
    if manner.json:
        result(report.to_json("verify", verified))
    elif not manner.quiet:
        for note in verified.notes:
            narrate(report.line("note", note))
        result(report.verification_text(verified))
    for warning in verified.warnings:
        narrate(f"warning: {warning}")
    if verified.holds:
        return 0
    narrate(f"error: {verified.message}")
    return 6
