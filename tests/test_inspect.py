"""``softreg inspect``: what a model file says of itself, in three forms."""

import json

import numpy as np
import pytest
from command_line import DATA, softreg

from softreg import workflows
from softreg.errors import ModelFileError, UsageError
from softreg.store import Model
from softreg.tables import TableOptions

MIXED = """name,size,colour,fragile,kind
a,1,red,true,x
b,2,blue,false,y
c,,red,true,x
d,4,,false,y
e,5,green,true,x
"""


@pytest.fixture
def mixed(tmp_path):
    (tmp_path / "t.csv").write_text(MIXED)
    path = str(tmp_path / "m.softreg")
    options = TableOptions(id_col="name", missing="indicator", max_levels=1)
    workflows.fit(str(tmp_path / "t.csv"), target="kind", options=options, output=path)
    return path


def test_inspect_tells_recipe_weights_provenance_and_certificate(mixed, capsys):
    done = softreg(capsys, "inspect", mixed)
    assert (done.code, done.err) == (0, "")
    for part in (
        "softmax, 2 classes, 6 features; alpha 1e-4",
        "certified",
        "5 rows (x 3, y 2)",
        "1 numeric column, 1 true/false, 1 of text (3 levels)",
        "target kind; id name; missing: indicator",
        "as it is, missing 3 and a 0/1 column",
        "true 1, false 0",
        "3 of 0/1: red, other (2 rarer), missing",
        "SHA-256 ",
        "largest weights",
    ):
        assert part in done.out, part


def test_inspect_json_is_the_recipe_and_the_largest_weights(mixed, capsys):
    value = json.loads(softreg(capsys, "inspect", mixed, "--json", "--top", "2").out)
    model = Model.load(mixed)
    assert value["recipe"] == model.recipe.to_json()
    assert value["recipe"]["columns"][1] == {
        "name": "colour", "kind": "category", "levels": ["red"], "other": 2, "missing": True,
    }  # fmt: skip
    for k, top in enumerate(value["top_weights"]):
        largest = np.sort(np.abs(model.W[:-1, k]))[::-1][:2]
        assert np.abs(list(top["weights"].values())).tolist() == largest.tolist()
        assert top["intercept"] == model.W[-1, k]
    assert value["certificate"]["kind"] == "gap"
    assert value["fingerprint"] == model.fingerprint


def test_inspect_markdown_keeps_text_text(tmp_path, capsys):
    (tmp_path / "t.csv").write_text("a|b*,label\n1,<x>\n2,y\n3,<x>\n")
    path = tmp_path / "m.softreg"
    assert softreg(capsys, "fit", tmp_path / "t.csv", "--target", "label", "-o", path, "-q").code == 0
    out = softreg(capsys, "inspect", path, "--markdown").out
    assert r"a\|b\*" in out
    assert r"\<x\>" in out
    assert out.startswith("# ")


def test_inspect_of_arrays_without_names_and_of_many_columns(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "t.npz", X=rng.normal(size=(40, 3)), y=np.arange(40) % 2)
    fitted = workflows.fit(str(tmp_path / "t.npz"))
    inspected = workflows.inspect(fitted.model)
    assert inspected.recipe["columns"] == 3
    assert inspected.top[0].weights[0][0] in ("x1", "x2", "x3")
    assert inspected.to_json()["n_features"] == 3


def test_inspect_refuses_what_is_no_model():
    with pytest.raises(ModelFileError, match="not a softreg model"):
        workflows.inspect(str(DATA / "iris.csv"))
    with pytest.raises(UsageError, match="--top 0"):
        workflows.inspect(str(DATA / "iris.csv"), top=0)
