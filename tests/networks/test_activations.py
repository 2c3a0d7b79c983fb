"""Activations: NumPy's are Keras's, and stay in the ranges that are told."""

from math import inf

import numpy as np
import pytest

from skae.networks._activations import (
    ACTIVATION_NAMES,
    activation_range,
    numpy_activation,
)

NAMES = sorted(ACTIVATION_NAMES)
FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.fixture(scope="module")
def inputs():
    """Values far apart and close together, large and tiny, of shape (n, 3)."""
    wide = np.linspace(-88, 88, 3001)
    near = np.linspace(-6, 6, 3001)
    tiny = np.logspace(-30, 0, 301)
    x = np.concatenate([wide, near, tiny, -tiny, [0.0, -0.0]]).astype(np.float32)
    return np.stack([x, x[::-1], np.roll(x, 7)], axis=1)


@FLOATS
@pytest.mark.parametrize("name", [*NAMES, None])
def test_activations_equal_those_of_keras(keras, inputs, name, dtype):
    expected = keras.ops.convert_to_numpy(keras.activations.get(name)(inputs))
    found = numpy_activation(name)(inputs.astype(dtype))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-7)


@FLOATS
@pytest.mark.parametrize("name", [*NAMES, None])
def test_activations_stay_in_their_ranges(inputs, name, dtype):
    low, high = activation_range(name)
    found = numpy_activation(name)(inputs.astype(dtype))
    # The lower ends are given with a few digits more than float32 has.
    assert found.min() >= low - 1e-6
    assert found.max() <= high
    if low > -inf:  # and the range is no wider than it must be
        assert found.min() < low + 0.02
    if high < inf:
        assert found.max() > high - 0.02


@pytest.mark.parametrize("name", sorted({*NAMES} - {"exponential"}))
def test_activations_are_finite_for_huge_values(name):
    huge = np.array([[-1e30, 1e30]], np.float32)
    assert np.isfinite(numpy_activation(name)(huge)).all()


@FLOATS
def test_relu_of_many_values_is_that_of_few(inputs, dtype):
    with_nan = np.concatenate([inputs, [[np.nan, np.inf, -np.inf]]]).astype(dtype)
    relu = numpy_activation("relu")
    few = np.concatenate([relu(row) for row in with_nan.copy()[:, np.newaxis]])
    np.testing.assert_array_equal(relu(with_nan.copy()), few)
    np.testing.assert_array_equal(relu(with_nan.T.copy().T), few)
