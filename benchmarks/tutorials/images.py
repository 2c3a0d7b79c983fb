"""The rows of dense and of convolutional networks on images."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
from harness.data import flat, load
from harness.jobs import Bar, Epochs, Turn
from harness.networks import CONV, CONV_SMALL, dense
from harness.rivals import mean_squared_error, pca_test_error
from harness.trainers import (
    SECONDS,
    Trained,
    as_in_tutorials,
    mean_cross_entropy,
    train,
    train_plain_keras,
)

from skae import AutoencoderTransformer, ConvNetwork
from tutorials import KERAS_BLOG, KERAS_EXAMPLE, TENSORFLOW, Outcome, over, tutorial
from tutorials.pictures import N_SHOWN, draw_counts, draw_losses, strips

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.jobs import Key, Size

ENTROPY = "binary_crossentropy"
LATENT_DIM = 32
DEEP = (128, 64)
EPOCHS = 50
CONV_EPOCHS = Epochs(13, of=50)
CONV_BATCH_SIZE = 128
TRAIN_LOSS, TEST_LOSS = "training loss", "test loss"
ZEROS, NEAR_ZEROS = "zeros in codes, share", "below 0.001 of the largest, share"
MORE_ZEROS = f"{ZEROS}, above no penalty's"
NO_PENALTY, STRONGER = "skae, no penalty", "skae, penalty 3e-4"
PENALTIES = {"skae": 1e-7, NO_PENALTY: 0.0, STRONGER: 3e-4}


@tutorial(
    "fashion-dense",
    reference=f"{TENSORFLOW}, first example",
    epochs=Epochs(10, of=10),
    published={
        ("test MSE", "skae"): "0.0088 to 0.0089",
        ("test MSE", "PCA(64)"): "0.0104",
    },
    bars={("test MSE", "skae"): Bar("<=", 0.0089)},
)
def fashion_dense(turn: Turn) -> Outcome:
    """Fashion-MNIST through 64 numbers, by one dense layer each way.

    784-64-784 with a ReLU code, a sigmoid output and the mean squared error, 10 epochs
    of batches of 32. PCA with as many components stands beside it: it is the best that
    a network without activations can do on the training images.
    """
    test = load("Fashion-MNIST", turn.size)[1].flat().clean
    output = fashion_network(turn).restore(test)
    numbers = {
        ("test MSE", "skae"): mean_squared_error(output, test),
        ("test MSE", "PCA(64)"): _pca_on_fashion(turn.size),
    }
    pictures = {"original": test, "reconstruction": output}
    return Outcome(numbers, functools.partial(strips, pictures))


@functools.cache
def fashion_network(turn: Turn) -> Trained:
    """Return an autoencoder of flat clothes, trained once for all rows that show it."""
    transformer = as_in_tutorials(
        AutoencoderTransformer,
        turn,
        latent_dim=64,
        network=dense(),
        loss="mse",
        batch_size=32,
    )
    return train(transformer, load("Fashion-MNIST", turn.size)[0].flat().clean)


@functools.cache
def _pca_on_fashion(size: Size) -> float:
    """Return PCA's test error, which is the same for every seed."""
    parts = (part.flat().clean for part in load("Fashion-MNIST", size))
    return pca_test_error(64, *parts)


# ------------------------------------------------------------- digits, by the blog


@tutorial(
    "mnist-dense",
    reference=f"{KERAS_BLOG}, the simplest autoencoder",
    epochs=Epochs(EPOCHS, of=50),
    published={
        (TRAIN_LOSS, "skae"): "0.0925",
        (TEST_LOSS, "skae"): "0.0914",
        ("compression", "skae"): "24.5",
    },
    bars={
        (TRAIN_LOSS, "skae"): Bar("<=", 0.0930),
        (TEST_LOSS, "skae"): Bar("<=", 0.0919),
        ("compression", "skae"): Bar(">=", 24.5),
    },
    max_seeds=3,
)
def mnist_dense(turn: Turn) -> Outcome:
    """MNIST through 32 numbers, by one dense layer each way.

    784-32-784 with a ReLU code, a sigmoid output and the binary cross-entropy, in
    batches of 256. The bars are the reference plus 0.5 %. Training losses are the mean
    over the last epoch, as Keras reports them.
    """
    trained = {
        "skae": digits_network(turn),
        "plain Keras": _dense_by_keras(turn),
    }
    numbers = _losses(turn, trained)
    n_pixels, width = 784, trained["skae"].model.n_components_
    numbers["compression", "skae"] = n_pixels / width
    return Outcome(numbers, _reconstructions(turn, trained))


