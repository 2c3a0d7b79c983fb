"""Linear paths beside hidden layers, and the PCA of the rows that they start from."""

from itertools import pairwise

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler

from skae import (
    AutoencoderTransformer,
    DenoisingRegressor,
    GaussianNoise,
    LossCurveDisplay,
)
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
    # Hidden layers begin near 0, not at it.
    spread = (1e-3 if not hidden else 0.05) * codes.std()
    np.testing.assert_allclose(found.transform(DIGITS), codes, atol=spread)
    expected = pca.inverse_transform(codes)
    np.testing.assert_allclose(found.reconstruct(DIGITS), expected, atol=spread)


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


def noisy_pairs(n, p, std, rank=4):
    rng = np.random.default_rng(0)
    clean = rng.normal(size=(n, rank)) @ rng.normal(size=(rank, p))
    return clean + std * rng.normal(size=(n, p)), clean


@pytest.mark.parametrize("std", [0.05, 0.5, 2.0])
@pytest.mark.parametrize("target", ["rows", "some columns", "another"])
@pytest.mark.parametrize("n", [60, 400])
def test_pairs_start_near_the_best_ridge_regression(std, target, n):
    """As good on fresh rows as scikit-learn's, which chooses by leave-one-out."""
    X, y = noisy_pairs(n + 1000, 24, std)
    y = {"rows": y, "some columns": y[:, :3], "another": (y[:, :2] ** 2).sum(axis=1)}[
        target
    ]
    network = DenseNetwork((), initial_weights="svd")
    found = DenoisingRegressor(24, network=network, **NO_TRAINING).fit(X[:n], y[:n])
    ridge = RidgeCV(np.logspace(-4, 4, 33)).fit(X[:n], y[:n])
    errors = [((one.predict(X[n:]) - y[n:]) ** 2).mean() for one in (found, ridge)]
    assert errors[0] < 1.1 * errors[1]


def test_a_narrow_code_takes_what_ridge_regression_predicts_most_of():
    X, y = noisy_pairs(300, 24, 0.3)
    network = DenseNetwork((), initial_weights="svd")
    narrow, wide = (
        DenoisingRegressor(k, network=network, **NO_TRAINING).fit(X, y) for k in (4, 23)
    )
    assert narrow.score(X, y) == pytest.approx(wide.score(X, y), abs=0.01)
    assert DenoisingRegressor(3, network=network, **NO_TRAINING).fit(X, y).score(
        X, y
    ) < wide.score(X, y)


def test_repeated_rows_start_as_weighted_ones():
    X, y = noisy_pairs(50, 6, 0.3)
    copies = np.random.default_rng(1).integers(1, 4, size=50)
    network = DenseNetwork((8,), linear_path=True)
    one = DenoisingRegressor(network=network, **NO_TRAINING)
    weighted = one.fit(X, y, copies).predict(X)
    repeated = one.fit(*(np.repeat(a, copies, axis=0) for a in (X, y))).predict(X)
    np.testing.assert_allclose(weighted, repeated, atol=1e-4)


@pytest.mark.parametrize("X", [np.ones((9, 5)), low_rank(9, 5)[:1].repeat(3, axis=0)])
def test_rows_that_do_not_vary_train(X):
    one = DenoisingRegressor(epochs=3, random_state=0).fit(X, X[:, :2])
    np.testing.assert_allclose(one.predict(X), X[:, :2], atol=0.1)
    AutoencoderTransformer(epochs=3, random_state=0).fit(X)


@pytest.mark.parametrize("engine", ["numpy", "keras"])
def test_what_training_makes_worse_is_left_out(keras, engine):
    """The first weights are kept, and no epoch is marked as kept."""
    params = {"learning_rate": 3.0, "epochs": 5, "patience": 3, "random_state": 0}
    X = DIGITS[:, 10:30]
    found = AutoencoderTransformer(5, engine=engine, **params).fit(X[:200])
    scaled = found.scaler_.transform(X)
    pca = PCA(5).fit(scaled[:200])
    expected = pca.inverse_transform(pca.transform(scaled))
    error = ((found.scaler_.transform(found.reconstruct(X)) - scaled) ** 2).mean()
    assert error < 1.05 * ((expected - scaled) ** 2).mean()
    assert min(found.history_["val_loss"]) > 1.1 * error
    assert not found.autoencoder_.restored
    assert LossCurveDisplay.from_estimator(found).kept_marker_ is None


def test_few_rows_reach_pca():
    """Three validation rows see chance; the network is no worse than PCA even so."""
    rows = load_wine().data
    for n, seed in [(10, 0), (20, 1), (40, 2)]:
        order = np.random.default_rng(seed).permutation(len(rows))
        scaler = StandardScaler().fit(rows[order[:n]])
        train, test = (scaler.transform(rows[p]) for p in (order[:n], order[n:]))
        for width in (2, 5):
            found = AutoencoderTransformer(width, random_state=seed).fit(train)
            pca = PCA(width).fit(train)
            known = pca.inverse_transform(pca.transform(test))
            errors = [
                ((test - one) ** 2).mean() for one in (found.reconstruct(test), known)
            ]
            assert errors[0] < errors[1] + 0.05
