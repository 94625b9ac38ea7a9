"""A table is read exactly, or refused with one line that says where and why."""

from __future__ import annotations

import csv
import io
import json
import os
import threading
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from softreg.errors import DataError, ModelFileError, ResourceError, UsageError
from softreg.tables import Recipe, encode, label_text, read_table, records
from softreg.tables.labels import text_classes

DATA = Path(__file__).parent.parent / "data"
GOOD = b"a,b,label\n1,2,x\n3.5,-4e2,y\n5,6,x\n"
X_GOOD = [[1, 2], [3.5, -400], [5, 6]]


@pytest.fixture
def write(tmp_path):
    def write(content, name="t.csv"):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


def read_or_refuse(path, target=None):
    """The table, or None where it was refused as a table should be: exit 3 or 7, one line."""
    caught = None
    try:
        return read_table(path, target)
    except (DataError, ResourceError) as error:
        caught = error
    assert len(str(caught).splitlines()) == 1
    return None


def rows(*lines, header="a,b,label", end="\n"):
    return end.join([header, *lines, ""]).encode()


# ---- good tables


@pytest.mark.parametrize(
    "content",
    [  # a byte order mark, each kind of line end, blank lines, each separator, spaces, quotation marks
        GOOD,
        b"\xef\xbb\xbf" + GOOD,
        GOOD.replace(b"\n", b"\r\n"),
        GOOD.replace(b"\n", b"\r"),
        GOOD.replace(b"\n", b"\r\n", 2),
        GOOD[:-1],
        GOOD + b"\n\r\n\n",
        b"\n\n" + GOOD.replace(b"3.5", b"\n3.5"),
        GOOD.replace(b",", b"\t"),
        GOOD.replace(b",", b";"),
        GOOD.replace(b",", b", ").replace(b", x", b",x").replace(b", y", b",y").replace(b", label", b",label"),
        b'"a","b","label"\n"1","2","x"\n"3.5","-4e2","y"\n"5","6","x"\n',
        b'"a","b","label"\r\n1,2,"x"\r\n3.5,-4e2,"y"\r\n5,6,"x"',
    ],
)
@pytest.mark.parametrize("block", [8, 1 << 22])
def test_A05_A06_one_table_in_many_dresses_is_one_table(write, monkeypatch, content, block):
    monkeypatch.setattr(records, "BLOCK_BYTES", block)
    table = read_table(write(content), "label")
    assert table.X.dtype == np.float64
    assert table.X.flags.c_contiguous
    assert table.X.tolist() == X_GOOD
    assert table.y.tolist() == ["x", "y", "x"]
    assert table.feature_names == ("a", "b")
    assert table.recipe == Recipe.plain(["a", "b"], "label", "str")
    assert table.n_missing == 0
    assert table.groups is None
    assert table.fingerprint == read_table(write(GOOD, "plain.csv"), "label").fingerprint
    assert [note for note in table.notes if "blank line" not in note] == []


@pytest.mark.parametrize(
    "change",
    [
        (b"a,b", b"a,c"),
        (b"5,6,x", b"5,6,y"),
        (b"5,6", b"5,7"),
        (b"x", b"z"),
        (b"1,2,x\n3.5,-4e2,y", b"3.5,-4e2,y\n1,2,x"),
    ],
)
def test_a_fingerprint_tells_names_values_labels_and_order_apart(write, change):
    first = read_table(write(GOOD), "label")
    other = read_table(write(GOOD.replace(*change), "u.csv"), "label")
    assert len(first.fingerprint) == 64
    assert first.fingerprint != other.fingerprint


def test_the_target_may_stand_anywhere(write):
    table = read_table(write(b"label,a\n1,10\n2,20\n"), "label")
    assert table.X.tolist() == [[10], [20]]
    assert table.y.tolist() == [1, 2]


def test_numbers_equal_python_s_float_of_the_same_text(write):
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**64, 3000, dtype=np.uint64).view(np.float64)
    texts = [repr(v) for v in bits[np.isfinite(bits)].tolist()]
    texts += [f"{v:.25e}" for v in bits[np.isfinite(bits)].tolist()]
    texts += ["9007199254740993", "9007199254740993.0000000000000000000001", "+1", "-0", ".5", "5.", "1E5", "4e-324"]
    texts += ["1" * 300, "0." + "0" * 320 + "123", "2.2250738585072011e-308", "1.7976931348623157e308"]
    content = "a,label\n" + "".join(f"{text},{i % 2}\n" for i, text in enumerate(texts))
    X = read_table(write(content.encode()), "label", features=["a"]).X
    assert X.tobytes() == np.array([float(text) for text in texts]).tobytes()


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=30))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_float_written_is_the_float_read(write, values):
    content = "a,label\n" + "".join(f"{value!r},{i % 2}\n" for i, value in enumerate(values))
    assert read_table(write(content.encode()), "label", features=["a"]).X[:, 0].tobytes() == np.array(values).tobytes()


