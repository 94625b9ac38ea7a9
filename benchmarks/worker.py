"""The process that fits: it reads requests from its standard input, a line of JSON each, and answers in the same way.

It lives apart so that a fit can be ended by ending the process, and so that the threads of every library are set
before it is loaded.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

#: The most fits that answer one request.
MOST_RUNS = 50
#: A reference whose proof leaves less than this open need not be sought by another solver.
GOOD_GAP = 1e-9


class Worker:
    """Answers requests about one data set."""

    def __init__(self) -> None:
        self.table: Any = None
        self.cast: tuple[str | None, Any] = (None, None)
        self.warm: set[str] = set()

    def load(self, folder: str) -> dict[str, Any]:
        from benchmarks import sets

        self.table = sets.load(Path(folder))
        self.cast = (None, None)
        return {}

    def generate(self, name: str) -> dict[str, Any]:
        from benchmarks import sets
        from benchmarks.generated import generate

        self.table = sets.Table(*generate(name))
        self.cast = (None, None)
        return {}

    def facts(self) -> dict[str, Any]:
        from benchmarks import machine

        return machine.facts()

    def _X(self, dtype: str | None) -> Any:
        """X in that type; the last one asked for is kept."""
        if dtype in (None, str(self.table.X.dtype)):
            return self.table.X
        if self.cast[0] != dtype:
            self.cast = (dtype, self.table.X.astype(dtype))
        return self.cast[1]

    def reference(self, row: dict[str, Any]) -> dict[str, Any]:
        """The lowest F that our own fit finds with all the digits there are, and what it proves."""
        from benchmarks.peers import Softreg

        whole, dial = _row(row), 12
        best: dict[str, Any] = {}
        for solver in ("auto", "newton"):
            peer = Softreg(solver)
            got = self._judged(peer, whole, dial, self._timed(peer, whole, dial)[1]) | {"by": peer.name}
            if not best or got["objective"] < best["objective"]:
                best = got
            if got["gap"] <= GOOD_GAP:
                break
        return {name: best[name] for name in ("objective", "gap", "by")}

    def fit(self, row: dict[str, Any], peer: str, dial: int, seconds: float = 0.0) -> dict[str, Any]:
        """One fit, or as many as fill ``seconds``: their times and what the last one gave."""
        from benchmarks.peers import by_name

        who, whole = by_name(peer), _row(row)
        self._warm(who, whole)
        gc.collect()
        elapsed, model = self._timed(who, whole, dial)
        runs = [elapsed]
        while sum(runs) < seconds and len(runs) < MOST_RUNS:
            runs.append(self._timed(who, whole, dial)[0])
        return self._judged(who, whole, dial, model) | {"runs": runs}

    def _timed(self, peer: Any, row: Any, dial: int) -> tuple[float, Any]:
        X, y = self._X(peer.dtype), self.table.y
        started = time.perf_counter()
        model = peer.fit(X, y, row, dial)
        return time.perf_counter() - started, model

    def _judged(self, peer: Any, row: Any, dial: int, model: Any) -> dict[str, Any]:
        """F at the model's weights on the data as they came, and what the peer says of its fit."""
        from benchmarks import objective

        answer = peer.answer(model, row, dial)
        return answer.more | {
            "objective": objective.value(self.table.X, self.table.y, answer.weights, row.loss, row.alpha),
            "iterations": answer.iterations,
            "exhausted": answer.exhausted,
            "passes": answer.passes,
        }

    def _warm(self, peer: Any, row: Any) -> None:
        """Load and set up all that a first fit does, on a few rows; once for each peer."""
        from benchmarks.generated import make_dense

        if peer.name in self.warm:
            return
        self.warm.add(peer.name)
        X, y = make_dense(40, 3, min(row.classes, 3))
        small = replace(row, rows=40, columns=3, classes=min(row.classes, 3), limit=1.0)
        peer.fit(X.astype(peer.dtype or X.dtype), y, small, 1)

    def trace(self, row: dict[str, Any], peer: str, target: float) -> dict[str, Any]:
        from benchmarks.peers import by_name

        who = by_name(peer)
        self._warm(who, _row(row))
        got = who.trace(self._X(who.dtype), self.table.y, _row(row), target)
        return {"points": None if got is None else got.points}

    def memory(self, row: dict[str, Any], peer: str, dial: int, folder: str) -> dict[str, Any]:
        """Bytes held after the imports, after the data are there, and the most during the fit; no other fit before."""
        from benchmarks import memory
        from benchmarks.peers import by_name

        who, whole = by_name(peer), _row(row)
        self._warm(who, whole)
        gc.collect()
        imports = memory.held()
        self.load(folder)
        self.table = self.table._replace(X=self._X(who.dtype))
        self.cast = (None, None)
        gc.collect()
        data = memory.held()
        memory.forget_peak()
        model = who.fit(self.table.X, self.table.y, whole, dial)
        peak = memory.peak()
        del model
        return {"imports": imports, "data": data, "peak": peak}


def _row(fields: dict[str, Any]) -> Any:
    from benchmarks.row import Row

    return Row(**fields)


def main() -> None:
    """Answer until the standard input ends.  What libraries print goes nowhere."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    warnings.simplefilter("ignore")
    logging.disable()
    worker = Worker()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            got = getattr(worker, request.pop("do"))(**request)
        except MemoryError:
            got = {"error": "not enough memory"}
        except Exception as error:  # a peer may raise anything: it is said, and the others go on
            got = {"error": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:200]}
        answers.write(json.dumps(got) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
