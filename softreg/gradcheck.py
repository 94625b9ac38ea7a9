"""Is the gradient the derivative of the objective?  Two witnesses that share nothing with how it was computed.

Taylor slope   The remainder r(h) = |F(W + hD) - F(W) - h<G, D>| falls as h² when G is the gradient and only as h when
               it is not: on a log-log scale a straight line of slope 2, or of slope 1.  One random D sees every entry.
Entries        Single derivatives by central differences, each with its own step and an estimate of its own error, so
               that the table can say where the numeric side is to be believed.

A kink of a hinge breaks both within reach of h: steps that carry a row across one are not trusted, and where W
itself lies on a kink what is checked is the subgradient inequality, all that a subgradient promises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.kernels import logits
from softreg.losses import Loss
from softreg.objective import Objective
from softreg.rows import Block, one_thread_blas
from softreg.text import safe_text

Array = NDArray[Any]

#: Steps along a direction, in its own units: the logits change by about this much.
TAYLOR_STEPS = 4.0 ** -np.arange(17)
#: Steps of the central differences, in units of 1/sqrt(<x_j²> + penalty): each a tenth of the one before.
ENTRY_STEPS = 10.0 ** -np.arange(2, 8)
#: Entries checked one by one: half the largest, half drawn at random.
SAMPLE = 60
#: Remainders this many times their rounding are believed.
CLEAR = 30.0
#: Slope below which the remainder is not quadratic.
SLOPE = 1.8
#: Digits a gradient must have where the numeric side has more.
ACCURACY = 1e-6


@dataclass(frozen=True)
class Taylor:
    """The remainder along one random direction.

    Attributes
    ----------
    h, remainder : tuple of float
        The points of the log-log line.
    rows_bent : tuple of int
        Rows that a step of h, forwards or backwards, carries across a kink of the loss.
    noise : float
        What rounding alone can make of the remainder.
    trusted : tuple of bool
        No row crosses a kink, and the remainder is clear of its noise.
    slope : float or None
        Over the smallest trusted steps; None when the remainder is nothing but rounding there.
    passed : bool
    """

    h: tuple[float, ...]
    remainder: tuple[float, ...]
    rows_bent: tuple[int, ...]
    noise: float
    trusted: tuple[bool, ...]
    slope: float | None
    passed: bool


@dataclass(frozen=True)
class Entry:
    """One derivative dF/dW[feature, class], both ways; ``feature`` p is the intercept.

    ``error`` is how far off ``numeric`` may be by its own estimate; ``trusted`` when that is below a thousandth of it.
    """

    feature: int
    class_index: int
    analytic: float
    numeric: float
    error: float
    relative_error: float
    trusted: bool
    passed: bool


@dataclass(frozen=True)
class GradientCheck:
    """What `gradcheck` found.

    Attributes
    ----------
    passed : bool
    slope : float or None
        The smallest Taylor slope over all directions (2 expected); None when all remainders were rounding only.
    taylor : tuple of Taylor
        One for each direction.
    entries : tuple of Entry
        The worst of those checked, worst first.
    n_checked, n_wrong, n_entries : int
        Entries that were checked by differences, that were wrong, and that there are.
    n_kinked : int
        Rows that lie on a kink of the loss at W itself.
    """

    passed: bool
    slope: float | None
    taylor: tuple[Taylor, ...]
    entries: tuple[Entry, ...]
    n_checked: int
    n_wrong: int
    n_entries: int
    n_kinked: int

    @property
    def verdict(self) -> str:
        """The result as a sentence."""
        slope = "remainder rounding only" if self.slope is None else f"Taylor slope {self.slope:.2f} (2 expected)"
        wrong = f"{self.n_wrong} of {self.n_checked} checked entries wrong"
        if not self.passed:
            return f"wrong gradient: {slope}, {wrong}"
        kinks = f"; {self.n_kinked} rows lie on a kink, where only the subgradient inequality holds"
        return f"right gradient: {slope}, {wrong}" + (kinks if self.n_kinked else "")

    def to_text(self, feature_names: Sequence[str] | None = None, classes: Sequence[Any] | None = None) -> str:
        """The verdict, the Taylor line and the worst entries, for people."""
        line = self.taylor[0]
        lines = [
            [f"{h:.1e}", f"{r:.2e}", str(bent), "yes" if good else "no"]
            for h, r, bent, good in zip(line.h, line.remainder, line.rows_bent, line.trusted, strict=True)
        ]
        worst = [
            [
                _feature(entry.feature, feature_names),
                str(entry.class_index if classes is None else safe_text(classes[entry.class_index], 40)),
                f"{entry.analytic:.9e}",
                f"{entry.numeric:.9e}",
                f"{entry.relative_error:.1e}",
                "yes" if entry.trusted else "no",
                "" if entry.passed else "WRONG",
            ]
            for entry in self.entries
        ]
        header = ["feature", "class", "analytic", "numeric", "rel. error", "trusted", ""]
        return "\n".join(
            [
                self.verdict,
                "",
                f"remainder |F(W + hD) - F(W) - h<G, D>| along a random direction D (rounding: {line.noise:.1e})",
                _table(["h", "remainder", "rows bent", "trusted"], lines),
                "",
                f"worst of {self.n_checked} entries checked by central differences ({self.n_entries} in all)",
                _table(header, worst),
            ]
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values only, ready for json.dumps."""
        return asdict(self) | {"verdict": self.verdict}


