"""Env: what a fit on this machine runs on, and whether its linear algebra uses the processor it has."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from softreg import __version__
from softreg.report import line
from softreg.text import safe_text
from softreg.threads import allowed_jobs
from softreg.workflows.kernels import Advice, Blas, advise, widest_instructions
from softreg.workflows.speed import Speed, measure_speed

#: What softreg works with; the last is needed by nobody but readers of data frames.
PACKAGES = ("numpy", "scipy", "scikit-learn", "polars", "typer", "matplotlib", "threadpoolctl", "pandas")

_NAMES = {"openblas": "OpenBLAS", "mkl": "MKL", "blis": "BLIS", "flexiblas": "FlexiBLAS", "accelerate": "Accelerate"}


@dataclass(frozen=True)
class Processor:
    """A processor's name and, where the system lists them, the flags of what it can do."""

    name: str
    flags: frozenset[str] | None

    @property
    def instructions(self) -> str | None:
        """The widest of `INSTRUCTIONS`; None where the flags are unknown or not those of an x86."""
        return None if self.flags is None else widest_instructions(self.flags)

    @property
    def vector_flags(self) -> list[str]:
        """The flags that name vector instructions."""
        starts = ("sse4_2", "avx", "fma", "f16c", "amx", "asimd", "neon", "sve")
        return sorted(flag for flag in self.flags or () if flag.startswith(starts))


@dataclass(frozen=True)
class Environment:
    """What a fit runs on.

    Attributes
    ----------
    softreg, python, system : str
    packages : dict
        Version of each of `PACKAGES`, None where it is not installed.
    processor : Processor
    cores : int
        That this process may use.
    threads : int
        Of a fit, unless ``n_jobs`` says otherwise.
    memory, available : int or None
        Bytes in the machine, and of those not in use.
    blas : tuple of Blas
    advice : Advice
    speed : Speed or None
        Where it was measured.
    """

    softreg: str
    python: str
    system: str
    packages: dict[str, str | None]
    processor: Processor
    cores: int
    threads: int
    memory: int | None
    available: int | None
    blas: tuple[Blas, ...]
    advice: Advice
    speed: Speed | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values only; bytes, bytes a second, operations a second."""
        return {
            "python": self.python,
            "system": self.system,
            "packages": self.packages,
            "processor": {
                "name": self.processor.name,
                "instructions": self.processor.instructions,
                "flags": self.processor.vector_flags,
            },
            "cores": self.cores,
            "threads": self.threads,
            "memory": {"total": self.memory, "available": self.available},
            "blas": [asdict(library) for library in self.blas],
            "advice": asdict(self.advice),
            "speed": None if self.speed is None else self.speed.to_json(),
        }

    def to_text(self) -> str:
        """A line for each thing; the last says whether there is something to set."""
        found = [f"{name} {version}" for name, version in self.packages.items() if version]
        absent = [f"no {name}" for name, version in self.packages.items() if not version]
        flags = ", ".join(self.processor.vector_flags)
        lines = [
            line("softreg", f"{self.softreg}, Python {self.python}, {self.system}"),
            line("packages", ", ".join(found + absent)),
            line("processor", safe_text(self.processor.name) + (f": {flags}" if flags else "")),
            line("cores", f"{self.cores} allowed; a fit uses {_counted(self.threads, 'thread')}, BLAS one in each"),
        ]
        if self.memory is not None:
            free = "" if self.available is None else f", {_gib(self.available)} available"
            lines.append(line("memory", _gib(self.memory) + free))
        lines += [line("BLAS", f"{library.used_by}: {library}") for library in self.blas]
        if self.speed is not None:
            lines += [line(label, text) for label, text in self.speed.to_lines()]
        lines.append(line("advice", self.advice.message))
        return "\n".join(lines)


def env(measure: bool = False) -> Environment:
    """What a fit on this machine would run on.

    Parameters
    ----------
    measure : bool
        Take two seconds to measure how fast memory is read and products are formed.
    """
    blas, processor = loaded_blas(), read_processor()
    memory, available = _memory()
    return Environment(
        softreg=__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        packages={name: _version(name) for name in PACKAGES},
        processor=processor,
        cores=allowed_jobs(-1),
        threads=allowed_jobs(None),
        memory=memory,
        available=available,
        blas=blas,
        advice=advise(blas, processor.flags, os.environ.get("OPENBLAS_CORETYPE")),
        speed=measure_speed(allowed_jobs(None)) if measure else None,
    )


# --- what is found ------------------------------------------------------------------------------------------------


def loaded_blas() -> tuple[Blas, ...]:
    """The BLAS of numpy and of scipy; one entry where they share it."""
    import numpy as np
    import scipy.linalg
    from threadpoolctl import threadpool_info

    libraries = [library for library in threadpool_info() if library["user_api"] == "blas"]
    found = []
    for package, module in (("numpy", np), ("scipy", scipy)):
        own = [library for library in libraries if _belongs(library["filepath"], package)]
        shared = [library for library in libraries if not any(_belongs(library["filepath"], p) for p in _WHEELS)]
        if own or shared:
            found.append(_blas(package, (own or shared)[0]))
        else:  # Apple's, which has no threads to control
            built_with = module.show_config(mode="dicts")["Build Dependencies"]["blas"]
            name = str(built_with.get("name", "unknown"))
            found.append(Blas(package, _NAMES.get(name.lower(), name)))
    first, second = found
    if asdict(first) == {**asdict(second), "used_by": first.used_by}:
        return (Blas(**{**asdict(first), "used_by": "numpy and scipy"}),)
    return first, second


_WHEELS = ("numpy", "scipy")


def _belongs(path: str, package: str) -> bool:
    """Whether a library came inside a package's own wheel."""
    folder = Path(path).parent
    return folder.name == f"{package}.libs" or folder.parts[-2:] == (package, ".dylibs")


def _blas(package: str, library: dict[str, Any]) -> Blas:
    kind = str(library["internal_api"])
    return Blas(
        package,
        _NAMES.get(kind, kind),
        library.get("version"),
        library.get("architecture"),
        library.get("threading_layer"),
    )


def read_processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> Processor:
    """This machine's, from Linux's list of flags where there is one."""
    fields: dict[str, str] = {}
    try:
        for text in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            key, colon, value = text.partition(":")
            if colon:
                fields.setdefault(key.strip().lower(), value.strip())
    except OSError:
        pass
    name = fields.get("model name") or platform.processor() or platform.machine() or "unknown"
    flags = fields.get("flags") or fields.get("features")
    return Processor(name, frozenset(flags.split()) if flags else None)


def _memory(meminfo: Path = Path("/proc/meminfo")) -> tuple[int | None, int | None]:
    """Bytes in the machine, and of those not in use."""
    try:
        fields = dict(text.split(":", 1) for text in meminfo.read_text(encoding="ascii").splitlines() if ":" in text)
        return tuple(int(fields[key].split()[0]) * 1024 for key in ("MemTotal", "MemAvailable"))  # type: ignore[return-value]
    except (OSError, KeyError, ValueError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), None
    except (AttributeError, OSError, ValueError):
        return None, None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
