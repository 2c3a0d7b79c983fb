"""Recurrent networks: hand-written ones, other lengths, and what cannot be."""

import numpy as np
import pytest

from skae import RecurrentNetwork
from skae._validation import InvalidParameterError, check_parameters

CELLS = pytest.mark.parametrize("cell", ["lstm", "gru"])
WAYS = pytest.mark.parametrize("bidirectional", [False, True])


def by_hand(keras, cell, bidirectional, units, shape, width):
    """Return the network as tutorials write it."""
    layers = keras.layers
    kind = {"lstm": layers.LSTM, "gru": layers.GRU}[cell]

    def layer(n, steps):
        made = kind(n, return_sequences=steps)
        return layers.Bidirectional(made) if bidirectional else made

    return keras.Sequential(
        [
            keras.Input(shape),
            *[layer(n, True) for n in units[:-1]],
            layer(units[-1], False),
            layers.Dense(width),
            layers.Dense(4 * shape[0]),
            layers.Reshape((shape[0], 4)),
            *[layer(n, True) for n in units[::-1]],
            layers.TimeDistributed(layers.Dense(shape[1])),
        ]
    )


@pytest.mark.draws_globally("Keras's default initializers do")
@CELLS
@WAYS
@pytest.mark.parametrize("units", [(5,), (5, 4)], ids=str)
def test_the_network_is_the_hand_written_one(keras, build, cell, bidirectional, units):
    network = RecurrentNetwork(units, cell, bidirectional)
    models = build(network, (6, 2), latent_dim=3)
    other = by_hand(keras, cell, bidirectional, units, (6, 2), 3)
    other.set_weights(models.weights)
    X = np.random.default_rng(1).normal(size=(4, 6, 2)).astype(np.float32)
    np.testing.assert_allclose(models.run(X)[1], other(X), rtol=1e-5, atol=1e-5)


@WAYS
def test_forget_gates_start_open(build, bidirectional):
    models = build(RecurrentNetwork((3,), "lstm", bidirectional), (5, 2))
    biases = [
        drawn
        for variable, drawn in zip(models.model.weights, models.drawn, strict=True)
        if "lstm_cell" in variable.path and variable.path.endswith("bias")
    ]
    assert len(biases) == (4 if bidirectional else 2)
    for bias in biases:
        assert bias.tolist() == [0] * 3 + [1] * 3 + [0] * 6


@CELLS
@WAYS
def test_float64_is_as_exact_as_it_is_long(build, cell, bidirectional):
    network = RecurrentNetwork((3, 4), cell, bidirectional, normalization="layer")
    X = np.random.default_rng(1).normal(size=(4, 5, 2))
    exact = build(network, (5, 2), dtype="float64").run(X)[1]
    single = build(network, (5, 2)).run(X.astype(np.float32))[1]
    assert exact.dtype == np.float64
    np.testing.assert_allclose(exact, single, rtol=1e-4, atol=1e-5)
    assert not np.array_equal(exact, single)


def test_the_output_may_be_another_series(build):
    models = build(RecurrentNetwork((4,)), (6, 2), (9, 1))
    codes, output, _ = models.run(np.zeros((3, 6, 2), np.float32))
    assert codes.shape == (3, 32)
    assert output.shape == (3, 9, 1)
    models = build(RecurrentNetwork((4,)), (6, 2), latent_dim=np.int64(5))
    assert models.encoder.output_shape == (None, 5)


@pytest.mark.parametrize("shape", [(140,), (8, 8, 1)], ids=str)
def test_rows_that_are_no_series_raise(build, shape):
    with pytest.raises(ValueError) as raised:
        build(RecurrentNetwork(), shape)
    assert str(raised.value) == (
        "RecurrentNetwork takes rows of shape (timesteps, channels), but they have "
        f"shape {shape}. Say how to read them, for instance with input_shape=(-1, 1), "
        "one value at every step, or use DenseNetwork."
    )


def test_outputs_that_are_no_series_raise(build):
    with pytest.raises(ValueError) as raised:
        build(RecurrentNetwork(), (6, 2), (3,))
    assert str(raised.value) == (
        "RecurrentNetwork gives rows of shape (timesteps, channels), but rows of shape "
        "(6, 2) are to give rows of shape (3,). Use DenseNetwork."
    )


def test_units_that_are_none_raise():
    with pytest.raises(ValueError) as raised:
        check_parameters(RecurrentNetwork([]))
    assert str(raised.value) == (
        "The 'units' parameter of RecurrentNetwork must hold at least one size. Got [] "
        "instead."
    )


@pytest.mark.parametrize(
    "params", [{"units": 64}, {"cell": "rnn"}, {"bidirectional": "both"}]
)
def test_impossible_parameters_raise(params):
    with pytest.raises(InvalidParameterError, match=next(iter(params))):
        check_parameters(RecurrentNetwork(**params))
