"""How far a code lies from the codes of training rows."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

# Neighbours that count, and the most training rows that they are looked for among.
_N_NEIGHBORS = 5
MOST_CODES = 5_000
# Codes are compared in blocks of rows with groups of training codes: few enough of each
# that the numbers stay in the processor's cache.
_BLOCK_ROWS, _GROUP = 256, 50
# Candidates beyond those that count: float32, in which they are looked for, is rough.
_SPARE = 4
# Codes nearer than this, as a share of their squared lengths, are those of one row.
_SAME = 1e-12
# Differences of values that are in memory at a time.
_AT_ONCE = 1 << 20
_LARGEST = 1e15  # of which float32 can hold the square


@dataclass(frozen=True)
class CodeNeighbors:
    """Codes of training rows, and how far others lie from the nearest of them.

    Attributes
    ----------
    codes : float64 ndarray of shape (n, width)

    weight : float64 ndarray of shape (n,)
        In copies.
    """

    codes: Any
    weight: Any

    @classmethod
    def of(cls, codes, weight=None):
        """Return those of training rows, at most 5,000 of them, chosen at random.

        Parameters
        ----------
        codes : ndarray of shape (n, width)

        weight : ndarray of shape (n,) or None
            A weight of k counts a row k times.
        """
        weight = np.ones(len(codes)) if weight is None else weight.astype(np.float64)
        if len(codes) > MOST_CODES:
            rng = np.random.default_rng(0)
            kept = np.sort(rng.choice(len(codes), MOST_CODES, replace=False))
            codes, weight = codes[kept], weight[kept]
        return cls(codes.astype(np.float64), weight / min(1.0, weight.max()))

    def distances(self, codes):
        """Return the mean squared distance of each code to its 5 nearest ones.

        One of them is left out where it is the code itself: a training row is compared
        with the others. Distances are means over the values of a code.

        Parameters
        ----------
        codes : ndarray of shape (n, width)

        Returns
        -------
        distances : float64 ndarray of shape (n,)
        """
        found = np.empty(len(codes))
        for start in range(0, len(codes), _BLOCK_ROWS):
            rows = slice(start, start + _BLOCK_ROWS)
            block = codes[rows].astype(np.float64, copy=False)
            found[rows] = self._mean_of_nearest(block, *self._candidates(block))
        return found

    @cached_property
    def _rough(self):
        """The codes in float32, and half of their squares."""
        rough = _as_float32(self.codes)
        return rough, np.vecdot(rough, rough) / 2

    def _candidates(self, block):
        """Return pairs of (row of the block, number of a code): all that may count.

        Each group's nearest code bounds how far the nearest ones may be.
        """
        rough, half_squares = self._rough
        distance = np.subtract(half_squares, _as_float32(block) @ rough.T)
        n_groups, n_wanted = len(rough) // _GROUP, _N_NEIGHBORS + 1 + _SPARE
        if n_groups < n_wanted:
            return np.divmod(np.arange(distance.size), len(rough))
        whole = distance[:, : n_groups * _GROUP].reshape(-1, n_groups, _GROUP)
        bound = np.partition(whole.min(axis=2), n_wanted - 1, axis=1)[:, n_wanted - 1]
        return np.nonzero(distance <= bound[:, None])

    def _distances_of(self, block, row, number):
        """Return the squared distances of pairs, computed some at a time."""
        distance = np.empty(len(row))
        size = max(1, _AT_ONCE // block.shape[1])
        for start in range(0, len(row), size):
            pairs = slice(start, start + size)
            difference = block[row[pairs]] - self.codes[number[pairs]]
            distance[pairs] = np.vecdot(difference, difference)
        return distance

    def _mean_of_nearest(self, block, row, number):
        """Return the mean squared distance of each row to the copies nearest to it."""
        distance = self._distances_of(block, row, number)
        order = np.lexsort((distance, row))
        row, distance = row[order], distance[order]
        copies = self.weight[number[order]]
        first = np.searchsorted(row, np.arange(len(block)))
        size = np.vecdot(block, block)
        is_itself = distance[first] <= _SAME * (1e-300 + size)
        copies[first] -= np.where(is_itself, np.minimum(1, copies[first]), 0)
        before = np.cumsum(copies) - copies
        before -= before[first][row]
        counted = np.clip(_N_NEIGHBORS - before, 0, copies)
        n_counted = np.add.reduceat(counted, first)
        total = np.add.reduceat(counted * distance, first)
        mean = np.divide(
            total, n_counted, out=np.zeros(len(block)), where=n_counted > 0
        )
        return mean / block.shape[1]


def _as_float32(codes):
    return np.clip(codes, -_LARGEST, _LARGEST).astype(np.float32)
