"""Memory that this process holds, and the most it has held since a moment."""

from __future__ import annotations

import resource
import sys
from contextlib import suppress
from pathlib import Path

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def held() -> int:
    """Bytes of memory in use now; the most ever where the system does not say."""
    return _field("VmRSS") or _largest_ever()


def forget_peak() -> None:
    """Start the count of `peak` anew, where the system can."""
    with suppress(OSError):
        RESET.write_text("5", encoding="ascii")


def peak() -> int:
    """The most bytes in use since `forget_peak`; since the start where the system cannot forget."""
    return _field("VmHWM") or _largest_ever()


def _field(name: str) -> int:
    with suppress(OSError):
        for line in STATUS.read_text(encoding="ascii").splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    return 0


def _largest_ever() -> int:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
