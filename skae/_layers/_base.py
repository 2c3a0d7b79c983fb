"""What every layer says of itself, and the folds over several layers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from math import inf, prod
from typing import Any, NamedTuple

import numpy as np

from skae._layers._activations import LINEAR, Activation

Array = np.ndarray
Weights = Sequence[Array]
Out = Array | None  # where a result goes; None makes a new array
Scratch = dict | None  # arrays that each step uses again, by what they are for
# Rows that pass layers of maps at a time: what they need stays in the cache.
_BLOCK_ROWS = 32


class Learned(NamedTuple):
    """What a layer that trains in NumPy owns."""

    weights: Weights
    gradients: Weights
    memory: dict


class Layer(ABC):
    """A layer of encoder or decoder; holds no weights.

    Rows are arrays of shape (n, n_values), maps of shape (channels, *lengths, n). A
    layer that defines ``linear`` runs in NumPy, and trains there if it also defines
    ``linear_backward``.
    """

    #: Name of the Keras layer.
    name = ""
    #: Names and shapes of the Keras layer's variables, in its order.
    variables: tuple[tuple[str, tuple[int, ...]], ...] = ()
    #: The activation, which comes last.
    activation: Activation = LINEAR
    #: Whether ``forward`` is there, and ``backward``: set by what a class defines.
    runs_in_numpy = False
    trains_in_numpy = False
    #: Whether values lie at places, with channels: maps, or rows that were maps;
    #: whether the layer only makes maps of rows, or only rows of maps.
    has_places = False
    opens_maps = False
    closes_maps = False
    #: Shape of one row of the output in Keras, where the layer decides it.
    row_shape: tuple[int, ...] | None = None
    #: Whether, without activation, values keep the range of those that come in.
    keeps_range = False
    #: The layer whose transposed kernel it has, if any.
    source: Layer | None = None
    #: Multiplications that one row takes, without the activation's.
    n_products = 0
    #: Whether it is a dense layer.
    is_dense = False
    #: Numbers in the windows of one row.
    n_windowed = 0

    @abstractmethod
    def keras(self, x: Any, made: dict[Layer, Any]) -> Any:
        """Return the Keras twin's output for a Keras tensor."""

    def __init_subclass__(cls) -> None:
        goes_back = (
            cls.linear_backward is not Layer.linear_backward
            or cls.backward is not Layer.backward
        )
        cls.runs_in_numpy = cls.linear is not Layer.linear
        cls.trains_in_numpy = cls.runs_in_numpy and goes_back

    @property
    def n_variables(self) -> int:
        """Number of the Keras layer's variables."""
        return len(self.variables)

    def output_shape(self, n: int) -> tuple[int, ...]:
        """Return the shape of the output for n rows."""
        raise NotImplementedError

    def channels_last(self, x: Array) -> Array:
        """Return a view whose last axis holds the channels of places."""
        return x.T

    def linear(
        self, x: Array, weights: Weights, out: Out = None, memory: Scratch = None
    ) -> Array:
        """Return the output before the activation, in `out` if that is given."""
        raise NotImplementedError

    def linear_backward(
        self, x: Array, gradient: Array, own: Learned, x_gradient: Out
    ) -> None:
        """Write the gradients of weights and x, given that of ``linear``'s output."""
        raise NotImplementedError

    def forward(
        self, x: Array, weights: Weights, out: Out = None, memory: Scratch = None
    ) -> Array:
        """Return the output; without `out`, x may be overwritten."""
        # What ``backward`` needs stays in `out` and in `memory`.
        made = self.linear(x, weights, out, memory)
        activation = self.activation
        if activation is LINEAR:
            return made
        if activation.needs_input and memory is not None:
            np.copyto(buffer(memory, "input", made.shape, made.dtype), made)
        seen = self.channels_last(made) if self.has_places else made
        result = activation.function(seen)
        if result is not seen:
            seen[...] = result
        return made

    def backward(
        self, x: Array, out: Array, gradient: Array, own: Learned, x_gradient: Out
    ) -> None:
        """Write the gradients of weights and x; overwrites `out` and `gradient`."""
        activation = self.activation
        if activation is not LINEAR:
            seen = own.memory["input", out.shape] if activation.needs_input else out
            if self.has_places:
                gradient_seen, seen = map(self.channels_last, (gradient, seen))
                activation.slope(gradient_seen, seen)
            else:
                activation.slope(gradient, seen)
        self.linear_backward(x, gradient, own, x_gradient)


class Unchanged(Layer):
    """A layer that changes nothing in NumPy, where rows are flat: it is left out."""

    keeps_range = True

    def linear(
        self, x: Array, weights: Weights, out: Out = None, memory: Scratch = None
    ) -> Array:
        """Return the input."""
        return x

    def backward(
        self, x: Array, out: Array, gradient: Array, own: Learned, x_gradient: Out
    ) -> None:
        """Do nothing: training leaves the layer out."""


