"""``softreg env``: what a fit will run on here, and the one setting that would make it faster, if there is one."""

from __future__ import annotations

from typing import Annotated

import typer

from softreg.cli.options import Manner
from softreg.cli.printing import result


def env(
    measure: Annotated[
        bool,
        typer.Option("--measure", help="Measure memory and products too: two seconds.", show_default=False),
    ] = False,
    *,
    manner: Manner,
) -> None:
    """Show what a fit runs on: versions, cores, BLAS."""
    from softreg import report, workflows

    found = workflows.env(measure=measure)
    if manner.json:
        result(report.to_json("env", found))
    elif not manner.quiet:
        result(found.to_text())
