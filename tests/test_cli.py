"""Each command as a user would type it: what it prints, where, and what it leaves behind."""

import csv
import io
import json
import re
import shlex
import shutil
import tomllib

import pytest
from command_line import DATA, ROOT, softreg

from softreg.cli.app import main

CONFIGS = sorted((ROOT / "configs").glob("*.toml"))


@pytest.fixture
def cli(capsys, tmp_path, monkeypatch):
    """The command, run in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *argv: softreg(capsys, *argv)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """The main job's model."""
    path = tmp_path_factory.mktemp("digits") / "digits.softreg"
    argv = [
        "fit",
        DATA / "digits.csv",
        "--target",
        "digit",
        "--validation-fraction",
        "0.2",
        "--output",
        path,
        "--quiet",
    ]
    assert main([str(argument) for argument in argv]) == 0
    return path


@pytest.fixture
def iris(cli, tmp_path):
    path = tmp_path / "iris.softreg"
    assert cli("fit", DATA / "iris.csv", "--target", "species", "--output", path, "--quiet").code == 0
    return path


def labels(text):
    """The words of the left column."""
    return [line[:10].strip() for line in text.splitlines()]


# --- the program -------------------------------------------------------------------------------------------------


def test_version(cli):
    done = cli("--version")
    assert re.fullmatch(r"softreg \d+\.\d+\.\d+\n", done.out)
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize(
    "verb",
    ["fit", "evaluate", "predict", "plot", "compare", "check", "gradcheck", "explain", "verify", "inspect", "env"],
)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_command_explains_itself(cli, verb, flag):
    done = cli(verb, flag)
    assert done.code == 0
    assert done.out.startswith(f"Usage: softreg {verb} ")
    assert verb in cli("--help").out


# --- fit ---------------------------------------------------------------------------------------------------------


def test_the_main_job_tells_its_story_line_by_line(cli, tmp_path):
    done = cli(
        "fit", DATA / "digits.csv", "--target", "digit", "--validation-fraction", "0.2",
        "--output", "digits.softreg", "--plot", "loss.svg", "--history", "history.csv",
    )  # fmt: skip
    assert done.code == 0
    assert labels(done.out) == ["certified", "train", "validation"]
    assert labels(done.err) == ["data", "split", "objective", "solver", "note", "saved", "next"]
    assert "digits.csv: 1797 rows, 64 numeric columns, 10 classes (174 to 183 rows each), 0 missing" in done.err
    assert "1437 train, 360 validation (stratified, seed 0)" in done.err
    assert "alpha 1e-4 (C = 6.96), intercept not penalised" in done.err
    assert "newton: 650 weights" in done.err
    assert "training rows: not an estimate for new data" in done.out
    assert re.search(r"certified +objective 0\.0\d+, at most \de-\d\d \(relative\) above the optimum", done.out)
    assert {path.name for path in tmp_path.iterdir()} == {"digits.softreg", "loss.svg", "history.csv"}


def test_the_next_command_works_as_printed(cli, tmp_path):
    done = cli("fit", DATA / "iris.csv", "--target", "species", "--output", "my iris.softreg")
    [line] = [line for line in done.err.splitlines() if line.startswith("next")]
    words = shlex.split(line.removeprefix("next"))
    assert words[0] == "softreg"
    assert cli(*words[1:]).code == 0


def test_history_has_a_row_for_each_iteration(cli, tmp_path):
    assert cli("fit", DATA / "iris.csv", "--target", "species", "--history", "h.csv", "--quiet").code == 0
    rows = list(csv.DictReader(io.StringIO((tmp_path / "h.csv").read_text())))
    assert [int(row["iteration"]) for row in rows] == list(range(len(rows)))
    assert float(rows[0]["objective"]) == pytest.approx(1.0986122886681098)  # log 3 at W = 0


def test_json_is_one_object_with_the_certificate(cli):
    done = cli("fit", DATA / "iris.csv", "--target", "species", "--json")
    assert done.err == ""
    value = json.loads(done.out, parse_constant=lambda name: pytest.fail(name))
    assert done.out.count("\n") == 1
    assert (value["schema"], value["command"], value["status"]) == (1, "fit", "certified")


