"""Scalers as the estimators use them: rows of any shape in, rows of that shape out.

All have ``fit``, ``transform`` and ``inverse_transform``. They are the named scalers
(an affine map per column or channel), a user's transformer (on flattened rows), and the
identity. Users find them as the fitted ``scaler_`` of an estimator, so they take any
array-like, and check its shape.
"""

from __future__ import annotations

import warnings
from abc import ABCMeta, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import has_fit_parameter

from skae._missing import extremes, has_missing
from skae._validation import FLOAT_DTYPES

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike

# A column whose values differ by no more than some rounding is constant.
_ROUNDINGS = 10


def fitted_scaler(scaler: Any, X: np.ndarray, weight: np.ndarray | None = None) -> Any:
    """Return the fitted scaler of a value of the parameter."""
    if isinstance(scaler, str) and scaler == "auto":
        scaler = "common" if share_a_unit(X, weight) else "standard"
    return make_scaler(scaler).fit(X, weight)


def make_scaler(scaler: Any) -> Any:
    """Return an unfitted scaler for a value of the parameter other than "auto"."""
    if scaler is None:
        return IdentityScaler()
    if isinstance(scaler, str):
        return CommonScaler() if scaler == "common" else ChannelScaler(scaler)
    return TransformerScaler(scaler)


def is_affine(scaler: Any) -> bool:
    """Return whether a fitted scaler computes in NumPy alone, without a user's code."""
    return isinstance(scaler, (IdentityScaler, ChannelScaler, CommonScaler))


