"""The tutorials' detector in plain Keras, as TensorFlow's tutorial writes it.

Two things differ: layers and batch order have seeds, so that a run can be repeated, and
rows are flagged as +1 and -1. Imports Keras: import this module inside functions, after
``skae._engine.import_quietly``, which keeps TensorFlow's start-up messages back.
"""

import keras
import numpy as np
import tensorflow as tf
from keras import layers


class AnomalyDetector(keras.Model):
    """Dense layers 140-32-16-8 and back."""

    def __init__(self, seed):
        super().__init__()
        seeds = iter(np.random.SeedSequence(seed).generate_state(6))

        def dense(units, activation):
            start = keras.initializers.GlorotUniform(seed=int(next(seeds)))
            return layers.Dense(units, activation, kernel_initializer=start)

        self.encoder = keras.Sequential(
            [dense(32, "relu"), dense(16, "relu"), dense(8, "relu")]
        )
        self.decoder = keras.Sequential(
            [dense(16, "relu"), dense(32, "relu"), dense(140, "sigmoid")]
        )

    def call(self, x):
        """Return reconstructed rows."""
        return self.decoder(self.encoder(x))


def seed_batch_order(seed):
    """Let the next ``train`` see its batches in an order that can be repeated.

    Not part of ``train``: TensorFlow then forgets all kernels of the process, which
    costs the next training time, skae's as well as Keras's.
    """
    tf.random.set_seed(seed)


def train(normals, seed, *, epochs, batch_size):
    """Build, compile and fit; return the model and the loss of every epoch."""
    model = AnomalyDetector(seed)
    losses = fit(
        model, normals, normals, loss="mae", epochs=epochs, batch_size=batch_size
    )
    return model, losses


def fit(model, X, y, *, loss, epochs, batch_size):
    """Compile and fit a model; return the loss of every epoch."""
    model.compile(optimizer="adam", loss=loss)
    history = model.fit(
        X, y, epochs=epochs, batch_size=batch_size, shuffle=True, verbose=0
    )
    return history.history["loss"]


def find_threshold(model, normals):
    """Return mean plus standard deviation of the training rows' errors."""
    errors = _errors(model, normals)
    return np.mean(errors) + np.std(errors)


def predict(model, X, threshold):
    """Return +1 for rows with an error below the threshold, else -1."""
    return np.where(_errors(model, X) < threshold, 1, -1)


def _errors(model, X):
    return keras.losses.mean_absolute_error(model.predict(X, verbose=0), X).numpy()
