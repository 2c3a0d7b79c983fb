"""The cases of ``speed.py`` about searches: many fits, and what they leave behind."""

import functools
import tempfile
from dataclasses import dataclass

import numpy as np
from _clock import in_turn, timed
from _ecg import BATCH_SIZE, EPOCHS, ecg_split, in_unit_range, tutorial_detector
from _jobs import Findings, Job
from _measurements import Bar, Measurement
from _speed import JOBS, faster, run_script
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV

from skae import InlierKFold, Quantile, outlier_f1
from skae._engine import import_quietly

WIDTHS = (2, 4, 8, 12, 16)
LEVELS = (0.8, 0.84, 0.88, 0.9, 0.92, 0.94, 0.95, 0.96, 0.98, 0.99)
N_FOLDS = 3
N_SEARCHES = 5
# 150 trainings each: minutes.
N_RIVAL_SEARCHES = 1


class SciKerasDetector(OutlierMixin, BaseEstimator):
    """The tutorials' detector around SciKeras's wrapper, as a user would write it."""

    def __init__(self, latent_dim=8, level=0.95, epochs=EPOCHS):
        self.latent_dim = latent_dim
        self.level = level
        self.epochs = epochs

    def fit(self, X, y=None):
        """Train on the normal rows, and put the threshold at a quantile."""
        from scikeras.wrappers import KerasRegressor

        normals = X if y is None else X[y == 1]
        self.network_ = KerasRegressor(
            build_network,
            model__latent_dim=self.latent_dim,
            loss="mae",
            optimizer="adam",
            epochs=self.epochs,
            batch_size=BATCH_SIZE,
            verbose=0,
        ).fit(normals, normals)
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


def build_network(latent_dim=8):
    """Return the layers 140-32-16 and back around a code."""
    import keras
    from keras import layers

    # Seeds: without one, Keras draws it from the process's random state.
    def dense(units, activation, seed):
        start = keras.initializers.GlorotUniform(seed=seed)
        return layers.Dense(units, activation, kernel_initializer=start)

    sizes = (32, 16, latent_dim, 16, 32)
    hidden = [dense(n, "relu", seed) for seed, n in enumerate(sizes)]
    return keras.Sequential([keras.Input((140,)), *hidden, dense(140, "sigmoid", 5)])


@dataclass(frozen=True)
class Grid:
    """What is searched over, and for how many epochs networks train."""

    widths: tuple
    levels: tuple
    epochs: int

    def by_skae(self, X, y, seed, memory=None, n_jobs=None):
        """Return the best test F1 that skae's detector finds."""
        detector = tutorial_detector(seed, self.epochs).set_params(memory=memory)
        thresholds = [Quantile(level) for level in self.levels]
        grid = {"latent_dim": self.widths, "threshold": thresholds}
        return _best_score(detector, grid, X, y, n_jobs)

    def remembering(self, X, y, seed, n_jobs=None):
        """Return the same, each network trained once per fold."""
        with tempfile.TemporaryDirectory() as folder:
            return self.by_skae(X, y, seed, folder, n_jobs)

    def by_scikeras(self, X, y, seed):
        """Return the best test F1 in a search over the rival."""
        grid = {"latent_dim": self.widths, "level": self.levels}
        return _best_score(SciKerasDetector(epochs=self.epochs), grid, X, y)

    def by_hand(self, X, y, seed):
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


def _best_score(detector, grid, X, y, n_jobs=None):
    cv = InlierKFold(N_FOLDS)
    search = GridSearchCV(detector, grid, scoring=outlier_f1, cv=cv, n_jobs=n_jobs)
    return search.fit(X, y).best_score_


def grid_search(size):
    """A grid search on ECG5000: 5 widths x 10 thresholds x 3 folds, and the refit.

    The tutorials' detector; thresholds are quantiles. skae runs with ``memory``, new
    for every search: each network is trained once per fold. The rivals wrap SciKeras's
    KerasRegressor: one in the same GridSearchCV, the other written by hand, training
    each network once per fold, too. They search once, after skae's searches, not in
    turn with them; their layers have seeds, their batch order has none, since setting
    TensorFlow's costs time. Every search takes the rows in another order. F1 is the
    best mean over the test folds, of the outliers.
    """
    import_quietly()
    split = in_unit_range(ecg_split(size))
    axes = (WIDTHS[:2], LEVELS[:2]) if size.is_quick else (WIDTHS, LEVELS)
    grid = Grid(*axes, size.count(EPOCHS))
    skae = {
        "skae": grid.remembering,
        "skae, n_jobs=2": functools.partial(grid.remembering, n_jobs=2),
        "skae, memory=None": grid.by_skae,
    }
    rivals = {"SciKeras": grid.by_scikeras, "SciKeras, by hand": grid.by_hand}

    def rounds(contenders, n_rounds):
        found = {name: [] for name in contenders}
        for turn in range(n_rounds):
            order = np.random.default_rng(turn).permutation(len(split.X_train))
            X, y = split.X_train[order], split.y_train[order]
            for name, contender in in_turn(contenders, turn):
                seconds, score = timed(contender, X, y, seed=turn)
                found[name].append((seconds, 1 - score))
        return found

    for contender in skae.values():  # joblib's workers start, too
        contender(split.X_train[::4], split.y_train[::4], seed=99)
    found = rounds(skae, min(size.n_repeats, N_SEARCHES))
    found |= rounds(rivals, min(size.n_repeats, N_RIVAL_SEARCHES))
    measured = []
    for i, quantity in enumerate(("seconds", "1 - F1")):
        for name, values in found.items():
            measured.append(Measurement(quantity, name, tuple(v[i] for v in values)))
    mine = np.median([seconds for seconds, _ in found["skae"]])
    for rival in rivals:
        ratio = np.median([seconds for seconds, _ in found[rival]]) / mine
        bar = Bar(">=", 60) if rival == "SciKeras" else None
        measured.append(
            Measurement(f"median {faster(rival)[0]}", "skae", (ratio,), bar)
        )
    return Findings(measured)


def many_fits(size):
    """200 fits of varying shape in one process: does memory grow?

    The default detector for two epochs, in a process of its own per repeat, on 50 to
    2,000 rows of 5 to 100 columns. "in NumPy" trains as it is; "in TensorFlow" has
    batch normalisation, so that every shape builds and traces a program: one network
    each, and one repeat, since that takes minutes. Growth is of resident memory, after
    the first 20 fits.
    """
    n_fits = 24 if size.is_quick else 200
    kinds = {
        "skae, in NumPy": ("none", "auto", size.n_repeats),
        "skae, in TensorFlow": ("batch", 1, 1),
    }
    measured = []
    for name, (normalization, n_networks, n_repeats) in kinds.items():
        settings = normalization, n_networks, n_fits
        growths = [
            run_script("_speed_many_fits.py", seed, *settings)
            for seed in range(n_repeats)
        ]
        bar = Bar("<", 100)
        measured.append(Measurement("megabytes of growth", name, tuple(growths), bar))
    return Findings(measured)


JOBS.add(Job("grid-search", grid_search, one_value_per="search"))
JOBS.add(Job("many-fits", many_fits, one_value_per="process"))
