"""How the columns of a file become X and y: learned once, stored in the model, applied to every later table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from softreg.errors import ModelFileError
from softreg.tables.numbered import Numbered

if TYPE_CHECKING:
    from scipy.sparse import csr_array

LabelType = Literal["int", "str"]

#: Raised when an older softreg could misread a recipe.
VERSION = 2
KINDS = ("number", "boolean", "category")
_CHUNK = 1 << 20  # cells turned at a time

#: Codes of a category's cell that is none of the levels.
MISSING_CODE, UNKNOWN_CODE = -1, -2


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the file and what becomes of it.

    Parameters
    ----------
    name : str
    kind : str
        number; boolean (true and false as 1 and 0); category (a 0/1 column for each level).
    fill : float, optional
        In place of a missing number.
    indicator : bool
        Whether a 0/1 column says where it was missing.
    levels : tuple of str
        Of a category, in order of code point.
    other : int
        How many rarer levels share one more column, as every level does that training never saw; 0: none.
    missing : bool
        Whether a missing cell is a level of its own.
    """

    name: str
    kind: str = "number"
    fill: float | None = None
    indicator: bool = False
    levels: tuple[str, ...] = ()
    other: int = 0
    missing: bool = False

    @property
    def is_category(self) -> bool:
        """Whether the cells are text."""
        return self.kind == "category"

    @property
    def features(self) -> list[str]:
        """The names of its columns of X."""
        if not self.is_category:
            return [self.name, f"{self.name}=missing"] if self.indicator else [self.name]
        names = [f"{self.name}={level}" for level in self.levels]
        for there, word in ((self.other > 0, "other"), (self.missing, "missing")):
            if there:
                names.append(f"{self.name}=({word})" if word in self.levels else f"{self.name}={word}")
        return names

    @property
    def width(self) -> int:
        """How many columns of X it makes."""
        return len(self.levels) + (self.other > 0) + self.missing if self.is_category else 1 + self.indicator

    def to_json(self) -> Any:
        """Just the name of a plain number; else what differs from one."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        if len(values) == 1:
            return self.name
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def from_json(cls, value: object) -> Column:
        if isinstance(value, str):
            return cls(value)
        _check(isinstance(value, dict) and set(value) <= {f.name for f in fields(cls)}, "a column")
        assert isinstance(value, dict)
        levels = value.get("levels", [])
        _check(isinstance(value.get("name"), str) and value.get("kind", "number") in KINDS, "a column")
        _check(isinstance(levels, list) and all(isinstance(level, str) for level in levels), "levels")
        _check(len(set(levels)) == len(levels), "levels")
        fill, other = value.get("fill"), value.get("other", 0)
        _check(fill is None or (type(fill) in (int, float) and math.isfinite(fill)), "fill")
        _check(type(other) is int and other >= 0, "other")
        _check(all(type(value.get(key, False)) is bool for key in ("indicator", "missing")), "a column")
        _check(fill is not None or not value.get("indicator", False), "a column")
        column = cls(**{**value, "levels": tuple(levels), "fill": None if fill is None else float(fill)})
        _check(column.width > 0 and (column.is_category or not (levels or other or column.missing)), "a column")
        return column


@dataclass(frozen=True)
class Recipe:
    """Everything that turned the training table into X and y.

    Parameters
    ----------
    columns : sequence of Column
        Of the file, in the order of X: a tuple, or `Numbered` where they have no names and are all numbers.
    target : str, optional
        The column of labels; None where the data had no names.
    label_type : str
        Whether the classes are integers or text.
    id, weight, group : str, optional
        Columns that name a row, weigh it, and bind it to others.
    target_proba : tuple of str
        Columns of soft labels, in the order of the classes.
    missing, unknown : str
        What was asked for: see `TableOptions`.
    na : tuple of str
    decimal : str
    header : bool
        Whether the file's first line holds names.
    delimiter, encoding : str, optional
        Where they were given, not found.
    base : int, optional
        The first index of an svmlight file.
    sparse : bool
        Whether X is a CSR matrix.
    """

    columns: Sequence[Column]
    target: str | None
    label_type: LabelType
    id: str | None = None
    weight: str | None = None
    group: str | None = None
    target_proba: tuple[str, ...] = ()
    missing: str = "error"
    unknown: str = "ignore"
    na: tuple[str, ...] = ()
    decimal: str = "."
    header: bool = True
    delimiter: str | None = None
    encoding: str | None = None
    base: int | None = None
    sparse: bool = False

    @classmethod
    def plain(cls, names: Sequence[str], target: str | None, label_type: LabelType, **more: Any) -> Recipe:
        """The recipe of a table of numbers."""
        columns = Numbered(len(names), Column) if isinstance(names, Numbered) else tuple(map(Column, names))
        return cls(columns, target, label_type, **more)

    @cached_property
    def features(self) -> Sequence[str]:
        """The names of the columns of X, all different."""
        if isinstance(self.columns, Numbered):
            return Numbered(len(self.columns), str)
        return tuple(name for column in self.columns for name in column.features)

    @property
    def names(self) -> Sequence[str]:
        """The columns of the file that X is made of."""
        if isinstance(self.columns, Numbered):
            return Numbered(len(self.columns), str)
        return [column.name for column in self.columns]

    @property
    def has_categories(self) -> bool:
        """Whether a column holds text."""
        return not isinstance(self.columns, Numbered) and any(column.is_category for column in self.columns)

    @property
    def special(self) -> dict[str, str]:
        """The columns of the file with another purpose: name → what for."""
        special = dict.fromkeys(self.target_proba, "probability")
        roles = {"target": self.target, "id": self.id, "weight": self.weight, "group": self.group}
        return special | {name: role for role, name in roles.items() if name is not None}

    @property
    def filled_columns(self) -> list[int]:
        """The columns of X of numbers for which something stands where they are missing."""
        if isinstance(self.columns, Numbered):
            return []
        starts = accumulate((column.width for column in self.columns), initial=0)
        return [at for at, column in zip(starts, self.columns, strict=False) if column.fill is not None]

    def refilled(self, fills: Mapping[int, float]) -> Recipe:
        """The recipe with other numbers for missing ones, given by their columns of X."""
        starts = accumulate((column.width for column in self.columns), initial=0)
        filled = zip(starts, self.columns, strict=False)
        return replace(self, columns=tuple(replace(c, fill=fills[at]) if at in fills else c for at, c in filled))

    # --- from cells to X ---

    def assemble(self, numbers: np.ndarray, codes: Sequence[np.ndarray]) -> np.ndarray | csr_array:
        """X (n, p) of prepared cells: the same code for training and for predicting.

        Parameters
        ----------
        numbers : (n, q) float64 array
            Of the columns that are no categories, NaN where missing; it may be changed, and be the answer.
        codes : sequence of (n,) integer arrays
            Of the categories, in order: the place in ``levels``, MISSING_CODE or UNKNOWN_CODE.
        """
        if not codes and not any(column.indicator for column in self.columns) and not self.sparse:
            for j, column in enumerate(self.columns):
                if column.fill is not None:
                    cells = numbers[:, j]
                    cells[np.isnan(cells)] = column.fill
            return numbers
        n, p = len(numbers), sum(column.width for column in self.columns)
        slots = sum(1 + column.indicator for column in self.columns)
        step = max(1, _CHUNK // max(1, slots))
        chunks = [(start, min(start + step, n)) for start in range(0, n, step)]
        if self.sparse:
            return _csr(p, (self._slots(numbers[a:b], [c[a:b] for c in codes]) for a, b in chunks))
        X = np.zeros((n, p))
        for a, b in chunks:
            places, values = self._slots(numbers[a:b], [c[a:b] for c in codes])
            X[np.arange(a, b)[:, None], places] = values
        return X

    def _slots(self, numbers: np.ndarray, codes: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """The entries of some rows that may differ from 0: their columns of X, increasing along a row, and values."""
        m = len(numbers)
        slots = sum(1 + column.indicator for column in self.columns)
        places, values = np.empty((m, slots), np.int64), np.empty((m, slots))
        slot, at, number, category = 0, 0, 0, 0
        for column in self.columns:
            if column.is_category:
                code = column_code(column, codes[category])
                places[:, slot] = np.where(code >= 0, code + at, at)
                values[:, slot] = code >= 0
                category += 1
            else:
                cells = numbers[:, number]
                places[:, slot], values[:, slot] = at, cells
                if column.fill is not None:
                    missing = np.isnan(cells)
                    values[missing, slot] = column.fill
                    if column.indicator:
                        slot += 1
                        places[:, slot], values[:, slot] = at + 1, missing
                number += 1
            slot, at = slot + 1, at + column.width
        return places, values

    # --- as text ---

    def to_json(self) -> dict[str, Any]:
        """The recipe as plain values that a person can read; columns x1 … xp that are plain numbers as their count."""
        plain = isinstance(self.columns, Numbered) or all(
            column.name == f"x{j}" and column.kind == "number" and column.fill is None  # which has no indicator either
            for j, column in enumerate(self.columns, 1)
        )
        columns: Any = len(self.columns) if plain else [column.to_json() for column in self.columns]
        rest = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "columns"}
        return {
            "version": VERSION,
            "columns": columns,
            **{name: list(value) if isinstance(value, tuple) else value for name, value in rest.items()},
        }

    @classmethod
    def from_json(cls, value: object) -> Recipe:
        """The recipe that ``to_json`` described; ModelFileError where ``value`` is no such description."""
        if not isinstance(value, dict):
            raise ModelFileError("the recipe must be a table of keys")
        if value.get("version", 1) == 1:
            value = _from_version_1(value)
        if value.get("version") != VERSION:
            raise ModelFileError(f"a recipe of version {value.get('version')!r}; this softreg reads up to {VERSION}")
        known = {f.name for f in fields(cls)}
        _check(set(value) == known | {"version"}, "the set of the recipe's keys")
        columns, target = value["columns"], value["target"]
        if type(columns) is int:
            _check(columns > 0, "the number of columns")
        else:
            _check(isinstance(columns, list) and columns, "the list of columns")
        for key in ("target", "id", "weight", "group", "delimiter", "encoding"):
            _check(value[key] is None or isinstance(value[key], str), key)
        for key in ("target_proba", "na"):
            _check(isinstance(value[key], list) and all(isinstance(text, str) for text in value[key]), key)
        _check(value["label_type"] in ("int", "str"), "label_type")
        _check(value["missing"] in ("error", "drop", "mean", "median", "indicator"), "missing")
        _check(value["unknown"] in ("ignore", "error") and value["decimal"] in (".", ","), "unknown or decimal")
        _check(type(value["header"]) is bool and type(value["sparse"]) is bool, "header or sparse")
        _check(value["base"] in (None, 0, 1) and type(value["base"]) is not bool, "base")
        read: dict[str, Any] = {name: tuple(part) if isinstance(part, list) else part for name, part in value.items()}
        del read["version"]
        read["columns"] = Numbered(columns, Column) if type(columns) is int else tuple(map(Column.from_json, columns))
        recipe = cls(**read)
        names, features = recipe.names, recipe.features
        if not isinstance(names, Numbered):  # which are all different
            _check(len(set(features)) == len(features) and len(set(names)) == len(names), "the names of columns")
        _check(not any(name in names for name in recipe.special), "the names of columns")
        _check(target is None or target not in recipe.target_proba, "target")
        return recipe


def _csr(p: int, chunks: Iterable[tuple[np.ndarray, np.ndarray]]) -> csr_array:
    """The (n, p) matrix of rows given as (places, values), some rows at a time."""
    from scipy.sparse import csr_array

    data, indices, counts = [np.empty(0)], [np.empty(0, np.int32)], [np.zeros(1, np.int64)]
    for places, values in chunks:
        keep = values != 0
        data.append(values[keep])
        indices.append(places[keep].astype(np.int32 if p < 2**31 else np.int64))
        counts.append(keep.sum(axis=1))
    indptr = np.cumsum(np.concatenate(counts))
    width = np.int32 if max(int(indptr[-1]), p) < 2**31 else np.int64
    return csr_array(
        (np.concatenate(data), np.concatenate(indices).astype(width, copy=False), indptr.astype(width)),
        shape=(len(indptr) - 1, p),
    )


def column_code(column: Column, code: np.ndarray) -> np.ndarray:
    """The places among a category's columns of X, -1 for none of them."""
    if not (column.other or column.missing):
        return code
    K = len(column.levels)
    unknown = K if column.other else -1
    missing = K + (column.other > 0) if column.missing else -1
    return np.select([code == UNKNOWN_CODE, code == MISSING_CODE], [unknown, missing], code)


