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
from softreg.tables import TableOptions
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


def test_baselines_are_what_a_dummy_of_the_training_shares_scores(model, scored):
    counts = Model.load(model).class_counts
    y = read_for(Model.load(model), DIGITS).y
    assert scored.baselines["accuracy"] == pytest.approx((y == counts.argmax()).mean())
    priors = counts / counts.sum()
    assert scored.baselines["log_loss"] == pytest.approx(-np.log(priors)[y].mean())
    assert scored.baselines["brier"] == pytest.approx(np.square(priors - np.eye(10)[y]).sum(axis=1).mean())
    assert scored.baselines["balanced_accuracy"] == pytest.approx(0.1)
    assert scored.baselines["top_2"] == pytest.approx(np.isin(y, np.argsort(-counts, kind="stable")[:2]).mean())
    assert math.isnan(scored.baselines["mcc"])


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


@pytest.fixture(scope="module")
def weighted(tmp_path_factory):
    """A model of weighted rows, their table, and the table in which each row stands as often as it weighs."""
    folder = tmp_path_factory.mktemp("weighted")
    head, *lines = (DATA / "iris.csv").read_text().splitlines()
    times = [i % 3 + 1 for i in range(150)]
    rows = [f"{line},{n}" for line, n in zip(lines, times, strict=True)]
    repeated = [f"{line},1" for line, n in zip(lines, times, strict=True) for _ in range(n)]
    for name, table in (("rows", rows), ("repeated", repeated)):
        (folder / f"{name}.csv").write_text("\n".join([f"{head},times", *table]))
    options = TableOptions(weight_col="times")
    workflows.fit(str(folder / "rows.csv"), target="species", output=str(folder / "model"), options=options)
    return str(folder / "model"), str(folder / "rows.csv"), str(folder / "repeated.csv")


def test_a_weight_of_two_is_the_row_twice_in_every_score_and_baseline(weighted):
    path, rows, repeated = weighted
    scores, twice = workflows.evaluate(path, rows), workflows.evaluate(path, repeated)
    assert scores.metrics.n == pytest.approx(300)
    for name, (value, low, _) in scores.scores.items():
        if name == "calibration_error":
            assert math.isnan(value)
            continue
        assert value == pytest.approx(twice.scores[name][0], rel=1e-12), name
        assert scores.baselines[name] == pytest.approx(twice.baselines[name], rel=1e-12, nan_ok=True), name
        assert math.isnan(low) == (name != "accuracy")
    assert any("rows with weights" in note for note in scores.notes)


def test_where_no_row_is_wrong_resampling_is_not_asked_how_sure_that_is(tmp_path):
    from softreg.training import Settings

    path = str(tmp_path / "wine")
    settings = Settings(loss="crammer_singer", squared=True)
    workflows.fit(str(DATA / "wine.csv"), target="cultivar", output=path, settings=settings)
    scores = workflows.evaluate(path, str(DATA / "wine.csv")).scores
    value, low, high = scores["accuracy"]
    assert value == high == 1.0
    assert low < 0.98
    assert scores["balanced_accuracy"][0] == 1.0
    assert math.isnan(scores["balanced_accuracy"][1])


def test_soft_labels_are_scored_as_they_are(tmp_path):
    rng = np.random.default_rng(0)
    Q = rng.dirichlet(np.ones(3), size=90)
    lines = ["x,p_a,p_b,p_c", *(f"{rng.normal() + 2 * q[0]:.4f},{','.join(map(repr, q.tolist()))}" for q in Q)]
    (tmp_path / "soft.csv").write_text("\n".join(lines))
    path, data = str(tmp_path / "m"), str(tmp_path / "soft.csv")
    workflows.fit(data, output=path, options=TableOptions(target_proba="p_*"))
    fitted = Model.load(path)
    scores = workflows.evaluate(fitted, data).scores
    P = fitted.predict_proba(read_for(fitted, data).X)
    assert scores["log_loss"][0] == pytest.approx(-(Q * np.log(P)).sum(axis=1).mean(), rel=1e-9)
    assert scores["log_loss"][0] == pytest.approx(fitted.metrics["train"]["loss"], rel=1e-9)
    assert scores["brier"][0] == pytest.approx(np.square(P - Q).sum(axis=1).mean(), rel=1e-9)
    assert scores["accuracy"][0] == pytest.approx((P.argmax(axis=1) == Q.argmax(axis=1)).mean())


