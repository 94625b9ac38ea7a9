"""docs/derivation.md stays true: its Python lines give the numbers they show, and what it names is there."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "derivation.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_every_python_line_of_the_page_gives_what_it_shows():
    # The fences are no part of what is printed; the line numbers of a failure stay those of the page.
    source = re.sub(r"^```.*$", "", TEXT, flags=re.MULTILINE)
    test = doctest.DocTestParser().get_doctest(source, {}, PAGE.name, str(PAGE), 0)
    assert len(test.examples) > 30
    report: list[str] = []
    with np.printoptions():  # the page sets its own
        doctest.DocTestRunner().run(test, out=report.append)
    assert not report, "".join(report)


def test_every_python_line_stands_in_a_python_fence():
    fenced = "".join(re.findall(r"^```python\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL))
    assert fenced.count(">>>") == len(re.findall(r"^>>>", TEXT, flags=re.MULTILINE))


def test_every_file_and_function_the_page_names_exists():
    files = set(re.findall(r"\]\(\.\./([\w/.]+)\)", TEXT))
    assert files >= {f"softreg/{name}.py" for name in ("softmax", "losses", "objective", "certificate", "penalties")}
    for file in files:
        assert (ROOT / file).is_file(), file
    for names, file in re.findall(r"^\| .* \| (.*) \| \[`(softreg/\w+)\.py`\]", TEXT, flags=re.MULTILINE):
        module = importlib.import_module(file.replace("/", "."))
        for name in re.findall(r"`(\w+)`", names):
            assert hasattr(module, name), f"{file}: {name}"
    from softreg import objective

    for method in set(re.findall(r"`Objective\.(\w+)`", TEXT)):
        assert hasattr(objective.Objective, method), method
