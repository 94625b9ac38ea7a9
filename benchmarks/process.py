"""A worker process as its parent sees it: ask, wait so long, end it if it does not answer."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Self

from benchmarks.machine import thread_environment


class TooLong(Exception):
    """The worker did not answer in time and was ended."""


class Failed(Exception):
    """The worker answered with an error, or ended by itself; the message says which."""


class Process:
    """A worker with ``threads`` threads that has loaded a set; started when first asked, and again after its end."""

    def __init__(self, threads: int, folder: Path | None = None) -> None:
        self.threads, self.folder = threads, folder
        self._child: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str] = queue.Queue()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.end()

    def ask(self, do: str, timeout: float, **request: Any) -> dict[str, Any]:
        """The answer to one request.

        Raises
        ------
        TooLong
            After ``timeout`` seconds; the process has been ended.
        Failed
            The request failed; its reason is the message.
        """
        if self._child is None:
            self._start()
            if self.folder is not None:
                self._ask("load", 600.0, folder=str(self.folder))
        return self._ask(do, timeout, **request)

    def end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()

    def _start(self) -> None:
        environment = thread_environment(self.threads)
        root = str(Path(__file__).parent.parent)
        environment["PYTHONPATH"] = os.pathsep.join(p for p in (root, environment.get("PYTHONPATH", "")) if p)
        self._child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=environment,
        )
        self._lines = queue.Queue()
        threading.Thread(target=_read, args=(self._child, self._lines), daemon=True).start()

    def _ask(self, do: str, timeout: float, **request: Any) -> dict[str, Any]:
        assert self._child is not None
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps({"do": do} | request) + "\n")
            self._child.stdin.flush()
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            self.end()
            raise TooLong(f"ended after {timeout:.0f} s") from None
        except OSError:
            line = ""
        if not line:
            self.end()
            raise Failed("the process ended by itself (out of memory?)")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer


def _read(child: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
    """Pass the child's lines on, and an empty one at their end."""
    assert child.stdout is not None
    try:
        for line in child.stdout:
            lines.put(line)
    except ValueError:  # closed by `end`
        pass
    lines.put("")
