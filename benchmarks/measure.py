"""One row of the table: every peer's cheapest way to each level, found first and then timed in turn.

1. The reference: the lowest F known, from the cache or a fit of ours to the last digit.
2. For each peer the dial that reaches each level.  softreg's is its ``tol`` = the level, and its own certificate ends
   the fit; scikit-learn's are foretold by a run that is watched and confirmed by one that is not; the others' are
   searched (`ladder`).
3. The timed fits, all peers one after another in one process, ``repeats`` rounds, each round starting with another
   peer; the median counts.
4. Peak memory, each peer in a process of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import log10
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.ladder import Ladder, Try
from benchmarks.peers import Peer
from benchmarks.process import Failed, Process, TooLong
from benchmarks.references import Reference, References
from benchmarks.row import Row

#: Added to a fit's limit before its process is ended: for evaluating F and for softreg to end its fit itself.
GRACE = 20.0
#: A fit that is quicker is repeated until so many seconds are spent in a round.
ROUND_SECONDS = 0.2
#: Points kept of a curve for the picture.
CURVE_POINTS = 150


@dataclass(frozen=True)
class Plan:
    """What to do beside the rows themselves.

    Parameters
    ----------
    levels : relative suboptimalities, powers of ten, from loose to tight
    repeats : rounds of timed fits
    repeat_seconds : no further round for a fit that has taken so long in all
    deadline : ``time.monotonic()`` after which no search begins
    memory : whether peak memory is measured
    """

    levels: tuple[float, ...] = (1e-2, 1e-4, 1e-6)
    repeats: int = 3
    repeat_seconds: float = 60.0
    deadline: float = float("inf")
    memory: bool = True


@dataclass
class Entry:
    """What is found out about one peer on one row."""

    peer: Peer
    apart: str
    chosen: dict[float, Try] = field(default_factory=dict)
    runs: dict[float, list[float]] = field(default_factory=dict)
    tries: list[Try] = field(default_factory=list)
    trace: list[list[float]] = field(default_factory=list)
    memory: dict[str, int] | None = None
    note: str = ""


def measure(
    row: Row,
    prepared: Path,
    fingerprint: str,
    peers: Sequence[Peer],
    plan: Plan,
    references: References,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """The row's results, ready for JSON."""
    skipped, entries = [], []
    for peer in (peer for peer in peers if peer.minimises(row)):
        reason = peer.absent() or peer.unsuited(row)
        if reason:
            skipped.append({"name": peer.name, "reason": reason})
        else:
            entries.append(Entry(peer, peer.apart(row)))
    key = References.key(fingerprint, row)
    with Process(row.threads, prepared) as process:
        reference = references.get(key) or _reference(process, row, key, references)
        for entry in entries:
            if time.monotonic() > plan.deadline:
                entry.note = "not run: the budget was spent"
                continue
            _search(process, row, entry, plan, reference)
            for found in entry.tries:
                # An answer to another question is no reference for this one, though it is a point of it.
                reference = references.lower(key, Reference(found.objective, None, entry.peer.name))
            say(f"  {entry.peer.name}: {_summary(entry, reference)}")
        for turn in range(plan.repeats):
            for entry in _rotated(entries, turn):
                _time(process, row, entry, plan)
    if plan.memory:
        for entry in entries:
            _measure_memory(row, prepared, entry)
    return {
        **row.to_json(),
        "optimum": reference.objective,
        "optimum_gap": reference.gap,
        "optimum_by": reference.by,
        "solvers": [_finished(entry, plan, reference) for entry in entries],
        "skipped": skipped,
    }


def _reference(process: Process, row: Row, key: str, references: References) -> Reference:
    got = process.ask("reference", 2 * row.limit + 10 * GRACE, row=row.to_json())
    return references.lower(key, Reference(got["objective"], got["gap"], got["by"]))


def _rotated(entries: Sequence[Entry], turn: int) -> list[Entry]:
    start = turn % max(len(entries), 1)
    return [*entries[start:], *entries[:start]]


# --- searching ---


