"""Layers in NumPy: what Keras's layers compute after training.

Each is called with an array of shape (n, n_in), computes in the dtype of that array,
which its weights share, and returns an array of shape (n, n_out).
"""

import functools
from dataclasses import dataclass

import numpy as np

from skae.networks._activations import numpy_activation

#: Added to variances by normalisation layers; Keras's default.
EPSILON = 1e-3
# So many rows get a bias at once, where there are many.
_TILE_ROWS, _MANY_ROWS = 64, 512


@dataclass(frozen=True)
class Linear:
    """A dense layer without its activation; its input stays as it is."""

    kernel: np.ndarray  # (n_in, n_out)
    bias: np.ndarray  # (1, n_out): added to a single row without broadcasting, faster

    def __call__(self, x):
        """Return the layer's output."""
        x = x @ self.kernel
        if len(x) < _MANY_ROWS:
            x += self.bias
            return x
        # NumPy adds a row to many rows one by one, which is slow for short rows.
        n_tiled = len(x) - len(x) % _TILE_ROWS
        tiled, rest = x[:n_tiled].reshape(-1, len(self._tile)), x[n_tiled:]
        tiled += self._tile
        rest += self.bias
        return x

    @functools.cached_property
    def _tile(self):
        """The bias many times, flat."""
        return np.tile(self.bias.ravel(), _TILE_ROWS)


@dataclass(frozen=True)
class Scaling:
    """Scales and shifts columns in place: batch normalisation after training."""

    scale: np.ndarray  # (n_in,)
    shift: np.ndarray  # (n_in,)

    @classmethod
    def of_batches(cls, gamma, beta, moving_mean, moving_variance):
        """Return the layer of the weights of Keras's ``BatchNormalization``."""
        scale = gamma / np.sqrt(moving_variance + EPSILON)
        return cls(scale, beta - moving_mean * scale)

    def __call__(self, x):
        """Return the layer's output, in the memory of its input."""
        x *= self.scale
        x += self.shift
        return x


@dataclass(frozen=True)
class RowScaling:
    """Gives every row mean 0 and variance 1, in place: layer normalisation."""

    gamma: np.ndarray  # (n_in,)
    beta: np.ndarray  # (n_in,)

    def __call__(self, x):
        """Return the layer's output, in the memory of its input."""
        x -= x.mean(axis=-1, keepdims=True)
        x /= np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + EPSILON)
        x *= self.gamma
        x += self.beta
        return x


# normalization: (the layer, how many weights it has)
_NORMALIZATIONS = {"batch": (Scaling.of_batches, 4), "layer": (RowScaling, 2)}


def n_normalization_weights(normalization):
    """Return how many weights a normalisation layer has; None has none."""
    return 0 if normalization is None else _NORMALIZATIONS[normalization][1]


def normalization_layer(kind, weights):
    """Return the normalisation layer of this kind with these weights."""
    return _NORMALIZATIONS[kind][0](*weights)


def dense_layers(weights, normalization, activation):
    """Return the layers that a dense layer of Keras consists of.

    Parameters
    ----------
    weights : list of ndarray
        Kernel and bias, then those of the normalisation, if there is one.

    normalization : {"batch", "layer"} or None
        Between the linear map and the activation.

    activation : str or None
        Keras name of the activation.
    """
    kernel, bias, *others = weights
    layers = [Linear(kernel, bias[np.newaxis])]
    if normalization is not None:
        layers.append(normalization_layer(normalization, others))
    return [*layers, numpy_activation(activation)]
