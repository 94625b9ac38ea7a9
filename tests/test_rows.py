"""Laws of the rows: every way to hold them gives the same rows, and sums over them do not depend on how."""

from __future__ import annotations

import multiprocessing
import pickle
import time
from functools import partial

import numpy as np
import pytest
import scipy.sparse
from kinds import LOSSES, ROWS, each, random_problem

from softreg.kernels import moments_kernel, value_grad_kernel
from softreg.losses import Softmax
from softreg.rows import DenseRows, SparseRows, StandardizedRows, blocks, make_rows, one_thread_blas, sparse
from softreg.rows.blocks import MAX_GROUPS
from softreg.threads import allowed_jobs


def dense(X):
    return X.toarray() if scipy.sparse.issparse(X) else np.asarray(X)


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of the fewest rows there can be, 64."""
    set_block_entries(monkeypatch, 1)


def set_block_entries(monkeypatch, entries):
    for module in (blocks, sparse):
        monkeypatch.setattr(module, "BLOCK_ENTRIES", entries)


def gather(some_blocks):
    some_blocks = list(some_blocks)
    X = np.vstack([dense(block.X) for block in some_blocks])
    weights = [block.weight for block in some_blocks]
    return X, np.concatenate([block.y for block in some_blocks]), weights


# --- what is visited -----------------------------------------------------------------------------------------------


@each(ROWS, "kind")
def test_blocks_are_the_rows_in_order(kind, small_blocks):
    X, y, weight = random_problem(0)
    rows = kind.make(X, y, weight)
    seen, targets, weights = gather(rows.blocks())
    np.testing.assert_allclose(seen, kind.stands_for(X), rtol=1e-15)
    np.testing.assert_array_equal(targets, y)
    np.testing.assert_array_equal(np.concatenate(weights), weight)
    assert rows.shape == X.shape
    assert rows.n_classes == 4
    assert rows.total_weight == weight.sum()
    assert kind.make(X, y).total_weight == len(X)


@each(ROWS, "kind")
def test_batches_visit_every_row_once_in_random_order(kind):
    X, y, weight = random_problem(0)
    X[:, 0] = np.arange(300) % 100
    y = np.arange(300)  # a name for each row
    rows = kind.make(X, y, weight, n_classes=300)
    batches = list(rows.batches(32, np.random.default_rng(0)))
    assert [block.X.shape[0] for block in batches] == [32] * 9 + [12]
    seen, targets, weights = gather(batches)
    assert sorted(targets) == list(range(300))
    assert not np.array_equal(np.sort(targets[:32]), np.arange(32))
    np.testing.assert_allclose(seen, kind.stands_for(X)[targets], rtol=1e-15)
    np.testing.assert_array_equal(np.concatenate(weights), weight[targets])


def test_the_same_generator_gives_the_same_batches_and_goes_on_to_others():
    rows = DenseRows(np.arange(100.0)[:, None], np.arange(100))

    def order(rng):
        return [block.y.tolist() for block in rows.batches(16, rng)]

    rng = np.random.default_rng(7)
    first, second = order(rng), order(rng)
    assert order(np.random.default_rng(7)) == first
    assert second != first


@each(ROWS, "kind")
def test_no_weights_stay_no_weights(kind):
    X, y, _ = random_problem(0)
    assert all(block.weight is None for block in kind.make(X, y).blocks())


def test_soft_targets_travel_with_their_rows():
    X = random_problem(0)[0]
    T = np.random.default_rng(0).dirichlet(np.ones(4), len(X))  # no two alike
    rows = make_rows(X, T)
    assert rows.n_classes == 4
    for block in rows.batches(50, np.random.default_rng(0)):
        at = [np.flatnonzero((t == T).all(axis=1))[0] for t in block.y]
        np.testing.assert_array_equal(block.X, X[at])


def test_the_kind_of_rows_follows_the_matrix():
    X, y, _ = random_problem(0)
    assert isinstance(make_rows(X, y), DenseRows)
    assert isinstance(make_rows(scipy.sparse.csr_array(X), y), SparseRows)
    assert make_rows(X, y, n_classes=9).n_classes == 9


# --- sums ----------------------------------------------------------------------------------------------------------


def sums(rows, loss=LOSSES["softmax"]):
    W = np.random.default_rng(3).normal(size=(rows.shape[1] + 1, rows.n_classes)) / 5
    with one_thread_blas():
        return [
            *rows.sum(partial(value_grad_kernel, loss=loss, W=W)),
            *rows.sum(partial(moments_kernel, n_classes=rows.n_classes)),
        ]


@pytest.mark.parametrize("weighted", [False, True])
@each(ROWS, "kind")
def test_sums_do_not_depend_on_storage(kind, weighted):
    X, y, weight = random_problem(1)
    weight = weight if weighted else None
    expected = sums(DenseRows(kind.stands_for(X).astype(np.float64), y, weight))
    for a, b in zip(sums(kind.make(X, y, weight)), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=5e-15, atol=5e-15 * np.abs(b).max())


@each(LOSSES, "loss")
@each(ROWS, "kind")
def test_sums_do_not_depend_on_block_size(kind, loss, monkeypatch):
    X, y, weight = random_problem(2, n=500)
    results = []
    for entries in (1, 100 * X.shape[1], 1 << 18):
        set_block_entries(monkeypatch, entries)
        results.append(sums(kind.make(X, y, weight), loss))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_allclose(a, b, rtol=5e-15, atol=5e-15 * np.abs(b).max())


@each(ROWS, "kind")
def test_sums_have_the_same_bits_on_any_number_of_threads(kind, small_blocks):
    X, y, weight = random_problem(2, n=3000)
    one, two, three = (
        [a.tobytes() for a in map(np.asarray, sums(kind.make(X, y, weight, n_jobs=j)))] for j in (1, 2, 3)
    )
    assert one == two == three


@pytest.mark.parametrize("n_jobs", [1, 2, 3])
def test_the_order_of_a_sum_does_not_depend_on_which_thread_is_first(n_jobs, small_blocks):
    # 1 is lost in 1e16: the result tells the order.  Early blocks are made to finish late.
    X = np.zeros((64 * MAX_GROUPS, 1))
    X[::64, 0] = np.tile([1e16, 1.0, -1e16, 1.0], MAX_GROUPS // 4)
    y = np.repeat(np.arange(MAX_GROUPS), 64)

    def kernel(block):
        time.sleep(2e-3 * (block.y[0] % 4 == 0))
        return (float(block.X.sum()),)

    expected = 0.0
    for term in X[::64, 0]:
        expected += term
    assert DenseRows(X, y, n_jobs=n_jobs).sum(kernel) == (expected,)


@pytest.mark.parametrize("n", [1, 63, 64, 65, 64 * MAX_GROUPS - 1, 64 * MAX_GROUPS + 1, 64 * MAX_GROUPS * 2 + 65])
@pytest.mark.parametrize("n_jobs", [1, 3])
def test_a_sum_counts_every_row_once_however_the_blocks_fall(n, n_jobs, small_blocks):
    X = np.ones((n, 2))
    rows = DenseRows(X, np.arange(n), n_classes=n, n_jobs=n_jobs)
    count, total, largest = rows.sum(lambda block: (len(block.X), block.y.sum(), np.zeros(2) + block.X.shape[0] // 65))
    assert (count, total) == (n, n * (n - 1) // 2)
    assert not largest.any()  # no block is larger than it may be


def test_partial_sums_are_added_in_double_precision(small_blocks):
    X = np.ones((64 * 40, 1))
    tiny = 2.0**-30
    rows = DenseRows(X, np.arange(len(X)), n_classes=1)

    def kernel(block):
        value = 1.0 if block.y[0] == 0 else tiny
        return np.float32(value), np.full(3, value, dtype=np.float32)

    expected = 1 + 39 * tiny
    scalar, array = rows.sum(kernel)
    assert scalar == expected
    assert array.dtype == np.float64
    np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_error_in_a_kernel_reaches_the_caller(n_jobs, small_blocks):
    def kernel(block):
        if block.y[0] > 500:
            raise ZeroDivisionError("in a block")
        return (1.0,)

    rows = DenseRows(np.ones((3000, 1)), np.arange(3000), n_jobs=n_jobs)
    with pytest.raises(ZeroDivisionError, match="in a block"):
        rows.sum(kernel)
    n_blocks = len(list(rows.blocks()))
    assert n_blocks > 40
    assert rows.sum(lambda block: (1.0,)) == (n_blocks,)  # and the threads are as good as new


def test_kernels_pickle():
    W = np.ones((3, 2))
    block = DenseRows(np.ones((4, 2)), np.array([0, 1, 0, 1])).block(slice(0, 4))
    kernel = partial(value_grad_kernel, loss=Softmax(), W=W)
    for a, b in zip(pickle.loads(pickle.dumps(kernel))(block), kernel(block), strict=True):
        np.testing.assert_array_equal(a, b)


# --- memory --------------------------------------------------------------------------------------------------------


@each(ROWS, "kind")
def test_the_caller_s_matrix_is_neither_copied_nor_changed(kind):
    X, y, weight = random_problem(4)
    rows = kind.make(X, y, weight)
    held = rows.X
    parts = [held.data, held.indices, held.indptr] if scipy.sparse.issparse(held) else [held]
    before = [part.tobytes() for part in parts]
    sums(rows)
    for block in rows.batches(50, np.random.default_rng(0)):
        rows.sum(lambda _, block=block: (float(abs(block.X).sum()),))
    list(rows.blocks())
    assert rows.X is held
    assert [part.tobytes() for part in parts] == before


def test_blocks_of_the_computing_type_are_views():
    X, y, _ = random_problem(4)
    X = X.astype(np.float64)
    assert all(np.shares_memory(block.X, X) for block in DenseRows(X, y).blocks())
    A = scipy.sparse.csr_array(X)
    for block in SparseRows(A, y).blocks():
        assert scipy.sparse.issparse(block.X)
        assert np.shares_memory(block.X.data, A.data)
        assert np.shares_memory(block.X.indices, A.indices)


@each(ROWS, "kind")
def test_the_type_of_the_arithmetic_is_chosen_apart_from_the_storage(kind):
    X, y, _ = random_problem(4)
    rows = kind.make(X, y)
    assert rows.dtype == np.float64
    single = rows.astype(np.float32)
    assert {block.X.dtype for block in rows.blocks()} == {np.dtype(np.float64)}
    assert {block.X.dtype for block in single.blocks()} == {np.dtype(np.float32)}
    assert {block.X.dtype for block in single.batches(50, np.random.default_rng(0))} == {np.dtype(np.float32)}
    assert single.X is rows.X
    assert rows.dtype == np.float64


# --- standardized --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("convert", [np.asarray, scipy.sparse.csr_array])
def test_raw_weights_do_to_raw_columns_what_standardized_ones_do_to_standardized(convert):
    X, y, _ = random_problem(5)
    rows = StandardizedRows(make_rows(convert(X.astype(float)), y), np.linspace(-1, 3, 5), np.linspace(0.5, 4, 5))
    W = np.random.default_rng(0).normal(size=(6, 4))
    raw = rows.to_raw(W)
    seen = gather(rows.blocks())[0]
    np.testing.assert_allclose(seen @ W[:-1] + W[-1], X @ raw[:-1] + raw[-1], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(rows.from_raw(raw), W, rtol=1e-13, atol=1e-13)


def test_standardized_sparse_rows_stay_sparse():
    X, y, _ = random_problem(5)
    rows = StandardizedRows(SparseRows(scipy.sparse.csr_array(X), y), np.ones(5), np.full(5, 2.0))
    for block in rows.blocks():
        assert scipy.sparse.issparse(block.X)


def test_standardized_float32_columns_do_not_cancel():
    # The mean is taken off in float64: what is left of 16777216 + {0, 2} is {-1, 1}, not lost.
    X = np.float32(2**24) + np.tile(np.array([[0], [2]], dtype=np.float32), (50, 1))
    rows = StandardizedRows(DenseRows(X, np.zeros(100, dtype=int)), np.array([2.0**24 + 1]), np.ones(1))
    np.testing.assert_array_equal(gather(rows.astype(np.float32).blocks())[0][:2, 0], [-1, 1])


# --- threads -------------------------------------------------------------------------------------------------------


def test_jobs_are_cores_counted_from_either_end(monkeypatch):
    cores = allowed_jobs(-1)
    assert cores >= 1
    assert allowed_jobs(3) == 3
    assert allowed_jobs(-cores) == 1
    assert allowed_jobs(-1000) == 1
    assert allowed_jobs(None) == cores
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: object())
    assert allowed_jobs(None) == 1
    assert allowed_jobs(2) == 2


def _sum_in_child(rows):
    raise SystemExit(0 if rows.sum(lambda block: (float(len(block.X)),)) == (3000.0,) else 1)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_can_sum_after_its_parent_used_threads(small_blocks):
    rows = DenseRows(np.ones((3000, 2)), np.zeros(3000, dtype=int), n_jobs=2)
    assert rows.sum(lambda block: (float(len(block.X)),)) == (3000.0,)
    child = multiprocessing.get_context("fork").Process(target=_sum_in_child, args=(rows,))
    child.start()
    child.join(60)
    try:
        assert child.exitcode == 0
    finally:
        if child.is_alive():
            child.kill()
