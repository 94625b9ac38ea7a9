"""Files as people have them, and what they are told: untrue hints send them the wrong way."""

import gzip
import io
import os
import threading
import time

import numpy as np
import pytest
from command_line import softreg

from softreg.scores import LEAST_PROBABILITY
from softreg.tables import read_table

CELLS = [(round(0.1 * k + k % 2, 2), round(0.07 * k % 1, 2), "xy"[k % 2]) for k in range(24)]


def table(header="a,b,label", separator=",", row="{},{},{}"):
    return "\n".join([header, *(row.format(*cells) for cells in CELLS), ""]).encode()


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"# made by instrument 7\n# mm\n" + table(), "the first line is '# made by instrument 7': a comment?"),
        (
            table("a    b    label", row="{}   {}   {}"),
            "is it aligned by blanks? (tr -s ' ' ',' makes commas of blanks)",
        ),
        (b"<!DOCTYPE html>\n<html><body>Not found</body></html>\n", "looks like a web page; did a download go wrong?"),
        (b"\n<HTML>\n<body>a,b</body></HTML>\n", "looks like a web page"),
        (b"<?xml version='1.0'?>\n<rows/>\n", "looks like a web page"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n",
            "git lfs pull brings the file itself",
        ),
        (b"sep=;\n" + table("a;b;label", row="{};{};{}"), "t.csv:1: a note for spreadsheets, not the names of columns"),
        (table("a,b,label,", row="{},{},{},"), "t.csv:1: column 4 has no name (the line ends with ','"),
        (
            table().replace(b"\n", b"\r", 5).replace(b"\r", b"\n", 1),
            "t.csv:2: 11 cells, but the header has 3 (line ends",
        ),
    ],
    ids=["comment", "aligned", "html", "HTML", "xml", "git-lfs", "sep", "trailing separators", "lone CR among LF"],
)
def test_what_is_no_table_is_called_by_its_name(here, capsys, content, says):
    (here / "t.csv").write_bytes(content)
    done = softreg(capsys, "fit", "t.csv", "--target", "label")
    assert done.code == 3
    assert says in done.error
    assert "--delimiter" not in done.error


def test_a_name_that_begins_with_a_lower_sign_is_a_name(here, capsys):
    (here / "t.csv").write_bytes(table("<a,b,label"))
    assert softreg(capsys, "fit", "t.csv", "--target", "label").code == 0


@pytest.mark.parametrize("nested", ['{"u": 1}', "[1, 2]", "[]"])
def test_json_columns_that_hold_more_than_a_value_can_be_left_out(here, capsys, nested):
    lines = [f'{{"a": {nested}, "b": {b}, "label": "{label}"}}' for b, _, label in CELLS]
    (here / "t.jsonl").write_text("\n".join(lines))
    done = softreg(capsys, "fit", "t.jsonl", "--target", "label")
    assert done.code == 3
    assert "t.jsonl:1: column 'a' holds a" in done.error
    assert "(--drop a leaves it out)" in done.error
    assert softreg(capsys, "fit", "t.jsonl", "--target", "label", "--drop", "a", "--output", "m.softreg").code == 0
    assert softreg(capsys, "predict", "m.softreg", "t.jsonl").code == 0
    refused = softreg(capsys, "fit", "t.jsonl", "--target", "a")
    assert "save it as text, or name another --target" in refused.error


def test_only_the_rows_of_a_json_column_that_are_read_matter(here, capsys):
    (here / "t.jsonl").write_text('{"a": 1, "label": "x"}\n{"a": [1], "label": "y"}\n')
    done = softreg(capsys, "fit", "t.jsonl", "--target", "label")
    assert "t.jsonl:2: column 'a' holds a list" in done.error


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("{}, {}, {}", "class ' x' begins or ends with a blank, which is part of its name"),
        ("{0},{1},NaN\n{0},{1},{2}", "'NaN' is a class like any other (--na NaN where the label is missing)"),
        ("{0},{1},n/a\n{0},{1},{2}", "'n/a' is a class like any other"),
    ],
)
def test_labels_that_may_not_be_meant_are_noted(here, capsys, row, says):
    (here / "t.csv").write_bytes(table(row=row))
    done = softreg(capsys, "fit", "t.csv", "--target", "label")
    assert done.code == 0
    assert says in done.err
    (here / "t.csv").write_bytes(table())
    assert "class" not in softreg(capsys, "fit", "t.csv", "--target", "label").err.replace("2 classes (x 12, y 12)", "")


