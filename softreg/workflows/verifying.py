"""Verify: what a model file claims, computed again from the data by the same code."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg import __version__
from softreg.errors import DataError, ModelFileError
from softreg.metrics import Metrics
from softreg.rows import one_thread_blas
from softreg.store import Model
from softreg.tables import Table
from softreg.tables.opening import Paths
from softreg.text import safe_text
from softreg.training import build
from softreg.workflows.inputs import read_as_training
from softreg.workflows.preparing import Part
from softreg.workflows.splits import same_rows

Array = NDArray[Any]

#: Relative difference of two objectives that are the same but for rounding.
SAME = 1e-9
#: Relative gaps below this are rounding.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Claim:
    """One number of the file beside the same number from the data, as text."""

    name: str
    stated: str
    recomputed: str
    agrees: bool


@dataclass(frozen=True)
class VerifyResult:
    """Whether a model's claims hold.

    Attributes
    ----------
    holds : bool
        Every claim agrees, and the data are not other data.
    rows : tuple of Claim
    same_data : bool or None
        Whether the data are those the model was trained on; None where the file does not say.
    message : str
    objective, gap, relative, kkt : float or None
        Recomputed at the model's weights.
    notes, warnings : tuple of str
    """

    holds: bool
    rows: tuple[Claim, ...]
    same_data: bool | None
    message: str
    objective: float
    gap: float | None
    relative: float | None
    kkt: float
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values only."""
        return asdict(self)


def verify(model: str | Model, data: Paths) -> VerifyResult:
    """Recompute objective, gap and metrics of a model from its training data, in one pass.

    Parameters
    ----------
    model : str or Model
        A model file, or the model itself.
    data : path or paths
        The table it was trained on; of a model with a split, the whole of it.

    Raises
    ------
    ModelFileError
        The file is damaged, or claims nothing: it was saved without a certificate.
    DataError
    """
    name = "model" if isinstance(model, Model) else safe_text(model, 240)
    fitted = model if isinstance(model, Model) else Model.load(model)
    if fitted.certificate is None or fitted.witness is None:
        raise ModelFileError(f"{name}: holds no certificate that could be verified")
    table = read_as_training(fitted, data)
    rows = _training_rows(fitted, table)
    settings = fitted.settings
    standard = None if fitted.scale is None or fitted.mean is None else (fitted.mean, fitted.scale)
    try:
        problem = build(rows.part.X, rows.part.y, rows.part.weight, settings, len(fitted.classes), standard)
        with one_thread_blas(), np.errstate(over="ignore", invalid="ignore"):
            found = problem.objective.certify(problem.from_raw(fitted.W), fitted.witness)
        train = rows.part.metrics(fitted.W, settings)
        apart = None if rows.apart is None else rows.apart.metrics(fitted.W, settings)
    except DataError as error:
        raise DataError(f"{table.path}: {error}") from None
    stated, certificate = fitted.certificate, found.certificate
    claims = [
        Claim("training rows", f"{fitted.n_rows}", f"{len(rows.part.y)}", fitted.n_rows == len(rows.part.y)),
        _close("alpha", fitted.alpha, problem.alpha),
        _close("objective", fitted.objective, found.value),
    ]
    kind = "relative gap" if stated.kind == "gap" else "KKT residual"
    # A tighter bound than stated supports the claim; a looser one does not.
    bound = 1.01 * stated.value + (ROUNDING if stated.kind == "gap" else 1e-9)
    supported = certificate.kind == stated.kind and certificate.value <= bound
    claims.append(Claim(kind, f"{stated.value:.1e}", f"{certificate.value:.1e}", bool(supported)))
    if fitted.status in ("certified", "stationary"):
        meets = certificate.kind == stated.kind and certificate.meets(settings.target)
        claims.append(Claim(fitted.status, f"to {settings.target:g}", "yes" if meets else "no", bool(meets)))
    claims += _metric_claims("train", fitted, train)
    if apart is not None:
        claims += _metric_claims("validation", fitted, apart)
    holds = rows.same_data is not False and all(claim.agrees for claim in claims)
    return VerifyResult(
        holds=holds,
        rows=tuple(claims),
        same_data=rows.same_data,
        message=_message(holds, rows.same_data, claims, kind, certificate.value),
        objective=float(found.value),
        gap=None if certificate.gap is None else float(certificate.gap),
        relative=None if certificate.relative is None else float(certificate.relative),
        kkt=float(certificate.kkt),
        notes=(*table.notes, *rows.notes),
        warnings=rows.warnings,
    )


@dataclass(frozen=True, eq=False)
class _Rows:
    """The rows a model was trained on, and those it kept apart of the same table."""

    part: Part
    apart: Part | None
    same_data: bool | None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def _training_rows(model: Model, table: Table) -> _Rows:
    same = None if model.fingerprint is None else table.fingerprint == model.fingerprint
    codes = table.codes(model.classes)
    whole = Part(table.X, codes if table.soft is None else table.soft, table.weight)
    known = codes >= 0
    if not known.all():
        n = int((~known).sum())
        warning = f"{n} row{'s' * (n > 1)} left out, of labels that training never saw"
        if not known.any():
            raise DataError(f"{table.path}: none of its labels is a class of the model")
        return _Rows(whole.take(np.flatnonzero(known)), None, same, warnings=(warning,))
    split = model.split or {}
    if split.get("kind") != "fraction":
        return _Rows(whole, None, same)
    if not same:
        return _Rows(whole, None, same)
    try:
        again = same_rows(split, codes, model.classes, table.groups)
    except (KeyError, TypeError):
        raise ModelFileError("the model's record of its split is not as softreg writes it") from None
    if again is None:
        warning = "the training rows cannot be found again: another scikit-learn splits otherwise; all rows are used"
        return _Rows(whole, None, same, warnings=(warning,))
    return _Rows(
        whole.take(again.train),
        whole.take(again.validation),
        same,
        notes=(f"the same split made again: {again.text}",),
    )


def _close(name: str, stated: float, recomputed: float) -> Claim:
    agrees = bool(abs(stated - recomputed) <= SAME * max(abs(stated), abs(recomputed)))
    return Claim(name, f"{stated:.10g}", f"{recomputed:.10g}", agrees)


def _metric_claims(part: str, model: Model, metrics: Metrics) -> list[Claim]:
    stated = model.metrics.get(part)
    if not isinstance(stated, dict):
        return []
    claims = []
    for key, name in (("loss", metrics.loss_name), ("accuracy", "accuracy")):
        value, now = stated.get(key), getattr(metrics, key)
        if isinstance(value, int | float) and now is not None:
            claims.append(_close(f"{part} {name}", float(value), float(now)))
    return claims


def _message(holds: bool, same: bool | None, claims: list[Claim], kind: str, value: float) -> str:
    if holds:
        origin = "" if same else " (the file does not say which data it was trained on)"
        return f"holds: computed again from the data by softreg {__version__}, {kind} {value:.1e}{origin}"
    if same is False:
        return "does not hold: these are not the data the model was trained on (their fingerprints differ)"
    return f"does not hold: {', '.join(claim.name for claim in claims if not claim.agrees)}"
