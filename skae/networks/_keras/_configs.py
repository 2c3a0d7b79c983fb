"""The configuration of a user's Keras model, complete with all that it names.

Keras finds the classes and functions that a configuration names by these names: in a
registry, or not at all. Here each gets a name of its own within the configuration, and
goes with it: two functions of one name stay two, and nothing need be registered.
"""

from __future__ import annotations

import re
import types
import warnings
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from keras.layers import Layer

Models: TypeAlias = "Layer | tuple[Layer, Layer]"

# What Keras raises where it cannot take a model apart or put it together.
REFUSALS = (AttributeError, KeyError, NotImplementedError, OSError, TypeError)
REFUSALS += (ValueError, RuntimeError)

_COLOURS = re.compile(r"\x1b\[\d*m")
_KERAS_PREFACE = re.compile(r"^Exception encountered when calling \S+\n")


class CannotCopyError(TypeError):
    """Keras cannot make a model from the configuration of another."""


def is_layer(value: Any) -> bool:
    """Return whether a value is a Keras layer or model; without importing Keras."""
    return not isinstance(value, type) and any(
        cls.__module__.startswith("keras.") and cls.__name__ == "Layer"
        for cls in type(value).__mro__
    )


def is_pair(value: Any) -> bool:
    """Return whether a value is a sequence of two."""
    return isinstance(value, (tuple, list)) and len(value) == 2


def as_models(value: Models) -> tuple[Layer, ...]:
    """Return the models of a pair, or the one in a tuple."""
    return tuple(value) if is_pair(value) else (value,)


def has_own_call(model: Layer) -> bool:
    """Return whether a model's class defines what it computes."""
    return not is_of_keras(type(model).call)


def layers_within(layer: Layer) -> list[Layer]:
    """Return a layer and all layers inside it."""
    return list(layer._flatten_layers())


def model_name(model: Models) -> str:
    """Return how messages name a model or a pair."""
    if is_pair(model):
        return f"({', '.join(map(model_name, model))})"
    return f"<{type(model).__name__} {getattr(model, 'name', model)!r}>"


def reason_of(exc: Exception) -> str:
    """Return the first sentence of an exception that says what is wrong."""
    text = _COLOURS.sub("", str(exc))
    text = " ".join(_KERAS_PREFACE.sub("", text).split())
    return text.partition(". ")[0].rstrip(".") or type(exc).__name__


def configuration(model: Layer) -> tuple[dict, dict[str, Any]]:
    """Return the configuration of a model, and the user's objects that it names."""
    import keras

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of lambdas, which are not saved here
            entry = keras.saving.serialize_keras_object(model)
    except REFUSALS as exc:
        raise CannotCopyError(reason_of(exc)) from exc
    named: dict[str, Any] = {}
    _name_objects(entry, model, named)
    for layer in layers_within(model):  # what a user's configuration may name, too
        cls = type(layer)
        if not is_of_keras(cls) and all(cls is not known for known in named.values()):
            named.setdefault(keras.saving.get_registered_name(cls), cls)
    return entry["config"], named


def from_configuration(cls: Any, config: dict, named: dict[str, Any]) -> Layer:
    """Return a model of a configuration."""
    import keras

    config = in_policy(config, "float32", "float32")  # a copy: Keras changes it
    try:
        with keras.saving.custom_object_scope(named):
            return cls.from_config(config)
    except REFUSALS as exc:
        raise CannotCopyError(reason_of(exc)) from exc


def _name_objects(entry: dict, owner: Any, named: dict[str, Any]) -> None:
    """Give the user's objects in a serialized owner new names, in place; note them."""
    entry.pop("compile_config", None)  # how to train is the estimator's
    if not is_of_keras(type(owner)):
        entry["registered_name"] = _name_in(named, type(owner))
    config = entry["config"]
    for inner_entry, layer in _inner_layers(config, owner):
        _name_objects(inner_entry, layer, named)
    for key, value in config.items():
        held: Any = getattr(owner, key, None)
        if _stands_for_function(value, held, owner):
            function = {"module": "builtins", "class_name": "function"}
            function["config"] = _name_in(named, held)
            config[key] = {**function, "registered_name": "function"}
            continue
        several = isinstance(value, list) and isinstance(held, (list, tuple))
        pairs = zip(value, held, strict=False) if several else [(value, held)]
        for one, part in pairs:
            is_entry = isinstance(one, dict) and isinstance(one.get("config"), dict)
            if is_entry and one.get("class_name") == type(part).__name__:
                _name_objects(one, part, named)


def _stands_for_function(value: Any, held: Any, owner: Any) -> bool:
    """Return whether a value in a configuration stands for a user's function."""
    if not isinstance(held, types.FunctionType) or is_of_keras(held):
        return False
    # Users' own configurations may name a function in ways of their own.
    is_usual = isinstance(value, dict) and value.get("class_name") == "function"
    return is_usual or is_of_keras(type(owner))


def _inner_layers(config: dict, owner: Any) -> list[tuple[dict, Layer]]:
    """Return (entry, layer) for the layers of a functional or Sequential model."""
    if not hasattr(owner, "layers") or has_own_call(owner) or "layers" not in config:
        return []
    entries = config["layers"]
    if "input_layers" in config:  # functional: operations, of which some are no layers
        found = {operation.name: operation for operation in owner.operations}
        return [(entry, found[entry["name"]]) for entry in entries]
    n_inputs = len(entries) - len(owner.layers)  # a Sequential hides its input
    return list(zip(entries[n_inputs:], owner.layers, strict=True))


def _name_in(named: dict[str, Any], value: Any) -> str:
    """Return the name that a value goes by, a new one where it has none."""
    known = (name for name, held in named.items() if held is value)
    name = next(known, f"skae>{len(named)}")
    named[name] = value
    return name


def in_policy(config: Any, policy: str, dtype: str) -> Any:
    """Return a copy of a configuration whose float32 layers follow another policy."""
    if isinstance(config, (list, tuple)):
        return type(config)(in_policy(inner, policy, dtype) for inner in config)
    if not isinstance(config, dict):
        return config
    if config.get("class_name") == "DTypePolicy":
        is_default = config["config"] == {"name": "float32"}
        return {**config, "config": {"name": policy}} if is_default else config
    return {
        key: dtype
        if key == "dtype" and value == "float32"
        else in_policy(value, policy, dtype)
        for key, value in config.items()
    }


def is_of_keras(value: Any) -> bool:
    """Return whether a class or function is Keras's own."""
    return str(value.__module__).partition(".")[0] == "keras"
