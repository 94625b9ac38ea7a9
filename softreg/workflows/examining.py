"""Check: what to know of a table before anything is learned from it, each finding with a number and advice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.tables import TableOptions, label_text
from softreg.tables.learning import UnfitColumn
from softreg.tables.opening import Paths
from softreg.text import listing, safe_text
from softreg.workflows.inputs import Labelled, describe, read_training

Array = NDArray[Any]

#: A class of fewer rows is rare: folds and intervals know next to nothing of it.
RARE = 5
#: Ratio of spreads from which columns are of different scales.
SCALES = 1e4
#: Ratio of class sizes from which a table is unbalanced.
UNBALANCED = 100
#: Numbers in X up to which rows and columns are compared with each other.
COMPARABLE = 50_000_000
#: Passes that a fit takes, and operations a second of one core: what a rough time is made of.
PASSES, SPEED = 100, 1e10
#: Megabytes of the program and of what a pass holds; entries of the factors of `ClassPreconditioner`, at most.
PROGRAM, MOST_FACTORED = 130, 1 << 25


@dataclass(frozen=True)
class Finding:
    """Something about the data, and what to do about it (empty: nothing need be done)."""

    text: str
    advice: str = ""


@dataclass(frozen=True, eq=False)
class CheckResult:
    """What was found in a table.

    Attributes
    ----------
    data : str
        What was understood of it.
    classes : (K,) array
    counts : (K,) array
        Rows of each class.
    findings : tuple of Finding
    n, p : int
        Rows and features.
    megabytes : float
        Of a fit, all in all: rough.
    seconds : float
        Of a fit on one core, roughly.
    """

    data: str
    classes: Array
    counts: Array
    findings: tuple[Finding, ...]
    n: int
    p: int
    megabytes: float
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Plain values only."""
        return {
            "data": self.data,
            "n": self.n,
            "p": self.p,
            "classes": {label_text(k): int(n) for k, n in zip(self.classes.tolist(), self.counts, strict=True)},
            "findings": [
                {"number": i, "finding": finding.text, "advice": finding.advice}
                for i, finding in enumerate(self.findings, 1)
            ],
            "megabytes": self.megabytes,
            "seconds": self.seconds,
        }


def check(
    data: Paths, *, target: str | None = None, group: str | None = None, options: TableOptions | None = None
) -> CheckResult:
    """Look at a table as a fit would read it; missing cells are counted and unfit columns named, not refused.

    Raises
    ------
    UsageError, DataError, ResourceError
        The table cannot be read at all.
    """
    options = options or TableOptions()
    filled = options.missing == "error"
    if filled:
        options = replace(options, missing="mean")
    unfit: list[UnfitColumn] = []
    while True:
        try:
            rows = read_training(data, target, group, options)
            break
        except UnfitColumn as error:
            if error.column in options.features:
                raise
            unfit.append(error)
            options = replace(options, drop=(*options.drop, error.column))
    X, counts = rows.X, rows.counts
    n, p = X.shape
    K = len(rows.classes)
    stored = X.nbytes if isinstance(X, np.ndarray) else X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
    entries = X.size if isinstance(X, np.ndarray) else X.nnz
    return CheckResult(
        data=describe(rows),
        classes=rows.classes,
        counts=counts,
        findings=(*(Finding(error.finding, error.advice) for error in unfit), *_findings(rows, filled)),
        n=n,
        p=p,
        megabytes=(1.2 * stored + 192 * p * K + 4 * min(p * p * (K + 2), MOST_FACTORED)) / 1e6 + PROGRAM,
        seconds=PASSES * 4 * entries * K / SPEED,
    )


def _findings(rows: Labelled, filled: bool) -> Iterator[Finding]:
    yield from _of_classes(rows)
    for note in (*rows.table.notes, *rows.warnings):
        if filled and note.startswith("missing cells: "):
            ways = "--missing mean, median, indicator, drop (rows) or drop-columns"
            yield Finding(note.partition("; ")[0], f"say what they mean: {ways}")
        else:
            yield Finding(note)
    yield from _of_columns(rows)
    yield from _of_rows(rows)