_text = st.text(st.sampled_from('ab,;"\n\r é\t'), min_size=1, max_size=8)


@given(st.lists(st.tuples(st.integers(-9, 9), _text, _text), min_size=1, max_size=12), st.sampled_from(",\t;"))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_quoted_text_and_line_numbers_agree_with_the_csv_module(write, monkeypatch, cells, separator):
    monkeypatch.setattr(records, "BLOCK_BYTES", 40)
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=separator, quoting=csv.QUOTE_ALL, lineterminator="\n")
    begins = []
    for row in [("a", "comment", "label"), *cells]:
        begins.append(out.getvalue().count("\n") + 1)
        writer.writerow(row)
    table = read_table(write(out.getvalue().encode()), "label", features=["a"])
    assert table.y.tolist() == [label for _, _, label in cells]
    assert table.X[:, 0].tolist() == [a for a, _, _ in cells]
    assert [table.line(r) for r in range(table.n_rows)] == begins[1:]


def test_A14_lines_count_blank_lines_and_line_ends_in_quotes(write):
    table = read_table(write(b'a,label\n1,x\n\n2,"y\nz"\n3,x\r\n\r\n\n4,x'), "label")
    assert [table.line(r) for r in range(4)] == [2, 4, 6, 9]
    assert table.notes == ("skipped 3 blank lines",)
    with pytest.raises(IndexError):
        table.line(4)


def test_a_table_of_many_blocks_is_read_whole(write):
    n = 300_000
    content = b"a,b,label\n" + b"".join(b"%d,%d.5,k%d\n" % (i, i, i % 7) for i in range(n))
    assert len(content) > records.BLOCK_BYTES
    table = read_table(write(content), "label")
    assert np.array_equal(table.X, np.arange(n)[:, None] + [0, 0.5])
    assert table.y[-1] == f"k{(n - 1) % 7}"
    assert table.X.shape == (n, 2)
    assert table.line(n - 1) == n + 1


@pytest.mark.skipif(os.name != "posix", reason="named pipes")
def test_A04_a_pipe_is_read_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    content = GOOD + b"7,8,y\n" * 1_000_000
    feeder = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(content))
    feeder.start()
    table = read_table(tmp_path / "pipe", "label")
    feeder.join()
    assert table.X.shape == (1_000_003, 2)
    assert table.X[-1].tolist() == [7, 8]


def test_A22_a_hundred_thousand_columns_are_read(write):
    p = 100_000
    content = ",".join(f"f{j}" for j in range(p)) + ",label\n"
    content += "".join(",".join(map(str, range(r, r + p))) + f",{r}\n" for r in range(2))
    assert np.array_equal(read_table(write(content.encode()), "label").X, np.arange(p) + np.arange(2)[:, None])


@pytest.mark.parametrize(
    ("name", "target", "shape", "label_type"),
    [
        ("iris", "species", (150, 4), "str"),
        ("wine", "cultivar", (178, 13), "str"),
        ("digits", "digit", (1797, 64), "int"),
        ("breast_cancer", "diagnosis", (569, 30), "str"),
    ],
)
def test_the_project_s_own_tables(name, target, shape, label_type):
    table = read_table(DATA / f"{name}.csv", target)
    assert table.X.shape == shape
    assert table.recipe.label_type == label_type
    assert table.notes == ()


# ---- labels


@pytest.mark.parametrize(
    ("written", "labels"),
    [
        (["10", "9", "-1"], [10, 9, -1]),
        (["007", "8"], ["007", "8"]),
        (["-0", "1"], ["-0", "1"]),
        (["+1", "2"], ["+1", "2"]),
        (["1.0", "2"], ["1.0", "2"]),
        (["9" * 23, "1"], ["9" * 23, "1"]),
        (["9223372036854775807", "-9223372036854775808"], [2**63 - 1, -(2**63)]),
        (["9223372036854775808", "1"], ["9223372036854775808", "1"]),
        (["1_0", "2"], ["1_0", "2"]),
        (["٣", "2"], ["٣", "2"]),
        (["nan", "None", "NA"], ["nan", "None", "NA"]),
        ([" x", "x ", "é"], [" x", "x ", "é"]),
        (["True", "False"], ["True", "False"]),
        (["long" * 5000, "short"], ["long" * 5000, "short"]),
        (["=cmd|' /C'!A0", "\x1b[31m"], ["=cmd|' /C'!A0", "\x1b[31m"]),
    ],
)
def test_C55_C56_labels_stay_as_written_and_integers_only_if_all_are(write, written, labels):
    table = read_table(write(rows(*(f"1,2,{label}" for label in written))), "label")
    assert table.y.tolist() == labels
    assert [label_text(label) for label in table.y.tolist()] == written
    assert table.recipe.label_type == ("int" if isinstance(labels[0], int) else "str")


