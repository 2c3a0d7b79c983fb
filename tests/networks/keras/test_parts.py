"""The range of a decoder, read from its last layers."""

import pytest

from skae.networks._keras._parts import output_range_of
from skae.networks._quiet import import_quietly

import_quietly()

import keras  # noqa: E402

from skae._engine._keras._models import seeded_global_state  # noqa: E402

INF = float("inf")
layers = keras.layers


def tanh(x):
    """Not Keras's, whatever its name."""
    return 2 * x


class Own(layers.Layer):
    def call(self, x):
        return x


@pytest.fixture(autouse=True)
def restored_world():
    with seeded_global_state(0):
        yield


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: [layers.Dense(4)], (-INF, INF)),
        (lambda: [layers.Dense(4, "sigmoid")], (0, 1)),
        (lambda: [layers.Dense(4, "relu"), layers.Dense(4)], (-INF, INF)),
        (lambda: [layers.Dense(4), layers.Activation("tanh")], (-1, 1)),
        (lambda: [layers.Dense(4), layers.Softmax()], (0, 1)),
        (lambda: [layers.Dense(4), layers.ReLU()], (0, INF)),
        (lambda: [layers.Dense(4), layers.ReLU(6.0)], (0, 6)),
        (lambda: [layers.Dense(4), layers.ReLU(negative_slope=0.1)], None),
        (lambda: [layers.Dense(4, activation=layers.Softmax())], (0, 1)),
        (lambda: [layers.Dense(4, activation=tanh)], None),
        (lambda: [layers.Dense(4, "sigmoid"), layers.Dropout(0.5)], (0, 1)),
        (
            lambda: [layers.Dense(4, "sigmoid"), layers.BatchNormalization()],
            (-INF, INF),
        ),
        (
            lambda: [layers.Dense(4, "tanh"), layers.Reshape((2, 2)), layers.Flatten()],
            (-1, 1),
        ),
        (
            lambda: [layers.Reshape((4, 1)), layers.Conv1D(1, 1, activation="relu")],
            (0, INF),
        ),
        (lambda: [layers.Reshape((4, 1)), layers.LSTM(3)], (-1, 1)),
        (lambda: [layers.Reshape((4, 1)), layers.GRU(3, "exponential")], (0, INF)),
        (
            lambda: [
                layers.Reshape((4, 1)),
                layers.TimeDistributed(layers.Dense(1, "sigmoid")),
            ],
            (0, 1),
        ),
        (lambda: [keras.Sequential([layers.Dense(4, "sigmoid")])], (0, 1)),
        (lambda: [layers.Dense(4), Own()], None),
        (lambda: [layers.Dense(4), layers.Rescaling(2.0)], None),
        (lambda: [layers.Reshape((2, 2))], None),
    ],
)
def test_stacks(make, expected):
    stack = keras.Sequential([keras.Input((4,)), *make()])
    assert output_range_of(stack) == expected
    tensor = inputs = keras.Input((4,))
    for layer in make():
        tensor = layer(tensor)
    assert output_range_of(keras.Model(inputs, tensor)) == expected


def test_what_is_no_stack():
    assert output_range_of(layers.Dense(3, "sigmoid")) == (0, 1)
    assert output_range_of(Own()) is None
    inputs = keras.Input((4,))
    branches = [layers.Dense(2, "sigmoid")(inputs), layers.Dense(2)(inputs)]
    joined = layers.Concatenate()(branches)
    assert output_range_of(keras.Model(inputs, joined)) is None
    assert output_range_of(keras.Model(inputs, keras.ops.exp(joined))) is None
