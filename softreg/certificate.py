"""A proof of how far from the optimum a fit can be, that anyone can recompute from the data.

For alpha > 0 and *any* dual rows v_r with <v> = 0 (their weighted mean),

    F(W, b) - F*  <=  gap = penalty term(W, <x v'>) + <FY(z, v)>,

where FY(z, v) = l(z) + l*(v) - v·z >= 0 is the loss's Fenchel-Young term (Blondel, Martins & Niculae 2020) and
the penalty term is the penalty's own, ||alpha W + <x v'>||² / (2 alpha) for L2.  Two choices of v:

natural       v = the loss's gradient at z: FY is 0, the gap is ||grad_W F||²/(2 alpha).  Free, but loose on
              badly scaled data.
Newton        v = gradient + Hessian·d at a base point, d the logits of a Newton step: as tight as the step is
              exact (the gap tends to the true suboptimality).

What is left of <v> is repaired exactly: v is mixed with the dual point of a constant prediction (`repair`).
Where there is no such bound (alpha = 0) the KKT residual is reported instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.losses import Loss
from softreg.moreau import Moreau

Array = NDArray[Any]


@dataclass(frozen=True)
class Certificate:
    """How far from optimal a point can be.

    Attributes
    ----------
    kind : {"gap", "kkt"}
        "gap": F - F* <= ``gap`` is proved.  "kkt": no bound exists (alpha = 0), only the slope is known.
    gap : float or None
        In the objective's own unit.
    relative : float or None
        gap / max(F, 1e-6 · F at W = 0).
    kkt : float
        max |dF/dW_jk| / RMS(column j), over all features, classes and intercepts: nats (or margin units) per
        standard unit of a column.
    """

    kind: str
    gap: float | None
    relative: float | None
    kkt: float

    @property
    def value(self) -> float:
        """The number that ``tol`` is compared with."""
        return self.kkt if self.relative is None else self.relative

    def meets(self, tol: float) -> bool:
        return self.value <= tol


@dataclass(frozen=True, eq=False)
class DualRows:
    """Dual rows (n, K) off the true class, by those entries that are not 0.

    Attributes
    ----------
    entries : (m, 3) array
        Row, class and v of each, row after row.
    shape : (n, K)
    """

    entries: Array
    shape: tuple[int, int]

    @classmethod
    def of(cls, V: Array) -> DualRows:
        rows, classes = np.nonzero(V)
        return cls(np.column_stack([rows, classes, V[rows, classes]]), V.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> Array:
        """Consecutive rows, dense."""
        start, stop, _ = rows.indices(len(self))
        few = self.entries[slice(*np.searchsorted(self.entries[:, 0], [start, stop]))]
        V = np.zeros((stop - start, self.shape[1]))
        V[few[:, 0].astype(np.intp) - start, few[:, 1].astype(np.intp)] = few[:, 2]
        return V

    def repeated(self, which: Array) -> DualRows:
        """Rows ``which`` of these, as often and in the order as they are named."""
        first, last = np.searchsorted(self.entries[:, 0], [which, which + 1])
        counts = last - first
        rows = np.repeat(np.arange(len(which)), counts)
        taken = np.repeat(first - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
        return DualRows(np.column_stack([rows, self.entries[taken, 1:]]), (len(which), self.shape[1]))


@dataclass(frozen=True)
class Witness:
    """What a dual point is rebuilt from, beside W itself: kept in the model file, so that one pass proves the gap.

    The base point is W - lag·step (lag 0 or 1); v is the gradient there of the loss, or of the loss smoothed at
    ``temperature``, plus its Hessian times the logits of ``step`` (p + 1, K).  No step: the natural point.  With
    ``envelope`` the smoothed loss is the hinge's Moreau envelope, and v its gradient at the base point moved by step.
    ``dual``: v itself, for a hinge whose v is no function of W; the rest then says nothing.
    """

    step: Array | None = None
    lag: int = 1
    temperature: float = 0.0
    envelope: bool = False
    dual: DualRows | None = None

    def loss(self, loss: Loss) -> Any:
        if self.envelope:
            return Moreau(loss, self.temperature)  # type: ignore[arg-type]
        return loss.smoothed(self.temperature) if self.temperature > 0 else loss  # type: ignore[attr-defined]


def repair(residual: Array, mean_target: Array) -> tuple[float, Array]:
    """(lambda, u): (1 - lambda) V + lambda (u - T) has mean 0 when V has mean ``residual``; u is a distribution.

    lambda = max_k r_k+ / (r_k+ + t_k), so that u = t - (1 - lambda)/lambda · r stays >= 0.
    """
    # The sum over classes is 0 but for rounding, which is all that is left of a residual near the optimum.
    residual = residual - residual.sum() / len(residual)
    up = np.maximum(residual, 0)
    ratio = np.divide(up, up + mean_target, out=np.zeros_like(up), where=up > 0)
    k = int(ratio.argmax())
    mixing = float(ratio[k])
    if mixing == 0:
        return 0.0, mean_target
    # 1/mixing may be too large a number: what it multiplies is divided first.
    u = mean_target - (1 - mixing) * (up[k] + mean_target[k]) * (residual / up[k])
    u = np.maximum(u, 0)
    return mixing, u / u.sum()


def rounding_slack(size: float, steepness: float = 1.0) -> float:
    """What rounding may hide in a sum of Fenchel-Young terms: 64 eps of a logit's terms (root mean square ``size``).

    Logits that are d off change a convex loss by its gradient times d, plus the order of d²: where rows are confident
    (``steepness``, see `softreg.losses`) by far less than d.
    """
    unit = 64 * np.finfo(np.float64).eps
    return min(unit * (1 + size), unit * (1 + steepness * size) + (unit * size) ** 2)
