"""Spreading values over strided windows without adding up what overlaps.

With a stride of s, every s-th value of the output sees the same values of a window: one
matrix product makes all of them, from the windows' places around. That moves fewer
numbers than one product per place, whose windows overlap and are added.
"""

from itertools import product

import numpy as np

from skae.networks._products import multiply
from skae.networks._windows import Windows


class Phases:
    """The transposed of windows, phase by phase; as ``Windows``, of the output.

    Parameters
    ----------
    lengths, places : tuple of int
        Of the maps that go out and come in: ``places`` is ``lengths / stride``, rounded
        up.

    size, stride : int

    before : tuple of int
    """

    def __init__(self, lengths, places, size, stride, before):
        axes = [_Axis(n, size, stride, b) for n, b in zip(lengths, before, strict=True)]
        # Enough for all axes; a product takes what its phase needs of it.
        first = min(axis.first for axis in axes)
        n_around = max(axis.last for axis in axes) - first + 1
        self._around = Windows(places, places, n_around, 1, (-first,) * len(axes))
        self._shape = (n_around,) * len(axes)
        self._phases = [
            _phase(parts, first) for parts in product(*(axis.phases for axis in axes))
        ]

    def memory(self, n_in, n_out, n, dtype):
        """Return the arrays that ``spread`` needs for n rows."""
        shape = self._around.columns_shape(n_in, n)
        return np.zeros(shape, dtype), np.empty((n_out, *shape[2:]), dtype)

    def spread(self, kernel, x, memory, out, bias=0):
        """Write maps of which every place of x gives a window.

        Parameters
        ----------
        kernel : ndarray of shape (*a window's axes, n_out, n_in)

        x : ndarray of shape (n_in, *places, n)

        memory : tuple
            As ``memory`` made it, or as this left it.

        out : ndarray of shape (n_out, *lengths, n)

        bias : ndarray of shape (n_out, 1, ..., 1), default=0
            What is added: on the way, that takes no time.
        """
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

    def __init__(self, length, size, stride, before):
        self.phases = []
        shifts = []
        for start in range(min(stride, length)):
            taps = range((start + before) % stride, size, stride)
            n_values = -(-(length - start) // stride)
            first = None
            if taps:
                first, last = ((start + before - taps[i]) // stride for i in (-1, 0))
                shifts += [first, last]
            self.phases.append((start, stride, n_values, taps, first))
        self.first, self.last = min(shifts), max(shifts)


def _phase(parts, first):
    """Return a phase's values, the places that make them, what is seen, and taps."""
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
