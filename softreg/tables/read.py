"""One door for every kind of table file: the content, not the name, says which kind it is."""

from __future__ import annotations

import os
from collections.abc import Sequence

from softreg.errors import DataError, ResourceError
from softreg.tables.table import Table
from softreg.text import safe_text

# The first bytes of files that are no text, in words.
_MAGIC = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"%PDF": "a PDF document",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"\x89HDF": "an HDF5 file",
    b"\x1f\x8b": "a gzip file; unpack it first",
    b"BZh": "a bzip2 file; unpack it first",
    b"\xfd7zXZ": "an xz file; unpack it first",
    b"\x28\xb5\x2f\xfd": "a zstd file; unpack it first",
    b"7z\xbc\xaf": "a 7z archive; unpack it first",
    b"SQLite format 3": "an SQLite database",
    b"\x93NUMPY": "a single numpy array; save X and y together with numpy.savez",
    b"\x80\x02": "a Python pickle",
    b"\x80\x03": "a Python pickle",
    b"\x80\x04": "a Python pickle",
    b"\x80\x05": "a Python pickle",
    b"\x7fELF": "a program",
    b"\xff\xfe": "UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "UTF-16 text; save it as UTF-8",
}


def read_table(
    path: str | os.PathLike[str],
    target: str | None = None,
    *,
    features: Sequence[str] | None = None,
    group: str | None = None,
    require_target: bool = True,
) -> Table:
    """Read a CSV, TSV or npz file into arrays.

    Parameters
    ----------
    path : a file, or a pipe, which is read once
    target : the column of labels; of a CSV or TSV file it must be named.  An npz file has its labels under the
        key ``y``, unless ``target`` is one of its keys.
    features : the columns of X in this order, matched by name; an npz file must have as many.  None, for
        training: all columns but target and group, and labels must be of two classes or more.
    group : a column (or npz key) of groups that a split keeps together; never a feature
    require_target : whether labels must be there; otherwise they are read if they are

    Returns
    -------
    Table
        ``X`` (n, p), ``y`` (n,), and all that is known about them.

    Raises
    ------
    UsageError
        ``target`` is needed and not given, or is also ``group``.
    DataError
        The file cannot be read, or not be learned from; one line that names file, line and column.
    ResourceError
        It does not fit in memory.
    """
    shown = safe_text(os.fspath(path), 240)
    try:
        with open(path, "rb") as file:
            start = file.peek(16)[:16]
            if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
                from softreg.tables.npz import read_npz

                return read_npz(file, shown, target, features=features, group=group, require_target=require_target)
            _refuse_binary(shown, start)
            from softreg.tables.delimited import read_delimited

            return read_delimited(file, shown, target, features=features, group=group, require_target=require_target)
    except FileNotFoundError:
        raise DataError(f"{shown}: no such file") from None
    except IsADirectoryError:
        raise DataError(f"{shown}: is a folder, not a file") from None
    except PermissionError:
        raise DataError(f"{shown}: no permission to read it") from None
    except OSError as error:
        raise DataError(f"{shown}: cannot be read: {safe_text(error.strerror or error)}") from error
    except MemoryError as error:
        raise ResourceError(f"{shown}: does not fit in memory") from error


def _refuse_binary(path: str, start: bytes) -> None:
    for magic, what in _MAGIC.items():
        if start.startswith(magic):
            raise DataError(f"{path}: not a table of text or npz: looks like {what}")
