"""The detector's default error: whitened residuals, and how far rows lie."""

import pickle

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist
from scipy.stats import t as student
from sklearn.base import clone
from sklearn.covariance import ledoit_wolf
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from skae import (
    AutoencoderTransformer,
    ConvNetwork,
    DenseNetwork,
    GaussianNoise,
    ReconstructionOutlierDetector,
    VariationalNetwork,
)
from skae._autoencoder import resolved_rate
from skae._random import stream

FAST = {"epochs": 20, "random_state": 0}


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    return rng.normal(size=(200, 2)) @ rng.normal(size=(2, 6)) + 0.1 * rng.normal(
        size=(200, 6)
    )


@pytest.fixture(scope="module")
def fitted(X):
    return ReconstructionOutlierDetector(**FAST).fit(X)


@pytest.fixture(scope="module")
def fitted_one(X):
    return ReconstructionOutlierDetector(
        n_networks=1, threshold_on="train", **FAST
    ).fit(X)


def test_it_is_the_whitened_error_times_how_far_rows_lie(fitted_one, X):
    """With one network, by scikit-learn's and SciPy's own formulas."""
    scale = fitted_one.scaler_.transform
    residuals = scale(X) - scale(fitted_one.reconstruct(X))
    deviation = np.sqrt((residuals**2).mean(axis=0))
    z = residuals / deviation
    correlation, _ = ledoit_wolf(z, assume_centered=True)
    np.fill_diagonal(correlation, 1)
    white = z @ np.linalg.inv(sqrtm(correlation)).real
    density = 2 * np.log1p(white**2 / 3)
    inside = student(3).logpdf(0) - student(3).logpdf(white)
    np.testing.assert_allclose(density, inside, rtol=1e-9)
    error = density.mean(axis=1)
    distances = cdist(scale(X), scale(X))
    np.fill_diagonal(distances, np.inf)
    order = stream(0, "compared").permutation(200)
    nearest = np.stack([distances[:, order[i::13]].min(axis=1) for i in range(13)])
    near, wide = nearest.min(axis=0), np.sqrt((nearest**2).mean(axis=0))
    factor = np.maximum(near / np.median(near), wide / np.median(wide))
    np.testing.assert_allclose(fitted_one.train_errors_, error * factor, rtol=1e-6)
    np.testing.assert_allclose(
        fitted_one.feature_errors(X), density * factor[:, None] / 6, rtol=1e-6
    )


def test_a_group_of_outliers_among_the_training_rows_stands_out():
    rng = np.random.default_rng(0)
    outliers = 4 + 0.05 * rng.normal(size=(12, 6))
    X = np.concatenate([rng.normal(size=(400, 6)), outliers])
    y = np.repeat([1, -1], [400, 12])
    detector = ReconstructionOutlierDetector(**FAST).fit(X)
    nearest = NearestNeighbors(n_neighbors=6).fit(X).kneighbors(X)[0].mean(axis=1)
    auc = roc_auc_score(y == -1, -detector.score_samples(X))
    assert auc > 0.9 > roc_auc_score(y == -1, nearest)


@pytest.mark.parametrize(
    "error", ["nearest", "whitened", "mse", "mae", "standardized", "negative_elbo"]
)
@pytest.mark.parametrize("size", [1e100, 1e200, np.finfo(float).max])
@pytest.mark.parametrize("signs", [[1] * 6, [1, -1] * 3])
def test_absurd_rows_have_the_largest_errors(error, size, signs, X):
    network = VariationalNetwork() if error == "negative_elbo" else None
    detector = ReconstructionOutlierDetector(error=error, network=network, **FAST)
    detector.fit(X)
    rows = np.concatenate([[size * np.array(signs)], X[:3]])
    assert not np.isnan(detector.feature_errors(rows)).any()
    scores = detector.score_samples(rows)
    assert scores[0] == scores.min() < 10 * scores[1:].min()
    np.testing.assert_allclose(scores[1:], detector.score_samples(X[:3]), rtol=1e-9)
    assert detector.predict(rows)[0] == -1
    assert detector.p_values(rows)[0] == detector.p_values(rows).min() < 0.05


@pytest.mark.parametrize("n", [1, 2])
def test_explanations_of_absurd_values_are_numbers(n, X):
    detector = ReconstructionOutlierDetector(n_networks=n, **FAST).fit(X)
    rows = X[:2].copy()
    rows[0, 3] = 1e200
    errors = detector.feature_errors(rows)
    assert np.isinf(errors[0, 3])
    assert errors.sum(axis=1)[0] == -detector.score_samples(rows)[0] == np.inf
    table = detector.explain(rows[:1], top_k=6)
    assert not table.isna().any(axis=None)
    assert table["share"].sum() == pytest.approx(1)


