"""A stack of blocks is the array of their rows, wherever those lie."""

import numpy as np
import pytest

from softreg.errors import ResourceError
from softreg.tables import stack
from softreg.tables.stack import Stack


@pytest.fixture(autouse=True)
def untouched_memory_for_all(monkeypatch):
    monkeypatch.setattr(stack, "_SMALL", 1)


@pytest.mark.parametrize("share", ["known", "unknown", "too low a guess", "too high a guess"])
@pytest.mark.parametrize("q", [1, 3])
def test_blocks_become_one_array(share, q):
    rng = np.random.default_rng(0)
    blocks = [rng.standard_normal((m, q)) for m in (5, 1, 0, 700, 3, 1000, 2)]
    n = sum(map(len, blocks))
    rows = Stack("t.csv", q)
    places, seen = [], 0
    for block in blocks:
        seen += len(block)
        known = {"known": seen / n, "unknown": 0.0, "too low a guess": 1.0, "too high a guess": seen / (3 * n)}
        places.append(rows.place(len(block), known[share]))
    for place, block in reversed(list(zip(places, blocks, strict=True))):  # threads fill in any order
        place[...] = block
    for block in blocks:
        rows.fill(len(block))
    np.testing.assert_array_equal(rows.finish(), np.concatenate(blocks))


@pytest.mark.parametrize("share", [0.5, 0.0])
def test_rows_that_were_left_out_leave_no_gap(share):
    rows = Stack("t.csv", 2)
    filled = []
    for start in range(0, 1000, 100):
        place = rows.place(100, share)
        stays = np.arange(start, start + start // 100)
        place[: len(stays)] = np.stack([stays, -stays], axis=1)
        rows.fill(len(stays))
        filled.append(stays)
    found = rows.finish()
    np.testing.assert_array_equal(found[:, 0], np.concatenate(filled))
    np.testing.assert_array_equal(found[:, 1], -found[:, 0])


def test_a_stack_of_nothing_has_no_rows():
    assert Stack("t.csv", 4).finish().shape == (0, 4)


def test_rows_without_numbers_are_counted():
    rows = Stack("t.csv", 0)
    assert rows.place(7, 0.5).shape == (7, 0)
    rows.fill(7)
    assert rows.finish().shape == (7, 0)


def test_no_more_is_asked_for_than_there_is():
    with pytest.raises(ResourceError, match=r"t.csv: 1010000000000000 rows of 8 columns would take"):
        Stack("t.csv", 8).place(1000, 1e-12)
