"""What a user passes as X, y, sample_weight and class_weight, brought to arrays and class codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, _num_samples, check_array, validate_data

from softreg.text import is_missing

Array = NDArray[Any]
Method = TypeVar("Method", bound=Callable[..., Any])

#: What scikit-learn notes of X before anything else of a fit is known.
COLUMNS = ("n_features_in_", "feature_names_in_")
#: How far the sum of a row of soft labels may be from 1.
SOFT_SUM = 1e-6


# --- X ------------------------------------------------------------------------------------------------------------


def keeps_columns_on_error(method: Method) -> Method:
    """A fit that is refused leaves the columns of the fit before, as it leaves the rest."""

    @wraps(method)
    def kept(self: Any, *args: Any, **options: Any) -> Any:
        before = {name: vars(self)[name] for name in COLUMNS if name in vars(self)}
        try:
            return method(self, *args, **options)
        except BaseException:
            for name in COLUMNS:
                vars(self).pop(name, None)
            vars(self).update(before)
            raise

    return kept  # type: ignore[return-value]


def check_features(estimator: Any, X: Any, *, reset: bool) -> Any:
    """X as an array of its own numeric type, or as CSR; never a float64 copy of numbers of another type."""
    if hasattr(X, "collect") and hasattr(X, "lazy"):
        raise TypeError("X is a lazy frame, which holds no numbers yet: pass X.collect()")
    check_sparse_structure(X)
    return validate_data(estimator, X, accept_sparse="csr", dtype="numeric", reset=reset)


def check_sparse_structure(X: Any) -> None:
    """Refuse a compressed or coordinate matrix whose indices point outside it: compiled code would follow them.

    Raises
    ------
    ValueError
    """
    if not sparse.issparse(X) or X.ndim != 2:
        return
    n_rows, n_columns = X.shape
    if X.format == "coo":
        sound = len(X.row) == len(X.col) == len(X.data) and _inside(X.row, n_rows) and _inside(X.col, n_columns)
    elif X.format in ("csr", "csc", "bsr"):
        major, minor = (n_columns, n_rows) if X.format == "csc" else (n_rows, n_columns)
        if X.format == "bsr":
            major, minor = major // X.blocksize[0], minor // X.blocksize[1]
        starts = X.indptr
        sound = (
            len(starts) == major + 1
            and starts[0] == 0
            and bool((starts[1:] >= starts[:-1]).all())
            and starts[-1] <= min(len(X.indices), len(X.data))
            and _inside(X.indices[: starts[-1]], minor)
        )
    else:
        return
    if not sound:
        raise ValueError(f"X is a damaged {X.format.upper()} matrix: its indices point outside its shape {X.shape}")


def _inside(indices: Array, size: int) -> bool:
    return indices.size == 0 or (int(indices.min()) >= 0 and int(indices.max()) < size)


# --- y ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Targets:
    """``classes`` (K,) labels, and ``y``: (n,) class codes or (n, K) distributions."""

    classes: Array
    y: Array

    @property
    def is_soft(self) -> bool:
        return self.y.ndim == 2


def looks_soft(y: Any) -> bool:
    """Whether y has two or more columns."""
    shape = getattr(y, "shape", None)
    if shape is None:
        try:
            shape = np.asarray(y).shape
        except ValueError:  # ragged: for the label check to refuse
            return False
    return len(shape) == 2 and shape[1] >= 2


def check_labels(X: Any, y: Any) -> Targets:
    """Labels to codes; ``classes`` are the labels there are, sorted."""
    y = _one_column(X, y)
    try:
        classes, codes = np.unique(y, return_inverse=True)
        if not (y.dtype.kind in "biuU" and 2 * len(classes) <= len(y)):  # else these are labels, beyond all doubt
            check_classification_targets(y)
    except TypeError as error:
        raise ValueError("y mixes labels that cannot be sorted together: make them all text or all numbers") from error
    if len(classes) < 2:
        raise ValueError(f"y has only one class, {classes.tolist()[0]!r}: at least two classes are needed")
    return Targets(classes, codes.reshape(-1))


def check_labels_among(X: Any, y: Any, classes: Array, name: str) -> Array:
    """Codes (n,) of labels that must all be known.

    Raises
    ------
    ValueError
        Names the labels that are not among ``classes``.
    """
    y = _one_column(X, y)
    check_classification_targets(y)
    return codes_among(y, classes, name)


def codes_among(y: Array, classes: Array, name: str) -> Array:
    known = {label: code for code, label in enumerate(classes.tolist())}
    labels = y.tolist()
    unknown = list(dict.fromkeys(label for label in labels if label not in known))
    if unknown:
        raise ValueError(f"{name} has labels {unknown[:5]} that are not among the classes {classes.tolist()[:20]}")
    return np.fromiter((known[label] for label in labels), dtype=np.intp, count=len(labels))


def _one_column(X: Any, y: Any) -> Array:
    if not (type(y) is np.ndarray and y.ndim == 1 and y.dtype.kind in "biuU"):
        y = column_or_1d(y, warn=True)
    if y.dtype.kind in "fc" and not np.isfinite(y).all():
        raise ValueError("Input y contains NaN or infinity")
    if y.dtype.kind == "O" and any(map(is_missing, y)):
        raise ValueError("Input y contains NaN or None: drop the rows without a label")
    check_consistent_length(X, y)
    return y


def check_soft_labels(X: Any, y: Any, classes: Array | None = None) -> Targets:
    """Distributions over the classes, a row each; ``classes`` are a frame's columns, or 0 … K-1.

    Raises
    ------
    ValueError
        Entries below 0, rows that do not sum to 1, columns other than ``classes``.
    """
    columns = getattr(y, "columns", None)
    T = check_array(y, dtype=np.float64, input_name="y", copy=True)
    named = np.arange(T.shape[1]) if columns is None else _labels(list(columns))
    if classes is not None and (len(named) != len(classes) or (columns is not None and list(named) != list(classes))):
        raise ValueError(f"soft labels have columns {named.tolist()}, the classes are {np.asarray(classes).tolist()}")
    if _num_samples(X) != len(T):
        raise ValueError(f"X has {_num_samples(X)} rows, y has {len(T)}: inconsistent numbers of samples")
    if (T < 0).any():
        row, k = np.argwhere(T < 0)[0]
        raise ValueError(f"y row {row}, column {k}: soft label {T[row, k]:g} is below 0")
    total = T.sum(axis=1)
    wrong = np.flatnonzero(~(np.abs(total - 1) <= SOFT_SUM))
    if len(wrong):
        raise ValueError(f"y row {wrong[0]}: soft labels sum to {total[wrong[0]]:g}, not 1 (labels are one column)")
    T /= total[:, None]
    return Targets(named if classes is None else classes, T)


def _labels(columns: list[Any]) -> Array:
    labels = np.asarray(columns)
    if labels.dtype.kind not in "biufU":
        labels = np.asarray(columns, dtype=object)
    if len(set(labels.tolist())) < len(columns):
        raise ValueError(f"two columns of the soft labels have one name: {columns}")
    return labels


# --- weights ------------------------------------------------------------------------------------------------------


def check_weight(sample_weight: Any, X: Any) -> Array | None:
    """Row weights (n,) float64, 0 or above and not all 0; None where all are 1."""
    if sample_weight is None:
        return None
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    if not weight.any():
        raise ValueError("sample_weight is zero for every row: no row counts")
    return weight


def class_weight_by_code(class_weight: Any, classes: Array) -> Any:
    """``class_weight`` with codes in the place of labels."""
    if not isinstance(class_weight, Mapping):
        return class_weight
    known = {label: code for code, label in enumerate(classes.tolist())}
    out: dict[int, float] = {}
    for label, value in class_weight.items():
        if label not in known:
            raise ValueError(f"class_weight names {label!r}, which is not among the classes {classes.tolist()[:20]}")
        if not (np.isfinite(value) and value >= 0):
            raise ValueError(f"class_weight of {label!r} is {value!r}: a finite number, 0 or above, is needed")
        out[known[label]] = float(value)
    return out


def check_every_class_counts(targets: Targets, weight: Array | None) -> None:
    """Refuse a class without a row of positive weight, by its label."""
    if targets.is_soft:
        totals = targets.y.sum(axis=0) if weight is None else weight @ targets.y
    elif weight is None:
        return  # the classes are those of the rows
    else:
        totals = np.bincount(targets.y, weights=weight, minlength=len(targets.classes))
    if not (totals > 0).any():
        raise ValueError("all weights are zero: no row counts")
    if (totals > 0).sum() < 2:
        raise ValueError("only one class has rows of positive weight: at least two classes are needed")
    empty = np.flatnonzero(~(totals > 0))
    if len(empty):
        label = targets.classes.tolist()[empty[0]]
        raise ValueError(f"class {label!r} has no row of positive weight: leave the class out, or weigh its rows")
