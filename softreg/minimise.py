"""The only loop: run a solver, keep the clock and the history, and stop when the answer is certified.

A solver is a generator of better and better iterates; it knows nothing of clocks, limits, tolerance or history.
Time is counted inside ``next()`` and the certificates only, so that callbacks, validation and drawing are never
billed to a solver.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from softreg.certificate import Certificate, Witness
from softreg.heap import keep_freed
from softreg.objective import Objective
from softreg.rows import one_thread_blas

Array = NDArray[Any]


class Status(StrEnum):
    """How a fit ended."""

    CERTIFIED = "certified"  # the gap is at most tol
    STATIONARY = "stationary"  # alpha = 0: the KKT residual is at most tol
    NOT_CERTIFIED = "not_certified"
    STOPPED_EARLY = "stopped_early"  # by a callback: the validation loss, say
    SEPARATED = "separated"  # alpha = 0 and no finite optimum exists
    DIVERGED = "diverged"
    INTERRUPTED = "interrupted"

    @property
    def is_fine(self) -> bool:
        return self in (Status.CERTIFIED, Status.STATIONARY, Status.STOPPED_EARLY)


@dataclass(frozen=True)
class Iterate:
    """One point of a solver's path.

    ``W`` (p + 1, K), F and its gradient there; ``step`` the step size taken (None at the start).  A solver that
    gets a certificate on its way passes it on with the ``witness`` it is rebuilt from.
    """

    W: Array
    value: float
    gradient: Array
    step: float | None = None
    certificate: Certificate | None = None
    witness: Witness = field(default_factory=Witness)


class Solver(Protocol):
    """A textbook algorithm; a frozen dataclass whose docstring is its formula and source."""

    @property
    def name(self) -> str: ...

    def iterates(self, objective: Objective, W0: Array) -> Iterator[Iterate]:
        """W0 first, then better points; returns when it can make no more progress.  Raises `Diverged`."""
        ...


class Diverged(ArithmeticError):
    """A solver's steps left the finite numbers or grew without end; the message says what to try."""


HISTORY_COLUMNS = (
    "iteration",
    "passes",
    "seconds",
    "objective",
    "loss",
    "gradient_norm",
    "certificate",
    "step",
    "validation_loss",
    "validation_accuracy",
)


class History(Mapping[str, list[Any]]):
    """What happened, a row an iteration: a mapping of equal-length lists (None where nothing is known).

    Columns: iteration; passes over the data; seconds of solver time; objective; loss (its data part);
    gradient_norm; certificate (relative gap, or KKT residual when alpha = 0); step; validation_loss and
    validation_accuracy.
    """

    def __init__(self) -> None:
        self._columns: dict[str, list[Any]] = {name: [] for name in HISTORY_COLUMNS}

    def append(self, **row: Any) -> None:
        for name, column in self._columns.items():
            column.append(row.get(name))

    def amend(self, **row: Any) -> None:
        """Fill in columns of the last row."""
        for name, value in row.items():
            self._columns[name][-1] = value

    def last(self) -> dict[str, Any]:
        return {name: column[-1] for name, column in self._columns.items()}

    def __getitem__(self, name: str) -> list[Any]:
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    @property
    def n_rows(self) -> int:
        return len(self._columns["iteration"])


#: Iterations without a lower objective or a better certificate after which a solver has stalled.
STALL = 500
#: Share of F by which an objective is lower than another, and not only rounded otherwise.
ROUNDING = 1e-15

Callback = Callable[[Iterate, History], bool | None]


@dataclass(frozen=True)
class Result:
    """Where a fit ended, how well that is known, and how it got there."""

    W: Array
    value: float
    certificate: Certificate
    witness: Witness
    status: Status
    message: str
    history: History
    signal: int | None = None  # what interrupted it

    @property
    def n_iter(self) -> int:
        return self.history.n_rows - 1


