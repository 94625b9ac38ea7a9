"""One look for every picture: colours, line styles and text that survive colour blindness, grey print and data."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from softreg.text import safe_text


@contextmanager
def _silent_logger(name: str) -> Iterator[None]:
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


# With no writable home, matplotlib keeps its font cache in a temporary folder and logs a warning about it.
# The picture is the same; the user of a container need not be told.
with _silent_logger("matplotlib"):
    import matplotlib
    from matplotlib import font_manager

# Okabe & Ito (2008), told apart with every common colour blindness; their yellow is too pale on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# The second way of telling runs apart, for grey print.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
GREY = "#555555"

FONT = "DejaVu Sans"  # comes with matplotlib, so it is the same everywhere
# Asked, if installed, for characters that FONT lacks.
_MORE_FONTS = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Noto Sans JP",
    "Source Han Sans",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
    "Hiragino Sans",
    "PingFang SC",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "Arial Unicode MS",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Noto Sans Bengali",
)

_LOOK: Any = {
    "font.family": [FONT],
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.titlelocation": "left",
    "axes.labelsize": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.8,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": "black",
    "ytick.labelcolor": "black",
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "lines.markersize": 4.5,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    # Letters as outlines: an SVG looks the same on a machine with other fonts.
    "svg.fonttype": "path",
    "svg.hashsalt": "softreg",
    "pdf.fonttype": 42,
}


@contextmanager
def look() -> Iterator[None]:
    """matplotlib's own defaults and then ours, whatever the user's matplotlibrc says, for the time of a block."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_LOOK)
        yield


def drawable(value: object, limit: int = 28) -> str:
    r"""``str(value)`` as text that can be drawn: no control characters, no missing glyphs, not too long.

    A character that no installed font has is escaped, so that two classes never look the same.

    >>> drawable("petal_length")
    'petal_length'
    >>> drawable("\x1b[31m")
    '\\x1b[31m'
    """
    text = safe_text(value, limit)
    text = "".join(c if any(ord(c) in _glyphs(font) for font in _fonts()) else _escaped(c) for c in text)
    # Escaping has made it longer; blank text is quoted, so that there is something to see.
    return safe_text(text, limit) if text.strip() else f"'{text}'"


def literal(*texts: str) -> dict[str, Any]:
    """Text properties that draw ``drawable`` texts as they are: no mathematics, no TeX, fonts that have them."""
    codes = {ord(c) for text in texts for c in text}
    family = []
    for font in _fonts():
        if font == FONT or codes & _glyphs(font):
            family.append(font)
            codes -= _glyphs(font)
    return {"parse_math": False, "usetex": False, "family": family}


def drawables(values: Iterable[object], limit: int = 28) -> list[str]:
    """Each of ``values`` made ``drawable``."""
    return [drawable(value, limit) for value in values]


def _escaped(c: str) -> str:
    return f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}"


@cache
def _fonts() -> tuple[str, ...]:
    installed = {entry.name for entry in font_manager.fontManager.ttflist}
    return (FONT, *(name for name in _MORE_FONTS if name in installed))


@cache
def _glyphs(font: str) -> frozenset[int]:
    return frozenset(font_manager.get_font(font_manager.findfont(font)).get_charmap())
