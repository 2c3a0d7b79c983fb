"""Trainings: skae's as in the tutorials, its rivals' as a careful user writes them.

Importing this module imports NumPy alone, since the first fit of a process counts what
a contender imports.
"""

from __future__ import annotations

import functools
import warnings
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.machine import import_keras, timed

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.jobs import Turn

# The tutorials' detector of heartbeats.
ECG_UNITS = (32, 16, 8)
ECG_EPOCHS = 20
ECG_BATCH_SIZE = 512
# Keras clips probabilities so; without it, one wrong pixel can cost infinitely much.
EPSILON = 1e-7
SECONDS = "training seconds"


@dataclass(frozen=True)
class Trained:
    """A trained network, of skae or of plain Keras."""

    model: Any  # the fitted estimator, or the Keras model
    losses: list[float]  # the training loss of every epoch
    restore: Callable[[np.ndarray], np.ndarray]  # from input rows to output rows
    seconds: float  # of ``fit``, compiling and, for Keras, building included


def as_in_tutorials(estimator: Callable, turn: Turn, **params: Any) -> Any:
    """Return an untrained estimator that trains as the tutorials do.

    That is: on all rows as they are, for all epochs, keeping the last weights; by Adam
    with a learning rate of 0.001, its own, if ``params`` have no other.
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


def train(estimator: Any, *rows: np.ndarray) -> Trained:
    """Return a skae estimator fitted to rows, or to noisy and clean rows."""
    seconds, fitted = timed(estimator.fit, *rows)
    restore = getattr(fitted, "reconstruct", None) or fitted.predict
    return Trained(fitted, fitted.history_["loss"], restore, seconds)


def train_plain_keras(
    network: str,
    turn: Turn,
    X: np.ndarray,
    y: np.ndarray,
    *,
    loss: str,
    batch_size: int,
    **params: Any,
) -> Trained:
    """Return a network of `harness.keras_networks`, by name, trained by ``fit``."""
    import_keras()
    from harness import keras_networks

    keras_networks.seed_batch_order(turn.seed)

    def build_and_fit() -> tuple[Any, list[float]]:
        model = getattr(keras_networks, network)(turn.seed, **params)
        return model, keras_networks.fit(
            model, X, y, loss=loss, epochs=turn.epochs, batch_size=batch_size
        )

    seconds, (model, losses) = timed(build_and_fit)

    def restore(rows: np.ndarray) -> np.ndarray:
        return model.predict(rows, batch_size=1000, verbose=0)

    return Trained(model, losses, restore, seconds)


def mean_cross_entropy(output: np.ndarray, target: np.ndarray) -> float:
    """Return the mean binary cross-entropy of all values, in nats."""
    p = np.clip(output.astype(np.float64), EPSILON, 1 - EPSILON)
    return float(-np.mean(target * np.log(p) + (1 - target) * np.log1p(-p)))


# -------------------------------------------------------------------- other packages


def scikeras(build: Callable, X: np.ndarray, **params: Any) -> Any:
    """Return SciKeras's ``KerasRegressor`` of a function that builds, fitted."""
    from scikeras.wrappers import KerasRegressor

    return KerasRegressor(build, optimizer="adam", verbose=0, **params).fit(X, X)


