"""Scalers that add and multiply, and the one that does nothing."""

import numpy as np
from sklearn.base import BaseEstimator

from skae._missing import extremes
from skae._scaling._floats import as_float

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


class ChannelScaler(BaseEstimator):
    """Scales each column of 2-D X, or each channel (last axis) of n-D X.

    Parameters
    ----------
    kind : {"standard", "minmax"}, default="standard"
        Zero mean and unit variance, or the range [0, 1] on the rows it is fitted on, as
        scikit-learn's ``StandardScaler`` and ``MinMaxScaler``.

    Attributes
    ----------
    center_, scale_ : float64 ndarray of shape (n_channels,)
        ``transform`` is ``(X - center_) / scale_``; a constant channel has scale 1.
    """

    def __init__(self, kind="standard"):
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
        if not (np.isfinite(center).all() and np.isfinite(scale).all()):
            low, high = extremes(X)
            raise ValueError(
                f"scaler={self.kind!r} cannot scale values as large as these: they "
                f"range from {low:.3g} to {high:.3g}. Divide them by a constant first."
            )
        self.center_, self.scale_ = center, scale
        return self

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

    def _checked(self, X):
        X = as_float(X)
        if X.ndim < 2 or X.shape[-1] != len(self.scale_):
            raise ValueError(
                f"X has shape {X.shape}, but this scaler was fitted on rows whose last "
                f"axis has length {len(self.scale_)}. Pass rows of that shape."
            )
        return X


def _as_row(values, X):
    """Return a row in X's dtype: with a single row of X, NumPy need not broadcast."""
    return values.astype(X.dtype, copy=False)[np.newaxis]


def _mean_and_std(flat, sample_weight):
    """Return the mean and standard deviation of each column; 1 where it is constant."""
    # Here: importing it takes far longer than scoring, which does not need it.
    from sklearn.preprocessing import StandardScaler

    with np.errstate(over="ignore", invalid="ignore"):
        learned = StandardScaler().fit(flat, sample_weight=sample_weight)
    # A variance that overflows passes for that of a constant column there.
    scale = np.where(np.isfinite(learned.var_), learned.scale_, np.inf)
    return learned.mean_.astype(np.float64), scale


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
