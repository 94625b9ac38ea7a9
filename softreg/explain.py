"""One prediction worked out by hand: from logits to probabilities, the row's loss, and its push on every weight.

The formulas are those of `softreg.softmax`; what is here arranges their numbers so that a person can follow them with a
pocket calculator.  Functions return structures with ``to_text()`` for people and ``to_json()`` (plain values) for
programs.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softreg.errors import DataError, UsageError
from softreg.softmax import cross_entropy, cross_entropy_grad, softmax
from softreg.text import safe_text

Array = NDArray[Any]

#: Longest name of a class or a feature in a table.
NAME_LENGTH = 40
#: Classes whose logits are taken apart: the true one and the likeliest others.
CLASSES_TAKEN_APART = 5
#: Terms shown of each such logit.
TERMS = 3


@dataclass(frozen=True)
class ClassRow:
    """One class of a worked table: its logit z, exp(z - max z), probability S, δ (1 if true) and dL/dz = S - δ."""

    name: str
    z: float
    exponential: float
    probability: float
    true: int
    gradient: float


@dataclass(frozen=True)
class WorkedTable:
    """The softmax of one row of logits, step by step.

    Attributes
    ----------
    rows : tuple of ClassRow
    true_class : str
    loss : float
        -log S of the true class, in nats: of this one row, not the mean over a data set.
    """

    rows: tuple[ClassRow, ...]
    true_class: str
    loss: float

    def to_text(self) -> str:
        """The table and, below it, the loss; as `worked_table` shows it."""
        top = max(row.z for row in self.rows)
        sign = " " if any(row.z < 0 for row in self.rows) else ""
        header = ["class", f"{sign}z", f"e^(z{'+' if top < 0 else '-'}{abs(top):.6g})", "S", "true", "dL/dz = S - true"]
        lines = [
            [
                safe_text(row.name, NAME_LENGTH),
                f"{row.z + 0.0:{sign}.6g}",  # -0 + 0 is 0
                _decimals(row.exponential),
                _decimals(row.probability),
                str(row.true),
                _decimals(row.gradient, sign=" "),
            ]
            for row in self.rows
        ]
        loss = f"loss of this one row  -log S_{safe_text(self.true_class, NAME_LENGTH)} = {_decimals(self.loss)} nats"
        return f"{_table(header, lines, (3, 4, 3, 2, 3))}\n{loss}    weight gradient: (S_i - true_i) · x_j"

    def to_json(self) -> dict[str, Any]:
        """Plain values only, ready for json.dumps."""
        return {
            "rows": [asdict(row) for row in self.rows],
            "true_class": self.true_class,
            "loss_of_this_row": self.loss,
        }


def worked_table(
    logits: Sequence[float | str] | Array | str, label: int | str, class_names: Sequence[Any] | None = None
) -> WorkedTable:
    """From logits to probabilities, loss and gradient, for one row whose true class is known.

    Parameters
    ----------
    logits : sequence of K numbers, or their text "3,4,1"
    label : int or its text
        Which of them is the true class, counted from 1.
    class_names : sequence of K labels, optional
        1 … K where not given.

    Raises
    ------
    UsageError
        Fewer than two logits, one that is not a finite number, a label that is not one of 1 … K, or another number
        of names than of logits.

    Examples
    --------
    >>> print(worked_table([3, 4, 1], label=2).to_text())
    class   z    e^(z-4)    S         true   dL/dz = S - true
    1       3    0.367879   0.259496  0       0.259496
    2       4    1.000000   0.705385  1      -0.294615
    3       1    0.049787   0.035119  0       0.035119
    loss of this one row  -log S_2 = 0.349012 nats    weight gradient: (S_i - true_i) · x_j
    """
    z = _read_logits(logits)
    names = [str(k + 1) for k in range(len(z))] if class_names is None else [str(name) for name in class_names]
    if len(names) != len(z):
        raise UsageError(f"--logits: {len(z)} logits for {len(names)} class names, one name a logit is needed")
    return _worked(z, _read_label(label, len(z)) - 1, names)


def _worked(z: Array, code: int, names: Sequence[str]) -> WorkedTable:
    S, G = softmax(z), cross_entropy_grad(z, code)
    with np.errstate(under="ignore"):
        E = np.exp(z - z.max())
    rows = tuple(
        ClassRow(names[k], float(z[k]), float(E[k]), float(S[k]), int(k == code), float(G[k])) for k in range(len(z))
    )
    return WorkedTable(rows, names[code], float(cross_entropy(z, code)))


def _read_logits(logits: Sequence[float | str] | Array | str) -> Array:
    parts = logits.split(",") if isinstance(logits, str) else list(logits)
    if len(parts) < 2:
        raise UsageError("--logits: a softmax needs at least two numbers, one a class, such as 3,4,1")
    z = np.array([_read_number(part) for part in parts])
    if not math.isfinite(float(z.max()) - float(z.min())):
        raise UsageError(f"--logits: {z.min():g} and {z.max():g} are too far apart to subtract")
    return z


def _read_number(part: object) -> float:
    try:
        value = float(part)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"--logits: '{safe_text(part, NAME_LENGTH).strip()}' is not a finite number")
    return value


def _read_label(label: int | str, n_classes: int) -> int:
    try:
        number = int(label) if isinstance(label, str) else operator.index(label)
    except (TypeError, ValueError):
        number = 0
    if not 1 <= number <= n_classes:
        shown = safe_text(label, NAME_LENGTH)
        raise UsageError(f"--label {shown}: the true class is a whole number from 1 to {n_classes}, one for each logit")
    return number


@dataclass(frozen=True)
class GradientEntry:
    """dL/dW_ij of one row: (S_i - true_i) · x_j, for class i and feature j."""

    feature: str
    class_name: str
    residual: float
    x: float
    product: float


@dataclass(frozen=True)
class LogitParts:
    """One logit taken apart: z_i = b_i + the shown terms W_ij x_j + the rest of them."""

    class_name: str
    z: float
    intercept: float
    terms: tuple[tuple[str, float], ...]
    rest: float


@dataclass(frozen=True)
class RowExplanation:
    """Why a fitted softmax model says what it says of one row, and where that row would push its weights.

    Attributes
    ----------
    place : str
        Which row of which file.
    table : WorkedTable
        Its ``loss`` is this row's.
    mean_loss : float
        The weighted mean loss over the whole data set, nats per row: another number.
    gradient : tuple of GradientEntry
        The largest entries of this row's weight gradient, largest first; the intercept's, where x = 1, are the
        table's last column.
    logits : tuple of LogitParts
        Of the true class and the likeliest others, in the order of the classes.
    """

    place: str
    table: WorkedTable
    mean_loss: float
    gradient: tuple[GradientEntry, ...]
    logits: tuple[LogitParts, ...]

    def to_text(self) -> str:
        """The worked table, the two losses, the largest gradient entries and the largest parts of the logits."""
        entries = [
            [
                safe_text(entry.feature, NAME_LENGTH),
                "→ " + safe_text(entry.class_name, NAME_LENGTH),
                _decimals(entry.residual, sign=" "),
                f"{entry.x: .6g}",
                f"{entry.product: .6g}",
            ]
            for entry in self.gradient
        ]
        largest = (
            _table(["feature", "→ class", " S_i - true_i", " x_j", " product"], entries, (2, 3, 3, 3))
            if entries
            else "all are 0"
        )
        parts = [
            [
                safe_text(part.class_name, NAME_LENGTH),
                f"{part.z: .6g}",
                f"= {part.intercept:.4g} (intercept)"
                + "".join(f" {_signed(value)} ({safe_text(name, NAME_LENGTH)})" for name, value in part.terms)
                + (f" {_signed(part.rest)} (the others)" if part.rest else ""),
            ]
            for part in self.logits
        ]
        return "\n".join(
            [
                f"{self.place}: true class {safe_text(self.table.true_class, NAME_LENGTH)}",
                self.table.to_text(),
                f"mean loss of the data set  {_decimals(self.mean_loss)} nats/row: another number, over all its rows",
                "",
                "largest entries of this row's weight gradient (of the intercept, x = 1: the last column above)",
                largest,
                "",
                "where the logits come from: z_i = b_i + sum_j W_ij x_j, the largest terms",
                _table(["class", " z", ""], parts, (2, 2)),
            ]
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values only, ready for json.dumps."""
        return {
            "place": self.place,
            **self.table.to_json(),
            "mean_loss_of_the_data_set": self.mean_loss,
            "largest_gradient_entries": [asdict(entry) for entry in self.gradient],
            "logits": [
                asdict(part) | {"terms": [{"feature": name, "value": value} for name, value in part.terms]}
                for part in self.logits
            ],
        }


