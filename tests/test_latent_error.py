"""The detector's default error: reconstruction and code together."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from skae import (
    AutoencoderTransformer,
    ConvNetwork,
    DenseNetwork,
    GaussianNoise,
    ReconstructionOutlierDetector,
    reconstruction_error,
)
from skae._autoencoder import resolved_rate
from skae._row_errors import LatentScorer, latest_rows
from skae._row_errors._neighbors import Neighbors
from skae._row_errors._scorer import _typical

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
    return ReconstructionOutlierDetector(n_networks=1, **FAST).fit(X)


def parts(detector, X_train, X, n_far=20):
    """Return mean squared errors of rows, and three mean squared distances.

    These are the distances of scaled rows to the 5 nearest training rows, and those of
    codes to the 5 nearest and to ``n_far`` of them, of others where X are the training
    rows.
    """
    scale = detector.scaler_.transform
    squared = reconstruction_error(scale(X), scale(detector.reconstruct(X)))
    own = int(X is X_train)

    def distances(known, places):
        found = NearestNeighbors(n_neighbors=n_far + own).fit(known).kneighbors(places)
        return found[0][:, own:] ** 2 / places.shape[1]

    by_rows = distances(scale(X_train), scale(X))[:, :5].mean(axis=1)
    by_codes = distances(detector.encode(X_train), detector.encode(X))
    return squared, by_rows, by_codes[:, :5].mean(axis=1), by_codes.mean(axis=1)


def median(values):
    return np.quantile(values, 0.5, method="inverted_cdf")


def joined(squared, scaled):
    """Return the error, and where it is by the nearest neighbours."""
    rows, codes, wide = scaled
    near = (rows + codes) / 2
    return np.sqrt(squared * np.maximum(near, wide)), near > wide


@pytest.mark.parametrize("spread", [1, 0.1, 5])
def test_it_is_a_geometric_mean_of_error_and_distance(fitted_one, X, spread):
    rows = spread * np.random.default_rng(1).normal(size=(30, 6))
    squared, *distances = parts(fitted_one, X, X)
    mean, medians = squared.mean(), [median(distance) for distance in distances]
    squared, *distances = parts(fitted_one, X, rows)
    scaled = (mean * d / m for d, m in zip(distances, medians, strict=True))
    expected, by_near = joined(squared, scaled)
    assert by_near.any()
    np.testing.assert_allclose(-fitted_one.score_samples(rows), expected, rtol=1e-5)


def test_training_errors_are_its_own(fitted_one, X):
    squared, *distances = parts(fitted_one, X, X)
    scaled = (one * squared.mean() / median(one) for one in distances)
    expected, by_near = joined(squared, scaled)
    assert by_near.any()
    assert not by_near.all()
    np.testing.assert_allclose(fitted_one.train_errors_, expected, rtol=1e-5)


@pytest.mark.parametrize("weight", [None, [1, 1, 2, 1, 3]])
def test_what_is_typical_of_distances(weight):
    distances = np.array([0.3, 0.1, 0.9, 0.2, 0.4])
    copies = np.repeat(distances, 1 if weight is None else weight)
    assert _typical(distances, weight) == median(copies)
    distances[[1, 2, 4]] = 0  # most: there is no median to measure by
    mean = np.average(distances, weights=weight)
    assert _typical(distances, weight) == pytest.approx(mean)


def test_a_group_of_outliers_among_the_training_rows_stands_out():
    rng = np.random.default_rng(0)
    outliers = 4 + 0.05 * rng.normal(size=(12, 6))
    X = np.concatenate([rng.normal(size=(400, 6)), outliers])
    y = np.repeat([1, -1], [400, 12])
    detector = ReconstructionOutlierDetector(random_state=0).fit(X)
    codes = [one.encode(X) for one in detector.autoencoders_]
    scorer = LatentScorer.learn(detector.autoencoders_, X)
    near, far = (
        np.mean([one.distances(c) for one, c in zip(kept, codes, strict=True)], axis=0)
        for kept in (scorer.codes, scorer.wide)
    )
    assert roc_auc_score(y == -1, far) > 0.95 > roc_auc_score(y == -1, near)


@pytest.mark.parametrize("error", ["latent", "mse", "standardized"])
@pytest.mark.parametrize("size", [1e100, 1e200, 1e308])
def test_absurd_rows_have_the_largest_errors(error, size, X):
    detector = ReconstructionOutlierDetector(error=error, **FAST).fit(X)
    rows = np.concatenate([np.full((1, 6), size), X[:3]])
    scores = detector.score_samples(rows)
    assert scores[0] == scores.min() < -1e100
    np.testing.assert_allclose(scores[1:], detector.score_samples(X[:3]), rtol=1e-9)
    assert detector.predict(rows)[0] == -1


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
    assert (fitted.predict(X) == -1).sum() == 20


def test_parts_of_features_add_up(fitted, fitted_one, X):
    errors = fitted.feature_errors(X)
    np.testing.assert_allclose(errors.sum(axis=1), -fitted.score_samples(X), rtol=1e-12)
    errors, scale = fitted_one.feature_errors(X), fitted_one.scaler_.transform
    squared = (scale(X) - scale(fitted_one.reconstruct(X))) ** 2
    shares = squared / squared.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
        errors / errors.sum(axis=1, keepdims=True), shares, rtol=1e-6
    )


def test_rows_may_lie_far_from_zero(X):
    near, far = (
        ReconstructionOutlierDetector(scaler=None, corruption=None, **FAST).fit(rows)
        for rows in (X, X + 1e5)
    )
    distances = [
        LatentScorer.learn([one.autoencoder_], rows).rows.distances(rows - rows.mean(0))
        for one, rows in ((near, X), (far, X + 1e5))
    ]
    np.testing.assert_allclose(*distances, rtol=1e-4)


@pytest.mark.parametrize("n", [1, 3])
def test_distances_of_rows_are_found_once_for_all_networks(n, X, monkeypatch):
    detector = ReconstructionOutlierDetector(n_networks=n, **FAST).fit(X)
    widths, found = [], Neighbors.distances

    def counted(self, codes):
        widths.append(codes.shape[1])
        return found(self, codes)

    monkeypatch.setattr(Neighbors, "distances", counted)
    detector.score_samples(X)
    assert sorted(widths) == [6, *[8] * n]


def test_of_wide_rows_fewer_are_kept():
    X = np.random.default_rng(0).normal(size=(50, 20, 15))
    detector = ReconstructionOutlierDetector(**FAST).fit(X)
    scorer = LatentScorer.learn(detector.autoencoders_, X, most_numbers=6000)
    assert scorer.rows.codes.shape == (20, 300)
    assert [len(one.codes) for one in scorer.codes] == [50, 50]


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


def test_weights_count_copies_among_neighbours(X):
    weight = np.random.default_rng(0).integers(1, 3, size=len(X)).astype(float)
    options = {"epochs": 3, "batch_size": 1000, "random_state": 0, "corruption": None}
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
    [((3,), 8), ((35,), 8), ((36,), 9), ((5, 10), 12), ((128,), 32), ((900,), 32)],
)
def test_codes_of_wide_rows_are_wider(shape, width):
    X = np.random.default_rng(0).normal(size=(20, *shape))
    detector = ReconstructionOutlierDetector(epochs=1, n_networks=1).fit(X)
    assert detector.latent_shape_ == (width,)


@pytest.mark.parametrize("network", [None, DenseNetwork((8,))])
def test_defaults_of_dense_networks(network, X):
    auto = ReconstructionOutlierDetector(network=network, **FAST).fit(X)
    spelt_out = ReconstructionOutlierDetector(
        latent_dim=8,
        network=network or DenseNetwork(hidden_units=(256, 64)),
        learning_rate="one_cycle",
        corruption=GaussianNoise((0.1, 2.0)),
        error="latent",
        n_networks=2,
        **FAST,
    ).fit(X)
    assert np.array_equal(auto.score_samples(X), spelt_out.score_samples(X))


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
    auto = ReconstructionOutlierDetector(scaler=None, **FAST).fit(wide)
    deviation = np.sqrt(wide.astype(np.float32).var(axis=0).mean())
    noise = tuple(float(f"{share * deviation:.2g}") for share in (0.1, 2.0))
    spelt_out = ReconstructionOutlierDetector(
        scaler=None, corruption=GaussianNoise(noise), **FAST
    ).fit(wide)
    assert np.array_equal(auto.score_samples(wide), spelt_out.score_samples(wide))


def test_any_network_may_have_the_latent_error(X):
    network = ConvNetwork((4,), input_shape=(-1, 1))
    detector = ReconstructionOutlierDetector(
        network=network, error="latent", epochs=1, random_state=0
    ).fit(X)
    total = detector.feature_errors(X).sum(axis=1)
    np.testing.assert_allclose(total, -detector.score_samples(X), rtol=1e-9)


def test_parameters_of_the_default_network_can_be_set(X):
    detector = clone(ReconstructionOutlierDetector(**FAST))
    detector.set_params(network__activation="tanh")
    assert detector.network.hidden_units == (256, 64)


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


def test_passes_compare_with_the_rows_of_earlier_ones(X):
    detector = ReconstructionOutlierDetector(n_networks=1, random_state=0)
    for chunk in np.split(X, 4):
        detector.partial_fit(chunk)
    squared, *distances = parts(detector, X, X)
    # In units of the latest rows, which alone have errors of training.
    mean, latest = squared[-50:].mean(), [one[-50:] for one in distances]
    scales = [mean / median(one) for one in latest]
    scaled = (scale * one for scale, one in zip(scales, distances, strict=True))
    expected, _ = joined(squared, scaled)
    np.testing.assert_allclose(-detector.score_samples(X), expected, rtol=1e-5)


def test_rows_that_pass_again_are_compared_once(X):
    once, again = (ReconstructionOutlierDetector(random_state=0) for _ in range(2))
    once.partial_fit(X)
    again.partial_fit(X).partial_fit(X)
    assert (again.train_errors_ > 0).all()
    rows = latest_rows(latest_rows(X[:0], X), X)
    assert np.array_equal(rows, X)


def test_only_the_latest_rows_are_kept(X):
    kept = X[:0]
    for chunk in np.split(X, 4):
        kept = latest_rows(kept, chunk, most=60)
    assert np.array_equal(kept, X[-60:])
    assert np.array_equal(latest_rows(kept, X[-70:-50], most=60)[-20:], X[-70:-50])


def test_a_fit_forgets_the_rows_of_passes(X):
    detector = ReconstructionOutlierDetector(**FAST).partial_fit(X).fit(X)
    fitted = ReconstructionOutlierDetector(**FAST).fit(X)
    assert np.array_equal(detector.score_samples(X), fitted.score_samples(X))
