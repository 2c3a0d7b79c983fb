"""The training parameters of an estimator, as plain values; what "auto" stands for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import ceil, prod
from typing import TYPE_CHECKING, Any

import numpy as np

from skae import _engine as engine
from skae._random import stream
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
AUTO_NOISE = (0.1, 1.0)
# A detector's networks, steps of each, and widths of their codes: of dense networks,
# which noise and not a bottleneck restrains, of linear ones, and of others.
_N_NETWORKS, _STEPS, _MOST_EPOCHS = 3, 4000, 500
_FEWEST_FOLDS = 3
_DENSE_WIDTH, _WIDE_WIDTH, _OTHER_WIDTH = 128, 64, 4


@dataclass(frozen=True)
class Budget:
    """What ``epochs="auto"`` gives: so many optimizer steps, within bounds."""

    steps: int = 4000
    fewest_epochs: int = 10
    most_epochs: int | None = None  # how often a row is seen, copies included

    def n_epochs(self, x: NDArray, batch_size: int) -> int:
        """Return the epochs over some rows that it comes to; 0 where no step does."""
        if self.steps == 0:
            return 0
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
    validation: Table | None = None  # None splits rows off where the settings say so
    seed: int = 0  # of weights, split, order and corruption

    def folds(self, n_networks: int) -> NDArray | None:
        """Return, for each row, the network that does not train on it."""
        # At least three, so that two networks do not have half of the rows each; None
        # where there is one network, or a fold would be empty.
        n, n_folds = len(self.rows.X), max(n_networks, _FEWEST_FOLDS)
        if n_networks == 1 or n < 2 * n_folds:
            return None
        return stream(self.seed, "folds").permutation(np.arange(n) % n_folds)

    @property
    def table(self) -> Table:
        """The rows, whose weights are left out where they are equal."""
        weight = self.rows.weight
        is_needed = weight is not None and np.ptp(weight) > 0
        return self.rows if is_needed else replace(self.rows, weight=None)

    @property
    def architecture(self) -> engine.Architecture:
        """The network and the shapes of its rows."""
        inputs, targets = self.rows.X, self.rows.y
        shapes = inputs.shape[1:], (inputs if targets is None else targets).shape[1:]
        settings = self.settings
        return engine.Architecture(settings.network, *shapes, settings.latent_dim)


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
    settings: Settings,
    input_shape: tuple[int, ...],
    n_rows: int | None,  # None where they come bit by bit
    error: str,
    n_networks: int | str,
    *,
    is_watched: bool,  # whether callbacks or patience watch the training
    is_own: bool,  # whether the user chose the network
) -> tuple[Settings, str, int]:
    """Return settings, error and number of networks, "auto" resolved."""
    network, width = settings.network, settings.latent_dim
    n_values, is_auto = prod(input_shape), is_dense(network)
    # Fewer rows than values determine little more than their linear relations.
    is_wide = not is_own and width == "auto" and (n_rows or n_values) < n_values
    if is_wide and n_rows is not None:
        network = DenseNetwork(hidden_units=(), initial_weights="svd")
        width = min(_WIDE_WIDTH, n_values, max(1, n_rows - 1))
    if width == "auto" and is_auto:
        width = _DENSE_WIDTH
    elif width == "auto":
        width = _OTHER_WIDTH if network.draws_weights else None
    corruption = settings.corruption
    if corruption == "auto" and not is_auto:
        corruption = None
    if error == "auto":
        error = ("whitened" if is_wide else "nearest") if is_auto else "standardized"
    if isinstance(n_networks, str):  # "auto"
        is_cheap = error in ("whitened", "nearest") and not is_watched
        n_networks = (10 if is_wide else _N_NETWORKS) if is_cheap else 1
    budget = Budget()  # one value where it is not used: networks are then shared
    if settings.epochs == "auto":
        budget = Budget(steps=0 if is_wide else _STEPS, most_epochs=_MOST_EPOCHS)
    settings = replace(
        settings,
        network=network,
        latent_dim=width,
        corruption=corruption,
        budget=budget,
    )
    return settings, error, n_networks


def is_dense(network: Any) -> bool:
    """Return whether a detector's defaults for dense networks hold: None is one."""
    return network is None or isinstance(network, DenseNetwork)