def explain_row(
    W: ArrayLike,
    x: ArrayLike,
    label_code: int,
    classes: Sequence[Any] | Array,
    feature_names: Sequence[Any],
    mean_loss: float,
    place: str,
    top: int = 5,
) -> RowExplanation:
    """The worked table of one data row under a fitted softmax model, with what moves its logits and weights.

    Parameters
    ----------
    W : array_like, (p + 1, K)
        Last row the intercept.
    x : array_like, (p,)
        The row, as the model sees it.
    label_code : int
        Its true class, 0 … K-1.
    classes : sequence of K labels
    feature_names : sequence of p names
    mean_loss : float
        The weighted mean loss of the data set that the row is from, nats per row.
    place : str
        Which row of which file, for the heading and for errors.
    top : int
        How many gradient entries to name; entries that are 0 are never named.

    Raises
    ------
    DataError
        x holds a value that is not finite, or so large that the logits overflow.
    UsageError
        ``label_code`` out of range, or ``top`` below 1.
    ValueError
        Shapes that do not fit.
    """
    W, x = np.asarray(W, dtype=np.float64), np.asarray(x, dtype=np.float64)
    names, features = [str(label) for label in classes], [str(name) for name in feature_names]
    place = safe_text(place)
    if W.shape != (len(features) + 1, len(names)) or x.shape != (len(features),):
        raise ValueError(
            f"W of shape {W.shape} and x of shape {x.shape} do not fit {len(features)} features and {len(names)} "
            "classes: expected (p + 1, K) and (p,)"
        )
    if not 0 <= label_code < len(names):
        raise UsageError(f"{place}: class code {label_code} is out of range: {len(names)} classes")
    if top < 1:
        raise UsageError(f"{place}: cannot name {top} gradient entries, the fewest is 1")
    bad = np.flatnonzero(~np.isfinite(x))
    if bad.size:
        raise DataError(f"{place}: column '{safe_text(features[bad[0]], NAME_LENGTH)}': {x[bad[0]]} is not finite")
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        terms = W[:-1] * x[:, None]  # W_ij x_j as (p, K)
        z = terms.sum(axis=0) + W[-1]
        largest = float((np.abs(terms).sum(axis=0) + np.abs(W[-1])).max())
    if not math.isfinite(2 * largest):
        raise DataError(f"{place}: the logits overflow (largest value {np.abs(x).max():g})")
    table = _worked(z, label_code, names)
    return RowExplanation(
        place,
        table,
        float(mean_loss),
        _largest_entries(table, x, features, top),
        tuple(_taken_apart(k, z, W[-1], terms, names, features) for k in _classes_that_matter(table, label_code)),
    )


