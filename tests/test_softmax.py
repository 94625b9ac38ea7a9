"""The mathematics of the softmax: golden values, laws, derivatives against differences, and every digit kept."""

from __future__ import annotations

import doctest
import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from softreg import softmax as module
from softreg.losses import Softmax
from softreg.softmax import (
    cross_entropy,
    cross_entropy_grad,
    log_softmax,
    softmax,
    softmax_jacobian,
    softmax_layer_jacobian,
    weight_gradient,
)

EPS = np.finfo(np.float64).eps

logit_rows = hnp.arrays(np.float64, st.integers(2, 6), elements=st.floats(-30, 30))
any_finite = hnp.arrays(np.float64, st.integers(2, 6), elements=st.floats(-1e300, 1e300))
largest_finite = hnp.arrays(np.float64, st.integers(2, 4), elements=st.floats(allow_nan=False, allow_infinity=False))


@pytest.fixture(autouse=True)
def _every_floating_point_event_is_an_error():
    with np.errstate(all="raise"):
        yield


def exact(z, y):
    """S (K), log S (K) and S_y - 1 of one row, from 60-digit decimals of the very same floats."""
    with localcontext() as context:
        context.prec = 60
        e = [(Decimal(float(value)) - Decimal(float(max(z)))).exp() for value in z]
        total = sum(e)
        others = [sum(e[:k] + e[k + 1 :]) / total for k in range(len(z))]  # 1 - S_k, by no difference
        # log(1 - u) = -u to 30 digits where the logarithm of a 60-digit 1 - u would have none
        log_S = [-u if u < Decimal("1e-30") else (value / total).ln() for u, value in zip(others, e, strict=True)]
        return [float(value / total) for value in e], [float(value) for value in log_S], -float(others[y])


def central_differences(f, at, h=1e-6):
    """df/d(at), one column for each entry of ``at`` in row-major order."""
    at = np.array(at, dtype=np.float64)
    columns = []
    for index in np.ndindex(at.shape):
        step = np.zeros_like(at)
        step[index] = h
        columns.append((np.asarray(f(at + step)) - np.asarray(f(at - step))) / (2 * h))
    return np.stack(columns, axis=-1)


def test_examples_in_docstrings():
    with np.errstate(all="warn"):
        assert doctest.testmod(module).failed == 0


# --- golden values --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("z", "S", "digits"),
    [
        ([1, 2, 3], [0.09003057, 0.24472847, 0.66524096], 8),
        ([1, 2, 5], [0.017147826, 0.046612623, 0.936239551], 9),  # the last one cut off, not rounded
        ([1000, 2000, 3000], [0, 0, 1], 300),
        ([3, 4, 1], [0.25949646034, 0.70538451270, 0.03511902696], 11),
    ],
)
def test_softmax_of_the_golden_rows(z, S, digits):
    np.testing.assert_allclose(softmax(z), S, rtol=0, atol=10.0**-digits)


def test_gradient_and_loss_of_the_golden_row():
    np.testing.assert_allclose(
        cross_entropy_grad([3, 4, 1], 1), [0.25949646034, -0.29461548730, 0.03511902696], rtol=0, atol=6e-12
    )
    assert cross_entropy([3, 4, 1], 1) == pytest.approx(0.349012, abs=5e-7)


@pytest.mark.parametrize("K", [1, 2, 3, 10, 1000])
def test_equal_logits_cost_the_logarithm_of_the_number_of_classes(K):
    z = np.zeros(K)
    assert cross_entropy(z, K - 1) == pytest.approx(math.log(K), rel=4 * EPS)
    np.testing.assert_allclose(softmax(z), 1 / K, rtol=4 * EPS)


# --- laws of the softmax --------------------------------------------------------------------------------------------


@given(logit_rows, st.integers(-1000, 1000))
def test_a_shift_of_all_logits_changes_nothing(z, c):
    # the shifted logits are rounded to eps·1030, and d log S <= 2 max|dz|
    np.testing.assert_allclose(softmax(z + c), softmax(z), rtol=2 * 1030 * EPS)


