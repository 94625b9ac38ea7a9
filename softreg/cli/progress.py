"""A bar whose position means something: how far the certificate has come from its start to the target, in decades."""

from __future__ import annotations

import math
import os
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from softreg.cli.printing import narrate

if TYPE_CHECKING:
    from softreg.minimise import History, Iterate
    from softreg.workflows import FitPlan

WIDTH = 20
#: Seconds between two drawings.
INTERVAL = 0.1


def wanted(stream: TextIO | None) -> bool:
    """Whether someone watches: a bar is for terminals that can go back to the start of a line."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


class Watch:
    """Tells a fit as it goes: the tuning and the plan, then a bar where someone watches.

    Its three methods are what workflows call; ``silent`` it says nothing.  Used in a ``with``, so that the bar's line
    is finished whatever happens.
    """

    def __init__(self, silent: bool) -> None:
        self.silent = silent
        self.bar: Bar | None = None
        self.told: list[str] = []  # of several fits to the same data, what is the same is told once

    def on_plan(self, plan: FitPlan) -> None:
        from softreg.report import plan_lines

        self.__exit__()
        if not self.silent:
            lines = plan_lines(plan)
            narrate("\n".join(line for line in lines if line not in self.told))
            self.told = lines
            if wanted(sys.stderr):
                self.bar = Bar(sys.stderr, plan.tol)

    def on_tuning(self, done: int, total: int) -> None:
        if not self.silent and wanted(sys.stderr):
            end = "\n" if done == total else ""
            _write(sys.stderr, f"\r  tuning: {done} of {total} fits{end}")

    def progress(self, iterate: Iterate, history: History) -> None:
        if self.bar is not None:
            self.bar(iterate, history)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        if self.bar is not None:
            self.bar.finish()
            self.bar = None


class Count:
    """Tells a comparison as it goes: what was read, then how many of its tasks are done."""

    def __init__(self, silent: bool) -> None:
        self.silent = silent
        self.started = time.monotonic()
        self.open = False

    def on_data(self, data: str, design: str) -> None:
        from softreg.report import line

        if not self.silent:
            narrate(line("data", data))
            narrate(line("design", design))

    def on_progress(self, done: int, total: int) -> None:
        if self.silent or not wanted(sys.stderr):
            return
        full, empty = ("█", "░") if _can_show(sys.stderr, "█░") else ("#", "-")
        part = int(WIDTH * done / total)
        text = f"  {full * part}{empty * (WIDTH - part)} {done} of {total} fits judged, "
        _write(sys.stderr, f"\r{text}{time.monotonic() - self.started:.0f} s")
        self.open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        if self.open:
            _write(sys.stderr, "\n")
            self.open = False


class Bar:
    """A callback that redraws one line of ``stream`` with each iterate, ten times a second at most.

    The line is text and a carriage return: no colour, so there is none for NO_COLOR to switch off.
    """

    def __init__(self, stream: TextIO, tol: float) -> None:
        self.stream, self.tol = stream, tol
        self.start: float | None = None
        self.best = math.inf
        self.drawn = -math.inf
        self.length = 0
        self.line = ""

    def __call__(self, iterate: Iterate, history: History) -> None:
        row = history.last()
        value = row["certificate"]
        if value is not None and math.isfinite(value):
            self.start = value if self.start is None else max(self.start, value)
            self.best = min(self.best, value)
        kind = "gap" if iterate.certificate is None or iterate.certificate.kind == "gap" else "KKT residual"
        self.line = self._line(kind, row["iteration"], row["seconds"])
        if time.monotonic() - self.drawn >= INTERVAL:
            self._draw()

    def finish(self) -> None:
        """Leave the last state as a line of its own."""
        if self.line:
            self._draw()
            _write(self.stream, "\n")

    @property
    def fraction(self) -> float:
        """0 at the first certificate, 1 at the target."""
        if self.start is None:
            return 0.0
        return position(self.start, self.best, self.tol)

    def _line(self, kind: str, steps: int, seconds: float) -> str:
        full, empty = ("█", "░") if _can_show(self.stream, "█░") else ("#", "-")
        done = int(WIDTH * self.fraction)
        best = f"{self.best:.0e}" if math.isfinite(self.best) else "…"
        target = f"{self.tol:.0e}"
        return f"  {full * done}{empty * (WIDTH - done)} {kind} {best} of {target}   {steps} steps, {seconds:.1f} s"

    def _draw(self) -> None:
        width = _columns(self.stream) - 1
        line = self.line[:width]
        _write(self.stream, "\r" + line.ljust(min(self.length, width)))
        self.length, self.drawn = len(line), time.monotonic()


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
        stream.flush()
    except OSError:  # a terminal that went away stops no fit
        pass


def position(start: float, now: float, tol: float) -> float:
    """How much of the way from ``start`` to ``tol`` is done at ``now``, on the logarithmic scale."""
    if now <= tol:
        return 1.0
    if not (0 < tol < start) or now >= start:
        return 0.0
    return (math.log10(start) - math.log10(now)) / (math.log10(start) - math.log10(tol))


def _can_show(stream: TextIO, text: str) -> bool:
    try:
        text.encode(stream.encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80
