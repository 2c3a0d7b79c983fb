"""Who competes: pipelines of one shape, each with a grid of its own to search.

All get the same scaled rows, and as many candidates: where the autoencoder tries widths
and threshold rules, PCA tries the same ones, and IsolationForest as many of its own two
parameters that matter most, its defaults among them.
"""

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted, validate_data

from skae._detector import ReconstructionOutlierDetector
from skae._validation import Interval, fit_context
from skae.metrics import reconstruction_error
from skae.networks import DenseNetwork
from skae.thresholds import Contamination, MeanStd, Quantile, as_threshold_rule

LATENT_DIMS = (2, 4, 8, 16)
THRESHOLDS = (MeanStd(1.0), MeanStd(2.0), Contamination(0.1), Quantile(0.95))
# In the order in which a table with few columns, and so with few widths, takes them.
MAX_FEATURES = (1.0, 0.5, 0.75, 0.25)
CONTAMINATIONS = ("auto", 0.02, 0.05, 0.1)


@dataclass(frozen=True)
class Contender:
    """A pipeline, and the grid in which its best parameters are looked for."""

    name: str
    pipeline: Pipeline
    grid: dict[str, Any]


def latent_dims(n_features, n_rows):
    """Return the widths to try: narrower than the table, and at least one."""
    widest = min(n_features, n_rows) - 1
    if widest < 4:
        return list(range(1, max(widest, 1) + 1))
    return [width for width in LATENT_DIMS if width <= widest]


def autoencoder(widths, thresholds, *, epochs, memory, seed):
    """Return the detector; its grid has no thresholds where none are given."""
    detector = ReconstructionOutlierDetector(
        # The pipeline scales, for all contenders alike.
        scaler=None,
        # Smaller and stopped earlier than by default: the search trains a dozen, while
        # somebody waits.
        network=DenseNetwork((128,)),
        patience=30,
        epochs=epochs,
        memory=memory,
        random_state=seed,
    )
    return _contender("autoencoder", detector, latent_dim=widths, threshold=thresholds)


def pca(widths, thresholds):
    """Return PCA reconstruction error, the linear autoencoder."""
    return _contender(
        "PCA reconstruction",
        PCAReconstruction(),
        latent_dim=widths,
        threshold=thresholds,
    )


def isolation_forest(widths, thresholds, *, seed):
    """Return IsolationForest with as many candidates as the others have."""
    return _contender(
        "IsolationForest",
        IsolationForest(random_state=seed),
        max_features=list(MAX_FEATURES[: len(widths)]),
        contamination=list(CONTAMINATIONS[: len(thresholds)]),
    )


def _contender(name, detector, **grid):
    """Return a contender whose rows are scaled first; columns keep their names."""
    pipeline = Pipeline([("scale", StandardScaler()), ("detector", detector)])
    grid = {
        f"detector__{name}": list(values) for name, values in grid.items() if values
    }
    return Contender(name, pipeline.set_output(transform="pandas"), grid)


class PCAReconstruction(OutlierMixin, BaseEstimator):
    """Outlier detection by the reconstruction error of PCA: the line to beat.

    Parameters
    ----------
    latent_dim : int, default=2
        Number of components.

    threshold : rule, float or None, default=None
        How the threshold is learned from the training errors; None is
        ``Contamination(0.1)``.

    Attributes
    ----------
    pca_ : PCA
        The fitted projection.

    offset_ : float
        Minus the threshold.
    """

    _parameter_constraints = {
        "latent_dim": [Interval(Integral, 1, None, closed="left")],
        "threshold": "no_validation",
    }

    def __init__(self, latent_dim=2, *, threshold=None):
        self.latent_dim = latent_dim
        self.threshold = threshold

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Fit PCA, and the threshold on its training errors; y is ignored."""
        X = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        # An int, because large tables get a randomized solver.
        self.pca_ = PCA(self.latent_dim, random_state=0).fit(X)
        rule = as_threshold_rule(self.threshold)
        self.offset_ = -rule.fit(self._errors(X)).threshold_
        return self

    def score_samples(self, X):
        """Return minus the reconstruction error of each row."""
        check_is_fitted(self)
        return -self._errors(validate_data(self, X, dtype=np.float64, reset=False))

    def decision_function(self, X):
        """Return ``score_samples(X) - offset_``: negative for outliers."""
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """Return +1 for inliers and -1 for outliers."""
        return np.where(self.decision_function(X) >= 0, 1, -1)

    def _errors(self, X):
        """Return the mean squared reconstruction error of each row."""
        return reconstruction_error(
            X, self.pca_.inverse_transform(self.pca_.transform(X))
        )
