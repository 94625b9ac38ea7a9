"""The cheapest setting of a solver that has no callback: the loosest dial whose answer is good enough.

A dial is a whole number from 1; a larger one asks for more (iterations, or a smaller tolerance).  It is doubled until
an answer reaches the accuracy, then bisected until it is known to a twentieth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

#: How finely the dial is searched: what a peer may lose to the search is a twentieth of its iterations.
RESOLUTION = 0.05
#: Doublings in a row without a lower objective after which a solver has ended, whatever it is asked: not before the
#: dial is at `PATIENCE`, for the first iterations of some do not descend.
FRUITLESS, PATIENCE = 3, 64


@dataclass(frozen=True)
class Try:
    """What one dial gave: F, the seconds of the fit, and whether a larger dial would change nothing."""

    dial: int
    objective: float
    seconds: float
    exhausted: bool = False
    more: dict[str, Any] = field(default_factory=dict)


@dataclass
class Ladder:
    """All the dials tried for one solver on one problem.

    Parameters
    ----------
    fit : dial -> Try, or None when the fit ran out of time
    largest : int
        The last dial there is.
    """

    fit: Callable[[int], Try | None]
    largest: int = 1 << 20
    tries: dict[int, Try | None] = field(default_factory=dict)

    def attempt(self, dial: int) -> Try | None:
        if dial not in self.tries:
            self.tries[dial] = self.fit(dial)
        return self.tries[dial]

    @property
    def best(self) -> Try | None:
        """The finished try of lowest objective."""
        return min((t for t in self.tries.values() if t is not None), key=lambda t: t.objective, default=None)

    def loosest(self, target: float, hint: int | None = None) -> Try | None:
        """The try of the smallest dial (to within `RESOLUTION`) whose F is at most ``target``; None if none does.

        A ``hint`` is where an instrumented run says it is; it is believed where the fit confirms it.
        """
        failed = max((d for d, t in self.tries.items() if t is not None and t.objective > target), default=0)
        if hint is not None and hint > failed:
            hit = self.attempt(min(hint, self.largest))
            if hit is not None and hit.objective <= target:
                return hit
            failed = max(failed, min(hint, self.largest))
        high = self._climb(target, failed)
        return None if high is None else self._bisect(target, failed, high)

    def _climb(self, target: float, failed: int) -> Try | None:
        known = [t for t in self.tries.values() if t is not None and t.dial > failed and t.objective <= target]
        if known:
            return min(known, key=lambda t: t.dial)
        stop = min((d for d, t in self.tries.items() if t is None), default=self.largest + 1)
        dial, fruitless, lowest = max(1, failed), 0, float("inf")
        if failed:
            before = self.tries.get(failed)
            if before is not None and before.exhausted:
                return None
            dial = min(2 * failed, self.largest)
        while failed < dial < stop:
            got = self.attempt(dial)
            if got is None:
                return None
            if got.objective <= target:
                return got
            fruitless = fruitless + 1 if dial > PATIENCE and got.objective >= lowest * (1 - 1e-12) else 0
            lowest = min(lowest, got.objective)
            if got.exhausted or fruitless >= FRUITLESS:
                return None
            failed, dial = dial, min(2 * dial, self.largest)
        return None

    def _bisect(self, target: float, failed: int, high: Try) -> Try:
        missed = (d for d, t in self.tries.items() if t is None or t.objective > target)
        low = max((d for d in missed if d < high.dial), default=failed)
        while high.dial - low > max(1.0, RESOLUTION * high.dial):
            middle = self.attempt((low + high.dial) // 2)
            if middle is not None and middle.objective <= target:
                high = middle
            else:
                low = (low + high.dial) // 2
        return high
