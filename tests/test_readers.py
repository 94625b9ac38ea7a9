"""Every format, packed or not, in one file or many, is the same table, or one line says why not.

Names carry the numbers of the project's catalogue of bad input (A: format, B: values, C: labels, D: schema).
"""

from __future__ import annotations

import gzip
import io
import math
import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from unittest import mock

import numpy as np
import polars as pl
import pytest
from command_line import environment, softreg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from softreg import workflows
from softreg.errors import DataError, ResourceError, UsageError
from softreg.store import Model
from softreg.tables import Column, TableOptions, delimited, opening, read_table, records, svmlight

FRAME = pl.DataFrame(
    {
        "size": [1.5, None, 4.0, -2e-7, 7.25, 1.0],
        "count": [1, 2, None, 4, 5, 2**53],
        "whole": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        "fragile": [True, False, True, None, True, False],
        "colour": ["red", "blue", None, "red", "gr,een", 'dark "red"'],
        "code": [7, 7, 8, 8, 7, 8],
        "day": [None, *map(str, range(5))],
        "label": ["007", "1.0", "007", "é", "é", "1.0"],
    }
).with_columns(pl.date(2026, 1, pl.int_range(6) % 3 + 1).alias("day"))
OPTIONS = TableOptions(missing="indicator", categorical=("code", "whole"))


@pytest.fixture
def write(tmp_path):
    def write(content, name="t.csv"):
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return tmp_path / name

    return write


def text_of(frame, **options):
    """CSV where whole numbers of floating columns are written as such."""
    return frame.with_columns(pl.col("whole").cast(pl.Int64)).write_csv(**options).encode()


@pytest.fixture
def dresses(tmp_path):
    """The same table in every format; name -> data."""
    text = text_of(FRAME)
    lines = text.splitlines(keepends=True)
    files = {
        "t.csv": text,
        "t.tsv": text_of(FRAME, separator="\t"),
        "bom.csv": b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"),
        "t.csv.gz": gzip.compress(text),
        "t.jsonl": FRAME.write_ndjson().encode(),
        "t.jsonl.gz": gzip.compress(FRAME.write_ndjson().encode()),
        "part-1.csv": b"".join(lines[:4]),
        "part-2.csv": b"".join([lines[0], *lines[4:]]),
        "latin.csv": text.decode().encode("latin-1"),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    FRAME.write_parquet(tmp_path / "t.parquet")
    FRAME.write_parquet(tmp_path / "groups.parquet", row_group_size=2)
    names = ["t.csv", "t.tsv", "bom.csv", "t.csv.gz", "t.jsonl", "t.jsonl.gz", "t.parquet", "groups.parquet"]
    found = {name: str(tmp_path / name) for name in names}
    return found | {
        "glob": str(tmp_path / "part-*.csv"),
        "list": [str(tmp_path / "part-1.csv"), str(tmp_path / "part-2.csv")],
    }


def test_A05_A06_A14_one_table_in_every_format_is_one_model(dresses, tmp_path):
    models = set()
    for data in dresses.values():
        fitted = workflows.fit(data, target="label", options=OPTIONS)
        models.add(fitted.model.to_bytes())
        assert fitted.model.classes.tolist() == ["007", "1.0", "é"]
    assert len(models) == 1
    (bytes_,) = models
    recipe = Model.from_bytes(bytes_).recipe
    assert recipe.columns[2] == Column("whole", "category", levels=("1", "2", "3", "4", "5", "6"))
    assert recipe.columns[3].kind == "boolean"
    assert recipe.columns[6].levels == ("2026-01-01", "2026-01-02", "2026-01-03")


def test_tiny_blocks_make_the_same_table(dresses, monkeypatch):
    whole = {name: read_table(data, "label", options=OPTIONS).fingerprint for name, data in dresses.items()}
    monkeypatch.setattr(records, "BLOCK_BYTES", 16)
    assert {name: read_table(data, "label", options=OPTIONS).fingerprint for name, data in dresses.items()} == whole


@pytest.mark.parametrize("kind", ["t.csv", "t.jsonl", "t.parquet", "t.csv.gz"])
def test_A04_standard_input_and_pipes_are_read_whatever_they_hold(dresses, kind, tmp_path):
    content = Path(dresses[kind]).read_bytes()
    expected = read_table(dresses["t.csv"], "label", options=OPTIONS).fingerprint
    program = (
        "from softreg.tables import TableOptions, read_table\n"
        "options = TableOptions(missing='indicator', categorical=('code', 'whole'))\n"
        "print(read_table('-', 'label', options=options).fingerprint)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=content, capture_output=True, timeout=120, env=environment()
    )
    assert done.stdout.decode().strip() == expected, done.stderr
    if os.name == "posix":
        os.mkfifo(tmp_path / "pipe")
        feeder = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(content))
        feeder.start()
        assert read_table(tmp_path / "pipe", "label", options=OPTIONS).fingerprint == expected
        feeder.join()


