"""Results as text for people and as JSON for programs; what the results are is `softreg.workflows`' business."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from softreg import __version__
from softreg.text import safe_text

if TYPE_CHECKING:
    from softreg.workflows import (
        CompareResult,
        EvaluateResult,
        FitPlan,
        FitResult,
        PredictResult,
        VerifyResult,
    )

#: Of the JSON objects: raised when a key changes its meaning.
SCHEMA = 1
#: Longest name of a class in a table.
NAME_LENGTH = 24
#: Most classes whose confusions are written out.
CONFUSION_CLASSES = 20


def to_json(command: str, outcome: Any) -> str:
    """One object on one line: what the command is, and the result; numbers that are none become null."""
    values = {"schema": SCHEMA, "command": command, "softreg": __version__, **outcome.to_json()}
    return json.dumps(_plain(values), allow_nan=False, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):  # numpy's scalars and arrays
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def line(label: str, text: str) -> str:
    """A label in the left column, and what there is to say."""
    return f"{label:<10} {text}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns two blanks apart, the first to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(w) if i else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [header, *rows]
    )


def name(label: object) -> str:
    """A class's name as a table shows it."""
    return safe_text(label, NAME_LENGTH)


def interval(low: float, high: float) -> str:
    return f"[{low:.3f}, {high:.3f}]"


# --- fit ---------------------------------------------------------------------------------------------------------


def plan_lines(plan: FitPlan) -> list[str]:
    """What is known before the first step: data, split, objective, solver."""
    parts = {
        "data": plan.data,
        "split": plan.split,
        "tuning": plan.tuning,
        "objective": plan.objective,
        "solver": plan.solver,
    }
    lines = [line(label, text) for label, text in parts.items() if text]
    return lines + [line("note", note) for note in plan.notes]


_STATUS = {"not_certified": "not certified", "stopped_early": "stopped"}


def outcome_text(fitted: FitResult) -> str:
    """What came of it: the certificate, and how well the rows are told apart."""
    status = str(fitted.status)
    lines = [
        line(_STATUS.get(status, status), _proof(fitted)),
        line("train", metrics_text(fitted.train, training=True)),
    ]
    if fitted.validation is not None:
        lines.append(line("validation", metrics_text(fitted.validation)))
    return "\n".join(lines)


def _proof(fitted: FitResult) -> str:
    objective = f"objective {fitted.objective:.6g}"
    if fitted.status == "certified":
        return f"{objective}, at most {fitted.certificate.value:.0e} (relative) above the optimum"
    return f"{objective}; {fitted.message.removeprefix(f'{_STATUS.get(fitted.status, fitted.status)}: ')}"


def metrics_text(metrics: Any, training: bool = False) -> str:
    """Loss and accuracy in one line; of validation rows with the interval that their number allows."""
    loss = f"{metrics.loss_name} {metrics.loss:.4f} {metrics.unit}"
    accuracy = f"accuracy {metrics.accuracy:.3f}"
    if training:
        return f"{loss}   {accuracy}   (training rows: not an estimate for new data)"
    return f"{loss}   {accuracy} {interval(*metrics.interval)}  ({metrics.n_right} of {metrics.n})"


def after_text(fitted: FitResult) -> str:
    """What to make of it, what was saved, and what to do next."""
    lines = [line("note", note) for note in fitted.notes]
    if fitted.saved:
        lines.append(line("saved", ", ".join(safe_text(path, 240) for path in fitted.saved)))
    if fitted.next:
        lines.append(line("next", fitted.next))
    return "\n".join(lines)


# --- evaluate ----------------------------------------------------------------------------------------------------


def evaluation_text(scored: EvaluateResult) -> str:
    """Accuracy and loss, then a row for each class, then which classes are taken for which."""
    m = scored.metrics
    lines = [
        line("data", scored.data),
        line("accuracy", f"{m.accuracy:.3f} {interval(*m.interval)}   ({m.n_right} of {m.n}; 95 % Wilson interval)"),
        line(m.loss_name, f"{m.loss:.4f} {m.unit}"),
        *[line("note", note) for note in scored.notes],
        "",
        _class_table(scored),
        "",
        _confusion_table(scored),
    ]
    return "\n".join(lines)


def _class_table(scored: EvaluateResult) -> str:
    m = scored.metrics
    columns = zip(scored.classes, m.precision, m.recall, m.f1, m.support, strict=True)
    rows = [[name(label), _share(p), _share(r), _share(f), f"{n:g}"] for label, p, r, f, n in columns]
    return table(["class", "precision", "recall", "F1", "rows"], rows)


def _share(value: float | None) -> str:
    """Three decimals; a dash where there was nothing to divide by."""
    return "-" if value is None or math.isnan(value) else f"{value:.3f}"


def _confusion_table(scored: EvaluateResult) -> str:
    classes, counts = scored.classes, scored.metrics.confusion
    if len(classes) > CONFUSION_CLASSES:
        return f"confusion of {len(classes)} classes: --json has it, softreg plot confusion draws it"
    names = [name(label) for label in classes]
    rows = [[true, *(f"{n:g}" for n in row)] for true, row in zip(names, counts, strict=True)]
    return table(["true \\ predicted", *names], rows)


# --- predict -----------------------------------------------------------------------------------------------------


def csv_blocks(predicted: PredictResult) -> Iterator[bytes]:
    """The predictions as CSV, some thousand rows at a time."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(predicted.header)
    for i, row in enumerate(predicted.rows()):
        writer.writerow(row)
        if i % 4096 == 4095:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


# --- compare -----------------------------------------------------------------------------------------------------


def comparison_text(compared: CompareResult) -> str:
    """A row for each model, what the columns mean, and why one split is not enough."""
    header = [
        "model", "accuracy", "", "log loss", "softmax", "W-W", "C-S", "zero gradient", "passes", "seconds",
        "certificate",
    ]  # fmt: skip
    rows = [
        [
            row.name,
            f"{row.accuracy:.3f}",
            interval(*row.interval),
            "-" if row.log_loss is None else f"{row.log_loss:.4f}",
            *(f"{loss:.4f}" for loss in row.losses),
            f"{row.zero_gradient} of {row.n_train}",
            f"{row.passes:.0f}",
            f"{row.seconds:.2f}",
            f"{row.certificate:.0e}{' ' if row.certified else '!'}",
        ]
        for row in compared.rows
    ]
    lines = [
        table(header, rows),
        "",
        "accuracy [95 % interval], log loss; mean softmax, Weston-Watkins, Crammer-Singer loss: of validation rows",
        "zero gradient: training rows so far on the right side that a plain hinge is flat there",
    ]
    if not all(row.certified for row in compared.rows):
        lines.append("! not certified")
    return "\n".join([*lines, compared.caveat])


# --- verify ------------------------------------------------------------------------------------------------------


def verification_text(verified: VerifyResult) -> str:
    """Each claim of the file beside what the data say; and, where all agree, the verdict."""
    rows = [[row.name, row.stated, row.recomputed, "yes" if row.agrees else "NO"] for row in verified.rows]
    text = table(["", "in the file", "recomputed", "agrees"], rows)
    return f"{text}\n\n{verified.message}" if verified.holds else text
