"""A user's transformer as a scaler."""

import warnings

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import has_fit_parameter

from skae._missing import extremes, has_missing
from skae._scalers._floats import as_float


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
        X = as_float(X)
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
        X = as_float(X)
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


def _own_rows(X):
    """Return flattened rows as a copy: a transformer may work in place."""
    return np.array(X.reshape(len(X), -1))
