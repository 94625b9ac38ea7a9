"""A stream of delimited text cut into blocks of whole records, each record with its line in the file.

A record ends at a line end outside quotation marks (RFC 4180).  Everything that would make a faster reader guess
is found here, before it: bytes that are no UTF-8, NUL, quotation marks in the wrong place or never closed.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from softreg.errors import DataError
from softreg.heap import keep_freed

BLOCK_BYTES = 3 << 20  # few enough for caches; with a third of it reading takes a quarter longer
LONGEST_RECORD = 1 << 28
#: Freed memory that is kept for the next block.
_KEPT = 8 << 20
#: A line's end is looked for so many bytes beyond a block.
_NEAR = 1 << 16

_NEWLINE, _CR, _QUOTE = 10, 13, 34


@dataclass(frozen=True)
class Block:
    """Whole records, none of them blank, each ended by a newline; ``lines`` are the lines they begin on."""

    text: bytes
    lines: Sequence[int]

    @property
    def quoted(self) -> bool:
        """Whether there is any quotation mark."""
        return b'"' in self.text

    def behead(self) -> tuple[bytes, Block]:
        """The first record without its line end, and the block of the others."""
        end = int(_record_ends(self.text)[0]) if self.quoted else self.text.index(b"\n")
        return self.text[:end].removesuffix(b"\r"), Block(self.text[end + 1 :], self.lines[1:])

    def cells(self, separator: bytes, columns: int) -> tuple[np.ndarray, np.ndarray]:
        """The same cells, row by row, one a line, as bytes; and where each of them ends.

        Raises
        ------
        RaggedRow
            For the first record that has not ``columns`` cells.
        """
        data = np.frombuffer(self.text, np.uint8).copy()
        ends = _outside_quotes(self.text, ord(separator), _NEWLINE)
        rows, rest = divmod(len(ends), columns)
        last = data[ends] == _NEWLINE
        if rest or rows != len(self.lines) or not last[columns - 1 :: columns].all():
            counts = np.diff(np.flatnonzero(last), prepend=-1)
            row = int(np.flatnonzero(counts != columns)[0])
            raise RaggedRow(self.lines[row], int(counts[row]))
        data[ends] = _NEWLINE
        return data, ends


class RaggedRow(Exception):
    """A record with more or fewer cells than there are columns; ``args`` are its line and its cells."""


class RecordReader:
    """The blocks of a binary stream, the separator its first line uses, and how many blank lines were skipped."""

    def __init__(self, file: BinaryIO, path: str, separator: bytes | None = None) -> None:
        self.path = path
        self.n_blank = 0
        self._file, self._seekable = file, file.seekable()
        keep_freed(_KEPT)
        buffer = file.read(BLOCK_BYTES)
        while b"\n" not in buffer and buffer.find(b"\r", 0, -1) < 0 and len(buffer) <= LONGEST_RECORD:
            more = file.read(max(BLOCK_BYTES, len(buffer)))
            if not more:
                break
            buffer += more
        self._skipped = len(codecs.BOM_UTF8) if buffer.startswith(codecs.BOM_UTF8) else 0
        self._buffer = buffer[self._skipped :]
        # Line ends of a lone CR, as of old: nothing but the line ends tells them apart.
        self._lone_cr = b"\n" not in self._buffer and b"\r" in self._buffer[:-1]
        self._buffer = self._line_ends(self._buffer)
        self.separator = separator or _sniff_separator(self._buffer.lstrip(b"\r\n").split(b"\n", 1)[0])

    def __iter__(self) -> Iterator[Block]:
        buffer, line, offset = self._buffer, 1, self._skipped
        self._buffer = b""  # held once
        while True:
            # Reading as much again as is left over keeps the work linear when a record is very long.
            more = self._line_ends(self._read(max(BLOCK_BYTES, len(buffer))))
            if not more and buffer and not buffer.endswith(b"\n"):
                buffer += b"\n"
            end = _last_record_end(buffer)
            if end:
                text = buffer[:end]
                newline = np.frombuffer(text, np.uint8) == _NEWLINE
                block = self._block(text, line, newline, offset)
                if len(block.lines):
                    yield block
                line += int(np.count_nonzero(newline))
                offset += end
                buffer = buffer[end:]
            elif len(buffer) > BLOCK_BYTES:
                self._check_quotes(buffer, line)
            if not more:
                break
            if len(buffer) > LONGEST_RECORD:
                raise DataError(f"{self.path}:{line}: a row longer than {LONGEST_RECORD >> 20} MiB")
            buffer += more
        if buffer:  # an odd number of quotation marks, for a newline ends the text
            self._check_quotes(buffer, line)
            opened = line + buffer.count(b"\n", 0, buffer.rfind(b'"'))
            raise DataError(f"{self.path}:{opened}: a quoted field opens here and never closes")

    def _read(self, size: int) -> bytes:
        """About so many bytes, to the end of a line if one is near: then nothing is left over, and nothing copied."""
        if self._seekable:
            # Sought first, so that all is read at once.
            start = self._file.tell()
            self._file.seek(start + size)
            near = len(self._file.readline(_NEAR))
            self._file.seek(start)
            return self._file.read(size + near)
        text = self._file.read(size)
        return text + self._file.readline(_NEAR) if len(text) == size else text

    def _line_ends(self, text: bytes) -> bytes:
        return text.replace(b"\r", b"\n") if self._lone_cr else text

    def _block(self, text: bytes, line: int, newline: np.ndarray, offset: int) -> Block:
        """The records of ``text``, which begins on this line, so far into the file; ``newline``: where there is one."""
        self._check_text(text, line, offset)
        if b'"' in text:
            self._check_quotes(text, line)
        elif not _may_have_blank_lines(text, newline):
            return Block(text, range(line, line + int(np.count_nonzero(newline))))
        data = np.frombuffer(text, np.uint8)
        ends = _record_ends(text)
        starts = np.concatenate(([0], ends[:-1] + 1))
        length = ends - starts
        filled = ~((length == 0) | ((length == 1) & (data[starts] == _CR)))
        lines = line + np.searchsorted(np.flatnonzero(newline), starts)
        if not filled.all():
            self.n_blank += int(np.count_nonzero(~filled))
            text = b"".join(
                text[a : b + 1] for a, b in zip(starts[filled].tolist(), ends[filled].tolist(), strict=True)
            )
        return Block(text, lines[filled])

    def _check_text(self, text: bytes, line: int, offset: int) -> None:
        if not text.isascii():
            try:
                text.decode()
            except UnicodeDecodeError as error:
                at = line + text.count(b"\n", 0, error.start)
                hint = "" if b"\0" in text else "; --encoding latin-1 reads bytes as Western European text"
                raise DataError(
                    f"{self.path}:{at}: not UTF-8 (byte 0x{text[error.start]:02x} at offset {offset + error.start})"
                    + (hint or " and not text at all: it holds NUL bytes")
                ) from None
        nul = text.find(b"\0")
        if nul >= 0:
            start = text.rfind(b"\n", 0, nul) + 1
            column = text.count(self.separator, start, nul) + 1
            at = line + text.count(b"\n", 0, nul)
            wide = nul < 2 and text.count(b"\0") >= len(text) // 3
            meant = f"UTF-16 (--encoding utf-16-{'be' if nul == 0 else 'le'})" if wide else "a text file"
            raise DataError(f"{self.path}:{at}: a NUL byte in column {column}; is this {meant}?")

    def _check_quotes(self, text: bytes, line: int) -> None:
        """A quotation mark opens at a field's start and closes at its end; inside it is written twice."""
        data = np.frombuffer(text, np.uint8)
        quotes = np.flatnonzero(data == _QUOTE)
        beside = np.zeros(256, bool)
        beside[[_NEWLINE, _QUOTE, ord(self.separator)]] = True
        opens, closes = quotes[0::2], quotes[1::2]
        bad_opens = opens[(opens > 0) & ~beside[data[opens - 1]]]
        beside[_CR] = True
        closes = closes[closes + 1 < len(data)]
        bad_closes = closes[~beside[data[closes + 1]]]
        if len(bad_opens) == len(bad_closes) == 0:
            return
        first_open, first_close = (int(bad[0]) if len(bad) else len(data) for bad in (bad_opens, bad_closes))
        if first_open < first_close:
            at = line + text.count(b"\n", 0, first_open)
            raise DataError(f"{self.path}:{at}: a quotation mark inside a field that does not begin with one")
        at = line + text.count(b"\n", 0, int(opens[np.searchsorted(opens, first_close) - 1]))
        raise DataError(f"{self.path}:{at}: a quoted field opens here and does not close before the next separator")


