"""Lending compiled programs to trainings. Imports TensorFlow."""

import contextlib
import time

from skae._engine import _cache
from skae._engine._callbacks import make_callbacks, may_keep_model, watches_parts
from skae._engine._digest import CannotDescribeError, digest
from skae._engine._keras import keras_config
from skae._engine._modes import make_program
from skae._engine._rates import ONE_CYCLE


def lend(spec, rows, validation, schedule, seed, mode, untrained):
    """Return this training's own callbacks, and a context of (program, seconds).

    Parameters
    ----------
    spec : TrainingSpec

    rows : Rows

    validation : Rows or None

    schedule : Schedule

    seed : int

    mode : {"auto", "compiled", "xla", "uncompiled"}

    untrained : UntrainedModels
        Where a new program takes its models from.
    """
    callbacks = make_callbacks(schedule.callbacks)
    has_validation = validation is not None
    flags = {
        "has_targets": rows.y is not None,
        "is_weighted": rows.weight is not None,
        "has_validation": has_validation,
        "has_missing": rows.fill is not None,
        "keeps_best": schedule.patience is not None,
        "sets_rate": spec.learning_rate == ONE_CYCLE,
        "by_parts": schedule.verbose >= 2
        or any(watches_parts(c, has_validation) for c in callbacks),
    }
    mode = "compiled" if mode == "auto" else mode
    key = None
    if not any(map(may_keep_model, schedule.callbacks)):
        key = _program_key(spec, flags, mode)
    return callbacks, _lent(
        key, lambda: make_program(spec, flags, mode, seed, untrained)
    )


@contextlib.contextmanager
def _lent(key, build):
    """Give the block (program, seconds that it took to make it)."""
    seconds = {"building": 0.0, "tracing": 0.0}

    def timed_build():
        start = time.perf_counter()
        program = build()
        took = time.perf_counter() - start
        tracing = program.seconds["tracing"]
        seconds.update(building=took - tracing, tracing=tracing)
        return program

    with _cache.borrowed(key, timed_build) as program:
        yield program, seconds


def _program_key(spec, flags, mode):
    """Return what tells one compiled computation from another, or None.

    The learning rate is not part of it: it is a variable of the program.
    """
    architecture = spec.architecture
    parts = [architecture.network, architecture.shapes]
    parts += [spec.loss, spec.optimizer, spec.corruption]
    parts += [flags, mode]
    try:
        return digest(parts, special=keras_config)
    except CannotDescribeError:
        return None  # the program is used once
