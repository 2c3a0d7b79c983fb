"""Training and running in Keras. Imports TensorFlow: import it inside functions."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from skae._engine._digest import CannotDescribeError, digest
from skae._engine._fingerprint import Fingerprint, check_same
from skae._engine._keras import _pool
from skae._engine._keras._models import network_key
from skae._engine._keras._objects import keras_config
from skae._engine._keras._trainer import DataSpec, KerasTrainer, make_trainer
from skae._engine._spec import Rows, Schedule, State, TrainingSpec

_BATCH_HOOKS = (
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_batch_begin",
    "on_batch_end",
)


@contextlib.contextmanager
def acquired(
    spec: TrainingSpec,
    rows: Rows,
    validation: Rows | None,
    schedule: Schedule,
    state: State,
    seed: int,
) -> Iterator[tuple[KerasTrainer, dict[str, float]]]:
    """Give the block a trainer, and the seconds that building and tracing it took."""
    callbacks = [_own(callback) for callback in schedule.callbacks]
    began = [dict(vars(callback)) for callback in callbacks]
    data = DataSpec.of(spec, rows, validation)
    key = None
    if not any(map(_may_keep_model, schedule.callbacks)):
        key = _key(spec, data, state.fingerprint)
    seconds = {"building": 0.0, "tracing": 0.0}

    fresh = None
    if state.models is not None and not spec.architecture.network.draws_weights:
        fresh = state.models.model.get_weights()

    def build() -> KerasTrainer:
        if state.models is None:  # it continues a training
            check_same(spec.architecture, state.fingerprint)
        trainer = make_trainer(spec, data, seed, state.models)
        seconds.update(trainer.seconds)
        return trainer

    def also() -> tuple:
        # The network runs on the models that trained it: a user's are built once.
        # Keras changes classes whose first model is built, and so the key.
        network = network_key(spec.architecture, state.fingerprint)
        return _key(spec, data, state.fingerprint), (network, "float32")

    with _pool.acquired(key, build, also) as trainer:
        trainer.callbacks, trainer.built_weights = callbacks, fresh
        trainer.is_watched_by_batch = any(map(_watches_batches, callbacks))
        try:
            yield trainer, seconds
        finally:
            trainer.callbacks = []
            trainer.release()
            for given, *parts in zip(schedule.callbacks, callbacks, began, strict=True):
                _tell(given, *parts)


def _key(spec: TrainingSpec, data: DataSpec, known: Fingerprint | None) -> Any:
    """Return what tells one compiled computation from another, or None."""
    # The learning rate is not part of it: it is a variable of the trainer.
    architecture = spec.architecture
    parts = [architecture.network, architecture.shapes]
    parts += [spec.loss, spec.optimizer, spec.corruption, vars(data)]
    parts.append(tf.zeros(()).device)  # where its variables are
    if known is not None:
        if known.value is None:
            return None
        parts.append(known.value)
    try:
        return digest(parts, special=keras_config)
    except CannotDescribeError:
        return None  # the trainer is used once


# A user's callback keeps here which attributes a training set, and what they were.
_TOLD = "_told_by_skae"


def _own(callback: Any) -> keras.callbacks.Callback:
    """Return a shallow copy of a callback as it began, or what a function returns."""
    if isinstance(callback, keras.callbacks.Callback):
        before, left = vars(callback).pop(_TOLD, ({}, {}))
        for name, value in left.items():
            if vars(callback).get(name, left) is value:  # the user has not set it since
                del vars(callback)[name]
                if name in before:
                    vars(callback)[name] = before[name]
        try:
            return copy.copy(callback)
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


def _tell(given: Any, own: keras.callbacks.Callback, began: dict[str, Any]) -> None:
    """Set on a user's callback what a training set on its copy, but for models."""
    if own is given or not isinstance(given, keras.callbacks.Callback):
        return
    left = {
        name: value
        for name, value in vars(own).items()
        if began.get(name, began) is not value and not _holds_keras(value)
    }
    before = {name: began[name] for name in left if name in began}
    vars(given).update({**left, _TOLD: (before, left)})


def _holds_keras(value: Any) -> bool:
    """Return whether a value is Keras's or TensorFlow's, or holds such values."""
    parts = list(value.values()) if isinstance(value, dict) else value
    return any(
        kind.__module__.startswith(("keras.", "tensorflow."))
        for one in (parts if isinstance(parts, (list, tuple)) else [value])
        for kind in type(one).__mro__
    )


def _may_keep_model(callback: Any) -> bool:
    """Return whether the user's own code could hold on to the model after the fit."""
    # Keras's callbacks do not when they are copies. Others may have kept it, or changed
    # it in ways that no later fit could know of.
    is_copy = isinstance(callback, keras.callbacks.Callback)
    return not (is_copy and _is_of_keras(type(callback)))


def _watches_batches(callback: keras.callbacks.Callback) -> bool:
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