def test_classes_are_in_order_of_number_or_code_point():
    assert text_classes(["10", "9"]).tolist() == [9, 10]
    assert text_classes(["b", "a", "Z", "é"]).tolist() == ["Z", "a", "b", "é"]


def test_labels_are_encoded_by_how_they_are_written():
    assert encode(np.array(["2", "x", "1", "2"]), np.array([1, 2])).tolist() == [1, -1, 0, 1]
    assert encode(np.array([2, 3]), np.array(["1", "2"], dtype=object)).tolist() == [1, -1]


def test_C58_C59_labels_that_look_alike_are_noted(write):
    table = read_table(write(rows("1,2,Cat", "1,2,cat ", "1,2,dog", "1,3,e\u0301", "1,3,é")), "label")
    assert len(table.notes) == 2
    assert "'Cat', 'cat '" in table.notes[0]


def test_integers_enough_to_be_all_different_are_classes(write):
    assert read_table(write(rows("1,2,1", "1,2,2", "3,4,3")), "label").y.tolist() == [1, 2, 3]


# ---- columns by name


def test_D61_D62_columns_come_in_the_order_of_training_whatever_the_file_s(write):
    path = write(b"label,b,extra,a\ny,2,?,1\nx,-4e2,,3.5\n")
    table = read_table(path, "label", features=["a", "b"])
    assert table.X.tolist() == [[1, 2], [3.5, -400]]
    assert table.feature_names == ("a", "b")
    assert table.notes == ("ignored, not among the model's columns: extra",)


def test_D66_a_table_to_predict_needs_no_target_but_reads_it_if_there(write):
    without = read_table(write(b"b,a\n2,1\n"), "label", features=["a", "b"], require_target=False)
    assert without.y is None
    assert without.X.tolist() == [[1, 2]]
    there = read_table(write(b"a,b,label\n1,2,x\n"), "label", features=["a", "b"], require_target=False)
    assert there.y.tolist() == ["x"]
    holes = read_table(write(rows("1,2,", "1,3,x")), "label", features=["a", "b"], require_target=False)
    assert holes.y is None
    assert holes.notes == ("column 'label' not used: 1 of its cells are empty",)
    assert read_table(write(b"a,b\n1,2\n"), features=["a", "b"], require_target=False).recipe.target is None


def test_C54_a_table_to_evaluate_may_hold_one_class(write):
    assert read_table(write(rows("1,2,x")), "label", features=["a", "b"]).y.tolist() == ["x"]


def test_groups_are_read_beside_the_features(write):
    table = read_table(write(b"who,a,label\nann,1,x\nbob,2,y\nann,3,y\n"), "label", group="who")
    assert table.feature_names == ("a",)
    assert table.groups.tolist() == ["ann", "bob", "ann"]


# ---- bad tables: content, arguments, and a part of the one line that answers

