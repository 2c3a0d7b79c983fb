"""The recorded sets: heartbeats of ECG5000, images of MNIST and Fashion-MNIST."""

from __future__ import annotations

import gzip
from io import TextIOWrapper
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any, Literal, cast
from zipfile import ZipFile

import numpy as np
from sklearn.utils import Bunch

from skae._validation import StrOptions, validate_params
from skae.datasets._store import PARAMETERS, DataSet, Source, load_arrays

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from skae.datasets._store import Arrays, DataHome, Labelled

    Subset = Literal["train", "test", "all"]

MAX_BYTES = 1 << 26  # of one file, unpacked: MNIST has 55 million
PARTS = ("ECG5000_TRAIN.ts", "ECG5000_TEST.ts")
NORMAL_CLASS = 1  # of five; the others are kinds of abnormal beats


def _read_zip(path: Path) -> Arrays:
    """Read both parts from the archive of the UCR collection."""
    with ZipFile(path) as archive:
        members = {PurePosixPath(one.filename).name: one for one in archive.infolist()}
        _check_size(path, (members[part].file_size for part in PARTS))
        return _read_parts(archive.open(members[part]) for part in PARTS)


def _check_size(path: Path, sizes: Iterable[int]) -> None:
    """Raise where a file unpacks to much more than a data set holds."""
    if sum(sizes) > MAX_BYTES:
        raise ValueError(f"{path.name!r} unpacks to more than {MAX_BYTES:,} bytes")


def _read_ts_files(*paths: Path) -> Arrays:
    """Read both parts from files of their own."""
    return _read_parts(path.open("rb") for path in paths)


def _read_parts(files: Iterable[IO[bytes]]) -> Arrays:
    """Read sktime's text format: after @data, values and a class on each line."""
    tables = []
    for file in files:
        with TextIOWrapper(cast("Any", file), "utf-8", errors="replace") as lines:
            for line in lines:
                if line.strip().lower() == "@data":
                    break
            rows = (line.replace(":", ",") for line in lines)
            tables.append(np.loadtxt(rows, delimiter=","))
    table = np.concatenate(tables)
    return {
        "X": table[:, :-1].astype(np.float32),
        "y": (table[:, -1] == NORMAL_CLASS).astype(np.int8),
    }


# No checksum of these files is published: the content alone is checked. The order of
# rows differs between copies of this set, so the check does not depend on it.
ECG5000 = DataSet(
    filename="ecg5000.npz",
    layout={"X": ((5000, 140), "float32"), "y": ((5000,), "int8")},
    content_hash="9dd3c32085042e5465eb094f517918a1ef7ead5a6a68753a7ff4c542456c752e",
    any_row_order=True,
    sources=(
        Source(
            "https://www.timeseriesclassification.com/aeon-toolkit",
            {"ECG5000.zip": None},
            _read_zip,
        ),
        Source(
            "https://zenodo.org/records/11186692/files",
            dict.fromkeys(PARTS),
            _read_ts_files,
        ),
    ),
    target_names=("abnormal", "normal"),
    description="""\
ECG5000: 5,000 heartbeats of one patient with congestive heart failure (record chf07 of
the BIDMC database), each stretched to 140 values and standardised. 2,919 are normal
(+1); the other 2,081 are abnormal, of four kinds (-1).
Ary L. Goldberger et al., "PhysioBank, PhysioToolkit, and PhysioNet", Circulation
101(23), 2000, doi:10.1161/01.CIR.101.23.e215; Yanping Chen et al., "A general framework
for never-ending learning from time series streams", Data Mining and Knowledge Discovery
29, 2015, doi:10.1007/s10618-014-0388-4. UCR archive of time series.""",
)


def fetch_beats(
    data_set: DataSet, data_home: DataHome, download_if_missing: bool, return_X_y: bool
) -> Bunch | Labelled:
    """Load heartbeats with the labels +1 (normal) and -1 (abnormal)."""
    X, y = load_arrays(data_set, ("X", "y"), data_home, download_if_missing)
    y = np.where(y == NORMAL_CLASS, 1, -1)
    if return_X_y:
        return X, y
    names = [f"t{step}" for step in range(X.shape[1])]
    return data_set.bunch(data_home, data=X, target=y, feature_names=names)


