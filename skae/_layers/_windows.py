"""Windows of a map: what a convolution sees of it from each of its places.

Maps are arrays of shape (channels, *lengths, n): the rows of a batch lie side by side,
so that what moves between a map and its windows moves in long pieces, whatever the
number of channels.
"""

from __future__ import annotations

from functools import cached_property
from itertools import product
from typing import Any

import numpy as np

Array = np.ndarray
Lengths = tuple[int, ...]
# Multiplications of a product that OpenBLAS takes for small, on its fastest processors.
# It multiplies small matrices without copying them first, which makes convolutions of
# few channels up to twice as fast: long products go there in pieces, unless too short.
_SMALL, _LEAST = 1_000_000, 384


class Windows:
    """Windows of equal lengths, at regular places of a map, that may overhang its ends.

    Along every axis, they are `size` long and `stride` apart, and the first one
    overhangs the beginning by `before`.
    """

    def __init__(
        self, lengths: Lengths, places: Lengths, size: int, stride: int, before: Lengths
    ) -> None:
        self.geometry = lengths, places, size, stride, before
        self._places, self._size, self._stride = places, size, stride
        self._axes = list(zip(lengths, places, before, strict=True))

    @classmethod
    def same(
        cls, lengths: Lengths, size: int, stride: int, kept: Lengths | None = None
    ) -> Windows:
        """Return those of TensorFlow's padding "SAME"; `kept` are lengths once cut."""
        places = tuple(-(-length // stride) for length in lengths)
        before = tuple(
            max((n - 1) * stride + size - length, 0) // 2
            for n, length in zip(places, lengths, strict=True)
        )
        return cls(lengths if kept is None else kept, places, size, stride, before)

    def columns_shape(self, n_channels: int, n: int) -> Lengths:
        """Return (values of a window in one channel, n_channels, *places, n)."""
        return self._size ** len(self._places), n_channels, *self._places, n

    def gather(self, x: Array, columns: Array) -> None:
        """Write the windows of a map, but for what overhangs its ends."""
        for i, at_places, within in self.pieces:
            columns[i][at_places] = x[within]

    def scatter(self, columns: Array, x: Array, bias: Array | int = 0) -> None:
        """Write the sum of all windows and a bias into a map: ``gather`` transposed."""
        x[...] = bias
        for i, at_places, within in self.pieces:
            piece = x[within]
            np.add(piece, columns[i][at_places], out=piece)

    @cached_property
    def pieces(self) -> list[tuple[int, tuple, tuple]]:
        """Where the windows' values lie: number, index of places, index in the map."""
        offsets = [
            [self._piece(offset, *axis) for offset in range(self._size)]
            for axis in self._axes
        ]
        found: list[tuple[int, tuple, tuple]] = []
        for i, parts in enumerate(product(*offsets)):
            if None not in parts:
                at_places, within = zip(*parts, strict=True)
                found.append((i, (slice(None), *at_places), (slice(None), *within)))
        return found

    def _piece(
        self, offset: int, length: int, n_places: int, before: int
    ) -> tuple[slice, slice] | None:
        """Return slices of one axis, of places and of values; None where empty."""
        shift = before - offset  # the value of place p lies at p * stride - shift
        first = max(0, -(-shift // self._stride))
        end = min(n_places, (length - 1 + shift) // self._stride + 1)
        if first >= end:
            return None
        start, last = (p * self._stride - shift for p in (first, end - 1))
        return slice(first, end), slice(start, last + 1, self._stride)


class Phases:
    """Strided windows, transposed, without adding up what overlaps.

    With a stride of s, every s-th value of the output sees the same values of a window:
    one matrix product gives all of them, from the windows' places around. That moves
    fewer numbers than one product per place, whose windows overlap and are added.
    Arguments as those of `Windows`.
    """

    def __init__(
        self, lengths: Lengths, places: Lengths, size: int, stride: int, before: Lengths
    ) -> None:
        axes = [_Axis(n, size, stride, b) for n, b in zip(lengths, before, strict=True)]
        # Enough for all axes; a product takes what its phase needs of it.
        first = min(axis.first for axis in axes)
        n_around = max(axis.last for axis in axes) - first + 1
        self._around = Windows(places, places, n_around, 1, (-first,) * len(axes))
        self._shape = (n_around,) * len(axes)
        self._phases = [
            _phase(parts, first) for parts in product(*(axis.phases for axis in axes))
        ]

    def memory(self, n_in: int, n_out: int, n: int, dtype: Any) -> tuple[Array, Array]:
        """Return the arrays that ``spread`` needs for n rows."""
        shape = self._around.columns_shape(n_in, n)
        return np.zeros(shape, dtype), np.empty((n_out, *shape[2:]), dtype)

    def spread(
        self,
        kernel: Array,  # (*axes of a window, n_out, n_in)
        x: Array,
        memory: tuple[Array, Array],
        out: Array,
        bias: Array | int = 0,
    ) -> None:
        """Write maps of which every place of x gives a window, plus a bias."""
        columns, made = memory
        self._around.gather(x, columns)
        columns = columns.reshape(*self._shape, *x.shape)
        n_out, rank = len(out), len(self._shape)
        for within, kept, around, taps in self._phases:
            if taps is None:  # no window holds these values
                out[within] = bias
                continue
            own = kernel[taps].transpose(rank, *range(rank), rank + 1)
            seen = columns[around].reshape(own[0].size, -1)
            multiply(own.reshape(n_out, -1), seen, made.reshape(n_out, -1))
            np.add(made[kept], bias, out=out[within])


class _Axis:
    """The phases of one axis: which values, and what they see of the places around."""

    def __init__(self, length: int, size: int, stride: int, before: int) -> None:
        self.phases: list[tuple] = []
        shifts: list[int] = []
        for start in range(min(stride, length)):
            taps = range((start + before) % stride, size, stride)
            n_values = -(-(length - start) // stride)
            first = None
            if taps:
                first, last = ((start + before - taps[i]) // stride for i in (-1, 0))
                shifts += [first, last]
            self.phases.append((start, stride, n_values, taps, first))
        self.first, self.last = min(shifts), max(shifts)


def _phase(parts: tuple, first: int) -> tuple:
    """Return a phase's values, the places that give them, what is seen, and taps."""
    everything = slice(None)
    within = tuple(slice(start, None, stride) for start, stride, *_ in parts)
    kept = tuple(slice(n_values) for _, _, n_values, *_ in parts)
    within, kept = (everything, *within), (everything, *kept)
    if not all(taps for *_, taps, _ in parts):
        return within, kept, None, None
    around = tuple(slice(a - first, a - first + len(taps)) for *_, taps, a in parts)
    # Places that come later are seen by values that come earlier in a window.
    taps = tuple(
        slice(taps[-1], taps[0] - 1 if taps[0] else None, -taps.step)
        for *_, taps, _ in parts
    )
    return within, kept, around, taps


def multiply(a: Array, b: Array, out: Array) -> None:
    """Write the product of a matrix and one of many columns."""
    for piece in _pieces(a.shape[0], a.shape[1], b.shape[1]):
        np.matmul(a, b[:, piece], out=out[:, piece])


def multiply_rows(a: Array, b: Array, out: Array) -> None:
    """Write the products of all rows of two matrices of many columns."""
    first, *others = _pieces(out.shape[0], out.shape[1], a.shape[1])
    np.matmul(a[:, first], b[:, first].T, out=out)
    for piece in others:
        out += a[:, piece] @ b[:, piece].T


def _pieces(n_1: int, n_2: int, length: int) -> list[slice]:
    """Return slices of a length that make products of these other lengths small."""
    size = _SMALL // (n_1 * n_2)
    if size < _LEAST or size >= length:
        return [slice(0, length)]
    return [slice(start, start + size) for start in range(0, length, size)]