FIT = {"target": "label"}
PREDICT = {"target": "label", "features": ["a", "b"], "require_target": False}
BAD = {
    "A01 empty": (b"", FIT, "t.csv: the file is empty"),
    "only a BOM": (b"\xef\xbb\xbf", FIT, "the file is empty"),
    "A02 blank lines only": (b"\n\r\n\n", FIT, "blank lines only"),
    "A03 header only": (b"a,b,label\n", FIT, "no data rows"),
    "header only, no line end": (b"a,b,label", FIT, "no data rows"),
    "a word": (rows("1,2,x", "1,n/a,y"), FIT, "t.csv:3: column 'b': 'n/a' is not a number"),
    "a word after a blank line": (rows("1,2,x", "", "1,n/a,y"), FIT, "t.csv:4: column 'b': 'n/a'"),
    "a word after a quoted line end": (rows('1,2,"x\ny"', "1,n/a,y"), FIT, "t.csv:4: column 'b'"),
    "a word and spaces": (rows("1, 2,x", "1, n/a,y"), FIT, "t.csv:3: column 'b': 'n/a'"),
    "A17 thousands": (rows('"1,000",2,x'), FIT, "t.csv:2: column 'a': '1,000' is not a number"),
    "A17 underscore": (rows("1_000,2,x"), FIT, "'1_000' is not a plain number"),
    "A17 hexadecimal": (rows("0x10,2,x"), FIT, "'0x10' is not a plain number"),
    "A16 decimal comma": (rows("1,5;2;x", header="a;b;label"), FIT, "'1,5' is not a number"),
    "true among numbers": (rows("1,2,x", "true,2,y"), FIT, "t.csv:3: column 'a': 'true' is not a number"),
    "a number among truths": (
        rows("true,2,x", "False,2,y", "1,2,y"),
        FIT,
        "t.csv:4: column 'a': '1' is neither true nor false",
    ),
    "B36 NaN": (rows("1,2,x", "nan,2,y"), FIT, "t.csv:3: column 'a': 'nan' is not a number"),
    "B37 infinity": (rows("1,-inf,x"), FIT, "t.csv:2: column 'b': '-inf' is not finite"),
    "B37 1e400": (rows("1,1e400,x"), FIT, "t.csv:2: column 'b': '1e400' is not finite"),
    "B36 empty cells": (rows("1,,x", "1,2,y", ",,x"), FIT, "1 in 'a' (first in line 4), 2 in 'b' (first in line 2)"),
    "blank cells": (rows("1,  ,x", "1,2,y"), FIT, "1 in 'b' (first in line 2)"),
    "quoted nothing": (rows('1,"",x', "1,2,y"), FIT, "1 in 'b' (first in line 2)"),
    "C52 missing labels": (rows("1,2,x", "1,2,", '1,2,""'), FIT, "2 in 'label' (first in line 3)"),
    "missing groups": (rows("1,,x", "1,2,y"), FIT | {"group": "b"}, "1 in 'b' (first in line 2)"),
    "A11 a short row": (rows("1,2,x", "1,2", "1,2,y"), FIT, "t.csv:3: 2 cells, but the header has 3"),
    "A12 a long row": (rows("1,2,x", "1,2,x,4"), FIT, "t.csv:3: 4 cells, but the header has 3"),
    "a short and a long row": (rows("1,2,x", "1,2", "1,2,3,y"), FIT, "t.csv:3: 2 cells"),
    "a separator too many": (rows("1,2,x,"), FIT, "t.csv:2: 4 cells"),
    "A23 a row cut short": (b"a,b,label\n1,2,x\n1,", FIT, "t.csv:3: 2 cells"),
    "a short row among quotes": (rows('1,2,"x,y"', '"1","2"'), FIT, "t.csv:3: 2 cells"),
    "spaces for a row": (rows("1,2,x", "   "), FIT, "t.csv:3: 1 cell, but"),
    "A13 an unclosed quote": (rows("1,2,x", '1,2,"y', "3,4,x"), FIT, "t.csv:3: a quoted field opens here"),
    "an unclosed quote before others": (rows('1,2,"x', '1,2,"y"', '3,4,"x"'), FIT, "t.csv:2: a quoted field opens"),
    "an inch": (rows("1,2,x", '1,2,5" pipe'), FIT, "t.csv:3: a quotation mark inside a field"),
    "text after a quote": (rows("1,2,x", '1,2,"x"y'), FIT, "t.csv:3: a quoted field opens here"),
    "A18 a name twice": (rows("1,2,x", header="a,a,label"), FIT, "t.csv:1: 2 columns are named 'a'"),
    "A19 a nameless column": (rows("1,2,x", header="a,,label"), FIT, "t.csv:1: column 2 has no name"),
    "a row index without a name": (rows("0,2,x", header=",a,label"), FIT, "column 1 has no name"),
    "A07 latin-1": (b"a,b,label\n1,2,x\n1,2,caf\xe9\n", FIT, "t.csv:3: not UTF-8 (byte 0xe9 at offset 23)"),
    "latin-1 after a BOM": (b"\xef\xbb\xbfa,b,label\n1,2,\xe9\n", FIT, "(byte 0xe9 at offset 17)"),
    "A08 UTF-16": (GOOD.decode().encode("utf-16"), FIT, "UTF-16"),
    "UTF-16 without a mark": (GOOD.decode().encode("utf-16-le"), FIT, "t.csv:1: a NUL byte"),
    "A10 NUL": (rows("1,2,x", "1,2,\0y"), FIT, "t.csv:3: a NUL byte in column 3"),
    "A09 PNG": (b"\x89PNG\r\n\x1a\n" + bytes(99), FIT, "looks like a PNG"),
    "gzip": (b"\x1f\x8b\x08\0" + bytes(99), FIT, "the gzip file is damaged"),
    "Parquet": (b"PAR1" + bytes(99), FIT, "the Parquet file is damaged or cut short"),
    "pickle": (b"\x80\x04\x95" + bytes(99), FIT, "looks like a Python pickle"),
    "npy": (b"\x93NUMPY\x01\0" + bytes(99), FIT, "numpy.savez"),
    "A09 broken zip": (b"PK\x03\x04" + bytes(99), FIT, "not a readable npz file"),
    "C51 one class": (rows("1,2,x", "3,4,x"), FIT, "only class 'x'"),
    "C57 measurements": (
        rows(*(f"1,2,{i}.5" for i in range(20))),
        FIT,
        "20 distinct values in 20 rows; is this regression?",
    ),
    "A20 no such target": (
        GOOD,
        {"target": "lable"},
        "no column 'lable' (did you mean 'label'?); columns: a, b, label",
    ),
    "no such group": (GOOD, FIT | {"group": "who"}, "no column 'who'"),
    "nothing but the target": (b"label\nx\ny\n", FIT, "no column is left to learn from beside 'label'"),
    "D63 columns of the model missing": (b"a,c\n1,2\n", PREDICT, "1 column of the model missing: b; columns: a, c"),
    "D64 text where the model has numbers": (b"a,b\n1,red\n", PREDICT, "t.csv:2: column 'b': 'red' is not a number"),
    "A19 controls in a name": (rows("1,2,x", "z,2,x", header="\x1b[2Ja,b,label"), FIT, r"column '\x1b[2Ja': 'z'"),
    "controls in a value": (rows("1,2,x", "\x1b]0;\x07,2,x"), FIT, r"'\x1b]0;\x07' is not a number"),
}


