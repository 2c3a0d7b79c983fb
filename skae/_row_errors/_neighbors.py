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

    from numpy.typing import DTypeLike, NDArray

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

    def _sums(self, block, squares):
        distance = squares[:, None] + self.squares - 2 * (block @ self.codes.T)
        np.maximum(distance, 0, out=distance)
        tiny = _SAME_BY_PRODUCTS * (1e-300 + squares)
        if self.weight is None:
            return _sum_of_many_smallest(distance, tiny, self.n_counted)
        # A code may stand for several, or for part of one.
        order = np.argsort(distance, axis=1)
        distance = np.take_along_axis(distance, order, axis=1)
        copies = self.weight[order]
        is_itself = distance[:, :1] <= tiny[:, None]
        copies[:, :1] -= np.where(is_itself, np.minimum(1, copies[:, :1]), 0)
        before = np.cumsum(copies, axis=1) - copies
        counted = np.clip(self.n_counted - before, 0, copies)
        return np.vecdot(counted, distance), counted.sum(axis=1)


@dataclass(frozen=True)
class Neighbors(_Codes):
    """Thousands of codes, or of rows, of which the nearest 5 count, exactly.

    Copies of a row count once, whatever their weight, and are left out where the row
    itself is compared: else rows that have copies would be near to all, others not.
    """

    center: NDArray[np.float64]  # (width,), the median
    scale: float  # mean absolute deviation from it: where float32 is precise

    def __getstate__(self) -> dict[str, object]:
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

    def _sums(self, block, squares):
        n = min(N_NEIGHBORS + 1, len(self.codes))
        if block.shape[1] > _WIDEST_IN_TREE:
            nearest = self._nearest(block, n)
        else:
            # A number instead of a list would drop an axis.
            nearest, _ = self._tree.query(block, n if n > 1 else [1])
            np.square(nearest, out=nearest)
        return _sum_of_sorted(nearest, _SAME * (1e-300 + squares), N_NEIGHBORS)

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.codes, leafsize=32)  # a third faster than 16 at worst

    def _nearest(self, block: NDArray[np.float64], n: int) -> NDArray[np.float64]:
        """Return the n smallest squared distances: smallest first, largest last.

        Candidates come from float32 products. Where these cannot tell whether another
        code is nearer, from float64 ones; where these cannot either, from differences.
        """
        nearest, is_certain = self._nearest_candidates(block, n, self._in_single)
        if is_certain.all():
            return nearest
        rest = np.flatnonzero(~is_certain)
        nearest[rest], is_certain = self._nearest_candidates(
            block[rest], n, self._in_double
        )
        rest = rest[~is_certain]
        if len(rest):
            nearest[rest] = _smallest(cdist(block[rest], self.codes, "sqeuclidean"), n)
        return nearest

    @np.errstate(over="ignore", invalid="ignore")
    def _nearest_candidates(
        self, block: NDArray[np.float64], n: int, products: NDArray
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the n smallest squared distances to candidates; and which are right.

        Products give half of the squared distances, but for the block's own squares,
        with an error of at most `bound`. A code that is no candidate has none below
        `least`.
        """
        scaled = (block - self.center) / self.scale
        n_candidates = min(n + _SPARE, len(self.codes))
        number, least = _candidates(
            _augmented(-scaled, 1, products.dtype) @ products, n_candidates
        )
        difference = block[:, None] - self.codes[number]
        nearest = _smallest(np.vecdot(difference, difference), n)
        if n_candidates == len(self.codes):
            return nearest, np.ones(len(block), bool)
        half = nearest[:, -1] / (2 * self.scale**2)
        half_square = np.vecdot(scaled, scaled) / 2
        # Only codes within this radius could be nearer.
        radius_squared = 2 * (np.sqrt(half_square) + np.sqrt(half)) ** 2
        eps = np.finfo(products.dtype).eps
        bound = 2 * (block.shape[1] + 5) * eps * radius_squared
        return nearest, least + half_square - bound >= (1 - _TOLERANCE) * half

    @cached_property
    def _in_single(self) -> NDArray[np.float32]:
        return self._as_products(np.float32)

    @cached_property
    def _in_double(self) -> NDArray[np.float64]:
        return self._as_products(np.float64)

    def _as_products(self, dtype: DTypeLike) -> NDArray:
        """Return scaled codes and half of their squares, transposed, in full groups."""
        codes = _augmented((self.codes - self.center) / self.scale, 0, dtype)
        codes[:, -1] = np.vecdot(codes, codes) / 2
        more = np.zeros((-len(codes) % _GROUP, codes.shape[1]), dtype)
        more[:, -1] = np.inf
        return np.ascontiguousarray(np.concatenate([codes, more]).T)


def _some(n: int, most: int) -> NDArray[np.intp]:
    """Return numbers of rows, in order: all, or as many as may be, at random."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, most, replace=False))


def _augmented(codes: NDArray, last: float, dtype: DTypeLike) -> NDArray:
    """Return bounded codes of a dtype with one more column."""
    augmented = np.full((len(codes), codes.shape[1] + 1), last, dtype)
    largest = _LARGEST_IN_SINGLE if dtype == np.float32 else _LARGEST
    np.clip(codes, -largest, largest, out=augmented[:, :-1], casting="same_kind")
    return augmented


def _candidates(
    values: NDArray, n: int
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return where each row's n smallest values are, and the largest of them.

    They are in the groups whose own smallest values are the smallest ones.
    """
    n_groups = values.shape[1] // _GROUP
    if n_groups <= n:
        number = _places_of_smallest(values, n)
    else:
        nearest = values.reshape(-1, _GROUP, n_groups).min(axis=1)
        groups = _places_of_smallest(nearest, n)[..., None]
        number = (groups + n_groups * np.arange(_GROUP)).reshape(len(values), -1)
        chosen = np.take_along_axis(values, number, axis=1)
        number = np.take_along_axis(number, _places_of_smallest(chosen, n), axis=1)
    least = np.take_along_axis(values, number, axis=1).max(axis=1)
    return number, least.astype(np.float64)


# ---------------------------------------------------- the smallest of many, and sums


def _places_of_smallest(values: NDArray, n: int) -> NDArray[np.intp]:
    """Return where the n smallest of each row's values are, in any order.

    As ``argpartition`` does. But NumPy partitions integers several at a time, so that a
    float32 value and its place are packed into one.
    """
    if len(values) < _FEW_ROWS or values.dtype != np.float32:
        return np.argpartition(values, n - 1, axis=1)[:, :n]
    bits = values.view(np.int32)
    packed = (bits ^ (bits >> 31 & 0x7FFFFFFF)).astype(np.int64)  # in the values' order
    packed <<= 32
    packed |= np.arange(values.shape[1])
    packed.partition(n - 1, axis=1)
    return packed[:, :n] & 0xFFFFFFFF


def _smallest(distance: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Return the n smallest of each row: the smallest first, the largest last."""
    return np.partition(distance, (0, n - 1), axis=1)[:, :n]


def _sum_of_many_smallest(
    distance: NDArray[np.float64], tiny: NDArray[np.float64], n: int
) -> tuple[NDArray[np.float64], NDArray[np.float64] | float]:
    """Return sums of the n smallest distances, and of how many they are.

    NumPy sorts float32 several at a time. It says which distances are the smallest,
    where no other one equals the last of them there.
    """
    low, high = _ORDERED_IN_SINGLE
    most = min(n + 1, distance.shape[1])
    is_slower = len(distance) < _FEW_ROWS or distance.shape[1] <= n
    if is_slower or not low < distance.max() < high:
        return _sum_of_sorted(_smallest(distance, most), tiny, n)
    single = distance.astype(np.float32)
    last = np.sort(single, axis=1)[:, n - 1 : n]
    is_counted = single <= last
    total = np.vecdot(distance, is_counted)
    is_itself = distance.min(axis=1) <= tiny
    unclear = is_itself | (np.count_nonzero(is_counted, axis=1) > n)
    if unclear.any():
        nearest = _smallest(distance[unclear], most)
        total[unclear], _ = _sum_of_sorted(nearest, tiny[unclear], n)
    return total, float(n)


def _sum_of_sorted(
    nearest: NDArray[np.float64], tiny: NDArray[np.float64], n: int
) -> tuple[NDArray[np.float64], NDArray[np.float64] | float]:
    """Return the same, of the n + 1 nearest or all that there are, as `_smallest` has.

    A distance that is tiny is that of a row to itself, and does not count.
    """
    is_itself = nearest[:, 0] <= tiny
    others, last = np.add.reduce(nearest[:, :-1], axis=1), nearest[:, -1]
    if nearest.shape[1] <= n:  # there are no more
        return others + last, nearest.shape[1] - is_itself.astype(np.float64)
    return np.where(is_itself, others + last, others), float(n)
