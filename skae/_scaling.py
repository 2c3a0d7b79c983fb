"""Scalers as the estimators use them: rows of any shape in, rows of that shape out.

Three forms of one thing, with ``fit``, ``transform`` and ``inverse_transform``: the
named scalers (an affine map per column or channel), a user's transformer (on flattened
rows), and none at all. Users meet them as the fitted ``scaler_`` of an estimator, so
they take whatever NumPy can make an array of, and check its shape.
"""

import warnings

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import has_fit_parameter

from skae._missing import extremes, has_missing

# A column whose values differ by no more than some rounding is constant.
_ROUNDINGS = 10


def make_scaler(scaler):
    """Return an unfitted scaler for the value of the parameter ``scaler``."""
    if scaler is None:
        return IdentityScaler()
    if isinstance(scaler, str):
        return ChannelScaler(scaler)
    return TransformerScaler(scaler)


def is_affine(scaler):
    """Return whether a fitted scaler computes in NumPy alone: no user's code in it."""
    return isinstance(scaler, (IdentityScaler, ChannelScaler))


class IdentityScaler(BaseEstimator):
    """The scaler of ``scaler=None``: changes nothing."""

    def fit(self, X, sample_weight=None):
        """Learn nothing."""
        return self

    def transform(self, X):
        """Return X."""
        return _as_float(X)

    def inverse_transform(self, X):
        """Return X."""
        return _as_float(X)


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
        X = _as_float(X)
        if X.ndim < 2 or X.shape[-1] != len(self.scale_):
            raise ValueError(
                f"X has shape {X.shape}, but this scaler was fitted on rows whose last "
                f"axis has length {len(self.scale_)}. Pass rows of that shape."
            )
        return X


class TransformerScaler(BaseEstimator):
    """Wraps a scikit-learn transformer with an inverse; sees n-D rows flattened.

    Parameters
    ----------
    transformer : transformer
        Is cloned; must keep the number of columns.

    Attributes
    ----------
    transformer_ : transformer
        The fitted clone.

    low_, high_ : ndarray of shape (n_columns,)
        Range of the scaled rows it was fitted on.

    Notes
    -----
    Some transformers have an inverse on a part of the line only: that of
    ``PowerTransformer`` is NaN above a bound, which a network may pass. There the
    nearest value that the fitted rows take is inverted instead.
    """

    def __init__(self, transformer):
        self.transformer = transformer

    def fit(self, X, sample_weight=None):
        """Fit a clone of the transformer; weights count as copies."""
        self.transformer_ = clone(self.transformer)
        if hasattr(self.transformer_, "set_output"):
            self.transformer_.set_output(transform="default")
        flat, weights = _own_rows(X), {}
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
        scaled = self._apply("transform", _own_rows(X))
        self._invert(scaled[:1].copy())
        self.low_, self.high_ = extremes(scaled, axis=0)
        return self

    def transform(self, X):
        """Return scaled rows, in X's float type."""
        X = _as_float(X)
        rows = self._apply("transform", _own_rows(X))
        missing = np.isnan(X).reshape(rows.shape)
        if missing.any():  # stays missing, whatever the transformer makes of it
            rows = np.where(missing, np.nan, rows)
        if not (np.isfinite(rows) | missing).all():
            raise ValueError(
                f"scaler {self.transformer!r} made NaN or infinity of finite values. "
                "Use one that suits all values, or scaler='standard'."
            )
        return rows.reshape(X.shape).astype(X.dtype, copy=False)

    def inverse_transform(self, X):
        """Return rows in the original units, in X's float type."""
        X = _as_float(X)
        rows = self._invert(_own_rows(X))
        lost = ~np.isfinite(rows)
        if lost.any():
            inside = np.clip(_own_rows(X), self.low_, self.high_)
            rows = np.where(lost, self._invert(inside), rows)
        return rows.reshape(X.shape).astype(X.dtype, copy=False)

    def _invert(self, rows):
        """Return the inverse of scaled rows, silently: what has none is dealt with."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self._apply("inverse_transform", rows)

    def _apply(self, method, rows):
        """Return what a method of the transformer makes of its own copy of rows."""
        shape = rows.shape
        with np.errstate(all="ignore"):  # what is not finite is found afterwards
            made = getattr(self.transformer_, method)(rows)
        if np.shape(made) != shape:
            raise ValueError(
                f"{method} of scaler {self.transformer!r} makes rows of shape "
                f"{np.shape(made)[1:]} of rows of shape {shape[1:]}, but a scaler must "
                "keep it. Put a transformer that changes the columns in front, in a "
                "Pipeline."
            )
        if hasattr(made, "toarray"):
            made = made.toarray()
        return np.asarray(made)

    def _copies(self, sample_weight):
        copies = sample_weight.astype(int)
        if not np.array_equal(copies, sample_weight):
            raise ValueError(
                f"scaler {self.transformer!r} takes no sample_weight in fit, so "
                "weights must be whole numbers (copies of rows), but they are not. Use "
                "scaler='standard', or whole weights."
            )
        return copies


def _as_float(X):
    """Return an array of float32 where X is float32, of float64 otherwise."""
    X = np.asarray(X)
    return X if X.dtype in (np.float32, np.float64) else X.astype(np.float64)


def _as_row(values, X):
    """Return a row in X's dtype: with a single row of X, NumPy need not broadcast."""
    return values.astype(X.dtype, copy=False)[np.newaxis]


def _own_rows(X):
    """Return flattened rows as a copy: a transformer may work in place."""
    return np.array(X.reshape(len(X), -1))


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
