"""Windows of a map: what a convolution sees of it from each of its places.

Maps are arrays of shape (channels, *lengths, n): the rows of a batch lie side by side,
so that what moves between a map and its windows moves in long pieces, whatever the
number of channels.
"""

from functools import cached_property
from itertools import product

import numpy as np


class Windows:
    """Windows of equal lengths, at regular places of a map, that may overhang its ends.

    Parameters
    ----------
    lengths : tuple of int
        Lengths of the map's axes.

    places : tuple of int
        How many windows there are along every axis.

    size, stride : int
        Length of a window, and from one to the next, along every axis.

    before : tuple of int
        How far the first window overhangs the beginning of every axis.

    Attributes
    ----------
    geometry : tuple
        The arguments.
    """

    def __init__(self, lengths, places, size, stride, before):
        self.geometry = lengths, places, size, stride, before
        self._places = places
        self._size, self._stride = size, stride
        self._axes = list(zip(lengths, places, before, strict=True))

    @classmethod
    def same(cls, lengths, size, stride, kept=None):
        """Return those that TensorFlow's padding "SAME" makes.

        Parameters
        ----------
        lengths : tuple of int

        size, stride : int

        kept : tuple of int, default=None
            Lengths of the map, where it was cut at its ends after that. None is all.
        """
        places = tuple(-(-length // stride) for length in lengths)
        before = tuple(
            max((n - 1) * stride + size - length, 0) // 2
            for n, length in zip(places, lengths, strict=True)
        )
        return cls(lengths if kept is None else kept, places, size, stride, before)

    def columns_shape(self, n_channels, n):
        """Return the shape of the windows of n rows' maps of so many channels.

        That is (values of a window in one channel, n_channels, *places, n).
        """
        return self._size ** len(self._places), n_channels, *self._places, n

    def gather(self, x, columns):
        """Write the windows of a map, but for what overhangs its ends.

        Parameters
        ----------
        x : ndarray of shape (n_channels, *lengths, n)

        columns : ndarray of ``columns_shape``
            Zero where windows overhang, which is left as it is.
        """
        for i, at_places, within in self.pieces:
            columns[i][at_places] = x[within]

    def scatter(self, columns, x, bias=0):
        """Write the sum of all windows into a map: the transposed of ``gather``.

        Parameters
        ----------
        columns : ndarray of ``columns_shape``

        x : ndarray of shape (n_channels, *lengths, n)

        bias : ndarray of shape (n_channels, 1, ..., 1), default=0
            What is added.
        """
        x[...] = bias
        for i, at_places, within in self.pieces:
            piece = x[within]
            np.add(piece, columns[i][at_places], out=piece)

    @cached_property
    def pieces(self):
        """Where the windows' values lie within the map: a list, one value after other.

        Of each value that lies in the map for any window: its number, the index of
        these windows' places, and the index of the values in the map.
        """
        offsets = [
            [self._piece(offset, *axis) for offset in range(self._size)]
            for axis in self._axes
        ]
        found = []
        for i, parts in enumerate(product(*offsets)):
            if None not in parts:
                at_places, within = zip(*parts, strict=True)
                found.append((i, (slice(None), *at_places), (slice(None), *within)))
        return found

    def _piece(self, offset, length, n_places, before):
        """Return slices of one axis, of places and of values; None where empty."""
        shift = before - offset  # the value of place p lies at p * stride - shift
        first = max(0, -(-shift // self._stride))
        end = min(n_places, (length - 1 + shift) // self._stride + 1)
        if first >= end:
            return None
        start, last = (p * self._stride - shift for p in (first, end - 1))
        return slice(first, end), slice(start, last + 1, self._stride)