# --- whose rows they are -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, -1])
def test_training_and_validation_rows_are_known_again_in_any_order_and_file(tmp_path, order):
    head, *lines = (DATA / "iris.csv").read_text().splitlines()
    for name, part in (("train", lines[::2]), ("kept", lines[1::2])):
        (tmp_path / f"{name}.csv").write_text("\n".join([head, *part]))
        (tmp_path / f"{name}2.csv").write_text("\n".join([head, *part[::order]]))
    path = str(tmp_path / "m")
    workflows.fit(str(tmp_path / "train.csv"), target="species", validation=str(tmp_path / "kept.csv"), output=path)
    trained = workflows.evaluate(path, str(tmp_path / "train2.csv"))
    assert trained.warnings == ("these rows were trained on: not an estimate for new data",)
    kept = workflows.evaluate(path, str(tmp_path / "kept2.csv"))
    assert kept.warnings == ()
    assert kept.notes == ("these are the validation rows of the fit",)


def test_the_rows_of_a_split_are_known_again(tmp_path):
    from softreg.workflows.splits import same_rows

    path = str(tmp_path / "m")
    workflows.fit(str(DATA / "iris.csv"), target="species", validation_fraction=0.2, output=path)
    fitted = Model.load(path)
    head, *lines = (DATA / "iris.csv").read_text().splitlines()
    rows = read_for(fitted, str(DATA / "iris.csv"))
    split = same_rows(fitted.split, rows.y, fitted.classes, None)
    for which, told in (
        (split.train, "these rows were trained on"),
        (split.validation, "these are the validation rows"),
    ):
        (tmp_path / "part.csv").write_text("\n".join([head, *(lines[i] for i in which)]))
        scored = workflows.evaluate(path, str(tmp_path / "part.csv"))
        assert [text for text in (*scored.notes, *scored.warnings) if text.startswith(told)]
    whole = workflows.evaluate(path, str(DATA / "iris.csv"))
    assert whole.warnings == ("most of these rows were trained on: not an estimate for new data",)


def test_C53_labels_that_training_never_saw_are_counted_and_left_out(tmp_path, iris):
    head, *lines = (DATA / "iris.csv").read_text().splitlines()
    (tmp_path / "t.csv").write_text("\n".join([head, *lines[:60], *(f"{i},1,1,1,orchid" for i in range(3))]))
    scored = workflows.evaluate(iris, str(tmp_path / "t.csv"))
    assert scored.n_unseen == 3
    assert scored.metrics.n == 60
    assert scored.warnings == ("3 rows left out, of labels that training never saw: 'orchid' (3)",)


def test_C54_a_class_without_rows_is_said_and_has_no_recall(tmp_path, capsys, iris):
    head, *lines = (DATA / "iris.csv").read_text().splitlines()
    (tmp_path / "t.csv").write_text("\n".join([head, *lines[:60]]))
    done = softreg(capsys, "evaluate", iris, tmp_path / "t.csv")
    assert done.code == 0
    assert "no rows of virginica: nothing is known of recall there" in done.out
    [row] = [line.split() for line in done.out.splitlines() if line.startswith("virginica") and line.endswith(" 0")][:1]
    assert row[2] == "-"


@pytest.fixture(scope="module")
def iris(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("models") / "iris")
    workflows.fit(str(DATA / "iris.csv"), target="species", output=path)
    return path


def test_several_files_are_one_table(tmp_path, capsys, iris):
    head, *lines = (DATA / "iris.csv").read_text().splitlines()
    for name, part in (("a", lines[:75]), ("b", lines[75:])):
        (tmp_path / f"{name}.csv").write_text("\n".join([head, *part]))
    parts = softreg(capsys, "evaluate", iris, tmp_path / "a.csv", tmp_path / "b.csv", "--json")
    whole = softreg(capsys, "evaluate", iris, DATA / "iris.csv", "--json")
    assert json.loads(parts.out)["scores"] == json.loads(whole.out)["scores"]


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
    [condition] = parse_conditions([text], score_names([2]))
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
        parse_conditions([text], score_names([2, 3]))
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
    assert value["required"] == []


def test_top_k_is_asked_for_and_can_be_required(capsys, model):
    done = softreg(capsys, "evaluate", model, DIGITS, "--top-k", "4", "--require", "top_4>=2", "--json")
    assert done.code == 8
    value = json.loads(done.out)
    assert value["scores"]["top_3"]["value"] <= value["scores"]["top_4"]["value"] <= value["scores"]["top_5"]["value"]
    assert value["required"] == [{"condition": "top_4>=2", "holds": False}]
    for k in ("1", "11"):
        refused = softreg(capsys, "evaluate", model, DIGITS, "--top-k", k)
        assert refused.code == 2
        assert "the model has 10 classes" in refused.err


def test_the_baseline_counts_weights(tmp_path):
    rows = [*("1,p,1" for _ in range(100)), *("2,q,9" for _ in range(50)), "2,p,1", "1,q,1"]
    data, model = tmp_path / "t.csv", str(tmp_path / "m")
    data.write_text("\n".join(["a,y,w", *rows, ""]))
    workflows.fit(str(data), target="y", options=TableOptions(weight_col="w"), output=model)
    baselines = workflows.evaluate(model, str(data)).baselines
    assert baselines["accuracy"] == pytest.approx(451 / 552)
