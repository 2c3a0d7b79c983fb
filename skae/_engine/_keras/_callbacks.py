"""Keras callbacks: this fit's own ones, and what they ask of the loop."""

from __future__ import annotations

import copy
from typing import Any

import keras

_BATCH_HOOKS = (
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_batch_begin",
    "on_batch_end",
)


def make_callbacks(callbacks: list) -> list[keras.callbacks.Callback]:
    """Return this fit's own callbacks: copies, or what the functions return."""
    return [_own(callback) for callback in callbacks]


def _own(callback: Any) -> keras.callbacks.Callback:
    """Return a copy of a callback, or what a function returns."""
    if isinstance(callback, keras.callbacks.Callback):
        try:
            return copy.deepcopy(callback)
        except TypeError as exc:
            raise TypeError(
                f"callbacks holds {callback!r}, which cannot be copied ({exc}). Pass a "
                "function that makes it, such as lambda: MyCallback()."
            ) from exc
    if not callable(callback):
        raise TypeError(
            f"callbacks holds {callback!r}, which is neither a "
            "keras.callbacks.Callback nor a function that makes one. Pass one of these."
        )
    made = callback()
    if not isinstance(made, keras.callbacks.Callback):
        raise TypeError(
            f"callbacks holds {callback!r}, which made {made!r}; a function "
            "in callbacks must return a keras.callbacks.Callback."
        )
    return made


def may_keep_model(callback: Any) -> bool:
    """Return whether the user's own code could hold on to the model after the fit."""
    # Keras's callbacks do not when they are copies. Others may have kept it, or changed
    # it in ways that no later fit could know of.
    is_copy = isinstance(callback, keras.callbacks.Callback)
    return not (is_copy and _is_of_keras(type(callback)))


def watches_batches(callback: keras.callbacks.Callback) -> bool:
    """Return whether a callback wants a call at each batch."""
    return any(not _is_idle(callback, hook) for hook in _BATCH_HOOKS)


def _is_idle(callback: keras.callbacks.Callback, hook: str) -> bool:
    """Return whether a hook does nothing."""
    function = getattr(getattr(callback, hook), "__func__", None)
    if function is getattr(keras.callbacks.Callback, hook):
        return True
    # ModelCheckpoint and BackupAndRestore look at batches only when told to save there.
    saves_epochs = getattr(callback, "save_freq", None) == "epoch"
    return function is not None and saves_epochs and _is_of_keras(function)


def _is_of_keras(thing: Any) -> bool:
    """Return whether a class or function is Keras's own."""
    return thing.__module__.startswith("keras.")
