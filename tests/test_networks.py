"""Descriptions of networks: what Keras builds and what NumPy computes are the same."""

import itertools
import os
import pickle
import subprocess
import sys
from math import inf, prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from skae import DenseNetwork, engine
from skae._validation import InvalidParameterError, check_parameters
from skae.networks import Network
from skae.networks._activations import (
    ACTIVATION_NAMES,
    activation_range,
    numpy_activation,
)

NAMES = sorted(ACTIVATION_NAMES)
FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.fixture(scope="module")
def keras():
    engine.import_quietly()
    import keras

    return keras


@pytest.fixture(scope="module")
def inputs():
    """Values far apart and close together, large and tiny, of shape (n, 3)."""
    wide = np.linspace(-88, 88, 3001)
    near = np.linspace(-6, 6, 3001)
    tiny = np.logspace(-30, 0, 301)
    x = np.concatenate([wide, near, tiny, -tiny, [0.0, -0.0]]).astype(np.float32)
    return np.stack([x, x[::-1], np.roll(x, 7)], axis=1)


# ---------------------------------------------------------------- activations


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


@pytest.mark.parametrize("name", set(NAMES) - {"exponential"})
def test_activations_are_finite_for_huge_values(name):
    huge = np.array([[-1e30, 1e30]], np.float32)
    assert np.isfinite(numpy_activation(name)(huge)).all()


# ---------------------------------------------------------- dense: build, weigh

SHAPES = [
    ((5,), (5,), None),
    ((5,), (5,), 2),
    ((5,), (3,), 2),
    ((6, 2), (6, 2), 3),
    ((4, 3, 2), (4, 3, 2), None),
    ((4, 3, 1), (5,), 2),
    ((1,), (1,), 1),
    ((40,), (2, 3), None),
]
NETWORKS = [
    DenseNetwork(),
    DenseNetwork(()),
    DenseNetwork((7,), activation="tanh"),
    DenseNetwork([np.int64(8), 4], "selu", "relu", "sigmoid"),
    DenseNetwork((3, 3, 3), activation=None),
    DenseNetwork((4,), "softmax", "softplus", "tanh"),
]


def forward(network, shapes, weights, X):
    """Return codes and outputs as skae computes them."""
    encoder, decoder = network.dense_activations()
    cut = 2 * len(encoder)
    codes = engine.forward(X.reshape(len(X), -1), weights[:cut], encoder)
    output = engine.forward(codes, weights[cut:], decoder)
    return codes, output.reshape(len(X), *shapes[1])


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_what_is_built_is_what_is_described(keras, network, shapes):
    """Weights fit in order, widths are as told, and NumPy computes what Keras does."""
    rng = np.random.default_rng(0)
    weights = network.initial_weights(*shapes, rng)
    encoder, decoder = network.build(*shapes)
    built = [*encoder.weights, *decoder.weights]
    assert [tuple(v.shape) for v in built] == [w.shape for w in weights]
    assert all(v.dtype == "float32" for v in built)
    assert all(w.dtype == np.float32 for w in weights)
    assert encoder.input_shape[1:] == shapes[0]
    assert encoder.output_shape == (None, network.latent_width(shapes[0], shapes[2]))
    assert decoder.output_shape[1:] == shapes[1]

    weights = [w + 0.1 * rng.normal(size=w.shape).astype(np.float32) for w in weights]
    for variable, value in zip(built, weights, strict=True):
        variable.assign(value)
    X = rng.normal(size=(9, *shapes[0])).astype(np.float32)
    codes = encoder(X)
    expected = [keras.ops.convert_to_numpy(v) for v in (codes, decoder(codes))]
    for found, wanted in zip(
        forward(network, shapes, weights, X), expected, strict=True
    ):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
    in_float64 = forward(
        network, shapes, engine.cast(weights, np.float64), X.astype(np.float64)
    )
    for found, wanted in zip(in_float64, expected, strict=True):
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("place", ["activation", "latent_activation"])
@pytest.mark.parametrize("name", NAMES)
def test_every_activation_is_computed_in_its_place(keras, name, place):
    network = DenseNetwork((6,), **{place: name}, output_activation=name)
    shapes = (4,), (4,), 3
    weights = network.initial_weights(*shapes, np.random.default_rng(0))
    model = engine.keras_model(engine.Architecture(network, *shapes), weights)
    X = np.random.default_rng(1).normal(size=(20, 4)).astype(np.float32)
    codes, output = forward(network, shapes, weights, X)
    np.testing.assert_allclose(codes, model.encoder(X), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(output, model(X), rtol=1e-5, atol=1e-5)


def test_the_decoder_mirrors_the_encoder():
    weights = DenseNetwork((9, 4)).initial_weights(
        (12,), (12,), 2, np.random.default_rng(0)
    )
    widths = [w.shape[0] for w in weights[::2]] + [weights[-1].shape[0]]
    assert widths == [12, 9, 4, 2, 4, 9, 12]


def test_initial_weights_are_glorot_uniform_and_come_from_the_generator():
    network, shapes = DenseNetwork((300,)), ((200,), (200,), 100)
    first, again, other = (
        network.initial_weights(*shapes, np.random.default_rng(seed))
        for seed in (0, 0, 1)
    )
    assert all(map(np.array_equal, first, again))
    assert not np.array_equal(first[0], other[0])
    for kernel, bias in zip(first[::2], first[1::2], strict=True):
        limit = np.sqrt(6 / sum(kernel.shape))
        assert not bias.any()
        assert np.abs(kernel).max() <= limit * (1 + 1e-6)
        assert np.abs(kernel).max() > 0.99 * limit
        assert abs(kernel.mean()) < 0.02 * limit
        assert abs(kernel.var() - limit**2 / 3) < 0.02 * limit**2


@settings(max_examples=30, deadline=None)
@given(
    shape=st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple),
    units=st.lists(st.integers(1, 9), max_size=3).map(tuple),
    latent_dim=st.none() | st.integers(1, 50),
)
def test_the_number_of_weights(shape, units, latent_dim):
    network = DenseNetwork(units)
    width = network.latent_width(shape, latent_dim)
    assert width == (min(32, prod(shape)) if latent_dim is None else latent_dim)
    weights = network.initial_weights(
        shape, shape, latent_dim, np.random.default_rng(0)
    )
    widths = [prod(shape), *units, width, *units[::-1], prod(shape)]
    expected = sum(a * b + b for a, b in itertools.pairwise(widths))
    assert sum(w.size for w in weights) == expected


