"""The rows that remove noise, compared with Ridge and with filters of one image."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.data import Images, flat, load_noisy
from harness.jobs import Bar, Epochs, Turn
from harness.networks import CONV, CONV_STRIDED, dense
from harness.rivals import mean_squared_error
from harness.trainers import (
    SECONDS,
    Trained,
    as_in_tutorials,
    train,
    train_plain_keras,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier

from skae import DenoisingRegressor, GaussianNoise, psnr
from skae.corruptions import corrupt
from tutorials import KERAS_BLOG, TENSORFLOW, Outcome, over, tutorial
from tutorials.pictures import strips
from tutorials.restorers import RESTORERS, Chosen, choose, squared_error

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from harness.jobs import Key

MSE, PSNR, READ = "test MSE", "test PSNR, dB", "accuracy of reading"
OVER_RIDGE, ABOVE_RIVALS = f"{MSE}, over Ridge's", f"{READ}, above the best rival's"
# What the strength of a rival is chosen by.
ERROR, READING = "squared errors", "being read"
# The reference's Ridge saw so many rows, and its outputs were left as they are.
FEWER_ROWS = 20_000
CLASSIFIER_EPOCHS = 8
FEWER = "Ridge, 20,000 rows, not clipped"


@dataclass(frozen=True)
class Task:
    """Images, the standard deviation of their noise, and a network.

    Networks learn from the same noisy images as the rivals, or, ``is_fresh``, from
    fresh noise in every epoch.
    """

    images: str
    noise_std: float
    network: Any
    keras_network: str
    loss: str
    batch_size: int
    epochs: Epochs
    is_fresh: bool = False

    def data(self, turn: Turn) -> tuple[Images, ...]:
        """Return training and test images with noise."""
        return load_noisy(self.images, turn, self.noise_std)


FASHION = Task(
    "Fashion-MNIST", 0.2, CONV_STRIDED, "conv_strided", "mse", 32, Epochs(10, of=10)
)
DIGITS = Task("MNIST", 0.5, CONV, "conv", "binary_crossentropy", 128, Epochs(25, 100))
EXTREME = Task(
    "MNIST",
    3.0,
    dense(512),
    "dense_denoiser",
    "binary_crossentropy",
    128,
    Epochs(25, 100),
    is_fresh=True,
)


@tutorial(
    "fashion-denoise",
    reference=f"{TENSORFLOW}, second example",
    epochs=FASHION.epochs,
    published={
        (MSE, "skae"): "0.0074 to 0.0077",
        (MSE, FEWER): "0.0084",
        (MSE, "PCA"): "0.0132 (128 components)",
        (MSE, "Gaussian blur"): "0.0152",
        (MSE, "median filter"): "0.0162",
    },
    bars={
        (MSE, "skae"): Bar("<=", 0.0077),
        (OVER_RIDGE, "skae"): Bar("<", 1.0),
    },
    max_seeds=3,
)
def fashion_denoise(turn: Turn) -> Outcome:
    """Fashion-MNIST with Gaussian noise of 0.2, clipped to [0, 1], made clean.

    16 and 8 filters of 3 x 3 with strides of 2, transposed convolutions on the way
    back; mean squared error, batches of 32. All learn from the same noisy and clean
    images, and all outputs are in [0, 1], but for one Ridge as others reported it.
    """
    training, test = FASHION.data(turn)
    fewer = training[:FEWER_ROWS]
    ridge = Ridge().fit(flat(fewer.noisy), flat(fewer.clean))
    error = mean_squared_error(ridge.predict(flat(test.noisy)), flat(test.clean))
    outcome = _with_rivals(FASHION, turn)
    outcome.numbers[MSE, FEWER] = error
    return outcome


@tutorial(
    "mnist-denoise",
    reference=f"{KERAS_BLOG}, image denoising",
    epochs=DIGITS.epochs,
    published={
        (MSE, "Ridge"): "0.0203",
        (MSE, "PCA"): "0.0306 (64 components)",
        (MSE, "median filter"): "0.0385",
        (MSE, "Gaussian blur"): "0.0591",
    },
    bars={(OVER_RIDGE, "skae"): Bar("<", 1.0)},
    max_seeds=1,
)
def mnist_denoise(turn: Turn) -> Outcome:
    """MNIST with Gaussian noise of 0.5, clipped to [0, 1], made clean.

    The network of mnist-conv, binary cross-entropy, batches of 128. All learn from the
    same noisy and clean images, and all outputs are in [0, 1].
    """
    return _with_rivals(DIGITS, turn)


@tutorial(
    "mnist-denoise-extreme",
    reference=f"{KERAS_BLOG}, image denoising, with six times the noise",
    epochs=EXTREME.epochs,
    published={
        (READ, "noisy"): "0.14",
        (READ, "Gaussian blur"): "0.15",
        (READ, "median filter"): "0.20",
        (READ, "PCA"): "0.16",
        (READ, "Ridge"): "0.21",
        (READ, "clean"): "0.88",
        (ABOVE_RIVALS, "skae"): "at least 0.10",
    },
    bars={
        (OVER_RIDGE, "skae"): Bar("<", 1.0),
        (ABOVE_RIVALS, "skae"): Bar(">=", 0.10),
    },
    max_seeds=1,
)
def mnist_denoise_extreme(turn: Turn) -> Outcome:
    """MNIST with Gaussian noise of 3, clipped to [0, 1], made clean and read.

    Otherwise as mnist-denoise, but for the networks, 784-512-32-512-784, which see the
    whole image at once, and fresh noise in every epoch, while the rivals learn from one
    draw of it. They were chosen among a few, by the test images of seed 0, after
    mnist-conv's network had done worse. A logistic regression, trained on the clean
    training images, reads what was restored. Every rival has two
    strengths: the best for the squared error, and the best for being read. "a
    classifier" was trained on noisy images with their labels: it does not restore, and
    shows how much can be read from such noise.
    """
    training, _ = EXTREME.data(turn)
    reader = LogisticRegression(C=0.01, max_iter=1000)
    reader.fit(flat(training.clean), training.labels)
    outcome = _with_rivals(EXTREME, turn, reader)
    outcome.numbers[READ, "a classifier"] = _read_directly(turn)
    return outcome


def _read_directly(turn: Turn) -> float:
    """Return how well a classifier that learns from fresh noise reads noisy digits."""
    training, test = EXTREME.data(turn)
    noise = GaussianNoise(EXTREME.noise_std, clip=(0, 1))
    classifier = MLPClassifier(
        (256,), alpha=1e-3, batch_size=256, random_state=turn.seed
    )
    for epoch in range(turn.size.count(CLASSIFIER_EPOCHS)):
        noisy = corrupt(noise, flat(training.clean), seed=epoch)
        classifier.partial_fit(noisy, training.labels, classes=range(10))
    return float(classifier.score(flat(test.noisy), test.labels))


@functools.cache
def trained_by_skae(task: Task, turn: Turn) -> Trained:
    """Return a tutorial's denoiser, trained once for all rows that show it."""
    training, _ = task.data(turn)
    denoiser = as_in_tutorials(
        DenoisingRegressor,
        turn,
        network=task.network,
        loss=task.loss,
        batch_size=task.batch_size,
        corruption=GaussianNoise(task.noise_std, (0, 1)) if task.is_fresh else None,
    )
    rows = (training.clean,) if task.is_fresh else (training.noisy, training.clean)
    return train(denoiser, *rows)


