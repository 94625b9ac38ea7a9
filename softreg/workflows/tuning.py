"""Tune: alpha by cross-validation, every fit as tight as the final one."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.errors import FitError, UsageError
from softreg.folds import folds
from softreg.metrics import loss_name
from softreg.minimise import Diverged, Status
from softreg.text import short
from softreg.training import ALPHAS, DEFAULT_ALPHA, Settings, train
from softreg.workflows.preparing import Part, Prepared, prepare

Array = NDArray[Any]

FOLDS = 5


@dataclass(frozen=True)
class TuneResult:
    """What cross-validation chose, and from what.

    Attributes
    ----------
    alpha : float
        Of the lowest mean validation loss; of equal ones the largest.
    alphas, losses : tuple of float
        The grid from large to small, and the mean loss over all rows kept apart, each row once.
    n_folds, n_fits : int
    text : str
    warnings : tuple of str
    """

    alpha: float
    alphas: tuple[float, ...]
    losses: tuple[float, ...]
    n_folds: int
    n_fits: int
    text: str
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values only."""
        return {
            "alpha": self.alpha,
            "alphas": list(self.alphas),
            "losses": list(self.losses),
            "n_folds": self.n_folds,
            "n_fits": self.n_fits,
            "warnings": list(self.warnings),
        }


def tune(
    data: str,
    *,
    target: str | None = None,
    settings: Settings | None = None,
    group: str | None = None,
    on_tuning: Callable[[int, int], None] | None = None,
) -> TuneResult:
    """Choose alpha for a table by 5-fold cross-validation: stratified, or by whole groups.

    Parameters
    ----------
    data, target, settings, group
        As for `softreg.workflows.fit`.
    on_tuning : callable, optional
        Called with the number of fits done and of all, before the first and after each.

    Raises
    ------
    UsageError
        alpha or C is given: it is what is to be chosen.
    DataError, FitError
    """
    settings = replace(settings or Settings(), early_stopping=False)
    return tune_prepared(prepare(data, target=target, settings=settings, group=group), settings, on_tuning)


def tune_prepared(
    ready: Prepared, settings: Settings, on_tuning: Callable[[int, int], None] | None = None
) -> TuneResult:
    """`tune` on the training rows of ``ready``."""
    for name, given in (("--C", settings.C is not None), ("--alpha", settings.alpha != DEFAULT_ALPHA)):
        if given:
            raise UsageError(f"--tune chooses alpha: leave out {name}")
    # The fold's own validation rows must not decide when to stop, or they would judge themselves.
    settings = replace(settings, early_stopping=False)
    totals = np.zeros(len(ALPHAS))
    weight, n_rows, done, loose = 0.0, 0, 0, 0
    parts = folds(ready.y, ready.n_classes, FOLDS, settings.random_state, ready.groups)
    report = on_tuning or (lambda done, total: None)
    report(0, len(parts) * len(ALPHAS))
    for rows, apart in parts:
        n_rows += len(apart)
        part, judged = ready.part.split(rows, apart)
        counts = len(apart) if judged.weight is None else float(judged.weight.sum())
        if not counts:  # rows of weight 0 judge nothing
            done += len(ALPHAS)
            report(done, len(parts) * len(ALPHAS))
            continue
        weight += counts
        W = None
        for i, alpha in enumerate(ALPHAS):
            W, fine = _fit(part, replace(settings, alpha=alpha), ready.n_classes, W)
            loose += not fine
            loss = judged.metrics(W, settings).loss
            assert loss is not None
            totals[i] += loss * counts
            done += 1
            report(done, len(parts) * len(ALPHAS))
    return _result(totals / weight, len(parts), n_rows, loose, settings)


def _fit(part: Part, settings: Settings, n_classes: int, W0: Array | None) -> tuple[Array, bool]:
    try:
        trained = train(part.X, part.y, part.weight, settings, n_classes=n_classes, W0=W0)
    except Diverged as error:
        raise FitError(f"--tune: at alpha {settings.alpha:g} the fit diverged: {error}") from error
    result = trained.result
    if result.status is Status.DIVERGED:
        raise FitError(f"--tune: at alpha {settings.alpha:g} the fit diverged: {result.message}")
    if result.status is Status.INTERRUPTED:
        signal.raise_signal(result.signal or signal.SIGINT)  # there is no model to keep yet
    return trained.W, result.status.is_fine


def _result(losses: Array, n_folds: int, n_rows: int, loose: int, settings: Settings) -> TuneResult:
    best = int(losses.argmin())
    alpha = ALPHAS[best]
    n_fits = n_folds * len(ALPHAS)
    name, unit = loss_name(settings.make_loss())
    warnings = []
    if best in (0, len(ALPHAS) - 1):
        way = "larger" if best == 0 else "smaller"
        warnings.append(f"--tune chose alpha {short(alpha)}, the edge of its grid: the best may be {way} still")
    if loose:
        warnings.append(f"{loose} of {n_fits} fits of --tune were not certified")
    text = (
        f"alpha {short(alpha)}, the lowest {name} ({losses[best]:.4f} {unit}) of {len(ALPHAS)} from 1e-6 to 1: "
        f"{n_folds}-fold cross-validation over {n_rows} rows"
    )
    return TuneResult(alpha, ALPHAS, tuple(losses.tolist()), n_folds, n_fits, text, tuple(warnings))