def _feature(j: int, names: Sequence[str] | None) -> str:
    if names is None:
        return f"feature {j}"
    return safe_text(names[j], 40) if j < len(names) else "intercept"


def _table(header: list[str], lines: list[list[str]]) -> str:
    """Columns two blanks apart, text to the left of the first column, numbers to the right of the others."""
    width = [max(map(len, column)) for column in zip(header, *lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(w) if i else cell.ljust(w) for i, (cell, w) in enumerate(zip(line, width, strict=True))
        ).rstrip()
        for line in [header, *lines]
    )


def gradcheck(
    objective: Objective,
    W: Array | None = None,
    *,
    directions: int = 3,
    seed: int = 0,
    top: int = 10,
) -> GradientCheck:
    """Check the gradient of ``objective`` at ``W`` against the objective itself.

    Parameters
    ----------
    objective : Objective
    W : (p + 1, K) array, optional
        Where; by default a random point whose logits are of order 1 whatever the units of the columns.  (Not 0:
        all margins tie there, and a hinge that takes a maximum has a kink in every row.)
    directions : int
        Random directions of the Taylor test.
    seed : int
        Of the point, the directions and the sample of entries.
    top : int
        Entries to report.

    Returns
    -------
    GradientCheck

    Raises
    ------
    ValueError
        When W has the wrong shape or F(W) is not finite.

    Notes
    -----
    Up to 60 entries are checked one by one, all of them where there are no more; otherwise the 30 of largest
    derivative in natural units and a random sample.  The Taylor test sees the others.  An entry is wrong when it lies
    outside the one-sided difference quotients, which enclose the derivative of any convex function.
    """
    with one_thread_blas():
        rng = np.random.default_rng(seed)
        W = _random_point(objective, rng) if W is None else np.asarray(W, dtype=np.float64)
        if W.shape != objective.shape:
            raise ValueError(f"gradcheck: W has shape {W.shape}, the objective's is {objective.shape}")
        value, G = objective.value_grad(W)
        if not np.isfinite(value):
            raise ValueError("gradcheck: the objective is not finite at W; check at smaller weights")
        taylor = tuple(_taylor(objective, W, value, G, _random_point(objective, rng)) for _ in range(directions))
        unit = _natural_unit(objective)
        entries = _entries(objective, W, G, _choose_entries(objective, G, unit, rng), unit)
    entries.sort(key=lambda entry: (entry.passed, not entry.trusted, -entry.relative_error))
    slopes = [line.slope for line in taylor if line.slope is not None]
    return GradientCheck(
        passed=all(line.passed for line in taylor) and all(entry.passed for entry in entries),
        slope=min(slopes, default=None),
        taylor=taylor,
        entries=tuple(entries[:top]),
        n_checked=len(entries),
        n_wrong=sum(not entry.passed for entry in entries),
        n_entries=(objective.shape[0] - (not objective.fit_intercept)) * objective.shape[1],
        n_kinked=max((line.rows_bent[-1] for line in taylor), default=0),
    )


# --- points and units --------------------------------------------------------------------------------------------


def _strength(objective: Objective) -> Array:
    return objective.penalty.curvature(objective.shape[0] - 1)


def _natural_unit(objective: Objective) -> Array:
    """(p + 1,) the change of a weight that moves logits or penalty by about 1; 1 for the intercept."""
    return np.append(1 / np.sqrt(objective.moments.rms**2 + _strength(objective)), 1.0)


def _random_point(objective: Objective, rng: np.random.Generator) -> Array:
    """A random W whose logits vary by about 1 from row to row, and whose penalty is of order 1 at most."""
    moments = objective.moments
    # With an intercept to take up the columns' means, their spread is what counts.
    centred = objective.fit_intercept and moments.scale > 0
    scale = np.where(centred, moments.scale, moments.rms)
    W = rng.standard_normal(objective.shape)
    W[:-1] /= np.sqrt(max(len(scale), 1) * (scale**2 + _strength(objective)))[:, None]
    W[-1] = W[-1] - moments.mean @ W[:-1] if objective.fit_intercept else 0
    return W


