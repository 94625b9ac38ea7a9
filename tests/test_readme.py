"""The README, and the pages that tell a story, show real commands with their real output."""

import doctest
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import ROOT, environment

PAGES = ("README.md", "docs/softmax-or-hinge.md")
README = (ROOT / "README.md").read_text(encoding="utf-8")

#: Below this a number is a gap that rounding made: it may differ on another processor, but must stay below tol.
TINY = 1e-5


def shown(page):
    """(command, output lines) pairs in the order of the page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for block in re.findall(r"```console\n(.*?)```", text, flags=re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output.rstrip("\n").splitlines()


def alike(said, got, rtol=1e-3):
    """Whether two words are equal, or numbers that differ by rounding only."""
    try:
        a, b = (float(word.strip("()[],;")) for word in (said, got))
    except ValueError:
        return said == got
    return (abs(a) < TINY and abs(b) < TINY) or abs(a - b) <= rtol * abs(a)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "data", folder / "data")
    return folder


def test_the_readme_shows_commands():
    assert len(list(shown("README.md"))) >= 8


@pytest.mark.parametrize("page", PAGES)
def test_every_command_prints_what_the_page_shows(place, page):
    for command, expected in shown(page):
        argv = shlex.split(command)
        assert argv[0] == "softreg"
        done = subprocess.run(
            [sys.executable, "-m", "softreg", *argv[1:]],
            cwd=place,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        got = done.stdout.rstrip("\n").splitlines()
        assert len(got) == len(expected), f"$ {command}\n{done.stdout}"
        in_table = False
        for said, line in zip(expected, got, strict=True):
            words, found = said.split(), line.split()
            assert len(words) == len(found), f"$ {command}\n{line}"
            in_table = in_table or words[-3:] == ["passes", "seconds", "certificate"]  # that of compare
            for i, (a, b) in enumerate(zip(words, found, strict=True), start=-len(words)):
                # A time is nobody's promise, and some last digits are this processor's, so that a pass comes or goes.
                is_time, is_count = in_table and i == -2, in_table and i == -3
                same = is_time or alike(a, b, 0.02 if is_count else 1e-3)
                assert same, f"$ {command}\nthe page says {said!r}\nit printed    {line!r}"


def test_the_python_session_is_real():
    session = doctest.DocTestParser().get_doctest(README, {}, "README.md", "README.md", 0)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(session)
    assert runner.summarize(verbose=False).failed == 0


@pytest.mark.parametrize("page", PAGES)
def test_links_and_pictures_exist(page):
    for link in re.findall(r"\]\(([^)#]+)", (ROOT / page).read_text(encoding="utf-8")):
        assert ((ROOT / page).parent / link).exists(), link


def test_the_gate_runs_the_readmes_test_command():
    assert "python -m pytest -q -n 2" in README
    assert "python -m pytest -q -n 2" in Path(ROOT / ".ci" / "run").read_text(encoding="utf-8")
