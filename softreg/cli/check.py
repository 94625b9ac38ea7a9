"""``softreg check``: what to know of a table before anything is learned from it."""

from __future__ import annotations

from typing import Any

from softreg.cli.options import CONFIG, TABLES, TARGET, Manner, OptionalTables, takes
from softreg.cli.printing import result

_RUN = {"target": TARGET["target"], "group": TARGET["group"], **TABLES}


@takes(run=_RUN)
def check(data: OptionalTables = None, *, run: dict[str, Any], config: CONFIG = None, manner: Manner) -> None:
    """Look at a table before learning from it: findings, each with advice."""
    from softreg import report, workflows
    from softreg.config import configure
    from softreg.errors import UsageError

    given = {"data": data[0] if len(data) == 1 else data, **run} if data else run
    asked = configure(given, config, ["data", *_RUN], "softreg check").run
    if asked.data is None:
        raise UsageError("check: which table? (softreg check DATA --target COLUMN)")
    checked = workflows.check(asked.data, target=asked.target, group=asked.group, options=asked.tables)
    if manner.json:
        result(report.to_json("check", checked))
    elif not manner.quiet:
        result(report.check_text(checked))
