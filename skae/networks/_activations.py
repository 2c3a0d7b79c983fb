"""Activations: Keras's names, the same functions in NumPy, and the values they reach.

The NumPy functions serve inference, where importing TensorFlow would cost seconds. They
keep the dtype of their input and may overwrite it: the array belongs to the caller's
forward pass.
"""

import numpy as np
from scipy import special

_SELU_ALPHA = 1.6732632423543772
_SELU_SCALE = 1.0507009873554805
_ROOT_HALF = 0.7071067811865476
# Clipping takes a third of the time of the maximum with a number, but begins later.
_CLIP_FROM = 1 << 13


def _linear(x):
    return x


def _relu(x):
    if x.size < _CLIP_FROM:
        return np.maximum(x, 0, out=x)
    return np.clip(x, 0, np.inf, out=x)


def _relu6(x):
    return np.clip(x, 0, 6, out=x)


def _leaky_relu(x):
    return np.maximum(x, 0.2 * x)


def _elu(x):
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def _selu(x):
    negative = _SELU_ALPHA * np.expm1(np.minimum(x, 0))
    return _SELU_SCALE * np.where(x > 0, x, negative)


def _gelu(x):
    # Not 1 + erf(x): that loses the digits of the left tail.
    return 0.5 * x * special.erfc(x * -_ROOT_HALF)


def _silu(x):
    return x * special.expit(x)


def _softplus(x):
    return np.logaddexp(x, 0).astype(x.dtype, copy=False)


def _softsign(x):
    return x / (1 + np.abs(x))


def _sigmoid(x):
    # Several times faster than scipy.special.expit, and as exact in both tails.
    np.negative(x, out=x)
    with np.errstate(over="ignore"):  # exp(-x) is infinite where the result is 0
        np.exp(x, out=x)
    x += 1
    return np.reciprocal(x, out=x)


def _hard_sigmoid(x):
    return np.clip(x / 6 + 0.5, 0, 1)


def _tanh(x):
    return np.tanh(x, out=x)


def _exponential(x):
    return np.exp(x, out=x)


def _softmax(x):
    return special.softmax(x, axis=-1)


_INF = float("inf")

# name: (function, lowest value, highest value)
_ACTIVATIONS = {
    "linear": (_linear, -_INF, _INF),
    "relu": (_relu, 0.0, _INF),
    "relu6": (_relu6, 0.0, 6.0),
    "leaky_relu": (_leaky_relu, -_INF, _INF),
    "elu": (_elu, -1.0, _INF),
    "selu": (_selu, -_SELU_SCALE * _SELU_ALPHA, _INF),
    "gelu": (_gelu, -0.17, _INF),
    "silu": (_silu, -0.2785, _INF),
    "swish": (_silu, -0.2785, _INF),
    "softplus": (_softplus, 0.0, _INF),
    "softsign": (_softsign, -1.0, 1.0),
    "sigmoid": (_sigmoid, 0.0, 1.0),
    "hard_sigmoid": (_hard_sigmoid, 0.0, 1.0),
    "tanh": (_tanh, -1.0, 1.0),
    "exponential": (_exponential, 0.0, _INF),
    "softmax": (_softmax, 0.0, 1.0),
}

ACTIVATION_NAMES = frozenset(_ACTIVATIONS)


def numpy_activation(name):
    """Return the NumPy function of a Keras activation name; None is linear."""
    return _ACTIVATIONS["linear" if name is None else name][0]


def activation_range(name):
    """Return the (lowest, highest) value that an activation can reach."""
    return _ACTIVATIONS["linear" if name is None else name][1:]