def test_training_errors_are_those_of_score_samples(fitted, X):
    assert np.array_equal(fitted.train_errors_, -fitted.score_samples(X))


def test_parts_of_features_add_up(fitted, X):
    errors = fitted.feature_errors(X)
    np.testing.assert_allclose(errors.sum(axis=1), -fitted.score_samples(X), rtol=1e-12)


def test_pickles_and_single_rows_score_alike(fitted, X):
    again = pickle.loads(pickle.dumps(fitted))
    scores = fitted.score_samples(X)
    assert np.array_equal(again.score_samples(X), scores)
    alone = np.concatenate([fitted.score_samples(X[i : i + 1]) for i in range(50)])
    np.testing.assert_allclose(alone, scores[:50], rtol=0, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("width", [6, 20, 60])
def test_rows_of_tight_modes_score_alone_as_together(width, dtype):
    rng = np.random.default_rng(0)
    modes = rng.uniform(size=(4, width))[rng.integers(4, size=500)]
    X = (modes + 1e-4 * rng.normal(size=modes.shape)).astype(dtype)
    detector = ReconstructionOutlierDetector(**FAST).fit(X[:400])
    together = detector.score_samples(X[350:])
    alone = np.concatenate([detector.score_samples(row[None]) for row in X[350:]])
    np.testing.assert_allclose(alone, together, rtol=1e-7)
    few = [detector.score_samples(X[i : i + 7]) for i in range(350, 497, 7)]
    np.testing.assert_allclose(np.concatenate(few), together[:147], rtol=1e-7)


def test_rows_that_repeat_each_other_are_told_by_their_reconstruction(X):
    repeated = np.repeat(X[:20], 10, axis=0)
    detector = ReconstructionOutlierDetector(**FAST).fit(repeated)
    assert (-detector.score_samples(repeated) > 0).all()


def test_constant_rows_and_others():
    X = np.ones((30, 3))
    detector = ReconstructionOutlierDetector(**FAST).fit(X)
    other, same = detector.score_samples(np.array([[9.0, 1, 1], [1, 1, 1]]))
    assert np.isfinite([other, same]).all()
    assert other < same


def test_weights_count_copies_of_residuals(X):
    weight = np.random.default_rng(0).integers(1, 3, size=len(X)).astype(float)
    options = {"epochs": 3, "batch_size": 1000, "random_state": 0, "corruption": None}
    options |= {"n_networks": 1, "error": "standardized", "threshold_on": "train"}
    weighted = ReconstructionOutlierDetector(**options).fit(X, sample_weight=weight)
    repeated = ReconstructionOutlierDetector(**options).fit(
        np.repeat(X, weight.astype(int), axis=0)
    )
    rows = np.random.default_rng(1).normal(size=(20, 6))
    expected = repeated.score_samples(rows)
    np.testing.assert_allclose(weighted.score_samples(rows), expected, rtol=1e-3)


def test_missing_entries(X):
    gaps = X.copy()
    gaps[::3, 1] = np.nan
    detector = ReconstructionOutlierDetector(allow_nan=True, **FAST).fit(gaps)
    errors = detector.feature_errors(gaps)
    assert np.isfinite(detector.score_samples(gaps)).all()
    assert (errors[::3, 1] == 0).all()
    np.testing.assert_allclose(errors.sum(axis=1), -detector.score_samples(gaps))


# --------------------------------------------------------------------- what auto is


@pytest.mark.parametrize(
    ("shape", "width"),
    [((3,), 128), ((20,), 128), ((21,), 19), ((5, 10), 19), ((900,), 19)],
)
def test_rows_of_more_values_than_there_are_rows_get_a_linear_network(shape, width):
    X = np.random.default_rng(0).normal(size=(20, *shape))
    detector = ReconstructionOutlierDetector(epochs=1, n_networks=1).fit(X)
    assert detector.latent_shape_ == (width,)
    network = detector.autoencoder_.architecture.network
    assert network.hidden_units == (() if width == 19 else (128,))


def test_a_linear_network_is_not_trained(X):
    wide = np.random.default_rng(0).normal(size=(20, 40))
    detector = ReconstructionOutlierDetector(random_state=0).fit(wide)
    assert len(detector.autoencoders_) == 10
    assert detector.n_iter_ == 1
    first = detector.autoencoder_
    rows = detector.scaler_.transform(wide)
    assert np.isfinite(detector.score_samples(wide)).all()
    assert np.square(rows - first.reconstruct_scaled(rows)).mean() < 0.9


@pytest.mark.parametrize("network", [None, DenseNetwork((8,))])
def test_defaults_of_dense_networks(network, X):
    auto = ReconstructionOutlierDetector(network=network, **FAST).fit(X)
    spelt_out = ReconstructionOutlierDetector(
        latent_dim=128,
        network=network or DenseNetwork((128,), latent_activation="relu"),
        learning_rate="one_cycle",
        corruption=GaussianNoise((0.1, 1.0)),
        error="nearest",
        n_networks=3,
        threshold_on="out_of_fold",
        **FAST,
    ).fit(X)
    assert np.array_equal(auto.score_samples(X), spelt_out.score_samples(X))
    assert auto.threshold_ == spelt_out.threshold_


def test_defaults_of_other_networks(X):
    network = ConvNetwork((4,), input_shape=(-1, 1))
    options = {"network": network, "epochs": 1, "random_state": 0}
    auto = ReconstructionOutlierDetector(**options).fit(X)
    spelt_out = ReconstructionOutlierDetector(
        latent_dim=4, corruption=None, error="standardized", **options
    ).fit(X)
    assert np.array_equal(auto.score_samples(X), spelt_out.score_samples(X))
    assert auto.feature_scale_ is not None


def test_noise_is_as_strong_as_the_scaled_columns_vary(X):
    wide = 100 * X[:, :1] * np.ones(6) + X
    one = {"scaler": None, "n_networks": 1, "threshold_on": "train", **FAST}
    auto = ReconstructionOutlierDetector(**one).fit(wide)
    deviation = np.sqrt(wide.astype(np.float32).var(axis=0).mean())
    noise = tuple(float(f"{share * deviation:.2g}") for share in (0.1, 1.0))
    spelt_out = ReconstructionOutlierDetector(
        corruption=GaussianNoise(noise), **one
    ).fit(wide)
    assert np.array_equal(auto.score_samples(wide), spelt_out.score_samples(wide))


def test_any_network_may_have_the_default_error(X):
    network = ConvNetwork((4,), input_shape=(-1, 1))
    detector = ReconstructionOutlierDetector(
        network=network, error="nearest", epochs=1, random_state=0
    ).fit(X)
    total = detector.feature_errors(X).sum(axis=1)
    np.testing.assert_allclose(total, -detector.score_samples(X), rtol=1e-9)


def test_parameters_of_the_default_network_can_be_set(X):
    detector = clone(ReconstructionOutlierDetector(**FAST))
    detector.set_params(network__activation="tanh")
    assert detector.network.hidden_units == (128,)


def test_the_rate_of_an_optimizer_or_callback_is_left_alone(X):
    class LearningRateScheduler:
        pass

    class Own(LearningRateScheduler):
        pass

    assert resolved_rate("auto", "adam", None) == "one_cycle"
    assert resolved_rate("auto", "Adam", [object()]) == "one_cycle"
    assert resolved_rate("auto", "sgd", None) is None
    assert resolved_rate("auto", object(), None) is None
    assert resolved_rate("auto", "adam", [Own()]) is None
    assert resolved_rate(0.1, "adam", None) == 0.1
    assert resolved_rate(None, "adam", None) is None
    assert resolved_rate("one_cycle", "sgd", None) == "one_cycle"


def test_a_pass_at_a_time_has_a_constant_rate(X):
    auto, own = (
        AutoencoderTransformer(2, learning_rate=rate, random_state=0).partial_fit(X)
        for rate in ("auto", None)
    )
    assert np.array_equal(auto.transform(X), own.transform(X))


def test_a_cycle_with_an_instance_is_an_error(X):
    import keras

    detector = ReconstructionOutlierDetector(
        optimizer=keras.optimizers.Adam(), learning_rate="one_cycle", **FAST
    )
    with pytest.raises(ValueError, match="learning_rate is 'one_cycle', but optimizer"):
        detector.fit(X)


# ---------------------------------------------------------------------- passes


def test_passes_compare_with_the_latest_rows(X):
    detector = ReconstructionOutlierDetector(n_networks=1, **FAST)
    for chunk in np.split(X, 4):
        detector.partial_fit(chunk)
    far = detector.score_samples(X + 20).max()
    for _ in range(12):
        detector.partial_fit(np.tile(X + 20, (2, 1)) + 0.01)
    assert detector.score_samples(X + 20).min() > far


def test_a_fit_forgets_the_rows_of_passes(X):
    detector = ReconstructionOutlierDetector(**FAST).partial_fit(X).fit(X)
    fitted = ReconstructionOutlierDetector(**FAST).fit(X)
    assert np.array_equal(detector.score_samples(X), fitted.score_samples(X))


def test_a_pass_after_a_fit_knows_its_rows(X):
    detector = ReconstructionOutlierDetector(**FAST).fit(X)
    before = detector.threshold_, detector.score_samples(X)
    detector.partial_fit(X[:4])
    assert 0.8 < detector.threshold_ / before[0] < 1.25
    correlation = np.corrcoef(detector.score_samples(X), before[1])[0, 1]
    assert correlation > 0.95
