"""Products with few columns are the products, however X lies and however BLAS takes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from softreg import blas

#: Rows, columns, classes: below and above every limit, with rows left over and without.
SHAPES = [
    (1, 3, 2),
    (7, 0, 3),
    (50, 31, 3),
    (997, 64, 10),
    (1288, 784, 3),
    (300, 40, 26),
    (203, 700, 25),
    (2500, 129, 2),
]
LAYOUTS = {
    "rows": lambda X: X,
    "columns": np.asfortranarray,
    "rows of a wider one": lambda X: np.hstack([X, X])[:, : X.shape[1]],
    "columns of a longer one": lambda X: np.asfortranarray(np.vstack([X, X]))[: X.shape[0]],
    "every other column": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
}


@pytest.fixture(params=["small kernels", "none"])
def _kernels(request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "_gains", lambda X: request.param == "small kernels")


@pytest.mark.usefixtures("_kernels")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("m", "p", "K"), SHAPES)
def test_products_are_those_of_numpy(m: int, p: int, K: int, layout: str, dtype: Any) -> None:
    rng = np.random.default_rng(0)
    X, V, G = (rng.standard_normal(shape).astype(dtype) for shape in ((m, p), (p, K), (m, K)))
    close = {"rtol": 0, "atol": 100 * np.finfo(dtype).eps * np.sqrt(max(m, p))}
    given = LAYOUTS[layout](X)
    Z = blas.times(given, V)
    assert Z.dtype == dtype
    assert Z.T.flags.c_contiguous or m == 1
    np.testing.assert_allclose(Z, X.astype(np.float64) @ V, **close)
    np.testing.assert_allclose(blas.transposed_times(given, np.asfortranarray(G)), X.T.astype(np.float64) @ G, **close)


def test_a_gradient_of_finer_type_than_x_keeps_its_digits() -> None:
    X, G = np.ones((400, 40), dtype=np.float32), np.full((400, 3), 1 / 3)
    assert blas.transposed_times(X, np.asfortranarray(G))[0, 0] == pytest.approx(400 / 3, rel=1e-14)
