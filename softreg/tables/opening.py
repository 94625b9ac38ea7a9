"""Files as they lie on the disk: one or many, a pattern, a pipe, packed; the content says what each is."""

from __future__ import annotations

import glob
import gzip
import io
import os
import re
import stat
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from softreg.errors import DataError, ResourceError, UsageError
from softreg.text import safe_text

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

#: The first bytes of files that are no table, in words.
_MAGIC = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"%PDF": "a PDF document",
    b"ARROW1": "an Arrow file",
    b"\x89HDF": "an HDF5 file",
    b"BZh": "a bzip2 file; unpack it first",
    b"\xfd7zXZ": "an xz file; unpack it first",
    b"\x28\xb5\x2f\xfd": "a zstd file; unpack it first",
    b"7z\xbc\xaf": "a 7z archive; unpack it first",
    b"SQLite format 3": "an SQLite database",
    b"\x93NUMPY": "a single numpy array; save X and y together with numpy.savez",
    b"\x80\x02": "a Python pickle",
    b"\x80\x03": "a Python pickle",
    b"\x80\x04": "a Python pickle",
    b"\x80\x05": "a Python pickle",
    b"\x7fELF": "a program",
    b"version https://git-lfs": "a pointer of Git LFS; git lfs pull brings the file itself",
}
#: Marks at the start of text in another encoding; the longer first, for UTF-32's begins with UTF-16's.
_WIDE = {b"\xff\xfe\0\0": "UTF-32", b"\0\0\xfe\xff": "UTF-32", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}

#: Extensions and what they promise; others promise nothing.
_PROMISES = {
    ".csv": "text", ".tsv": "text", ".tab": "text", ".jsonl": "json", ".ndjson": "json", ".parquet": "parquet",
    ".pq": "parquet", ".npz": "npz", ".svm": "svmlight", ".svmlight": "svmlight", ".libsvm": "svmlight",
}  # fmt: skip
_WORDS = {
    "text": "delimited text", "json": "JSON lines", "parquet": "Parquet", "npz": "npz", "svmlight": "svmlight",
}  # fmt: skip

_SNIFF = 1 << 16
#: Packed files that grow more than this many times, and beyond so many bytes, are refused.
MOST_GROWTH, LEAST_BOMB = 250, 1 << 28

_PAGE = re.compile(rb"(\xef\xbb\xbf)?\s*<(!doctype|html|\?xml)\b", re.IGNORECASE)
_SVMLIGHT = re.compile(rb"[^\s:,;\"]+(?:[ \t]+(?:\d+|qid):[^\s:]+)+[ \t]*(?:#.*)?\r?$")
#: Lines that may be meant as such where the file's name says so: a label alone, an index without a value.
_MEANT_AS_SVMLIGHT = re.compile(rb"[^\s:,;\"]+(?:[ \t]+[^\s:]*:[^\s:]*)*[ \t]*(?:#.*)?\r?$")


def expand(data: Paths) -> list[str]:
    """The files that are meant, in order; a pattern stands for those that match it, sorted."""
    given = [data] if isinstance(data, str | os.PathLike) else list(data)
    found = []
    for path in [os.fspath(path) for path in given]:
        if path != "-" and any(c in path for c in "*?[") and not os.path.exists(path):
            matches = sorted(glob.glob(path, recursive=True))
            if not matches:
                raise DataError(f"{safe_text(path, 240)}: no file matches")
            found += matches
        else:
            found.append(path)
    if not found:
        raise UsageError("no file is named")
    if found.count("-") > 1:
        raise UsageError("-: the standard input can be read only once")
    return found


