"""The lowest F known for each problem, kept on disk: found once, lowered whenever any solver gets below it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from benchmarks.row import Row
from softreg.files import atomic_write


@dataclass(frozen=True)
class Reference:
    """F, how far above its minimum it can be (relative, proved by softreg's certificate) and who found it."""

    objective: float
    gap: float | None
    by: str

    def suboptimality(self, objective: float) -> float:
        """How far ``objective`` is above, relative to the reference."""
        return (objective - self.objective) / self.objective


class References:
    """A JSON file of references, by the numbers of the data, the loss, alpha and whether there is an intercept."""

    def __init__(self, cache: Path) -> None:
        self.path = cache / "references.json"
        self.known: dict[str, Reference] = {}
        if self.path.exists():
            stored = json.loads(self.path.read_text(encoding="utf-8"))
            self.known = {key: Reference(**value) for key, value in stored.items()}

    @staticmethod
    def key(fingerprint: str, row: Row) -> str:
        return f"{fingerprint} {row.loss} {row.alpha:g} {'intercept' if row.intercept else 'no intercept'}"

    def get(self, key: str) -> Reference | None:
        return self.known.get(key)

    def lower(self, key: str, found: Reference) -> Reference:
        """Keep ``found`` if it is lower than what is known; the lowest there is now.

        A proof holds for a lower point too: what was proved of the old point's distance, less what was gained.
        """
        old = self.known.get(key)
        if old is not None and found.objective >= old.objective:
            return old
        if old is not None and old.gap is not None:
            left = max(0.0, old.gap * old.objective - (old.objective - found.objective)) / found.objective
            gap = left if found.gap is None else min(left, found.gap)
            found = Reference(found.objective, gap, found.by)
        self.known[key] = found
        with atomic_write(self.path, "w") as file:
            json.dump({k: vars(v) for k, v in self.known.items()}, file, indent=1)
        return found