@validate_params(PARAMETERS, prefer_skip_nested_validation=True)
def fetch_ecg5000(
    *,
    data_home: DataHome = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
) -> Bunch | Labelled:
    """Load ECG5000, recorded heartbeats, downloading it the first time.

    2,919 are normal and 2,081 abnormal; each is standardised. Use it for outlier
    detection, as TensorFlow's tutorial on autoencoders does.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder of ``ecg5000.npz``; None is ``SKAE_DATA``, else ``~/skae_data``.
    download_if_missing : bool, default=True
        If False, raise an OSError if the file is not there.
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    dataset : :class:`~sklearn.utils.Bunch`
        `data`, a float32 array of shape (5000, 140) with a heartbeat per row;
        `target`, an int64 array with +1 for normal beats and -1 for abnormal ones;
        `feature_names`, the time steps "t0" to "t139"; `target_names`, of -1 and +1;
        `DESCR`, what the set is and who made it; `details`, a dict with the "filename",
        the "urls" of its originals and the "content_hash" that a download must have.
    (data, target) : tuple if `return_X_y` is True
        The first two of them.

    Raises
    ------
    OSError
        If the file is missing and is not, or cannot be, downloaded; if it is damaged.

    See Also
    --------
    make_heartbeats : Generated heartbeats, without a download.

    Notes
    -----
    Rows come in the order of the file, labels may be sorted: shuffle before a split
    that takes rows from one end. A download has the archive's 500 training rows first,
    then its 4,500 test rows; ``ecg.csv`` of TensorFlow's tutorial has another order.

    References
    ----------
    .. [1] A. L. Goldberger et al., "PhysioBank, PhysioToolkit, and PhysioNet",
       Circulation 101(23), 2000, :doi:`10.1161/01.CIR.101.23.e215`.
    .. [2] Y. Chen, Y. Hao, T. Rakthanmanon, J. Zakaria, B. Hu, E. Keogh, "A general
       framework for never-ending learning from time series streams", Data Mining and
       Knowledge Discovery 29, 2015, :doi:`10.1007/s10618-014-0388-4`.

    Examples
    --------
    >>> from skae.datasets import fetch_ecg5000
    >>> X, y = fetch_ecg5000(return_X_y=True)  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (5000, 140)
    >>> int((y == -1).sum())  # doctest: +SKIP
    2081
    """
    return fetch_beats(ECG5000, data_home, download_if_missing, return_X_y)


# ---------------------------------------------------------------------- images

LAYOUT = {
    "x_train": ((60000, 28, 28), "uint8"),
    "y_train": ((60000,), "uint8"),
    "x_test": ((10000, 28, 28), "uint8"),
    "y_test": ((10000,), "uint8"),
}
# The files of both sets, in the order of the layout.
IDX_FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
IMAGE_PARAMETERS = PARAMETERS | {"subset": [StrOptions({"train", "test", "all"})]}


def _read_idx(path: Path) -> NDArray[np.uint8]:
    """Read the MNIST format: dtype and number of axes, shape, bytes."""
    with gzip.open(path, "rb") as file:
        content = file.read(MAX_BYTES + 1)
    _check_size(path, [len(content)])
    if content[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path.name!r} is not an idx file of unsigned bytes")
    n_axes = content[3]
    shape = np.frombuffer(content, ">u4", count=n_axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * n_axes).reshape(shape)


def _read_idx_files(*paths: Path) -> dict[str, NDArray[np.uint8]]:
    """Read the four files in the order of the layout."""
    return dict(zip(LAYOUT, map(_read_idx, paths), strict=True))


def _read_keras_npz(path: Path) -> dict[str, NDArray[np.uint8]]:
    """Read the one file that Keras publishes."""
    with ZipFile(path) as archive:
        _check_size(path, (one.file_size for one in archive.infolist()))
    with np.load(path, allow_pickle=False) as npz:
        return {name: npz[name] for name in LAYOUT}


def _idx_source(base_url: str, *md5_sums: str) -> Source:
    """Return the source of the four idx files below an address."""
    sums = (f"md5:{md5}" for md5 in md5_sums)
    return Source(base_url, dict(zip(IDX_FILES, sums, strict=True)), _read_idx_files)


