"""The tutorials' image networks in plain Keras, as the tutorials write them.

One thing differs: layers have seeds, so that a run can be repeated. Imports Keras:
import this module inside functions, after ``skae._engine.import_quietly``.
"""

import functools

import keras
import numpy as np
from keras import layers

IMAGE = (28, 28, 1)
N_PIXELS = 784


def dense(seed, units=(32,), activity_l1=0.0):
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


def conv_small(seed):
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


def conv(seed):
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


def conv_strided(seed):
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

    def __init__(self, std, seed):
        super().__init__()
        self._std = std
        self._seeds = keras.random.SeedGenerator(seed)

    def call(self, x, training=False):
        """Return images with noise."""
        if not training:
            return x
        noise = keras.random.normal(keras.ops.shape(x), seed=self._seeds)
        return keras.ops.clip(x + self._std * noise, 0.0, 1.0)


def dense_denoiser(seed):
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


def _seeded(seed):
    """Return a function that makes layers, each with a seed of its own."""
    seeds = iter(np.random.SeedSequence(seed).generate_state(16))

    def layer(kind, *args, **params):
        start = keras.initializers.GlorotUniform(seed=int(next(seeds)))
        return kind(*args, kernel_initializer=start, **params)

    return layer
