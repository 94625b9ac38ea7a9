"""``softreg gradcheck``: is the gradient the derivative of the objective, on these data?"""

from __future__ import annotations

from typing import Any

from softreg.cli.options import CONFIG, LOSS, SETTINGS, TABLES, TARGET, Manner, OptionalTables, takes
from softreg.cli.printing import result

_RUN = {"target": TARGET["target"], **TABLES}


@takes(run=_RUN, settings={**LOSS, **SETTINGS})
def gradcheck(
    data: OptionalTables = None,
    *,
    run: dict[str, Any],
    settings: dict[str, Any],
    config: CONFIG = None,
    manner: Manner,
) -> None:
    """Check the gradient against the objective itself."""
    from softreg import report, workflows
    from softreg.config import configure
    from softreg.errors import FitError, UsageError

    given = {"data": data[0] if len(data) == 1 else data, **run, **settings} if data else {**run, **settings}
    asked = configure(given, config, ["data", *_RUN, *LOSS, *SETTINGS], "softreg gradcheck")
    if asked.run.data is None:
        raise UsageError("gradcheck: which table? (softreg gradcheck DATA --target COLUMN)")
    run_ = asked.run
    checked = workflows.gradcheck(run_.data, target=run_.target, settings=asked.settings, options=run_.tables)
    if manner.json:
        result(report.to_json("gradcheck", checked))
    elif not manner.quiet:
        result(checked.to_text())
    if not checked.passed:
        raise FitError(checked.verdict)
