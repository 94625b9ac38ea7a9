"""The whole table: every set, loss and alpha in turn, the results file written anew after each row."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks import results, sets
from benchmarks.machine import cores
from benchmarks.measure import Plan, measure
from benchmarks.missing import Missing
from benchmarks.peers import Peer
from benchmarks.process import Failed, Process, TooLong
from benchmarks.references import References
from benchmarks.row import Row


@dataclass(frozen=True)
class Table:
    """What is to be run; ``limit`` seconds a fit, ``budget`` seconds in all."""

    sets: Sequence[str]
    alphas: Sequence[float]
    losses: Sequence[str]
    peers: Sequence[Peer]
    plan: Plan
    cache: Path
    data: Path | None = None
    threads: int | None = None
    limit: float = 120.0
    budget: float = float("inf")
    hinge_intercept: bool = False


def run(
    table: Table, out: Path, done: dict[str, Any] | None = None, say: Callable[[str], None] = print
) -> dict[str, Any]:
    """Run the table and write ``out`` after each row.

    Parameters
    ----------
    done : results of an earlier run, optional
        Its rows are kept and not run again.
    say : what is called with each line of progress

    Returns
    -------
    dict
        What was written.
    """
    table.cache.mkdir(parents=True, exist_ok=True)
    (table.cache / ".gitignore").write_text("*\n", encoding="utf-8")
    threads = table.threads or cores()
    plan = replace(table.plan, deadline=time.monotonic() + table.budget)
    with Process(threads) as process:
        facts = process.ask("facts", 120.0)
    rows = [] if done is None else list(done["rows"])
    known = {results.row_key(row) for row in rows}
    got: dict[str, Any] = {
        "format": results.FORMAT,
        "machine": facts,
        "threads": threads,
        "levels": list(plan.levels),
        "limit": table.limit,
        "repeats": plan.repeats,
        "absent": _absent(table.peers),
        "sets_skipped": [],
        "rows": rows,
    }
    references = References(table.cache)
    for name in table.sets:
        try:
            prepared = sets.prepare(name, table.cache, table.data)
        except Missing as reason:
            got["sets_skipped"].append({"name": name, "reason": str(reason)})
            say(f"{name}: skipped: {reason}")
            continue
        about = sets.read_facts(prepared)
        for row in _rows(table, name, about, threads):
            if results.row_key(row.to_json()) in known:
                continue
            if time.monotonic() > plan.deadline:
                say(f"{row.key}: not run: the budget was spent")
                continue
            say(row.key)
            try:
                measured = measure(row, prepared, about["fingerprint"], table.peers, plan, references, say)
            except (Failed, TooLong) as error:
                got["sets_skipped"].append({"name": row.key, "reason": f"no reference optimum: {error}"})
                say(f"  no reference optimum: {error}")
                continue
            kept = {name: about[name] for name in ("dtype", "bytes", "nonzeros")}
            rows.append(measured | kept | {"repeats": plan.repeats})
            results.save(out, got)
    results.save(out, got)
    return got


def _rows(table: Table, name: str, about: dict[str, Any], threads: int) -> list[Row]:
    return [
        Row(
            set=name,
            loss=loss,
            alpha=alpha,
            intercept=loss == "softmax" or table.hinge_intercept,
            threads=threads,
            limit=table.limit,
            **{field: about[field] for field in ("rows", "columns", "classes", "storage", "spread")},
        )
        for loss in table.losses
        for alpha in table.alphas
    ]


def _absent(peers: Sequence[Peer]) -> list[dict[str, str]]:
    """Packages that are not installed, each named once."""
    missing = {peer.package: peer.absent() for peer in peers if peer.absent()}
    return [{"name": package, "reason": reason} for package, reason in missing.items()]