@pytest.mark.parametrize("block", [16, 1 << 22])
@pytest.mark.parametrize(("content", "arguments", "finding"), BAD.values(), ids=BAD)
def test_a_bad_table_is_refused_in_one_line(write, monkeypatch, content, arguments, finding, block):
    monkeypatch.setattr(records, "BLOCK_BYTES", block)
    with pytest.raises(DataError) as caught:
        read_table(write(content), **arguments)
    message = str(caught.value)
    assert finding in message
    assert caught.value.exit_code == 3
    assert len(message) < 500
    assert len(message.splitlines()) == 1
    assert not any(ord(c) < 0x20 for c in message)


def test_A04_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"nothing\.csv: no such file"):
        read_table(tmp_path / "nothing.csv", "label")
    with pytest.raises(DataError, match="is a folder"):
        read_table(tmp_path, "label")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the administrator may read anything")
def test_A04_a_file_that_may_not_be_read_is_refused(write):
    path = write(GOOD)
    path.chmod(0)
    with pytest.raises(DataError, match="no permission"):
        read_table(path, "label")


def test_without_a_target_the_columns_are_listed_and_the_last_suggested(write):
    with pytest.raises(UsageError) as caught:
        read_table(DATA / "iris.csv")
    assert str(caught.value).endswith(
        "iris.csv: which column is the target? columns: sepal_length, sepal_width, petal_length, petal_width, "
        "species (add --target species)"
    )
    with pytest.raises(UsageError, match=r"columns: pixel_0_0, .*, …, digit \(add --target digit\)"):
        read_table(DATA / "digits.csv")
    with pytest.raises(UsageError, match=r"\(add --target 'my label'\)"):
        read_table(write(b"a,my label\n1,2\n"))
    with pytest.raises(UsageError, match="both target and group"):
        read_table(write(GOOD), "label", group="label")


def test_a_row_longer_than_any_sensible_one_is_refused_before_memory_is_full(write, monkeypatch):
    monkeypatch.setattr(records, "BLOCK_BYTES", 64)
    monkeypatch.setattr(records, "LONGEST_RECORD", 1 << 20)
    with pytest.raises(DataError, match="a row longer than 1 MiB"):
        read_table(write(GOOD + b'1,2,"' + b"x" * (1 << 22)), "label")


@given(st.binary(max_size=60), st.integers(0, len(GOOD)), st.sampled_from([16, 1 << 22]))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_A09_no_bytes_make_the_reader_fail_in_its_own_way(write, monkeypatch, noise, place, block):
    monkeypatch.setattr(records, "BLOCK_BYTES", block)
    table = read_or_refuse(write(GOOD[:place] + noise + GOOD[place:]), "label")
    assert table is None or np.isfinite(table.X).all()
    assert table is None or len(table.y) == len(table.X)


# ---- npz


@pytest.fixture
def savez(tmp_path):
    def savez(**arrays):
        np.savez(tmp_path / "t.npz", **arrays)
        return tmp_path / "t.npz"

    return savez


