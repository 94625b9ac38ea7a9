"""Data sets from a folder: DATA/NAME/NAME.csv, .parquet or .npz, and those that need a word more.

In a table the column ``label`` (or else the last one) is the target and text columns become one-hot; an npz has X and
y.  mnist is divided by 255 and stays float32, news20 is its tf-idf training part, kddcup10 is CSR (of its 118 one-hot
columns a row has 13 that are not zero) and kddcup10_dense the same as a dense array.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmarks.missing import Missing

Array = NDArray[Any]


def from_folder(name: str, data: Path | None) -> tuple[Any, Array]:
    """X and y of the set called ``name`` in the folder ``data``.

    Raises
    ------
    Missing
        No folder was given, or it has no such set.
    """
    if data is None:
        raise Missing("not bundled with scikit-learn: --data FOLDER says where its file is")
    if name == "mnist":
        with np.load(_file(data, "mnist/mnist_train.npz")) as file:
            return file["X"].astype(np.float32) / np.float32(255), file["y"]
    if name == "news20":
        with np.load(_file(data, "news20/y.npz")) as file:
            y = file["y_train"]
        return sparse.csr_matrix(sparse.load_npz(_file(data, "news20/X_train_tfidf.npz"))), y
    if name == "kddcup10":
        X, y = from_folder("kddcup10_dense", data)
        return sparse.csr_matrix(X), y
    if name == "kddcup10_dense":
        return from_table(_file(data, "kddcup10/kddcup10.parquet"))
    for ending in ("csv", "parquet"):
        if (data / name / f"{name}.{ending}").is_file():
            return from_table(data / name / f"{name}.{ending}")
    with np.load(_file(data, f"{name}/{name}.npz"), allow_pickle=False) as file:
        return file["X"], file["y"]


def from_table(path: Path) -> tuple[Array, Array]:
    """Numbers as float64, text columns one-hot, rows with an empty cell left out."""
    import polars as pl

    table = (pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path)).drop_nulls()
    target = "label" if "label" in table.columns else table.columns[-1]
    y = table[target].to_numpy()
    table = table.drop(target)
    text = [name for name, dtype in table.schema.items() if not dtype.is_numeric()]
    return table.to_dummies(text).to_numpy().astype(np.float64) if text else table.to_numpy().astype(np.float64), y


def _file(data: Path, relative: str) -> Path:
    if not (data / relative).is_file():
        raise Missing(f"the data folder has no {relative}")
    return data / relative
