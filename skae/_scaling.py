"""Scalers as the estimators use them: rows of any shape in, rows of that shape out.

Three forms of one thing, with ``fit``, ``transform`` and ``inverse_transform``: the
named scalers (an affine map per column or channel), a user's transformer (on flattened
rows), and none at all.
"""

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.validation import has_fit_parameter


def make_scaler(scaler):
    """Return an unfitted scaler for the value of the parameter ``scaler``."""
    if scaler is None:
        return IdentityScaler()
    if isinstance(scaler, str):
        return ChannelScaler(scaler)
    return TransformerScaler(scaler)


class IdentityScaler(BaseEstimator):
    """The scaler of ``scaler=None``: changes nothing."""

    def fit(self, X, sample_weight=None):
        """Learn nothing."""
        return self

    def transform(self, X):
        """Return X."""
        return X

    def inverse_transform(self, X):
        """Return X."""
        return X


class ChannelScaler(BaseEstimator):
    """Scales each column of 2-D X, or each channel (last axis) of n-D X.

    Parameters
    ----------
    kind : {"standard", "minmax"}
        Zero mean and unit variance, or the range [0, 1] on the rows it is fitted on; as
        learned by scikit-learn's ``StandardScaler`` and ``MinMaxScaler``.

    Attributes
    ----------
    center_, scale_ : ndarray of shape (n_channels,)
        ``transform`` is ``(X - center_) / scale_``; a constant channel has scale 1.
    """

    def __init__(self, kind="standard"):
        self.kind = kind

    def fit(self, X, sample_weight=None):
        """Learn center and scale of rows of shape (n, *shape)."""
        flat = X.reshape(-1, X.shape[-1])
        if self.kind == "minmax":
            learned = MinMaxScaler().fit(flat)
            self.center_, scale = learned.data_min_, learned.data_range_
            self.scale_ = np.where(scale == 0, 1.0, scale)
            return self
        if sample_weight is not None:
            sample_weight = np.repeat(sample_weight, len(flat) // len(X))
        learned = StandardScaler().fit(flat, sample_weight=sample_weight)
        self.center_, self.scale_ = learned.mean_, learned.scale_
        return self

    def transform(self, X):
        """Return scaled rows, in X's float type."""
        scaled = X - self.center_.astype(X.dtype, copy=False)
        scaled /= self.scale_.astype(X.dtype, copy=False)
        return scaled

    def inverse_transform(self, X):
        """Return rows in the original units, in X's float type."""
        original = X * self.scale_.astype(X.dtype, copy=False)
        original += self.center_.astype(X.dtype, copy=False)
        return original


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
    """

    def __init__(self, transformer):
        self.transformer = transformer

    def fit(self, X, sample_weight=None):
        """Fit a clone of the transformer; weights count as copies."""
        self.transformer_ = clone(self.transformer)
        if hasattr(self.transformer_, "set_output"):
            self.transformer_.set_output(transform="default")
        flat = X.reshape(len(X), -1)
        if sample_weight is None:
            self.transformer_.fit(flat)
        elif has_fit_parameter(self.transformer_, "sample_weight"):
            self.transformer_.fit(flat, sample_weight=sample_weight)
        else:
            self.transformer_.fit(np.repeat(flat, self._copies(sample_weight), axis=0))
        width = np.shape(self.transformer_.transform(flat[:1]))[1]
        if width != flat.shape[1]:
            raise ValueError(
                f"scaler {self.transformer!r} makes {width} columns of "
                f"{flat.shape[1]}, but a scaler must keep them. Put a transformer that "
                "changes the columns in front, in a Pipeline."
            )
        return self

    def transform(self, X):
        """Return scaled rows, in X's float type."""
        return self._by_rows(self.transformer_.transform, X)

    def inverse_transform(self, X):
        """Return rows in the original units, in X's float type."""
        return self._by_rows(self.transformer_.inverse_transform, X)

    @staticmethod
    def _by_rows(function, X):
        rows = np.asarray(function(X.reshape(len(X), -1)))
        return rows.reshape(X.shape).astype(X.dtype, copy=False)

    def _copies(self, sample_weight):
        copies = sample_weight.astype(int)
        if not np.array_equal(copies, sample_weight):
            raise ValueError(
                f"scaler {self.transformer!r} takes no sample_weight in fit, so weights "
                "must be whole numbers (copies of rows), but they are not. Use "
                "scaler='standard', or whole weights."
            )
        return copies