def test_dates_as_classes_are_doubted(here, capsys):
    lines = [f"{a},2026-01-{k % 20 + 1:02}" for k, (a, _, _) in enumerate(CELLS)]
    (here / "t.csv").write_text("\n".join(["a,day", *lines]))
    done = softreg(capsys, "fit", "t.csv", "--target", "day", "--max-iter", "1")
    assert "20 classes in 24 rows, fewer than two rows a class: is this the right target?" in done.err


def test_classes_of_one_row_cannot_be_divided(here, capsys):
    (here / "t.csv").write_text("a,b,label\n1,2,x\n3,1,y\n2,2,z\n")
    done = softreg(capsys, "fit", "t.csv", "--target", "label", "--validation-fraction", "0.4")
    assert (done.code, done.error.split(": ", 1)[1]) == (
        3, "--validation-fraction: no class has two rows, of which one could be kept apart"
    )  # fmt: skip
    done = softreg(capsys, "compare", "t.csv", "--target", "label")
    assert (done.code, done.error) == (2, "error: --cv 5: no class has two rows: no folds can be made")


def test_a_model_in_the_place_of_a_table_is_called_one(here, capsys):
    (here / "t.csv").write_bytes(table())
    assert softreg(capsys, "fit", "t.csv", "--target", "label", "--output", "m.softreg").code == 0
    for command in (["predict", "m.softreg", "m.softreg"], ["fit", "m.softreg", "--target", "label"]):
        done = softreg(capsys, *command)
        assert done.code == 3
        assert "m.softreg: a softreg model, not a table" in done.error


def test_a_packed_table_in_the_place_of_a_model_is_not_called_a_pickle(here, capsys):
    (here / "t.csv").write_bytes(gzip.compress(table()))
    done = softreg(capsys, "inspect", "t.csv")
    assert done.code == 4
    assert "t.csv: gzip, as of a packed table or pickle, which no softreg model is: refused unopened" in done.error
    done = softreg(capsys, "plot", "loss", "t.csv", "--output", "l.png")
    assert done.error == "error: t.csv: neither a model nor a file of --history: it is no text"


def test_two_figures_of_one_name_are_told_apart(here, capsys):
    (here / "t.csv").write_text("a,label\n0,x\n1,y\n0.1,x\n0.9,y\n")
    (here / "far.csv").write_text("a,label\n1000,x\n1,y\n")
    fit = softreg(capsys, "fit", "t.csv", "--target", "label", "--output", "m.softreg")
    assert fit.code == 0
    said = softreg(capsys, "evaluate", "m.softreg", "far.csv")
    assert f"in the table no row counts more than {-np.log(LEAST_PROBABILITY):.1f} nats, as in scikit-learn" in said.out
    assert "no row counts" not in softreg(capsys, "evaluate", "m.softreg", "t.csv").out


@pytest.mark.parametrize("cut", [1, 2, 20])
@pytest.mark.parametrize("kind", ["csv", "csv.gz", "jsonl", "svm", "npz"])
def test_a_pipe_that_begins_slowly_is_read_for_what_it_is(here, kind, cut):
    text = table()
    if kind == "jsonl":
        text = b"\n" + b"".join(b'{"a": %d, "label": "%s"}\n' % (i, b"xy"[i % 2 : i % 2 + 1]) for i in range(6))
    elif kind == "svm":
        text = b"".join(b"%d 1:%d 2:1\n" % (i % 2, i) for i in range(6))
    elif kind == "npz":
        packed = io.BytesIO()
        np.savez(packed, X=np.arange(12.0).reshape(6, 2), y=np.arange(6) % 2)
        text = packed.getvalue()
    content = gzip.compress(text) if kind == "csv.gz" else text
    (here / "whole").write_bytes(content)
    os.mkfifo(here / "pipe")

    def write():
        with open(here / "pipe", "wb", buffering=0) as pipe:
            pipe.write(content[:cut])
            time.sleep(0.1)
            pipe.write(content[cut:])

    writer = threading.Thread(target=write)
    writer.start()
    slow = read_table([here / "pipe"], target="label" if kind in ("csv", "csv.gz", "jsonl") else None)
    writer.join()
    at_once = read_table([here / "whole"], target="label" if kind in ("csv", "csv.gz", "jsonl") else None)
    assert slow.fingerprint == at_once.fingerprint
