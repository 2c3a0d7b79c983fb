"""Activations: Keras's names, functions and slopes in NumPy, and the values they reach.

A function keeps the dtype of its argument and may overwrite it. A slope multiplies a
gradient in place, given the activation's output, which it may overwrite, or its input.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, pi, sqrt
from typing import Any

import numpy as np
from scipy import special

Array = np.ndarray

_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805
_ROOT_HALF = sqrt(0.5)
# Clipping takes a third of the time of the maximum with a number, but begins later.
_CLIP_FROM = 1 << 13


@dataclass(frozen=True)
class Activation:
    """An activation of Keras in NumPy."""

    name: str
    function: Callable[[Array], Array]
    slope: Callable[[Array, Array], None]  # of gradient and output, or input
    low: float = -inf
    high: float = inf
    needs_input: bool = False  # whether the slope is a function of the input

    def keras(self, x: Any, name: str) -> Any:
        """Return the activation of a Keras tensor, the output of the layer `name`."""
        import keras

        if self is LINEAR:
            return x
        if self.name in _PRODUCTS:
            gate = keras.layers.Activation("sigmoid", name=f"{name}_gate")(x)
            return keras.layers.Multiply(name=f"{name}_activation")([x, gate])
        return keras.layers.Activation(self.name, name=f"{name}_activation")(x)

    def keras_layer(self, make: Callable[..., Any], x: Any, name: str) -> Any:
        """Return the output of the Keras layer that `make` builds, with activation."""
        if self.name in _PRODUCTS or self is LINEAR:
            return self.keras(make(name=name)(x), name)
        return make(activation=self.name, name=name)(x)


# TensorFlow registers a gradient for each graph that uses its own silu, which keeps the
# graph alive for good; as a product of layers it is the same.
_PRODUCTS = {"silu", "swish"}


def _linear(x: Array) -> Array:
    return x


def _times_one(gradient: Array, out: Array) -> None:
    pass


def _relu(x: Array) -> Array:
    """Return the positive part, in place."""
    if x.size < _CLIP_FROM:
        return np.maximum(x, 0, out=x)
    return np.clip(x, 0, np.inf, out=x)


def _times_step(gradient: Array, out: Array) -> None:
    np.multiply(gradient, out > 0, out=gradient)


def _relu6(x: Array) -> Array:
    return np.clip(x, 0, 6, out=x)


def _times_two_steps(gradient: Array, out: Array) -> None:
    gradient *= (out > 0) & (out < 6)


def _leaky_relu(x: Array) -> Array:
    return np.maximum(x, 0.2 * x)


def _times_leaky_step(gradient: Array, out: Array) -> None:
    gradient *= np.where(out > 0, np.float32(1), np.float32(0.2))


def _elu(x: Array) -> Array:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def _times_elu_slope(gradient: Array, out: Array) -> None:
    """Multiply by exp(x), which is the output plus 1, below 0."""
    np.minimum(out, 0, out=out)
    out += 1
    gradient *= out


def _selu(x: Array) -> Array:
    """Return the scaled ELU."""
    negative = _SELU_ALPHA * np.expm1(np.minimum(x, 0))
    return _SELU_SCALE * np.where(x > 0, x, negative)


def _times_selu_slope(gradient: Array, out: Array) -> None:
    """Multiply by the scaled ELU's slope."""
    below = out + np.float32(_SELU_SCALE * _SELU_ALPHA)
    gradient *= np.where(out < 0, below, np.float32(_SELU_SCALE))


def _gelu(x: Array) -> Array:
    # Not 1 + erf(x): that loses the digits of the left tail.
    return 0.5 * x * special.erfc(x * -_ROOT_HALF)


def _times_gelu_slope(gradient: Array, x: Array) -> None:
    """Multiply by the normal distribution function plus x times its density."""
    below = 0.5 * special.erfc(x * -_ROOT_HALF)
    gradient *= below + x * np.exp(-0.5 * x * x) * np.float32(1 / sqrt(2 * pi))


