"""Columns without names are as many as the data say, and cost nothing each."""

import json

import numpy as np
import pytest

from softreg.errors import ModelFileError
from softreg.report import inspection_text
from softreg.store import Model
from softreg.tables import Recipe, read_table
from softreg.tables.numbered import Numbered, json_pieces
from softreg.tables.recipe import Column, describe_columns
from softreg.workflows import evaluate, fit, inspect, predict

WIDE = 90_000  # a square, so that a picture of the weights is suggested


@pytest.fixture
def wide(tmp_path):
    path = tmp_path / "wide.svm"
    path.write_text(f"1 1:0.5 7:1 {WIDE}:1\n2 2:1 9:2\n1 7:1 {WIDE}:2\n")
    return str(path)


@pytest.mark.parametrize("n", [0, 1, 12])
def test_it_is_the_tuple_of_the_same_names(n):
    names, same = Numbered(n, str), tuple(f"x{j}" for j in range(1, n + 1))
    assert (len(names), tuple(names), hash(names)) == (n, same, hash(same))
    assert names == same
    assert same == names
    assert names == Numbered(n, str) == list(same)
    assert names != (*same, "x")
    assert names != Numbered(n + 1, str)
    assert names != "x1"
    assert [names[j] for j in range(-n, n)] == [same[j] for j in range(-n, n)]
    assert names[3:1:-1] == same[3:1:-1]
    assert names[-2:] == same[-2:]
    for place in (n, -n - 1):
        with pytest.raises(IndexError):
            names[place]


@pytest.mark.parametrize("text", ["x0", "x01", "x13", "x", "", "12", "X1", "x1 ", "x-1", "x+1", "x1.0", "x٣", "x²", 3])
def test_only_its_own_names_are_in_it(text):
    assert text not in Numbered(12, str)
    assert "x12" in Numbered(12, str)
    assert Column("x12") in Numbered(12, Column)
    assert Column("x12", fill=0.0) not in Numbered(12, Column)


@pytest.mark.parametrize("n", [0, 1, 3, 998, 999, 1000, 1001, 1999, 2000, 2001, 140_000])
def test_names_are_written_as_json_writes_them(n):
    names = Numbered(n, str)
    written = json.dumps(list(names))
    assert f"[{''.join(json_pieces(names))}]" == written
    assert f"[{''.join(json_pieces(list(names)))}]" == written


def test_a_recipe_of_numbered_columns_is_that_of_their_names():
    numbered = Recipe.plain(Numbered(5, str), None, "int", base=1, sparse=True)
    named = Recipe.plain([f"x{j}" for j in range(1, 6)], None, "int", base=1, sparse=True)
    assert numbered == named
    assert numbered.to_json() == named.to_json()
    assert numbered.features == named.features
    assert numbered.names == named.names
    assert describe_columns(numbered) == describe_columns(named) == "5 numeric columns"
    assert Recipe.from_json(numbered.to_json()) == named


def test_a_recipe_of_a_million_million_columns_is_read_at_once():
    value = {**Recipe.plain(Numbered(1, str), None, "int").to_json(), "columns": 10**12}
    recipe = Recipe.from_json(value)
    assert len(recipe.features) == len(recipe.columns) == 10**12
    assert recipe.columns[-1] == Column("x1000000000000")
    assert recipe.to_json() == value
    with pytest.raises(ModelFileError, match="the names of columns"):
        Recipe.from_json({**value, "target": "x17"})


def test_B47_names_are_not_made_for_all_of_ten_million_columns(wide, tmp_path, monkeypatch):
    made, getitem = [], Numbered.__getitem__

    def counted(names, place):
        found = getitem(names, place)
        made.append(len(found) if isinstance(place, slice) else 1)
        return found

    def refuse(_):
        raise AssertionError("all names were asked for")

    monkeypatch.setattr(Numbered, "__iter__", refuse)
    monkeypatch.setattr(Numbered, "__getitem__", counted)
    output = str(tmp_path / "wide.softreg")
    found = fit(wide, output=output)
    assert len(found.model.feature_names) == WIDE
    assert "--shape 300x300" in found.next
    assert evaluate(output, wide).metrics.accuracy == 1
    assert predict(output, wide).n == 3
    assert "x7" in inspection_text(inspect(output))
    assert sum(made) < WIDE / 10


def test_names_of_columns_that_have_none_are_those_that_a_table_gives_them(wide, tmp_path):
    table = read_table(wide)
    assert table.feature_names == tuple(f"x{j}" for j in range(1, WIDE + 1))
    path = tmp_path / "wide.npz"
    np.savez(path, X=table.X.toarray(), y=table.y)
    header = "label," + ",".join(table.feature_names)
    rows = [",".join([str(k), *map(str, x)]) for k, x in zip(table.y, table.X.toarray().tolist(), strict=True)]
    (tmp_path / "wide.csv").write_text("\n".join([header, *rows, ""]))
    # One table in two formats.
    assert read_table(path).fingerprint == read_table(tmp_path / "wide.csv", "label").fingerprint


def test_the_largest_weights_are_those_of_a_sort(tmp_path):
    rng = np.random.default_rng(0)
    w = rng.integers(-3, 4, size=40).astype(float)
    model = _model(np.column_stack([np.append(w, 0.5), -np.append(w, 0.5)]))
    order = sorted(range(40), key=lambda j: (-abs(w[j]), j))
    for top in (1, 3, 17, 39, 40, 50):
        found = inspect(model, top=top).top[0].weights
        assert found == tuple((f"x{j + 1}", w[j]) for j in order[:top])


def _model(W):
    from softreg.training import Settings

    return Model(
        W=W, classes=np.arange(W.shape[1]), settings_json=Settings().to_json(), alpha=1.0, C=1.0, n_rows=2,
        class_counts=np.ones(W.shape[1]), objective=0.0, certificate=None, witness=None, status="not_certified",
        message="", solver="newton",
    )  # fmt: skip