@contextmanager
def opened(path: str, encoding: str | None = None) -> Iterator[tuple[BinaryIO, str, list[str]]]:
    """An open file, ready to be read from its start; its kind (text, json, svmlight, parquet, npz); notes.

    Text is unpacked and turned to UTF-8 on the way; Parquet and npz files can be sought in.
    """
    shown = "standard input" if path == "-" else safe_text(path, 240)
    notes: list[str] = []
    try:
        raw: BinaryIO = os.fdopen(os.dup(0), "rb", _SNIFF) if path == "-" else open(path, "rb", _SNIFF)  # noqa: SIM115
    except FileNotFoundError:
        raise DataError(f"{shown}: no such file") from None
    except IsADirectoryError:
        raise DataError(f"{shown}: is a folder, not a file") from None
    except PermissionError:
        raise DataError(f"{shown}: no permission to read it") from None
    except (OSError, ValueError) as error:
        raise _unreadable(shown, error) from None
    if not raw.seekable():
        raw = cast(BinaryIO, io.BufferedReader(_Patient(raw), _SNIFF))
    temporary: BinaryIO | None = None
    promise = _PROMISES.get(os.path.splitext(path.lower().removesuffix(".gz"))[1])
    before = _stamp(raw)
    try:
        file: BinaryIO = raw
        start = _peek(file)
        if start.startswith(b"\x1f\x8b"):
            file = cast(BinaryIO, io.BufferedReader(_Unpacked(file, shown), 1 << 20))
            start = _peek(file)
            if start.startswith((b"PAR1", b"PK\x03\x04", b"\x1f\x8b")):
                raise DataError(f"{shown}: gzip around a file that is no text: unpack it first")
        kind = _kind(shown, start, encoding, promise)
        if kind in ("parquet", "npz"):
            if not file.seekable():
                file = temporary = _spooled(file)
        elif encoding is not None and encoding.lower().replace("-", "") != "utf8":
            file = cast(BinaryIO, io.BufferedReader(_Recoded(file, encoding, shown), 1 << 20))
            kind = _text_kind(shown, _peek(file), promise)
        if promise is not None and promise != kind:
            notes.append(f"{safe_text(os.path.basename(path), 60)} is read as {_WORDS[kind]}, which it is by content")
        try:
            yield file, kind, notes
        except (DataError, zlib.error, EOFError, OSError):
            _refuse_changed(shown, before, raw)  # which explains what was found in it
            raise
        _refuse_changed(shown, before, raw)
    except zlib.error as error:
        raise DataError(f"{shown}: the gzip file is damaged: {safe_text(str(error))}") from None
    except EOFError:
        raise DataError(f"{shown}: the gzip file is cut short") from None
    except OSError as error:
        raise _unreadable(shown, error) from error
    except MemoryError as error:
        raise ResourceError(f"{shown}: does not fit in memory") from error
    finally:
        if temporary is not None:
            temporary.close()
        raw.close()


