"""Text from data can neither steer a terminal nor flood it."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softreg import text
from softreg.text import listing, nearest, safe_text


def test_examples_in_docstrings():
    assert doctest.testmod(text).failed == 0


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain ü 😀 [bold]", "plain ü 😀 [bold]"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("a\r\nb\0", r"a\x0d\x0ab\x00"),
        ("\x9b31m", r"\x9b31m"),
        ("abc\u202edef\u2066", r"abc\u202edef\u2066"),
        ("line\u2028end", r"line\u2028end"),
        ("\udc80", r"\udc80"),
        (17, "17"),
    ],
)
def test_controls_are_shown_escaped(raw, shown):
    assert safe_text(raw) == shown


@given(st.text(st.characters(codec=None)), st.integers(3, 40))
def test_safe_text_is_short_one_line_and_printable_anywhere(raw, limit):
    shown = safe_text(raw, limit)
    assert len(shown) <= limit
    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")
    assert all(ord(c) >= 0x20 for c in shown)


def test_both_ends_of_a_long_text_stay_visible():
    shown = safe_text("head" + "-" * 1_000_000 + "tail", 20)
    assert shown.startswith("head")
    assert shown.endswith("tail")
    assert len(shown) == 20
    assert safe_text("x" * 1000, None) == "x" * 1000


def test_listing_of_a_long_list_ends_with_its_last_name():
    assert listing(["a"]) == "a"
    assert listing(list("abcdef"), limit=4) == "a, b, c, …, f"
    assert listing(["\n"]) == r"\x0a"


def test_nearest_ignores_case_and_gives_up_on_strangers():
    assert nearest("SPECIES", ["species", "petal"]) == "species"
    assert nearest("speices", ["species", "petal"]) == "species"
    assert nearest("x", []) is None
    assert nearest("qqq", ["species"]) is None
    assert nearest("x" * 10_000_000, ["species"]) is None
