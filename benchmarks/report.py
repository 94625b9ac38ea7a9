"""Results as Markdown: who needs how long for what, geometric means at the foot, and everything that went without."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import geometric_mean
from typing import Any

Row = dict[str, Any]
Solver = dict[str, Any]

OURS = "softreg auto"
#: Rows on which the fastest of scikit-learn takes longer than this are the ones its ratio is promised on.
WORTH_SECONDS = 0.05
FAMILIES = ("scikit-learn", "cyanure", "torch", "LIBLINEAR")


def markdown(results: dict[str, Any]) -> str:
    """The whole report."""
    level = tightest(results)
    parts = [_machine(results)]
    for loss in dict.fromkeys(row["loss"] for row in results["rows"]):
        rows = [row for row in results["rows"] if row["loss"] == loss]
        parts += [
            f"## {loss}: seconds to {level} of the optimum\n",
            _explained(rows),
            _times(rows, level),
            f"### {loss}: softreg to each level\n",
            _levels(rows, results),
            _certificates(rows, level),
        ]
        if memory := _memory(rows, level):
            parts += [f"### {loss}: peak memory of a fit, MB above what was held after the imports\n", memory]
    parts += [_apart(results), _not_reached(results, level), _skipped(results)]
    return "\n".join(part for part in parts if part)


#: Between these two lines stands what `put_into` writes.
MARKS = ("<!-- benchmarks -->", "<!-- /benchmarks -->")


def short(results: dict[str, Any], alpha: float) -> str:
    """What one machine needs to the tightest level at one alpha, beside the fastest of each peer: for a README."""
    level = tightest(results)
    rows = [row for row in results["rows"] if row["alpha"] == alpha and row["loss"] == "softmax"]
    families = [name for name in FAMILIES if any(_mine(row, name) for row in rows)]
    head = ["data", "rows × columns, classes", "softreg, s", *(f"fastest {family}, s" for family in families)]
    lines = []
    for row in rows:
        cells = [row["set"], _shape(row), _cell(find(row, OURS), level)]
        for family in families:
            best = fastest(row, family, level)
            if best is not None:
                cells.append(f"{_cell(best, level)} ({_short(best)})")
                continue
            nearest = _nearest(row, family)
            seen = None if nearest is None else nearest["best"]
            gap = "" if seen is None else f", {seen['suboptimality']:.0e} above"
            cells.append("" if nearest is None else f"not in {row['limit']:g}{gap}")
        lines.append(cells)
    return f"{table(head, lines)}{_promised(rows, level)}\n{_machine(results)}"


def put_into(page: str, text: str) -> str:
    """The page with ``text`` between its two marks; ValueError where it has none."""
    start, end = (page.find(mark) for mark in MARKS)
    if start < 0 or end < start:
        raise ValueError(f"no line {MARKS[0]} and {MARKS[1]} after it: nowhere to write to")
    return f"{page[: start + len(MARKS[0])]}\n{text.strip()}\n{page[end:]}"


def tightest(results: dict[str, Any]) -> str:
    return f"{min(results['levels']):g}"


def find(row: Row, name: str) -> Solver | None:
    return next((solver for solver in row["solvers"] if solver["name"] == name), None)


def seconds_to(solver: Solver | None, level: str) -> float | None:
    """Median seconds to the level; None where it was not reached."""
    got = None if solver is None else solver["levels"].get(level)
    return got["seconds"] if got and got["reached"] else None


def fastest(row: Row, family: str, level: str, also: Callable[[Solver], bool] = lambda solver: True) -> Solver | None:
    """The solver of a family that reaches the level first; not those apart."""
    mine = [solver for solver in row["solvers"] if solver["family"] == family and not solver["apart"] and also(solver)]
    there = [(seconds, i) for i, solver in enumerate(mine) if (seconds := seconds_to(solver, level)) is not None]
    return mine[min(there)[1]] if there else None


# --- the main table ---


def _machine(results: dict[str, Any]) -> str:
    machine = results["machine"]
    blas = "; ".join(" ".join(library.values()) for library in machine["blas"])
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    limits = sorted({row["limit"] for row in results["rows"]} or {results["limit"]})
    limit = " or ".join(f"{seconds:g}" for seconds in limits)
    repeats = sorted({row["repeats"] for row in results["rows"]} or {results["repeats"]})
    rounds = _many(repeats[-1], "round") if len(repeats) == 1 else f"{repeats[0]} to {repeats[-1]} rounds"
    return (
        f"{machine['processor']}, {_many(machine['cores'], 'core')}, {machine['memory_gib']} GiB, {machine['system']}; "
        f"{_many(results['threads'], 'thread')} for everyone; Python {machine['python']}, {versions}; BLAS: {blas}.\n"
        f"At most {limit} s a fit, medians of {rounds}.\n"
    )


def _many(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"


def _explained(rows: Sequence[Row]) -> str:
    text = (
        "softreg's time ends when its own certificate says so, a peer's is that of its loosest setting that arrives.\n"
    )
    if any(not row["intercept"] for row in rows):
        text += "Everyone without an intercept, because LIBLINEAR would penalise it.\n"
    return text


def _times(rows: Sequence[Row], level: str) -> str:
    families = [name for name in FAMILIES if any(_mine(row, name) for row in rows)]
    has_lbfgs = any(find(row, "scikit-learn lbfgs") for row in rows)
    head = ["set", "rows × columns, classes", "alpha", "softreg", "best own solver"]
    ratios: dict[str, list[float | None]] = {}
    for family in families:
        head += [f"fastest {family}" if family != "LIBLINEAR" else family, "ratio"]
        ratios[family] = []
        if family == "scikit-learn" and has_lbfgs:
            head += ["scikit-learn lbfgs", "ratio"]
            ratios["lbfgs"] = []
    lines = []
    for row in rows:
        ours = seconds_to(find(row, OURS), level)
        best = fastest(row, "softreg", level)
        cells = [row["set"], _shape(row), f"{row['alpha']:g}", _cell(find(row, OURS), level)]
        cells.append("" if best is None else _named(best, level))
        for family in families:
            cells += _against(row, fastest(row, family, level), _nearest(row, family), ours, level, ratios[family])
            if family == "scikit-learn" and has_lbfgs:
                lbfgs = find(row, "scikit-learn lbfgs")
                cells += _against(row, lbfgs if seconds_to(lbfgs, level) else None, lbfgs, ours, level, ratios["lbfgs"])
        lines.append(cells)
    foot = ["geometric mean", "", "", "", ""]
    for family in ratios:
        foot += ["", _mean(ratios[family])]
    lines.append([f"**{cell}**" if cell else "" for cell in foot])
    return table(head, lines) + _promised(rows, level)


def _mine(row: Row, family: str) -> list[Solver]:
    return [solver for solver in row["solvers"] if solver["family"] == family and not solver["apart"]]


def _nearest(row: Row, family: str) -> Solver | None:
    """Of a family none of which arrived, the one that came nearest."""
    mine = _mine(row, family)
    seen = [solver for solver in mine if solver["best"]]
    return min(seen, key=lambda solver: solver["best"]["suboptimality"], default=mine[0] if mine else None)


def _against(
    row: Row, solver: Solver | None, nearest: Solver | None, ours: float | None, level: str, ratios: list[float | None]
) -> list[str]:
    theirs = seconds_to(solver, level)
    if theirs is None:
        if nearest is not None:
            ratios.append(None)
        return ["" if nearest is None else f"{_short(nearest)}: {never(nearest)}", ""]
    if ours is None:
        return [_named(solver, level), "softreg never"]
    ratios.append(theirs / ours)
    return [_named(solver, level), f"{theirs / ours:.2g}"]


def never(solver: Solver) -> str:
    """How near a solver came that did not arrive."""
    best = solver["best"]
    if best is None:
        return f"no answer ({solver['note']})"
    return f"never; {best['suboptimality']:.0e} after {_number(best['seconds'])} s"


def _mean(ratios: Sequence[float | None]) -> str:
    there = [ratio for ratio in ratios if ratio is not None]
    lost = len(ratios) - len(there)
    text = f"{geometric_mean(there):.2g} ({len(there)} rows)" if there else ""
    return ", ".join(part for part in (text, f"{lost} never" if lost else "") if part)


def _promised(rows: Sequence[Row], level: str) -> str:
    """The rows on which scikit-learn's fastest takes long enough to matter: smallest ratio and geometric mean.

    Where none of its solvers arrived the ratio is at least that of the seconds they had.
    """
    pairs, bounds = [], []
    for row in rows:
        theirs = seconds_to(fastest(row, "scikit-learn", level), level)
        ours = seconds_to(find(row, OURS), level)
        if ours is None or not _mine(row, "scikit-learn"):
            continue
        if theirs is None:
            bounds.append(max(row["limit"] / ours, 1.0))
        elif theirs > WORTH_SECONDS:
            pairs.append((theirs / ours, f"{row['set']} {row['alpha']:g}"))
    if not pairs:
        return ""
    least, where = min(pairs)
    ratios = [ratio for ratio, _ in pairs]
    text = (
        f"\nWhere scikit-learn's fastest takes more than {WORTH_SECONDS * 1000:.0f} ms ({len(pairs)} rows): "
        f"geometric mean {geometric_mean(ratios):.2g}, least {least:.2g} ({where})"
    )
    if bounds:
        text += (
            f"; with {_many(len(bounds), 'row')} where none arrived, counted at the seconds they had: "
            f"at least {geometric_mean([*ratios, *bounds]):.2g}"
        )
    return f"{text}.\n"


# --- softreg itself ---


def _levels(rows: Sequence[Row], results: dict[str, Any]) -> str:
    levels = [f"{level:g}" for level in results["levels"]]
    head = ["set", "alpha"]
    for level in levels:
        head += [f"s to {level}", "passes", "status"]
    lines = []
    for row in rows:
        ours = find(row, OURS)
        if ours is None:
            continue
        cells = [row["set"], f"{row['alpha']:g}"]
        for level in levels:
            got = ours["levels"].get(level)
            if got is None:
                cells += ["", "", ours["note"]]
            else:
                cells += [_number(got["seconds"]), _number(got["passes"]), got["status"].replace("_", " ")]
        lines.append(cells)
    return table(head, lines)


def certificate_share(rows: Sequence[Row], level: str) -> float | None:
    """Share of the passes that came after F had arrived and before the certificate said so.

    Over the table as 1 less the geometric mean of (passes to arrive / passes to be certified).
    """
    needed = []
    for row in rows:
        got = (find(row, OURS) or {"levels": {}})["levels"].get(level, {})
        if got.get("certified", {}).get("passes") and got.get("status") == "certified":
            # A fit that starts at the optimum has arrived after its first pass.
            needed.append(max(got["true"]["passes"], 0.5) / max(got["certified"]["passes"], 0.5))
    return 1 - geometric_mean(needed) if needed else None


def _certificates(rows: Sequence[Row], level: str) -> str:
    share = certificate_share(rows, level)
    ours = [got for row in rows if (solver := find(row, OURS)) and (got := solver["levels"].get(level))]
    if share is None:
        return ""
    certified = sum(got["status"] == "certified" for got in ours)
    text = (
        f"{certified} of {len(rows)} rows certified to {level}. Passes after F was within {level} and before the "
        f"certificate said so: {share:.0%} (geometric mean).\n"
    )
    loose = [row for row in rows if (row["optimum_gap"] or 0) > float(level) / 100]
    if loose:
        names = ", ".join(f"{row['set']} {row['alpha']:g} ({row['optimum_gap']:.0e})" for row in loose)
        text += f"Reference optima that are proved less well than a hundredth of {level}: {names}.\n"
    choice = _choice(rows, level)
    return text + choice


def _choice(rows: Sequence[Row], level: str) -> str:
    """How much longer `auto` takes than the best of our solvers, where that is over 50 ms."""
    pairs = []
    for row in rows:
        best, ours = fastest(row, "softreg", level), seconds_to(find(row, OURS), level)
        theirs = seconds_to(best, level)
        if best is not None and theirs is not None and ours is not None and ours > WORTH_SECONDS:
            pairs.append((ours / theirs, f"{row['set']} {row['alpha']:g}, {best['solver']}"))
    if not pairs:
        return ""
    most, where = max(pairs)
    over = sum(ratio > 1.3 for ratio, _ in pairs)
    count = f"over 1.3 on {over} of {len(pairs)} rows over 50 ms"
    return f"auto / best own solver: at most {most:.2g} ({where}); {count}.\n"


def memory_bound(row: Row) -> float:
    """What a fit of ours may hold at most above its imports, in bytes, where nothing is factored."""
    return 1.2 * row["bytes"] + 60e6 + 24 * 8 * row["columns"] * row["classes"]


def _memory(rows: Sequence[Row], level: str) -> str:
    lines = []
    for row in rows:
        for solver in row["solvers"]:
            ours, memory = solver["name"] == OURS, solver["memory"]
            if memory is None or not (ours or solver is fastest(row, solver["family"], level)):
                continue
            amounts = [row["bytes"], memory["peak"] - memory["data"], memory["peak"] - memory["imports"]]
            cells = [row["set"], f"{row['alpha']:g}", solver["name"], *(f"{amount / 1e6:.0f}" for amount in amounts)]
            lines.append([*cells, _bound(row) if ours else ""])
    if not lines:
        return ""
    return table(["set", "alpha", "solver", "data", "fit above its data", "above imports", "bound"], lines)


def _bound(row: Row) -> str:
    """`memory_bound`, and what the p² and (pK)² doubles of a factored Hessian would add."""
    factors = (row["columns"] ** 2 + (row["columns"] * row["classes"]) ** 2) * 8
    return f"{memory_bound(row) / 1e6:.0f}, factored {(memory_bound(row) + factors) / 1e6:.0f}"


# --- what went without ---


def _apart(results: dict[str, Any]) -> str:
    lines = [
        [_row_name(row), solver["name"], solver["apart"], _number(got["seconds"]), f"{got['suboptimality']:.1e}"]
        for row in results["rows"]
        for solver in row["solvers"]
        if solver["apart"]
        for got in solver["levels"].values()
    ]
    if not lines:
        return ""
    head = ["row", "peer", "differs", "seconds at its defaults", "F of its answer above the optimum"]
    return "## Shown apart: another objective\n\n" + table(head, lines)


def _not_reached(results: dict[str, Any], level: str) -> str:
    lines = [
        f"- {_row_name(row)}, {solver['name']}: {_nearness(solver)}"
        for row in results["rows"]
        for solver in row["solvers"]
        if not solver["apart"] and seconds_to(solver, level) is None
    ]
    return f"## Who did not arrive at {level}\n\n" + "\n".join(lines) + "\n" if lines else ""


def _nearness(solver: Solver) -> str:
    best = solver["best"]
    if best is None:
        return f"not reached: no answer ({solver['note']})"
    text = f"not reached: best suboptimality {best['suboptimality']:.1e} after {_number(best['seconds'])} s"
    return text + (f" ({solver['note']})" if solver["note"] else "")


def _skipped(results: dict[str, Any]) -> str:
    lines = [f"- {item['name']}: {item['reason']}" for item in _all_skipped(results)]
    return "## Skipped\n\n" + "\n".join(lines) + "\n" if lines else ""


def _all_skipped(results: dict[str, Any]) -> Iterator[dict[str, str]]:
    yield from results["sets_skipped"]
    yield from results["absent"]
    absent = {item["reason"] for item in results["absent"]}
    reasons: dict[tuple[str, str], list[str]] = {}
    for row in results["rows"]:
        for item in row["skipped"]:
            if item["reason"] not in absent:
                where = reasons.setdefault((item["name"], item["reason"]), [])
                if row["set"] not in where:
                    where.append(row["set"])
    for (name, reason), where in reasons.items():
        yield {"name": name, "reason": f"{reason} ({', '.join(where)})"}


# --- words and numbers ---


def _row_name(row: Row) -> str:
    return f"{row['set']} {row['loss']} {row['alpha']:g}"


def _shape(row: Row) -> str:
    return f"{row['rows']} × {row['columns']}, {row['classes']}" + (" sparse" if row["storage"] == "csr" else "")


def _short(solver: Solver) -> str:
    return solver["solver"] + (" float32" if solver["dtype"] == "float32" else "")


def _named(solver: Solver | None, level: str) -> str:
    return "" if solver is None else f"{_number(seconds_to(solver, level))} {_short(solver)}"


def _cell(solver: Solver | None, level: str) -> str:
    seconds = seconds_to(solver, level)
    if seconds is not None:
        return _number(seconds)
    return "" if solver is None else never(solver)


def _number(value: float | None) -> str:
    """Three digits, never an exponent for what a person would write out."""
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table, numbers in it as they are."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in rows) + "\n"
