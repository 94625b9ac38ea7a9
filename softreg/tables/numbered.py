"""x1, x2, x3, …: what stands for columns that have no names, made when it is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, overload

T = TypeVar("T")
#: Names that are written at a time.
_PIECE = 1000
_ENDS = [f"{j:03}" for j in range(_PIECE)]


class Numbered(Sequence[T]):
    """What ``make`` makes of the names x1 … xn: a sequence that takes no room, however long it is.

    It equals a tuple of the same things.

    >>> names = Numbered(10_000_000, str)
    >>> names[0], names[-1], names[2:4]
    ('x1', 'x10000000', ('x3', 'x4'))
    >>> "x7" in names, "x07" in names
    (True, False)
    """

    def __init__(self, n: int, make: Callable[[str], T]) -> None:
        self._places, self.make = range(1, n + 1), make

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[T, ...]: ...
    def __getitem__(self, place: int | slice) -> T | tuple[T, ...]:
        if isinstance(place, slice):
            return tuple(self.make(f"x{j}") for j in self._places[place])
        return self.make(f"x{self._places[place]}")

    def __iter__(self) -> Iterator[T]:
        return (self.make(f"x{j}") for j in self._places)

    def __contains__(self, value: object) -> bool:
        name = value if isinstance(value, str) else getattr(value, "name", "")
        digits = name.removeprefix("x")
        # isdecimal alone knows digits of every script, and a number may begin with none but 1 to 9.
        known = digits.isascii() and digits.isdecimal() and len(digits) < 20 and int(digits) in self._places
        return known and value == self.make(f"x{int(digits)}")

    def __eq__(self, other: Any) -> bool:
        if isinstance(other, Numbered) and other.make is self.make:
            return len(self) == len(other)
        if not isinstance(other, tuple | list | Numbered):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"Numbered({len(self)}, {getattr(self.make, '__name__', self.make)})"


def json_pieces(names: Sequence[str]) -> Iterator[str]:
    """What ``json.dumps(list(names))`` writes between its brackets, some names at a time."""
    first = names[: _PIECE - 1]
    yield json.dumps(list(first))[1:-1]
    for start in range(_PIECE, len(names) + 1, _PIECE):
        if isinstance(names, Numbered):
            # Of x1000 to x1999 only the last digits differ.  There may be ten million names.
            before = f'"x{start // _PIECE}'
            yield f", {before}" + f'", {before}'.join(_ENDS[: len(names) + 1 - start]) + '"'
        else:
            yield f", {json.dumps(list(names[start - 1 : start - 1 + _PIECE]))[1:-1]}"
