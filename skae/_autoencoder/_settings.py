"""The training parameters of an estimator, as plain values; what "auto" stands for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import ceil, prod
from typing import TYPE_CHECKING, Any

import numpy as np

from skae.corruptions import GaussianNoise
from skae.networks import DenseNetwork

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

# Optimizers whose own learning rate learning_rate="auto" takes through a cycle. Others
# have theirs: what Adam's steps stand, which are of about the same size whatever the
# gradient is, plain gradient descent may not.
_CYCLED = ("adam",)
# Callbacks that set the learning rate: it is theirs.
_RATE_SETTERS = ("LearningRateScheduler", "ReduceLROnPlateau")
# Scalers that give the columns a variance of 1, each or in the mean.
_OF_UNIT_VARIANCE = ("standard", "common", "auto")
# Strength of corruption="auto", in standard deviations of the scaled columns: from one
# that leaves a row nearly where it is to one that takes it out of the data.
AUTO_NOISE = (0.1, 2.0)
# Widths of a detector's code: the bounds with dense networks, and that of others.
_DENSE_WIDTHS, _OTHER_WIDTH = (8, 32), 4


@dataclass(frozen=True)
class Budget:
    """What ``epochs="auto"`` gives: so many optimizer steps, within bounds."""

    steps: int = 4000
    fewest_epochs: int = 10
    most_epochs: int | None = None  # how often a row is seen, copies included

    def n_epochs(self, x: NDArray, batch_size: int) -> int:
        """Return the epochs over some rows that it comes to."""
        epochs = ceil(self.steps / ceil(len(x) / batch_size))
        if self.most_epochs is not None and epochs > self.fewest_epochs:
            n_distinct = len({hash(row.tobytes()) for row in x})
            epochs = min(epochs, round(self.most_epochs * n_distinct / len(x)))
        return max(epochs, self.fewest_epochs)


@dataclass(frozen=True)
class Settings:
    """The training parameters of an estimator, by the same names."""

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
    corruption: Any  # perhaps "auto"
    engine: Any = "auto"
    allow_nan: bool = False
    budget: Budget = Budget()  # of epochs="auto"

    def for_one_pass(self) -> Settings:
        """Return the settings of one pass over all rows, at a constant rate."""
        rate = None if isinstance(self.learning_rate, str) else self.learning_rate
        return replace(
            self, epochs=1, learning_rate=rate, validation_fraction=None, patience=None
        )

    def corruption_of(self, x: NDArray) -> Any:
        """Return the corruption of scaled rows; "auto" is noise that fits them."""
        if self.corruption != "auto":
            return self.corruption
        deviation = 1.0
        if self.scaler not in _OF_UNIT_VARIANCE:
            flat = x.reshape(-1, x.shape[-1])
            with np.errstate(over="ignore"):
                variance = np.nanmean(np.nanvar(flat, axis=0))
            if not 0 < variance < np.inf:  # beyond float32, or nothing varies
                variance = np.nanmean(np.nanvar(flat.astype(np.float64), axis=0))
            deviation = float(np.sqrt(variance)) or 1.0
        # In two digits: programs that TensorFlow compiles hold the numbers.
        low, high = (float(f"{one * deviation:.2g}") for one in AUTO_NOISE)
        return GaussianNoise((low, high))


@dataclass(frozen=True)
class Table:
    """Rows in the input space: checked arrays, no zero weights."""

    X: NDArray
    y: NDArray | None = None  # None where X is its own target
    weight: NDArray | None = None  # a weight of k counts a row k times

    def take(self, chosen: Any) -> Table:
        """Return some of the rows."""
        if chosen.dtype == bool and chosen.all():
            return self
        return Table(
            self.X[chosen],
            None if self.y is None else self.y[chosen],
            None if self.weight is None else self.weight[chosen],
        )

    def followed_by(self, later: Table) -> Table:
        """Return these rows and later ones."""
        both, y, weight = (self, later), None, None
        if any(one.y is not None for one in both):
            y = np.concatenate([one.X if one.y is None else one.y for one in both])
        if any(one.weight is not None for one in both):
            weights = [
                np.ones(len(one.X)) if one.weight is None else one.weight
                for one in both
            ]
            weight = np.concatenate(weights)
        return Table(np.concatenate([one.X for one in both]), y, weight)


@dataclass(frozen=True)
class Training:
    """All that trained networks follow from."""

    settings: Settings
    rows: Table
    validation: Table | None  # None splits rows off where the settings say so
    seed: int  # of weights, split, order and corruption


@dataclass(frozen=True)
class Watching:
    """What watches a training; it has no influence on what is learned otherwise."""

    callbacks: Sequence[Any] | None = None
    verbose: int = 0


@dataclass(frozen=True)
class Passes:
    """Where a training pass by pass stands."""

    seed: int
    optimizers: list[Any] = field(default_factory=list)  # a state for each network
    first_rows: Table | None = None  # all so far, where they are too few for a scaler


def resolved_rate(
    learning_rate: float | str | None, optimizer: Any, callbacks: Iterable[Any] | None
) -> float | str | None:
    """Return what the parameter ``learning_rate`` stands for: "auto" is resolved."""
    if learning_rate != "auto":
        return learning_rate
    if not isinstance(optimizer, str) or optimizer.lower() not in _CYCLED:
        return None
    ancestors = (kind for one in callbacks or () for kind in type(one).__mro__)
    is_set = any(kind.__name__ in _RATE_SETTERS for kind in ancestors)
    return None if is_set else "one_cycle"


def detector_settings(
    settings: Settings, input_shape: tuple[int, ...], n_networks: int
) -> Settings:
    """Return a detector's settings, "auto" resolved: chosen on dense networks."""
    network, width, corruption = (
        settings.network,
        settings.latent_dim,
        settings.corruption,
    )
    if width == "auto" and is_dense(network):
        width = int(np.clip(prod(input_shape) // 4, *_DENSE_WIDTHS))
    elif width == "auto":
        width = _OTHER_WIDTH if network.draws_weights else None
    if corruption == "auto" and not is_dense(network):
        corruption = None
    budget = Budget()  # one value where it is not used: networks are then shared
    if settings.epochs == "auto":
        # More epochs learn few rows by heart, outliers among them.
        budget = Budget(steps=700 if n_networks > 1 else 1500, most_epochs=60)
    return replace(settings, latent_dim=width, corruption=corruption, budget=budget)


def is_dense(network: Any) -> bool:
    """Return whether a detector's defaults for dense networks hold: None is one."""
    return network is None or isinstance(network, DenseNetwork)
