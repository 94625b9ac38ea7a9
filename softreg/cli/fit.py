"""``softreg fit``: from a table to a certified model."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from softreg.cli.options import CONFIG, LOSS, RUN, SETTINGS, TABLES, Manner, OptionalTables, takes
from softreg.cli.printing import narrate, result


@takes(run={**RUN, **TABLES}, settings={**LOSS, **SETTINGS})
def fit(
    data: OptionalTables = None,
    *,
    run: dict[str, Any],
    settings: dict[str, Any],
    config: CONFIG = None,
    print_config: Annotated[
        bool,
        typer.Option("--print-config", help="Print the effective configuration as TOML, and stop.", show_default=False),
    ] = False,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Exit 6 and save no model unless it is certified.", show_default=False),
    ] = False,
    manner: Manner,
) -> int:
    """Fit a model to a table, with a certificate and metrics."""
    from softreg.config import configure
    from softreg.errors import UsageError
    from softreg.text import safe_text

    given = {"data": data[0] if len(data) == 1 else data, **run, **settings} if data else {**run, **settings}
    asked = configure(given, config)
    if print_config:
        result(asked.to_toml())
        return 0
    if asked.run.data is None:
        raise UsageError("fit: which table is to be learned from? (softreg fit DATA --target COLUMN)")
    for sentence in asked.idle:
        narrate(f"warning: {sentence}")
    from softreg import report, workflows
    from softreg.cli.progress import Watch

    with Watch(silent=manner.json or manner.quiet) as watch:
        fitted = workflows.fit(
            asked.run.data,
            target=asked.run.target,
            settings=asked.settings,
            validation=asked.run.validation,
            validation_fraction=asked.run.validation_fraction,
            group=asked.run.group,
            options=asked.run.tables,
            tune=asked.run.tune,
            output=asked.run.output,
            plot=asked.run.plot,
            history=asked.run.history,
            strict=strict,
            progress=watch.progress,
            on_plan=watch.on_plan,
            on_tuning=watch.on_tuning,
        )
    if manner.json:
        result(report.to_json("fit", fitted))
    elif not manner.quiet:
        result(report.outcome_text(fitted))
        narrate(report.after_text(fitted))
    for warning in fitted.warnings:
        narrate(f"warning: {warning}")
    if fitted.signal is None:
        return 0
    kept = fitted.interrupted_path
    narrate(
        "interrupted: nothing was saved (with --output the best model so far is)"
        if kept is None
        else f"interrupted: the best model so far is in {safe_text(kept, 240)}"
    )
    return 128 + fitted.signal
