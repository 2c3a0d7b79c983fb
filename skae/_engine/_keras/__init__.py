"""Training and running in Keras. Imports TensorFlow: import it inside functions."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from skae._engine._digest import CannotDescribeError, digest
from skae._engine._keras import _pool
from skae._engine._keras._callbacks import (
    make_callbacks,
    may_keep_model,
    watches_batches,
)
from skae._engine._keras._models import network_key
from skae._engine._keras._objects import keras_config
from skae._engine._keras._trainer import DataSpec, KerasTrainer, make_trainer
from skae._engine._spec import Rows, Schedule, TrainingSpec


@contextlib.contextmanager
def acquired(
    spec: TrainingSpec,
    rows: Rows,
    validation: Rows | None,
    schedule: Schedule,
    seed: int,
) -> Iterator[tuple[KerasTrainer, dict[str, float]]]:
    """Give the block a trainer, and the seconds that building and tracing it took."""
    callbacks = make_callbacks(schedule.callbacks)
    data = DataSpec.of(spec, rows, validation)
    key = None
    if not any(map(may_keep_model, schedule.callbacks)):
        key = _key(spec, data)
    seconds = {"building": 0.0, "tracing": 0.0}

    def build() -> KerasTrainer:
        trainer = make_trainer(spec, data, seed)
        seconds.update(trainer.seconds)
        return trainer

    # The network runs on the models that trained it: a user's are built once.
    also = ((network_key(spec.architecture), "float32"),)
    with _pool.acquired(key, build, also) as trainer:
        trainer.callbacks = callbacks
        trainer.is_watched_by_batch = any(map(watches_batches, callbacks))
        try:
            yield trainer, seconds
        finally:
            trainer.callbacks = []
            trainer.release()


def _key(spec: TrainingSpec, data: DataSpec) -> Any:
    """Return what tells one compiled computation from another, or None.

    The learning rate is not part of it: it is a variable of the trainer.
    """
    architecture = spec.architecture
    parts = [architecture.network, architecture.shapes]
    parts += [spec.loss, spec.optimizer, spec.corruption, vars(data)]
    try:
        return digest(parts, special=keras_config)
    except CannotDescribeError:
        return None  # the trainer is used once
