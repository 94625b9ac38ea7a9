"""The simulation of the tests: its rows are what it says, and so is its table."""

import json

import numpy as np
import pytest

from benchmarks import inference
from benchmarks.inference import HEADER, SPREAD, Rejections, best_accuracy, some_rows, table, worse_spread


def test_the_best_classifier_has_the_accuracy_of_the_formula():
    y, (X, worse) = some_rows(200_000, np.random.default_rng(0), [worse_spread()])
    accuracy = (X[:, :3].argmax(axis=1) == y).mean()
    assert accuracy == pytest.approx(best_accuracy(SPREAD), abs=0.004)  # four standard errors
    assert accuracy - (worse[:, :3].argmax(axis=1) == y).mean() == pytest.approx(0.02, abs=0.005)
    assert best_accuracy(0.0) == pytest.approx(1 / 3)


def test_the_two_blocks_are_exchangeable():
    y, (first, second) = some_rows(100_000, np.random.default_rng(1), [SPREAD])
    for k in range(3):
        np.testing.assert_allclose(first[y == k].mean(axis=0), second[y == k].mean(axis=0), atol=0.03)
    noise = [X - SPREAD * np.eye(3, 5)[y] for X in (first, second)]
    np.testing.assert_allclose(np.cov(np.hstack(noise), rowvar=False), np.eye(10), atol=0.03)


def test_the_table_has_a_cell_for_each_heading():
    row = Rejections("exact McNemar", "2000 test rows", 0.05, 0.5, 0.0201, 0.03, 400)
    lines = table([row, Rejections("naive t", "…", 0.4, 0.6, 0.02, None, 400)]).splitlines()
    assert [line.count("|") for line in lines] == [len(HEADER) + 1] * 4
    assert "| 5.0 ± 1.1 % | 50.0 ± 2.5 % | 0.0201 | 0.030 | 400 |" in lines[2]


def test_a_seed_fixes_the_simulation(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(inference, "FIT_ROWS", 60)
    monkeypatch.setattr(inference, "FOLD_REPEATS", 1)
    monkeypatch.setattr(inference, "TEST_ROWS", 100)
    files = [tmp_path / "a.json", tmp_path / "b.json"]
    for file in files:
        inference.main(["--repeats", "2", "--out", str(file)])
    assert files[0].read_bytes() == files[1].read_bytes()
    results = json.loads(files[0].read_text())
    assert [row["test"] for row in results["rows"]] == [
        "corrected resampled t",
        "naive t",
        "exact McNemar",
        "paired bootstrap",
    ]
    assert [row["repeats"] for row in results["rows"]] == [2, 2, 10, 10]
    assert capsys.readouterr().out.count("\n") == 12
