"""What a comparison measures: hand values, scikit-learn's as a second opinion, and what order and chance may not do."""

import math

import numpy as np
import pytest
from sklearn import metrics as sk

from softreg.errors import DataError, UsageError
from softreg.scores import METRICS, Bins, all_scores, calibration_bins, calibration_error, class_mean, score


def some_predictions(n=400, K=5, seed=0):
    """Labels, codes predicted, probabilities; class K-1 has no rows but is predicted."""
    rng = np.random.default_rng(seed)
    y = rng.integers(K - 1, size=n)
    P = rng.dirichlet(np.ones(K), size=n) + 0.3 * np.eye(K)[y]
    P /= P.sum(axis=1, keepdims=True)
    return y, P.argmax(axis=1), P


def test_hand_values():
    y, predicted = np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1])
    P = np.array([[0.9, 0.1], [0.5, 0.5], [0.6, 0.4], [0.2, 0.8]])
    got = all_scores(y, predicted, P, 2)
    assert got["accuracy"] == 0.75
    assert got["balanced_accuracy"] == 0.75  # recalls 1 and 1/2
    assert got["macro_f1"] == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert got["log_loss"] == pytest.approx(-math.log(0.9 * 0.5 * 0.4 * 0.8) / 4)
    assert got["brier"] == pytest.approx(2 * (0.01 + 0.25 + 0.36 + 0.04) / 4)


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.parametrize("n_classes", [3, 5])
def test_scikit_learn_agrees(n_classes):
    y, predicted, P = some_predictions(K=n_classes)
    got = all_scores(y, predicted, P, n_classes)
    labels = list(range(n_classes))
    assert got["accuracy"] == pytest.approx(sk.accuracy_score(y, predicted), rel=1e-12)
    assert got["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(y, predicted), rel=1e-12)
    assert got["macro_f1"] == pytest.approx(sk.f1_score(y, predicted, average="macro"), rel=1e-12)
    assert got["log_loss"] == pytest.approx(sk.log_loss(y, P, labels=labels), rel=1e-12)
    assert got["brier"] == pytest.approx(np.square(P - np.eye(n_classes)[y]).sum(axis=1).mean(), rel=1e-12)


def test_a_class_that_is_predicted_without_rows_counts_in_f1_alone():
    y, predicted = np.array([0, 0, 1, 1]), np.array([0, 2, 1, 1])
    assert score("balanced_accuracy", y, predicted, None, 4) == pytest.approx((1 / 2 + 1) / 2)
    assert score("macro_f1", y, predicted, None, 4) == pytest.approx((2 / 3 + 1 + 0) / 3)


def test_an_impossible_class_costs_what_scikit_learn_charges():
    P = np.array([[1.0, 0.0], [0.0, 1.0]])
    y = np.array([0, 0])
    assert score("log_loss", y, y, P, 2) == pytest.approx(sk.log_loss(y, P, labels=[0, 1]), rel=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_what_cannot_be_had_is_nan(metric):
    y, predicted, P = some_predictions()
    assert math.isnan(score(metric, y, predicted, None, 5)) == METRICS[metric].needs_probabilities
    assert math.isnan(score(metric, y[:0], predicted[:0], P[:0], 5))


@pytest.mark.parametrize("metric", METRICS)
def test_the_order_of_rows_does_not_matter(metric):
    y, predicted, P = some_predictions()
    P = np.round(P, 1) + 1e-9  # many rows are equally confident
    order = np.random.default_rng(1).permutation(len(y))
    again = score(metric, y[order], predicted[order], P[order], 5)
    assert score(metric, y, predicted, P, 5) == pytest.approx(again, rel=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_perfect_predictions_have_the_best_score(metric):
    y = np.arange(60) % 3
    assert score(metric, y, y, np.eye(3)[y], 3) == pytest.approx(float(METRICS[metric].greater_is_better), abs=1e-15)


def test_bins_hold_equal_counts_of_rising_confidence():
    y, _, P = some_predictions(n=1000)
    bins = calibration_bins(y, P)
    assert len(bins.count) == 15
    assert bins.count.sum() == 1000
    assert set(bins.count.tolist()) == {66, 67}
    assert (np.diff(bins.confidence) > 0).all()
    assert np.average(bins.accuracy, weights=bins.count) == pytest.approx(np.mean(P.argmax(axis=1) == y))


def test_few_rows_share_few_bins():
    y, _, P = some_predictions(n=7)
    assert calibration_bins(y, P).count.tolist() == [3, 2, 2]
    assert calibration_bins(y[:1], P[:1]).count.tolist() == [1]
    assert calibration_bins(y[:0], P[:0]).count.tolist() == []


def test_calibration_error_by_hand():
    bins = Bins(np.array([0.5, 0.9]), np.array([0.75, 0.5]), np.array([4, 8]))
    squares = (4 * (0.25**2 - 0.75 * 0.25 / 3) + 8 * (0.4**2 - 0.25 / 7)) / 12
    assert calibration_error(bins) == pytest.approx(math.sqrt(squares), rel=1e-14)


def test_calibration_error_is_unbiased_where_the_plain_one_is_not():
    """Exact probabilities: the mean of the corrected squares is 0 within its own error, of the plain ones it is not."""
    rng = np.random.default_rng(0)
    corrected, plain = [], []
    for _ in range(400):
        confidence = rng.uniform(0.5, 1, size=300)
        y = (rng.uniform(size=300) > confidence).astype(int)
        bins = calibration_bins(y, np.column_stack([confidence, 1 - confidence]))
        gaps = (bins.confidence - bins.accuracy) ** 2
        plain.append(np.average(gaps, weights=bins.count))
        variance = bins.accuracy * (1 - bins.accuracy) / (bins.count - 1)
        corrected.append(np.average(gaps - variance, weights=bins.count))
    error = np.std(corrected) / 20
    assert abs(np.mean(corrected)) < 4 * error
    assert np.mean(plain) > 20 * error


def test_a_constant_error_of_confidence_is_found():
    y = np.tile([0, 0, 0, 1], 5000)
    P = np.tile([0.95, 0.05], (20_000, 1))
    # 0.2 too sure, less 0.75 · 0.25 / 19999 of sampling
    assert score("calibration_error", y, np.zeros_like(y), P, 2) == pytest.approx(0.2, rel=1e-3)


def test_counts_of_many_resamples_are_scored_at_once():
    y, predicted, _ = some_predictions()
    right, guessed, actual = (np.bincount(v, minlength=5) for v in (y[y == predicted], predicted, y))
    stacked = class_mean("macro_f1", np.stack([right, right]), np.stack([guessed, guessed]), actual)
    assert stacked.tolist() == [score("macro_f1", y, predicted, None, 5)] * 2


def test_mistakes_are_named():
    y, predicted, P = some_predictions()
    with pytest.raises(UsageError, match="did you mean log_loss"):
        score("logloss", y, predicted, P, 5)
    with pytest.raises(UsageError, match="one of accuracy, "):
        score("xyzzy", y, predicted, P, 5)
    with pytest.raises(DataError, match="do not fit"):
        score("accuracy", y, predicted[:-1], P, 5)
    with pytest.raises(DataError, match="do not fit"):
        score("brier", y, predicted, P[:, :-1], 5)


# --- rankings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ties", [False, True])
def test_a_ranking_is_that_of_scikit_learn(ties):
    from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

    from softreg.scores import ranking

    rng = np.random.default_rng(3)
    positive = rng.random(300) < 0.3
    values = rng.normal(size=300) + positive
    if ties:
        values = values.round(0)
    found = ranking(values, positive)
    assert found.auc == pytest.approx(roc_auc_score(positive, values), rel=1e-12)
    assert found.average_precision == pytest.approx(average_precision_score(positive, values), rel=1e-12)
    fall_out, recall, _ = roc_curve(positive, values, drop_intermediate=False)
    np.testing.assert_allclose(found.fall_out, fall_out)
    np.testing.assert_allclose(found.recall, recall)
    precision, _, _ = precision_recall_curve(positive, values)
    np.testing.assert_allclose(found.precision, precision[::-1])


@pytest.mark.parametrize("positive", [np.zeros(4, bool), np.ones(4, bool)])
def test_a_class_alone_cannot_be_ranked(positive):
    from softreg.scores import ranking

    with pytest.raises(DataError, match="rows of others"):
        ranking(np.arange(4.0), positive)
