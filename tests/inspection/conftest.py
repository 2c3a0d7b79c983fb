"""Stand-ins for the estimators: principal components with the contract's names.

The displays know pictures, so all that they need of an estimator is its contract; a
linear one keeps these tests fast and its numbers exact.
"""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA


@pytest.fixture(autouse=True)
def closed_figures():
    """Close the figures of each test, and check that matplotlib's style is kept."""
    style_before = dict(plt.rcParams)
    yield
    plt.close("all")
    assert dict(plt.rcParams) == style_before


class LinearTransformer(BaseEstimator):
    """A linear autoencoder of rows of any shape."""

    def __init__(self, latent_dim=2, restored=True):
        self.latent_dim = latent_dim
        self.restored = restored

    def fit(self, X, y=None):
        if hasattr(X, "columns"):
            self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        flat = self._flat(X)
        self.input_shape_ = np.shape(X)[1:]
        self.pca_ = PCA(self.latent_dim, svd_solver="full").fit(flat)
        self.autoencoder_ = SimpleNamespace(restored=self.restored)
        self.history_ = {
            "loss": [3.0, 2.0, 0.5, 1.0],
            "val_loss": [3.0, 2.0, 2.5, 2.7],
        }
        return self

    def _flat(self, X):
        return np.asarray(X, dtype=np.float64).reshape(len(X), -1)

    def transform(self, X):
        return self.pca_.transform(self._flat(X))

    def reconstruct(self, X):
        rows = self.pca_.inverse_transform(self.transform(X))
        return rows.reshape(-1, *self.input_shape_)

    def score_samples(self, X):
        return -self._flat((np.asarray(X) - self.reconstruct(X)) ** 2).mean(axis=1)


class LinearDetector(LinearTransformer):
    """A detector on the linear autoencoder; it encodes and does not transform."""

    transform = None

    def fit(self, X, y=None):
        super().fit(X)
        self.train_errors_ = -self.score_samples(X)
        self.threshold_ = float(np.quantile(self.train_errors_, 0.9))
        return self

    def encode(self, X):
        return LinearTransformer.transform(self, X)

    def reconstruct(self, X):
        rows = self.pca_.inverse_transform(self.encode(X))
        return rows.reshape(-1, *self.input_shape_)

    def predict(self, X):
        return np.where(-self.score_samples(X) <= self.threshold_, 1, -1)

    def feature_errors(self, X):
        n_features = np.prod(self.input_shape_)
        return (np.asarray(X) - self.reconstruct(X)) ** 2 / n_features


class LinearDenoiser(BaseEstimator):
    """A denoiser that only predicts."""

    def fit(self, X, y=None):
        self.model_ = LinearTransformer().fit(X)
        return self

    def predict(self, X):
        return self.model_.reconstruct(X)


@pytest.fixture(scope="session")
def waves():
    """Rows of 60 points on two sines, the last three with a spike."""
    rng = np.random.default_rng(0)
    time = np.linspace(0, 6, 60)
    basis = np.stack([np.sin(time), np.cos(2 * time)])
    X = rng.normal(size=(120, 2)) @ basis + 0.05 * rng.normal(size=(120, 60))
    X[-3:, 20:24] += 4
    return X


@pytest.fixture(scope="session")
def labels():
    """Labels of `waves`."""
    return np.repeat([1, -1], [117, 3])


@pytest.fixture(scope="session")
def images():
    """Gray images of 8 by 8 pixels and one channel."""
    return np.random.default_rng(1).uniform(size=(30, 8, 8, 1))


@pytest.fixture(scope="session")
def transformer(waves):
    return LinearTransformer(latent_dim=4).fit(waves)


@pytest.fixture(scope="session")
def detector(waves):
    return LinearDetector(latent_dim=2).fit(waves[:-3])


@pytest.fixture(scope="session")
def image_detector(images):
    return LinearDetector(latent_dim=3).fit(images)


@pytest.fixture(scope="session")
def denoiser(waves):
    return LinearDenoiser().fit(waves)
