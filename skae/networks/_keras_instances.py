"""Copies of models that are already built, also of those that Keras cannot copy."""

import numpy as np

from skae._describe import CannotDescribeError
from skae.networks._keras_configs import (
    CannotCopyError,
    has_own_call,
    layers_within,
)
from skae.networks._keras_copies import Blueprint, copy_of, remade, set_weights


def each(model):
    """Return the models of a pair, or the one in a tuple."""
    return tuple(model) if is_pair(model) else (model,)


def is_pair(made):
    """Return whether a value is a sequence of two."""
    return isinstance(made, (tuple, list)) and len(made) == 2


def is_layer(value):
    """Return whether a value is a Keras layer or model; without importing Keras."""
    return not isinstance(value, type) and any(
        cls.__module__.startswith("keras.") and cls.__name__ == "Layer"
        for cls in type(value).__mro__
    )


def short(model):
    """Return what messages call a model or a pair."""
    if is_pair(model):
        return f"({', '.join(map(short, model))})"
    return f"<{type(model).__name__} {getattr(model, 'name', model)!r}>"


def copied(model, input_shape):
    """Return a copy of what is already built, and what it is a copy of.

    Parameters
    ----------
    model : keras.Model or pair of them

    input_shape : tuple of int
        Shape of one row.

    Returns
    -------
    copy, original : keras.Model or pair of them
        The original is the pair of its parts, where only these can be copied.

    Raises
    ------
    ValueError
        Where no copy can be made.
    """
    if is_pair(model):
        _check_untied(*model)
        return tuple(_copied_whole(part) for part in model), model
    try:
        return _copied_whole(model), model
    except ValueError:
        parts = getattr(model, "encoder", None), getattr(model, "decoder", None)
        if not has_own_call(model) or not all(map(is_layer, parts)):
            raise
        copies = tuple(_copied_whole(part) for part in parts)
        if not _is_nothing_but(model, copies, input_shape):
            raise
        return copies, parts


def keep_weights(model, copy):
    """Give a copy the weights of a model.

    Raises
    ------
    ValueError
        Where the model has other weights than its copy, or none.
    """
    check_weights(model, copy)
    kept, needed = ([tuple(v.shape) for v in one.weights] for one in (model, copy))
    if len(kept) != len(needed):
        raise ValueError(
            f"initial_weights='keep', but {short(model)} has {len(kept)} of its "
            f"{len(needed)} weights so far. Call it on rows first, or use "
            "initial_weights='fresh'."
        )
    if kept != needed:
        raise ValueError(
            f"initial_weights='keep', but the weights of {short(model)} have shapes "
            f"{kept}, and rows of this shape need {needed}. Pass data of the shape "
            "that it was trained on, or initial_weights='fresh'."
        )
    set_weights(copy, model.get_weights())


def check_weights(model, copy):
    """Raise a ValueError where a copy has weights apart that the model shares."""
    kept, found = len(model.weights), len(copy.weights)
    inner = [layer for layer in layers_within(model) if layer is not model]
    if kept != found and all(layer.built for layer in inner):
        raise ValueError(
            f"{short(model)} has {kept} weights, but a copy that Keras makes of it has "
            f"{found}: layers that share weights lose this. Pass a function that "
            "builds the model."
        )


def blueprint_of(model):
    """Return the `Blueprint` of a model, for pickles and descriptions.

    Raises
    ------
    TypeError
        Where Keras cannot make an equal one.
    """
    try:
        return Blueprint.of(model)
    except CannotCopyError as exc:
        raise TypeError(
            f"{short(model)} cannot leave this process: Keras cannot make another one "
            f"of its configuration ({exc}). For n_jobs, pickling and memory, "
            f"{_advice(model)}."
        ) from exc


def describe_model(model):
    """Return all that a Keras layer or model computes from, in describable values.

    Raises
    ------
    CannotDescribeError
        Where Keras does not tell.
    """
    try:
        return vars(blueprint_of(model))
    except TypeError as exc:
        raise CannotDescribeError(str(exc)) from exc


def _copied_whole(model):
    """Return a copy of one model, whichever way one can be had."""
    try:
        return copy_of(model)
    except CannotCopyError as exc:
        try:
            return remade(model)
        except CannotCopyError:
            raise ValueError(
                f"{short(model)} cannot be copied, so that each fit would train it "
                f"further: Keras cannot make another one of its configuration ({exc}). "
                f"Instead, {_advice(model)}."
            ) from exc


def _advice(model):
    name = type(model).__name__
    if has_own_call(model):
        return f"pass the class, KerasNetwork({name}), or give {name} a get_config"
    return "pass the class or function that builds it"


def _check_untied(encoder, decoder):
    """Raise where the models of a pair share weights, which copies would not."""
    own = {id(variable) for variable in encoder.weights}
    shared = [v.path for v in decoder.weights if id(v) in own]
    if shared:
        raise ValueError(
            f"The encoder and decoder of KerasNetwork share the weights "
            f"{', '.join(map(repr, shared))}, which their copies would not. Pass a "
            "function that builds the pair."
        )


def _is_nothing_but(model, parts, input_shape):
    """Return whether calling a model is calling its decoder on its encoder's code.

    Its ``call`` runs on copies of the parts: the model itself stays as it is.
    """
    rows = np.random.default_rng(0).normal(size=(3, *input_shape))
    rows = rows.astype(parts[0].compute_dtype)
    try:
        expected = parts[1](parts[0](rows))
    except Exception:  # the parts do not fit the rows, which is another matter
        return True
    try:
        made = type(model).call(_PartsOnly(model, *parts), rows)
        return np.array_equal(np.asarray(made), np.asarray(expected))
    except Exception:  # a user's code, which wants more than the parts
        return False


class _PartsOnly:
    """Stands for a model in its own ``call``: copies of its parts, and plain values."""

    def __init__(self, model, encoder, decoder):
        self._model = model
        self.encoder = encoder
        self.decoder = decoder

    def __getattr__(self, name):
        value = getattr(self._model, name)
        if isinstance(value, (bool, int, float, str, tuple, type(None))):
            return value
        raise AttributeError(f"{name} is more than a value")
