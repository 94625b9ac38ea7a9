"""What is summed over blocks of rows: pure functions of one block, picklable through functools.partial.

Each gives a tuple of numbers and arrays that `Rows.sum` adds up; what is made of the sums is the objective's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.blas import times, transposed_times
from softreg.losses import Loss
from softreg.rows import Block, make_rows

Array = NDArray[Any]

#: What columns of tiny mean squares are multiplied by before they are squared, and the largest entry that may be.
LIFT = 2.0**600
LARGE = 1e-100
#: Numbers of the largest array that `hessian_kernel` makes on its way: they stay in a near cache.
HESSIAN_WORK = 1 << 17
SPREAD_WORK = 1 << 15  # and `spread_kernel`
GRAM_WORK = 1 << 18  # and `gram_kernel`


def logits(X: Any, W: Array) -> Array:
    """X W + b as (m, K), columns contiguous: the sums over classes that follow then run along memory."""
    V = W.astype(X.dtype, copy=False)
    Z = times(X, V[:-1]) if isinstance(X, np.ndarray) else np.asfortranarray(X @ V[:-1])
    Z += V[-1]
    return Z


def all_logits(X: Any, W: Array) -> Array:
    """X W + b of a whole matrix as (n, K) float64, a block of rows at a time."""
    rows = make_rows(X, np.zeros(X.shape[0], dtype=np.intp), n_classes=W.shape[1])
    Z = np.empty((X.shape[0], W.shape[1]))
    at = 0
    for block in rows.blocks():
        Z[at : at + block.X.shape[0]] = logits(block.X, W)
        at += block.X.shape[0]
    return Z


def back_product(X: Any, G: Array) -> Array:
    """X' G, (p, K)."""
    return transposed_times(X, G) if isinstance(X, np.ndarray) else X.T @ G


def weighted(block: Block, A: Array) -> Array:
    """Each row of A times its weight."""
    return A if block.weight is None else A * block.weight.reshape((-1,) + (1,) * (A.ndim - 1))


def _total(block: Block, a: Array) -> float:
    return float(a.sum(dtype=np.float64) if block.weight is None else block.weight @ a)


def value_kernel(block: Block, loss: Loss, W: Array) -> tuple[Any, ...]:
    """Sum of ℓ(z, y), z = W'(x, 1)."""
    return (_total(block, loss.value(logits(block.X, W), block.y)),)


def value_grad_kernel(block: Block, bend: Array | None = None, *, loss: Loss, W: Array) -> tuple[Any, ...]:
    """Sums of ℓ, of x ∇ℓ' and of ∇ℓ; of the softmax ∇ℓ_i = S_i - δ_yi.  What fixes ∇²ℓ is left in ``bend``."""
    Z = logits(block.X, W)
    losses, G = loss.value_grad(Z, block.y)
    if bend is not None:
        bend[:] = loss.bend(Z, block.y, G)
    if block.weight is not None:
        G *= block.weight[:, None].astype(G.dtype, copy=False)
    return _total(block, losses), back_product(block.X, G), G.sum(axis=0, dtype=np.float64)


def hvp_kernel(block: Block, loss: Loss, W: Array, D: Array) -> tuple[Any, ...]:
    """Sums of x u' and u, u = ∇²ℓ(z) D'(x, 1)."""
    K = W.shape[1]
    ZU = logits(block.X, np.hstack([W, D]))
    U = weighted(block, loss.hvp(ZU[:, :K], block.y, ZU[:, K:]))
    return back_product(block.X, U), U.sum(axis=0)


def bent_kernel(block: Block, bend: Array, *, loss: Loss, D: Array) -> tuple[Any, ...]:
    """What `hvp_kernel` sums, where ``bend`` says what ∇²ℓ is."""
    U = weighted(block, loss.bent(bend, block.y, logits(block.X, D)))
    return back_product(block.X, U.astype(block.X.dtype, copy=False)), U.sum(axis=0, dtype=np.float64)


