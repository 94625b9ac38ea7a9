"""Class labels: text, unless every one of them is an integer in its usual spelling."""

from __future__ import annotations

import math
import re
import shlex
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from softreg.errors import DataError
from softreg.text import listing, safe_text

# Wider text is kept as objects: a fixed width would give every row the room of the longest label.
_WIDEST = 64
#: More classes than this, all of them numbers, and than a tenth of the rows, may be measurements.
_MANY_NUMBERS = 50
#: More classes than this, and than half the rows, are no classes.
_MANY_LABELS = 10
#: What often stands for a label that is missing.  None is also a word.
_MISSING = ("nan", "na", "n/a", "null", "?")
#: Characters that take no room: of no width, or a hyphen that is not shown.
_INVISIBLE = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]")
_TRUTHS = {"true": 1.0, "false": 0.0}


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


def check_classes(path: str, classes: np.ndarray, n_rows: int) -> list[str]:
    """Refuse labels from which nothing can be learned: one class only, or the values of a regression.

    Returns notes where they may be such values.
    """
    if len(classes) == 1:
        label = safe_text(label_text(classes[0]), 40)
        raise DataError(f"{path}: only class '{label}'; a classifier needs rows of two classes or more")
    if classes.dtype.kind != "i" and len(classes) > n_rows / 2 and _are_measurements(classes.tolist()):
        raise DataError(f"{path}: {len(classes)} distinct values in {n_rows} rows; is this regression?")
    if len(classes) > max(_MANY_NUMBERS, n_rows / 10) and _are_numbers(classes.tolist()):
        return [f"{len(classes)} classes in {n_rows} rows, all of them numbers; is this regression?"]
    if len(classes) > max(_MANY_LABELS, n_rows / 2):
        return [f"{len(classes)} classes in {n_rows} rows, fewer than two rows a class: is this the right target?"]
    return []


def doubts(classes: np.ndarray) -> list[str]:
    """Notes on labels that may not be meant as they are written, of a table to learn from."""
    if classes.dtype.kind == "i":
        return []
    texts = [label_text(label) for label in classes.tolist()]
    notes = []
    for text in texts:
        if text.strip().casefold() in _MISSING:
            mark = safe_text(shlex.quote(text), 30)
            notes.append(f"'{safe_text(text, 30)}' is a class like any other (--na {mark} where the label is missing)")
    alike = Counter(map(bare, texts))  # of which `lookalikes` speaks
    if blank := [text for text in texts if text != text.strip() and alike[bare(text)] == 1]:
        notes.append(f"class '{safe_text(blank[0], 40)}' begins or ends with a blank, which is part of its name")
    return notes


def _are_numbers(values: Sequence[object]) -> bool:
    try:
        return all(math.isfinite(float(str(value))) for value in values)
    except ValueError:
        return False


def _are_measurements(values: Sequence[str]) -> bool:
    try:
        return any(not float(value).is_integer() for value in values)
    except ValueError:
        return False


def bare(label: object) -> object:
    """A label without the accidents of writing: 1, 1.0 and true are one number, Cat and "cat " one text.

    For questions only: labels are compared exactly.
    """
    text = unicodedata.normalize("NFC", _INVISIBLE.sub("", label_text(label))).strip().casefold()
    if text in _TRUTHS:
        return _TRUTHS[text]
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def lookalikes(classes: np.ndarray) -> list[str]:
    """A note for each set of labels that differ only in how they are written."""
    if classes.dtype.kind == "i":
        return []
    alike = defaultdict(list)
    for label in classes.tolist():
        alike[bare(label)].append(label_text(label))
    return [
        f"classes {listing(told_apart(labels))} differ only in how one thing is written"
        for labels in alike.values()
        if len(labels) > 1
    ]


def told_apart(labels: Sequence[str]) -> list[str]:
    """The labels in quotation marks; letter by letter where they would look the same."""
    seen = {unicodedata.normalize("NFC", _INVISIBLE.sub("", label)) for label in labels}
    if len(seen) < len(labels):
        labels = [label.encode("ascii", "backslashreplace").decode() for label in labels]
    return [f"'{label}'" for label in labels]
