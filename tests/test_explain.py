"""One prediction worked out by hand, as text that stays aligned and numbers that can be recomputed."""

from __future__ import annotations

import doctest
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softreg import explain
from softreg.errors import DataError, UsageError
from softreg.explain import explain_row, worked_table
from softreg.softmax import cross_entropy, softmax, weight_gradient

GOLDEN = """\
class   z    e^(z-4)    S         true   dL/dz = S - true
1       3    0.367879   0.259496  0       0.259496
2       4    1.000000   0.705385  1      -0.294615
3       1    0.049787   0.035119  0       0.035119
loss of this one row  -log S_2 = 0.349012 nats    weight gradient: (S_i - true_i) · x_j"""

# Three classes, two features: small enough to check by hand.
W = np.array([[1.0, -1.0, 0.5], [0.0, 2.0, -0.25], [0.5, 0.0, -0.5]])
X_ROW = np.array([2.0, 1.0])
CLASSES = ["ant", "bee", "cat"]
FEATURES = ["legs", "wings"]


def explained(**changes):
    known = {"W": W, "x": X_ROW, "label_code": 1, "classes": CLASSES, "feature_names": FEATURES, "mean_loss": 0.25}
    return explain_row(**(known | {"place": "insects.csv row 7"} | changes))


def test_examples_in_docstrings():
    assert doctest.testmod(explain).failed == 0


# --- the worked table -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("logits", [[3, 4, 1], ["3", " 4", "1.0"], "3,4,1", np.array([3.0, 4.0, 1.0])])
@pytest.mark.parametrize("label", [2, "2", np.int64(2)])
def test_the_golden_table_to_the_letter(logits, label):
    assert worked_table(logits, label).to_text() == GOLDEN


def test_the_golden_table_as_plain_values():
    table = json.loads(json.dumps(worked_table("3,4,1", 2, CLASSES).to_json(), allow_nan=False))
    assert [row["name"] for row in table["rows"]] == CLASSES
    assert [row["true"] for row in table["rows"]] == [0, 1, 0]
    assert table["true_class"] == "bee"
    assert table["loss_of_this_row"] == pytest.approx(0.349012, abs=5e-7)
    S = [0.25949646034, 0.70538451270, 0.03511902696]
    assert [row["probability"] for row in table["rows"]] == pytest.approx(S, abs=1e-11)
    assert [row["gradient"] for row in table["rows"]] == pytest.approx([S[0], S[1] - 1, S[2]], abs=1e-11)
    assert [row["exponential"] for row in table["rows"]] == pytest.approx([math.exp(-1), 1, math.exp(-3)], rel=1e-15)


@given(
    st.lists(st.floats(-1e9, 1e9) | st.floats(-3, 3), min_size=2, max_size=12),
    st.data(),
    st.booleans(),
)
def test_every_column_starts_where_its_heading_does(logits, data, named):
    K = len(logits)
    label = data.draw(st.integers(1, K))
    names = [data.draw(st.text(st.characters(codec="ascii"), max_size=60)) for _ in range(K)] if named else None
    header, *rows, loss = worked_table(logits, label, names).to_text().split("\n")
    assert len(rows) == K
    assert loss.startswith("loss of this one row  -log S_")
    at_S, at_true, at_gradient = header.index(" S  ") + 1, header.index("true   "), header.index("dL/dz")
    for k, row in enumerate(rows):
        assert row[at_S - 1] == " "
        float(row[at_S:at_true])
        assert int(row[at_true : at_gradient - 1]) == (k + 1 == label)
        assert row[at_gradient - 1] == " "
        assert row[at_gradient] in " -"
        float(row[at_gradient:])


def test_a_shift_of_all_logits_changes_no_gradient():
    shifted = worked_table([-4, -3, -6], 2)
    assert shifted.to_text().startswith("class    z    e^(z+3)    S")
    assert [row.gradient for row in shifted.rows] == [row.gradient for row in worked_table([3, 4, 1], 2).rows]


def test_a_certain_row_shows_what_is_left_of_its_loss():
    text = worked_table([40, 0, 0], 1).to_text()
    assert "= 8.5e-18 nats" in text
    assert "-8.5e-18" in text
    assert "-0.000000" not in text


def test_names_cannot_steer_the_terminal():
    text = worked_table([1, 2], 1, ["\x1b[31mred\n", "x" * 500]).to_text()
    assert "\x1b" not in text
    assert r"\x1b[31mred\x0a" in text
    assert len(text.split("\n")) == 4
    assert max(map(len, text.split("\n"))) < 200


@pytest.mark.parametrize(
    ("logits", "label", "message"),
    [
        ("3,x,1", 1, "--logits: 'x' is not a finite number"),
        ("3,,1", 1, "--logits: '' is not a finite number"),
        ("3,nan", 1, "--logits: 'nan' is not a finite number"),
        ([3, math.inf], 1, "--logits: 'inf' is not a finite number"),
        ("1e400,1", 1, "--logits: '1e400' is not a finite number"),
        ([10**400, 1], 1, "is not a finite number"),
        ([None, 1], 1, "'None' is not a finite number"),
        ("3\x1b[2J,1", 1, r"--logits: '3\x1b[2J' is not a finite number"),
        ("3", 1, "--logits: a softmax needs at least two numbers, one a class, such as 3,4,1"),
        ("", 1, "at least two numbers"),
        ([], 1, "at least two numbers"),
        ("1e308,-1e308", 1, "--logits: -1e+308 and 1e+308 are too far apart to subtract"),
        ("3,4,1", 0, "--label 0: the true class is a whole number from 1 to 3, one for each logit"),
        ("3,4,1", 4, "--label 4: "),
        ("3,4,1", -1, "--label -1: "),
        ("3,4,1", 1.5, "--label 1.5: "),
        ("3,4,1", "b", "--label b: "),
        ("3,4,1", None, "--label None: "),
    ],
)
def test_bad_logits_and_labels_are_one_line(logits, label, message):
    with pytest.raises(UsageError) as caught:
        worked_table(logits, label)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_one_name_for_each_logit():
    with pytest.raises(UsageError, match="3 logits for 2 class names"):
        worked_table("3,4,1", 1, ["a", "b"])