def _sniff_separator(line: bytes) -> bytes:
    """The separator of a first line: a tab if there is one, else the most frequent of comma, semicolon and bar."""
    bare = re.sub(rb'"[^"]*"', b"", line)
    if b"\t" in bare:
        return b"\t"
    return max((b",", b";", b"|"), key=bare.count)


def split_record(record: bytes, separator: bytes) -> list[str]:
    """The fields of one record, without the quotation marks around them."""
    ends = [*_outside_quotes(record, ord(separator)).tolist(), len(record)]
    fields = [record[a:b] for a, b in zip([0, *(end + 1 for end in ends)], ends, strict=False)]
    return [(field[1:-1].replace(b'""', b'"') if field.startswith(b'"') else field).decode() for field in fields]


def _outside_quotes(text: bytes, *characters: int) -> np.ndarray:
    """Where one of ``characters`` stands outside quotation marks, increasing."""
    data = np.frombuffer(text, np.uint8)
    found = data == characters[0]
    for character in characters[1:]:
        found |= data == character
    places = np.flatnonzero(found)
    if b'"' in text:
        places = places[np.searchsorted(np.flatnonzero(data == _QUOTE), places) % 2 == 0]
    return places


def _record_ends(text: bytes) -> np.ndarray:
    return _outside_quotes(text, _NEWLINE)


def _last_record_end(text: bytes) -> int:
    """The length of the longest beginning of ``text`` made of whole records."""
    if b'"' not in text:
        return text.rfind(b"\n") + 1
    ends = _record_ends(text)
    return int(ends[-1]) + 1 if len(ends) else 0


def _may_have_blank_lines(text: bytes, newline: np.ndarray) -> bool:
    empty = bool(newline[0] or (newline[1:] & newline[:-1]).any())
    # Looking for a CR first is many times faster than for the three bytes, and most files have none.
    return empty or (b"\r" in text and (text.startswith(b"\r\n") or b"\n\r\n" in text))
