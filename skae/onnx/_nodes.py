"""Nodes of an ONNX graph: one function per kind of layer, by its ``forward``.

Values are names in a graph. Rows are tensors of shape (n, n_values); maps have shape
(n, channels, *lengths), as ONNX's convolutions take them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import singledispatch
from math import prod, sqrt
from typing import Any

import numpy as np
from onnx import numpy_helper
from skl2onnx.algebra.onnx_operator import OnnxSubEstimator
from skl2onnx.common.data_types import DoubleTensorType

from skae._layers._activations import _SELU_ALPHA, _SELU_SCALE, Activation
from skae._layers._base import Layer, Reshape, Unchanged, Weights, with_weights
from skae._layers._dense import (
    _EPSILON,
    Dense,
    Normalization,
    TiedDense,
    WithLinearPath,
)
from skae._layers._maps import Convolution, Pool, Repeat, ToMaps, ToRows
from skae._layers._special import DrawnCode, Recurrent
from skae._layers._windows import Lengths

# The first one in which all reductions take their axes as an input.
_AXES_ARE_INPUTS = 18


class Graph:
    """Adds nodes that compute in one float type; ``graph("Add", x, 1.0)`` is a sum."""

    def __init__(self, scope: Any, container: Any, dtype: Any) -> None:
        self._scope, self._container = scope, container
        self.dtype = np.dtype(dtype)

    def __call__(
        self, kind: str, *inputs: Any, n_outputs: int = 1, **attributes: Any
    ) -> Any:
        """Add a node of names, numbers and arrays, and return what it is called."""
        names = [x if isinstance(x, str) else self._constant(x) for x in inputs]
        outputs = [self._scope.get_unique_variable_name(kind) for _ in range(n_outputs)]
        name = self._scope.get_unique_operator_name(kind)
        self._container.add_node(kind, names, outputs, name=name, **attributes)
        return outputs[0] if n_outputs == 1 else outputs

    def of(self, dtype: Any) -> Graph:
        """Return the same graph, computing in another type."""
        return Graph(self._scope, self._container, dtype)

    def cast(self, x: str, dtype: Any = None) -> str:
        """Return values in a type; by default, in that of the graph."""
        of_type = np.empty(0, self.dtype if dtype is None else dtype)
        return self("Cast", x, to=numpy_helper.from_array(of_type).data_type)

    def in_float32(self, kind: str, x: str, *weights: Any, **attributes: Any) -> Any:
        """Add a node that onnxruntime has in float32 alone."""
        single = self.of(np.float32)
        if self.dtype == single.dtype:
            return self(kind, x, *weights, **attributes)
        made = single(kind, single.cast(x), *weights, **attributes)
        return self.cast(made) if isinstance(made, str) else [*map(self.cast, made)]

    def reduced(self, kind: str, x: str, axis: int = 1) -> str:
        """Return values reduced over an axis, which stays."""
        if kind == "ReduceSum" or self._container.target_opset >= _AXES_ARE_INPUTS:
            return self(kind, x, [axis], keepdims=1)
        return self(kind, x, axes=[axis], keepdims=1)

    def converted(self, transformer: Any, x: str, n_columns: int) -> str:
        """Return rows of float64 after a transformer that skl2onnx knows."""
        name = self._scope.get_unique_variable_name("transformed")
        sub = OnnxSubEstimator(
            transformer,
            (x, DoubleTensorType([None, n_columns])),
            op_version=self._container.target_opset,
            output_names=[name],
        )
        sub.add_to(self._scope, self._container)
        return name

    def name(self, x: str, variable: Any) -> None:
        """Give a value the name of a variable of skl2onnx."""
        name = self._scope.get_unique_operator_name("Identity")
        self._container.add_node("Identity", [x], [variable.full_name], name=name)

    def _constant(self, value: Any) -> str:
        """Return the name of an array: of int64, or of the graph's float type."""
        array = np.asarray(value)
        array = array.astype(np.int64 if array.dtype.kind == "i" else self.dtype)
        tensor = numpy_helper.from_array(array)
        name = self._scope.get_unique_variable_name("constant")
        self._container.add_initializer(name, tensor.data_type, array.shape, tensor)
        return name


def run(graph: Graph, layers: Sequence[tuple[Layer, Weights]], x: str) -> str:
    """Return the output of layers with their weights for rows."""
    lengths: Lengths = ()
    for layer, weights in layers:
        # In maps, channels are followed by the axes of the convolution before.
        lengths = getattr(layer, "lengths", lengths)
        if layer.has_places and isinstance(layer, Normalization):
            weights = [one.reshape(-1, *(1 for _ in lengths)) for one in weights]
        x = linear(layer, graph, x, weights)
        # ToRows applies the activation itself, while channels have an axis.
        if not isinstance(layer, ToRows):
            x = activated(graph, layer.activation, x, 1 if layer.has_places else -1)
    return x


