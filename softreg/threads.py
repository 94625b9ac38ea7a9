"""How many cores there are, and tasks that use them whose results come in order."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def allowed_jobs(n_jobs: int | None) -> int:
    """Threads to use: all cores this process may run on, or 1 inside a worker process of another program."""
    if n_jobs is None:
        return 1 if multiprocessing.parent_process() is not None else cores()
    return n_jobs if n_jobs > 0 else max(1, cores() + 1 + n_jobs)


def in_order(task: Callable[[A], B], items: Iterable[A], threads: int, ahead: int = 1) -> Iterator[B]:
    """``task(item)`` for each item, in order; at most ``threads`` run and ``ahead`` more wait, to run or to be taken.

    An error comes where its item's turn is, even if the next items cannot be had.
    """
    if threads <= 1:
        yield from map(task, items)
        return
    pool, waiting = _pool(threads), deque[Future[B]]()
    source, failed = iter(items), None
    try:
        while True:
            try:
                item = next(source)
            except StopIteration:
                break
            except Exception as error:
                failed = error
                break
            waiting.append(pool.submit(task, item))
            del item  # held once
            if len(waiting) >= threads + ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
    if failed is not None:
        raise failed


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="softreg")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # threads do not survive a fork
