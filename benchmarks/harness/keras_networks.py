"""The tutorials' networks in plain Keras, and their training, as the tutorials have it.

What differs: layers and batch order have seeds, so that a run can be repeated, and rows
are flagged as +1 and -1. Imports Keras: import this module inside functions, after
`harness.machine.import_keras`.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from harness.trainers import ECG_UNITS

if TYPE_CHECKING:
    from collections.abc import Callable

IMAGE = (28, 28, 1)
N_PIXELS = 784


def dense(
    seed: int, units: tuple[int, ...] = (32,), activity_l1: float = 0.0
) -> keras.Sequential:
    """Return dense layers from 784 pixels down to the last of ``units``, and back.

    The blog's first three networks: one layer each way, with a penalty on the code's
    activity, and with several layers.
    """
    layer = _seeded(seed)
    *hidden, width = units
    penalty = keras.regularizers.L1(activity_l1) if activity_l1 else None
    return keras.Sequential(
        [
            keras.Input((N_PIXELS,)),
            *(layer(layers.Dense, n, activation="relu") for n in hidden),
            layer(layers.Dense, width, activation="relu", activity_regularizer=penalty),
            *(layer(layers.Dense, n, activation="relu") for n in hidden[::-1]),
            layer(layers.Dense, N_PIXELS, activation="sigmoid"),
        ]
    )


def conv_small(seed: int) -> keras.Sequential:
    """Return the blog's convolutional network, with a code of 4 x 4 x 8."""
    layer = _seeded(seed)
    conv3 = functools.partial(
        layer, layers.Conv2D, kernel_size=3, activation="relu", padding="same"
    )
    return keras.Sequential(
        [
            keras.Input(IMAGE),
            conv3(16),
            layers.MaxPooling2D(padding="same"),
            conv3(8),
            layers.MaxPooling2D(padding="same"),
            conv3(8),
            layers.MaxPooling2D(padding="same"),
            conv3(8),
            layers.UpSampling2D(),
            conv3(8),
            layers.UpSampling2D(),
            conv3(16, padding="valid"),  # 16 x 16 becomes 14 x 14
            layers.UpSampling2D(),
            conv3(1, activation="sigmoid"),
        ]
    )


def conv(seed: int) -> keras.Sequential:
    """Return Keras's example of a convolutional network, with a code of 7 x 7 x 32."""
    layer = _seeded(seed)
    same = {"kernel_size": 3, "activation": "relu", "padding": "same"}
    return keras.Sequential(
        [
            keras.Input(IMAGE),
            layer(layers.Conv2D, 32, **same),
            layers.MaxPooling2D(padding="same"),
            layer(layers.Conv2D, 32, **same),
            layers.MaxPooling2D(padding="same"),
            layer(layers.Conv2DTranspose, 32, strides=2, **same),
            layer(layers.Conv2DTranspose, 32, strides=2, **same),
            layer(layers.Conv2D, 1, **same | {"activation": "sigmoid"}),
        ]
    )


def conv_strided(seed: int) -> keras.Sequential:
    """Return TensorFlow's denoising network, with a code of 7 x 7 x 8."""
    layer = _seeded(seed)
    same = {"kernel_size": 3, "activation": "relu", "padding": "same"}
    return keras.Sequential(
        [
            keras.Input(IMAGE),
            layer(layers.Conv2D, 16, strides=2, **same),
            layer(layers.Conv2D, 8, strides=2, **same),
            layer(layers.Conv2DTranspose, 8, strides=2, **same),
            layer(layers.Conv2DTranspose, 16, strides=2, **same),
            layer(layers.Conv2D, 1, **same | {"activation": "sigmoid"}),
        ]
    )


