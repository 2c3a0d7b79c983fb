"""The choice between the scalers "common" and "standard"; the axis of time."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from skae._missing import extremes

# Columns that share a unit are better off with one scale: those that hardly vary are
# not blown up to the size of the others. Among few, neighbours are alike by chance.
_FEWEST_COLUMNS = 20
# von Neumann's ratio, of columns as they are and of standardised ones, is about 2 where
# their order means nothing. As they are, it is 0.1 for heartbeats, 0.2 to 0.5 for most
# images, and above 0.6 for tables; standardised, a little more.
_LARGEST_RATIOS = 0.5, 1.0
# Deviations of columns that share a unit differ at most by these factors, from one to
# the next and in all: of heartbeats, by 2 and by 16.
_LARGEST_STEP, _LARGEST_RANGE = 3.0, 30.0
# Correlation of every column with one of its neighbours, at least.
_LEAST_CORRELATION = 0.3
# Images have columns that hardly vary. Theirs share the smallest value, and this share
# of them comes near to the largest one.
_SHARE_THAT_REACHES, _NEAR = 0.5, 0.9
# Rows that are inspected, evenly spaced, where there are more.
_MOST_ROWS = 10_000
# To find the axis of time: rows, and the ratio along the other axis, at least.
_MOST_LOOKED_AT, _SMALLEST_OF_CHANNELS = 200, 1.5


def share_a_unit(X: np.ndarray, weight: np.ndarray | None = None) -> bool:
    """Return whether the values of a row are one quantity, at successive places."""
    # Those of n-D rows are. Columns of a table are where each is much like the next:
    # the ratio of J. von Neumann (1941, doi:10.1214/aoms/1177731677) along the rows,
    # sum((x[j+1] - x[j])**2) / (p - 1) over sum((x[j] - mean(x))**2) / p, summed over
    # all rows, is small. In addition, either their deviations change smoothly from one
    # to the next, and each is correlated with a neighbour; or all have the same
    # smallest value and most come near to the same largest one, as pixels do.
    if X.ndim > 2:
        return True
    if X.shape[1] < _FEWEST_COLUMNS:
        return False
    rows = np.linspace(0, len(X) - 1, min(len(X), _MOST_ROWS)).astype(int)
    X = X[rows].astype(np.float64)
    weight = None if weight is None else weight[rows].astype(np.float64)
    with np.errstate(all="ignore"):  # what is not finite shares nothing
        X -= _means(X.reshape(-1))  # far from zero, squares lose digits
        mean = _means(X, weight)
        deviation = np.sqrt(_means((X - mean) ** 2, weight))
        # Of a constant column, rounding leaves a deviation.
        varies = (np.fmax.reduce(X) > np.fmin.reduce(X)) & (deviation > 0)
        if varies.sum() < _FEWEST_COLUMNS:
            return False
        X_varying, deviation = X[:, varies], deviation[varies]
        standardised = (X_varying - mean[varies]) / deviation
        for values, largest in zip((X, standardised), _LARGEST_RATIOS, strict=True):
            row_mean = _means(values.T)[:, np.newaxis]
            steps = _means(np.diff(values) ** 2, weight)
            spread = _means((values - row_mean) ** 2, weight)
            if not _means(steps) / _means(spread) < largest:
                return False
        return bool(
            _change_smoothly(deviation, standardised, weight)
            or _share_bounds(X_varying)
        )


def hint_at_axes(X: np.ndarray, network: Any) -> None:
    """Warn where rows look like series whose last axis is that of the time steps."""
    says_so = getattr(network, "input_shape", None) is not None
    if X.ndim != 3 or says_so or not _time_comes_last(X):
        return
    _, n_first, n_last = X.shape
    warnings.warn(
        f"Rows of shape {X.shape[1:]} are read as {n_first} time steps of {n_last} "
        f"channels, but look like {n_first} channels of {n_last} time steps, the axes "
        "of aeon and sktime. If they are, pass np.swapaxes(X, 1, 2); if not, "
        f"input_shape={X.shape[1:]} of the network says so.",
        UserWarning,
        stacklevel=5,  # the caller of a decorated fit
    )


def _time_comes_last(X: np.ndarray) -> bool:
    """Return whether successive values are alike along the last, longer axis alone."""
    _, n_first, n_last = X.shape
    if not n_first < n_last >= _FEWEST_COLUMNS:
        return False
    rows = np.linspace(0, len(X) - 1, min(len(X), _MOST_LOOKED_AT)).astype(int)
    X, ratios = X[rows].astype(np.float64), []
    with np.errstate(all="ignore"):  # what is not finite is not alike
        for axis in (1, 2):
            values = np.moveaxis(X, axis, 0).reshape(X.shape[axis], -1)
            steps, deviations = np.diff(values, axis=0), values - _means(values)
            ratios.append(_means(steps.ravel() ** 2) / _means(deviations.ravel() ** 2))
    is_rough = n_first == 1 or ratios[0] > _SMALLEST_OF_CHANNELS
    return bool(ratios[1] < _LARGEST_RATIOS[0] and is_rough)


def _change_smoothly(
    deviation: np.ndarray, standardised: np.ndarray, weight: np.ndarray | None
) -> bool:
    """Return whether each column is much like the next."""
    sizes = np.log(deviation)
    product = _means(standardised[:, 1:] * standardised[:, :-1], weight)
    nearest = np.maximum(np.append(product, -1), np.append(-1, product))
    return (
        np.abs(np.diff(sizes)).max() < np.log(_LARGEST_STEP)
        and np.ptp(sizes) < np.log(_LARGEST_RANGE)
        and nearest.min() > _LEAST_CORRELATION
    )


def _share_bounds(X: np.ndarray) -> bool:
    """Return whether columns have the same smallest value, and many the largest."""
    low, high = extremes(X, axis=0)
    reached = high >= low.min() + _NEAR * (high.max() - low.min())
    return (low == low.min()).all() and reached.mean() >= _SHARE_THAT_REACHES


def _means(values: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    """Return the means over the first axis of observed values; NaN where none is."""
    observed = ~np.isnan(values)
    if weight is None:
        weight = np.ones(len(values))
    return weight @ np.where(observed, values, 0.0) / (weight @ observed)
