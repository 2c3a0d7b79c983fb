"""The values that a built decoder can return, read from its last layers."""

from skae._layers._activations import ACTIVATIONS

_INF = float("inf")
_ANY = (-_INF, _INF)

# Layers that move numbers about and invent none but zeros ...
_MOVES = frozenset(
    {"Reshape", "Flatten", "Permute", "RepeatVector", "Dropout", "SpatialDropout1D"}
    | {"SpatialDropout2D", "SpatialDropout3D", "GaussianNoise", "GaussianDropout"}
    | {"AlphaDropout", "ActivityRegularization", "Identity", "InputLayer"}
    | {f"Cropping{n}D" for n in (1, 2, 3)}
)
# ... and those that end with an activation of their own.
_ACTIVATED = frozenset(
    {"Activation", "Dense", "EinsumDense"}
    | {f"Conv{n}D{kind}" for n in (1, 2, 3) for kind in ("", "Transpose")}
    | {"DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D"}
)
_LINEAR = frozenset(
    {"BatchNormalization", "LayerNormalization", "GroupNormalization"}
    | {"UnitNormalization", "RMSNormalization"}
)
_RECURRENT = frozenset({"LSTM", "GRU", "SimpleRNN"})


def output_range_of(layer):
    """Return the (lowest, highest) value that a Keras layer or model can return.

    Parameters
    ----------
    layer : keras.layers.Layer
        A decoder, built.

    Returns
    -------
    limits : tuple of float or None
        None where the last layer with numbers is not one of Keras's known ones.
    """
    for last in reversed(_steps(layer)):
        name = type(last).__name__
        if not type(last).__module__.startswith("keras."):
            return None
        if name not in _MOVES:
            return _range_of(last, name)
    return None


def _steps(layer):
    """Return what a model does, in order; a layer does itself."""
    import keras

    if isinstance(layer, keras.Sequential):
        return layer.layers
    is_graph = getattr(layer, "inputs", None) is not None
    return layer.operations if is_graph else [layer]


def _range_of(layer, name):
    if name in ("Sequential", "Functional"):
        return output_range_of(layer)
    if name == "TimeDistributed":
        return output_range_of(layer.layer)
    if name in _LINEAR:
        return _ANY
    if name == "Softmax":
        return 0.0, 1.0
    if name == "ReLU" and not layer.negative_slope and not layer.threshold:
        return 0.0, _INF if layer.max_value is None else float(layer.max_value)
    if name in _ACTIVATED:
        return _range_of_activation(layer.activation)
    if name in _RECURRENT:
        limits = _range_of_activation(layer.activation)
        # Gates weaken what the activation returns, and states start at zero.
        return limits and (min(0.0, limits[0]), max(0.0, limits[1]))
    return None


def _range_of_activation(activation):
    """Return the range of a layer's activation: a function, a layer or None."""
    import keras

    if isinstance(activation, keras.layers.Layer):
        return output_range_of(activation)
    name = getattr(activation, "__name__", "linear" if activation is None else "")
    if name not in ACTIVATIONS:
        return None
    if activation is not None and getattr(keras.activations, name) is not activation:
        return None  # a user's function of that name
    return ACTIVATIONS[name].low, ACTIVATIONS[name].high
