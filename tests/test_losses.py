"""Laws of the losses, on logits alone: every loss, plain, squared and smoothed."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, replace
from decimal import Decimal, localcontext
from math import exp, log

import numpy as np
import pytest
from formulas import gradient_of_row, softplus, value_of_row
from kinds import HINGES, LOSSES, SMOOTH, SMOOTHED, UNSMOOTHED, each, soft_targets

from softreg.losses import LOSSES as REGISTRY
from softreg.losses import CrammerSinger, Softmax, WestonWatkins


def logits(seed=0, m=200, K=4, size=2.0):
    rng = np.random.default_rng(seed)
    return size * rng.standard_normal((m, K)), rng.integers(0, K, m)


def at_kinks(K=4):
    """Logits in steps of 1/2: margins of 1/2, 1 and 5/2 are met exactly, and rivals tie, in most rows."""
    rng = np.random.default_rng(1)
    return rng.integers(-5, 6, (400, K)) / 2.0, rng.integers(0, K, 400)


def dot(A, B):
    return (A * B).sum(axis=1)


# --- the conjugates, and their domains -----------------------------------------------------------------------------


def conjugate(loss, V, y):
    """l*(v) in closed form, for v in its domain; smoothed squares have none."""
    off = V.copy()
    off[np.arange(len(y)), y] = 0
    total = off.sum(axis=1)
    xlogx = lambda q: np.where(q > 0, q * np.log(np.where(q > 0, q, 1)), 0)  # noqa: E731
    if loss.name == "softmax":
        Q = V.copy()
        Q[np.arange(len(y)), y] += 1
        return xlogx(np.maximum(Q, 0)).sum(axis=1)
    if loss.name == "weston_watkins":
        if loss.squared:
            return (off**2 / 4 - loss.margin * off).sum(axis=1)
        return loss.temperature * (xlogx(off) + xlogx(1 - off)).sum(axis=1) - loss.margin * total
    if loss.squared:
        return total**2 / 4 - loss.margin * total
    Q = off.copy()
    Q[np.arange(len(y)), y] = 1 - total
    return loss.temperature * xlogx(np.maximum(Q, 0)).sum(axis=1) - loss.margin * total


def assert_feasible(loss, V, y):
    """V lies in the domain of the conjugate, and its rows sum to 0."""
    size = 1 + np.abs(V).max()
    np.testing.assert_allclose(V.sum(axis=1), 0, atol=1e-14 * size * V.shape[1])
    off = V.copy()
    off[np.arange(len(y)), y] = 0
    assert off.min() >= 0
    if loss.name == "weston_watkins":
        assert loss.squared or off.max() <= 1
    else:
        assert getattr(loss, "squared", False) or off.sum(axis=1).max() <= 1 + 1e-15 * V.shape[1]


# --- values --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("K", [2, 3, 4, 10])
@each(LOSSES, "loss")
def test_at_zero_logits_the_loss_is_known_by_hand(loss, K):
    value = loss.value(np.zeros((1, K)), np.zeros(1, dtype=int))[0]
    if loss.name == "softmax":
        expected = log(K)
    elif loss.name == "weston_watkins":
        each_term = softplus(loss.margin, loss.temperature)
        expected = (K - 1) * (each_term**2 if loss.squared else each_term)
    else:
        t = loss.temperature
        h = t * log(1 + (K - 1) * exp(loss.margin / t)) if t else loss.margin
        expected = h**2 if loss.squared else h
    assert value == pytest.approx(expected, rel=1e-15)


def test_plain_hinges_at_zero_logits_are_one_and_the_number_of_rivals():
    Z, y = np.zeros((1, 7)), np.array([3])
    assert CrammerSinger().value(Z, y)[0] == 1.0
    assert WestonWatkins().value(Z, y)[0] == 6.0


def test_softmax_golden_row():
    loss, G = Softmax().value_grad(np.array([[3.0, 4.0, 1.0]]), np.array([1]))
    assert loss[0] == pytest.approx(0.349012, abs=5e-7)
    np.testing.assert_allclose(G[0], [0.25949646034, -0.29461548730, 0.03511902696], atol=5e-12)


@pytest.mark.parametrize(
    ("logits", "expected"),
    [
        ([1, 2, 3], [0.09003057, 0.24472847, 0.66524096]),
        ([1, 2, 5], [0.017147826, 0.046612623, 0.936239551]),
        ([1000, 2000, 3000], [0, 0, 1]),
        ([3, 4, 1], [0.25949646034, 0.70538451270, 0.03511902696]),
    ],
)
def test_softmax_golden_probabilities(logits, expected):
    np.testing.assert_allclose(Softmax().probabilities(np.array([logits], dtype=float))[0], expected, atol=5e-9)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint64])
def test_codes_may_be_of_any_integer_type(kind):
    Z, y = logits(m=300)
    expected, found = Softmax().value_grad(Z, y), Softmax().value_grad(Z, y.astype(kind))
    assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))


def test_memory_order_of_the_logits_changes_no_bit():
    Z, y = logits()
    expected, found = Softmax().value_grad(Z, y), Softmax().value_grad(np.asfortranarray(Z), y)
    assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))


@pytest.mark.parametrize("K", [2, 3, 5])
@each(LOSSES, "loss")
def test_the_loss_is_its_formula_row_by_row(loss, K):
    Z, y = logits(K=K)
    expected = [value_of_row(loss, z.tolist(), int(k)) for z, k in zip(Z, y, strict=True)]
    np.testing.assert_allclose(loss.value(Z, y), expected, rtol=1e-12)
    np.testing.assert_array_equal(loss.value_grad(Z, y)[0], loss.value(Z, y))
    expected_G = [gradient_of_row(loss, z.tolist(), int(k)) for z, k in zip(Z, y, strict=True)]
    np.testing.assert_allclose(loss.value_grad(Z, y)[1], expected_G, rtol=1e-12, atol=1e-15)


@each(LOSSES, "loss")
def test_a_row_s_loss_does_not_depend_on_its_neighbours(loss):
    Z, y = logits(m=7)
    alone = [loss.value_grad(Z[r : r + 1], y[r : r + 1]) for r in range(7)]
    losses, G = loss.value_grad(Z, y)
    np.testing.assert_allclose(losses, [value[0] for value, _ in alone], rtol=1e-15)
    np.testing.assert_allclose(G, [g[0] for _, g in alone], rtol=1e-15)


@each(LOSSES, "loss")
def test_the_loss_is_convex(loss):
    A, y = logits(2, size=3.0)
    B = logits(3, size=3.0)[0]
    for share in (0.1, 0.5, 0.8):
        chord = (1 - share) * loss.value(A, y) + share * loss.value(B, y)
        assert (loss.value((1 - share) * A + share * B, y) <= chord * (1 + 1e-14)).all()


@each(LOSSES, "loss")
def test_a_shift_of_all_logits_changes_nothing(loss):
    Z, y = at_kinks()  # halves: adding whole numbers is exact, and so is everything that depends on differences
    for c in (3.0, -1024.0):
        for before, after in zip(loss.value_grad(Z, y), loss.value_grad(Z + c, y), strict=True):
            np.testing.assert_array_equal(before, after)


@each(LOSSES, "loss")
def test_permuting_the_classes_permutes_the_gradient(loss):
    Z, y = logits()
    order = np.array([2, 0, 3, 1])
    losses, G = loss.value_grad(Z, y)
    permuted_losses, permuted_G = loss.value_grad(Z[:, order], np.argsort(order)[y])
    np.testing.assert_allclose(permuted_losses, losses, rtol=1e-14)
    np.testing.assert_allclose(permuted_G, G[:, order], rtol=1e-13, atol=1e-16)


@each(HINGES, "loss")
def test_the_margin_is_asked_of_the_rivals_only(loss):
    Z = np.array([[5.0, 4.5, -20.0]])  # ahead by half a unit
    wide, narrow = replace(loss, margin=1.0, temperature=0.0), replace(loss, margin=0.5, temperature=0.0)
    assert wide.value(Z, np.array([0]))[0] == (0.25 if loss.squared else 0.5)
    assert narrow.value(Z, np.array([0]))[0] == 0.0


def test_two_classes_make_both_hinges_the_same():
    Z, y = logits(K=2)
    for squared in (False, True):
        for A, B in zip(
            WestonWatkins(squared=squared).value_grad(Z, y),
            CrammerSinger(squared=squared).value_grad(Z, y),
            strict=True,
        ):
            np.testing.assert_allclose(A, B, rtol=1e-14)


def test_crammer_singer_at_temperature_one_and_no_margin_is_softmax():
    Z, y = logits()
    twin = CrammerSinger(margin=0.0, temperature=1.0)
    for A, B in zip(twin.value_grad(Z, y), Softmax().value_grad(Z, y), strict=True):
        np.testing.assert_allclose(A, B, rtol=1e-13)
    np.testing.assert_allclose(twin.hessian(Z, y), Softmax().hessian(Z, y), rtol=1e-12)


def test_the_largest_violation_is_at_most_their_sum():
    Z, y = logits()
    assert (CrammerSinger().value(Z, y) <= WestonWatkins().value(Z, y)).all()


@each(SMOOTHED, "loss")
def test_a_smoothed_hinge_lies_above_the_hinge_by_no_more_than_its_bound(loss):
    K = 4
    for t in (1.0, 0.1, 1e-6):
        for Z, y in (logits(K=K), at_kinks(K=K)):
            plain = replace(loss, squared=False, temperature=0.0)
            above = replace(loss, squared=False, temperature=t).value(Z, y) - plain.value(Z, y)
            bound = t * log(K) if loss.name == "crammer_singer" else (K - 1) * t * log(2)
            assert (above >= -1e-15 * (1 + plain.value(Z, y))).all()
            assert (above <= bound * (1 + 1e-12) + 1e-15 * (1 + plain.value(Z, y))).all()


@each(SMOOTHED, "loss")
def test_a_smoothed_hinge_tends_to_the_hinge(loss):
    Z, y = logits()
    plain = replace(loss, temperature=0.0)
    np.testing.assert_allclose(replace(loss, temperature=1e-9).value(Z, y), plain.value(Z, y), atol=1e-7)


@each(UNSMOOTHED, "loss")
def test_a_hinge_stops_caring_once_its_margins_are_met_and_softmax_never_does(loss):
    Z, y = np.array([[5.0, 1.0, 2.0]]), np.array([0])
    losses, G = loss.value_grad(Z, y)
    assert losses[0] == 0
    assert not G.any()
    assert Softmax().value_grad(Z, y)[1].all()


# --- gradients -----------------------------------------------------------------------------------------------------


@each(LOSSES, "loss")
def test_gradient_rows_sum_to_zero(loss):
    for Z, y in (logits(), at_kinks(), logits(size=300.0)):
        G = loss.value_grad(Z, y)[1]
        assert (np.abs(G.sum(axis=1)) <= 1e-15 * np.abs(G).sum(axis=1)).all()


@each(LOSSES, "loss")
def test_the_subgradient_inequality_holds_even_at_kinks(loss):
    for Z, y in (at_kinks(), logits(4), (np.zeros((50, 4)), np.arange(50) % 4)):
        losses, G = loss.value_grad(Z, y)
        rng = np.random.default_rng(5)
        for size in (1e-3, 0.5, 1.0, 20.0):
            other = Z + size * rng.standard_normal(Z.shape)
            bound = losses + dot(G, other - Z)
            there = loss.value(other, y)
            assert (there >= bound - 1e-13 * (1 + np.abs(there) + np.abs(bound))).all()


@each(LOSSES, "loss")
def test_the_gradient_is_the_derivative_of_the_value(loss):
    Z, y = logits(m=60)
    G = loss.value_grad(Z, y)[1]
    h = 1e-6
    for k in range(Z.shape[1]):
        step = h * np.eye(Z.shape[1])[k]
        numeric = (loss.value(Z + step, y) - loss.value(Z - step, y)) / (2 * h)
        rounding = 1e-15 * (1 + loss.value(Z, y)) / h
        assert (np.abs(G[:, k] - numeric) <= 1e-7 * np.abs(numeric) + rounding).all()


@each(LOSSES, "loss")
def test_the_hessian_is_the_derivative_of_the_gradient(loss):
    Z, y = logits(m=60)
    H = loss.hessian(Z, y)
    h = 1e-6
    for k in range(Z.shape[1]):
        step = h * np.eye(Z.shape[1])[k]
        numeric = (loss.value_grad(Z + step, y)[1] - loss.value_grad(Z - step, y)[1]) / (2 * h)
        np.testing.assert_allclose(H[:, :, k], numeric, rtol=1e-6, atol=1e-7)


@each(LOSSES, "loss")
def test_the_hessian_is_symmetric_positive_semidefinite_with_rows_that_sum_to_zero(loss):
    H = loss.hessian(*logits())
    np.testing.assert_array_equal(H, H.transpose(0, 2, 1))
    assert np.linalg.eigvalsh(H).min() >= -1e-13 * (1 + np.abs(H).max())
    np.testing.assert_allclose(H.sum(axis=2), 0, atol=1e-13 * (1 + np.abs(H).max()))


@each(LOSSES, "loss")
def test_the_hessian_product_is_the_hessian_times_the_direction(loss):
    Z, y = logits()
    D = logits(9)[0]
    np.testing.assert_allclose(
        loss.hvp(Z, y, D), np.einsum("mij,mj->mi", loss.hessian(Z, y), D), rtol=1e-11, atol=1e-13
    )


@each(LOSSES, "loss")
def test_what_fixes_the_hessian_is_kept_in_few_numbers_a_row(loss):
    for Z, y in (logits(), at_kinks(), logits(size=50.0)):
        A = loss.bend(Z, y)
        assert A.shape == (len(Z), loss.bend_columns(Z.shape[1]))
        H = loss.hessian(Z, y)
        np.testing.assert_allclose(loss.bent_diagonal(A, y), np.einsum("mkk->mk", H), rtol=1e-11, atol=1e-13)
        s = np.random.default_rng(2).random(len(Z))
        np.testing.assert_allclose(loss.bent_sum(A, y, s), np.einsum("m,mkl->kl", s, H), rtol=1e-11, atol=1e-11)
        for D in np.eye(Z.shape[1]):
            np.testing.assert_allclose(loss.bent(A, y, np.tile(D, (len(Z), 1))), H @ D, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("K", [2, 3, 6])
@each(SMOOTH, "loss")
def test_curvature_bounds_the_hessian_s_eigenvalues(loss, K):
    bound = loss.curvature(K)
    for Z, y in (logits(K=K), at_kinks(K=K), logits(K=K, size=0.01), logits(K=K, size=50.0)):
        assert np.linalg.eigvalsh(loss.hessian(Z, y)).max() <= bound * (1 + 1e-12)


def test_the_curvature_bounds_are_attained():
    y = np.array([0])
    two = np.array([[0.0, 0.0, -1e6]])  # two classes tie, the third is out of it
    assert np.linalg.eigvalsh(Softmax().hessian(two, y))[0, -1] == pytest.approx(Softmax().curvature(3))
    smoothed = CrammerSinger(margin=0.0, temperature=0.3)
    assert np.linalg.eigvalsh(smoothed.hessian(two, y))[0, -1] == pytest.approx(smoothed.curvature(3))
    at_margin = np.array([[1.0, 0.0, 0.0]])
    for loss in (WestonWatkins(temperature=0.3), WestonWatkins(margin=2.0, squared=True)):
        assert np.linalg.eigvalsh(loss.hessian(at_margin, y))[0, -1] == pytest.approx(loss.curvature(3))


@each(LOSSES, "loss")
def test_only_losses_without_kinks_call_themselves_smooth(loss):
    # Walk through the ties of row 0's rivals and through its margin: a smooth loss's gradient moves little.
    steps = np.linspace(-3, 3, 60001)
    Z = np.stack([np.zeros_like(steps), steps, 0.3 - steps], axis=1)
    G = loss.value_grad(Z, np.zeros(len(Z), dtype=int))[1]
    jump = np.abs(np.diff(G, axis=0)).max()
    assert (jump < 0.01) == loss.smooth


# --- extremes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@each(LOSSES, "loss")
def test_everything_is_finite_at_huge_logits(loss, dtype):
    Z = np.array([[1e8, 0, -1e8], [-1e8, 1e8, 0], [0, 0, 1e8], [1e8, 1e8, 1e8]], dtype=dtype)
    for y in (np.array([0, 0, 0, 0]), np.array([2, 1, 2, 1])):
        losses, G = loss.value_grad(Z, y)
        D = np.ones_like(Z) * np.arange(3, dtype=dtype)
        V = loss.dual_point(Z, y, D)
        for array in (losses, G, loss.hvp(Z, y, D), loss.hessian(Z, y), V, loss.fenchel_young(Z, V, y)):
            assert np.isfinite(array).all()


def test_huge_logits_cost_their_distance():
    Z = np.array([[1e8, 0.0, -1e8], [-1e8, 1e8, 0.0]])
    np.testing.assert_array_equal(Softmax().value(Z, np.array([2, 1])), [2e8, 0.0])
    np.testing.assert_array_equal(CrammerSinger().value(Z, np.array([2, 1])), [2e8 + 1, 0.0])
    np.testing.assert_array_equal(WestonWatkins().value(Z, np.array([2, 1])), [3e8 + 2, 0.0])
    np.testing.assert_array_equal(WestonWatkins(squared=True).value(Z, np.array([1, 1])), [(1e8 + 1) ** 2 + 1, 0.0])


CONFIDENT = [1e-3, 1.0, 5.0, 20.0, 36.5, 40.0, 100.0, 700.0]


@pytest.mark.parametrize("margin", CONFIDENT)
def test_confident_rows_keep_every_digit_of_softmax(margin):
    z = [margin, 0.0, 0.25]
    with localcontext() as context:
        context.prec = 60
        rest = [(Decimal(a) - Decimal(z[0])).exp() for a in z[1:]]
        total = 1 + sum(rest)
        expected = float(total.ln())
        expected_G = [float(-sum(rest) / total), float(rest[0] / total), float(rest[1] / total)]
    for y in (np.array([0]), np.array([[1.0, 0.0, 0.0]])):
        losses, G = Softmax().value_grad(np.array([z]), y)
        assert losses[0] == pytest.approx(expected, rel=2e-14)
        np.testing.assert_allclose(G[0], expected_G, rtol=2e-14)


@pytest.mark.parametrize("margin", CONFIDENT)
def test_confidently_wrong_rows_keep_every_digit_of_softmax(margin):
    z = [0.0, margin, 0.25]
    with localcontext() as context:
        context.prec = 60
        terms = [(Decimal(a) - Decimal(margin)).exp() for a in z]
        total = sum(terms)
        expected = float(total.ln() + Decimal(margin))
        expected_G = [float(terms[0] / total - 1), float(terms[1] / total), float(terms[2] / total)]
    losses, G = Softmax().value_grad(np.array([z]), np.array([0]))
    assert losses[0] == pytest.approx(expected, rel=2e-14)
    np.testing.assert_allclose(G[0], expected_G, rtol=2e-14)


@pytest.mark.parametrize("ahead", [1.5, 10.0, 100.0])
@each(SMOOTHED, "loss")
def test_confident_rows_keep_every_digit_of_smoothed_hinges(loss, ahead):
    z = [ahead, 0.0, 0.25]
    with localcontext() as context:
        context.prec = 80
        t = Decimal(loss.temperature)
        E = [((Decimal(loss.margin) + Decimal(a) - Decimal(z[0])) / t).exp() for a in z[1:]]
        if loss.name == "weston_watkins":
            terms = [t * (1 + e).ln() for e in E]
            slopes = [e / (1 + e) for e in E]
            expected = sum(h * h for h in terms) if loss.squared else sum(terms)
            expected_G = [2 * h * a if loss.squared else a for h, a in zip(terms, slopes, strict=True)]
        else:
            h = t * (1 + sum(E)).ln()
            expected = h * h if loss.squared else h
            expected_G = [e / (1 + sum(E)) * (2 * h if loss.squared else 1) for e in E]
        expected_G = [-sum(expected_G), *expected_G]
    losses, G = loss.value_grad(np.array([z]), np.array([0]))
    # The exponent's own rounding, eps·|m|/t, is all that may be lost.
    rtol = 1e-15 * (10 + 4 * ahead / loss.temperature)
    if float(expected) > 1e-300:
        np.testing.assert_allclose(losses[0], float(expected), rtol=rtol)
        np.testing.assert_allclose(G[0], [float(g) for g in expected_G], rtol=rtol)


@each(LOSSES, "loss")
def test_float32_logits_give_float32_results_near_the_float64_ones(loss):
    Z, y = logits()
    Z32, D32 = Z.astype(np.float32), logits(9)[0].astype(np.float32)
    results = [*loss.value_grad(Z32, y), loss.hvp(Z32, y, D32)]
    exact = [*loss.value_grad(Z32.astype(np.float64), y), loss.hvp(Z32.astype(np.float64), y, D32.astype(np.float64))]
    for single, double in zip(results, exact, strict=True):
        assert single.dtype == np.float32
        np.testing.assert_allclose(single, double, rtol=1e-4, atol=1e-4)


@each(LOSSES, "loss")
def test_nothing_the_caller_holds_is_changed(loss):
    Z, y = logits()
    D = logits(9)[0]
    V = loss.dual_point(Z, y, D)
    before = [a.copy() for a in (Z, y, D, V)]
    loss.value(Z, y)
    loss.value_grad(Z, y)
    loss.hvp(Z, y, D)
    loss.hessian(Z, y)
    loss.dual_point(Z, y)
    loss.dual_point(Z, y, D)
    loss.fenchel_young(Z, V, y)
    for old, new in zip(before, (Z, y, D, V), strict=True):
        np.testing.assert_array_equal(old, new)


# --- soft targets --------------------------------------------------------------------------------------------------


def test_one_hot_targets_are_labels():
    Z, y = logits(size=8.0)
    T = np.eye(4)[y]
    D = logits(9)[0]
    loss = Softmax()
    for soft, hard in zip(loss.value_grad(Z, T), loss.value_grad(Z, y), strict=True):
        np.testing.assert_allclose(soft, hard, rtol=1e-12, atol=1e-15)
    V = loss.dual_point(Z, y, D)
    np.testing.assert_allclose(loss.dual_point(Z, T, 0.1 * D), loss.dual_point(Z, y, 0.1 * D), atol=1e-15)
    np.testing.assert_allclose(loss.fenchel_young(Z, V, T), loss.fenchel_young(Z, V, y), rtol=1e-12)
    np.testing.assert_array_equal(loss.hvp(Z, T, D), loss.hvp(Z, y, D))


def test_the_loss_of_a_distribution_is_the_mean_over_its_labels():
    Z, y = logits()
    T = soft_targets(y, 4)
    labels = np.arange(4)
    expected = sum(T[:, k] * Softmax().value(Z, np.full(len(Z), labels[k])) for k in labels)
    value, G = Softmax().value_grad(Z, T)
    np.testing.assert_allclose(value, expected, rtol=1e-13)
    np.testing.assert_allclose(G, Softmax().probabilities(Z) - T, atol=1e-15)


# --- dual points ---------------------------------------------------------------------------------------------------


@each(LOSSES, "loss")
def test_the_dual_point_of_no_direction_is_the_gradient(loss):
    for Z, y in (logits(), at_kinks()):
        np.testing.assert_array_equal(loss.dual_point(Z, y), loss.value_grad(Z, y)[1])


@each(LOSSES, "loss")
def test_the_dual_point_of_a_small_direction_is_gradient_plus_hessian(loss):
    Z, y = logits(size=1.0)
    D = 1e-3 * logits(9)[0]
    expected = loss.value_grad(Z, y)[1] + loss.hvp(Z, y, D)
    off = expected.copy()
    off[np.arange(len(y)), y] = 0
    inside = off.min(axis=1) >= 0
    if not getattr(loss, "squared", False):
        inside &= (off.max(axis=1) if loss.name == "weston_watkins" else off.sum(axis=1)) <= 1
    assert inside.mean() > 0.5
    np.testing.assert_allclose(loss.dual_point(Z, y, D)[inside], expected[inside], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("size", [1e-3, 0.3, 10.0, 1e4])
@each(LOSSES, "loss")
def test_dual_points_are_feasible_whatever_the_direction(loss, size):
    for Z, y in (logits(), at_kinks(), logits(size=30.0)):
        assert_feasible(loss, loss.dual_point(Z, y, size * logits(9, m=len(Z))[0]), y)
        assert_feasible(loss, loss.dual_point(Z, y), y)


@pytest.mark.parametrize("size", [1e-3, 0.3, 10.0, 1e4])
def test_dual_points_of_soft_targets_are_feasible(size):
    Z, y = logits()
    T = soft_targets(y, 4)
    Q = Softmax().dual_point(Z, T, size * logits(9)[0]) + T
    assert Q.min() >= -1e-16
    np.testing.assert_allclose(Q.sum(axis=1), 1, atol=1e-13)


@each(SMOOTHED, "loss")
def test_the_dual_point_of_a_smoothed_hinge_is_feasible_for_the_plain_one(loss):
    plain = replace(loss, temperature=0.0)
    Z, y = logits()
    for size in (0.0, 1e-2, 1.0, 100.0):
        assert_feasible(plain, loss.dual_point(Z, y, size * logits(9)[0]), y)


def some_dual_points(loss, Z, y):
    """Feasible dual points, of steps from Z and of logits that have nothing to do with it."""
    for size in (0.0, 0.1, 10.0):
        yield loss.dual_point(Z, y, size * logits(9, m=len(Z))[0])
    elsewhere = [loss.dual_point(logits(seed, m=len(Z))[0], y) for seed in (21, 22, 23)]
    yield elsewhere[0]
    yield sum(elsewhere) / 3  # the domain is convex


@each(LOSSES, "loss")
def test_the_fenchel_young_term_vanishes_at_the_gradient_and_is_never_negative(loss):
    for Z, y in (logits(), at_kinks(), logits(size=100.0)):
        losses, G = loss.value_grad(Z, y)
        at_gradient = loss.fenchel_young(Z, G, y)
        assert (at_gradient >= 0).all()
        scale = 1 + losses + np.abs(Z).max(axis=1) * np.abs(G).max(axis=1)
        assert (at_gradient <= 1e-14 * scale).all()
        for V in some_dual_points(loss, Z, y):
            assert (loss.fenchel_young(Z, V, y) >= 0).all()


@each({k: v for k, v in LOSSES.items() if k not in ("ww_squared_smoothed", "cs_squared_smoothed")}, "loss")
def test_the_fenchel_young_term_is_value_plus_conjugate_minus_product(loss):
    for Z, y in (logits(), at_kinks()):
        for V in some_dual_points(loss, Z, y):
            value, product = loss.value(Z, y), dot(V, Z)
            expected = value + conjugate(loss, V, y) - product
            atol = 1e-13 * (1 + np.abs(value).max() + np.abs(V).max() ** 2 + np.abs(product).max())
            np.testing.assert_allclose(loss.fenchel_young(Z, V, y), expected, rtol=1e-11, atol=atol)


@each(LOSSES, "loss")
def test_the_fenchel_young_term_bounds_what_the_loss_can_lose_to_any_other_logits(loss):
    # FY(z, v) = sup over z' of l(z) - l(z') - v·(z - z'): no z' may exceed it.
    Z, y = logits()
    rng = np.random.default_rng(11)
    for V in some_dual_points(loss, Z, y):
        bound = loss.fenchel_young(Z, V, y)
        for spread in (0.1, 1.0, 5.0):
            for _ in range(10):
                other = Z + spread * rng.standard_normal(Z.shape)
                lost = loss.value(Z, y) - loss.value(other, y) - dot(V, Z - other)
                assert (lost <= bound + 1e-12 * (1 + np.abs(V).max()) * (1 + np.abs(lost))).all()


@pytest.mark.parametrize("name", ["ww_squared_smoothed", "cs_squared_smoothed"])
def test_the_bound_for_smoothed_squares_is_of_second_order(name):
    # A dual point off the gradient by d costs d²/curvature at least; the bound is of that order too, not of order d.
    loss = LOSSES[name]
    Z, y = logits(size=0.5)
    D = logits(9)[0]
    costs = [loss.fenchel_young(Z, loss.dual_point(Z, y, h * D), y).max() for h in (1e-5, 1e-6)]
    assert costs[0] / costs[1] == pytest.approx(100, rel=0.05)


@each(LOSSES, "loss")
def test_the_vertex_conjugate_bounds_the_conjugate_at_the_corners(loss):
    K = 4
    Z, y = logits(K=K)
    for k in range(K):
        V = np.zeros_like(Z)
        V[:, k] += 1
        V[np.arange(len(y)), y] -= 1
        at_corner = np.where(y == k, 0.0, loss.vertex_conjugate)  # v = 0 where k is the true class
        allowed = loss.value(Z, y) + np.maximum(at_corner, 0) - dot(V, Z)
        rng = np.random.default_rng(12)
        for _ in range(20):
            other = Z + 3 * rng.standard_normal(Z.shape)
            lost = loss.value(Z, y) - loss.value(other, y) - dot(V, Z - other)
            assert (lost <= allowed + 1e-12 * (1 + np.abs(allowed))).all()
        if not (getattr(loss, "squared", False) and loss.temperature > 0):
            exact = conjugate(loss, V, y)[y != k]
            assert exact.max() <= loss.vertex_conjugate + 1e-15


# --- manners -------------------------------------------------------------------------------------------------------


@each(LOSSES, "loss")
def test_losses_are_values(loss):
    assert pickle.loads(pickle.dumps(loss)) == loss
    assert hash(replace(loss)) == hash(loss)
    assert eval(repr(loss), {type(loss).__name__: type(loss)}) == loss
    assert REGISTRY[loss.name] is type(loss)
    if loss.name != "softmax":
        with pytest.raises(FrozenInstanceError):
            loss.margin = 2.0
