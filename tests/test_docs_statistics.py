"""docs/statistics.md stays true: its Python lines give the numbers they show, and its table is the program's."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

from scipy.stats import ttest_1samp

from benchmarks.inference import HEADER

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "statistics.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_every_python_line_of_the_page_gives_what_it_shows():
    source = re.sub(r"^```.*$", "", TEXT, flags=re.MULTILINE)
    test = doctest.DocTestParser().get_doctest(source, {}, PAGE.name, str(PAGE), 0)
    assert len(test.examples) > 15
    report: list[str] = []
    doctest.DocTestRunner().run(test, out=report.append)
    assert not report, "".join(report)


def test_the_ordinary_t_test_is_as_sure_as_the_page_says():
    assert f"{ttest_1samp([0.01, 0.03, 0.02, 0.02, 0.00], 0).pvalue:.2f}" == "0.03"
    assert "has p = 0.03" in TEXT


def test_the_files_the_page_names_exist():
    for file in re.findall(r"\]\(\.\./([\w/.]+)\)", TEXT):
        assert (ROOT / file).is_file(), file


def test_the_tests_keep_their_level_in_the_table():
    """At most 6.5 % where there is no difference, the naive t-test apart, which is there as the warning."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if " ± " in line]
    assert f"| {' | '.join(HEADER)} |" in TEXT
    size = {row[0]: float(row[2].split("±")[0]) for row in rows}
    assert len(size) == 4
    assert size.pop("naive t") > 10
    assert max(size.values()) <= 6.5
