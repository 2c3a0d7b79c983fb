"""Tests of DenoisingRegressor in addition to what all estimators share."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import r2_score

from skae import DenoisingRegressor, DenseNetwork, GaussianNoise, make_heartbeats


def quick(**params):
    return DenoisingRegressor(**{"epochs": 3, "random_state": 0, **params})


@pytest.fixture(scope="module")
def pairs():
    rng = np.random.default_rng(0)
    clean = rng.normal(size=(80, 2)) @ rng.normal(size=(2, 6))
    return clean + 0.3 * rng.normal(size=clean.shape), clean


@pytest.mark.parametrize(
    "target_shape", [(), (1,), (3,), (6,), (4, 2)], ids=lambda shape: f"y{shape}"
)
def test_any_real_target(pairs, target_shape):
    X, _ = pairs
    y = np.random.default_rng(1).normal(50, 5, size=(80, *target_shape))
    denoiser = quick(epochs=200, batch_size=40).fit(X, y)
    assert denoiser.predict(X).shape == y.shape
    # The target's own scale is learned, whatever X's.
    assert abs(denoiser.predict(X).mean() - 50) < 5


def test_images_to_images():
    X = np.random.default_rng(0).normal(size=(20, 5, 4, 1))
    assert quick().fit(X, X).predict(X).shape == X.shape


def test_target_of_the_shape_of_X_shares_its_scaler(pairs):
    X, y = pairs
    same = quick().fit(X, y)
    assert same.autoencoder_.target_scaler is same.autoencoder_.scaler
    other = quick().fit(X, y[:, :3])
    assert other.autoencoder_.target_scaler is not other.autoencoder_.scaler
    np.testing.assert_allclose(
        other.autoencoder_.target_scaler.center_, y[:, :3].mean(0)
    )


def test_score_is_variance_weighted_r2_of_flattened_rows(pairs):
    X, y = pairs
    denoiser = quick(epochs=30).fit(X, y)
    expected = r2_score(y, denoiser.predict(X), multioutput="variance_weighted")
    assert denoiser.score(X, y) == pytest.approx(expected)
    assert denoiser.r2_ == pytest.approx(expected)
    mse = ((y - denoiser.predict(X)) ** 2).mean()
    assert denoiser.reconstruction_err_ == pytest.approx(mse)
    weight = np.arange(80.0)
    weighted = r2_score(
        y, denoiser.predict(X), sample_weight=weight, multioutput="variance_weighted"
    )
    assert denoiser.score(X, y, weight) == pytest.approx(weighted)
    images, clean = X.reshape(80, 3, 2), y.reshape(80, 3, 2)
    assert np.isfinite(quick().fit(images, clean).score(images, clean))


def test_score_without_y_damages_X_the_same_way_each_time(pairs):
    _, clean = pairs
    weak = quick(corruption=GaussianNoise(0.01), epochs=300).fit(clean)
    assert weak.score(clean) == weak.score(clean)
    undamaged = weak.score(clean, clean)
    assert weak.score(clean) == pytest.approx(undamaged, abs=0.01)
    strong = clone(weak).set_params(corruption__std=3.0).fit(clean)
    assert strong.score(clean) < undamaged - 0.05


def test_corruption_with_y_damages_X_only(pairs):
    X, y = pairs
    plain = quick(epochs=1, validation_fraction=None).fit(X, y)
    damaged = quick(
        epochs=1, validation_fraction=None, corruption=GaussianNoise(2.0)
    ).fit(X, y)
    assert damaged.history_["loss"][0] != plain.history_["loss"][0]
    np.testing.assert_allclose(
        damaged.autoencoder_.target_scaler.center_, X.mean(axis=0)
    )


def test_y_is_required_without_corruption(pairs):
    X, _ = pairs
    assert DenoisingRegressor().__sklearn_tags__().target_tags.required
    with_noise = DenoisingRegressor(corruption=GaussianNoise(0.1))
    assert not with_noise.__sklearn_tags__().target_tags.required
    message = "requires y to be passed, but the target y is None.*GaussianNoise"
    with pytest.raises(ValueError, match=message):
        quick().fit(X)
    with pytest.raises(ValueError, match=message):
        quick().fit(X, X).score(X)


def test_validation_rows_and_targets_come_together(pairs):
    X, y = pairs
    with pytest.raises(ValueError, match="y is given, but y_val is None"):
        quick().fit(X, y, X_val=X)
    with pytest.raises(ValueError, match="y_val is given, but y is None"):
        quick(corruption=GaussianNoise(0.1)).fit(X, X_val=X, y_val=y)
    with pytest.raises(ValueError, match=r"y_val has rows of shape \(2,\), but y has"):
        quick().fit(X, y, X_val=X, y_val=y[:, :2])


def test_wrong_targets(pairs):
    X, y = pairs
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        quick().fit(X, y[:10])
    with pytest.raises(ValueError, match="y contains NaN"):
        quick().fit(X, np.full(80, np.nan))
    with pytest.raises(ValueError, match=r"y has shape \(80, 2\), but predictions"):
        quick().fit(X, y).score(X, y[:, :2])


def test_workflow_from_clean_data():
    X, _ = make_heartbeats(n_samples=300, outlier_fraction=0.0, random_state=0)
    denoiser = DenoisingRegressor(
        corruption=GaussianNoise(0.2), epochs=50, random_state=0
    ).fit(X)
    noise = np.random.default_rng(0).normal(scale=0.5, size=X.shape)
    noisy = X + noise * denoiser.scaler_.scale_
    before = ((noisy - X) ** 2).mean()
    after = ((denoiser.predict(noisy) - X) ** 2).mean()
    assert after < 0.7 * before


def test_network_can_be_searched_by_its_name():
    denoiser = DenoisingRegressor().set_params(network=DenseNetwork((4,)))
    assert denoiser.get_params()["network__hidden_units"] == (4,)
