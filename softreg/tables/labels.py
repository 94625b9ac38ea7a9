"""Class labels: text, unless every one of them is an integer in its usual spelling."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from softreg.errors import DataError
from softreg.text import listing, safe_text

# Wider text is kept as objects: a fixed width would give every row the room of the longest label.
_WIDEST = 64


def label_text(label: object) -> str:
    """A label as it is written in a file: 3 as '3', '007' as '007'."""
    return label if isinstance(label, str) else str(label)


def text_classes(values: Sequence[str]) -> np.ndarray:
    """Different labels in order: int64 by size if all are canonical integers, else text by code point.

    "007", "-0", "+1" and integers beyond 64 bits are text: only a spelling that comes back exactly from the number
    may become one.
    """
    if values and all(_is_integer(value) for value in values):
        return np.array(sorted(map(int, values)), dtype=np.int64)
    return text_array(sorted(values))


def text_array(values: Sequence[str]) -> np.ndarray:
    """Text as a numpy array that keeps every character, even a NUL at the end."""
    if max(map(len, values), default=0) > _WIDEST or any(value.endswith("\0") for value in values):
        return np.array(values, dtype=object)
    return np.array(values, dtype=str)


def _is_integer(value: str) -> bool:
    if not (len(value) <= 20 and value.isascii() and value.removeprefix("-").isdigit()):
        return False
    return str(int(value)) == value and -(2**63) <= int(value) < 2**63


def encode(labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The position of each label in ``classes``, (n,) int64; -1 for a label that is none of them.

    Compared by ``label_text``, so that the integer 3 of one file is the text "3" of another.
    """
    position = {label_text(label): k for k, label in enumerate(classes.tolist())}
    seen, inverse = np.unique(labels, return_inverse=True)
    codes = [position.get(label_text(label), -1) for label in seen.tolist()]
    return np.array(codes, dtype=np.int64)[inverse]


def check_classes(path: str, classes: np.ndarray, n_rows: int) -> None:
    """Refuse labels from which nothing can be learned: one class only, or the values of a regression."""
    if len(classes) == 1:
        label = safe_text(label_text(classes[0]), 40)
        raise DataError(f"{path}: only class '{label}'; a classifier needs rows of two classes or more")
    if classes.dtype.kind != "i" and len(classes) > n_rows / 2 and _are_measurements(classes.tolist()):
        raise DataError(f"{path}: {len(classes)} distinct values in {n_rows} rows; is this regression?")


def _are_measurements(values: Sequence[str]) -> bool:
    try:
        return any(not float(value).is_integer() for value in values)
    except ValueError:
        return False


def lookalikes(classes: np.ndarray) -> list[str]:
    """A note for each set of labels that differ only in case, spaces or the encoding of accents."""
    alike = defaultdict(list)
    for label in classes.tolist():
        text = label_text(label)
        alike[unicodedata.normalize("NFC", text).strip().casefold()].append(f"'{text}'")
    return [
        f"classes {listing(labels)} differ only in case, spaces or accents' encoding"
        for labels in alike.values()
        if len(labels) > 1
    ]