@tutorial(
    "mnist-deep",
    reference=f"{KERAS_BLOG}, deep autoencoder",
    epochs=Epochs(EPOCHS, of=50),
    published={(TRAIN_LOSS, "skae"): "0.0860"},
    bars={
        (TRAIN_LOSS, "skae"): Bar("<=", 0.0865),
        (f"{TRAIN_LOSS}, over mnist-dense's", "skae"): Bar("<", 1.0),
        (f"{TEST_LOSS}, over mnist-dense's", "skae"): Bar("<", 1.0),
    },
    max_seeds=3,
)
def mnist_deep(turn: Turn) -> Outcome:
    """MNIST through 32 numbers, by three dense layers each way.

    784-128-64-32 and back, otherwise as mnist-dense, whose network is trained for as
    many epochs and stands beside it.
    """
    trained = {
        "skae": digits_network(turn, DEEP),
        "mnist-dense": digits_network(turn),
        "plain Keras": _dense_by_keras(turn, units=(*DEEP, LATENT_DIM)),
    }
    numbers = _losses(turn, trained)
    for quantity in (TRAIN_LOSS, TEST_LOSS):
        numbers |= over(numbers, quantity, "mnist-dense")
    return Outcome(numbers, _reconstructions(turn, trained))


@tutorial(
    "mnist-sparse",
    reference=f"{KERAS_BLOG}, sparse autoencoder",
    epochs=Epochs(100, of=100),
    published={
        (TEST_LOSS, "skae"): "about 0.101",
        (MORE_ZEROS, "skae"): "above 0",
        (MORE_ZEROS, STRONGER): "above 0",
    },
    bars={
        (TEST_LOSS, "skae"): Bar("<=", 0.101),
        (MORE_ZEROS, "skae"): Bar(">", 0.0),
        (MORE_ZEROS, STRONGER): Bar(">", 0.0),
    },
    max_seeds=1,
)
def mnist_sparse(turn: Turn) -> Outcome:
    """MNIST through 32 numbers of which few are active.

    mnist-dense with an L1 penalty of 1e-7 on the code, twice as long. Keras 3 divides
    such a penalty by the batch size, so that 1e-7 does next to nothing; 3e-4 costs
    about the loss of the reference. Test losses are without the penalty. Shares are of
    all numbers of the test images' codes.
    """
    trained = {
        name: digits_network(turn, activity_l1=penalty)
        for name, penalty in PENALTIES.items()
    }
    keras = {"plain Keras": _dense_by_keras(turn, activity_l1=PENALTIES["skae"])}
    test = load("MNIST", turn.size)[1].flat().clean
    codes = {name: one.model.transform(test) for name, one in trained.items()}
    zeros = {name: float(np.mean(code == 0)) for name, code in codes.items()}
    numbers = _losses(turn, trained | keras)
    for name, code in codes.items():
        numbers[ZEROS, name] = zeros[name]
        numbers[NEAR_ZEROS, name] = float(np.mean(code < 1e-3 * code.max()))
    for name in ("skae", STRONGER):
        numbers[MORE_ZEROS, name] = zeros[name] - zeros[NO_PENALTY]
    pictures = {"original": test} | {
        name: one.restore(test[:N_SHOWN]) for name, one in trained.items()
    }
    counts = functools.partial(draw_counts, groups=codes, xlabel="number in a code")
    return Outcome(numbers, functools.partial(strips, pictures, below=counts))


@functools.cache
def digits_network(
    turn: Turn, hidden_units: tuple[int, ...] = (), activity_l1: float = 0.0
) -> Trained:
    """Return an autoencoder of flat digits, trained once for all rows that show it."""
    transformer = as_in_tutorials(
        AutoencoderTransformer,
        turn,
        latent_dim=LATENT_DIM,
        network=dense(*hidden_units, activity_l1=activity_l1),
        loss=ENTROPY,
        batch_size=256,
    )
    return train(transformer, load("MNIST", turn.size)[0].flat().clean)


def _dense_by_keras(turn: Turn, **params: Any) -> Trained:
    """Return an autoencoder of flat digits by plain Keras."""
    rows = load("MNIST", turn.size)[0].flat().clean
    return train_plain_keras(
        "dense", turn, rows, rows, loss=ENTROPY, batch_size=256, **params
    )