# ---- files and formats


def test_A26_content_decides_and_a_wrong_extension_is_noted(dresses, write):
    named = write(Path(dresses["t.parquet"]).read_bytes(), "lies.csv")
    table = read_table(named, "label", options=OPTIONS)
    assert table.fingerprint == read_table(dresses["t.csv"], "label", options=OPTIONS).fingerprint
    assert table.notes[0].startswith("missing") or "lies.csv is read as Parquet" in " ".join(table.notes)
    assert any("lies.csv is read as Parquet, which it is by content" in note for note in table.notes)
    assert not any("is read as" in note for note in read_table(dresses["t.csv"], "label", options=OPTIONS).notes)


def test_several_files_must_have_one_header(write, tmp_path):
    first = write("a,label\n1,x\n2,y\n", "p1.csv")
    with pytest.raises(DataError, match=r"p2\.csv: not the header of .*p1\.csv: no column a"):
        read_table([first, write("b,label\n1,x\n", "p2.csv")], "label")
    with pytest.raises(DataError, match=r"p3\.csv: not the header of .*p1\.csv: the columns are in another order"):
        read_table([first, write("label,a\nx,1\n", "p3.csv")], "label")
    with pytest.raises(DataError, match=r"p4\.csv:3: column 'a': 'z' is not a number"):
        read_table([first, write("a,label\n1,x\nz,x\n", "p4.csv")], "label")
    with pytest.raises(DataError, match="no file matches"):
        read_table(str(tmp_path / "q*.csv"), "label")
    with pytest.raises(DataError, match=r"first in line 2 of .*p5\.csv"):
        read_table([first, write("a,label\n,x\n", "p5.csv")], "label")
    (tmp_path / "odd[1].csv").write_text("a,label\n1,x\n2,y\n")
    assert read_table(tmp_path / "odd[1].csv", "label").n_rows == 2


@pytest.mark.parametrize("keep", [1, 10, 40, -1, -8])
def test_A24_truncated_gzip_and_parquet_are_refused(dresses, write, keep):
    for name in ("t.csv.gz", "t.parquet"):
        content = Path(dresses[name]).read_bytes()
        with pytest.raises((DataError, UsageError)) as caught:
            read_table(write(content[:keep], name), "label", options=OPTIONS)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("seed", range(60))
def test_A24_a_damaged_parquet_file_is_refused_in_one_line(dresses, write, seed, capfd):
    rng = np.random.default_rng(seed)
    content = bytearray(Path(dresses["t.parquet"]).read_bytes())
    for place in rng.integers(4, len(content) - 4, 3).tolist():
        content[place] = int(rng.integers(256))
    try:
        read_table(write(bytes(content), "t.parquet"), "label", options=OPTIONS)
    except (DataError, UsageError, ResourceError) as error:
        assert "\n" not in str(error)  # noqa: PT017
    assert capfd.readouterr().err == ""


def test_A25_a_gzip_bomb_is_refused_while_it_unpacks(write, monkeypatch):
    monkeypatch.setattr(opening, "LEAST_BOMB", 1 << 20)
    path = write(gzip.compress(b"a,b,label\n" + b"0,0,x\n0,0,y\n" * 1_000_000), "t.csv.gz")
    with pytest.raises(ResourceError, match="grows more than 250 times"):
        read_table(path, "label")


