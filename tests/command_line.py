"""Running the command line inside the test's process, or in one of its own where signals and streams matter."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from softreg.cli import main

ROOT = Path(__file__).parents[1]
DATA = ROOT / "data"


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def error(self):
        """The only line on stderr; also checks that it is an error's and that stdout stayed empty."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("error: ")
        assert self.out == ""
        assert "Traceback" not in self.err
        return lines[0]


def softreg(capsys, *argv):
    """The command run in this process."""
    capsys.readouterr()
    code = main([str(argument) for argument in argv])
    out, err = capsys.readouterr()
    return Done(code, out, err)


def command(*argv):
    """The command line of a process that runs softreg."""
    return [sys.executable, "-m", "softreg", *map(str, argv)]


def environment(**more):
    """The environment of such a process: this checkout, no terminal manners from outside."""
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def process(*argv, **options):
    """The command run in a process of its own, with its streams captured."""
    done = subprocess.run(command(*argv), capture_output=True, text=True, timeout=120, env=environment(), **options)
    return Done(done.returncode, done.stdout, done.stderr)
