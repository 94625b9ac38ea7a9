"""The tables in data/ are what they are said to be."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

DATA = Path(__file__).parent.parent / "data"


@pytest.fixture(scope="module")
def make_data():
    pytest.importorskip("sklearn")
    return runpy.run_path(str(DATA / "make_data.py"))


@pytest.mark.parametrize("table", ["iris", "wine", "digits", "breast_cancer"])
def test_committed_tables_are_the_script_s_output(make_data, table, tmp_path):
    make_data["main"](tmp_path)
    assert (tmp_path / f"{table}.csv").read_bytes() == (DATA / f"{table}.csv").read_bytes()


def test_no_table_is_missing_from_the_script(make_data):
    assert {path.stem for path in DATA.glob("*.csv")} == set(make_data["TABLES"])
