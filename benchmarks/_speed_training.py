"""The cases of ``speed.py`` that train."""

import functools
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from _clock import in_turn
from _ecg import EPOCHS, ecg_split, in_unit_range
from _images import flat, load, load_noisy
from _jobs import Findings, Job
from _measurements import Bar, collect
from _rivals import mean_squared_error
from _speed import JOBS, faster, notes, over, present, race, run_script
from _speed_ecg import CONTENDERS, mean_absolute_error
from _speed_networks import (
    keras_images,
    mlp_images,
    scikeras_images,
    skae_denoiser,
    skae_images,
    torch_images,
)
from _speed_rivals import matrix_products
from _tutorial import Turn

from skae._engine import import_quietly

# Long trainings are repeated less often than others.
LONG = 5
N_ROWS = 2300


def _at_most(size, n):
    return replace(size, n_repeats=min(size.n_repeats, n))


# ------------------------------------------------------------------ Fashion-MNIST

DENSE = {"epochs": 10, "batch_size": 32}


def dense_fit(size):
    """Fashion-MNIST 784-64-784, batches of 32, 10 epochs.

    Mean squared error, Adam. MLPRegressor's output is linear, the others' a sigmoid.
    PyTorch's Adam is fused. The loss is the test images' mean squared error. Every
    fit takes the images in another order and another seed. The matrix products are
    those of as many steps in NumPy, with one thread and with two, and nothing else.
    ``keras.wrappers`` is missing: it takes targets of one column only.
    """
    import_quietly()
    training, test = (part.flat().clean for part in load("Fashion-MNIST", size))
    options = {**DENSE, "epochs": size.count(DENSE["epochs"])}
    keras = functools.partial(_keras_dense, **options)
    contenders = {
        "skae": functools.partial(skae_images, learning_rate=None, **options),
        "Keras fit": keras,
        "SciKeras": functools.partial(scikeras_images, **options),
        "PyTorch loop": functools.partial(torch_images, **options),
        "MLPRegressor": functools.partial(mlp_images, **options),
    }
    products = {
        f"matrix products, {n} thread{'s' * (n > 1)}": functools.partial(
            _products, n_threads=n, **options
        )
        for n in (1, 2)
    }

    def judge(name, restore):
        return mean_squared_error(restore(test), test) if restore else np.nan

    measured = race(
        contenders | products,
        functools.partial(_permuted, training),
        _at_most(size, LONG),
        {
            "Keras fit": Bar(">=", 4),
            "PyTorch loop": Bar(">=", 2),
            "MLPRegressor": Bar(">=", 2),
        },
        judge,
    )
    measured = [one for one in measured if not np.isnan(one.values).any()]
    fastest = min(products, key=lambda name: _median_seconds(measured, name))
    measured.append(over(measured, "seconds", fastest, Bar("<=", 2.5)))
    measured.append(over(measured, "loss", "Keras fit", Bar("<=", 1.02)))
    return Findings(measured, tuple(notes()))


def _median_seconds(measured, name):
    (found,) = (
        one for one in measured if (one.quantity, one.contender) == ("seconds", name)
    )
    return np.median(found.values)


def _products(X, seed, *, epochs, batch_size, n_threads):
    matrix_products(len(X), X.shape[1], 64, epochs, batch_size, n_threads)


def _keras_dense(X, seed, epochs, batch_size):
    return keras_images("dense", X, X, seed, epochs, batch_size, units=(64,))


def _permuted(X, number):
    """Return the rows in an order of their own."""
    return np.random.default_rng(number).permutation(X)


SAME_LOSS_EPOCHS = 6


def dense_default_batch(size):
    """Fashion-MNIST 784-64-784 with skae's own batch size, to the same test MSE.

    Keras trains 10 epochs in batches of 32, at Adam's own learning rate. skae trains 6
    in its default batches of 128, with its default learning rate, which goes through
    one cycle: as many as bring it to the same test error, which the table shows.
    """
    import_quietly()
    training, test = (part.flat().clean for part in load("Fashion-MNIST", size))
    epochs = size.count(SAME_LOSS_EPOCHS)
    contenders = {
        "skae": functools.partial(skae_images, epochs=epochs),
        "Keras fit": functools.partial(
            _keras_dense, epochs=size.count(10), batch_size=32
        ),
    }
    measured = race(
        contenders,
        functools.partial(_permuted, training),
        _at_most(size, LONG),
        {"Keras fit": Bar(">=", 8)},
        lambda name, restore: mean_squared_error(restore(test), test),
    )
    measured.append(over(measured, "loss", "Keras fit", Bar("<=", 1.0)))
    return Findings(measured)


