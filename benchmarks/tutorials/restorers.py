"""Filters that remove noise without a network, with a strength that is to be chosen.

A restorer learns from a strength and from images, noisy and clean, and returns a
function from noisy images to restored ones, (n, 28, 28, 1) both. Restored values are
clipped to [0, 1], as those of a network with a sigmoid are bounded, too.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pywt
from harness.data import Images, flat
from harness.rivals import mean_squared_error
from PIL import Image
from scipy.ndimage import gaussian_filter, median_filter
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge

# To choose a strength, one in so many training images is held out, and at most so many.
HELD_SHARE = 6
MAX_HELD = 2000
AXES = (1, 2)  # height and width
Restore = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Restorer:
    """A way to remove noise.

    ``learn`` takes a strength and `Images`, and returns a function from noisy to
    restored images.
    """

    learn: Callable[[Any, Images], Restore]
    strengths: tuple  # those to choose from
    unit: str  # of a strength


@dataclass(frozen=True)
class Chosen:
    """A restorer with the strength that was best on held-out training images."""

    restore: Restore
    strength: Any
    unit: str

    def __str__(self) -> str:
        words = self.strength
        if isinstance(words, tuple):
            words = " ".join(map(str, words))
        return f"{words} ({self.unit})"


def choose(
    restorer: Restorer, images: Images, judges: dict[str, Callable]
) -> dict[str, Chosen]:
    """Return a restorer at its best strength, one for each judge.

    The last of the training images, a sixth or 2,000, are held out to judge; then the
    chosen strength learns from all. A judge takes images and the restored ones, and
    returns a number that is low where these are good.
    """
    n_held = min(len(images) // HELD_SHARE, MAX_HELD)
    kept, held = images[:-n_held], images[-n_held:]
    marks = {name: [] for name in judges}
    for strength in restorer.strengths:
        restored = restorer.learn(strength, kept)(held.noisy)
        for name, judge in judges.items():
            marks[name].append(judge(held, restored))
    best = {
        name: restorer.strengths[int(np.argmin(those))] for name, those in marks.items()
    }
    learned = {
        strength: restorer.learn(strength, images) for strength in set(best.values())
    }
    return {
        name: Chosen(learned[strength], strength, restorer.unit)
        for name, strength in best.items()
    }


def squared_error(images: Images, restored: np.ndarray) -> float:
    """Return the mean squared distance to the clean images."""
    return mean_squared_error(restored, images.clean)


# -------------------------------------------------- those that learn from images


def ridge(alpha: float, images: Images) -> Restore:
    """Return Ridge, from all noisy pixels to all clean ones."""
    model = Ridge(alpha).fit(flat(images.noisy), flat(images.clean))

    def restore(noisy: np.ndarray) -> np.ndarray:
        return np.clip(model.predict(flat(noisy)), 0, 1).reshape(noisy.shape)

    return restore


def pca(n_components: int, images: Images) -> Restore:
    """Return the projection on the principal components of the clean images."""
    most = min(n_components, *flat(images.clean).shape)
    model = PCA(most, random_state=0).fit(flat(images.clean))

    def restore(noisy: np.ndarray) -> np.ndarray:
        projected = model.inverse_transform(model.transform(flat(noisy)))
        return np.clip(projected, 0, 1).reshape(noisy.shape)

    return restore


# ---------------------------------------------- those that work on single images


def blur(sigma: float, images: Images | None = None) -> Restore:
    """Return a Gaussian filter."""
    return partial(gaussian_filter, sigma=sigma, axes=AXES)


def median(width: int, images: Images | None = None) -> Restore:
    """Return a median filter."""
    return partial(median_filter, size=width, axes=AXES)


def wavelet(
    strength: tuple[str, float], images: Images | None = None, *, threshold: Callable
) -> Restore:
    """Return soft thresholding of wavelet coefficients, in as many levels as fit.

    ``strength`` is the wavelet's name and the standard deviation that noise is taken
    to have in all coefficients of all images.
    """
    name, noise_std = strength

    def restore(noisy: np.ndarray) -> np.ndarray:
        coarse, *levels = pywt.wavedec2(noisy, name, axes=AXES, mode="periodization")
        shrunk = [
            tuple(_soften(band, threshold(band, noise_std)) for band in level)
            for level in levels
        ]
        restored = pywt.waverec2(
            [coarse, *shrunk], name, axes=AXES, mode="periodization"
        )
        height, width = noisy.shape[1:3]  # odd sizes come back one larger
        return np.clip(restored[:, :height, :width], 0, 1).astype(noisy.dtype)

    return restore


def bayes_threshold(band: np.ndarray, noise_std: float) -> np.ndarray:
    """Return BayesShrink's threshold of a subband: noise variance over signal's std.

    Chang, Yu and Vetterli (2000), doi:10.1109/83.862633.
    """
    power = np.mean(np.square(band), axis=AXES, keepdims=True)
    signal_variance = np.maximum(power - noise_std**2, 1e-12)
    return noise_std**2 / np.sqrt(signal_variance)


def visu_threshold(band: np.ndarray, noise_std: float) -> float:
    """Return VisuShrink's threshold, the same for all subbands of an image.

    Donoho and Johnstone (1994), doi:10.1093/biomet/81.3.425.
    """
    return noise_std * np.sqrt(2 * np.log(784))


def _soften(band: np.ndarray, threshold: np.ndarray | float) -> np.ndarray:
    """Return a band with its values moved towards 0 by the threshold."""
    return np.sign(band) * np.maximum(np.abs(band) - threshold, 0)


def jpeg(quality: int, images: Images | None = None) -> Restore:
    """Return compression as JPEG, which drops what is fine, and back."""

    def restore(noisy: np.ndarray) -> np.ndarray:
        pixels = np.round(255 * noisy[..., 0]).astype(np.uint8)
        restored = np.stack([_through_jpeg(one, quality) for one in pixels])
        return (restored[..., np.newaxis] / 255).astype(noisy.dtype)

    return restore


def _through_jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    """Return an image of bytes, compressed and read again."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


NOISE_STDS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.8)
WAVELETS = tuple(product(("haar", "sym4"), NOISE_STDS))
RESTORERS = {
    "Ridge": Restorer(ridge, (0.1, 10.0, 100.0, 1000.0, 1e4, 1e5), "alpha"),
    "PCA": Restorer(pca, (4, 8, 16, 32, 48, 64, 96, 128, 192, 256), "components"),
    "Gaussian blur": Restorer(
        blur, (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0, 3.0), "sigma, pixels"
    ),
    "median filter": Restorer(median, (2, 3, 4, 5, 7, 9), "width, pixels"),
    "BayesShrink": Restorer(
        partial(wavelet, threshold=bayes_threshold), WAVELETS, "wavelet and noise std"
    ),
    "VisuShrink": Restorer(
        partial(wavelet, threshold=visu_threshold), WAVELETS, "wavelet and noise std"
    ),
    "JPEG": Restorer(jpeg, (1, 3, 5, 10, 15, 20, 30, 50, 75, 90), "quality"),
}
