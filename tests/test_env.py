"""``softreg env``: what it finds here, and what it would advise elsewhere."""

import json
import math
import subprocess

import pytest
from command_line import command, environment, softreg
from test_startup import imported

from softreg import workflows
from softreg.workflows import speed
from softreg.workflows.environment import PACKAGES, _belongs, read_processor
from softreg.workflows.kernels import (
    ASK_FOR,
    INSTRUCTIONS,
    KERNELS,
    Blas,
    advise,
    kernel_instructions,
    widest_instructions,
)

ORDER = list(INSTRUCTIONS)
#: Flags of invented processors, by the widest of their instructions.
PROCESSORS = {
    name: frozenset({"fpu", "sse2"}).union(*(INSTRUCTIONS[lower] for lower in ORDER[: i + 1]))
    for i, name in enumerate(ORDER)
}
ARCHITECTURES = [(architecture, kind) for kind, names in KERNELS.items() for architecture in names]


def openblas(architecture, used_by="numpy"):
    return Blas(used_by, "OpenBLAS", "0.3.30", architecture, "pthreads")


# --- advice ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("able", ORDER)
@pytest.mark.parametrize(("architecture", "kind"), ARCHITECTURES)
def test_all_is_well_just_where_the_kernels_are_as_wide_as_the_processor(architecture, kind, able):
    advice = advise([openblas(architecture)], PROCESSORS[able])
    assert advice.well is (ORDER.index(kind) >= ORDER.index(able))
    assert (advice.setting is None) is advice.well


@pytest.mark.parametrize("able", ORDER)
@pytest.mark.parametrize("architecture", [architecture for architecture, _ in ARCHITECTURES])
def test_what_is_advised_runs_on_the_processor_and_is_well(architecture, able):
    advice = advise([openblas(architecture)], PROCESSORS[able])
    if advice.setting is not None:
        asked = advice.setting.removeprefix("OPENBLAS_CORETYPE=")
        assert INSTRUCTIONS[kernel_instructions(asked)] <= PROCESSORS[able]
        assert advise([openblas(asked)], PROCESSORS[able]).well is True


def test_haswell_kernels_on_a_processor_with_avx_512():
    advice = advise([openblas("Haswell")], PROCESSORS["AVX-512"])
    assert advice.message == (
        "OpenBLAS runs its Haswell kernels (AVX2) on a processor that has AVX-512: "
        "OPENBLAS_CORETYPE=SKYLAKEX softreg fit ... uses them"
    )


@pytest.mark.parametrize("architecture", ["Prescott", "Nehalem", "generic", "Katmai"])
def test_old_kernels_on_a_processor_with_avx2(architecture):
    assert advise([openblas(architecture)], PROCESSORS["AVX2"]).setting == "OPENBLAS_CORETYPE=HASWELL"


def test_one_library_that_lags_behind_is_enough():
    both = [openblas("SkylakeX"), openblas("Haswell", "scipy")]
    assert advise(both, PROCESSORS["AVX-512"]).setting == "OPENBLAS_CORETYPE=SKYLAKEX"


def test_a_setting_that_is_already_there_is_named():
    advice = advise([openblas("Nehalem")], PROCESSORS["AVX2"], "NEHALEM\x1b")
    assert r"(OPENBLAS_CORETYPE is set to NEHALEM\x1b)" in advice.message


def test_avx_512_without_its_later_parts_is_not_enough():
    knights_landing = PROCESSORS["AVX2"] | {"avx512f", "avx512cd", "avx512er", "avx512pf"}
    assert widest_instructions(knights_landing) == "AVX2"
    assert advise([openblas("Haswell")], knights_landing).well is True


@pytest.mark.parametrize("name", ["MKL", "BLIS", "Accelerate"])
def test_another_blas_is_named_and_left_alone(name):
    advice = advise([Blas("numpy and scipy", name, "1.0", "Haswell")], PROCESSORS["AVX-512"])
    assert (advice.well, advice.setting) == (None, None)
    assert name in advice.message


@pytest.mark.parametrize(
    ("architecture", "flags"),
    [
        ("Haswell", None),  # no list of flags
        ("neoversen1", frozenset({"fp", "asimd", "sve"})),  # no x86
        ("TomorrowsLake", PROCESSORS["AVX-512"]),
        (None, PROCESSORS["AVX2"]),
    ],
)
def test_nothing_is_advised_where_nothing_is_known(architecture, flags):
    advice = advise([openblas(architecture)], flags)
    assert (advice.well, advice.setting) == (None, None)


def test_no_blas_at_all_is_no_failure():
    assert advise([], PROCESSORS["AVX2"]).setting is None


def test_every_instruction_set_has_kernels_and_those_to_ask_for_are_written_in_it():
    assert set(KERNELS) == set(INSTRUCTIONS)
    assert {kind: kernel_instructions(name) for kind, name in ASK_FOR.items()} == {kind: kind for kind in ASK_FOR}


# --- what is found -----------------------------------------------------------------------------------------------


