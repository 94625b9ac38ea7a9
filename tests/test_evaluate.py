"""Evaluation: scores that other programs give too, baselines beside them, and gates that scripts can rely on."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from command_line import DATA, softreg
from sklearn.metrics import balanced_accuracy_score, f1_score, matthews_corrcoef, top_k_accuracy_score

from softreg import workflows
from softreg.errors import GateError, UsageError
from softreg.scores import matthews, top_k
from softreg.store import Model
from softreg.workflows.evaluating import score_names
from softreg.workflows.inputs import read_for
from softreg.workflows.requiring import Condition, check_conditions, parse_conditions

DIGITS = str(DATA / "digits.csv")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("models") / "digits.softreg")
    workflows.fit(DIGITS, target="digit", validation_fraction=0.5, output=path)
    return path


@pytest.fixture(scope="module")
def scored(model):
    return workflows.evaluate(model, DIGITS)


def test_scores_are_those_of_scikit_learn(model, scored):
    fitted = Model.load(model)
    rows = read_for(fitted, DIGITS)
    Z = fitted.decision_function(rows.X)
    predicted = Z.argmax(axis=1)
    expected = {
        "accuracy": (predicted == rows.y).mean(),
        "balanced_accuracy": balanced_accuracy_score(rows.y, predicted),
        "macro_f1": f1_score(rows.y, predicted, average="macro"),
        "mcc": matthews_corrcoef(rows.y, predicted),
        "top_2": top_k_accuracy_score(rows.y, Z, k=2),
        "top_5": top_k_accuracy_score(rows.y, Z, k=5),
    }
    for name, value in expected.items():
        assert scored.scores[name][0] == pytest.approx(value, rel=1e-12), name
    assert scored.scores["log_loss"][0] == pytest.approx(scored.metrics.log_loss, rel=1e-9)


def test_intervals_hold_their_value_and_lie_where_the_score_can(scored):
    for name, (value, low, high) in scored.scores.items():
        if not math.isnan(low):
            assert low <= value <= high, name
            assert low >= 0, name


def test_baselines_are_what_the_shares_of_training_score(model, scored):
    counts = Model.load(model).class_counts
    y = read_for(Model.load(model), DIGITS).y
    assert scored.baselines["accuracy"] == pytest.approx((y == counts.argmax()).mean())
    assert scored.baselines["log_loss"] == pytest.approx(-np.log(counts / counts.sum())[y].mean())


def test_hinges_have_no_probabilities_to_score(tmp_path):
    path = str(tmp_path / "hinge")
    iris = str(DATA / "iris.csv")
    workflows.fit(iris, target="species", output=path, settings=workflows_settings())
    scores = workflows.evaluate(path, iris).scores
    assert math.isnan(scores["log_loss"][0])
    assert scores["top_2"][0] == 1.0


def workflows_settings():
    from softreg.training import Settings

    return Settings(loss="crammer_singer", squared=True)


def test_rows_with_weights_are_not_counted_one_by_one(tmp_path):
    lines = (DATA / "iris.csv").read_text().splitlines()
    path = tmp_path / "weighted.csv"
    path.write_text("\n".join([f"{lines[0]},times", *(f"{line},{i % 3 + 1}" for i, line in enumerate(lines[1:]))]))
    from softreg.tables import TableOptions

    out = str(tmp_path / "model")
    workflows.fit(str(path), target="species", output=out, options=TableOptions(weight_col="times"))
    result = workflows.evaluate(out, str(path))
    assert result.scores == {}
    assert any("rows with weights" in note for note in result.notes)
    assert result.metrics.n == pytest.approx(300)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_top_k_takes_the_first_of_equal_scores(k):
    Z = np.array([[1.0, 1.0, 1.0], [0.0, 2.0, 1.0]])
    assert top_k(Z, np.array([1, 0]), k) == ((k >= 2) + (k >= 3)) / 2


def test_nothing_correlates_where_one_class_is_predicted():
    assert math.isnan(matthews(np.array([[5, 0], [3, 0]])))
    assert matthews(np.eye(3)) == 1.0


# --- gates -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [
        ("accuracy>=0.9", 0.9, True),
        ("accuracy > 0.9", 0.9, False),
        ("log-loss<=0.5", 0.4, True),
        ("log_loss<1e-3", 0.4, False),
        ("mcc>=-1", math.nan, False),
    ],
)
def test_a_condition_is_a_metric_a_sign_and_a_number(text, value, holds):
    [condition] = parse_conditions([text], score_names(3))
    assert condition.holds(value) is holds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("accuracy", "a metric, a sign and a number"),
        ("acuracy>=1", "did you mean accuracy?"),
        ("accuracy>=high", "'high' is not a number"),
        ("accuracy>=nan", "'nan' is not a number"),
        ("top_9>=1", "no metric 'top_9'"),
        ("", "a metric, a sign and a number"),
    ],
)
def test_what_is_no_condition_is_refused(text, message):
    with pytest.raises(UsageError, match="--require") as caught:
        parse_conditions([text], score_names(4))
    assert message in str(caught.value)


def test_every_condition_that_fails_is_named():
    conditions = [Condition("accuracy", ">=", 0.99, "accuracy>=0.99"), Condition("mcc", ">", 0.0, "mcc>0")]
    with pytest.raises(GateError, match=r"accuracy>=0\.99 \(it is 0\.95\); mcc>0 \(it has no value here\)"):
        check_conditions(conditions, {"accuracy": 0.95})


def test_the_command_exits_8_after_its_table(capsys, model):
    done = softreg(capsys, "evaluate", model, DIGITS, "--require", "accuracy>=1")
    assert done.code == 8
    assert "Matthews correlation" in done.out
    assert done.err.splitlines()[-1].startswith("error: --require: accuracy>=1 (it is 0.9")
    assert softreg(capsys, "evaluate", model, DIGITS, "--require", "accuracy>=0.5", "--require", "mcc>0").code == 0
    value = json.loads(softreg(capsys, "evaluate", model, DIGITS, "--json").out)
    assert value["scores"]["top_3"]["value"] > 0.9
    assert value["baselines"]["accuracy"] < 0.2
