"""Gradcheck: is the gradient of the objective on these data its derivative?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from softreg.gradcheck import GradientCheck
from softreg.gradcheck import gradcheck as check_gradient
from softreg.tables import TableOptions, label_text
from softreg.tables.opening import Paths
from softreg.training import Settings, build
from softreg.workflows.inputs import describe, read_training
from softreg.workflows.preparing import part_of


@dataclass(frozen=True)
class GradcheckResult:
    """A `GradientCheck` and the names of what was checked."""

    check: GradientCheck
    data: str
    feature_names: Sequence[str]
    classes: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return self.check.passed

    @property
    def verdict(self) -> str:
        return self.check.verdict

    def to_text(self) -> str:
        """The verdict, the Taylor line and the worst entries by name."""
        return self.check.to_text(self.feature_names, self.classes)

    def to_json(self) -> dict[str, Any]:
        """Plain values only; entries by number and by name."""
        values = self.check.to_json()
        names = (*self.feature_names, "intercept")
        for entry in values["entries"]:
            entry["feature_name"] = names[entry["feature"]]
            entry["class_name"] = self.classes[entry["class_index"]]
        return {"data": self.data, **values}


def gradcheck(
    data: Paths,
    *,
    target: str | None = None,
    settings: Settings | None = None,
    options: TableOptions | None = None,
) -> GradcheckResult:
    """Check the gradient of the objective that ``fit`` would minimise, at a random point.

    Parameters
    ----------
    data, target, settings, options
        As for `softreg.workflows.fit`; ``random_state`` seeds the point and the directions.

    Raises
    ------
    UsageError, DataError
    """
    settings = settings or Settings()
    rows = read_training(data, target, options=options)
    part = part_of(rows)
    problem = build(part.X, part.y, part.weight, settings, len(rows.classes))
    check = check_gradient(problem.objective, seed=settings.random_state)
    names = tuple(label_text(label) for label in rows.classes.tolist())
    return GradcheckResult(check, describe(rows), rows.table.feature_names, names)
