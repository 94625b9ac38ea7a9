"""Tests of a paired difference: scipy.stats as a second opinion, closed forms, and what no difference may do."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from softreg.errors import DataError, UsageError
from softreg.inference import (
    BOOTSTRAP,
    CORRECTED_T,
    MCNEMAR,
    Difference,
    bootstrap,
    corrected_interval,
    corrected_t,
    holm,
    mcnemar,
    mcnemar_smallest,
    verdict,
)
from softreg.scores import METRICS, score


def some_folds(J=10, mean=0.01, sd=0.02, seed=0):
    return np.random.default_rng(seed).normal(mean, sd, size=J)


def some_models(n=600, K=4, seed=0):
    """Labels, and three classifiers with probabilities, b better than a; c has none."""
    rng = np.random.default_rng(seed)
    y = rng.integers(K, size=n)
    models = {}
    for name, strength in {"a": 1.0, "b": 1.3}.items():
        P = np.exp(rng.normal(size=(n, K)) + strength * np.eye(K)[y])
        P /= P.sum(axis=1, keepdims=True)
        models[name] = (P.argmax(axis=1), P)
    models["c"] = (rng.integers(K, size=n), None)
    return y, models


# The corrected resampled t-test


def test_without_a_correction_it_is_the_t_test():
    d = some_folds()
    delta, low, high, p, _ = corrected_t(d, 0.0)
    theirs = stats.ttest_1samp(d, 0)
    interval = theirs.confidence_interval(0.95)
    assert (delta, p) == (d.mean(), pytest.approx(theirs.pvalue, rel=1e-12))
    assert (low, high) == (pytest.approx(interval.low, rel=1e-10), pytest.approx(interval.high, rel=1e-10))


def test_the_correction_widens_the_error_by_hand():
    d = np.array([0.01, 0.03, 0.02, 0.02])
    error = math.sqrt((1 / 4 + 1 / 3) * (2e-4 / 3))
    delta, low, high, p, _ = corrected_t(d, 1 / 3)
    assert delta == pytest.approx(0.02)
    assert p == pytest.approx(2 * stats.t.sf(0.02 / error, 3), rel=1e-10)
    assert high - low == pytest.approx(2 * stats.t.ppf(0.975, 3) * error, rel=1e-10)


@pytest.mark.parametrize("J", [3, 5, 10, 50, 1000])
def test_the_smallest_difference_is_found_with_80_percent_power(J):
    d = some_folds(J)
    smallest = corrected_t(d, 0.25)[4]
    error = math.sqrt((1 / J + 0.25) * d.var(ddof=1))
    critical = stats.t.ppf(0.975, J - 1)
    assert stats.nct.sf(critical, J - 1, smallest / error) == pytest.approx(0.8, abs=1e-8)
    # What is left out: rejecting on the wrong side.
    assert stats.nct.cdf(-critical, J - 1, smallest / error) < 1e-4


@pytest.mark.parametrize("value", [0.0, 0.02, 1 / 30, -0.1])
def test_folds_that_are_all_alike_say_nothing_of_chance(value):
    noise = 1e-16 * np.array([1, -1, 0, 1, 0])  # what subtracting two accuracies leaves
    delta, low, high, p, smallest = corrected_t(value + noise * (value != 0), 0.25)
    assert delta == low == high == pytest.approx(value)
    assert (p, smallest) == (1.0, None)


def test_differences_that_are_not_numbers_are_no_evidence():
    delta, low, _, p, smallest = corrected_t(np.array([0.1, np.nan, 0.2]), 0.25)
    assert math.isnan(delta)
    assert math.isnan(low)
    assert (p, smallest) == (1.0, None)


def test_one_fold_is_refused():
    with pytest.raises(DataError, match="two or more"):
        corrected_t(np.array([0.1]), 0.25)


def test_the_interval_of_a_metric_is_that_of_its_differences_from_nothing():
    d = some_folds(mean=0.9)
    assert corrected_interval(d, 0.25) == corrected_t(d, 0.25)[:3]


def test_units_and_order_do_not_matter():
    d = some_folds()
    plain, scaled = corrected_t(d, 0.25), corrected_t(-100 * d[::-1], 0.25)
    assert scaled[3] == pytest.approx(plain[3], rel=1e-10)
    assert scaled[4] == pytest.approx(100 * plain[4], rel=1e-10)
    assert scaled[1] == pytest.approx(-100 * plain[2], rel=1e-10)


# McNemar's test


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_is_the_binomial_test_of_a_fair_coin(b, c):
    expected = stats.binomtest(b, b + c).pvalue if b + c else 1.0
    assert mcnemar(b, c) == mcnemar(c, b) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_by_hand():
    assert mcnemar(0, 0) == mcnemar(7, 7) == 1.0
    assert mcnemar(0, 6) == pytest.approx(2 / 64)
    assert mcnemar(1, 8) == pytest.approx(2 * 10 / 512)


def power_of_mcnemar(n, share, delta):
    m = np.arange(n + 1)
    chance = stats.binom.pmf(m, n, share)
    total = 0.0
    for count in m[chance > 1e-9]:
        k = np.arange(count + 1)
        rejected = [mcnemar(int(i), int(count - i)) <= 0.05 for i in k]
        total += chance[count] * stats.binom.pmf(k, count, (share + delta) / (2 * share))[rejected].sum()
    return total


@pytest.mark.parametrize(("n", "discordant"), [(30, 3), (200, 0), (500, 20), (500, 60), (1000, 5), (2000, 300)])
def test_mcnemar_finds_the_smallest_difference_with_the_power_it_says(n, discordant):
    smallest = mcnemar_smallest(n, discordant)
    share = max((discordant or 3) / n, smallest)
    assert 0.785 < power_of_mcnemar(n, share, smallest) < 0.88


def test_rows_too_few_for_any_difference_have_no_smallest_one():
    assert mcnemar_smallest(4, 0) is None
    assert mcnemar_smallest(20, 0) < 0.5


def test_more_rows_find_smaller_differences():
    found = [mcnemar_smallest(n, n // 10) for n in (100, 1000, 10_000)]
    assert found == sorted(found, reverse=True)


# The paired bootstrap


def test_the_bootstrap_of_an_accuracy_is_binomial():
    y = np.zeros(1000, dtype=int)
    predicted = (np.arange(1000) < 200).astype(int)
    low, high = bootstrap(y, {"a": (predicted, None)}, ["accuracy"], 2, "a", n_resamples=20_000).intervals["a"][
        "accuracy"
    ]
    expected = stats.binom.ppf([0.025, 0.975], 1000, 0.8) / 1000
    np.testing.assert_allclose([low, high], expected, atol=0.002)


def test_intervals_hold_the_values_and_agree_with_normal_theory():
    y, models = some_models()
    found = bootstrap(y, models, list(METRICS), 4, "a")
    terms = [-np.log(models[name][1][np.arange(600), y]) for name in "ab"]
    d = terms[1] - terms[0]
    delta, low, high, p, smallest = found.differences["b"]["log_loss"]
    error = d.std() / math.sqrt(600)
    assert delta == pytest.approx(d.mean())
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.1)
    assert smallest == pytest.approx(2.8016 * error, rel=0.1)
    assert p == pytest.approx(2 * stats.norm.sf(abs(d.mean()) / error), abs=0.02)
    for metric in ("accuracy", "balanced_accuracy", "macro_f1", "brier"):
        low, high = found.intervals["b"][metric]
        assert low < high
        assert found.differences["b"][metric][1] < found.differences["b"][metric][0] < found.differences["b"][metric][2]


def slow_draws(metric, y, predicted, n_resamples):
    """Row by row, within classes."""
    rng = np.random.default_rng(0)
    classes = [np.flatnonzero(y == k) for k in np.unique(y)]
    values = []
    for _ in range(n_resamples):
        rows = np.concatenate([rng.choice(c, size=len(c)) for c in classes])
        values.append(score(metric, y[rows], predicted[rows], None, 3))
    return values


@pytest.mark.parametrize("metric", ["balanced_accuracy", "macro_f1"])
def test_drawing_rows_alike_together_is_drawing_rows_within_classes(metric):
    y, models = some_models(n=150, K=3)
    slow = np.quantile(slow_draws(metric, y, models["b"][0], 2000), [0.025, 0.975])
    fast = bootstrap(y, models, [metric], 3, "a", n_resamples=4000).intervals["b"][metric]
    np.testing.assert_allclose(fast, slow, atol=0.01)  # sd 0.035: a quantile of 2000 draws varies by 0.002


def test_balanced_accuracy_keeps_the_rows_of_each_class():
    """A class of one row is always there: the recall of a perfect model never varies."""
    y = np.array([0] * 30 + [1])
    found = bootstrap(y, {"a": (y, None), "b": (np.zeros_like(y), None)}, ["balanced_accuracy"], 2, "a")
    assert found.intervals["a"]["balanced_accuracy"] == (1.0, 1.0)
    assert found.intervals["b"]["balanced_accuracy"] == (0.5, 0.5)
    assert found.differences["b"]["balanced_accuracy"][0] == -0.5


def test_the_same_model_twice_differs_by_exactly_nothing():
    y, models = some_models()
    twice = {"a": models["a"], "again": (models["a"][0].copy(), models["a"][1].copy())}
    found = bootstrap(y, twice, list(METRICS), 4, "a")
    for metric, interval in found.intervals["a"].items():
        assert interval == pytest.approx(found.intervals["again"][metric], nan_ok=True)
    for metric in METRICS:
        if metric != "calibration_error":
            assert found.differences["again"][metric] == (0.0, 0.0, 0.0, 1.0, None)


def test_what_has_no_interval_says_so():
    y, models = some_models()
    found = bootstrap(y, models, ["accuracy", "brier", "calibration_error"], 4, "a")
    assert np.isnan(found.intervals["a"]["calibration_error"]).all()
    assert np.isnan(found.intervals["c"]["brier"]).all()
    assert np.isnan(found.differences["c"]["brier"][:4]).all()
    assert found.differences["b"]["calibration_error"][0] != 0
    assert math.isfinite(found.differences["c"]["accuracy"][3])
    reversed_roles = bootstrap(y, models, ["brier"], 4, "c").differences  # the reference has no probabilities
    assert np.isnan(reversed_roles["a"]["brier"][:4]).all()


def test_a_seed_fixes_the_intervals_and_chunks_do_not_show(monkeypatch):
    y, models = some_models(n=100)
    del models["c"]  # NaN is not equal to itself
    first = bootstrap(y, models, ["brier", "macro_f1"], 4, "a", seed=1)
    assert bootstrap(y, models, ["brier", "macro_f1"], 4, "a", seed=1) == first
    other = bootstrap(y, models, ["brier", "macro_f1"], 4, "a", seed=2)
    assert all(other.intervals["b"][metric] != first.intervals["b"][metric] for metric in ("brier", "macro_f1"))
    monkeypatch.setattr("softreg.inference.CHUNK", 1)
    small = bootstrap(y, models, ["brier"], 4, "a", seed=1)
    assert small.intervals["b"]["brier"] == pytest.approx(first.intervals["b"]["brier"], rel=1e-12)


def test_mistakes_are_named():
    y, models = some_models()
    with pytest.raises(UsageError, match="unknown metric"):
        bootstrap(y, models, ["acuracy"], 4, "a")
    with pytest.raises(DataError, match="no test rows"):
        bootstrap(y[:0], models, ["accuracy"], 4, "a")
    with pytest.raises(DataError, match="do not fit"):
        bootstrap(y[:-1], models, ["accuracy"], 4, "a")


# Several comparisons


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_never_lowers_a_p_and_keeps_their_order(ps):
    adjusted = holm(ps)
    assert all(p <= q <= 1 for p, q in zip(ps, adjusted, strict=True))
    for i, j in zip(np.argsort(ps, kind="stable")[:-1], np.argsort(ps, kind="stable")[1:], strict=True):
        assert adjusted[i] <= adjusted[j]
    if ps:
        assert min(adjusted) == min(1.0, len(ps) * min(ps))


# The sentence


def a_difference(**changes):
    plain = {
        "metric": "accuracy", "name": "hinge", "reference": "softmax", "delta": -0.0123, "low": -0.0234,
        "high": -0.0012, "test": CORRECTED_T, "p": 0.03, "p_holm": 0.06, "smallest": 0.0158, "n": 50,
    }  # fmt: skip
    return Difference(**{**plain, **changes})


CV = "5-fold cross-validation, 10 repeats"


def test_a_verdict_names_everything():
    assert verdict(a_difference(), CV, "alpha tuned for each", 10, 5) == (
        "hinge against softmax (alpha tuned for each): no evidence of a difference at this sample size; "
        "Δ accuracy -1.2 percentage points (95 % interval -2.3 to -0.1), p = 0.06 after Holm's adjustment, "
        "corrected resampled t-test on 5-fold cross-validation, 10 repeats; "
        "this design finds a difference of 1.6 percentage points with 80 % power"
    )


@pytest.mark.parametrize(
    ("metric", "delta", "better"),
    [
        ("accuracy", -0.01, "softmax"),
        ("accuracy", 0.01, "hinge"),
        ("log_loss", -0.01, "hinge"),
        ("brier", 1, "softmax"),
    ],
)
def test_a_verdict_says_which_is_better_where_the_adjusted_p_allows(metric, delta, better):
    d = a_difference(metric=metric, delta=delta, p=0.01, p_holm=0.01)
    text = verdict(d, CV, "", 10, 5)
    assert f": {better} is better;" in text
    assert "Holm" not in text  # nothing was adjusted
    assert "no evidence" not in text


def test_a_verdict_has_the_unit_of_its_metric():
    d = a_difference(metric="log_loss", test=BOOTSTRAP, delta=0.12345, low=0.1, high=0.15, smallest=0.036)
    assert "Δ log loss +0.123 nats/row (95 % interval +0.100 to +0.150)" in verdict(d, "a test set", "", None, None)
    assert "paired bootstrap on a test set" in verdict(d, "a test set", "", None, None)


@pytest.mark.parametrize(("repeats", "folds", "asked"), [(2, 5, 10), (1, 10, 5), (1, 5, 10), (1, 30, 2)])
def test_few_folds_say_that_their_power_is_low(repeats, folds, asked):
    assert verdict(a_difference(), "…", "", repeats, folds).endswith(f"; low power; --repeats {asked} for a decision")


@pytest.mark.parametrize(("repeats", "folds"), [(10, 5), (5, 10), (None, None)])
def test_many_folds_and_test_sets_do_not(repeats, folds):
    assert "low power" not in verdict(a_difference(), "…", "", repeats, folds)


def test_the_same_predictions_are_called_that():
    d = a_difference(delta=0.0, low=0.0, high=0.0, p=1.0, p_holm=1.0, smallest=None, test=MCNEMAR)
    text = verdict(d, "a test set of 100 rows", "", None, None, same_predictions=True)
    assert "both models gave the same predictions on every row: a difference of 0, p = 1" in text
    unknown = verdict(d, "a test set of 100 rows", "", None, None)
    assert "Δ accuracy 0 percentage points (95 % interval 0 to 0), p = 1, exact McNemar test" in unknown
    assert "80 % power is not known" in unknown


@given(st.floats(0, 1), st.floats(-1, 1), st.sampled_from(list(METRICS)))
def test_no_verdict_calls_two_models_equal(p, delta, metric):
    d = a_difference(metric=metric, delta=delta, low=delta - 0.1, high=delta + 0.1, p=p, p_holm=p)
    text = verdict(d, CV, "", 10, 5).casefold()
    assert "equal" not in text
    assert "same" not in text
    assert "\n" not in text


def test_a_metric_without_a_test_has_no_finding():
    no_p, no_delta, no_interval = {"p": None, "p_holm": None}, {"delta": math.nan}, {"p": math.nan, "low": math.nan}
    for d in (a_difference(**no_p), a_difference(**no_delta), a_difference(p_holm=None, **no_interval)):
        assert verdict(d, CV, "", 10, 5) == f"hinge against softmax: no test of accuracy on {CV}"


def test_a_tiny_p_is_not_shown_as_0():
    assert "p < 0.001," in verdict(a_difference(p=0.0, p_holm=0.0), CV, "", 10, 5)


def test_json_has_none_for_what_is_not_a_number():
    d = a_difference(low=math.nan, high=math.inf)
    text = json.dumps(d.to_json(), allow_nan=False)
    assert json.loads(text) == {
        "metric": "accuracy", "name": "hinge", "reference": "softmax", "delta": -0.0123, "low": None, "high": None,
        "test": "corrected resampled t", "p": 0.03, "p_holm": 0.06, "smallest": 0.0158, "n": 50,
        "only_reference": None, "only_model": None,
    }  # fmt: skip
