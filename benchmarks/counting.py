"""scikit-learn's passes, F and iterations, seen from its loss functions in a run that is not timed.

Every solver of LogisticRegression but sag and saga asks `LinearModelLoss` for what it needs.  Its methods are
wrapped for the length of a block: each product with X, of however many columns, counts a half.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import wraps
from typing import Any
from unittest import mock


class Enough(Exception):
    """Ends a counted run: its time is over, or F is as low as was asked."""


@dataclass
class Trace:
    """A run as seen from outside: passes so far and the points (iteration, passes, seconds, F)."""

    target: float
    limit: float
    passes: float = 0.0
    iteration: int = 0
    points: list[tuple[int, float, float, float]] = field(default_factory=list)
    started: float = field(default_factory=time.perf_counter)

    def count(self, products: float) -> None:
        self.passes += products / 2
        if time.perf_counter() - self.started > self.limit:
            raise Enough

    def record(self, value: float) -> None:
        self.points.append((self.iteration, self.passes, time.perf_counter() - self.started, float(value)))
        if value <= self.target:
            raise Enough


@contextmanager
def counted(target: float, limit: float) -> Iterator[Trace]:
    """Count what scikit-learn does inside the block; its fit ends once F <= ``target`` or after ``limit`` s."""
    from scipy import optimize
    from sklearn.linear_model._linear_loss import LinearModelLoss

    trace = Trace(target, limit)
    by_minimise = [False]  # the points of L-BFGS are its iterations, not its line search's trials

    def around(name: str, after: Callable[[Any, Any], Any]) -> Any:
        original = getattr(LinearModelLoss, name)

        @wraps(original)
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            return after(self, original(self, *args, **kwargs))

        return mock.patch.object(LinearModelLoss, name, method)

    def logits(self: Any, got: Any) -> Any:
        trace.count(1)
        return got

    def value(self: Any, got: Any) -> Any:
        if not by_minimise[0]:
            trace.record(got)
        return got

    def value_and_gradient(self: Any, got: Any) -> Any:
        trace.count(1)
        value(self, got[0])
        return got

    def gradient(self: Any, got: Any) -> Any:
        trace.count(1)
        return got

    def hessian(self: Any, got: Any) -> Any:
        K = self.base_loss.n_classes
        trace.iteration += 1
        trace.count(1 + (K * (K + 1) / 2 if self.base_loss.is_multiclass else 1))
        return got

    def hessian_product(self: Any, got: Any) -> Any:
        trace.iteration += 1
        trace.count(1)
        slope, product = got

        def counted_product(s: Any) -> Any:
            trace.count(2)
            return product(s)

        return slope, counted_product

    minimize = optimize.minimize

    def minimize_watched(*args: Any, **kwargs: Any) -> Any:
        by_minimise[0] = True

        def after_iteration(intermediate_result: Any) -> None:
            trace.iteration += 1
            trace.record(intermediate_result.fun)

        return minimize(*args, **(kwargs | {"callback": after_iteration}))

    with ExitStack() as stack:
        for name, after in (
            ("weight_intercept_raw", logits),
            ("loss", value),
            ("loss_gradient", value_and_gradient),
            ("gradient", gradient),
            ("gradient_hessian", hessian),
            ("gradient_hessian_product", hessian_product),
        ):
            stack.enter_context(around(name, after))
        stack.enter_context(mock.patch.object(optimize, "minimize", minimize_watched))
        with suppress(Enough):
            yield trace
