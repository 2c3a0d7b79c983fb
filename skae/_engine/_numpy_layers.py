"""Layers that learn, in NumPy: forward, and the gradients backward.

Activations whose derivative follows from their output are here. A layer's methods write
into memory that they are given, since for small networks making arrays costs as much as
filling them.
"""

import functools
from abc import ABC, abstractmethod

import numpy as np

from skae.networks._activations import numpy_activation

_SELU_ALPHA = 1.6732632423543772
_SELU_SCALE = 1.0507009873554805


class Layer(ABC):
    """Base of the layers: what they have to do with their activation.

    A layer's arrays are as its plan says: maps and rows; n is the number of rows.

    Parameters
    ----------
    plan : skae.networks.LayerPlan
    """

    def __init__(self, plan):
        self.plan = plan
        self._activate, self._times_slope = ACTIVATIONS[plan.activation]

    @abstractmethod
    def linear(self, x, out):
        """Write the layer's output, but for its activation, into `out`."""

    def forward(self, x, out):
        """Write the layer's output for x into `out`."""
        self.linear(x, out)
        self._activate(out)

    def backward(self, x, out, gradient, x_gradient=None):
        """Write the gradients of weights, and of x, given that of the output.

        Parameters
        ----------
        x : ndarray

        out : ndarray
            What ``forward`` wrote; it is overwritten.

        gradient : ndarray
            Of the output; it is overwritten.

        x_gradient : ndarray or None
            Where the gradient of x goes; None where nobody needs it.
        """
        self._times_slope(gradient, out)
        self.linear_backward(x, out, gradient, x_gradient)

    @abstractmethod
    def linear_backward(self, x, out, gradient, x_gradient=None):
        """Do the same, given the gradient of the output before its activation."""


class DenseLayer(Layer):
    """One dense layer, whose weights and gradients are views of larger arrays.

    Parameters
    ----------
    plan : skae.networks.DensePlan

    kernel, bias : ndarray of shape (n_in, n_out) and (n_out,)

    kernel_gradient, bias_gradient : ndarray of the same shapes
    """

    def __init__(self, plan, kernel, bias, kernel_gradient, bias_gradient):
        super().__init__(plan)
        self.kernel, self.bias = kernel, bias
        self._transposed = kernel.T
        self.kernel_gradient, self.bias_gradient = kernel_gradient, bias_gradient

    def linear(self, x, out):
        """Write the layer's output, but for its activation, into `out`."""
        np.matmul(x, self.kernel, out=out)
        np.add(out, self.bias, out=out)

    def linear_backward(self, x, out, gradient, x_gradient=None):
        """Write the gradients, given that of the output before its activation."""
        np.matmul(x.T, gradient, out=self.kernel_gradient)
        # A product with ones: several times faster than a sum over rows.
        np.matmul(_ones(len(gradient)), gradient, out=self.bias_gradient)
        if x_gradient is not None:
            np.matmul(gradient, self._transposed, out=x_gradient)


@functools.lru_cache(maxsize=16)
def _ones(n):
    return np.ones(n, np.float32)


# ------------------------------------------------------------------ activations
# In place, both: from a layer's linear output to its activation; and from the gradient
# of the activation, and the activation, to the gradient of the linear output.


def _unchanged(x):
    pass


def _times_one(gradient, out):
    pass


def _times_step(gradient, out):
    np.multiply(gradient, out > 0, out=gradient)


def _leaky_relu(x):
    x[...] = numpy_activation("leaky_relu")(x)


def _times_leaky_step(gradient, out):
    gradient *= np.where(out > 0, np.float32(1), np.float32(0.2))


def _elu(x):
    x[...] = numpy_activation("elu")(x)


def _times_elu_slope(gradient, out):
    np.minimum(out, 0, out=out)
    out += 1
    gradient *= out


def _selu(x):
    x[...] = numpy_activation("selu")(x)


def _times_selu_slope(gradient, out):
    slope = np.where(out > 0, 0, out + np.float32(_SELU_SCALE * _SELU_ALPHA))
    slope[out > 0] = _SELU_SCALE
    gradient *= slope


def sigmoid(x):
    """Apply the logistic function in place: tanh is several times faster than expit."""
    x *= 0.5
    np.tanh(x, out=x)
    x *= 0.5
    x += 0.5


def _times_sigmoid_slope(gradient, out):
    gradient *= out
    np.subtract(1, out, out=out)
    gradient *= out


def _tanh(x):
    np.tanh(x, out=x)


def _times_tanh_slope(gradient, out):
    out *= out
    np.subtract(1, out, out=out)
    gradient *= out


def _softplus(x):
    x[...] = numpy_activation("softplus")(x)


def _times_softplus_slope(gradient, out):
    np.negative(out, out=out)
    np.expm1(out, out=out)
    gradient *= out
    np.negative(gradient, out=gradient)


def _exponential(x):
    np.exp(x, out=x)


def _times_output(gradient, out):
    gradient *= out


#: Keras name: (activation, its slope).
ACTIVATIONS = {
    None: (_unchanged, _times_one),
    "linear": (_unchanged, _times_one),
    "relu": (numpy_activation("relu"), _times_step),  # in place, too
    "leaky_relu": (_leaky_relu, _times_leaky_step),
    "elu": (_elu, _times_elu_slope),
    "selu": (_selu, _times_selu_slope),
    "sigmoid": (sigmoid, _times_sigmoid_slope),
    "tanh": (_tanh, _times_tanh_slope),
    "softplus": (_softplus, _times_softplus_slope),
    "exponential": (_exponential, _times_output),
}
