"""Where MNIST and Fashion-MNIST come from, and how their files are read."""

import gzip

import numpy as np

from skae.datasets._download import RemoteFile, Source
from skae.datasets._store import DataSet

LAYOUT = {
    "x_train": ((60000, 28, 28), "uint8"),
    "y_train": ((60000,), "uint8"),
    "x_test": ((10000, 28, 28), "uint8"),
    "y_test": ((10000,), "uint8"),
}


def _read_idx(path):
    """Read the MNIST format: dtype and number of axes, shape, bytes."""
    with gzip.open(path, "rb") as file:
        content = file.read()
    if content[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path.name!r} is not an idx file of unsigned bytes")
    n_axes = content[3]
    shape = np.frombuffer(content, ">u4", count=n_axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * n_axes).reshape(shape)


def _read_idx_files(*paths):
    """Read the four files in the order of `LAYOUT`."""
    return dict(zip(LAYOUT, map(_read_idx, paths), strict=True))


def _read_keras_npz(path):
    """Read the one file that Keras publishes."""
    with np.load(path, allow_pickle=False) as npz:
        return {name: npz[name] for name in LAYOUT}


def _idx_source(base, md5_sums):
    """Source of the four idx files below an address."""
    names = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3")
    names += ("t10k-labels-idx1",)
    return Source(
        files=tuple(
            RemoteFile(f"{base}/{name}-ubyte.gz", f"md5:{md5}")
            for name, md5 in zip(names, md5_sums, strict=True)
        ),
        read=_read_idx_files,
    )


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
    any_row_order=False,
    sources=(
        _idx_source(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
            FASHION_MNIST_MD5,
        ),
        _idx_source(
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
            FASHION_MNIST_MD5,
        ),
    ),
)

# Checksums as in keras.datasets.mnist, and in torchvision for the idx files.
MNIST = DataSet(
    filename="mnist.npz",
    layout=LAYOUT,
    content_hash="5fa1c7093a08727e21c6f6fe5c790dff27b5b2012e66fe66453fc8d98392051f",
    any_row_order=False,
    sources=(
        Source(
            files=(
                RemoteFile(
                    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
                    "sha256:731c5ac602752760c8e48fbffcf8c3b8"
                    "50d9dc2a2aedcf2cc48468fc17b673d1",
                ),
            ),
            read=_read_keras_npz,
        ),
        _idx_source(
            "https://storage.googleapis.com/cvdf-datasets/mnist",
            (
                "f68b3c2dcbeaaa9fbdd348bbdeb94873",
                "d53e105ee54ea40749a09fcbcd1e9432",
                "9fb629c4189551a2d022fa330f9573f3",
                "ec29112dd5afa0611ce80d1b7f02629c",
            ),
        ),
    ),
)
