"""Training and inference on arrays; the only room, beside networks/, that knows Keras.

Importing it imports neither TensorFlow nor Keras: they are imported, silently, when a
network trains or a Keras model is asked for.
"""

from skae.engine._job import (
    Architecture,
    Design,
    Rows,
    Schedule,
    State,
    Trained,
    TrainingDivergedError,
)
from skae.engine._losses import reads_probabilities
from skae.engine._numpy import cast, forward
from skae.engine._order import batch_orders
from skae.engine._tensorflow import import_quietly

__all__ = [
    "Architecture",
    "Design",
    "Rows",
    "Schedule",
    "State",
    "Trained",
    "TrainingDivergedError",
    "batch_orders",
    "cast",
    "forward",
    "keras_config",
    "keras_model",
    "reads_probabilities",
    "train",
]


def train(design, rows, validation, schedule, state, seed):
    """Train a network.

    Parameters
    ----------
    design : Design
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
        Seed of batch order and corruption.

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
    """
    import_quietly()
    from skae.engine import _training

    return _training.train(design, rows, validation, schedule, state, seed)


def keras_model(architecture, weights):
    """Return a Keras model of an architecture with the given weights."""
    import_quietly()
    from skae.engine._keras import build_model

    model = build_model(architecture)
    model.set_weights(weights)
    return model


def keras_config(value):
    """Return the configuration of a Keras optimizer or loss; None for anything else."""
    if not any(c.__module__.startswith("keras.") for c in type(value).__mro__):
        return None
    import_quietly()
    from skae.engine import _keras

    return _keras.keras_config(value)
