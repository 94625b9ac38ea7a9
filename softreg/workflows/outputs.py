"""What a workflow will write, checked before anything is read or trained."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from softreg.errors import UsageError
from softreg.files import check_writable, refuse_same_file
from softreg.store import check_replaceable
from softreg.tables.opening import Paths
from softreg.text import safe_text


def check_outputs(
    outputs: Mapping[str, str | None],
    inputs: Sequence[str | None],
    models: Sequence[str] = ("--output",),
    pictures: Sequence[str] = ("--plot",),
) -> None:
    """Refuse outputs (by option) that are an input, each other, or cannot be written.

    Parameters
    ----------
    outputs : mapping of option to path or None
    inputs : sequence of path or None
    models : sequence of str
        The options that name model files: never written over a file that is no model.
    pictures : sequence of str
        The options that name pictures: the suffix says which kind.

    Raises
    ------
    UsageError, OutputError
    """
    given = [(option, path) for option, path in outputs.items() if path is not None]
    for i, (option, path) in enumerate(given):
        if path == "-":
            raise UsageError(f"{option} -: what is written here goes to a file; ./- is one of that name")
        if not path:
            raise UsageError(f"{option}: the name of the file is empty")
        refuse_same_file(path, [name for name in inputs if name is not None], option)
        for other, earlier in given[:i]:
            try:
                refuse_same_file(path, [earlier], option)
            except UsageError:
                raise UsageError(f"{option} and {other} are the same file, {safe_text(path)}") from None
    for option, path in given:
        if option in models:
            check_replaceable(path)
        if option in pictures:
            from softreg.plots.display import picture_format

            picture_format(path)
        check_writable(path)


def names_of(data: Paths) -> list[str]:
    """The files of a table as they were named."""
    return [os.fspath(path) for path in ([data] if isinstance(data, str | os.PathLike) else data)]
