"""Copies of a user's Keras models, and plain data from which they can be made."""

from __future__ import annotations

import contextlib
import functools
import inspect
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skae.networks._keras import CannotDescribeError
from skae.networks._keras._parts import (
    REFUSALS,
    CannotCopyError,
    configuration,
    from_configuration,
    has_own_call,
    in_policy,
    is_layer,
    is_of_keras,
    is_pair,
    layers_within,
    model_name,
    reason_of,
)
from skae.networks._quiet import import_quietly, same_random_states

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from keras import Model
    from keras.layers import Layer
    from numpy.typing import NDArray

    from skae.networks._keras._parts import Models

# What differs between the configurations of equal layers.
_NAMES = frozenset(
    {"name", "dtype", "build_config", "build_input_shape", "compile_config"}
)
_INCIDENTAL = _NAMES | {"inbound_nodes", "input_layers", "output_layers"}
_PLAIN = (type(None), bool, int, float, complex, bytes, set, frozenset)
_PLAIN += (np.ndarray, np.generic)
_NOT_USERS = frozenset({"keras", "tensorflow"})


def copy_models(model: Models, input_shape: tuple[int, ...]) -> tuple[Models, Models]:
    """Return a copy of a model or pair, and its original, which may be its parts."""
    if is_pair(model):
        _check_untied(*model)
        return tuple(map(_copy_of, model)), model
    try:
        return _copy_of(model), model
    except ValueError:
        parts = getattr(model, "encoder", None), getattr(model, "decoder", None)
        if not has_own_call(model) or not all(map(is_layer, parts)):
            raise
        copies = tuple(map(_copy_of, parts))
        if not _only_calls_parts(model, copies, input_shape):
            raise
        return copies, parts


def _copy_of(model: Layer) -> Layer:
    """Return a copy of one model with fresh weights, or raise a ValueError."""
    try:
        return _copy_by_configuration(model)
    except CannotCopyError as exc:
        try:
            return _copy_by_arguments(model)
        except CannotCopyError:
            raise ValueError(
                f"{model_name(model)} cannot be copied, so that each fit would train "
                "it further: Keras cannot make another one of its configuration "
                f"({exc}). Instead, {_advice(model)}."
            ) from exc


def _copy_by_configuration(model: Layer) -> Layer:
    """Return a copy by ``from_config``; float32 layers follow the dtype policy."""
    import keras

    config, named = configuration(model)
    policy = keras.config.dtype_policy()
    config = in_policy(config, policy.name, policy.compute_dtype)
    copy = from_configuration(type(model), config, named)
    for name, layer in _shown_parts(model).items():
        setattr(copy, name, copy.get_layer(layer))
    _check_same_parts(model, copy)
    return copy


def _copy_by_arguments(model: Layer) -> Layer:
    """Return a copy made by the arguments that Keras recorded of ``__init__``."""
    # ``from_config`` hands on more arguments than a class without ``get_config`` takes.
    config = configuration(model)[0]
    accepted = inspect.signature(type(model)).parameters
    arguments = {name: value for name, value in config.items() if name in accepted}
    arguments.pop("dtype", None)  # the policy in force
    try:
        copy = type(model)(**arguments)
    except REFUSALS as exc:
        raise CannotCopyError(reason_of(exc)) from exc
    _check_same_parts(model, copy)
    return copy


def keep_weights(model: Layer, copy: Layer) -> None:
    """Give a copy the weights of a model; a ValueError where it has others, or none."""
    check_weights(model, copy)
    kept, needed = ([tuple(v.shape) for v in one.weights] for one in (model, copy))
    if len(kept) != len(needed):
        raise ValueError(
            f"initial_weights='keep', but {model_name(model)} has {len(kept)} of its "
            f"{len(needed)} weights so far. Call it on rows first, or use "
            "initial_weights='fresh'."
        )
    if kept != needed:
        raise ValueError(
            f"initial_weights='keep', but the weights of {model_name(model)} have "
            f"shapes {kept}, and rows of this shape need {needed}. Pass data of the "
            "shape that it was trained on, or initial_weights='fresh'."
        )
    _set_weights(copy, model.get_weights())


def check_weights(model: Layer, copy: Layer) -> None:
    """Raise a ValueError where a copy has weights apart that the model shares."""
    kept, found = len(model.weights), len(copy.weights)
    inner = [layer for layer in layers_within(model) if layer is not model]
    if kept != found and all(layer.built for layer in inner):
        raise ValueError(
            f"{model_name(model)} has {kept} weights, but a copy that Keras makes of "
            f"it has {found}: layers that share weights lose this. Pass a function "
            "that builds the model."
        )


def copy_adapted(model: Layer, copy: Layer) -> None:
    """Give the layers of a copy what they learned about data in the model."""
    for layer, twin in zip(_adapted(model), _adapted(copy), strict=True):
        if layer.built:
            twin.set_weights(layer.get_weights())
            twin.finalize_state()