Y = np.array([0, 1, 0, 2])


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "u1", "i2", "i8", ">f8", "?"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npz_keeps_the_type_of_X(savez, dtype, order):
    X = np.asarray(np.arange(12).reshape(4, 3) % 5, dtype=dtype, order=order)
    table = read_table(savez(X=X, y=Y))
    assert np.array_equal(table.X, X)
    assert table.X.dtype == {">f8": np.dtype("f8"), "?": np.dtype("u1")}.get(dtype, np.dtype(dtype))
    assert table.y.tolist() == Y.tolist()
    assert table.feature_names == ("x1", "x2", "x3")
    assert table.recipe == Recipe.plain(["x1", "x2", "x3"], None, "int")
    assert table.line(0) == 1


def test_a_fingerprint_does_not_depend_on_memory_order(savez):
    X = np.random.default_rng(0).standard_normal((4, 3))
    first = read_table(savez(X=X, y=Y)).fingerprint
    assert read_table(savez(X=np.asfortranarray(X), y=Y)).fingerprint == first
    assert read_table(savez(X=X, y=Y.astype(float))).fingerprint == first
    assert read_table(savez(X=X.astype("f4"), y=Y)).fingerprint != first


def test_a_fingerprint_does_not_depend_on_byte_order(savez):
    X, y = np.random.default_rng(0).standard_normal((4, 3)), Y
    assert (
        read_table(savez(X=X.astype(">f8"), y=y.astype(">i8"))).fingerprint == read_table(savez(X=X, y=y)).fingerprint
    )


@pytest.mark.parametrize(
    ("y", "read"),
    [
        (Y.astype("u1"), Y.tolist()),
        (Y.astype("f4"), Y.tolist()),
        (Y > 0, [0, 1, 0, 1]),
        (np.array(["b", "a", "é", "a"]), ["b", "a", "é", "a"]),
        (np.array([b"b", b"a", b"c", b"a"]), ["b", "a", "c", "a"]),
        (np.array(["1", "02", "1", "1"]), ["1", "02", "1", "1"]),
    ],
)
def test_npz_labels_are_integers_or_text(savez, y, read):
    table = read_table(savez(X=np.eye(4), y=y))
    assert table.y.tolist() == read
    assert table.y.dtype.kind in "iU"


def test_npz_target_is_a_key_or_noted(savez):
    path = savez(X=np.eye(4), y=Y, other=Y[::-1], who=np.array(["a", "b", "a", "b"]))
    assert read_table(path, "other").y.tolist() == Y[::-1].tolist()
    assert read_table(path, "other").recipe.target == "other"
    assert read_table(path, "digit").y.tolist() == Y.tolist()
    assert "no column 'digit'" in read_table(path, "digit").notes[0]
    assert read_table(path, group="who").groups.tolist() == ["a", "b", "a", "b"]


def test_D68_npz_columns_are_matched_by_position(savez):
    path = savez(X=np.eye(4))
    table = read_table(path, features=list("abcd"), require_target=False)
    assert table.feature_names == tuple("abcd")
    assert table.y is None
    assert "by position" in table.notes[0]
    assert read_table(path, features=["x1", "x2", "x3", "x4"], require_target=False).notes == ()
    with pytest.raises(DataError, match="X has 4 columns, the model has 3"):
        read_table(path, features=list("abc"), require_target=False)


BAD_NPZ = {
    "A27 no X": ({"Z": np.eye(4), "y": Y}, "neither a key X nor a sparse matrix"),
    "no y": ({"X": np.eye(4)}, "no labels under the key y; keys: X float64 (4, 4)"),
    "1-D": ({"X": np.arange(4.0), "y": Y}, "X must be a 2-D array of numbers; keys: X float64 (4,)"),
    "A27 3-D": ({"X": np.zeros((4, 2, 2)), "y": Y}, "X must be a 2-D array"),
    "A27 text": ({"X": np.array([["a"]] * 4), "y": Y}, "X must be a 2-D array of numbers; keys: X <U1 (4, 1)"),
    "A27 objects": ({"X": np.array([[1], [None], [2], [3]], dtype=object), "y": Y}, "array X holds Python objects"),
    "complex": ({"X": np.eye(4) * 1j, "y": Y}, "X must be a 2-D array of numbers"),
    "no rows": ({"X": np.zeros((0, 3)), "y": Y[:0]}, "X has 0 rows and 3 columns"),
    "no columns": ({"X": np.zeros((4, 0)), "y": Y}, "X has 4 rows and 0 columns"),
    "NaN": ({"X": np.where(np.eye(4) > 0, np.nan, 0)[::-1], "y": Y}, "row 1, column x4: nan is not finite"),
    "infinity": ({"X": np.full((4, 2), np.inf, "f2"), "y": Y}, "row 1, column x1: inf is not finite"),
    "y too short": ({"X": np.eye(4), "y": Y[:3]}, "one label for each of 4 rows, not shape (3,)"),
    "y in a column": ({"X": np.eye(4), "y": Y[:, None]}, "not shape (4, 1)"),
    "one class": ({"X": np.eye(4), "y": Y * 0}, "only class '0'"),
    "measurements": ({"X": np.eye(4), "y": Y + 0.5}, "3 distinct values, not all whole; is this regression?"),
    "missing label": ({"X": np.eye(4), "y": np.array([0, 1, np.nan, np.nan])}, "2 labels that are NaN"),
    "empty label": ({"X": np.eye(4), "y": np.array(["a", "", "b", "a"])}, "1 empty labels"),
    "huge label": ({"X": np.eye(4), "y": np.array([0, 1, 2, 2**64 - 1], np.uint64)}, "beyond 64-bit"),
    "dates": ({"X": np.eye(4), "y": Y.astype("M8[D]")}, "must hold integers or text"),
}


