"""What a timing depends on, beside the code: processor, memory, libraries.  No host name, no path."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

#: One variable for each library that might start threads of its own; read when the library is loaded.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)

PACKAGES = ("softreg", "numpy", "scipy", "scikit-learn", "cyanure", "torch", "polars", "pandas")


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_environment(threads: int) -> dict[str, str]:
    """The environment of a process whose libraries use ``threads`` threads each."""
    return dict(os.environ) | dict.fromkeys(THREAD_VARIABLES, str(threads)) | {"POLARS_MAX_THREADS": str(threads)}


def facts() -> dict[str, Any]:
    """Machine, library versions and BLAS of this process, for the results file."""
    import numpy as np  # noqa: F401 - loads the BLAS that is asked about
    from threadpoolctl import threadpool_info

    wanted = ("user_api", "internal_api", "version", "architecture", "threading_layer")
    return {
        "processor": _processor(),
        "cores": cores(),
        "memory_gib": _memory(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions(PACKAGES),
        "blas": [
            {name: str(library[name]) for name in wanted if library.get(name)}
            for library in threadpool_info()
            if library["user_api"] == "blas"
        ],
    }


def versions(names: Iterable[str]) -> dict[str, str]:
    """The installed ones of these packages."""
    found = {}
    for name in names:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    if "softreg" not in found:  # run from a checkout that is not installed
        from softreg import __version__

        found["softreg"] = __version__
    return found


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):
        return None
