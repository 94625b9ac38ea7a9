"""Bad input and faults: one line that says what and where, the right exit code, and nothing lost."""

import os
import pickle
import pty
import select
import shutil
import signal
import subprocess
import time

import pytest
from command_line import DATA, ROOT, command, environment, process, softreg

HEADER = "a,b,kind\n"
ROWS = "1,2,x\n2,1,y\n3,5,x\n1,4,y\n"


@pytest.fixture
def cli(capsys, tmp_path, monkeypatch):
    """The command, run in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *argv: softreg(capsys, *argv)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A model of iris, to be copied."""
    path = tmp_path_factory.mktemp("model") / "iris.softreg"
    done = process("fit", DATA / "iris.csv", "--target", "species", "--output", path, "--quiet")
    assert (done.code, done.err) == (0, "")
    return path


@pytest.fixture
def model(saved, tmp_path):
    shutil.copy(saved, tmp_path / "iris.softreg")
    return tmp_path / "iris.softreg"


# --- tables ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "t.csv"),
        ("\n\n", "t.csv"),
        (HEADER, "no data rows"),
        ("a,b\n1,2\n", "no column 'kind'"),
        (HEADER + "1,2,x\n3,4,x\n", "'x'"),
        (HEADER + ROWS + "nan,2,x\n", "t.csv:6: column 'a'"),
        (HEADER + ROWS + "inf,2,x\n", "t.csv:6: column 'a'"),
        (HEADER + ROWS + "1e400,2,x\n", "t.csv:6: column 'a'"),
        (HEADER + ROWS + ",2,x\n", "empty cells: 1 in 'a' (first in line 6)"),
        (HEADER + ROWS + "1,many,x\n", "t.csv:6: column 'b': 'many'"),
        (HEADER + ROWS + "1,2\n", "t.csv:6"),
        (HEADER + ROWS + "1,2,x,9\n", "t.csv:6"),
        (HEADER + ROWS + '1,"2,x\n', "t.csv"),
        ("a,a,kind\n" + ROWS, "'a'"),
        ("kind\nx\ny\n", "t.csv"),
    ],
)
def test_a_table_that_cannot_be_learned_from_is_refused_in_a_line(cli, tmp_path, text, says):
    (tmp_path / "t.csv").write_text(text)
    done = cli("fit", "t.csv", "--target", "kind", "--output", "m.softreg", "--history", "h.csv", "--plot", "p.svg")
    assert done.code == 3
    assert says in done.error
    assert sorted(os.listdir(tmp_path)) == ["t.csv"]


def test_a_table_that_is_not_there_or_a_folder_or_a_picture(cli, tmp_path):
    (tmp_path / "picture.csv").write_bytes(b"\x89PNG\r\n\x1a\n")
    for name, says in (("none.csv", "no such file"), (".", "a folder"), ("picture.csv", "PNG")):
        done = cli("fit", name, "--target", "kind")
        assert done.code == 3
        assert says in done.error


def test_without_a_target_the_columns_are_listed(cli):
    done = cli("fit", DATA / "iris.csv")
    assert done.code == 2
    assert done.error.endswith(
        "iris.csv: which column is the target? columns: sepal_length, sepal_width, petal_length, petal_width, species "
        "(add --target species)"
    )


def test_a_target_that_is_not_there_is_answered_with_the_nearest(cli):
    done = cli("fit", DATA / "iris.csv", "--target", "specis")
    assert done.code == 3
    assert "species" in done.error


def test_controls_in_data_do_not_reach_the_terminal(cli, tmp_path):
    (tmp_path / "t.csv").write_text("a,kind\n1,\x1b[31mred\n2,[/]\n3,\x1b[31mred\n4,[/]\n")
    done = cli("fit", "t.csv", "--target", "kind", "--output", "m.softreg")
    assert done.code == 0
    shown = cli("evaluate", "m.softreg", "t.csv")
    assert "\\x1b[31mred" in shown.out
    assert "[/]" in shown.out
    assert "\x1b" not in done.out + done.err + shown.out + shown.err


