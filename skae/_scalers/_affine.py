"""Scalers that add and multiply, and the one that does nothing."""

from abc import ABC, abstractmethod

import numpy as np
from sklearn.base import BaseEstimator

from skae._missing import extremes
from skae._scalers._floats import as_float

# A column whose values differ by no more than some rounding is constant.
_ROUNDINGS = 10


class IdentityScaler(BaseEstimator):
    """The scaler of ``scaler=None``: changes nothing."""

    def fit(self, X, sample_weight=None):
        """Learn nothing."""
        return self

    def transform(self, X):
        """Return X."""
        return as_float(X)

    def inverse_transform(self, X):
        """Return X."""
        return as_float(X)


class _AffineScaler(BaseEstimator, ABC):
    """Base of what subtracts ``center_`` and divides by ``scale_``.

    Subclasses have ``fit``, which learns the two, for rows of X.
    """

    def transform(self, X):
        """Return scaled rows, in X's float type."""
        X = self._checked(X)
        scaled = X - _as_row(self.center_, X)
        scaled /= _as_row(self.scale_, X)
        return scaled

    def inverse_transform(self, X):
        """Return rows in the original units, in X's float type."""
        X = self._checked(X)
        original = X * _as_row(self.scale_, X)
        original += _as_row(self.center_, X)
        return original

    @abstractmethod
    def _checked(self, X):
        """Return X as a float array of rows that suit, or raise."""


class ChannelScaler(_AffineScaler):
    """Scales each column of 2-D X, or each channel (last axis) of n-D X.

    Parameters
    ----------
    kind : {"standard", "minmax"}
        Zero mean and unit variance, or the range [0, 1] on the rows it is fitted on, as
        scikit-learn's ``StandardScaler`` and ``MinMaxScaler``.

    Attributes
    ----------
    center_, scale_ : float64 ndarray of shape (n_channels,)
        ``transform`` is ``(X - center_) / scale_``; a constant channel has scale 1.
    """

    def __init__(self, kind):  # no default: it is shown
        self.kind = kind

    def fit(self, X, sample_weight=None):
        """Learn center and scale of rows of shape (n, *shape)."""
        flat = X.reshape(-1, X.shape[-1])
        if self.kind == "minmax":
            center, scale = _low_and_range(flat)
        else:
            if sample_weight is not None:
                sample_weight = np.repeat(sample_weight, len(flat) // len(X))
            center, scale = _mean_and_std(flat, sample_weight)
        _check_scales(self.kind, X, center, scale)
        self.center_, self.scale_ = center, scale
        return self

    def _checked(self, X):
        X = as_float(X)
        if X.ndim < 2 or X.shape[-1] != len(self.scale_):
            raise ValueError(
                f"X has shape {X.shape}, but this scaler was fitted on rows whose last "
                f"axis has length {len(self.scale_)}. Pass rows of that shape."
            )
        return X


class CommonScaler(_AffineScaler):
    """Centres every value of a row, and scales all of them alike.

    Attributes
    ----------
    center_ : float64 ndarray of shape input_shape
        Mean of each value over the rows.

    scale_ : float64 ndarray of shape (1,) or (n_channels,)
        Standard deviation from these means: one for all columns of 2-D X, and one for
        each channel (last axis) of n-D X. ``transform`` is ``(X - center_) / scale_``;
        where nothing varies, it is 1.
    """

    def fit(self, X, sample_weight=None):
        """Learn center and scale of rows of shape (n, *shape)."""
        flat = X.reshape(len(X), -1)
        means, deviations = _mean_and_deviation(flat, sample_weight)
        means, deviations = (one.reshape(X.shape[1:]) for one in (means, deviations))
        channels = tuple(range(X.ndim - 2)) if X.ndim > 2 else (0,)
        # Places of a channel that are never observed are taken to be as the others are.
        usual = np.nanmean(means, axis=channels, keepdims=True)
        self.center_ = np.where(np.isnan(means), usual, means)
        with np.errstate(over="ignore"):
            scale = np.sqrt(np.nanmean(deviations**2, axis=channels)).reshape(-1)
        _check_scales("common", X, self.center_, scale)
        self.scale_ = np.where(scale > 0, scale, 1.0)
        return self

    def _checked(self, X):
        X = as_float(X)
        if X.shape[1:] != self.center_.shape:
            raise ValueError(
                f"X has shape {X.shape}, but this scaler was fitted on rows of shape "
                f"{self.center_.shape}. Pass rows of that shape."
            )
        return X


def _check_scales(kind, X, *learned):
    """Raise where centers or scales of some rows are too large for their numbers."""
    if all(np.isfinite(one).all() for one in learned):
        return
    low, high = extremes(X)
    raise ValueError(
        f"scaler={kind!r} cannot scale values as large as these: they "
        f"range from {low:.3g} to {high:.3g}. Divide them by a constant first."
    )


def _as_row(values, X):
    """Return a row in X's dtype: with a single row of X, NumPy need not broadcast."""
    return values.astype(X.dtype, copy=False)[np.newaxis]


def _mean_and_std(flat, sample_weight):
    """Return the mean and standard deviation of each column; 1 where it is constant."""
    mean, deviation = _mean_and_deviation(flat, sample_weight)
    return mean, np.where(deviation == 0, 1.0, deviation)


def _mean_and_deviation(flat, sample_weight):
    """Return the mean and standard deviation of each column; 0 where that is rounding.

    Both are NaN where nothing is observed.
    """
    # Here: importing it takes far longer than scoring, which does not need it.
    from sklearn.preprocessing import StandardScaler

    with np.errstate(over="ignore", invalid="ignore"):
        learned = StandardScaler().fit(flat, sample_weight=sample_weight)
    deviation = np.sqrt(learned.var_)
    # There, a constant column has another scale; so has one whose variance overflows.
    is_constant = (learned.scale_ != deviation) & np.isfinite(deviation)
    return learned.mean_.astype(np.float64), np.where(is_constant, 0.0, deviation)


def _low_and_range(flat):
    """Return the smallest value and the range of each column; 1 where it is constant.

    Constant is relative to the values: columns in tiny units are no constants.
    """
    low, high = extremes(flat, axis=0)
    rounding = np.finfo(flat.dtype).eps * np.maximum(np.abs(low), np.abs(high))
    low, high = low.astype(np.float64), high.astype(np.float64)
    with np.errstate(over="ignore"):
        spread = high - low
    return low, np.where(spread <= _ROUNDINGS * rounding, 1.0, spread)
