"""One row of the table, as a question: these data, this loss, this alpha; and what an answer to it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.objective import Weights


@dataclass(frozen=True)
class Row:
    """What is minimised, on how many threads, and how long one fit may take (seconds)."""

    set: str
    loss: str
    alpha: float
    intercept: bool
    threads: int
    limit: float
    rows: int
    columns: int
    classes: int
    storage: str
    spread: float

    @property
    def C(self) -> float:
        """The strength in scikit-learn's and LIBLINEAR's unit; two classes have one weight vector, w = W₁ - W₀."""
        return (2 if self.classes == 2 else 1) / (self.alpha * self.rows)

    @property
    def key(self) -> str:
        return f"{self.set} {self.loss}{'' if self.intercept else ' without intercept'} alpha={self.alpha:g}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Answer:
    """What a fit gave: weights, its own count of iterations, and whether asking for more would change nothing."""

    weights: Weights
    iterations: int
    exhausted: bool = False
    passes: float | None = None
    more: dict[str, Any] = field(default_factory=dict)