# --- Taylor slope ------------------------------------------------------------------------------------------------


def _taylor(objective: Objective, W: Array, value: float, G: Array, D: Array) -> Taylor:
    expected = float(np.vdot(G, D))
    noise = _rounding(objective, W, D, value)
    change = np.array([objective.value(W + h * D) - value - h * expected for h in TAYLOR_STEPS])
    remainder = np.abs(change)
    bent = np.array([_count_bent(objective, W, D, h) for h in TAYLOR_STEPS])
    trusted = (bent == 0) & (remainder > CLEAR * noise)
    slope = None
    if trusted.sum() > 1:
        smallest = np.flatnonzero(trusted)[-4:]
        slope = float(np.polyfit(np.log(TAYLOR_STEPS[smallest]), np.log(remainder[smallest]), 1)[0])
    if not np.isfinite(remainder).all():
        passed = False
    elif bent[-1]:  # W is on a kink: a subgradient never promises more than the function keeps
        back = np.array([objective.value(W - h * D) - value + h * expected for h in TAYLOR_STEPS])
        passed = bool(min(change.min(), back.min()) >= -CLEAR * noise)
    else:
        # Where the remainder is rounding and a relative error of ACCURACY would stand out, the gradient is right
        # whatever the slope: the loss may bend at a scale (a small temperature) that the steps only sample.
        visible = ACCURACY * float(np.abs(G * D).sum()) * TAYLOR_STEPS > CLEAR * noise
        confirmed = bool(((bent == 0) & (remainder <= CLEAR * noise) & visible).any())
        passed = slope is None or slope >= SLOPE or confirmed
    return Taylor(
        h=tuple(TAYLOR_STEPS.tolist()),
        remainder=tuple(remainder.tolist()),
        rows_bent=tuple(bent.tolist()),
        noise=noise,
        trusted=tuple(trusted.tolist()),
        slope=slope,
        passed=passed,
    )


def _rounding(objective: Objective, W: Array, D: Array, value: float) -> float:
    """What rounding can make of F near W: of the products in z = W'x + b, which may cancel, and of the sum."""
    reach = np.abs(W) + np.abs(D)
    total = objective.rows.sum(partial(_rounding_kernel, loss=objective.loss, W=W, reach=reach))[0]
    return 8 * _eps(objective) * (value + total / objective.rows.total_weight)


def _rounding_kernel(block: Block, loss: Loss, W: Array, reach: Array) -> tuple[Any, ...]:
    G = loss.value_grad(logits(block.X, W), block.y)[1]
    X = abs(block.X.copy())  # abs() of a sparse block sorts its entries in place, and they are the caller's
    return (_weighted_sum(block, (np.abs(G) * logits(X, reach)).sum(axis=1)),)


def _count_bent(objective: Objective, W: Array, D: Array, h: float) -> int:
    """Rows whose loss has a kink between W - hD and W + hD."""
    if objective.loss.smooth:
        return 0
    return round(objective.rows.sum(partial(_bent_kernel, loss=objective.loss, W=W, step=h * D))[0])


def _bent_kernel(block: Block, loss: Loss, W: Array, step: Array) -> tuple[Any, ...]:
    # Losses with kinks are quadratic between them: a gradient that is not where the Hessian says has jumped.
    Z, D = logits(block.X, W), logits(block.X, step)
    here, turn = loss.value_grad(Z, block.y)[1], loss.hvp(Z, block.y, D)
    ahead = np.abs(loss.value_grad(Z + D, block.y)[1] - here - turn).max(axis=1)
    behind = np.abs(loss.value_grad(Z - D, block.y)[1] - here + turn).max(axis=1)
    size = 1 + np.abs(Z).max(axis=1) + np.abs(D).max(axis=1)
    return (float((np.maximum(ahead, behind) > np.sqrt(np.finfo(Z.dtype).eps) * size).sum()),)


def _weighted_sum(block: Block, a: Array) -> float:
    return float(a.sum() if block.weight is None else block.weight @ a)


def _eps(objective: Objective) -> float:
    return float(np.finfo(objective.rows.dtype).eps)


# --- single entries ----------------------------------------------------------------------------------------------


def _choose_entries(objective: Objective, G: Array, unit: Array, rng: np.random.Generator) -> Array:
    """(m, 2) pairs (feature, class): all, or the largest and a random sample of the others."""
    size = np.abs(G * unit[:, None])
    if not objective.fit_intercept:
        size = size[:-1]
    if size.size <= SAMPLE:
        chosen = np.arange(size.size)
    else:
        order = np.argsort(-size, axis=None, kind="stable")
        half = SAMPLE // 2
        chosen = np.concatenate([order[:half], rng.choice(order[half:], SAMPLE - half, replace=False)])
    return np.stack(np.unravel_index(chosen, size.shape), axis=1)


