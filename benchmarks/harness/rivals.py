"""What skae's errors and detectors are compared with, as a careful user writes it.

All are trained on normal rows and are scikit-learn detectors, which
`skae.compare_detectors` takes. Networks are in `harness.trainers`.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.decomposition import PCA
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors

N_NEIGHBORS = 5
KEPT_VARIANCE = 0.8
FLAGGED = 0.1
PYOD_BATCH = 32  # PyOD's default
PYOD_MODULES = {
    "AutoEncoder": "pyod.models.auto_encoder",
    "VAE": "pyod.models.vae",
    "ECOD": "pyod.models.ecod",
    "COPOD": "pyod.models.copod",
    "HBOS": "pyod.models.hbos",
}


def mean_squared_error(output: np.ndarray, target: np.ndarray) -> float:
    """Return the mean over all values, summed in float64."""
    return float(np.mean(np.square(output - target, dtype=np.float64)))


def pca_test_error(n_components: int, X_train: np.ndarray, X_test: np.ndarray) -> float:
    """Return PCA's mean squared error of reconstruction."""
    pca = PCA(n_components, random_state=0).fit(X_train)
    return mean_squared_error(pca.inverse_transform(pca.transform(X_test)), X_test)


def missing(packages: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Return those packages, and the contenders that need them, that are absent."""
    return {
        package: names
        for package, names in packages.items()
        if importlib.util.find_spec(package) is None
    }


class ErrorDetector(OutlierMixin, BaseEstimator):
    """A detector made of errors; it flags the share ``FLAGGED`` of its training rows.

    Subclasses have ``learn(X)``, and ``errors(X)``, high where a row is anomalous.
    """

    def fit(self, X, y=None):
        """Learn what errors need, and the threshold."""
        self.learn(X)
        self.offset_ = -np.quantile(self.errors(X), 1 - FLAGGED)
        return self

    def score_samples(self, X):
        """Return minus the errors."""
        return -self.errors(X)

    def predict(self, X):
        """Return +1 for inliers and -1 for outliers."""
        return np.where(self.score_samples(X) >= self.offset_, 1, -1)


class PCAErrors(ErrorDetector):
    """PCA's mean squared error of reconstruction, of each row.

    With ``n_components=None``, as many components as keep 80 % of variance. A user who
    knows nothing about a table lets the variance choose the width. 80 % is the middle
    of what textbooks advise, 70 to 90 % (Jolliffe, Principal Component Analysis, 2002,
    section 6.1.1), and a stronger rival here than 90 %. All but one component are kept
    at most: with all of them, every row is reconstructed.
    """

    def __init__(self, n_components=None):
        self.n_components = n_components

    def learn(self, X):
        """Fit PCA."""
        width = self.n_components
        if width is None:
            kept = PCA(KEPT_VARIANCE, svd_solver="full").fit(X).n_components_
            width = min(kept, max(X.shape[1] - 1, 1))
        self.pca_ = PCA(width, random_state=0).fit(X)

    def errors(self, X):
        """Return the mean squared errors."""
        rows = self.pca_.inverse_transform(self.pca_.transform(X))
        return np.mean((rows - X) ** 2, axis=1)


class NeighborDistance(ErrorDetector):
    """The mean distance to the 5 nearest training rows."""

    def __init__(self, n_neighbors=N_NEIGHBORS, *, scores_training_rows=False):
        self.n_neighbors = n_neighbors
        self.scores_training_rows = scores_training_rows

    def learn(self, X):
        """Keep the rows."""
        self.neighbors_ = NearestNeighbors().fit(X)
        self.n_rows_ = len(X)

    def errors(self, X):
        """Return the mean distances."""
        own = int(self.scores_training_rows)  # a training row is its own neighbour
        n_asked = min(self.n_neighbors + own, self.n_rows_)
        distances, _ = self.neighbors_.kneighbors(X, n_asked)
        return distances[:, own:].mean(axis=1)


class TrainingLOF(OutlierMixin, BaseEstimator):
    """LocalOutlierFactor of the rows that it is trained on, as it is meant for them."""

    def fit(self, X, y=None):
        """Fit, which scores the rows, too."""
        self.lof_ = LocalOutlierFactor()
        self.flags_ = self.lof_.fit_predict(X)
        return self

    def score_samples(self, X):
        """Return the factors of the training rows."""
        if len(X) != len(self.flags_):
            raise ValueError("TrainingLOF scores the rows that it was trained on.")
        return self.lof_.negative_outlier_factor_

    def predict(self, X):
        """Return +1 for inliers and -1 for outliers, of the training rows."""
        return self.flags_


class PyODDetector(OutlierMixin, BaseEstimator):
    """A network of PyOD on scikit-learn's scale, with PyOD's defaults but ``params``.

    PyOD leaves an incomplete batch out: the batch is no larger than the table.
    """

    def __init__(self, name="AutoEncoder", *, random_state=0, params=None):
        self.name = name
        self.random_state = random_state
        self.params = params

    def fit(self, X, y=None):
        """Train the network."""
        params: dict[str, Any] = {"batch_size": PYOD_BATCH, **(self.params or {})}
        params["batch_size"] = min(params["batch_size"], len(X))
        module = importlib.import_module(PYOD_MODULES[self.name])
        self.model_ = getattr(module, self.name)(
            random_state=self.random_state, verbose=0, **params
        ).fit(X)
        return self

    def score_samples(self, X):
        """Return minus PyOD's scores."""
        return -self.model_.decision_function(X)

    def predict(self, X):
        """Return +1 for inliers and -1 for outliers."""
        return np.where(self.model_.predict(X) == 1, -1, 1)


class PyODStatistics(PyODDetector):
    """A detector of PyOD without a network, on scikit-learn's scale."""

    def __init__(self, name="ECOD"):
        self.name = name

    def fit(self, X, y=None):
        """Learn the distribution of each column."""
        module = importlib.import_module(PYOD_MODULES[self.name])
        self.model_ = getattr(module, self.name)().fit(X)
        return self