def _silu(x: Array) -> Array:
    return x * special.expit(x)


def _times_silu_slope(gradient: Array, x: Array) -> None:
    """Multiply by the slope of x times its sigmoid."""
    gate = special.expit(x)
    gradient *= gate * (1 + x * (1 - gate))


def _softplus(x: Array) -> Array:
    return np.logaddexp(x, 0).astype(x.dtype, copy=False)


def _times_softplus_slope(gradient: Array, out: Array) -> None:
    """Multiply by 1 - exp(-output)."""
    np.negative(out, out=out)
    np.expm1(out, out=out)
    gradient *= out
    np.negative(gradient, out=gradient)


def _softsign(x: Array) -> Array:
    return x / (1 + np.abs(x))


def _times_softsign_slope(gradient: Array, out: Array) -> None:
    """Multiply by the square of 1 - |output|."""
    rest = 1 - np.abs(out)
    gradient *= rest * rest


def sigmoid(x: Array) -> Array:
    """Return the logistic function, in the memory of its argument."""
    # Several times faster than scipy.special.expit, and as exact in both tails.
    np.negative(x, out=x)
    with np.errstate(over="ignore"):  # exp(-x) is infinite where the result is 0
        np.exp(x, out=x)
    x += 1
    return np.reciprocal(x, out=x)


def _times_sigmoid_slope(gradient: Array, out: Array) -> None:
    """Multiply by output times (1 - output)."""
    gradient *= out
    np.subtract(1, out, out=out)
    gradient *= out


def _hard_sigmoid(x: Array) -> Array:
    return np.clip(x / 6 + 0.5, 0, 1)


def _times_hard_sigmoid_slope(gradient: Array, out: Array) -> None:
    gradient *= ((out > 0) & (out < 1)) * np.float32(1 / 6)


def _tanh(x: Array) -> Array:
    return np.tanh(x, out=x)


def _times_tanh_slope(gradient: Array, out: Array) -> None:
    """Multiply by 1 - output squared."""
    out *= out
    np.subtract(1, out, out=out)
    gradient *= out


def _exponential(x: Array) -> Array:
    return np.exp(x, out=x)


def _times_output(gradient: Array, out: Array) -> None:
    gradient *= out


def _softmax(x: Array) -> Array:
    return special.softmax(x, axis=-1)


def _times_softmax_slope(gradient: Array, out: Array) -> None:
    """Multiply by the Jacobian of softmax."""
    gradient -= (gradient * out).sum(axis=-1, keepdims=True)
    gradient *= out


#: Keras name: activation.
ACTIVATIONS = {
    one.name: one
    for one in (
        Activation("linear", _linear, _times_one),
        Activation("relu", _relu, _times_step, 0.0),
        Activation("relu6", _relu6, _times_two_steps, 0.0, 6.0),
        Activation("leaky_relu", _leaky_relu, _times_leaky_step),
        Activation("elu", _elu, _times_elu_slope, -1.0),
        Activation("selu", _selu, _times_selu_slope, -_SELU_SCALE * _SELU_ALPHA),
        Activation("gelu", _gelu, _times_gelu_slope, -0.17, needs_input=True),
        Activation("silu", _silu, _times_silu_slope, -0.2785, needs_input=True),
        Activation("swish", _silu, _times_silu_slope, -0.2785, needs_input=True),
        Activation("softplus", _softplus, _times_softplus_slope, 0.0),
        Activation("softsign", _softsign, _times_softsign_slope, -1.0, 1.0),
        Activation("sigmoid", sigmoid, _times_sigmoid_slope, 0.0, 1.0),
        Activation("hard_sigmoid", _hard_sigmoid, _times_hard_sigmoid_slope, 0.0, 1.0),
        Activation("tanh", _tanh, _times_tanh_slope, -1.0, 1.0),
        Activation("exponential", _exponential, _times_output, 0.0),
        Activation("softmax", _softmax, _times_softmax_slope, 0.0, 1.0),
    )
}
LINEAR = ACTIVATIONS["linear"]
