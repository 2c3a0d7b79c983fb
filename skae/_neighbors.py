"""How far a row or a code lies from those of training: from the nearest, and from many.

Few neighbours know a row that is odd among those near to it. Many know a small crowd of
rows that are alike, but not like the others: outliers among the training rows, say.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from skae._smallest import (
    is_same,
    places_of_smallest,
    sum_of_many_smallest,
    sum_of_smallest,
    sum_of_sorted,
)

# Neighbours that count, and the most training rows that they are looked for among.
_N_NEIGHBORS = 5
MOST_CODES = 5_000
# Of a crowd: the share that counts, and the most training rows that it consists of.
_NEAREST_SHARE = 0.1
_MOST_OF_CROWD = 500
# Codes are compared in blocks of rows: few enough that the numbers stay in the
# processor's cache.
_BLOCK_ROWS = 128
# Wider codes have neighbours in too many directions for a tree.
_WIDEST_IN_TREE = 10
# Wide ones are looked for among groups of so many.
_GROUP = 20
# Candidates beyond those that count where they are looked for in float32.
_SPARE = 5
_LARGEST = 1e15  # of which float32 can hold the square
_LARGEST_SQUARED = 1e150  # of which float64 can


@dataclass(frozen=True)
class _Codes(ABC):
    """Codes of training rows, and how far others lie from them.

    A row that is compared with itself is left out: distances of training rows are those
    to the others.

    Attributes
    ----------
    codes : ndarray of shape (n, width)
        float64, or float32 where there are many numbers.
    """

    codes: Any

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
        if len(codes) <= _BLOCK_ROWS:  # single rows come often
            return self._of_block(_bounded(codes))
        found = np.empty(len(codes))
        for start in range(0, len(codes), _BLOCK_ROWS):
            rows = slice(start, start + _BLOCK_ROWS)
            found[rows] = self._of_block(_bounded(codes[rows]))
        return found

    def _of_block(self, block):
        """Return the distances of a block of codes."""
        size = np.vecdot(block, block)[:, None]
        total, counted = self._near(block, size)
        if isinstance(counted, np.ndarray):  # perhaps none for some
            counted[counted == 0] = np.inf
        return total / (counted * block.shape[1])

    @abstractmethod
    def _near(self, block, size):
        """Return sums of the squared distances that count, and of how many they are.

        `size` are the squared lengths of the block's codes.
        """


@dataclass(frozen=True)
class WideNeighbors(_Codes):
    """A few hundred codes, of which the nearest tenth counts, but 5 at least.

    Attributes
    ----------
    weight : float64 ndarray of shape (n,)
        In copies.
    """

    weight: Any

    def __getstate__(self):
        return {"codes": self.codes, "weight": self.weight}

    @classmethod
    def of(cls, X, weight=None, encode=np.asarray):
        """Return that of training rows: where there are too many, of some at random.

        Parameters
        ----------
        X : ndarray of shape (n, *input_shape)

        weight : ndarray of shape (n,), default=None
            A weight of k counts a row k times.

        encode : callable, default=numpy.asarray
            From rows to codes.
        """
        weight = np.ones(len(X)) if weight is None else weight.astype(np.float64)
        kept = _some(len(X), _MOST_OF_CROWD)
        weight = weight[kept]
        return cls(_bounded(encode(X[kept])), weight / min(1.0, weight.max()))

    def _near(self, block, size):
        distance = size + self._squares - 2 * (block @ self.codes.T)
        np.maximum(distance, 0, out=distance)
        if self._is_unweighted:
            return sum_of_many_smallest(distance, size, self._n_wanted)
        return self._of_copies(distance, size)

    def _of_copies(self, distance, size):
        """Return the sums where a code stands for several, or for part of one."""
        order = np.argsort(distance, axis=1)
        distance = np.take_along_axis(distance, order, axis=1)
        copies = self.weight[order]
        is_itself = is_same(distance[:, :1], size)
        copies[:, :1] -= np.where(is_itself, np.minimum(1, copies[:, :1]), 0)
        before = np.cumsum(copies, axis=1) - copies
        counted = np.clip(self._n_wanted - before, 0, copies)
        return np.vecdot(counted, distance), counted.sum(axis=1)

    @cached_property
    def _n_wanted(self):
        return max(_N_NEIGHBORS, round(_NEAREST_SHARE * self.weight.sum()))

    @cached_property
    def _is_unweighted(self):
        return bool((self.weight == 1).all())

    @cached_property
    def _squares(self):
        return np.vecdot(self.codes, self.codes)


@dataclass(frozen=True)
class Neighbors(_Codes):
    """Thousands of codes, or of rows, of which the nearest 5 count.

    Copies of a row count once, whatever their weight, and are left out where the row
    itself is asked for: else rows that have copies would be near to all, and others
    not.
    """

    def __getstate__(self):
        return {"codes": self.codes}

    @classmethod
    def of(cls, X, encode=np.asarray, most=None, dtype=np.float64):
        """Return those of training rows: where there are too many, of some at random.

        Parameters
        ----------
        X : ndarray of shape (n, *input_shape)

        encode : callable, default=numpy.asarray
            From rows to codes.

        most : int, default=None
            Codes that are kept, at most; None: 5,000.

        dtype : dtype, default=numpy.float64
            What they are kept in; distances are float64 all the same.
        """
        kept = X[_some(len(X), most or MOST_CODES)]
        places = {row.tobytes(): place for place, row in enumerate(kept)}
        codes = encode(kept[list(places.values())]).reshape(len(places), -1)
        return cls(_bounded(codes, dtype))

    def _near(self, block, size):
        n_candidates = min(_N_NEIGHBORS + 1, len(self.codes))
        if block.shape[1] > _WIDEST_IN_TREE:
            number = self._candidates(block, n_candidates + _SPARE)
            difference = block[:, None] - self.codes[number]
            distance = np.vecdot(difference, difference)
            return sum_of_smallest(distance, size, _N_NEIGHBORS)
        wanted = n_candidates if n_candidates > 1 else [1]  # 1 would drop an axis
        distance, _ = self._tree.query(block, wanted)
        np.square(distance, out=distance)
        return sum_of_sorted(distance, size, _N_NEIGHBORS)

    @cached_property
    def _tree(self):
        return cKDTree(self.codes, leafsize=32)  # a third faster than 16 at worst

    def _candidates(self, block, n):
        """Return the numbers of the n nearest codes, about: of shape (n_rows, n).

        They are in the n groups whose own nearest codes are the nearest ones.
        """
        n = min(n, len(self.codes))
        # Half of the squared distances, but for the block's own squares.
        distance = self._scaled(block, -1, 1) @ self._rough
        n_groups = distance.shape[1] // _GROUP
        if n_groups <= n:
            return places_of_smallest(distance, n)
        nearest = distance.reshape(-1, _GROUP, n_groups).min(axis=1)
        groups = places_of_smallest(nearest, n)[..., None]
        number = (groups + n_groups * np.arange(_GROUP)).reshape(len(block), -1)
        distance = np.take_along_axis(distance, number, axis=1)
        return np.take_along_axis(number, places_of_smallest(distance, n), axis=1)

    @cached_property
    def _rough(self):
        """The codes, scaled, and half of their squares: float32, in full groups."""
        rough = self._scaled(self.codes, 1, 0)
        codes, half_squares = rough[:, :-1], rough[:, -1]
        np.vecdot(codes, codes, out=half_squares)
        half_squares /= 2
        more = np.zeros((-len(rough) % _GROUP, rough.shape[1]), np.float32)
        more[:, -1] = np.inf
        return np.ascontiguousarray(np.concatenate([rough, more]).T)

    def _scaled(self, codes, factor, last):
        """Return codes around 0, times a factor, in float32, with one more column."""
        center, scale = self._location
        scaled = (codes - center) / (factor * scale)
        augmented = np.full((len(codes), codes.shape[1] + 1), last, np.float32)
        np.clip(scaled, -_LARGEST, _LARGEST, out=augmented[:, :-1], casting="same_kind")
        return augmented

    @cached_property
    def _location(self):
        """The middle of the codes, and how far they lie from it: where float32 is."""
        center = np.median(self.codes, axis=0)
        return center, np.abs(self.codes - center).mean() or 1.0


def _some(n, most):
    """Return numbers of rows, in order: of all, or of as many as may be, at random."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, most, replace=False))


def _bounded(codes, dtype=np.float64):
    """Return codes whose squares can be added up, in float64 if not told otherwise."""
    largest = dtype(_LARGEST if dtype is np.float32 else _LARGEST_SQUARED)
    codes = np.maximum(codes.astype(dtype, copy=False), -largest)
    return np.minimum(codes, largest, out=codes)
