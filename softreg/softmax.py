"""The softmax, its Jacobian, and the gradient that everything in softreg rests on, as plain functions.

z are the logits of K classes, along the last axis unless said; S = softmax(z).  These are the formulas for reading
and checking, one row or a batch at a time; `softreg.losses.Softmax` is the same mathematics for blocks of a data set.

dtype: floating logits keep their type, integers become float64.

Finite logits of any size give neither NaN nor a warning (where z_i - max z itself overflows, log S_i is -inf).  A logit
of -inf is an impossible class: S_i = 0, log S_i = -inf.  A row with a NaN, a +inf, or nothing above -inf has no
softmax: all of it is NaN, silently, as numpy does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]

#: How far from 1 the sum of a target distribution may lie.
SUM_TOLERANCE = 1e-6


def softmax(z: ArrayLike, axis: int = -1) -> Array:
    """S_i = exp(z_i) / sum_k exp(z_k): K positive numbers that sum to 1, in the order of the logits.

    Adding c to every logit multiplies numerator and denominator by e^c, so S stays; c = -max z leaves no exponent
    above 0 and nothing overflows.

    Parameters
    ----------
    z : array_like, (..., K)
    axis : int
        The axis of the classes.

    Returns
    -------
    ndarray of z's shape

    Raises
    ------
    ValueError
        No class axis, no class, or logits that are not real numbers.

    Examples
    --------
    >>> softmax([3, 4, 1]).round(6)
    array([0.259496, 0.705385, 0.035119])
    >>> softmax([1000, 2000, 3000])
    array([0., 0., 1.])
    """
    _, E, rest = _shifted(_logits(z), axis)
    with np.errstate(under="ignore"):
        return E / (1 + rest)


def log_softmax(z: ArrayLike, axis: int = -1) -> Array:
    """log S_i = (z_i - m) - log1p(sum of exp(z_k - m) over all classes but the largest), m = max z.

    The largest exponential is exactly 1.  Left out of the sum and given back by log1p, it does not swallow the rest:
    however certain a row is, its logarithm keeps every digit.

    Parameters, shape and errors are those of `softmax`.

    Examples
    --------
    >>> log_softmax([40.0, 0.0])
    array([-4.24835426e-18, -4.00000000e+01])
    """
    d, _, rest = _shifted(_logits(z), axis)
    return d - np.log1p(rest)


def softmax_jacobian(z: ArrayLike) -> Array:
    """J_ij = dS_i/dz_j = S_i (δ_ij - S_j), that is J = diag(S) - S S'.

    By the quotient rule: S_i (1 - S_i) on the diagonal, -S_i S_j off it.  Symmetric, positive semidefinite, rows
    and columns sum to 0, eigenvalues at most 1/2.

    Parameters
    ----------
    z : array_like, (..., K)
        One vector of logits, or a batch of them.

    Returns
    -------
    ndarray, (..., K, K)

    Examples
    --------
    >>> softmax_jacobian([0, 0])
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    """
    Z = _logits(z)
    _, E, rest = _shifted(Z, -1)
    k = np.arange(Z.shape[-1])
    with np.errstate(under="ignore"):
        S = E / (1 + rest)
        # 1 - S_i of the largest class, as the share of the others: the difference would lose a confident row's digits.
        others = 1 - S
        np.put_along_axis(others, Z.argmax(axis=-1, keepdims=True), rest / (1 + rest), axis=-1)
        J = 0 - S[..., :, None] * S[..., None, :]  # 0 - 0 is 0, where -(0) would print as -0
        J[..., k, k] = S * others
    return J


def softmax_layer_jacobian(W: ArrayLike, x: ArrayLike) -> Array:
    """DP = J(z) · Dg: the derivative of the layer P(W) = S(g(W)), g(W) = W'x, in all its weights.

    dP_t/dW_ij = S_t (δ_ti - S_i) x_j, by the chain rule: g_i alone depends on class i's weights, and
    dg_i/dW_ij = x_j, so that row i of Dg holds x in the p slots of class i and zeros elsewhere.

    Parameters
    ----------
    W : array_like, (p, K)
        Column i holds the weights of class i: the formula's W_ij is ``W[j, i]``.
    x : array_like, (p,)
        One row; for an intercept it carries a 1.

    Returns
    -------
    ndarray, (K, K·p)
        Row t is output P_t, column i·p + j is weight W_ij (class i, feature j): row-major in (i, j).

    Raises
    ------
    ValueError
        Shapes that do not fit, or finite W and x whose product overflows.

    Examples
    --------
    >>> softmax_layer_jacobian([[0, 0], [0, 0]], [1, 2])
    array([[ 0.25,  0.5 , -0.25, -0.5 ],
           [-0.25, -0.5 ,  0.25,  0.5 ]])
    """
    x, z = _layer(W, x)
    J = softmax_jacobian(z)
    with np.errstate(under="ignore"):
        DP = J[:, :, None] * x
    return DP.reshape(len(z), -1)


def cross_entropy(z: ArrayLike, target: ArrayLike) -> Array:
    """L = -sum_k t_k log S_k in nats; for a class code y, t is one-hot and L = -log S_y.

    Computed as log1p(rest) + sum_k t_k (max z - z_k), `log_softmax`'s terms: each is >= 0, none cancels.

    Parameters
    ----------
    z : array_like, (K,) or (m, K)
    target : array_like
        A class code in 0 … K-1 for each row, () or (m,), or a distribution for each row, (K,) or (m, K):
        entries >= 0 that sum to 1 within 1e-6 (they are divided by their sum).

    Returns
    -------
    ndarray, () or (m,)
        The loss of each row; no mean is taken.  inf where an impossible class (logit -inf) has t_k > 0.

    Raises
    ------
    ValueError
        A target whose shape does not fit the logits, a code out of range, or entries that are not a distribution.

    Examples
    --------
    >>> print(cross_entropy([3, 4, 1], 1).round(6))
    0.349012
    >>> cross_entropy([[3, 4, 1], [0, 0, 0]], [[0, 1, 0], [0.5, 0.25, 0.25]]).round(6)
    array([0.349012, 1.098612])
    """
    Z = _logits(z)
    T = _distribution(target, Z)
    d, _, rest = _shifted(Z, -1)
    with np.errstate(under="ignore", over="ignore"):
        # 0 · -inf of an impossible class that is not the target counts as 0.
        terms = np.multiply(T, d, out=np.zeros_like(d), where=T > 0)
        return (np.log1p(rest[..., 0]) - terms.sum(axis=-1))[()]


def cross_entropy_grad(z: ArrayLike, target: ArrayLike) -> Array:
    """dL/dz = S - t.

    L = -sum_k t_k log S_k and d log S_k/dz_i = δ_ki - S_i give dL/dz_i = (sum_k t_k) S_i - t_i, and sum_k t_k = 1.
    The true class's entry S_y - 1 (for a distribution: its likeliest class's) is minus the sum of the others, which
    it equals and which keeps its digits when S_y is almost 1.

    Parameters and errors are those of `cross_entropy`.

    Returns
    -------
    ndarray of z's shape
        Each row sums to 0.

    Examples
    --------
    >>> cross_entropy_grad([3, 4, 1], 1).round(6)
    array([ 0.259496, -0.294615,  0.035119])
    """
    Z = _logits(z)
    T = _distribution(target, Z)
    G = softmax(Z) - T
    likeliest = T.argmax(axis=-1, keepdims=True)
    np.put_along_axis(G, likeliest, 0, axis=-1)
    # + 0: a sum of nothing but zeros is 0, not -0
    np.put_along_axis(G, likeliest, 0 - G.sum(axis=-1, keepdims=True), axis=-1)
    return G


def weight_gradient(W: ArrayLike, x: ArrayLike, target: ArrayLike) -> Array:
    """dL/dW for one row: entry [j, i] is (S_i - t_i) x_j, with t_i = δ_yi for a class code y.

    z_i = sum_j W_ij x_j, so dz_i/dW_ij = x_j and the chain rule multiplies `cross_entropy_grad` by it.

    Parameters
    ----------
    W : array_like, (p, K)
    x : array_like, (p,)
        One row; for an intercept it carries a 1 (and W that intercept's row).
    target : array_like
        A class code, or a distribution (K,).

    Returns
    -------
    ndarray, (p, K)
        Shaped like W: feature j first, class i second (the formula's W_ij is ``W[j, i]``).

    Raises
    ------
    ValueError
        As `softmax_layer_jacobian` and `cross_entropy`.

    Examples
    --------
    >>> weight_gradient([[3, 4, 1]], [1], 1).round(6)
    array([[ 0.259496, -0.294615,  0.035119]])
    """
    x, z = _layer(W, x)
    with np.errstate(under="ignore"):
        return np.outer(x, cross_entropy_grad(z, target))


def _real(values: ArrayLike, name: str) -> Array:
    """``values`` as a floating-point array."""
    A = np.asarray(values)
    if A.dtype.kind == "f":
        return A
    if A.dtype.kind not in "biu":
        raise ValueError(f"{name} must be real numbers, not {A.dtype}")
    return A.astype(np.float64)


def _logits(z: ArrayLike) -> Array:
    Z = _real(z, "logits")
    if Z.ndim == 0:
        raise ValueError("logits need an axis of classes: got a single number")
    return Z


def _shifted(Z: Array, axis: int) -> tuple[Array, Array, Array]:
    """d = z - max z, E = exp(d), and the sum of E without its largest entry, which is exactly 1."""
    if not -Z.ndim <= axis < Z.ndim:
        raise np.exceptions.AxisError(axis, Z.ndim)
    if Z.shape[axis] == 0:
        raise ValueError(f"logits of shape {Z.shape} have no class")
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        top = Z.max(axis=axis, keepdims=True)
        # Without a finite largest logit there is no softmax: NaN in the whole row, not in the entries it hits.
        top[~np.isfinite(top)] = np.nan
        d = Z - top
        E = np.exp(d)
        tail = E.copy()
        np.put_along_axis(tail, Z.argmax(axis=axis, keepdims=True), 0, axis=axis)
        rest = tail.sum(axis=axis, keepdims=True)
    return d, E, rest


def _layer(W: ArrayLike, x: ArrayLike) -> tuple[Array, Array]:
    """x (p,) and the logits W'x (K,)."""
    W, x = _real(W, "W"), _real(x, "x")
    if W.ndim != 2 or x.shape != W.shape[:1]:
        raise ValueError(f"W of shape {W.shape} and x of shape {x.shape} do not fit: expected (p, K) and (p,)")
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        z = x @ W
    if not np.isfinite(z).all() and np.isfinite(W).all() and np.isfinite(x).all():
        raise ValueError(f"the logits W'x overflow {z.dtype}: scale x")
    return x, z


def _distribution(target: ArrayLike, Z: Array) -> Array:
    """Targets as distributions of Z's shape and dtype: class codes become one-hot rows."""
    t, K = np.asarray(target), Z.shape[-1]
    if t.dtype.kind not in "biuf":
        raise ValueError(f"targets must be class codes or distributions, not {t.dtype}")
    if t.shape == Z.shape:
        T = t.astype(np.float64)
        total = T.sum(axis=-1, keepdims=True)
        if (T < 0).any():
            raise ValueError(f"a target distribution has the negative entry {T.min():g}")
        off = ~(np.abs(total - 1) <= SUM_TOLERANCE)  # so written, NaN is off
        if off.any():
            raise ValueError(f"a target distribution sums to {total[off][0]:.9g}, not 1")
        return (T / total).astype(Z.dtype)
    if t.shape != Z.shape[:-1]:
        raise ValueError(
            f"target of shape {t.shape} does not fit logits of shape {Z.shape}: "
            f"expected class codes {Z.shape[:-1]} or distributions {Z.shape}"
        )
    if t.dtype.kind not in "iu":
        raise ValueError(f"class codes must be integers, not {t.dtype}")
    outside = (t < 0) | (t >= K)
    if outside.any():
        raise ValueError(f"class code {t[outside].flat[0]} is out of range: {K} classes have codes 0 to {K - 1}")
    T = np.zeros_like(Z)
    np.put_along_axis(T, t[..., None].astype(np.intp), 1, axis=-1)
    return T