def test_A25_an_npz_bomb_is_refused_by_its_header(tmp_path):
    def header(shape):
        memory = io.BytesIO()
        np.lib.format.write_array_header_1_0(memory, {"descr": "<f8", "fortran_order": False, "shape": shape})
        return memory.getvalue()

    with zipfile.ZipFile(tmp_path / "t.npz", "w") as archive:
        archive.writestr("X.npy", header((10**6, 10**6)))
    with pytest.raises(DataError, match=r"array X claims 8 TB and holds 128 bytes"):
        read_table(tmp_path / "t.npz")
    with zipfile.ZipFile(tmp_path / "t.npz", "w") as archive:
        archive.writestr("X.npy", header((-1, 4)))
    with pytest.raises(DataError, match="not a readable npz file"):
        read_table(tmp_path / "t.npz")


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory")
def test_A25_a_parquet_bomb_is_refused_before_room_is_made(tmp_path):
    n = 30_000_000
    column = pl.LazyFrame({"a": [0.5]}).select(pl.repeat(0.5, n).alias("a"))
    column.with_columns([pl.lit(0.5).alias(f"b{i}") for i in range(30)] + [pl.lit("x").alias("label")]).sink_parquet(
        tmp_path / "bomb.parquet"
    )
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))\n"
        "from softreg.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    argv = [sys.executable, "-c", program, "fit", str(tmp_path / "bomb.parquet"), "--target", "label"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, env=environment())
    assert done.returncode == 7, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "of memory are free" in done.stderr


def test_A33_types_of_parquet_are_numbers_text_or_refused_by_name(tmp_path):
    kinds = {
        "u64": pl.Series([2**60, 1, 2], dtype=pl.UInt64),
        "i8": pl.Series([-128, 1, 2], dtype=pl.Int8),
        "f32": pl.Series([0.5, 0.25, 1], dtype=pl.Float32),
        "decimal": pl.Series(["1.10", "2.25", "3.00"]).cast(pl.Decimal(10, 2)),
        "category": pl.Series(["u", "v", "u"], dtype=pl.Categorical),
        "moment": pl.Series(["2026-01-02T03:04:05"] * 3).str.to_datetime(),
        "label": pl.Series(["x", "y", "x"]),
    }
    pl.DataFrame(kinds).write_parquet(tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet", "label")
    assert table.X[:, :4].tolist() == [[2.0**60, -128, 0.5, 1.1], [1, 1, 0.25, 2.25], [2, 2, 1, 3]]
    assert table.feature_names[4:] == ("category=u", "category=v", "moment=2026-01-02T03:04:05")
    pl.DataFrame(kinds | {"many": pl.Series([[1], [2, 3], []])}).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"column 'many' holds values of type List\(Int64\)"):
        read_table(tmp_path / "t.parquet", "label")
    pl.DataFrame(kinds | {"none": pl.Series([None] * 3, dtype=pl.Null)}).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match="3 in 'none'"):
        read_table(tmp_path / "t.parquet", "label")


def test_A34_parquet_without_rows_or_with_many_groups(tmp_path):
    frame = pl.DataFrame({"a": np.arange(3000.0) % 7, "label": ["x", "y"] * 1500})
    frame.head(0).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match="no data rows"):
        read_table(tmp_path / "t.parquet", "label")
    frame.write_parquet(tmp_path / "t.parquet", row_group_size=1)
    assert read_table(tmp_path / "t.parquet", "label").X[:, 0].tolist() == frame["a"].to_list()


BAD_JSON = {
    "cut": ('{"a": 1, "label": "x"}\n{"a": 2', "t.jsonl:2: not JSON"),
    "a list": ('{"a": 1, "label": "x"}\n[1]\n', "t.jsonl:2: a line must hold an object"),
    "nested": ('{"a": 1, "label": "x"}\n\n{"a": [1], "label": "y"}\n', "t.jsonl:3: column 'a' holds a list"),
    "twice": ('{"a": 1, "a": 2, "label": "x"}\n', "t.jsonl:1: key 'a' stands twice"),
    "NaN": ('{"a": NaN, "label": "x"}\n', "t.jsonl:1: NaN is not JSON"),
    "infinite": ('{"a": 1, "label": "x"}\n{"a": 1e400, "label": "y"}\n', "t.jsonl:2: column 'a': 'inf' is not finite"),
    "bytes": (b'{"a": 1, "label": "\xe9"}\n', "t.jsonl:1: not UTF-8"),
    "deep": ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "t.jsonl:1:"),
}


@pytest.mark.parametrize(("content", "finding"), BAD_JSON.values(), ids=BAD_JSON)
def test_A09_bad_json_lines_are_refused_in_one_line(write, content, finding):
    with pytest.raises(DataError) as caught:
        read_table(write(content, "t.jsonl"), "label")
    assert finding in str(caught.value)
    assert "\n" not in str(caught.value)


def test_json_lines_may_leave_out_what_is_missing(write):
    path = write('{"a": 1, "label": "x"}\n{"b": true, "label": "y"}\n{"label": "x", "a": 3.0, "b": false}\n', "t.jsonl")
    table = read_table(path, "label", options=TableOptions(missing="median"))
    assert table.feature_names == ("a", "b")
    assert table.X.tolist() == [[1, 0.5], [2, 1], [3, 0]]
    assert [table.line(r) for r in range(3)] == [1, 2, 3]