@given(any_finite)
def test_probabilities_keep_the_order_lie_in_the_unit_interval_and_sum_to_one(z):
    S = softmax(z)
    order = np.argsort(z)
    assert (np.diff(S[order]) >= 0).all()
    assert (S >= 0).all()
    assert (S <= 1).all()
    assert S.sum() == pytest.approx(1, abs=2 * len(z) * EPS)


@given(logit_rows)
def test_log_softmax_is_the_logarithm_of_softmax(z):
    np.testing.assert_allclose(np.exp(log_softmax(z)), softmax(z), rtol=100 * EPS)


@pytest.mark.parametrize("function", [softmax, log_softmax])
def test_any_axis_can_hold_the_classes(function):
    z = np.random.default_rng(0).normal(size=(2, 3, 4))
    for axis in (0, 1, -1):
        expected = np.moveaxis(function(np.moveaxis(z, axis, -1)), -1, axis)
        np.testing.assert_array_equal(function(z, axis=axis), expected)


# --- derivatives ----------------------------------------------------------------------------------------------------


@given(logit_rows)
def test_jacobian_is_symmetric_semidefinite_with_zero_row_sums_and_eigenvalues_up_to_a_half(z):
    J = softmax_jacobian(z)
    np.testing.assert_array_equal(J, J.T)
    np.testing.assert_allclose(J.sum(axis=1), 0, atol=4 * EPS)
    eigenvalues = np.linalg.eigvalsh(J)
    assert eigenvalues.min() >= -8 * EPS
    assert eigenvalues.max() <= 0.5 + 8 * EPS


def test_two_equal_classes_reach_the_eigenvalue_a_half():
    assert np.linalg.eigvalsh(softmax_jacobian([0, 0, -1000])).max() == pytest.approx(0.5)


def test_jacobian_equals_the_complex_step():
    z = np.array([0.3, -1.2, 2.0, 0.7])
    h = 1e-200  # no difference is taken, so no step is too small
    columns = []
    for j in range(4):
        e = np.exp(z + 1j * h * (np.arange(4) == j))
        with np.errstate(under="ignore"):
            columns.append((e / e.sum()).imag / h)
    np.testing.assert_allclose(softmax_jacobian(z), np.stack(columns, axis=1), rtol=1e-14)


def test_jacobian_is_the_quotient_rule_entry_by_entry():
    z = [3, 4, 1]
    S, J = softmax(z), softmax_jacobian(z)
    for i in range(3):
        for j in range(3):
            assert J[i, j] == pytest.approx(S[i] * (1 - S[i]) if i == j else -S[i] * S[j], rel=4 * EPS)


def test_jacobian_of_a_batch_is_that_of_each_row():
    Z = np.random.default_rng(1).normal(size=(2, 5, 3))
    J = softmax_jacobian(Z)
    assert J.shape == (2, 5, 3, 3)
    for index in np.ndindex(2, 5):
        np.testing.assert_array_equal(J[index], softmax_jacobian(Z[index]))


def test_jacobian_of_a_confident_row_keeps_its_digits():
    J = softmax_jacobian([40.0, 0.0, 0.0])
    np.testing.assert_allclose(J.sum(axis=1), 0, atol=1e-33)  # entries are 8e-18
    assert J[0, 0] == pytest.approx(2 * math.exp(-40), rel=1e-14)


def test_layer_jacobian_is_the_product_of_its_two_factors():
    rng = np.random.default_rng(2)
    W, x = rng.normal(size=(4, 3)), rng.normal(size=4)
    Dg = np.zeros((3, 12))
    for t in range(3):
        Dg[t, 4 * t : 4 * t + 4] = x
    np.testing.assert_allclose(softmax_layer_jacobian(W, x), softmax_jacobian(W.T @ x) @ Dg, rtol=1e-14)