@pytest.mark.parametrize(("arrays", "finding"), BAD_NPZ.values(), ids=BAD_NPZ)
def test_a_bad_npz_is_refused_in_one_line(savez, arrays, finding):
    with pytest.raises(DataError) as caught:
        read_table(savez(**arrays))
    assert finding in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_A24_a_truncated_or_flipped_npz_is_refused_or_unharmed(savez, write):
    whole = savez(X=np.arange(12.0).reshape(4, 3), y=Y).read_bytes()
    good = read_table(write(whole)).fingerprint
    rng = np.random.default_rng(0)
    for end in range(4, len(whole), 41):
        assert read_or_refuse(write(whole[:end])) is None
    for place in rng.integers(4, len(whole), 200).tolist():
        flipped = bytes([whole[place] ^ (1 << int(rng.integers(8)))])
        table = read_or_refuse(write(whole[:place] + flipped + whole[place + 1 :]))
        assert table is None or table.fingerprint == good


def test_an_npz_with_a_pickle_inside_does_not_run_it(tmp_path):
    with zipfile.ZipFile(tmp_path / "t.npz", "w") as archive:
        archive.writestr("X.npy", b"\x80\x04cbuiltins\nprint\n(Vran\ntR.")
        archive.writestr("y.npy", b"")
    with pytest.raises(DataError, match="not a readable npz file"):
        read_table(tmp_path / "t.npz")


# ---- sparse


def parts(X):
    X = scipy.sparse.csr_array(X)
    return {"data": X.data, "indices": X.indices, "indptr": X.indptr, "shape": np.array(X.shape), "format": b"csr"}


DENSE = np.array([[0, 1.5, 0, 2], [0, 0, 0, 0], [3, 0, 4, 0], [0, 5, 6, 7]])


def test_csr_is_read_as_scipy_writes_it(tmp_path, savez):
    scipy.sparse.save_npz(tmp_path / "s.npz", scipy.sparse.csr_matrix(DENSE.astype("f4")))
    with np.load(tmp_path / "s.npz") as written:
        table = read_table(savez(**written, y=Y))
    assert scipy.sparse.issparse(table.X)
    assert table.X.dtype == np.float32
    assert np.array_equal(table.X.toarray(), DENSE)
    assert table.feature_names == ("x1", "x2", "x3", "x4")
    bare = read_table(tmp_path / "s.npz", features=list("abcd"), require_target=False)
    assert bare.y is None
    assert np.array_equal(bare.X.toarray(), DENSE)


def test_unsorted_columns_of_a_row_are_put_in_order(savez):
    whole = parts(DENSE)
    order = [1, 0, 2, 3, 6, 4, 5]
    whole["indices"], whole["data"] = whole["indices"][order], whole["data"][order]
    table = read_table(savez(**whole, y=Y))
    assert table.X.has_canonical_format
    assert np.array_equal(table.X.toarray(), DENSE)
    assert table.fingerprint == read_table(savez(**parts(DENSE), y=Y)).fingerprint


