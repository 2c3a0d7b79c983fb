"""Arrays as scalers take them."""

import numpy as np


def as_float(X):
    """Return an array of float32 where X is float32, of float64 otherwise."""
    X = np.asarray(X)
    return X if X.dtype in (np.float32, np.float64) else X.astype(np.float64)
