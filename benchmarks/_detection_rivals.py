"""Who competes in ``detection.py``, each as a careful user writes it.

All are scikit-learn detectors, so that `skae.compare_detectors` takes them. None needs
to scale: the rows are standardised for all.
"""

import importlib.util
from dataclasses import dataclass

import numpy as np
from _detection_choices import CHOICES
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from sklearn.svm import OneClassSVM

from skae import ReconstructionOutlierDetector

N_NEIGHBORS = 5
KEPT_VARIANCE = 0.8
FLAGGED = 0.1
PYOD_BATCH = 32  # PyOD's default


@dataclass(frozen=True)
class Case:
    """What a detector is made for.

    Attributes
    ----------
    seed : int

    scores_training_rows : bool
        Whether the rows that are scored are those that are trained on. No row is then a
        neighbour of its own.

    training : dict
        Parameters of skae's estimators; none, unless quick.

    is_quick : bool
    """

    seed: int
    scores_training_rows: bool
    training: dict
    is_quick: bool


# ------------------------------------------------------------------------------ skae


def skae_default(case):
    """Return the detector that a user gets who sets nothing."""
    return ReconstructionOutlierDetector(random_state=case.seed, **case.training)


# ---------------------------------------------------------------------------- rivals


class ErrorDetector(OutlierMixin, BaseEstimator):
    """A detector made of errors; it flags the share ``FLAGGED`` of its training rows.

    Subclasses have ``learn(X)``, and ``errors(X)``, high where a row is odd.
    """

    def fit(self, X, y=None):
        self.learn(X)
        self.offset_ = -np.quantile(self.errors(X), 1 - FLAGGED)
        return self

    def score_samples(self, X):
        return -self.errors(X)

    def predict(self, X):
        return np.where(self.score_samples(X) >= self.offset_, 1, -1)


class PCAErrors(ErrorDetector):
    """PCA's reconstruction error, with as many components as keep 80 % of variance.

    A user who knows nothing about a table lets the variance choose the width. 80 % is
    the middle of what textbooks advise, 70 to 90 % (Jolliffe, Principal Component
    Analysis, 2002, section 6.1.1), and a stronger rival here than 90 %. All but one
    component are kept at most: with all of them, every row is reconstructed.
    """

    def learn(self, X):
        width = PCA(KEPT_VARIANCE, svd_solver="full").fit(X).n_components_
        self.pca_ = PCA(min(width, max(X.shape[1] - 1, 1))).fit(X)

    def errors(self, X):
        rows = self.pca_.inverse_transform(self.pca_.transform(X))
        return np.mean((rows - X) ** 2, axis=1)


class NeighborDistance(ErrorDetector):
    """The mean distance to the 5 nearest training rows."""

    def __init__(self, n_neighbors=N_NEIGHBORS, *, scores_training_rows=False):
        self.n_neighbors = n_neighbors
        self.scores_training_rows = scores_training_rows

    def learn(self, X):
        self.neighbors_ = NearestNeighbors().fit(X)
        self.n_rows_ = len(X)

    def errors(self, X):
        own = int(self.scores_training_rows)  # a training row is its own neighbour
        n_asked = min(self.n_neighbors + own, self.n_rows_)
        distances, _ = self.neighbors_.kneighbors(X, n_asked)
        return distances[:, own:].mean(axis=1)


class TrainingLOF(OutlierMixin, BaseEstimator):
    """LocalOutlierFactor of the rows that it is trained on, as it is meant for them."""

    def fit(self, X, y=None):
        self.lof_ = LocalOutlierFactor()
        self.flags_ = self.lof_.fit_predict(X)
        return self

    def score_samples(self, X):
        if len(X) != len(self.flags_):
            raise ValueError("TrainingLOF scores the rows that it was trained on.")
        return self.lof_.negative_outlier_factor_

    def predict(self, X):
        return self.flags_


class PyODDetector(OutlierMixin, BaseEstimator):
    """A network of PyOD on scikit-learn's scale, with PyOD's defaults.

    PyOD leaves an incomplete batch out: the batch is no larger than the table.
    """

    def __init__(self, name, *, random_state=0, params=None):
        self.name = name
        self.random_state = random_state
        self.params = params

    def fit(self, X, y=None):
        module = importlib.import_module(PYOD_MODULES[self.name])
        self.model_ = getattr(module, self.name)(
            batch_size=min(PYOD_BATCH, len(X)),
            random_state=self.random_state,
            verbose=0,
            **(self.params or {}),
        ).fit(X)
        return self

    def score_samples(self, X):
        return -self.model_.decision_function(X)

    def predict(self, X):
        return np.where(self.model_.predict(X) == 1, -1, 1)


PYOD_MODULES = {"AutoEncoder": "pyod.models.auto_encoder", "VAE": "pyod.models.vae"}


def _lof(case):
    if case.scores_training_rows:
        return TrainingLOF()
    return LocalOutlierFactor(novelty=True)


def _pyod(name):
    def make(case):
        params = {"epoch_num": 2} if case.is_quick else None
        return PyODDetector(name, random_state=case.seed, params=params)

    return make


RIVALS = {
    "PCA": lambda case: PCAErrors(),
    "IsolationForest": lambda case: IsolationForest(random_state=case.seed),
    "LOF": _lof,
    "OneClassSVM": lambda case: OneClassSVM(),  # gamma="scale" is its default
    "5-NN": lambda case: NeighborDistance(
        scores_training_rows=case.scores_training_rows
    ),
    "PyOD AE": _pyod("AutoEncoder"),
    "PyOD VAE": _pyod("VAE"),
}
# Package: the contenders that need it, and PyTorch below it.
OPTIONAL = {"pyod": ("PyOD AE", "PyOD VAE"), "torch": ("PyOD AE", "PyOD VAE")}


def contenders(names=None):
    """Return the contenders that can run, by name, and sentences on the others.

    Parameters
    ----------
    names : list of str, default=None
        Those to run; None: all.

    Returns
    -------
    makers : dict of str to callable
        From a Case to a detector.

    notes : tuple of str
    """
    everybody = {"skae": skae_default} | RIVALS
    chosen = names or list(everybody)
    everybody |= CHOICES
    missing = [name for name in OPTIONAL if importlib.util.find_spec(name) is None]
    absent = {name for package in missing for name in OPTIONAL[package]}
    makers = {name: everybody[name] for name in chosen if name not in absent}
    left_out = [name for name in chosen if name in absent]
    if not left_out:
        return makers, ()
    return makers, (
        f"Not installed ({', '.join(missing)}), and so not compared: "
        f"{', '.join(left_out)}.",
    )


def known(text):
    """Return the contenders that a command line names."""
    names = text.split(",")
    everybody = {"skae": skae_default} | RIVALS | CHOICES
    unknown = [name for name in names if name not in everybody]
    if unknown:
        raise ValueError(
            f"{unknown[0]!r} does not compete; choose from {', '.join(everybody)}"
        )
    return names
