"""``softreg compare``: softmax and both hinges on one split, side by side."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from softreg.cli.options import CONFIG, SETTINGS, TARGET, Manner, OptionalTable, takes
from softreg.cli.printing import narrate, result


@takes(run=TARGET, settings=SETTINGS)
def compare(
    data: OptionalTable = None,
    *,
    run: dict[str, Any],
    settings: dict[str, Any],
    config: CONFIG = None,
    plot: Annotated[
        str | None,
        typer.Option("--plot", metavar="FILE", help="Draw their curves: .png, .svg or .pdf.", show_default=False),
    ] = None,
    manner: Manner,
) -> None:
    """Train softmax and both hinges on one split, side by side."""
    from softreg import report, workflows
    from softreg.cli.progress import Watch
    from softreg.config import configure
    from softreg.errors import UsageError
    from softreg.text import safe_text

    given = {**run, **settings} if data is None else {"data": data, **run, **settings}
    if plot is not None:
        given["plot"] = plot
    asked = configure(given, config, ["data", "plot", *TARGET, *SETTINGS], "softreg compare")
    if asked.run.data is None:
        raise UsageError("compare: which table is to be learned from? (softreg compare DATA --target COLUMN)")
    with Watch(silent=manner.json or manner.quiet) as watch:
        compared = workflows.compare(
            asked.run.data,
            target=asked.run.target,
            settings=asked.settings,
            validation_fraction=asked.run.validation_fraction,
            group=asked.run.group,
            plot=asked.run.plot,
            progress=watch.progress,
            on_plan=watch.on_plan,
        )
    if manner.json:
        result(report.to_json("compare", compared))
    elif not manner.quiet:
        result(report.comparison_text(compared))
        if compared.saved:
            narrate(report.line("saved", safe_text(", ".join(compared.saved), 240)))
    for warning in compared.warnings:
        narrate(f"warning: {warning}")