class Reshape(Unchanged):
    """Gives rows a shape, or makes them flat."""

    def __init__(self, name: str, shape: tuple[int, ...]) -> None:
        self.name, self.shape = name, tuple(shape)

    def keras(self, x: Any, made: dict[Layer, Any]) -> Any:
        """Return the reshaped Keras tensor."""
        return reshaped(x, self.shape, self.name)


class Dropout(Unchanged):
    """Sets a fraction of the values to zero while training, in Keras alone."""

    backward = Layer.backward

    def __init__(self, name: str, fraction: float) -> None:
        self.name, self.fraction = name, fraction

    def keras(self, x: Any, made: dict[Layer, Any]) -> Any:
        """Return the Keras tensor with dropout; each training seeds it anew."""
        import keras

        seed = len(made)  # another one for each layer
        made[self] = keras.layers.Dropout(self.fraction, seed=seed, name=self.name)
        return made[self](x)


def buffer(
    memory: Scratch,
    purpose: str,
    shape: tuple[int, ...],
    dtype: np.dtype | type,
    make: Any = np.empty,
) -> Array:
    """Return an array of this shape: the memory's own, or a new one without memory."""
    if memory is None:
        return make(shape, dtype)
    if (purpose, shape) not in memory:
        memory[purpose, shape] = make(shape, dtype)
    return memory[purpose, shape]


class NetworkLayers:
    """The layers of encoder and decoder, and what follows from them."""

    def __init__(self, encoder: Sequence[Layer], decoder: Sequence[Layer]) -> None:
        self.encoder, self.decoder = encoder, decoder
        self.all = [*encoder, *decoder]
        # The layers that NumPy trains: what it can leave out is left out.
        self.stack: list[Layer] = []
        for layer in self.all:
            if isinstance(layer, Unchanged):
                continue
            if self.stack and self.stack[-1].closes_maps and layer.opens_maps:
                self.stack.pop()  # maps between both stay maps
            else:
                self.stack.append(layer)
        self.is_dense = all(layer.is_dense for layer in self.stack)
        self.n_products = sum(layer.n_products for layer in self.stack)
        # The shape of one code, before it is flattened.
        shapes = [layer.row_shape for layer in encoder if layer.row_shape is not None]
        self.latent_shape = shapes[-1] if shapes else ()
        # The lowest and the highest value of the output.
        self.output_range = -inf, inf
        for layer in decoder:
            if layer.activation is not LINEAR or not layer.keeps_range:
                self.output_range = layer.activation.low, layer.activation.high


# ------------------------------------------------------------- folds over layers


def run(layers: Sequence[tuple[Layer, Weights]], x: Array) -> Array:
    """Return the output of layers for rows, in small blocks where there are maps."""
    if len(x) > _BLOCK_ROWS and any(layer.has_places for layer, _ in layers):
        starts = range(0, len(x), _BLOCK_ROWS)
        return np.concatenate([run(layers, x[i : i + _BLOCK_ROWS]) for i in starts])
    for layer, weights in layers:
        x = layer.forward(x, weights)
    return x


def with_weights(
    layers: Sequence[Layer], weights: Sequence[Array]
) -> list[tuple[Layer, Weights]]:
    """Return layers with the arrays that they take, given those of all variables."""
    remaining: Iterator[Array] = iter(weights)
    known: dict[Layer, list[Array]] = {}
    pairs: list[tuple[Layer, Weights]] = []
    for layer in layers:
        known[layer] = [next(remaining) for _ in range(layer.n_variables)]
        shared = [] if layer.source is None else [known[layer.source][0].T]
        pairs.append((layer, shared + known[layer]))
    return pairs


def keras_output(layers: Sequence[Layer], x: Any, made: dict[Layer, Any]) -> Any:
    """Return the output of the layers' Keras twins for a Keras tensor."""
    for layer in layers:
        x = layer.keras(x, made)
    return x


def row_input(shape: tuple[int, ...], name: str) -> Any:
    """Return a Keras model's input for rows, or codes, of this shape."""
    import keras

    dtype = keras.config.dtype_policy().compute_dtype
    return keras.Input(shape, name=name, dtype=dtype)


def reshaped(x: Any, shape: tuple[int, ...], name: str) -> Any:
    """Return a Keras tensor with rows of this shape."""
    import keras

    if tuple(x.shape[1:]) == shape:
        return x
    if shape == (prod(x.shape[1:]),):
        return keras.layers.Flatten(name=name)(x)
    return keras.layers.Reshape(shape, name=name)(x)


def seeded_start() -> Any:
    """Return Keras's default initializer of kernels, with a seed of its own."""
    # Without one it draws from Python's global random state. Its values are replaced.
    import keras

    return keras.initializers.GlorotUniform(seed=0)
