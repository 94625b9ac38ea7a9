"""The recipe as a transformer: pandas, polars and arrays of objects, in scikit-learn's manners."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from softreg import SoftmaxRegression, TableEncoder
from softreg.tables import TableOptions, read_table

FRAME = pl.DataFrame(
    {
        "size": [1.5, None, 4.0, 2.0, 7.0],
        "colour": ["red", "blue", None, "red", "green"],
        "fragile": [True, False, True, None, True],
        "code": [1, 2, 1, 2, 1],
    }
)
LABELS = ["x", "y", "x", "y", "x"]


@parametrize_with_checks([TableEncoder(), TableEncoder(missing="mean"), TableEncoder(missing="indicator")])
def test_check(estimator, check):
    check(estimator)


def objects(frame):
    return np.array(frame.rows(), dtype=object)


def test_a_frame_an_array_and_a_file_are_one_table(tmp_path):
    encoder = TableEncoder(missing="indicator", categorical=["code"])
    X = encoder.fit_transform(FRAME)
    assert encoder.get_feature_names_out().tolist() == [
        "size", "size=missing", "colour=blue", "colour=green", "colour=red", "colour=missing", "fragile",
        "fragile=missing", "code=1", "code=2",
    ]  # fmt: skip
    array = TableEncoder(missing="indicator", categorical=[3]).fit(objects(FRAME))
    assert np.array_equal(array.transform(objects(FRAME)), X)
    FRAME.with_columns(label=pl.Series(LABELS)).write_csv(tmp_path / "t.csv")
    table = read_table(tmp_path / "t.csv", "label", options=TableOptions(missing="indicator", categorical=("code",)))
    assert np.array_equal(table.X, X)
    assert table.feature_names == tuple(encoder.get_feature_names_out())


def test_pandas_frames_are_read_by_name_and_type():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1, 2, 3, 4], "b": pd.Categorical(["1", "2", "1", "2"]), "c": [True, False, True, True]})
    encoder = TableEncoder().fit(frame)
    assert encoder.get_feature_names_out().tolist() == ["a", "b=1", "b=2", "c"]
    assert encoder.transform(frame).tolist() == [[1, 1, 0, 1], [2, 0, 1, 0], [3, 1, 0, 1], [4, 0, 1, 1]]


def test_a_pipeline_learns_from_a_mixed_frame():
    pipeline = make_pipeline(TableEncoder(missing="mean"), SoftmaxRegression())
    pipeline.fit(FRAME, LABELS)
    assert pipeline.predict(FRAME).tolist() == LABELS


def test_new_categories_are_no_category_or_an_error():
    new = FRAME.with_columns(pl.lit("violet").alias("colour"))
    encoder = TableEncoder(missing="mean").fit(FRAME)
    assert not encoder.transform(new)[:, 1:4].any()
    with pytest.raises(ValueError, match="'violet' is a category that training never saw"):
        TableEncoder(missing="mean", unknown="error").fit(FRAME).transform(new)


def test_what_has_no_meaning_is_refused():
    with pytest.raises(ValueError, match="'missing' parameter"):
        TableEncoder(missing="drop").fit(FRAME)
    with pytest.raises(
        ValueError, match=r"missing values \(NaN\): 1 in 'size' \(first in row 2\), .*missing=\"mean\" fills them"
    ):
        TableEncoder().fit(FRAME)
    with pytest.raises(ValueError, match="no such column"):
        TableEncoder(categorical=["kind"]).fit(FRAME.drop_nulls())
    encoder = TableEncoder().fit(FRAME.drop_nulls())
    with pytest.raises(ValueError, match="column 'size': 'big' is not a number"):
        encoder.transform(FRAME.drop_nulls().with_columns(pl.lit("big").alias("size")))


def test_frames_come_out_however_many_levels_there_are():
    frame = pl.DataFrame({"who": [f"p{i % 90}" for i in range(900)], "size": range(900)})
    assert hasattr(TableEncoder().fit_transform(frame), "tocsr")
    encoder = TableEncoder().set_output(transform="polars")
    assert encoder.fit_transform(frame).shape == encoder.transform(frame).shape == (900, 91)


@pytest.mark.parametrize("dtype", ["string", object])
def test_pandas_na_is_missing_and_text_that_looks_like_it_is_text(dtype):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": pandas.Series(["x", pandas.NA, "<NA>", "NaT"], dtype=dtype)})
    encoder = TableEncoder(missing="indicator").fit(frame)
    assert encoder.get_feature_names_out().tolist() == ["a=<NA>", "a=NaT", "a=x", "a=missing"]


def test_nullable_booleans_of_pandas_may_be_missing():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": pandas.Series([True, pandas.NA, False], dtype="boolean")})
    assert TableEncoder(missing="indicator").fit_transform(frame).shape[0] == 3


def test_dates_are_written_alike_whatever_frame_they_came_in():
    pandas = pytest.importorskip("pandas")
    polars = pytest.importorskip("polars")
    days = pandas.to_datetime(["2020-01-01T00:00:00", "2020-01-02T03:04:05", "2020-01-01T00:00:00"])
    encoder = TableEncoder(categorical=["a"]).fit(pandas.DataFrame({"a": days}))
    same = polars.DataFrame({"a": days.to_pydatetime().tolist()})
    np.testing.assert_array_equal(encoder.transform(same), encoder.transform(pandas.DataFrame({"a": days})))


def test_two_columns_of_one_name_are_refused():
    pandas = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match="2 columns named 'a'"):
        TableEncoder().fit(pandas.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]))