def test_the_range_of_the_output_is_that_of_its_activation():
    assert DenseNetwork().output_range() == (-inf, inf)
    assert DenseNetwork(output_activation="sigmoid").output_range() == (0, 1)
    assert DenseNetwork(output_activation="tanh").output_range() == (-1, 1)


FOREIGN_SETTINGS = """
import random, numpy as np
from skae import AutoencoderTransformer, DenseNetwork
from skae.engine import _cache
import keras
X = np.random.default_rng(0).normal(size=(40, 6))
def fit():
    _cache.clear()
    return AutoencoderTransformer(2, epochs=3, random_state=0).fit(X).autoencoder_
before = fit()
states = random.getstate(), repr(np.random.get_state())
for precision in ("mixed_float16", "float64"):
    keras.config.set_dtype_policy(precision)
    if precision == "float64":
        keras.config.set_floatx("float64")
    encoder, decoder = DenseNetwork((3,)).build((4, 2), (4, 2), 2)
    assert all(v.dtype == "float32" for v in encoder.weights + decoder.weights)
    for one, two in zip(fit().weights, before.weights, strict=True):
        assert np.abs(one - two).max() < 1e-6
assert states == (random.getstate(), repr(np.random.get_state()))
"""


def test_keras_settings_have_no_influence():
    """skae's networks are float32, whatever precision Keras is set to."""
    done = subprocess.run(
        [sys.executable, "-c", FOREIGN_SETTINGS],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr


# ------------------------------------------------------------------ parameters


@pytest.mark.parametrize(
    "units", [(0,), (-1,), (1.5,), (True,), ("3",), (4, None), [3, 0]]
)
def test_units_that_are_none_raise(units):
    with pytest.raises(ValueError) as raised:
        check_parameters(DenseNetwork(units))
    assert str(raised.value) == (
        "The 'hidden_units' parameter of DenseNetwork must hold positive integers, one "
        f"per layer. Got {units!r} instead."
    )


@pytest.mark.parametrize(
    "params",
    [
        {"hidden_units": 32},
        {"hidden_units": None},
        {"hidden_units": np.array([3])},
        {"activation": "no such"},
        {"latent_activation": 3},
        {"output_activation": np.tanh},
    ],
)
def test_impossible_parameters_raise(params):
    with pytest.raises(InvalidParameterError, match=next(iter(params))):
        check_parameters(DenseNetwork(**params))


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_possible_parameters_pass(network):
    check_parameters(network)


def test_a_network_is_a_scikit_learn_object():
    network = DenseNetwork((8, 4), latent_activation="tanh")
    assert network.get_params() == {
        "hidden_units": (8, 4),
        "activation": "relu",
        "latent_activation": "tanh",
        "output_activation": None,
    }
    assert clone(network).get_params() == network.get_params()
    assert network.set_params(hidden_units=()) is network
    assert repr(network) == "DenseNetwork(hidden_units=(), latent_activation='tanh')"
    assert pickle.loads(pickle.dumps(network)).get_params() == network.get_params()


def test_a_network_promises_nothing_that_it_does_not_say():
    class Silent(Network):
        def latent_width(self, input_shape, latent_dim):
            return 1

        def build(self, input_shape, output_shape, latent_dim):
            raise NotImplementedError

        def initial_weights(self, input_shape, output_shape, latent_dim, rng):
            return []

    assert Silent().output_range() == (-inf, inf)
    assert Silent().dense_activations() is None
    check_parameters(Silent())