def test_a_processor_is_read_from_linux_s_list(tmp_path):
    path = tmp_path / "cpuinfo"
    path.write_text(
        "processor\t: 0\nmodel name\t: Invented 9000\nflags\t\t: fpu sse2 avx avx2 fma\npower management:\n\n"
        "processor\t: 1\nmodel name\t: Another\nflags\t\t: fpu\n"
    )
    processor = read_processor(path)
    assert processor.name == "Invented 9000"
    assert processor.instructions == "AVX2"
    assert processor.vector_flags == ["avx", "avx2", "fma"]


def test_an_arm_processor_has_features(tmp_path):
    path = tmp_path / "cpuinfo"
    path.write_text("processor\t: 0\nFeatures\t: fp asimd crc32 sve\n")
    processor = read_processor(path)
    assert processor.instructions is None
    assert processor.vector_flags == ["asimd", "sve"]


def test_a_system_without_that_list_has_a_processor_all_the_same(tmp_path):
    processor = read_processor(tmp_path / "absent")
    assert processor.name
    assert (processor.flags, processor.instructions, processor.vector_flags) == (None, None, [])


@pytest.mark.parametrize(
    ("path", "package", "belongs"),
    [
        ("/env/site-packages/numpy.libs/libscipy_openblas64_.so", "numpy", True),
        ("/env/site-packages/scipy.libs/libscipy_openblas.so", "numpy", False),
        ("/env/site-packages/numpy/.dylibs/libscipy_openblas64_.dylib", "numpy", True),
        ("/home/numpy/env/lib/libopenblas.so.0", "numpy", False),
    ],
)
def test_a_library_belongs_to_the_package_whose_wheel_brought_it(path, package, belongs):
    assert _belongs(path, package) is belongs


def test_the_workflow_finds_this_process():
    found = workflows.env()
    assert found.packages.keys() == set(PACKAGES)
    assert found.packages["numpy"]
    assert 1 <= found.threads <= found.cores
    assert " and ".join(library.used_by for library in found.blas) == "numpy and scipy"
    assert found.speed is None


def test_a_worker_process_fits_in_one_thread(monkeypatch):
    monkeypatch.setattr("multiprocessing.parent_process", lambda: object())
    assert workflows.env().threads == 1


# --- the command -------------------------------------------------------------------------------------------------


def test_each_line_has_its_label(capsys):
    done = softreg(capsys, "env")
    assert (done.code, done.err) == (0, "")
    seen = list(dict.fromkeys(line[:10].strip() for line in done.out.splitlines()))
    assert [label for label in seen if label != "memory"] == [
        "softreg", "packages", "processor", "cores", "BLAS", "advice",
    ]  # fmt: skip


def test_json_is_one_object(capsys):
    done = softreg(capsys, "env", "--json")
    value = json.loads(done.out)
    assert (value["command"], value["speed"]) == ("env", None)
    assert {"python", "packages", "processor", "cores", "threads", "memory", "blas", "advice"} <= value.keys()


def test_quiet_says_nothing(capsys):
    done = softreg(capsys, "env", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_nothing_is_imported_that_a_fit_does_not_need():
    assert imported("env", heavy=["sklearn", "matplotlib", "polars", "pandas"]) == (0, [])


def told(**settings):
    """What the command says in a process of its own, under these variables."""
    done = subprocess.run(command("env", "--json"), env=environment(**settings), capture_output=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, b"")
    return json.loads(done.stdout)


def test_the_advice_helps():
    value = told(OPENBLAS_CORETYPE="NEHALEM")
    if {library["architecture"] for library in value["blas"]} != {"Nehalem"}:
        pytest.skip("this BLAS does not choose among kernels")
    if value["processor"]["instructions"] not in ("AVX2", "AVX-512"):
        pytest.skip("this processor has nothing wider")
    assert value["advice"]["well"] is False
    name, _, kernels = value["advice"]["setting"].partition("=")
    assert told(**{name: kernels})["advice"]["well"] is True


# --- measuring ---------------------------------------------------------------------------------------------------


def test_measured_speeds_are_positive_numbers(capsys, monkeypatch):
    monkeypatch.setattr(speed, "READ_BYTES", 1 << 20)
    monkeypatch.setattr(speed, "READ_BYTES_EACH", 1 << 20)
    value = json.loads(softreg(capsys, "env", "--measure", "--json").out)["speed"]
    numbers = [value["read_one"], value["read_all"], *value["float32"].values(), *value["float64"].values()]
    assert len(numbers) == 10
    assert all(math.isfinite(number) and number > 0 for number in numbers)


def test_measured_speeds_have_lines_of_their_own(capsys, monkeypatch):
    some = speed.Products(forward=4e10, back=5e10, square=1.5e11, exp=9e8)
    monkeypatch.setattr(
        "softreg.workflows.environment.measure_speed", lambda n: speed.Speed(2, 1e10, 1.4e10, some, some)
    )
    lines = softreg(capsys, "env", "--measure").out.splitlines()
    assert "reading    10 GB/s by one thread, 14 by 2 threads" in lines
    assert "float32    (m×784)·(784×10) 40, its transpose 50, square 150 Gflop/s; 0.9 G exp/s, by 2 threads" in lines


@pytest.mark.parametrize("threads", [1, 3])
def test_work_is_done_once_a_thread_in_each_trial(threads):
    done = []
    assert speed.seconds_together(done.append, threads, repeats=2) >= 0
    assert sorted(done) == sorted([*range(threads)] * 3)
