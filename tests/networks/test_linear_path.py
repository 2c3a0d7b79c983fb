"""Linear paths beside hidden layers, and the PCA of the rows that they start from."""

from itertools import pairwise

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from skae import AutoencoderTransformer, DenoisingRegressor, GaussianNoise
from skae._layers._base import Learned
from skae._layers._dense import Dense, WithLinearPath
from skae.corruptions import corrupt
from skae.networks import DenseNetwork

DIGITS = load_digits().data[:300]
NO_TRAINING = {
    "scaler": None,
    "epochs": 1,
    "learning_rate": 1e-12,
    "validation_fraction": None,
    "patience": None,
    "random_state": 0,
}


def untrained(X, width, sample_weight=None, **params):
    """Return a transformer with the weights that training starts from."""
    network = DenseNetwork((), initial_weights="svd")
    one = AutoencoderTransformer(width, network=network, **NO_TRAINING | params)
    return one.fit(X, sample_weight=sample_weight)


def low_rank(n, p, rank=3):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, rank)) @ rng.normal(size=(rank, p)) + 5


@pytest.mark.parametrize("X", [low_rank(50, 8), low_rank(4, 30), np.ones((9, 5))])
def test_more_components_than_the_rank_are_zero(X):
    found = untrained(X, 6)
    np.testing.assert_allclose(found.reconstruct(X), X, rtol=1e-5, atol=1e-4)
    assert (np.ptp(found.transform(X), axis=0) < 1e-3).sum() >= 3


def test_start_counts_weights_as_copies():
    weight = np.arange(len(DIGITS)) % 3
    copies = np.repeat(DIGITS, weight, axis=0)
    weighted = untrained(DIGITS, 5, sample_weight=weight).reconstruct(DIGITS)
    np.testing.assert_allclose(
        weighted, untrained(copies, 5).reconstruct(DIGITS), atol=1e-3
    )


def test_start_fills_missing_entries():
    X = DIGITS.copy()
    X[np.random.default_rng(0).random(X.shape) < 0.1] = np.nan
    found = untrained(X, 8, allow_nan=True)
    known = found.reconstruct(DIGITS)
    assert 1 - ((DIGITS - known) ** 2).mean() / DIGITS.var(axis=0).mean() > 0.5


@pytest.mark.parametrize("std", [3.0, (0.5, 6.0)])
def test_noise_shrinks_the_start_to_the_best_linear_filter(std):
    """No other scale of the components has a smaller error on noisy rows."""
    noise = GaussianNoise(std)
    found = untrained(DIGITS, 12, corruption=noise)
    rows = np.repeat(DIGITS, 60, axis=0)
    noisy = corrupt(noise, rows, seed=0)
    centre = DIGITS.mean(axis=0)
    made = found.reconstruct(noisy) - centre
    scales = np.array([0.9, 1.0, 1.1])
    errors = [((s * made - (rows - centre)) ** 2).mean() for s in scales]
    assert np.argmin(errors) == 1


@pytest.mark.parametrize("hidden", [(), (24,), (24, 16)])
def test_linear_path_starts_as_pca(hidden):
    network = DenseNetwork(hidden, linear_path=True)
    found = AutoencoderTransformer(5, network=network, **NO_TRAINING).fit(DIGITS)
    pca = PCA(5).fit(DIGITS)
    codes = pca.transform(DIGITS)
    np.testing.assert_allclose(found.transform(DIGITS), codes, atol=1e-3)
    expected = pca.inverse_transform(codes)
    np.testing.assert_allclose(found.reconstruct(DIGITS), expected, atol=1e-3)


def test_training_leads_a_linear_path_beyond_pca():
    network = DenseNetwork((64,), linear_path=True)
    found = AutoencoderTransformer(5, network=network, epochs=30, random_state=0)
    pca = untrained(found.fit(DIGITS).scaler_.transform(DIGITS), 5)
    assert found.r2_ > pca.r2_ + 0.1


@pytest.mark.parametrize(
    "options",
    [
        {"latent_activation": "tanh", "output_activation": "sigmoid"},
        {"normalization": "batch"},
        {"dropout": 0.2},
        {"activity_l1": 0.1},
    ],
    ids=lambda options: next(iter(options)),
)
def test_linear_path_is_the_same_in_keras(keras, options):
    """Trained in NumPy where that can be, in Keras, and as a Keras model."""
    network = DenseNetwork((9, 6), linear_path=True, **options)
    X = DIGITS / 16
    params = NO_TRAINING | {"learning_rate": 0.01, "epochs": 3}
    fits = [
        AutoencoderTransformer(4, network=network, engine=engine, **params).fit(X)
        for engine in ("auto", "keras")
    ]
    np.testing.assert_allclose(*(one.history_["loss"] for one in fits), rtol=1e-5)
    np.testing.assert_allclose(*(one.transform(X) for one in fits), atol=1e-4)
    model = fits[1].to_keras()
    found = model.predict(X, verbose=0)
    np.testing.assert_allclose(found, fits[0].reconstruct(X), atol=1e-4)


@pytest.mark.parametrize("hidden", [(3,), (4, 3)])
@pytest.mark.parametrize("activation", ["linear", "tanh", "silu"])
def test_gradients_of_a_linear_path_are_differences_of_losses(hidden, activation):
    rng = np.random.default_rng(0)
    sizes = [5, *hidden, 2]
    inner = [Dense(f"d{i}", a, b, "tanh") for i, (a, b) in enumerate(pairwise(sizes))]
    layer = WithLinearPath("sum", inner, Dense("path", 5, 2), activation)
    weights = [rng.normal(size=shape) for _, shape in layer.variables]
    x, slope = rng.normal(size=(7, 5)), rng.normal(size=(7, 2))
    memory = {}
    out = layer.forward(x, weights, np.empty((7, 2)), memory)
    own = Learned(weights, [np.zeros_like(one) for one in weights], memory)
    found = np.empty_like(x)
    layer.backward(x, out, slope.copy(), own, found)
    for array, gradient in zip([x, *weights], [found, *own.gradients], strict=True):
        expected = np.empty_like(array)
        for place in np.ndindex(array.shape):
            known, values = array[place], []
            for step in (1e-5, -1e-5):
                array[place] = known + step
                values.append((slope * layer.forward(x, weights)).sum())
            array[place] = known
            expected[place] = (values[0] - values[1]) / 2e-5
        np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-6)


def test_linear_path_refuses_tied_weights():
    network = DenseNetwork((8,), linear_path=True, tied_weights=True)
    with pytest.raises(ValueError, match="does not go with tied_weights=True"):
        AutoencoderTransformer(network=network).fit(DIGITS)


@pytest.mark.parametrize("options", [{"linear_path": True}, {"initial_weights": "svd"}])
def test_targets_of_another_width_are_drawn_or_refused(options):
    hidden = () if "initial_weights" in options else (8,)
    network = DenseNetwork(hidden, **options)
    one = DenoisingRegressor(network=network, epochs=30, random_state=0)
    if not hidden:
        with pytest.raises(ValueError, match="needs outputs as large as the inputs"):
            one.fit(DIGITS, DIGITS[:, 20])
        return
    assert one.fit(DIGITS, DIGITS[:, 20]).score(DIGITS, DIGITS[:, 20]) > 0
