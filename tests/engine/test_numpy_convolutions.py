"""Layers of convolutional networks in NumPy against Keras's, and their gradients."""

import itertools

import numpy as np
import pytest
from skae._engine._numpy_convolutions import LAYERS
from skae.networks._plans import (
    ConvolutionPlan,
    MapPlan,
    PoolPlan,
    RepeatPlan,
    RowsPlan,
)

from skae.networks._conv import _pooled

LENGTHS = [(1,), (8,), (9,), (4, 7), (5, 5), (3, 4, 5)]
SIZES = [1, 2, 3, 4, 5]
N = 4
BAND = {"rtol": 1e-4, "atol": 1e-5}


def as_maps(x):
    """Return Keras's (n, *lengths, channels) as (channels, *lengths, n)."""
    return np.swapaxes(np.asarray(x), 0, -1).copy("C")


@pytest.fixture
def numbers(rng):
    return lambda shape: rng.normal(size=shape).astype(np.float32)


@pytest.fixture
def agree(keras, numbers):
    """Return a function that compares a layer, forward and backward, with Keras's."""
    import tensorflow as tf

    def agree(plan, model, x, weights=()):
        variables = [tf.Variable(weight) for weight in weights]
        inputs = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            expected = model(inputs, *variables)
            gradient = numbers(expected.shape)
            total = tf.reduce_sum(expected * gradient)
        slopes = tape.gradient(total, [inputs, *variables])

        shapes = [shape for _, shape in plan.variables]
        assert shapes == [weight.shape for weight in weights]
        # Whatever was in the memory before.
        own = [np.full(shape, np.nan, np.float32) for shape in shapes]
        layer = LAYERS[type(plan)](plan, *weights, *own)
        given = as_maps(x)
        out = np.full(plan.output_shape(N), np.nan, np.float32)
        x_gradient = np.full_like(given, np.nan)
        for _ in range(2):  # the second time in used memory
            layer.forward(given, out)
            np.testing.assert_allclose(out, as_maps(expected), **BAND)
            layer.backward(given, out.copy(), as_maps(gradient), x_gradient)
            np.testing.assert_allclose(x_gradient, as_maps(slopes[0]), **BAND)
            for one, other in zip(own, slopes[1:], strict=True):
                np.testing.assert_allclose(one, other, **BAND)
        layer.backward(given, out.copy(), as_maps(gradient), None)
        for one, other in zip(own, slopes[1:], strict=True):
            np.testing.assert_allclose(one, other, **BAND)

    return agree


CHANNELS = [(2, 3), (3, 2), (3, 1)]


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_convolutions(lengths, stride, agree, numbers, keras):
    for size, (n_in, n_out) in itertools.product(SIZES, CHANNELS):
        after = tuple(-(-length // stride) for length in lengths)
        sizes = "conv", n_in, n_out, lengths, after, size, stride
        plan = ConvolutionPlan(*sizes, False, "tanh")
        kernel = numbers((*(size,) * len(lengths), n_in, n_out))

        def model(x, kernel, bias, stride=stride):
            made = keras.ops.conv(x, kernel, strides=stride, padding="same")
            return keras.ops.tanh(made + bias)

        agree(plan, model, numbers((N, *lengths, n_in)), [kernel, numbers((n_out,))])


@pytest.mark.parametrize("cut", [0, 1])
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_transposed_convolutions(lengths, cut, agree, numbers, keras):
    for size, (n_in, n_out) in itertools.product(SIZES, CHANNELS):
        after = tuple(2 * length - cut for length in lengths)
        sizes = "up", n_in, n_out, lengths, after, size, 2
        plan = ConvolutionPlan(*sizes, True, "tanh")
        kernel = numbers((*(size,) * len(lengths), n_out, n_in))

        def model(x, kernel, bias, after=after):
            made = keras.ops.conv_transpose(x, kernel, strides=2, padding="same")
            kept = made[(slice(None), *(slice(n) for n in after))]
            return keras.ops.tanh(kept + bias)

        agree(plan, model, numbers((N, *lengths, n_in)), [kernel, numbers((n_out,))])


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_pools_and_their_ties(lengths, agree, rng, keras):
    """Of equal values, the first gets the gradient."""

    def pool(x):
        return _pooled(x, "pool")

    x = rng.integers(3, size=(N, *lengths, 2)).astype(np.float32)
    agree(PoolPlan(2, lengths), pool, x)


@pytest.mark.parametrize("cut", [0, 1])
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_repeats(lengths, cut, agree, numbers, keras):
    after = tuple(2 * length - cut for length in lengths)
    upsample = getattr(keras.layers, f"UpSampling{len(lengths)}D")(2)

    def model(x):
        return upsample(x)[(slice(None), *(slice(n) for n in after))]

    agree(RepeatPlan(2, lengths, after), model, numbers((N, *lengths, 2)))


@pytest.mark.parametrize("shape", [(3, 2), (4, 3, 2), (2, 4, 3, 1)], ids=str)
def test_maps_and_rows_are_inverse(shape, numbers):
    rows = numbers((N, int(np.prod(shape))))
    to_maps, to_rows = (LAYERS[type(p)](p) for p in (MapPlan(shape), RowsPlan(shape)))
    maps = np.empty(to_maps.plan.output_shape(N), np.float32)
    back = np.empty(to_rows.plan.output_shape(N), np.float32)
    to_maps.forward(rows, maps)
    assert np.array_equal(maps, as_maps(rows.reshape(N, *shape)))
    to_rows.forward(maps, back)
    assert np.array_equal(back, rows)
    to_rows.backward(maps, back, rows.copy(), maps_gradient := np.empty_like(maps))
    assert np.array_equal(maps_gradient, maps)
    to_maps.backward(rows, maps, maps.copy(), rows_gradient := np.empty_like(rows))
    assert np.array_equal(rows_gradient, rows)
