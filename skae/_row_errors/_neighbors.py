"""How far a row or a code lies from those of training: from the nearest, and from many.

Few neighbours detect a row that is unusual among those near to it. Many detect small
groups of rows that are alike, but unlike the others: outliers among the training rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

N_NEIGHBORS = 5
# The most training rows among which neighbours are looked for.
MOST_CODES = 5_000
# Wide neighbours: the share of the codes that counts, and the most codes.
_NEAREST_SHARE = 0.1
MOST_WIDE_CODES = 500
# Codes are compared in blocks of rows that stay in the processor's cache.
_BLOCK_ROWS = 128
# Wider codes have neighbours in too many directions for a tree.
_WIDEST_IN_TREE = 10
# Candidates beyond those that count, and the groups in which they are looked for.
_SPARE = 5
_GROUP = 20
# A neighbour that is missed may be nearer than the one in its place by this share.
_TOLERANCE = 1e-9
# Numbers are bounded, so that their squares can be added up.
_LARGEST, _LARGEST_IN_SINGLE = 1e150, 1e15
# For so few rows the fewest calls are the fastest.
_FEW_ROWS = 8
# Squared distances of codes that are those of one row, as a share of their squared
# lengths: where they come from differences, and from products.
_SAME, _SAME_BY_PRODUCTS = 1e-24, 1e-12
# Distances that float32 can put in order.
_ORDERED_IN_SINGLE = 1e-20, 1e30


@dataclass(frozen=True)
class _Codes(ABC):
    """Codes of training rows; a row that is compared with itself is left out."""

    codes: NDArray[np.float64]  # (n, width)

    def distances(self, codes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean squared distance, per value, to the codes that count."""
        found = np.empty(len(codes))
        for start in range(0, len(codes), _BLOCK_ROWS):
            rows = slice(start, start + _BLOCK_ROWS)
            block = np.minimum(np.maximum(codes[rows], -_LARGEST), _LARGEST)
            total, n_counted = self._sums(block, np.vecdot(block, block))
            if isinstance(n_counted, np.ndarray):  # perhaps none for some
                n_counted[n_counted == 0] = np.inf
            found[rows] = total / (n_counted * codes.shape[1])
        return found

    @abstractmethod
    def _sums(
        self, block: NDArray[np.float64], squares: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64] | float]:
        """Return sums of squared distances, and how many; squares are the block's."""


@dataclass(frozen=True)
class WideNeighbors(_Codes):
    """A few hundred codes, of which the nearest tenth counts, but 5 at least."""

    weight: NDArray[np.float64] | None  # (n,), in copies; None is one each
    squares: NDArray[np.float64]  # (n,), squared lengths of the codes
    n_counted: int

    @classmethod
    def of(
        cls,
        X: NDArray,
        weight: NDArray | None = None,
        encode: Callable[[NDArray], NDArray] = np.asarray,
        most: int = MOST_WIDE_CODES,
    ) -> WideNeighbors:
        """Return those of training rows: where there are too many, of random ones."""
        kept = _some(len(X), most)
        codes, n_copies = np.clip(encode(X[kept]), -_LARGEST, _LARGEST), len(kept)
        if weight is not None:
            weight = weight[kept] / min(1.0, weight[kept].max())
            n_copies = weight.sum()
            weight = None if (weight == 1).all() else weight
        n_counted = max(N_NEIGHBORS, round(_NEAREST_SHARE * n_copies))
        return cls(codes, weight, np.vecdot(codes, codes), n_counted)

    def _sums(
        self, block: NDArray[np.float64], squares: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64] | float]:
        """Return sums of squared distances, from products, and how many they are."""
        distance = squares[:, None] + self.squares - 2 * (block @ self.codes.T)
        np.maximum(distance, 0, out=distance)
        tiny, n = _SAME_BY_PRODUCTS * (1e-300 + squares), self.n_counted
        if self.weight is not None:  # a code stands for several, or for part of one
            order = np.argsort(distance, axis=1)
            distance = np.take_along_axis(distance, order, axis=1)
            copies = self.weight[order]
            is_itself = distance[:, :1] <= tiny[:, None]
            copies[:, :1] -= np.where(is_itself, np.minimum(1, copies[:, :1]), 0)
            before = np.cumsum(copies, axis=1) - copies
            counted = np.clip(n - before, 0, copies)
            return np.vecdot(counted, distance), counted.sum(axis=1)
        low, high = _ORDERED_IN_SINGLE
        is_slower = len(distance) < _FEW_ROWS or distance.shape[1] <= n
        if is_slower or not low < distance.max() < high:
            most = min(n + 1, distance.shape[1])
            nearest = np.partition(distance, (0, most - 1), axis=1)[:, :most]
            return _sum_of_others(nearest, tiny, n)
        # NumPy sorts float32 several at a time. It says which distances are the
        # smallest, where no other one equals the last of them there.
        single = distance.astype(np.float32)
        is_counted = single <= np.sort(single, axis=1)[:, n - 1 : n]
        total = np.vecdot(distance, is_counted)
        is_itself = distance.min(axis=1) <= tiny
        unclear = is_itself | (np.count_nonzero(is_counted, axis=1) > n)
        if unclear.any():
            nearest = np.partition(distance[unclear], (0, n), axis=1)[:, : n + 1]
            total[unclear], _ = _sum_of_others(nearest, tiny[unclear], n)
        return total, float(n)


