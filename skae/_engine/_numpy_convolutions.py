"""Layers of convolutional networks that learn, in NumPy.

Convolutions are matrix products of all windows at once. Maps have shape (channels,
*lengths, n): in them, a product's operands lie side by side as they are, and windows
move in long pieces.
"""

import numpy as np

from skae._engine._numpy_layers import DenseLayer, Layer
from skae.networks._numpy_maps import largest, repeat, to_maps, to_rows
from skae.networks._plans import (
    ConvolutionPlan,
    DensePlan,
    MapPlan,
    PoolPlan,
    RepeatPlan,
    RowsPlan,
)
from skae.networks._products import multiply, multiply_rows


class MapLayer(Layer):
    """Makes maps of rows."""

    def linear(self, x, out):
        """Write the maps of rows."""
        to_maps(x, self.plan.shape, out)

    def linear_backward(self, x, out, gradient, x_gradient=None):
        """Write the gradient of rows, given that of their maps."""
        if x_gradient is not None:
            to_rows(gradient, x_gradient)


class RowsLayer(Layer):
    """Makes rows of maps."""

    def linear(self, x, out):
        """Write the rows of maps."""
        to_rows(x, out)

    def linear_backward(self, x, out, gradient, x_gradient=None):
        """Write the gradient of maps, given that of their rows."""
        if x_gradient is not None:
            to_maps(gradient, self.plan.shape, x_gradient)


class ConvolutionLayer(Layer):
    """A convolution, or a transposed one; weights are views of larger arrays.

    Parameters
    ----------
    plan : skae.networks.ConvolutionPlan

    kernel, bias, kernel_gradient, bias_gradient : ndarray
        Of Keras's shapes.
    """

    def __init__(self, plan, kernel, bias, kernel_gradient, bias_gradient):
        super().__init__(plan)
        self._kernel = plan.by_windows(kernel)
        self._kernel_gradient = plan.by_windows(kernel_gradient)
        self._bias = bias.reshape(-1, *(1,) * (len(plan.lengths) + 1))
        self._bias_gradient = bias_gradient
        self._n_channels = self._kernel.shape[-2]
        # Views, but where the kernel is turned: BLAS takes nothing that runs backward.
        self._is_turned = self._kernel is not kernel
        self._matrix, self._matrix_gradient = (
            np.ascontiguousarray(array).reshape(-1, array.shape[-1])
            for array in (self._kernel, self._kernel_gradient)
        )
        self._memory = {}

    def linear(self, x, out):
        """Write the layer's maps, but for its activation, into `out`."""
        if self._is_turned:
            self._matrix.reshape(self._kernel.shape)[...] = self._kernel
        if self.plan.spreads:
            self._spread(x, out, self._bias)
        else:
            multiply(self._matrix.T, self._gathered(x), _flat(out))
            np.add(out, self._bias, out=out)

    def linear_backward(self, x, out, gradient, x_gradient=None):
        """Write the gradients, given that of the output before its activation."""
        np.add.reduce(_flat(gradient), axis=1, out=self._bias_gradient)
        if self.plan.spreads:
            columns = self._gathered(gradient)
            multiply_rows(columns, _flat(x), self._matrix_gradient)
            if x_gradient is not None:
                multiply(self._matrix.T, columns, _flat(x_gradient))
        else:
            columns = self._columns("gathered", x.shape[-1])  # from forward
            multiply_rows(_flat(columns, 2), _flat(gradient), self._matrix_gradient)
            if x_gradient is not None:
                self._spread(gradient, x_gradient)
        if self._is_turned:
            turned = self._matrix_gradient.reshape(self._kernel.shape)
            self._kernel_gradient[...] = turned

    def _gathered(self, x):
        """Return the windows of maps, as a matrix."""
        columns = self._columns("gathered", x.shape[-1])
        self.plan.windows.gather(x, columns)
        return _flat(columns, 2)

    def _spread(self, x, out, bias=0):
        """Write maps of which every place of x gives a window, with a bias."""
        phases, n = self.plan.phases, x.shape[-1]
        if phases is None:
            columns = self._columns("spread", n)
            multiply(self._matrix, _flat(x), _flat(columns, 2))
            self.plan.windows.scatter(columns, out, bias)
            return
        if ("phases", n) not in self._memory:
            memory = phases.memory(len(x), len(out), n, np.float32)
            self._memory["phases", n] = memory
        phases.spread(self._kernel, x, self._memory["phases", n], out, bias)

    def _columns(self, purpose, n):
        """Return the memory for the windows of n rows; what overhangs stays zero."""
        if (purpose, n) not in self._memory:
            shape = self.plan.windows.columns_shape(self._n_channels, n)
            self._memory[purpose, n] = np.zeros(shape, np.float32)
        return self._memory[purpose, n]


class PoolLayer(Layer):
    """The largest of two neighbours along every axis."""

    def linear(self, x, out):
        """Write the largest values."""
        largest(x, self.plan.windows, out)

    def linear_backward(self, x, out, gradient, x_gradient=None):
        """Write the gradient of x: that of the output, at the first largest value."""
        if x_gradient is None:
            return
        is_left = np.ones(out.shape, bool)
        for _, at_places, within in self.plan.windows.pieces:
            is_first = x[within] == out[at_places]
            is_first &= is_left[at_places]
            is_left[at_places] ^= is_first
            np.multiply(gradient[at_places], is_first, out=x_gradient[within])


class RepeatLayer(Layer):
    """Every value twice along every axis."""

    def linear(self, x, out):
        """Write the values."""
        repeat(x, self.plan.windows, out)

    def linear_backward(self, x, out, gradient, x_gradient=None):
        """Write the gradient of x, the sum over its copies."""
        if x_gradient is None:
            return
        x_gradient.fill(0)
        for _, at_places, within in self.plan.windows.pieces:
            piece = x_gradient[at_places]
            np.add(piece, gradient[within], out=piece)


#: Type of the plan: layer.
LAYERS = {
    ConvolutionPlan: ConvolutionLayer,
    DensePlan: DenseLayer,
    MapPlan: MapLayer,
    PoolPlan: PoolLayer,
    RepeatPlan: RepeatLayer,
    RowsPlan: RowsLayer,
}


def _flat(x, n_axes=1):
    """Return maps, or windows, as a matrix: the first axes, and all others."""
    n = int(np.prod(x.shape[:n_axes]))
    return x.reshape(n, -1)
