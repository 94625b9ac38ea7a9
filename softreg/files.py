"""Writing files so that a crash, a full disk or an interrupt leaves the old file or the new, never half."""

from __future__ import annotations

import os
import re
import secrets
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, Literal

from softreg.errors import OutputError, UsageError
from softreg.text import safe_text

Path = str | os.PathLike[str]

_STREAM_NAMES = re.compile(r"/dev/(stdout|stderr|fd/\d+)|/proc/self/fd/\d+")
_STALE_SECONDS = 3600.0


@contextmanager
def atomic_write(path: Path, mode: Literal["wb", "w"] = "wb") -> Iterator[IO[Any]]:
    """A file open for writing that takes the place of ``path`` at the end of the block, or not at all.

    What is written goes to a temporary file in the same folder; when the block ends without an exception it
    is synced and renamed.  After any exception the temporary file is gone and ``path`` is as it was.  A
    symbolic link is followed, a new file gets the umask's permissions, a replaced one keeps its own.  A
    device, a pipe or ``/dev/stdout`` is written to as it is, for there is nothing to replace.  ``mode="w"``
    is UTF-8 with the line ends as given.

    Raises
    ------
    OutputError
        For every OSError, with one line that names ``path``.
    """
    try:
        if _is_stream(path):
            with _open(os.open(path, os.O_WRONLY | os.O_APPEND), mode) as file:
                yield file
        else:
            with _replacing(os.path.realpath(path), mode) as file:
                yield file
    except OSError as error:
        raise _cannot_write(path, error) from error


@contextmanager
def _replacing(target: str, mode: str) -> Iterator[IO[Any]]:
    if os.path.isdir(target):
        raise IsADirectoryError(None, "it is a folder")
    _remove_stale(target)
    temporary = _temporary_name(target)
    # 0o666 less the umask, as open() would create it; O_EXCL so that no planted link is followed.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with _open(descriptor, mode) as file:
            with suppress(OSError):  # there is no old file, or the file system has no permissions
                os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    _sync_folder(os.path.dirname(target))


def check_writable(path: Path) -> None:
    """Raise OutputError now if ``atomic_write(path)`` would fail later; leaves nothing behind.

    Called before training, so that hours of work do not end at a folder that does not exist.
    """
    try:
        if _is_stream(path):
            if not os.access(path, os.W_OK):
                raise PermissionError(None, "permission denied")
            return
        target = os.path.realpath(path)
        if os.path.isdir(target):
            raise IsADirectoryError(None, "it is a folder")
        if not os.path.isdir(os.path.dirname(target)):
            raise NotADirectoryError(None, f"there is no folder '{safe_text(os.path.dirname(os.fspath(path)))}'")
        with suppress(FileNotFoundError):
            os.stat(target)  # finds a name that is too long, which the temporary one would hide
            if not os.access(target, os.W_OK):
                raise PermissionError(None, "the file is read-only")
        temporary = _temporary_name(target)
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        os.unlink(temporary)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise _cannot_write(path, error) from error


def refuse_same_file(output: Path, inputs: Iterable[Path], option: str = "--output") -> None:
    """Raise UsageError if writing ``output`` would destroy one of ``inputs``.

    Links, hard or symbolic, do not hide a file; nor do two spellings of one that does not exist yet.
    """
    for other in inputs:
        if _same_file(output, other):
            raise UsageError(
                f"{safe_text(output)}: is the same file as {safe_text(other)}, which would be lost "
                f"(choose another {option})"
            )


def _same_file(a: Path, b: Path) -> bool:
    try:
        return os.path.samefile(a, b) and not _is_stream(a)
    except OSError:
        return os.path.realpath(a) == os.path.realpath(b)


def _is_stream(path: Path) -> bool:
    """Whether ``path`` is something to write into rather than a file to replace."""
    if _STREAM_NAMES.fullmatch(os.path.abspath(path)):
        return True  # even where the shell sent it to a regular file, which it may be appending to
    try:
        kind = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(kind) or stat.S_ISDIR(kind))


def _open(descriptor: int, mode: str) -> IO[Any]:
    if mode == "w":
        return os.fdopen(descriptor, "w", encoding="utf-8", newline="")
    return os.fdopen(descriptor, "wb")


def _temporary_name(target: str) -> str:
    folder, name = os.path.split(target)
    return os.path.join(folder, f".{name[:40]}.tmp-{os.getpid()}-{secrets.token_hex(4)}")


def _remove_stale(target: str) -> None:
    """Remove what writers of ``target`` that were killed have left."""
    folder, name = os.path.split(target)
    pattern = re.compile(re.escape(f".{name[:40]}.tmp-") + r"\d+-[0-9a-f]{8}")
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            # By age, not by process number: the writer may live on another machine that shares the folder.
            if pattern.fullmatch(entry.name) and time.time() - entry.stat().st_mtime > _STALE_SECONDS:
                os.unlink(entry.path)


def _sync_folder(folder: str) -> None:
    """Make the rename itself durable, where folders can be synced at all."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _cannot_write(path: Path, error: OSError | ValueError) -> OutputError:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return OutputError(f"{safe_text(path)}: cannot be written: {safe_text(reason[:1].lower() + reason[1:])}")