def test_layer_jacobian_equals_differences_in_every_weight():
    rng = np.random.default_rng(3)
    W, x = rng.normal(size=(4, 3)), rng.normal(size=4)
    numeric = central_differences(lambda V: softmax(V @ x), W.T)  # W_ij by class i, feature j: row-major as stated
    # central differences at h = 1e-6: truncation ~h², rounding ~eps/h = 2e-10
    np.testing.assert_allclose(softmax_layer_jacobian(W, x), numeric, atol=1e-9)


def test_gradient_is_the_jacobian_applied_to_the_loss():
    rng = np.random.default_rng(4)
    z, t = rng.normal(size=5), rng.dirichlet(np.ones(5))
    np.testing.assert_allclose(cross_entropy_grad(z, t), softmax_jacobian(z) @ (-t / softmax(z)), atol=1e-15)


@pytest.mark.parametrize("target", [2, [0.2, 0.5, 0.1, 0.2]])
def test_gradient_equals_differences_of_the_loss(target):
    z = np.array([0.3, -1.2, 2.0, 0.7])
    numeric = central_differences(lambda z: cross_entropy(z, target), z)
    np.testing.assert_allclose(cross_entropy_grad(z, target), numeric, atol=1e-9)


def test_weight_gradient_is_the_loop_over_classes_and_features():
    rng = np.random.default_rng(5)
    W, x, y = rng.normal(size=(4, 3)), rng.normal(size=4), 2
    G = weight_gradient(W, x, y)
    z = [sum(W[j, i] * x[j] for j in range(4)) for i in range(3)]
    S = [math.exp(z[i]) / sum(math.exp(value) for value in z) for i in range(3)]
    for j in range(4):
        for i in range(3):
            assert G[j, i] == pytest.approx((S[i] - (1 if i == y else 0)) * x[j], rel=1e-14)
    numeric = central_differences(lambda V: cross_entropy(V.T @ x, y), W).reshape(4, 3)
    np.testing.assert_allclose(G, numeric, atol=1e-9)


@given(logit_rows, st.integers(0, 1))
def test_gradient_rows_sum_to_zero(z, y):
    assert abs(cross_entropy_grad(z, y).sum()) <= 4 * EPS


# --- targets --------------------------------------------------------------------------------------------------------


def test_a_class_code_is_its_one_hot_distribution():
    rng = np.random.default_rng(6)
    Z, y = rng.normal(size=(20, 4)) * 5, rng.integers(4, size=20)
    for function in (cross_entropy, cross_entropy_grad):
        np.testing.assert_array_equal(function(Z, y), function(Z, np.eye(4)[y]))
        np.testing.assert_array_equal(function(Z, y), function(Z, np.eye(4, dtype=int)[y]))
        for r in range(20):
            np.testing.assert_allclose(function(Z[r], y[r]), function(Z, y)[r], rtol=1e-14)


def test_the_loss_is_linear_in_the_target():
    rng = np.random.default_rng(7)
    z, t = rng.normal(size=4), rng.dirichlet(np.ones(4))
    assert cross_entropy(z, t) == pytest.approx(sum(t[k] * cross_entropy(z, k) for k in range(4)), rel=1e-14)


