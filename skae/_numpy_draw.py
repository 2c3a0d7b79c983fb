"""The draws of a corruption in NumPy."""

import numpy as np


class NumpyDraw:
    """The draws of ``Corruption.apply`` in NumPy.

    Parameters
    ----------
    rng : numpy.random.Generator

    rows : ndarray of shape (m, *shape)
        Training rows, which extremes and swapped values come from.

    extremes : tuple of two ndarrays, default=None
        The rows' smallest and largest values; None computes them.

    dtype : dtype, default=np.float64
        What draws are made in; float32 takes half the time.
    """

    where = staticmethod(np.where)
    clip = staticmethod(np.clip)
    exp = staticmethod(np.exp)

    def __init__(self, rng, rows, extremes=None, dtype=np.float64):
        self._rng = rng
        self._rows = rows
        self._extremes = extremes
        self._dtype = dtype

    @property
    def low(self):
        """Smallest training value of each feature."""
        return self._both()[0]

    @property
    def high(self):
        """Largest training value of each feature."""
        return self._both()[1]

    def normal(self, x):
        """Return standard normal draws of x's shape."""
        return self._rng.standard_normal(x.shape, self._dtype).astype(
            x.dtype, copy=False
        )

    def uniform(self, x):
        """Return draws from [0, 1) of x's shape."""
        return self._rng.random(x.shape, self._dtype)

    def uniform_per_row(self, x):
        """Return one draw from [0, 1) per row, shaped to multiply x."""
        return self._rng.random((len(x),) + (1,) * (x.ndim - 1), self._dtype)

    def other_rows(self, x):
        """Return x's entries taken from random training rows, feature by feature."""
        chosen = self._rng.integers(len(self._rows), size=x.shape)
        flat = self._rows.reshape(len(self._rows), -1)
        picked = np.take_along_axis(flat, chosen.reshape(len(x), -1), axis=0)
        return picked.reshape(x.shape)

    def _both(self):
        if self._extremes is None:
            self._extremes = feature_extremes(self._rows)
        return self._extremes


def feature_extremes(X):
    """Return the smallest and largest observed value per column, or channel of n-D X.

    Parameters
    ----------
    X : ndarray of shape (n, *shape)

    Returns
    -------
    low, high : ndarray of shape (shape[-1],)
    """
    axes = tuple(range(X.ndim - 1))
    return np.fmin.reduce(X, axis=axes), np.fmax.reduce(X, axis=axes)
