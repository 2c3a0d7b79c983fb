"""Trainings for ``speed.py``: skae's, and its rivals' as a careful user writes them.

Every function trains on all rows, for so many epochs, keeping the last weights, and
returns a function that reconstructs rows.
"""

import functools

from _contenders import train_plain_keras
from _networks import CONV_STRIDED
from _networks import dense as skae_dense
from _speed_rivals import mlp, torch_loop
from _tutorial import Turn

from skae import AutoencoderTransformer, DenoisingRegressor

WIDTH = 64


def skae_images(X, seed, epochs, **params):
    """784-64-784 by skae."""
    model = AutoencoderTransformer(
        WIDTH,
        network=skae_dense(),
        scaler=None,
        loss="mse",
        epochs=epochs,
        validation_fraction=None,
        patience=None,
        random_state=seed,
        **params,
    ).fit(X)
    return model.reconstruct


def skae_denoiser(noisy, clean, seed, epochs, batch_size):
    """TensorFlow's denoising network by skae."""
    return (
        DenoisingRegressor(
            network=CONV_STRIDED,
            scaler=None,
            loss="mse",
            epochs=epochs,
            batch_size=batch_size,
            validation_fraction=None,
            patience=None,
            random_state=seed,
        )
        .fit(noisy, clean)
        .predict
    )


def keras_images(network, X, y, seed, epochs, batch_size, **params):
    """One of ``_keras_networks`` by Keras's ``fit``."""
    trained = train_plain_keras(
        network,
        Turn(seed, None, epochs),
        X,
        y,
        loss="mse",
        batch_size=batch_size,
        **params,
    )
    return trained.restore


def scikeras_images(X, seed, epochs, batch_size):
    """784-64-784 by SciKeras's ``KerasRegressor``."""
    from scikeras.wrappers import KerasRegressor

    model = KerasRegressor(
        _keras_784_64,
        model__seed=seed,
        loss="mse",
        optimizer="adam",
        epochs=epochs,
        batch_size=batch_size,
        verbose=0,
    ).fit(X, X)
    return functools.partial(model.predict, batch_size=1000)


def _keras_784_64(seed):
    import _keras_networks

    return _keras_networks.dense(seed, (WIDTH,))


def mlp_images(X, seed, epochs, batch_size):
    """784-64-784 by scikit-learn, whose output layer is linear."""
    return mlp(X, seed, epochs, batch_size, (WIDTH,)).predict


def torch_images(X, seed, epochs, batch_size):
    """784-64-784 by a plain loop in PyTorch."""
    return torch_loop(X, seed, epochs, batch_size, (WIDTH,), "mse")