def _stamp(file: BinaryIO) -> tuple[int, int] | None:
    """The size of a regular file and when it was last written; None of a pipe, which nobody reads twice."""
    found = os.fstat(file.fileno())
    return (found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None


def _refuse_changed(shown: str, before: tuple[int, int] | None, file: BinaryIO) -> None:
    """DataError where somebody wrote to the file since: its rows would be of no one state of it."""
    now = _stamp(file)
    if before is None or now is None or now == before:
        return
    sizes = f"{before[0]} bytes at first, {now[0]} now" if now[0] != before[0] else f"still {now[0]} bytes"
    raise DataError(f"{shown}: was written to while it was read ({sizes}): run this again when it is complete")


def _unreadable(shown: str, error: OSError | ValueError) -> DataError:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return DataError(f"{shown}: cannot be read: {safe_text(reason)}")


def _peek(file: BinaryIO) -> bytes:
    """The first bytes of a buffered file, as many as it gives without being moved."""
    peek = getattr(file, "peek", None)
    return b"" if peek is None else peek(_SNIFF)[:_SNIFF]


def _kind(shown: str, start: bytes, encoding: str | None, promise: str | None) -> str:
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "npz"
    if start.startswith(b"PAR1"):
        return "parquet"
    for magic, what in _MAGIC.items():
        if start.startswith(magic):
            raise DataError(f"{shown}: not a table of text or npz: looks like {what}")
    if _PAGE.match(start):
        raise DataError(f"{shown}: not a table of text or npz: looks like a web page; did a download go wrong?")
    for mark, name in _WIDE.items() if encoding is None else ():
        if start.startswith(mark):
            raise DataError(f"{shown}: not UTF-8 but {name} text (--encoding {name.lower()})")
    return _text_kind(shown, start, promise)


def _text_kind(shown: str, start: bytes, promise: str | None) -> str:
    """Which kind of text begins so; the name's promise counts where the content may mean more than one."""
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n \t")
    if text.startswith(b"{"):
        return "json"
    if re.match(rb"\[\s*[\[{]", text):
        raise DataError(f"{shown}: a JSON array; what is read is an object on each line (jq -c '.[]' makes them)")
    lines = [line for line in re.split(rb"\r\n|\n|\r", text) if line.strip() and not line.startswith(b"#")]
    # The last line may be cut, in the midst of a word.
    full = lines[:-1][:20] or [*lines, *(line.rsplit(maxsplit=1)[0] for line in lines)]
    if full and b"," not in full[0] and any(_SVMLIGHT.match(line) for line in full):
        return "svmlight"
    return "svmlight" if full and promise == "svmlight" and all(map(_MEANT_AS_SVMLIGHT.match, full)) else "text"


def _spooled(file: BinaryIO) -> BinaryIO:
    """All of a stream in a temporary file, for formats that begin at their end."""
    temporary = tempfile.NamedTemporaryFile(prefix="softreg-")  # noqa: SIM115
    while piece := file.read(1 << 20):
        temporary.write(piece)
    temporary.seek(0)
    return cast(BinaryIO, temporary)


class _Patient(io.RawIOBase):
    """A pipe, read until there is as much as was asked for: its writer's first bytes say little of the rest."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._file.fileno()

    def readinto(self, buffer: Any) -> int:
        return cast(io.BufferedReader, self._file).readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


class _Unpacked(io.RawIOBase):
    """What a gzip stream holds, refused where it grows beyond all measure."""

    def __init__(self, file: BinaryIO, shown: str) -> None:
        self._packed = _Counted(file)
        self._file = gzip.GzipFile(fileobj=self._packed, mode="rb")
        self._shown = shown
        self._n = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        try:
            piece = self._file.read1(len(buffer))
        except gzip.BadGzipFile as error:
            raise DataError(f"{self._shown}: the gzip file is damaged: {safe_text(str(error))}") from None
        self._n += len(piece)
        if self._n > LEAST_BOMB and self._n > MOST_GROWTH * self._packed.n:
            raise ResourceError(
                f"{self._shown}: grows more than {MOST_GROWTH} times on unpacking, beyond {self._n >> 20} MiB: "
                "unpack it first if that is right"
            )
        buffer[: len(piece)] = piece
        return len(piece)


class _Counted(io.RawIOBase):
    """A stream that counts what was read of it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.n = file, 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self.n += len(piece)
        return piece


class _Recoded(io.RawIOBase):
    """A stream of text in another encoding, as UTF-8."""

    def __init__(self, file: BinaryIO, encoding: str, shown: str) -> None:
        import codecs

        self._file, self._decoder = file, codecs.getincrementaldecoder(encoding)()
        self._shown, self._encoding, self._ready, self._n, self._ended = shown, encoding, b"", 0, False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while not self._ready and not self._ended:
            piece = self._file.read(1 << 20)
            self._ended = not piece
            try:
                text = self._decoder.decode(piece, final=self._ended)
                self._ready = text.encode()
            except (UnicodeError, AssertionError) as error:
                where = self._n + getattr(error, "start", 0)
                raise DataError(
                    f"{self._shown}: not {safe_text(self._encoding, 40)} text (near byte {where}): another --encoding?"
                ) from None
            self._n += len(piece)
        piece, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)
