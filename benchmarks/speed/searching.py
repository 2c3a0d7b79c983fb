"""The cases of ``speed.py`` about searches: many fits, and what they leave behind."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from harness.data import ecg_split, in_unit_range
from harness.jobs import Bar, Findings, Measurement
from harness.machine import import_keras, in_turn, run_process, timed
from harness.networks import ecg_detector
from harness.trainers import ECG_BATCH_SIZE, ECG_EPOCHS, scikeras
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV

from skae import InlierKFold, Quantile, ReconstructionOutlierDetector, outlier_f1
from speed import JOBS, SECONDS, faster

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.jobs import Size

WIDTHS = (2, 4, 8, 12, 16)
LEVELS = (0.8, 0.84, 0.88, 0.9, 0.92, 0.94, 0.95, 0.96, 0.98, 0.99)
N_FOLDS = 3
N_SEARCHES = 5
# 150 trainings each: minutes.
N_RIVAL_SEARCHES = 1
# Training rows of the default detector, of which further thresholds are learned.
N_ROWS = 2000
FURTHER = "ms of a further threshold, once the networks are in memory"
DEFAULTS = "skae, defaults"


class SciKerasDetector(OutlierMixin, BaseEstimator):
    """The tutorials' detector around SciKeras's wrapper, as a user would write it."""

    def __init__(self, latent_dim=8, level=0.95, epochs=ECG_EPOCHS):
        self.latent_dim = latent_dim
        self.level = level
        self.epochs = epochs

    def fit(self, X, y=None):
        """Train on the normal rows, and put the threshold at a quantile."""
        normals = X if y is None else X[y == 1]
        self.network_ = scikeras(
            build_network,
            normals,
            model__latent_dim=self.latent_dim,
            loss="mae",
            epochs=self.epochs,
            batch_size=ECG_BATCH_SIZE,
        )
        self.threshold_ = np.quantile(self.errors(normals), self.level)
        return self

    def score_samples(self, X):
        """Return minus the mean absolute error of each row."""
        return -self.errors(X)

    def predict(self, X):
        """Return +1 for inliers and -1 for outliers."""
        return np.where(self.errors(X) <= self.threshold_, 1, -1)

    def errors(self, X):
        """Return the mean absolute error of each row."""
        return np.mean(np.abs(self.network_.predict(X, batch_size=2048) - X), axis=1)


def build_network(latent_dim: int = 8) -> Any:
    """Return the layers 140-32-16 and back around a code, for SciKeras.

    With the same seeds every time: else Keras draws them from the process's state.
    """
    import keras
    from harness.keras_networks import AnomalyDetector

    detector = AnomalyDetector(0, latent_dim)
    layers = *detector.encoder.layers, *detector.decoder.layers
    return keras.Sequential([keras.Input((140,)), *layers])


@dataclass(frozen=True)
class Search:
    """What is searched over, and for how many epochs networks train."""

    widths: tuple[int, ...]
    levels: tuple[float, ...]
    epochs: int
    training: dict[str, int]  # parameters of the default detector; none, unless quick

    def by_skae(
        self,
        X: np.ndarray,
        y: np.ndarray,
        seed: int,
        memory: str | None = None,
        n_jobs: int | None = None,
    ) -> float:
        """Return the best test F1 that skae's detector finds."""
        detector = ecg_detector(seed, self.epochs).set_params(memory=memory)
        return self._best_of_skae(detector, X, y, n_jobs)

    def remembering(
        self, X: np.ndarray, y: np.ndarray, seed: int, n_jobs: int | None = None
    ) -> float:
        """Return the same, each network trained once per fold."""
        with tempfile.TemporaryDirectory() as folder:
            return self.by_skae(X, y, seed, folder, n_jobs)

    def by_defaults(self, X: np.ndarray, y: np.ndarray, seed: int) -> float:
        """Return the best test F1 of the default detector, with memory."""
        with tempfile.TemporaryDirectory() as folder:
            detector = ReconstructionOutlierDetector(
                memory=folder, random_state=seed, **self.training
            )
            return self._best_of_skae(detector, X, y)

    def _best_of_skae(
        self,
        detector: ReconstructionOutlierDetector,
        X: np.ndarray,
        y: np.ndarray,
        n_jobs: int | None = None,
    ) -> float:
        """Return the best test F1 over widths and thresholds."""
        thresholds = [Quantile(level) for level in self.levels]
        grid = {"latent_dim": self.widths, "threshold": thresholds}
        return _best_score(detector, grid, X, y, n_jobs)

    def by_scikeras(self, X: np.ndarray, y: np.ndarray, seed: int) -> float:
        """Return the best test F1 in a search over the rival."""
        grid = {"latent_dim": self.widths, "level": self.levels}
        return _best_score(SciKerasDetector(epochs=self.epochs), grid, X, y)

    def by_hand(self, X: np.ndarray, y: np.ndarray, seed: int) -> float:
        """Train each of the rival's networks once per fold, and try all thresholds."""
        scores = np.zeros((len(self.widths), len(self.levels), N_FOLDS))
        for fold, (train, test) in enumerate(InlierKFold(N_FOLDS).split(X, y)):
            for i, width in enumerate(self.widths):
                detector = SciKerasDetector(width, epochs=self.epochs).fit(X[train])
                errors, of_test = (detector.errors(X[rows]) for rows in (train, test))
                for j, level in enumerate(self.levels):
                    flagged = of_test > np.quantile(errors, level)
                    scores[i, j, fold] = f1_score(y[test] == -1, flagged)
        best = scores.mean(axis=2)
        i, j = np.unravel_index(best.argmax(), best.shape)
        SciKerasDetector(self.widths[i], self.levels[j], self.epochs).fit(X, y)
        return best.max()


