"""Encoder and decoder of whatever Keras models a user brings."""

import warnings

import numpy as np

from skae.networks._base import Built
from skae.networks._keras_configs import has_own_call, reason_of
from skae.networks._keras_instances import is_layer, is_pair

_NAME_LATENT = (
    "Name the layer that returns the code 'latent', or pass the pair (encoder, decoder)"
)


def built_from(made, input_shape, source):
    """Return a user's models as a `Built`, all of their weights made.

    Parameters
    ----------
    made : object
        A pair of Keras models, a model with ``encoder`` and ``decoder``, or a
        functional or Sequential model with a layer named "latent".

    input_shape : tuple of int
        Shape of one row.

    source : str
        What messages call it: "The model returned by build_net".

    Returns
    -------
    built : Built

    Raises
    ------
    ValueError
        Where it is none of these, or does not take these rows.
    """
    built = _in_parts(made, input_shape, source)
    for name, part in (("encoder", built.encoder), ("decoder", built.decoder)):
        _check_layer(part, name, source)
    _check_own_training(made, source)
    x = np.zeros((1, *input_shape), _compute_dtype())
    model = built.model
    if model is not None:  # first: it may make its parts in build or call
        _check_single(_called(model, x, f"{source}", "rows"), source)
    code = _called(built.encoder, x, f"The encoder of {_lower(source)}", "rows")
    _check_single(code, f"The encoder of {_lower(source)}")
    output = _called(built.decoder, code, f"The decoder of {_lower(source)}", "codes")
    _check_single(output, f"The decoder of {_lower(source)}")
    if model is not None:
        _check_owns_parts(model, built, source)
    return built


# ------------------------------------------------------------------------ parts


def _in_parts(made, input_shape, source):
    """Return encoder, decoder and perhaps model of what a user made."""
    import keras

    if is_pair(made):
        return Built(*made)
    if not isinstance(made, keras.Model):
        raise ValueError(
            f"{source} is {_kind(made)}, but must be a Keras model, or a pair "
            "(encoder, decoder) of Keras models. Let it return one of these."
        )
    missing = [name for name in ("encoder", "decoder") if _part(made, name) is None]
    if not missing:
        is_complete = has_own_call(made) or is_functional(made)
        return Built(made.encoder, made.decoder, made if is_complete else None)
    if isinstance(made, keras.Sequential):
        return _split_sequential(made, source)
    if is_functional(made):
        return _split_functional(made, source)
    raise ValueError(
        f"{source} is {_kind(made)} without .{' and .'.join(missing)}. Set "
        "self.encoder and self.decoder in its __init__, or pass the pair (encoder, "
        "decoder)."
    )


def is_functional(model):
    """Return whether a Keras model is a graph of layers from inputs to outputs."""
    return not has_own_call(model) and getattr(model, "inputs", None) is not None


def _part(model, name):
    return getattr(model, name, None)


def _split_sequential(model, source):
    """Return the layers up to the one named "latent", and those after it."""
    import keras

    place = _latent_place(model.layers, source)
    layers = model.layers
    return Built(
        keras.Sequential([*_inputs_of(model), *layers[: place + 1]], name="encoder"),
        keras.Sequential(layers[place + 1 :], name="decoder"),
    )


def _inputs_of(model):
    """Return the input that a Sequential model was given, if any."""
    import keras

    if not model.built or not model.inputs:
        return []
    tensor = model.inputs[0]
    return [keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype)]


def _split_functional(model, source):
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


def _latent_place(layers, source):
    """Return the place of the layer named "latent", which is not the last."""
    names = [layer.name for layer in layers]
    if "latent" not in names:
        raise ValueError(
            f"{source} has no layer named 'latent'; its layers are "
            f"{', '.join(map(repr, names))}. {_NAME_LATENT}."
        )
    place = names.index("latent")
    if place == len(names) - 1:
        raise ValueError(
            f"{source} ends with its layer 'latent', which leaves no decoder. Add the "
            "layers that reconstruct rows, or pass the pair (encoder, decoder)."
        )
    return place


# ----------------------------------------------------------------------- checks


def _check_layer(part, name, source):
    if not is_layer(part):
        raise ValueError(
            f"The {name} of {_lower(source)} is {_kind(part)}, but must be a Keras "
            "model or layer. Make it one, for instance a keras.Sequential."
        )


def _check_own_training(made, source):
    """Raise where a class replaces Keras's training, which is not what runs here."""
    import keras

    for name in ("train_step", "compute_loss"):
        own = getattr(type(made), name, None)
        if own is not None and own not in (
            getattr(keras.Model, name),
            getattr(keras.Sequential, name),
        ):
            raise ValueError(
                f"{source} defines {name}, which skae does not call: the estimator's "
                "loss is what trains. Add what it computes by self.add_loss(...) in "
                f"call, or pass it as the estimator's loss, and remove {name}."
            )


def _called(part, x, name, what):
    """Return what a part makes of rows or codes of zeros; this makes its weights."""
    expected = _expected_shape(part)
    got = tuple(x.shape[1:])
    message = f"{name} does not accept {what} of shape {got}"
    if expected is not None and not _fits(got, expected):
        raise ValueError(
            f"{message}: it expects shape {expected}. {_ADVICE[what].format(expected)}"
        )
    try:
        with warnings.catch_warnings():
            # Of a symbolic call that failed: this one is not symbolic.
            warnings.filterwarnings("ignore", r"`build\(\)` was called on layer")
            return part(x, training=False)
    except Exception as exc:  # a user's code
        raise ValueError(
            f"{message}: {reason_of(exc)}. {_ADVICE[what].format('its input')}"
        ) from exc


_ADVICE = {
    "rows": "Reshape the data to {}, or build the model for the shape of the data.",
    "codes": "Let the encoder return {}, or build the decoder for what it returns.",
}


def _expected_shape(part):
    """Return the shape of one row that a part was made for, or None."""
    shape = getattr(part, "input_shape", None) if hasattr(part, "inputs") else None
    return tuple(shape[1:]) if isinstance(shape, tuple) else None


def _fits(shape, expected):
    return len(shape) == len(expected) and all(
        wanted in (None, got) for got, wanted in zip(shape, expected, strict=True)
    )


def _check_single(output, name):
    if isinstance(output, (list, tuple, dict)) or not hasattr(output, "shape"):
        raise ValueError(
            f"{name} returns {_kind(output)} of {len(output)} values, but must return "
            "one tensor. Let it return the one that is the code or the output."
        )


def _check_owns_parts(model, built, source):
    """Raise where a model trains other weights than its parts have."""
    own = {id(v) for v in model.weights}
    for name, part in (("encoder", built.encoder), ("decoder", built.decoder)):
        if not {id(v) for v in part.weights} <= own:
            raise ValueError(
                f"{source} has an .{name} whose weights are not its own, so that "
                f"training the model would not train its {name}. Let the model call "
                f"its .{name}."
            )


def _compute_dtype():
    import keras

    return keras.config.dtype_policy().compute_dtype


def _kind(value):
    """Return what messages call a value of the wrong kind."""
    return f"a {type(value).__name__}"


def _lower(source):
    return source[0].lower() + source[1:]
