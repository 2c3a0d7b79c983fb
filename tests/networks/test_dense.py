"""Dense networks: Keras and NumPy compute the same."""

import itertools
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.decomposition import PCA

from skae import AutoencoderTransformer, DenseNetwork
from skae._layers._activations import ACTIVATIONS
from skae._validation import InvalidParameterError, check_parameters

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
    DenseNetwork((6, 4), normalization="batch", dropout=0.5),
    DenseNetwork((6, 4), "silu", "silu", normalization="layer", activity_l1=0.1),
]
TIED = [
    DenseNetwork(
        hidden, tied_weights=True, normalization=normalization, activity_l1=penalty
    )
    for hidden in [(), (6,), (7, 4)]
    for normalization in [None, "batch", "layer"]
    for penalty in [0.0, 0.1]
]


BAND = {"rtol": 1e-5, "atol": 1e-5}


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_what_is_built_is_what_is_described(build, network, shapes):
    models = build(network, *shapes)
    assert models.encoder.input_shape[1:] == shapes[0]
    width = network.latent_width(shapes[0], shapes[2])
    assert models.encoder.output_shape == (None, width)
    assert models.decoder.output_shape[1:] == shapes[1]
    assert all(v.dtype == "float32" for v in models.model.weights)
    assert all(w.dtype == np.float32 for w in models.drawn)

    X = np.random.default_rng(1).normal(size=(9, *shapes[0])).astype(np.float32)
    models.check_numpy(X, **BAND)


@pytest.mark.parametrize("network", [*NETWORKS[-3:], TIED[-1]], ids=str)
def test_in_float64_numpy_and_keras_agree_to_its_last_digits(build, network):
    models = build(network, (5, 2), latent_dim=3, dtype="float64")
    X = np.random.default_rng(1).normal(size=(9, 5, 2))
    models.check_numpy(X, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("place", ["activation", "latent_activation"])
@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_every_activation_is_computed_in_its_place(build, name, place):
    network = DenseNetwork((6,), **{place: name}, output_activation=name)
    # Small enough for an exponential of an exponential.
    X = np.random.default_rng(1).uniform(-0.3, 0.3, (20, 4)).astype(np.float32)
    build(network, (4,)).check_numpy(X, **BAND)


def test_the_decoder_mirrors_the_encoder(build):
    models = build(DenseNetwork((9, 4)), (12,), latent_dim=2)
    kernels = models.drawn[::2]
    assert [k.shape[0] for k in kernels] == [12, 9, 4, 2, 4, 9]
    names = [layer.name for layer in models.encoder.layers]
    assert names == ["input", "hidden_0", "hidden_1", "latent"]
    names = [layer.name for layer in models.decoder.layers]
    assert names == ["latent_input", "hidden_0", "hidden_1", "output"]


@settings(max_examples=15)
@given(
    shape=st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple),
    units=st.lists(st.integers(1, 9), max_size=3).map(tuple),
    latent_dim=st.none() | st.integers(1, 50),
)
def test_the_number_of_weights(build, shape, units, latent_dim):
    network = DenseNetwork(units)
    width = network.latent_width(shape, latent_dim)
    assert width == (min(32, prod(shape)) if latent_dim is None else latent_dim)
    widths = [prod(shape), *units, width, *units[::-1], prod(shape)]
    expected = sum(a * b + b for a, b in itertools.pairwise(widths))
    model = build(network, shape, latent_dim=latent_dim).model
    assert model.count_params() == expected


# ---------------------------------------------------------------- tied weights


@pytest.mark.parametrize("network", TIED, ids=str)
def test_tied_kernels_are_the_encoders_transposed(build, network):
    """Each is held once; NumPy and the untied network compute the same."""
    models = build(network, (5, 2), (10,), latent_dim=3)
    paths = [v.path for v in models.model.weights]
    assert sum(p.endswith("kernel") for p in paths) == len(network.hidden_units) + 1
    assert len({id(v) for v in models.model.weights}) == len(paths)

    X = np.random.default_rng(1).normal(size=(9, 5, 2)).astype(np.float32)
    models.check_numpy(X, **BAND)

    untied, weights = network.exported(models.weights)
    assert untied.get_params() == network.get_params() | {"tied_weights": False}
    plain = build(untied, (5, 2), (10,), latent_dim=3)
    plain.model.set_weights(weights)
    np.testing.assert_allclose(plain.run(X)[1], models.run(X)[1], rtol=1e-5, atol=1e-5)