def _losses(turn: Turn, trained: dict[str, Trained]) -> dict[Key, float]:
    """Return the training and test losses of trained networks of flat digits."""
    test = load("MNIST", turn.size)[1].flat().clean
    numbers = {(TRAIN_LOSS, name): one.losses[-1] for name, one in trained.items()}
    return numbers | {
        (TEST_LOSS, name): mean_cross_entropy(one.restore(test), test)
        for name, one in trained.items()
    }


def _reconstructions(turn: Turn, trained: dict[str, Trained]) -> Callable:
    """Return a function that draws digits, their reconstructions, and losses."""
    shown = load("MNIST", turn.size)[1].flat().clean[:N_SHOWN]
    pictures = {"original": shown} | {
        name: one.restore(shown) for name, one in trained.items()
    }
    losses = {name: one.losses for name, one in trained.items()}
    below = functools.partial(draw_losses, losses=losses)
    return functools.partial(strips, pictures, below=below)


# --------------------------------------------------------- digits, by convolutions


@tutorial(
    "mnist-conv-small",
    reference=f"{KERAS_BLOG}, convolutional autoencoder",
    epochs=CONV_EPOCHS,
    published={(TEST_LOSS, "skae"): "below 0.1"},
    bars={(TEST_LOSS, "skae"): Bar("<", 0.1)},
    max_seeds=1,
)
def mnist_conv_small(turn: Turn) -> Outcome:
    """MNIST through a code of 4 x 4 x 8, by convolutions and max pooling.

    16, 8 and 8 filters of 3 x 3, and upsampling on the way back; binary cross-entropy,
    batches of 128.
    """
    trained = {"skae": small_network(turn)}
    trained["plain Keras"] = _conv_by_keras(turn, "conv_small")
    return Outcome(*_conv_compared(turn, trained))


@tutorial(
    "mnist-conv",
    reference=KERAS_EXAMPLE,
    epochs=CONV_EPOCHS,
    published={(TEST_LOSS, "skae"): "below mnist-deep's"},
    bars={(f"{TEST_LOSS}, over mnist-deep's", "skae"): Bar("<", 1.0)},
    max_seeds=1,
)
def mnist_conv(turn: Turn) -> Outcome:
    """MNIST through a code of 7 x 7 x 32, by convolutions and max pooling.

    Twice 32 filters of 3 x 3, and transposed convolutions on the way back; binary
    cross-entropy, batches of 128. The dense network of mnist-deep has all its 50
    epochs.
    """
    trained = {
        "skae": _conv_by_skae(turn, CONV),
        "plain Keras": _conv_by_keras(turn, "conv"),
    }
    numbers, draw = _conv_compared(turn, trained)
    deep = digits_network(turn.with_epochs(EPOCHS), DEEP)
    test = flat(load("MNIST", turn.size)[1].clean)
    numbers[TEST_LOSS, "mnist-deep"] = mean_cross_entropy(deep.restore(test), test)
    return Outcome(numbers | over(numbers, TEST_LOSS, "mnist-deep"), draw)


@functools.cache
def small_network(turn: Turn) -> Trained:
    """Return the small network, trained once for all rows that show it."""
    return _conv_by_skae(turn, CONV_SMALL)


def _conv_by_skae(turn: Turn, network: ConvNetwork) -> Trained:
    """Return an autoencoder of digits by skae."""
    transformer = as_in_tutorials(
        AutoencoderTransformer,
        turn,
        network=network,
        loss=ENTROPY,
        batch_size=CONV_BATCH_SIZE,
    )
    return train(transformer, load("MNIST", turn.size)[0].clean)


def _conv_by_keras(turn: Turn, network: str) -> Trained:
    """Return an autoencoder of digits by plain Keras."""
    rows = load("MNIST", turn.size)[0].clean
    return train_plain_keras(
        network, turn, rows, rows, loss=ENTROPY, batch_size=CONV_BATCH_SIZE
    )


def _conv_compared(
    turn: Turn, trained: dict[str, Trained]
) -> tuple[dict[Key, float], Callable]:
    """Return losses and times of networks, and a function that draws them."""
    test = load("MNIST", turn.size)[1].clean
    outputs = {name: one.restore(test) for name, one in trained.items()}
    numbers = {}
    for name, one in trained.items():
        numbers[TRAIN_LOSS, name] = one.losses[-1]
        numbers[TEST_LOSS, name] = mean_cross_entropy(outputs[name], test)
        numbers[SECONDS, name] = one.seconds
    losses = {name: one.losses for name, one in trained.items()}
    below = functools.partial(draw_losses, losses=losses)
    return numbers, functools.partial(strips, {"original": test} | outputs, below=below)