# --- a data row under a model ---------------------------------------------------------------------------------------


def test_the_row_s_table_is_that_of_its_logits():
    result = explained()
    assert [row.z for row in result.table.rows] == [2.5, 0.0, 0.25]  # W'x + b by hand
    assert result.table == worked_table([2.5, 0.0, 0.25], 2, CLASSES)
    assert result.table.loss == cross_entropy([2.5, 0.0, 0.25], 1)


def test_the_largest_gradient_entries_are_those_of_the_weight_gradient():
    G = weight_gradient(W, np.append(X_ROW, 1.0), 1)[:-1]
    entries = explained(top=6).gradient
    assert len(entries) == 6
    sizes = [abs(entry.product) for entry in entries]
    assert sizes == sorted(sizes, reverse=True)
    for entry in entries:
        j, i = FEATURES.index(entry.feature), CLASSES.index(entry.class_name)
        assert entry.product == pytest.approx(G[j, i], rel=1e-14)
        assert entry.product == entry.residual * entry.x
        assert entry.x == X_ROW[j]
    assert explained(top=2).gradient == entries[:2]


def test_entries_of_absent_features_are_not_named():
    assert {entry.feature for entry in explained(x=[0.0, 1.0], top=6).gradient} == {"wings"}
    nothing = explained(x=[0.0, 0.0])
    assert nothing.gradient == ()
    assert "all are 0" in nothing.to_text()


def test_the_parts_of_a_logit_add_up_to_it():
    rng = np.random.default_rng(0)
    W, x = rng.normal(size=(9, 12)), rng.normal(size=8)
    names, features = [f"c{k}" for k in range(12)], [f"f{j}" for j in range(8)]
    result = explained(W=W, x=x, label_code=3, classes=names, feature_names=features)
    S = softmax(x @ W[:-1] + W[-1])
    shown = [part.class_name for part in result.logits]
    assert len(shown) == 5
    assert "c3" in shown
    assert {f"c{k}" for k in np.argsort(-S)[:4]} <= set(shown)  # the likeliest
    for part in result.logits:
        assert len(part.terms) == 3
        assert part.intercept + sum(value for _, value in part.terms) + part.rest == pytest.approx(part.z, abs=1e-14)
        largest = np.sort(np.abs(W[:-1, names.index(part.class_name)] * x))[::-1][:3]
        assert [abs(value) for _, value in part.terms] == pytest.approx(list(largest))


def test_the_text_says_which_loss_is_which():
    text = explained().to_text()
    assert text.startswith("insects.csv row 7: true class bee\nclass   z ")
    assert "\nloss of this one row  -log S_bee = " in text
    assert "\nmean loss of the data set  0.250000 nats/row: another number" in text
    assert "\nant     2.5   = 0.5 (intercept) + 2 (legs)" in text
    assert all(line == line.rstrip() for line in text.split("\n"))


def test_the_explanation_survives_json():
    plain = json.loads(json.dumps(explained(classes=np.array([1, 2, 30])).to_json(), allow_nan=False))
    assert plain["place"] == "insects.csv row 7"
    assert plain["true_class"] == "2"
    assert plain["mean_loss_of_the_data_set"] == 0.25
    assert plain["loss_of_this_row"] == pytest.approx(float(cross_entropy([2.5, 0.0, 0.25], 1)))
    assert plain["largest_gradient_entries"][0].keys() == {"feature", "class_name", "residual", "x", "product"}
    assert plain["logits"][0]["terms"][0] == {"feature": "legs", "value": 2.0}


def test_names_and_place_of_an_explanation_cannot_steer_the_terminal():
    bad = "\x1b[2J\n"
    text = explained(classes=[bad] * 3, feature_names=[bad, bad * 100], place=bad).to_text()
    assert "\x1b" not in text
    assert len(text.split("\n")) == len(explained().to_text().split("\n"))


def test_what_cannot_be_explained_is_named():
    with pytest.raises(DataError, match=r"insects.csv row 7: column 'wings': nan is not finite"):
        explained(x=[1.0, math.nan])
    with pytest.raises(DataError, match=r"insects.csv row 7: the logits overflow"):
        explained(x=[1e308, 1e308])
    with pytest.raises(UsageError, match="class code 3 is out of range: 3 classes"):
        explained(label_code=3)
    with pytest.raises(UsageError, match="cannot name 0 gradient entries"):
        explained(top=0)
    with pytest.raises(
        ValueError, match=r"W of shape \(3, 3\) and x of shape \(3,\) do not fit 2 features and 3 classes"
    ):
        explained(x=[1.0, 2.0, 3.0])
