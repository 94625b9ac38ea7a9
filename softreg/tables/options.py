"""What a user says about a table beyond its name: how its text is read, and what its columns are for."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from softreg.errors import UsageError
from softreg.text import nearest, safe_text

#: Numbers beyond are not learned from: their squares are, or nearly, no float64.
LARGEST = 1e150

MISSING = ("error", "drop", "drop-columns", "mean", "median", "indicator")
#: Of these, what puts something in the place of a missing cell.
FILLED = ("mean", "median", "indicator")
UNKNOWN = ("ignore", "error")


@dataclass(frozen=True)
class TableOptions:
    """How a table is read and prepared; each field is named as its flag.

    Parameters
    ----------
    delimiter : str, optional
        One character between cells; else found in the first line.
    header : bool
        Whether the first line holds names; if not, columns are called x1 … xp.
    encoding : str, optional
        Of text that is not UTF-8.
    na : tuple of str
        Texts that mean that a value is missing, as an empty cell always does.
    decimal : str
        "." or ",", between a number's whole part and the rest.
    max_features : int, optional
        Most columns that an svmlight file may have.
    features, drop, categorical : tuple of str
        Columns to learn from (all by default), to leave out, to take as categories whatever their text.
    id_col, weight_col : str, optional
        Columns that name a row, and that say how often it counts.
    target_proba : str, optional
        Pattern such as ``p_*`` of columns that hold a probability for each class; ``*`` is the class.
    missing : str
        error; drop (the row); drop-columns (those with a missing cell); mean or median (of the column); indicator
        (mean, and a column that says so).
    unknown : str
        What a category that training never saw is when predicting: ignore (none of them) or error; where rarer
        levels share a column it is one of these.
    max_levels : int
        Categories a column keeps as its own; rarer ones share one.
    """

    delimiter: str | None = None
    header: bool = True
    encoding: str | None = None
    na: tuple[str, ...] = ()
    decimal: str = "."
    max_features: int | None = None
    features: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    id_col: str | None = None
    weight_col: str | None = None
    target_proba: str | None = None
    missing: str = "error"
    unknown: str = "ignore"
    max_levels: int = 100

    def __post_init__(self) -> None:
        _one_of("missing", self.missing, MISSING)
        _one_of("unknown", self.unknown, UNKNOWN)
        _one_of("decimal", self.decimal, (".", ","))
        if self.delimiter is not None and (len(self.delimiter.encode()) != 1 or self.delimiter in '"\r\n.'):
            raise UsageError(f"--delimiter '{safe_text(self.delimiter, 20)}': one character such as ; or '\\t'")
        if self.delimiter is not None and self.delimiter == self.decimal:
            raise UsageError(f"--delimiter {self.delimiter} and --decimal {self.decimal} cannot be told apart")
        if self.encoding is not None:
            try:
                "".encode(self.encoding)
            except LookupError:
                name = safe_text(self.encoding, 40)
                raise UsageError(f"--encoding {name}: no such encoding (latin-1, cp1252, utf-16, …)") from None
        for flag, value in (("max-levels", self.max_levels), ("max-features", self.max_features)):
            if value is not None and value < 1:
                raise UsageError(f"--{flag} {value}: a whole number, 1 or above")
        if self.target_proba is not None and self.target_proba.count("*") != 1:
            pattern = safe_text(self.target_proba, 40)
            raise UsageError(f"--target-proba '{pattern}': a pattern with one *, which stands for the class")

    @classmethod
    def from_text(cls, **given: Any) -> TableOptions:
        """Options from a command line or configuration, where lists are text between commas."""
        values = {f.name: given[f.name] for f in fields(cls) if given.get(f.name) is not None}
        for name in ("na", "features", "drop", "categorical"):
            if name in values and isinstance(values[name], str):
                values[name] = values[name].split(",")
            if name in values:
                values[name] = tuple(part.strip() for part in values[name])
        if isinstance(values.get("missing"), str):
            values["missing"] = values["missing"].replace("_", "-")
        if values.get("delimiter") in ("\\t", "tab"):
            values["delimiter"] = "\t"
        return cls(**values)


def _one_of(flag: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        meant = nearest(str(value), known)
        hint = f" (did you mean {meant}?)" if meant else ""
        raise UsageError(f"--{flag} {safe_text(value, 40)}: one of {' '.join(known)}{hint}")
