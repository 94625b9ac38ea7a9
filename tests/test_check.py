"""Check: each finding is there where the table has it, and nowhere else."""

from __future__ import annotations

import json

import numpy as np
import pytest
from command_line import DATA, softreg

from softreg import workflows
from softreg.errors import DataError
from softreg.tables import TableOptions


def table(tmp_path, columns, name="t.csv"):
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    path = tmp_path / name
    path.write_text("\n".join(lines))
    return str(path)


def clean(n=60):
    rng = np.random.default_rng(0)
    return {"a": rng.normal(size=n), "b": rng.normal(size=n), "y": ["u", "v", "w"] * (n // 3)}


def texts(path, **options):
    return [finding.text for finding in workflows.check(path, target="y", options=TableOptions(**options)).findings]


def test_a_table_without_peculiarities_has_no_findings(tmp_path):
    assert texts(table(tmp_path, clean())) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"y": ["u", "v"] * 29 + ["w", "w"]}, "1 of 3 classes have fewer than 5 rows: w (2)"),
        ({"c": [7] * 60}, "1 constant column: c"),
        ({"c": np.arange(60) * 1e7}, "spreads differ by a factor of"),
        ({"c": clean()["a"]}, "1 column repeats another: a = c"),
        ({"b": ["", *clean()["b"][1:]]}, "missing cells: 1 in 'b' (first in line 2)"),
    ],
)
def test_each_peculiarity_is_found_alone(tmp_path, change, expected):
    [found] = [
        text for text in texts(table(tmp_path, {**clean(), **change})) if "probable" not in text and "id" not in text
    ]
    assert found.startswith(expected)


def test_repeated_rows_are_counted_with_those_of_another_label(tmp_path):
    columns = {name: [*values[:57], values[0], values[1], values[2]] for name, values in clean().items()}
    columns["y"] = [*columns["y"][:57], "w", "w", "w"]  # they were u, v, w
    assert texts(table(tmp_path, columns)) == ["3 of 60 rows repeat an earlier one (2 of them with another label)"]


def test_unbalanced_classes_and_wide_tables_are_named(tmp_path):
    many = {"a": np.random.default_rng(1).normal(size=620), "y": ["u"] * 610 + ["v"] * 6 + ["w"] * 4}
    assert any(text.startswith("u has 152 times the rows of w") for text in texts(table(tmp_path, many)))
    wide = {f"x{j}": np.random.default_rng(j).normal(size=12) for j in range(20)} | {"y": ["u", "v"] * 6}
    assert "more features than rows: 20 for 12" in texts(table(tmp_path, wide))


def test_missing_cells_are_a_finding_with_the_way_out(capsys):
    done = softreg(capsys, "check", DATA / "iris.csv", "--target", "species")
    assert done.code == 0
    assert "1 of 150 rows repeat an earlier one" in done.out
    value = json.loads(softreg(capsys, "check", DATA / "iris.csv", "--target", "species", "--json").out)
    assert value["classes"] == {"setosa": 50, "versicolor": 50, "virginica": 50}
    assert [finding["number"] for finding in value["findings"]] == [1]
    assert softreg(capsys, "check", DATA / "iris.csv", "--target", "specie").code == 3


def test_columns_that_a_fit_would_refuse_are_findings_with_their_way_out(tmp_path):
    names = [f"person {i}" for i in range(60)]
    path = table(tmp_path, {"name": names, "empty": [""] * 60, **clean()})
    found = workflows.check(path, target="y").findings
    assert [finding.text for finding in found] == [
        "column 'name' has 60 different texts in 60 rows, such as 'person 0'",
        "column 'empty' has no value at all",
    ]
    assert [finding.advice.split(" leaves")[0] for finding in found] == ["--drop name", "--drop empty"]
    with pytest.raises(DataError, match="no value at all"):
        workflows.check(path, target="y", options=TableOptions(features=("empty", "a")))
