"""MNIST and Fashion-MNIST: small grey images of ten kinds."""

import os

import numpy as np
from sklearn.utils import Bunch

from skae._validation import StrOptions, validate_params
from skae.datasets._image_files import FASHION_MNIST, MNIST
from skae.datasets._store import describe_origin, load_arrays

PARAMETERS = {
    "subset": [StrOptions({"train", "test", "all"})],
    "data_home": [str, os.PathLike, None],
    "download_if_missing": ["boolean"],
    "return_X_y": ["boolean"],
}


FASHION_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
FASHION_DESCR = """\
Fashion-MNIST: 60,000 training and 10,000 test images of clothes, 28 by 28 grey pixels
in [0, 1], ten kinds of equal size, in the original order.
Han Xiao, Kashif Rasul, Roland Vollgraf, "Fashion-MNIST: a novel image dataset for
benchmarking machine learning algorithms", 2017, arXiv:1708.07747. MIT licence."""

MNIST_DESCR = """\
MNIST: 60,000 training and 10,000 test images of handwritten digits, 28 by 28 grey
pixels in [0, 1], in the original order.
Yann LeCun, Leon Bottou, Yoshua Bengio, Patrick Haffner, "Gradient-based learning
applied to document recognition", Proceedings of the IEEE 86(11), 1998,
doi:10.1109/5.726791. Creative Commons Attribution-ShareAlike 3.0 licence."""


def _load_images(data_set, subset, data_home, download_if_missing):
    """Return images as float32 in [0, 1] with a channel axis, and labels."""
    parts = ("train", "test") if subset == "all" else (subset,)
    names = [f"{letter}_{part}" for letter in "xy" for part in parts]
    arrays = load_arrays(
        data_set,
        names,
        data_home=data_home,
        download_if_missing=download_if_missing,
    )
    pixels = np.concatenate(arrays[: len(parts)])[..., np.newaxis]
    X = pixels.astype(np.float32)
    X /= 255.0  # in place: the training images alone take 188 MB
    return X, np.concatenate(arrays[len(parts) :]).astype(np.int64)


def _bunch(data_set, X, y, target_names, descr, data_home):
    """Wrap images as the fetchers return them."""
    return Bunch(
        data=X,
        target=y,
        target_names=list(target_names),
        DESCR=descr,
        details=describe_origin(data_set, data_home),
    )


@validate_params(PARAMETERS, prefer_skip_nested_validation=True)
def fetch_fashion_mnist(
    *, subset="train", data_home=None, download_if_missing=True, return_X_y=False
):
    """Load Fashion-MNIST, images of clothes, downloading it the first time.

    Use it for denoising and for reconstructions that can be looked at; it is harder
    than MNIST and has the same layout.

    ==============  ==========================
    Classes                                 10
    Samples         60,000 train, 10,000 test
    Shape                          (28, 28, 1)
    Values                 float32 in [0, 1]
    ==============  ==========================

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        Which images; "all" is the training images followed by the test images.

    data_home : str or path-like, default=None
        Folder that has, or will have, the file ``fashion_mnist.npz``. None is the
        environment variable ``SKAE_DATA``, or ``~/skae_data`` where that is not set.

    download_if_missing : bool, default=True
        If False, raise an OSError if the file is not there.

    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    dataset : :class:`~sklearn.utils.Bunch`
        With these attributes:

        data : ndarray of shape (n_samples, 28, 28, 1), float32
            Images, 0 is the background.
        target : ndarray of shape (n_samples,), int64
            Kinds of clothes, 0 to 9.
        target_names : list of str
            Names of the kinds.
        DESCR : str
            What the set is, who made it, its licence.
        details : dict
            The file's path `"filename"`, its originals' `"urls"`, and the
            `"content_hash"` that a download is checked against.

    (data, target) : tuple if `return_X_y` is True
        The first two of them.

    Raises
    ------
    OSError
        If the file is missing and is not, or cannot be, downloaded; if it is damaged.

    See Also
    --------
    fetch_mnist : Images of digits, in the same layout.

    References
    ----------
    .. [1] H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset for
       benchmarking machine learning algorithms", 2017,
       :doi:`10.48550/arXiv.1708.07747`.

    Examples
    --------
    >>> from skae.datasets import fetch_fashion_mnist
    >>> clothes = fetch_fashion_mnist(subset="test")  # doctest: +SKIP
    >>> clothes.data.shape  # doctest: +SKIP
    (10000, 28, 28, 1)
    >>> clothes.target_names[clothes.target[0]]  # doctest: +SKIP
    'Ankle boot'
    """
    X, y = _load_images(FASHION_MNIST, subset, data_home, download_if_missing)
    if return_X_y:
        return X, y
    return _bunch(FASHION_MNIST, X, y, FASHION_NAMES, FASHION_DESCR, data_home)


@validate_params(PARAMETERS, prefer_skip_nested_validation=True)
def fetch_mnist(
    *, subset="train", data_home=None, download_if_missing=True, return_X_y=False
):
    """Load MNIST, images of handwritten digits, downloading it the first time.

    Use it for latent spaces that can be looked at, and where others' numbers are to be
    compared with.

    ==============  ==========================
    Classes                                 10
    Samples         60,000 train, 10,000 test
    Shape                          (28, 28, 1)
    Values                 float32 in [0, 1]
    ==============  ==========================

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        Which images; "all" is the training images followed by the test images.

    data_home : str or path-like, default=None
        Folder that has, or will have, the file ``mnist.npz``. None is the environment
        variable ``SKAE_DATA``, or ``~/skae_data`` where that is not set.

    download_if_missing : bool, default=True
        If False, raise an OSError if the file is not there.

    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    dataset : :class:`~sklearn.utils.Bunch`
        With these attributes:

        data : ndarray of shape (n_samples, 28, 28, 1), float32
            Images, 0 is the background.
        target : ndarray of shape (n_samples,), int64
            Digits, 0 to 9.
        target_names : list of str
            The digits as text.
        DESCR : str
            What the set is, who made it, its licence.
        details : dict
            The file's path `"filename"`, its originals' `"urls"`, and the
            `"content_hash"` that a download is checked against.

    (data, target) : tuple if `return_X_y` is True
        The first two of them.

    Raises
    ------
    OSError
        If the file is missing and is not, or cannot be, downloaded; if it is damaged.

    See Also
    --------
    fetch_fashion_mnist : Images of clothes, in the same layout.

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied
       to document recognition", Proceedings of the IEEE 86(11), 1998,
       :doi:`10.1109/5.726791`.

    Examples
    --------
    >>> from skae.datasets import fetch_mnist
    >>> X, y = fetch_mnist(subset="test", return_X_y=True)  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (10000, 28, 28, 1)
    >>> int(y[0])  # doctest: +SKIP
    7
    """
    X, y = _load_images(MNIST, subset, data_home, download_if_missing)
    if return_X_y:
        return X, y
    return _bunch(MNIST, X, y, map(str, range(10)), MNIST_DESCR, data_home)
