"""Rows of numbers, a block at a time: each block's place is known before it is read, so that threads fill them."""

from __future__ import annotations

import mmap
from collections import deque

import numpy as np

from softreg.tables.memory import check_fits

#: Below so many bytes numpy does not ask for large pages.
_SMALL = 1 << 22


class Stack:
    """An array (n, q) of float64 that grows.

    Where the size of the whole was guessed too low another array is begun, and all become one in the end.
    """

    def __init__(self, path: str, q: int) -> None:
        self._path = path
        self._array, self._used, self._arrays = np.empty((0, q)), 0, 0
        self._given, self._filled = deque[np.ndarray](), deque[np.ndarray]()
        self._n = 0  # rows that were given a place

    def place(self, m: int, share: float) -> np.ndarray:
        """The place (m, q) of the next block; with it ``share`` of the file is read, 0 where that is not known.

        Raises
        ------
        ResourceError
            There is no memory for the rows that are to be expected.
        """
        self._n += m
        if self._used + m > len(self._array):
            # A hundredth more than the part read lets expect; of a pipe, or a file that grows, half as much again.
            expected = max(int(self._n / share * 1.01) if share > 0 else self._n * 3 // 2, self._n)
            more, q = expected - self._n + m, self._array.shape[1]
            check_fits(self._path, f"{expected} rows of {q} columns", 8 * q * more)
            self._array, self._used, self._arrays = _untouched(more, q), 0, self._arrays + 1
        place = self._array[self._used : self._used + m]
        self._used += m
        self._given.append(place)
        return place

    def fill(self, m: int) -> None:
        """Of the oldest place that was given the first ``m`` rows are filled, and no others will be."""
        self._filled.append(self._given.popleft()[:m])

    def finish(self) -> np.ndarray:
        """All rows that were filled; the stack is empty then."""
        n, at = sum(map(len, self._filled)), 0
        whole = self._array if self._arrays <= 1 else _untouched(n, self._array.shape[1])
        del self._array
        while self._filled:  # an array is given back as soon as it is copied
            block = self._filled.popleft()
            place = whole[at : at + len(block)]
            if place.ctypes.data != block.ctypes.data:
                place[...] = block
            at += len(block)
        return whole[:n]


def _untouched(rows: int, q: int) -> np.ndarray:
    """An empty array whose memory the system gives page by page, when and where it is first written to.

    Of large arrays numpy asks for large pages, which a virtual machine may have to be given first: 1.0 s for 440 MB
    instead of 0.2 s.
    """
    n_bytes = 8 * rows * q
    if n_bytes < _SMALL or not hasattr(mmap, "MAP_ANONYMOUS"):
        return np.empty((rows, q))
    try:
        memory = mmap.mmap(-1, n_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(str(error)) from error
    return np.frombuffer(memory).reshape(rows, q)
