"""Data sets by name: bundled with scikit-learn, generated, from OpenML, or from a folder of files.

    iris wine digits breast_cancer      scikit-learn's own copies
    dense:… text:…                      `generated`
    openml:NAME[@VERSION]               by network, only when asked for
    anything else                       DATA/NAME/NAME.{csv,parquet,npz}, and a few that need more (`folder`)

A set is prepared once and kept as plain arrays, so that every process loads the same bits and holds nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmarks.folder import from_folder
from benchmarks.generated import NAME as GENERATED
from benchmarks.generated import generate
from benchmarks.missing import Missing

Array = NDArray[Any]

BUNDLED = ("iris", "wine", "digits", "breast_cancer")


class Table(NamedTuple):
    """X (n, p), an array or a CSR matrix of float32 or float64, and codes y 0 … K-1."""

    X: Any
    y: Array

    @property
    def n_classes(self) -> int:
        return int(self.y.max()) + 1

    @property
    def nbytes(self) -> int:
        X = self.X
        return int(X.data.nbytes + X.indices.nbytes + X.indptr.nbytes if sparse.issparse(X) else X.nbytes)

    def facts(self) -> dict[str, Any]:
        """Shape, storage and size, for the results file."""
        return {
            "rows": self.X.shape[0],
            "columns": self.X.shape[1],
            "classes": self.n_classes,
            "dtype": str(self.X.dtype),
            "storage": "csr" if sparse.issparse(self.X) else "dense",
            "nonzeros": int(self.X.nnz) if sparse.issparse(self.X) else self.X.size,
            "bytes": self.nbytes,
            "spread": column_spread(self.X),
        }


def column_spread(X: Any) -> float:
    """Largest over median RMS of the columns that are not all zero: how badly scaled they are."""
    if sparse.issparse(X):
        square = np.bincount(X.indices, X.data.astype(np.float64) ** 2, minlength=X.shape[1])
    else:
        square = np.einsum("ij,ij->j", X, X, dtype=np.float64, casting="safe")
    rms = np.sqrt(square[square > 0])
    return float(rms.max() / np.median(rms)) if len(rms) else 1.0


def prepare(name: str, cache: Path, data: Path | None = None) -> Path:
    """The folder in ``cache`` that holds the set as plain arrays, written there first where it is not yet.

    Raises
    ------
    Missing
        Where the set cannot be had; the reason is its message.
    """
    target = cache / "sets" / f"{_safe(name)}.npys"
    if not (target / "facts.json").exists():
        X, y = _raw(name, data)
        _write(Table(*_checked(X, y)), target)
    return target


def load(prepared: Path) -> Table:
    """The arrays of a prepared set, read whole into memory."""
    y = np.load(prepared / "y.npy")
    if not (prepared / "X.npy").exists():
        parts = [np.load(prepared / f"{part}.npy") for part in ("data", "indices", "indptr")]
        facts = read_facts(prepared)
        return Table(sparse.csr_matrix(tuple(parts), shape=(facts["rows"], facts["columns"])), y)
    return Table(np.load(prepared / "X.npy"), y)


def read_facts(prepared: Path) -> dict[str, Any]:
    """`Table.facts` and a fingerprint of the numbers, without loading them."""
    facts: dict[str, Any] = json.loads((prepared / "facts.json").read_text(encoding="utf-8"))
    return facts


def _raw(name: str, data: Path | None) -> tuple[Any, Array]:
    if name in BUNDLED:
        from sklearn import datasets

        X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
        return X, y
    if GENERATED.fullmatch(name):
        return generate(name)
    if name.startswith(("dense:", "text:")):
        try:
            return generate(name)
        except ValueError as error:
            raise Missing(str(error)) from error
    if name.startswith("openml:"):
        return _from_openml(name.removeprefix("openml:"))
    return from_folder(name, data)


def _from_openml(name: str, fetch: Callable[..., Any] | None = None) -> tuple[Any, Array]:
    """A set of openml.org, text columns one-hot; rows with an empty cell are left out."""
    from sklearn import datasets

    name, _, version = name.partition("@")
    fetch = fetch or datasets.fetch_openml
    try:
        got = fetch(name=name, version=int(version) if version else "active", as_frame=True, parser="auto")
        import pandas as pd
    except Exception as error:  # whatever the network, the site or the parser may raise
        raise Missing(f"OpenML did not give it ({type(error).__name__}: {str(error)[:80]})") from error
    frame = got.data.assign(**{"target of the table": got.target}).dropna()
    target = frame.pop("target of the table")
    X = pd.get_dummies(frame, dtype=np.float64).to_numpy(dtype=np.float64)
    return X, target.to_numpy()


def _checked(X: Any, y: Array) -> tuple[Any, Array]:
    """Codes for labels, classes of one row left out, X as floats: CSR, or rows that are contiguous."""
    codes, counts = np.unique(y, return_inverse=True, return_counts=True)[1:]
    keep = counts[codes] >= 2
    if not keep.all():
        X, codes = X[keep], np.unique(codes[keep], return_inverse=True)[1]
    dtype = X.dtype if X.dtype in (np.float32, np.float64) else np.float64
    if sparse.issparse(X):
        X = sparse.csr_matrix(X, dtype=dtype)
        X.sum_duplicates()
    else:
        X = np.ascontiguousarray(X, dtype=dtype)
    return X, codes.astype(np.int64)


def _write(table: Table, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    X = table.X
    parts = {"data": X.data, "indices": X.indices, "indptr": X.indptr} if sparse.issparse(X) else {"X": X}
    digest = hashlib.sha256()
    for part, array in (parts | {"y": table.y}).items():
        np.save(target / f"{part}.npy", array)
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    facts = table.facts() | {"fingerprint": digest.hexdigest()[:16]}
    # Written last: a folder without it is not finished.
    (target / "facts.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in "._-+" else "_" for c in name)
