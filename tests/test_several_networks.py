"""A detector of several networks: the mean of what each alone would be."""

import pickle

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skae import (
    Conformal,
    ConvNetwork,
    DenseNetwork,
    GaussianNoise,
    ReconstructionOutlierDetector,
    outlier_roc_auc,
)
from skae import _engine as engine
from skae._autoencoder import Table, Training
from skae._autoencoder._train import network_seeds


class Watcher(keras.callbacks.Callback):
    """Does nothing."""


FAST = {"epochs": 4, "random_state": 0}


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    return rng.normal(size=(150, 2)) @ rng.normal(size=(2, 5)) + 0.1 * rng.normal(
        size=(150, 5)
    )


def detector(**params):
    return ReconstructionOutlierDetector(**{**FAST, **params})


@pytest.mark.parametrize("n", [2, 3, 5])
def test_each_network_leaves_out_a_part_of_the_rows(n, X):
    """As many folds as networks, but three; a row's error is the networks' mean."""
    noise = GaussianNoise(0.5)
    several = detector(error="mse", n_networks=n, corruption=noise).fit(X)
    kept = Training(None, Table(X), None, 0).folds(n)
    assert set(kept) == set(range(max(n, 3)))
    alone = []
    for number, seed in enumerate(network_seeds(0, n)):
        one = detector(error="mse", n_networks=1, random_state=seed)
        one.set_params(scaler=None, threshold_on="train", corruption=noise)
        scale = several.scaler_.transform
        alone.append(one.fit(scale(X)[kept != number]))
    rows = X[:20] + 1
    errors = [-one.score_samples(scale(rows)) for one in alone]
    np.testing.assert_allclose(-several.score_samples(rows), np.mean(errors, axis=0))
    assert len(several.calibration_errors_) == sum(kept < n)
    for made in ("encode", "reconstruct"):
        first = getattr(several, made)(X)
        assert np.array_equal(first, getattr(several.autoencoder_, made)(X))
    assert len(several.autoencoders_) == n


@pytest.mark.parametrize("error", ["mse", "standardized", "whitened", "nearest"])
def test_the_threshold_sees_rows_that_did_not_train_their_network(error):
    """On 60 rows of 30 columns networks learn by heart; the rate holds on new rows."""
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(5, 30))
    X, fresh = (
        rng.normal(size=(n, 5)) @ mix + 0.5 * rng.normal(size=(n, 30))
        for n in (60, 4000)
    )
    options = {"error": error, "n_networks": 3, "epochs": 300, "corruption": None}
    honest = detector(**options).fit(X)
    learned = detector(**options, threshold_on="train").fit(X)
    shares = [(one.predict(fresh) == -1).mean() for one in (honest, learned)]
    assert 0.01 < shares[0] < 0.25 < shares[1]


@pytest.mark.parametrize(
    ("params", "n"),
    [
        ({}, 3),
        ({"error": "mse"}, 1),
        ({"error": "mse", "n_networks": 2}, 2),
        ({"n_networks": 1}, 1),
        ({"patience": 1}, 1),
        ({"callbacks": [Watcher]}, 1),
        ({"patience": 1, "n_networks": 2}, 2),
        ({"network": ConvNetwork((2,), input_shape=(-1, 1))}, 1),
    ],
)
def test_what_auto_is(params, n, X):
    assert len(detector(**{"epochs": 1, **params}).fit(X).autoencoders_) == n


@pytest.mark.parametrize(("copies", "epochs"), [(1, 500), (5, 100), (100, 10)])
def test_copies_of_rows_count_as_epochs(copies, epochs):
    X = np.repeat(np.random.default_rng(0).normal(size=(30, 3)), copies, axis=0)
    fitted = detector(epochs="auto", network=DenseNetwork(()), n_networks=1)
    fitted.set_params(threshold_on="train").fit(X)
    assert fitted.n_iter_ == epochs


