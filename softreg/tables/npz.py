"""npz files: X dense or sparse, labels in y, everything kept in the type it was stored in.  Nothing is unpickled."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from softreg.errors import DataError, ResourceError
from softreg.tables import csr, labels
from softreg.tables.memory import check_fits, size
from softreg.tables.numbered import Numbered
from softreg.tables.options import LARGEST, TableOptions
from softreg.tables.recipe import LabelType, Recipe
from softreg.tables.table import Table, fingerprint
from softreg.text import listing, safe_text

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_CHECK_CELLS = 1 << 20


def read_npz(
    file: BinaryIO,
    path: str,
    target: str | None,
    *,
    recipe: Recipe | None,
    group: str | None,
    require_target: bool,
    require_group: bool = True,
    options: TableOptions,
) -> Table:
    """The table in an open npz file; see ``read_table`` for the arguments, ``path`` is for messages."""
    features = None if recipe is None else recipe.features
    arrays = _arrays(file, path)
    notes = []
    key = "y"
    if target is not None and target != "y":
        if target in arrays:
            key = target
        else:
            notes.append(f"labels are those of the key y: an npz file has no column '{safe_text(target, 40)}'")
    if not require_group and group not in arrays:
        group = None
    if group is not None and (group not in arrays or group in ("X", key, *csr.KEYS)):
        raise DataError(f"{path}: no key '{safe_text(group, 40)}' for groups; {_keys(arrays)}")
    X = _matrix(path, arrays)
    n, p = X.shape
    if not n or not p:
        raise DataError(f"{path}: X has {n} rows and {p} columns")
    _check_values(path, X, LARGEST if recipe is None else math.inf)
    if key in arrays:
        y = _labels(path, key, arrays[key], n)
    elif require_target:
        raise DataError(f"{path}: no labels under the key {safe_text(key)}; {_keys(arrays)}")
    else:
        y = None
    groups = None if group is None else _labels(path, group, arrays[group], n)
    names: Sequence[str] = Numbered(p, str)
    if features is None:
        if y is not None:
            notes += labels.check_classes(path, y[0], n)
    else:
        if len(features) != p:
            raise DataError(f"{path}: X has {p} columns, the model has {len(features)}")
        if features != names:
            notes.append("columns matched with the model's by position: an npz file has no column names")
            names = features
    if y is not None:
        notes += labels.lookalikes(y[0])
    return Table(
        path=path,
        X=X,
        feature_names=names,
        labels=y,
        groups=None if groups is None else groups[0][groups[1]],
        recipe=recipe or _recipe(names, None if key == "y" else key, y, group, options, X),
        fingerprint=fingerprint(names, X, [y, groups]),
        notes=tuple(notes),
        warnings=tuple(_rounded(X)),
    )


def _rounded(X: np.ndarray | csr_array) -> list[str]:
    """A warning where whole numbers are no float64."""
    values = X if isinstance(X, np.ndarray) else X.data
    if values.dtype.kind not in "iu" or values.dtype.itemsize < 8:
        return []
    rows = max(1, _CHECK_CELLS // max(1, values[:1].size))
    for start in range(0, len(values), rows):
        block = values[start : start + rows]
        changed = np.argwhere(block.astype(np.float64).astype(np.longdouble) != block)
        if len(changed):
            place = [int(k) for k in changed[0]]
            row, column = _place(X, start + place[0], place[-1])
            return [
                f"whole numbers from 2^53 on are rounded to a float64, first {block[tuple(place)]} "
                f"in row {row + 1}, column x{column + 1}"
            ]
    return []


def _place(X: np.ndarray | csr_array, first: int, column: int) -> tuple[int, int]:
    """Row and column of an entry, which in a sparse matrix has the number ``first``."""
    if isinstance(X, np.ndarray):
        return first, column
    return int(np.searchsorted(X.indptr, first, side="right")) - 1, int(X.indices[first])


def _recipe(
    names: Sequence[str],
    target: str | None,
    y: tuple[np.ndarray, np.ndarray] | None,
    group: str | None,
    options: TableOptions,
    X: np.ndarray | csr_array,
) -> Recipe:
    kind: LabelType = "int" if y is None or y[0].dtype.kind == "i" else "str"
    sparse = not isinstance(X, np.ndarray)
    return Recipe.plain(names, target, kind, group=group, unknown=options.unknown, sparse=sparse)


def _arrays(file: BinaryIO, path: str) -> dict[str, np.ndarray]:
    """All arrays of the archive, decompressed."""
    try:
        _check_sizes(file, path)
        with np.load(file, allow_pickle=False) as archive:
            return {key: np.asarray(archive[key]) for key in archive.files}
    except (MemoryError, OSError, DataError, ResourceError):
        raise
    except Exception as error:  # hostile bytes meet zip, zlib, ast and numpy here, each with errors of its own
        finding = safe_text(str(error).split("\n", 1)[0])
        raise DataError(f"{path}: not a readable npz file: {finding}") from error


def _check_sizes(file: BinaryIO, path: str) -> None:
    """Refuse arrays that do not fit in memory, or that claim more than the archive holds, before room is made."""
    total = 0
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        if {"header.json", "sha256.txt"} <= set(names):
            raise DataError(f"{path}: a softreg model, not a table (where a command takes both, the model comes first)")
        if not any(name.endswith(".npy") for name in names):
            excel = "[Content_Types].xml" in names
            what = "an Office document: save the sheet as CSV" if excel else "a zip archive: unpack it first"
            raise DataError(f"{path}: no npz file but {what}; it holds {listing(names, 4)}")
        for entry in archive.infolist():
            if not entry.filename.endswith(".npy"):
                continue
            with archive.open(entry) as member:
                version = np.lib.format.read_magic(member)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape, _, dtype = read(member)
            if dtype.hasobject:
                name = safe_text(entry.filename.removesuffix(".npy"), 40)
                raise DataError(f"{path}: array {name} holds Python objects, never loaded: save numbers or text")
            n_bytes = math.prod(shape) * dtype.itemsize
            if any(n < 0 for n in shape) or n_bytes > entry.file_size:
                raise DataError(
                    f"{path}: not a readable npz file: array {safe_text(entry.filename.removesuffix('.npy'), 40)} "
                    f"claims {size(n_bytes)} and holds {size(entry.file_size)}"
                )
            total += n_bytes
    check_fits(path, "its arrays", total)
    file.seek(0)


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
        raise DataError(
            f"{path}: neither a key X nor a sparse matrix of scipy.sparse.save_npz; {_keys(arrays)} "
            "(numpy.savez(file, X=X, y=y) writes what is read)"
        )
    if X.dtype.kind not in "biuf" or X.dtype.itemsize > 8:
        raise DataError(f"{path}: numbers of type {X.dtype}; save them as float64")
    if X.dtype.kind == "b":
        X = X.view(np.uint8)
    if not X.dtype.isnative:
        X = X.astype(X.dtype.newbyteorder("="))
    return X if "X" in arrays else csr.csr_from_parts(path, {**arrays, "data": X})


def _check_values(path: str, X: np.ndarray | csr_array, largest: float) -> None:
    """Refuse NaN and what is beyond ``largest``, looking at a block at a time so that no copy of X is made."""
    values = X if isinstance(X, np.ndarray) else X.data
    if values.dtype.kind != "f":
        return
    largest = min(largest, float(np.finfo(values.dtype).max))
    rows = max(1, _CHECK_CELLS // max(1, values[:1].size))
    for start in range(0, len(values), rows):
        good = np.abs(values[start : start + rows]) <= largest
        if not good.all():
            place = [int(index[0]) for index in np.nonzero(~good)]
            value = values[start + place[0]] if values.ndim == 1 else values[start + place[0], place[1]]
            row, column = _place(X, start + place[0], place[-1])
            finding = "is not finite (fill or leave out such values before saving: --missing is for named columns)"
            if np.isfinite(value):
                finding = "is too large to be squared (measure it in another unit)"
            raise DataError(f"{path}: row {row + 1}, column x{column + 1}: {value:g} {finding}")


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
