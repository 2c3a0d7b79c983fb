"""Options that dense, convolutional and recurrent networks share."""

import os
import pickle
import subprocess
import sys
from math import inf, prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from skae._layers._base import NetworkLayers
from skae._validation import InvalidParameterError, check_parameters
from skae.networks import ConvNetwork, DenseNetwork, Network, RecurrentNetwork
from skae.networks._base import layers_of

SMALL = {
    "dense": DenseNetwork((6, 5)),
    "conv": ConvNetwork((6, 5)),
    "recurrent": RecurrentNetwork((6, 5)),
}
EACH = pytest.mark.parametrize("network", SMALL.values(), ids=SMALL)
SHAPE = (4, 3)


def with_options(network, **options):
    return clone(network).set_params(**options)


def rows(n=8, seed=1):
    return np.random.default_rng(seed).normal(size=(n, *SHAPE)).astype(np.float32)


def names_of(model):
    return [layer.name for layer in model.layers]


def keras_layers(models, layer_class):
    layers = [*models.encoder.layers, *models.decoder.layers]
    return [layer for layer in layers if isinstance(layer, layer_class)]


@EACH
@pytest.mark.parametrize("normalization", ["batch", "layer"])
def test_normalisation_is_of_hidden_layers_alone(keras, build, network, normalization):
    network = with_options(network, normalization=normalization)
    models = build(network, SHAPE, latent_dim=2)
    normalised = [n for n in names_of(models.encoder) if "normalization" in n]
    assert len(normalised) == 2
    for model in (models.encoder, models.decoder):
        last = [n for n in names_of(model) if n not in ("reshape", "unflatten")][-1]
        assert last in ("latent", "output")
    layer_class = {
        "batch": keras.layers.BatchNormalization,
        "layer": keras.layers.LayerNormalization,
    }[normalization]
    layers = keras_layers(models, layer_class)
    assert len(layers) >= 4
    assert all(layer.epsilon == 1e-3 for layer in layers)
    assert all(getattr(layer, "momentum", 0.9) == 0.9 for layer in layers)


@EACH
def test_dropout_drops_hidden_values_while_training(keras, build, network):
    models = build(with_options(network, dropout=0.5), SHAPE, latent_dim=2)
    layers = keras_layers(models, keras.layers.Dropout)
    assert len(layers) >= 4
    assert len({layer.seed for layer in layers}) == len(layers)
    assert not names_of(models.encoder)[-1].endswith("dropout")
    assert not names_of(models.decoder)[-1].endswith("dropout")
    X = rows()
    one, other = (models.model(X, training=True) for _ in range(2))
    assert not np.allclose(one, other)
    one, other = (models.model(X, training=False) for _ in range(2))
    assert np.array_equal(one, other)


@EACH
@pytest.mark.parametrize("latent_dim", [None, 2])
def test_the_activity_is_the_sum_of_absolute_codes(build, network, latent_dim):
    network = with_options(network, activity_l1=0.25)
    assert network.terms(SHAPE) == {"activity": 0.25}
    models = build(network, SHAPE, latent_dim=latent_dim)
    codes, output, terms = models.run(rows())
    assert output.shape == (8, *SHAPE)
    expected = np.abs(codes).reshape(8, -1).sum(axis=1)
    np.testing.assert_allclose(terms["activity"], expected, rtol=1e-5)


@EACH
def test_without_the_penalty_there_is_no_term(build, network):
    assert network.terms(SHAPE) == {}
    _, _, terms = build(network, SHAPE).run(rows())
    assert terms == {}


