"""The rows of convolutional networks on digits."""

import functools

from _contenders import (
    SECONDS,
    as_in_tutorials,
    mean_cross_entropy,
    train,
    train_plain_keras,
)
from _images import flat, load
from _jobs import Epochs
from _measurements import Bar
from _networks import CONV, CONV_SMALL
from _pictures import draw_losses, strips
from _rows_dense import DEEP, ENTROPY, TEST_LOSS, TRAIN_LOSS, digits_network
from _rows_dense import EPOCHS as DEEP_EPOCHS
from _tutorial import KERAS_BLOG, KERAS_EXAMPLE, Outcome, over, tutorial

from skae import AutoencoderTransformer

EPOCHS = Epochs(13, of=50)
BATCH_SIZE = 128


@tutorial(
    "mnist-conv-small",
    reference=f"{KERAS_BLOG}, convolutional autoencoder",
    epochs=EPOCHS,
    published={(TEST_LOSS, "skae"): "below 0.1"},
    bars={(TEST_LOSS, "skae"): Bar("<", 0.1)},
    max_seeds=1,
)
def mnist_conv_small(turn):
    """MNIST through a code of 4 x 4 x 8, by convolutions and max pooling.

    16, 8 and 8 filters of 3 x 3, and upsampling on the way back; binary cross-entropy,
    batches of 128.
    """
    trained = {"skae": small_network(turn)}
    trained["plain Keras"] = _plain_keras(turn, "conv_small")
    return Outcome(*_compared(turn, trained))


@tutorial(
    "mnist-conv",
    reference=KERAS_EXAMPLE,
    epochs=EPOCHS,
    published={(TEST_LOSS, "skae"): "below mnist-deep's"},
    bars={(f"{TEST_LOSS}, over mnist-deep's", "skae"): Bar("<", 1.0)},
    max_seeds=1,
)
def mnist_conv(turn):
    """MNIST through a code of 7 x 7 x 32, by convolutions and max pooling.

    Twice 32 filters of 3 x 3, and transposed convolutions on the way back; binary
    cross-entropy, batches of 128. The dense network of mnist-deep has all its 50
    epochs.
    """
    trained = {
        "skae": _skae(turn, CONV),
        "plain Keras": _plain_keras(turn, "conv"),
    }
    numbers, draw = _compared(turn, trained)
    deep = digits_network(turn.with_epochs(DEEP_EPOCHS), DEEP)
    test = flat(load("MNIST", turn.size)[1].clean)
    numbers[TEST_LOSS, "mnist-deep"] = mean_cross_entropy(deep.restore(test), test)
    return Outcome(numbers | over(numbers, TEST_LOSS, "mnist-deep"), draw)


@functools.cache
def small_network(turn):
    """Return the small network, trained once for all rows that show it."""
    return _skae(turn, CONV_SMALL)


def _skae(turn, network):
    transformer = as_in_tutorials(
        AutoencoderTransformer,
        turn,
        network=network,
        loss=ENTROPY,
        batch_size=BATCH_SIZE,
    )
    return train(transformer, load("MNIST", turn.size)[0].clean)


def _plain_keras(turn, network):
    rows = load("MNIST", turn.size)[0].clean
    return train_plain_keras(
        network, turn, rows, rows, loss=ENTROPY, batch_size=BATCH_SIZE
    )


def _compared(turn, trained):
    """Return losses and times of networks, and what draws digits and losses."""
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
