"""The report of a comparison: the verdict first, then the numbers, what there is to see, and how it was done."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from softreg import __version__
from softreg.html.pictures import DIFFERENCES, STORY, figure
from softreg.html.pictures import METRICS as EVERY_METRIC
from softreg.html.style import STYLE
from softreg.html.writing import (
    DASH,
    bullets,
    element,
    name,
    number,
    sentence,
    several,
    share,
    text,
    with_interval,
)
from softreg.scores import METRICS
from softreg.text import listing, short

if TYPE_CHECKING:
    from softreg.comparison import Comparison, ModelSummary
    from softreg.inference import Difference

_MOST_ROWS = 50
_LOSS_TITLES = {
    "softmax": "softmax, nats per row",
    "weston_watkins": "Weston–Watkins hinge, margin units",
    "crammer_singer": "Crammer–Singer hinge, margin units",
}


def comparison_html(c: Comparison) -> str:
    """A comparison as one page of HTML that needs no network, no script and no other file.

    The same comparison gives the same bytes.  Text from the data is shown, never obeyed.
    """
    title = f"{listing(c.names)}: a comparison"
    sections = [
        _header(c, title),
        _verdicts(c),
        _warnings(c),
        _section("The models", _models(c)),
        _section("The differences", _differences(c)),
        *_story(c),
        _section("Rows on which they disagree", _disagreements(c)),
        _section("How it was done", _method(c)),
        _section("Words used here", _words(c)),
        element("footer", f"softreg {text(__version__)}. This page is one file: it loads nothing and runs nothing."),
    ]
    body = "\n".join(section for section in sections if section)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title, 120)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _section(title: str, content: str) -> str:
    return f"<section>\n{element('h2', title)}\n{content}\n</section>" if content else ""


# --- what was compared, and what came of it ----------------------------------------------------------------------


def _header(c: Comparison, title: str) -> str:
    metric = METRICS[c.metric].title
    others = f", the reference is {c.reference}" if len(c.names) > 1 else ""
    design = " ".join(
        sentence(part) for part in (c.data, c.design.text, f"The primary metric is {metric}{others}") if part
    )
    return f"<header>\n{element('h1', text(title, 200))}\n{element('p', text(design), 'lead')}\n</header>"


def _verdicts(c: Comparison) -> str:
    if not c.verdicts:
        return ""
    label = element("p", "Verdict" if len(c.verdicts) == 1 else "Verdicts", "label")
    return element("section", label + "".join(element("p", text(sentence(v))) for v in c.verdicts), "verdict")


def _warnings(c: Comparison) -> str:
    return element("section", element("p", "Warnings", "label") + bullets(c.warnings), "warning") if c.warnings else ""


# --- tables ------------------------------------------------------------------------------------------------------


def _table(head: list[str], rows: Iterator[str]) -> str:
    first, *others = head
    names = element("th", first) + "".join(f'<th class="number" scope="col">{one}</th>' for one in others)
    body = "\n".join(rows)
    return f'<div class="scroll"><table>\n<thead><tr>{names}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>'


def _row(title: str, cells: list[str], unit: str = "") -> str:
    unit = element("span", f" {text(unit)}", "unit") if unit else ""
    numbers = "".join(element("td", cell, "number") for cell in cells)
    return f'<tr><th scope="row">{text(title)}{unit}</th>{numbers}</tr>'


def _group(title: str, across: int) -> str:
    return f'<tr class="group"><th scope="colgroup" colspan="{across}">{text(title)}</th></tr>'


def _models(c: Comparison) -> str:
    fine = [model for model in c.models if model.error is None]
    failed = [model for model in c.models if model.error is not None]
    parts = []
    if fine:
        head = ["", *(name(m.name) + element("span", text(m.description, 80), "description") for m in fine)]
        parts += [_table(head, _model_rows(c, fine)), element("p", _intervals_text(c), "note")]
    if failed:
        reasons = bullets(f"{m.name} ({m.description}): {m.error}" for m in failed)
        parts.append(f"{element('p', 'Failed, while the others went on:')}{reasons}")
    return "\n".join([*parts, figure(c, EVERY_METRIC, "metrics-")])


def _model_rows(c: Comparison, models: list[ModelSummary]) -> Iterator[str]:
    across = len(models) + 1

    def line(title: str, cell: Callable[[ModelSummary], str], unit: str = "") -> str:
        """A row of the table, left out where no model has anything to say."""
        cells = [cell(model) for model in models]
        return "" if all(one == DASH for one in cells) else _row(title, cells, unit)

    def group(title: str, lines: list[str]) -> Iterator[str]:
        said = [one for one in lines if one]
        if said:
            yield _group(title, across)
            yield from said

    def estimate(metric: str, calibrated: bool) -> Callable[[ModelSummary], str]:
        def cell(model: ModelSummary) -> str:
            one = (model.calibrated if calibrated else model.scores).get(metric)
            return DASH if one is None else with_interval(number(one.value), one.low, one.high)

        return cell

    plain = [m for m in METRICS.values() if not m.needs_probabilities]
    probable = [m for m in METRICS.values() if m.needs_probabilities]
    apart = "test rows" if c.design.kind == "test" else "rows of folds that the model had not seen"
    yield from group(f"Decisions, on {apart}", [line(m.title, estimate(m.name, False), _unit(m.unit)) for m in plain])
    yield from group(
        "Probabilities, calibrated by one temperature",
        [line(m.title, estimate(m.name, True), m.unit) for m in probable],
    )
    yield from group(
        "Probabilities, as the model gives them", [line(m.title, estimate(m.name, False), m.unit) for m in probable]
    )
    yield from group(
        "Mean loss of the same rows, under each loss",
        [line(title, _loss_cell(loss)) for loss, title in _LOSS_TITLES.items()],
    )
    yield from group(
        "What the loss made of its training rows",
        [
            line("rows of exactly zero gradient", lambda m: share(m.zero_gradient)),
            line("rows of gradient mass below 1e-6", lambda m: share(m.tiny_gradient)),
            line("rows wrong or within the margin", lambda m: share(m.inside_margin)),
            line("length of the weights, ‖W‖", lambda m: number(m.norm, 2)),
        ],
    )
    yield from group(
        "The fits",
        [
            line("alpha", lambda m: several(m.alphas)),
            line("inverse temperature", _temperature),
            line("certified", _certified),
            line("worst certificate", _certificate),
            line("passes over the data", lambda m: number(m.passes, 0)),
            line("seconds", lambda m: number(m.seconds, 2)),
        ],
    )


def _unit(unit: str) -> str:
    return "" if unit in ("share of rows", "mean recall") else unit


def _loss_cell(loss: str) -> Callable[[ModelSummary], str]:
    return lambda m: DASH if m.losses is None else number(m.losses.get(loss))


def _temperature(m: ModelSummary) -> str:
    if m.inverse_temperature is None:
        return DASH
    low, middle, high = m.inverse_temperature
    ends = with_interval(f"{middle:.3g}", low, high, 3) if low != high else f"{middle:.3g}"
    bounded = f"{m.temperature_bounded} of {m.n_fits} bounded"
    return ends + (element("span", bounded, "interval") if m.temperature_bounded else "")


def _certificate(m: ModelSummary) -> str:
    return DASH if m.certificate is None else short(float(f"{m.certificate:.0e}"))


def _certified(m: ModelSummary) -> str:
    if m.certified is None:
        return DASH
    tol = "" if m.tol is None else element("span", f"to {short(m.tol)}", "interval")
    return f"{m.n_certified} of {m.n_fits}{tol}"


def _intervals_text(c: Comparison) -> str:
    if c.design.kind == "folds":
        how = "95 % intervals by the corrected t over folds: approximate, for folds share training rows"
    else:
        how = "95 % intervals: Wilson for accuracy, a bootstrap of the test rows given the fitted models for the others"
    return (
        f"{how}. Log loss, Brier score and calibration error: less is better. The calibration error is the root mean "
        "square over 15 bins of equally many rows, corrected for bias, and has no sound interval."
    )


def _differences(c: Comparison) -> str:
    if not c.differences:
        return ""
    head = ["model − reference", "difference", "p", "p, adjusted", "found with 80 % power", "test"]
    parts = [
        element("p", f"In {text(METRICS[c.metric].title)}, the primary metric:"),
        _table(head, (_difference_row(d) for d in c.differences)),
    ]
    if len(c.differences) > 1:
        parts.append(
            element(
                "p", f"p is adjusted by Holm’s method for {len(c.differences)} comparisons with the reference.", "note"
            )
        )
    if c.other_differences:
        names = list(dict.fromkeys(d.name for d in c.other_differences))
        found = {(d.metric, d.name): _delta(d) for d in c.other_differences}
        others = (
            _row(METRICS[metric].title, [found.get((metric, one), DASH) for one in names], _unit(METRICS[metric].unit))
            for metric in dict.fromkeys(d.metric for d in c.other_differences)
        )
        head = ["", *(f"{name(one)} − {name(c.reference)}" for one in names)]
        parts += [element("p", "In the other metrics, with intervals and no verdict:"), _table(head, others)]
    return "\n".join([*parts, figure(c, DIFFERENCES, "differences-")])


def _difference_row(d: Difference) -> str:
    discordant = ""
    if d.only_model is not None and d.only_reference is not None:
        right = f"only the model right: {d.only_model}, only the reference: {d.only_reference}"
        discordant = element("span", right, "interval")
    cells = [_delta(d), _p(d.p), _p(d.p_holm), number(d.smallest), f"{text(d.test)}{discordant}"]
    return _row(f"{d.name} − {d.reference}", cells)


def _delta(d: Difference) -> str:
    return with_interval(number(d.delta, signed=True), d.low, d.high, signed=True)


def _p(p: float | None) -> str:
    if p is None or math.isnan(p):
        return DASH
    return "&lt; 0.0001" if p < 1e-4 else f"{p:.4f}" if p < 0.1 else f"{p:.2f}"


# --- pictures, rows, method --------------------------------------------------------------------------------------


def _story(c: Comparison) -> Iterator[str]:
    for g, (title, lead, pictures) in enumerate(STORY):
        drawn = [figure(c, picture, f"p{g}{i}-") for i, picture in enumerate(pictures)]
        if any(drawn):
            about = f" The models drawn are {c.portrait_text}." if g == 0 and c.portrait_text else ""
            yield _section(title, "\n".join([element("p", text(lead + about)), *filter(None, drawn)]))


def _disagreements(c: Comparison) -> str:
    found = c.disagreements
    names = list(found.predicted)
    if len(names) < 2:
        return ""
    n = len(next(iter(c.right.values()))) if c.right else None
    of = f" of {n}" if n is not None else ""
    which = "test rows" if c.design.kind == "test" else "rows, as judged in the first repeat of the folds"
    if not found.total:
        return element("p", f"None: all models predict the same class for each{of} of the {which}.")
    first = f" The first {_MOST_ROWS} are listed." if found.total > _MOST_ROWS else ""
    lead = f"{found.total}{of} {which}, on which not all models predict the same class.{first}"
    head = ["row", "true class", *(name(one) for one in names)]

    def rows() -> Iterator[str]:
        for i in range(min(found.total, _MOST_ROWS)):
            truth = found.truth[i]
            cells = [element("td", name(truth), "number")]
            for model in names:
                label = found.predicted[model][i]
                cells.append(element("td", name(label), "number" if label == truth else "number wrong"))
            yield f'<tr><th scope="row">{name(found.ids[i])}</th>{"".join(cells)}</tr>'

    return element("p", text(lead)) + _table(head, rows())


def _method(c: Comparison) -> str:
    d, softregs = c.design, [m for m in c.models if m.certified is not None]
    if d.kind == "folds":
        n_repeats = d.n_repeats or 1
        again = f", drawn {n_repeats} times" if n_repeats > 1 else ""
        judged = (
            f"{d.n} rows in {d.n_folds} folds{again} (seed {d.seed}): each row is judged once in each repeat, by "
            "models fitted to the other folds. All models have the same folds."
        )
    else:
        judged = f"All models are fitted to the same rows and judged on the same {d.n_test} others (seed {d.seed})."
    if d.tuned:
        tuned = (
            "Alpha of each of softreg’s losses is chosen by cross-validation inside the training rows, for each fit."
        )
    else:
        tuned = "Alpha was not tuned: every model has the one given in its column."
    told = [
        judged,
        "Preprocessing is learned from the training rows alone, for each fit.",
        tuned,
        "Temperatures are fitted to scores of inner folds of the training rows; the model is then fitted to all of "
        "them. A temperature changes no decision.",
    ]
    if softregs:
        told.append(
            "Optima of softreg’s models are certified: the certificate bounds the relative distance of the objective "
            "from its optimum, or without penalty is the largest residual of the optimality conditions."
        )
    command = f"{element('p', 'The command:')}<pre>{text(c.command)}</pre>" if c.command else ""
    notes = element("h3", "Notes") + bullets(c.notes) if c.notes else ""
    classes = f"{len(c.classes)} classes: {listing(c.classes, 20)}. {len(c.feature_names)} features."
    return bullets([*told, classes]) + command + notes


def _words(c: Comparison) -> str:
    """Each expression of the page that needs a sentence, explained once."""
    words = {
        "margin of a row": "The logit of its true class less the largest of the others: below 0 the row is wrong. The "
        f"hinges ask for {short(c.margin)}.",
        "gradient mass of a row": "Half the sum of the absolute values of its gradient in the logits: for softmax 1 − "
        "p of the true class.",
        "Weston–Watkins, Crammer–Singer": "Two hinges for several classes: the sum, and the largest, of the shortfalls "
        "of the margins from the other classes.",
        "nat": "Unit of information: −log p of the true class, with the natural logarithm; log 2 nats are a bit.",
        "balanced accuracy": "The mean over classes of the share of their rows that are right.",
        "macro-F1": "The mean over classes of F1, the harmonic mean of precision and recall.",
        "Brier score": "Sum over classes of squared errors of the probabilities, mean over rows: from 0 to 2.",
        "calibration error": "How far confidence is from the share of rows that are right, over bins of rows.",
        "inverse temperature": "What the scores are multiplied by before they are made probabilities: below 1 the "
        "model was too sure of itself.",
        "alpha": "Strength of the penalty: (alpha/2)·‖W‖² is added to the mean loss.",
        "found with 80 % power": "The smallest true difference that this design would find four times in five.",
        "no evidence of a difference": "Not equality: a smaller difference than the one found with 80 % power may well "
        "be there.",
    }
    tests = {d.test for d in c.differences}
    if "corrected resampled t" in tests:
        words["corrected resampled t"] = (
            "A t-test of the differences of the folds whose variance is enlarged for the training rows that folds "
            "share (Nadeau and Bengio 2003)."
        )
    if "exact McNemar" in tests:
        words["exact McNemar"] = "A binomial test of the rows that only one of the two models got right."
    if "paired bootstrap" in tests:
        words["paired bootstrap"] = "The test rows drawn again with replacement, the same for both models."
    items = "".join(element("dt", text(word)) + element("dd", text(said)) for word, said in words.items())
    return element("dl", items)
