"""Encoder and decoder of users' Keras models, and the values that a decoder returns."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from skae._layers._activations import ACTIVATIONS
from skae.networks._base import Built
from skae.networks._keras._configs import (
    has_own_call,
    is_layer,
    is_of_keras,
    is_pair,
    reason_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from keras import Model
    from keras.layers import Layer

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


# ------------------------------------------------------------------------ parts

_PARTS = ("encoder", "decoder")


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
    except ValueError as exc:
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
    if len(shape) != len(expected) or any(
        n not in (None, size) for n, size in zip(expected, shape, strict=True)
    ):
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

_INF = float("inf")
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
        return -_INF, _INF
    if name == "Softmax":
        return 0.0, 1.0
    if name == "ReLU" and not layer.negative_slope and not layer.threshold:
        return 0.0, _INF if layer.max_value is None else float(layer.max_value)
    if name in _ACTIVATED:
        return _range_of_activation(layer.activation)
    if name in _RECURRENT:
        limits = _range_of_activation(layer.activation)
        return limits and (min(0.0, limits[0]), max(0.0, limits[1]))
    return None


def _range_of_activation(
    activation: Layer | Callable | None,
) -> tuple[float, float] | None:
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
