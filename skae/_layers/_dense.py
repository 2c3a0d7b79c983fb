"""Layers of rows: dense ones, and normalisations."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from skae._layers._activations import ACTIVATIONS, LINEAR
from skae._layers._base import (
    Array,
    Layer,
    Learned,
    Out,
    Scratch,
    Weights,
    buffer,
    keras_output,
    seeded_start,
)

# So many rows get a bias at once, where there are many.
_TILE_ROWS, _MANY_ROWS = 64, 512
_EPSILON = 1e-3  # Keras's, added to variances by normalisation layers
# Keras's 0.99 forgets its beginning after hundreds of steps; short trainings have less.
_MOMENTUM = 0.9


class Dense(Layer):
    """A dense layer."""

    is_dense = True

    def __init__(
        self, name: str, n_in: int, n_out: int, activation: str | None = None
    ) -> None:
        self.name, self.n_in, self.n_out = name, n_in, n_out
        self.activation = ACTIVATIONS[activation or "linear"]
        self.variables = ("kernel", (n_in, n_out)), ("bias", (n_out,))
        self.n_products = n_in * n_out + n_out
        self.row_shape = (n_out,)

    def keras(self, x: Any, made: dict[Layer, Any]) -> Any:
        """Return the output of Keras's dense layer."""
        import keras

        def make(**options: Any) -> Any:
            start = seeded_start()
            made[self] = keras.layers.Dense(
                self.n_out, kernel_initializer=start, **options
            )
            return made[self]

        return self.activation.keras_layer(make, x, self.name)

    def output_shape(self, n: int) -> tuple[int, ...]:
        """Return the shape of n rows."""
        return n, self.n_out

    def linear(
        self, x: Array, weights: Weights, out: Out = None, memory: Scratch = None
    ) -> Array:
        """Return the product with the kernel, plus the bias."""
        kernel, bias = weights
        # Single rows come often: arguments by name cost as much as the product.
        out = x @ kernel if out is None else np.matmul(x, kernel, out)
        n = len(out)
        if n < _MANY_ROWS:
            return np.add(out, bias, out)
        # NumPy adds a row to many rows one by one, which is slow for short rows.
        tile = np.tile(bias.ravel(), _TILE_ROWS)
        tiled = out[: n - n % _TILE_ROWS].reshape(-1, len(tile))
        tiled += tile
        rest = out[n - n % _TILE_ROWS :]
        rest += bias
        return out

    def linear_backward(
        self, x: Array, gradient: Array, own: Learned, x_gradient: Out
    ) -> None:
        """Write the gradients of kernel, bias and x."""
        np.matmul(x.T, gradient, out=own.gradients[0])
        # A product with ones: several times faster than a sum over rows.
        np.matmul(_ones(len(gradient)), gradient, out=own.gradients[1])
        if x_gradient is not None:
            np.matmul(gradient, own.weights[0].T, out=x_gradient)


class WithLinearPath(Layer):
    """Layers of rows, and beside them a linear map of the same rows, summed."""

    def __init__(
        self, name: str, inner: list[Layer], path: Dense, activation: str | None = None
    ) -> None:
        self.name, self.inner, self.path = name, inner, path
        self.activation = ACTIVATIONS[activation or "linear"]
        # In Keras's order, which is that of the distance to the sum.
        self._parts = [*inner, path]
        self.variables = tuple(
            (f"{layer.name}/{variable}", shape)
            for layer in self._parts
            for variable, shape in layer.variables
        )
        self.n_products = sum(layer.n_products for layer in self._parts)
        self.row_shape = path.row_shape
        self.runs_in_numpy = all(layer.runs_in_numpy for layer in inner)
        self.trains_in_numpy = all(layer.trains_in_numpy for layer in inner)

    def keras(self, x: Any, made: dict[Layer, Any]) -> Any:
        """Return the sum of both ways."""
        import keras

        both = [keras_output(self.inner, x, made), self.path.keras(x, made)]
        if self.activation is LINEAR:
            return keras.layers.Add(name=self.name)(both)
        total = keras.layers.Add(name=f"{self.name}_sum")(both)
        return keras.layers.Activation(self.activation.name, name=self.name)(total)

    def output_shape(self, n: int) -> tuple[int, ...]:
        """Return the shape of n rows."""
        return self.path.output_shape(n)

    def linear(
        self, x: Array, weights: Weights, out: Out = None, memory: Scratch = None
    ) -> Array:
        """Return the sum of both ways."""
        *inner, (path, own) = self._with(weights)
        made = path.linear(x, own, out)
        for i, (layer, own) in enumerate(inner):
            part = scratch = None
            if memory is not None:
                shape = layer.output_shape(len(x))
                part = buffer(memory, f"output {i}", shape, x.dtype)
                scratch = memory.setdefault(i, {})
            x = layer.forward(x, own, part, scratch)
        made += x
        return made

    def linear_backward(
        self, x: Array, gradient: Array, own: Learned, x_gradient: Out
    ) -> None:
        """Write the gradients of both ways, and their sum for x."""
        weights, slopes = self._with(own.weights), self._with(own.gradients)
        parts = [
            Learned(w, g, own.memory.setdefault(i, {}))
            for i, ((_, w), (_, g)) in enumerate(zip(weights, slopes, strict=True))
        ]
        n, last = len(x), len(self.inner) - 1
        self.path.linear_backward(x, gradient, parts[-1], x_gradient)
        outputs = [
            own.memory[f"output {i}", layer.output_shape(n)]
            for i, layer in enumerate(self.inner)
        ]
        for i in range(last, -1, -1):
            below = None
            seen = x if i == 0 else outputs[i - 1]
            if i > 0 or x_gradient is not None:
                below = buffer(own.memory, f"gradient {i}", seen.shape, seen.dtype)
            self.inner[i].backward(seen, outputs[i], gradient, parts[i], below)
            gradient = below if below is not None else gradient
        if x_gradient is not None:
            x_gradient += gradient

    def _with(self, arrays: Weights) -> list[tuple[Layer, Weights]]:
        """Return the parts with their own of the arrays."""
        pairs, first = [], 0
        for layer in self._parts:
            after = first + len(layer.variables)
            pairs.append((layer, arrays[first:after]))
            first = after
        return pairs