# ---- how text is read


def test_A07_A08_encodings_are_named_or_given(write):
    latin = write("a,label\n1,caf\u00e9\n2,x\n".encode("latin-1"))
    with pytest.raises(DataError, match="--encoding latin-1"):
        read_table(latin, "label")
    assert read_table(latin, "label", options=TableOptions(encoding="latin-1")).y.tolist() == ["café", "x"]
    utf16 = write("a,label\n1,x\n2,é\n".encode("utf-16"), "u.csv")
    with pytest.raises(DataError, match="--encoding utf-16"):
        read_table(utf16, "label")
    assert read_table(utf16, "label", options=TableOptions(encoding="utf-16")).y.tolist() == ["x", "é"]
    with pytest.raises(DataError, match="not ascii text"):
        read_table(latin, "label", options=TableOptions(encoding="ascii"))
    with pytest.raises(UsageError, match="no such encoding"):
        TableOptions(encoding="latin-99")


def test_A15_separators_are_found_or_given(write):
    for separator in ",;\t|":
        table = read_table(write(f"a{separator}label\n1{separator}x\n2{separator}y\n"), "label")
        assert table.X.tolist() == [[1], [2]]
    table = read_table(write("a:label\n1:x\n2:y\n"), "label", options=TableOptions(delimiter=":"))
    assert table.X.tolist() == [[1], [2]]
    assert table.recipe.delimiter == ":"
    with pytest.raises(UsageError, match="one character"):
        TableOptions(delimiter="::")


def test_A16_decimal_commas_are_hinted_at_and_read(write):
    path = write("a;b;label\n1,5;2;x\n-3,25;4e2;y\n")
    with pytest.raises(DataError, match=r"'1,5' is not a number \(--decimal ,"):
        read_table(path, "label")
    assert read_table(path, "label", options=TableOptions(decimal=",")).X.tolist() == [[1.5, 2], [-3.25, 400]]
    with pytest.raises(DataError, match=r"'1\.500' is not a number"):
        read_table(write("a;label\n1,5;x\n1.500;y\n"), "label", options=TableOptions(decimal=","))


@pytest.mark.parametrize("text", ["1 000", "$5", "5 %", "0x10", "1_000", "1,000.5", "1.000,5", "nan", "1e999"])
def test_A17_numbers_in_dress_are_no_categories(write, text):
    with pytest.raises(DataError, match=r"t\.csv:2: column 'a'"):
        read_table(write(f'a,label\n"{text}",x\n"{text}",y\n'), "label")


def test_A21_the_target_by_position_without_a_header(write):
    path = write("1,2,x\n3,4,y\n")
    options = TableOptions(header=False)
    table = read_table(path, "3", options=options)
    assert table.feature_names == ("x1", "x2")
    assert table.X.tolist() == [[1, 2], [3, 4]]
    assert table.recipe.target == "x3"
    assert not table.recipe.header
    assert table.line(0) == 1
    for bad in ("0", "4", "-1", "label"):
        with pytest.raises(UsageError, match="a number from 1 to 3"):
            read_table(path, bad, options=options)
    again = read_table(path, recipe=table.recipe)
    assert again.fingerprint == table.fingerprint


def test_D67_a_first_line_of_numbers_is_no_header(write):
    with pytest.raises(DataError, match=r"t\.csv:1: the first line holds numbers .*--no-header"):
        read_table(write("1.5,2,0\n3,4,1\n"), "0")
    assert read_table(write("0,1,2\n3,4,1\n5,6,2\n"), "2").feature_names == ("0", "1")


@given(st.lists(st.tuples(st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=6)), min_size=1))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_B45_any_numbers_and_text_are_one_table_in_csv_json_and_parquet(tmp_path, rows):
    # CSV knows neither a NUL nor bare surrogates, and no cell that is empty text.
    rows = [(x, "".join(c for c in text if c not in "\0\r") or "-") for x, text in rows]
    rows = [(x, text) for x, text in rows if "\ufeff" not in text] or [(0.0, "-")]
    frame = pl.DataFrame({"a": [x for x, _ in rows], "label": [text for _, text in rows]})
    frame.write_csv(tmp_path / "t.csv", quote_style="always")
    frame.write_ndjson(tmp_path / "t.jsonl")
    frame.write_parquet(tmp_path / "t.parquet")
    tables = [read_table(tmp_path / name, "label", features=["a"]) for name in ("t.csv", "t.jsonl", "t.parquet")]
    assert len({table.fingerprint for table in tables}) == 1
    assert tables[0].X[:, 0].tobytes() == frame["a"].to_numpy().tobytes()


