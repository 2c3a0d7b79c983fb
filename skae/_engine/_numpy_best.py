"""The best weights so far of a training in NumPy."""

import numpy as np


class Best:
    """A copy of the weights at the lowest loss so far, and the epochs since."""

    def __init__(self, weights):
        self._weights = weights
        self._kept = weights.copy()
        self._loss, self._waited = np.inf, 0

    def update(self, loss):
        """Keep the weights where a loss is the lowest; return the wait."""
        self._waited += 1
        if loss < self._loss:
            np.copyto(self._kept, self._weights)
            self._loss, self._waited = loss, 0
        return self._waited

    def restore(self):
        """Put the best weights where they came from."""
        np.copyto(self._weights, self._kept)
