"""Where words go: results to stdout, everything that accompanies them to stderr, neither ever half a traceback."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from io import TextIOWrapper

from softreg.errors import OutputError


def prepare_streams() -> None:
    """Let a terminal or pipe that knows ASCII only show escapes where it cannot show a letter."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def result(text: str) -> None:
    """Write one or more lines to stdout; OutputError where it is full or closed."""
    if sys.stdout is None:
        raise OutputError("standard output is closed")
    try:
        sys.stdout.write(text + "\n")
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _full(error) from error


def flush_results() -> None:
    """Make sure that what was written to stdout has arrived, while there is still an exit code to say it with."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _full(error) from error


def narrate(text: str) -> None:
    """Write one or more lines to stderr, after what stdout holds; nobody listening is no failure."""
    with suppress(OSError):
        if sys.stdout is not None:
            sys.stdout.flush()  # on a terminal both streams are one text
    with suppress(OSError):
        if sys.stderr is not None:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()


def abandon_stdout() -> None:
    """Point stdout to nowhere, so that Python's own flush at exit cannot fail a second time."""
    with suppress(OSError, ValueError, AttributeError):
        stdout = sys.stdout.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stdout)
        os.close(nowhere)


def _full(error: OSError) -> OutputError:
    reason = error.strerror or str(error)
    return OutputError(f"standard output: cannot be written: {reason[:1].lower() + reason[1:]}")


def write_bytes(block: bytes) -> None:
    """Write UTF-8 to stdout as it is, whatever the terminal's encoding: what a file would hold."""
    if sys.stdout is None:
        raise OutputError("standard output is closed")
    try:
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.flush()
            sys.stdout.buffer.write(block)
        else:
            sys.stdout.write(block.decode())
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _full(error) from error
