"""Arrays as scalers take them."""

import numpy as np

from skae._validation import FLOAT_DTYPES


def as_float(X):
    """Return an array of float32 where X is float32, of float64 otherwise."""
    X = np.asarray(X)
    return X if X.dtype in FLOAT_DTYPES else X.astype(np.float64)
