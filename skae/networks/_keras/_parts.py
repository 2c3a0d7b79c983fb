"""What users' Keras models are: configuration, encoder and decoder, range of values.

Keras finds the classes and functions that a configuration names by these names: in a
registry, or not at all. Here each gets a name of its own within the configuration, and
goes with it: two functions of one name stay two, and nothing need be registered.
"""

from __future__ import annotations

import re
import types
import warnings
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from skae._layers._activations import ACTIVATIONS
from skae.networks._base import Built

if TYPE_CHECKING:
    from keras import Model
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
        is_users = isinstance(held, types.FunctionType) and not is_of_keras(held)
        # Users' own configurations may name a function in ways of their own.
        is_usual = isinstance(value, dict) and value.get("class_name") == "function"
        if is_users and (is_usual or is_of_keras(type(owner))):
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


# ------------------------------------------------------------------------ parts

_PARTS = ("encoder", "decoder")
_ADVICE = {
    "rows": "Reshape the data to {}, or build the model for the shape of the data.",
    "codes": "Let the encoder return {}, or build the decoder for what it returns.",
}


def built_from(made: Any, input_shape: tuple[int, ...], source: str) -> Built:
    """Return a user's models as a `Built`, all of their weights made."""
    import keras  # source starts messages: "The model returned by build_net"

    built = _in_parts(made, source)
    names = {n: f"The {n} of {source[0].lower()}{source[1:]}" for n in _PARTS}
    for name, part in zip(names.values(), (built.encoder, built.decoder), strict=True):
        if not is_layer(part):
            raise ValueError(
                f"{name} is a {type(part).__name__}, but must be a Keras model or "
                "layer. Make it one, for instance a keras.Sequential."
            )
    _check_own_training(made, source)
    x = np.zeros((1, *input_shape), keras.config.dtype_policy().compute_dtype)
    model = built.model
    if model is not None:  # first: it may make its parts in build or call
        _output_of(model, x, source, "rows")
    code = _output_of(built.encoder, x, names["encoder"], "rows")
    _output_of(built.decoder, code, names["decoder"], "codes")
    own = set() if model is None else {id(v) for v in model.weights}
    for name in _PARTS if model is not None else ():
        if not {id(v) for v in getattr(built, name).weights} <= own:
            raise ValueError(
                f"{source} has an .{name} whose weights are not its own, so that "
                f"training the model would not train its {name}. Let the model call "
                f"its .{name}."
            )
    return built


def _in_parts(made: Any, source: str) -> Built:
    """Return encoder, decoder and perhaps model of what a user made."""
    import keras

    if is_pair(made):
        return Built(*made)
    if not isinstance(made, keras.Model):
        raise ValueError(
            f"{source} is a {type(made).__name__}, but must be a Keras model, or a "
            "pair (encoder, decoder) of Keras models. Let it return one of these."
        )
    # A graph of layers from inputs to outputs.
    is_functional = not has_own_call(made) and getattr(made, "inputs", None) is not None
    missing = [name for name in _PARTS if getattr(made, name, None) is None]
    if not missing:
        is_complete = has_own_call(made) or is_functional
        return Built(made.encoder, made.decoder, made if is_complete else None)
    if isinstance(made, keras.Sequential):
        return _split_sequential(made, source)
    if is_functional:
        return _split_functional(made, source)
    raise ValueError(
        f"{source} is a {type(made).__name__} without .{' and .'.join(missing)}. Set "
        "self.encoder and self.decoder in its __init__, or pass the pair (encoder, "
        "decoder)."
    )


def _split_sequential(model: Model, source: str) -> Built:
    """Return the layers up to the one named "latent", and those after it."""
    import keras

    end = _latent_place(model.layers, source) + 1
    inputs = []  # that the model was given, if any
    if model.built and model.inputs:
        (tensor,) = model.inputs
        inputs = [keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype)]
    return Built(
        keras.Sequential([*inputs, *model.layers[:end]], name="encoder"),
        keras.Sequential(model.layers[end:], name="decoder"),
    )


def _split_functional(model: Model, source: str) -> Built:
    """Return the graph up to the layer named "latent", and that after it."""
    import keras

    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ValueError(
            f"{source} has {len(model.inputs)} inputs and {len(model.outputs)} "
            "outputs, but must have one of each. Pass a model that takes rows and "
            "returns them."
        )
    code = model.layers[_latent_place(model.layers, source)].output
    encoder = keras.Model(model.inputs[0], code, name="encoder")
    try:
        decoder = keras.Model(code, model.outputs[0], name="decoder")
        # Older releases of Keras miss inputs when the graph runs, by a KeyError.
        row = keras.KerasTensor((1, *code.shape[1:]), code.dtype)
        decoder.compute_output_spec(row)
    except (KeyError, ValueError) as exc:
        raise ValueError(
            f"{source} needs more than the code of its layer 'latent' to make its "
            "output: layers before it lead past it (a skip connection), or it is used "
            "more than once. Remove them, or pass the pair (encoder, decoder)."
        ) from exc
    return Built(encoder, decoder)