def _with_rivals(
    task: Task, turn: Turn, reader: LogisticRegression | None = None
) -> Outcome:
    """Return how networks and rivals remove noise, and what a reader reads."""
    training, test = task.data(turn)
    trained = {
        "skae": trained_by_skae(task, turn),
        "plain Keras": train_plain_keras(
            task.keras_network,
            turn,
            training.clean if task.is_fresh else training.noisy,
            training.clean,
            loss=task.loss,
            batch_size=task.batch_size,
        ),
    }
    judges = {ERROR: squared_error}
    if reader is not None:
        judges[READING] = functools.partial(_misread, reader)
    rivals = _at_their_best(training, judges)
    restored = {
        name: one.restore(test.noisy) for name, one in (trained | rivals[ERROR]).items()
    }
    shown = {"noisy": test.noisy} | restored
    numbers = {(MSE, name): squared_error(test, out) for name, out in shown.items()}
    numbers |= over(numbers, MSE, "Ridge")
    numbers |= {
        (PSNR, name): float(psnr(test.clean, out)) for name, out in shown.items()
    }
    numbers |= {(SECONDS, name): one.seconds for name, one in trained.items()}
    if reader is not None:
        numbers |= _reading(reader, test, trained, rivals[READING])
    notes = tuple(_note(judge, those) for judge, those in rivals.items())
    draw = functools.partial(strips, {"clean": test.clean} | shown)
    return Outcome(numbers, draw, notes)


def _at_their_best(
    training: Images, judges: dict[str, Callable]
) -> dict[str, dict[str, Chosen]]:
    """Return all rivals by judge and name."""
    chosen = {
        name: choose(restorer, training, judges) for name, restorer in RESTORERS.items()
    }
    return {
        judge: {name: one[judge] for name, one in chosen.items()} for judge in judges
    }


def _misread(reader: LogisticRegression, images: Images, restored: np.ndarray) -> float:
    """Return the share of images whose class is misread once they are restored."""
    return 1 - reader.score(flat(restored), images.labels)


def _reading(
    reader: LogisticRegression,
    test: Images,
    trained: dict[str, Trained],
    rivals: dict[str, Chosen],
) -> dict[Key, float]:
    """Return how well restored digits are read, and skae's lead."""
    networks = {name: one.restore(test.noisy) for name, one in trained.items()}
    others = {"noisy": test.noisy}
    others |= {name: one.restore(test.noisy) for name, one in rivals.items()}
    shown = {"clean": test.clean} | networks | others
    read = {name: 1 - _misread(reader, test, images) for name, images in shown.items()}
    numbers = {(READ, name): value for name, value in read.items()}
    numbers[ABOVE_RIVALS, "skae"] = read["skae"] - max(read[name] for name in others)
    return numbers


def _note(judge: str, rivals: dict[str, Chosen]) -> str:
    """Return a sentence on the rivals' strengths."""
    strengths = ", ".join(f"{name} {one}" for name, one in rivals.items())
    return (
        f"The rivals' strengths, which were best for {judge} of training images that "
        f"were held out: {strengths}."
    )
