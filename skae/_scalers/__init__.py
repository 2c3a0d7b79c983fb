"""Scalers as the estimators use them: rows of any shape in, rows of that shape out.

Three forms of one thing, with ``fit``, ``transform`` and ``inverse_transform``: the
named scalers (an affine map per column or channel), a user's transformer (on flattened
rows), and none at all. Users meet them as the fitted ``scaler_`` of an estimator, so
they take whatever NumPy can make an array of, and check its shape.
"""

from skae._scalers._affine import ChannelScaler, CommonScaler, IdentityScaler
from skae._scalers._transformer import TransformerScaler
from skae._scalers._units import share_a_unit

__all__ = [
    "ChannelScaler",
    "CommonScaler",
    "IdentityScaler",
    "TransformerScaler",
    "fitted_scaler",
    "is_affine",
    "make_scaler",
    "share_a_unit",
]


def fitted_scaler(scaler, X, weight=None):
    """Return what the parameter ``scaler`` stands for, fitted on rows.

    Parameters
    ----------
    scaler : {"standard", "minmax", "common", "auto"}, transformer or None

    X : ndarray of shape (n, *shape)

    weight : ndarray of shape (n,), default=None
        A weight of k counts a row k times.
    """
    if isinstance(scaler, str) and scaler == "auto":
        scaler = "common" if share_a_unit(X, weight) else "standard"
    return make_scaler(scaler).fit(X, weight)


def make_scaler(scaler):
    """Return an unfitted scaler for a value of the parameter other than "auto"."""
    if scaler is None:
        return IdentityScaler()
    if isinstance(scaler, str):
        return CommonScaler() if scaler == "common" else ChannelScaler(scaler)
    return TransformerScaler(scaler)


def is_affine(scaler):
    """Return whether a fitted scaler computes in NumPy alone: no user's code in it."""
    return isinstance(scaler, (IdentityScaler, ChannelScaler, CommonScaler))
