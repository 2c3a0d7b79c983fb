"""The rows about codes: as a map, as images, and compared with PCA's."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from harness.data import flat, load
from harness.jobs import Bar, Turn
from harness.rivals import mean_squared_error, pca_test_error
from harness.trainers import as_in_tutorials, train
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.neighbors import KNeighborsClassifier

from skae import AutoencoderTransformer, DenseNetwork
from tutorials import KERAS_BLOG, Outcome, tutorial
from tutorials.images import (
    CONV_EPOCHS,
    DEEP,
    LATENT_DIM,
    digits_network,
    small_network,
)
from tutorials.pictures import N_SHOWN, draw_losses, draw_map, mosaic, panels, strips

if TYPE_CHECKING:
    import numpy as np
    from harness.jobs import Size

N_MAPPED = 5000
N_NEIGHBORS = 5
MAP_EPOCHS = 50


def _small_digits(size: Size) -> np.ndarray:
    """Return scikit-learn's digits."""
    return load_digits().data / 16


def _digits(size: Size) -> np.ndarray:
    """Return the training images of MNIST."""
    return load("MNIST", size)[0].flat().clean


# Width, epochs, batch size, and rows of the linear autoencoders.
LINEAR = {
    "digits": (8, 1000, 128, _small_digits),
    "MNIST": (32, 20, 256, _digits),
}


@tutorial(
    "mnist-latent-map",
    reference=f"{KERAS_BLOG}, t-SNE of a 32-dimensional code",
    max_seeds=1,
)
def mnist_latent_map(turn: Turn) -> Outcome:
    """Digits on a map that is made of their codes, without their labels.

    t-SNE of the codes of 5,000 test images, by the network of mnist-deep, beside t-SNE
    of as many principal components. The accuracy is that of the 5 nearest training
    images, seen through their codes, on all test images.
    """
    training, test = (part.flat() for part in load("MNIST", turn.size))
    network = digits_network(turn.with_epochs(MAP_EPOCHS), DEEP).model
    pca = PCA(LATENT_DIM, random_state=0).fit(training.clean)
    coders = {"skae": network, f"PCA({LATENT_DIM})": pca}
    numbers, maps = {}, {}
    for name, coder in coders.items():
        codes = coder.transform(training.clean), coder.transform(test.clean)
        nearest = KNeighborsClassifier(N_NEIGHBORS).fit(codes[0], training.labels)
        accuracy = nearest.score(codes[1], test.labels)
        numbers["accuracy of 5 nearest neighbours", name] = float(accuracy)
        points = TSNE(random_state=turn.seed).fit_transform(codes[1][:N_MAPPED])
        maps[name] = functools.partial(
            draw_map, points=points, labels=test.labels[:N_MAPPED]
        )
    numbers["accuracy of 5 nearest neighbours", "pixels"] = float(
        KNeighborsClassifier(N_NEIGHBORS)
        .fit(training.clean, training.labels)
        .score(test.clean, test.labels)
    )
    return Outcome(numbers, functools.partial(panels, maps))


@tutorial(
    "codes-as-images",
    reference=f"{KERAS_BLOG}, the 128-dimensional codes as images",
    max_seeds=1,
)
def codes_as_images(turn: Turn) -> Outcome:
    """The spatial codes of digits, drawn as images.

    The network of mnist-conv-small makes 8 pictures of 4 x 4 of a digit. PCA with as
    many components, 128, says what a linear code of that width keeps.
    """
    training, test = (part.clean for part in load("MNIST", turn.size))
    network = small_network(turn.with_epochs(CONV_EPOCHS.made)).model
    codes = network.transform(test)
    pca_error = pca_test_error(
        min(codes.shape[1], len(training)), flat(training), flat(test)
    )
    output = network.reconstruct(test)
    numbers = {
        ("numbers in a code", "skae"): codes.shape[1],
        ("test MSE", "skae"): mean_squared_error(output, test),
        ("test MSE", "PCA(128)"): pca_error,
    }
    pictures = {
        "original": test,
        "code": mosaic(codes[:N_SHOWN].reshape(-1, *network.latent_shape_)),
        "reconstruction": output,
    }
    return Outcome(numbers, functools.partial(strips, pictures))


@tutorial(
    "linear-vs-pca",
    reference="Baldi and Hornik (1989), https://doi.org/10.1016/0893-6080(89)90014-2",
    bars={
        (f"{name}: training MSE, {relation} PCA's", "skae"): bar
        for name in LINEAR
        for relation, bar in (
            ("over", Bar("<=", 1.05, of_every=True)),
            ("above", Bar(">=", 0.0, of_every=True)),
        )
    },
)
def linear_vs_pca(turn: Turn) -> Outcome:
    """Linear autoencoders against PCA of the same width, on the training rows.

    PCA is the best that a linear network can do. scikit-learn's digits through 8
    numbers, in 1,000 epochs, and MNIST through 32, in 20; pixels in [0, 1].
    """
    numbers, draws = {}, {}
    for name, (width, epochs, batch_size, rows_of) in LINEAR.items():
        X = turn.rows(rows_of(turn.size))
        transformer = as_in_tutorials(
            AutoencoderTransformer,
            turn.with_epochs(epochs),
            latent_dim=width,
            network=DenseNetwork(hidden_units=()),
            loss="mse",
            batch_size=batch_size,
        )
        trained = train(transformer, X)
        error = mean_squared_error(trained.restore(X), X)
        least = pca_test_error(width, X, X)
        quantity = f"{name}: training MSE"
        numbers |= {
            (quantity, "skae"): error,
            (quantity, f"PCA({width})"): least,
            (f"{quantity}, over PCA's", "skae"): error / least,
            (f"{quantity}, above PCA's", "skae"): error - least,
        }
        draws[name] = functools.partial(
            draw_losses, losses={"skae": trained.losses}, floor=("PCA", least)
        )
    return Outcome(numbers, functools.partial(panels, draws))