def _search(process: Process, row: Row, entry: Entry, plan: Plan, reference: Reference) -> None:
    """Fill in ``entry.chosen`` with the try that is to be timed for each level that is reached."""
    ladder = Ladder(lambda dial: _try(process, row, entry, dial), entry.peer.largest_dial)
    try:
        if entry.apart:
            found = ladder.attempt(1)  # another objective has no suboptimality: at its defaults, whatever the dial
            if found is not None:
                entry.chosen[min(plan.levels)] = found
        elif entry.peer.certifies:
            for level in plan.levels:
                found = ladder.attempt(dial_of(level))
                if found is not None:
                    entry.chosen[level] = found
        else:
            _climb(process, row, entry, plan, reference, ladder)
    except Failed as error:
        entry.note = str(error)
    entry.tries = [found for found in ladder.tries.values() if found is not None]


def dial_of(level: float) -> int:
    """The k of a level 10^-k."""
    return round(-log10(level))


def _climb(process: Process, row: Row, entry: Entry, plan: Plan, reference: Reference, ladder: Ladder) -> None:
    optimum = reference.objective
    points: list[list[float]] = []
    tightest = optimum * (1 + min(plan.levels) / 2)
    try:
        answer = process.ask("trace", row.limit + GRACE, row=row.to_json(), peer=entry.peer.name, target=tightest)
        points = answer["points"] or []
        watched = answer["points"] is not None
    except TooLong:
        watched = False
    entry.trace = points
    for level in sorted(plan.levels, reverse=True):
        target = optimum * (1 + level)
        hint = next((int(i) for i, _, _, value in points if value <= target and i > 0), None)
        if watched and hint is None:
            last = int(points[-1][0]) if points else 0
            if last and points[-1][2] < 0.9 * row.limit:  # it ended by itself: its own word on where, in float64
                found = ladder.attempt(last)
                if found is not None and found.objective <= target:
                    entry.chosen[level] = found
                    continue
            entry.note = entry.note or "best seen in a watched run"
            continue
        found = ladder.loosest(target, hint)
        if found is None:
            break  # a tighter level is no nearer
        entry.chosen[level] = found


def _try(process: Process, row: Row, entry: Entry, dial: int) -> Try | None:
    try:
        got = process.ask("fit", row.limit + GRACE, row=row.to_json(), peer=entry.peer.name, dial=dial)
    except TooLong as error:
        entry.note = str(error)
        return None
    seconds = got["runs"][0]
    found = Try(dial, got["objective"], seconds, got["exhausted"], got)
    if seconds > row.limit and not entry.peer.certifies:
        entry.note = f"a fit took {seconds:.0f} s, more than the limit"
        return None
    return found


def _summary(entry: Entry, reference: Reference) -> str:
    parts = []
    for level, found in entry.chosen.items():
        missed = "" if entry.apart or reference.suboptimality(found.objective) <= level else ", missed"
        parts.append(f"{level:g} in {found.seconds:.3g} s{missed}")
    return "; ".join(parts) + (f" ({entry.note})" if entry.note else "")


# --- timing ---


def _time(process: Process, row: Row, entry: Entry, plan: Plan) -> None:
    for level, found in entry.chosen.items():
        runs = entry.runs.setdefault(level, [])
        if runs and sum(runs) + found.seconds > plan.repeat_seconds:
            continue
        try:
            got = process.ask(
                "fit",
                2 * row.limit + GRACE,
                row=row.to_json(),
                peer=entry.peer.name,
                dial=found.dial,
                seconds=ROUND_SECONDS,
            )
        except (TooLong, Failed) as error:
            entry.note = f"a timed fit failed: {error}"
            continue
        runs += got["runs"]


def _measure_memory(row: Row, prepared: Path, entry: Entry) -> None:
    if not entry.chosen or entry.apart:
        return
    found = entry.chosen[min(entry.chosen)]
    with Process(row.threads) as process:
        try:
            entry.memory = process.ask(
                "memory",
                2 * row.limit + 10 * GRACE,
                row=row.to_json(),
                peer=entry.peer.name,
                dial=found.dial,
                folder=str(prepared),
            )
        except (TooLong, Failed) as error:
            entry.note = f"{entry.note}; memory: {error}".removeprefix("; ")


