"""Scalers as the estimators use them: rows of any shape in, rows of that shape out.

Three forms of one thing, with ``fit``, ``transform`` and ``inverse_transform``: the
named scalers (an affine map per column or channel), a user's transformer (on flattened
rows), and none at all. Users meet them as the fitted ``scaler_`` of an estimator, so
they take whatever NumPy can make an array of, and check its shape.
"""

from skae._scaling._affine import ChannelScaler, IdentityScaler
from skae._scaling._transformer import TransformerScaler

__all__ = [
    "ChannelScaler",
    "IdentityScaler",
    "TransformerScaler",
    "is_affine",
    "make_scaler",
]


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
