"""``compare``: models on the same splits, from arrays, as Python calls it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils.validation import check_array, check_consistent_length, column_or_1d

from softreg.comparison.contenders import Contender, Estimator, Linear
from softreg.comparison.judging import WITH_INTERVAL, Manner
from softreg.comparison.result import Comparison, Design
from softreg.comparison.running import run_folds, run_test
from softreg.comparison.summary import absent_note, summarise
from softreg.errors import DataError, UsageError
from softreg.estimators.base import LinearClassifier
from softreg.estimators.inputs import check_labels, class_weight_by_code
from softreg.folds import Fold, repeated
from softreg.text import nearest, safe_text

if TYPE_CHECKING:
    from softreg.tables.filled import Filled

Array = NDArray[Any]


def compare(
    estimators: Mapping[str, Any] | Sequence[Any],
    X: Any,
    y: ArrayLike,
    *,
    cv: Any = 5,
    repeats: int = 2,
    X_test: Any = None,
    y_test: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    metric: str = "accuracy",
    tune: bool = False,
    margin: float = 1.0,
    image_shape: tuple[int, int] | None = None,
    random_state: int = 0,
    n_jobs: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Fit classifiers to the same rows, judge them on the same other rows, and test whether they differ.

    Parameters
    ----------
    estimators : mapping of name to classifier, or sequence of classifiers
        `SoftmaxRegression`, `MulticlassSVC`, pipelines that end in one, and any other scikit-learn classifier.  The
        first is the reference that the others are compared with.
    X : array, CSR matrix or frame of shape (n, p)
    y : array of shape (n,)
    cv : int, splitter, or iterable of (train, test) row numbers, default=5
        Stratified folds; a splitter's test rows must cover the table once in each repeat.
    repeats : int, default=2
        How often an integer ``cv`` is drawn anew.
    X_test, y_test : optional
        Judge on these rows instead; no folds then.
    groups : array of shape (n,), optional
        Rows of one value stay on one side of every split.
    metric : str, default="accuracy"
        The primary one, which gets the test: accuracy, balanced_accuracy, macro_f1, log_loss or brier.
        Those of probabilities are of calibrated ones.
    tune : bool, default=False
        Choose alpha of softreg's losses for each by cross-validation inside its training rows.
    margin : float, default=1.0
        Of the hinges by which all models are judged.
    image_shape : (height, width), optional
        Of rows that are images: weights are drawn so.
    random_state : int, default=0
        Of folds and resamples.
    n_jobs : int, optional
        Processes; all cores by default.  They change speed only.
    on_progress : callable, optional
        Called with the number of tasks done and of all.

    Returns
    -------
    Comparison

    Raises
    ------
    UsageError, DataError
        Both are ValueErrors.

    References
    ----------
    Nadeau & Bengio (2003), Inference for the generalization error, Machine Learning 52.  McNemar (1947).  Holm (1979).
    """
    if metric not in WITH_INTERVAL:
        raise UsageError(f"metric={metric!r}: one of {', '.join(WITH_INTERVAL)}")
    targets = _checked(check_labels, X, y)
    classes, codes = targets.classes, targets.y.astype(np.int64)
    names = tuple(str(name) for name in getattr(X, "columns", ()))
    contenders = contenders_of(estimators, classes)
    if (X_test is None) != (y_test is None):
        raise UsageError("X_test and y_test: test rows need both")
    X = _matrix(X)
    _checked(check_consistent_length, X, groups)
    test, repeats_of, split_text = None, None, None
    if X_test is not None:
        X_test = _matrix(X_test)
        _checked(check_consistent_length, X_test, y_test)
        if X_test.shape[1] != X.shape[1]:
            raise DataError(f"X_test has {X_test.shape[1]} columns, X has {X.shape[1]}")
        test = (X_test, _known(y_test, classes))
    elif isinstance(cv, int | np.integer):
        repeats_of = repeated(codes, len(classes), int(cv), repeats, random_state, _array(groups))
    else:
        splits = cv.split(X, codes, groups) if hasattr(cv, "split") else cv
        repeats_of = as_repeats(splits, len(codes))
        n_folds, n_repeats = len(repeats_of[0]), len(repeats_of)
        split_text = f"{n_folds} folds as given, {n_repeats} repeat{'s' * (n_repeats > 1)}"
    class_texts = tuple(safe_text(label, 40) for label in classes.tolist())
    return compare_rows(
        contenders,
        X,
        codes,
        class_texts,
        names or tuple(f"x{j}" for j in range(1, X.shape[1] + 1)),
        repeats=repeats_of,
        test=test,
        groups=_array(groups),
        manner=Manner(metric, tune, random_state, margin),
        data=f"{len(codes)} rows, {X.shape[1]} columns, {len(classes)} classes",
        split_text=split_text,
        image_shape=image_shape,
        n_jobs=n_jobs,
        on_progress=on_progress,
    )


