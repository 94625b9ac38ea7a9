"""npz files: X dense or sparse, labels in y, everything kept in the type it was stored in.  Nothing is unpickled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from softreg.errors import DataError
from softreg.tables import csr, labels
from softreg.tables.table import Recipe, Table, fingerprint
from softreg.text import listing, safe_text

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_CHECK_CELLS = 1 << 20


def read_npz(
    file: BinaryIO,
    path: str,
    target: str | None,
    *,
    features: Sequence[str] | None,
    group: str | None,
    require_target: bool,
) -> Table:
    """The table in an open npz file; see ``read_table`` for the arguments, ``path`` is for messages."""
    arrays = _arrays(file, path)
    notes = []
    key = "y"
    if target is not None and target != "y":
        if target in arrays:
            key = target
        else:
            notes.append(f"labels are those of the key y: an npz file has no column '{safe_text(target, 40)}'")
    if group is not None and (group not in arrays or group in ("X", key, *csr.KEYS)):
        raise DataError(f"{path}: no key '{safe_text(group, 40)}' for groups; {_keys(arrays)}")
    X = _matrix(path, arrays)
    n, p = X.shape
    if not n or not p:
        raise DataError(f"{path}: X has {n} rows and {p} columns")
    _check_finite(path, X)
    if key in arrays:
        y = _labels(path, key, arrays[key], n)
    elif require_target:
        raise DataError(f"{path}: no labels under the key {safe_text(key)}; {_keys(arrays)}")
    else:
        y = None
    groups = None if group is None else _labels(path, group, arrays[group], n)
    names = tuple(f"x{j}" for j in range(1, p + 1))
    if features is None:
        if y is not None:
            labels.check_classes(path, y[0], n)
    else:
        if len(features) != p:
            raise DataError(f"{path}: X has {p} columns, the model has {len(features)}")
        if tuple(features) != names:
            notes.append("columns matched with the model's by position: an npz file has no column names")
            names = tuple(features)
    if y is not None:
        notes += labels.lookalikes(y[0])
    return Table(
        path=path,
        X=X,
        feature_names=names,
        y=None if y is None else y[0][y[1]],
        groups=None if groups is None else groups[0][groups[1]],
        recipe=Recipe(names, None if key == "y" else key, "int" if y is None or y[0].dtype.kind == "i" else "str"),
        fingerprint=fingerprint(names, X, [y, groups]),
        notes=tuple(notes),
    )


def _arrays(file: BinaryIO, path: str) -> dict[str, np.ndarray]:
    """All arrays of the archive, decompressed."""
    if not file.seekable():
        raise DataError(f"{path}: an npz file cannot be read from a pipe")
    try:
        with np.load(file, allow_pickle=False) as archive:
            return {key: np.asarray(archive[key]) for key in archive.files}
    except (MemoryError, OSError):
        raise
    except Exception as error:  # hostile bytes meet zip, zlib, ast and numpy here, each with errors of its own
        finding = safe_text(str(error).split("\n", 1)[0])
        raise DataError(f"{path}: not a readable npz file: {finding}") from error


def _keys(arrays: dict[str, np.ndarray]) -> str:
    return f"keys: {listing([f'{key} {array.dtype} {array.shape}' for key, array in arrays.items()])}"


def _matrix(path: str, arrays: dict[str, np.ndarray]) -> np.ndarray | csr_array:
    if "X" in arrays:
        X = arrays["X"]
        if X.ndim != 2 or X.dtype.kind not in "biuf":
            raise DataError(f"{path}: X must be a 2-D array of numbers; {_keys(arrays)}")
    elif all(key in arrays for key in csr.KEYS):
        X = arrays["data"]
    else:
        raise DataError(f"{path}: neither a key X nor a sparse matrix of scipy.sparse.save_npz; {_keys(arrays)}")
    if X.dtype.kind not in "biuf" or X.dtype.itemsize > 8:
        raise DataError(f"{path}: numbers of type {X.dtype}; save them as float64")
    if X.dtype.kind == "b":
        X = X.view(np.uint8)
    if not X.dtype.isnative:
        X = X.astype(X.dtype.newbyteorder("="))
    return X if "X" in arrays else csr.csr_from_parts(path, {**arrays, "data": X})


def _check_finite(path: str, X: np.ndarray | csr_array) -> None:
    """Refuse NaN and infinities, looking at a block at a time so that no copy of X is made."""
    values = X if isinstance(X, np.ndarray) else X.data
    if values.dtype.kind != "f":
        return
    rows = max(1, _CHECK_CELLS // max(1, values[:1].size))
    for start in range(0, len(values), rows):
        finite = np.isfinite(values[start : start + rows])
        if not finite.all():
            place = [int(index[0]) for index in np.nonzero(~finite)]
            value = values[start + place[0]] if values.ndim == 1 else values[start + place[0], place[1]]
            if isinstance(X, np.ndarray):
                row, column = start + place[0], place[1]
            else:
                row = int(np.searchsorted(X.indptr, start + place[0], side="right")) - 1
                column = int(X.indices[start + place[0]])
            raise DataError(f"{path}: row {row + 1}, column x{column + 1}: {value} is not finite")


def _labels(path: str, key: str, array: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels as (classes, codes): integers whatever the type they were stored in, or text."""
    name = safe_text(key, 40)
    if array.shape != (n,):
        raise DataError(f"{path}: {name} must have one label for each of {n} rows, not shape {array.shape}")
    if array.dtype.kind == "S":
        try:
            array = np.strings.decode(array, "utf-8")
        except UnicodeDecodeError:
            raise DataError(f"{path}: {name} holds bytes that are not UTF-8 text") from None
    if array.dtype.kind not in "biufU":
        raise DataError(f"{path}: {name} must hold integers or text, not {array.dtype}")
    values, codes = np.unique(array, return_inverse=True)
    if values.dtype.kind == "U":
        if values[0] == "":
            raise DataError(f"{path}: {name} has {int((codes == 0).sum())} empty labels")
        return labels.text_array(values.tolist()), codes
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise DataError(f"{path}: {name} has {int((~np.isfinite(array)).sum())} labels that are NaN or infinite")
        if (values != np.floor(values)).any():
            raise DataError(f"{path}: {name} has {len(values)} distinct values, not all whole; is this regression?")
    if values.dtype.kind in "uf" and (values[-1] >= 2.0**63 or values[0] < -(2.0**63)):
        raise DataError(f"{path}: {name} has labels beyond 64-bit integers")
    return values.astype(np.int64), codes
