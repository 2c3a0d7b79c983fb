"""Dense layers, and folds over layers."""

from math import inf

import numpy as np
import pytest

from skae._layers import _base, _dense
from skae._layers._base import Dropout, Learned, Reshape
from skae._layers._dense import Dense, Normalization, TiedDense
from skae._layers._special import ActivityPenalty, DrawnCode, Recurrent

N_TILE, N_MANY = _dense._TILE_ROWS, _dense._MANY_ROWS


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [0, 1, N_TILE, N_MANY - 1, N_MANY, N_MANY + 1, 1000])
def test_a_dense_layer_adds_its_bias_to_every_row(n, dtype, rng):
    x, kernel = (rng.normal(size=size).astype(dtype) for size in ((n, 5), (5, 3)))
    bias = np.array([1, -2, 3], dtype)
    layer = Dense("layer", 5, 3)
    out = np.empty(layer.output_shape(n), dtype)
    for given in (None, out):
        found = layer.forward(x, [kernel, bias], given)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, x @ kernel + bias)
    assert found is out


@pytest.mark.parametrize("activation", [None, "tanh", "gelu", "softmax"])
def test_a_dense_layers_gradients_are_those_of_keras(activation, keras, rng):
    import tensorflow as tf

    def numbers(*shape):
        return rng.normal(size=shape).astype(np.float32)

    x, weights, gradient = numbers(9, 5), [numbers(5, 3), numbers(3)], numbers(9, 3)
    inputs = [tf.constant(array) for array in (x, *weights)]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        made = inputs[0] @ inputs[1] + inputs[2]
        made = keras.activations.get(activation)(made)
    expected = tape.gradient(made, inputs, gradient)

    layer = Dense("layer", 5, 3, activation)
    own = Learned(weights, [np.empty_like(one) for one in weights], {})
    out, x_gradient = np.empty((9, 3), np.float32), np.empty_like(x)
    for below in (x_gradient, None):
        layer.forward(x, weights, out, own.memory)
        np.testing.assert_allclose(out, made, rtol=1e-5, atol=1e-6)
        layer.backward(x, out.copy(), gradient.copy(), own, below)
        found = [x_gradient, *own.gradients]
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_what_layers_say_of_themselves():
    """Whether they run, and train, in NumPy."""
    source = Dense("latent", 4, 2)
    trains = {
        source: (True, True),
        Reshape("flatten", (4,)): (True, True),
        Dropout("drop", 0.5): (True, False),
        TiedDense("output", source): (True, False),
        Normalization("hidden_0", "batch", 2): (True, False),
        ActivityPenalty(): (True, False),
        DrawnCode(2): (True, False),
        Recurrent("lstm", "lstm", 3, False, True): (False, False),
    }
    for layer, expected in trains.items():
        assert (layer.runs_in_numpy, layer.trains_in_numpy) == expected, layer


def test_weights_go_to_the_layers_that_need_them(rng):
    """A tied kernel comes from the layer that owns it."""
    source = Dense("latent", 4, 2)
    layers = [source, ActivityPenalty(), TiedDense("output", source)]
    kernel, bias, other = rng.normal(size=(4, 2)), np.ones(2), np.zeros(4)
    pairs = _base.with_weights(layers, [kernel, bias, other])
    assert [layer for layer, _ in pairs] == layers
    (first, second), none, (tied, third) = (own for _, own in pairs)
    assert (first is kernel, second is bias, third is other) == (True,) * 3
    assert len(none) == 0
    assert np.array_equal(tied, kernel.T)
    codes = _base.run(pairs[:2], x := rng.normal(size=(3, 4)))
    np.testing.assert_allclose(codes, x @ kernel + 1)
    assert layers[1].row_terms(codes) == {
        "activity": pytest.approx(np.abs(codes).sum(axis=1))
    }


LIMITS = {
    "linear": ([Dense("a", 2, 2)], (-inf, inf)),
    "activation": ([Dense("a", 2, 2, "tanh")], (-1, 1)),
    "shape": ([Dense("a", 2, 2, "relu"), Reshape("b", (2, 1))], (0, inf)),
    "dropout": ([Dense("a", 2, 2, "sigmoid"), Dropout("b", 0.1)], (0, 1)),
    "normalized": (
        [Dense("a", 2, 2, "tanh"), Normalization("a", "batch", 2)],
        (-inf, inf),
    ),
    "activated": ([Normalization("a", "layer", 2, "sigmoid")], (0, 1)),
}


@pytest.mark.parametrize("name", LIMITS)
def test_the_range_of_the_last_values(name):
    layers, expected = LIMITS[name]
    assert _base.NetworkLayers([], layers).output_range == expected


def test_the_shape_of_a_code_is_that_of_the_last_layer_that_decides_it():
    encoder = [Reshape("flatten", (4,)), Dense("a", 4, 3), Dense("b", 3, 2)]
    assert _base.NetworkLayers([*encoder, ActivityPenalty()], []).latent_shape == (2,)
    assert _base.NetworkLayers([*encoder, DrawnCode(1)], []).latent_shape == (1,)
