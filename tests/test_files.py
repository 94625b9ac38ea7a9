"""Whatever happens while writing, the old file or the new one is there, whole."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading

import pytest

from softreg import files
from softreg.errors import OutputError, UsageError
from softreg.files import atomic_write, check_writable, refuse_same_file

posix = pytest.mark.skipif(os.name != "posix", reason="devices, pipes and permissions as POSIX has them")


def names(folder):
    return sorted(os.listdir(folder))


def test_bytes_and_text_arrive_as_written(tmp_path):
    with atomic_write(tmp_path / "b") as file:
        file.write(b"\r\n\x00")
    with atomic_write(tmp_path / "t", "w") as file:
        file.write("é\r\n\n")
    assert (tmp_path / "b").read_bytes() == b"\r\n\x00"
    assert (tmp_path / "t").read_bytes() == "é\r\n\n".encode()
    assert names(tmp_path) == ["b", "t"]


@pytest.mark.parametrize("problem", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_after_an_exception_the_old_file_is_there_and_nothing_else(tmp_path, problem):
    (tmp_path / "model").write_bytes(b"old")

    def fail():
        with atomic_write(tmp_path / "model") as file:
            file.write(b"half")
            raise problem

    with pytest.raises(problem):
        fail()
    assert (tmp_path / "model").read_bytes() == b"old"
    assert names(tmp_path) == ["model"]


@pytest.mark.parametrize("call", ["fsync", "replace", "open"])
def test_a_failing_disk_is_one_line_and_the_old_file_stays(tmp_path, monkeypatch, call):
    (tmp_path / "model").write_bytes(b"old")

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    def write():
        with atomic_write(tmp_path / "model") as file:
            file.write(b"new")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(OutputError, match="model: cannot be written: no space left on device") as caught:
        write()
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 5
    assert (tmp_path / "model").read_bytes() == b"old"
    assert names(tmp_path) == ["model"]


@posix
def test_a_file_size_limit_met_half_way_keeps_the_old_file(tmp_path):
    (tmp_path / "model").write_bytes(b"old")
    program = (
        "import resource, signal, sys\n"
        "from softreg.files import atomic_write\n"
        "from softreg.errors import OutputError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    with atomic_write(sys.argv[1]) as file:\n"
        "        file.write(bytes(100_000))\n"
        "except OutputError as error:\n"
        "    sys.exit(error.exit_code)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "model")], capture_output=True)
    assert done.returncode == 5, done.stderr
    assert (tmp_path / "model").read_bytes() == b"old"
    assert names(tmp_path) == ["model"]


@posix
def test_a_link_is_followed_and_stays_a_link(tmp_path):
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    with atomic_write(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


@posix
def test_permissions_are_the_umask_s_for_a_new_file_and_kept_for_an_old_one(tmp_path):
    (tmp_path / "old").write_bytes(b"")
    (tmp_path / "old").chmod(0o640)
    before = os.umask(0o027)
    try:
        for name in ("new", "old"):
            with atomic_write(tmp_path / name) as file:
                file.write(b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "old").stat().st_mode) == 0o640


@posix
def test_a_pipe_is_written_into_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    got = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    with atomic_write(tmp_path / "pipe") as file:
        file.write(b"rows")
    reader.join()
    assert got == [b"rows"]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@posix
@pytest.mark.parametrize("append", [False, True])
def test_standard_output_is_written_into_even_when_it_is_a_file(tmp_path, append):
    out = tmp_path / "out"
    out.write_bytes(b"before\n")
    program = "from softreg.files import *\nwith atomic_write('/dev/stdout') as file: file.write(b'rows')"
    with out.open("ab" if append else "wb") as stdout:
        subprocess.run([sys.executable, "-c", program], stdout=stdout, check=True)
    assert out.read_bytes() == (b"before\nrows" if append else b"rows")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_device_is_an_error():
    def write():
        with atomic_write("/dev/full") as file:
            file.write(b"rows")

    check_writable("/dev/full")  # full only when written to
    with pytest.raises(OutputError):
        write()


@posix
def test_leavings_of_killed_writers_are_removed_once_old(tmp_path):
    stale, fresh = tmp_path / ".model.tmp-123-0123abcd", tmp_path / ".model.tmp-124-0123abcd"
    other = tmp_path / ".other.tmp-123-0123abcd"
    for path in (stale, fresh, other):
        path.write_bytes(b"")
    for path in (stale, other):
        os.utime(path, (0, 0))
    with atomic_write(tmp_path / "model") as file:
        file.write(b"new")
    assert names(tmp_path) == sorted([fresh.name, other.name, "model"])


def test_a_name_as_long_as_names_can_be_is_written(tmp_path):
    path = tmp_path / ("m" * 255)
    check_writable(path)
    with atomic_write(path) as file:
        file.write(b"x")
    assert path.read_bytes() == b"x"


# ---- check_writable


def test_a_good_place_is_left_as_it_was(tmp_path):
    check_writable(tmp_path / "new")
    (tmp_path / "old").write_bytes(b"old")
    check_writable(tmp_path / "old")
    assert names(tmp_path) == ["old"]
    assert (tmp_path / "old").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("path", "finding"),
    [
        ("missing/model", "there is no folder"),
        ("file/model", "there is no folder"),
        (".", "it is a folder"),
        ("", "it is a folder"),
        ("m" * 300, "name too long"),
        ("a\0b", "null"),
    ],
)
def test_a_bad_place_is_found_before_any_work(tmp_path, monkeypatch, path, finding):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match=finding):
        check_writable(path)
    assert names(tmp_path) == ["file"]


def test_a_read_only_file_system_is_found_before_any_work(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(files.os, "open", refuse)
    with pytest.raises(OutputError, match="model: cannot be written: read-only file system"):
        check_writable(tmp_path / "model")


def test_a_read_only_file_is_not_replaced(tmp_path, monkeypatch):
    (tmp_path / "model").write_bytes(b"old")
    monkeypatch.setattr(files.os, "access", lambda *args: False)  # the administrator may write anything
    with pytest.raises(OutputError, match="the file is read-only"):
        check_writable(tmp_path / "model")


# ---- refuse_same_file


@pytest.mark.parametrize("kind", ["same", "other spelling", "symlink", "hardlink", "does not exist yet"])
def test_an_output_that_is_an_input_is_refused_under_any_name(tmp_path, kind):
    data = tmp_path / "data.csv"
    if kind != "does not exist yet":
        data.write_bytes(b"x")
    other = {"other spelling": tmp_path / "." / ".." / tmp_path.name / "data.csv"}.get(kind, data)
    if kind == "symlink":
        other = tmp_path / "link"
        other.symlink_to(data)
    if kind == "hardlink":
        other = tmp_path / "link"
        os.link(data, other)
    with pytest.raises(UsageError, match=r"choose another --plot"):
        refuse_same_file(other, [tmp_path / "unrelated", data], "--plot")


def test_different_files_pass_and_so_does_a_device(tmp_path):
    (tmp_path / "data").write_bytes(b"x")
    refuse_same_file(tmp_path / "model", [tmp_path / "data"])
    if os.path.exists("/dev/null"):
        refuse_same_file("/dev/null", ["/dev/null"])