def describe_columns(recipe: Recipe) -> str:
    """How many columns of which kind: ``5 numeric columns, 2 of categories (6 levels)``."""
    if isinstance(recipe.columns, Numbered):
        numeric, boolean, category = len(recipe.columns), 0, 0
    else:
        kinds = [column.kind for column in recipe.columns]
        numeric, boolean, category = (kinds.count(kind) for kind in KINDS)
    parts = []
    if numeric or not (boolean or category):
        parts.append(f"{numeric} numeric column{'s' * (numeric != 1)}")
    if boolean:
        parts.append(f"{boolean} true/false")
    if category:
        levels = sum(column.width for column in recipe.columns if column.is_category)
        parts.append(f"{category} of text ({levels} levels)")
    return ", ".join(parts)


def _from_version_1(value: dict[str, Any]) -> dict[str, Any]:
    """The description of a recipe as softreg 0.1 wrote it: numbers only."""
    _check(set(value) - {"version"} == {"features", "target", "label_type"}, "the set of the recipe's keys")
    features = value["features"]
    _check(isinstance(features, list) and all(isinstance(name, str) for name in features), "features")
    recipe = Recipe.plain(features or ["x1"], None, "int").to_json()
    _check(bool(features), "features")
    return {**recipe, "columns": features, "target": value["target"], "label_type": value["label_type"]}


def _check(holds: Any, what: str) -> None:
    if not holds:
        raise ModelFileError(f"the recipe is not as softreg writes it: {what}")
