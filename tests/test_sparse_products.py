"""Products of the whole of X: what they are, in which order they are summed, what they hold."""

import numpy as np
import pytest
import scipy.sparse
from kinds import ROWS, each

import softreg.rows.products as products
from softreg.rows import SparseRows, make_rows
from softreg.rows.products import Products


def whole_numbers(n, p, seed=0):
    rng = np.random.default_rng(seed)
    X = np.maximum(rng.integers(-5, 10, (n, p)), 0)
    X[rng.random(n) < 0.1] = 0  # empty rows
    X[:, rng.random(p) < 0.2] = 0  # and columns
    y = rng.integers(0, 3, n)
    y[:3] = np.arange(3)
    return X, y


def wide_csr(n=60, p=900, seed=0, dtype=np.float64):
    X = scipy.sparse.random_array((n, p), density=0.05, rng=np.random.default_rng(seed), format="csr", dtype=dtype)
    return X, np.arange(n) % 3


@pytest.fixture
def many_tiles(monkeypatch):
    monkeypatch.setattr(products, "TILE_ENTRIES", 50)


@pytest.mark.parametrize("shape", [(40, 7), (9, 70), (3, 1)])
@each(ROWS, "kind")
def test_products_are_those_of_the_dense_matrix(kind, shape, many_tiles):
    X, y = whole_numbers(*shape)
    A = np.asarray(kind.stands_for(X), dtype=np.float64)
    p = Products(kind.make(X, y, n_jobs=2))
    rng = np.random.default_rng(1)
    V, R = rng.normal(size=(shape[1], 4)), rng.normal(size=(shape[0], 4))
    factor = rng.uniform(0.5, 2, shape[1])
    # Sums of at most 70 terms, each of size below 1e3.
    close = {"rtol": 1e-12, "atol": 1e-10}
    np.testing.assert_allclose(p.forward(V), A @ V, **close)
    np.testing.assert_allclose(p.backward(R), A.T @ R, **close)
    np.testing.assert_allclose(p.gram(R), A @ (A.T @ R), rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(p.gram(R, factor), (A / factor) @ (A.T @ R), rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("copied", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_have_the_same_bits_on_any_number_of_threads(dtype, copied, many_tiles, monkeypatch):
    monkeypatch.setattr(products, "copies", lambda rows: copied)
    X, y = wide_csr(dtype=dtype)
    rng = np.random.default_rng(2)
    V, R = rng.normal(size=(X.shape[1], 5)).astype(dtype), rng.normal(size=(X.shape[0], 5)).astype(dtype)
    one, three = (Products(make_rows(X, y, n_jobs=jobs)) for jobs in (1, 3))
    assert len(one.edges) == products.MAX_TILES + 1
    assert one.by_features == copied
    for product, argument in (("forward", V), ("backward", R), ("gram", R)):
        a, b = getattr(one, product)(argument), getattr(three, product)(argument)
        assert a.dtype == dtype
        np.testing.assert_array_equal(a, b)


def test_products_by_rows_and_by_features_agree(many_tiles, monkeypatch):
    X, y = wide_csr()
    R = np.random.default_rng(3).normal(size=(X.shape[0], 5))
    by_features = Products(make_rows(X, y)).gram(R)
    monkeypatch.setattr(products, "copies", lambda rows: False)
    np.testing.assert_allclose(Products(make_rows(X, y)).gram(R), by_features, rtol=1e-12, atol=1e-12)


def test_a_float32_matrix_multiplies_float64_in_float64(many_tiles):
    X, y = wide_csr(dtype=np.float32)
    V = np.random.default_rng(4).normal(size=(X.shape[1], 2))
    p = Products(make_rows(X, y))
    assert p.dtype == np.float32
    np.testing.assert_allclose(p.forward(V), X.astype(np.float64) @ V, rtol=1e-13, atol=1e-13)


def test_the_callers_matrix_is_left_as_it_was():
    X, y = wide_csr()
    X.indices[:4] = X.indices[:4][::-1].copy()
    before = X.indices.copy()
    Products(make_rows(X, y)).backward(np.ones((X.shape[0], 2)))
    np.testing.assert_array_equal(X.indices, before)


def test_x_is_held_twice_only_beside_weights_that_are_as_large():
    """A second X of s bytes: s <= 30 MB + 8·8·p·K, a third of what the memory rule grants for vectors."""

    def held(n, p, K, nnz):
        indptr = np.linspace(0, nnz, n + 1).astype(np.int64)
        zeros = np.broadcast_to(np.float64(0), nnz)
        # Never multiplied: entries without memory of their own.
        X = scipy.sparse.csr_array((n, p))
        X.data, X.indices, X.indptr = zeros, np.broadcast_to(np.int32(0), nnz), indptr
        return products.copies(SparseRows(X, np.arange(n) % K))

    assert held(1000, 5000, 3, 2_000_000)  # 24 MB
    assert not held(1000, 5000, 3, 20_000_000)  # 240 MB beside 15 000 weights
    assert held(1000, 500_000, 20, 20_000_000)  # beside 10 million weights


@pytest.mark.parametrize(("n", "p", "per_row"), [(20_000, 30_000, 30), (20_000, 50, 10), (500, 2_000, 4)])
def test_a_block_has_entries_worth_a_whole_back_product(n, p, per_row):
    rng = np.random.default_rng(5)
    indices = rng.integers(0, p, n * per_row).astype(np.int32)
    X = scipy.sparse.csr_array((np.ones(n * per_row), indices, np.arange(n + 1) * per_row), (n, p))
    block = SparseRows(X, np.arange(n) % 3).block_rows
    assert block * per_row >= min(8 * p, 2 * p * per_row) - per_row or block >= n