# ----------------------------------------------------- layers before the activation


@singledispatch
def linear(layer: Layer, graph: Graph, x: str, weights: Weights) -> str:
    """Return the output of a layer before its activation."""
    raise NotImplementedError(f"{type(layer).__name__} has no converter to ONNX.")


@linear.register
def _unchanged(layer: Unchanged, graph: Graph, x: str, weights: Weights) -> str:
    return x


@linear.register
def _reshape(layer: Reshape, graph: Graph, x: str, weights: Weights) -> str:
    return graph("Reshape", x, [0, *layer.shape])


@linear.register(Dense)
@linear.register(TiedDense)
def _dense(layer: Layer, graph: Graph, x: str, weights: Weights) -> str:
    """Return the product with the kernel, plus the bias."""
    kernel, bias = weights
    return graph("Add", graph("MatMul", x, kernel), bias)


@linear.register
def _linear_path(layer: WithLinearPath, graph: Graph, x: str, weights: Weights) -> str:
    """Return the sum of both ways."""
    *inner, path = with_weights([*layer.inner, layer.path], weights)
    return graph("Add", run(graph, inner, x), run(graph, [path], x))


@linear.register
def _normalization(layer: Normalization, graph: Graph, x: str, weights: Weights) -> str:
    """Return the normalised values."""
    gamma, beta, *moments = (one.astype(graph.dtype) for one in weights)
    if layer.kind == "batch":
        mean, variance = moments
        scale = gamma / np.sqrt(variance + _EPSILON)
        return graph("Add", graph("Mul", x, scale), beta - mean * scale)
    axis = 1 if layer.has_places else -1
    x = graph("Sub", x, graph.reduced("ReduceMean", x, axis))
    squares = graph.reduced("ReduceMean", graph("Mul", x, x), axis)
    x = graph("Div", x, graph("Sqrt", graph("Add", squares, _EPSILON)))
    return graph("Add", graph("Mul", x, gamma), beta)


@linear.register
def _drawn_code(layer: DrawnCode, graph: Graph, x: str, weights: Weights) -> str:
    return graph("Slice", x, [0], list(layer.row_shape or ()), [1])


@linear.register
def _recurrent(layer: Recurrent, graph: Graph, x: str, weights: Weights) -> str:
    """Return the states of every step, or the last one, (n[, n_steps], n_out)."""
    # Keras has the gates of an LSTM in the order i, f, c, o; ONNX has i, o, f, c.
    is_lstm, n, n_ways = layer.cell == "lstm", layer.n_units, len(weights) // 3
    gates = [0, 3, 1, 2] if is_lstm else [0, 1, 2]
    order = np.concatenate([np.arange(n) + n * gate for gate in gates])
    kernels, recurrent_kernels, biases = (
        np.stack([one[..., order] for one in weights[i::3]]) for i in range(3)
    )
    if is_lstm:  # which has one bias where ONNX adds two
        biases = np.stack([biases, np.zeros_like(biases)], axis=1)
    turned = (one.swapaxes(1, 2) for one in (kernels, recurrent_kernels))
    how = {} if is_lstm else {"linear_before_reset": 1}
    direction = "bidirectional" if n_ways == 2 else "forward"
    steps, last, *_ = graph.in_float32(
        layer.cell.upper(),
        graph("Transpose", x, perm=[1, 0, 2]),
        *turned,
        biases.reshape(n_ways, -1),
        hidden_size=n,
        direction=direction,
        n_outputs=2,
        **how,
    )
    if not layer.in_steps:
        last = graph("Transpose", last, perm=[1, 0, 2])
        return graph("Reshape", last, [0, layer.n_out])
    steps = graph("Transpose", steps, perm=[2, 0, 1, 3])
    return graph("Reshape", steps, [0, 0, layer.n_out])


@linear.register
def _to_maps(layer: ToMaps, graph: Graph, x: str, weights: Weights) -> str:
    """Return the maps of rows."""
    rank = len(layer.shape)
    x = graph("Reshape", x, [0, *layer.shape])
    return graph("Transpose", x, perm=[0, rank, *range(1, rank)])


@linear.register
def _to_rows(layer: ToRows, graph: Graph, x: str, weights: Weights) -> str:
    """Return the rows of maps, after their activation."""
    rank = len(layer.map_shape)
    x = graph("Transpose", x, perm=[0, *range(2, rank + 1), 1])
    x = activated(graph, layer.activation, x)
    return graph("Reshape", x, [0, prod(layer.map_shape)])