def conv_fit(size):
    """TensorFlow's convolutional denoiser on Fashion-MNIST, batches of 32, one epoch.

    Twice two convolutions of 3 x 3 with strides of 2; mean squared error, Adam; noise
    of 0.2. The loss is the test images' mean squared error.
    """
    import_quietly()
    training, test = load_noisy("Fashion-MNIST", Turn(0, size), 0.2)
    options = {"epochs": 1, "batch_size": 32}

    def rows(number):
        order = np.random.default_rng(number).permutation(len(training))
        return training[order]

    def by_skae(images, seed):
        return skae_denoiser(images.noisy, images.clean, seed, **options)

    def by_keras(images, seed):
        pair = images.noisy, images.clean
        return keras_images("conv_strided", *pair, seed, **options)

    measured = race(
        {"skae": by_skae, "Keras fit": by_keras},
        rows,
        _at_most(size, LONG),
        {"Keras fit": Bar(">=", 1.5)},
        lambda name, restore: mean_squared_error(
            flat(restore(test.noisy)), flat(test.clean)
        ),
    )
    measured.append(over(measured, "loss", "Keras fit", Bar("<=", 1.02)))
    return Findings(measured)


# ---------------------------------------------------------------------------- ECG


def ecg_fit(size):
    """The tutorials' ECG detector, 140-32-16-8 and back, 20 epochs: later fits.

    2,300 normal beats in batches of 512, Adam. skae, Keras and PyTorch minimise the
    mean absolute error behind a sigmoid; PyOD and MLPRegressor know the squared error
    and a linear output only. skae's and PyOD's times hold the threshold's. Every time
    takes other rows in another order and another seed; the loss is the mean absolute
    error of the rows that were trained on.
    """
    import_quietly()
    normals = in_unit_range(ecg_split(size)).normals
    kept, epochs = {}, size.count(EPOCHS)

    def rows(number):
        kept["X"] = _permuted(normals, number)[:N_ROWS]
        return kept["X"]

    def trainer(make):
        fit = make()
        return lambda X, seed: fit(X, seed, epochs)

    measured = race(
        {name: trainer(make) for name, make in present(CONTENDERS).items()},
        rows,
        size,
        {"Keras fit": Bar(">=", 18), "MLPRegressor": Bar(">=", 1)},
        lambda name, reconstruct: mean_absolute_error(reconstruct, kept["X"]),
    )
    measured.append(over(measured, "loss", "Keras fit", Bar("<=", 1.02)))
    return Findings(measured, tuple(notes()))


def ecg_first_fit(size):
    """The same detector: the first fit in a process, with and without the imports.

    A process of its own for every time. "imports" are those of the package and of what
    it needs; the interpreter's own start and reading the data are not counted.
    """
    normals = in_unit_range(ecg_split(size)).normals
    contenders = present(CONTENDERS)
    rivals = [name for name in contenders if name != "skae"]
    rounds = []
    for turn in range(_at_most(size, LONG).n_repeats):
        found = {
            name: _first_fit(
                name, _permuted(normals, turn)[:N_ROWS], turn, size.count(EPOCHS)
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
    return Findings(collect(rounds, bars), tuple(notes()))


def _with_imports(rival):
    quantity, contender = faster(rival)
    return f"imports counted, {quantity}", contender


def _first_fit(name, X, seed, epochs):
    """Return seconds of imports and of the fit, and the loss, in a new process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "X.npy")
        np.save(path, X)
        return run_script("_speed_ecg.py", name, path, seed, epochs)


for name, find, per in (
    ("dense-fit", dense_fit, "repeat"),
    ("dense-default-batch", dense_default_batch, "repeat"),
    ("conv-fit", conv_fit, "repeat"),
    ("ecg-first-fit", ecg_first_fit, "process"),
    ("ecg-fit", ecg_fit, "repeat"),
):
    JOBS.add(Job(name, find, one_value_per=per))
