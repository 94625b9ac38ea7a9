"""``softreg gradcheck``: is the gradient the derivative of the objective, on these data?"""

from __future__ import annotations

from typing import Any

from softreg.cli.options import CONFIG, LOSS, SETTINGS, TARGET, Manner, OptionalTable, takes
from softreg.cli.printing import result


@takes(run={"target": TARGET["target"]}, settings={**LOSS, **SETTINGS})
def gradcheck(
    data: OptionalTable = None,
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

    given = {**run, **settings} if data is None else {"data": data, **run, **settings}
    asked = configure(given, config, ["data", "target", *LOSS, *SETTINGS], "softreg gradcheck")
    if asked.run.data is None:
        raise UsageError("gradcheck: which table? (softreg gradcheck DATA --target COLUMN)")
    checked = workflows.gradcheck(asked.run.data, target=asked.run.target, settings=asked.settings)
    if manner.json:
        result(report.to_json("gradcheck", checked))
    elif not manner.quiet:
        result(checked.to_text())
    if not checked.passed:
        raise FitError(checked.verdict)
