"""The pipelines that are compared, and the search for their best parameters.

All get the same columns and as many candidates. Each network, PCA or forest is fitted
once per fold, and gives errors of the rows that it did not see. From these errors, of
the other folds, all threshold rules learn.
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
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.impute import SimpleImputer
from sklearn.model_selection import ParameterGrid
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted, validate_data
from tqdm import tqdm

from skae._detector import ReconstructionOutlierDetector
from skae.metrics import (
    outlier_f1_score,
    reconstruction_error,
    reconstruction_score,
)
from skae.networks import DenseNetwork
from skae.thresholds import BestF, Contamination, MeanStd, as_threshold_rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Labels = NDArray[np.int64]
    Params = dict[str, Any]
    Contender = tuple[str, Any, dict[str, Sequence[Any]]]  # name, detector, grid
    Folds = Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]]

LATENT_DIMS = (2, 4, 8, 16)
# Outliers may be a thousandth of the rows, or a fifth. The last rule needs labels.
SHARES = (0.001, 0.003, 0.01, 0.03, 0.05, 0.1)
RULES = (*map(MeanStd, (1.0, 2.0, 3.0)), *map(Contamination, SHARES), BestF())
# In the order in which a table with few columns, and so with few widths, takes them.
MAX_FEATURES = (1.0, 0.5, 0.75, 0.25)
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
    widths: Sequence[int], *, epochs: int | str, seed: int
) -> list[Contender]:
    """Return the autoencoder and its rivals."""
    # The pipeline scales, for all alike. Smaller, and stopped earlier, than by default:
    # the search trains a dozen.
    how: Params = {"scaler": None, "network": DenseNetwork((128,)), "patience": 30}
    how |= {"epochs": epochs, "allow_nan": True, "random_state": seed}
    autoencoder = ReconstructionOutlierDetector(**how)
    features: Params = {"max_features": MAX_FEATURES[: len(widths)]}
    return [
        ("autoencoder", autoencoder, {"latent_dim": widths}),
        ("PCA reconstruction", PCAReconstruction(), {"latent_dim": widths}),
        ("IsolationForest", IsolationForest(random_state=seed), features),
    ]


def search(
    contender: Contender,
    X: pd.DataFrame,
    y: Labels | None,
    *,
    folds: Folds,
    n_jobs: int,
    rules: Sequence[Any] = RULES,
) -> Found:
    """Search a grid, and the rules where there are labels; fit the best candidate."""
    name, detector, grid = contender
    grids = list(ParameterGrid(grid))
    start = time.perf_counter()
    # In the order of the candidates, each as soon as it is there.
    results = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_judge)(make_pipeline(detector, params, X), X, y, *fold)
        for params in grids
        for fold in folds
    )
    judged = []
    with _progress_bar(len(grids) * len(folds), name) as bar:
        for result in results:
            judged.append(result)
            bar.update()
    n = len(folds)
    by_params = [judged[i * n : (i + 1) * n] for i in range(len(grids))]
    if y is None:
        candidates = grids
        scores = np.array([[mean for mean, _ in one] for one in by_params])
        varied = np.mean([variance for _, variance in judged])
        best = narrowest_that_keeps(scores.mean(axis=1), candidates, baseline=-varied)
        params: Params = grids[best]
    else:
        labels = [y[test] for _, test in folds]
        pairs = [(one, rule) for one in range(len(grids)) for rule in rules]
        candidates = [{**grids[one], "threshold": rule} for one, rule in pairs]
        scores = np.array([_f1s(rule, by_params[i], labels) for i, rule in pairs])
        best = int(np.argmax(scores.mean(axis=1)))
        one, rule = pairs[best]
        params = {**grids[one], "threshold": learned(rule, by_params[one], labels)}
    search_seconds = time.perf_counter() - start
    start = time.perf_counter()
    # Of all the steps only the detector leaves outliers out by itself: a scaler, PCA or
    # a forest would learn from them.
    normal = X if y is None else X[y == 1]
    pipeline = make_pipeline(detector, params, X).fit(normal)
    if y is not None and "threshold" not in detector.get_params():
        pipeline["detector"].offset_ = -params["threshold"]
    seconds = search_seconds, time.perf_counter() - start
    readable = [_readable(one) for one in candidates]
    scored = [
        {**one, "mean_score": float(row.mean()), "std_score": float(row.std())}
        for one, row in zip(readable, scores, strict=True)
    ]
    score = float(scores[best].mean())
    return Found(name, pipeline, readable[best], score, n, *seconds, scored)


def _judge(
    pipeline: Pipeline, X: pd.DataFrame, y: Labels | None, train: Any, test: Any
) -> Any:
    """Return the errors of a fold's rows; without labels their score, and its scale."""
    pipeline.fit(X.iloc[train])
    if y is not None:
        return -pipeline.score_samples(X.iloc[test])
    # The score of predicting the mean of each column is minus their mean variance.
    encoded = pipeline[:-1].transform(X.iloc[test])
    variance = float(np.mean(encoded.var(ddof=0).fillna(0.0)))
    return float(reconstruction_score(pipeline, X.iloc[test])), variance


def learned(rule: Any, errors: list[Floats], labels: list[Labels]) -> float:
    """Return the threshold that a rule learns from errors of held-out rows."""
    pooled, y = np.concatenate(errors), np.concatenate(labels)
    if not rule.needs_labels:
        pooled, y = pooled[y == 1], y[y == 1]
    return float(clone(rule).fit(pooled, y).threshold_)


def _f1s(rule: Any, errors: list[Floats], labels: list[Labels]) -> list[float]:
    """Return the F1 of each fold, with the threshold that the other folds teach."""
    scores = []
    for place, y in enumerate(labels):
        others = [i for i in range(len(labels)) if i != place]
        seen = [errors[i] for i in others], [labels[i] for i in others]
        threshold = learned(rule, *seen)
        scores.append(outlier_f1_score(y, np.where(errors[place] > threshold, -1, 1)))
    return scores


def encoder(X: pd.DataFrame) -> ColumnTransformer:
    """Return a scaler of the numbers and an encoder of the texts; names are kept."""
    texts = [name for name, dtype in X.dtypes.items() if dtype.kind not in "fiub"]
    numbers = [name for name in X if name not in texts]
    new = [f"{name}_{value}" for name in texts for value in X[name].unique()]
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = ColumnTransformer(
        [("numbers", StandardScaler(), numbers), ("categories", one_hot, texts)],
        verbose_feature_names_out=len({*numbers, *new}) < len(numbers) + len(new),
    )
    return columns.set_output(transform="pandas")


def make_pipeline(detector: Any, params: Params, X: pd.DataFrame) -> Pipeline:
    """Return a fresh detector after scaler and encoder."""
    detector = clone(detector)
    known = detector.get_params()
    detector.set_params(**{name: params[name] for name in params if name in known})
    # The autoencoder leaves missing values out.
    impute = [] if "allow_nan" in known else [("impute", SimpleImputer())]
    steps = [("columns", encoder(X)), *impute, ("detector", detector)]
    return Pipeline(steps).set_output(transform="pandas")


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
