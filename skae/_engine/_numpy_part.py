"""A part of every batch of a training in NumPy: what one thread does of a step."""

import numpy as np

from skae._missing import entry_weights, filled_inputs
from skae.corruptions import NumpyDraw

# Rows pass convolutions in blocks of about so many numbers in their windows: less than
# 16 rows of usual images are slower, more than 64 too, and all need memory.
_BLOCK_WINDOWED = 1 << 21


class Part:
    """One of the parts into which every batch is cut: its stack, memory and draws.

    Parameters
    ----------
    spec : TrainingSpec

    stack : Stack

    n_windowed : int
        Numbers in the windows of a row.

    Attributes
    ----------
    at_once : int
        Rows that may pass the stack at a time.
    """

    def __init__(self, spec, stack, n_windowed):
        self.stack = stack
        self.at_once = max(1, _BLOCK_WINDOWED // max(1, n_windowed))
        self._corruption = spec.corruption
        self._shape = -1, *spec.architecture.input_shape
        self._memory = {}

    def seed(self, seed):
        """Begin an epoch's draws."""
        if self._corruption is not None:
            self._rng = np.random.default_rng(seed)

    def descend(self, data, rows, n_rows):
        """Compute the gradients of some of a batch's rows; return their loss."""
        first, *others = self._blocks(len(rows))
        loss = self.stack.descend(*self._gathered(data, rows[first]), n_rows)
        if others:
            total = self.stack.gradients.copy()
            for block in others:
                batch = self._gathered(data, rows[block])
                loss += self.stack.descend(*batch, n_rows)
                total += self.stack.gradients
            np.copyto(self.stack.gradients, total)
        return loss

    def _blocks(self, n):
        """Return slices of n rows, of about equal length; of no rows, one."""
        n_blocks = max(1, -(-n // self.at_once))
        size = max(1, -(-n // n_blocks))
        return [slice(start, start + size) for start in range(0, max(n, 1), size)]

    def _gathered(self, data, rows):
        """Return inputs, damaged afresh, targets and weights of some rows."""
        arrays = self._memory_for(len(rows), data)
        for name, array in arrays.items():
            np.take(data[name], rows, axis=0, out=array, mode="clip")
        inputs = x = arrays["x"]
        y, weight = arrays.get("y", x), arrays.get("weight")
        if self._corruption is not None:
            extremes = (data["low"], data["high"]) if "low" in data else None
            rows = data["x"].reshape(self._shape)
            draw = NumpyDraw(self._rng, rows, extremes, np.float32)
            damaged = self._corruption.apply(x.reshape(self._shape), draw)
            x = np.asarray(damaged, np.float32).reshape(x.shape)
        if "fill" in data:
            x = filled_inputs(inputs, x, data["fill"])
            y, weight = entry_weights(y, weight)
        return x, y, weight

    def _memory_for(self, n, data):
        """Return the arrays that n rows are gathered in."""
        if n not in self._memory:
            names = data.keys() & {"x", "y", "weight"}
            self._memory[n] = {
                name: np.empty((n, *data[name].shape[1:]), np.float32) for name in names
            }
        return self._memory[n]
