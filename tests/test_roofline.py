"""The roofline's arithmetic, and that it measures the pass it says; no test asserts a time."""

import math

import numpy as np
import pytest

from benchmarks import roofline
from benchmarks.roofline import HEADER, Roofline, generated, measure, table

ROW = Roofline(
    shape=(1000, 20, 5), dtype="float32", threads=2,
    memory=0.002, products=0.003, exponentials=0.001, measured=0.006, streamed=0.004, peer=None,
)  # fmt: skip


def test_the_roofline_is_the_slower_of_memory_and_arithmetic():
    assert (ROW.roofline, ROW.ratio) == (0.004, 1.5)
    assert Roofline(**{**vars(ROW), "memory": 0.005}).roofline == 0.005


def test_a_pass_reads_x_once_and_forms_two_products():
    assert ROW.bytes == 1000 * 20 * 4
    assert ROW.operations == 2 * (2 * 1000 * 20 * 5)


def test_the_table_is_markdown_with_a_cell_for_each_heading():
    lines = table([ROW]).splitlines()
    assert [line.count("|") for line in lines[:3]] == [len(HEADER) + 1] * 3
    assert lines[2].split(" | ")[-1] == "absent |"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("threads", [1, 2])
def test_everything_measured_is_a_positive_number(dtype, threads):
    X, y = generated(300, 12, 3)
    row = measure(X.astype(dtype), y, 3, threads, repeats=1)
    assert (row.shape, row.dtype, row.threads) == ((300, 12, 3), dtype, threads)
    times = [row.memory, row.products, row.exponentials, row.measured, row.streamed, row.peer, row.ratio]
    assert all(time is not None and math.isfinite(time) and time > 0 for time in times)


def test_a_peer_that_computes_something_else_is_refused(monkeypatch):
    monkeypatch.setattr(roofline, "_scikit_learn", lambda *given: lambda: 7.0)
    with pytest.raises(RuntimeError, match=r"two passes, two values"):
        measure(*generated(300, 12, 3), 3, 1, repeats=1)


def test_the_command_takes_a_shape_or_a_file(capsys, tmp_path):
    roofline.main(["--rows", "200", "--columns", "6", "--classes", "4", "--threads", "1", "--repeats", "1"])
    assert "| 200×6, K=4 | float32 | 1 |" in capsys.readouterr().out
    X, y = generated(90, 5, 3)
    np.savez(tmp_path / "small.npz", X=X, y=np.array(["a", "b", "c"])[y])
    roofline.main(["--npz", str(tmp_path / "small.npz"), "--types", "float64", "--threads", "1", "--repeats", "1"])
    assert "| 90×5, K=3 | float64 | 1 |" in capsys.readouterr().out
