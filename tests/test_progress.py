"""The bar: where it stands, on what it draws, and that it never gets in the way."""

import io
import math
import sys

import pytest

from softreg.certificate import Certificate
from softreg.cli.progress import Bar, Count, Watch, position, wanted
from softreg.minimise import HISTORY_COLUMNS, History, Iterate


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def step(bar, history, value, kind="gap"):
    history.append(
        **{**dict.fromkeys(HISTORY_COLUMNS), "iteration": history.n_rows, "certificate": value, "seconds": 0.1}
    )
    certificate = Certificate(kind, value, value, value)
    bar(Iterate(W=None, value=1.0, gradient=None, certificate=certificate), history)


@pytest.mark.parametrize(
    ("now", "expected"), [(1.0, 0.0), (1e-3, 0.5), (1e-6, 1.0), (1e-9, 1.0), (5.0, 0.0), (math.inf, 0.0)]
)
def test_position_counts_decades_between_start_and_target(now, expected):
    assert position(1.0, now, 1e-6) == pytest.approx(expected)


def test_a_start_below_the_target_is_the_end():
    assert position(1e-9, 1e-9, 1e-6) == 1.0


def test_without_a_target_nothing_is_promised():
    assert position(1.0, 1e-9, 0.0) == 0.0


def test_the_bar_never_goes_back():
    bar, history = Bar(Terminal(), 1e-6), History()
    for value in (1.0, 1e-3, 1e-1):
        step(bar, history, value)
    assert bar.fraction == pytest.approx(0.5)


def test_the_last_state_stays_as_a_line():
    stream = Terminal()
    bar, history = Bar(stream, 1e-6), History()
    for value in (1.0, 1e-3, 8e-8):
        step(bar, history, value)
    bar.finish()
    last = stream.getvalue().split("\r")[-1]
    assert last.rstrip(" \n") == "  ████████████████████ gap 8e-08 of 1e-06   2 steps, 0.1 s"
    assert last.endswith("\n")
    assert "\x1b" not in stream.getvalue()  # no colour, no cursor control: nothing for NO_COLOR to switch off


def test_without_a_gap_the_bar_names_the_residual():
    stream = Terminal()
    bar, history = Bar(stream, 1e-6), History()
    step(bar, history, 1e-2, kind="kkt")
    bar.finish()
    assert "KKT residual 1e-02 of 1e-06" in stream.getvalue()


def test_a_terminal_of_ascii_gets_a_bar_of_ascii():
    stream = Terminal()
    stream.encoding = "ascii"
    bar, history = Bar(stream, 1e-6), History()
    step(bar, history, 1.0)
    step(bar, history, 1e-3)
    bar.finish()
    assert "##########----------" in stream.getvalue()


def test_a_bar_that_never_started_leaves_nothing():
    stream = Terminal()
    Bar(stream, 1e-6).finish()
    assert stream.getvalue() == ""


def test_a_terminal_that_goes_away_stops_no_fit():
    class Gone(Terminal):
        def write(self, text):
            raise OSError(5, "Input/output error")

    bar, history = Bar(Gone(), 1e-6), History()
    step(bar, history, 1.0)
    bar.finish()


def test_only_terminals_that_can_go_back_get_a_bar(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    assert wanted(Terminal())
    assert not wanted(io.StringIO())
    assert not wanted(None)
    monkeypatch.setenv("TERM", "dumb")
    assert not wanted(Terminal())


def test_a_terminal_that_went_away_stops_no_tuning_and_no_comparison(monkeypatch):
    class Gone(io.StringIO):
        def isatty(self):
            return True

        def write(self, text):
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(sys, "stderr", Gone())
    Watch(silent=False).on_tuning(1, 7)
    with Count(silent=False) as count:
        count.on_progress(1, 7)
