"""Training: get a program, load it, run it, copy the result out.

Who owns what: the *program* owns weights and gradients while it trains, the *loop* owns
the epochs and the history, this module owns what surrounds them. There are two kinds of
programs with the same methods: dense and convolutional networks train in NumPy, others
in TensorFlow, which is imported where it is needed.
"""

import contextlib
import time
import warnings

import numpy as np

from skae._engine._checks import check_learning_rate
from skae._engine._job import State, Trained, TrainingDivergedError
from skae._engine._loop import Loop
from skae._engine._numpy_program import numpy_program
from skae._engine._rates import ONE_CYCLE, step_rates
from skae._random import stream
from skae.networks._quiet import import_quietly

# What a training draws beside its batch order: first counter of the stream.
_STEPS, _VALIDATION, _LAYERS = 1, 2, 3


def train(spec, rows, validation, schedule, state, seed, mode):
    """Train a network; documented as ``skae._engine.train``."""
    check_learning_rate(spec.optimizer, spec.learning_rate)
    start = time.perf_counter()
    callbacks, lent = [], None
    if mode == "auto" and not schedule.callbacks:
        lent = _in_numpy(spec, schedule, len(rows.x))
    if lent is None:
        import_quietly()
        from skae._engine import _compiled

        callbacks, lent = _compiled.lend(spec, rows, validation, schedule, seed, mode)
    noise_seed = int(stream(seed, "corruption", _VALIDATION).integers(2**31))
    layer_seed = stream(seed, "corruption", _LAYERS, schedule.first_epoch)
    with lent as (program, seconds):
        if program.warning is not None:
            warnings.warn(program.warning, UserWarning, stacklevel=3)
        if state.weights is None:
            state = State(program.fresh_weights(spec, seed), state.optimizer)
        rate = spec.learning_rate
        program.load(state, None if rate == ONE_CYCLE else rate, layer_seed)
        data = program.data(spec, rows, validation, noise_seed)
        noise = stream(seed, "corruption", _STEPS, schedule.first_epoch)
        n_steps = -(-len(rows.x) // schedule.batch_size)
        own = program.learning_rate() if rate == ONE_CYCLE else None
        rates = step_rates(rate, own, schedule.epochs, n_steps)
        history = Loop(program, data, schedule, callbacks, seed, noise, rates).run()
        trained = State(program.weights(), program.optimizer_state())
        _check_finite(trained.weights, schedule, history, program)
        seconds = seconds | {"validation": program.validation_seconds}
    training = time.perf_counter() - start - sum(seconds.values())
    seconds = seconds | {"training": training}
    return Trained(trained, history, seconds, program.latent_shape)


def _in_numpy(spec, schedule, n_rows):
    """Return a context of (program, seconds) in NumPy, or None."""
    start = time.perf_counter()
    program = numpy_program(spec, schedule, n_rows)
    if program is None:
        return None
    seconds = {"building": time.perf_counter() - start, "tracing": 0.0}
    return contextlib.nullcontext((program, seconds))


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
