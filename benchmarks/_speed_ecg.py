"""Who trains the tutorials' ECG detector, 140-32-16-8 and back, in ``speed.py``.

Run as a script, it is the process of a first fit: it prints what importing and fitting
took, and the loss. Importing this module imports NumPy alone.
"""

import functools
import json
import sys

import numpy as np
from _clock import timed
from _speed_rivals import mlp, pyod_detector, torch_loop, torch_reconstruct

UNITS = (32, 16, 8)
BATCH_SIZE = 512


def _skae():
    from _ecg import tutorial_detector

    return lambda X, seed, epochs: tutorial_detector(seed, epochs).fit(X).reconstruct


def _keras():
    from skae._engine import import_quietly

    import_quietly()
    import _keras_tutorial

    def fit(X, seed, epochs):
        model, _ = _keras_tutorial.train(X, seed, epochs=epochs, batch_size=BATCH_SIZE)
        return functools.partial(model.predict, verbose=0)

    return fit


def _torch():
    import torch  # noqa: F401

    return lambda X, seed, epochs: torch_loop(X, seed, epochs, BATCH_SIZE, UNITS, "mae")


def _mlp():
    import sklearn.neural_network  # noqa: F401

    units = (*UNITS, *UNITS[-2::-1])
    return lambda X, seed, epochs: mlp(X, seed, epochs, BATCH_SIZE, units).predict


def _pyod():
    import torch  # noqa: F401
    from pyod.models.auto_encoder import AutoEncoder  # noqa: F401

    def fit(X, seed, epochs):
        return torch_reconstruct(
            pyod_detector(X, seed, epochs, BATCH_SIZE, UNITS).model
        )

    return fit


#: Name: imports what it needs, and returns a function from (rows, seed, epochs) to a
#: function that reconstructs.
CONTENDERS = {
    "skae": _skae,
    "Keras fit": _keras,
    "PyOD": _pyod,
    "PyTorch loop": _torch,
    "MLPRegressor": _mlp,
}


def mean_absolute_error(reconstruct, X):
    """Return the mean absolute error of reconstructed rows."""
    return float(np.mean(np.abs(reconstruct(X) - X)))


def main(name, path, seed, epochs):
    """Print the seconds of imports, those of the first fit, and the loss."""
    X = np.load(path)
    imports, fit = timed(CONTENDERS[name])
    seconds, reconstruct = timed(fit, X, int(seed), int(epochs))
    print(json.dumps([imports, seconds, mean_absolute_error(reconstruct, X)]))


if __name__ == "__main__":
    main(*sys.argv[1:])
