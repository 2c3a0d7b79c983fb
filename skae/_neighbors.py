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

# Neighbours that count, and the most training rows that they are looked for among.
_N_NEIGHBORS = 5
MOST_CODES = 5_000
# Of a crowd: the share that counts, and the most training rows that it consists of.
_NEAREST_SHARE = 0.1
_MOST_OF_CROWD = 500
# Codes are compared in blocks of rows: few enough that the numbers stay in the
# processor's cache.
_BLOCK_ROWS = 128
# Wider codes have neighbours in too many directions for a tree; scikit-learn's limit.
_WIDEST_IN_TREE = 15
# Wide ones are looked for among groups of so many.
_GROUP = 20
# Candidates beyond those that count where they are looked for in float32.
_SPARE = 5
# Codes nearer than this, as a share of their squared lengths, are those of one row.
_SAME = 1e-12
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
class Crowd(_Codes):
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
            return _of_smallest(distance, size, self._n_wanted)
        return self._of_copies(distance, size)

    def _of_copies(self, distance, size):
        """Return the sums where a code stands for several, or for part of one."""
        order = np.argsort(distance, axis=1)
        distance = np.take_along_axis(distance, order, axis=1)
        copies = self.weight[order]
        is_itself = distance[:, :1] <= _SAME * (1e-300 + size)
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
            return _of_smallest(distance, size, _N_NEIGHBORS)
        wanted = n_candidates if n_candidates > 1 else [1]  # 1 would drop an axis
        distance, _ = self._tree.query(block, wanted)
        np.square(distance, out=distance)
        return _of_sorted(distance, size, _N_NEIGHBORS)

    @cached_property
    def _tree(self):
        return cKDTree(self.codes)

    def _candidates(self, block, n):
        """Return the numbers of the n nearest codes, about: of shape (n_rows, n).

        They are in the n groups whose own nearest codes are the nearest ones.
        """
        rough, half_squares = self._rough
        n = min(n, len(self.codes))
        distance = half_squares - self._scaled(block) @ rough.T
        n_groups = distance.shape[1] // _GROUP
        if n_groups <= n:
            return np.argpartition(distance, n - 1, axis=1)[:, :n]
        nearest = distance.reshape(-1, _GROUP, n_groups).min(axis=1)
        groups = np.argpartition(nearest, n - 1, axis=1)[:, :n, None]
        number = (groups + n_groups * np.arange(_GROUP)).reshape(len(block), -1)
        distance = np.take_along_axis(distance, number, axis=1)
        nearest = np.argpartition(distance, n - 1, axis=1)[:, :n]
        return np.take_along_axis(number, nearest, axis=1)

    @cached_property
    def _rough(self):
        """The codes, scaled, in float32, and half of their squares: in full groups."""
        rough = self._scaled(self.codes)
        n_more = -len(rough) % _GROUP
        half_squares = np.pad(
            np.vecdot(rough, rough) / 2, (0, n_more), constant_values=np.inf
        )
        return np.pad(rough, ((0, n_more), (0, 0))), half_squares

    def _scaled(self, codes):
        center, scale = self._location
        scaled = (codes - center) / scale
        return np.clip(scaled, -_LARGEST, _LARGEST, out=scaled).astype(np.float32)

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


def _of_smallest(distance, size, n_wanted):
    """Return sums of the smallest distances, and of how many they are."""
    place = min(n_wanted, distance.shape[1] - 1)
    distance = np.partition(distance, (0, place), axis=1)[:, : place + 1]
    return _of_sorted(distance, size, n_wanted)


def _of_sorted(distance, size, n_wanted):
    """Return the same, of as many as are wanted and one more, or all that there are.

    The first is the smallest one, the last the largest.
    """
    is_itself = distance[:, 0] <= _SAME * (1e-300 + size[:, 0])
    others, last = np.add.reduce(distance[:, :-1], axis=1), distance[:, -1]
    if distance.shape[1] <= n_wanted:  # there are no more
        return others + last, distance.shape[1] - is_itself.astype(np.float64)
    return np.where(is_itself, others + last, others), float(n_wanted)


def _bounded(codes, dtype=np.float64):
    """Return codes whose squares can be added up, in float64 if not told otherwise."""
    largest = dtype(_LARGEST if dtype is np.float32 else _LARGEST_SQUARED)
    codes = np.maximum(codes.astype(dtype, copy=False), -largest)
    return np.minimum(codes, largest, out=codes)
