"""``softreg compare``: models on the same rows, and whether they differ."""

from __future__ import annotations

import shlex
import sys
from typing import Annotated, Any

import typer

from softreg.cli.options import COMPARE, CONFIG, LOSS, SETTINGS, Manner, OptionalTables, takes, text_option
from softreg.cli.printing import narrate, result

#: Early stopping is for a fit that need not arrive.
_SETTINGS = {
    **{name: option for name, option in SETTINGS.items() if name not in ("early_stopping", "n_iter_no_change")},
    "tol": text_option("tol", "NUMBER", "Target of every certificate, relative; 1e-4."),
}


@takes(run=COMPARE, settings={"squared": LOSS["squared"], **_SETTINGS})
def compare(
    data: OptionalTables = None,
    *,
    run: dict[str, Any],
    settings: dict[str, Any],
    config: CONFIG = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 6 if a model fails or is not certified.", show_default=False)
    ] = False,
    manner: Manner,
) -> None:
    """Fit models to the same rows of a table, and test whether they differ."""
    from softreg import report, workflows
    from softreg.cli.progress import Count
    from softreg.config import CompareRun, configure
    from softreg.errors import UsageError
    from softreg.text import safe_text

    given = {"data": data[0] if len(data) == 1 else data, **run, **settings} if data else {**run, **settings}
    keys = ["data", *COMPARE, "squared", *_SETTINGS]
    asked = configure(given, config, keys, "softreg compare", CompareRun)
    if asked.run.data is None:
        raise UsageError("compare: which table is to be learned from? (softreg compare DATA --target COLUMN)")
    for sentence in asked.idle:
        narrate(f"warning: {sentence}")
    silent = manner.json or manner.quiet
    with Count(silent=silent) as count:
        compared = workflows.compare(
            asked.run.data,
            settings=asked.settings,
            run=asked.run,
            command=shlex.join(["softreg", *sys.argv[1:]]),
            on_data=count.on_data,
            on_progress=count.on_progress,
        )
    if manner.json:
        result(report.to_json("compare", compared))
    elif not manner.quiet:
        result(report.comparison_text(compared.comparison))
        if compared.saved:
            narrate(report.line("saved", safe_text(", ".join(compared.saved), 240)))
    for warning in compared.warnings:
        narrate(f"warning: {warning}")
    if strict:
        workflows.check_strict(compared.comparison)
