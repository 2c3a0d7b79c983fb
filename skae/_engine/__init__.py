"""Training and inference on arrays; with networks/, the only room that knows Keras.

Importing it imports neither TensorFlow nor Keras: they are imported, silently, when a
network trains in Keras or a Keras model is asked for. What trains is imported when a
network first trains, too: a process that only scores needs none of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from skae._engine._losses import reads_probabilities
from skae._engine._network import TrainedNetwork
from skae._engine._spec import (
    Architecture,
    Rows,
    Schedule,
    State,
    Trained,
    TrainingDivergedError,
    TrainingSpec,
    aligned_empty,
)
from skae._engine._threads import OneBlasThread, one_thread, run_in_threads
from skae.networks._quiet import import_quietly

__all__ = [
    "Architecture",
    "OneBlasThread",
    "Rows",
    "Schedule",
    "State",
    "Trained",
    "TrainedNetwork",
    "TrainingDivergedError",
    "TrainingSpec",
    "aligned_empty",
    "import_quietly",
    "initial_weights",
    "keras_config",
    "keras_model",
    "one_thread",
    "reads_probabilities",
    "run_in_threads",
    "train",
]

Range = tuple[float, float]


def train(
    spec: TrainingSpec,
    rows: Rows,
    validation: Rows | None,
    schedule: Schedule,
    state: State,
    seed: int,
    engine: str = "auto",
    check_range: Callable[[Range | None], None] = lambda known: None,
) -> Trained:
    """Train a network, in NumPy where its layers and what is asked allow it."""
    # `engine` "keras" leaves everything to Keras, "numpy" raises where that is needed.
    # `check_range` gets the (lowest, highest) value of the output, or None where it is
    # not known, before anything trains.
    from skae._engine import _train

    return _train.train(
        spec, rows, validation, schedule, state, seed, engine, check_range
    )


def keras_model(
    architecture: Architecture, weights: list[np.ndarray], known: Any = None
) -> Any:
    """Return a Keras model of an architecture with the given weights."""
    # `known` is the fingerprint of a network that a user's code built.
    import_quietly()
    from skae._engine._fingerprint import check_same
    from skae._engine._keras._models import build_models

    check_same(architecture, known)
    seed = 0 if known is None else known.seed
    exported, weights = architecture.network.exported(weights)
    architecture = replace(architecture, network=exported)
    model = build_models(architecture, seed=seed, plain=True).model
    model.set_weights(weights)
    return model


def initial_weights(architecture: Architecture, seed: int) -> list[np.ndarray]:
    """Return the fresh weights that a training with this seed begins with."""
    import_quietly()
    from skae._engine._keras._models import NetworkRunner, build_models

    models = build_models(architecture, seed=seed)
    if not architecture.network.draws_weights:
        return models.model.get_weights()
    return NetworkRunner(architecture, models).fresh_weights(seed)


def keras_config(value: Any) -> Any:
    """Return what describes an optimizer, loss or layer of Keras; None for others."""
    if not any(c.__module__.startswith("keras.") for c in type(value).__mro__):
        return None
    import_quietly()
    from skae._engine._keras import _objects

    return _objects.keras_config(value)
