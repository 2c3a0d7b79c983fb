"""Copies of a user's Keras models, and plain data from which they can be made."""

import contextlib
import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np

from skae.networks._keras_configs import (
    REFUSALS,
    CannotCopyError,
    configuration,
    has_own_call,
    in_policy,
    made,
    reason_of,
)
from skae.networks._quiet import import_quietly


@dataclass(frozen=True)
class Blueprint:
    """What a Keras model or layer is made from; plain data that pickles.

    Attributes
    ----------
    cls : type
        Class of the model.

    config : dict
        Its configuration.

    named : dict of str to object
        The user's classes and functions that the configuration names.

    parts : dict of str to str
        Attributes ``encoder`` and ``decoder`` of a functional or Sequential model: the
        names of these layers of it.

    call_shape : tuple of int or None
        Shape of one row, where the model gets its weights when it is called first.

    weights : list of ndarray
        Empty where it has none yet.
    """

    cls: type
    config: dict
    named: dict
    parts: dict
    call_shape: tuple | None
    weights: list

    @classmethod
    def of(cls, model):
        """Return the blueprint of a model.

        Raises
        ------
        CannotCopyError
            Where Keras can make no equal model of it.
        """
        config, named = configuration(model)
        weights = model.get_weights()
        shape = _call_shape(model) if weights and has_own_call(model) else None
        parts = _shown_parts(model)
        blueprint = cls(type(model), config, named, parts, shape, weights)
        if has_own_call(model):
            with _same_random_states():
                check_same_parts(model, made(type(model), config, named))
        return blueprint

    def make(self):
        """Return a new model with these weights; no random state changes."""
        import_quietly()
        with _same_random_states():
            model = made(self.cls, self.config, self.named)
            _show_parts(model, self.parts)
            if self.call_shape is not None:
                model(np.zeros((1, *self.call_shape), np.float32), training=False)
            set_weights(model, self.weights)
        return model


def copy_of(model):
    """Return a new model like another, with fresh weights if any.

    Its layers follow the dtype policy in force where the other's compute in float32.
    Initializers without a seed draw from Python's random state.

    Raises
    ------
    CannotCopyError
        Where Keras can make no equal model of it.
    """
    import keras

    config, named = configuration(model)
    policy = keras.config.dtype_policy()
    config = in_policy(config, policy.name, policy.compute_dtype)
    copy = made(type(model), config, named)
    _show_parts(copy, _shown_parts(model))
    check_same_parts(model, copy)
    return copy


def remade(model):
    """Return a new model by the arguments that Keras recorded when it was made.

    Keras's own way, ``from_config``, fails for a class without ``get_config``: it hands
    ``__init__`` more than these.

    Raises
    ------
    CannotCopyError
        Where there is no record of them, or they make another model.
    """
    config = configuration(model)[0]
    accepted = inspect.signature(type(model)).parameters
    arguments = {name: value for name, value in config.items() if name in accepted}
    arguments.pop("dtype", None)  # the policy in force
    try:
        copy = type(model)(**arguments)
    except REFUSALS as exc:
        raise CannotCopyError(reason_of(exc)) from exc
    check_same_parts(model, copy)
    return copy


def describe_model(model):
    """Return all that a Keras layer or model computes from, as describable values.

    Raises
    ------
    CannotCopyError
        Where Keras does not tell.
    """
    return vars(Blueprint.of(model))


def set_weights(model, weights, *, adapted_only=False):
    """Give a model the weights of another.

    Parameters
    ----------
    model : keras.Model

    weights : list of ndarray
        In the order of ``model.weights``; empty does nothing.

    adapted_only : bool, default=False
        Whether only layers that measured data (``adapt``) get theirs.
    """
    if not weights:
        return
    adapted = [layer for layer in layers_within(model) if hasattr(layer, "adapt")]
    wanted = {id(v) for layer in adapted for v in layer.weights}
    for variable, value in zip(model.weights, weights, strict=True):
        if not adapted_only or id(variable) in wanted:
            variable.assign(value)
    for layer in adapted:
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()  # constants made of the weights


def layers_within(layer):
    """Return a layer and all layers inside it."""
    return list(layer._flatten_layers())


def check_same_parts(model, copy):
    """Raise a CannotCopyError where a copy has another encoder or decoder.

    An instance whose parts were exchanged after ``__init__`` is more than its class.
    """
    if not has_own_call(model):
        return
    for name in ("encoder", "decoder"):
        part = getattr(model, name, None)
        other = getattr(copy, name, None)
        if part is not None and _outline(part) != _outline(other):
            raise CannotCopyError(
                f"its {name} is not the one that {type(model).__name__} makes"
            )


def _shown_parts(model):
    """Return which layers a model of Keras's own classes shows as its parts."""
    if has_own_call(model):
        return {}
    shown = {name: getattr(model, name, None) for name in ("encoder", "decoder")}
    layers = getattr(model, "layers", ())
    return {
        name: part.name
        for name, part in shown.items()
        if any(layer is part for layer in layers)
    }


def _show_parts(model, parts):
    """Let a model show layers of it as its parts."""
    for name, layer in parts.items():
        setattr(model, name, model.get_layer(layer))


def _outline(part):
    """Return the classes and numbers of a part, without names."""
    found = []

    def walk(value):
        if isinstance(value, dict):
            for key in sorted(value):
                if key not in ("name", "build_config", "build_input_shape"):
                    found.append(key)
                    walk(value[key])
        elif isinstance(value, (list, tuple)):
            for inner in value:
                walk(inner)
        elif not isinstance(value, str):
            found.append(value)

    layers = getattr(part, "layers", [part])
    for layer in layers:
        found.append(type(layer).__name__)
        with contextlib.suppress(*REFUSALS):
            walk(layer.get_config())
    return found


def _call_shape(model):
    """Return the shape of one row that a model was first called with."""
    shape = (model.get_build_config() or {}).get("input_shape")
    if shape is None or not all(isinstance(n, int | None) for n in shape):
        raise CannotCopyError("it does not say what it was called with")
    return tuple(1 if n is None else n for n in shape[1:])


@contextlib.contextmanager
def _same_random_states():
    """Undo what making a model draws from the process's random states."""
    import random  # not to draw from it

    world: Any = np.random
    before = random.getstate(), world.get_state()
    try:
        yield
    finally:
        random.setstate(before[0])
        world.set_state(before[1])