# --- results ---


def _finished(entry: Entry, plan: Plan, reference: Reference) -> dict[str, Any]:
    """An entry with everything judged by the final reference."""
    levels: dict[str, Any] = {}
    for level, found in entry.chosen.items():
        runs = entry.runs.get(level) or [found.seconds]
        levels[f"{level:g}"] = {
            "reached": bool(entry.apart == "" and reference.suboptimality(found.objective) <= level),
            "seconds": median(runs),
            "runs": len(runs),
            "spread": [min(runs), max(runs)],
            "dial": found.dial,
            "iterations": found.more.get("iterations"),
            "passes": _passes(entry, found),
            "objective": found.objective,
            "suboptimality": reference.suboptimality(found.objective),
            **({"status": found.more["status"], "gap": found.more["gap"]} if "status" in found.more else {}),
            **(_arrival(found, reference, level) if "history" in found.more else {}),
        }
    best = _best(entry, reference)
    return {
        "name": entry.peer.name,
        "family": entry.peer.family,
        "solver": entry.peer.solver,
        "dtype": entry.peer.dtype or "as the data",
        "apart": entry.apart,
        "levels": levels,
        "best": None if best is None else {"suboptimality": best[0], "seconds": best[1]},
        "curve": _curve(entry),
        "memory": entry.memory,
        "note": entry.note,
    }


def _passes(entry: Entry, found: Try) -> float | None:
    """The fit's own count, or the watched run's when it had made as many iterations."""
    own: float | None = found.more.get("passes")
    if own is not None:
        return own
    return max((passes for i, passes, _, _ in entry.trace if i <= found.dial), default=None)


def _arrival(found: Try, reference: Reference, level: float) -> dict[str, Any]:
    """When F was really within ``level``, and when the certificate said so: seconds of solver time and passes."""
    history = found.more["history"]
    target = reference.objective * (1 + level)
    there = next((i for i, value in enumerate(history["objective"]) if value <= target), None)
    if there is None:
        return {}
    return {
        "true": {"passes": history["passes"][there], "seconds": history["seconds"][there]},
        "certified": {"passes": history["passes"][-1], "seconds": history["seconds"][-1]},
    }


def _best(entry: Entry, reference: Reference) -> tuple[float, float] | None:
    """(relative suboptimality, seconds) of the lowest F seen, in a fit or in the watched run."""
    seen = [(found.objective, found.seconds) for found in entry.tries]
    seen += [(value, seconds) for _, _, seconds, value in entry.trace]
    if not seen or entry.apart:
        return None
    objective, seconds = min(seen)
    return reference.suboptimality(objective), seconds


def _curve(entry: Entry) -> list[list[float]]:
    """(seconds, F): softreg's own history, the overhead of the estimator put before it; a watched run; or the tries."""
    if entry.apart or not entry.tries:
        return []
    last = min(entry.tries, key=lambda t: t.objective)
    if entry.peer.certifies:
        history = last.more["history"]
        overhead = max(0.0, last.seconds - history["seconds"][-1])
        points = [[s + overhead, f] for s, f in zip(history["seconds"], history["objective"], strict=True)]
    elif entry.trace:
        points = [[seconds, value] for _, _, seconds, value in entry.trace]
    else:
        points = sorted([t.seconds, t.objective] for t in entry.tries)
    return _thinned(points)


def _thinned(points: list[list[float]]) -> list[list[float]]:
    """At most `CURVE_POINTS` of them, the first and the last among them, more at the start than later."""
    if len(points) <= CURVE_POINTS:
        return points
    ratio = (len(points) - 1) ** (1 / (CURVE_POINTS - 1))
    keep = {0, len(points) - 1} | {min(len(points) - 1, round(ratio**i)) for i in range(CURVE_POINTS)}
    return [points[i] for i in sorted(keep)]