# --- options -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["fti"], "did you mean 'fit'?"),
        (["--fit"], "no option --fit"),
        (["fit", "t.csv", "--force"], "no option --force (softreg fit --help"),
        (["fit", "t.csv", "--alhpa", "1"], "did you mean --alpha?"),
        (["fit", "t.csv", "--alpha"], "requires an argument"),
        (["inspect", "m.softreg", "t.csv"], "unexpected extra argument"),
        (["fit", "t.csv", "--alpha", "nan"], "--alpha nan"),
        (["fit", "t.csv", "--alpha", "-1"], "--alpha -1"),
        (["fit", "t.csv", "--C", "1e400"], "--C inf"),
        (["fit", "t.csv", "--n-jobs", "0"], "--n-jobs 0"),
        (["fit", "t.csv", "--solver", "newtn"], "did you mean newton?"),
        (["fit"], "which table"),
        (["fit", "t.csv", "--config", "none.toml"], "none.toml"),
        (["compare"], "which table"),
        (["gradcheck"], "which table"),
        (["evaluate", "m.softreg"], "missing argument"),
        (["explain"], "MODEL DATA --row N"),
        (["explain", "--logits", "3,4,1"], "--label"),
        (["explain", "--logits", "3", "--label", "1"], "two numbers"),
        (["explain", "--logits", "3,x", "--label", "1"], "'x' is not a finite number"),
        (["explain", "--logits", "3,4", "--label", "3"], "from 1 to 2"),
        (["explain", "m.softreg", "--logits", "3,4", "--label", "1"], "belongs to the other way"),
        (["explain", "m.softreg", "t.csv", "--row", "0"], "--row 0"),
        (["plot", "los", "m.softreg", "--output", "p.svg"], "did you mean loss?"),
        (["plot", "loss", "m.softreg"], "--output loss.png"),
    ],
)
def test_a_command_that_cannot_be_meant_is_answered_in_a_line(cli, argv, says):
    done = cli(*argv)
    assert done.code == 2
    assert says in done.error


def test_no_arguments_show_the_help_and_are_a_usage_error(cli):
    done = cli()
    assert done.code == 2
    assert "fit" in done.out


# --- model files -------------------------------------------------------------------------------------------------


class Trap:
    def __reduce__(self):
        return (os.mkdir, ("trapped",))


@pytest.mark.parametrize("verb", ["evaluate", "predict", "verify", "explain", "plot"])
@pytest.mark.parametrize("kind", ["missing", "empty", "half", "table", "flipped", "pickle", "folder"])
def test_a_file_that_is_no_sound_model_is_refused(cli, model, tmp_path, verb, kind):
    raw = model.read_bytes()
    bad = tmp_path / "bad.softreg"
    if kind == "folder":
        bad.mkdir()
    elif kind != "missing":
        middle = len(raw) // 2
        bad.write_bytes(
            {
                "empty": b"",
                "half": raw[:middle],
                "table": (DATA / "iris.csv").read_bytes(),
                "flipped": raw[:middle] + bytes([raw[middle] ^ 1]) + raw[middle + 1 :],
                "pickle": pickle.dumps(Trap()),
            }[kind]
        )
    more = {"explain": ["--row", "1"], "plot": ["--output", tmp_path / "p.svg"]}.get(verb, [])
    argv = ["plot", "weights", bad] if verb == "plot" else [verb, bad, DATA / "iris.csv"]
    done = cli(*argv, *more)
    assert done.code == 4
    assert "bad.softreg" in done.error
    assert not (tmp_path / "trapped").exists()
    assert not (tmp_path / "p.svg").exists()


def test_a_table_of_other_columns_is_refused_by_name(cli, model):
    done = cli("predict", model, DATA / "wine.csv")
    assert done.code == 3
    assert "sepal_length" in done.error


def test_evaluating_needs_labels(cli, model, tmp_path):
    (tmp_path / "t.csv").write_text("sepal_length,sepal_width,petal_length,petal_width\n5,3,1,0.2\n")
    done = cli("evaluate", model, "t.csv")
    assert done.code == 3
    assert "species" in done.error


def test_probabilities_of_a_hinge_are_refused(cli, tmp_path):
    argv = ["fit", DATA / "iris.csv", "--target", "species", "--loss", "weston-watkins", "--squared", "--quiet"]
    assert cli(*argv, "--output", "m.softreg").code == 0
    done = cli("predict", "m.softreg", DATA / "iris.csv", "--proba")
    assert done.code == 2
    assert "softmax" in done.error


# --- outputs -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--output", "--plot", "--history"])
@pytest.mark.parametrize("place", ["none/x.svg", "."])
def test_an_output_that_cannot_be_written_is_found_before_training(cli, option, place):
    name = f"{place}" if option != "--plot" or place != "." else "none/y.svg"
    done = cli("fit", DATA / "iris.csv", "--target", "species", option, name)
    assert done.code == 5
    assert "cannot be written" in done.error  # and nothing narrated before it: the table was not even read


