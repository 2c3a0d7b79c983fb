"""Layers of convolutional networks in NumPy: what Keras's compute after training.

Each is called with an array, which it may overwrite, and computes in its dtype. Maps
are arrays of shape (channels, *lengths, n).
"""

from dataclasses import dataclass

import numpy as np

from skae.networks._activations import numpy_activation
from skae.networks._numpy_layers import (
    dense_layers,
    n_normalization_weights,
    normalization_layer,
)
from skae.networks._plans import (
    ConvolutionPlan,
    DensePlan,
    MapPlan,
    NormalizationPlan,
    PoolPlan,
    RepeatPlan,
    RowsPlan,
)

# Rows that pass a stack at a time: what a stage needs stays in the processor's cache.
_BLOCK_ROWS = 32


class BlockedStack:
    """Layers, one after the other, through which rows go in small blocks.

    Parameters
    ----------
    plans : list of LayerPlan
        From rows to rows.

    weights : iterator of ndarray
        The layers' weights are taken from it.
    """

    def __init__(self, plans, weights):
        self._layers = []
        for plan in plans:
            n_weights = len(plan.variables)
            if isinstance(plan, NormalizationPlan):
                n_weights = n_normalization_weights(plan.kind)
            own = [next(weights) for _ in range(n_weights)]
            self._layers += _LAYERS[type(plan)](plan, *own)

    def __call__(self, x):
        """Return what the layers make of rows, of shape (n, n_in)."""
        if len(x) <= _BLOCK_ROWS:
            return self._through(x)
        starts = range(0, len(x), _BLOCK_ROWS)
        return np.concatenate([self._through(x[i : i + _BLOCK_ROWS]) for i in starts])

    def _through(self, x):
        for layer in self._layers:
            x = layer(x)
        return x


def to_maps(x, shape, out):
    """Write rows as maps.

    Parameters
    ----------
    x : ndarray of shape (n, n_values)

    shape : tuple of int
        Of one row as Keras has it: (*lengths, channels).

    out : ndarray of shape (channels, *lengths, n)
    """
    rank = len(shape)
    out[...] = x.reshape(-1, *shape).transpose(rank, *range(1, rank), 0)


def to_rows(x, out):
    """Write maps as rows.

    Parameters
    ----------
    x : ndarray of shape (channels, *lengths, n)

    out : ndarray of shape (n, n_values)
    """
    rank = x.ndim - 1
    rows = x.transpose(rank, *range(1, rank), 0)
    out.reshape(rows.shape)[...] = rows


@dataclass(frozen=True)
class Maps:
    """Rows become maps."""

    plan: MapPlan

    def __call__(self, x):
        """Return the maps of rows."""
        maps = np.empty(self.plan.output_shape(len(x)), x.dtype)
        to_maps(x, self.plan.shape, maps)
        return maps


@dataclass(frozen=True)
class Rows:
    """Maps become rows, after the activation that they lack, if any."""

    plan: RowsPlan

    def __call__(self, x):
        """Return the rows of maps."""
        rows = np.empty(self.plan.output_shape(x.shape[-1]), x.dtype)
        to_rows(x, rows)
        # By places, since some activations are of all channels of a place.
        places = rows.reshape(-1, self.plan.shape[-1])
        return numpy_activation(self.plan.activation)(places).reshape(rows.shape)


@dataclass(frozen=True)
class Convolution:
    """A convolution, or a transposed one, without its activation."""

    plan: ConvolutionPlan
    kernel: np.ndarray
    bias: np.ndarray  # (n_out,)

    def __call__(self, x):
        """Return the layer's maps."""
        plan, n = self.plan, x.shape[-1]
        kernel = np.ascontiguousarray(plan.by_windows(self.kernel))
        matrix = kernel.reshape(-1, kernel.shape[-1])  # windows by other channels
        out = np.empty(plan.output_shape(n), x.dtype)
        shape = plan.windows.columns_shape(kernel.shape[-2], n)
        bias = self.bias.reshape(-1, *(1,) * (out.ndim - 1))
        if plan.spreads and plan.phases is not None:
            memory = plan.phases.memory(plan.n_in, plan.n_out, n, x.dtype)
            plan.phases.spread(kernel, x, memory, out, bias)
        elif plan.spreads:
            columns = matrix @ x.reshape(plan.n_in, -1)
            plan.windows.scatter(columns.reshape(shape), out, bias)
        else:
            columns = np.zeros(shape, x.dtype)
            plan.windows.gather(x, columns)
            columns = columns.reshape(len(matrix), -1)
            np.matmul(matrix.T, columns, out=out.reshape(plan.n_out, -1))
            out += bias
        return out


@dataclass(frozen=True)
class Pool:
    """The largest of two neighbours along every axis."""

    plan: PoolPlan

    def __call__(self, x):
        """Return maps of half the lengths."""
        out = np.empty(self.plan.output_shape(x.shape[-1]), x.dtype)
        largest(x, self.plan.windows, out)
        return out


def largest(x, windows, out):
    """Write the largest value of every window of maps, as ``PoolPlan`` has them."""
    first, *others = windows.pieces
    out[...] = x[first[2]]  # no window lacks it
    for _, at_places, within in others:
        piece = out[at_places]
        np.maximum(piece, x[within], out=piece)


@dataclass(frozen=True)
class Repeat:
    """Every value twice along every axis."""

    plan: RepeatPlan

    def __call__(self, x):
        """Return maps of twice the lengths."""
        out = np.empty(self.plan.output_shape(x.shape[-1]), x.dtype)
        repeat(x, self.plan.windows, out)
        return out


def repeat(x, windows, out):
    """Write every value of maps into all of its window."""
    for _, at_places, within in windows.pieces:
        out[within] = x[at_places]


@dataclass(frozen=True)
class Channels:
    """A function of the channels of all places; it may overwrite its input."""

    function: object

    def __call__(self, x):
        """Return the function of maps, whose last axis it takes for the channels."""
        return self.function(x.T).T


def _dense(plan, *weights):
    return dense_layers(weights, None, plan.activation)


def _convolution(plan, *weights):
    activation = Channels(numpy_activation(plan.activation))
    return [Convolution(plan, *weights), activation]


def _normalization(plan, *weights):
    layers = normalization_layer(plan.kind, weights), numpy_activation(plan.activation)
    return [Channels(layer) for layer in layers] if plan.of_maps else layers


_LAYERS = {
    ConvolutionPlan: _convolution,
    DensePlan: _dense,
    MapPlan: lambda plan: [Maps(plan)],
    NormalizationPlan: _normalization,
    PoolPlan: lambda plan: [Pool(plan)],
    RepeatPlan: lambda plan: [Repeat(plan)],
    RowsPlan: lambda plan: [Rows(plan)],
}
