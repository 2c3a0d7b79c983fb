"""How good reconstructed images are."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.utils import gen_batches

from skae._validation import Interval, validate_params
from skae.metrics._reconstruction import _reconstruction_error, check_pair

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# Wang et al. (2004): a Gaussian window of 11 x 11 pixels, and the constants that keep
# the quotient stable where an image is flat.
_WINDOW_STD, _WINDOW_RADIUS = 1.5, 5
_K1, _K2 = 0.01, 0.03
# Number of float64 values that ssim filters at once: a few megabytes of temporaries.
_BLOCK_SIZE = 2**17

_PARAMETERS = {
    "y_true": ["array-like"],
    "y_pred": ["array-like"],
    "data_range": [Interval(Real, 0, None, closed="neither")],
}


@validate_params(_PARAMETERS, prefer_skip_nested_validation=True)
def psnr(y_true: ArrayLike, y_pred: ArrayLike, *, data_range: float = 1.0) -> float:
    r"""Peak signal-to-noise ratio of images, in decibels.

    High is good. It measures plain squared differences, while `ssim` is closer to human
    perception.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples, ...)
        Clean images, and reconstructed or denoised ones.
    data_range : float, default=1.0
        Largest minus smallest possible value of a pixel, > 0: 255 for bytes.

    Returns
    -------
    ratio : float
        Mean over the images; infinite if any of them equals its original exactly.

    Raises
    ------
    ValueError
        If an array is empty or not finite, if the shapes differ or are 1-D, or if
        `y_true` spans more than `data_range`.

    Notes
    -----
    For one image with mean squared error :math:`\mathrm{mse}` and data range L, the
    ratio is :math:`10 \log_{10} (L^2 / \mathrm{mse})`.

    Examples
    --------
    >>> import numpy as np
    >>> from skae.metrics import psnr
    >>> round(psnr(np.zeros((2, 8, 8)), np.full((2, 8, 8), 0.1)), 6)
    20.0
    """
    y_true, y_pred = check_pair(y_true, y_pred)
    if y_true.ndim < 2:
        raise ValueError(
            f"psnr needs one image per row, but y_true has shape {y_true.shape}. Pass "
            "images[np.newaxis] for a single one."
        )
    _check_data_range(y_true, data_range)
    mse = _reconstruction_error(y_true, y_pred, "mse")
    with np.errstate(divide="ignore"):
        return float(np.mean(20 * np.log10(data_range) - 10 * np.log10(mse)))


@validate_params(_PARAMETERS, prefer_skip_nested_validation=True)
def ssim(y_true: ArrayLike, y_pred: ArrayLike, *, data_range: float = 1.0) -> float:
    r"""Structural similarity of images.

    1 for equal images, near 0 for unrelated ones. It compares local brightness,
    contrast and structure, and penalises blur more than squared errors do.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples, height, width[, channels])
        Clean images, and reconstructed or denoised ones, of at least 11 x 11 pixels.
    data_range : float, default=1.0
        Largest minus smallest possible value of a pixel, > 0: 255 for bytes.

    Returns
    -------
    similarity : float
        Mean over images, channels and window positions, between -1 and 1.

    Raises
    ------
    ValueError
        If an array is empty or not finite, if the shapes differ or are not those of
        large enough images, or if `y_true` spans more than `data_range`.

    Notes
    -----
    With local means :math:`\mu`, variances :math:`\sigma^2` and covariance
    :math:`\sigma_{xy}` under a Gaussian window (standard deviation 1.5, 11 x 11
    pixels, only positions inside the image) [1]_,

    .. math:: \mathrm{SSIM} = \frac{(2 \mu_x \mu_y + C_1)(2 \sigma_{xy} + C_2)}
        {(\mu_x^2 + \mu_y^2 + C_1)(\sigma_x^2 + \sigma_y^2 + C_2)},

    where :math:`C_1 = (0.01 L)^2` and :math:`C_2 = (0.03 L)^2` for the data range L.

    References
    ----------
    .. [1] Z. Wang, A. C. Bovik, H. R. Sheikh and E. P. Simoncelli, "Image Quality
       Assessment: From Error Visibility to Structural Similarity", IEEE Transactions
       on Image Processing 13(4), 2004. :doi:`10.1109/TIP.2003.819861`

    Examples
    --------
    >>> import numpy as np
    >>> from skae.metrics import ssim
    >>> images = np.random.default_rng(0).uniform(size=(2, 16, 16))
    >>> round(ssim(images, images), 6)
    1.0
    >>> ssim(images, 1 - images) < 0
    True
    """
    y_true, y_pred = check_pair(y_true, y_pred)
    window = 2 * _WINDOW_RADIUS + 1
    if y_true.ndim not in (3, 4) or min(y_true.shape[1:3]) < window:
        raise ValueError(
            f"ssim needs images of at least {window} x {window} pixels, of shape "
            "(n_samples, height, width) or (n_samples, height, width, channels), but "
            f"y_true has shape {y_true.shape}. Reshape the rows to images, or use psnr."
        )
    _check_data_range(y_true, data_range)
    n_samples, total = len(y_true), 0.0
    for rows in gen_batches(n_samples, max(1, _BLOCK_SIZE * n_samples // y_true.size)):
        x, y = (
            np.divide(images[rows], data_range, dtype=np.float64)
            for images in (y_true, y_pred)
        )
        total += _similarity_map(x, y).mean(axis=(1, 2)).sum()
    n_channels = y_true.shape[3] if y_true.ndim == 4 else 1
    return float(total / (n_samples * n_channels))


def _similarity_map(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the similarity at every window position, for a data range of 1."""
    mean_x, mean_y = _window_mean(x), _window_mean(y)
    variance_x = _window_mean(x * x) - mean_x**2
    variance_y = _window_mean(y * y) - mean_y**2
    covariance = _window_mean(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _K1**2) / (mean_x**2 + mean_y**2 + _K1**2)
    structure = (2 * covariance + _K2**2) / (variance_x + variance_y + _K2**2)
    return luminance * structure


def _window_mean(images: np.ndarray) -> np.ndarray:
    """Return the Gaussian mean over the window, at the positions where it fits."""
    means = gaussian_filter(
        images, _WINDOW_STD, radius=_WINDOW_RADIUS, axes=(1, 2), mode="nearest"
    )
    inside = slice(_WINDOW_RADIUS, -_WINDOW_RADIUS)
    return means[:, inside, inside]


def _check_data_range(y_true: np.ndarray, data_range: float) -> None:
    """Raise where the clean images span more than `data_range`."""
    span = float(y_true.max()) - float(y_true.min())
    if span > data_range * (1 + 1e-6):
        raise ValueError(
            f"data_range must be at least what y_true spans, {span:.6g}, but is "
            f"{data_range!r}. Pass the largest minus the smallest possible value of a "
            "pixel, for instance data_range=255 for bytes."
        )
