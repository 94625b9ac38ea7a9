"""Predict: a row of output for each row of input, in its order, whatever the format and however rows are read."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator

import numpy as np
import polars as pl
import pytest
from command_line import DATA, softreg

from softreg import workflows
from softreg.errors import UsageError
from softreg.store import Model
from softreg.tables import TableOptions
from softreg.training import Settings

IRIS = str(DATA / "iris.csv")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for loss, name in (("softmax", "softmax"), ("crammer_singer", "hinge")):
        settings = Settings(loss=loss, squared=loss != "softmax")
        workflows.fit(IRIS, target="species", settings=settings, output=str(folder / name))
    return folder


@pytest.fixture
def cli(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *argv: softreg(capsys, *argv)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_stream_says_what_the_model_says_of_the_whole_table(cli, models):
    whole = workflows.predict(str(models / "softmax"), IRIS, proba=True)
    got = rows(cli("predict", models / "softmax", IRIS, "--proba").out)
    assert [row["prediction"] for row in got] == whole.labels.tolist()
    P = np.array([[float(row[f"p[{name}]"]) for name in whole.classes] for row in got])
    np.testing.assert_allclose(P, whole.probabilities, rtol=1e-12)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_every_format_holds_the_same_columns(cli, models, tmp_path, suffix):
    options = ["--proba", "--top-k", "2", "--keep", "species,petal_width"]
    expected = rows(cli("predict", models / "softmax", IRIS, *options).out)
    done = cli("predict", models / "softmax", IRIS, *options, "-o", f"p.{suffix}")
    assert done.code == 0
    assert "150 rows" in done.err
    path = tmp_path / f"p.{suffix}"
    if suffix == "csv":
        found: Iterator = iter(rows(path.read_text()))
    elif suffix == "jsonl":
        found = map(json.loads, path.read_text().splitlines())
    else:
        found = iter(pl.read_parquet(path).to_dicts())
    for want, got in zip(expected, found, strict=True):
        assert list(want) == list(got)
        assert want["prediction"] == got["prediction"]
        assert float(want["p_1"]) == pytest.approx(float(got["p_1"]))


def test_top_k_are_the_likeliest_labels_in_order(cli, models):
    for row in rows(cli("predict", models / "softmax", IRIS, "--top-k", "3").out):
        assert row["label_1"] == row["prediction"]
        assert float(row["p_1"]) >= float(row["p_2"]) >= float(row["p_3"])
        assert len({row[f"label_{i}"] for i in (1, 2, 3)}) == 3
    hinge = rows(cli("predict", models / "hinge", IRIS, "--top-k", "2").out)
    assert list(hinge[0]) == ["prediction", "label_1", "score_1", "label_2", "score_2"]


def test_rows_that_are_not_sure_have_no_prediction_and_are_counted(cli, models):
    done = cli("predict", models / "softmax", IRIS, "--min-confidence", "0.9", "--top-k", "1")
    unsure = [row for row in rows(done.out) if not row["prediction"]]
    assert unsure
    assert all(float(row["p_1"]) < 0.9 for row in unsure)
    assert f"{len(unsure)} of 150 rows are less sure than 0.9" in done.err


def test_A36_a_missing_cell_is_an_error_or_a_row_without_prediction(cli, models, tmp_path):
    lines = (DATA / "iris.csv").read_text().splitlines()
    lines[3] = "," + lines[3].split(",", 1)[1]
    (tmp_path / "holes.csv").write_text("\n".join(lines))
    assert cli("predict", models / "softmax", "holes.csv").code == 3
    done = cli("predict", models / "softmax", "holes.csv", "--missing", "skip", "--proba")
    assert done.code == 0
    got = rows(done.out)
    assert len(got) == 150
    assert [i for i, row in enumerate(got) if not row["prediction"]] == [2]
    assert "1 of 150 rows have a missing cell and no prediction" in done.err


def test_ids_are_carried_over_and_never_learned_from(cli, tmp_path):
    lines = (DATA / "iris.csv").read_text().splitlines()
    numbered = [f"flower,{lines[0]}", *(f"f{i},{line}" for i, line in enumerate(lines[1:]))]
    (tmp_path / "t.csv").write_text("\n".join(numbered))
    workflows.fit("t.csv", target="species", output="m", options=TableOptions(id_col="flower"))
    got = rows(cli("predict", "m", "t.csv").out)
    assert [row["flower"] for row in got] == [f"f{i}" for i in range(150)]
    assert len(Model.load("m").W) == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--top-k", "4"], "--top-k 4: the model has 3 classes"),
        (["--min-confidence", "1.5"], "--min-confidence 1.5"),
        (["--keep", "prediction"], "would be the name of two columns"),
        (["--keep", "sepal_lenght"], "sepal_lenght"),
        (["--format", "parqet"], "did you mean parquet?"),
        (["--missing", "drop"], "--missing drop: one of recipe, error, skip"),
        (["--json", "--top-k", "2"], "--top-k: not with --json"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(cli, models, options, message):
    done = cli("predict", models / "softmax", IRIS, *options)
    assert done.code in (2, 3)
    assert message in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("option", ["--proba", "--min-confidence"])
def test_a_hinge_has_no_probabilities(models, option):
    wanted = {"proba": True} if option == "--proba" else {"min_confidence": 0.5}
    with pytest.raises(UsageError, match="fit with --loss softmax"):
        workflows.predict_stream(str(models / "hinge"), IRIS, **wanted)


def test_a_failure_half_way_leaves_the_old_file(cli, models, tmp_path):
    (tmp_path / "p.csv").write_text("old")
    lines = (DATA / "iris.csv").read_text().splitlines()
    (tmp_path / "bad.csv").write_text("\n".join([*lines, "a,b,c,d,e"]))
    assert cli("predict", models / "softmax", "bad.csv", "-o", "p.csv").code == 3
    assert (tmp_path / "p.csv").read_text() == "old"


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_G98_tables_of_many_batches_are_one_output_whatever_is_null_in_the_first(
    cli, models, tmp_path, monkeypatch, suffix
):
    """Rows 1 to 60 000 are unsure, then comes one that is not; Parquet is put together from files on disk."""
    monkeypatch.setattr("softreg.tables.writing.WAITING", 1 << 20)
    head, *lines = (DATA / "iris.csv").read_text().splitlines()
    sure, unsure = lines[0], "6.0,2.7,4.95,1.7,versicolor"
    (tmp_path / "long.csv").write_text("\n".join([head, *[unsure] * 300_000, sure]))
    done = cli("predict", models / "softmax", "long.csv", "--proba", "--min-confidence", "0.99", "-o", f"p.{suffix}")
    assert done.code == 0
    read = {"csv": pl.read_csv, "jsonl": pl.read_ndjson, "parquet": pl.read_parquet}[suffix]
    found = read(tmp_path / f"p.{suffix}", **({} if suffix == "parquet" else {"infer_schema_length": None}))
    assert found.height == 300_001
    assert found["prediction"].null_count() == 300_000
    assert found["prediction"][-1] == "setosa"
    assert "300000 of 300001 rows are less sure than 0.99" in done.err
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_labels_that_are_no_text_come_back_as_the_labels_they_are():
    from softreg.tables.writing import label_column, written

    codes = np.array([1, -1, 0])
    for classes, expected in (
        (np.array([3, 10]), "10,,3"),
        (np.array([False, True]), "True,,False"),
        (np.array(["007", "=1"]), "=1,,007"),
    ):
        text = b"".join(written([{"prediction": label_column(classes, codes)}], "csv")).decode()
        assert ",".join(text.replace('""', "").split("\n")[1:4]) == expected


def test_a_suffix_of_another_format_is_refused_and_a_dash_is_the_standard_output(models, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("p.jsonl.gz", "p.xlsx", "p.tsv"):
        refused = softreg(capsys, "predict", models / "softmax", IRIS, "-o", name)
        assert "is none of csv, jsonl, parquet" in refused.error
    done = softreg(capsys, "predict", models / "softmax", IRIS, "-o", "-")
    assert (done.code, len(done.out.splitlines())) == (0, 151)
    assert "goes to a file" in softreg(capsys, "fit", IRIS, "--target", "species", "-o", "-").error
    assert not list(tmp_path.iterdir())


def test_a_row_of_too_large_values_is_named_by_its_place_in_the_table(cli, models, tmp_path):
    lines = ["sepal_length,sepal_width,petal_length,petal_width", *["5,3,1,1"] * 5, "1e308,1e308,1e308,1e308"]
    (tmp_path / "big.csv").write_text("\n".join(lines) + "\n")
    for options in ((), ("--json",)):
        done = cli("predict", str(models / "softmax"), "big.csv", *options)
        assert done.code == 3
        assert "row 6: values so large" in done.err
