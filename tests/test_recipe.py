"""What was decided of a training table is remembered, readable, and applied to every later table in the same way."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from command_line import process, softreg
from hypothesis import given, settings
from hypothesis import strategies as st

from softreg import TableEncoder, workflows
from softreg.errors import DataError, UsageError
from softreg.store import Model
from softreg.tables import Column, Found, Recipe, TableOptions, jsonlines, learning, read_batches, read_table, records
from softreg.training import Settings

TABLE = """name,size,colour,fragile,weight,who,kind
a,1,red,true,1,p,x
b,2,blue,false,2,p,y
c,,red,true,1,q,x
d,4,,false,1,q,y
e,5,green,,3,r,x
"""


@pytest.fixture
def write(tmp_path):
    def write(content, name="t.csv"):
        (tmp_path / name).write_text(content, encoding="utf-8")
        return tmp_path / name

    return write


def learn(path, target="kind", group=None, **options):
    return read_table(path, target, group=group, options=TableOptions(**options))


def rows(*cells, header="a,b,label"):
    return "\n".join([header, *cells, ""])


# ---- what becomes of columns


def test_indicator_fills_with_the_mean_and_says_so(write):
    table = learn(write(TABLE), missing="indicator", id_col="name", drop=("weight", "who"))
    assert table.feature_names == (
        "size", "size=missing", "colour=blue", "colour=green", "colour=red", "colour=missing", "fragile",
        "fragile=missing",
    )  # fmt: skip
    assert table.X.tolist() == [
        [1, 0, 0, 0, 1, 0, 1, 0],
        [2, 0, 1, 0, 0, 0, 0, 0],
        [3, 1, 0, 0, 1, 0, 1, 0],
        [4, 0, 0, 0, 0, 1, 0, 0],
        [5, 0, 0, 1, 0, 0, 0.5, 1],
    ]
    assert table.n_missing == 3
    assert table.recipe.id == "name"


@pytest.mark.parametrize(("missing", "fill"), [("mean", 3.0), ("median", 3.0)])
def test_B36_mean_and_median_fill_numbers(write, missing, fill):
    table = learn(write(TABLE), missing=missing, features=("size",))
    assert table.X.tolist() == [[1], [2], [fill], [4], [5]]
    skewed = learn(write("a,kind\n1,x\n2,y\n9,x\n,y\n"), missing=missing)
    assert skewed.X[3, 0] == {"mean": 4, "median": 2}[missing]


def test_B36_drop_leaves_rows_out_and_says_how_many(write):
    table = learn(write(TABLE), missing="drop", id_col="name", features=("size", "colour"))
    assert table.X.tolist() == [[1, 0, 1], [2, 1, 0], [5, 0, 0]] or table.n_rows == 3
    assert table.n_dropped == 2
    assert [table.line(r) for r in range(3)] == [2, 3, 6]
    assert any(note.startswith("dropped 2 of 5 rows") for note in table.notes)
    with pytest.raises(DataError, match="every row has a missing cell"):
        learn(write("a,b,kind\n1,,x\n,2,y\n"), missing="drop")


def test_B41_a_column_without_a_value_is_refused_by_name(write):
    for missing in ("mean", "median", "indicator"):
        with pytest.raises(DataError, match=r"column 'b' has no value at all \(--drop b"):
            learn(write("a,b,kind\n1,,x\n2,,y\n"), missing=missing)


def test_na_texts_are_missing_wherever_they_stand(write):
    path = write("a,b,kind\n1,red,x\n-999, NA ,y\nNA,blue,x\n4,red,y\n")
    table = learn(path, missing="indicator", na=("NA", "-999"))
    assert table.X.tolist() == [[1, 0, 0, 1, 0], [2.5, 1, 0, 0, 1], [2.5, 1, 1, 0, 0], [4, 0, 0, 1, 0]]
    with pytest.raises(DataError, match=r"t\.csv:4: column 'a': 'NA' is not a number \(--na NA"):
        learn(path, missing="mean")
    frame = pl.DataFrame({"a": [1, -999, None, 4], "b": ["red", "NA", "blue", "red"], "kind": list("xyxy")})
    frame.write_parquet(path.with_suffix(".parquet"))
    again = learn(path.with_suffix(".parquet"), missing="indicator", na=("NA", "-999"))
    assert again.fingerprint == table.fingerprint


def test_a_column_is_what_most_of_its_first_values_are(write):
    table = learn(write(rows("1,u,x", "2,7,y", "3,v,x")), target="label")
    assert [column.kind for column in table.recipe.columns] == ["number", "category"]
    forced = learn(write(rows("1,u,x", "2,7,y", "3,v,x")), target="label", categorical=("a",))
    assert forced.feature_names[:3] == ("a=1", "a=2", "a=3")
    with pytest.raises(DataError, match=r"t\.csv:1503: column 'a': 'z' is not a number .*--categorical a"):
        learn(write(rows(*(f"{i % 9},u,{'xy'[i % 2]}" for i in range(1501)), "z,u,x")), target="label")


def test_rare_levels_become_one_and_are_counted(write):
    cells = [f"{'abc'[i % 3] if i < 30 else f'rare{i % 5}'},{'xy'[i % 2]}" for i in range(50)]
    table = learn(write(rows(*cells, header="a,label")), target="label", max_levels=3)
    assert table.feature_names == ("a=a", "a=b", "a=c", "a=other")
    assert table.X[:, 3].sum() == 20
    assert table.recipe.columns[0].other == 5
    assert any("5 rarer levels of 8 are one" in note for note in table.notes)
    # B65: a level that training never saw is as rare as those.
    new = read_table(write("a,label\nzzz,x\n", "n.csv"), recipe=table.recipe)
    assert new.X.tolist() == [[0, 0, 0, 1]]
    assert new.n_unknown == 0


def test_a_text_column_of_different_values_is_refused_and_an_id_of_integers_is_noted(write):
    text = rows(*(f"name{i},{i},{'xy'[i % 2]}" for i in range(40)), header="who,number,label")
    with pytest.raises(DataError, match=r"column 'who' has 40 different texts in 40 rows.*--id-col who"):
        learn(write(text), target="label")
    table = learn(write(text), target="label", id_col="who")
    assert any("column 'number' has another whole number in every row: an id?" in note for note in table.notes)
    assert table.feature_names == ("number",)
    assert learn(write(text), target="label", categorical=("who",)).X.shape[1] == 41


def test_wide_categories_are_sparse_and_the_same_matrix(write, monkeypatch):
    cells = [f"{i % 80},{i % 7 / 2},{'xy'[i % 2]}" for i in range(400)]
    path = write(rows(*cells))
    table = learn(path, target="label", categorical=("a",))
    assert table.recipe.sparse
    assert table.X.has_canonical_format
    monkeypatch.setattr(learning, "_MUCH_SMALLER", 0)
    dense = learn(path, target="label", categorical=("a",))
    assert np.array_equal(table.X.toarray(), dense.X)
    assert table.X.shape == (400, 81)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_sparse_and_dense_assembly_agree_with_a_plain_loop(data):
    kinds = data.draw(st.lists(st.sampled_from("nfic"), min_size=1, max_size=5))
    n = data.draw(st.integers(1, 6))
    columns, numbers, codes = [], [], []
    expected = [[] for _ in range(n)]
    for j, kind in enumerate(kinds):
        if kind == "c":
            other, missing = data.draw(st.booleans()), data.draw(st.booleans())
            column = Column(f"c{j}", "category", levels=("u", "v"), other=int(other), missing=missing)
            code = data.draw(st.lists(st.sampled_from([0, 1, -1, -2]), min_size=n, max_size=n))
            codes.append(np.array(code, np.int32))
            for row, c in zip(expected, code, strict=True):
                row += [c == 0, c == 1, *([c == -2] if other else []), *([c == -1] if missing else [])]
        else:
            column = Column(f"c{j}", fill=2.5 if kind in "fi" else None, indicator=kind == "i")
            choice = [0.0, 1.0, -3.0] + ([np.nan] if kind in "fi" else [])
            cells = data.draw(st.lists(st.sampled_from(choice), min_size=n, max_size=n))
            numbers.append(cells)
            for row, x in zip(expected, cells, strict=True):
                row += [2.5 if np.isnan(x) else x] + ([np.isnan(x)] if kind == "i" else [])
        columns.append(column)
    matrix = np.array(numbers, dtype=float).reshape(len(numbers), n).T
    recipe = Recipe(tuple(columns), None, "str")
    assert len(recipe.features) == len(expected[0])
    assert np.array_equal(recipe.assemble(matrix.copy(), codes), np.array(expected, dtype=float))
    sparse = replace(recipe, sparse=True).assemble(matrix.copy(), codes)
    assert np.array_equal(sparse.toarray(), np.array(expected, dtype=float))
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe


def test_two_columns_never_make_one_feature(write):
    with pytest.raises(DataError, match="two columns would make a feature 'a=u'"):
        learn(write(rows("u,1,x", "v,2,y", header="a,a=u,label")), target="label")


@pytest.mark.parametrize(
    ("options", "error", "finding"),
    [
        ({"features": ("size", "clour")}, DataError, "--features: no column 'clour' .did you mean 'colour'"),
        ({"drop": ("z",)}, DataError, "--drop: no column 'z'"),
        ({"features": ("kind",)}, UsageError, "column 'kind' is the target"),
        ({"features": ("size",), "drop": ("size",)}, UsageError, "--features and --drop both name 'size'"),
        ({"id_col": "kind"}, UsageError, "cannot be both target and id-col"),
        ({"weight_col": "wait"}, DataError, "no column 'wait' .did you mean 'weight'"),
        ({"target_proba": "p_*"}, UsageError, "--target and --target-proba"),
        ({"drop": ("name", "size", "colour", "fragile", "weight", "who")}, DataError, "no column is left"),
    ],
)
def test_roles_that_cannot_be_are_refused(write, options, error, finding):
    with pytest.raises(error, match=finding):
        learn(write(TABLE), missing="mean", **options)


@pytest.mark.parametrize(
    "values",
    [{"missing": "guess"}, {"unknown": "drop"}, {"decimal": ";"}, {"max_levels": 0}, {"target_proba": "p"},
     {"delimiter": ",", "decimal": ","}],
)  # fmt: skip
def test_options_that_cannot_be_are_refused(values):
    with pytest.raises(UsageError):
        TableOptions(**values)


# ---- weights and soft labels


def test_B50_a_weight_of_two_is_the_row_twice(write):
    weighted = write(rows("1,2,x", "2,1,y", "3,1,x", "2.5,3,y", header="a,w,label"))
    twice = write(rows("1,x", "1,x", "2,y", "3,x", "2.5,y", "2.5,y", "2.5,y", header="a,label"), "twice.csv")
    first = workflows.fit(str(weighted), target="label", options=TableOptions(weight_col="w"))
    second = workflows.fit(str(twice), target="label")
    np.testing.assert_allclose(first.model.W, second.model.W, atol=1e-6)  # both within 1e-6 of one optimum
    assert first.train.n == pytest.approx(7)
    assert first.train.loss == pytest.approx(second.train.loss, abs=1e-6)
    assert workflows.verify(first.model, str(weighted)).holds


@pytest.mark.parametrize(
    ("cells", "finding"),
    [
        (["1,-1,x", "2,1,y"], r"t\.csv:2: column 'w': a weight below 0"),
        (["1,nan,x", "2,1,y"], r"t\.csv:2: column 'w': 'nan' is not a number"),
        (["1,,x", "2,1,y"], "1 in 'w'"),
        (["1,1e400,x", "2,1,y"], "'1e400' is not finite"),
    ],
)
def test_B50_weights_that_are_none_are_refused(write, cells, finding):
    with pytest.raises(DataError, match=finding):
        learn(write(rows(*cells, header="a,w,label")), target="label", weight_col="w")


def test_soft_labels_are_learned_and_verified(write):
    path = write(rows("1,0.9,0.1", "2,0.5,0.5", "3,0,1", "0,1,0", header="a,p_no,p_yes"))
    fitted = workflows.fit(str(path), options=TableOptions(target_proba="p_*"))
    assert fitted.model.classes.tolist() == ["no", "yes"]
    assert fitted.model.class_counts.tolist() == pytest.approx([2.4, 1.6])
    assert fitted.model.recipe.target_proba == ("p_no", "p_yes")
    assert workflows.verify(fitted.model, str(path)).holds
    hard = write(rows("1,no", header="a,label"), "h.csv")
    assert workflows.predict(fitted.model, str(hard)).labels.tolist() == ["no"]
    with pytest.raises(DataError, match=r"t\.csv:2: the probabilities of the classes sum to 1\.1, not 1"):
        workflows.fit(
            str(write(rows("1,0.9,0.2", "2,0,1", header="a,p_no,p_yes"))), options=TableOptions(target_proba="p_*")
        )


def test_soft_labels_split_and_tune(write):
    rng = np.random.default_rng(0)
    x = rng.normal(size=120)
    p = 1 / (1 + np.exp(-3 * x))
    path = str(write(rows(*(f"{a!r},{b!r},{1 - b!r}" for a, b in zip(x.tolist(), p.tolist(), strict=True)),
                          header="a,p_u,p_v")))  # fmt: skip
    fitted = workflows.fit(
        path, options=TableOptions(target_proba="p_*"), validation_fraction=0.25, tune=True, settings=Settings()
    )
    assert fitted.validation.accuracy > 0.9
    assert workflows.verify(fitted.model, path).holds


# ---- the same for later tables


@pytest.fixture
def model(write, tmp_path):
    options = TableOptions(missing="indicator", id_col="name", drop=("weight", "who"))
    return workflows.fit(str(write(TABLE)), target="kind", options=options, output=str(tmp_path / "m.softreg")).model


def test_the_recipe_of_a_model_prepares_its_training_table_bit_for_bit(write, model, tmp_path):
    again = Model.load(tmp_path / "m.softreg").recipe
    assert again == model.recipe
    assert read_table(write(TABLE), recipe=again).fingerprint == model.fingerprint
    assert workflows.verify(str(tmp_path / "m.softreg"), str(write(TABLE))).holds


def test_D61_D62_D63_columns_are_matched_by_name(write, model):
    new = write("fragile,extra,size,colour\ntrue,?,1,red\n,?,,\n", "n.csv")
    table = read_table(new, recipe=model.recipe, require_target=False)
    assert table.X.tolist() == [[1, 0, 0, 0, 1, 0, 1, 0], [3, 1, 0, 0, 0, 1, 0.5, 1]]
    assert "ignored, not among the model's columns: extra" in table.notes
    with pytest.raises(DataError, match="2 columns of the model missing: colour, fragile; columns: size"):
        read_table(write("size\n1\n", "n.csv"), recipe=model.recipe, require_target=False)


@pytest.mark.parametrize(
    ("cells", "finding"),
    [("big,red,true", "column 'size': 'big' is not a number"), ("1,red,7", "column 'fragile': '7' is neither true")],
)
def test_D64_a_changed_type_is_refused_with_line_and_value(write, model, cells, finding):
    new = write(f"size,colour,fragile\n1,red,true\n{cells}\n", "n.csv")
    with pytest.raises(DataError, match=rf"n\.csv:3: {finding}"):
        read_table(new, recipe=model.recipe, require_target=False)


def test_D65_unknown_categories_are_none_and_counted_or_an_error(write, model):
    new = write("size,colour,fragile\n1,violet,true\n2,red,true\n3,violet,true\n", "n.csv")
    table = read_table(new, recipe=model.recipe, require_target=False)
    assert not table.X[[0, 2], 2:6].any()
    assert table.n_unknown == 2
    assert "column 'colour': 2 cells of categories that training never saw: 'violet' (2)" in table.notes
    with pytest.raises(DataError, match="'violet' is a category that training never saw"):
        read_table(new, recipe=replace(model.recipe, unknown="error"), require_target=False)


def test_C53_an_unseen_label_that_is_written_otherwise_is_pointed_out(write, capsys, tmp_path):
    softreg(capsys, "fit", write("a,label\n1,1\n2,2\n"), "--target", "label", "-o", tmp_path / "n.softreg", "-q")
    done = softreg(capsys, "evaluate", tmp_path / "n.softreg", write("a,label\n1,1.0\n2,2\n", "e.csv"))
    assert done.code == 0
    assert "1 row left out, of labels that training never saw: '1.0' (1); is '1.0' meant as '1'?" in done.err


@pytest.mark.parametrize("block", [16, 1 << 21])
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_D98_batches_are_the_whole_table_in_order(write, monkeypatch, model, block, suffix):
    monkeypatch.setattr(records, "BLOCK_BYTES", block)
    monkeypatch.setattr(jsonlines, "ROWS", max(1, block // 8))
    path = write(TABLE)
    if suffix != "csv":
        frame = pl.read_csv(path)
        path = path.with_suffix(f".{suffix}")
        frame.write_parquet(path) if suffix == "parquet" else frame.write_ndjson(path)
    whole = read_table(path, recipe=model.recipe)
    found = Found()
    batches = list(read_batches(model.recipe, path, found, keep=["colour", "weight"]))
    assert np.array_equal(np.concatenate([batch.X for batch in batches]), whole.X)
    assert [line for batch in batches for line in batch.lines] == [whole.line(r) for r in range(5)]
    assert [name for batch in batches for name in batch.ids.to_list()] == list("abcde")
    assert [text for batch in batches for text in batch.columns["weight"].to_list()] == list("12113")


def test_missing_cells_of_later_tables_are_as_asked_for(write):
    recipe = learn(write("a,b,kind\n1,u,x\n2,v,y\n"), missing="error").recipe
    new = write("a,b\n1,u\n,u\n3,v\n4,\n", "n.csv")
    with pytest.raises(DataError, match=r"n\.csv:3: column 'a' is empty.*--missing skip"):
        list(read_batches(recipe, new))
    found = Found()
    (batch,) = read_batches(recipe, new, found, missing="skip")
    assert batch.kept.tolist() == [True, False, True, False]
    assert batch.X.tolist() == [[1, 1, 0], [3, 0, 1]]
    filled = learn(write("a,b,kind\n1,u,x\n3,v,y\n"), missing="mean").recipe
    found = Found()
    (batch,) = read_batches(filled, new, found)
    assert batch.X[:, 0].tolist() == [1, 2, 3, 4]
    assert batch.kept.all()
    assert found.unknown["b"]["(missing)"] == 1  # training had no missing category: none of its levels
    with pytest.raises(DataError, match="column 'a' is empty"):
        list(read_batches(filled, new, missing="error"))
    dropping = learn(write("a,b,kind\n1,u,x\n,v,y\n3,v,y\n"), missing="drop").recipe
    (batch,) = read_batches(dropping, new)
    assert batch.kept.tolist() == [True, False, True, False]


def test_batches_of_matrices_are_read_too(tmp_path):
    X = np.arange(12.0).reshape(4, 3)
    np.savez(tmp_path / "t.npz", X=X, y=np.array([0, 1, 0, 2]))
    recipe = read_table(tmp_path / "t.npz").recipe
    (batch,) = read_batches(recipe, tmp_path / "t.npz")
    assert np.array_equal(batch.X, X)


def test_a_model_of_a_mixed_table_predicts_evaluates_and_verifies_by_the_command_line(write, model, capsys, tmp_path):
    path, fitted = write(TABLE), tmp_path / "m.softreg"
    done = softreg(capsys, "predict", fitted, path)
    assert done.code == 0
    assert len(done.out.splitlines()) == 6
    done = softreg(capsys, "evaluate", fitted, path)
    assert done.code == 0, done.err
    assert softreg(capsys, "verify", fitted, path).code == 0


def test_a_column_without_a_value_in_later_data_is_filled_like_any(write, tmp_path):
    model = learn(write("a,b,kind\n1,5,x\n3,,y\n5,7,x\n"), missing="mean")
    later = tmp_path / "later.parquet"
    pl.DataFrame({"a": [None, None], "b": [1.0, 2.0]}, schema={"a": pl.Float64, "b": pl.Float64}).write_parquet(later)
    (batch,) = read_batches(model.recipe, later)
    assert batch.X.tolist() == [[3, 1], [3, 2]]
    encoder = TableEncoder(missing="mean").fit(pl.DataFrame({"u": [1.0, 2.0, 3.0]}))
    assert encoder.transform(pl.DataFrame({"u": [float("nan")]})).tolist() == [[2]]


def test_a_prediction_does_not_read_weights_and_labels(write):
    model = learn(write("a,w,kind\n1,1,x\n2,2,y\n"), weight_col="w")
    (batch,) = read_batches(model.recipe, write("a,w,kind\n3,n/a,\n", "n.csv"))
    assert batch.X.tolist() == [[3]]


def test_a_model_of_groups_reads_a_pipe_without_them(write, tmp_path, capsys):
    grouped = "".join(f"{i},{i % 5},{'xy'[i % 2]}\n" for i in range(40))
    fit = ("fit", write("a,g,kind\n" + grouped), "--target", "kind", "--group", "g", "--output", tmp_path / "m")
    assert softreg(capsys, *fit).code == 0
    plain = "a,kind\n" + "".join(f"{i},{'xy'[i % 2]}\n" for i in range(6))
    piped = process("evaluate", tmp_path / "m", "-", input=plain)
    assert piped.code == 0, piped.err
    assert "6 rows" in piped.out + piped.err