# ---- svmlight


SVM = "# made by hand\n+1 1:0.5 3:2 # a comment\n-1 2:1e-3\n\n1.0\n-1 1:1\t4:5\r\n"


def test_A29_A32_svmlight_is_read_with_comments_and_its_base_is_kept(write, tmp_path):
    table = read_table(write(SVM, "t.svm"))
    assert table.X.toarray().tolist() == [[0.5, 0, 2, 0], [0, 1e-3, 0, 0], [0, 0, 0, 0], [1, 0, 0, 5]]
    assert table.y.tolist() == [1, -1, 1, -1]
    assert [table.line(r) for r in range(4)] == [2, 3, 5, 6]
    assert table.recipe.base == 1
    zero = read_table(write("1 0:1 2:3\n2 1:1\n", "z.svm"))
    assert zero.recipe.base == 0
    assert zero.X.toarray().tolist() == [[1, 0, 3], [0, 1, 0]]
    # A file without its first column is read by the model's base, not by its own.
    assert read_table(write("1 1:7\n", "o.svm"), recipe=zero.recipe).X.toarray().tolist() == [[0, 7, 0]]
    with pytest.raises(DataError, match=r"index 0, where the model's first index is 1"):
        read_table(write("1 0:7\n", "o.svm"), recipe=table.recipe)


@pytest.mark.parametrize("block", [8, 1 << 21])
def test_svmlight_equals_the_matrix_that_was_written(write, monkeypatch, block):
    monkeypatch.setattr(svmlight, "BLOCK_BYTES", block)
    rng = np.random.default_rng(0)
    X = np.where(rng.random((60, 30)) < 0.2, rng.normal(size=(60, 30)) * 10.0 ** rng.integers(-9, 9), 0)
    X[0, 29] = 1.0
    y = rng.integers(0, 3, 60)
    lines = [
        f"{label} " + " ".join(f"{j + 1}:{x!r}" for j, x in enumerate(row.tolist()) if x)
        for row, label in zip(X, y.tolist(), strict=True)
    ]
    table = read_table(write("\n".join(lines), "t.svm"))
    assert table.X.toarray().tobytes() == X.tobytes()
    assert table.y.tolist() == y.tolist()
    half = [write("\n".join(lines[:30]), "h1.svm"), write("\n".join(lines[30:]), "h2.svm")]
    assert read_table(half).fingerprint == table.fingerprint
    assert read_table(write(gzip.compress("\n".join(lines).encode()), "t.svm.gz")).fingerprint == table.fingerprint


def test_svmlight_is_recognised_by_the_longest_lines(write):
    row = " ".join(f"{j}:0.123456789" for j in range(1, 20_000))
    assert read_table(write(f"1 {row}\n2 {row}\n", "t.svm")).X.shape == (2, 19_999)


BAD_SVM = {
    "unsorted": ("1 3:1 2:1\n2 1:1\n", "t.svm:1: index 2 after 3"),
    "twice": ("1 1:1\n2 1:1 1:2\n", "t.svm:2: index 1 after 1"),
    "negative": ("1 1:1\n1 -1:3\n", "t.svm:2: '-1' is no index"),
    "qid": ("1 1:1\n2 qid:3 1:1\n", "t.svm:2: 'qid' is no index"),
    "no value": ("1 1:1\n2 1: 3\n", "t.svm:2: '1:' where a label must be or without a value"),
    "nan": ("1 1:1\n2 1:nan\n", "t.svm:2: 'nan' is not a finite number"),
    "a word": ("1 1:1\n2 1:red\n", "t.svm:2: 'red' is not a finite number"),
    "no label": ("1 1:1\n1:2 2:3\n", "t.svm:2: '1:' where a label must be"),
    "a lone token": ("1 1:1\n2 3 1:1\n", "t.svm:2: '3' is no index:value"),
    "two labels": ("1 1:1\n1,2 1:3\n", "t.svm:2: several labels '1,2'"),
    "NUL": ("1 1:1\n2 1:1 \0\n", "t.svm:2: a NUL byte"),
    "one class": ("1 1:1\n1 1:2\n", "only class '1'"),
}


