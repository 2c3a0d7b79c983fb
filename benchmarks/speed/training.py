"""The cases of ``speed.py`` that train."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from harness.data import ecg_split, flat, in_unit_range, load, load_noisy
from harness.jobs import Bar, Findings, Turn, collect, values_of
from harness.machine import import_keras, in_turn, run_process
from harness.networks import CONV_STRIDED, dense
from harness.rivals import mean_squared_error
from harness.trainers import (
    ECG_EPOCHS,
    ECG_TRAINERS,
    as_in_tutorials,
    matrix_products,
    mean_absolute_error,
    mlp,
    scikeras,
    torch_loop,
    train_plain_keras,
)

from skae import AutoencoderTransformer, DenoisingRegressor
from speed import JOBS, SECONDS, faster, notes, over, present, race

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.data import Images
    from harness.jobs import Key, Size

# Long trainings are repeated less often than others.
LONG = 5
N_ROWS = 2300

# ------------------------------------------------------------------ Fashion-MNIST

WIDTH = 64
DENSE = {"epochs": 10, "batch_size": 32}


@JOBS.job("dense-fit", one_value_per="repeat")
def dense_fit(size: Size) -> Findings:
    """Fashion-MNIST 784-64-784, batches of 32, 10 epochs.

    Mean squared error, Adam. MLPRegressor's output is linear, the others' a sigmoid.
    PyTorch's Adam is fused. The loss is the test images' mean squared error. Every
    fit takes the images in another order and another seed. The matrix products are
    those of as many steps in NumPy, with one thread and with two, and nothing else.
    ``keras.wrappers`` is missing: it takes targets of one column only.
    """
    import_keras()
    training, test = (part.flat().clean for part in load("Fashion-MNIST", size))
    options = {**DENSE, "epochs": size.count(DENSE["epochs"])}
    contenders = {
        "skae": functools.partial(_by_skae, learning_rate=None, **options),
        "Keras fit": functools.partial(_by_keras, **options),
        "SciKeras": functools.partial(_by_scikeras, **options),
        "PyTorch loop": functools.partial(
            torch_loop, units=(WIDTH,), loss="mse", **options
        ),
        "MLPRegressor": functools.partial(_by_mlp, **options),
    }
    products = {
        f"matrix products, {n} thread{'s' * (n > 1)}": functools.partial(
            matrix_products, width=WIDTH, n_threads=n, **options
        )
        for n in (1, 2)
    }

    def judge(name: str, restore: Callable | None) -> float:
        return mean_squared_error(restore(test), test) if restore else np.nan

    measured = race(
        contenders | products,
        functools.partial(_permuted, training),
        size.at_most(LONG),
        {
            "Keras fit": Bar(">=", 4),
            "PyTorch loop": Bar(">=", 2),
            "MLPRegressor": Bar(">=", 2),
        },
        judge,
    )
    measured = [one for one in measured if not np.isnan(one.values).any()]
    fastest = min(
        products, key=lambda name: np.median(values_of(measured, SECONDS, name))
    )
    measured.append(over(measured, "seconds", fastest, Bar("<=", 2.5)))
    measured.append(over(measured, "loss", "Keras fit", Bar("<=", 1.02)))
    return Findings(measured, notes())


def _by_skae(X: np.ndarray, seed: int, epochs: int, **params: Any) -> Callable:
    """Return 784-64-784 trained by skae."""
    model = as_in_tutorials(
        AutoencoderTransformer,
        Turn(seed, None, epochs),
        latent_dim=WIDTH,
        network=dense(),
        loss="mse",
        **params,
    )
    return model.fit(X).reconstruct


def _by_keras(X: np.ndarray, seed: int, epochs: int, batch_size: int) -> Callable:
    """Return 784-64-784 trained by Keras's ``fit``."""
    return train_plain_keras(
        "dense",
        Turn(seed, None, epochs),
        X,
        X,
        loss="mse",
        batch_size=batch_size,
        units=(WIDTH,),
    ).restore


def _by_scikeras(X: np.ndarray, seed: int, epochs: int, batch_size: int) -> Callable:
    """Return 784-64-784 trained by SciKeras's ``KerasRegressor``."""
    from harness import keras_networks

    def build(seed: int) -> Any:
        return keras_networks.dense(seed, (WIDTH,))

    model = scikeras(
        build, X, model__seed=seed, loss="mse", epochs=epochs, batch_size=batch_size
    )
    return functools.partial(model.predict, batch_size=1000)


def _by_mlp(X: np.ndarray, seed: int, epochs: int, batch_size: int) -> Callable:
    """Return 784-64-784 trained by scikit-learn, whose output layer is linear."""
    return mlp(X, seed, epochs, batch_size, (WIDTH,)).predict


def _permuted(X: np.ndarray, number: int) -> np.ndarray:
    """Return the rows in an order of their own."""
    return np.random.default_rng(number).permutation(X)


SAME_LOSS_EPOCHS = 6


