"""Copies of a user's Keras models, and plain data from which they can be made."""

import contextlib
import inspect
from dataclasses import dataclass

import numpy as np

from skae.networks._keras_configs import (
    REFUSALS,
    CannotCopyError,
    configuration,
    has_own_call,
    in_policy,
    layers_within,
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

    def __reduce__(self):
        # The class of a model is Keras's: who unpickles it imports Keras, silently.
        return _blueprint, (_ImportsQuietly(), *vars(self).values())

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
            if self.weights:
                set_weights(model, self.weights)
        return model


class _ImportsQuietly:
    """Imports Keras where it is unpickled, ahead of what comes after it."""

    def __reduce__(self):
        return import_quietly, ()


def _blueprint(_, *fields):
    return Blueprint(*fields)


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


def set_weights(model, weights):
    """Give a model weights, in the order of ``model.weights``."""
    for variable, value in zip(model.weights, weights, strict=True):
        variable.assign(value)
    for layer in _adapted(model):
        layer.finalize_state()


def copy_adapted(model, copy):
    """Give the layers of a copy what they learned about data in the model."""
    for layer, copied in zip(_adapted(model), _adapted(copy), strict=True):
        if layer.built:
            copied.set_weights(layer.get_weights())
            copied.finalize_state()


def _adapted(model):
    """Return the layers within a model that measure data before it trains.

    They make constants of their weights, in ``finalize_state``.
    """
    return [layer for layer in layers_within(model) if hasattr(layer, "finalize_state")]


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
    """Return the classes and settings of a part, without names and dtypes."""
    outline = []
    for layer in getattr(part, "layers", [part]):
        outline.append(type(layer))
        with contextlib.suppress(*REFUSALS):
            outline.append(_settings(layer.get_config()))
    return outline


def _settings(config):
    """Return a configuration without what differs between equal layers."""
    if isinstance(config, (list, tuple)):
        return [*map(_settings, config)]
    if not isinstance(config, dict):
        return config
    return {
        key: _settings(value) for key, value in config.items() if key not in _INCIDENTAL
    }


_INCIDENTAL = frozenset(
    {"name", "dtype", "build_config", "build_input_shape", "compile_config"}
    | {"inbound_nodes", "input_layers", "output_layers"}
)


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

    world = np.random  # whose state is put back, and which is not drawn from
    before = random.getstate(), world.get_state()
    try:
        yield
    finally:
        random.setstate(before[0])
        world.set_state(before[1])