@functools.lru_cache(maxsize=16)
def _ones(n: int) -> Array:
    """Return n ones."""
    return np.ones(n, np.float32)


class TiedDense(Layer):
    """A dense layer whose kernel is the transposed one of another; trains in Keras."""

    linear = Dense.linear

    def __init__(self, name: str, source: Dense, activation: str | None = None) -> None:
        self.name, self.source, self.n_out = name, source, source.n_in
        self._kernel_layer = source
        self.activation = ACTIVATIONS[activation or "linear"]
        self.variables = (("bias", (source.n_in,)),)

    def keras(self, x: Any, made: dict[Layer, Any]) -> Any:
        """Return the output of a Keras layer with the other's kernel."""
        make = functools.partial(_keras_tied_dense(), made[self._kernel_layer].kernel)
        return self.activation.keras_layer(make, x, self.name)


@functools.cache
def _keras_tied_dense() -> Any:
    """Return the class of the Keras layer with another's kernel."""
    import keras

    class TiedDense(keras.layers.Layer):
        """A dense layer whose kernel is the transposed one of another layer."""

        def __init__(self, kernel: Any, activation: Any = None, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.kernel = kernel
            self.activation = keras.activations.get(activation)

        def build(self, input_shape: Any) -> None:
            shape = (self.kernel.shape[0],)
            self.bias = self.add_weight(shape=shape, initializer="zeros", name="bias")

        def call(self, x: Any) -> Any:
            x = keras.ops.matmul(x, keras.ops.transpose(self.kernel))
            return self.activation(x + self.bias)

    return TiedDense


class Normalization(Layer):
    """A batch or layer normalisation, of rows or of maps' channels; trains in Keras."""

    def __init__(
        self,
        after: str,
        kind: str,
        n_channels: int,
        activation: str | None = None,
        of_maps: bool = False,
    ) -> None:
        self.name, self._after = f"{after}_normalization", after
        self.kind, self.has_places = kind, of_maps
        self.activation = ACTIVATIONS[activation or "linear"]
        names = ["gamma", "beta"]
        if kind == "batch":
            names += ["moving_mean", "moving_variance"]
        self.variables = tuple((name, (n_channels,)) for name in names)

    def keras(self, x: Any, made: dict[Layer, Any]) -> Any:
        """Return the normalised Keras tensor, after its activation."""
        import keras

        layers = keras.layers
        if self.kind == "batch":
            layer = layers.BatchNormalization(momentum=_MOMENTUM, name=self.name)
        else:
            layer = layers.LayerNormalization(name=self.name)
        return self.activation.keras(layer(x), self._after)

    def linear(
        self, x: Array, weights: Weights, out: Out = None, memory: Scratch = None
    ) -> Array:
        """Return the normalised values, in the memory of x."""
        channels_last = x.T if self.has_places else x
        if self.kind == "batch":
            gamma, beta, mean, variance = weights
            scale = gamma / np.sqrt(variance + _EPSILON)
            channels_last *= scale
            channels_last += beta - mean * scale
        else:
            gamma, beta = weights
            channels_last -= channels_last.mean(axis=-1, keepdims=True)
            squares = np.mean(channels_last**2, axis=-1, keepdims=True)
            channels_last /= np.sqrt(squares + _EPSILON)
            channels_last *= gamma
            channels_last += beta
        return x
