"""Layers of convolutional networks in NumPy: outputs and gradients are Keras's."""

import itertools

import numpy as np
import pytest

from skae._layers._base import Learned, NetworkLayers
from skae._layers._maps import Convolution, Crop, Pool, Repeat, ToMaps, ToRows

LENGTHS = [(1,), (8,), (9,), (4, 7), (5, 5), (3, 4, 5)]
SIZES = [1, 2, 3, 4, 5]
CHANNELS = [(2, 3), (3, 2), (3, 1)]
N = 4
BAND = {"rtol": 1e-4, "atol": 1e-5}


def as_maps(x):
    """Return Keras's (n, *lengths, channels) as (channels, *lengths, n)."""
    return np.swapaxes(np.asarray(x), 0, -1).copy("C")


@pytest.fixture
def numbers(rng):
    return lambda shape: rng.normal(size=shape).astype(np.float32)


@pytest.fixture
def assert_agree(keras, numbers):
    """Return a function that compares a layer, forward and backward, with Keras's."""
    import tensorflow as tf

    def assert_agree(layer, model, x, weights=()):
        variables = [tf.Variable(weight) for weight in weights]
        inputs = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            expected = model(inputs, *variables)
        gradient = numbers(expected.shape)
        slopes = tape.gradient(expected, [inputs, *variables], gradient)

        shapes = [shape for _, shape in layer.variables]
        assert shapes == [weight.shape for weight in weights]
        given = as_maps(x)
        # Without memory, as where a trained network is run.
        np.testing.assert_allclose(
            layer.forward(given.copy(), weights), as_maps(expected), **BAND
        )
        # Whatever was in the memory before.
        found = [np.full(shape, np.nan, np.float32) for shape in shapes]
        own = Learned(weights, found, {})
        out = np.full(layer.output_shape(N), np.nan, np.float32)
        for x_gradient in (np.full_like(given, np.nan), np.zeros_like(given), None):
            layer.forward(given, weights, out, own.memory)
            np.testing.assert_allclose(out, as_maps(expected), **BAND)
            layer.backward(given, out.copy(), as_maps(gradient), own, x_gradient)
            if x_gradient is not None:
                np.testing.assert_allclose(x_gradient, as_maps(slopes[0]), **BAND)
            for one, other in zip(found, slopes[1:], strict=True):
                np.testing.assert_allclose(one, other, **BAND)

    return assert_agree


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_convolutions(lengths, stride, assert_agree, numbers, keras):
    for size, channels in itertools.product(SIZES, CHANNELS):
        after = tuple(-(-length // stride) for length in lengths)
        layer = Convolution(
            "conv", channels, lengths, after, size, stride, activation="tanh"
        )
        kernel = numbers((*(size,) * len(lengths), *channels))

        def model(x, kernel, bias, stride=stride):
            made = keras.ops.conv(x, kernel, strides=stride, padding="same")
            return keras.ops.tanh(made + bias)

        weights = [kernel, numbers(channels[1:])]
        assert_agree(layer, model, numbers((N, *lengths, channels[0])), weights)


@pytest.mark.parametrize("cut", [0, 1])
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_transposed_convolutions(lengths, cut, assert_agree, numbers, keras):
    for size, channels in itertools.product(SIZES, CHANNELS):
        after = tuple(2 * length - cut for length in lengths)
        layer = Convolution("up", channels, lengths, after, size, 2, True, "tanh")
        kernel = numbers((*(size,) * len(lengths), *channels[::-1]))

        def model(x, kernel, bias, after=after):
            made = keras.ops.conv_transpose(x, kernel, strides=2, padding="same")
            kept = made[(slice(None), *(slice(n) for n in after))]
            return keras.ops.tanh(kept + bias)

        weights = [kernel, numbers(channels[1:])]
        assert_agree(layer, model, numbers((N, *lengths, channels[0])), weights)


@pytest.mark.parametrize("name", ["softmax", "gelu", "selu"])
def test_activations_see_the_channels(name, assert_agree, numbers, keras):
    """Those that read all channels of a place, or the values before the activation."""
    layer = Convolution("conv", (2, 3), (5,), (5,), 3, activation=name)

    def model(x, kernel, bias):
        made = keras.ops.conv(x, kernel, padding="same") + bias
        return keras.activations.get(name)(made)

    weights = [numbers((3, 2, 3)), numbers((3,))]
    assert_agree(layer, model, numbers((N, 5, 2)), weights)


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_pools_and_their_ties(lengths, assert_agree, rng, keras):
    """Of equal values, the first gets the gradient."""
    x = rng.integers(3, size=(N, *lengths, 2)).astype(np.float32)
    layer = Pool("pool", 2, lengths)
    assert_agree(layer, lambda x: layer.keras(x, {}), x)


@pytest.mark.parametrize("cut", [0, 1])
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_repeats(lengths, cut, assert_agree, numbers, keras):
    after = tuple(2 * length - cut for length in lengths)
    layer = Repeat(0, 2, lengths, after)
    assert_agree(layer, lambda x: layer.keras(x, {}), numbers((N, *lengths, 2)))


@pytest.mark.parametrize("shape", [(3, 2), (4, 3, 2), (2, 4, 3, 1)], ids=str)
def test_maps_and_rows_are_inverse(shape, numbers):
    rows = numbers((N, int(np.prod(shape))))
    to_maps, to_rows = ToMaps("in", shape), ToRows("out", shape, shape, None)
    none = Learned([], [], {})
    maps = to_maps.forward(rows, [])
    assert maps.shape == to_maps.output_shape(N)
    assert np.array_equal(maps, as_maps(rows.reshape(N, *shape)))
    assert np.array_equal(to_rows.forward(maps, []), rows)
    maps_gradient, rows_gradient = np.empty_like(maps), np.empty_like(rows)
    to_rows.backward(maps, rows, rows.copy(), none, maps_gradient)
    assert np.array_equal(maps_gradient, maps)
    to_maps.backward(rows, maps, maps.copy(), none, rows_gradient)
    assert np.array_equal(rows_gradient, rows)
    for layer in (to_maps, to_rows):  # nothing below needs a gradient
        layer.backward(rows, maps, maps.copy(), none, None)


@pytest.mark.parametrize(("activation", "n_kept"), [(None, 2), ("tanh", 4)])
def test_maps_between_encoder_and_decoder_stay_maps(activation, n_kept):
    """Unless an activation stands between them."""
    shape = 2, 2, 3
    encoder = [ToMaps("reshape", shape), ToRows("flatten", shape, shape, activation)]
    decoder = [ToMaps("unflatten", shape), ToRows("reshape", shape, (12,), None)]
    crop = Crop("crop_0", (2, 2))  # does nothing in NumPy
    kept = NetworkLayers(encoder, [*decoder[:1], crop, *decoder[1:]]).stack
    assert len(kept) == n_kept
    assert kept == ([*encoder, *decoder] if activation else [encoder[0], decoder[1]])


def test_the_amounts_of_work():
    conv = Convolution("conv", (1, 2), (4, 4), (2, 2), 3, 2)
    assert conv.n_products == 9 * 2 * 4
    assert conv.n_windowed == 9 * 4
    transposed = Convolution("up", (2, 1), (2, 2), (4, 4), 3, 2, True)
    assert transposed.n_products == 9 * 2 * 4
    assert transposed.n_windowed == 9 * 4
