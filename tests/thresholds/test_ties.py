"""Equal rows have equal labels, alone or together, whatever the rule and the error."""

import numpy as np
import pytest

from skae import DenseNetwork, ReconstructionOutlierDetector
from skae.thresholds import (
    IQR,
    MAD,
    BestF,
    Conformal,
    Contamination,
    FalseAlarmRate,
    MeanStd,
    PeaksOverThreshold,
    Precision,
    Quantile,
)

# Several of each kind, so that some thresholds equal an error.
RULES = [
    MeanStd(0),
    MeanStd(1),
    Quantile(0.5),
    Quantile(0.9),
    Quantile(1.0),
    Contamination(0.1),
    Contamination(0.3),
    MAD(0),
    MAD(3),
    IQR(0),
    Conformal(0.1),
    Conformal(0.5),
    PeaksOverThreshold(0.05, 0.3),
    BestF(),
    FalseAlarmRate(0.1),
    Precision(0.3),
]


def repeated(rng):
    """Return rows that repeat each other, in random order, and which one each is."""
    kinds = rng.normal(size=(13, 2)) @ rng.normal(size=(2, 6))
    kinds += 0.1 * rng.normal(size=kinds.shape)
    kind = rng.permutation(np.repeat(np.arange(13), 10))
    return kinds[kind], kind


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("error", ["nearest", "mse", "mae", "standardized"])
@pytest.mark.parametrize("table", ["one row", "several rows"])
def test_equal_rows_have_equal_labels(table, error, dtype):
    rng = np.random.default_rng(0)
    X, kind = (np.ones((130, 6)), np.zeros(130, int))
    if table == "several rows":
        X, kind = repeated(rng)
    X = X.astype(dtype)
    y = np.where(rng.permutation(130) < 9, -1, 1)
    detector = ReconstructionOutlierDetector(
        network=DenseNetwork((16,)), error=error, epochs=5, random_state=0
    ).fit(X)
    orders = [np.arange(130), rng.permutation(130), np.arange(40)]
    errors = [-detector.score_samples(X[order]) for order in orders]
    errors += [-detector.score_samples(X[i : i + 1]) for i in range(130)]
    orders += [np.array([i]) for i in range(130)]
    kinds, errors = kind[np.concatenate(orders)], np.concatenate(errors)
    n_fitted = 0
    for rule in RULES:
        for seen in ((), (X, y)):
            try:
                detector.set_params(threshold=rule).fit_threshold(*seen)
            except ValueError:  # it needs other errors, or its target is out of reach
                continue
            n_fitted += 1
            flagged = errors > detector.threshold_
            shares = np.bincount(kinds, flagged) / np.bincount(kinds)
            assert np.isin(shares, [0, 1]).all(), rule
            assert (flagged[:130] == (detector.predict(X) == -1)).all()
    assert n_fitted > len(RULES)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_one_of_many_equal_rows_is_labelled(dtype):
    X, y = np.ones((33, 6), dtype), np.r_[np.ones(32, int), -1]
    detector = ReconstructionOutlierDetector(epochs=5, random_state=0).fit(X, y)
    for rows in (X, X[:1], X[-1:]):
        assert (detector.predict(rows) == 1).all()
        assert (detector.decision_function(rows) >= 0).all()