def mlp(
    X: np.ndarray, seed: int, epochs: int, batch_size: int, units: tuple[int, ...]
) -> Any:
    """Return layers of ReLUs by ``MLPRegressor``, fitted; its output is linear."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return MLPRegressor(
            hidden_layer_sizes=units,
            alpha=0.0,
            batch_size=min(batch_size, len(X)),
            max_iter=epochs,
            n_iter_no_change=epochs + 1,
            tol=0.0,
            random_state=seed,
        ).fit(X, X)


def torch_loop(
    X: np.ndarray,
    seed: int,
    epochs: int,
    batch_size: int,
    units: tuple[int, ...],
    loss: str,
) -> Callable:
    """Return layers of ReLUs down to the last of ``units`` and back, by PyTorch.

    A function that reconstructs. Batches are taken by index, which is faster than a
    DataLoader; Adam is fused and has Keras's epsilon; weights start as Keras's.
    """
    import torch

    torch.manual_seed(seed)
    sizes = [X.shape[1], *units, *units[-2::-1], X.shape[1]]
    layers: list[Any] = []
    for n_in, n_out in pairwise(sizes):
        linear = torch.nn.Linear(n_in, n_out)
        torch.nn.init.xavier_uniform_(linear.weight)
        torch.nn.init.zeros_(linear.bias)
        layers += [linear, torch.nn.ReLU()]
    layers[-1] = torch.nn.Sigmoid()
    model = torch.nn.Sequential(*layers)
    criterion = {"mse": torch.nn.MSELoss, "mae": torch.nn.L1Loss}[loss]()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7, fused=True)
    rows = torch.from_numpy(np.ascontiguousarray(X, np.float32))
    for _ in range(epochs):
        for chosen in torch.randperm(len(rows)).split(batch_size):
            x = rows[chosen]
            optimizer.zero_grad()
            criterion(model(x), x).backward()
            optimizer.step()
    return torch_reconstruct(model)


def torch_reconstruct(model: Any) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from rows to a PyTorch model's output."""
    import torch

    def reconstruct(X: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return model(torch.from_numpy(np.ascontiguousarray(X, np.float32))).numpy()

    return reconstruct


def pyod_autoencoder(
    X: np.ndarray, seed: int, epochs: int, batch_size: int, units: tuple[int, ...]
) -> Any:
    """Return PyOD's AutoEncoder, fitted, without what the others do not have.

    Its optimizer is Adam and its loss the mean squared error; it has no other.
    """
    from harness.rivals import PyODDetector

    params = {
        "preprocessing": False,
        "epoch_num": epochs,
        "batch_size": batch_size,
        "hidden_neuron_list": list(units),
        "batch_norm": False,
        "dropout_rate": 0.0,
        "optimizer_params": {},
    }
    return PyODDetector(random_state=seed, params=params).fit(X).model_


def matrix_products(
    X: np.ndarray, seed: int, epochs: int, batch_size: int, width: int, n_threads: int
) -> None:
    """Make the matrix products of a training of one layer each way, and no more."""
    from threadpoolctl import threadpool_limits

    rng = np.random.default_rng(0)
    n_rows, n_in = X.shape

    def array(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, np.float32)

    x, code, output = (array(batch_size, n) for n in (n_in, width, n_in))
    down, up = array(n_in, width), array(width, n_in)
    gradients = np.empty_like(down), np.empty_like(up), np.empty_like(code)
    with threadpool_limits(n_threads, user_api="blas"):
        for _ in range(epochs * -(-n_rows // batch_size)):
            np.matmul(x, down, out=code)
            np.matmul(code, up, out=output)
            np.matmul(code.T, output, out=gradients[1])
            np.matmul(output, up.T, out=gradients[2])
            np.matmul(x.T, gradients[2], out=gradients[0])


# ---------------------------------------------- the tutorials' detector of heartbeats


def _ecg_by_skae() -> Callable:
    from harness.networks import ecg_detector

    return lambda X, seed, epochs: ecg_detector(seed, epochs).fit(X).reconstruct


def _ecg_by_keras() -> Callable:
    import_keras()
    from harness import keras_networks

    def fit(X: np.ndarray, seed: int, epochs: int) -> Callable:
        model, _ = keras_networks.fit_ecg(
            X, seed, epochs=epochs, batch_size=ECG_BATCH_SIZE
        )
        return functools.partial(model.predict, verbose=0)

    return fit


def _ecg_by_torch() -> Callable:
    import torch  # noqa: F401

    return lambda X, seed, epochs: torch_loop(
        X, seed, epochs, ECG_BATCH_SIZE, ECG_UNITS, "mae"
    )


def _ecg_by_mlp() -> Callable:
    import sklearn.neural_network  # noqa: F401

    units = (*ECG_UNITS, *ECG_UNITS[-2::-1])
    return lambda X, seed, epochs: mlp(X, seed, epochs, ECG_BATCH_SIZE, units).predict


def _ecg_by_pyod() -> Callable:
    import torch  # noqa: F401
    from pyod.models.auto_encoder import AutoEncoder  # noqa: F401

    return lambda X, seed, epochs: torch_reconstruct(
        pyod_autoencoder(X, seed, epochs, ECG_BATCH_SIZE, ECG_UNITS).model
    )


#: Name: imports what it needs, and returns a function from (rows, seed, epochs) to a
#: function that reconstructs.
ECG_TRAINERS = {
    "skae": _ecg_by_skae,
    "Keras fit": _ecg_by_keras,
    "PyOD": _ecg_by_pyod,
    "PyTorch loop": _ecg_by_torch,
    "MLPRegressor": _ecg_by_mlp,
}


def mean_absolute_error(reconstruct: Callable, X: np.ndarray) -> float:
    """Return the mean absolute error of reconstructed rows."""
    return float(np.mean(np.abs(reconstruct(X) - X)))
