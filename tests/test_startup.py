"""What the command line imports, by name: start-up stays quick only while these lists stay empty."""

import json
import subprocess
import sys

import pytest

HEAVY = ["numpy", "sklearn", "scipy", "matplotlib", "polars", "pandas"]

_PROBE = """
import json, sys
from softreg.cli import main
code = main(sys.argv[1:])
heavy = {heavy!r}
print(json.dumps([code, sorted(name for name in heavy if name in sys.modules)]), file=sys.stderr)
"""


def imported(*argv, heavy=HEAVY):
    """(exit code, the names of ``heavy`` that are imported) after the command."""
    done = subprocess.run(
        [sys.executable, "-c", _PROBE.format(heavy=list(heavy)), *argv], capture_output=True, text=True, timeout=120
    )
    return tuple(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("argv", [["--help"], ["--version"], ["fit", "--help"], [], ["fti"], ["fit", "--lss", "x"]])
def test_help_version_and_refusals_import_nothing_heavy(argv):
    assert imported(*argv)[1] == []


def test_help_of_all_commands_needs_no_pydantic_and_no_rich():
    assert imported("--help", heavy=["pydantic", "rich"]) == (0, [])


def test_explaining_logits_needs_neither_scipy_nor_polars():
    heavy = [name for name in HEAVY if name != "numpy"]
    assert imported("explain", "--logits", "3,4,1", "--label", "2", heavy=heavy) == (0, [])


def test_a_fit_never_imports_scikit_learn_or_matplotlib():
    heavy = ["sklearn", "matplotlib", "pandas", "scipy.optimize", "scipy.stats"]
    assert imported("fit", "data/iris.csv", "--target", "species", heavy=heavy) == (0, [])


def test_python_dash_m_is_the_same_program():
    done = subprocess.run([sys.executable, "-m", "softreg", "--version"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert done.stdout.startswith("softreg ")
    assert done.stderr == ""
