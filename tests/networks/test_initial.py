"""Fresh weights are those of Keras's own layers, from a generator of ours."""

import numpy as np
import pytest

from skae.networks import DenseNetwork

draw_weight = DenseNetwork().draw_weight  # as every network's


def convolution(keras, class_name):
    start = keras.initializers.GlorotUniform(seed=0)
    return getattr(keras.layers, class_name)(60, 3, kernel_initializer=start)


def dense(keras):
    return keras.layers.Dense(
        300, kernel_initializer=keras.initializers.GlorotUniform(0)
    )


def recurrent(keras, class_name):
    return getattr(keras.layers, class_name)(
        70,
        kernel_initializer=keras.initializers.GlorotUniform(0),
        recurrent_initializer=keras.initializers.Orthogonal(seed=0),
        seed=0,
    )


# name: (shape of a row, what makes the layer)
LAYERS = {
    "dense": ((50,), dense),
    "conv": ((9, 9, 50), lambda keras: convolution(keras, "Conv2D")),
    "transposed": ((9, 9, 50), lambda keras: convolution(keras, "Conv2DTranspose")),
    "batch": ((50,), lambda keras: keras.layers.BatchNormalization()),
    "layer": ((50,), lambda keras: keras.layers.LayerNormalization()),
    "lstm": ((9, 50), lambda keras: recurrent(keras, "LSTM")),
    "gru": ((9, 50), lambda keras: recurrent(keras, "GRU")),
    "both ways": (
        (9, 50),
        lambda keras: keras.layers.Bidirectional(recurrent(keras, "LSTM")),
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_weights_start_as_those_of_keras(keras, name):
    """Constants are equal; of random values, the distribution is."""
    shape, make = LAYERS[name]
    inputs = keras.Input(shape)
    layer = make(keras)
    model = keras.Model(inputs, layer(inputs))
    assert model.weights
    rng = np.random.default_rng(0)
    for variable, expected in zip(model.weights, model.get_weights(), strict=True):
        found = draw_weight(variable.path, tuple(variable.shape), rng)
        assert found.shape == expected.shape
        assert found.dtype == np.float32
        if np.ptp(expected) == 0 or "bias" in variable.path:
            np.testing.assert_array_equal(found, expected)
            continue
        assert found.std() == pytest.approx(expected.std(), rel=0.02)
        if "recurrent" in variable.path:
            for kernel in (found, expected):
                eye = np.eye(70)
                np.testing.assert_allclose(kernel @ kernel.T, eye, atol=1e-5)
        else:
            assert np.abs(found).max() == pytest.approx(np.abs(expected).max(), 0.01)
            assert abs(found.mean()) < 0.02 * np.abs(found).max()


def test_the_forget_gate_starts_open():
    bias = draw_weight("a/forward_x/lstm_cell/bias", (12,), np.random.default_rng(0))
    assert bias.tolist() == [0] * 3 + [1] * 3 + [0] * 6
    gru = draw_weight("recurrent_0/gru_cell/bias", (2, 9), np.random.default_rng(0))
    assert not gru.any()


@pytest.mark.parametrize("name", ["kernel", "recurrent_kernel"])
def test_values_come_from_the_generator(name):
    first, again, other = (
        draw_weight(f"layer/{name}", (20, 30), np.random.default_rng(seed))
        for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
