"""Data sets made on the spot, by a name that says their shape: the same name gives the same numbers.

dense:2000x50x5         normal columns, labels drawn from a softmax of them
dense:2000x50x5:1e4     the same, columns correlated and scaled to that condition number
text:2000x5000x8        sparse counts with a Zipf tail, weighted and scaled as tf-idf is
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Array = NDArray[Any]

NAME = re.compile(r"(dense|text):(\d+)x(\d+)x(\d+)(?::([0-9.eE+]+))?")


def generate(name: str) -> tuple[Any, Array]:
    """X and y of a generated set.

    Raises
    ------
    ValueError
        For a name that does not follow the module's grammar.
    """
    match = NAME.fullmatch(name)
    if match is None:
        shapes = "dense:ROWSxCOLUMNSxCLASSES[:CONDITION] or text:ROWSxCOLUMNSxCLASSES"
        raise ValueError(f"{name}: a generated set is {shapes}")
    n, p, K = (int(match[i]) for i in (2, 3, 4))
    if match[1] == "text":
        return make_text(n, p, K)
    return make_dense(n, p, K, float(match[5] or 1))


def make_dense(n: int, p: int, K: int, condition: float = 1.0, seed: int = 0) -> tuple[Array, Array]:
    """n normal rows whose covariance has the condition number ``condition``², labels drawn from a softmax.

    Half of the ill-conditioning is in the columns' scales, half in their correlation, as in raw measurements.
    """
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    if condition > 1:
        spread = np.geomspace(1, 1 / np.sqrt(condition), p)
        turn = np.linalg.qr(rng.standard_normal((p, p)))[0]
        X = (X * spread) @ turn * np.geomspace(1, np.sqrt(condition), p)
    logits = X / X.std(axis=0) @ rng.standard_normal((p, K)) * 2 / np.sqrt(p)
    return X, _drawn(logits, K, rng)


def make_text(n: int, p: int, K: int, words: int = 60, seed: int = 0) -> tuple[Any, Array]:
    """About ``words`` words a row out of a Zipf vocabulary of p, each class with its favourites; CSR, unit rows."""
    rng = np.random.default_rng(seed)
    y = _every_class(rng.integers(K, size=n), K)
    usual = 1 / np.arange(1, p + 1)
    usual /= usual.sum()
    order = [rng.permutation(p) for _ in range(K)]
    rows, columns = [], []
    for k in range(K):
        mine = np.flatnonzero(y == k)
        drawn = rng.choice(p, size=(len(mine), words), p=usual)
        own = rng.random(drawn.shape) < 0.3
        columns.append(np.where(own, order[k][drawn], drawn).ravel())
        rows.append(np.repeat(mine, words))
    counts = sparse.coo_array((np.ones(n * words), (np.concatenate(rows), np.concatenate(columns))), (n, p)).tocsr()
    counts.sum_duplicates()
    counts.data = 1 + np.log(counts.data)
    seen = np.bincount(counts.indices, minlength=p)
    counts.data *= np.log((1 + n) / (1 + seen))[counts.indices] + 1
    norms = np.sqrt(np.bincount(np.repeat(np.arange(n), np.diff(counts.indptr)), counts.data**2, minlength=n))
    counts.data /= np.repeat(norms, np.diff(counts.indptr))
    return sparse.csr_matrix(counts), y


def _drawn(logits: Array, K: int, rng: np.random.Generator) -> Array:
    """A class for each row, from the softmax of its logits (the largest of logits + Gumbel noise)."""
    return _every_class((logits + rng.gumbel(size=logits.shape)).argmax(axis=1), K)


def _every_class(y: Array, K: int) -> Array:
    """``y`` with its first rows set so that each class has one."""
    y = y.copy()
    y[: min(K, len(y))] = np.arange(min(K, len(y)))
    return y