@pytest.mark.parametrize("error", ["mse", "nearest"])
def test_both_engines_train_the_same_detector(error, X):
    options = {"error": error, "network": DenseNetwork((6,)), "corruption": None}
    auto, numpy, in_keras = (
        detector(engine=engine, **options).fit(X)
        for engine in ("auto", "numpy", "keras")
    )
    assert np.array_equal(auto.score_samples(X), numpy.score_samples(X))
    np.testing.assert_allclose(
        in_keras.score_samples(X), auto.score_samples(X), rtol=1e-2
    )


def test_what_stands_against_an_engine_is_an_error(X):
    with pytest.raises(ValueError, match="engine"):
        detector(engine="numpy", callbacks=[Watcher]).fit(X)
    with pytest.raises(ValueError, match="The 'engine' parameter of"):
        detector(engine="torch").fit(X)


def test_fits_repeat_to_the_bit_and_pickle(X):
    one, again = (detector(n_networks=3).fit(X) for _ in range(2))
    loaded = pickle.loads(pickle.dumps(clone(one).fit(X)))
    scores = one.score_samples(X)
    assert np.array_equal(scores, again.score_samples(X))
    assert np.array_equal(scores, loaded.score_samples(X))


def test_memory_keeps_every_network(X, tmp_path, monkeypatch):
    first = detector(n_networks=3, memory=tmp_path).fit(X)
    monkeypatch.setattr(engine, "train", None)
    again = detector(n_networks=3, memory=tmp_path, threshold=1.0).fit(X)
    fewer = detector(n_networks=2, memory=tmp_path).fit(X)  # of three folds, too
    assert np.array_equal(first.score_samples(X), again.score_samples(X))
    assert len(fewer.autoencoders_) == 2


def test_a_warm_start_continues_every_network(X):
    warm = detector(n_networks=2, warm_start=True).fit(X)
    known = warm.autoencoders_
    begun = [one.history["loss"][0] for one in known]
    warm.set_params(n_networks=3).fit(X)
    assert len(warm.autoencoders_) == 3
    for before, after in zip(begun, warm.autoencoders_, strict=False):
        assert after.history["loss"][0] < before
    assert len(warm.set_params(n_networks=1).fit(X).autoencoders_) == 1


def test_passes_are_those_of_each_network_alone(X):
    options = {"error": "mse", "threshold_on": "train"}
    several = detector(n_networks=2, **options)
    each = [
        detector(n_networks=1, random_state=seed, **options)
        for seed in network_seeds(0, 2)
    ]
    for chunk in np.split(X, 3):
        for one in (several, *each):
            one.partial_fit(chunk)
    assert several.n_iter_ == 3
    expected = np.mean([one.score_samples(X) for one in each], axis=0)
    np.testing.assert_allclose(several.score_samples(X), expected, rtol=1e-12)


def test_passes_after_a_fit_continue_all(X):
    fitted = detector(n_networks=2).fit(X)
    before = [one.weights[0].copy() for one in fitted.autoencoders_]
    fitted.partial_fit(X)
    for old, one in zip(before, fitted.autoencoders_, strict=True):
        assert 0 < np.abs(old - one.weights[0]).max() < 0.1
        assert len(one.history["loss"]) == 5


def test_held_out_rows_train_none_of_them(X):
    fitted = detector(n_networks=2, threshold=Conformal(0.1)).fit(X)
    assert len(fitted.train_errors_) + len(fitted.calibration_errors_) == len(X)


def test_a_number_of_networks_can_be_searched(X):
    y = np.where(np.arange(len(X)) % 10 == 0, -1, 1)
    search = GridSearchCV(
        detector(epochs=1), {"n_networks": [1, 2]}, scoring=outlier_roc_auc, cv=2
    ).fit(X, y)
    assert search.best_params_["n_networks"] in (1, 2)


@pytest.mark.parametrize("n", [0, 1.5, "two"])
def test_wrong_numbers(n, X):
    with pytest.raises(ValueError, match="n_networks"):
        detector(n_networks=n).fit(X)