class ClippedNoise(layers.Layer):
    """Gaussian noise while training, clipped to [0, 1]; Keras's own stops at 1."""

    def __init__(self, std: float, seed: int) -> None:
        super().__init__()
        self._std = std
        self._seeds = keras.random.SeedGenerator(seed)

    def call(self, x: Any, training: bool = False) -> Any:
        """Return images with noise."""
        if not training:
            return x
        noise = keras.random.normal(keras.ops.shape(x), seed=self._seeds)
        return keras.ops.clip(x + self._std * noise, 0.0, 1.0)


def dense_denoiser(seed: int) -> keras.Sequential:
    """Return dense layers 784-512-32-512-784 for images; noise of 3 while training."""
    layer = _seeded(seed)
    return keras.Sequential(
        [
            keras.Input(IMAGE),
            ClippedNoise(3.0, seed),
            layers.Flatten(),
            *(layer(layers.Dense, n, activation="relu") for n in (512, 32, 512)),
            layer(layers.Dense, N_PIXELS, activation="sigmoid"),
            layers.Reshape(IMAGE),
        ]
    )


class AnomalyDetector(keras.Model):
    """TensorFlow's detector of heartbeats: dense layers 140-32-16-8 and back."""

    def __init__(self, seed: int = 0, latent_dim: int = ECG_UNITS[-1]) -> None:
        super().__init__()
        dense = functools.partial(_seeded(seed), layers.Dense)
        hidden = ECG_UNITS[:-1]
        self.encoder = keras.Sequential(
            [dense(n, activation="relu") for n in (*hidden, latent_dim)]
        )
        self.decoder = keras.Sequential(
            [
                *(dense(n, activation="relu") for n in hidden[::-1]),
                dense(140, activation="sigmoid"),
            ]
        )

    def call(self, x: Any) -> Any:
        """Return reconstructed rows."""
        return self.decoder(self.encoder(x))


def _seeded(seed: int) -> Callable:
    """Return a function that makes layers, each with a seed of its own."""
    seeds = iter(np.random.SeedSequence(seed).generate_state(16))

    def layer(kind: type, *args: Any, **params: Any) -> Any:
        start = keras.initializers.GlorotUniform(seed=int(next(seeds)))
        return kind(*args, kernel_initializer=start, **params)

    return layer


# ------------------------------------------------------------------------- training


def seed_batch_order(seed: int) -> None:
    """Let the next training see its batches in an order that can be repeated.

    Not part of ``fit``: TensorFlow then forgets all kernels of the process, which costs
    the next training time, skae's as well as Keras's.
    """
    tf.random.set_seed(seed)


def fit(
    model: keras.Model,
    X: np.ndarray,
    y: np.ndarray,
    *,
    loss: str,
    epochs: int,
    batch_size: int,
) -> list[float]:
    """Compile and fit a model; return the loss of every epoch."""
    model.compile(optimizer="adam", loss=loss)
    history = model.fit(
        X, y, epochs=epochs, batch_size=batch_size, shuffle=True, verbose=0
    )
    return history.history["loss"]


def fit_ecg(
    normals: np.ndarray, seed: int, *, epochs: int, batch_size: int
) -> tuple[keras.Model, list[float]]:
    """Build and train the tutorial's detector; return it and the epochs' losses."""
    model = AnomalyDetector(seed)
    losses = fit(
        model, normals, normals, loss="mae", epochs=epochs, batch_size=batch_size
    )
    return model, losses


def find_threshold(model: keras.Model, normals: np.ndarray) -> float:
    """Return mean plus standard deviation of the training rows' errors."""
    errors = _errors(model, normals)
    return np.mean(errors) + np.std(errors)


def predict(model: keras.Model, X: np.ndarray, threshold: float) -> np.ndarray:
    """Return +1 for rows with an error below the threshold, else -1."""
    return np.where(_errors(model, X) < threshold, 1, -1)


def _errors(model: keras.Model, X: np.ndarray) -> np.ndarray:
    """Return the mean absolute error of each row."""
    return keras.losses.mean_absolute_error(model.predict(X, verbose=0), X).numpy()
