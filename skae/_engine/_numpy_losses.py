"""Losses and their gradients in NumPy, as Keras defines them.

Each is the mean over rows, weighted where rows have weights, of the mean over a row's
values. A loss turns the network's output into its gradient, in place.
"""

import numpy as np

from skae._engine._numpy_layers import sigmoid

_HUGE = np.float32(2.0**127)


class _Loss:
    """Base of the losses: what they do with the number of values, and with weights."""

    #: The activation of the last layer that the loss takes over, or None.
    activation = None

    def __call__(self, output, target, weight, n_rows):
        """Return a share of a batch's loss, and overwrite the output by its gradient.

        Parameters
        ----------
        output, target : ndarray of shape (n, k)
            The output is that of the last layer; before its activation, where the loss
            takes that over.

        weight : ndarray of shape (n,) or (n, k), or None
            Of rows, with mean 1 over all rows, or of entries.

        n_rows : int
            How many rows the batch has; these may be a part of them.

        Returns
        -------
        loss : float
        """
        count = n_rows * output.shape[1]
        if weight is None:
            loss = self._sum(output, target)
            output *= self._slope / count
            return loss / count
        weight = _of_entries(weight)
        loss = self._sum(output, target, weight)
        output *= weight * np.float32(self._slope / count)
        return loss / count

    def value(self, output, target, weight):
        """Return the loss of a batch; the output is overwritten."""
        weight = None if weight is None else _of_entries(weight)
        return self._sum(output, target, weight) / output.size


class SquaredError(_Loss):
    """The mean squared error."""

    _slope = 2.0

    def _sum(self, output, target, weight=None):
        output -= target
        if weight is None:
            return float(np.vdot(output, output))
        return float(np.vdot(output, output * weight))


class AbsoluteError(_Loss):
    """The mean absolute error."""

    _slope = 1.0

    def _sum(self, output, target, weight=None):
        output -= target
        total = _sum(np.abs(output), weight)
        # The sign of all but denormal numbers, many times faster than by `np.sign`,
        # which goes value by value.
        output *= _HUGE
        np.clip(output, -1, 1, out=output)
        return total


class HuberError(_Loss):
    """Huber's error with Keras's delta of 1: squared near zero, absolute beyond."""

    _slope = 1.0

    def _sum(self, output, target, weight=None):
        output -= target
        size = np.abs(output)
        near = np.minimum(size, 1)
        total = _sum(near * (size - 0.5 * near), weight)
        np.clip(output, -1, 1, out=output)
        return total


class BinaryCrossentropy(_Loss):
    """The binary cross-entropy of a sigmoid output, from its logits."""

    _slope = 1.0
    activation = "sigmoid"

    def _sum(self, output, target, weight=None):
        values = np.abs(output)
        np.negative(values, out=values)
        np.exp(values, out=values)
        np.log1p(values, out=values)
        values += np.maximum(output, 0)
        values -= output * target
        sigmoid(output)
        output -= target
        return _sum(values, weight)


def _of_entries(weight):
    """Return weights that multiply entries, whether they belong to rows or entries."""
    return weight[:, None] if weight.ndim == 1 else weight


def _sum(values, weight):
    """Return the sum over all values; they count by their weights."""
    if weight is not None:
        values *= weight
    return float(values.sum())


_LOSSES = {
    SquaredError: ("mse", "MSE", "mean_squared_error", "MeanSquaredError"),
    AbsoluteError: ("mae", "MAE", "mean_absolute_error", "MeanAbsoluteError"),
    HuberError: ("huber", "Huber"),
    BinaryCrossentropy: (
        "bce",
        "BCE",
        "binary_crossentropy",
        "BinaryCrossentropy",
    ),
}
_BY_NAME = {name: loss for loss, names in _LOSSES.items() for name in names}


def numpy_loss(loss, last_activation):
    """Return the loss of a Keras name behind such a last layer, or None.

    Parameters
    ----------
    loss : object

    last_activation : str or None
        Activation of the network's last layer.
    """
    found = _BY_NAME.get(loss) if isinstance(loss, str) else None
    if found is None or found.activation not in (None, last_activation):
        return None
    return found()
