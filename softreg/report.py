"""Results as text for people and as JSON for programs; what the results are is `softreg.workflows`' business."""

from __future__ import annotations

import json
import math
import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from softreg import __version__
from softreg.scores import METRICS
from softreg.tables.numbered import Numbered
from softreg.text import plain, safe_text, short

if TYPE_CHECKING:
    from softreg.comparison import Comparison, ModelSummary
    from softreg.workflows import (
        CheckResult,
        EvaluateResult,
        FitPlan,
        FitResult,
        InspectResult,
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
    return json.dumps(plain(values), allow_nan=False, ensure_ascii=False)


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


def _count(rows: float) -> str:
    """Rows, or what their weights add up to."""
    return f"{rows:.6g}" if isinstance(rows, float) else str(rows)


def metrics_text(metrics: Any, training: bool = False) -> str:
    """Loss and accuracy in one line; of validation rows with the interval that their number allows."""
    loss = f"{metrics.loss_name} {metrics.loss:.4f} {metrics.unit}"
    accuracy = f"accuracy {metrics.accuracy:.3f}"
    if training:
        return f"{loss}   {accuracy}   (training rows: not an estimate for new data)"
    return f"{loss}   {accuracy} {interval(*metrics.interval)}  ({_count(metrics.n_right)} of {_count(metrics.n)})"


def after_text(fitted: FitResult) -> str:
    """What to make of it, what was saved, and what to do next."""
    lines = [line("note", note) for note in fitted.notes]
    if fitted.saved:
        lines.append(line("saved", ", ".join(safe_text(path, 240) for path in fitted.saved)))
    if fitted.next:
        lines.append(line("next", fitted.next))
    return "\n".join(lines)


# --- check -------------------------------------------------------------------------------------------------------


def check_text(checked: CheckResult) -> str:
    """What was read, what was found, and what a fit would take."""
    lines = [line("data", checked.data), ""]
    for number, finding in enumerate(checked.findings, 1):
        lines.append(f"{number:>3}  {finding.text}")
        if finding.advice:
            lines.append(f"     {finding.advice}")
    if not checked.findings:
        lines.append("nothing to note")
    seconds = "less than a second" if checked.seconds < 1 else f"some {checked.seconds:.0f} s"
    lines += ["", line("a fit", f"takes about {checked.megabytes:.0f} MB and, on one core, {seconds}")]
    return "\n".join(lines)


# --- evaluate ----------------------------------------------------------------------------------------------------


def evaluation_text(scored: EvaluateResult) -> str:
    """Accuracy and loss, then a row for each class, then which classes are taken for which."""
    m = scored.metrics
    lines = [
        line("data", scored.data),
        line(
            "accuracy",
            f"{m.accuracy:.3f} {interval(*m.interval)}   ({_count(m.n_right)} of {_count(m.n)}; 95 % Wilson interval)",
        ),
        line(m.loss_name, f"{m.loss:.4f} {m.unit}"),
        *[line("note", note) for note in scored.notes],
        "",
        *([_metrics_table(scored), ""] if scored.scores else []),
        _class_table(scored),
        "",
        _confusion_table(scored),
    ]
    return "\n".join(lines)


_TITLES = {"mcc": "Matthews correlation"}


def _metrics_table(scored: EvaluateResult) -> str:
    """Every metric, its interval where it has one, and what the shares of classes alone would score."""
    rows = []
    for key, (value, low, high) in scored.scores.items():
        title = METRICS[key].title if key in METRICS else _TITLES.get(key, key.replace("_", "-") + " accuracy")
        known = "" if math.isnan(low) else interval(low, high)
        baseline = scored.baselines.get(key)
        rows.append([title, _share(value), known, _share(baseline)])
    return table(["metric", "value", "95 % interval", "by class shares alone"], rows)


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


# --- compare -----------------------------------------------------------------------------------------------------


def comparison_text(compared: Comparison) -> str:
    """What each model scored, what each loss made of its rows, what differs, and how sure that is."""
    parts = [
        _scores_table(compared),
        "",
        _fits_table(compared),
        "",
        *_difference_lines(compared),
    ]
    found = compared.disagreements
    if len(compared.names) > 1 and compared.right:
        n = len(next(iter(compared.right.values())))
        shown = f": {', '.join(found.ids[:8])}{', …' * (found.total > 8)}" if found.total else ""
        parts.append(line("disagree", f"{found.total} of {n} rows{shown}"))
    parts += [line("note", note) for note in compared.notes]
    return "\n".join(parts)


def _scores_table(compared: Comparison) -> str:
    interval_of = "95 % intervals: " + (
        "corrected t over folds, approximate" if compared.design.kind == "folds" else "Wilson; bootstrap of rows"
    )
    header = ["model", "accuracy", "", "balanced", "macro-F1", "log loss", "Brier", "calibration error"]
    rows = []
    for model in compared.models:
        if model.error is not None:
            rows.append([name(model.name), "failed", *[""] * (len(header) - 2)])
            continue
        accuracy = model.scores["accuracy"]
        cells = [
            name(model.name),
            f"{accuracy.value:.3f}",
            interval(accuracy.low, accuracy.high),
            *(f"{model.scores[metric].value:.3f}" for metric in ("balanced_accuracy", "macro_f1")),
        ]
        cells += [_with_raw(model, metric) for metric in ("log_loss", "brier", "calibration_error")]
        rows.append(cells)
    lines = [
        table(header, rows),
        f"{interval_of}; log loss (nats/row), Brier score and calibration error",
        "(15 equal-count bins) after one temperature from folds inside the training rows; in brackets from the",
        "model's own probabilities",
    ]
    return "\n".join(lines)


def _with_raw(model: ModelSummary, metric: str) -> str:
    """The calibrated value, and in brackets that of the model's own probabilities."""
    calibrated, own = (group.get(metric) for group in (model.calibrated, model.scores))
    shown = "-" if calibrated is None or math.isnan(calibrated.value) else f"{calibrated.value:.3f}"
    return shown if own is None or math.isnan(own.value) else f"{shown} ({own.value:.3f})"


def _fits_table(compared: Comparison) -> str:
    header = [
        "model", "softmax", "W-W", "C-S", "zero gradient", "inside margin", "||W||", "alpha", "passes", "seconds",
        "certificate",
    ]  # fmt: skip
    rows = []
    for model in compared.models:
        if model.error is not None:
            continue
        losses = ["-"] * 3 if model.losses is None else [f"{value:.3f}" for value in model.losses.values()]
        linear = model.certificate is not None
        rows.append(
            [
                name(model.name),
                *losses,
                _percent(model.zero_gradient),
                _percent(model.inside_margin),
                "-" if model.norm is None else f"{model.norm:.3g}",
                _alphas(model.alphas),
                "-" if model.passes is None else f"{model.passes:.0f}",
                f"{model.seconds:.2f}",
                f"{model.certificate:.0e}{'' if model.certified else '!'}" if linear else "none",
            ]
        )
    lines = [
        table(header, rows),
        "mean softmax, Weston-Watkins and Crammer-Singer loss of judged rows; training rows of exactly zero gradient",
        "and inside the margin; passes and seconds of the fits judged, and the worst of their certificates",
    ]
    if any(model.certified is False for model in compared.models):
        lines.append("! not certified")
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _alphas(alphas: tuple[float, ...]) -> str:
    if not alphas:
        return "-"
    low, high = min(alphas), max(alphas)
    return short(low) if low == high else f"{short(low)} to {short(high)}"


def _difference_lines(compared: Comparison) -> list[str]:
    lines = []
    for text in compared.verdicts:
        wrapped = textwrap.wrap(text, 108)
        lines += [line("verdict" if not i else "", part) for i, part in enumerate(wrapped)]
    return lines


# --- verify ------------------------------------------------------------------------------------------------------


def verification_text(verified: VerifyResult) -> str:
    """Each claim of the file beside what the data say; and, where all agree, the verdict."""
    rows = [[row.name, row.stated, row.recomputed, "yes" if row.agrees else "NO"] for row in verified.rows]
    text = table(["", "in the file", "recomputed", "agrees"], rows)
    return f"{text}\n\n{verified.message}" if verified.holds else text


# --- inspect -----------------------------------------------------------------------------------------------------


def inspection_text(inspected: InspectResult) -> str:
    """What a model says of itself, its columns, and the weights that matter most."""
    parts = [line(label, safe_text(text, 300)) for label, text in inspected.facts]
    for header, rows, rest in _inspection_tables(inspected):
        parts += ["", _left_table(header, rows), *([rest] if rest else [])]
    return "\n".join(parts)


def inspection_markdown(inspected: InspectResult) -> str:
    """The same as a page of Markdown."""
    facts = [[label, safe_text(text, 300)] for label, text in inspected.facts]
    parts = [f"# {_cell(inspected.file)}", _markdown_table(["", ""], facts)]
    for header, rows, rest in _inspection_tables(inspected):
        parts += [_markdown_table(header, rows), *([rest] if rest else [])]
    return "\n\n".join(parts)


def _inspection_tables(inspected: InspectResult) -> Iterator[tuple[list[str], list[list[str]], str]]:
    """Header, rows, and what is left out: of the columns, and of the weights."""
    most = 40
    # Of columns that are all taken as they are, the number says everything; and such are columns without names.
    unnamed = isinstance(inspected.columns, Numbered)
    if not unnamed and any(row[1:] != ("number", "as it is") for row in inspected.columns):
        columns = [[safe_text(cell, 100) for cell in row] for row in inspected.columns[:most]]
        left = len(inspected.columns) - most
        yield ["column", "kind", "becomes"], columns, f"and {left} more columns: --json has them" if left > 0 else ""
    unit = "logits" if inspected.settings.get("loss", "softmax") == "softmax" else "margin units"
    rows = []
    for top in inspected.top[:most]:
        weights = ", ".join(f"{safe_text(feature, 30)} {weight:+.3g}" for feature, weight in top.weights)
        rows.append([name(top.label), f"{top.intercept:+.3g}", weights])
    left = len(inspected.top) - most
    yield (
        ["class", "intercept", f"largest weights, in {unit} per unit of the feature"],
        rows,
        f"and {left} more classes: --json has them" if left > 0 else "",
    )


def _left_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns of text, two blanks apart."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in [header, *rows]]
    return "\n".join("  ".join(cells).rstrip() for cells in lines)


def _markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cell(text: str) -> str:
    """Text that is nothing but text in Markdown."""
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", safe_text(text, 300))
