"""The pipelines that are compared, and the search for their best parameters.

All get the same scaled rows and as many candidates: where the autoencoder tries widths
and threshold rules, PCA tries the same ones, and IsolationForest as many of its own two
parameters that matter most, its defaults among them.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn import config_context
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.model_selection import ParameterGrid, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted, validate_data
from tqdm import tqdm

from skae._detector import ReconstructionOutlierDetector
from skae.metrics import reconstruction_error
from skae.networks import DenseNetwork
from skae.thresholds import Contamination, MeanStd, Quantile, as_threshold_rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Labels = NDArray[np.int64]
    Params = dict[str, Any]
    Contender = tuple[str, Any, dict[str, Sequence[Any]]]  # name, detector, grid

LATENT_DIMS = (2, 4, 8, 16)
THRESHOLDS = (MeanStd(1.0), MeanStd(2.0), Contamination(0.1), Quantile(0.95))
# In the order in which a table with few columns, and so with few widths, takes them.
MAX_FEATURES = (1.0, 0.5, 0.75, 0.25)
CONTAMINATIONS = ("auto", 0.02, 0.05, 0.1)
# The share of what the best candidate explains that a narrower code must keep.
KEPT_SHARE = 0.9
# Seconds between two redrawings of a progress bar; of two lines of it in a log file.
INTERVAL, LOG_INTERVAL = 0.2, 2.0


@dataclass(frozen=True)
class Found:
    """The best pipeline of a search, fitted, and how the search went."""

    name: str
    pipeline: Pipeline
    chosen: Params
    mean_score: float
    n_folds: int
    search_seconds: float
    fit_seconds: float
    candidates: list[Params]  # with the mean_score and std_score of each

    @property
    def detector(self) -> Any:
        """The last step of the pipeline."""
        return self.pipeline["detector"]


class PCAReconstruction(OutlierMixin, BaseEstimator):
    """Outlier detection by the reconstruction error of PCA, the linear autoencoder."""

    def __init__(self, latent_dim: int = 2, *, threshold: Any = None) -> None:
        self.latent_dim = latent_dim
        self.threshold = threshold

    def fit(self, X: pd.DataFrame, y: None = None) -> PCAReconstruction:
        """Fit PCA, and the threshold on its training errors; y is ignored."""
        X = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        # An int, because large tables get a randomized solver.
        self.pca_ = PCA(self.latent_dim, random_state=0).fit(X)
        rule = as_threshold_rule(self.threshold)
        self.offset_ = -rule.fit(self._errors(X)).threshold_
        return self

    def score_samples(self, X: pd.DataFrame) -> Floats:
        """Return minus the reconstruction error of each row."""
        check_is_fitted(self)
        return -self._errors(validate_data(self, X, dtype=np.float64, reset=False))

    def decision_function(self, X: pd.DataFrame) -> Floats:
        """Return ``score_samples(X) - offset_``: negative for outliers."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: pd.DataFrame) -> Labels:
        """Return +1 for inliers and -1 for outliers."""
        return np.where(self.decision_function(X) >= 0, 1, -1)

    def _errors(self, X: Floats) -> Floats:
        """Return the mean squared reconstruction error of each row."""
        codes = self.pca_.transform(X)
        return reconstruction_error(X, self.pca_.inverse_transform(codes))


def latent_dims(n_features: int, n_rows: int) -> list[int]:
    """Return the widths to try: narrower than the table, and at least one."""
    widest = min(n_features, n_rows) - 1
    if widest < 4:
        return list(range(1, max(widest, 1) + 1))
    return [width for width in LATENT_DIMS if width <= widest]


def contenders(
    widths: Sequence[int],
    thresholds: Sequence[Any],
    *,
    epochs: int | str,
    memory: str | None,
    seed: int,
) -> list[Contender]:
    """Return the autoencoder and its rivals; without thresholds they keep their own."""
    # The pipeline scales, for all alike. Smaller, and stopped earlier, than by default:
    # the search trains a dozen.
    how: Params = {"scaler": None, "network": DenseNetwork((128,)), "patience": 30}
    how |= {"epochs": epochs, "memory": memory, "random_state": seed}
    autoencoder = ReconstructionOutlierDetector(**how)
    forest = IsolationForest(random_state=seed)
    rules = {"threshold": thresholds} if thresholds else {}
    shares = {"contamination": CONTAMINATIONS[: len(thresholds)]} if thresholds else {}
    features = {"max_features": MAX_FEATURES[: len(widths)]}
    return [
        ("autoencoder", autoencoder, {"latent_dim": widths} | rules),
        ("PCA reconstruction", PCAReconstruction(), {"latent_dim": widths} | rules),
        ("IsolationForest", forest, features | shares),
    ]


