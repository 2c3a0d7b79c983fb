"""Convolutional networks: the tutorials' own, any size, and what cannot be."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skae import AutoencoderTransformer, ConvNetwork
from skae._validation import InvalidParameterError, check_parameters

IMAGE = (28, 28, 1)
HALVED = [{"down": "stride"}, {"down": "max_pool"}]
DOUBLED = [{"up": "transpose"}, {"up": "upsample"}]
OPTIONS = [
    {},
    {"activation": "silu", "output_activation": "softmax"},
    {"latent_activation": "tanh", "activity_l1": 0.1, "normalization": "batch"},
    {"activation": "softmax", "normalization": "layer", "dropout": 0.5},
]


def tutorial_strided(layers):
    """Fashion-MNIST denoising: strided and transposed convolutions."""

    def conv(n, kind=layers.Conv2D, **options):
        return kind(n, 3, activation="relu", padding="same", strides=2, **options)

    return [
        conv(16),
        conv(8),
        conv(8, layers.Conv2DTranspose),
        conv(16, layers.Conv2DTranspose),
        layers.Conv2D(1, 3, activation="sigmoid", padding="same"),
    ]


def tutorial_pooled(layers, filters, cropped_after=None):
    """MNIST: pooling and upsampling, the code a small map."""

    def conv(n):
        return layers.Conv2D(n, 3, activation="relu", padding="same")

    stack = []
    for n in filters:
        stack += [conv(n), layers.MaxPooling2D(2, padding="same")]
    for i, n in enumerate(filters[::-1]):
        stack += [conv(n), layers.UpSampling2D(2)]
        if i == cropped_after:
            stack.append(layers.Cropping2D(((0, 1), (0, 1))))
    return [*stack, layers.Conv2D(1, 3, activation="sigmoid", padding="same")]


POOLED = {"down": "max_pool", "up": "upsample"}
TUTORIALS = {
    "fashion": ((16, 8), {}, tutorial_strided, (7, 7, 8)),
    "mnist-small": (
        (16, 8, 8),
        POOLED,
        lambda layers: tutorial_pooled(layers, (16, 8, 8), cropped_after=0),
        (4, 4, 8),
    ),
    "mnist": (
        (32, 32),
        POOLED,
        lambda layers: tutorial_pooled(layers, (32, 32)),
        (7, 7, 32),
    ),
}


@pytest.mark.draws_globally("Keras's default initializers do")
@pytest.mark.parametrize("name", TUTORIALS)
def test_the_tutorials_networks_can_be_described(keras, build, name):
    """Layer by layer, weight by weight, and in what they compute."""
    filters, options, layers_by_hand, code_shape = TUTORIALS[name]
    network = ConvNetwork(
        filters, latent_activation="relu", output_activation="sigmoid", **options
    )
    models = build(network, IMAGE)
    by_hand = keras.Sequential([keras.Input(IMAGE), *layers_by_hand(keras.layers)])

    def described(layers):
        return [
            (type(layer).__name__, layer.output.shape, layer.count_params())
            for layer in layers
            if not isinstance(layer, keras.layers.InputLayer)
        ]

    ours = [*models.encoder.layers, *models.decoder.layers]
    assert described(ours) == described(by_hand.layers)
    assert models.encoder.output_shape[1:] == code_shape
    by_hand.set_weights(models.weights)
    X = np.random.default_rng(1).uniform(size=(2, *IMAGE)).astype(np.float32)
    np.testing.assert_allclose(models.run(X)[1], by_hand(X), rtol=1e-5, atol=1e-6)


@settings(max_examples=25)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple),
    n_stages=st.integers(1, 3),
    kernel_size=st.integers(1, 4),
    down=st.sampled_from(HALVED),
    up=st.sampled_from(DOUBLED),
    latent_dim=st.none() | st.integers(1, 4),
    options=st.sampled_from(OPTIONS),
)
def test_all_sizes_come_back(
    build, lengths, n_stages, kernel_size, down, up, latent_dim, options
):
    """In Keras and in NumPy, to the same numbers."""
    shape = (*lengths, 2)
    network = ConvNetwork((3, 2, 4)[:n_stages], kernel_size, **down, **up, **options)
    models = build(network, shape, latent_dim=latent_dim)
    halved = tuple(-(-n // 2**n_stages) for n in lengths)
    spatial = (*halved, network.filters[-1])
    assert models.encoder.output_shape[1:] == (
        spatial if latent_dim is None else (latent_dim,)
    )
    X = np.random.default_rng(1).normal(size=(2, *shape)).astype(np.float32)
    output = models.trained.reconstruct(X)
    assert output.shape == X.shape
    assert np.isfinite(output).all()
    models.check_numpy(X, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(5, 2), (5, 3, 1), (3, 5, 2, 1)], ids=str)
@pytest.mark.parametrize("latent_dim", [None, 2])
def test_in_float64_numpy_and_keras_agree_to_their_last_digits(
    build, shape, latent_dim
):
    """Also where rows come in several blocks."""
    network = ConvNetwork((3, 2), down="max_pool", normalization="layer")
    models = build(network, shape, latent_dim=latent_dim, dtype="float64")
    X = np.random.default_rng(1).normal(size=(70, *shape))
    models.check_numpy(X, rtol=1e-9, atol=1e-12)


def test_images_in_tables_can_be_searched_over():
    X = np.random.default_rng(0).uniform(size=(30, 25))
    table = pd.DataFrame(X, columns=[f"pixel {i}" for i in range(25)])
    network = ConvNetwork(input_shape=(5, 5, 1))
    transformer = AutoencoderTransformer(network=network, epochs=1, random_state=0)
    pipe = make_pipeline(MinMaxScaler(), transformer)
    grid = {
        "autoencodertransformer__network__filters": [(3,), (2, 2)],
        "autoencodertransformer__latent_dim": [None, 2],
    }
    search = GridSearchCV(pipe, grid, cv=2, error_score="raise").fit(table)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    # The maps have 3 x 3 places of 3 filters, or 2 x 2 of 2.
    assert search.best_estimator_[-1].n_components_ in (27, 8, 2)


@pytest.mark.parametrize("down", HALVED, ids=str)
@pytest.mark.parametrize("up", DOUBLED, ids=str)
@pytest.mark.parametrize("shape", [(5, 2), (5, 3, 1), (3, 5, 2, 1)], ids=str)
def test_float64_is_as_exact_as_it_is_long(build, down, up, shape):
    """Every layer computes in it: those of TensorFlow are not all able to."""
    network = ConvNetwork((3, 2), **down, **up, normalization="batch")
    X = np.random.default_rng(1).normal(size=(2, *shape))
    exact = build(network, shape, dtype="float64").run(X)[1]
    single = build(network, shape).run(X.astype(np.float32))[1]
    assert exact.dtype == np.float64
    np.testing.assert_allclose(exact, single, rtol=1e-4, atol=1e-5)
    assert not np.array_equal(exact, single)


def test_volumes_are_pooled_as_keras_pools_them(keras, build):
    network = ConvNetwork((3,), 1, "max_pool", activation=None)
    models = build(network, (5, 3, 4, 2))
    X = np.random.default_rng(1).normal(size=(2, 5, 3, 4, 2)).astype(np.float32)
    kernel, bias = models.weights[:2]
    mapped = X @ kernel[0, 0, 0] + bias
    expected = keras.layers.MaxPooling3D(2, padding="same")(mapped)
    np.testing.assert_allclose(models.run(X)[0], expected, rtol=1e-5, atol=1e-6)


def test_a_code_of_any_width_may_give_other_sizes(build):
    network = ConvNetwork((4, 3))
    models = build(network, (8, 8, 1), (5, 11, 2), latent_dim=np.int64(6))
    X = np.zeros((2, 8, 8, 1), np.float32)
    codes, output, _ = models.run(X)
    assert codes.shape == (2, 6)
    assert output.shape == (2, 5, 11, 2)


def test_channels_may_differ_without_a_width(build):
    models = build(ConvNetwork((4, 3)), (7, 7, 1), (8, 5, 3))
    assert models.decoder.output_shape == (None, 8, 5, 3)


def test_another_map_without_a_width_raises(build):
    with pytest.raises(ValueError) as raised:
        build(ConvNetwork((4, 3)), (28, 28, 1), (14, 14, 1))
    assert str(raised.value) == (
        "ConvNetwork without latent_dim decodes the map that it encodes, but rows of "
        "shape (28, 28, 1) are encoded as a map of (7, 7) and rows of shape "
        "(14, 14, 1) decoded from one of (4, 4). Pass an int latent_dim, for a dense "
        "code between them, or let the shapes agree."
    )


@pytest.mark.parametrize(
    ("shape", "example"),
    [((784,), "(28, 28, 1)"), ((140,), "(-1, 1)"), ((2, 2, 2, 2, 2), "(-1, 1)")],
)
def test_rows_that_cannot_be_convolved_raise(build, shape, example):
    with pytest.raises(ValueError) as raised:
        build(ConvNetwork(), shape)
    assert str(raised.value) == (
        "ConvNetwork takes rows of shape (timesteps, channels), (height, width, "
        f"channels) or (depth, height, width, channels), but they have shape {shape}. "
        f"Say how to read them, for instance with input_shape={example}, or use "
        "DenseNetwork."
    )


def test_an_output_of_another_rank_raises(build):
    with pytest.raises(ValueError) as raised:
        build(ConvNetwork(), (8, 8, 1), (8,), latent_dim=2)
    assert str(raised.value) == (
        "ConvNetwork gives rows of as many axes as it takes, 3, but rows of shape "
        "(8, 8, 1) are to give rows of shape (8,). Use DenseNetwork."
    )


def test_filters_that_are_none_raise():
    with pytest.raises(ValueError) as raised:
        check_parameters(ConvNetwork(()))
    assert str(raised.value) == (
        "The 'filters' parameter of ConvNetwork must hold at least one size. Got () "
        "instead."
    )
    with pytest.raises(ValueError) as raised:
        check_parameters(ConvNetwork((4, 0)))
    assert str(raised.value) == (
        "The 'filters' parameter of ConvNetwork must hold positive integers, one per "
        "layer. Got (4, 0) instead."
    )


@pytest.mark.parametrize(
    "params",
    [
        {"filters": 16},
        {"kernel_size": 0},
        {"kernel_size": (3, 3)},
        {"down": "pool"},
        {"up": None},
        {"activation": "no such"},
    ],
)
def test_impossible_parameters_raise(params):
    with pytest.raises(InvalidParameterError, match=next(iter(params))):
        check_parameters(ConvNetwork(**params))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((12, 12), r"12 time steps of 12 channels.*input_shape=\(12, 12, 1\)"),
        ((3, 9, 9), r"\(height, width, channels\).*np.moveaxis\(X, 1, -1\)"),
        ((1, 6, 6), r"\(height, width, channels\).*input_shape=\(1, 6, 6\) says so"),
    ],
)
def test_images_without_channels_at_the_end_are_hinted_at(shape, message):
    with pytest.warns(UserWarning, match=message):
        ConvNetwork((4,)).layers(shape, shape, 2)
    ConvNetwork((4,), input_shape=shape).layers(shape, shape, 2)


@pytest.mark.parametrize("shape", [(4, 4), (12, 3), (9, 9, 3), (9, 9, 1), (3, 9, 4)])
def test_other_rows_are_read_without_a_hint(shape):
    ConvNetwork((4,)).layers(shape, shape, 2)
