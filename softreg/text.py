"""Text that came from data or from a user, made fit for one line of a terminal, a message or a picture."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Any

# Everything that moves the cursor, starts an escape sequence, ends a line, reverses the reading direction, takes no
# room (but joins nothing, as emoji are joined) or cannot be encoded: C0 and C1 controls, line separators,
# bidirectional controls, spaces of no width, lone surrogates.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\ud800-\udfff]"
)


def is_missing(value: object) -> bool:
    """Whether it is None, a NaN or NaT, or pandas' NA, which answers no comparison; text never is."""
    if isinstance(value, str):
        return False
    return value is None or type(value).__name__ in ("NAType", "NaTType") or value != value


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def safe_text(value: object, limit: int | None = 120) -> str:
    r"""``str(value)`` on one line, unable to steer a terminal, at most ``limit`` characters long.

    Control and bidirectional characters and lone surrogates are shown escaped; the middle of a text that is
    too long is left out (``limit=None``: nothing is).

    >>> print(safe_text("a\x1b[31mred\n"))
    a\x1b[31mred\x0a
    >>> safe_text("x" * 50 + "y" * 50, limit=9)
    'xxxxx…yyy'
    """
    text = str(value)
    if limit is not None and len(text) > 2 * limit:
        # Escaping only lengthens, so what lies further than `limit` from both ends is never shown.
        text = text[:limit] + text[-limit:]
        return _clip(_UNSAFE.sub(_escape, text), limit)
    text = _UNSAFE.sub(_escape, text)
    return text if limit is None or len(text) <= limit else _clip(text, limit)


def _clip(text: str, limit: int) -> str:
    tail = (limit - 1) * 2 // 5
    return text[: limit - 1 - tail] + "…" + text[len(text) - tail :]


def listing(names: Sequence[object], limit: int = 12) -> str:
    """Names joined by commas; of a long list the first ones, an ellipsis, and the last.

    >>> listing(["x1", "x2", "x3"])
    'x1, x2, x3'
    >>> listing([f"x{j}" for j in range(1, 785)], limit=4)
    'x1, x2, x3, …, x784'
    """
    if len(names) > limit:
        return f"{listing(names[: limit - 1])}, …, {safe_text(names[-1], 40)}"
    return ", ".join(safe_text(name, 40) for name in names)


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of ``names`` that ``name`` was probably meant to be, or None.

    >>> nearest("Petal_lenght", ["petal_length", "petal_width"])
    'petal_length'
    >>> nearest("colour", ["petal_length", "petal_width"]) is None
    True
    """
    # Similarity costs the product of the lengths: no huge name, no huge table may stall an error message.
    candidates = {other.casefold(): other for other in islice(names, 10_000) if len(other) <= 200}
    close = get_close_matches(name[:200].casefold(), candidates, n=1, cutoff=0.6)
    return candidates[close[0]] if close else None


def short(value: float) -> str:
    """A number as a user would type it: 1e-4, 0.05, 3.

    >>> short(0.0001), short(0.01), short(0.05), short(2e-06), short(1.0), short(0.0)
    ('1e-4', '1e-2', '0.05', '2e-6', '1', '0')
    """
    plain = f"{value:.4g}"
    if not math.isfinite(value):
        return plain
    mantissa, _, exponent = f"{value:.3e}".partition("e")
    powers = f"{float(mantissa):g}e{int(exponent)}"
    # Of equal length only 0.01, which is a power of ten and says so.
    shorter = len(powers) < len(plain) or (len(powers) == len(plain) and float(mantissa) == 1)
    return powers if value and ("e" in plain or shorter) else plain


def nearest_or_all(name: str, names: Sequence[str]) -> str:
    """A hint for somebody who named none of ``names``.

    >>> nearest_or_all("softmx", ["softmax", "weston_watkins"]), nearest_or_all("tree", ["softmax", "weston_watkins"])
    ('did you mean softmax?', 'one of softmax, weston_watkins')
    """
    meant = nearest(name, names)
    return f"did you mean {meant}?" if meant else f"one of {', '.join(names)}"


def percent(share: float) -> str:
    """A share as a percentage that says 0 and 100 only where it is so.

    >>> percent(0.0), percent(0.0001), percent(0.123), percent(0.99999), percent(1.0)
    ('0 %', '<0.1 %', '12.3 %', '>99.9 %', '100 %')
    """
    if share in (0.0, 1.0):
        return f"{100 * share:.0f} %"
    if share < 0.0005 or share >= 0.9995:
        return "<0.1 %" if share < 0.5 else ">99.9 %"
    return f"{100 * share:.1f} %"


def plain(value: Any) -> Any:
    """What JSON can say of a value, numpy's among them: lists, dictionaries with text for keys, None for no number.

    >>> plain({1: (2.5, math.nan)})
    {'1': [2.5, None]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):  # numpy's scalars and arrays
        return plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value