@EACH
@pytest.mark.parametrize("latent_dim", [None, 3])
def test_rows_are_reshaped_inside(build, network, latent_dim):
    """Flat rows give flat rows, those that shaped rows give."""
    inside = with_options(network, input_shape=(-1, 3))
    shaped = build(network, SHAPE, latent_dim=latent_dim)
    flat = build(inside, (12,), latent_dim=latent_dim)
    X = rows()
    expected_codes, expected, _ = shaped.run(X)
    codes, output, _ = flat.run(X.reshape(8, 12))
    assert output.shape == (8, 12)
    np.testing.assert_allclose(codes, expected_codes, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(output, expected.reshape(8, 12), rtol=1e-5, atol=1e-6)


@EACH
def test_a_shape_that_does_not_fit_raises(build, network):
    name = type(network).__name__
    with pytest.raises(ValueError, match=rf"input_shape=\(5, -1\) of {name} does not"):
        build(with_options(network, input_shape=(5, -1)), (12,))
    with pytest.raises(ValueError, match=f"'input_shape' parameter of {name} must"):
        build(with_options(network, input_shape=(-1, 0)), (12,))


def inner_shapes(asked, *shapes):
    """Return the shapes of one row, input and output, inside a network."""
    return DenseNetwork(input_shape=asked)._inner_shapes(*shapes)


@given(
    shape=st.lists(st.integers(1, 6), min_size=1, max_size=4).map(tuple),
    place=st.integers(0, 3),
)
def test_the_missing_length_is_filled_in(shape, place):
    asked = tuple(-1 if i == place else n for i, n in enumerate(shape))
    flat, other = (prod(shape),), (prod(shape) + 1,)
    assert inner_shapes(asked, flat, flat) == (shape, shape)
    assert inner_shapes(list(asked), flat, flat) == (shape, shape)
    assert inner_shapes(asked, flat, other) == (shape, other)
    assert inner_shapes(None, flat, other) == (flat, other)


@pytest.mark.parametrize("asked", [(28, 27, 1), (-1, 5), (785, -1)])
def test_a_shape_of_another_size_raises(asked):
    with pytest.raises(ValueError) as raised:
        ConvNetwork(input_shape=asked).layers((784,), (784,), None)
    assert str(raised.value) == (
        f"input_shape={asked} of ConvNetwork does not fit the rows, which have shape "
        "(784,), that is 784 values. Pass an input_shape of as many values, or None "
        "for the rows' own shape."
    )


@pytest.mark.parametrize("asked", [None, (3,), [2, -1], (-1,), (28, 28, 1)])
def test_possible_shapes_pass(asked):
    check_parameters(ConvNetwork(input_shape=asked))


@pytest.mark.parametrize("asked", [(), (0,), (-1, -1), (-2, 3), (2.0,), (True, 2)])
def test_what_is_no_shape_raises(asked):
    with pytest.raises(ValueError) as raised:
        check_parameters(ConvNetwork(input_shape=asked))
    assert str(raised.value) == (
        "The 'input_shape' parameter of ConvNetwork must hold positive integers, of "
        f"which one may be -1, to be filled in. Got {asked!r} instead."
    )


@EACH
@pytest.mark.parametrize("place", ["activation", "latent_activation"])
def test_silu_is_a_product_and_registers_no_gradient(keras, build, network, place):
    if place not in network.get_params():
        pytest.skip("has no activation between its layers")
    models = build(with_options(network, **{place: "silu"}), SHAPE, latent_dim=2)
    used = {
        getattr(layer, "activation", None)
        for layer in keras_layers(models, keras.layers.Layer)
    }
    assert keras.activations.silu not in used
    assert len(keras_layers(models, keras.layers.Multiply)) >= 1


@EACH
def test_building_draws_nothing_and_is_the_same_every_time(keras, network):
    network = with_options(network, dropout=0.1, normalization="batch")
    one, other = (network.build(SHAPE, SHAPE, 2) for _ in range(2))
    for a, b in [(one.encoder, other.encoder), (one.decoder, other.decoder)]:
        assert all(map(np.array_equal, a.get_weights(), b.get_weights()))


@EACH
@pytest.mark.parametrize(
    ("name", "expected"), [(None, (-inf, inf)), ("sigmoid", (0, 1)), ("tanh", (-1, 1))]
)
def test_the_range_of_the_output_is_that_of_its_activation(network, name, expected):
    network = with_options(network, output_activation=name)
    _, decoder = layers_of(network, SHAPE, SHAPE, 2)
    assert NetworkLayers([], decoder).output_range == expected


@EACH
@pytest.mark.parametrize(
    "params",
    [
        {"dropout": 1.0},
        {"dropout": -0.1},
        {"normalization": "group"},
        {"activity_l1": -1e-7},
        {"input_shape": 28},
        {"latent_activation": "no such"},
        {"output_activation": np.tanh},
    ],
)
def test_impossible_options_raise(network, params):
    with pytest.raises(InvalidParameterError, match=next(iter(params))):
        check_parameters(with_options(network, **params))


@EACH
def test_networks_are_scikit_learn_objects(network):
    assert clone(network).get_params() == network.get_params()
    assert pickle.loads(pickle.dumps(network)).get_params() == network.get_params()
    assert network.set_params(dropout=0.0) is network


FOREIGN_SETTINGS = """
import random, numpy as np
from skae import AutoencoderTransformer, DenseNetwork
from skae.networks._quiet import import_quietly
import_quietly()
import keras
from skae._engine._keras import _pool
X = np.random.default_rng(0).normal(size=(40, 6))
def fit():
    _pool.clear()
    network = DenseNetwork((8,), normalization="layer")  # trains in Keras
    transformer = AutoencoderTransformer(2, network=network, epochs=3, random_state=0)
    return transformer.fit(X).autoencoder_
before = fit()
states = random.getstate(), repr(np.random.get_state())
for precision in ("mixed_float16", "float64"):
    keras.config.set_dtype_policy(precision)
    if precision == "float64":
        keras.config.set_floatx("float64")
    for one, two in zip(fit().weights, before.weights, strict=True):
        assert one.dtype == np.float32
        assert np.abs(one - two).max() < 1e-6
assert states == (random.getstate(), repr(np.random.get_state()))
"""


def test_keras_settings_have_no_influence():
    """skae's networks train in float32, whatever precision Keras is set to."""
    done = subprocess.run(
        [sys.executable, "-c", FOREIGN_SETTINGS],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr


def test_a_network_without_build_is_abstract():
    class Nothing(Network):
        """Defines nothing."""

    for cls in (Network, Nothing):
        with pytest.raises(TypeError, match="abstract"):
            cls()


def test_a_network_promises_nothing_that_it_does_not_say():
    class Silent(Network):
        def build(self, input_shape, output_shape, latent_dim):
            raise NotImplementedError

    silent, weights = Silent(), [np.ones(3)]
    assert layers_of(silent, (3,), (3,), None) is None
    assert silent.terms((3,)) == {}
    assert silent.exported(weights) == (silent, weights)
    check_parameters(silent)
