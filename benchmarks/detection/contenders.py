"""The contenders of ``detection.py``: the default detector, its rivals, other choices.

All are scikit-learn detectors, so that `skae.compare_detectors` takes them. None needs
to scale: the rows are standardised for all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from harness.rivals import (
    ErrorDetector,
    NeighborDistance,
    PCAErrors,
    PyODDetector,
    TrainingLOF,
    missing,
)
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from sklearn.svm import OneClassSVM

from skae import DenseNetwork, GaussianNoise, ReconstructionOutlierDetector, SwapNoise

OWN = "skae"


@dataclass(frozen=True)
class Case:
    """What a detector is made for."""

    seed: int
    scores_training_rows: bool  # no row is then a neighbour of its own
    training: dict[str, int]  # parameters of skae's estimators; none, unless quick
    is_quick: bool


Maker = Callable[[Case], Any]


def skae_default(case: Case) -> ReconstructionOutlierDetector:
    """Return the detector that a user gets who sets nothing."""
    return ReconstructionOutlierDetector(random_state=case.seed, **case.training)


# ---------------------------------------------------------------------------- rivals


def _lof(case: Case) -> Any:
    """Return LocalOutlierFactor as it is meant for the rows that are scored."""
    if case.scores_training_rows:
        return TrainingLOF()
    return LocalOutlierFactor(novelty=True)


def _pyod(name: str) -> Maker:
    """Return a function that makes a network of PyOD."""

    def make(case: Case) -> PyODDetector:
        params = {"epoch_num": 2} if case.is_quick else None
        return PyODDetector(name, random_state=case.seed, params=params)

    return make


RIVALS: dict[str, Maker] = {
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


# --------------------------------------------------------------------- other choices

# As the detector's notes describe ``error="latent"``.
N_NEIGHBORS = 5
MOST_ROWS, MOST_OF_CROWD = 5_000, 500
CROWD_SHARE = 0.1
SMALLEST_SHARE = 1e-3
# A squared distance below this share of a row's own square is that to itself.
ITSELF = 1e-10
# How far a row's place is from those of training, of its distances by rows, codes and
# crowd, the nearest tenth of the codes.
PLACES: dict[str, Callable[..., np.ndarray]] = {
    "default": lambda rows, codes, crowd: np.maximum((rows + codes) / 2, crowd),
    "rows": lambda rows, codes, crowd: rows,
    "codes": lambda rows, codes, crowd: codes,
    "crowd": lambda rows, codes, crowd: crowd,
    "codes and crowd": lambda rows, codes, crowd: np.maximum(codes, crowd),
    "rows and crowd": lambda rows, codes, crowd: np.maximum(rows, crowd),
}


class OtherPlace(ErrorDetector):
    """The default detector with another of the PLACES in its error.

    Written with scikit-learn's neighbours after the formula in the detector's notes.
    """

    def __init__(self, place="default", *, random_state=None, epochs="auto"):
        self.place = place
        self.random_state = random_state
        self.epochs = epochs

    def learn(self, X):
        """Train the default detector, and scale the distances of the training rows."""
        self.detector_ = ReconstructionOutlierDetector(
            random_state=self.random_state, epochs=self.epochs
        ).fit(X)
        scaled = self.detector_.scaler_.transform(X)
        _, once = np.unique(_some(scaled, MOST_ROWS), axis=0, return_index=True)
        n_crowd = max(N_NEIGHBORS, round(CROWD_SHARE * min(len(X), MOST_OF_CROWD)))
        rows = _Distance(_some(scaled, MOST_ROWS)[once], N_NEIGHBORS)
        self.measures_ = []
        for network in self.detector_.autoencoders_:
            codes = network.encode(X)
            distances = (
                rows,
                _Distance(_some(codes, MOST_ROWS)[once], N_NEIGHBORS),
                _Distance(_some(codes, MOST_OF_CROWD), n_crowd),
            )
            squared, *found = self._parts(network, distances, X)
            scales = [squared.mean() / _typical(one) for one in found]
            floor = SMALLEST_SHARE * squared.mean()
            self.measures_.append((network, distances, scales, floor))

    def errors(self, X):
        """Return the mean error of the networks."""
        found = []
        for network, distances, scales, floor in self.measures_:
            squared, *parts = self._parts(network, distances, X)
            scaled = [scale * one for scale, one in zip(scales, parts, strict=True)]
            place = np.maximum(PLACES[self.place](*scaled), floor)
            found.append(np.sqrt(squared * place))
        return np.mean(found, axis=0)

    def _parts(self, network, distances, X):
        """Return mean squared errors, and distances by rows, codes and crowd."""
        scaler = self.detector_.scaler_
        scaled, codes = scaler.transform(X), network.encode(X)
        restored = scaler.transform(network.reconstruct(X))
        squared = np.mean((restored - scaled) ** 2, axis=1)
        rows, near, crowd = distances
        return squared, rows.of(scaled), near.of(codes), crowd.of(codes)


class _Distance:
    """Mean squared distances to the nearest of some rows, per column."""

    def __init__(self, rows: np.ndarray, n_neighbors: int) -> None:
        n_asked = min(n_neighbors + 1, len(rows))
        self._neighbors = NearestNeighbors(n_neighbors=n_asked).fit(rows)

    def of(self, X: np.ndarray) -> np.ndarray:
        """Return the distance of each row; a row is not its own neighbour."""
        squared = np.square(self._neighbors.kneighbors(X)[0])
        itself = squared[:, :1] <= ITSELF * np.sum(X**2, axis=1, keepdims=True)
        others = np.where(itself, squared[:, 1:], squared[:, :-1])
        return others.mean(axis=1) / X.shape[1]


def _some(rows: np.ndarray, most: int) -> np.ndarray:
    """Return all rows, or as many as may be, at random."""
    if len(rows) <= most:
        return rows
    return rows[np.sort(np.random.default_rng(0).choice(len(rows), most, False))]


def _typical(distances: np.ndarray) -> float:
    """Return the median; where half of them are 0, the mean, or 1."""
    median = np.quantile(distances, 0.5, method="inverted_cdf")
    return float(median) or float(distances.mean()) or 1.0


class TwiceTheSteps(OutlierMixin, BaseEstimator):
    """The default detector with twice the steps of its two networks."""

    def __init__(self, *, random_state=None, epochs="auto"):
        self.random_state = random_state
        self.epochs = epochs

    def fit(self, X, y=None):
        """Train for as many epochs as give 1,400 steps."""
        epochs = self.n_epochs(X) if self.epochs == "auto" else self.epochs
        self.detector_ = ReconstructionOutlierDetector(
            random_state=self.random_state, epochs=epochs
        ).fit(X)
        return self

    def n_epochs(self, X):
        """Return the epochs, within the bounds that the default documents."""
        n_batches = ceil(len(X) / ReconstructionOutlierDetector().batch_size)
        most = round(60 * len(np.unique(X, axis=0)) / len(X))
        return max(10, min(ceil(1400 / n_batches), most))

    def score_samples(self, X):
        """Return the detector's scores."""
        return self.detector_.score_samples(X)

    def predict(self, X):
        """Return the detector's flags."""
        return self.detector_.predict(X)


