"""Plain hinges, which have kinks, by a smooth solver on a smoothed loss whose temperature falls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from softreg.minimise import Iterate, Solver
from softreg.objective import Objective

Array = NDArray[Any]


@dataclass(frozen=True)
class Smoothing:
    """Minimise F with max(·) smoothed at temperature t, warm-started, for t falling by ``factor`` (Nesterov 2005).

    The dual point of the smoothed loss is feasible for the plain one, so each iterate carries a certificate of
    the *unsmoothed* objective; a temperature is left once its own part of that gap is the smaller one.
    """

    inner: Solver
    start: float = 1.0
    factor: float = 0.3
    end: float = 1e-9
    limit: int = 2000

    @property
    def name(self) -> str:
        return self.inner.name

    def iterates(self, objective: Objective, W0: Array) -> Iterator[Iterate]:
        W, temperature = W0, self.start
        first = True
        while temperature > self.end:
            smooth = objective.with_loss(objective.loss.smoothed(temperature))  # type: ignore[attr-defined]
            for n, iterate in enumerate(self.inner.iterates(smooth, W)):
                W = iterate.W
                if n == 0 and not first:
                    continue
                first = False
                witness = replace(iterate.witness, temperature=temperature)
                here = objective.certify(W, witness)
                yield Iterate(W, here.value, here.gradient, iterate.step, here.certificate, witness)
                own = smooth.natural_certificate(W, iterate.value, iterate.gradient)
                if iterate.certificate is not None and iterate.certificate.value < own.value:
                    own = iterate.certificate
                if own.gap is None or here.certificate.gap is None:
                    settled = own.kkt <= 0.1 * temperature
                else:
                    settled = own.gap <= 0.5 * here.certificate.gap
                if settled or n >= self.limit:
                    break
            temperature *= self.factor