def _latent_place(layers: list[Layer], source: str) -> int:
    """Return the place of the layer named "latent", which is not the last."""
    names = [layer.name for layer in layers]
    if "latent" not in names:
        raise ValueError(
            f"{source} has no layer named 'latent'; its layers are "
            f"{', '.join(map(repr, names))}. Name the layer that returns the code "
            "'latent', or pass the pair (encoder, decoder)."
        )
    place = names.index("latent")
    if place == len(names) - 1:
        raise ValueError(
            f"{source} ends with its layer 'latent', which leaves no decoder. Add the "
            "layers that reconstruct rows, or pass the pair (encoder, decoder)."
        )
    return place


def _check_own_training(made: Any, source: str) -> None:
    """Raise where a class replaces Keras's training, which is not what runs here."""
    for name in ("train_step", "compute_loss"):
        own = getattr(type(made), name, None)
        if own is not None and not is_of_keras(own):
            raise ValueError(
                f"{source} defines {name}, which skae does not call: the estimator's "
                "loss is what trains. Add what it computes by self.add_loss(...) in "
                f"call, or pass it as the estimator's loss, and remove {name}."
            )


def _output_of(part: Layer, x: Any, name: str, what: str) -> Any:
    """Return the output of a part for "rows" or "codes"; this makes its weights."""
    shape = tuple(x.shape[1:])
    message = f"{name} does not accept {what} of shape {shape}"
    expected = getattr(part, "input_shape", None) if hasattr(part, "inputs") else None
    expected = expected[1:] if isinstance(expected, tuple) else (None,) * len(shape)
    sizes = [n or size for n, size in zip(expected, shape, strict=False)]
    if len(shape) != len(expected) or sizes != list(shape):
        raise ValueError(
            f"{message}: it expects shape {expected}. {_ADVICE[what].format(expected)}"
        )
    try:
        with warnings.catch_warnings():
            # Of a symbolic call that failed: this one is not symbolic.
            warnings.filterwarnings("ignore", r"`build\(\)` was called on layer")
            output = part(x, training=False)
    except Exception as exc:  # a user's code
        raise ValueError(
            f"{message}: {reason_of(exc)}. {_ADVICE[what].format('its input')}"
        ) from exc
    if isinstance(output, (list, tuple, dict)) or not hasattr(output, "shape"):
        raise ValueError(
            f"{name} returns a {type(output).__name__} of {len(output)} values, but "
            "must return one tensor. Let it return the one that is the code or the "
            "output."
        )
    return output


# ----------------------------------------------------------------------- ranges

# Layers that move numbers about and invent none but zeros ...
_MOVES = frozenset(
    {"Reshape", "Flatten", "Permute", "RepeatVector", "Dropout", "SpatialDropout1D"}
    | {"SpatialDropout2D", "SpatialDropout3D", "GaussianNoise", "GaussianDropout"}
    | {"AlphaDropout", "ActivityRegularization", "Identity", "InputLayer"}
    | {f"Cropping{n}D" for n in (1, 2, 3)}
)
# ... those that end with an activation of their own, those without bounds, ...
_ACTIVATED = frozenset(
    {"Activation", "Dense", "EinsumDense", "DepthwiseConv1D", "DepthwiseConv2D"}
    | {f"Conv{n}D{kind}" for n in (1, 2, 3) for kind in ("", "Transpose")}
    | {"SeparableConv1D", "SeparableConv2D"}
)
_UNBOUNDED = frozenset(
    {"BatchNormalization", "LayerNormalization", "GroupNormalization"}
    | {"UnitNormalization", "RMSNormalization"}
)
# ... and those whose gates weaken their activation, and whose states start at zero.
_RECURRENT = frozenset({"LSTM", "GRU", "SimpleRNN"})


def output_range_of(layer: Layer) -> tuple[float, float] | None:
    """Return the (lowest, highest) value that a built decoder can return, if known."""
    import keras

    steps = [layer]
    if isinstance(layer, keras.Sequential):
        steps = layer.layers
    elif getattr(layer, "inputs", None) is not None:
        steps = layer.operations
    for last in reversed(steps):
        if not type(last).__module__.startswith("keras."):
            return None
        if type(last).__name__ not in _MOVES:
            return _range_of(last, type(last).__name__)
    return None


def _range_of(layer: Layer, name: str) -> tuple[float, float] | None:
    """Return the range of a layer of one of Keras's classes."""
    if name in ("Sequential", "Functional"):
        return output_range_of(layer)
    if name == "TimeDistributed":
        return output_range_of(layer.layer)
    if name in _UNBOUNDED:
        return -np.inf, np.inf
    if name == "Softmax":
        return 0.0, 1.0
    if name == "ReLU" and not layer.negative_slope and not layer.threshold:
        return 0.0, np.inf if layer.max_value is None else float(layer.max_value)
    if name in _ACTIVATED:
        return _range_of_activation(layer.activation)
    if name in _RECURRENT:
        limits = _range_of_activation(layer.activation)
        return limits and (min(0.0, limits[0]), max(0.0, limits[1]))
    return None


def _range_of_activation(activation: Any) -> tuple[float, float] | None:
    """Return the range of the activation of a layer."""
    import keras

    if isinstance(activation, keras.layers.Layer):
        return output_range_of(activation)
    name = getattr(activation, "__name__", "linear" if activation is None else "")
    if name not in ACTIVATIONS:
        return None
    if activation is not None and getattr(keras.activations, name) is not activation:
        return None  # a user's function of that name
    return ACTIVATIONS[name].low, ACTIVATIONS[name].high