def _adapted(model: Layer) -> list[Layer]:
    """Return the layers that measure data before training, and make constants of it."""
    return [layer for layer in layers_within(model) if hasattr(layer, "finalize_state")]


def _set_weights(model: Layer, weights: Sequence[NDArray]) -> None:
    """Give a model weights, in the order of ``model.weights``."""
    for variable, value in zip(model.weights, weights, strict=True):
        variable.assign(value)
    for layer in _adapted(model):
        layer.finalize_state()


def _advice(model: Layer) -> str:
    """Return what to do where a model cannot be copied."""
    name = type(model).__name__
    if has_own_call(model):
        return f"pass the class, KerasNetwork({name}), or give {name} a get_config"
    return "pass the class or function that builds it"


def _check_untied(encoder: Layer, decoder: Layer) -> None:
    """Raise where the models of a pair share weights, which copies would not."""
    own = {id(variable) for variable in encoder.weights}
    shared = [repr(v.path) for v in decoder.weights if id(v) in own]
    if shared:
        raise ValueError(
            "The encoder and decoder of KerasNetwork share the weights "
            f"{', '.join(shared)}, which their copies would not. Pass a function that "
            "builds the pair."
        )


def _check_same_parts(model: Layer, copy: Layer) -> None:
    """Raise where a copy has other parts: those of the model were exchanged later."""
    for name in ("encoder", "decoder") if has_own_call(model) else ():
        part, other = getattr(model, name, None), getattr(copy, name, None)
        if part is not None and _outline(part) != _outline(other):
            raise CannotCopyError(
                f"its {name} is not the one that {type(model).__name__} makes"
            )


def _outline(part: Any) -> list:
    """Return the classes and settings of a part's layers, without names and dtypes."""
    outline = []
    for layer in getattr(part, "layers", [part]):
        outline.append(type(layer))
        with contextlib.suppress(*REFUSALS):
            outline.append(_without_incidental(layer.get_config()))
    return outline


def _without_incidental(config: Any) -> Any:
    """Return a configuration without what differs between equal layers."""
    if isinstance(config, (list, tuple)):
        return [*map(_without_incidental, config)]
    if not isinstance(config, dict):
        return config
    kept = {key: config[key] for key in config if key not in _INCIDENTAL}
    return {key: _without_incidental(value) for key, value in kept.items()}


def outline(models: Sequence[Layer]) -> list:
    """Return what built models compute, as far as they say so, in plain values."""
    # Names are left out, which Keras numbers, and weights, which differ with the seed.
    layers = list(dict.fromkeys(one for part in models for one in layers_within(part)))
    steps = [*layers, *(one for layer in layers for one in _operations(layer))]
    names = {step.name: f"step {i}" for i, step in enumerate(steps)}

    def plain(value: Any) -> Any:
        """Return a value without names of layers, of Keras's objects the class."""
        if isinstance(value, str):
            return names.get(value, value)
        if isinstance(value, dict):
            if value.get("class_name") == "__lambda__":  # whose code names its file
                return "lambda"
            kept = [key for key in value if key not in _NAMES]
            return {key: plain(value[key]) for key in kept}
        if isinstance(value, (list, tuple)):
            return [*map(plain, value)]
        if type(value).__name__ == "EagerTensor":
            return value.numpy()
        is_plain = isinstance(value, _PLAIN) or _is_users_function(value)
        return value if is_plain else type(value).__name__

    parts, in_others = [], set[int]()
    for layer in layers:
        cls, config = type(layer), None
        with contextlib.suppress(*REFUSALS), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is not saved here
            if id(layer) not in in_others:
                config = plain(layer.get_config())
                if hasattr(layer, "layers") and not has_own_call(layer):
                    in_others |= {id(inner) for inner in layers_within(layer)}
        held = vars(layer)
        if is_of_keras(cls):  # whose configuration says all but what users' code does
            held = {k: v for k, v in held.items() if _is_users_function(v)}
        else:
            held = {k: v for k, v in held.items() if k not in _held_by_all()}
        shapes = [tuple(v.shape) for v in layer.weights]
        parts.append([cls.__qualname__, config, plain(held), shapes])
    return parts


def stand_in(value: Any) -> Any:
    """Return what describes an object of Keras or TensorFlow in an outline, or None."""
    packages = {str(c.__module__).partition(".")[0] for c in type(value).__mro__}
    return None if packages.isdisjoint(_NOT_USERS) else type(value).__name__


def _is_users_function(value: Any) -> bool:
    """Return whether a value is a function, or serves as one, that Keras lacks."""
    package = str(getattr(value, "__module__", None)).partition(".")[0]
    return callable(value) and package not in _NOT_USERS and stand_in(value) is None


