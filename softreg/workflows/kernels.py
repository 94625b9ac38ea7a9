"""Whether the kernels that a BLAS has chosen are written for the processor it runs on, and the setting that helps.

A build of OpenBLAS for many processors chooses when it is loaded, from a list of those it knows; a newer processor may
get the kernels of an older one.  Values in, a sentence out: what is found is `softreg.workflows.environment`'s.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from softreg.text import safe_text

#: What vector instructions a processor has, narrowest first, and the flags by which Linux calls all of each.
#: OpenBLAS's widest kernels need the five of Skylake's servers, not AVX-512's first alone.
INSTRUCTIONS = {
    "SSE": frozenset[str](),
    "AVX": frozenset({"avx"}),
    "AVX2": frozenset({"avx2", "fma"}),
    "AVX-512": frozenset({"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}),
}
#: What OpenBLAS calls its kernels, and the instructions they are written in.
KERNELS = {
    "AVX-512": ("SkylakeX", "Cooperlake", "SapphireRapids"),
    "AVX2": ("Haswell", "Zen"),
    "AVX": ("Sandybridge", "Bulldozer", "Piledriver", "Steamroller", "Excavator"),
    "SSE": (
        "generic", "Katmai", "Coppermine", "Northwood", "Prescott", "Banias", "Atom", "Core2", "Penryn", "Dunnington",
        "Nehalem", "Athlon", "Opteron", "Opteron_SSE3", "Barcelona", "Bobcat", "Nano",
    ),
}  # fmt: skip
#: The kernels to ask for, of those that a build for many processors (numpy's and scipy's own) contains.
ASK_FOR = {"AVX-512": "SKYLAKEX", "AVX2": "HASWELL", "AVX": "SANDYBRIDGE"}


@dataclass(frozen=True)
class Blas:
    """The linear algebra that a package has loaded; None for what it does not say."""

    used_by: str
    name: str
    version: str | None = None
    architecture: str | None = None
    threading_layer: str | None = None

    def __str__(self) -> str:
        parts = [f"{self.name} {self.version}" if self.version else self.name]
        if self.architecture:
            parts.append(f"{self.architecture} kernels")
        if self.threading_layer:
            parts.append(self.threading_layer)
        return ", ".join(parts)


@dataclass(frozen=True)
class Advice:
    """Whether linear algebra uses the processor it has: None where that cannot be told; and the setting that helps."""

    well: bool | None
    message: str
    setting: str | None = None


def advise(blas: Collection[Blas], flags: frozenset[str] | None, asked_for: str | None = None) -> Advice:
    """Whether the kernels that OpenBLAS has chosen are written for less than the processor can do.

    Parameters
    ----------
    blas : collection of Blas
    flags : frozenset of str or None
        The processor's, as Linux names them; None where they are not known.
    asked_for : str, optional
        What ``OPENBLAS_CORETYPE`` is set to.
    """
    open_ones = [library for library in blas if library.name == "OpenBLAS"]
    if not open_ones:
        names = " and ".join(sorted({library.name for library in blas})) or "no BLAS that can be asked"
        return Advice(None, f"none: {names} chooses its own kernels")
    able = None if flags is None else widest_instructions(flags)
    used = {library: kernel_instructions(library.architecture) for library in open_ones}
    if able is None or None in used.values():
        return Advice(None, "none: which kernels suit this processor is not known here")
    order = list(INSTRUCTIONS)
    behind = [library for library, kind in used.items() if kind and order.index(kind) < order.index(able)]
    if not behind:
        return Advice(True, f"none needed: BLAS uses this processor's widest instructions ({able})")
    library = behind[0]
    setting = f"OPENBLAS_CORETYPE={ASK_FOR[able]}"
    because = f" (OPENBLAS_CORETYPE is set to {safe_text(asked_for, 40)})" if asked_for else ""
    return Advice(
        False,
        f"OpenBLAS runs its {library.architecture} kernels ({used[library]}){because} on a processor that has {able}: "
        f"{setting} softreg fit ... uses them",
        setting,
    )


def widest_instructions(flags: Collection[str]) -> str | None:
    """The widest of `INSTRUCTIONS` that the flags allow; None for a processor that is no x86."""
    if not {"sse2", *INSTRUCTIONS["AVX"]} & set(flags):
        return None
    return [name for name, needed in INSTRUCTIONS.items() if needed <= set(flags)][-1]


def kernel_instructions(architecture: str | None) -> str | None:
    """What OpenBLAS's kernels of this name are written in; None for a name unknown here."""
    if architecture is None:
        return None
    known = {name.lower(): kind for kind, names in KERNELS.items() for name in names}
    return known.get(architecture.lower())