def test_quiet_says_nothing_of_a_certified_fit(cli):
    done = cli("fit", DATA / "iris.csv", "--target", "species", "-q")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_an_uncertified_fit_is_done_with_a_warning(cli):
    done = cli("fit", DATA / "iris.csv", "--target", "species", "--solver", "gd", "--max-iter", "3")
    assert done.code == 0
    assert "not certified" in done.out
    warnings = [line for line in done.err.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 1


def test_options_reach_the_fit(cli):
    done = cli(
        "fit", DATA / "wine.csv", "--target", "cultivar", "--loss", "crammer-singer", "--squared", "--C", "2",
        "--class-weight", "balanced", "--standardize", "--seed", "3", "--json", "--output", "wine.softreg",
    )  # fmt: skip
    assert done.code == 0
    assert json.loads(done.out)["status"] == "certified"


def test_options_with_underscores_are_the_same_options(cli):
    done = cli("fit", "--print-config", "--batch_size", "3", "--early_stopping", "--validation-fraction", "0.3")
    value = tomllib.loads(done.out)
    assert (value["batch_size"], value["early_stopping"], value["validation_fraction"]) == (3, True, 0.3)


def test_the_printed_configuration_can_be_run(cli, tmp_path):
    done = cli("fit", DATA / "iris.csv", "--target", "species", "--alpha", "0.01", "--print-config")
    (tmp_path / "again.toml").write_text(done.out)
    first = cli("fit", DATA / "iris.csv", "--target", "species", "--alpha", "0.01")
    again = cli("fit", "--config", "again.toml")
    assert again.code == 0
    assert again.out == first.out


def test_the_same_fit_gives_the_same_bytes_with_one_thread_or_two(cli, tmp_path):
    for name, jobs in (("a.softreg", "1"), ("b.softreg", "2"), ("c.softreg", "2")):
        assert cli("fit", DATA / "iris.csv", "--target", "species", "--n-jobs", jobs, "-q", "-o", name).code == 0
    a, b, c = ((tmp_path / name).read_bytes() for name in ("a.softreg", "b.softreg", "c.softreg"))
    assert a == b == c


def test_a_validation_file_is_kept_apart(cli, tmp_path):
    lines = (DATA / "iris.csv").read_text().splitlines(keepends=True)
    (tmp_path / "train.csv").write_text("".join(lines[:1] + lines[1::2]))
    (tmp_path / "test.csv").write_text("".join(lines[:1] + lines[2::2]))
    done = cli("fit", "train.csv", "--target", "species", "--validation", "test.csv")
    assert done.code == 0
    assert "of 75)" in done.out


def test_tuning_states_the_chosen_alpha(cli):
    done = cli("fit", DATA / "iris.csv", "--target", "species", "--tune")
    assert done.code == 0
    assert "alpha" in done.err


@pytest.mark.parametrize("path", CONFIGS, ids=[path.name for path in CONFIGS])
def test_every_example_configuration_runs_and_says_what_it_shows(cli, monkeypatch, path):
    monkeypatch.chdir(ROOT)  # their data are named from there
    text = path.read_text()
    assert text.startswith("# ")
    [usage] = re.findall(r"^#   softreg (.*)$", text, re.MULTILINE)
    verb = usage.split()[0]
    assert f"--config configs/{path.name}" in usage
    done = cli(verb, "--config", path)
    assert done.code == 0
    assert "warning" not in done.err or "early_stopping" in path.name


# --- evaluate and predict ----------------------------------------------------------------------------------------


def test_evaluate_prints_the_interval_the_classes_and_the_confusion(cli, iris):
    done = cli("evaluate", iris, DATA / "iris.csv")
    assert done.code == 0
    assert done.err == "warning: these rows were trained on: not an estimate for new data\n"
    assert re.search(r"^accuracy +0\.9\d\d \[0\.\d{3}, 0\.\d{3}\] .*\(\d+ of 150", done.out, re.MULTILINE)
    assert re.search(r"^log loss +0\.\d{4} nats", done.out, re.MULTILINE)
    assert re.search(r"^setosa +1\.000 +1\.000 +1\.000 +50$", done.out, re.MULTILINE)
    assert re.search(r"^setosa +50 +0 +0$", done.out, re.MULTILINE)


def test_predict_writes_a_label_a_row_in_order(cli, iris, tmp_path):
    done = cli("predict", iris, DATA / "iris.csv")
    rows = list(csv.reader(io.StringIO(done.out)))
    assert rows[0] == ["prediction"]
    assert len(rows) == 151
    assert rows[1] == ["setosa"]
    assert rows[-1] == ["virginica"]
    assert cli("predict", iris, DATA / "iris.csv", "--output", "p.csv").out == ""
    assert (tmp_path / "p.csv").read_text() == done.out


def test_probabilities_are_named_by_class_and_sum_to_one(cli, iris):
    done = cli("predict", iris, DATA / "iris.csv", "--proba")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert list(rows[0]) == ["prediction", "p[setosa]", "p[versicolor]", "p[virginica]"]
    for row in rows:
        p = {name: float(value) for name, value in row.items() if name != "prediction"}
        assert sum(p.values()) == pytest.approx(1)
        assert max(p, key=p.get) == f"p[{row['prediction']}]"


def test_number_labels_come_back_as_numbers(cli, digits):
    done = cli("predict", digits, DATA / "digits.csv", "--json")
    value = json.loads(done.out)
    assert {type(label) for label in value["predictions"]} == {int}


def test_columns_may_come_in_any_order_and_more_of_them(cli, iris, tmp_path):
    rows = list(csv.DictReader(io.StringIO((DATA / "iris.csv").read_text())))
    names = ["note", *reversed(rows[0])]
    with (tmp_path / "other.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows({**row, "note": "0"} for row in rows)
    assert cli("predict", iris, "other.csv").out == cli("predict", iris, DATA / "iris.csv").out


# --- verify ------------------------------------------------------------------------------------------------------


def test_verify_agrees_with_a_model_and_its_data(cli, digits):
    done = cli("verify", digits, DATA / "digits.csv")
    assert done.code == 0
    assert labels(done.err) == ["note"]  # the same split, made again
    assert json.loads(cli("verify", digits, DATA / "digits.csv", "--json").out)["holds"] is True


def test_verify_refuses_a_model_of_other_data(cli, iris, tmp_path):
    lines = (DATA / "iris.csv").read_text().splitlines(keepends=True)
    (tmp_path / "other.csv").write_text("".join(lines[:-30] + [lines[1]] * 30))
    done = cli("verify", iris, "other.csv")
    assert done.code == 6
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1


# --- plot --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "argv",
    [
        ["loss", "MODEL"],
        ["loss", "MODEL", "MODEL", "--x", "passes"],
        ["convergence", "MODEL"],
        ["confusion", "MODEL", DATA / "digits.csv"],
        ["weights", "MODEL"],
        ["weights", "MODEL", "--shape", "8x8"],
    ],
)
def test_every_kind_of_picture_is_drawn(cli, digits, tmp_path, argv):
    argv = [digits if word == "MODEL" else word for word in argv]
    if argv.count(digits) == 2:
        argv[2] = shutil.copy(digits, tmp_path / "other.softreg")
    done = cli("plot", *argv, "--output", "picture.svg")
    assert (done.code, done.out) == (0, "")
    assert done.err.splitlines()[-1] == "saved      picture.svg"
    assert (tmp_path / "picture.svg").read_text().lstrip().startswith("<?xml")


def test_a_history_file_can_be_drawn_against_seconds(cli):
    assert cli("fit", DATA / "iris.csv", "--target", "species", "--history", "h.csv", "-q").code == 0
    assert cli("plot", "loss", "h.csv", "--x", "seconds", "--output", "loss.png").code == 0


# --- compare, gradcheck, explain ---------------------------------------------------------------------------------


def test_compare_puts_three_models_in_one_table_and_tests_what_differs(cli, tmp_path):
    few = ["--cv", "3", "--repeats", "1", "--n-jobs", "1"]
    done = cli("compare", DATA / "iris.csv", "--target", "species", "--plot", "curves.svg", *few)
    assert done.code == 0
    for name in ("softmax", "weston", "crammer", "zero gradient", "verdict", "corrected resampled t"):
        assert name in done.out
    assert labels(done.err) == ["data", "design", "saved"]
    assert (tmp_path / "curves.svg").exists()
    value = json.loads(cli("compare", DATA / "iris.csv", "--target", "species", "--json", *few).out)
    assert value["command"] == "compare"
    assert [model["certified"] for model in value["models"]] == [True] * 3


def test_compare_goes_on_when_a_model_fails_and_strict_minds(cli, tmp_path):
    options = ["--models", "softmax,sklearn:CategoricalNB", "--cv", "3", "--repeats", "1", "--n-jobs", "1"]
    negative = tmp_path / "negative.csv"
    negative.write_text("a,b,y\n" + "".join(f"{i % 7 - 3},{i % 5},{i % 2}\n" for i in range(40)))
    done = cli("compare", negative, "--target", "y", *options)
    assert done.code == 0
    assert "failed" in done.out
    assert "warning: sklearn:CategoricalNB failed: ValueError" in done.err
    assert cli("compare", negative, "--target", "y", "--strict", *options).code == 6


@pytest.mark.parametrize("loss", ["softmax", "weston-watkins", "crammer-singer"])
def test_gradcheck_finds_the_gradient_right(cli, loss):
    done = cli("gradcheck", DATA / "iris.csv", "--target", "species", "--loss", loss)
    assert done.code == 0
    assert "right gradient" in done.out
    assert "petal_length" in done.out


def test_gradcheck_of_a_wrong_gradient_fails_with_6(cli, monkeypatch):
    from softreg.losses import Softmax

    right = Softmax.value_grad

    def wrong(self, Z, y):
        value, G = right(self, Z, y)
        return value, 1.01 * G

    monkeypatch.setattr(Softmax, "value_grad", wrong)
    done = cli("gradcheck", DATA / "iris.csv", "--target", "species")
    assert done.code == 6
    assert done.err.startswith("error: wrong gradient")
    assert done.err.count("\n") == 1
    assert "WRONG" in done.out


def test_explain_prints_the_worked_table(cli):
    done = cli("explain", "--logits", "3,4,1", "--label", "2")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "class   z    e^(z-4)    S         true   dL/dz = S - true\n"
        "1       3    0.367879   0.259496  0       0.259496\n"
        "2       4    1.000000   0.705385  1      -0.294615\n"
        "3       1    0.049787   0.035119  0       0.035119\n"
        "loss of this one row  -log S_2 = 0.349012 nats    weight gradient: (S_i - true_i) · x_j\n"
    )


