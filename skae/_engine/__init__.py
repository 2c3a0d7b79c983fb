"""Training and inference on arrays; the only room, beside networks/, that knows Keras.

Importing it imports neither TensorFlow nor Keras: they are imported, silently, when a
network trains or a Keras model is asked for. What trains in NumPy is imported when a
network first trains, too: a process that only scores needs none of it.
"""

from dataclasses import replace

from skae._engine._data import aligned_empty
from skae._engine._forward import TrainedNetwork
from skae._engine._job import (
    Architecture,
    Rows,
    Schedule,
    State,
    Trained,
    TrainingDivergedError,
    TrainingSpec,
)
from skae._engine._losses import reads_probabilities
from skae._engine._order import batch_orders
from skae._engine._threads import OneBlasThread, run_in_threads
from skae.networks import import_quietly

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
    "batch_orders",
    "import_quietly",
    "initial_weights",
    "keras_config",
    "keras_model",
    "output_range",
    "reads_probabilities",
    "run_in_threads",
    "train",
]


def train(spec, rows, validation, schedule, state, seed, mode="auto", *, engine="auto"):
    """Train a network.

    Parameters
    ----------
    spec : TrainingSpec
        What to compute.

    rows : Rows
        Training rows in scaled space.

    validation : Rows or None
        Rows that watch but do not train.

    schedule : Schedule
        How long, and who watches.

    state : State
        Weights to begin with, and the optimizer's state where training continues.

    seed : int
        Seed of fresh weights, batch order and corruption.

    mode : {"auto", "compiled", "xla", "uncompiled"}, default="auto"
        How to run. "auto" trains dense and convolutional networks in NumPy where nobody
        watches, and compiles all else. Losses agree to rounding, but for draws: NumPy
        draws other corruptions, XLA draws in its own way inside the network (Dropout).
        XLA is no network's default: see the job ``modes`` of ``benchmarks/timings.py``.

    Returns
    -------
    trained : Trained

    Raises
    ------
    TrainingDivergedError
        Where a loss or a weight stops being finite.

    TypeError
        Where a callback is none, makes none or cannot be copied.

    ValueError
        Where Keras does not know the loss or the optimizer, the network does not fit
        the data, or the state is another optimizer's.

    Warns
    -----
    UserWarning
        Where a user's network cannot be compiled and runs in Python.
    """
    from skae._engine import _training

    if engine == "keras":
        mode = "compiled"
    elif engine == "numpy":
        from skae._engine._numpy_program import numpy_program

        if schedule.callbacks or numpy_program(spec, schedule, len(rows.x)) is None:
            raise ValueError(
                "engine='numpy', but the network, the loss, the optimizer or the "
                "callbacks need Keras. Use engine='auto'."
            )
    return _training.train(spec, rows, validation, schedule, state, seed, mode)


def keras_model(architecture, weights):
    """Return a Keras model of an architecture with the given weights."""
    import_quietly()
    from skae._engine._models import build_models

    network, weights = architecture.network.exported(weights)
    model = build_models(replace(architecture, network=network), plain=True).model
    model.set_weights(weights)
    return model


def initial_weights(architecture, seed):
    """Return the fresh weights that a training with this seed begins with."""
    import_quietly()
    from skae._engine._models import build_models, initial_weights

    model = build_models(architecture, seed=seed).model
    return initial_weights(architecture, model, seed)


def output_range(architecture):
    """Return the (lowest, highest) value of a network's output; None is unknown."""
    known = architecture.network.output_range()
    if known is None:
        import_quietly()
        from skae._engine._models import build_models

        known = build_models(architecture).output_range
    return known


def keras_config(value):
    """Return what describes an optimizer, loss or layer of Keras; None for others."""
    if not any(c.__module__.startswith("keras.") for c in type(value).__mro__):
        return None
    import_quietly()
    from skae._engine import _keras

    return _keras.keras_config(value)
