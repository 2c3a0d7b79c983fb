"""What goes into a training and what comes out: plain data, no Keras."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from skae.networks import import_quietly

if TYPE_CHECKING:
    from skae._engine._models import Models


@dataclass(frozen=True)
class Architecture:
    """A network, fitted to the shapes of the data.

    Attributes
    ----------
    network : skae.networks.Network
        Description of encoder and decoder.

    input_shape, output_shape : tuple of int
        Shape of one row of inputs and of targets.

    latent_dim : int or None
        Width of the code; None is the network's own.
    """

    network: Any
    input_shape: tuple
    output_shape: tuple
    latent_dim: int | None

    @property
    def shapes(self):
        """The arguments that a network's methods take."""
        return self.input_shape, self.output_shape, self.latent_dim


@dataclass(frozen=True)
class TrainingSpec:
    """Everything that shapes the computation, but no data and no amounts.

    Attributes
    ----------
    architecture : Architecture

    loss, optimizer : object
        A Keras name or instance; a loss may be a function.

    learning_rate : float or None
        Replaces the optimizer's own, also where a training continues.

    corruption : skae.corruptions.Corruption or None
        Damages the inputs of every step.
    """

    architecture: Architecture
    loss: Any
    optimizer: Any
    learning_rate: float | None = None
    corruption: Any = None


@dataclass(frozen=True)
class Rows:
    """Rows in scaled space: float32 inputs, targets and weights.

    ``y`` is None where the inputs are the targets; ``weight`` is None where all rows
    count alike, otherwise its mean is 1.

    ``fill``, float32 of shape (x.shape[-1],), is what missing inputs (NaN) become; with
    it, missing targets do not count. None where neither these rows nor the validation
    rows, for which it stands, too, have a missing entry.
    """

    x: np.ndarray
    y: np.ndarray | None = None
    weight: np.ndarray | None = None
    fill: np.ndarray | None = None

    @property
    def targets(self):
        """The targets, whichever way they are given."""
        return self.x if self.y is None else self.y


@dataclass(frozen=True)
class Schedule:
    """How long to train and who watches.

    Attributes
    ----------
    epochs, batch_size : int

    patience : int or None
        Epochs without a new best loss after which training stops, and the best weights
        are kept; None trains through and keeps the last.

    first_epoch : int
        Number of earlier passes; batch order and corruption continue from there.

    callbacks : list
        Keras callbacks, or functions that make them.

    verbose : int
        1 or more shows a progress bar.
    """

    epochs: int
    batch_size: int
    patience: int | None = None
    first_epoch: int = 0
    callbacks: list = field(default_factory=list)
    verbose: int = 0


class UntrainedModels:
    """The Keras models that one fit begins with: built once, then handed on.

    A user's network says only when it is built what values it returns and which weights
    it starts from. The training that needs models takes these over.
    """

    def __init__(self, architecture: Architecture, seed: int) -> None:
        self._architecture, self._seed = architecture, seed
        self._models = None  # built and not taken yet
        self._range = self._weights = None  # what building a user's network tells

    def output_range(self) -> tuple[float, float] | None:
        """Return the (lowest, highest) value of the output; None is unknown."""
        known = self._architecture.network.output_range()
        if known is None and self._weights is None:
            self._build()
        return known or self._range

    def weights(self) -> list[np.ndarray]:
        """Return the fresh weights of a user's network, float32, for this seed."""
        if self._weights is None:
            self._build()
        return self._weights

    def take(self) -> Models:
        """Return models that are the caller's alone; the next call builds others."""
        if self._models is None:
            self._build()
        models, self._models = self._models, None
        return models

    def _build(self) -> None:
        """Build the models, and keep what building tells."""
        import_quietly()
        from skae._engine._models import build_models

        self._models = build_models(self._architecture, seed=self._seed)
        if self._weights is None and not self._architecture.network.draws_weights:
            self._range = self._models.output_range
            self._weights = self._models.model.get_weights()


@dataclass
class State:
    """Weights and optimizer state, lists of NumPy arrays; None are fresh ones."""

    weights: list | None = None
    optimizer: list | None = None
    untrained: UntrainedModels | None = None  # of this fit, where there are some


@dataclass
class Trained:
    """The result of a training.

    Attributes
    ----------
    state : State

    history : dict of str to list of float
        Per epoch ``loss`` and the network's terms, the same with ``val_`` where there
        are validation rows, and what callbacks add.

    seconds : dict of str to float
        Where the time went: ``building``, ``tracing``, ``training``.

    latent_shape : tuple of int
        Shape of one code, before it is flattened.
    """

    state: State
    history: dict
    seconds: dict
    latent_shape: tuple


class TrainingDivergedError(ArithmeticError):
    """A loss, or a weight after the last step, stopped being finite.

    Attributes
    ----------
    name : {"loss", "val_loss", "weights"}

    value : float
        What it became.

    epoch : int
        The epoch, counted from 1.

    last_finite : float or None
        The loss of the epoch before, where it is the loss that diverged.

    learning_rate : float
        The one in force.
    """

    def __init__(self, *, name, value, epoch, last_finite, learning_rate):
        super().__init__(f"the {name} became {value} in epoch {epoch}")
        self.name = name
        self.value = value
        self.epoch = epoch
        self.last_finite = last_finite
        self.learning_rate = learning_rate
