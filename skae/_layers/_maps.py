"""Layers of convolutional networks.

Convolutions are matrix products of all windows at once. Maps have shape (channels,
*lengths, n): in them, a product's operands lie side by side as they are, and windows
move in long pieces.
"""

from __future__ import annotations

from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from skae._layers._activations import ACTIVATIONS, LINEAR
from skae._layers._base import (
    Array,
    Layer,
    Learned,
    Out,
    Scratch,
    Unchanged,
    Weights,
    buffer,
    reshaped,
    seeded_start,
)
from skae._layers._windows import (
    Lengths,
    Phases,
    Windows,
    multiply,
    multiply_rows,
)


class ToMaps(Layer):
    """Rows become maps; `shape` is that of one row in Keras, (*lengths, channels)."""

    has_places = opens_maps = True

    def __init__(self, name: str, shape: Lengths) -> None:
        self.name, self.shape = name, tuple(shape)

    def keras(self, x: Any, made: dict[Layer, Any]) -> Any:
        """Return the Keras tensor of this shape."""
        return reshaped(x, self.shape, self.name)

    def output_shape(self, n: int) -> Lengths:
        """Return the shape of n rows' maps."""
        return self.shape[-1], *self.shape[:-1], n

    def linear(
        self, x: Array, weights: Weights, out: Out = None, memory: Scratch = None
    ) -> Array:
        """Return the maps of rows."""
        out = np.empty(self.output_shape(len(x)), x.dtype) if out is None else out
        _write_maps(x, self.shape, out)
        return out

    def linear_backward(
        self, x: Array, gradient: Array, own: Learned, x_gradient: Out
    ) -> None:
        """Write the gradient of rows, given that of their maps."""
        if x_gradient is not None:
            _write_rows(gradient, x_gradient)


class ToRows(Layer):
    """Maps become rows; with the activation of the last convolution before it.

    `map_shape` is that of one row's map in Keras, `row_shape` that of the row outside.
    """

    has_places = keeps_range = True

    def __init__(
        self, name: str, map_shape: Lengths, row_shape: Lengths, activation: str | None
    ) -> None:
        self.name, self.map_shape, self.row_shape = name, map_shape, row_shape
        self.activation = ACTIVATIONS[activation or "linear"]
        self.closes_maps = self.activation is LINEAR

    def keras(self, x: Any, made: dict[Layer, Any]) -> Any:
        """Return the Keras tensor, to which the convolution gave the activation."""
        return reshaped(x, self.row_shape or (), self.name)

    def output_shape(self, n: int) -> Lengths:
        """Return the shape of n rows."""
        return n, prod(self.map_shape)

    def linear(
        self, x: Array, weights: Weights, out: Out = None, memory: Scratch = None
    ) -> Array:
        """Return the rows of maps."""
        out = np.empty(self.output_shape(x.shape[-1]), x.dtype) if out is None else out
        _write_rows(x, out)
        return out

    def linear_backward(
        self, x: Array, gradient: Array, own: Learned, x_gradient: Out
    ) -> None:
        """Write the gradient of maps, given that of their rows."""
        if x_gradient is not None:
            _write_maps(gradient, self.map_shape, x_gradient)

    def channels_last(self, x: Array) -> Array:
        """Return rows with the channels of their places in the last axis."""
        return x.reshape(-1, self.map_shape[-1])