@linear.register
def _convolution(layer: Convolution, graph: Graph, x: str, weights: Weights) -> str:
    """Return the maps of a convolution."""
    kernel, bias = weights
    axes = range(len(layer.lengths))
    kernel = kernel.transpose(kernel.ndim - 1, kernel.ndim - 2, *axes)
    size, stride = layer.kernel_size, layer.stride
    kind, how = "Conv", {"strides": [stride for _ in axes]}
    # TensorFlow's padding "SAME"; of a transposed one, what is cut off.
    if layer.transposed:
        kind, begins = "ConvTranspose", [max(size - stride, 0) // 2 for _ in axes]
        made = [(length - 1) * stride + size for length in layer.lengths]
        kept = zip(made, begins, layer.out_lengths, strict=True)
        ends = [n - begin - n_out for n, begin, n_out in kept]
        how["output_padding"] = [max(-end, 0) for end in ends]
    else:
        lengths = zip(layer.lengths, layer.out_lengths, strict=True)
        missing = [max((n - 1) * stride + size - has, 0) for has, n in lengths]
        begins = [one // 2 for one in missing]
        ends = [one - begin for one, begin in zip(missing, begins, strict=True)]
    pads = begins + [max(end, 0) for end in ends]
    return graph.in_float32(kind, x, kernel, bias, pads=pads, **how)


@linear.register
def _pool(layer: Pool, graph: Graph, x: str, weights: Weights) -> str:
    """Return the largest of two neighbours along every axis."""
    ends = [length % 2 for length in layer.lengths]
    twos = [2] * len(ends)
    pads = [0] * len(ends) + ends
    return graph("MaxPool", x, kernel_shape=twos, strides=twos, pads=pads)


@linear.register
def _repeat(layer: Repeat, graph: Graph, x: str, weights: Weights) -> str:
    """Return every value twice along every axis."""
    lengths = layer.lengths
    apart = [size for length in lengths for size in (length, 1)]
    x = graph("Reshape", x, [0, layer.n_channels, *apart])
    x = graph("Expand", x, [1, 1, *[1, 2] * len(lengths)])
    x = graph("Reshape", x, [0, layer.n_channels, *(2 * n for n in lengths)])
    first, axes = [0] * len(lengths), list(range(2, len(lengths) + 2))
    return graph("Slice", x, first, list(layer.out_lengths), axes)


# --------------------------------------------------------------------- activations


def activated(graph: Graph, activation: Activation, x: str, channels: int = -1) -> str:
    """Return the activation of values; softmax needs the axis of their channels."""
    name = activation.name
    if name == "softmax":
        return graph("Softmax", x, axis=channels)
    return _ACTIVATIONS[name](graph, x)


def _sigmoid(g: Graph, x: str) -> str:
    # Not onnxruntime's own, which is less exact in the tails.
    return g("Reciprocal", g("Add", g("Exp", g("Neg", x)), 1.0))


def _elu(g: Graph, x: str, alpha: float = 1.0, scale: float = 1.0) -> str:
    """Return the positive part, and the exponential of the negative one less 1."""
    below = g("Mul", g("Sub", g("Exp", g("Min", x, 0.0)), 1.0), alpha)
    both = g("Add", g("Relu", x), below)
    return both if scale == 1 else g("Mul", both, scale)


def _gelu(g: Graph, x: str) -> str:
    """Return x times the normal distribution function."""
    erf = g.in_float32("Erf", g("Mul", x, sqrt(0.5)))
    return g("Mul", g("Mul", x, 0.5), g("Add", erf, 1.0))


def _softplus(g: Graph, x: str) -> str:
    """Return log(1 + exp(x)), which does not overflow."""
    small = g("Exp", g("Neg", g("Abs", x)))
    return g("Add", g("Relu", x), g("Log", g("Add", small, 1.0)))


#: Keras name: function of a graph and a value.
_ACTIVATIONS: dict[str, Callable[[Graph, str], str]] = {
    "linear": lambda g, x: x,
    "relu": lambda g, x: g("Relu", x),
    "relu6": lambda g, x: g("Clip", x, 0.0, 6.0),
    "leaky_relu": lambda g, x: g("Max", x, g("Mul", x, 0.2)),
    "elu": _elu,
    "selu": lambda g, x: _elu(g, x, _SELU_ALPHA, _SELU_SCALE),
    "gelu": _gelu,
    "silu": lambda g, x: g("Mul", x, _sigmoid(g, x)),
    "swish": lambda g, x: g("Mul", x, _sigmoid(g, x)),
    "softplus": _softplus,
    "softsign": lambda g, x: g("Div", x, g("Add", g("Abs", x), 1.0)),
    "sigmoid": _sigmoid,
    "hard_sigmoid": lambda g, x: g("Clip", g("Add", g("Div", x, 6.0), 0.5), 0.0, 1.0),
    "tanh": lambda g, x: g("Tanh", x),
    "exponential": lambda g, x: g("Exp", x),
}
