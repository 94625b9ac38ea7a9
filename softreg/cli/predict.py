"""``softreg predict``: a label, and probabilities, for each row of a table."""

from __future__ import annotations

from typing import Annotated

import typer

from softreg.cli.options import Manner, Model, Table
from softreg.cli.printing import narrate, result, write_bytes


def predict(
    model: Model,
    data: Table,
    proba: Annotated[
        bool, typer.Option("--proba", help="Add a column p[class] for each class (softmax).", show_default=False)
    ] = False,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Write the CSV here.", show_default=False)
    ] = None,
    *,
    manner: Manner,
) -> None:
    """Label the rows of a table, as CSV."""
    from softreg import report, workflows
    from softreg.files import atomic_write, check_writable, refuse_same_file
    from softreg.text import safe_text

    if output is not None:
        refuse_same_file(output, [model, data])
        check_writable(output)
    predicted = workflows.predict(model, data, proba=proba)
    if output is not None:
        with atomic_write(output) as file:
            for block in report.csv_blocks(predicted):
                file.write(block)
        if not (manner.quiet or manner.json):
            narrate(f"saved      {safe_text(output)}: {predicted.n} rows")
    if manner.json:
        result(report.to_json("predict", predicted))
    elif output is None:
        for block in report.csv_blocks(predicted):
            write_bytes(block)
    if not (manner.quiet or manner.json):
        for note in predicted.notes:
            narrate(report.line("note", note))
    for warning in predicted.warnings:
        narrate(f"warning: {warning}")