def _operations(layer: Layer) -> Sequence[Any]:
    """Return the operations of a functional model; of another layer none."""
    return () if has_own_call(layer) else getattr(layer, "operations", ())


@functools.cache
def _held_by_all() -> set[str]:
    """Return the attributes that Keras gives every layer or model."""
    import keras

    return {"built", *vars(keras.Model()), *vars(keras.layers.Layer())}


def _only_calls_parts(model: Layer, parts: Any, input_shape: tuple[int, ...]) -> bool:
    """Return whether calling a model is calling its decoder on its encoder's code."""
    # Its ``call`` runs on copies of the parts: the model itself stays as it is.
    rows = np.random.default_rng(0).normal(size=(3, *input_shape))
    rows = rows.astype(parts[0].compute_dtype)
    try:
        expected = parts[1](parts[0](rows))
    except Exception:  # the parts do not fit the rows, which is another matter
        return True
    try:
        output = type(model).call(_PartsOnly(model, *parts), rows)
        return np.array_equal(np.asarray(output), np.asarray(expected))
    except Exception:  # a user's code, which wants more than the parts
        return False


class _PartsOnly:
    """Stands for a model in its own ``call``: copies of its parts, and plain values."""

    def __init__(self, model: Layer, encoder: Layer, decoder: Layer) -> None:
        self._model, self.encoder, self.decoder = model, encoder, decoder

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._model, name)
        if isinstance(value, (bool, int, float, str, tuple, type(None))):
            return value
        raise AttributeError(f"{name} is more than a value")


def _shown_parts(model: Layer) -> dict[str, str]:
    """Return the names of the layers that a functional model shows as its parts."""
    layers = [] if has_own_call(model) else getattr(model, "layers", [])
    shown = {id(layer): layer.name for layer in layers}
    parts = {name: getattr(model, name, None) for name in ("encoder", "decoder")}
    return {name: shown[id(part)] for name, part in parts.items() if id(part) in shown}


# ------------------------------------------------------------------- blueprints


@dataclass(frozen=True)
class Blueprint:
    """The plain data that a Keras model or layer can be made from; it pickles."""

    cls: type
    config: dict
    named: dict  # the user's classes and functions that the configuration names
    parts: dict  # "encoder" and "decoder" to names of layers, in a functional model
    call_shape: tuple | None  # of a row, where calling it makes its weights
    weights: list  # empty where it has none yet

    def __reduce__(self) -> tuple[Callable, tuple]:
        # The class of a model is Keras's: unpickling it imports Keras, silently.
        return _blueprint, (_ImportsQuietly(), *vars(self).values())

    @classmethod
    def of(cls, model: Layer) -> Blueprint:
        """Return the blueprint of a model; a TypeError where Keras cannot copy it."""
        try:
            config, named = configuration(model)
            weights = model.get_weights()
            shape = _call_shape(model) if weights and has_own_call(model) else None
            if has_own_call(model):
                with same_random_states():
                    copy = from_configuration(type(model), config, named)
                    _check_same_parts(model, copy)
        except CannotCopyError as exc:
            raise TypeError(
                f"{model_name(model)} cannot leave this process: Keras cannot make "
                f"another one of its configuration ({exc}). For n_jobs, pickling and "
                f"memory, {_advice(model)}."
            ) from exc
        return cls(type(model), config, named, _shown_parts(model), shape, weights)

    def make(self) -> Layer:
        """Return a new model with these weights; no random state changes."""
        import_quietly()
        with same_random_states():
            model = from_configuration(self.cls, self.config, self.named)
            for name, layer in self.parts.items():
                setattr(model, name, model.get_layer(layer))
            if self.call_shape is not None:
                model(np.zeros((1, *self.call_shape), np.float32), training=False)
            if self.weights:
                _set_weights(model, self.weights)
        return model


class _ImportsQuietly:
    """Imports Keras where it is unpickled, ahead of what comes after it."""

    def __reduce__(self) -> tuple[Callable, tuple]:
        return import_quietly, ()


def _blueprint(_: None, *fields: Any) -> Blueprint:
    """Return an unpickled blueprint."""
    return Blueprint(*fields)


def describe_model(model: Layer) -> dict[str, Any]:
    """Return all that a Keras layer or model computes from, in describable values."""
    try:
        return vars(Blueprint.of(model))
    except TypeError as exc:
        raise CannotDescribeError(str(exc)) from exc


def _call_shape(model: Model) -> tuple[int, ...]:
    """Return the shape of one row that a model was first called with."""
    shape = (model.get_build_config() or {}).get("input_shape")
    if shape is None or not all(isinstance(n, int | None) for n in shape):
        raise CannotCopyError("it does not say what it was called with")
    return tuple(1 if n is None else n for n in shape[1:])