def hessian_kernel(block: Block, loss: Loss, W: Array, mean: Array, scale: Array) -> tuple[Any, ...]:
    """Sum of H_r ⊗ u u', u = ((x - mean)/scale, 1): (K, K, p + 1, p + 1), upper triangle in the classes."""
    (m, p), K = block.X.shape, W.shape[1]
    q = p + 1
    out = np.zeros((K, q, K * q))
    step = max(4, HESSIAN_WORK // (K * max(q, K)))
    for start in range(0, m, step):
        part = slice(start, start + step)
        X = block.X[part] if isinstance(block.X, np.ndarray) else block.X[part].toarray()
        few = Block(X, block.y[part], None if block.weight is None else block.weight[part])
        H = weighted(few, loss.hessian(logits(X, W), few.y))
        U = np.empty((len(X), q))
        np.subtract(X, mean, out=U[:, :-1])
        U[:, :-1] /= scale
        U[:, -1] = 1
        for i in range(K):
            HU = H[:, i, i:, None] * U[:, None, :]
            out[i, :, i * q :] += U.T @ HU.reshape(len(X), -1)
    return (out.reshape(K, q, K, q).transpose(0, 2, 1, 3),)


def moments_kernel(block: Block, n_classes: int) -> tuple[Any, ...]:
    """Sums of t and x t'; of x they are the sum over classes."""
    if block.y.ndim == 2:
        T = block.y
    elif hasattr(block.X, "indptr"):  # one class a row: an entry is added once, not once a class
        X, y = block.X, np.repeat(block.y, np.diff(block.X.indptr))
        cross = np.bincount(
            X.indices * np.int64(n_classes) + y, _weighted_entries(X, block), minlength=X.shape[1] * n_classes
        )
        return np.bincount(block.y, block.weight, minlength=n_classes), cross.reshape(-1, n_classes)
    else:
        T = np.zeros((n_classes, len(block.y))).T
        T[np.arange(len(block.y)), block.y] = 1
    T = weighted(block, T)
    return T.sum(axis=0), back_product(block.X, T)


def may_hold_tiny(X: Any) -> bool:
    """Whether a column of a tiny mean square may be more than zeros."""
    if X.dtype.kind != "f" or X.dtype.itemsize < 8:
        return False
    if isinstance(X, np.ndarray):
        return True
    return bool(((X.data > -LARGE) & (X.data < LARGE) & (X.data != 0)).any())  # empty columns are common: not lifted


def lifted_kernel(block: Block, *, of: Any, columns: Array, **known: Any) -> tuple[Any, ...]:
    """What the kernel ``of`` sums, of a few columns times `LIFT`."""
    X = block.X[:, columns].astype(np.float64)  # a copy
    # An entry far above the mean square is in a row of no weight: whatever it is, it is not to overflow.
    entries = X if isinstance(X, np.ndarray) else X.data
    np.clip(entries, -LARGE, LARGE, out=entries)
    entries *= LIFT
    return of(block._replace(X=X), **known)


def squares_kernel(block: Block) -> tuple[Any, ...]:
    """Sum of x² of sparse rows."""
    # Not X.power(2): it sorts and merges entries in place, and a sparse block's indices are the caller's own.
    X = _squares(block.X)
    return (np.bincount(X.indices, _weighted_entries(X, block), minlength=X.shape[1]),)


def _squares(X: Any) -> Any:
    if not X.has_canonical_format:  # an entry may be given in parts
        return X.multiply(X)
    return type(X)((X.data * X.data, X.indices, X.indptr), X.shape)


def sizes_kernel(block: Block) -> tuple[Any, ...]:
    """Sum of |x|."""
    s = np.ones(block.X.shape[0]) if block.weight is None else block.weight
    return (back_product(abs(block.X), s[:, None])[:, 0],)


def _weighted_entries(X: Any, block: Block) -> Array:
    """The entries of sparse X times their rows' weights."""
    return X.data if block.weight is None else X.data * np.repeat(block.weight, np.diff(X.indptr))


def spread_kernel(block: Block, mean: Array) -> tuple[Any, ...]:
    """Sum of (x - mean)²."""
    m, p = block.X.shape
    s = np.ones(m) if block.weight is None else block.weight
    total = np.zeros(p)
    step = max(16, SPREAD_WORK // max(p, 1))
    for start in range(0, m, step):
        D = block.X[start : start + step] - mean
        D *= D
        total += s[start : start + step] @ D
    return (total,)


def gram_kernel(block: Block, mean: Array, scale: Array) -> tuple[Any, ...]:
    """Sum of u u', u = (x - mean)/scale."""
    m, p = block.X.shape
    total = np.zeros((p, p))
    step = max(16, GRAM_WORK // max(p, 1))
    for start in range(0, m, step):
        part = slice(start, start + step)
        X = block.X[part] if isinstance(block.X, np.ndarray) else block.X[part].toarray()
        U = X - mean
        U /= scale
        if block.weight is not None:
            U *= np.sqrt(block.weight[part])[:, None]
        total += U.T @ U
    return (total,)


def second_kernel(block: Block, W: Array) -> tuple[Any, ...]:
    """Sums of (x, 1) u' and u², u = W'(x, 1)."""
    U = logits(block.X, W)
    sU = weighted(block, U)
    return back_product(block.X, sU), sU.sum(axis=0), np.einsum("ik,ik->k", sU, U)


def certify_kernel(
    block: Block,
    bend: Array | None = None,
    *,
    loss: Loss,
    dual_loss: Loss,
    W: Array,
    with_step: Array | None,
    lag: int,
) -> tuple[Any, ...]:
    """Sums that give F, its gradient and the gap at W for a witness's dual point; ``with_step``: W beside the step."""
    K = W.shape[1]
    if with_step is None:
        Z, D = logits(block.X, W), None
        base = Z
    else:
        ZD = logits(block.X, with_step)
        Z, D = ZD[:, :K], ZD[:, K:]
        base = Z - lag * D
    losses, G = loss.value_grad(Z, block.y)
    if bend is not None:
        bend[:] = loss.bend(Z, block.y, G)
    V = dual_loss.dual_point(base, block.y, D)
    gaps = loss.fenchel_young(Z, V, block.y)
    GV = weighted(block, np.hstack([G, V]))
    return (
        _total(block, losses),
        back_product(block.X, GV),
        GV.sum(axis=0),
        _total(block, gaps),
    )


def dual_kernel(block: Block, dual: Array, *, loss: Any, W: Array) -> tuple[Any, ...]:
    """What `certify_kernel` sums, for the dual rows ``dual`` (off the true class)."""
    Z = logits(block.X, W)
    losses, G = loss.value_grad(Z, block.y)
    V = loss.feasible(dual, block.y)
    GV = weighted(block, np.hstack([G, V]))
    gaps = loss.fenchel_young(Z, V, block.y)
    return _total(block, losses), back_product(block.X, GV), GV.sum(axis=0), _total(block, gaps)
