"""The formulas, one row and one class at a time: slow twins that share no code with what they test."""

from __future__ import annotations

from math import exp, log1p
from typing import Any


def softplus(m: float, t: float) -> float:
    """max(0, m), smoothed at temperature t."""
    return max(m, 0.0) if t == 0 else max(m, 0.0) + t * log1p(exp(-abs(m) / t))


def smooth_max(a: list[float], t: float) -> float:
    """max(a), smoothed at temperature t."""
    rest = sorted(a)
    top = rest.pop()
    return top if t == 0 else top + t * log1p(sum(exp((b - top) / t) for b in rest))


def shares(a: list[float], t: float) -> list[float]:
    """The derivatives of `smooth_max`: softmax at temperature t, the first of the largest at t = 0."""
    top = max(a)
    if t == 0:
        first = a.index(top)
        return [float(k == first) for k in range(len(a))]
    weights = [exp((b - top) / t) for b in a]
    return [w / sum(weights) for w in weights]


def value_of_row(loss: Any, z: list[float], y: int) -> float:
    """The loss of one row."""
    if loss.name == "softmax":
        return smooth_max(z, 1.0) - z[y]
    t = loss.temperature
    slacks = [z[k] - z[y] + (loss.margin if k != y else 0.0) for k in range(len(z))]
    if loss.name == "crammer_singer":
        h = smooth_max(slacks, t)
        return h**2 if loss.squared else h
    terms = [softplus(m, t) for k, m in enumerate(slacks) if k != y]
    return sum(h**2 for h in terms) if loss.squared else sum(terms)


def gradient_of_row(loss: Any, z: list[float], y: int) -> list[float]:
    """Its derivative in each logit; at a kink, one of its subgradients."""
    K = len(z)
    if loss.name == "softmax":
        return [s - (k == y) for k, s in enumerate(shares(z, 1.0))]
    t = loss.temperature
    slacks = [z[k] - z[y] + (loss.margin if k != y else 0.0) for k in range(K)]
    if loss.name == "crammer_singer":
        slope = 2 * smooth_max(slacks, t) if loss.squared else 1.0
        G = [slope * s for s in shares(slacks, t)]
    else:
        G = [0.0] * K
        for k, m in enumerate(slacks):
            active = float(m > 0) if t == 0 else 1 / (1 + exp(-max(min(m / t, 700), -700)))
            G[k] = active * (2 * softplus(m, t) if loss.squared else 1.0)
    G[y] = 0.0
    G[y] = -sum(G)
    return G


def objective_by_loops(
    loss: Any, X: Any, y: Any, weight: Any, W: Any, alpha: float, fit_intercept: bool
) -> tuple[float, list[list[float]]]:
    """F and its gradient: weighted means over rows, the penalty on all but the intercept."""
    n, p = X.shape
    K = W.shape[1]
    s = [1.0] * n if weight is None else [float(a) for a in weight]
    value = 0.0
    G = [[0.0] * K for _ in range(p + 1)]
    for r in range(n):
        x = [float(a) for a in X[r]] + [1.0]
        z = [sum(x[j] * float(W[j, k]) for j in range(p + 1)) for k in range(K)]
        value += s[r] * value_of_row(loss, z, int(y[r]))
        g = gradient_of_row(loss, z, int(y[r]))
        for j in range(p + 1):
            for k in range(K):
                G[j][k] += s[r] * g[k] * x[j]
    total = sum(s)
    value /= total
    for j in range(p + 1):
        for k in range(K):
            G[j][k] /= total
            if j < p:
                value += alpha / 2 * float(W[j, k]) ** 2
                G[j][k] += alpha * float(W[j, k])
            elif not fit_intercept:
                G[j][k] = 0.0
    return value, G