def _of_classes(rows: Labelled) -> Iterator[Finding]:
    counts = rows.counts
    names = [safe_text(label_text(label), 30) for label in rows.classes.tolist()]
    rare = np.flatnonzero(counts < RARE).tolist()
    if rare:
        shown = listing([f"{names[k]} ({counts[k]})" for k in rare], 6)
        yield Finding(
            f"{len(rare)} of {len(counts)} classes have fewer than {RARE} rows: {shown}",
            "collect more of them, or put classes together: nothing sure can be said of so few",
        )
    largest, smallest = int(counts.argmax()), int(counts.argmin())
    if counts[largest] >= UNBALANCED * counts[smallest]:
        yield Finding(
            f"{names[largest]} has {counts[largest] / counts[smallest]:.0f} times the rows of {names[smallest]}",
            "judge by balanced accuracy or macro-F1; --class-weight balanced makes classes count alike",
        )


def _of_columns(rows: Labelled) -> Iterator[Finding]:
    X, names = rows.X, rows.table.feature_names
    n, p = X.shape
    if n < p:
        yield Finding(f"more features than rows: {p} for {n}", "choose alpha with --tune: without a penalty all fits")
    spread = _spread(X)
    constant = np.flatnonzero(spread == 0).tolist()
    if constant:
        shown = listing([names[j] for j in constant], 6)
        yield Finding(
            f"{len(constant)} constant column{'s' * (len(constant) > 1)}: {shown}",
            "leave them out with --drop: they say nothing",
        )
    varied = spread[spread > 0]
    if len(varied) and varied.max() > SCALES * varied.min():
        wide, narrow = names[int(spread.argmax())], names[int(np.where(spread > 0, spread, np.inf).argmin())]
        yield Finding(
            f"spreads differ by a factor of {varied.max() / varied.min():.0e}: {safe_text(wide, 40)} against "
            f"{safe_text(narrow, 40)}",
            "the solver minds no scale, but the penalty does: --standardize makes columns count alike",
        )
    if isinstance(X, np.ndarray) and X.size <= COMPARABLE:
        same = [(names[first], names[j]) for first, j in _equal(np.ascontiguousarray(X.T)) if spread[j] > 0]
        if same:
            shown = listing([f"{a} = {b}" for a, b in same], 4)
            many = f"{len(same)} columns repeat" if len(same) > 1 else "1 column repeats"
            yield Finding(f"{many} another: {shown}", "leave one of each out with --drop")


def _of_rows(rows: Labelled) -> Iterator[Finding]:
    X, y = rows.X, rows.y
    if not isinstance(X, np.ndarray) or X.size > COMPARABLE:
        return
    pairs = _equal(X)
    if not pairs:
        return
    n = len(y)
    differ = sum(y[first] != y[i] for first, i in pairs)
    yield Finding(
        f"{len(pairs)} of {n} rows repeat an earlier one ({differ} of them with another label)",
        "rows of one thing belong on one side of a split: --group, if a column says which",
    )


def _spread(X: Any) -> Array:
    """(p,) largest less smallest value of each column."""
    if isinstance(X, np.ndarray):
        return X.max(axis=0).astype(np.float64) - X.min(axis=0)
    return (X.max(axis=0).toarray() - X.min(axis=0).toarray()).ravel().astype(np.float64)


def _equal(rows: Array) -> list[tuple[int, int]]:
    """(first, i) for each row i that equals an earlier one."""
    rows = np.ascontiguousarray(rows + 0.0)  # one zero
    keys = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    earliest = first[inverse.reshape(-1)]
    return [(int(a), i) for i, a in enumerate(earliest.tolist()) if a != i]
