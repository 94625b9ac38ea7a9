"""The project's catalogue of bad input, through the command line: each entry by its number, each with its answer.

A is what lies in a file, B its values, C its labels, D what a table must share with that of training.  An entry that is
refused says so in one line, with the exit code of its kind and nothing else touched; one that is not works, and says
what a user should know.  More of each is in ``test_tables``, ``test_readers`` and ``test_recipe``, by the same numbers.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import shutil
import threading
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from command_line import softreg

from softreg.estimators import SoftmaxRegression
from softreg.store import Model
from softreg.tables import Found, TableOptions, opening, read_batches, read_table
from softreg.tables.parquet import Parquet


def rows(*cells: str, header: str = "a,b,label") -> bytes:
    return "\n".join([header, *cells, ""]).encode()


def npz(**arrays: object) -> bytes:
    held = io.BytesIO()
    np.savez(held, **{name: np.asarray(array) for name, array in arrays.items()})
    return held.getvalue()


def parquet(**columns: object) -> bytes:
    held = io.BytesIO()
    pl.DataFrame(columns).write_parquet(held)
    return held.getvalue()


def archive(**members: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return held.getvalue()


def labels(*texts: str, n: int = 6) -> bytes:
    return rows(*(f"{i},{i % 3},{texts[i % len(texts)]}" for i in range(n)))


def npy_that_claims(shape: tuple[int, ...]) -> bytes:
    held = io.BytesIO()
    np.lib.format.write_array_header_1_0(held, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return held.getvalue()


@dataclass(frozen=True)
class Case:
    """A file, what is done with it, and the answer: exit code, and texts that are in it (``not_says``: are not)."""

    content: bytes
    says: str | tuple[str, ...] = ()
    code: int = 3
    flags: tuple[str, ...] = ()
    name: str = "t.csv"
    verb: str = "fit"
    model: str = "table"
    not_says: str = ""

    @property
    def texts(self) -> tuple[str, ...]:
        return (self.says,) if isinstance(self.says, str) else self.says


@dataclass
class Catalogue:
    """Cases by their number; a number may have several, told apart by a word."""

    cases: dict[str, Case] = field(default_factory=dict)

    def add(
        self, entry: str, /, content: bytes, says: str | tuple[str, ...] = (), code: int = 3, **more: object
    ) -> None:
        assert entry not in self.cases, entry
        self.cases[entry] = Case(content, says, code, **more)  # type: ignore[arg-type]


GOOD = rows("1,2,x", "2,1,y", "3,5,x", "1,4,y")
#: The table that the models of the D entries are trained on.
TRAINING = rows("1,2,red,x", "2,1,blue,y", "3,5,red,x", "1,4,blue,y", header="a,b,c,label")
Y = [0, 1, 0, 1]
XY = ["x", "y", "x"]
SVM = b"1 1:1 3:2\n2 2:1\n"
PARQUET = parquet(a=[1.0, 2.0, 3.0], label=XY)
NPZ = npz(X=np.eye(4), y=Y)
PACKED = gzip.compress(GOOD)
CSR = {"data": np.ones(2), "indices": [0, 3], "indptr": [0, 1, 2], "shape": [2, 4], "format": b"csr", "y": [0, 1]}

known = Catalogue()
add = known.add

# --- A: the file ---------------------------------------------------------------------------------------------------

add("A01-empty", b"", "t.csv: the file is empty")
add("A01-empty-gzip", gzip.compress(b""), "the file is empty", name="t.csv.gz")
add("A01-empty-json", b"\n", "blank lines only", name="t.jsonl")
add("A01-empty-to-predict", b"", "the file is empty", verb="predict")
add("A02-blank-lines", b"\n\r\n\n", "blank lines only")
add("A03-header-only", b"a,b,label\n", "t.csv: no data rows below the header")
add("A03-header-only-to-predict", b"a,b,c\n", "no data rows below the header", verb="predict")
add("A05-byte-order-mark", b"\xef\xbb\xbf" + GOOD, "2 numeric columns", code=0)
add("A06-crlf", GOOD.replace(b"\n", b"\r\n"), "4 rows", code=0)
add("A06-cr", GOOD.replace(b"\n", b"\r"), "4 rows", code=0)
add("A06-mixed-no-final-end", b"a,b,label\r\n1,2,x\n2,1,y\r\n3,5,x", "3 rows", code=0)
add("A07-latin-1", rows("1,2,x", "1,2,caf\xe9").decode().encode("latin-1"), ("t.csv:3", "offset 23", "--encoding"))
add("A07-latin-1-given", "a,label\n1,\xe9\n2,y\n".encode("latin-1"), "y 1, \xe9 1", 0, flags=("--encoding", "latin-1"))
add("A08-utf-16", GOOD.decode().encode("utf-16"), "UTF-16 text (--encoding utf-16)")
add("A08-utf-32", GOOD.decode().encode("utf-32"), "UTF-32 text (--encoding utf-32)")
add("A08-utf-16-without-mark", GOOD.decode().encode("utf-16-be"), "is this UTF-16 (--encoding utf-16-be)?")
add("A08-utf-16-given", GOOD.decode().encode("utf-16"), "4 rows", code=0, flags=("--encoding", "utf-16"))
add("A09-png", b"\x89PNG\r\n\x1a\n" + bytes(99), "looks like a PNG picture")
add("A09-pdf", b"%PDF-1.7\n", "looks like a PDF")
add("A09-zip", archive(**{"t.csv": GOOD}), "a zip archive: unpack it first; it holds t.csv")
add(
    "A09-excel", archive(**{"[Content_Types].xml": b"", "xl/workbook.xml": b""}), "save the sheet as CSV", name="t.xlsx"
)
add("A09-noise", bytes(range(200, 256)) * 9 + bytes(9), "not text at all")
add("A09-json-array", b'[{"a": 1, "label": "x"}]', "a JSON array", name="t.json")
add("A10-nul", rows("1,2,x", "1,\0,y"), "t.csv:3: a NUL byte in column 2")
add("A11-short-row", rows("1,2,x", "1,2"), "t.csv:3: 2 cells, but the header has 3")
add("A11-short-row-json", b'{"a": 1, "label": "x"}\n{"label": "y"}\n', "empty cells: 1 in 'a'", name="t.jsonl")
add("A12-long-row", rows("1,2,x", "1,2,y,3"), "t.csv:3: 4 cells, but the header has 3")
add("A12-new-key", b'{"a": 1, "label": "x"}\n' * 5000 + b'{"b": 1}\n', "t.jsonl:5001: key 'b' is new", name="t.jsonl")
add("A13-open-quote", rows("1,2,x", '1,"2,y', "1,2,y"), "t.csv:3: a quoted field opens here and never closes")
add("A14-quoted-line-end", rows('1,2,"x\n1"', "1,z,y", "3,4,y"), "t.csv:4: column 'b': 'z'")
add("A15-semicolons", GOOD.replace(b",", b";"), "2 numeric columns", code=0)
add("A15-tabs", GOOD.replace(b",", b"\t"), "2 numeric columns", code=0)
add("A15-colons", GOOD.replace(b",", b":"), "one column only, 'a:b:label': is the separator another? (--delimiter :)")
add("A15-wrong-separator", GOOD, "(--delimiter ,)", flags=("--delimiter", ";"))
add(
    "A16-decimal-comma",
    rows("1,5;2;x", "2;1;y", header="a;b;label"),
    "t.csv:2: column 'a': '1,5' is not a number (--dec",
)
add(
    "A16-decimal-comma-given", rows("1,5;2;x", "2;1;y", header="a;b;label"), "2 numeric columns", 0,
    flags=("--decimal", ","),
)  # fmt: skip
for word, text in {
    "thousands": '"1,000,000"',
    "dollars": "$5",
    "percent": "5 %",
    "underscore": "1_000",
    "hex": "0x10",
}.items():
    add(f"A17-{word}", rows("1,2,x", f"{text},2,y"), "t.csv:3: column 'a'")
add("A18-name-twice", rows("1,2,x", "2,1,y", header="a,a,label"), "t.csv:1: 2 columns are named 'a'")
add("A19-no-name", rows("1,2,x", "2,1,y", header="a,,label"), "t.csv:1: column 2 has no name")
add("A19-blank-name", rows("1,2,x", "2,1,y", header="a,  ,label"), "t.csv:1: column 2 has no name")
add("A19-long-name", rows("1,2,x", "z,1,y", header="n" * 1_000_000 + ",b,label"), "nnn\u2026nnn")
add("A19-controls-in-name", rows("1,2,x", "z,1,y", header="\x1b[2Ja,b,label"), r"column '\x1b[2Ja'")
add("A20-no-such-target", GOOD.replace(b"label", b"lable"), "no column 'label' (did you mean 'lable'?); columns: a, b")
add("A21-position-out-of-range", b"1,2,x\n3,4,y\n", "--target 9", 2, flags=("--no-header", "--target", "9"))
add("A21-position-negative", b"1,2,x\n3,4,y\n", "--target -1", 2, flags=("--no-header", "--target", "-1"))
add("A21-position-that-is-no-name", GOOD, "no column '3'; columns: a, b, label", flags=("--target", "3"))
add("A22-a-cell-of-8-MB", rows("1,u,x", "2," + "z" * (1 << 23) + ",y"), "1 of text (2 levels)", code=0)
add("A23-cut-in-the-last-row", GOOD[:-4], "t.csv:5: 2 cells, but the header has 3 (cut short?)")
add("A24-gzip", PACKED[:-10], "t.csv.gz: the gzip file is cut short", name="t.csv.gz")
add("A24-gzip-flipped", PACKED[:30] + bytes([PACKED[30] ^ 255]) + PACKED[31:], "is damaged", name="t.csv.gz")
add("A24-npz", NPZ[:-20], "t.npz: not a readable npz file", name="t.npz")
add("A24-parquet", PARQUET[:-20], "t.parquet: the Parquet file is damaged or cut short", name="t.parquet")
add("A24-parquet-middle", PARQUET[:40] + PARQUET[60:], "not a readable Parquet file", name="t.parquet")
add("A24-svmlight", gzip.compress(SVM * 99)[:-10], "the gzip file is cut short", name="t.svm.gz")
add("A25-npz-claims", archive(**{"X.npy": npy_that_claims((10**6, 10**6))}), "claims 8 TB and holds", name="t.npz")
add("A26-parquet-named-csv", PARQUET, "t.csv is read as Parquet, which it is by content", code=0)
add("A26-csv-named-npz", GOOD, "t.npz is read as delimited text", 0, flags=("--target", "label"), name="t.npz")
add("A26-gzip-named-csv", PACKED, "4 rows", code=0)
add("A26-json-named-csv", b'{"a":1,"label":"x"}\n{"a":2,"label":"y"}\n', "t.csv is read as JSON lines", code=0)
add("A27-no-X", npz(data=np.eye(4), labels=Y), "neither a key X nor a sparse matrix", name="t.npz")
add("A27-objects", npz(X=np.array([[1], [None]], dtype=object), y=[0, 1]), "X holds Python objects", name="t.npz")
add("A27-three-axes", npz(X=np.zeros((4, 2, 2)), y=Y), "X must be a 2-D array", name="t.npz")
add("A27-y-of-two-axes", npz(X=np.eye(4), y=np.eye(4)), "y must have one label for each of 4 rows", name="t.npz")
add("A27-text", npz(X=[["a"]] * 4, y=Y), "X must be a 2-D array of numbers; keys: X <U1 (4, 1)", name="t.npz")
add("A28-indices", npz(**CSR | {"indices": [0, 4]}), "outside 0 to 3", name="t.npz")
add("A28-indptr", npz(**CSR | {"indptr": [0, 3, 2]}), "must not decrease", name="t.npz")
add("A28-lengths", npz(**CSR | {"data": np.ones(9)}), "must be as long as each other", name="t.npz")
add(
    "A29-another-base",
    b"1 0:1 1:1\n",
    "index 0, where the model's first index is 1",
    name="p.svm",
    verb="predict",
    model="svm",
)
add("A30-unsorted", b"1 1:1\n1 3:1 2:1\n2 1:1\n", "t.svm:2: index 2 after 3", name="t.svm")
add("A30-twice", b"1 1:1\n2 1:1 1:2\n", "t.svm:2: index 1 after 1", name="t.svm")
add("A30-negative", b"1 1:1\n2 -1:1\n", "t.svm:2: '-1' is no index", name="t.svm")
for index in (2**31 - 1, 2**32 + 1):
    add(f"A31-{index}", f"1 1:1\n2 {index}:1\n".encode(), (f"makes {index} features", "GB"), 7, name="t.svm")
add("A32-comments", b"# one\n1 1:1 # two\n2 2:1\n", "2 rows", code=0, name="t.svm")
add("A32-qid", b"1 qid:1 1:1\n2 qid:2 2:1\n", "t.svm:1: 'qid' is no index", name="t.svm")
add("A32-no-value", b"1 1:\n2 2:1\n", "t.svm:1: '1:'", name="t.svm")
add("A32-labels-only", b"1\n2\n1\n", "t.svm: labels only", name="t.svm")
add("A32-a-label-alone-is-a-row-of-zeros", b"1\n2 2:1\n1 1:1\n", "3 rows", code=0, name="t.svm")
for word, column in {
    "list": [[1], [2, 3], []], "struct": [{"u": 1}] * 3, "binary": [b"x", b"y", b"z"],
    "duration": pl.Series([1, 2, 3]).cast(pl.Duration),
}.items():  # fmt: skip
    add(f"A33-{word}", parquet(a=column, label=XY), ("'a' holds values of type", "--drop a"), name="t.parquet")
    add(
        f"A33-{word}-as-target",
        parquet(a=[1, 2, 3], label=column),
        ("'label' holds values of type", "(save it as text, or name another --target)"),
        name="t.parquet",
        not_says="--drop",
    )
    add(
        f"A33-{word}-as-weight",
        parquet(a=[1, 2, 3], w=column, label=XY),
        "(save it as numbers, or name another --weight-col)",
        flags=("--weight-col", "w"),
        name="t.parquet",
        not_says="--drop",
    )
    for verb in ("predict", "evaluate"):
        add(
            f"A33-{word}-to-{verb}",
            parquet(a=column, b=[1, 2, 3], c=[1, 2, 3], label=XY),
            "(save it as numbers or text, as it was for the fit)",
            verb=verb,
            name="t.parquet",
            not_says="--drop",
        )
for word, column in {
    "decimal": pl.Series(["1.10", "2.25", "3.00"]).cast(pl.Decimal(10, 2)),
    "uint64": pl.Series([1, 2, 3], dtype=pl.UInt64),
    "float32": pl.Series([0.5, 1, 2], dtype=pl.Float32),
}.items():  # fmt: skip
    add(f"A33-{word}", parquet(a=column, label=XY), "1 numeric column", code=0, name="t.parquet")
for word, column in {
    "date": pl.Series([1, 2, 3]).cast(pl.Date), "dictionary": pl.Series(["u", "v", "u"], dtype=pl.Categorical),
}.items():  # fmt: skip
    add(f"A33-{word}", parquet(a=column, label=XY), "1 of text", code=0, name="t.parquet")
add(
    "A33-null",
    parquet(a=pl.Series([None] * 3, dtype=pl.Null), b=[1, 2, 3], label=XY),
    "'a' has no value",
    name="t.parquet",
)
add(
    "A34-no-rows",
    parquet(a=pl.Series([], dtype=pl.Float64), label=pl.Series([], dtype=pl.String)),
    "no data rows",
    name="t.parquet",
)

# --- B: values -----------------------------------------------------------------------------------------------------

add("B36-empty-cell", rows("1,,x", "2,1,y"), ("1 in 'b' (first in line 2)", "--missing mean", "--missing drop "))
add("B36-word", rows("1,NA,x", "2,1,y"), ("t.csv:2: column 'b': 'NA' is not a number", "--na NA"))
add("B36-json", b'{"a":null,"label":"x"}\n{"a":1,"label":"y"}\n', "1 in 'a' (first in line 1)", name="t.jsonl")
add("B36-parquet", parquet(a=[1.0, None, float("nan")], label=XY), "2 in 'a' (first in line 2)", name="t.parquet")
add("B36-npz", npz(X=[[1, np.nan], [1, 2]], y=[0, 1]), "row 1, column x2: nan is not finite", name="t.npz")
add("B36-svmlight", b"1 1:nan\n2 1:1\n", "t.svm:1: 'nan' is not a finite number", name="t.svm")
for way in ("mean", "median", "indicator", "drop"):
    add(f"B36-{way}", rows("1,,x", "2,1,y", "3,4,x"), "missing", code=0, flags=("--missing", way))
add("B37-infinity", rows("1,inf,x", "2,1,y"), "t.csv:2: column 'b': 'inf' is not finite")
add("B37-1e400", rows("1,2,x", "1,1e400,y"), "t.csv:3: column 'b': '1e400' is not finite")
add("B37-parquet", parquet(a=[1.0, float("-inf"), 2.0], label=XY), "t.parquet:2: column 'a': '-inf'", name="t.parquet")
add("B37-npz", npz(X=[[1, np.inf], [1, 2]], y=[0, 1]), "row 1, column x2: inf is not finite", name="t.npz")
add("B38-1e300", rows("1,2,x", "2,1,y", "1e300,2,x"), "t.csv:4: column 'a': '1e300' is too large to be squared")
add(
    "B38-npz",
    npz(X=[[1, 2], [1e300, 2]], y=[0, 1]),
    "row 2, column x1: 1e+300 is too large to be squared",
    name="t.npz",
)
add("B38-npz-float16", npz(X=np.float16([[1, 2], [6e4, 2]]), y=[0, 1]), "2 rows", 0, name="t.npz")
add("B38-svmlight", b"1 1:1\n2 2:3\n2 1:1 3:-1e300\n", "t.svm:3: index 3: -1e+300 is too large", name="t.svm")
add("B38-svmlight-to-predict", b"1 1:1 3:1e300\n", "prediction", 0, verb="predict", name="t.svm", model="svm")
add("B40-constant-column", rows("1,2,x", "1,1,y", "1,2,x"), "3 rows", code=0)
add("B41-empty-column", rows(",2,x", ",1,y"), ("2 in 'a'", "'a' has no value at all", "--missing drop-columns"))
for way in ("mean", "median", "indicator", "drop"):
    add(f"B41-{way}", rows(",2,x", ",1,y"), ("'a'", "--missing drop-columns"), flags=("--missing", way))
add(
    "B41-drop-columns",
    rows(",2,x", ",1,y"),
    ("1 numeric column", "left out 1 column"),
    0,
    flags=("--missing", "drop-columns"),
)
add(
    "B41-drop-columns-all", rows(",2,x", "1,,y"), "every column has a missing cell", flags=("--missing", "drop-columns")
)
add("B42-all-constant", rows("1,2,x", "1,2,y", "1,2,x"), "3 rows", code=0)
add("B42-no-feature", b"label\nx\ny\n", "no column is left to learn from")
add(
    "B44-separable-without-penalty",
    rows("1,2,x", "2,1,y"),
    ("linearly separable", "--alpha 1e-4"),
    0,
    flags=("--alpha", "0"),
)
HUGE = 2**53 + 1
add("B45-csv", rows(f"{HUGE},2,x", "2,1,y", "1,1,x"), ("warning", "column 'a'", f"first {HUGE} in line 2"), code=0)
add("B45-json", f'{{"a":1,"label":"x"}}\n{{"a":{HUGE},"label":"y"}}\n'.encode(), f"{HUGE} in line 2", 0, name="t.jsonl")
add(
    "B45-parquet",
    parquet(a=pl.Series([1, 2**64 - 1, 3], dtype=pl.UInt64), label=XY),
    f"{2**64 - 1} in line 2",
    0,
    name="t.parquet",
)
add("B45-npz", npz(X=[[1, HUGE], [1, 2]], y=[0, 1]), f"first {HUGE} in row 1, column x2", 0, name="t.npz")
add(
    "B45-svmlight",
    f"1 1:1 3:{HUGE}\n2 1:2 3:-{HUGE}\n1 3:{2**60}\n".encode(),
    ("warning", "2 whole numbers are", f"first {HUGE} in t.svm:1, index 3"),
    0,
    name="t.svm",
)
add(
    "B45-svmlight-exact",
    f"1 1:{2**60}\n2 1:9007199254740992.0 2:1e20\n".encode(),
    "2 rows",
    0,
    name="t.svm",
    not_says="rounded",
)
add("B45-exact", rows(f"{2**60},2,x", f"{2**53},1,y", "1,1,x"), "3 rows", 0, not_says="rounded")
add(
    "B45-kept-as-text",
    rows(f"{HUGE},2,x", "2,1,y", "1,1,x"),
    "of text",
    0,
    flags=("--categorical", "a"),
    not_says="rounded",
)
add("B46-more-columns-than-rows", rows("1,2,x", "2,1,y", header="a,b,label"), "2 rows", code=0)
add("B47-too-many-columns", npz(**CSR | {"shape": [2, 10**15]}), "t.npz", 7, name="t.npz")
add("B49-complex", npz(X=np.eye(4) * 1j, y=Y), "X must be a 2-D array of numbers", name="t.npz")
add("B49-float16", npz(X=np.eye(4, dtype="f2"), y=Y), "4 rows", code=0, name="t.npz")
add("B49-longdouble", npz(X=np.eye(4, dtype="g"), y=Y), "save them as float64", name="t.npz")
W = ("--weight-col", "w")
for text, answer in {
    "-1": "a weight below 0",
    "nan": "'nan' is not a number",
    "inf": "'inf' is not finite",
    "1e300": "too large",
}.items():
    add(f"B50-{text}", rows(f"1,{text},x", "2,1,y", header="a,w,label"), ("t.csv:2: column 'w'", answer), flags=W)
add("B50-all-zero", rows("1,0,x", "2,0,y", header="a,w,label"), "every row has weight 0", flags=W)
add(
    "B50-class-of-zeros",
    rows("1,0,x", "2,1,y", "2,1,z", header="a,w,label"),
    "every row of class 'x' has weight 0",
    flags=W,
)
add("B50-tiny", rows("1,1e-300,x", "2,1e-300,y", header="a,w,label"), "2 rows", 0, flags=W)

# --- C: labels -----------------------------------------------------------------------------------------------------

add("C51-one-class", rows("1,2,x", "2,1,x"), "only class 'x'")
add("C52-missing-label", rows("1,2,x", "2,1,", "3,4,y"), "1 in 'label' (first in line 3)")
add(
    "C53-some-unseen",
    rows("1,2,red,x", "2,1,red,q", header="a,b,c,label"),
    "1 row left out, of labels that training never saw: 'q' (1)",
    0,
    verb="evaluate",
)
add(
    "C53-all-unseen",
    rows("1,2,red,q", header="a,b,c,label"),
    "none of its labels is a class of the model: 'q' (1); classes: x, y",
    verb="evaluate",
)
add(
    "C54-class-without-rows",
    rows("1,2,red,x", header="a,b,c,label"),
    "no rows of y: nothing is known of recall",
    0,
    verb="evaluate",
)
add(
    "C55-number-in-two-spellings",
    labels("1", "1.0", "2"),
    "classes '1', '1.0' differ only in how one thing is written",
    0,
)
add("C55-leading-zeros", labels("007", "7"), "classes '007', '7'", 0)
add("C55-truth-and-number", labels("true", "1", "no"), "classes '1', 'true'", 0)
for there, here in {"0": "0.0", "1": "True", "007": "7", "1e3": "1000", "x": "x "}.items():
    add(
        f"C55-{there}-at-evaluate",
        labels(here, "other"),
        f"is '{here}' meant as '{there}'?",
        0,
        verb="evaluate",
        model="spellings",
    )
add("C56-literal", labels("9" * 23, "-0", "nan", "None", "NA"), "5 classes", 0)
add(
    "C57-measurements",
    rows(*(f"{i},1,{i * 0.37:.2f}" for i in range(60))),
    "60 distinct values in 60 rows; is this regression?",
)
add(
    "C57-many-numbers",
    rows(*(f"{i % 7},1,{i % 60}" for i in range(120))),
    "60 classes in 120 rows, all of them numbers; is this regression?",
    0,
    flags=("--max-iter", "1"),
)
add("C58-accents", labels("\xe9", "e\u0301"), r"classes 'e\u0301', '\xe9' differ only", 0)
add("C58-no-width", labels("a", "a\u200b"), r"classes 'a', 'a\u200b' differ only", 0)
add("C58-direction", labels("\u202eevil", "\U0001f600"), r"\u202eevil 3", 0)
add("C58-1-MB", labels("L" * 1_000_000, "x"), "LLL\u2026LLL", 0)
add(
    "C58-accents-at-evaluate",
    rows("1,2,e\u0301", "2,1,other"),
    r"is 'e\u0301' meant as '\xe9'?",
    0,
    verb="evaluate",
    model="spellings",
)
add("C59-case-and-spaces", labels("Cat", "cat ", "dog"), "classes 'Cat', 'cat ' differ only", 0)

# --- D: the table of a model ---------------------------------------------------------------------------------------

add("D61-reordered", b"c,b,a\nred,2,1\n", "x", 0, verb="predict", not_says="ignored")
add("D62-extra-column", b"c,z,b,a\nred,9,2,1\n", "ignored, not among the model's columns: z", 0, verb="predict")
add("D63-missing-column", b"a,c\n1,red\n", "1 column of the model missing: b; columns: a, c", verb="predict")
add("D63-missing-by-case", b"a,B,c\n1,2,red\n", "is 'B' meant as 'b'?", verb="predict")
add(
    "D64-text-for-a-number",
    b"a,b,c\n1,2,red\n1,two,red\n",
    "p.csv:3: column 'b': 'two' is not a number",
    name="p.csv",
    verb="predict",
    not_says="--na",
)
add(
    "D65-unseen-category",
    b"a,b,c\n1,2,violet\n",
    "1 cell of categories that training never saw: 'violet' (1)",
    0,
    verb="predict",
)
add("D66-with-labels", TRAINING, "y", 0, verb="predict")
add("D66-without-labels", b"a,b,c\n1,2,red\n", "x", 0, verb="predict")
add("D66-evaluate-without-labels", b"a,b,c\n1,2,red\n", "no column 'label'", verb="evaluate")
add(
    "D67-numbers-for-a-header",
    b"1.5,2,0\n2,3,1\n",
    "t.csv:1: the first line holds numbers and no names",
    flags=("--target", "0"),
)
add(
    "D67-half-numbers",
    b"1.5,2,x\n2,3,y\n3,4,x\n",
    "2 of 3 columns are named by numbers: is the first line data? (--no-header)",
    0,
    flags=("--target", "x"),
)
add("D67-a-number-twice", b"1.5,1.5,x\n2,3,y\n", "2 columns are named '1.5' (--no-header", flags=("--target", "x"))
add("D67-header-gone", b"1,2,red,x\n", "the first line holds numbers: a header is missing?", verb="evaluate")
add(
    "D67-header-where-there-was-none",
    b"a,b\n1,2\n",
    "t.csv:1: column 'x1': 'a' is not a number (does the first line hold names?",
    verb="predict",
    model="headless",
)
add("D68-other-width", npz(X=np.eye(3)), "X has 3 columns, the model has 4", name="p.npz", verb="predict", model="npz")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Models to predict with, by name."""
    folder = tmp_path_factory.mktemp("models")
    tables = {
        "table": ("t.csv", TRAINING, ["--target", "label"]),
        "headless": ("n.csv", b"1,2,x\n2,1,y\n", ["--target", "3", "--no-header"]),
        "npz": ("t.npz", NPZ, []),
        "svm": ("t.svm", SVM, []),
        "spellings": ("s.csv", labels("0", "1", "007", "1e3", "x", "\xe9", "other", n=14), ["--target", "label"]),
    }
    from softreg.cli import main

    for name, (file, content, flags) in tables.items():
        (folder / file).write_bytes(content)
        assert main(["fit", str(folder / file), *flags, "--output", str(folder / f"{name}.softreg"), "--quiet"]) == 0
    return folder