def test_both_uses_of_a_tied_kernel_train_it(keras, build):
    import tensorflow as tf

    models = build(DenseNetwork((), tied_weights=True), (4,), latent_dim=2)
    X = np.random.default_rng(1).normal(size=(9, 4)).astype(np.float32)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((models.model(X) - X) ** 2)
    gradient = tape.gradient(loss, models.model.trainable_variables[0].value)
    kernel, bias, output_bias = (w.astype(float) for w in models.weights)
    code = X @ kernel + bias
    residual = 2 * (code @ kernel.T + output_bias - X) / X.size
    expected = X.T @ (residual @ kernel) + residual.T @ code
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-6)


def test_tied_weights_of_another_size_raise(build):
    with pytest.raises(ValueError) as raised:
        build(DenseNetwork(tied_weights=True), (4, 2), (7,))
    assert str(raised.value) == (
        "tied_weights=True of DenseNetwork needs outputs as large as the inputs, but "
        "rows of shape (4, 2) are to give rows of shape (7,). Use tied_weights=False."
    )


def test_what_is_not_tied_is_exported_as_it_is():
    network, weights = DenseNetwork(), [np.ones(3)]
    assert network.exported(weights) == (network, weights)


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
        {"tied_weights": "yes"},
    ],
)
def test_impossible_parameters_raise(params):
    with pytest.raises(InvalidParameterError, match=next(iter(params))):
        check_parameters(DenseNetwork(**params))


@pytest.mark.parametrize("network", NETWORKS + TIED, ids=str)
def test_possible_parameters_pass(network):
    check_parameters(network)


def test_a_network_is_a_scikit_learn_object():
    network = DenseNetwork((8, 4), latent_activation="tanh")
    assert network.get_params() == {
        "hidden_units": (8, 4),
        "activation": "relu",
        "latent_activation": "tanh",
        "output_activation": None,
        "tied_weights": False,
        "dropout": 0.0,
        "normalization": None,
        "activity_l1": 0.0,
        "initial_weights": "glorot",
        "linear_path": False,
        "input_shape": None,
    }
    assert clone(network).get_params() == network.get_params()
    assert network.set_params(hidden_units=()) is network
    assert repr(network) == "DenseNetwork(hidden_units=(), latent_activation='tanh')"


def test_a_linear_network_begins_where_pca_is():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 9)) + rng.normal(size=9)
    network = DenseNetwork((), initial_weights="svd")
    for rows in (X, X[:6]):  # more rows than columns, and fewer
        kernel, bias, back, offset = network.weights_from(rows, None, None, 0.0, 3, rng)
        found = (rows @ kernel + bias) @ back + offset
        pca = PCA(3).fit(rows)
        expected = pca.inverse_transform(pca.transform(rows))
        np.testing.assert_allclose(found, expected, atol=1e-5)
    weight = rng.integers(1, 4, 60).astype(float)
    weighted = network.weights_from(X, None, weight, 0.5, 12, rng)
    repeated = np.repeat(X, weight.astype(int), axis=0)
    kernel, _, back, offset = weighted
    np.testing.assert_allclose(offset, repeated.mean(axis=0), atol=1e-5)
    # Wiener's filter of the covariance, and no code for what has no variance.
    covariance = np.cov(repeated.T, bias=True)
    wiener = covariance @ np.linalg.inv(covariance + 0.5 * np.eye(9))
    np.testing.assert_allclose(kernel @ back, wiener, atol=1e-5)
    assert (kernel[:, 4:] == 0).all()


def test_training_continues_from_the_svd():
    X = np.random.default_rng(0).normal(size=(100, 6)) * np.arange(1, 7)
    network = DenseNetwork((), initial_weights="svd")
    options = {"learning_rate": 1e-6, "random_state": 0, "validation_fraction": None}
    begun, trained = (
        AutoencoderTransformer(2, network=network, epochs=n, **options).fit(X)
        for n in (1, 2)
    )
    kept = PCA(2).fit(begun.scaler_.transform(X)).explained_variance_ratio_.sum()
    for one in (begun, trained):
        assert one.history_["loss"][0] == pytest.approx(1 - kept, rel=1e-3)
    network = DenseNetwork((5,), initial_weights="svd")
    with pytest.raises(ValueError, match="initial_weights='svd' is for linear netw"):
        AutoencoderTransformer(2, network=network).fit(X)
