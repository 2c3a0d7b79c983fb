"""Networks in training: skae's as a tutorial trains it, and plain Keras's.

What comes back is the same for both, so that rows measure both alike.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from _clock import timed

from skae._engine import import_quietly

# Keras clips probabilities so; without it, one wrong pixel can cost infinitely much.
EPSILON = 1e-7
SECONDS = "training seconds"


@dataclass(frozen=True)
class Trained:
    """A trained network.

    Attributes
    ----------
    model : object
        The fitted estimator, or the Keras model.

    losses : list of float
        The training loss of every epoch.

    restore : callable
        From input rows to output rows.

    seconds : float
        What ``fit`` took, compiling and, for Keras, building included.
    """

    model: Any
    losses: list[float]
    restore: Callable
    seconds: float


def as_in_tutorials(estimator, turn, **params):
    """Return an untrained estimator that trains as the tutorials do.

    That is: on all rows as they are, for all epochs, keeping the last weights; by Adam
    with a learning rate of 0.001, its own, if ``params`` have no other ``optimizer``.
    """
    tutorials = {
        "scaler": None,
        "learning_rate": None,
        "epochs": turn.epochs,
        "validation_fraction": None,
        "patience": None,
        "random_state": turn.seed,
    }
    return estimator(**{**tutorials, **params})


def train(estimator, *rows):
    """Return a skae estimator fitted to rows, or to noisy and clean rows."""
    seconds, fitted = timed(estimator.fit, *rows)
    restore = getattr(fitted, "reconstruct", None) or fitted.predict
    return Trained(fitted, fitted.history_["loss"], restore, seconds)


def train_plain_keras(network, turn, X, y, *, loss, batch_size, **params):
    """Return a network of ``_keras_networks``, by name, trained by Keras's ``fit``."""
    import_quietly()
    networks = importlib.import_module("_keras_networks")
    training = importlib.import_module("_keras_tutorial")
    training.seed_batch_order(turn.seed)

    def build_and_fit():
        model = getattr(networks, network)(turn.seed, **params)
        return model, training.fit(
            model, X, y, loss=loss, epochs=turn.epochs, batch_size=batch_size
        )

    seconds, (model, losses) = timed(build_and_fit)

    def restore(rows):
        return model.predict(rows, batch_size=1000, verbose=0)

    return Trained(model, losses, restore, seconds)


def mean_cross_entropy(output, target):
    """Return the mean binary cross-entropy of all values, in nats."""
    p = np.clip(output.astype(np.float64), EPSILON, 1 - EPSILON)
    return float(-np.mean(target * np.log(p) + (1 - target) * np.log1p(-p)))