_CHANGES: dict[str, dict[str, Any]] = {
    "error='mse'": {"error": "mse"},
    "the nearest rows only": {"class": OtherPlace, "place": "rows"},
    "the nearest codes only": {"class": OtherPlace, "place": "codes"},
    "the crowd only": {"class": OtherPlace, "place": "crowd"},
    "without the nearest rows": {"class": OtherPlace, "place": "codes and crowd"},
    "without the nearest codes": {"class": OtherPlace, "place": "rows and crowd"},
    "one network": {"n_networks": 1},
    "five networks": {"n_networks": 5},
    "corruption=None": {"corruption": None},
    "noise of 0.5": {"corruption": GaussianNoise(0.5)},
    "SwapNoise(0.3)": {"corruption": SwapNoise(0.3)},
    "a constant rate": {"learning_rate": None},
    "early stopping": {"validation_fraction": 0.05, "patience": 50, "n_networks": 2},
    "twice the steps": {"class": TwiceTheSteps},
    "200 epochs": {"epochs": 200},
    "a code of 8": {"latent_dim": 8},
    "a code of 32": {"latent_dim": 32},
    "one hidden layer": {"network": DenseNetwork((256,))},
}


def _changed(changes: dict[str, Any]) -> Maker:
    """Return a function that makes the default detector with some changes."""

    def make(case: Case) -> Any:
        params = {**changes, "random_state": case.seed, **case.training}
        return params.pop("class", ReconstructionOutlierDetector)(**params)

    return make


CHOICES = {f"{OWN}, {name}": _changed(changes) for name, changes in _CHANGES.items()}
ALL = {OWN: skae_default} | RIVALS | CHOICES


def available(
    names: list[str] | None = None,
    optional: dict[str, tuple[str, ...]] = OPTIONAL,
) -> tuple[dict[str, Maker], tuple[str, ...]]:
    """Return the contenders that can run, by name, and sentences on the others.

    Without names, they are the default detector and its rivals.
    """
    chosen = names or [OWN, *RIVALS]
    packages = missing(optional)
    absent = {name for needed in packages.values() for name in needed}
    makers = {name: ALL[name] for name in chosen if name not in absent}
    left_out = [name for name in chosen if name in absent]
    if not left_out:
        return makers, ()
    return makers, (
        f"Not installed ({', '.join(packages)}), and so not compared: "
        f"{', '.join(left_out)}.",
    )


def known(text: str) -> list[str]:
    """Return the contenders that a command line names."""
    names = text.split(",")
    unknown = [name for name in names if name not in ALL]
    if unknown:
        raise ValueError(
            f"{unknown[0]!r} does not compete; choose from {', '.join(ALL)}"
        )
    return names
