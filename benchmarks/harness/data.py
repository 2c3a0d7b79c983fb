"""The tutorials' data as they take it: heartbeats, and images in [0, 1] with noise."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from sklearn.model_selection import train_test_split

from skae import GaussianNoise, fetch_ecg5000, fetch_fashion_mnist, fetch_mnist
from skae.corruptions import corrupt

if TYPE_CHECKING:
    from harness.jobs import Size, Turn

LOADERS = {"MNIST": fetch_mnist, "Fashion-MNIST": fetch_fashion_mnist}

# ----------------------------------------------------------------------- heartbeats


@dataclass(frozen=True)
class Split:
    """Rows and labels (+1 normal, -1 outlier) to train on and to test on."""

    X_train: np.ndarray
    X_test: np.ndarray
    y_train: np.ndarray
    y_test: np.ndarray

    @property
    def normals(self) -> np.ndarray:
        """The normal rows of the training part."""
        return self.X_train[self.y_train == 1]


def ecg_split(size: Size) -> Split:
    """Return ECG5000 in its own units, split as the tutorials split it."""
    X, y = fetch_ecg5000(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.2, random_state=21
    )
    return Split(*map(size.rows, (X_train, X_test, y_train, y_test)))


def in_unit_range(split: Split) -> Split:
    """Return a split with one minimum and maximum for all its values scaled away.

    They are those of the training part, outliers included, as in the tutorials.
    """
    low, high = split.X_train.min(), split.X_train.max()
    scaled = ((X - low) / (high - low) for X in (split.X_train, split.X_test))
    return Split(*scaled, split.y_train, split.y_test)


# --------------------------------------------------------------------------- images


@dataclass(frozen=True)
class Images:
    """Images in [0, 1], their classes and, perhaps, the same images with noise."""

    clean: np.ndarray  # (n, 28, 28, 1), or (n, 784) where they are flat
    labels: np.ndarray  # (n,)
    noisy: np.ndarray | None = None  # as clean

    def __len__(self) -> int:
        return len(self.clean)

    def __getitem__(self, rows: slice | np.ndarray) -> Images:
        noisy = None if self.noisy is None else self.noisy[rows]
        return Images(self.clean[rows], self.labels[rows], noisy)

    def flat(self) -> Images:
        """Return the same images with one axis per row."""
        noisy = None if self.noisy is None else flat(self.noisy)
        return replace(self, clean=flat(self.clean), noisy=noisy)


def flat(X: np.ndarray) -> np.ndarray:
    """Return rows with one axis each."""
    return X.reshape(len(X), -1)


def load(name: str, size: Size) -> tuple[Images, ...]:
    """Return the training and the test images of a set, as many as a size takes."""
    return tuple(part[: len(size.rows(part.labels))] for part in _whole(name))


def load_noisy(name: str, turn: Turn, std: float) -> tuple[Images, ...]:
    """Return training and test images with Gaussian noise, clipped to [0, 1].

    The noise is drawn once, by the turn's seed: it is the same for all contenders.
    """
    noise = GaussianNoise(std, clip=(0, 1))
    seeds = np.random.SeedSequence(turn.seed).generate_state(2)
    return tuple(
        replace(part, noisy=corrupt(noise, part.clean, seed=int(seed)))
        for part, seed in zip(load(name, turn.size), seeds, strict=True)
    )


@functools.cache
def _whole(name: str) -> tuple[Images, ...]:
    """Return the training and the test images of a set."""
    return tuple(
        Images(*LOADERS[name](subset=subset, return_X_y=True))
        for subset in ("train", "test")
    )