def search(
    contender: Contender,
    X: pd.DataFrame,
    y: Labels | None,
    *,
    scoring: Callable[..., float],
    cv: Any,
    n_jobs: int,
    choose: Callable[[Floats, list[Params]], int] | None = None,
) -> Found:
    """Search a grid, and fit the best (or chosen) candidate on the normal rows."""
    name, detector, grid = contender
    candidates = list(ParameterGrid(grid))
    folds = list(cv.split(X, y))
    start = time.perf_counter()
    # In the order of the candidates, each as soon as it is there.
    how = {"scoring": scoring, "error_score": "raise"}
    results = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(cross_val_score)(_pipeline(detector, params), X, y, cv=[fold], **how)
        for params in candidates
        for fold in folds
    )
    scores = np.empty((len(candidates), len(folds)))
    with _progress_bar(scores.size, name) as bar:
        for place, (score,) in enumerate(results):
            scores.flat[place] = score
            bar.update()
    search_seconds = time.perf_counter() - start
    means, stds = scores.mean(axis=1), scores.std(axis=1)
    best = np.argmax(means) if choose is None else choose(means, candidates)
    start = time.perf_counter()
    # Of all the steps only the detector leaves outliers out by itself: a scaler, PCA or
    # a forest would learn from them.
    normal = X if y is None else X[y == 1]
    pipeline = _pipeline(detector, candidates[best]).fit(normal)
    seconds = search_seconds, time.perf_counter() - start
    params = [_readable(one) for one in candidates]
    scored = [
        {**one, "mean_score": float(mean), "std_score": float(std)}
        for one, mean, std in zip(params, means, stds, strict=True)
    ]
    score = float(means[best])
    return Found(name, pipeline, params[best], score, len(folds), *seconds, scored)


def _pipeline(detector: Any, params: Params) -> Pipeline:
    """Return a fresh detector after a scaler; columns keep their names."""
    detector = clone(detector).set_params(**clone(params, safe=False))
    pipeline = Pipeline([("scale", StandardScaler()), ("detector", detector)])
    return pipeline.set_output(transform="pandas")


@contextlib.contextmanager
def _progress_bar(total: int, name: str) -> Iterator[Any]:
    """Show a bar on the standard error; on a terminal, its clock runs between fits."""
    on_terminal = sys.stderr.isatty()
    interval = INTERVAL if on_terminal else LOG_INTERVAL
    how = {"unit": "fit", "file": sys.stderr, "mininterval": interval}
    finished = threading.Event()

    def redraw() -> None:
        while on_terminal and not finished.wait(INTERVAL):
            bar.refresh()

    thread = threading.Thread(target=redraw, daemon=True)
    with tqdm(total=total, desc=name, **how) as bar:
        thread.start()
        try:
            yield bar
        finally:
            finished.set()
            thread.join()


def narrowest_that_keeps(
    means: Floats, candidates: list[Params], *, baseline: float
) -> int:
    """Return the narrowest code that explains nearly as much as the best candidate."""
    # Without labels, no score says which width finds outliers best. Reconstructions are
    # nearly always best with the widest code, those of outliers as well. So the code is
    # as narrow as it can be while it keeps a share of what the best one explains beyond
    # the score of predicting the mean. Where none explains anything, the best is taken.
    explained = means - baseline
    best = int(np.argmax(explained))
    if explained[best] <= 0:
        return best
    enough = np.flatnonzero(explained >= KEPT_SHARE * explained[best])
    return int(min(enough, key=lambda one: candidates[one]["latent_dim"]))


def describe_rule(rule: Any) -> str:
    """Return a rule as it is written with all its parameters."""
    with config_context(print_changed_only=False):
        return repr(rule)


def _readable(params: Params) -> Params:
    """Return parameters with rules as text."""
    return {
        name: value if isinstance(value, (int, float, str)) else describe_rule(value)
        for name, value in params.items()
    }
