"""The job of ``detection.py`` on series: a score for each time step."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from harness.jobs import Findings, Grid, Size
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from detection import AHEAD, JOBS, options_of, without_advice
from detection.contenders import OWN, RIVALS, Case, available
from detection.findings import findings_of
from detection.tables import default_folder
from skae import SlidingWindowDetector

WIDTH = SlidingWindowDetector().width
PROMISED = 0.1  # by the default rule
WINDOWED = ("PCA", "IsolationForest", "5-NN")
BY_ROW = ("PCA", "IsolationForest", "LOF", "OneClassSVM", "5-NN", "PyOD AE")
QUICK_STEPS = 200
N_PARTS = 4


@dataclass(frozen=True)
class Series:
    """A series: what trains, what is scored, and later normal time."""

    name: str
    X: np.ndarray
    y: np.ndarray  # +1 and -1
    X_test: np.ndarray
    y_test: np.ndarray
    X_later: np.ndarray | None  # without outliers; None: the normal steps of X_test

    def first(self, n: int) -> Series:
        """Return a short part; in its middle, outliers begin or end."""
        middle = int(np.flatnonzero(np.diff(self.y_test))[0])
        part = slice(max(0, middle - n // 2), middle + n // 2)
        later = None if self.X_later is None else self.X_later[:n]
        return Series(
            self.name,
            self.X[:n],
            self.y[:n],
            self.X_test[part],
            self.y_test[part],
            later,
        )


class OnWindows(OutlierMixin, BaseEstimator):
    """A rival on standardised windows: a step's score is the mean of its windows'."""

    def __init__(self, detector: Any, width: int = WIDTH) -> None:
        self.detector = detector
        self.width = width

    def fit(self, X, y=None):
        """Fit the rival to the windows of normal steps."""
        self.scaler_ = StandardScaler().fit(X[y == 1])
        touch = np.lib.stride_tricks.sliding_window_view(y == -1, self.width)
        self.detector_ = clone(self.detector).fit(self._windows(X)[~touch.any(axis=1)])
        return self

    def score_samples(self, X):
        """Return the scores of the time steps."""
        scores = self.detector_.score_samples(self._windows(X))
        kernel = np.ones(self.width)
        return np.convolve(scores, kernel) / np.convolve(np.ones(len(scores)), kernel)

    def _windows(self, X):
        """Return the windows, flat."""
        rows = self.scaler_.transform(X)
        view = np.lib.stride_tricks.sliding_window_view(rows, self.width, axis=0)
        return view.reshape(len(view), -1)


class OnRows(OutlierMixin, BaseEstimator):
    """A rival on standardised time steps."""

    def __init__(self, detector: Any) -> None:
        self.detector = detector

    def fit(self, X, y=None):
        """Fit the rival to the normal steps."""
        self.scaler_ = StandardScaler().fit(X[y == 1])
        rows = self.scaler_.transform(X[y == 1])
        self.detector_ = clone(self.detector).fit(rows)
        return self

    def score_samples(self, X):
        """Return the scores of the time steps."""
        return self.detector_.score_samples(self.scaler_.transform(X))


def _own(**params: Any) -> Callable[[Case], Any]:
    """Return a function that makes the default detector with some changes."""

    def make(case: Case) -> SlidingWindowDetector:
        detector = SlidingWindowDetector(random_state=case.seed, **params)
        inner = {f"detector__{name}": value for name, value in case.training.items()}
        return detector.set_params(**inner)

    return make


def contenders() -> tuple[dict[str, Callable[[Case], Any]], tuple[str, ...]]:
    """Return what makes each contender, and sentences on those that cannot run."""
    rivals, notes = available(list(BY_ROW))
    makers: dict[str, Callable[[Case], Any]] = {
        OWN: _own(),
        f"{OWN}, aggregate='step'": _own(aggregate="step"),
    }
    for name in WINDOWED:
        makers[f"{name} on windows"] = lambda case, name=name: OnWindows(
            RIVALS[name](case)
        )
    for name in rivals:
        makers[f"{name} on steps"] = lambda case, name=name: OnRows(RIVALS[name](case))
    return makers, notes


def read_series(folder: Path) -> list[Series]:
    """Return the series of a folder: ``nab_*.npz`` and ``tep_*.npz``."""
    found = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as file:
            X = file["X"].astype(np.float64)
            y = np.where(file["y"] == 1, -1, 1)
            part = file.get("part")
        if part is None:
            half = len(X) // 2
            parts = X[:half], y[:half], X[half:], y[half:], None
        else:
            trains, scored = part == 0, part == 2
            parts = X[trains], y[trains], X[scored], y[scored], X[part == 1]
        found.append(Series(path.stem.removeprefix("nab_"), *parts))
    if not found:
        raise SystemExit(
            f"There are no series, *.npz with X and y, in {folder}. Pass a folder with "
            "--tables FOLDER, or set SKAE_DATA to the folder above real."
        )
    return found


@JOBS.job("series")
def series(size: Size) -> Findings:
    """Series, a score for each time step.

    Four series of the Numenta Anomaly Benchmark, of which the first half trains and the
    second is scored, and two of the Tennessee Eastman process, which have a part of
    their own without faults to train on. Steps that are labelled as anomalous do not
    train, nor do windows that touch one. skae is a SlidingWindowDetector with nothing
    but a seed. Rivals on windows get the same windows, standardised by channel; a
    step's score is the mean of its windows'. Rivals on steps get standardised time
    steps. The share of later normal steps that skae flags should be 0.1; the labels of
    NAB are wide spans around an anomaly, and what is normal drifts in some series: the
    shares by quarter of that time tell.
    """
    options = options_of(size)
    makers, notes = contenders()
    if options.contenders:
        makers = {name: makers[name] for name in makers if name in options.contenders}
    folder = (options.tables or [default_folder().parent / "real"])[0]
    runs, shares = [], {}
    known = read_series(folder)
    if size.is_quick:
        known = [one.first(QUICK_STEPS) for one in known[:2]]
    for one in known:
        for seed in size.seeds:
            case = Case(seed, False, size.training(), size.is_quick)
            for name, make in makers.items():
                row, by_part = _run(make(case), one)
                runs.append({"table": one.name, "seed": seed, "method": name, **row})
                if name == OWN:
                    shares.setdefault(one.name, []).append(by_part)
    rivals = [name for name in makers if not name.startswith(OWN)]
    found = findings_of(pd.DataFrame(runs), dict.fromkeys(rivals, AHEAD), notes)
    columns = ("all", *(f"quarter {i + 1}" for i in range(N_PARTS)))
    title = f"Share of later normal steps that {OWN} flags ({PROMISED} is promised)"
    rows = {name: np.mean(values, axis=0).tolist() for name, values in shares.items()}
    grid = Grid(title, "series", columns, rows)
    return Findings(found.measurements, found.notes, found.figure, (*found.grids, grid))


def _run(detector: Any, one: Series) -> tuple[dict[str, float], list[float]]:
    """Return a contender's numbers on a series, and its shares of false alarms."""
    with without_advice():
        start = time.perf_counter()
        detector.fit(one.X, one.y)
        fitted = time.perf_counter()
        scores = detector.score_samples(one.X_test)
        scored = time.perf_counter()
        is_outlier = one.y_test == -1
        if one.X_later is None:
            normal = scores[~is_outlier]
        else:
            normal = detector.score_samples(one.X_later)
    flagged = normal < getattr(detector, "offset_", -np.inf)
    row = {
        "roc_auc": roc_auc_score(is_outlier, -scores),
        "average_precision": average_precision_score(is_outlier, -scores),
        "false_alarm_rate": flagged.mean(),
        "fit_seconds": fitted - start,
        "score_seconds": scored - fitted,
    }
    parts = [flagged, *np.array_split(flagged, N_PARTS)]
    return row, [float(part.mean()) for part in parts]
