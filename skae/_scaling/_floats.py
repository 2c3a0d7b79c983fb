"""Arrays as scalers take them."""

import numpy as np

# Compared with these, not with NumPy's types, which takes several times as long.
_FLOATS = np.dtype(np.float32), np.dtype(np.float64)


def as_float(X):
    """Return an array of float32 where X is float32, of float64 otherwise."""
    X = np.asarray(X)
    return X if X.dtype in _FLOATS else X.astype(np.float64)