def minimise(
    objective: Objective,
    solver: Solver,
    W0: Array | None = None,
    *,
    tol: float = 1e-6,
    max_iter: int | None = None,
    max_time: float | None = None,
    callbacks: Sequence[Callback] = (),
    certify_at_end: Callable[[Objective, Iterate, float], Iterate] | None = None,
) -> Result:
    """Run ``solver`` until its point is certified to ``tol``, or a limit, a callback or the keyboard stops it.

    Parameters
    ----------
    objective : Objective
    solver : Solver
    W0 : (p + 1, K) array, optional
        Starting point, zeros by default.
    tol : float
        Target of the certificate: gap <= tol · max(F, 1e-6 · F at W = 0), or KKT residual <= tol when alpha = 0.
    max_iter, max_time : int, float (seconds of solver time), optional
        None: until certified, or no more progress can be made.
    callbacks : sequence of ``(iterate, history) -> bool | None``
        Called after each iterate; True asks to stop.
    certify_at_end : callable, optional
        What to try when the solver has ended without a certificate that meets ``tol``.

    Returns
    -------
    Result
        Its W is the iterate whose certificate meets ``tol``, else the finite one of lowest objective (of those
        that share it, the one that is best known).
    """
    history = History()
    best: Iterate | None = None
    status, message = None, ""
    seconds = 0.0
    waited, lowest, tightest = 0, np.inf, np.inf
    keep_freed()
    with one_thread_blas(), interruptible() as signals:
        path = solver.iterates(objective, objective.zeros() if W0 is None else np.asarray(W0, dtype=np.float64))
        while status is None:
            started = time.perf_counter()
            try:
                iterate = next(path, None)
            except Diverged as error:
                iterate, status, message = None, Status.DIVERGED, str(error)
            if iterate is not None:
                finite = np.isfinite(iterate.value) and np.isfinite(iterate.gradient).all()
                iterate = _with_certificate(objective, iterate, tol) if finite else replace(iterate, certificate=None)
            seconds += time.perf_counter() - started
            if iterate is None:
                break
            if iterate.certificate is None:
                status = Status.DIVERGED
                message = f"{solver.name} reached a non-finite objective after {history.n_rows} iterations"
                break
            _record(history, objective, iterate, seconds)
            if iterate.value < lowest - ROUNDING * abs(lowest) or iterate.certificate.value < 0.9 * tightest:
                waited = 0
            lowest, tightest = min(lowest, iterate.value), min(tightest, iterate.certificate.value)
            if best is None or iterate.W is not best.W:  # else the solver only says that it is still at work
                waited += 1
            if best is None or iterate.certificate.meets(tol) or _better(iterate, best):
                best = iterate
            asked = [callback(iterate, history) for callback in callbacks]
            if iterate.certificate.meets(tol):
                status = Status.CERTIFIED if iterate.certificate.kind == "gap" else Status.STATIONARY
            elif any(asked):
                status, message = Status.STOPPED_EARLY, f"stopped early after {history.n_rows - 1} iterations"
            elif signals:
                status, message = Status.INTERRUPTED, f"interrupted after {history.n_rows - 1} iterations"
            elif waited > STALL:
                break
            elif max_iter is not None and history.n_rows > max_iter:
                message = f"stopped by max_iter = {max_iter}"
                break
            elif max_time is not None and seconds > max_time:
                message = f"stopped by max_time = {max_time:g} s"
                break
        if best is None:
            raise Diverged(message or f"{solver.name}: the objective is not finite at the starting point")
        if status is None and certify_at_end is not None:
            started = time.perf_counter()
            final = certify_at_end(objective, best, tol)
            seconds += time.perf_counter() - started
            if final is not best:
                best = final
                _record(history, objective, best, seconds)
    assert best.certificate is not None
    if status is None:
        if best.certificate.meets(tol):
            status = Status.CERTIFIED if best.certificate.kind == "gap" else Status.STATIONARY
        else:
            status = Status.NOT_CERTIFIED
            message = message or f"{solver.name} made no more progress after {history.n_rows - 1} iterations"
    return Result(
        W=best.W,
        value=best.value,
        certificate=best.certificate,
        witness=best.witness,
        status=status,
        message=describe(status, message, best.certificate, tol),
        history=history,
        signal=signals[0] if signals else None,
    )


def _better(one: Iterate, other: Iterate) -> bool:
    """Whether ``one`` has the lower objective, or the same but for rounding and no looser a certificate."""
    assert one.certificate is not None
    assert other.certificate is not None
    if abs(one.value - other.value) > ROUNDING * abs(other.value):
        return one.value < other.value
    return one.certificate.value <= other.certificate.value


def _with_certificate(objective: Objective, iterate: Iterate, tol: float) -> Iterate:
    """The solver's own certificate where that will do, else the better of it and the natural one."""
    given = iterate.certificate
    if given is not None and (given.meets(tol) or not objective.loss.smooth):
        return iterate  # of a hinge the gradient at hand is a smoothed loss's: only the solver's own point proves
    natural = objective.natural_certificate(iterate.W, iterate.value, iterate.gradient)
    if given is not None and (given.kind == "kkt" or given.value <= natural.value):
        return iterate
    return replace(iterate, certificate=natural, witness=Witness())


def _record(history: History, objective: Objective, iterate: Iterate, seconds: float) -> None:
    assert iterate.certificate is not None
    history.append(
        iteration=history.n_rows,
        passes=objective.passes,
        seconds=seconds,
        objective=iterate.value,
        loss=iterate.value - objective.penalty.value(iterate.W[:-1]),
        gradient_norm=float(np.linalg.norm(iterate.gradient)),
        certificate=iterate.certificate.value,
        step=iterate.step,
    )


def describe(status: Status, message: str, certificate: Certificate, tol: float) -> str:
    """The status as a sentence with its numbers."""
    if certificate.kind == "gap":
        known = f"relative gap {certificate.value:.1e}"
    else:
        known = f"KKT residual {certificate.kkt:.1e}"
    if status is Status.CERTIFIED:
        return f"certified: at most {certificate.value:.1e} (relative) above the optimum, tol {tol:g}"
    if status is Status.STATIONARY:
        return f"stationary: {known} <= tol {tol:g} (alpha = 0, no gap exists)"
    if status is Status.NOT_CERTIFIED:
        return f"not certified: {known} > tol {tol:g}; {message}"
    return f"{message}; {known}"


@contextmanager
def interruptible() -> Iterator[list[int]]:
    """Turn the first Ctrl-C (or SIGTERM) into an entry of a list that the loop reads; the second acts as always.

    Only in the main thread, and only where Python's own handlers stand: other programs keep theirs.
    """
    caught: list[int] = []

    def handle(number: int, frame: Any) -> None:
        caught.append(number)
        for which, old in previous.items():
            signal.signal(which, old)

    previous: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for which, standard in (
            (signal.SIGINT, signal.default_int_handler),
            (signal.SIGTERM, signal.SIG_DFL),
        ):
            if signal.getsignal(which) is standard:
                previous[which] = signal.signal(which, handle)
    try:
        yield caught
    finally:
        for which, old in previous.items():
            signal.signal(which, old)