BAD_CSR = {
    "index too large": ({"indices": np.array([1, 3, 0, 2, 1, 2, 4])}, "outside 0 to 3"),
    "index negative": ({"indices": np.array([1, 3, 0, 2, 1, 2, -1])}, "outside 0 to 3"),
    "index far out": ({"indices": np.array([1, 3, 0, 2, 1, 2, 2**40])}, "outside 0 to 3"),
    "column twice": ({"indices": np.array([1, 3, 0, 2, 1, 2, 1])}, "stored twice"),
    "decreasing": ({"indptr": np.array([0, 4, 2, 4, 7])}, "must not decrease"),
    "ends early": ({"indptr": np.array([0, 2, 2, 4, 5])}, "indptr must be 5 numbers from 0 to 7"),
    "begins late": ({"indptr": np.array([1, 2, 2, 4, 7])}, "indptr must be 5 numbers"),
    "too short": ({"indptr": np.array([0, 2, 4, 7])}, "indptr must be 5 numbers"),
    "data longer": ({"data": np.arange(9.0)}, "must be as long as each other"),
    "float indices": ({"indices": np.arange(7.0)}, "must be a list of integers"),
    "huge index": ({"indices": np.full(7, 2**64 - 1, np.uint64)}, "beyond any size"),
    "negative shape": ({"shape": np.array([4, -4])}, "two sizes"),
    "three sizes": ({"shape": np.array([4, 4, 1])}, "two sizes"),
    "csc": ({"format": b"csc"}, "save X.tocsr()"),
    "infinite": ({"data": np.array([1, 2, 3, np.inf, 5, 6, 7])}, "row 3, column x3: inf is not finite"),
}


@pytest.mark.parametrize(("change", "finding"), BAD_CSR.values(), ids=BAD_CSR)
def test_a_bad_csr_is_refused_in_one_line(savez, change, finding):
    with pytest.raises(DataError) as caught:
        read_table(savez(**(parts(DENSE) | change), y=Y))
    assert finding in str(caught.value)


def test_B47_too_many_columns_are_a_matter_of_resources(savez):
    with pytest.raises(ResourceError):
        read_table(savez(**(parts(DENSE) | {"shape": np.array([4, 10**15])}), y=Y))


@pytest.mark.parametrize("seed", range(200))
def test_A28_a_corrupted_csr_is_refused_or_means_what_its_numbers_say(savez, seed):
    rng = np.random.default_rng(seed)
    whole = parts(scipy.sparse.random_array((4, 9), density=0.4, rng=rng))
    key = str(rng.choice(["indices", "indptr", "shape", "data"]))
    array = whole[key] = whole[key].copy()
    odd = [-1, 0, 1, 8, 9, len(whole["data"]), 2**31 - 1, -(2**31), int(rng.integers(-5, 15))]
    match rng.integers(3):
        case 0:
            array[rng.integers(len(array))] = rng.choice(odd)
        case 1:
            whole[key] = array[: rng.integers(len(array))]
        case 2:
            whole[key] = np.concatenate([array, array[-1:]])
    table = read_or_refuse(savez(**whole, y=Y))
    if table is None:
        return
    expected = np.zeros(tuple(whole["shape"]))
    for row, (start, end) in enumerate(pairwise(whole["indptr"].tolist())):
        for k in range(start, end):
            expected[row, whole["indices"][k]] += whole["data"][k]
    assert table.X.has_canonical_format
    assert np.array_equal(table.X @ np.eye(table.X.shape[1]), expected)


# ---- recipe


@pytest.mark.parametrize("recipe", [Recipe.plain(["a", "b é"], "label", "str"), Recipe.plain(["x1"], None, "int")])
def test_a_recipe_survives_json(recipe):
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe


@pytest.mark.parametrize(
    "change",
    [
        {"columns": []},
        {"columns": 0},
        {"columns": ["a", "a"]},
        {"columns": "ab"},
        {"columns": [1]},
        {"columns": [{"name": "a", "kind": "colour"}]},
        {"columns": [{"name": "a", "kind": "category", "levels": []}]},
        {"columns": [{"name": "a", "kind": "category", "levels": ["x", "x"]}]},
        {"columns": [{"name": "a", "fill": "1"}]},
        {"columns": [{"name": "a", "other": 2}]},
        {"columns": [{"name": "a", "more": 2}]},
        {"columns": ["a=x", {"name": "a", "kind": "category", "levels": ["x"]}]},
        {"target": 1},
        {"target": "a"},
        {"label_type": "float"},
        {"label_type": ["int"]},
        {"missing": "guess"},
        {"na": [1]},
        {"base": 2},
        {"version": 3},
        {"more": 1},
    ],
)
def test_a_damaged_recipe_is_a_damaged_model(change):
    whole = Recipe.plain(["a"], "label", "int").to_json()
    assert Recipe.from_json(whole).names == ["a"]
    with pytest.raises(ModelFileError):
        Recipe.from_json(whole | change)
    with pytest.raises(ModelFileError):
        Recipe.from_json(None)
