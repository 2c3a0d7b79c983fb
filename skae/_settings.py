"""The training parameters of an estimator, as plain values; what "auto" stands for."""

from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import numpy as np

from skae.corruptions import GaussianNoise

# Optimizers whose own learning rate learning_rate="auto" takes through a cycle. Others
# have theirs: what Adam's steps stand, which are of about the same size whatever the
# gradient is, plain gradient descent may not.
_CYCLED = ("adam",)
# Callbacks that set the learning rate: it is theirs.
_SETTERS = ("LearningRateScheduler", "ReduceLROnPlateau")
# Scalers that give the columns a variance of 1, each or in the mean.
_OF_UNIT_VARIANCE = ("standard", "common", "auto")
# Strength of corruption="auto", in standard deviations of the scaled columns: from one
# that leaves a row nearly where it is to one that takes it out of the data.
_NOISE = (0.1, 2.0)


@dataclass(frozen=True)
class Budget:
    """What ``epochs="auto"`` gives: so many optimizer steps, within bounds.

    ``most_epochs`` bounds how often a row is seen, copies included; None does not.
    """

    steps: int = 4000
    fewest_epochs: int = 10
    most_epochs: int | None = None

    def n_epochs(self, x, batch_size):
        """Return the epochs over some rows that it comes to."""
        epochs = ceil(self.steps / ceil(len(x) / batch_size))
        if self.most_epochs is not None and epochs > self.fewest_epochs:
            n_distinct = len({hash(row.tobytes()) for row in x})
            epochs = min(epochs, round(self.most_epochs * n_distinct / len(x)))
        return max(epochs, self.fewest_epochs)


@dataclass(frozen=True)
class Settings:
    """The training parameters of an estimator, by the same names.

    ``corruption`` may be "auto"; ``budget`` is that of ``epochs="auto"``.
    """

    latent_dim: int | None
    network: Any
    scaler: Any
    loss: Any
    optimizer: Any
    learning_rate: float | str | None
    epochs: int | str
    batch_size: int
    validation_fraction: float | None
    patience: int | None
    corruption: Any
    allow_nan: bool = False
    budget: Budget = Budget()

    def for_one_pass(self):
        """Return the settings of one pass over all rows, at a constant rate."""
        rate = None if isinstance(self.learning_rate, str) else self.learning_rate
        changes = {"validation_fraction": None, "patience": None}
        return replace(self, epochs=1, learning_rate=rate, **changes)

    def n_epochs(self, x):
        """Return how many epochs there are over rows; "auto" is a budget of steps."""
        if self.epochs != "auto":
            return self.epochs
        return self.budget.n_epochs(x, self.batch_size)


def wanted_rate(learning_rate, optimizer, callbacks):
    """Return what the parameter ``learning_rate`` stands for: "auto" is resolved."""
    if learning_rate != "auto":
        return learning_rate
    if not isinstance(optimizer, str) or optimizer.lower() not in _CYCLED:
        return None
    ancestors = (kind for one in callbacks or () for kind in type(one).__mro__)
    return None if any(kind.__name__ in _SETTERS for kind in ancestors) else "one_cycle"


def corruption_for(settings, x):
    """Return the corruption of a training on scaled rows x; "auto" fits them."""
    if settings.corruption != "auto":
        return settings.corruption
    deviation = 1.0
    if settings.scaler not in _OF_UNIT_VARIANCE:
        flat = x.reshape(-1, x.shape[-1])
        deviation = float(np.sqrt(np.nanmean(np.nanvar(flat, axis=0)))) or 1.0
    # In two digits: programs that TensorFlow compiles hold the numbers.
    return GaussianNoise(tuple(float(f"{share * deviation:.2g}") for share in _NOISE))
