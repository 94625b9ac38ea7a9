"""Workflows: from files to results and files, and what is refused before anything is lost."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import StratifiedShuffleSplit

from softreg import workflows
from softreg.errors import DataError, FitError, ModelFileError, OutputError, SoftregError, UsageError
from softreg.folds import folds
from softreg.minimise import HISTORY_COLUMNS
from softreg.store import Model
from softreg.tables import TableOptions
from softreg.text import short
from softreg.training import ALPHAS, Settings, train
from softreg.workflows.history import read_history
from softreg.workflows.inputs import read_training
from softreg.workflows.preparing import metrics_of, prepare
from softreg.workflows.splits import same_rows, split_rows
from softreg.workflows.tuning import tune_prepared

ROOT = Path(__file__).parent.parent
IRIS, WINE, DIGITS = (str(ROOT / "data" / f"{name}.csv") for name in ("iris", "wine", "digits"))


def strict(result):
    """The result as a program sees it: JSON without NaN."""
    return json.loads(json.dumps(result.to_json(), allow_nan=False))


@pytest.fixture(scope="module")
def iris_model(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("models") / "iris.softreg")
    workflows.fit(IRIS, target="species", output=path)
    return path


@pytest.fixture(scope="module")
def hinge_model(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("models") / "hinge.softreg")
    workflows.fit(IRIS, target="species", settings=Settings(loss="weston_watkins", squared=True), output=path)
    return path


def write(path, text):
    path.write_text(text)
    return str(path)


def iris_rows():
    return Path(IRIS).read_text().splitlines()


# --- fit ----------------------------------------------------------------------------------------------------------


def test_fit_of_digits_says_what_it_understood_and_proves_what_it_found(tmp_path):
    plans = []
    out = tmp_path / "digits.softreg"
    result = workflows.fit(
        DIGITS, target="digit", validation_fraction=0.2, output=str(out), plot=str(tmp_path / "loss.svg"),
        on_plan=plans.append,
    )  # fmt: skip
    (plan,) = plans
    assert plan.data == "digits.csv: 1797 rows, 64 numeric columns, 10 classes (174 to 183 rows each), 0 missing"
    assert plan.split == "1437 train, 360 validation (stratified, seed 0)"
    assert plan.objective == ("mean cross-entropy + (alpha/2)·||W||²   alpha 1e-4 (C = 6.96), intercept not penalised")
    assert plan.solver.startswith("newton: 650 weights, so Newton's steps by conjugate gradients")
    assert result.status == "certified"
    assert result.certificate.relative <= 1e-6
    assert result.objective == pytest.approx(0.002361, abs=1e-6)
    assert (result.train.n, result.validation.n) == (1437, 360)
    assert result.notes == ("validation loss far above training loss: try --alpha 1e-2, or --tune",)
    assert result.saved == (str(out), str(tmp_path / "loss.svg"))
    assert result.next == f"softreg plot weights {out} --shape 8x8 --output weights.png"
    assert (tmp_path / "loss.svg").read_text().startswith("<?xml")
    assert strict(result)["validation"]["n_right"] == result.validation.n_right


@pytest.mark.parametrize("settings", [Settings(), Settings(loss="crammer_singer", squared=True)], ids=str)
def test_the_same_fit_gives_the_same_bytes_whatever_the_threads(tmp_path, settings):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30_000, 3))  # several blocks, which threads share
    y = (X + rng.normal(size=X.shape)).argmax(axis=1)
    np.savez(tmp_path / "data.npz", X=X, y=y)
    contents = []
    for name, n_jobs in (("a", 1), ("b", 1), ("c", 2), ("d", None)):
        path = tmp_path / name
        workflows.fit(
            str(tmp_path / "data.npz"),
            settings=replace(settings, n_jobs=n_jobs),
            validation_fraction=0.2,
            output=str(path),
        )
        contents.append(path.read_bytes())
    assert len(set(contents)) == 1
    for word in (b"seconds", b"n_jobs", os.fsencode(tmp_path.name), os.fsencode(tmp_path.parent.name), b"data.npz"):
        assert word not in contents[0]


def test_fit_without_output_suggests_to_save():
    result = workflows.fit(IRIS, target="species")
    assert result.saved == ()
    assert result.next == (f"softreg fit {IRIS} --target species --validation-fraction 0.2 --output model.softreg")


def test_every_iteration_is_in_the_history_file_as_it_happens(tmp_path):
    path = str(tmp_path / "h.csv")
    seen = []

    def progress(iterate, history):
        seen.append(len(Path(path).read_text().splitlines()) - 1 - history.n_rows)

    result = workflows.fit(IRIS, target="species", validation_fraction=0.2, history=path, progress=progress)
    assert set(seen) == {0}  # each row is there by the time the next callback runs
    columns = read_history(path)
    assert tuple(columns) == HISTORY_COLUMNS
    for name in HISTORY_COLUMNS:
        assert columns[name] == list(result.history[name])
    assert result.saved == (path,)


def test_an_unfinished_last_line_of_a_history_is_left_out(tmp_path):
    text = ",".join(HISTORY_COLUMNS) + "\n" + ",".join("0" * 10) + "\n1,2,"
    assert read_history(write(tmp_path / "h.csv", text))["iteration"] == [0.0]


def test_a_history_that_can_no_longer_be_written_does_not_cost_the_model(tmp_path, monkeypatch):
    from softreg.workflows import history

    def full(value):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(history, "_plain", full)
    with pytest.raises(OutputError, match="no space left"):
        workflows.fit(IRIS, target="species", output=str(tmp_path / "m"), history=str(tmp_path / "h.csv"))
    assert Model.load(tmp_path / "m").status == "certified"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_history_on_a_full_device_is_found_before_training():
    with pytest.raises(OutputError, match="/dev/full"):
        workflows.fit(IRIS, target="species", history="/dev/full", progress=lambda i, h: pytest.fail("trained"))


def test_outputs_are_checked_before_the_data_are_read(tmp_path):
    missing = str(tmp_path / "no.csv")  # never reached
    table = write(tmp_path / "t.csv", "a,b\n1,x\n")
    for kind, options, message in (
        (OutputError, {"output": str(tmp_path / "no" / "m")}, "no folder"),
        (OutputError, {"output": table}, "is not a softreg model"),
        (UsageError, {"output": missing}, "same file"),
        (UsageError, {"output": str(tmp_path / "o"), "history": str(tmp_path / "o")}, "--history and --output"),
        (UsageError, {"validation": table, "history": table}, "choose another --history"),
        (UsageError, {"plot": str(tmp_path / "p.gif")}, "not a picture format"),
        (UsageError, {"output": ""}, "empty"),
    ):
        with pytest.raises(kind, match=message) as refused:
            workflows.fit(missing, target="b", **options)
        assert "\n" not in str(refused.value)
    assert Path(table).read_text() == "a,b\n1,x\n"
    assert os.listdir(tmp_path) == ["t.csv"]


def test_strict_keeps_the_old_model(tmp_path):
    path = tmp_path / "m"
    workflows.fit(IRIS, target="species", output=str(path))
    before = path.read_bytes()
    with pytest.raises(FitError, match=r"not certified: .*max_iter = 1.*\(--strict\)"):
        workflows.fit(IRIS, target="species", settings=Settings(max_iter=1), output=str(path), strict=True)
    assert path.read_bytes() == before
    result = workflows.fit(IRIS, target="species", settings=Settings(max_iter=1), output=str(path))
    assert result.status == "not_certified"
    assert result.warnings[0].endswith("raise --max-iter, or leave it out")
    assert Model.load(path).status == "not_certified"


def test_a_diverged_fit_is_never_saved(tmp_path):
    path = tmp_path / "m"
    settings = Settings(solver="gd", learning_rate=1e200)
    with pytest.raises(FitError, match=r"diverged.*learning_rate.*auto"):
        workflows.fit(IRIS, target="species", settings=settings, output=str(path), history=str(tmp_path / "h.csv"))
    assert os.listdir(tmp_path) == ["h.csv"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_fit_keeps_the_old_model_and_saves_its_own_beside(tmp_path, number):
    path = tmp_path / "m"
    workflows.fit(IRIS, target="species", output=str(path))
    before = path.read_bytes()

    def progress(iterate, history):
        if history.n_rows == 3:
            os.kill(os.getpid(), number)

    result = workflows.fit(
        IRIS, target="species", output=str(path), plot=str(tmp_path / "l.svg"), progress=progress, strict=True
    )
    assert (result.status, result.signal) == ("interrupted", number)
    assert result.interrupted_path == f"{path}.interrupted"
    assert result.saved == (result.interrupted_path,)
    assert path.read_bytes() == before
    partial = Model.load(result.interrupted_path)
    assert partial.status == "interrupted"
    assert sorted(os.listdir(tmp_path)) == ["m", "m.interrupted"]
    strict(result)


def test_separated_classes_are_named():
    result = workflows.fit(IRIS, target="species", settings=Settings(alpha=0.0))
    assert result.status == "separated"
    assert "setosa is separated from versicolor and virginica by" in result.message
    assert result.warnings[0].endswith("a penalty, such as --alpha 1e-4, makes it finite")


def test_validation_rows_from_a_file(tmp_path):
    header, *rows = iris_rows()
    train_path = write(tmp_path / "train.csv", "\n".join([header, *rows[::2]]))
    odd = [*rows[1::2], "1,2,3,4,orchid", "1,2,3,4,orchid"]
    columns = [line.split(",") for line in [header, *odd]]
    other_path = write(tmp_path / "other.csv", "\n".join(",".join(reversed(cells)) for cells in columns))
    plans = []
    result = workflows.fit(train_path, target="species", validation=other_path, on_plan=plans.append)
    assert plans[0].split == "75 train, 75 validation (other.csv)"
    assert result.warnings == ("other.csv: 2 rows left out, of labels that training never saw: 'orchid' (2)",)
    assert result.validation.n == 75
    assert result.history["validation_accuracy"][-1] == pytest.approx(result.validation.accuracy)
    same = workflows.fit(train_path, target="species", validation=train_path)
    assert same.warnings == ("train.csv holds the training rows: its metrics are no estimate for new data",)


def test_early_stopping_says_that_it_flatters():
    settings = Settings(early_stopping=True, n_iter_no_change=1, solver="adam", max_iter=300)
    result = workflows.fit(WINE, target="cultivar", settings=settings, validation_fraction=0.3)
    assert result.status == "stopped_early"
    assert any("also chose when to stop" in note for note in result.notes)
    with pytest.raises(UsageError, match="--validation-fraction"):
        workflows.fit(WINE, target="cultivar", settings=settings)


def test_npz_is_fitted_evaluated_and_predicted_sparse_or_dense(tmp_path):
    from scipy.sparse import csr_array

    rows = read_training(IRIS, "species")
    X = csr_array(rows.X)
    np.savez(tmp_path / "dense.npz", X=rows.X.astype(np.float32), y=rows.table.y)
    np.savez(
        tmp_path / "sparse.npz", data=X.data, indices=X.indices, indptr=X.indptr, shape=X.shape, format=b"csr",
        y=rows.table.y,
    )  # fmt: skip
    for name in ("dense.npz", "sparse.npz"):
        path = str(tmp_path / name)
        result = workflows.fit(path, validation_fraction=0.2, output=str(tmp_path / "m"))
        assert result.status == "certified"
        assert workflows.verify(str(tmp_path / "m"), path).holds
        assert workflows.evaluate(str(tmp_path / "m"), path).metrics.n == 150
        assert workflows.predict(str(tmp_path / "m"), path, proba=True).n == 150
        assert workflows.explain_row(str(tmp_path / "m"), path, 3).table.true_class == "setosa"


# --- splits -------------------------------------------------------------------------------------------------------


def test_a_split_is_that_of_scikit_learn_and_keeps_the_order_of_rows():
    y = np.repeat([0, 1, 2], [50, 30, 20])
    split = split_rows(y, np.array(["a", "b", "c"]), 0.2, 7)
    _, expected = next(StratifiedShuffleSplit(1, test_size=0.2, random_state=7).split(y, y))
    assert split.validation.tolist() == sorted(expected)
    assert sorted([*split.train, *split.validation]) == list(range(100))
    assert np.bincount(y[split.validation]).tolist() == [10, 6, 4]
    again = same_rows(split.record, y, np.array(["a", "b", "c"]), None)
    assert again.train.tolist() == split.train.tolist()
    assert same_rows({**split.record, "seed": 8}, y, np.array(["a", "b", "c"]), None) is None


def test_a_class_of_one_row_stays_in_training_and_is_said_so():
    y = np.array([0] * 10 + [1] * 10 + [2])
    split = split_rows(y, np.array(["a", "b", "rare"]), 0.3, 0)
    assert 20 in split.train
    assert split.notes == (
        "all rows of rare (1) are in training: too few to divide; validation says nothing about them",
    )


def test_groups_stay_whole_and_a_group_that_alone_has_a_class_stays_in_training():
    y = np.array([0, 1] * 20 + [2, 2])
    groups = np.array([f"g{i // 4}" for i in range(42)])
    for seed in range(5):
        split = split_rows(y, np.array([0, 1, 2]), 0.3, seed, groups, "patient")
        assert not set(groups[split.train]) & set(groups[split.validation])
        assert len(split.validation) == 12
        assert set(y[split.train]) == {0, 1, 2}
        assert split.text.endswith(f"(whole groups of patient, seed {seed})")


@pytest.mark.parametrize("fraction", [0.0, 1.0, -1.0, float("nan"), 0.001, 0.999])
def test_fractions_that_leave_too_few_rows_are_refused(fraction):
    with pytest.raises(UsageError, match="--validation-fraction"):
        split_rows(np.repeat([0, 1, 2], 50), np.array(["a", "b", "c"]), fraction, 0)


def test_every_row_is_in_one_fold_and_rare_classes_in_every_training():
    y = np.array([0] * 12 + [1] * 11 + [2] * 2 + [3])
    parts = folds(y, 4, 5, 0)
    apart = np.concatenate([judged for _, judged in parts])
    assert sorted(apart) == list(range(25))  # all but the single row of class 3
    for rows, judged in parts:
        assert set(y[rows]) == {0, 1, 2, 3}
        assert not set(rows) & set(judged)


def test_folds_keep_groups_whole():
    rng = np.random.default_rng(0)
    y, groups = rng.integers(3, size=90), np.repeat(np.arange(30), 3)
    for train_rows, judged in folds(y, 3, 5, 0, groups):
        assert not set(groups[train_rows]) & set(groups[judged])
    with pytest.raises(DataError, match="too few"):
        folds(np.array([0, 1]), 2, 5, 0)


def grouped_iris(tmp_path):
    header, *rows = iris_rows()
    lines = [f"{header},plot", *(f"{row},p{i % 25}" for i, row in enumerate(rows))]
    return write(tmp_path / "grouped.csv", "\n".join(lines))


def test_a_group_column_is_no_feature_and_is_remembered(tmp_path):
    path, out = grouped_iris(tmp_path), str(tmp_path / "m")
    plans = []
    result = workflows.fit(
        path, target="species", group="plot", validation_fraction=0.2, output=out, on_plan=plans.append
    )
    assert plans[0].split == "120 train, 30 validation (whole groups of plot, seed 0)"
    assert len(result.model.feature_names) == 4
    verified = workflows.verify(out, path)
    assert verified.holds
    assert verified.same_data
    assert workflows.evaluate(out, path).warnings == (
        "most of these rows were trained on: not an estimate for new data",
    )
    assert workflows.evaluate(out, IRIS).metrics.n == 150  # which has no such column
    with pytest.raises(DataError, match="no column 'orchard'"):
        workflows.fit(path, target="species", group="orchard")


# --- tune ---------------------------------------------------------------------------------------------------------


def test_tuning_finds_the_alpha_of_lowest_validation_loss():
    result = workflows.tune(IRIS, target="species")
    assert result.alphas == ALPHAS
    assert result.n_fits == 35
    assert result.alpha == result.alphas[int(np.argmin(result.losses))]
    # The slow twin of one entry: each fold from zero.
    rows = read_training(IRIS, "species")
    total = 0.0
    for fold, judged in folds(rows.y, 3, 5, 0):
        W = train(rows.X[fold], rows.y[fold], settings=Settings(alpha=1e-3)).W
        total += metrics_of(rows.X[judged], rows.y[judged], W, Settings()).loss * len(judged)
    # Both are within 1e-6 of the same optimum; the loss of other rows is that of the weights, to its root.
    assert result.losses[3] == pytest.approx(total / 150, rel=1e-2)
    strict(result)


def test_fit_with_tune_uses_the_alpha_chosen(tmp_path):
    plans, counts = [], []
    result = workflows.fit(
        IRIS,
        target="species",
        tune=True,
        validation_fraction=0.2,
        output=str(tmp_path / "m"),
        on_plan=plans.append,
        on_tuning=lambda done, total: counts.append((done, total)),
    )
    assert counts == [(done, 35) for done in range(36)]
    assert result.model.alpha == result.tuning.alpha
    assert plans[0].tuning.startswith(f"alpha {short(result.tuning.alpha)}, the lowest log loss")
    assert "over 120 rows" in plans[0].tuning  # never those of the validation
    assert workflows.verify(str(tmp_path / "m"), IRIS).holds
    strict(result)


def test_a_choice_at_the_edge_of_the_grid_is_a_warning(tmp_path):
    rng = np.random.default_rng(0)
    lines = ["a,b,label", *(f"{a:.3f},{b:.3f},{'xy'[i % 2]}" for i, (a, b) in enumerate(rng.normal(size=(40, 2))))]
    result = workflows.tune(write(tmp_path / "noise.csv", "\n".join(lines)), target="label")
    assert result.alpha == 1.0
    assert result.warnings == ("--tune chose alpha 1, the edge of its grid: the best may be larger still",)


@pytest.mark.parametrize("settings", [Settings(C=1.0), Settings(alpha=0.5)])
def test_tune_and_alpha_do_not_go_together(settings):
    with pytest.raises(UsageError, match="--tune chooses alpha: leave out --"):
        workflows.fit(IRIS, target="species", settings=settings, tune=True)


# --- verify -------------------------------------------------------------------------------------------------------

KINDS = [
    Settings(),
    Settings(standardize=True, solver="gd", tol=1e-2),
    Settings(solver="lbfgs", C=3.0),
    Settings(class_weight="balanced", fit_intercept=False, solver="sgd", max_iter=5),
    Settings(alpha=0.0, max_iter=4),
    Settings(loss="weston_watkins", margin=2.0),
    Settings(loss="crammer_singer", standardize=True),
    Settings(loss="crammer_singer", squared=True),
]


@pytest.mark.parametrize("settings", KINDS, ids=str)
def test_a_second_party_finds_the_same_numbers(tmp_path, settings):
    path = str(tmp_path / "m")
    workflows.fit(IRIS, target="species", settings=settings, validation_fraction=0.2, output=path)
    verified = workflows.verify(path, IRIS)
    assert verified.holds, verified
    assert verified.same_data
    assert {claim.name.split()[0] for claim in verified.rows} >= {"objective", "train", "validation"}
    strict(verified)


def test_verify_catches_what_is_not_so(tmp_path, iris_model):
    model = Model.load(iris_model)
    for changes, wrong in (
        ({"W": model.W * 1.01}, "objective"),
        ({"objective": model.objective * (1 - 1e-6)}, "objective"),
        ({"certificate": type(model.certificate)("gap", 0.0, 0.0, 0.0)}, "relative gap"),
        ({"metrics": {"train": {**model.metrics["train"], "accuracy": 0.99}}}, "train accuracy"),
        ({"n_rows": 151}, "training rows"),
        ({"alpha": 2e-4}, "alpha"),
    ):
        forged = Model(**{**model.__dict__, **changes})
        forged.save(tmp_path / "forged")
        verified = workflows.verify(str(tmp_path / "forged"), IRIS)
        assert not verified.holds
        assert wrong in verified.message
        assert verified.same_data


def test_verify_says_when_the_data_are_others(tmp_path, iris_model):
    header, *rows = iris_rows()
    verified = workflows.verify(iris_model, write(tmp_path / "fewer.csv", "\n".join([header, *rows[1:]])))
    assert (verified.holds, verified.same_data) == (False, False)
    assert "not the data the model was trained on" in verified.message
    forged = Model(**{**Model.load(iris_model).__dict__, "certificate": None})
    with pytest.raises(ModelFileError, match="holds no certificate"):
        workflows.verify(forged, IRIS)


# --- evaluate and predict -----------------------------------------------------------------------------------------


def test_evaluate_reports_every_class(iris_model):
    scored = workflows.evaluate(iris_model, IRIS)
    assert scored.metrics.n == 150
    assert scored.metrics.log_loss == pytest.approx(Model.load(iris_model).metrics["train"]["loss"], rel=1e-12)
    assert scored.warnings == ("these rows were trained on: not an estimate for new data",)
    assert strict(scored)["support"] == [50, 50, 50]


def test_evaluate_counts_labels_it_never_saw_and_classes_without_rows(tmp_path, iris_model):
    header, *rows = iris_rows()
    path = write(tmp_path / "few.csv", "\n".join([header, *rows[:10], "1,2,3,4,orchid"]))
    scored = workflows.evaluate(iris_model, path)
    assert (scored.metrics.n, scored.n_unseen) == (10, 1)
    assert scored.warnings == ("1 row left out, of labels that training never saw: 'orchid' (1)",)
    assert scored.notes == ("no rows of versicolor, virginica: nothing is known of recall there",)
    assert strict(scored)["recall"] == [1.0, None, None]
    with pytest.raises(DataError, match="none of its labels is a class of the model: 'orchid'"):
        workflows.evaluate(iris_model, write(tmp_path / "none.csv", f"{header}\n1,2,3,4,orchid\n"))


def test_evaluate_of_a_hinge_has_no_log_loss(hinge_model):
    scored = workflows.evaluate(hinge_model, IRIS)
    assert scored.metrics.log_loss is None
    assert scored.metrics.loss_name == "squared Weston-Watkins hinge"
    assert scored.metrics.unit == "squared margin units/row"


def test_predictions_keep_the_order_of_rows_and_match_columns_by_name(tmp_path, iris_model):
    header, *rows = iris_rows()
    cells = [row.split(",") for row in [header, *rows[::-1]]]
    path = write(tmp_path / "backwards.csv", "\n".join(",".join([*row[::-1][1:], "7"]) for row in cells).replace(
        "sepal_length,7", "sepal_length,extra"
    ))  # fmt: skip
    forwards = workflows.predict(iris_model, IRIS, proba=True)
    backwards = workflows.predict(iris_model, path, proba=True)
    assert forwards.header == ["prediction", "p[setosa]", "p[versicolor]", "p[virginica]"]
    np.testing.assert_allclose(backwards.probabilities[::-1], forwards.probabilities, rtol=1e-9)
    assert backwards.notes == ("ignored, not among the model's columns: extra",)
    first = next(forwards.rows())
    assert first[0] == "setosa"
    assert sum(first[1:]) == pytest.approx(1)
    assert strict(forwards)["predictions"][:2] == ["setosa", "setosa"]


@pytest.mark.parametrize("labels", [["007", "7", "08"], ["-1", "10", "9"], ["=1+1", "b", "c"]])
def test_labels_are_written_as_they_were(tmp_path, labels):
    rng = np.random.default_rng(0)
    lines = ["x,label", *(f"{i % 3 + rng.normal() / 10:.4f},{labels[i % 3]}" for i in range(60))]
    path, out = write(tmp_path / "t.csv", "\n".join(lines)), str(tmp_path / "m")
    workflows.fit(path, target="label", settings=Settings(alpha=1e-3), output=out)
    predicted = workflows.predict(out, path)
    assert [row[0] for row in predicted.rows()] == [labels[i % 3] for i in range(60)]
    assert len(predicted.warnings) == (labels[0] == "=1+1")


def test_a_hinge_has_no_probabilities_and_says_what_to_do(hinge_model):
    with pytest.raises(UsageError, match=r"hinge\.softreg: .*leave out --proba, or fit with --loss softmax"):
        workflows.predict(hinge_model, IRIS, proba=True)


def test_values_that_overflow_are_refused_with_their_file(tmp_path, iris_model):
    path = write(tmp_path / "huge.csv", "sepal_length,sepal_width,petal_length,petal_width\n1e308,1e308,1e308,1e308\n")
    with pytest.raises(DataError, match=r"huge\.csv: row 1"):
        workflows.predict(iris_model, path)


@pytest.mark.parametrize(
    ("call", "absent"),
    [
        ("w.fit({iris!r}, target='species', output={out!r})", "sklearn matplotlib scipy.optimize scipy.stats pandas"),
        ("list(w.predict({model!r}, {iris!r}, proba=True).rows())", "sklearn matplotlib scipy pandas"),
        ("w.evaluate({model!r}, {iris!r})", "sklearn matplotlib scipy.optimize pandas"),
        ("w.explain_logits('3,4,1', 2)", "sklearn matplotlib scipy polars pandas"),
    ],
)
def test_what_a_workflow_does_not_need_it_does_not_import(tmp_path, iris_model, call, absent):
    call = call.format(iris=IRIS, model=iris_model, out=str(tmp_path / "m"))
    found = f"print(*[m for m in {absent.split()!r} if m in sys.modules])"
    program = f"import sys; from softreg import workflows as w; {call}; {found}"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == ""


# --- compare, gradcheck, explain, plot ----------------------------------------------------------------------------


def test_compare_reads_the_design_and_writes_what_is_asked_for(tmp_path):
    told = []
    result = workflows.compare(
        IRIS,
        target="species",
        cv=3,
        repeats=1,
        models="softmax,crammer_singer:alpha=1e-2:squared=true",
        plot=str(tmp_path / "c.svg"),
        folds_out=str(tmp_path / "folds.csv"),
        on_data=lambda *texts: told.append(texts),
        settings=Settings(n_jobs=1),
    )
    compared = result.comparison
    assert told[0][0].startswith("iris.csv: 150 rows, 4 numeric columns, 3 classes")
    assert told[0][1] == "3 folds, 1 repeat (stratified, seed 0)"
    assert [model.alphas[0] for model in compared.models] == [1e-4, 1e-2]
    assert all(model.certified and model.tol == 1e-4 for model in compared.models)
    lines = (tmp_path / "folds.csv").read_text().splitlines()
    assert lines[0] == "row,label,repeat_1"
    assert len(lines) == 151
    assert (tmp_path / "c.svg").exists()
    assert "history" not in strict(result)["models"][0]


def test_compare_on_rows_kept_apart_names_them_by_their_number_in_the_table():
    result = workflows.compare(
        IRIS,
        target="species",
        models="softmax,sklearn:GaussianNB",
        validation_fraction=0.3,
        settings=Settings(n_jobs=1),
    )
    compared = result.comparison
    assert compared.design.kind == "test"
    assert compared.design.n_test == 45
    species = [line.split(",")[-1] for line in Path(IRIS).read_text().splitlines()[1:]]
    for row, truth in zip(compared.disagreements.ids, compared.disagreements.truth, strict=True):
        assert species[int(row) - 1] == truth


def test_compare_on_a_file_of_test_rows_judges_those(tmp_path):
    lines = Path(IRIS).read_text().splitlines(keepends=True)
    (tmp_path / "train.csv").write_text("".join(lines[:1] + lines[1::2]))
    (tmp_path / "test.csv").write_text("".join(lines[:1] + lines[2::2]))
    result = workflows.compare(
        str(tmp_path / "train.csv"),
        target="species",
        models="softmax,crammer_singer:squared=true",
        test=str(tmp_path / "test.csv"),
        features="petal_length,petal_width",
        settings=Settings(n_jobs=1),
    )
    assert result.comparison.design.n_test == 75
    assert result.comparison.feature_names == ("petal_length", "petal_width")
    assert result.comparison.points is not None


def test_compare_keeps_groups_together(tmp_path):
    lines = Path(IRIS).read_text().splitlines()
    text = "\n".join([lines[0] + ",plot", *(f"{line},{i // 5}" for i, line in enumerate(lines[1:]))])
    (tmp_path / "plots.csv").write_text(text)
    workflows.compare(
        str(tmp_path / "plots.csv"),
        target="species",
        group="plot",
        cv=3,
        repeats=1,
        models="softmax,sklearn:GaussianNB",
        folds_out=str(tmp_path / "folds.csv"),
        settings=Settings(n_jobs=1),
    )
    folds = [line.split(",")[2] for line in (tmp_path / "folds.csv").read_text().splitlines()[1:]]
    assert all(len(set(folds[i : i + 5])) == 1 for i in range(0, 150, 5))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"models": "softmax"}, "one model cannot be compared"),
        ({"models": "softmax,,hinge"}, "a name is missing"),
        ({"models": "softmax,crammer-sinker"}, "did you mean crammer_singer?"),
        ({"models": "softmax,softmax"}, "two are called 'softmax'"),
        ({"models": "softmax,softmax:alhpa=1"}, "did you mean alpha=…?"),
        ({"models": "softmax,softmax:alpha=-1"}, "alpha=-1"),
        ({"models": "softmax,sklearn:GausianNB"}, "did you mean sklearn:GaussianNB?"),
        ({"models": "softmax,sklearn"}, "which class?"),
        ({"models": "softmax,sklearn:GaussianNB:smooth=1"}, "unexpected keyword"),
        ({"metric": "acuracy"}, "did you mean accuracy?"),
        ({"features": "petal_lenght"}, "did you mean 'petal_length'?"),
        ({"shape": "2by2"}, "such as 8x8"),
        ({"shape": "²x2"}, "such as 8x8"),
        ({"picture": "nope"}, "nope"),
        ({"shape": "3x3"}, "9 pixels, the table has 4 features"),
        ({"cv": 60}, "--cv 60: the table has 50 rows in the largest class"),
        ({"cv": 1}, "--cv 1: 2 or more"),
        ({"cv": 5, "validation_fraction": 0.2}, "give one of them"),
        ({"plot": "x.svg", "picture": "marjins"}, "did you mean margins?"),
        ({"settings": Settings(early_stopping=True)}, "early stopping has no place here"),
    ],
)
def test_compare_refuses_what_makes_no_sense(options, message):
    with pytest.raises(SoftregError, match=re.escape(message)):
        workflows.compare(IRIS, target="species", **options)


def test_a_class_with_fewer_rows_than_folds_is_named(tmp_path):
    lines = Path(IRIS).read_text().splitlines()
    (tmp_path / "few.csv").write_text("\n".join(lines[:54]))
    options = {"target": "species", "models": "softmax,sklearn:GaussianNB", "cv": 5, "repeats": 1}
    result = workflows.compare(str(tmp_path / "few.csv"), settings=Settings(n_jobs=1), **options)
    assert "fewer rows than folds: versicolor (3)" in result.comparison.notes[0]


def test_strict_asks_for_a_certificate_of_every_fit():
    result = workflows.compare(
        IRIS, target="species", models="softmax,sklearn:GaussianNB", cv=3, settings=Settings(max_iter=1, n_jobs=1)
    )
    assert result.comparison.models[0].certified is False
    with pytest.raises(FitError, match=re.escape("--strict: softmax: 0 of 6 fits are certified")):
        workflows.check_strict(result.comparison)


@pytest.mark.parametrize("settings", KINDS[:1] + KINDS[5:7], ids=str)
def test_gradcheck_of_a_table_names_features_and_classes(settings):
    result = workflows.gradcheck(IRIS, target="species", settings=settings)
    assert result.passed
    assert result.verdict.startswith("right gradient")
    assert "petal_length" in result.to_text()
    assert strict(result)["entries"][0]["class_name"] in ("setosa", "versicolor", "virginica")


def test_explain_row_counts_from_one_and_knows_the_mean_loss(iris_model):
    explained = workflows.explain_row(iris_model, IRIS, 1)
    assert explained.place == f"row 1 of {IRIS} (line 2)"
    assert explained.table.true_class == "setosa"
    assert explained.mean_loss == pytest.approx(workflows.evaluate(iris_model, IRIS).metrics.loss, rel=1e-12)
    strict(explained)
    assert workflows.explain_row(iris_model, IRIS, 150).table.true_class == "virginica"


@pytest.mark.parametrize("row", [0, -1, 151])
def test_rows_that_are_not_there_cannot_be_explained(iris_model, row):
    with pytest.raises(UsageError, match="has rows 1 to 150"):
        workflows.explain_row(iris_model, IRIS, row)


def test_hinges_and_unknown_labels_cannot_be_explained(tmp_path, iris_model, hinge_model):
    with pytest.raises(UsageError, match="this is a weston_watkins model"):
        workflows.explain_row(hinge_model, IRIS, 1)
    path = write(tmp_path / "t.csv", f"{iris_rows()[0]}\n{iris_rows()[1]}\n1,2,3,4,orchid\n")
    with pytest.raises(DataError, match=r"t\.csv:3: label 'orchid' is no class of the model"):
        workflows.explain_row(iris_model, path, 2)


def test_explain_logits_is_the_worked_example():
    assert workflows.explain_logits("3,4,1", 2).loss == pytest.approx(0.349012, abs=5e-7)


@pytest.mark.parametrize("kind", ["loss", "convergence", "confusion", "weights"])
def test_pictures_are_drawn_from_models(tmp_path, iris_model, hinge_model, kind):
    inputs = {"confusion": [iris_model, IRIS], "weights": [iris_model]}.get(kind, [iris_model, hinge_model])
    output = tmp_path / "p.svg"
    result = workflows.plot(kind, inputs, output=str(output), shape="2x2" if kind == "weights" else None)
    first = output.read_bytes()
    assert first.startswith(b"<?xml")
    assert strict(result)["saved"] == [str(output)]
    workflows.plot(kind, inputs, output=str(output), shape="2x2" if kind == "weights" else None)
    assert output.read_bytes() == first


def test_histories_and_models_are_overlaid_and_only_histories_know_seconds(tmp_path, iris_model):
    log = str(tmp_path / "h.csv")
    workflows.fit(IRIS, target="species", history=log)
    result = workflows.plot("loss", [iris_model, log, iris_model], output=str(tmp_path / "p.png"), x="passes")
    assert list(result.display.histories) == [iris_model, "h.csv", f"{iris_model} (3)"]
    workflows.plot("convergence", [log], output=str(tmp_path / "p.png"), x="seconds")
    with pytest.raises(UsageError, match="hold no seconds"):
        workflows.plot("loss", [iris_model, log], output=str(tmp_path / "p.png"), x="seconds")


def test_plots_that_cannot_be_are_refused_before_the_old_picture_is_touched(tmp_path, iris_model):
    old = tmp_path / "p.png"
    old.write_bytes(b"old")
    table = write(tmp_path / "t.csv", "a,b\n1,2\n")
    for kind, inputs, options, error, message in (
        ("pie", [iris_model], {}, UsageError, "one of loss"),
        ("confusion", [iris_model], {}, UsageError, "MODEL DATA"),
        ("loss", [], {}, UsageError, "from what"),
        ("loss", [iris_model], {"shape": "2x2"}, UsageError, "--shape"),
        ("weights", [iris_model], {"x": "passes"}, UsageError, "--x"),
        ("loss", [iris_model], {"x": "hours"}, UsageError, "--x hours"),
        ("weights", [iris_model], {"shape": "2by2"}, UsageError, "such as 8x8"),
        ("weights", [iris_model], {"shape": "3x3"}, UsageError, "9 pixels"),
        ("loss", [table], {}, DataError, "neither a model nor a file of --history"),
        ("loss", [str(tmp_path / "none")], {}, DataError, "no such file"),
        ("weights", [table], {}, ModelFileError, "not a softreg model"),
    ):
        with pytest.raises(error, match=message) as refused:
            workflows.plot(kind, inputs, output=str(old), **options)
        assert "\n" not in str(refused.value)
        assert old.read_bytes() == b"old"
    with pytest.raises(UsageError, match="choose another --output"):
        workflows.plot("weights", [iris_model], output=iris_model)


@pytest.mark.parametrize("name", workflows.__all__)
def test_every_public_name_is_what_it_says(name):
    from softreg.workflows import comparing, tuning  # noqa: F401  # importing a module must not hide a function

    assert callable(getattr(workflows, name))


def test_a_history_of_broken_lines_is_refused(tmp_path):
    head = ",".join(HISTORY_COLUMNS)
    for text, message in (
        (f"{head}\n1,2\n", r"h\.csv:2: 2 fields"),
        (f"{head}\n{','.join('x' * 10)}\n", r"h\.csv:2: column 'iteration': 'x' is not a number"),
        ("", "neither a model"),
    ):
        with pytest.raises(DataError, match=message):
            read_history(write(tmp_path / "h.csv", text))


def test_history_files_are_plain_csv(tmp_path):
    path = tmp_path / "h.csv"
    workflows.fit(IRIS, target="species", history=str(path))
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["iteration"]) for row in rows] == list(range(len(rows)))
    assert {row["validation_loss"] for row in rows} == {""}


@pytest.mark.parametrize("kind", ["roc", "pr", "reliability"])
def test_pictures_of_rows_are_drawn_from_a_model_and_a_table(tmp_path, iris_model, kind):
    out = tmp_path / f"{kind}.svg"
    drawn = workflows.plot(kind, [iris_model, IRIS], str(out))
    assert out.read_bytes().startswith(b"<?xml")
    assert drawn.kind == kind
    with pytest.raises(UsageError, match="MODEL DATA"):
        workflows.plot(kind, [iris_model], str(out))


def test_a_hinge_is_ranked_by_its_scores_and_has_no_probabilities_to_rely_on(tmp_path, hinge_model):
    drawn = workflows.plot("roc", [hinge_model, IRIS], str(tmp_path / "roc.svg"))
    assert all(one.auc > 0.9 for one in drawn.display.rankings.values())
    with pytest.raises(UsageError, match="no probabilities to rely on"):
        workflows.plot("reliability", [hinge_model, IRIS], str(tmp_path / "r.svg"))


# --- rows that do not count, and rows that must not be lost ------------------------------------------------------


def weighed(path, weight):
    lines = [line + f",{weight(i)}" for i, line in enumerate(iris_rows()[1:])]
    return write(path, "\n".join([iris_rows()[0] + ",w", *lines, ""]))


def test_rows_of_weight_0_judge_nothing_and_it_is_said(tmp_path):
    options = TableOptions(weight_col="w")
    data, idle = weighed(tmp_path / "t.csv", lambda i: 1 + i % 2), weighed(tmp_path / "w.csv", lambda i: 0)
    out = str(tmp_path / "m")
    workflows.fit(data, target="species", options=options, output=out)
    with pytest.raises(DataError, match=r"w\.csv: every row has weight 0"):
        workflows.evaluate(out, idle)
    with pytest.raises(DataError, match=r"w\.csv: every row has weight 0"):
        workflows.fit(data, target="species", options=options, validation=idle)
    most = weighed(tmp_path / "most.csv", lambda i: int(i % 50 < 3))
    said = []
    for seed in range(4):
        try:
            settings = Settings(random_state=seed)
            workflows.fit(most, target="species", settings=settings, options=options, validation_fraction=0.02)
        except DataError as error:
            said.append(str(error))
    assert any("drawn for validation has weight 0" in text for text in said)


def test_tuning_counts_a_row_of_weight_2_twice(tmp_path):
    options, settings = TableOptions(weight_col="w"), Settings(tol=1e-4)
    data = weighed(tmp_path / "t.csv", lambda i: 1 + 3 * (i % 7 == 0))
    ready = prepare(data, target="species", settings=settings, options=options)
    result = tune_prepared(ready, settings)
    total = 0.0
    for rows, apart in folds(ready.y, 3, 5, 0):
        part, judged = ready.part.take(rows), ready.part.take(apart)
        W = train(part.X, part.y, part.weight, replace(settings, alpha=result.alpha), n_classes=3).W
        total += judged.metrics(W, settings).loss * judged.weight.sum()
    assert result.losses[result.alphas.index(result.alpha)] == pytest.approx(total / ready.part.weight.sum(), rel=1e-3)


def test_explain_knows_weights_and_soft_labels(tmp_path):
    data, out = weighed(tmp_path / "t.csv", lambda i: 1 + i % 3), str(tmp_path / "m")
    workflows.fit(data, target="species", options=TableOptions(weight_col="w"), output=out)
    assert workflows.explain_row(out, data, 1).mean_loss == pytest.approx(workflows.evaluate(out, data).metrics.loss)
    soft = write(tmp_path / "s.csv", "a,p_x,p_y\n1,0.9,0.1\n2,0.4,0.6\n3,0.2,0.8\n")
    workflows.fit(soft, options=TableOptions(target_proba="p_*"), output=out)
    explained = workflows.explain_row(out, soft, 2)
    assert "likeliest class" in explained.place
    assert explained.mean_loss == pytest.approx(workflows.evaluate(out, soft).metrics.loss)


def test_a_row_that_the_recipe_drops_keeps_its_place_among_predictions(tmp_path):
    data, out = write(tmp_path / "t.csv", "a,kind\n1,x\n,x\n3,y\n4,y\n"), str(tmp_path / "m")
    workflows.fit(data, target="kind", options=TableOptions(missing="drop"), output=out)
    predicted = workflows.predict(out, data, proba=True)
    assert predicted.labels.tolist() == ["x", None, "y", "y"]
    assert strict(predicted)["probabilities"][1] is None
    assert list(predicted.rows())[1][0] == ""
    assert any("1 of 4 rows" in note for note in predicted.notes)


@pytest.mark.parametrize(("options", "name"), [({"top_k": 2, "keep": ["label_1"]}, "label_1"), ({}, "prediction")])
def test_output_columns_do_not_take_the_place_of_the_users(tmp_path, options, name):
    data = write(tmp_path / "t.csv", f"a,{name},kind\n1,u,x\n2,v,y\n3,w,y\n")
    workflows.fit(data, target="kind", options=TableOptions(id_col=name), output=str(tmp_path / "m"))
    with pytest.raises(UsageError, match=name):
        workflows.predict_stream(str(tmp_path / "m"), data, **options)


@pytest.mark.parametrize(
    ("settings", "said"), [({"loss": "weston_watkins"}, "--loss"), ({"class_weight": "balanced"}, "--class-weight")]
)
def test_soft_labels_are_for_softmax_without_class_weights(tmp_path, settings, said):
    soft = write(tmp_path / "s.csv", "a,p_x,p_y\n1,0.9,0.1\n2,0.4,0.6\n")
    with pytest.raises(UsageError, match=said):
        workflows.fit(soft, options=TableOptions(target_proba="p_*"), settings=Settings(**settings))


def test_compare_names_rows_by_their_lines_where_some_were_left_out(tmp_path):
    lines = iris_rows()
    data = write(tmp_path / "t.csv", "\n".join([lines[0], ",1,1,1,setosa", *lines[1:], ""]))
    out = tmp_path / "folds.csv"
    workflows.compare(
        data, target="species", models="softmax,crammer_singer", missing="drop", cv=3, repeats=1, folds_out=str(out)
    )
    assert [row["row"] for row in csv.DictReader(out.read_text().splitlines())][:2] == ["line 3", "line 4"]
