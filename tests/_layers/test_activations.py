"""Activations: functions and slopes are Keras's, values stay in the ranges."""

from math import inf

import numpy as np
import pytest

from skae._layers._activations import ACTIVATIONS

NAMES = sorted(ACTIVATIONS)
FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.fixture(scope="module")
def inputs():
    """Values far apart and close together, large and tiny, of shape (n, 3)."""
    wide = np.linspace(-88, 88, 3001)
    near = np.linspace(-6, 6, 3001)
    tiny = np.logspace(-30, 0, 301)
    x = np.concatenate([wide, near, tiny, -tiny, [0.0, -0.0]]).astype(np.float32)
    return np.stack([x, x[::-1], np.roll(x, 7)], axis=1)


def computed(name, x, dtype=None):
    """Return an activation's values, of a copy that it may overwrite."""
    return ACTIVATIONS[name or "linear"].function(np.array(x, dtype))


@FLOATS
@pytest.mark.parametrize("name", [*NAMES, None])
def test_activations_equal_those_of_keras(keras, inputs, name, dtype):
    expected = keras.ops.convert_to_numpy(keras.activations.get(name)(inputs))
    found = computed(name, inputs, dtype)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-7)


@FLOATS
@pytest.mark.parametrize("name", [*NAMES, None])
def test_activations_stay_in_their_ranges(inputs, name, dtype):
    activation = ACTIVATIONS[name or "linear"]
    found = computed(name, inputs, dtype)
    # The lower ends are given with a few digits more than float32 has.
    assert found.min() >= activation.low - 1e-6
    assert found.max() <= activation.high
    if activation.low > -inf:  # and the range is no wider than it must be
        assert found.min() < activation.low + 0.02
    if activation.high < inf:
        assert found.max() > activation.high - 0.02


@pytest.mark.parametrize("name", sorted({*NAMES} - {"exponential"}))
def test_activations_are_finite_for_huge_values(name):
    assert np.isfinite(computed(name, [[-1e30, 1e30]], np.float32)).all()


@FLOATS
def test_relu_of_many_values_is_that_of_few(inputs, dtype):
    with_nan = np.concatenate([inputs, [[np.nan, np.inf, -np.inf]]]).astype(dtype)
    few = np.concatenate([computed("relu", row[np.newaxis]) for row in with_nan])
    np.testing.assert_array_equal(computed("relu", with_nan), few)
    np.testing.assert_array_equal(computed("relu", with_nan.T).T, few)


def gradient_of_keras(keras, name, x, gradient):
    """Return the gradient of inputs, given that of outputs."""
    import tensorflow as tf

    inputs = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        output = keras.activations.get(name)(inputs)
    return tape.gradient(output, inputs, gradient).numpy()


@pytest.mark.parametrize("name", [*NAMES, None])
def test_slopes_equal_those_of_keras(keras, inputs, name, rng):
    """Also at the places where an activation has a kink."""
    kinks = np.float32([[0, 6, -3], [3, -0.0, 0]])
    wide = inputs[np.abs(inputs).max(axis=1) < 20]  # where exponentials stay small
    x = np.concatenate([wide, kinks])
    given = rng.normal(size=x.shape).astype(np.float32)
    expected = gradient_of_keras(keras, name, x, given)
    activation = ACTIVATIONS[name or "linear"]
    seen = x.copy() if activation.needs_input else computed(name, x)
    gradient = given.copy()
    activation.slope(gradient, seen)
    assert gradient.dtype == np.float32
    np.testing.assert_allclose(gradient, expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", sorted({*NAMES} - {"exponential"}))
def test_slopes_are_finite_for_huge_values(name):
    x = np.float32([[-1e30, 1e30], [-100, 100]])
    activation = ACTIVATIONS[name or "linear"]
    gradient = np.ones_like(x)
    with np.errstate(all="ignore"):  # as while training
        seen = x.copy() if activation.needs_input else computed(name, x)
        activation.slope(gradient, seen)
    assert np.isfinite(gradient).all()
