"""How a program runs: compiled, compiled by XLA, or uncompiled.

Imports TensorFlow; ``skae._engine`` imports this module when it trains.
"""

import numpy as np

from skae._engine._effects import side_effect
from skae._engine._models import seeded_global_state
from skae._engine._objective import Objective
from skae._engine._program import Program


def make_program(spec, flags, mode, seed, untrained):
    """Return a program; one that runs uncompiled where nothing else can serve.

    That is where the code of a user's network cannot be compiled, or does something in
    Python besides computing its output, which a compiled program would not repeat. The
    program's ``warning`` then says so, to every fit that borrows it.
    """
    network = spec.architecture.network
    if network.draws_weights and not callable(spec.loss):
        return Program(spec, untrained.take(), **flags, mode=mode)
    with seeded_global_state(seed):
        return _program_of_user_code(spec, flags, mode, untrained)


def _program_of_user_code(spec, flags, mode, untrained):
    network, models = spec.architecture.network, untrained.take()
    reason = None
    if mode != "uncompiled" and not network.draws_weights:
        n_variables = len(models.model.variables)
        reason = _reason_against_compiling(models.model, spec)
        if len(models.model.variables) != n_variables:
            models = untrained.take()  # the calls made some that no fresh model has
    if reason is None:
        try:
            return Program(spec, models, **flags, mode=mode)
        except Exception as exc:
            if mode == "uncompiled":
                raise
            if not _runs_uncompiled(models, spec):
                models = untrained.take()  # perhaps compiling left something in them
                if not _runs_uncompiled(models, spec):
                    raise
            reason = f"it cannot be compiled ({_first_line(exc)})"
    program = Program(spec, models, **flags, mode="uncompiled")
    program.warning = (
        f"The network built by {network!r} trains uncompiled, one operation after the "
        f"other in Python, which is slower: {reason}. Use keras.ops or tf functions "
        "only, and keep no state in Python attributes, to have it compiled."
    )
    return program


def _reason_against_compiling(model, spec):
    """Return why a user's model must run in Python, or None; it stays as it is."""
    if getattr(model, "run_eagerly", False):
        return "it was compiled with run_eagerly=True"
    return side_effect(model, spec.architecture.input_shape)


def _runs_uncompiled(models, spec):
    """Return whether the loss of two rows can be computed in Python."""
    architecture = spec.architecture
    try:
        objective = Objective(models, spec)
        x, y = (
            np.zeros((2, *shape), np.float32)
            for shape in (architecture.input_shape, architecture.output_shape)
        )
        objective.losses(x, y, None, training=True)
    except Exception:
        return False
    return True


def _first_line(exc):
    """Return the first line of an exception that says something."""
    lines = [line.strip() for line in str(exc).splitlines()]
    return next((line for line in lines if line), type(exc).__name__)