def test_a_picture_of_an_unknown_format_is_refused_before_training(cli):
    done = cli("fit", DATA / "iris.csv", "--target", "species", "--plot", "loss.gif")
    assert done.code == 2
    assert ".svg" in done.error


@pytest.mark.parametrize("option", ["--output", "--history", "--plot"])
@pytest.mark.parametrize("link", ["itself", "symbolic", "hard"])
def test_no_output_replaces_the_table_it_came_from(cli, tmp_path, option, link):
    table = tmp_path / ("t.svg" if option == "--plot" else "t.csv")
    shutil.copy(DATA / "iris.csv", table)
    before = table.read_bytes()
    target = table
    if link != "itself":
        target = tmp_path / f"link{table.suffix}"
        (os.symlink if link == "symbolic" else os.link)(table, target)
    done = cli("fit", table, "--target", "species", option, target)
    assert done.code == 2
    assert "same file" in done.error
    assert table.read_bytes() == before


def test_two_outputs_of_one_name_are_refused(cli):
    done = cli("fit", DATA / "iris.csv", "--target", "species", "--output", "x.svg", "--plot", "x.svg")
    assert done.code == 2
    assert "x.svg" in done.error


@pytest.mark.parametrize("victim", ["model", "table"])
def test_predictions_replace_neither_model_nor_table(cli, model, tmp_path, victim):
    shutil.copy(DATA / "iris.csv", tmp_path / "t.csv")
    path = model if victim == "model" else tmp_path / "t.csv"
    before = path.read_bytes()
    done = cli("predict", model, "t.csv", "--output", path)
    assert done.code == 2
    assert path.read_bytes() == before


def test_a_model_never_replaces_a_file_that_is_none(cli, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    done = cli("fit", DATA / "iris.csv", "--target", "species", "--output", "thesis.txt")
    assert done.code == 5
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
    assert "not a softreg model" in done.error


def test_a_failed_fit_leaves_the_old_model(cli, model):
    before = model.read_bytes()
    done = cli("fit", DATA / "iris.csv", "--target", "nothing", "--output", model)
    assert done.code == 3
    assert model.read_bytes() == before


def test_strict_leaves_the_old_model_when_the_new_one_is_not_certified(cli, model):
    before = model.read_bytes()
    argv = ["fit", DATA / "iris.csv", "--target", "species", "--solver", "gd", "--max-iter", "3", "--output", model]
    done = cli(*argv, "--strict", "--quiet")
    assert done.code == 6
    assert "not certified" in done.error
    assert "--strict" in done.error
    assert model.read_bytes() == before
    done = cli(*argv, "--quiet")
    assert done.code == 0
    assert done.err.startswith("warning: ")
    assert model.read_bytes() != before


# --- faults ------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")
@pytest.mark.parametrize("verb", ["evaluate", "predict"])
def test_a_full_disk_behind_stdout_is_an_error(model, verb):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command(verb, model, DATA / "iris.csv"),
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=120, env=environment(),
        )  # fmt: skip
    assert done.returncode == 5
    assert done.stderr == "error: standard output: cannot be written: no space left on device\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")
def test_predictions_to_a_full_device_are_an_error(cli, model):
    done = cli("predict", model, DATA / "iris.csv", "--output", "/dev/full")
    assert done.code == 5
    assert "/dev/full: cannot be written: no space left on device" in done.error


def test_a_reader_that_has_read_enough_ends_the_command_quietly(model):
    reading, writing = os.pipe()
    with open(writing, "w") as pipe:
        running = subprocess.Popen(
            command("predict", model, DATA / "iris.csv", "--proba"),
            stdout=pipe, stderr=subprocess.PIPE, text=True, env=environment(),
        )  # fmt: skip
    os.close(reading)
    _, err = running.communicate(timeout=120)
    assert (running.returncode, err) == (0, "")


def test_out_of_memory_is_a_resource_limit(cli, monkeypatch):
    def fit(*args, **options):
        raise MemoryError

    monkeypatch.setattr("softreg.workflows.fit", fit)
    done = cli("fit", DATA / "iris.csv", "--target", "species")
    assert done.code == 7
    assert "memory" in done.error


