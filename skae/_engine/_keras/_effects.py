"""What a model's code does in Python besides computing its output.

A compiled program runs Python code once, while it is traced, and never again: a counter
that stands still, or a random number that is drawn once for all steps, is a
wrong result without a sign.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import random  # only to look whether others draw from it
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from skae._engine._digest import CannotDescribeError, digest

_PLAIN = (bool, int, float, complex, str, bytes, type(None), np.ndarray, np.generic)
_CONTAINERS = (list, tuple, dict, set)


def side_effect(model: keras.Model, input_shape: tuple[int, ...]) -> str | None:
    """Return what calling a model changes in Python, in words, or None."""
    # Called twice on zeros: what the first call sets up is no side effect.
    layers = [layer for layer in model._flatten_layers() if _holds_user_code(layer)]
    if not layers:
        return None
    x = np.zeros((2, *input_shape), np.float32)
    with _restored(model, layers):
        try:
            model(x, training=True)
            before = _python_state(layers)
            model(x, training=True)
        except Exception:
            return None  # compiling fails, too, and has more to say
        after = _python_state(layers)
    changed = [name for name in after if after[name] != before.get(name)]
    if not changed:
        return None
    return f"calling it changes {changed[0]}, a side effect in Python"


@contextlib.contextmanager
def _restored(model: keras.Model, layers: list) -> Iterator[None]:
    """Give back, after a block, the values of variables and of plain attributes."""
    held = [value for layer in layers for value in vars(layer).values()]
    own = [v for v in held if isinstance(v, tf.Variable)]
    variables = [(v, v.numpy()) for v in [*own, *model.variables]]
    attributes = copy.deepcopy([*_plain_attributes(layers).items()])
    try:
        yield
    finally:
        for variable, value in variables:
            variable.assign(value)
        now = _plain_attributes(layers)
        for (place, name), value in attributes:
            if _digest(now.get((place, name))) != _digest(value):
                setattr(layers[place], name, value)


def _plain_attributes(layers: list) -> dict[tuple[int, str], Any]:
    """Return what the layers' code keeps in Python, by place of the layer and name."""
    return {
        (place, name): _bare(value)
        for place, layer in enumerate(layers)
        for name, value in vars(layer).items()
        if name not in _attributes_of_keras() and _is_plain(value)
    }


def _python_state(layers: list) -> dict[str, Any]:
    """Return what the layers' code could change in Python: a digest by name."""
    state: dict[str, Any] = {
        "Python's random state": digest(random.getstate()),
        "NumPy's random state": digest(list(np.random.get_state())),  # noqa: NPY002
    }
    for (place, attribute), value in _plain_attributes(layers).items():
        name = type(layers[place]).__name__
        state[f"the attribute {attribute!r} of {name}"] = _digest(value)
    for layer in layers:
        name = type(layer).__name__
        is_lambda = isinstance(layer, keras.layers.Lambda)
        code = layer.function if is_lambda else type(layer).call
        state[f"what the code of {name} reads"] = _digest(code)
    return state


def _holds_user_code(layer: Any) -> bool:
    """Return whether a layer runs code that is not Keras's own."""
    is_lambda = isinstance(layer, keras.layers.Lambda)
    return is_lambda or not _is_of_keras(type(layer))


def _digest(value: Any) -> Any:
    """Return a digest, or None where there is none."""
    try:
        return digest(value, special=lambda found: () if _of_keras(found) else None)
    except CannotDescribeError:
        return None


def _is_plain(value: Any) -> bool:
    """Return whether a value is made of numbers, texts and containers."""
    if isinstance(value, _CONTAINERS):
        inner = value.values() if isinstance(value, dict) else value
        return all(map(_is_plain, inner))
    return isinstance(value, _PLAIN)


def _bare(value: Any) -> Any:
    """Return a value in containers of Python instead of Keras's own ones."""
    if isinstance(value, dict):
        return {key: _bare(inner) for key, inner in value.items()}
    if isinstance(value, set):
        return set(value)
    if isinstance(value, tuple):
        return tuple(map(_bare, value))
    return [*map(_bare, value)] if isinstance(value, list) else value


@functools.cache
def _attributes_of_keras() -> set[str]:
    """Return the names of the attributes that any model or layer has."""
    return {*vars(keras.Model()), *vars(keras.layers.Layer()), "stop_training"}


def _is_of_keras(cls: type) -> bool:
    """Return whether a class is Keras's own."""
    return cls.__module__.partition(".")[0] == "keras"


def _of_keras(value: Any) -> bool:
    """Return whether a value is an instance of a class of Keras."""
    return any(_is_of_keras(cls) for cls in type(value).__mro__)