@dataclass(frozen=True)
class Neighbors(_Codes):
    """Thousands of codes, or of rows, of which the nearest 5 count, exactly.

    Copies of a row count once, whatever their weight, and are left out where the row
    itself is compared: else rows that have copies would be near to all, others not.
    """

    center: NDArray[np.float64]  # (width,), the median
    scale: float  # mean absolute deviation from it: where float32 is precise

    def __getstate__(self) -> dict[str, object]:
        """Return the fields alone."""
        return {"codes": self.codes, "center": self.center, "scale": self.scale}

    @classmethod
    def of(
        cls,
        X: NDArray,
        encode: Callable[[NDArray], NDArray] = np.asarray,
        most: int = MOST_CODES,
    ) -> Neighbors:
        """Return those of training rows: where there are too many, of random ones."""
        kept = X[_some(len(X), most)]
        places = {row.tobytes(): place for place, row in enumerate(kept)}
        codes = encode(kept[list(places.values())]).reshape(len(places), -1)
        codes = np.clip(codes, -_LARGEST, _LARGEST)
        center = np.median(codes, axis=0)
        return cls(codes, center, float(np.abs(codes - center).mean()) or 1.0)

    def _sums(
        self, block: NDArray[np.float64], squares: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64] | float]:
        """Return sums of squared distances to the nearest codes, and how many."""
        n = min(N_NEIGHBORS + 1, len(self.codes))
        if block.shape[1] <= _WIDEST_IN_TREE:
            # A number instead of a list would drop an axis.
            nearest, _ = self._tree.query(block, n if n > 1 else [1])
            np.square(nearest, out=nearest)
        else:
            # Where float32 products cannot tell whether another code is nearer, float64
            # ones may; where these cannot either, differences do.
            nearest, is_certain = self._nearest(block, n, np.float32)
            rest = np.flatnonzero(~is_certain)
            if len(rest):
                nearest[rest], is_certain = self._nearest(block[rest], n, np.float64)
                rest = rest[~is_certain]
            if len(rest):
                distance = cdist(block[rest], self.codes, "sqeuclidean")
                nearest[rest] = np.partition(distance, (0, n - 1), axis=1)[:, :n]
        return _sum_of_others(nearest, _SAME * (1e-300 + squares), N_NEIGHBORS)

    @cached_property
    def _tree(self) -> cKDTree:
        """The tree of the codes."""
        return cKDTree(self.codes, leafsize=32)  # a third faster than 16 at worst

    @np.errstate(over="ignore", invalid="ignore")
    def _nearest(
        self, block: NDArray[np.float64], n: int, dtype: type[np.floating]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the n smallest squared distances found, and which are right."""
        # The smallest comes first, the largest last.
        scaled = (block - self.center) / self.scale
        largest = _LARGEST_IN_SINGLE if dtype == np.float32 else _LARGEST
        factors = np.ones((len(block), block.shape[1] + 1), dtype)
        factors[:, :-1] = np.clip(-scaled, -largest, largest)
        # Half of the squared distances, but for the block's own squares, with an error
        # of at most `bound`. A code that is no candidate has none below `least`.
        values = factors @ self._products(dtype)
        n_candidates = min(n + _SPARE, len(self.codes))
        n_groups = values.shape[1] // _GROUP
        if n_groups <= n_candidates:
            number = _places_of_smallest(values, n_candidates)
        else:  # in the groups whose own smallest values are the smallest ones
            smallest = values.reshape(-1, _GROUP, n_groups).min(axis=1)
            groups = _places_of_smallest(smallest, n_candidates)[..., None]
            number = (groups + n_groups * np.arange(_GROUP)).reshape(len(values), -1)
            chosen = np.take_along_axis(values, number, axis=1)
            places = _places_of_smallest(chosen, n_candidates)
            number = np.take_along_axis(number, places, axis=1)
        difference = block[:, None] - self.codes[number]
        distance = np.vecdot(difference, difference)
        nearest = np.partition(distance, (0, n - 1), axis=1)[:, :n]
        if n_candidates == len(self.codes):
            return nearest, np.ones(len(block), bool)
        least = np.take_along_axis(values, number, axis=1).max(axis=1)
        half = nearest[:, -1] / (2 * self.scale**2)
        half_square = np.vecdot(scaled, scaled) / 2
        # Only codes within this radius could be nearer.
        radius_squared = 2 * (np.sqrt(half_square) + np.sqrt(half)) ** 2
        bound = 2 * (block.shape[1] + 5) * np.finfo(dtype).eps * radius_squared
        least = least.astype(np.float64) + half_square - bound
        return nearest, least >= (1 - _TOLERANCE) * half

    def _products(self, dtype: type[np.floating]) -> NDArray:
        """Return scaled codes and half of their squares, transposed, in full groups."""
        name = f"_in_{dtype.__name__}"
        if name not in self.__dict__:
            n, width = self.codes.shape
            largest = _LARGEST_IN_SINGLE if dtype == np.float32 else _LARGEST
            codes = np.zeros((n + -n % _GROUP, width + 1), dtype)
            scaled = (self.codes - self.center) / self.scale
            codes[:n, :-1] = np.clip(scaled, -largest, largest)
            codes[:n, -1] = np.vecdot(codes[:n], codes[:n]) / 2
            codes[n:, -1] = np.inf
            self.__dict__[name] = np.ascontiguousarray(codes.T)
        return self.__dict__[name]


def _some(n: int, most: int) -> NDArray[np.intp]:
    """Return numbers of rows, in order: all, or as many as may be, at random."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, most, replace=False))


def _places_of_smallest(values: NDArray, n: int) -> NDArray[np.intp]:
    """Return where the n smallest of each row's values are, in any order."""
    # As argpartition does. But NumPy partitions integers several at a time, so that a
    # float32 value and its place are packed into one.
    if len(values) < _FEW_ROWS or values.dtype != np.float32:
        return np.argpartition(values, n - 1, axis=1)[:, :n]
    bits = values.view(np.int32)
    packed = (bits ^ (bits >> 31 & 0x7FFFFFFF)).astype(np.int64)  # in the values' order
    packed <<= 32
    packed |= np.arange(values.shape[1])
    packed.partition(n - 1, axis=1)
    return packed[:, :n] & 0xFFFFFFFF


def _sum_of_others(
    nearest: NDArray[np.float64], tiny: NDArray[np.float64], n: int
) -> tuple[NDArray[np.float64], NDArray[np.float64] | float]:
    """Return sums of the n nearest distances but a row's to itself, and how many."""
    # Of the n + 1 nearest, or all there are: the smallest first, the largest last.
    is_itself = nearest[:, 0] <= tiny
    others, last = np.add.reduce(nearest[:, :-1], axis=1), nearest[:, -1]
    if nearest.shape[1] <= n:  # there are no more
        return others + last, nearest.shape[1] - is_itself.astype(np.float64)
    return np.where(is_itself, others + last, others), float(n)