class IdentityScaler(BaseEstimator):
    """The scaler of ``scaler=None``: changes nothing."""

    def fit(self, X: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:
        """Learn nothing."""
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return X."""
        return _as_float(X)

    def inverse_transform(self, X: ArrayLike) -> np.ndarray:
        """Return X."""
        return _as_float(X)


class _AffineScaler(BaseEstimator, metaclass=ABCMeta):
    """Base of the scalers that subtract ``center_`` and divide by ``scale_``."""

    center_: np.ndarray  # float64, as scale_
    scale_: np.ndarray

    @abstractmethod
    def fit(self, X: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:
        """Learn center and scale of rows of shape (n, *shape)."""

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return scaled rows, in X's float type."""
        X = self._checked(X)
        scaled = X - _as_row(self.center_, X)
        scaled /= _as_row(self.scale_, X)
        return scaled

    def inverse_transform(self, X: ArrayLike) -> np.ndarray:
        """Return rows in the original units, in X's float type."""
        X = self._checked(X)
        original = X * _as_row(self.scale_, X)
        original += _as_row(self.center_, X)
        return original

    @abstractmethod
    def _checked(self, X: ArrayLike) -> np.ndarray:
        """Return X as a float array of rows of the fitted shape, or raise."""


class ChannelScaler(_AffineScaler):
    """Scales each column of 2-D X, or each channel (last axis) of n-D X.

    ``kind`` is "standard" (zero mean, unit variance) or "minmax" (range [0, 1]), as of
    scikit-learn's ``StandardScaler`` and ``MinMaxScaler``. ``center_`` and ``scale_``
    have shape (n_channels,); a constant channel has scale 1.
    """

    def __init__(self, kind: str) -> None:  # no default, so that repr shows it
        self.kind = kind

    def fit(self, X: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:
        """Learn center and scale of rows of shape (n, *shape)."""
        flat = X.reshape(-1, X.shape[-1])
        if self.kind == "minmax":
            center, scale = _low_and_range(flat)
        else:
            if sample_weight is not None:
                sample_weight = np.repeat(sample_weight, len(flat) // len(X))
            center, scale = _mean_and_deviation(flat, sample_weight)
            scale = np.where(scale == 0, 1.0, scale)
        _check_scales(self.kind, X, center, scale)
        self.center_, self.scale_ = center, scale
        return self

    def _checked(self, X: ArrayLike) -> np.ndarray:
        """Return X as a float array of rows of the fitted width, or raise."""
        X = _as_float(X)
        if X.ndim < 2 or X.shape[-1] != len(self.scale_):
            raise ValueError(
                f"X has shape {X.shape}, but this scaler was fitted on rows whose last "
                f"axis has length {len(self.scale_)}. Pass rows of that shape."
            )
        return X


class CommonScaler(_AffineScaler):
    """Centers every value of a row, and divides all of them by one scale.

    ``center_`` has the shape of a row: the mean of each value. ``scale_`` is the
    standard deviation from these means: one for all columns of 2-D X, and one for each
    channel (last axis) of n-D X; where nothing varies, it is 1.
    """

    def fit(self, X: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:
        """Learn center and scale of rows of shape (n, *shape)."""
        flat = X.reshape(len(X), -1)
        means, deviations = (
            learned.reshape(X.shape[1:])
            for learned in _mean_and_deviation(flat, sample_weight)
        )
        channels = tuple(range(X.ndim - 2)) if X.ndim > 2 else (0,)
        # The means of places that are never observed: those of the channel's others.
        usual = np.nanmean(means, axis=channels, keepdims=True)
        self.center_ = np.where(np.isnan(means), usual, means)
        with np.errstate(over="ignore"):
            scale = np.sqrt(np.nanmean(deviations**2, axis=channels)).reshape(-1)
        _check_scales("common", X, self.center_, scale)
        self.scale_ = np.where(scale > 0, scale, 1.0)
        return self

    def _checked(self, X: ArrayLike) -> np.ndarray:
        """Return X as a float array of rows of the fitted shape, or raise."""
        X = _as_float(X)
        if X.shape[1:] != self.center_.shape:
            raise ValueError(
                f"X has shape {X.shape}, but this scaler was fitted on rows of shape "
                f"{self.center_.shape}. Pass rows of that shape."
            )
        return X


class TransformerScaler(BaseEstimator):
    """Wraps a scikit-learn transformer that has an inverse; applied to flattened rows.

    ``transformer_`` is the fitted clone; ``low_`` and ``high_``, of shape (n_columns,),
    are the range of the scaled rows of its fit. Some inverses are defined on a part of
    the line only: that of ``PowerTransformer`` is NaN above a bound, which a network
    may pass. There the nearest value in that range is inverted instead.
    """

    def __init__(self, transformer: Any) -> None:
        self.transformer = transformer

    def fit(self, X: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:
        """Fit a clone of the transformer; weights count as copies."""
        self.transformer_ = clone(self.transformer)
        if hasattr(self.transformer_, "set_output"):
            self.transformer_.set_output(transform="default")
        flat, weights = _flat_copy(X), {}
        if sample_weight is not None:
            if has_fit_parameter(self.transformer_, "sample_weight"):
                weights = {"sample_weight": sample_weight}
            else:
                flat = np.repeat(flat, self._copies(sample_weight), axis=0)
        try:
            self.transformer_.fit(flat, **weights)
        except ValueError as exc:
            if not has_missing(X):
                raise
            raise ValueError(
                f"scaler {self.transformer!r} does not take missing entries: {exc}\n"
                "Use scaler='standard', or a transformer that takes them."
            ) from exc
        scaled = self._apply("transform", _flat_copy(X))
        self._invert(scaled[:1].copy())
        self.low_, self.high_ = extremes(scaled, axis=0)
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return scaled rows, in X's float type."""
        X = _as_float(X)
        rows = self._apply("transform", _flat_copy(X))
        missing = np.isnan(X).reshape(rows.shape)
        if missing.any():  # stays missing, also where the transformer fills it
            rows = np.where(missing, np.nan, rows)
        if not (np.isfinite(rows) | missing).all():
            raise ValueError(
                f"scaler {self.transformer!r} made NaN or infinity of finite values. "
                "Use one that suits all values, or scaler='standard'."
            )
        return rows.reshape(X.shape).astype(X.dtype, copy=False)

    def inverse_transform(self, X: ArrayLike) -> np.ndarray:
        """Return rows in the original units, in X's float type."""
        X = _as_float(X)
        rows = self._invert(_flat_copy(X))
        lost = ~np.isfinite(rows)
        if lost.any():
            inside = np.clip(_flat_copy(X), self.low_, self.high_)
            rows = np.where(lost, self._invert(inside), rows)
        return rows.reshape(X.shape).astype(X.dtype, copy=False)

    def _invert(self, rows: np.ndarray) -> np.ndarray:
        """Return the inverse of scaled rows, silently, not finite where it has none."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self._apply("inverse_transform", rows)

    def _apply(self, method: str, rows: np.ndarray) -> np.ndarray:
        """Return the result of a method of the transformer, which may change rows."""
        shape = rows.shape
        with np.errstate(all="ignore"):  # what is not finite is found afterwards
            result = getattr(self.transformer_, method)(rows)
        if np.shape(result) != shape:
            raise ValueError(
                f"{method} of scaler {self.transformer!r} makes rows of shape "
                f"{np.shape(result)[1:]} of rows of shape {shape[1:]}, but a scaler "
                "must keep it. Put a transformer that changes the columns in front, in "
                "a Pipeline."
            )
        return np.asarray(result.toarray() if hasattr(result, "toarray") else result)

    def _copies(self, sample_weight: np.ndarray) -> np.ndarray:
        """Return weights as whole numbers, or raise."""
        copies = sample_weight.astype(int)
        if not np.array_equal(copies, sample_weight):
            raise ValueError(
                f"scaler {self.transformer!r} takes no sample_weight in fit, so "
                "weights must be whole numbers (copies of rows), but they are not. Use "
                "scaler='standard', or whole weights."
            )
        return copies


def _as_float(X: ArrayLike) -> np.ndarray:
    """Return an array of float32 where X is float32, of float64 otherwise."""
    X = np.asarray(X)
    return X if X.dtype in FLOAT_DTYPES else X.astype(np.float64)


def _flat_copy(X: np.ndarray) -> np.ndarray:
    """Return flattened rows as a copy: a transformer may work in place."""
    return np.array(X.reshape(len(X), -1))


def _as_row(values: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Return a row in X's dtype: with a single row of X, NumPy need not broadcast."""
    return values.astype(X.dtype, copy=False)[np.newaxis]


def _check_scales(kind: str, X: np.ndarray, *learned: np.ndarray) -> None:
    """Raise where centers or scales overflow."""
    if all(np.isfinite(values).all() for values in learned):
        return
    low, high = extremes(X)
    raise ValueError(
        f"scaler={kind!r} cannot scale values as large as these: they "
        f"range from {low:.3g} to {high:.3g}. Divide them by a constant first."
    )


def _mean_and_deviation(
    flat: np.ndarray, sample_weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return each column's mean and standard deviation; NaN where none is observed."""
    # A deviation that is mere rounding becomes 0. The import is here, since it takes
    # far longer than scoring, which does not need it.
    from sklearn.preprocessing import StandardScaler

    with np.errstate(over="ignore", invalid="ignore"):
        learned = StandardScaler().fit(flat, sample_weight=sample_weight)
    deviation = np.sqrt(learned.var_)
    # There, a constant column has another scale; so has one whose variance overflows.
    is_constant = (learned.scale_ != deviation) & np.isfinite(deviation)
    return learned.mean_.astype(np.float64), np.where(is_constant, 0.0, deviation)


def _low_and_range(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each column's smallest value and range: 1 where it is constant."""
    low, high = extremes(flat, axis=0)
    # Relative to the values: columns in tiny units are not constant.
    rounding = np.finfo(flat.dtype).eps * np.maximum(np.abs(low), np.abs(high))
    low, high = low.astype(np.float64), high.astype(np.float64)
    with np.errstate(over="ignore"):
        spread = high - low
    return low, np.where(spread <= _ROUNDINGS * rounding, 1.0, spread)


# ------------------------------------- the choice between "common" and "standard"

# Columns in units of their own need a scale each. Those that share a unit are better
# off with one: columns that hardly vary are not blown up to the size of the others.

# In fewer columns, neighbours may be alike by chance.
_FEWEST_COLUMNS = 20
# von Neumann's ratio is about 2 where the order of the columns means nothing. In the
# columns' own units, it is 0.1 for heartbeats, 0.2 to 0.5 for most images, and above
# 0.6 for tables; columns of unit variance have a little more each.
_LARGEST_RATIO, _LARGEST_OF_STANDARDISED = 0.5, 1.0
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


def share_a_unit(X: np.ndarray, weight: np.ndarray | None = None) -> bool:
    """Return whether the values of a row are one quantity, at successive places."""
    # Those of n-D rows are. Columns of a table are where each is much like the next:
    # von Neumann's ratio along the rows, sum((x[j+1] - x[j])**2) / (p - 1) over
    # sum((x[j] - mean(x))**2) / p, summed over all rows, is small, both in the columns'
    # units and with standardised columns. In addition, either their deviations change
    # smoothly from one to the next, and each is correlated with a neighbour; or all
    # have the same smallest value and most come near to the same largest one, as
    # pixels do. J. von Neumann (1941), Distribution of the ratio of the mean square
    # successive difference to the variance, doi:10.1214/aoms/1177731677.
    if X.ndim > 2:
        return True
    if X.shape[1] < _FEWEST_COLUMNS:
        return False
    rows = np.linspace(0, len(X) - 1, min(len(X), _MOST_ROWS)).astype(int)
    X = X[rows].astype(np.float64)
    weight = np.ones(len(X)) if weight is None else weight[rows].astype(np.float64)
    with np.errstate(all="ignore"):  # what is not finite shares nothing
        X -= _mean(X)  # far from zero, squares lose digits
        mean = _means(X, weight)
        deviation = np.sqrt(_means((X - mean) ** 2, weight))
        # Of a constant column, rounding leaves a deviation.
        low, high = extremes(X, axis=0)
        varies = (high > low) & (deviation > 0)
        if varies.sum() < _FEWEST_COLUMNS or not _ratio(X, weight) < _LARGEST_RATIO:
            return False
        X, mean, deviation = X[:, varies], mean[varies], deviation[varies]
        standardised = (X - mean) / deviation
        return bool(
            _ratio(standardised, weight) < _LARGEST_OF_STANDARDISED
            and (_change_smoothly(deviation, standardised, weight) or _share_bounds(X))
        )


def _change_smoothly(
    deviation: np.ndarray, standardised: np.ndarray, weight: np.ndarray
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


def _ratio(X: np.ndarray, weight: np.ndarray) -> float:
    """Return von Neumann's ratio along rows, with sums over all of them."""
    row_mean = _means(X.T, np.ones(X.shape[1]))[:, None]
    spread = _means((X - row_mean) ** 2, weight)
    return _mean(_means(np.diff(X) ** 2, weight)) / _mean(spread)


def _mean(values: np.ndarray) -> float:
    """Return the mean of the observed values; NaN, silently, where there are none."""
    observed = values[~np.isnan(values)]
    return observed.sum() / np.float64(observed.size)


def _means(X: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the mean of each column's observed values."""
    observed = ~np.isnan(X)
    return weight @ np.where(observed, X, 0.0) / (weight @ observed)
