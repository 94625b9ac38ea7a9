"""From a CSV file to a fitted model: ``softreg fit`` beside a short script of pandas and scikit-learn.

Both read the same file and arrive at the same relative suboptimality of F; each is a process of its own, timed from
start to end, its peak memory as the system counts it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks import objective, sets
from benchmarks.counting import counted
from benchmarks.machine import cores, thread_environment
from benchmarks.peers import ScikitLearn
from benchmarks.row import Row

SCRIPT = """\
import sys
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

path, solver, C, max_iter, out = sys.argv[1:]
table = pd.read_csv(path)
y = table.pop("label")
model = LogisticRegression(C=float(C), solver=solver, tol=0.0, max_iter=int(max_iter))
model.fit(table.to_numpy(), y)
np.savez(out, coef=model.coef_, intercept=model.intercept_)
"""


def compare(
    name: str,
    cache: Path,
    data: Path | None = None,
    *,
    alpha: float = 1e-4,
    solver: str = "lbfgs",
    level: float = 1e-6,
    threads: int | None = None,
    repeats: int = 3,
    limit: float = 600.0,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Seconds, peak bytes and relative suboptimality of both, and the ratios.

    Raises
    ------
    benchmarks.missing.Missing
        Where the set cannot be had.
    ValueError
        For a sparse set; where scikit-learn does not arrive; where a command fails.
    """
    threads = threads or cores()
    table = sets.load(sets.prepare(name, cache, data))
    if not isinstance(table.X, np.ndarray):
        raise ValueError(f"{name} is sparse: a CSV of it is no sensible file")
    facts = table.facts()
    shape = {field: facts[field] for field in ("rows", "columns", "classes", "storage", "spread")}
    row = Row(set=name, loss="softmax", alpha=alpha, intercept=True, threads=threads, limit=limit, **shape)
    optimum = _optimum(table, row)
    with tempfile.TemporaryDirectory() as folder:
        csv = Path(folder) / "table.csv"
        write_csv(table, csv)
        say(f"{name}: {csv.stat().st_size / 1e6:.0f} MB of CSV")
        max_iter = _iterations(table, row, solver, optimum * (1 + level))
        say(f"scikit-learn {solver}: {max_iter} iterations")
        commands = _commands(Path(folder), csv, row, solver, max_iter, level)
        runs: dict[str, list[tuple[float, int]]] = {who: [] for who in commands}
        for turn in range(repeats):
            for who in list(commands)[:: 1 if turn % 2 == 0 else -1]:
                runs[who].append(_run(commands[who], threads))
                say(f"{who}: {runs[who][-1][0]:.3g} s, {runs[who][-1][1] / 1e6:.0f} MB")
        reached = _suboptimalities(Path(folder), table, row, optimum)
    got = {
        who: {
            "seconds": median(seconds for seconds, _ in times),
            "peak_bytes": max(peak for _, peak in times),
            "suboptimality": reached[who],
        }
        for who, times in runs.items()
    }
    ours, theirs = got["softreg"], got["scikit-learn"]
    ratio = {"seconds": theirs["seconds"] / ours["seconds"], "peak_bytes": theirs["peak_bytes"] / ours["peak_bytes"]}
    about = {"set": name, "alpha": alpha, "level": level, "solver": solver, "max_iter": max_iter, "threads": threads}
    return about | {"commands": got, "ratio": ratio}


def write_csv(table: sets.Table, path: Path) -> None:
    """The columns x0, x1, … and ``label``, every number with all its digits."""
    import polars as pl

    frame = pl.DataFrame(table.X, schema=[f"x{j}" for j in range(table.X.shape[1])])
    frame.with_columns(label=pl.Series(table.y)).write_csv(path)


def _optimum(table: sets.Table, row: Row) -> float:
    from softreg import SoftmaxRegression

    model = SoftmaxRegression(alpha=row.alpha, tol=1e-9, max_time=row.limit, n_jobs=row.threads)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the last digits are not certified is no matter here
        model.fit(table.X, table.y)
    weights = objective.Weights.of_coef(model.coef_, model.intercept_, row.classes)
    return objective.value(table.X, table.y, weights, row.loss, row.alpha)


def _iterations(table: sets.Table, row: Row, solver: str, target: float) -> int:
    """max_iter with which the script arrives, from a run that is watched."""
    peer = ScikitLearn(solver, "float64")
    X = table.X.astype(np.float64)
    with warnings.catch_warnings(), counted(target, row.limit) as trace:
        warnings.simplefilter("ignore")
        peer.fit(X, table.y, row, peer.largest_dial)
    there = next((i for i, _, _, value in trace.points if value <= target and i > 0), None)
    if there is None:
        raise ValueError(f"scikit-learn's {solver} did not arrive in {row.limit:.0f} s")
    return int(there)


def _commands(folder: Path, csv: Path, row: Row, solver: str, max_iter: int, level: float) -> dict[str, list[str]]:
    script = folder / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    fit = ["fit", str(csv), "--target", "label", "--alpha", str(row.alpha), "--tol", str(level)]
    fit += ["--n-jobs", str(row.threads), "--quiet", "--output", str(folder / "model.softreg")]
    theirs = [str(csv), solver, repr(row.C), str(max_iter), str(folder / "model.npz")]
    return {
        "softreg": [sys.executable, "-m", "softreg", *fit],
        "scikit-learn": [sys.executable, "-W", "ignore", str(script), *theirs],
    }


def _run(command: list[str], threads: int) -> tuple[float, int]:
    """Seconds and peak bytes of a command, from its start to its end."""
    environment = thread_environment(threads)
    root = str(Path(__file__).parent.parent)
    environment["PYTHONPATH"] = os.pathsep.join(p for p in (root, environment.get("PYTHONPATH", "")) if p)
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment) as child:
        assert child.stderr is not None
        errors = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise ValueError(f"{command[2]} {command[3]} ended with {child.returncode}: {errors.decode()[-200:]}")
    return seconds, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _suboptimalities(folder: Path, table: sets.Table, row: Row, optimum: float) -> dict[str, float]:
    """How far both answers are above the lowest F known."""
    from softreg import load

    ours: Any = load(folder / "model.softreg")
    with np.load(folder / "model.npz") as theirs:
        answers = {
            "softreg": objective.Weights.of_coef(ours.coef_, ours.intercept_, row.classes),
            "scikit-learn": objective.Weights.of_coef(theirs["coef"], theirs["intercept"], row.classes),
        }
    values = {who: objective.value(table.X, table.y, w, row.loss, row.alpha) for who, w in answers.items()}
    lowest = min(optimum, *values.values())
    return {who: (value - lowest) / lowest for who, value in values.items()}


def text(got: dict[str, Any]) -> str:
    """The comparison in four lines."""
    lines = [f"{got['set']}, alpha {got['alpha']:g}, {got['threads']} threads, CSV to model:"]
    for who, one in got["commands"].items():
        lines.append(
            f"  {who}: {one['seconds']:.3g} s, {one['peak_bytes'] / 1e6:.0f} MB at most, "
            f"{one['suboptimality']:.0e} above the optimum"
        )
    lines.append(f"  ratio: {got['ratio']['seconds']:.2g} in time, {got['ratio']['peak_bytes']:.2g} in memory")
    return "\n".join(lines)


def save(path: Path, got: dict[str, Any]) -> None:
    """Write the comparison as JSON."""
    path.write_text(json.dumps(got, indent=1) + "\n", encoding="utf-8")
