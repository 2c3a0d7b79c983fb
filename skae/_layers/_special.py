"""Layers of single networks: recurrent ones, models as layers, and codes with terms."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from skae._layers._base import (
    Array,
    Layer,
    Out,
    Scratch,
    Unchanged,
    Weights,
    seeded_start,
)


class Recurrent(Layer):
    """An LSTM or GRU, one way or both, in Keras alone; a series, or its last state."""

    def __init__(
        self, name: str, cell: str, n_units: int, bidirectional: bool, in_steps: bool
    ) -> None:
        self.name, self.cell, self.n_units = name, cell, n_units
        self.bidirectional, self.in_steps = bidirectional, in_steps
        self.n_out = n_units * (2 if bidirectional else 1)

    @property
    def n_variables(self) -> int:
        """Number of kernels, recurrent kernels and biases."""
        return 6 if self.bidirectional else 3

    def keras(self, x: Any, made: dict[Layer, Any]) -> Any:
        """Return the output of Keras's recurrent layer."""
        import keras

        layers, name = keras.layers, self.name
        layer = (layers.LSTM if self.cell == "lstm" else layers.GRU)(
            self.n_units,
            kernel_initializer=seeded_start(),
            recurrent_initializer=keras.initializers.Orthogonal(seed=0),
            return_sequences=self.in_steps,
            use_cudnn=False,  # the same results wherever it runs
            seed=0,
            name=f"{name}_cell" if self.bidirectional else name,
        )
        if self.bidirectional:
            layer = layers.Bidirectional(layer, name=name)
        return layer(x)


class KerasModel(Layer):
    """A Keras model as a layer, which a function builds."""

    def __init__(self, build: Callable[[], Any]) -> None:
        self._build = build

    def keras(self, x: Any, made: dict[Layer, Any]) -> Any:
        """Return the model's output."""
        return self._build()(x)


class CodeLayer(Layer):
    """The last layer of an encoder whose code adds terms to the loss."""

    def keras_training(self, x: Any) -> tuple[Any, dict[str, Any]]:
        """Return the code while training, and the terms' values per row."""
        raise NotImplementedError

    def row_terms(self, x: Array) -> dict[str, Array]:
        """Return the terms' values per row, by name."""
        raise NotImplementedError


class ActivityPenalty(CodeLayer, Unchanged):
    """Penalises the sum of a code's absolute values; trains in Keras."""

    backward = Layer.backward

    def keras(self, x: Any, made: dict[Layer, Any]) -> Any:
        """Return the code as it is."""
        return x

    def keras_training(self, x: Any) -> tuple[Any, dict[str, Any]]:
        """Return the code, and its activity."""
        from keras import ops

        axes = tuple(range(1, len(x.shape)))
        return x, {"activity": ops.sum(ops.abs(x), axis=axes)}

    def row_terms(self, x: Array) -> dict[str, Array]:
        """Return the activity of each row."""
        return {"activity": np.abs(x).sum(axis=1)}


class DrawnCode(CodeLayer):
    """Codes drawn from the normal distributions of means and log variances."""

    def __init__(self, width: int) -> None:
        self.name, self._width = "drawn_code", width
        self.row_shape = (width,)

    def keras(self, x: Any, made: dict[Layer, Any]) -> Any:
        """Return the mean."""
        return x[:, : self._width]

    def keras_training(self, x: Any) -> tuple[Any, dict[str, Any]]:
        """Return drawn codes, and the divergence of each row's distribution in nats."""
        from keras import ops

        mean, log_variance = x[:, : self._width], x[:, self._width :]
        code = _keras_drawn_code()(seed=0, name=self.name)([mean, log_variance])
        spread = ops.exp(log_variance) - 1 - log_variance
        return code, {"kl": 0.5 * ops.sum(mean**2 + spread, axis=1)}

    def linear(
        self, x: Array, weights: Weights, out: Out = None, memory: Scratch = None
    ) -> Array:
        """Return the means."""
        return x[:, : self._width]

    def row_terms(self, x: Array) -> dict[str, Array]:
        """Return the divergence of each row."""
        mean, log_variance = x[:, : self._width], x[:, self._width :]
        spread = np.exp(log_variance) - 1 - log_variance
        return {"kl": 0.5 * (mean**2 + spread).sum(axis=1)}


@functools.cache
def _keras_drawn_code() -> Any:
    """Return the class of the Keras layer that draws codes."""
    import keras

    @keras.saving.register_keras_serializable(package="skae")
    class DrawnCode(keras.layers.Layer):
        """Draws codes of a mean and a log variance; gives the mean after training."""

        def __init__(self, seed: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.seed = seed
            self.seed_generator = keras.random.SeedGenerator(seed)

        def call(self, statistics: Any, training: bool = False) -> Any:
            mean, log_variance = statistics
            if not training:
                return mean
            noise = keras.random.normal(
                keras.ops.shape(mean), dtype=mean.dtype, seed=self.seed_generator
            )
            return mean + keras.ops.exp(log_variance / 2) * noise

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "seed": self.seed}

    return DrawnCode