def test_the_fast_loss_over_blocks_is_this_one():
    rng = np.random.default_rng(8)
    Z, y, T = rng.normal(size=(30, 5)) * 20, rng.integers(5, size=30), rng.dirichlet(np.ones(5), size=30)
    for target in (y, T):
        value, G = Softmax().value_grad(Z, target)
        np.testing.assert_allclose(cross_entropy(Z, target), value, rtol=1e-13)
        np.testing.assert_allclose(cross_entropy_grad(Z, target), G, rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize(
    ("z", "target", "message"),
    [
        ([[1, 2, 3]] * 5, [0, 1, 2, 0], r"target of shape \(4,\) does not fit logits of shape \(5, 3\)"),
        ([1, 2, 3], [0.5, 0.5], r"expected class codes \(\) or distributions \(3,\)"),
        ([1, 2, 3], 3, "class code 3 is out of range: 3 classes have codes 0 to 2"),
        ([1, 2, 3], -1, "class code -1 is out of range"),
        ([1, 2, 3], 1.0, "class codes must be integers, not float64"),
        ([1, 2, 3], "b", "targets must be class codes or distributions, not <U1"),
        ([1, 2, 3], [0.5, 0.5, 0.1], "a target distribution sums to 1.1, not 1"),
        ([1, 2, 3], [1.5, -0.5, 0], "a target distribution has the negative entry -0.5"),
        ([1, 2, 3], [np.nan, 0.5, 0.5], "a target distribution sums to nan, not 1"),
        (3, 0, "logits need an axis of classes"),
        ([], 0, "0 classes|no class"),
        (["a", "b"], 0, "logits must be real numbers, not <U1"),
        ([1j, 2], 0, "logits must be real numbers, not complex128"),
    ],
)
@pytest.mark.parametrize("function", [cross_entropy, cross_entropy_grad])
def test_what_does_not_fit_is_named(function, z, target, message):
    with pytest.raises(ValueError, match=message):
        function(z, target)


def test_no_class_and_no_such_axis_are_errors():
    for function in (softmax, log_softmax):
        with pytest.raises(ValueError, match="no class"):
            function(np.zeros((3, 0)))
        with pytest.raises(ValueError, match="axis 2"):
            function(np.zeros((3, 2)), axis=2)


@pytest.mark.parametrize("function", [softmax_layer_jacobian, lambda W, x: weight_gradient(W, x, 0)])
def test_weights_and_row_must_fit_and_not_overflow(function):
    with pytest.raises(ValueError, match=r"W of shape \(3, 2\) and x of shape \(2,\) do not fit"):
        function(np.zeros((3, 2)), np.zeros(2))
    with pytest.raises(ValueError, match="overflow"):
        function(np.full((2, 2), 1e200), np.full(2, 1e200))


def test_a_sum_off_by_rounding_is_taken_as_one():
    t = np.array([0.5, 0.5 + 4e-7])
    G = cross_entropy_grad([1.0, 2.0], t)
    assert abs(G.sum()) <= 2 * EPS
    np.testing.assert_allclose(G, softmax([1.0, 2.0]) - t / t.sum(), rtol=1e-14)


# --- every digit, every size ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("margin", [1, 2.5, 40, 700, 1e4])
@pytest.mark.parametrize("y", [0, 1, 2])
def test_loss_and_gradient_are_right_to_the_last_digits_at_any_margin(margin, y):
    z = np.array([margin, 0, -0.5])
    S, log_S, residual = exact(z, y)
    loss = -log_S[y]
    # exp of an exponent d has relative error |d| eps/2; where the exact value underflows, 0 is right
    close = {"rtol": 4 * EPS * max(1, margin if margin < 700 else 700), "atol": 5e-324}
    with np.errstate(under="ignore"):
        np.testing.assert_allclose(softmax(z), S, **close)
        np.testing.assert_allclose(log_softmax(z), log_S, **close)
        np.testing.assert_allclose(cross_entropy(z, y), loss, **close)
        np.testing.assert_allclose(cross_entropy_grad(z, y)[y], residual, **close)
        np.testing.assert_allclose(cross_entropy(z, np.eye(3)[y]), loss, **close)


def test_a_margin_of_40_costs_4e_18_for_each_rival_and_not_zero():
    for K in (2, 5, 100):
        z = np.zeros(K)
        z[0] = 40
        assert cross_entropy(z, 0) == pytest.approx((K - 1) * math.exp(-40), rel=1e-14)
        assert cross_entropy_grad(z, 0)[0] == pytest.approx(-(K - 1) * math.exp(-40), rel=1e-14)


def test_a_loss_of_nothing_is_plain_zero():
    assert not np.signbit(cross_entropy([1e4, 0], 0))
    assert not np.signbit(cross_entropy_grad([1e4, 0], 0)).any()
    assert not np.signbit(softmax_jacobian([1e4, 0])).any()


@settings(max_examples=200)
@given(any_finite)
def test_finite_logits_give_finite_numbers_without_a_warning(z):
    K = len(z)
    t = np.full(K, 1 / K)
    results = [softmax(z), log_softmax(z), softmax_jacobian(z)]
    for target in (K - 1, t):
        results += [cross_entropy(z, target), cross_entropy_grad(z, target)]
    results += [softmax_layer_jacobian(z[None], [1.0]), weight_gradient(z[None], [1.0], 0)]
    assert all(np.isfinite(result).all() for result in results)
    assert results[3] >= 0
    assert results[5] >= 0


@settings(max_examples=200)
@given(largest_finite)
def test_not_even_logits_whose_difference_overflows_give_nan(z):
    K = len(z)
    for target in (0, np.full(K, 1 / K)):
        assert not np.isnan(cross_entropy(z, target))
        assert np.isfinite(cross_entropy_grad(z, target)).all()
    assert np.isfinite(softmax(z)).all()
    assert not np.isnan(log_softmax(z)).any()
    assert np.isfinite(softmax_jacobian(z)).all()


def test_an_impossible_class_has_probability_zero():
    z = [0.0, -np.inf, 0.0]
    np.testing.assert_array_equal(softmax(z), [0.5, 0, 0.5])
    np.testing.assert_array_equal(log_softmax(z), [-math.log(2), -np.inf, -math.log(2)])
    np.testing.assert_array_equal(softmax_jacobian(z), [[0.25, 0, -0.25], [0, 0, 0], [-0.25, 0, 0.25]])
    assert cross_entropy(z, 0) == math.log(2)
    assert cross_entropy(z, [0.5, 0, 0.5]) == math.log(2)
    assert cross_entropy(z, 1) == math.inf
    np.testing.assert_array_equal(cross_entropy_grad(z, 1), [0.5, -1, 0.5])


@pytest.mark.parametrize("bad", [[np.nan, 0, 1], [np.inf, 0, 1], [np.inf, np.inf, 0], [-np.inf] * 3])
def test_a_row_without_a_softmax_is_nan_throughout_and_leaves_the_others_alone(bad):
    Z = np.array([[3.0, 4.0, 1.0], bad])
    for result in (
        softmax(Z),
        log_softmax(Z),
        softmax_jacobian(Z),
        cross_entropy(Z, [1, 1]),
        cross_entropy_grad(Z, [1, 1]),
        cross_entropy(Z, [[0.5, 0.5, 0], [0, 1, 0]]),
    ):
        assert np.isfinite(result[0]).all()
        assert np.isnan(result[1]).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floating_logits_keep_their_type(dtype):
    Z = np.array([[1, 2, 3], [4, 5, 9]], dtype=dtype)
    with np.errstate(under="ignore"):
        results = (
            softmax(Z),
            log_softmax(Z),
            softmax_jacobian(Z),
            cross_entropy(Z, [0, 1]),
            cross_entropy_grad(Z, [0, 1]),
        )
    assert {result.dtype for result in results} == {np.dtype(dtype)}
    assert cross_entropy(Z, np.full((2, 3), 1 / 3)).dtype == dtype


def test_a_float32_row_keeps_its_digits_too():
    z = np.array([40, 0], dtype=np.float32)
    assert cross_entropy(z, 0) == pytest.approx(math.exp(-40), rel=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, bool, object])
def test_integers_become_float64_and_nothing_the_caller_holds_changes(dtype):
    if dtype is object:
        with pytest.raises(ValueError, match="real numbers"):
            softmax(np.array([1, None]))
        return
    z = np.array([0, 1, 1], dtype=dtype)
    before = z.copy()
    assert softmax(z).dtype == np.float64
    np.testing.assert_array_equal(z, before)
    y, t = np.array([1]), np.array([[0.0, 1.0, 0.0]])
    cross_entropy_grad(z[None], y)
    cross_entropy_grad(z[None], t)
    assert y.tolist() == [1]
    assert t.tolist() == [[0, 1, 0]]
