"""Every kind of loss, rows and solver, and small problems to try them on: what the tests are parametrised over.

A new kind is tested on arrival: add it here, or for a solver to ``softreg.solvers.SOLVERS``.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.sparse

from softreg.losses import CrammerSinger, Softmax, WestonWatkins
from softreg.minimise import Result, minimise
from softreg.objective import Objective
from softreg.penalties import L2
from softreg.rows import DenseRows, Rows, SparseRows, StandardizedRows
from softreg.solvers import SOLVERS as SOLVER_NAMES
from softreg.solvers import make_solver

DATA = Path(__file__).parent.parent / "data"

# --- losses ------------------------------------------------------------------------------------------------------

LOSSES: dict[str, Any] = {
    "softmax": Softmax(),
    "ww": WestonWatkins(),
    "ww_margin": WestonWatkins(margin=2.5),
    "ww_squared": WestonWatkins(margin=0.5, squared=True),
    "ww_smoothed": WestonWatkins(temperature=0.3),
    "ww_squared_smoothed": WestonWatkins(squared=True, temperature=0.3),
    "cs": CrammerSinger(),
    "cs_margin": CrammerSinger(margin=2.5),
    "cs_squared": CrammerSinger(margin=0.5, squared=True),
    "cs_smoothed": CrammerSinger(temperature=0.3),
    "cs_squared_smoothed": CrammerSinger(squared=True, temperature=0.3),
}
SMOOTH = {name: loss for name, loss in LOSSES.items() if loss.smooth}
HINGES = {name: loss for name, loss in LOSSES.items() if name != "softmax"}
SMOOTHED = {name: loss for name, loss in HINGES.items() if loss.temperature > 0}
UNSMOOTHED = {name: loss for name, loss in HINGES.items() if loss.temperature == 0}


def each(kinds: dict[str, Any], name: str) -> Any:
    """Parametrise a test's argument ``name`` over ``kinds``, their keys as ids."""
    return pytest.mark.parametrize(name, list(kinds.values()), ids=list(kinds))


# --- rows --------------------------------------------------------------------------------------------------------


class RowsKind(NamedTuple):
    """A way to hold the rows of X (n, p), whose entries are small whole numbers, and the matrix it then stands for."""

    make: Callable[..., Rows]
    stands_for: Callable[[Any], Any] = np.asarray


def _dense(convert: Callable[[Any], Any]) -> RowsKind:
    return RowsKind(lambda X, y, weight=None, **options: DenseRows(convert(X), y, weight, **options))


def _sparse(convert: Callable[[Any], Any]) -> RowsKind:
    return RowsKind(lambda X, y, weight=None, **options: SparseRows(convert(X), y, weight, **options))


def _shuffled_csr(X: Any) -> Any:
    """CSR of whole numbers with the columns of each row in descending order: valid, but not canonical."""
    A = scipy.sparse.csr_array(X.astype(np.int32))
    for start, stop in zip(A.indptr[:-1], A.indptr[1:], strict=True):
        A.indices[start:stop] = A.indices[start:stop][::-1].copy()
        A.data[start:stop] = A.data[start:stop][::-1].copy()
    return scipy.sparse.csr_array((A.data, A.indices, A.indptr), A.shape)


def _repeated_csr(X: Any) -> Any:
    """CSR with every entry given in two halves."""
    A = scipy.sparse.csr_array(X.astype(np.float64))
    return scipy.sparse.csr_array((np.repeat(A.data / 2, 2), np.repeat(A.indices, 2), A.indptr * 2), A.shape)


def _mean(X: Any) -> Any:
    return np.linspace(-1, 3, X.shape[1])


def _scale(X: Any) -> Any:
    return np.linspace(0.5, 4, X.shape[1])


