"""The rows of dense networks on images."""

import functools

import numpy as np
from _contenders import (
    as_in_tutorials,
    mean_cross_entropy,
    train,
    train_plain_keras,
)
from _images import load
from _jobs import Epochs
from _measurements import Bar
from _networks import dense
from _pictures import N_SHOWN, draw_counts, draw_losses, strips
from _rivals import mean_squared_error, pca_test_error
from _tutorial import KERAS_BLOG, TENSORFLOW, Outcome, over, tutorial

from skae import AutoencoderTransformer

ENTROPY = "binary_crossentropy"
LATENT_DIM = 32
DEEP = (128, 64)
EPOCHS = 50
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
def fashion_dense(turn):
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
def fashion_network(turn):
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
def _pca_on_fashion(size):
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
def mnist_dense(turn):
    """MNIST through 32 numbers, by one dense layer each way.

    784-32-784 with a ReLU code, a sigmoid output and the binary cross-entropy, in
    batches of 256. The bars are the reference plus 0.5 %. Training losses are the mean
    over the last epoch, as Keras reports them.
    """
    trained = {
        "skae": digits_network(turn),
        "plain Keras": _plain_keras(turn),
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
def mnist_deep(turn):
    """MNIST through 32 numbers, by three dense layers each way.

    784-128-64-32 and back, otherwise as mnist-dense, whose network is trained for as
    many epochs and stands beside it.
    """
    trained = {
        "skae": digits_network(turn, DEEP),
        "mnist-dense": digits_network(turn),
        "plain Keras": _plain_keras(turn, units=(*DEEP, LATENT_DIM)),
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
def mnist_sparse(turn):
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
    keras = {"plain Keras": _plain_keras(turn, activity_l1=PENALTIES["skae"])}
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
def digits_network(turn, hidden_units=(), activity_l1=0.0):
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


def _plain_keras(turn, **params):
    rows = load("MNIST", turn.size)[0].flat().clean
    return train_plain_keras(
        "dense", turn, rows, rows, loss=ENTROPY, batch_size=256, **params
    )


def _losses(turn, trained):
    """Return the training and test losses of trained networks of flat digits."""
    test = load("MNIST", turn.size)[1].flat().clean
    numbers = {(TRAIN_LOSS, name): one.losses[-1] for name, one in trained.items()}
    return numbers | {
        (TEST_LOSS, name): mean_cross_entropy(one.restore(test), test)
        for name, one in trained.items()
    }


def _reconstructions(turn, trained):
    """Return a function that draws digits, what networks make of them, and losses."""
    shown = load("MNIST", turn.size)[1].flat().clean[:N_SHOWN]
    pictures = {"original": shown} | {
        name: one.restore(shown) for name, one in trained.items()
    }
    losses = {name: one.losses for name, one in trained.items()}
    below = functools.partial(draw_losses, losses=losses)
    return functools.partial(strips, pictures, below=below)