def _best_score(
    detector: BaseEstimator,
    grid: dict[str, Any],
    X: np.ndarray,
    y: np.ndarray,
    n_jobs: int | None = None,
) -> float:
    """Return the best mean test F1 of a search."""
    cv = InlierKFold(N_FOLDS)
    search = GridSearchCV(detector, grid, scoring=outlier_f1, cv=cv, n_jobs=n_jobs)
    return search.fit(X, y).best_score_


@JOBS.job("grid-search", one_value_per="search")
def grid_search(size: Size) -> Findings:
    """A grid search on ECG5000: 5 widths x 10 thresholds x 3 folds, and the refit.

    The tutorials' detector; thresholds are quantiles. skae runs with ``memory``, new
    for every search: each network is trained once per fold. The rivals wrap SciKeras's
    KerasRegressor: one in the same GridSearchCV, the other written by hand, training
    each network once per fold, too. They search once, after skae's searches, not in
    turn with them; their layers have seeds, their batch order has none, since setting
    TensorFlow's costs time. Every search takes the rows in another order. F1 is the
    best mean over the test folds, of the outliers.

    "skae, defaults" is the default detector, whose error looks for neighbours, in the
    same search with ``memory``. A further threshold is a fit to 2,000 rows with a rule
    that is new, while the networks are in memory: one value for each of 10 rules.
    """
    import_keras()
    split = in_unit_range(ecg_split(size))
    axes = (WIDTHS[:1], LEVELS[:2]) if size.is_quick else (WIDTHS, LEVELS)
    search = Search(*axes, size.count(ECG_EPOCHS), size.training())
    skae = {
        "skae": search.remembering,
        "skae, n_jobs=2": functools.partial(search.remembering, n_jobs=2),
        "skae, memory=None": search.by_skae,
        DEFAULTS: search.by_defaults,
    }
    rivals = {"SciKeras": search.by_scikeras, "SciKeras, by hand": search.by_hand}

    def rounds(
        contenders: dict[str, Callable], n_rounds: int
    ) -> dict[str, list[tuple[float, float]]]:
        found = {name: [] for name in contenders}
        for turn in range(n_rounds):
            order = np.random.default_rng(turn).permutation(len(split.X_train))
            X, y = split.X_train[order], split.y_train[order]
            for name, contender in in_turn(contenders, turn):
                seconds, score = timed(contender, X, y, seed=turn)
                found[name].append((seconds, 1 - score))
        return found

    if not size.is_quick:
        for contender in skae.values():  # joblib's workers start, too
            contender(split.X_train[::4], split.y_train[::4], seed=99)
    found = rounds(skae, min(size.n_repeats, N_SEARCHES))
    found |= rounds(rivals, min(size.n_repeats, N_RIVAL_SEARCHES))
    measured = []
    for i, quantity in enumerate((SECONDS, "1 - F1")):
        for name, values in found.items():
            measured.append(Measurement(quantity, name, tuple(v[i] for v in values)))
    mine = np.median([seconds for seconds, _ in found["skae"]])
    for rival in rivals:
        ratio = np.median([seconds for seconds, _ in found[rival]]) / mine
        bar = Bar(">=", 60) if rival == "SciKeras" else None
        measured.append(
            Measurement(f"median {faster(rival)[0]}", "skae", (ratio,), bar)
        )
    further = _further_thresholds(split.normals[:N_ROWS], size)
    return Findings([*measured, Measurement(FURTHER, DEFAULTS, further, Bar("<=", 8))])


def _further_thresholds(X: np.ndarray, size: Size) -> tuple[float, ...]:
    """Return the milliseconds of fits that find their networks, one for each rule."""
    with tempfile.TemporaryDirectory() as folder:
        detector = ReconstructionOutlierDetector(
            memory=folder, random_state=0, threshold=Quantile(0.5), **size.training()
        ).fit(X)
        again = [
            clone(detector).set_params(threshold=Quantile(level)) for level in LEVELS
        ]
        return tuple(1000 * timed(one.fit, X)[0] for one in again)


@JOBS.job("many-fits", one_value_per="process")
def many_fits(size: Size) -> Findings:
    """200 fits of varying shape in one process: does memory grow?

    The default detector for two epochs, in a process of its own per repeat, on 50 to
    2,000 rows of 5 to 100 columns. "in NumPy" trains as it is; "in TensorFlow" has
    batch normalisation, so that every shape builds and traces a program: one network
    each, and one repeat, since that takes minutes. Growth is of resident memory, after
    the first 20 fits.
    """
    n_fits = 2 if size.is_quick else 200
    kinds = {
        "skae, in NumPy": ("none", "auto", size.n_repeats),
        "skae, in TensorFlow": ("batch", 1, 1),
    }
    measured = []
    for name, (normalization, n_networks, n_repeats) in kinds.items():
        settings = normalization, n_networks, n_fits
        growths = [
            run_process("many_fits", seed, *settings) for seed in range(n_repeats)
        ]
        bar = Bar("<", 100)
        measured.append(Measurement("megabytes of growth", name, tuple(growths), bar))
    return Findings(measured)