@JOBS.job("dense-default-batch", one_value_per="repeat")
def dense_default_batch(size: Size) -> Findings:
    """Fashion-MNIST 784-64-784 with skae's own batch size, to the same test MSE.

    Keras trains 10 epochs in batches of 32, at Adam's own learning rate. skae trains 6
    in its default batches of 128, with its default learning rate, which goes through
    one cycle: as many as bring it to the same test error, which the table shows.
    """
    import_keras()
    training, test = (part.flat().clean for part in load("Fashion-MNIST", size))
    epochs = size.count(SAME_LOSS_EPOCHS)
    contenders = {
        # The transformer's own learning rate and batch size.
        "skae": functools.partial(_by_skae, learning_rate="auto", epochs=epochs),
        "Keras fit": functools.partial(_by_keras, epochs=size.count(10), batch_size=32),
    }
    measured = race(
        contenders,
        functools.partial(_permuted, training),
        size.at_most(LONG),
        {"Keras fit": Bar(">=", 8)},
        lambda name, restore: mean_squared_error(restore(test), test),
    )
    measured.append(over(measured, "loss", "Keras fit", Bar("<=", 1.0)))
    return Findings(measured)


@JOBS.job("conv-fit", one_value_per="repeat")
def conv_fit(size: Size) -> Findings:
    """TensorFlow's convolutional denoiser on Fashion-MNIST, batches of 32, one epoch.

    Twice two convolutions of 3 x 3 with strides of 2; mean squared error, Adam; noise
    of 0.2. The loss is the test images' mean squared error.
    """
    import_keras()
    training, test = load_noisy("Fashion-MNIST", Turn(0, size), 0.2)
    options = {"loss": "mse", "batch_size": 32}

    def rows(number: int) -> Images:
        order = np.random.default_rng(number).permutation(len(training))
        return training[order]

    def by_skae(images: Images, seed: int) -> Callable:
        turn = Turn(seed, None, 1)
        model = as_in_tutorials(
            DenoisingRegressor, turn, network=CONV_STRIDED, **options
        )
        return model.fit(images.noisy, images.clean).predict

    def by_keras(images: Images, seed: int) -> Callable:
        pair, turn = (images.noisy, images.clean), Turn(seed, None, 1)
        return train_plain_keras("conv_strided", turn, *pair, **options).restore

    measured = race(
        {"skae": by_skae, "Keras fit": by_keras},
        rows,
        size.at_most(LONG),
        {"Keras fit": Bar(">=", 1.5)},
        lambda name, restore: mean_squared_error(
            flat(restore(test.noisy)), flat(test.clean)
        ),
    )
    measured.append(over(measured, "loss", "Keras fit", Bar("<=", 1.02)))
    return Findings(measured)


# ---------------------------------------------------------------------------- ECG


@JOBS.job("ecg-fit", one_value_per="repeat")
def ecg_fit(size: Size) -> Findings:
    """The tutorials' ECG detector, 140-32-16-8 and back, 20 epochs: later fits.

    2,300 normal beats in batches of 512, Adam. skae, Keras and PyTorch minimise the
    mean absolute error behind a sigmoid; PyOD and MLPRegressor know the squared error
    and a linear output only. skae's and PyOD's times hold the threshold's. Every time
    takes other rows in another order and another seed; the loss is the mean absolute
    error of the rows that were trained on.
    """
    import_keras()
    normals = in_unit_range(ecg_split(size)).normals
    kept, epochs = {}, size.count(ECG_EPOCHS)

    def rows(number: int) -> np.ndarray:
        kept["X"] = _permuted(normals, number)[:N_ROWS]
        return kept["X"]

    measured = race(
        {
            name: functools.partial(make(), epochs=epochs)
            for name, make in present(ECG_TRAINERS).items()
        },
        rows,
        size,
        {"Keras fit": Bar(">=", 18), "MLPRegressor": Bar(">=", 1)},
        lambda name, reconstruct: mean_absolute_error(reconstruct, kept["X"]),
    )
    measured.append(over(measured, "loss", "Keras fit", Bar("<=", 1.02)))
    return Findings(measured, notes())


@JOBS.job("ecg-first-fit", one_value_per="process")
def ecg_first_fit(size: Size) -> Findings:
    """The same detector: the first fit in a process, with and without the imports.

    A process of its own for every time. "imports" are those of the package and of what
    it needs; the interpreter's own start and reading the data are not counted.
    """
    normals = in_unit_range(ecg_split(size)).normals
    contenders = present(ECG_TRAINERS)
    rivals = [name for name in contenders if name != "skae"]
    rounds = []
    for turn in range(size.at_most(LONG).n_repeats):
        found = {
            name: _first_fit(
                name, _permuted(normals, turn)[:N_ROWS], turn, size.count(ECG_EPOCHS)
            )
            for name, _ in in_turn(contenders, turn)
        }
        one = {}
        for name in contenders:
            keys = "seconds of imports", "seconds of the first fit", "loss"
            one |= {(key, name): found[name][i] for i, key in enumerate(keys)}
        for rival in rivals:
            ours, theirs = found["skae"], found[rival]
            one[faster(rival)] = theirs[1] / ours[1]
            one[_with_imports(rival)] = sum(theirs[:2]) / sum(ours[:2])
        rounds.append(one)
    bars = {
        key(rival): bar
        for rival, bar in (("Keras fit", Bar(">=", 3)), ("PyOD", Bar(">=", 4)))
        for key in (faster, _with_imports)
        if rival in rivals
    }
    return Findings(collect(rounds, bars), notes())


def _with_imports(rival: str) -> Key:
    """Return the key of a ratio of times with imports."""
    quantity, contender = faster(rival)
    return f"imports counted, {quantity}", contender


def _first_fit(name: str, X: np.ndarray, seed: int, epochs: int) -> list[float]:
    """Return seconds of imports and of the fit, and the loss, in a new process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "X.npy")
        np.save(path, X)
        return run_process("first_fit", name, path, seed, epochs)
