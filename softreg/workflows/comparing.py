"""Compare: models on the same folds of a table, or on one set of test rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softreg.comparison.comparing import compare_rows
from softreg.comparison.judging import WITH_INTERVAL, Manner
from softreg.comparison.result import Comparison
from softreg.config import CompareRun
from softreg.errors import FitError, UsageError
from softreg.files import atomic_write
from softreg.folds import Fold, repeated
from softreg.tables import Table, label_text
from softreg.tables.opening import Paths
from softreg.text import nearest_or_all, safe_text
from softreg.training import Settings
from softreg.workflows.inputs import describe
from softreg.workflows.models import parse_models
from softreg.workflows.outputs import check_outputs, names_of
from softreg.workflows.plotting import read_shape
from softreg.workflows.preparing import Prepared, prepare

Array = NDArray[Any]

FOLDS = 5
REPEATS = 2
#: The target of every certificate: what is left of a gap moves no metric that a table can show.
TOL = 1e-4


@dataclass(frozen=True, eq=False)
class CompareResult:
    """A comparison, and what was written."""

    comparison: Comparison
    saved: tuple[str, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        return self.comparison.warnings

    def to_json(self) -> dict[str, Any]:
        """Plain values only."""
        return {**self.comparison.to_json(), "saved": list(self.saved)}


def compare(
    data: Paths,
    *,
    settings: Settings | None = None,
    run: CompareRun | None = None,
    command: str | None = None,
    on_data: Callable[[str, str], None] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> CompareResult:
    """Fit models to the same rows of a table, judge them on the same other rows, and test whether they differ.

    Parameters
    ----------
    data : path or list of paths
        The table.
    settings : Settings, optional
        Of every loss, where a model does not name its own; their ``loss`` is not used, ``tol`` is 1e-4 by default.
    run : CompareRun, optional
        Everything else; ``options`` are its fields by name.
    command : str, optional
        For the report: how to do this again.
    on_data : callable, optional
        Called with what was understood of the table and of the design, before the first fit.
    on_progress : callable, optional
        Called with the number of tasks done and of all.

    Raises
    ------
    UsageError, DataError, OutputError, FitError
    """
    run = run or CompareRun(**options)
    settings = _settings(settings)
    outputs = {"--plot": run.plot, "--report": run.report, "--folds-out": run.folds_out}
    check_outputs(outputs, [*names_of(data), run.test])
    metric, shape = _metric(run.metric), None if run.shape is None else read_shape(run.shape)
    if run.plot is not None or run.picture != CompareRun.picture:
        from softreg.plots.comparison import check_picture

        check_picture(run.picture)
    contenders = parse_models(run.models, settings)
    _check_design(run)
    ready = prepare(
        data,
        target=run.target,
        settings=settings,
        validation=run.test,
        validation_fraction=run.validation_fraction,
        group=run.group,
        options=run.tables,
    )
    if ready.part.weight is not None or ready.rows.soft is not None:
        raise UsageError("compare counts every row once, with one label: leave out --weight-col and --target-proba")
    X, test, names = ready.X, ready.validation, tuple(ready.rows.table.feature_names)
    if shape is not None and shape[0] * shape[1] != len(names):
        raise UsageError(f"--shape {run.shape}: {shape[0] * shape[1]} pixels, the table has {len(names)} features")
    repeats, ids = None, _row_names(ready.rows.table, np.arange(len(ready.y)))
    if test is None:
        n_folds, n_repeats = run.cv or FOLDS, run.repeats or REPEATS
        repeats = repeated(ready.y, ready.n_classes, n_folds, n_repeats, settings.random_state, ready.groups)
    else:
        ids = _test_ids(run, ready)
    classes = tuple(safe_text(label_text(label), 40) for label in ready.classes.tolist())
    text = describe(ready.rows)
    if on_data is not None:
        on_data(text, ready.split_text or _folds_text(repeats, ready.groups is not None, settings.random_state))
    compared = compare_rows(
        contenders,
        X,
        ready.y,
        classes,
        names,
        repeats=repeats,
        test=test,
        groups=ready.groups,
        manner=Manner(metric, run.tune, settings.random_state, settings.margin),
        data=text,
        split_text=ready.split_text,
        ids=ids,
        image_shape=shape,
        n_jobs=settings.n_jobs,
        filled=ready.part.filled,
        notes=ready.notes,
        warnings=ready.warnings,
        command=command,
        on_progress=on_progress,
    )
    saved = _write(run, compared, ready.y, classes, repeats, ids)
    return CompareResult(compared, saved)


def _settings(settings: Settings | None) -> Settings:
    settings = settings or Settings()
    if settings.early_stopping:
        raise UsageError("compare: early stopping has no place here: its models are fitted to their optimum")
    return replace(settings, tol=TOL) if settings.tol is None else settings


def _metric(name: str) -> str:
    if name not in WITH_INTERVAL:
        hint = nearest_or_all(name, WITH_INTERVAL)
        raise UsageError(f"--metric {safe_text(name, 40)}: nothing that a test could decide ({hint})")
    return name


def _check_design(run: CompareRun) -> None:
    if run.test is not None and run.validation_fraction is not None:
        raise UsageError("--test and --validation-fraction both choose the rows to judge on: give one of them")
    single = "--test" if run.test is not None else "--validation-fraction" if run.validation_fraction else None
    for option, value, least in (("--cv", run.cv, 2), ("--repeats", run.repeats, 1)):
        if value is not None and single is not None:
            raise UsageError(f"{option} draws folds, {single} judges on one set of rows: give one of them")
        if value is not None and value < least:
            raise UsageError(f"{option} {value}: {least} or more")  # of a call from Python; flags were checked before
    if single is not None and run.folds_out is not None:
        raise UsageError(f"--folds-out writes folds, and with {single} there are none")


def _test_ids(run: CompareRun, ready: Prepared) -> list[str]:
    """Numbers of the test rows in their file, the first row being 1."""
    if run.test is None:
        from softreg.workflows.splits import same_rows

        assert ready.split_record is not None
        split = same_rows(ready.split_record, ready.rows.y, ready.classes, ready.rows.table.groups)
        assert split is not None
        return _row_names(ready.rows.table, split.validation)
    assert ready.apart is not None
    table = ready.apart.table
    return _row_names(table, np.flatnonzero(table.codes(ready.classes) >= 0))


def _row_names(table: Table, rows: Array) -> list[str]:
    """The numbers of rows in their file; their lines where rows of it were left out."""
    if table.n_dropped:
        lines = np.concatenate(table.blocks_of_lines)
        return [f"line {line}" for line in lines[rows].tolist()]
    return [str(row + 1) for row in rows.tolist()]


def _folds_text(repeats: Sequence[Sequence[Fold]] | None, grouped: bool, seed: int) -> str:
    assert repeats is not None
    n_folds, n_repeats = len(repeats[0]), len(repeats)
    how = "whole groups" if grouped else "stratified"
    return f"{n_folds} folds, {n_repeats} repeat{'s' * (n_repeats > 1)} ({how}, seed {seed})"


def _write(
    run: CompareRun,
    compared: Comparison,
    y: Array,
    classes: tuple[str, ...],
    repeats: Sequence[Sequence[Fold]] | None,
    ids: Sequence[str],
) -> tuple[str, ...]:
    saved = []
    if run.report is not None:
        compared.to_html(run.report)
        saved.append(run.report)
    if run.plot is not None:
        compared.plot(run.picture).save(run.plot)
        saved.append(run.plot)
    if run.folds_out is not None and repeats is not None:
        with atomic_write(run.folds_out, "wb") as file:
            file.write(folds_csv(y, classes, repeats, ids).encode())
        saved.append(run.folds_out)
    return tuple(saved)


def folds_csv(y: Array, classes: Sequence[str], repeats: Sequence[Sequence[Fold]], ids: Sequence[str]) -> str:
    """A line for each row: its name, its label, and the fold that judges it in each repeat (0: none does)."""
    which = np.zeros((len(y), len(repeats)), dtype=int)
    for r, parts in enumerate(repeats):
        for number, (_, judged) in enumerate(parts, 1):
            which[judged, r] = number
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["row", "label", *(f"repeat_{r}" for r in range(1, len(repeats) + 1))])
    writer.writerows([ids[i], classes[y[i]], *which[i].tolist()] for i in range(len(y)))
    return text.getvalue()


def check_strict(compared: Comparison) -> None:
    """FitError where a model has failed or is not certified."""
    for model in compared.models:
        if model.error is not None:
            raise FitError(f"--strict: {model.name} failed: {model.error}")
        if model.certified is False:
            raise FitError(f"--strict: {model.name}: {model.n_certified} of {model.n_fits} fits are certified")