class Convolution(Layer):
    """A convolution, or a transposed one, that pads as TensorFlow's "SAME" does.

    Maps come in with `lengths` and go out with `out_lengths`. A transposed convolution
    gives maps of `stride` times the lengths, which are cut at their ends.
    """

    has_places = True

    def __init__(
        self,
        name: str,
        channels: tuple[int, int],  # in, out
        lengths: Lengths,
        out_lengths: Lengths,
        kernel_size: int,
        stride: int = 1,
        transposed: bool = False,
        activation: str | None = None,
        rows_activation: str | None = None,  # of the rows after it: in Keras, its own
    ) -> None:
        self.name, self.transposed = name, transposed
        self._rows_activation = rows_activation
        self.n_in, self.n_out = channels
        self.lengths, self.out_lengths = lengths, out_lengths
        self.kernel_size, self.stride = kernel_size, stride
        self.activation = ACTIVATIONS[activation or "linear"]
        size = (kernel_size,) * len(lengths)
        ends = (self.n_out, self.n_in) if transposed else channels
        self.variables = ("kernel", (*size, *ends)), ("bias", (self.n_out,))
        # Whether windows are of the output, with every value in spread over one, rather
        # than of the input, where every value out sees one. A convolution of stride 1
        # is both: what moves the fewer channels is faster.
        self.spreads = transposed or (stride == 1 and self.n_out < self.n_in)
        places = min(prod(lengths), prod(out_lengths))
        self.n_products = prod(size) * places * self.n_in * self.n_out
        self._n_channels = self.n_out if self.spreads else self.n_in
        self.windows = self._made_windows()
        self.n_windowed = prod(self.windows.columns_shape(self._n_channels, 1))

    def keras(self, x: Any, made: dict[Layer, Any]) -> Any:
        """Return the output of Keras's convolution, which is not cut yet."""
        import keras

        kind = "Transpose" if self.transposed else ""
        layer = getattr(keras.layers, f"Conv{len(self.lengths)}D{kind}")

        def make(**options: Any) -> Any:
            return layer(
                self.n_out,
                self.kernel_size,
                strides=self.stride,
                padding="same",
                kernel_initializer=seeded_start(),
                **options,
            )

        activation = ACTIVATIONS[self._rows_activation or self.activation.name]
        return activation.keras_layer(make, x, self.name)

    def _made_windows(self) -> Windows:
        """Return the windows of the output where values spread, else of the input."""
        if self.transposed:
            whole = tuple(self.stride * length for length in self.lengths)
            size, stride = self.kernel_size, self.stride
            return Windows.same(whole, size, stride, self.out_lengths)
        if not self.spreads:
            return Windows.same(self.lengths, self.kernel_size, self.stride)
        after = (self.kernel_size // 2,) * len(self.lengths)  # as far as "SAME" goes
        return Windows(self.lengths, self.lengths, self.kernel_size, 1, after)

    @cached_property
    def _phases(self) -> Phases | None:
        """How places give windows that overlap, the faster way; None is ``scatter``."""
        return Phases(*self.windows.geometry) if self.stride > 1 else None

    def output_shape(self, n: int) -> Lengths:
        """Return the shape of n rows' maps."""
        return self.n_out, *self.out_lengths, n

    def linear(
        self, x: Array, weights: Weights, out: Out = None, memory: Scratch = None
    ) -> Array:
        """Return the maps of the convolution."""
        kernel = self._by_windows(weights[0])
        if out is None:
            out = np.empty(self.output_shape(x.shape[-1]), x.dtype)
        bias = weights[1].reshape(-1, *(1,) * (out.ndim - 1))
        if self.spreads:
            self._spread(kernel, x, out, memory, bias)
        else:
            gathered = self._gathered(x, memory)
            multiply(self._matrix(kernel, memory).T, gathered, _flat(out))
            np.add(out, bias, out=out)
        return out

    def linear_backward(
        self, x: Array, gradient: Array, own: Learned, x_gradient: Out
    ) -> None:
        """Write the gradients of kernel, bias and x."""
        np.add.reduce(_flat(gradient), axis=1, out=own.gradients[1])
        kernel, memory = self._by_windows(own.weights[0]), own.memory
        kernel_gradient = self._by_windows(own.gradients[0])
        turned = self._matrix(kernel_gradient, memory, "gradient", copy=False)
        if self.spreads:
            columns = self._gathered(gradient, memory)
            multiply_rows(columns, _flat(x), turned)
            if x_gradient is not None:
                turned_kernel = self._matrix(kernel, memory, copy=False)  # by forward
                multiply(turned_kernel.T, columns, _flat(x_gradient))
        else:
            columns = self._columns("gathered", x.shape[-1], memory, x.dtype)
            multiply_rows(_flat(columns, 2), _flat(gradient), turned)
            if x_gradient is not None:
                self._spread(kernel, gradient, x_gradient, memory)
        if self._is_turned:
            kernel_gradient[...] = turned.reshape(kernel.shape)

    @property
    def _is_turned(self) -> bool:
        """Whether windows see the kernel turned."""
        return self.spreads and not self.transposed

    def _by_windows(self, kernel: Array) -> Array:
        """Return a view: (*a window's axes and channels, the other channels)."""
        if not self._is_turned:
            return kernel
        axes = tuple(range(len(self.lengths)))
        return np.flip(kernel, axes).swapaxes(-1, -2)

    def _matrix(
        self, kernel: Array, memory: Scratch, purpose: str = "kernel", copy: bool = True
    ) -> Array:
        """Return a kernel as a matrix: a view, unless turned, which BLAS refuses."""
        if self._is_turned:
            turned, kernel = kernel, buffer(memory, purpose, kernel.shape, kernel.dtype)
            if copy:
                kernel[...] = turned
        return kernel.reshape(-1, kernel.shape[-1])

    def _gathered(self, x: Array, memory: Scratch) -> Array:
        """Return the windows of maps, as a matrix."""
        columns = self._columns("gathered", x.shape[-1], memory, x.dtype)
        self.windows.gather(x, columns)
        return _flat(columns, 2)

    def _spread(
        self, kernel: Array, x: Array, out: Array, memory: Scratch, bias: Any = 0
    ) -> None:
        """Write maps of which every place of x gives a window, with a bias."""
        phases, n = self._phases, x.shape[-1]
        if phases is None:
            columns = self._columns("spread", n, memory, x.dtype)
            multiply(self._matrix(kernel, memory), _flat(x), _flat(columns, 2))
            self.windows.scatter(columns, out, bias)
            return
        known = {} if memory is None else memory
        if ("phases", n) not in known:
            known["phases", n] = phases.memory(len(x), len(out), n, x.dtype)
        phases.spread(kernel, x, known["phases", n], out, bias)

    def _columns(self, purpose: str, n: int, memory: Scratch, dtype: Any) -> Array:
        """Return an array for the windows of n rows; what overhangs stays zero."""
        shape = self.windows.columns_shape(self._n_channels, n)
        return buffer(memory, purpose, shape, dtype, np.zeros)


class Pool(Layer):
    """The largest of two neighbours along every axis; lengths are rounded up."""

    has_places = keeps_range = True

    def __init__(self, name: str, n_channels: int, lengths: Lengths) -> None:
        self.name, self.n_channels, self.lengths = name, n_channels, lengths
        self._windows = Windows.same(lengths, 2, 2)

    def keras(self, x: Any, made: dict[Layer, Any]) -> Any:
        """Return the pooled Keras tensor."""
        import keras

        layers, name = keras.layers, self.name
        if len(self.lengths) < 3:
            pool = getattr(layers, f"MaxPooling{len(self.lengths)}D")
            return pool(2, padding="same", name=name)(x)
        # TensorFlow pools volumes in float32 alone: one axis, then the other two.
        (depth, height, width), n = self.lengths, self.n_channels
        x = layers.Reshape((depth * height, width, n), name=f"{name}_rows")(x)
        x = layers.MaxPooling2D((1, 2), padding="same", name=f"{name}_width")(x)
        half = x.shape[2]
        x = layers.Reshape((depth, height, half * n), name=f"{name}_planes")(x)
        x = layers.MaxPooling2D(2, padding="same", name=name)(x)
        return layers.Reshape((*x.shape[1:3], half, n), name=f"{name}_volume")(x)

    def output_shape(self, n: int) -> Lengths:
        """Return the shape of n rows' maps."""
        return self._windows.columns_shape(self.n_channels, n)[1:]

    def linear(
        self, x: Array, weights: Weights, out: Out = None, memory: Scratch = None
    ) -> Array:
        """Return the largest values."""
        out = np.empty(self.output_shape(x.shape[-1]), x.dtype) if out is None else out
        first, *others = self._windows.pieces
        out[...] = x[first[2]]  # no window lacks it
        for _, at_places, within in others:
            piece = out[at_places]
            np.maximum(piece, x[within], out=piece)
        return out

    def backward(
        self, x: Array, out: Array, gradient: Array, own: Learned, x_gradient: Out
    ) -> None:
        """Write the gradient of x: that of the output, at the first largest value."""
        if x_gradient is None:
            return
        is_left = np.ones(out.shape, bool)
        for _, at_places, within in self._windows.pieces:
            is_first = x[within] == out[at_places]
            is_first &= is_left[at_places]
            is_left[at_places] ^= is_first
            np.multiply(gradient[at_places], is_first, out=x_gradient[within])


class Repeat(Layer):
    """Every value twice along every axis; the ends may be cut."""

    has_places = keeps_range = True

    def __init__(
        self, stage: int, n_channels: int, lengths: Lengths, out_lengths: Lengths
    ) -> None:
        self.name, self._crop = f"upsample_{stage}", Crop(f"crop_{stage}", out_lengths)
        self.n_channels = n_channels
        self.lengths, self.out_lengths = lengths, out_lengths
        before = (0,) * len(lengths)
        self._windows = Windows(out_lengths, lengths, 2, 2, before)

    def keras(self, x: Any, made: dict[Layer, Any]) -> Any:
        """Return the Keras tensor with values repeated, and ends cut."""
        import keras

        layer = getattr(keras.layers, f"UpSampling{len(self.out_lengths)}D")
        return self._crop.keras(layer(2, name=self.name)(x), made)

    def output_shape(self, n: int) -> Lengths:
        """Return the shape of n rows' maps."""
        return self.n_channels, *self.out_lengths, n

    def linear(
        self, x: Array, weights: Weights, out: Out = None, memory: Scratch = None
    ) -> Array:
        """Return the repeated values."""
        out = np.empty(self.output_shape(x.shape[-1]), x.dtype) if out is None else out
        for _, at_places, within in self._windows.pieces:
            out[within] = x[at_places]
        return out

    def linear_backward(
        self, x: Array, gradient: Array, own: Learned, x_gradient: Out
    ) -> None:
        """Write the gradient of x, the sum over its copies."""
        if x_gradient is None:
            return
        x_gradient.fill(0)
        for _, at_places, within in self._windows.pieces:
            piece = x_gradient[at_places]
            np.add(piece, gradient[within], out=piece)


class Crop(Unchanged):
    """Cuts the ends that doubling adds in Keras; in NumPy they never were there."""

    has_places = True

    def __init__(self, name: str, lengths: Lengths) -> None:
        self.name, self.lengths = name, lengths

    def keras(self, x: Any, made: dict[Layer, Any]) -> Any:
        """Return the Keras tensor without what is too much."""
        import keras

        surplus = [
            (0, has - n) for has, n in zip(x.shape[1:-1], self.lengths, strict=True)
        ]
        if not any(end for _, end in surplus):
            return x
        crop = getattr(keras.layers, f"Cropping{len(surplus)}D")
        return crop(
            surplus[0] if len(surplus) == 1 else tuple(surplus), name=self.name
        )(x)


def _write_maps(x: Array, shape: Lengths, out: Array) -> None:
    """Write rows, of this shape in Keras, as maps."""
    rank = len(shape)
    out[...] = x.reshape(-1, *shape).transpose(rank, *range(1, rank), 0)


def _write_rows(x: Array, out: Array) -> None:
    """Write maps as rows."""
    rank = x.ndim - 1
    rows = x.transpose(rank, *range(1, rank), 0)
    out.reshape(rows.shape)[...] = rows


def _flat(x: Array, n_axes: int = 1) -> Array:
    """Return maps, or windows, as a matrix: the first axes, and all others."""
    return x.reshape(prod(x.shape[:n_axes]), -1)
