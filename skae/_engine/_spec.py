"""What goes into a training and what comes out: plain data, no Keras."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from skae._layers._base import NetworkLayers
from skae.networks._base import Network, layers_of

Shape = tuple[int, ...]
_MOST_WEIGHTS = 1 << 31  # Adam needs 32 GB for them
_ALIGNMENT = 64  # bytes; what TensorFlow's kernels ask of a tensor's memory


@dataclass(frozen=True)
class Architecture:
    """A network, fitted to the shapes of one row of inputs and of targets."""

    network: Network
    input_shape: Shape
    output_shape: Shape
    latent_dim: int | None  # None is the network's own width

    @property
    def shapes(self) -> tuple[Shape, Shape, int | None]:
        """The arguments that a network's methods take."""
        return self.input_shape, self.output_shape, self.latent_dim

    @cached_property
    def layers(self) -> NetworkLayers | None:
        """The network's layers, or None where only Keras knows them."""
        shapes = self.input_shape, self.output_shape, self.latent_dim
        found = layers_of(self.network, *shapes)
        return None if found is None else NetworkLayers(*found)

    def check_size(self) -> None:
        """Raise a ValueError where there are more weights than memory can hold."""
        layers = [] if self.layers is None else self.layers.all
        shapes = [shape for layer in layers for _, shape in layer.variables]
        n_weights = sum(map(prod, shapes))
        if n_weights > _MOST_WEIGHTS:
            raise ValueError(
                f"{self.network!r} with latent_dim={self.latent_dim} on rows of shape "
                f"{self.input_shape} would have {n_weights:.3g} weights, but at most "
                f"{_MOST_WEIGHTS:.3g} can be trained. Lower latent_dim, or the units "
                "of the network."
            )

    def check_built(self, latent_shape: Shape, output_shape: Shape) -> None:
        """Raise where what the network built fits neither the rows nor latent_dim."""
        if output_shape != self.output_shape:
            raise ValueError(
                f"The network built by {self.network!r} returns rows of shape "
                f"{output_shape}, but the rows to reconstruct have shape "
                f"{self.output_shape}. Give its last layer the shape of the data "
                "instead of a fixed one."
            )
        width, asked = prod(latent_shape), self.latent_dim
        if asked is not None and width != asked:
            raise ValueError(
                f"The network built by {self.network!r} has a code of width {width}, "
                f"but latent_dim={asked}. Pass latent_dim=None for the network's own "
                "width, or let its build method obey latent_dim."
            )

    def __getstate__(self) -> dict[str, Any]:
        return {name: kept for name, kept in vars(self).items() if name != "layers"}


@dataclass(frozen=True)
class TrainingSpec:
    """Everything that shapes the computation, but no data and no amounts."""

    architecture: Architecture
    loss: Any  # a Keras name or instance, or a function
    optimizer: Any  # a Keras name or instance
    learning_rate: float | str | None = None  # replaces the optimizer's own
    corruption: Any = None  # damages the inputs of every step


@dataclass(frozen=True)
class Rows:
    """Rows in scaled space: float32 inputs, targets and weights.

    ``fill``, of shape (x.shape[-1],), is what missing inputs (NaN) become; with it,
    missing targets do not count. None where neither these rows nor the validation rows,
    for which it stands, too, have a missing entry.
    """

    x: np.ndarray
    y: np.ndarray | None = None  # None: the inputs are the targets
    weight: np.ndarray | None = None  # of mean 1; None: all rows count alike
    fill: np.ndarray | None = None

    @property
    def targets(self) -> np.ndarray:
        """The targets, whichever way they are given."""
        return self.x if self.y is None else self.y


@dataclass(frozen=True)
class Schedule:
    """How long to train, and what watches."""

    epochs: int
    batch_size: int
    patience: int | None = None  # None trains through and keeps the last weights
    keeps_start: bool = False  # whether the first weights may turn out to be the best
    first_epoch: int = 0  # number of earlier passes
    callbacks: list = field(default_factory=list)  # of Keras, or what makes them
    verbose: int = 0


@dataclass
class State:
    """Weights and optimizer state, lists of NumPy arrays; None are fresh ones."""

    weights: list | None = None
    optimizer: list | None = None
    # Of what a user's code builds; None is not known yet. And the untrained models that
    # it was taken of, where no training has used them.
    fingerprint: Any = None
    models: Any = None


@dataclass
class Trained:
    """The result of a training."""

    state: State
    history: dict[str, list[float]]
    seconds: dict[str, float]  # building, tracing, validation, training
    latent_shape: Shape  # of one code, before it is flattened
    was_interrupted: bool = False  # by Ctrl-C, after at least one epoch
    first_weights: list = field(default_factory=list)  # with which it began
    kept_start: bool = False  # whether the first weights were the best ones


class TrainingDivergedError(ArithmeticError):
    """A loss, or a weight after the last step, stopped being finite."""

    def __init__(
        self,
        *,
        name: str,  # loss, val_loss, weights
        value: float,
        epoch: int,  # counted from 1
        last_finite: float | None,
        learning_rate: float,
    ) -> None:
        super().__init__(f"the {name} became {value} in epoch {epoch}")
        self.name = name
        self.value = value
        self.epoch = epoch
        self.last_finite = last_finite
        self.learning_rate = learning_rate


def aligned_empty(shape: tuple[int, ...]) -> np.ndarray:
    """Return a new float32 array whose memory a tensor can share."""
    n = prod(shape)
    memory = np.empty(n + _ALIGNMENT // 4, np.float32)
    start = -memory.ctypes.data % _ALIGNMENT // 4
    return memory[start : start + n].reshape(shape)


def is_aligned(array: np.ndarray) -> bool:
    """Return whether a tensor can share an array's memory."""
    return array.ctypes.data % _ALIGNMENT == 0
