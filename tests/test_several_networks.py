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
    ReconstructionOutlierDetector,
    outlier_roc_auc,
)
from skae import _engine as engine
from skae._autoencoder._train import network_seeds


class Watcher(keras.callbacks.Callback):
    """Does nothing."""


FAST = {"epochs": 4, "random_state": 0}
ERRORS = ["mse", "standardized", "latent"]


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    return rng.normal(size=(150, 2)) @ rng.normal(size=(2, 5)) + 0.1 * rng.normal(
        size=(150, 5)
    )


def detector(**params):
    return ReconstructionOutlierDetector(**{**FAST, **params})


def alone(X, error, n):
    """Return detectors of one network each, from the seeds of n."""
    seeds = network_seeds(0, n)
    assert len(set(seeds)) == n
    return [detector(error=error, n_networks=1, random_state=s).fit(X) for s in seeds]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_errors_are_the_mean_of_each_alone(n, error, X):
    several, each = detector(error=error, n_networks=n).fit(X), alone(X, error, n)
    rows = X[:20] + 1
    for made in ("score_samples", "feature_errors"):
        expected = np.mean([getattr(one, made)(rows) for one in each], axis=0)
        np.testing.assert_allclose(getattr(several, made)(rows), expected, rtol=1e-12)
    np.testing.assert_allclose(
        several.train_errors_, np.mean([one.train_errors_ for one in each], axis=0)
    )
    total = several.feature_errors(rows).sum(axis=1)
    np.testing.assert_allclose(total, -several.score_samples(rows))


def test_all_else_is_the_first_network(X):
    several, first = detector(n_networks=3).fit(X), alone(X, "latent", 3)[0]
    for made in ("encode", "reconstruct"):
        assert np.array_equal(getattr(several, made)(X), getattr(first, made)(X))
    assert several.history_ == first.history_
    assert several.r2_ == first.r2_
    assert several.autoencoder_ is several.autoencoders_[0]
    assert len(several.autoencoders_) == 3


@pytest.mark.parametrize(
    ("params", "n"),
    [
        ({}, 2),
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


@pytest.mark.parametrize(
    ("n_steps", "epochs"),
    [(1, (60, 60)), (25, (28, 60)), (50, (14, 30)), (200, (10, 10))],
)
def test_each_of_several_has_a_smaller_budget(n_steps, epochs):
    X = np.arange(4.0 * n_steps).reshape(-1, 1)
    params = {"epochs": "auto", "batch_size": 4, "network": DenseNetwork(())}
    several, one = (detector(n_networks=n, **params).fit(X) for n in (2, 1))
    assert (several.n_iter_, one.n_iter_) == epochs


@pytest.mark.parametrize(("copies", "epochs"), [(1, 60), (2, 30), (4, 15), (10, 10)])
def test_copies_of_rows_count_as_epochs(copies, epochs):
    X = np.repeat(np.random.default_rng(0).normal(size=(100, 3)), copies, axis=0)
    fitted = detector(epochs="auto", network=DenseNetwork(())).fit(X)
    assert fitted.n_iter_ == epochs


@pytest.mark.parametrize("error", ["mse", "latent"])
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
    fewer = detector(n_networks=2, memory=tmp_path).fit(X)
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
    several = detector(n_networks=2)
    each = [detector(n_networks=1, random_state=seed) for seed in network_seeds(0, 2)]
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