@pytest.mark.parametrize(("content", "finding"), BAD_SVM.values(), ids=BAD_SVM)
def test_A30_A32_bad_svmlight_is_refused_with_its_line(write, content, finding):
    with pytest.raises(DataError) as caught:
        read_table(write(content, "t.svm"))
    assert finding in str(caught.value)


@pytest.mark.parametrize("index", [2**31 - 1, 2**32 + 1, 10**8])
def test_A31_a_huge_index_is_a_matter_of_resources(write, index):
    path = write(f"1 1:1\n2 {index}:1\n", "t.svm")
    with pytest.raises(ResourceError, match=f"index {index} makes {index} features"):
        read_table(path)
    recipe = read_table(write("1 1:1\n2 3:1\n", "u.svm")).recipe
    table = read_table(path, recipe=recipe)
    assert table.X.toarray().tolist() == [[1, 0, 0], [0, 0, 0]]
    assert any("1 entry beyond index 3" in note for note in table.notes)
    with pytest.raises(ResourceError, match="at most 2; --max-features 3"):
        read_table(write("1 1:1\n2 3:1\n", "u.svm"), options=TableOptions(max_features=2))
    with pytest.raises(UsageError, match="has no named columns"):
        read_table(write("1 1:1\n2 3:1\n", "u.svm"), options=TableOptions(drop=("x1",)))


@given(st.binary(max_size=40), st.integers(0, len(SVM)))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_A09_no_bytes_make_a_reader_fail_in_its_own_way(write, noise, place):
    for content in (
        SVM.encode(),
        b'{"a": 1, "label": "x"}\n{"a": 2, "label": "y"}\n',
        gzip.compress(b"a,label\n1,x\n2,y\n"),
    ):
        try:
            table = read_table(write(content[:place] + noise + content[place:], "t.txt"), "label")
        except (DataError, ResourceError, UsageError) as error:
            assert len(str(error).splitlines()) == 1  # noqa: PT017
        else:
            assert table.n_rows == len(table.y)


# ---- the command line


def test_a_fit_of_a_list_of_files_says_what_it_understood(dresses, capsys, tmp_path):
    done = softreg(
        capsys, "fit", *dresses["list"], "--target", "label", "--missing", "indicator", "--categorical", "code,whole",
        "--output", tmp_path / "m.softreg",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "part-1.csv: 6 rows, 2 numeric columns, 1 true/false, 4 of text" in done.err
    assert softreg(capsys, "verify", tmp_path / "m.softreg", dresses["t.parquet"]).code == 0


def test_B36_missing_cells_are_counted_and_the_flag_to_add_is_named(dresses, capsys):
    done = softreg(capsys, "fit", dresses["t.csv"], "--target", "label")
    assert done.code == 3
    assert "1 in 'size' (first in line 3), 1 in 'count' (first in line 4)" in done.error
    assert "--missing mean" in done.error


CELLS = st.sampled_from(
    [
        "1",
        "-2.5",
        "1e3",
        "",
        " ",
        " 3",
        "nan",
        "inf",
        "1e999",
        "a",
        "NA",
        "true",
        "007",
        "1_0",
        "0x1",
        "+1",
        ".5",
        "5.",
        "#",
    ]
)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(2, 5).flatmap(lambda p: st.lists(st.lists(CELLS, min_size=p, max_size=p), min_size=1, max_size=12)),
    st.sampled_from(["", "short", "long", "both", "blank", "return", "quote"]),
)
def test_a_block_parsed_as_it_lies_holds_the_cells_that_one_cut_up_holds(rows, flaw):
    lines = [",".join(row) for row in rows]
    if flaw in ("short", "both"):
        lines[len(lines) // 2] = lines[len(lines) // 2].rsplit(",", 1)[0]
    if flaw in ("long", "both"):
        lines[-1] += ",9"
    if flaw == "blank":
        lines.insert(len(lines) // 2, "")
    if flaw == "return":
        lines[0] += "\r"
    if flaw == "quote":
        lines[0] = '"b"' + lines[0][lines[0].index(",") :]
    p = len(rows[0])
    columns, others = list(range(0, p, 2)), list(range(1, p, 2))
    block = records.Block("".join(line + "\n" for line in lines).encode(), range(2, 2 + len(lines)))

    def read(narrow):
        cells = delimited.DelimitedCells("t.csv", block, b",", p, ".", True)
        with mock.patch.object(delimited, "NARROW", narrow):
            try:
                numbers = cells.numbers(columns)
                return numbers.tolist(), [cells.text(j).to_list() for j in others]
            except DataError as error:
                return str(error)

    assert repr(read(0)) == repr(read(math.inf))
