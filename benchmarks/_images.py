"""The image sets of the tutorials, as they take them: in [0, 1], with fixed noise."""

import functools
from dataclasses import dataclass, replace

import numpy as np

from skae import GaussianNoise, fetch_fashion_mnist, fetch_mnist
from skae.corruptions import corrupt

LOADERS = {"MNIST": fetch_mnist, "Fashion-MNIST": fetch_fashion_mnist}


@dataclass(frozen=True)
class Images:
    """Images in [0, 1], their classes and, perhaps, the same images with noise.

    ``clean`` and ``noisy`` have shape (n, 28, 28, 1), or (n, 784) where they are flat.
    """

    clean: np.ndarray
    labels: np.ndarray
    noisy: np.ndarray | None = None

    def __len__(self):
        return len(self.clean)

    def __getitem__(self, rows):
        noisy = None if self.noisy is None else self.noisy[rows]
        return Images(self.clean[rows], self.labels[rows], noisy)

    def flat(self):
        """Return the same images with one axis per row."""
        noisy = None if self.noisy is None else flat(self.noisy)
        return replace(self, clean=flat(self.clean), noisy=noisy)


def flat(X):
    """Return rows with one axis each."""
    return X.reshape(len(X), -1)


def load(name, size):
    """Return the training and the test images of a set, as many as a size takes."""
    return tuple(part[: len(size.rows(part.labels))] for part in _whole(name))


def load_noisy(name, turn, std):
    """Return training and test images with Gaussian noise, clipped to [0, 1].

    The noise is drawn once, by the turn's seed, and everybody gets the same.
    """
    noise = GaussianNoise(std, clip=(0, 1))
    seeds = np.random.SeedSequence(turn.seed).generate_state(2)
    return tuple(
        replace(part, noisy=corrupt(noise, part.clean, seed=int(seed)))
        for part, seed in zip(load(name, turn.size), seeds, strict=True)
    )


@functools.cache
def _whole(name):
    """Return the training and the test images of a set."""
    return tuple(
        Images(*LOADERS[name](subset=subset, return_X_y=True))
        for subset in ("train", "test")
    )
