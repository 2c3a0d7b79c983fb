"""Losses and their gradients in NumPy, as Keras defines them; what losses demand.

Each is the mean over rows, weighted where rows have weights, of the mean over a row's
values. A loss turns the network's output into its gradient, in place.
"""

from __future__ import annotations

import numpy as np

from skae._layers._activations import sigmoid

Array = np.ndarray
Weight = np.ndarray | None

_HUGE = np.float32(2.0**127)


class Loss:
    """Base of the losses: what they do with the number of values, and with weights."""

    #: The activation of the last layer that the loss takes over, or None.
    activation: str | None = None
    _slope = 1.0

    def __call__(
        self, output: Array, target: Array, weight: Weight, n_rows: int
    ) -> float:
        """Return a share of a batch's loss; the output becomes its gradient."""
        # The output is before the last activation, where the loss takes that over; the
        # weight is of rows, with mean 1 over all rows, or of entries; the batch has
        # `n_rows`, of which these may be a part.
        count = n_rows * output.shape[1]
        if weight is None:
            loss = self._sum(output, target)
            output *= self._slope / count
            return loss / count
        weight = _of_entries(weight)
        loss = self._sum(output, target, weight)
        output *= weight * np.float32(self._slope / count)
        return loss / count

    def _sum(self, output: Array, target: Array, weight: Weight = None) -> float:
        """Return the summed losses; the output becomes their slope times a factor."""
        raise NotImplementedError

    def value(self, output: Array, target: Array, weight: Weight) -> float:
        """Return the loss of a batch; the output is overwritten."""
        weight = None if weight is None else _of_entries(weight)
        return self._sum(output, target, weight) / output.size


class SquaredError(Loss):
    """The mean squared error."""

    _slope = 2.0

    def _sum(self, output: Array, target: Array, weight: Weight = None) -> float:
        output -= target
        if weight is None:
            return float(np.vdot(output, output))
        return float(np.vdot(output, output * weight))


class AbsoluteError(Loss):
    """The mean absolute error."""

    def _sum(self, output: Array, target: Array, weight: Weight = None) -> float:
        output -= target
        total = _sum(np.abs(output), weight)
        # The sign of all but denormal numbers, many times faster than by `np.sign`,
        # which goes value by value.
        output *= _HUGE
        np.clip(output, -1, 1, out=output)
        return total


class HuberError(Loss):
    """Huber's error with Keras's delta of 1: squared near zero, absolute beyond."""

    def _sum(self, output: Array, target: Array, weight: Weight = None) -> float:
        output -= target
        size = np.abs(output)
        near = np.minimum(size, 1)
        total = _sum(near * (size - 0.5 * near), weight)
        np.clip(output, -1, 1, out=output)
        return total


class BinaryCrossentropy(Loss):
    """The binary cross-entropy of a sigmoid output, from its logits."""

    activation = "sigmoid"

    def _sum(self, output: Array, target: Array, weight: Weight = None) -> float:
        values = np.abs(output)
        np.negative(values, out=values)
        np.exp(values, out=values)
        np.log1p(values, out=values)
        values += np.maximum(output, 0)
        values -= output * target
        sigmoid(output)
        output -= target
        return _sum(values, weight)


def _of_entries(weight: Array) -> Array:
    """Return weights that multiply entries, whether they belong to rows or entries."""
    return weight[:, None] if weight.ndim == 1 else weight


def _sum(values: Array, weight: Weight) -> float:
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


def numpy_loss(loss: object, last_activation: str) -> Loss | None:
    """Return the loss of a Keras name behind such a last layer, or None."""
    found = _BY_NAME.get(loss) if isinstance(loss, str) else None
    if found is None or found.activation not in (None, last_activation):
        return None
    return found()


_PROBABILITY_LOSSES = frozenset(
    {
        "binarycrossentropy",
        "binaryfocalcrossentropy",
        "categoricalcrossentropy",
        "categoricalfocalcrossentropy",
        "kldivergence",
    }
)
_SHORT_NAMES = {"bce": "binarycrossentropy", "kld": "kldivergence"}


def reads_probabilities(loss: object) -> bool:
    """Return whether a loss, as Keras knows it, reads its targets as probabilities."""
    names = [loss, getattr(loss, "__name__", None), type(loss).__name__]
    plain = {n.replace("_", "").lower() for n in names if isinstance(n, str)}
    return not _PROBABILITY_LOSSES.isdisjoint(_SHORT_NAMES.get(n, n) for n in plain)
