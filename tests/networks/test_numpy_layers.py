"""Layers in NumPy: many rows pass as few do."""

import numpy as np
import pytest

from skae.networks._numpy_layers import _MANY_ROWS, _TILE_ROWS, Linear


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "n", [0, 1, _TILE_ROWS, _MANY_ROWS - 1, _MANY_ROWS, _MANY_ROWS + 1, 1000]
)
def test_a_dense_layer_adds_its_bias_to_every_row(n, dtype):
    rng = np.random.default_rng(0)
    x, kernel = (rng.normal(size=size).astype(dtype) for size in ((n, 5), (5, 3)))
    bias = np.array([1, -2, 3], dtype)
    found = Linear(kernel, bias)(x)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, x @ kernel + bias)
