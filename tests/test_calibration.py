"""One temperature: closed forms, laws of scale, and the bound where rows cannot justify certainty."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from softreg.calibration import calibrated, fit_temperature
from softreg.errors import DataError


def some_scores(n=300, K=4, strength=1.5, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(K, size=n)
    return rng.normal(size=(n, K)) + strength * np.eye(K)[y], y


def log_loss(Z, y, beta):
    return -float(log_softmax(beta * Z, axis=1)[np.arange(len(y)), y].mean())


def test_two_classes_of_equal_margins_have_the_logarithm_of_the_odds():
    """Three right and one wrong by the same margin: P = 3/4, so β · margin = log 3."""
    Z = np.tile([2.0, 0.0], (4, 1))
    temperature = fit_temperature(Z, np.array([0, 0, 0, 1]))
    assert temperature.inverse == pytest.approx(np.log(3) / 2, rel=1e-9)
    assert (temperature.bounded, temperature.n) == (False, 4)
    np.testing.assert_allclose(calibrated(Z, temperature)[0], [0.75, 0.25], rtol=1e-9)


@pytest.mark.parametrize("K", [2, 3, 10])
@pytest.mark.parametrize("seed", range(3))
def test_another_minimiser_agrees(K, seed):
    Z, y = some_scores(K=K, seed=seed)
    best = minimize_scalar(lambda beta: log_loss(Z, y, beta), bounds=(0, 50), method="bounded", options={"xatol": 1e-9})
    assert fit_temperature(Z, y).inverse == pytest.approx(best.x, rel=1e-6)  # flat: sqrt of the loss's rounding


@pytest.mark.parametrize("c", [1e-200, 1e-3, 3.0, 1e8, 1e200])
@pytest.mark.parametrize("strength", [1.5, 50.0])  # overlapping, separated
def test_scores_times_c_have_the_temperature_divided_by_c(c, strength):
    Z, y = some_scores(strength=strength)
    plain, scaled = fit_temperature(Z, y), fit_temperature(c * Z, y)
    assert scaled.inverse * c == pytest.approx(plain.inverse, rel=1e-8)
    assert scaled.bounded == plain.bounded == (strength == 50)


def test_a_constant_added_to_a_row_changes_nothing():
    Z, y = some_scores()
    shifted = Z + np.linspace(-100, 100, len(y))[:, None]
    assert fit_temperature(shifted, y).inverse == pytest.approx(fit_temperature(Z, y).inverse, rel=1e-8)
    np.testing.assert_allclose(
        calibrated(shifted, fit_temperature(Z, y)), calibrated(Z, fit_temperature(Z, y)), rtol=1e-10
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 40), st.integers(2, 5), st.floats(0, 4), st.floats(1e-3, 1e3))
def test_calibration_never_costs_its_own_rows_anything_unless_bounded(seed, n, K, strength, c):
    Z, y = some_scores(n, K, strength, seed)
    temperature = fit_temperature(c * Z, y)
    after = log_loss(c * Z, y, temperature.inverse)
    assert after <= np.log(K) + 1e-12
    wrong = (Z.argmax(axis=1) != y).any()
    # Without a row right there is β = 0, which is worth log K.
    if not temperature.bounded and (Z.argmax(axis=1) == y).any():
        assert after <= log_loss(c * Z, y, 1.0) + 1e-12
        assert wrong


def test_predictions_stay():
    Z, y = some_scores()
    P = calibrated(Z, fit_temperature(Z, y))
    np.testing.assert_array_equal(P.argmax(axis=1), Z.argmax(axis=1))
    np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-12)


@pytest.mark.parametrize("n", [1, 10, 1000])
def test_separated_rows_get_the_confidence_of_the_rule_of_succession(n):
    Z = np.tile([1.0, 0.0, 0.0], (n, 1))
    temperature = fit_temperature(Z, np.zeros(n, dtype=int))
    assert temperature.bounded
    assert calibrated(Z, temperature)[0, 0] == pytest.approx((n + 1) / (n + 2), rel=1e-8)


def test_one_row_wrong_by_a_hair_is_no_licence_for_certainty():
    Z, y = some_scores(n=1000, strength=50.0)
    k = (y[0] + 1) % 4
    Z[0, k] = Z[0, y[0]] + 1e-9
    temperature = fit_temperature(Z, y)
    assert temperature.bounded
    assert calibrated(Z, temperature)[1:].max(axis=1).mean() == pytest.approx(1000 / 1001, rel=1e-5)


def test_many_wrong_rows_need_no_bound():
    Z, y = some_scores(n=1000, strength=4.0)
    assert (Z.argmax(axis=1) != y).sum() in range(3, 30)
    assert not fit_temperature(Z, y).bounded


def test_scores_that_carry_nothing_make_all_classes_equally_probable():
    Z, y = some_scores(strength=0.0)
    worst = fit_temperature(-np.eye(4)[y], y)
    tied = fit_temperature(np.zeros_like(Z), y)
    against = fit_temperature(-2 * np.eye(4)[y] + 1e-3 * Z, y)
    for temperature in (worst, tied, against):
        assert temperature.inverse == 0
        assert not temperature.bounded
        np.testing.assert_array_equal(calibrated(Z, temperature), 0.25)


@pytest.mark.parametrize("tiny", [1e-18, 5e-324])
def test_ties_bound_the_temperature_too(tiny):
    """One row right by more than rounding, two by nothing that counts: β stays finite."""
    Z = np.array([[1.0, 0.0], [tiny, 0.0], [tiny, 0.0]])
    temperature = fit_temperature(Z, np.zeros(3, dtype=int))
    assert temperature.bounded
    assert calibrated(Z, temperature)[0, 0] == pytest.approx(2 / 3)
    assert fit_temperature(Z[1:] * 0 + [tiny, 0.0], np.zeros(2, dtype=int)).inverse >= 0


def test_no_scores_no_temperature():
    Z, y = some_scores()
    with pytest.raises(DataError, match="finite"):
        fit_temperature(np.where(Z > 2, np.inf, Z), y)
    with pytest.raises(DataError, match=r"\(300, 4\) and \(299,\)"):
        fit_temperature(Z, y[1:])
    with pytest.raises(DataError, match="n labels"):
        fit_temperature(Z[:0], y[:0])
