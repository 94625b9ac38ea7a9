"""``softreg explain``: the worked table of one prediction, from logits or from a row of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from softreg.cli.options import Manner
from softreg.cli.printing import result
from softreg.errors import UsageError

if TYPE_CHECKING:
    from softreg.explain import RowExplanation, WorkedTable


def explain(
    model: Annotated[str | None, typer.Argument(metavar="[MODEL]", help="Model file that fit has saved.")] = None,
    data: Annotated[str | None, typer.Argument(metavar="[DATA]", help="Table that holds the row.")] = None,
    row: Annotated[
        str | None, typer.Option("--row", metavar="N", help="Which row of DATA; the first is 1.", show_default=False)
    ] = None,
    logits: Annotated[
        str | None, typer.Option("--logits", metavar="Z1,Z2,…", help="Logits instead of a row.", show_default=False)
    ] = None,
    label: Annotated[
        str | None,
        typer.Option("--label", metavar="K", help="Their true class; the first is 1.", show_default=False),
    ] = None,
    *,
    manner: Manner,
) -> None:
    """Work one prediction out by hand, from logits or a row."""
    given = [name for name, value in (("MODEL", model), ("DATA", data), ("--row", row)) if value is not None]
    if logits is not None or label is not None:
        if given:
            raise UsageError(
                f"explain takes --logits and --label, or MODEL DATA --row N: {given[0]} belongs to the other way"
            )
        if logits is None or label is None:
            missing = "--logits 3,4,1" if logits is None else "--label 2"
            raise UsageError(f"explain --logits and --label go together: add, for example, {missing}")
    elif model is None or data is None or row is None:
        raise UsageError("explain needs MODEL DATA --row N, or --logits 3,4,1 --label 2")
    from softreg import workflows
    from softreg.report import to_json

    explained: WorkedTable | RowExplanation
    if logits is not None and label is not None:
        explained = workflows.explain_logits(logits, label)
    else:
        assert model is not None
        assert data is not None
        explained = workflows.explain_row(model, data, _row(row))
    if manner.json:
        result(to_json("explain", explained))
    elif not manner.quiet:
        result(explained.to_text())


def _row(text: str | None) -> int:
    try:
        number = int(text or "")
    except ValueError:
        number = 0
    if number < 1:
        from softreg.text import safe_text

        raise UsageError(f"--row {safe_text(text, 40)}: a whole number is needed, the first row is 1")
    return number
