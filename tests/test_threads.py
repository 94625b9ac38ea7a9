"""Tasks on threads give their results in order, and errors in their turn."""

import time

import pytest

from softreg.threads import in_order


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_results_come_in_the_order_of_the_items(threads, ahead):
    def task(item):
        time.sleep(0.002 * (item % 3 == 0))  # the first of three ends last
        return item * item

    assert list(in_order(task, range(20), threads, ahead)) == [item * item for item in range(20)]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_an_error_comes_after_the_results_before_it(threads):
    got = []
    with pytest.raises(ZeroDivisionError):
        got.extend(in_order(lambda item: 12 // item, [3, 2, 1, 0, 1], threads))
    assert got == [4, 6, 12]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_an_item_that_cannot_be_had_is_missed_after_the_others_are_done(threads):
    def items():
        yield 1
        yield 2
        raise OSError("gone")

    got = []
    with pytest.raises(OSError, match="gone"):
        got.extend(in_order(lambda item: -item, items(), threads))
    assert got == [-1, -2]


@pytest.mark.parametrize("threads", [1, 2])
def test_few_items_are_asked_for_ahead_of_what_is_taken(threads):
    asked = []

    def items():
        for item in range(100):
            asked.append(item)
            yield item

    results = in_order(lambda item: item, items(), threads, ahead=1)
    assert next(results) == 0
    assert len(asked) <= threads + 1
