"""How far a code lies from the codes of training rows: from the nearest, and from many.

Few neighbours know a row that is odd among those near to it. Many know a small crowd of
rows that are alike, but not like the others: outliers among the training rows, say.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

# Neighbours that count, and the most training rows that they are looked for among.
_N_NEIGHBORS = 5
MOST_CODES = 5_000
# Of a crowd: the share that counts, and the most training rows that it consists of.
_NEAREST_SHARE = 0.1
_MOST_OF_CROWD = 500
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
_LARGEST_SQUARED = 1e150  # of which float64 can


@dataclass(frozen=True)
class _Codes(ABC):
    """Codes of training rows, and how far others lie from them.

    A row that is compared with itself has one copy of it fewer: distances of training
    rows are those to the others.

    Attributes
    ----------
    codes : float64 ndarray of shape (n, width)

    weight : float64 ndarray of shape (n,)
        In copies.
    """

    codes: Any
    weight: Any

    @staticmethod
    @abstractmethod
    def most():
        """Return of how many training rows the codes are kept."""

    @classmethod
    def of(cls, codes, weight=None):
        """Return those of training rows: where there are too many, some at random.

        Parameters
        ----------
        codes : ndarray of shape (n, width)

        weight : ndarray of shape (n,) or None
            A weight of k counts a row k times.
        """
        weight = np.ones(len(codes)) if weight is None else weight.astype(np.float64)
        if len(codes) > cls.most():
            rng = np.random.default_rng(0)
            kept = np.sort(rng.choice(len(codes), cls.most(), replace=False))
            codes, weight = codes[kept], weight[kept]
        return cls(codes.astype(np.float64), weight / min(1.0, weight.max()))

    def distances(self, codes):
        """Return the mean squared distance of each code to those that count.

        Distances are means over the values of a code.

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
            found[rows] = self._of_block(codes[rows].astype(np.float64, copy=False))
        return found

    @abstractmethod
    def _of_block(self, block):
        """Return the distances of a block of codes."""


class Crowd(_Codes):
    """A few hundred of them, of which the nearest tenth counts, but 5 at least."""

    @staticmethod
    def most():
        return _MOST_OF_CROWD

    def _of_block(self, block):
        block = np.clip(block, -_LARGEST_SQUARED, _LARGEST_SQUARED)
        size = np.vecdot(block, block)[:, None]
        distance = size + self._squares - 2 * (block @ self.codes.T)
        np.maximum(distance, 0, out=distance)
        if self._is_unweighted:
            total, counted = self._of_equals(distance, size)
        else:
            total, counted = self._of_copies(distance, size)
        mean = np.divide(total, counted, out=np.zeros(len(block)), where=counted > 0)
        return mean / block.shape[1]

    def _of_equals(self, distance, size):
        """Return sums of the smallest distances, and of how many they are."""
        place = min(self._n_wanted, distance.shape[1] - 1)
        nearest = np.partition(distance, place, axis=1)[:, : place + 1]
        is_itself = nearest.min(axis=1) <= _SAME * (1e-300 + size[:, 0])
        others, last = nearest[:, :-1].sum(axis=1), nearest[:, -1]
        if place < self._n_wanted:  # there are no more
            return others + last, place + 1.0 - is_itself
        wanted = np.full(len(distance), float(self._n_wanted))
        return np.where(is_itself, others + last, others), wanted

    def _of_copies(self, distance, size):
        """Return the same where a code stands for several, or for part of one."""
        order = np.argsort(distance, axis=1)
        distance = np.take_along_axis(distance, order, axis=1)
        copies = self.weight[order]
        is_itself = distance[:, :1] <= _SAME * (1e-300 + size)
        copies[:, :1] -= np.where(is_itself, np.minimum(1, copies[:, :1]), 0)
        before = np.cumsum(copies, axis=1) - copies
        counted = np.clip(self._n_wanted - before, 0, copies)
        return np.vecdot(counted, distance), counted.sum(axis=1)

    @cached_property
    def _squares(self):
        return np.vecdot(self.codes, self.codes)

    @cached_property
    def _is_unweighted(self):
        return bool((self.weight == 1).all())

    @cached_property
    def _n_wanted(self):
        return max(_N_NEIGHBORS, round(_NEAREST_SHARE * self.weight.sum()))


class CodeNeighbors(_Codes):
    """Thousands of them, of which the nearest 5 count."""

    @staticmethod
    def most():
        return MOST_CODES

    def _of_block(self, block):
        return self._mean_of_nearest(block, *self._candidates(block))

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