def compare_rows(
    contenders: Sequence[Contender],
    X: Any,
    y: Array,
    classes: tuple[str, ...],
    feature_names: tuple[str, ...],
    *,
    repeats: Sequence[Sequence[Fold]] | None = None,
    test: tuple[Any, Array] | None = None,
    groups: Array | None = None,
    filled: Filled | None = None,
    manner: Manner | None = None,
    data: str = "",
    split_text: str | None = None,
    ids: Sequence[str] | None = None,
    image_shape: tuple[int, int] | None = None,
    n_jobs: int | None = None,
    notes: Sequence[str] = (),
    warnings: Sequence[str] = (),
    command: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """`compare` for rows with class codes, on folds or on test rows; ``filled`` cells are filled anew in each fold."""
    manner = manner or Manner()
    if len(contenders) < 2:
        raise UsageError("compare needs at least two models")
    _check_names([contender.name for contender in contenders])
    n, K = len(y), len(classes)
    if test is None:
        assert repeats is not None
        judged = run_folds(contenders, X, y, K, repeats, manner, groups, filled, n_jobs, on_progress)
        truth, n_folds, n_repeats = y, len(repeats[0]), len(repeats)
        how = "whole groups" if groups is not None else "stratified"
        text = f"{n_folds}-fold cross-validation, {n_repeats} repeat{'s' * (n_repeats > 1)} ({how}, seed {manner.seed})"
        design = Design(
            "folds", n, round(n / n_folds), n_folds, n_repeats, manner.seed, manner.tune, split_text or text
        )
        note = absent_note(y, classes, n_folds)
        notes = [*notes, note] if note else notes
        portrait_text = f"fitted to all {n} rows"
    else:
        judged = run_test(contenders, X, y, K, test, manner, groups, n_jobs, on_progress)
        truth = test[1]
        text = split_text or f"{n} training rows, {len(truth)} test rows"
        design = Design("test", n, len(truth), None, None, manner.seed, manner.tune, text)
        portrait_text = f"fitted to the {n} training rows"
    points = None
    if X.shape[1] == 2 and not hasattr(X, "tocsr"):
        points = (np.asarray(X, dtype=np.float64), y)
    return summarise(
        contenders,
        judged,
        truth,
        manner,
        design,
        data=data,
        classes=classes,
        feature_names=feature_names,
        ids=ids or [str(i) for i in range(1, len(truth) + 1)],
        points=points,
        image_shape=image_shape,
        portrait_text=portrait_text,
        notes=notes,
        warnings=warnings,
        command=command,
    )


def contenders_of(estimators: Mapping[str, Any] | Sequence[Any], classes: Array) -> list[Contender]:
    """What is compared, of estimators; those of a sequence are named after their loss or class."""
    named = list(estimators.items()) if isinstance(estimators, Mapping) else [(_name(e), e) for e in estimators]
    names = [name for name, _ in named]
    return [
        _contender(name if names.count(name) == 1 else f"{name} {names[: i + 1].count(name)}", estimator, classes)
        for i, (name, estimator) in enumerate(named)
    ]


def _name(estimator: Any) -> str:
    last = estimator[-1] if hasattr(estimator, "steps") else estimator
    if isinstance(last, LinearClassifier):
        return str(getattr(last, "loss", "softmax"))
    return type(last).__name__


def _contender(name: str, estimator: Any, classes: Array) -> Contender:
    last = estimator[-1] if hasattr(estimator, "steps") else estimator
    if isinstance(last, LinearClassifier):
        if last.early_stopping:
            raise UsageError(f"{name}: early_stopping has no place here: models are fitted to their optimum")
        settings = last._settings(classes, last._seed(drawn=False))
        before = estimator[:-1] if last is not estimator and len(estimator.steps) > 1 else None
        return Linear(name, settings, before)
    if not hasattr(estimator, "fit") or not hasattr(estimator, "predict"):
        raise UsageError(f"{name}: {type(estimator).__name__} is no classifier: it has no fit and predict")
    return Estimator(name, _with_weights_by_code(name, estimator, classes))


def _with_weights_by_code(name: str, estimator: Any, classes: Array) -> Any:
    """The estimator, to be fitted to class codes: class weights, its own or a step's, are of codes too."""
    if not hasattr(estimator, "get_params"):
        return estimator
    by_code = {}
    for key, value in estimator.get_params().items():
        if key.split("__")[-1] == "class_weight" and isinstance(value, Mapping):
            try:
                by_code[key] = class_weight_by_code(value, classes)
            except ValueError as error:
                raise UsageError(f"{name}: {error}") from None
    return clone(estimator).set_params(**by_code) if by_code else estimator


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two models are called '{safe_text(name, 60)}': give each a name of its own")


def as_repeats(splits: Iterable[tuple[ArrayLike, ArrayLike]], n: int) -> list[list[Fold]]:
    """Splits put together into repeats, each of which judges no row twice.

    Raises
    ------
    UsageError
        A repeat does not judge every row, or repeats are of different sizes: the splits are no folds.
    """
    repeats: list[list[Fold]] = []
    seen = np.ones(n, dtype=bool)
    for train, judged in splits:
        train, judged = np.sort(np.asarray(train)), np.sort(np.asarray(judged))
        both = np.intersect1d(train, judged)
        if len(both) or not len(judged):
            what = f"row {both[0]} is among the training rows and the test rows" if len(both) else "it has no test rows"
            raise UsageError(f"cv: in split {sum(map(len, repeats)) + 1} {what}")
        if seen[judged].any():
            repeats.append([])
            seen = np.zeros(n, dtype=bool)
        seen[judged] = True
        repeats[-1].append((train, judged))
    judged_rows = [sum(len(judged) for _, judged in repeat) for repeat in repeats]
    if set(judged_rows) != {n} or len({len(repeat) for repeat in repeats}) > 1 or len(repeats[0]) < 2:
        raise UsageError(
            "cv: its test rows must make up folds, each row judged once in every repeat (X_test, y_test judge on some)"
        )
    return repeats


def _matrix(X: Any) -> Any:
    """Arrays and CSR matrices as they are; of a frame its numbers."""
    if np.ndim(X) != 2:
        raise DataError(f"X has {np.ndim(X)} dimensions: a row for each case and a column for each feature is needed")
    try:
        return check_array(X, accept_sparse="csr", dtype="numeric", ensure_all_finite=False)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"X: {str(error).splitlines()[0]}; columns that are not numbers must be encoded first"
        ) from None


def _checked(check: Callable[..., Any], *arguments: Any) -> Any:
    """What a check of scikit-learn's kind gives; its complaint as DataError."""
    try:
        return check(*arguments)
    except (TypeError, ValueError) as error:
        raise DataError(" ".join(str(error).split())) from None


def _array(values: ArrayLike | None) -> Array | None:
    return None if values is None else np.asarray(values)


def _known(y_test: Any, classes: Array) -> Array:
    labels = _checked(column_or_1d, y_test).tolist()
    codes = {label: code for code, label in enumerate(classes.tolist())}
    wrong = [label for label in labels if label not in codes]
    if wrong:
        label = str(wrong[0])
        meant = nearest(label, map(str, classes.tolist()))
        hint = f" (did you mean {meant}?)" if meant else ""
        raise DataError(f"y_test: '{safe_text(label, 40)}' is none of the classes of y{hint}")
    return np.array([codes[label] for label in labels], dtype=np.int64)
