"""Text and numbers as HTML: whatever they hold, they are shown and not obeyed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from html import escape

from softreg.text import percent, safe_text, short

NAME = 32  # letters of a model's or class's name
DASH = "–"


def text(value: object, limit: int | None = None) -> str:
    """``value`` as text between tags or inside a quoted attribute."""
    return escape(safe_text(value, limit), quote=True)


def name(value: object) -> str:
    """The name of a model or class, shortened where it is endless."""
    return text(value, NAME)


def element(tag: str, content: str, kind: str = "") -> str:
    return f'<{tag} class="{kind}">{content}</{tag}>' if kind else f"<{tag}>{content}</{tag}>"


def bullets(texts: Iterable[str]) -> str:
    items = "".join(element("li", text(one)) for one in texts)
    return element("ul", items) if items else ""


def sentence(value: str) -> str:
    """With a stop at its end; its beginning may be a model's name and stays as it is."""
    value = value.strip()
    return value if not value or value[-1] in ".?!" else f"{value}."


def number(value: float | None, digits: int = 4, *, signed: bool = False) -> str:
    """A number as it is read: a true minus, a dash where it is not known.

    >>> number(0.97218), number(None), number(-0.0031, signed=True), number(0.0031, signed=True), number(1e-7)
    ('0.9722', '–', '−0.0031', '+0.0031', '1.0e−7')
    """
    if value is None or not math.isfinite(value):
        return DASH
    if value and (abs(value) < 0.5 * 10.0**-digits or abs(value) >= 1e6):
        mantissa, _, exponent = f"{value:.1e}".partition("e")
        shown = f"{mantissa}e{int(exponent)}"
    else:
        shown = f"{value:.{digits}f}"
    if signed and value > 0:
        shown = f"+{shown}"
    return shown.replace("-", "−")


def share(value: float | None) -> str:
    """A share as a percentage that says 0 and 100 only where it is so."""
    return DASH if value is None or not math.isfinite(value) else escape(percent(value))


def several(values: Iterable[float]) -> str:
    """A setting, or the range of those that were chosen."""
    found = sorted(set(values))
    if not found:
        return DASH
    return short(found[0]) if len(found) == 1 else f"{short(found[0])} … {short(found[-1])}"


def with_interval(value: str, low: float, high: float, digits: int = 4, *, signed: bool = False) -> str:
    """A value, and under it its interval where it has one."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return value
    ends = f"{number(low, digits, signed=signed)} … {number(high, digits, signed=signed)}"
    return f"{value}{element('span', ends, 'interval')}"
