"""Which column of a file is for what."""

from __future__ import annotations

import fnmatch
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from softreg.errors import DataError, UsageError
from softreg.tables.options import TableOptions
from softreg.tables.recipe import Recipe
from softreg.text import listing, nearest, safe_text


@dataclass(frozen=True)
class Roles:
    """Columns by name: ``features`` in the order of X; ``notes`` are for the user."""

    features: Sequence[str]
    target: str | None = None
    id: str | None = None
    weight: str | None = None
    group: str | None = None
    target_proba: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)


def choose(path: str, names: Sequence[str], target: str | None, group: str | None, options: TableOptions) -> Roles:
    """The roles of a table to learn from.

    Raises
    ------
    UsageError
        No target is named, or a column is given two roles.
    DataError
        There is no such column, or none is left to learn from.
    """
    proba: tuple[str, ...] = ()
    if options.target_proba is not None:
        proba = tuple(name for name in names if fnmatch.fnmatchcase(name, _pattern(options.target_proba)))
        if target is not None:
            raise UsageError("--target and --target-proba both say what is to be learned: give one of them")
        if len(proba) < 2:
            shown = safe_text(options.target_proba, 40)
            raise DataError(
                f"{path}: --target-proba '{shown}' matches {listing(proba) or 'no column'}{_columns(names)}"
            )
    elif target is None:
        _refuse_one_column(path, names)
        suggestion = safe_text(shlex.quote(names[-1] if options.header else str(len(names))), 40)
        raise UsageError(f"{path}: which column is the target? columns: {listing(names)} (add --target {suggestion})")
    else:
        target = _position(target, names, options)
    roles = {"target": target, "group": group, "id-col": options.id_col, "weight-col": options.weight_col}
    given: dict[str, str] = {}
    for role, name in roles.items():
        if name is None:
            continue
        if name not in names:
            _refuse_one_column(path, names)
            raise DataError(f"{path}: no column '{safe_text(name, 40)}'{_hint(name, names)}")
        if name in given:
            raise UsageError(f"{path}: column '{safe_text(name, 40)}' cannot be both {given[name]} and {role}")
        given[name] = role
    for flag in ("features", "drop", "categorical"):
        for name in getattr(options, flag):
            if name not in names:
                raise DataError(f"{path}: --{flag}: no column '{safe_text(name, 40)}'{_hint(name, names)}")
            if flag != "drop" and (name in given or name in proba):
                raise UsageError(f"--{flag}: column '{safe_text(name, 40)}' is the {given.get(name, 'target')}")
    apart = {*given, *proba, *options.drop}
    features = list(dict.fromkeys(options.features)) or [name for name in names if name not in apart]
    both = [name for name in options.features if name in options.drop]
    if both:
        raise UsageError(f"--features and --drop both name '{safe_text(both[0], 40)}'")
    if not features:
        raise DataError(f"{path}: no column is left to learn from beside '{listing(sorted(apart))}'")
    notes = _doubts_of_header(names) if options.header else []
    return Roles(features, target, options.id_col, options.weight_col, group, proba, notes)


def match(path: str, names: Sequence[str], recipe: Recipe, needed: Sequence[str], header: bool) -> Roles:
    """The roles of another table, by the names of the training table.

    Parameters
    ----------
    needed : of target, group, weight: those that must be there.
    header : whether ``names`` are written in the file.
    """
    features = recipe.names
    there, wanted = set(names), set(features)
    missing = [name for name in features if name not in there]
    if missing:
        count = f"{len(missing)} column{'s' * (len(missing) > 1)}"
        hint = ""
        if header and len(names) >= len(features) == len(missing) and 2 * sum(map(_is_number, names)) >= len(names):
            hint = "; the first line holds numbers: a header is missing?"
        elif close := nearest(missing[0], [name for name in names if name not in wanted]):
            hint = f"; is '{safe_text(close, 40)}' meant as '{safe_text(missing[0], 40)}'?"
        raise DataError(f"{path}: {count} of the model missing: {listing(missing)}{_columns(names)}{hint}")
    found: dict[str, str | None] = {}
    for role in ("target", "group", "weight", "id"):
        name = getattr(recipe, role)
        if name is not None and name not in there:
            if role in needed:
                way_out = " (the fit weighed rows by it: a column of 1 counts each once)" if role == "weight" else ""
                raise DataError(f"{path}: no column '{safe_text(name, 40)}'{_hint(name, names)}{way_out}")
            name = None
        found[role] = name
    proba = recipe.target_proba if there.issuperset(recipe.target_proba) else ()
    if recipe.target_proba and not proba and "target" in needed:
        absent = [name for name in recipe.target_proba if name not in there]
        raise DataError(f"{path}: no column '{safe_text(absent[0], 40)}'{_hint(absent[0], names)}")
    known = wanted.union(recipe.special)
    extra = [name for name in names if name not in known]
    notes = [f"ignored, not among the model's columns: {listing(extra)}"] if extra else []
    return Roles(features, found["target"], found["id"], found["weight"], found["group"], proba, notes)


def class_of(name: str, pattern: str) -> str:
    """What ``*`` stands for in the name of a column of probabilities."""
    before, after = pattern.split("*")
    return name[len(before) : len(name) - len(after)]


def _pattern(pattern: str) -> str:
    """The pattern with nothing special in it but the star."""
    return "*".join(glob_escape(part) for part in pattern.split("*"))


def glob_escape(text: str) -> str:
    return "".join(f"[{c}]" if c in "[?" else c for c in text)


def _position(target: str, names: Sequence[str], options: TableOptions) -> str:
    if options.header or target in names:
        return target
    try:
        place = int(target)
    except ValueError:
        raise UsageError(
            f"--target {safe_text(target, 40)}: with --no-header a number from 1 to {len(names)}"
        ) from None
    if not 1 <= place <= len(names):
        raise UsageError(f"--target {place}: with --no-header a number from 1 to {len(names)}")
    return names[place - 1]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _refuse_one_column(path: str, names: Sequence[str]) -> None:
    """DataError where the only column has a name that looks like several."""
    if len(names) == 1 and names[0].startswith("#"):
        raise DataError(f"{path}: the first line is '{safe_text(names[0], 60)}': a comment? (remove such lines)")
    if len(names) == 1 and "  " in names[0]:
        command = "tr -s ' ' ',' makes commas of blanks"
        raise DataError(f"{path}: one column only, '{safe_text(names[0], 60)}': is it aligned by blanks? ({command})")
    found = [c for c in ",:;|\t ^~" if len(names) == 1 and c in names[0]]
    if found:
        shown, option = safe_text(names[0], 60), shlex.quote(found[0])
        raise DataError(f"{path}: one column only, '{shown}': is the separator another? (--delimiter {option})")


def _doubts_of_header(names: Sequence[str]) -> list[str]:
    """A note where many columns are named by numbers, as if their names were the first row."""
    numbers = [name for name in names if _is_number(name)]
    counted = [[str(j) for j in range(start, start + len(numbers))] for start in (0, 1)]
    if 2 * len(numbers) < len(names) or numbers in counted:
        return []
    return [f"{len(numbers)} of {len(names)} columns are named by numbers: is the first line data? (--no-header)"]


def _hint(name: str, names: Sequence[str]) -> str:
    close = nearest(name, names)
    return f" (did you mean '{safe_text(close, 40)}'?){_columns(names)}" if close else _columns(names)


def _columns(names: Sequence[str]) -> str:
    return f"; columns: {listing(names)}"
