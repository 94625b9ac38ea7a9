"""How much memory a table may take: what the machine, its container and its limits leave."""

from __future__ import annotations

import math

from softreg.errors import ResourceError


def available_bytes() -> int | None:
    """Bytes that can still be had, or None where nobody says."""
    found = [_meminfo(), _container(), _limit()]
    known = [value for value in found if value is not None]
    return min(known) if known else None


def check_fits(path: str, what: str, n_bytes: int) -> None:
    """Raise ResourceError where ``n_bytes`` are more than there is, before they are asked for."""
    available = available_bytes()
    if available is not None and n_bytes > available:
        raise ResourceError(f"{path}: {what} would take {size(n_bytes)}, and {size(available)} of memory are free")


def size(n_bytes: float) -> str:
    """Bytes in words: 6.4 GB."""
    units = ("bytes", "kB", "MB", "GB", "TB", "PB")
    power = min(int(math.log10(max(n_bytes, 1))) // 3, len(units) - 1)
    return f"{n_bytes / 1000**power:.3g} {units[power]}"


def _meminfo() -> int | None:
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return None


def _container() -> int | None:
    try:
        with open("/sys/fs/cgroup/memory.max", encoding="ascii") as file:
            most = file.read().strip()
        if most == "max":
            return None
        with open("/sys/fs/cgroup/memory.stat", encoding="ascii") as file:
            used = {name: int(value) for name, value in map(str.split, file)}
        # The cache of files gives way to what is asked for.
        return max(0, int(most) - used.get("anon", 0))
    except (OSError, ValueError):
        return None


def _limit() -> int | None:
    try:
        import resource

        most, _ = resource.getrlimit(resource.RLIMIT_AS)
        if most == resource.RLIM_INFINITY:
            return None
        with open("/proc/self/statm", encoding="ascii") as file:
            return max(0, most - int(file.read().split()[0]) * resource.getpagesize())
    except (ImportError, OSError, ValueError):
        return None