def _entries(objective: Objective, W: Array, G: Array, pairs: Array, unit: Array) -> list[Entry]:
    steps = unit[pairs[:, 0], None] * ENTRY_STEPS
    kernel = partial(_difference_kernel, loss=objective.loss, W=W, pairs=pairs, steps=steps)
    forward, backward, rounding, size = (a / objective.rows.total_weight for a in objective.rows.sum(kernel))
    penalty = objective.penalty.value(W[:-1])
    for e, (j, k) in enumerate(pairs):
        for i in range(len(ENTRY_STEPS) if j < len(W) - 1 else 0):
            V = W[:-1].copy()
            V[j, k] = W[j, k] + steps[e, i]
            forward[e, i] += objective.penalty.value(V) - penalty
            V[j, k] = W[j, k] - steps[e, i]
            backward[e, i] += penalty - objective.penalty.value(V)
    hidden = 8 * np.finfo(np.float64).eps * (rounding[:, None] + penalty)
    # F is convex: its derivative lies between the two one-sided quotients, at every step, kink or no kink.
    low = ((backward - hidden) / steps).max(axis=1)
    high = ((forward + hidden) / steps).min(axis=1)
    central = (forward + backward) / (2 * steps)
    # Each step is a tenth of the one before, its error a hundredth: ten times what Richardson's rule would say.
    change = np.abs(np.diff(central, axis=1))
    error = np.full(central.shape, np.inf)
    error[:, 2:] = np.maximum(change[:, 1:] / 9, change[:, :-1] / 900)
    error += hidden / steps
    if not objective.loss.smooth:
        error += np.abs(forward - backward) / (2 * steps)
    error = np.where(np.isfinite(central), error, np.inf)
    entries = []
    for e, (j, k) in enumerate(pairs):
        i = int(error[e].argmin())
        a, b = float(G[j, k]), float(central[e, i])
        largest = max(abs(a), abs(b))
        slack = ACCURACY * largest + 32 * _eps(objective) * float(size[e])
        entries.append(
            Entry(
                feature=int(j),
                class_index=int(k),
                analytic=a,
                numeric=b,
                error=float(error[e, i]),
                relative_error=abs(a - b) / largest if largest > 0 else 0.0,
                trusted=bool(error[e, i] <= 1e-3 * abs(b)),
                passed=bool(low[e] - slack <= a <= high[e] + slack),
            )
        )
    return entries


def _difference_kernel(block: Block, loss: Loss, W: Array, pairs: Array, steps: Array) -> tuple[Any, ...]:
    """Sums of l(z + h x_j e_k) - l(z) and l(z) - l(z - h x_j e_k), of what rounding hides in them, of |x_j dl/dz_k|.

    Differences are taken row by row, where they are small, so that a mean over all rows hides none of them.
    """
    Z_all = logits(block.X, W).astype(np.float64)
    losses_all, G_all = loss.value_grad(Z_all, block.y)
    columns = block.X if isinstance(block.X, np.ndarray) else block.X.tocsc()
    forward, backward, rounding, size = (np.zeros(s) for s in (steps.shape, steps.shape, len(pairs), len(pairs)))
    for e, (j, k) in enumerate(pairs):
        x_all = _column(columns, int(j))
        rows = np.flatnonzero(x_all)
        x, Z, y, losses, G = x_all[rows], Z_all[rows], block.y[rows], losses_all[rows], G_all[rows]
        s = np.ones(len(rows)) if block.weight is None else block.weight[rows]
        moved = Z.copy()
        for i, h in enumerate(steps[e]):
            moved[:, k] = Z[:, k] + h * x
            forward[e, i] = s @ (loss.value(moved, y) - losses)
            moved[:, k] = Z[:, k] - h * x
            backward[e, i] = s @ (losses - loss.value(moved, y))
        rounding[e] = s @ (losses + np.abs(G).sum(axis=1) * np.abs(Z).max(axis=1, initial=0.0))
        size[e] = s @ np.abs(x * G[:, k])
    return forward, backward, rounding, size


def _column(X: Any, j: int) -> Array:
    """Column j as (m,) float64; the intercept's is all ones."""
    if j == X.shape[1]:
        return np.ones(X.shape[0])
    column = X[:, [j]]
    return np.asarray(column if isinstance(X, np.ndarray) else column.toarray(), dtype=np.float64)[:, 0]