def test_a_bug_is_one_line_unless_debug_is_asked_for(cli, monkeypatch):
    def fit(*args, **options):
        raise ZeroDivisionError("over\nnothing")

    monkeypatch.setattr("softreg.workflows.fit", fit)
    done = cli("fit", DATA / "iris.csv", "--target", "species")
    assert done.code == 1
    assert "ZeroDivisionError" in done.error
    assert "--debug" in done.error
    shown = cli("fit", DATA / "iris.csv", "--target", "species", "--debug")
    assert shown.code == 1
    assert "Traceback" in shown.err


def test_debug_shows_where_an_ordinary_error_came_from(cli):
    done = cli("fit", "none.csv", "--target", "x", "--debug")
    assert done.code == 3
    assert "Traceback" in done.err
    assert done.err.splitlines()[-1] == "error: none.csv: no such file"


def _slow_fit(model, **options):
    """A fit that would take minutes: gradient descent on raw columns, to a tolerance out of its reach."""
    argv = ["fit", DATA / "iris.csv", "--target", "species", "--solver", "gd", "--tol", "1e-14", "--output", model]
    history = model.with_suffix(".csv")
    running = subprocess.Popen(
        command(*argv, "--history", history),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), **options,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (history.exists() and history.read_text().count("\n") > 3):  # written as it goes: it has begun
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return running


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_fit_keeps_the_old_model_and_saves_the_new_beside_it(cli, model, number, code):
    before = model.read_bytes()
    running = _slow_fit(model)
    running.send_signal(number)
    out, err = running.communicate(timeout=60)
    assert running.returncode == code
    assert model.read_bytes() == before
    assert "Traceback" not in err
    kept = model.with_name("iris.softreg.interrupted")
    assert str(kept) in err
    assert "certified  objective" not in out
    assert cli("evaluate", kept, DATA / "iris.csv").code == 0


def test_an_interrupt_outside_a_fit_is_130(cli, monkeypatch):
    def evaluate(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("softreg.workflows.evaluate", evaluate)
    done = cli("evaluate", "m.softreg", "t.csv")
    assert (done.code, done.out) == (130, "")
    assert done.err.count("\n") == 1


# --- terminals ---------------------------------------------------------------------------------------------------


def _in_a_terminal(*argv, **more):
    """(exit code, what the screen received): stdout and stderr both a terminal."""
    main, terminal = pty.openpty()
    running = subprocess.Popen(
        command(*argv), stdin=terminal, stdout=terminal, stderr=terminal, cwd=ROOT, env=environment(**more)
    )
    os.close(terminal)
    received = b""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        ready, _, _ = select.select([main], [], [], 1.0)
        if ready:
            try:
                block = os.read(main, 65536)
            except OSError:  # the other side has closed
                break
            if not block:
                break
            received += block
    os.close(main)
    return running.wait(timeout=60), received.decode()


def test_on_a_terminal_a_fit_shows_a_bar_that_ends_full():
    code, screen = _in_a_terminal("fit", "data/iris.csv", "--target", "species", TERM="xterm", NO_COLOR="1")
    assert code == 0
    assert "████████████████████ gap " in screen
    assert "\x1b" not in screen
    lines = [line.split("\r")[-1] for line in screen.replace("\r\n", "\n").split("\n")]
    labels = [line.split()[0] for line in lines if line.strip()]
    assert labels == ["data", "objective", "solver", "█" * 20, "certified", "train", "next"]


@pytest.mark.parametrize("argv", [["--quiet"], ["--json"]])
def test_quiet_and_json_show_no_bar(argv):
    code, screen = _in_a_terminal("fit", "data/iris.csv", "--target", "species", *argv, TERM="xterm")
    assert code == 0
    assert "█" not in screen
    assert screen == "" or screen.startswith("{")


def test_a_dumb_terminal_gets_no_bar():
    code, screen = _in_a_terminal("fit", "data/iris.csv", "--target", "species", TERM="dumb")
    assert code == 0
    assert "█" not in screen


def test_a_stream_of_ascii_gets_escapes_and_no_traceback(tmp_path):
    (tmp_path / "t.csv").write_text("a,kind\n1,hé\n2,x\n3,hé\n4,x\n", encoding="utf-8")
    done = subprocess.run(
        command("fit", tmp_path / "t.csv", "--target", "kind"),
        capture_output=True, timeout=120, env=environment(PYTHONIOENCODING="ascii"),
    )  # fmt: skip
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
    assert done.stdout.isascii()