ROWS: dict[str, RowsKind] = {
    "float64": _dense(lambda X: np.ascontiguousarray(X, dtype=np.float64)),
    "fortran": _dense(lambda X: np.asfortranarray(X, dtype=np.float64)),
    "strided": _dense(lambda X: np.repeat(X.astype(np.float64), 2, axis=1)[:, ::2]),
    "float32": _dense(lambda X: X.astype(np.float32)),
    "uint8": _dense(lambda X: X.astype(np.uint8)),
    "int64": _dense(lambda X: X.astype(np.int64)),
    "bool-like int8": _dense(lambda X: X.astype(np.int8)),
    "csr": _sparse(lambda X: scipy.sparse.csr_array(X.astype(np.float64))),
    "csr_matrix": _sparse(lambda X: scipy.sparse.csr_matrix(X.astype(np.float64))),
    "csr float32": _sparse(lambda X: scipy.sparse.csr_array(X.astype(np.float32))),
    "csr unsorted int32": _sparse(_shuffled_csr),
    "csr repeated": _sparse(_repeated_csr),
    "standardized": RowsKind(
        lambda X, y, weight=None, **options: StandardizedRows(
            DenseRows(X.astype(np.float64), y, weight, **options), _mean(X), _scale(X)
        ),
        lambda X: (X - _mean(X)) / _scale(X),
    ),
    "standardized uint8": RowsKind(
        lambda X, y, weight=None, **options: StandardizedRows(
            DenseRows(X.astype(np.uint8), y, weight, **options), _mean(X), _scale(X)
        ),
        lambda X: (X - _mean(X)) / _scale(X),
    ),
    "standardized csr": RowsKind(
        lambda X, y, weight=None, **options: StandardizedRows(
            SparseRows(scipy.sparse.csr_array(X.astype(np.float64)), y, weight, **options), _mean(X), _scale(X)
        ),
        lambda X: X / _scale(X),
    ),
}

# --- solvers -----------------------------------------------------------------------------------------------------

SOLVERS = list(SOLVER_NAMES)
#: One gradient a step and no preconditioner: they need columns of like scale, and patience.
FIRST_ORDER = ["gd", "momentum", "nesterov"]
#: They near the optimum without reaching it.
STOCHASTIC = ["sgd", "adam"]
#: They solve raw data to any tolerance; whatever is not named above has to.
EXACT = [name for name in SOLVERS if name not in FIRST_ORDER + STOCHASTIC]

# --- problems ----------------------------------------------------------------------------------------------------


@cache
def table(name: str) -> tuple[Any, Any]:
    """X and class codes of data/NAME.csv, raw."""
    with open(DATA / f"{name}.csv", newline="", encoding="utf-8") as file:
        records = list(csv.reader(file))[1:]
    X = np.array([[float(value) for value in record[:-1]] for record in records])
    y = np.unique([record[-1] for record in records], return_inverse=True)[1]
    X.flags.writeable = y.flags.writeable = False
    return X, y


def random_problem(seed: int, n: int = 300, p: int = 5, K: int = 4) -> tuple[Any, Any, Any]:
    """X (n, p) of whole numbers 0 to 9, many of them 0, so that every kind of rows can hold it; y; weights, some 0."""
    rng = np.random.default_rng(seed)
    X = np.maximum(rng.integers(-5, 10, (n, p)), 0)
    B = rng.normal(size=(p, K)) / 3
    y = (X @ B + rng.gumbel(size=(n, K))).argmax(axis=1)
    y[:K] = np.arange(K)
    return X, y, rng.integers(0, 8, n) / 4


def soft_targets(y: Any, K: int, seed: int = 0) -> Any:
    """Distributions (n, K) that lean to y, some of their entries exactly 0."""
    rng = np.random.default_rng(seed)
    T = rng.dirichlet(np.ones(K), len(y)) * (rng.random((len(y), K)) < 0.7)
    T[np.arange(len(y)), y] += 0.5
    return T / T.sum(axis=1, keepdims=True)


def random_W(rng: np.random.Generator, objective: Objective, size: float = 1.0) -> Any:
    """Weights whose logits vary by about ``size`` from row to row, whatever the units of the columns."""
    p, K = objective.rows.shape[1], objective.rows.n_classes
    scale = np.where(objective.moments.scale > 0, objective.moments.scale, objective.moments.rms)
    W = size * rng.standard_normal((p + 1, K))
    W[:-1] /= scale[:, None] * np.sqrt(p)
    W[-1] = W[-1] - objective.moments.mean @ W[:-1] if objective.fit_intercept else 0
    return W


def problem(
    X: Any, y: Any, weight: Any = None, *, loss: Any = None, alpha: float = 1e-2, fit_intercept: bool = True
) -> Objective:
    """An objective on dense rows (softmax unless another loss is given)."""
    return Objective(DenseRows(X, y, weight, n_jobs=1), loss or Softmax(), L2(alpha), fit_intercept)


def solve(objective: Objective, solver: str = "newton", tol: float = 1e-12, **options: Any) -> Result:
    """The solver of that name, run on the objective."""
    return minimise(objective, make_solver(solver, objective)[0], tol=tol, **options)