def test_negative_logits_are_no_option(cli):
    assert cli("explain", "--logits", "-3,-4,1", "--label", "2").code == 0


def test_explain_takes_a_row_apart(cli, iris):
    done = cli("explain", iris, DATA / "iris.csv", "--row", "3")
    assert done.code == 0
    assert "true class setosa" in done.out
    assert "mean loss of the data set" in done.out
    assert cli("explain", iris, DATA / "iris.csv", "--row", "151").code == 2


def test_gradcheck_and_verify_read_what_fit_reads(capsys, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("a,b,w,y\n1,NA,1,p\n2,u,2,q\n3,v,1,p\n4,u,1,q\n")
    how = (table, "--target", "y", "--na", "NA", "--missing", "indicator", "--weight-col", "w")
    assert softreg(capsys, "gradcheck", *how).code == 0
    done = softreg(capsys, "fit", *how)
    assert (done.code, "the same with --validation-fraction 0.2" in done.out + done.err) == (0, True)
    for part in "12":
        (tmp_path / f"{part}.csv").write_text("a,y\n1,p\n2,q\n3,q\n")
    parts = (tmp_path / "1.csv", tmp_path / "2.csv")
    assert softreg(capsys, "fit", *parts, "--target", "y", "-o", tmp_path / "m").code == 0
    assert softreg(capsys, "verify", tmp_path / "m", *parts).code == 0
    assert "set the same thing" in softreg(capsys, "fit", table, "--target", "y", "--alpha", "1e-4", "--C", "3").error