@pytest.mark.parametrize("case", known.cases.values(), ids=known.cases)
def test_every_entry_has_its_answer(case, models, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(case.name).write_bytes(case.content)
    output = tmp_path / ("out.csv" if case.verb == "predict" else "out.softreg")
    shutil.copy(models / "table.softreg", output)
    before = output.read_bytes()
    if case.verb == "fit":
        target = (
            [] if case.name.endswith((".npz", ".svm", ".svm.gz")) or "--target" in case.flags else ["--target", "label"]
        )
        argv = ["fit", case.name, *target, *case.flags, "--output", output]
    else:
        argv = [case.verb, models / f"{case.model}.softreg", case.name]
        argv += ["--output", output] if case.verb == "predict" else []
    done = softreg(capsys, *argv)
    written = output.read_text() if case.verb == "predict" and done.code == 0 else ""
    said = done.out + done.err + written
    assert done.code == case.code, said
    for text in case.texts:
        assert text in said
    assert not case.not_says or case.not_says not in said
    assert "Traceback" not in said
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", done.out + done.err)
    if case.code:
        assert len(done.error) < 700
        assert output.read_bytes() == before
        assert sorted(os.listdir(tmp_path)) == sorted([case.name, output.name])


# --- entries that are more than one file and its answer ------------------------------------------------------------


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fit(capsys, name, *flags, output="m.softreg"):
    done = softreg(capsys, "fit", name, "--target", "label", "--output", output, *flags)
    assert done.code == 0, done.err
    return done


def test_A04_what_is_no_file_is_refused_and_a_pipe_is_read_once(here, capsys):
    for name, says in {"none.csv": "no such file", ".": "is a folder", "none-*.csv": "no file matches"}.items():
        done = softreg(capsys, "fit", name, "--target", "label")
        assert done.code == 3
        assert says in done.error
    os.mkfifo("pipe")
    writer = threading.Thread(target=lambda: Path("pipe").write_bytes(GOOD))
    writer.start()
    assert "pipe: 4 rows" in fit(capsys, "pipe").err
    writer.join()


def test_A05_A06_A14_A15_A26_one_table_in_any_dress_is_one_model(here, capsys):
    dresses = {
        "plain.csv": GOOD, "mark.csv": b"\xef\xbb\xbf" + GOOD, "crlf.csv": GOOD.replace(b"\n", b"\r\n"),
        "cr.csv": GOOD.replace(b"\n", b"\r"), "cut.csv": GOOD[:-1], "tabs.tsv": GOOD.replace(b",", b"\t"),
        "semicolons.csv": GOOD.replace(b",", b";"), "quotes.csv": GOOD.replace(b"x", b'"x"'), "packed.txt": PACKED,
        "lies.csv": parquet(a=[1, 2, 3, 1], b=[2, 1, 5, 4], label=list("xyxy")),
        "lines.csv": b"".join(b'{"a": %d, "b": %d.0, "label": "%c"}\n' % row for row in
                              [(1, 2, b"x"), (2, 1, b"y"), (3, 5, b"x"), (1, 4, b"y")]),
    }  # fmt: skip
    for name, content in dresses.items():
        Path(name).write_bytes(content)
        fit(capsys, name, output=f"{name}.softreg")
    assert len({Path(f"{name}.softreg").read_bytes() for name in dresses}) == 1


def test_A22_predicting_from_many_columns_takes_time_in_proportion(here, models, capsys):
    # A step for each pair of 40 000 columns would take minutes.
    names = [f"c{j}" for j in range(40_000)]
    Path("t.csv").write_bytes(
        rows(*(f"{k}" + f",{v}" * len(names) for k, v in (("x", 1), ("y", 2))), header=",".join(["label", *names]))
    )
    fit(capsys, "t.csv", "--max-iter", "1")
    done = softreg(capsys, "predict", "m.softreg", "t.csv")
    assert done.out == "prediction\nx\ny\n"


def test_A25_a_gzip_bomb_is_refused_while_it_unpacks(here, capsys, monkeypatch):
    monkeypatch.setattr(opening, "LEAST_BOMB", 1 << 20)
    Path("t.csv.gz").write_bytes(gzip.compress(GOOD + b"1,2,x\n" * 2_000_000))
    done = softreg(capsys, "fit", "t.csv.gz", "--target", "label")
    assert done.code == 7
    assert "t.csv.gz: grows more than" in done.error


def test_A29_a_file_without_its_first_column_is_read_by_the_base_of_the_model(here, capsys):
    Path("t.svm").write_bytes(b"1 0:1 1:2\n2 0:3 2:1\n1 1:1\n")
    Path("all.svm").write_bytes(b"1 0:0 1:4\n1 0:0 2:4\n")
    Path("some.svm").write_bytes(b"1 1:4\n1 2:4\n")
    assert softreg(capsys, "fit", "t.svm", "--output", "m.softreg").code == 0
    told = [softreg(capsys, "predict", "m.softreg", name, "--proba").out for name in ("all.svm", "some.svm")]
    assert told[0] == told[1]


@pytest.mark.parametrize("change", ["grows", "shrinks", "is written again"])
@pytest.mark.parametrize("content", [GOOD, PACKED, PARQUET], ids=["csv", "gzip", "parquet"])
def test_A35_a_file_that_changes_while_it_is_read_is_refused(here, capsys, monkeypatch, content, change):
    path = Path("t.csv")
    path.write_bytes(content)
    look = opening._kind

    def look_then_change(*args):
        found = look(*args)
        if change == "is written again":
            os.utime(path, ns=(1, 1))
        elif change == "grows":
            with path.open("ab") as file:
                file.write(b"9,9,x\n")
        else:
            os.truncate(path, len(content) - 4)
        return found

    monkeypatch.setattr(opening, "_kind", look_then_change)
    done = softreg(capsys, "fit", path, "--target", "label", "--output", "m.softreg")
    assert done.code == 3
    assert "t.csv: was written to while it was read" in done.error
    assert not Path("m.softreg").exists()


@pytest.mark.parametrize("change", ["cut to nothing", "cut", "written over", "grown", "replaced"])
def test_A35_a_parquet_file_that_changes_once_its_footer_is_read(here, capsys, monkeypatch, change):
    if change == "replaced" and not os.path.exists("/proc/self/fd"):
        pytest.skip("no names of open files here")
    path, content = Path("t.parquet"), parquet(a=[float(k) for k in range(300)], label=["x", "y", "x"] * 100)
    path.write_bytes(content)
    blocks = Parquet.blocks

    def change_then_read(self):
        if change == "replaced":
            Path("new").write_bytes(parquet(a=[1.0] * 300, label=["u", "v", "w"] * 100))
            os.replace("new", path)
        elif change == "written over":
            path.write_bytes(bytes(len(content)))
        elif change == "grown":
            path.write_bytes(content + content)
        else:
            os.truncate(path, 50 if change == "cut" else 0)
        yield from blocks(self)

    monkeypatch.setattr(Parquet, "blocks", change_then_read)
    done = softreg(capsys, "fit", path, "--target", "label", "--output", "m.softreg")
    if change == "replaced":  # the one that was opened is read to its end
        assert done.code == 0
        assert "2 classes (x 200, y 100)" in done.err
        return
    assert done.code == 3
    assert "t.parquet: was written to while it was read" in done.error
    assert not Path("m.softreg").exists()


def test_A35_what_the_reader_of_parquet_says_of_a_lost_end_is_not_the_answer(here, capsys, monkeypatch):
    path = Path("t.parquet")
    path.write_bytes(PARQUET)

    def lose_the_end(self):
        os.truncate(path, 50)
        raise OSError("failed to fill whole buffer")

    monkeypatch.setattr(Parquet, "blocks", lose_the_end)
    done = softreg(capsys, "fit", path, "--target", "label")
    assert done.code == 3
    assert "was written to while it was read" in done.error


def test_A35_a_stream_of_predictions_notices_too(here, models):
    Path("p.csv").write_bytes(b"a,b,c\n1,2,red\n")
    recipe = Model.load(str(models / "table.softreg")).recipe
    batches = read_batches(recipe, "p.csv", Found())
    next(batches)
    Path("p.csv").write_bytes(b"a,b,c\n1,2,red\n3,4,red\n")
    with pytest.raises(Exception, match=r"p\.csv: was written to while it was read \(14 bytes at first, 22 now\)"):
        list(batches)


def test_A35_a_file_that_is_replaced_or_read_twice_is_the_one_that_was_opened(here, models):
    Path("p.csv").write_bytes(b"a,b,c\n1,2,red\n")
    recipe = Model.load(str(models / "table.softreg")).recipe
    batches = read_batches(recipe, "p.csv", Found())
    next(batches)
    Path("new.csv").write_bytes(b"a,b,c\n")
    os.replace("new.csv", "p.csv")
    assert list(batches) == []


@pytest.mark.parametrize("scale", [1e8, 1e100, 1e149, 1e-8, 1e-160, 1e-290])
def test_B38_B39_the_size_of_a_column_does_not_spoil_the_fit(here, capsys, scale):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    cells = [f"{a * scale!r},{b!r},{'xy'[a > 0]}" for a, b in x.tolist()]
    Path("t.csv").write_bytes(rows(*cells))
    fit(capsys, "t.csv", "--standardize", "--quiet")
    done = softreg(capsys, "evaluate", "m.softreg", "t.csv", "--require", "accuracy>=0.98")
    assert done.code == 0, done.err


@pytest.mark.parametrize("what", ["row", "column"])
def test_B43_the_same_twice_is_fitted(here, capsys, what):
    Path("t.csv").write_bytes(
        rows("1,2,x", "1,2,x", "2,1,y") if what == "row" else rows("1,1,x", "2,2,y", "3,3,x", "1,1,y")
    )
    assert fit(capsys, "t.csv").out.startswith("certified")


def test_B41_columns_left_out_are_not_needed_later_and_the_others_keep_their_values(here, capsys):
    Path("t.csv").write_bytes(rows("1,,red,2,x", "2,1,,5,y", "3,4,blue,7,x", header="a,b,c,d,label"))
    table = read_table("t.csv", "label", options=TableOptions(missing="drop-columns"))
    assert table.feature_names == ("a", "d")
    assert table.X.tolist() == [[1, 2], [2, 5], [3, 7]]
    assert table.n_missing == 0
    assert table.recipe.missing == "error"
    done = fit(capsys, "t.csv", "--missing", "drop_columns")
    assert "left out 2 columns with missing cells: 1 in 'b' (first in line 2), 1 in 'c' (first in line 3)" in done.err
    assert softreg(capsys, "verify", "m.softreg", "t.csv").code == 0
    Path("p.csv").write_bytes(b"d,a\n2,1\n")
    assert softreg(capsys, "predict", "m.softreg", "p.csv").out == "prediction\nx\n"
    Path("p.csv").write_bytes(b"d,a\n,1\n")
    assert "column 'd' is empty" in softreg(capsys, "predict", "m.softreg", "p.csv").err


def test_B48_a_thousand_classes_are_fitted_and_evaluated(here, capsys):
    Path("t.csv").write_bytes(rows(*(f"{i % 7},{i * 13 % 11},c{i % 1000}" for i in range(3000))))
    assert fit(capsys, "t.csv").out.startswith("certified")
    done = softreg(capsys, "evaluate", "m.softreg", "t.csv")
    assert done.code == 0
    assert max(map(len, done.out.splitlines())) < 100  # no confusion matrix of a million cells


def test_C58_labels_are_compared_exactly_and_come_back_as_they_were(here, capsys):
    written = [
        "\xe9",
        "e\u0301",
        "\u202eevil",
        "\U0001f468\u200d\U0001f469",
        "\u05e9\u05dc\u05d5\u05dd",
        "a\u200b",
        "a",
    ]
    cells = [f"{i},{i * i},{text}" for i, text in enumerate(written)]
    Path("t.csv").write_bytes(rows(*cells))
    fit(capsys, "t.csv", "--alpha", "1e-8")
    assert softreg(capsys, "predict", "m.softreg", "t.csv", "--output", "p.csv").code == 0
    assert Path("p.csv").read_text(encoding="utf-8").splitlines()[1:] == written


def test_C60_a_label_that_the_first_batch_did_not_announce_is_refused():
    model = SoftmaxRegression().partial_fit([[0.0], [1.0]], ["a", "b"], classes=["a", "b"])
    with pytest.raises(ValueError, match="'c'"):
        model.partial_fit([[2.0]], ["c"])


#: Entries of the catalogue's first four groups.
ENTRIES = {f"{'A' * (i <= 35) or 'B' * (i <= 50) or 'C' * (i <= 60) or 'D'}{i:02}" for i in range(1, 69)}


def test_no_entry_is_left_out():
    named = set(
        re.findall(r"[A-D]\d\d", " ".join([*known.cases, *(name for name in globals() if name[:5] == "test_")]))
    )
    assert named == ENTRIES
