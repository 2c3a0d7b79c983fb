"""Copies of models that are already built, also of those that Keras cannot copy."""

import numpy as np

from skae.networks._keras_configs import CannotCopyError, has_own_call
from skae.networks._keras_copies import Blueprint, copy_of, remade


def each(model):
    """Return the models of a pair, or the one in a tuple."""
    return tuple(model) if is_pair(model) else (model,)


def is_pair(made):
    """Return whether a value is a sequence of two."""
    return isinstance(made, (tuple, list)) and len(made) == 2


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
        if not has_own_call(model):
            raise
        parts = model.encoder, model.decoder
        copies = tuple(_copied_whole(part) for part in parts)
        if not _is_nothing_but(model, copies, input_shape):
            raise
        return copies, parts


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
