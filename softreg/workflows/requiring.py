"""Conditions on metrics, as ``--require 'accuracy>=0.95'`` says them: a gate for scripts."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from softreg.errors import GateError, UsageError
from softreg.text import nearest_or_all, safe_text

_SIGNS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True)
class Condition:
    """A metric, a sign and a number; ``text`` is how it was written."""

    metric: str
    sign: str
    bound: float
    text: str

    def holds(self, value: float) -> bool:
        """Whether it does of that value; of NaN nothing does."""
        return not math.isnan(value) and _SIGNS[self.sign](value, self.bound)


def parse_conditions(texts: Sequence[str], known: Sequence[str]) -> list[Condition]:
    """Conditions such as ``accuracy>=0.95``.

    Raises
    ------
    UsageError
        Not of that form, or no such metric: the nearest is named.
    """
    found = []
    for text in texts:
        shown = safe_text(text, 60)
        match = re.fullmatch(r"\s*([\w-]+)\s*(>=|<=|>|<)\s*(\S+)\s*", text)
        if match is None:
            raise UsageError(f"--require '{shown}': a metric, a sign and a number, such as 'accuracy>=0.95'")
        name = match[1].replace("-", "_")
        if name not in known:
            hint = nearest_or_all(name, list(known))
            raise UsageError(f"--require '{shown}': no metric '{safe_text(match[1], 40)}' ({hint})")
        try:
            bound = float(match[3])
        except ValueError:
            bound = math.nan
        if not math.isfinite(bound):
            raise UsageError(f"--require '{shown}': '{safe_text(match[3], 40)}' is not a number")
        found.append(Condition(name, match[2], bound, text.strip()))
    return found


def check_conditions(conditions: Sequence[Condition], values: Mapping[str, float]) -> None:
    """GateError that names every condition that does not hold, with the value there is."""
    failed = []
    for condition in conditions:
        value = values.get(condition.metric, math.nan)
        if not condition.holds(value):
            there = "has no value here" if math.isnan(value) else f"is {value:.6g}"
            failed.append(f"{safe_text(condition.text, 60)} (it {there})")
    if failed:
        raise GateError(f"--require: {'; '.join(failed)}")
