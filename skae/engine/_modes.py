"""How a program runs: compiled, compiled by XLA, or uncompiled.

Imports TensorFlow; ``skae.engine`` imports this module when it trains.
"""

import numpy as np

from skae.engine._effects import side_effect
from skae.engine._models import build_models, world_of
from skae.engine._objective import Objective
from skae.engine._program import Program


def make_program(design, flags, mode, seed):
    """Return a program; one that runs uncompiled where nothing else can serve.

    That is where the code of a user's network cannot be compiled, or does something in
    Python beside computing its output, which a compiled program would not repeat. The
    program's ``warning`` then says so, to every fit that borrows it.
    """
    network = design.architecture.network
    if network.draws_weights and not callable(design.loss):
        return Program(design, **flags, mode=mode, seed=seed)
    with world_of(seed):
        return _program_of_user_code(design, flags, mode, seed)


def _program_of_user_code(design, flags, mode, seed):
    network = design.architecture.network
    reason = None
    if mode != "uncompiled":
        reason = _reason_against_compiling(design)
    if reason is None:
        try:
            return Program(design, **flags, mode=mode, seed=seed)
        except Exception as exc:
            if mode == "uncompiled" or not _runs_uncompiled(design):
                raise
            reason = f"it cannot be compiled ({_first_line(exc)})"
    program = Program(design, **flags, mode="uncompiled", seed=seed)
    program.warning = (
        f"The network built by {network!r} trains uncompiled, one operation after the "
        f"other in Python, which is slower: {reason}. Use keras.ops or tf functions "
        "only, and keep no state in Python attributes, to have it compiled."
    )
    return program


def _reason_against_compiling(design):
    """Return why the network must run in Python, or None."""
    if design.architecture.network.draws_weights:
        return None
    models = build_models(design.architecture)
    if getattr(models.model, "run_eagerly", False):
        return "it was compiled with run_eagerly=True"
    return side_effect(models.model, design.architecture.input_shape)


def _runs_uncompiled(design):
    """Return whether the loss of two rows can be computed in Python."""
    architecture = design.architecture
    try:
        objective = Objective(build_models(architecture), design)
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
