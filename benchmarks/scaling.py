"""Cost against the number of rows and of classes, on generated data, as lines on a log-log picture.

Each point is a fit of softreg, certified to 1e-6, in a process of its own that made its data itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import results
from benchmarks.machine import cores
from benchmarks.peers import Softreg
from benchmarks.process import Failed, Process, TooLong
from benchmarks.row import Row
from softreg.plots.style import COLOURS, GREY, MARKERS, look

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROWS = (1_000, 3_000, 10_000, 30_000, 100_000, 200_000, 500_000)
CLASSES = (3, 10, 30, 100, 300, 1_000)
COLUMNS = 50
#: Classes while the rows grow, and rows while the classes do.
FIXED = {"rows": 5, "classes": 20_000}
#: Quicker fits are mostly overhead, and have no part in the slope.
WORTH_SECONDS = 0.01


def measure(
    rows: Sequence[int] = ROWS,
    classes: Sequence[int] = CLASSES,
    *,
    columns: int = COLUMNS,
    alpha: float = 1e-4,
    threads: int | None = None,
    limit: float = 300.0,
    repeats: int = 3,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Seconds and passes at each size, ready for JSON: ``points`` for "rows" and for "classes"."""
    threads = threads or cores()
    with Process(threads) as process:
        facts = process.ask("facts", 120.0)
    points: dict[str, list[dict[str, Any]]] = {"rows": [], "classes": []}
    shapes = [("rows", n, n, FIXED["rows"]) for n in rows]
    shapes += [("classes", K, max(FIXED["classes"], 2 * K), K) for K in classes]
    for what, size, n, K in shapes:
        point: dict[str, Any] = {"size": size, "rows": n, "columns": columns, "classes": K}
        shape: dict[str, Any] = {"rows": n, "columns": columns, "classes": K, "storage": "dense", "spread": 1.0}
        row = Row(set="", loss="softmax", alpha=alpha, intercept=True, threads=threads, limit=limit, **shape)
        with Process(threads) as process:
            try:
                process.ask("generate", 300.0, name=f"dense:{n}x{columns}x{K}")
                runs = [_fit(process, row) for _ in range(repeats)]
                seconds = median(second for run in runs for second in run["runs"])
                point |= {"seconds": seconds, "passes": runs[0]["passes"], "status": runs[0]["status"]}
            except (TooLong, Failed) as error:
                point |= {"error": str(error)}
        say(f"{n} rows, {columns} columns, {K} classes: " + str(point.get("error") or f"{point['seconds']:.3g} s"))
        points[what].append(point)
    return {"format": results.FORMAT, "machine": facts, "threads": threads, "alpha": alpha, "points": points}


def _fit(process: Process, row: Row) -> dict[str, Any]:
    name = Softreg("auto").name
    return process.ask("fit", row.limit + 60.0, row=row.to_json(), peer=name, dial=6, seconds=0.2)


def slope(points: Sequence[dict[str, Any]]) -> float | None:
    """d log(seconds) / d log(size) by least squares over the points of more than 10 ms; None if fewer than two."""
    chosen = [(p["size"], p["seconds"]) for p in points if p.get("seconds", 0) > WORTH_SECONDS]
    if len({size for size, _ in chosen}) < 2:
        return None
    size, seconds = np.log(np.array(chosen, dtype=np.float64)).T
    return float(np.polyfit(size, seconds, 1)[0])


def picture(got: dict[str, Any]) -> Figure:
    """Two panels: seconds against rows, seconds against classes."""
    from matplotlib.figure import Figure

    titles = {
        "rows": f"{COLUMNS} columns, {FIXED['rows']} classes",
        "classes": f"{COLUMNS} columns, {FIXED['classes']} rows",
    }
    with look():
        figure = Figure(figsize=(6.8, 2.9), layout="constrained")
        panels = figure.subplots(1, 2)
        for panel, (what, title) in zip(panels, titles.items(), strict=True):
            there = [p for p in got["points"][what] if "seconds" in p]
            x, y = [p["size"] for p in there], [p["seconds"] for p in there]
            panel.plot(x, y, color=COLOURS[0], marker=MARKERS[0], linestyle="")
            if (steepness := slope(there)) is not None:
                worth = [(size, s) for size, s in zip(x, y, strict=True) if s > WORTH_SECONDS]
                size, seconds = np.array(worth, dtype=np.float64).T
                level = np.exp(np.mean(np.log(seconds) - steepness * np.log(size)))
                panel.plot(size, level * size**steepness, color=COLOURS[0])
                panel.set_title(f"slope {steepness:.2f}", loc="right", color=GREY)
            panel.set(xscale="log", yscale="log", xlabel=what, ylabel="seconds to a certified 1e-6")
            panel.set_title(title)
            panel.minorticks_off()
            panel.grid(visible=True)
    return figure


def save(path: Path, got: dict[str, Any]) -> None:
    """Write the points and their slopes."""
    results.save(path, got | {"slopes": {what: slope(points) for what, points in got["points"].items()}})