# Checksums as published in the README of zalandoresearch/fashion-mnist.
FASHION_MNIST_MD5 = (
    "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "25c81989df183df01b3e8a0aad5dffbe",
    "bef4ecab320f06d8554ea6380940ec79",
    "bb300cfdad3c16e7a12a480ee83cd310",
)
FASHION_MNIST = DataSet(
    filename="fashion_mnist.npz",
    layout=LAYOUT,
    content_hash="06230d60a72cffe823df895781b4485e5de67245f6747465d403d2b390ae4f53",
    sources=(
        _idx_source(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
            *FASHION_MNIST_MD5,
        ),
        _idx_source(
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
            *FASHION_MNIST_MD5,
        ),
    ),
    target_names=("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat")
    + ("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    description="""\
Fashion-MNIST: 60,000 training and 10,000 test images of clothes, 28 by 28 grey pixels
in [0, 1], ten kinds of equal size, in the original order.
Han Xiao, Kashif Rasul, Roland Vollgraf, "Fashion-MNIST: a novel image dataset for
benchmarking machine learning algorithms", 2017, arXiv:1708.07747. MIT licence.""",
)

# Checksums as in keras.datasets.mnist, and in torchvision for the idx files.
MNIST = DataSet(
    filename="mnist.npz",
    layout=LAYOUT,
    content_hash="5fa1c7093a08727e21c6f6fe5c790dff27b5b2012e66fe66453fc8d98392051f",
    sources=(
        Source(
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets",
            {
                "mnist.npz": "sha256:"
                "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
            },
            _read_keras_npz,
        ),
        _idx_source(
            "https://storage.googleapis.com/cvdf-datasets/mnist",
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "d53e105ee54ea40749a09fcbcd1e9432",
            "9fb629c4189551a2d022fa330f9573f3",
            "ec29112dd5afa0611ce80d1b7f02629c",
        ),
    ),
    target_names=tuple("0123456789"),
    description="""\
MNIST: 60,000 training and 10,000 test images of handwritten digits, 28 by 28 grey
pixels in [0, 1], in the original order.
Yann LeCun, Leon Bottou, Yoshua Bengio, Patrick Haffner, "Gradient-based learning
applied to document recognition", Proceedings of the IEEE 86(11), 1998,
doi:10.1109/5.726791. Creative Commons Attribution-ShareAlike 3.0 licence.""",
)


def fetch_images(
    data_set: DataSet,
    subset: Subset,
    data_home: DataHome,
    download_if_missing: bool,
    return_X_y: bool,
) -> Bunch | Labelled:
    """Load images as float32 in [0, 1] with a channel axis, and their labels."""
    parts = ("train", "test") if subset == "all" else (subset,)
    names = [f"{letter}_{part}" for letter in "xy" for part in parts]
    arrays = load_arrays(data_set, names, data_home, download_if_missing)
    X = np.concatenate(arrays[: len(parts)])[..., np.newaxis].astype(np.float32)
    X /= 255.0  # in place: the training images alone take 188 MB
    y = np.concatenate(arrays[len(parts) :]).astype(np.int64)
    return (X, y) if return_X_y else data_set.bunch(data_home, data=X, target=y)


@validate_params(IMAGE_PARAMETERS, prefer_skip_nested_validation=True)
def fetch_fashion_mnist(
    *,
    subset: Subset = "train",
    data_home: DataHome = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
) -> Bunch | Labelled:
    """Load Fashion-MNIST, images of clothes, downloading it the first time.

    60,000 training and 10,000 test images of ten kinds. Use it for denoising and for
    reconstructions that can be looked at; it is harder than MNIST.

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        Which images; "all" is the training images followed by the test images.
    data_home : str or path-like, default=None
        Folder of ``fashion_mnist.npz``; None is ``SKAE_DATA``, else ``~/skae_data``.
    download_if_missing : bool, default=True
        If False, raise an OSError if the file is not there.
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    dataset : :class:`~sklearn.utils.Bunch`
        `data`, a float32 array of shape (n_samples, 28, 28, 1) with images in [0, 1],
        of which 0 is the background; `target`, an int64 array with the kinds of
        clothes, 0 to 9; `target_names`, their names; `DESCR`, what the set is, who made
        it, its licence; `details`, a dict with the "filename", the "urls" of its
        originals and the "content_hash" that a download must have.
    (data, target) : tuple if `return_X_y` is True
        The first two of them.

    Raises
    ------
    OSError
        If the file is missing and is not, or cannot be, downloaded; if it is damaged.

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
    return fetch_images(
        FASHION_MNIST, subset, data_home, download_if_missing, return_X_y
    )


@validate_params(IMAGE_PARAMETERS, prefer_skip_nested_validation=True)
def fetch_mnist(
    *,
    subset: Subset = "train",
    data_home: DataHome = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
) -> Bunch | Labelled:
    """Load MNIST, images of handwritten digits, downloading it the first time.

    60,000 training and 10,000 test images. Use it for latent spaces that can be looked
    at, and where others' numbers are to be compared with.

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        Which images; "all" is the training images followed by the test images.
    data_home : str or path-like, default=None
        Folder of ``mnist.npz``; None is ``SKAE_DATA``, else ``~/skae_data``.
    download_if_missing : bool, default=True
        If False, raise an OSError if the file is not there.
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    dataset : :class:`~sklearn.utils.Bunch`
        As of :func:`fetch_fashion_mnist`, with the digits as `target`.
    (data, target) : tuple if `return_X_y` is True
        The first two of them.

    Raises
    ------
    OSError
        If the file is missing and is not, or cannot be, downloaded; if it is damaged.

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
    return fetch_images(MNIST, subset, data_home, download_if_missing, return_X_y)
