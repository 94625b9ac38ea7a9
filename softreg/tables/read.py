"""One door for every kind of table: the content, not the name, says which kind it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from softreg.errors import DataError, ResourceError, UsageError
from softreg.tables.opening import Paths
from softreg.tables.options import TableOptions
from softreg.tables.recipe import Recipe
from softreg.tables.table import Table
from softreg.text import safe_text

if TYPE_CHECKING:
    from softreg.tables.applying import Batch, Found, Missing


def read_table(
    data: Paths,
    target: str | None = None,
    *,
    recipe: Recipe | None = None,
    features: Sequence[str] | None = None,
    group: str | None = None,
    require_group: bool = True,
    require_target: bool = True,
    options: TableOptions | None = None,
) -> Table:
    """Read a table into arrays: delimited text, JSON lines, Parquet, svmlight or npz.

    Parameters
    ----------
    data : a file or several with the same columns, patterns such as ``part-*.csv``, ``-`` for the standard input,
        or a pipe, which is read once.  gzip is unpacked on the way.
    target : the column of labels; where columns have names it must be named.  An npz file has its labels under the
        key ``y``, unless ``target`` is one of its keys; an svmlight file at the start of each line.
    recipe : of the table that a model was trained on, to read another one in the same way.  None, to learn from the
        table: labels must be of two classes or more.
    features : short for the recipe of these columns of numbers
    group : a column (or npz key) of groups that a split keeps together; never a feature
    require_group : whether it must be there; otherwise it is read if it is
    require_target : whether labels must be there; otherwise they are read if they are
    options : how to read and prepare a table to learn from

    Returns
    -------
    Table
        ``X`` (n, p), the labels, and all that is known about them.

    Raises
    ------
    UsageError
        ``target`` is needed and not given, or options that do not go together.
    DataError
        The file cannot be read, or not be learned from; one line that names file, line and column.
    ResourceError
        It does not fit in memory.
    """
    if features is not None:
        recipe = Recipe.plain(list(features), target, "str", group=group)
    elif recipe is not None:
        recipe = replace(recipe, target=target or recipe.target, group=group)
    if recipe is None:
        return _learned(data, target, group, options or TableOptions(), require_target)
    needed = (*(["target"] if require_target else []), *(["group"] if group is not None and require_group else []))
    if recipe.weight is not None and require_target:
        needed += ("weight",)
    from softreg.tables.files import NAMED, open_table

    with open_table(data, reading_options(recipe)) as (kind, source, shown, others, notes):
        if kind in NAMED:
            from softreg.tables.applying import read_known
            from softreg.tables.cells import UnusableColumn

            if require_target and recipe.target is None and not recipe.target_proba:
                from softreg.tables.roles import choose

                choose(shown, cast(Any, source).names, None, None, TableOptions())  # says which columns there are
            try:
                return read_known(cast(Any, source), recipe, needed=needed, group=group is not None)
            except UnusableColumn as error:
                raise error.but(_AS_BEFORE) from None
            except MemoryError as error:
                raise ResourceError(f"{shown}: does not fit in memory") from error
        table = _matrix(kind, cast(Any, source), shown, others)(
            recipe.target,
            recipe=recipe,
            group=group,
            require_group=require_group,
            require_target=require_target,
            options=TableOptions(),
        )
        return replace(table, notes=(*notes, *table.notes))


def _learned(data: Paths, target: str | None, group: str | None, options: TableOptions, require_target: bool) -> Table:
    from softreg.tables.files import NAMED, open_table

    with open_table(data, options) as (kind, source, shown, others, notes):
        if kind in NAMED:
            from softreg.tables.learning import learn

            return learn(cast(Any, source), target, group, options)
        given = [
            f"--{name.replace('_', '-')}"
            for name in ("features", "drop", "categorical", "id_col", "weight_col", "target_proba")
            if getattr(options, name)
        ]
        if given:
            raise UsageError(f"{given[0]}: {_WORDS[kind]} has no named columns")
        table = _matrix(kind, cast(Any, source), shown, others)(
            target, recipe=None, group=group, require_target=require_target, options=options
        )
        return replace(table, notes=(*notes, *table.notes))


#: What helps where a column of another table than that of training has a type that cannot be read.
_AS_BEFORE = "save it as numbers or text, as it was for the fit"
_WORDS = {"npz": "an npz file", "svmlight": "an svmlight file"}


def _matrix(kind: str, file: Any, shown: str, others: Sequence[str]) -> Any:
    """The reader of a file whose columns have no names, less its arguments."""
    from functools import partial

    if kind == "svmlight":
        from softreg.tables.svmlight import read_svmlight

        return partial(read_svmlight, file, shown, others)
    if others:
        raise DataError(f"{safe_text(others[0], 240)}: npz files are read one at a time")
    from softreg.tables.npz import read_npz

    return partial(read_npz, file, shown)


def read_batches(
    recipe: Recipe,
    data: Paths,
    found: Found | None = None,
    *,
    missing: Missing = "recipe",
    keep: Sequence[str] = (),
) -> Iterator[Batch]:
    """The rows of a table as a model sees them, some thousand at a time, in the order of the file.

    Parameters
    ----------
    recipe : of the model
    data : as for `read_table`
    found : filled with what a user should hear of, complete after the last batch
    missing : what a missing cell is: what the recipe says (rows it would drop are skipped), an error, or a reason to
        skip the row
    keep : columns wanted as they are written

    Raises
    ------
    DataError, ResourceError
        As `read_table`; a cell without a meaning is found when its batch is read.
    """
    from softreg.tables.applying import Batch, Found, read_in_batches

    found = Found() if found is None else found
    from softreg.tables.files import NAMED, open_table

    with open_table(data, reading_options(recipe)) as (kind, source, shown, others, notes):
        found.notes += notes
        if kind in NAMED:
            from softreg.tables.cells import UnusableColumn

            try:
                yield from read_in_batches(cast(Any, source), recipe, found, missing=missing, keep=tuple(keep))
            except UnusableColumn as error:
                raise error.but(_AS_BEFORE) from None
            return
        if keep:
            raise UsageError(f"{shown}: {_WORDS[kind]} has no named columns to keep")
        table = _matrix(kind, cast(Any, source), shown, others)(
            recipe.target, recipe=recipe, group=None, require_target=False, options=TableOptions()
        )
    found.notes += [*table.notes, *table.warnings]
    import numpy as np

    step = max(1, _CELLS // max(1, table.X.shape[1]))
    for start in range(0, table.n_rows, step):
        X = table.X[start : start + step]
        lines = [table.line(row) for row in range(start, start + X.shape[0])]
        yield Batch(lines, np.ones(X.shape[0], dtype=bool), X)


#: Numbers in a batch of a matrix that is in memory already.
_CELLS = 1 << 20


def reading_options(recipe: Recipe) -> TableOptions:
    """How a file is read that the recipe is to be applied to."""
    return TableOptions(
        delimiter=recipe.delimiter,
        header=recipe.header,
        encoding=recipe.encoding,
        na=recipe.na,
        decimal=recipe.decimal,
    )
