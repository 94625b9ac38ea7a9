"""Every model on every split, side by side: the tasks of a comparison, and what is made of their outcomes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from softreg.comparison.contenders import Contender, Failed, Linear, LinearFit
from softreg.comparison.judging import Manner, Outcome, Portrait, judge, portrait_of
from softreg.folds import Fold
from softreg.rows import one_thread_blas
from softreg.threads import allowed_jobs

if TYPE_CHECKING:
    from softreg.tables.filled import Filled

Array = NDArray[Any]
#: A function and its arguments.
Task: TypeAlias = tuple[Callable[..., Any], tuple[Any, ...]]

#: Tasks, and numbers in X times classes, from either of which on worker processes are worth their start.
MANY_TASKS = 10
LARGE = 200_000


@dataclass(frozen=True, eq=False)
class Judged:
    """Outcomes by model and split; of folds in the order of repeats and folds.

    Attributes
    ----------
    outcomes : mapping of name to tuple of Outcome
    splits : tuple of (training row numbers, judged row numbers)
        One, with no judged rows of the table, where test rows are apart.
    n_folds : int or None
    portraits : mapping of name to Portrait
    """

    outcomes: dict[str, tuple[Outcome, ...]]
    splits: tuple[Fold, ...]
    n_folds: int | None
    portraits: dict[str, Portrait]


def run_folds(
    contenders: Sequence[Contender],
    X: Any,
    y: Array,
    n_classes: int,
    repeats: Sequence[Sequence[Fold]],
    manner: Manner,
    groups: Array | None = None,
    filled: Filled | None = None,
    n_jobs: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Judged:
    """Each contender on each fold of each repeat, and once on all rows for its portrait."""
    splits = tuple(fold for repeat in repeats for fold in repeat)
    report = on_progress or (lambda done, total: None)
    n_linear = sum(isinstance(contender, Linear) for contender in contenders)
    total = len(splits) * len(contenders) + n_linear
    report(0, total)
    jobs = _workers(n_jobs, X, n_classes, len(splits) * len(contenders))
    each = [(c, X, y, n_classes, split, manner, groups, filled) for split in splits for c in contenders]
    tasks: list[Task] = [(_on_fold, arguments) for arguments in each]
    found: list[Outcome] = []
    for outcome in _run(tasks, jobs):
        found.append(outcome)
        report(len(found), total)
    width = len(contenders)
    outcomes = {contender.name: tuple(found[i::width]) for i, contender in enumerate(contenders)}
    drawn = [contender for contender in contenders if isinstance(contender, Linear)]
    tasks = [(_portrait, (c, X, y, n_classes, _middle(outcomes[c.name]) if manner.tune else None)) for c in drawn]
    portraits = {}
    for done, (contender, portrait) in enumerate(zip(drawn, _run(tasks, jobs), strict=True), len(found) + 1):
        if portrait is not None:
            portraits[contender.name] = portrait
        report(done, total)
    return Judged(outcomes, splits, len(repeats[0]), portraits)


def run_test(
    contenders: Sequence[Contender],
    X: Any,
    y: Array,
    n_classes: int,
    test: tuple[Any, Array],
    manner: Manner,
    groups: Array | None = None,
    n_jobs: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Judged:
    """Each contender fitted once and judged on the rows of ``test``; the portraits are of these fits."""
    report = on_progress or (lambda done, total: None)
    report(0, len(contenders))
    jobs = _workers(n_jobs, X, n_classes, len(contenders))
    tasks: list[Task] = [(judge, (c, X, y, n_classes, test, manner, groups, True)) for c in contenders]
    outcomes: dict[str, tuple[Outcome, ...]] = {}
    portraits: dict[str, Portrait] = {}
    for done, (contender, outcome) in enumerate(zip(contenders, _run(tasks, jobs), strict=True), 1):
        if outcome.portrait is not None:
            portraits[contender.name] = outcome.portrait
        outcomes[contender.name] = (replace(outcome, portrait=None),)
        report(done, len(contenders))
    return Judged(outcomes, ((np.arange(len(y)), np.arange(0)),), None, portraits)


def _on_fold(
    contender: Contender,
    X: Any,
    y: Array,
    n_classes: int,
    fold: Fold,
    manner: Manner,
    groups: Array | None,
    filled: Filled | None,
) -> Outcome:
    train, judged = fold
    inner = None if groups is None else groups[train]
    X_train, X_judged = (X[train], X[judged]) if filled is None else filled.split(X, train, judged)
    return judge(contender, X_train, y[train], n_classes, (X_judged, y[judged]), manner, inner)


def _portrait(contender: Linear, X: Any, y: Array, n_classes: int, alpha: float | None) -> Portrait | None:
    try:
        fitted = contender.fit(X, y, n_classes, alpha, watch=True)
    except Failed:
        return None
    assert isinstance(fitted, LinearFit)
    return portrait_of(fitted, X, y)


def _middle(outcomes: Sequence[Outcome]) -> float | None:
    """The median of the alphas that the folds chose."""
    alphas = sorted(outcome.alpha for outcome in outcomes if outcome.alpha is not None)
    return alphas[len(alphas) // 2] if alphas else None


def _workers(n_jobs: int | None, X: Any, n_classes: int, n_tasks: int) -> int:
    """Processes to work in; 1 for none: a few small fits are done before another process has started."""
    size = X.nnz if hasattr(X, "nnz") else X.size
    if n_tasks < MANY_TASKS and size * n_classes < LARGE:
        return 1
    return min(allowed_jobs(-1 if n_jobs is None else n_jobs), n_tasks)


def _run(tasks: Sequence[Task], jobs: int) -> Iterator[Any]:
    """What each task returns, in order.  Neither the number of processes nor their pace changes a bit of it."""
    if jobs == 1:
        with one_thread_blas():
            yield from (function(*arguments) for function, arguments in tasks)
        return
    from sklearn.utils.parallel import Parallel, delayed

    yield from Parallel(n_jobs=jobs, return_as="generator")(
        delayed(function)(*arguments) for function, arguments in tasks
    )
