"""What stands for a missing number is learned from the rows that train, and from no row that judges."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.impute import SimpleImputer
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from softreg import workflows
from softreg.folds import folds
from softreg.store import Model
from softreg.tables import TableOptions
from softreg.tables.filled import Filled
from softreg.training import Settings
from softreg.workflows.comparing import CompareRun
from softreg.workflows.preparing import prepare
from softreg.workflows.splits import same_rows


@pytest.fixture
def rng():
    return np.random.default_rng(20)


HOWS = ("mean", "median", "indicator")
#: Levels of a category, so many that X is kept sparse.
WIDE = 60


def gapped(rng, n=120, p=3):
    """X with numbers missing in all columns but the last, and labels."""
    X = np.round(rng.normal(size=(n, p)) * [1, 10, 0.1] + [5, -30, 0], 3)
    y = rng.integers(0, 3, n)
    X[:, 0] += y
    X[rng.random((n, p)) < [0.3, 0.1, 0]] = np.nan
    return X, y


def written(path, X, y, levels=None):
    """A CSV file of these rows, an empty cell where a number is missing."""
    names = [f"x{j}" for j in range(X.shape[1])]
    lines = [",".join([*names, *([] if levels is None else ["level"]), "label"])]
    for i, (row, label) in enumerate(zip(X.tolist(), y.tolist(), strict=True)):
        cells = ["" if np.isnan(value) else repr(value) for value in row]
        lines.append(",".join([*cells, *([] if levels is None else [f"l{levels[i]}"]), f"c{label}"]))
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.mark.parametrize("how", ["mean", "median"])
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_both_parts_are_filled_as_scikit_learn_fills_them_after_a_fit_to_the_first(rng, how, kind):
    X, y = gapped(rng)
    rows, columns = np.nonzero(np.isnan(X))
    train, apart = rng.permutation(len(y))[:80], np.arange(40)
    whole = np.where(np.isnan(X), 7.0, X)
    X_train, X_apart = Filled(rows, columns, how).split(whole if kind == "dense" else csr_array(whole), train, apart)
    imputer = SimpleImputer(strategy=how).fit(X[train])
    for part, expected in ((X_train, X[train]), (X_apart, X[apart])):
        found = part if kind == "dense" else part.toarray()
        np.testing.assert_allclose(found, imputer.transform(expected), rtol=1e-14)


def test_a_fill_of_0_and_one_that_was_0_are_written_into_a_sparse_matrix():
    X = csr_array(np.array([[0.0, 5.0], [0.0, 5.0], [3.0, 0.0], [1.0, 1.0]]))
    filled = Filled(np.array([0, 2]), np.array([0, 1]), "mean")
    train, apart = filled.split(X, np.array([0, 1, 2]), np.array([3]))
    np.testing.assert_array_equal(train.toarray(), [[1.5, 5], [0, 5], [3, 5]])
    np.testing.assert_array_equal(apart.toarray(), [[1, 1]])


@pytest.mark.parametrize("kind", ["dense", "sparse"])
@pytest.mark.parametrize("how", HOWS)
def test_validation_rows_have_no_part_in_what_is_learned(tmp_path, rng, how, kind):
    X, y = gapped(rng)
    levels = np.arange(len(y)) % WIDE if kind == "sparse" else None
    options, out = TableOptions(missing=how), [str(tmp_path / name) for name in ("a.softreg", "b.softreg")]

    def fit(X, path, output):
        data = written(tmp_path / path, X, y, levels)
        workflows.fit(data, target="label", validation_fraction=0.3, output=output, options=options)
        return Model.load(output), data

    model, data = fit(X, "a.csv", out[0])
    assert isinstance(prepare(data, target="label", settings=Settings(), options=options).X, np.ndarray) == (
        kind == "dense"
    )
    split = same_rows(model.split, y, np.arange(3), None)
    changed = X.copy()
    changed[split.validation] *= 3.0
    other, _ = fit(changed, "b.csv", out[1])
    assert [column.fill for column in other.recipe.columns] == [column.fill for column in model.recipe.columns]
    np.testing.assert_array_equal(other.W, model.W)
    center = np.nanmedian if how == "median" else np.nanmean
    fills = [column.fill for column in model.recipe.columns if not column.is_category]
    np.testing.assert_allclose(fills, center(X[split.train], axis=0), rtol=1e-14)  # also of a column that misses none


@pytest.mark.parametrize("how", HOWS)
def test_a_model_of_such_a_split_holds_and_knows_its_rows(tmp_path, rng, how):
    X, y = gapped(rng)
    data, out = written(tmp_path / "a.csv", X, y), str(tmp_path / "a.softreg")
    workflows.fit(data, target="label", validation_fraction=0.3, output=out, options=TableOptions(missing=how))
    assert workflows.verify(out, data).holds
    assert any("trained on" in warning for warning in workflows.evaluate(out, data).warnings)


def test_a_column_without_a_number_among_the_training_rows_keeps_that_of_all(rng):
    X = np.array([[1.0], [2.0], [7.0], [7.0]])
    filled = Filled(np.array([2, 3]), np.array([0, 0]), "mean")
    train, apart = filled.split(X, np.array([2, 3]), np.array([0, 1]))
    np.testing.assert_array_equal(train, [[7], [7]])
    np.testing.assert_array_equal(apart, [[1], [2]])


def test_compare_fills_each_fold_from_its_own_training_rows(tmp_path, rng):
    X, y = gapped(rng, n=300)
    X[:, 1] += 40 * y * (rng.random(len(y)) < 0.5)  # spreads and gaps enough for the fills to matter
    data = written(tmp_path / "a.csv", X, y)
    run = CompareRun(target="label", models="softmax,sklearn:GaussianNB", cv=4, repeats=1, missing="mean")
    found = workflows.compare(data, settings=Settings(), run=run).comparison.models[1].scores
    model = make_pipeline(SimpleImputer(), GaussianNB())
    right, logs = 0, []
    for train, judged in folds(y, 3, 4, 0):
        model.fit(X[train], y[train])
        P = model.predict_proba(X[judged])
        right += (model.classes_[P.argmax(axis=1)] == y[judged]).sum()
        logs.append(-np.log(P[np.arange(len(judged)), y[judged]]))
    assert found["accuracy"].value == pytest.approx(right / len(y), abs=2e-3)
    assert found["log_loss"].value == pytest.approx(np.concatenate(logs).mean(), rel=1e-9)


def test_tune_fills_each_fold_from_its_own_training_rows(tmp_path, rng):
    X, y = gapped(rng)
    data = written(tmp_path / "a.csv", X, y)
    ready = prepare(data, target="label", settings=Settings(), options=TableOptions(missing="mean"))
    train, apart = np.arange(0, 90), np.arange(90, 120)
    part, judged = ready.part.split(train, apart)
    imputer = SimpleImputer().fit(X[train])
    np.testing.assert_allclose(part.X, imputer.transform(X[train]), rtol=1e-14)
    np.testing.assert_allclose(judged.X, imputer.transform(X[apart]), rtol=1e-14)
    inner, _ = part.split(np.arange(45), np.arange(45, 90))
    np.testing.assert_allclose(inner.X, SimpleImputer().fit_transform(X[:45]), rtol=1e-14)
