"""The forward pass of dense networks in NumPy."""

import numpy as np

from skae.networks._activations import numpy_activation


def forward(x, weights, activations):
    """Return the output of a stack of dense layers.

    Parameters
    ----------
    x : ndarray of shape (n, n_in)
        float32 or float64; the whole pass runs in this dtype.

    weights : list of ndarray
        Kernel and bias of each layer in turn.

    activations : list of (str or None)
        Keras name of each layer's activation.

    Returns
    -------
    output : ndarray of shape (n, n_out)
    """
    for i, activation in enumerate(activations):
        x = x @ weights[2 * i]
        x += weights[2 * i + 1]
        x = numpy_activation(activation)(x)
    return x


def cast(weights, dtype):
    """Return the weights in ``dtype``, themselves where they have it."""
    return [np.asarray(w, dtype=dtype) for w in weights]
