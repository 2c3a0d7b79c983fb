"""Training: borrow a program, load it, run it, copy the result out.

Who owns what: the *program* owns the variables while it is borrowed, the *loop* owns
the epochs and the history, this module owns what surrounds them. Imports TensorFlow;
``skae.engine`` imports this module when it trains.
"""

import time
import warnings

import numpy as np

from skae._describe import CannotDescribeError, digest
from skae._random import stream
from skae.engine import _cache
from skae.engine._callbacks import make_callbacks, may_keep_model, watches_parts
from skae.engine._data import as_tensors
from skae.engine._job import State, Trained, TrainingDivergedError
from skae.engine._keras import check_optimizer, keras_config
from skae.engine._loop import Loop
from skae.engine._models import initial_weights
from skae.engine._modes import make_program

# What a training draws beside its batch order: first counter of the stream.
_STEPS, _VALIDATION, _LAYERS = 1, 2, 3


def train(design, rows, validation, schedule, state, seed, mode):
    """Train a network; documented as ``skae.engine.train``."""
    check_optimizer(design.optimizer, design.learning_rate)
    callbacks = make_callbacks(schedule.callbacks)
    has_validation = validation is not None
    flags = {
        "has_targets": rows.y is not None,
        "is_weighted": rows.weight is not None,
        "has_validation": has_validation,
        "keeps_best": schedule.patience is not None,
        "by_parts": any(watches_parts(c, has_validation) for c in callbacks),
    }
    key = None
    if not any(map(may_keep_model, schedule.callbacks)):
        key = _program_key(design, flags, mode)
    start = time.perf_counter()
    seconds = {"building": 0.0, "tracing": 0.0}

    def build():
        program = make_program(design, flags, mode, seed)
        seconds.update(program.seconds)
        return program

    noise_seed = int(stream(seed, "corruption", _VALIDATION).integers(2**31))
    layer_seed = stream(seed, "corruption", _LAYERS, schedule.first_epoch)
    with _cache.borrowed(key, build) as program:
        if program.warning is not None:
            warnings.warn(program.warning, UserWarning, stacklevel=3)
        if state.weights is None:
            weights = initial_weights(design.architecture, program.model, seed)
            state = State(weights, state.optimizer)
        program.load(state, design.learning_rate, layer_seed)
        data = as_tensors(design, rows, validation, noise_seed)
        noise = stream(seed, "corruption", _STEPS, schedule.first_epoch)
        history = Loop(program, data, schedule, callbacks, seed, noise).run()
        trained = State(program.weights(), program.optimizer_state())
        _check_finite(trained.weights, schedule, history, program)
    elapsed = time.perf_counter() - start
    seconds["training"] = elapsed - sum(seconds.values())
    return Trained(trained, history, seconds, program.latent_shape)


def _program_key(design, flags, mode):
    """Return what tells one compiled computation from another, or None.

    The learning rate is not part of it: it is a variable of the program.
    """
    architecture = design.architecture
    parts = [architecture.network, architecture.shapes]
    parts += [design.loss, design.optimizer, design.corruption]
    parts += [flags, mode]
    try:
        return digest(parts, special=keras_config)
    except CannotDescribeError:
        return None  # the program is used once


def _check_finite(weights, schedule, history, program):
    """Raise where the last steps, whose loss nobody has seen, ruined the weights."""
    for weight in weights:
        finite = np.isfinite(weight)
        if not finite.all():
            raise TrainingDivergedError(
                name="weights",
                value=float(weight[~finite][0]),
                epoch=schedule.first_epoch + len(history["loss"]),
                last_finite=None,
                learning_rate=program.learning_rate(),
            )