def _largest_entries(table: WorkedTable, x: Array, features: Sequence[str], top: int) -> tuple[GradientEntry, ...]:
    G = np.array([row.gradient for row in table.rows])
    with np.errstate(under="ignore"):
        products = np.outer(x, G)
    order = np.argsort(-np.abs(products), axis=None, kind="stable")[:top]
    return tuple(
        GradientEntry(features[j], table.rows[i].name, float(G[i]), float(x[j]), float(products[j, i]))
        for j, i in zip(*np.unravel_index(order, products.shape), strict=True)
        if products[j, i] != 0
    )


def _classes_that_matter(table: WorkedTable, code: int) -> list[int]:
    """The true class and the likeliest others, in the order of the classes."""
    by_probability = np.argsort([-row.z for row in table.rows], kind="stable")
    others = [int(k) for k in by_probability if k != code]
    return sorted([code, *others[: CLASSES_TAKEN_APART - 1]])


def _taken_apart(k: int, z: Array, b: Array, terms: Array, names: Sequence[str], features: Sequence[str]) -> LogitParts:
    order = np.argsort(-np.abs(terms[:, k]), kind="stable")
    shown = [j for j in order[:TERMS] if terms[j, k] != 0]
    rest = float(np.delete(terms[:, k], shown).sum())
    named = tuple((features[j], float(terms[j, k])) for j in shown)
    return LogitParts(names[k], float(z[k]), float(b[k]), named, rest)


def _decimals(value: float, sign: str = "") -> str:
    """Six decimals; a power of ten where those would show a small number as 0 or a large one without end."""
    plain = value == 0 or 5e-7 <= abs(value) < 1e7
    return f"{value + 0.0:{sign}.6f}" if plain else f"{value:{sign}.1e}"


def _signed(value: float) -> str:
    return f"{'-' if value < 0 else '+'} {abs(value):.4g}"


def _table(header: list[str], lines: list[list[str]], gaps: Sequence[int]) -> str:
    """Columns aligned to the left, ``gaps`` blanks between them."""
    widths = [max(map(len, column)) for column in zip(header, *lines, strict=True)]
    cells = [width + gap for width, gap in zip(widths, [*gaps, 0], strict=True)]
    return "\n".join(
        "".join(cell.ljust(width) for cell, width in zip(line, cells, strict=True)).rstrip()
        for line in [header, *lines]
    )
