"""The data home: one npz file per data set, checked when it is read."""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skae.datasets._download import READ_ERRORS, Source, download_arrays


@dataclass(frozen=True)
class DataSet:
    """What a file of the data home holds, and where it comes from.

    `layout` gives each array's shape and dtype; `content_hash` is what the function of
    that name returns, with the rows in the order of the file, or in any order.
    """

    filename: str
    layout: dict[str, tuple[tuple[int, ...], str]]
    content_hash: str
    any_row_order: bool
    sources: tuple[Source, ...]


def content_hash(arrays, *, any_row_order=False):
    """Digest of arrays: names, dtypes, shapes and values.

    It does not depend on how a file was written. With `any_row_order`, the arrays
    share their first axis, and the digest does not depend on the order along it.
    """
    arrays = {name: arrays[name] for name in sorted(arrays)}
    digest = hashlib.sha256()
    contents = []
    for name, array in arrays.items():
        array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        contents.append(array)
    if any_row_order:
        rows = zip(*contents, strict=True)
        contents = sorted(b"".join(part.tobytes() for part in row) for row in rows)
    for part in contents:
        digest.update(part)
    return digest.hexdigest()


def find_data_home(data_home=None):
    """Return the data home's path: the argument, ``SKAE_DATA``, or the default."""
    chosen = data_home or os.environ.get("SKAE_DATA") or "~/skae_data"
    return Path(chosen).expanduser()


def load_arrays(data_set, names, *, data_home=None, download_if_missing=True):
    """Return some arrays of a data set, downloading it if it is not there.

    Parameters
    ----------
    data_set : DataSet
        What to load.

    names : sequence of str
        Arrays to read.

    data_home : str, path-like or None, default=None
        See `find_data_home`.

    download_if_missing : bool, default=True
        If False, a missing file is an error.

    Returns
    -------
    arrays : list of ndarray
        The arrays, in the order of `names`.

    Raises
    ------
    OSError
        If the file is missing and is not, or cannot be, downloaded; if it is damaged.
    """
    home = find_data_home(data_home)
    path = home / data_set.filename
    if not path.exists():
        if not download_if_missing:
            raise OSError(
                f"{data_set.filename!r} is not in the data home and"
                " download_if_missing=False. Pass download_if_missing=True, or put the"
                f" file there. (The data home is {str(home)!r}; data_home or SKAE_DATA"
                " names another.)"
            )
        _download(data_set, home)
    return _read_npz(path, data_set, names)


def describe_origin(data_set, data_home=None):
    """Return the `details` of a Bunch: the file, its originals, its content."""
    return {
        "filename": str(find_data_home(data_home) / data_set.filename),
        "urls": [file.url for source in data_set.sources for file in source.files],
        "content_hash": data_set.content_hash,
    }


def _download(data_set, home):
    """Put a data set into the data home: all of it, or nothing."""

    def is_expected(arrays):
        digest = content_hash(arrays, any_row_order=data_set.any_row_order)
        return digest == data_set.content_hash

    home.mkdir(parents=True, exist_ok=True)
    arrays = download_arrays(data_set.filename, data_set.sources, is_expected, home)
    with tempfile.TemporaryDirectory(prefix=".write-", dir=home) as folder:
        written = Path(folder) / data_set.filename
        np.savez_compressed(written, **arrays)
        # Replacing is atomic: nobody ever finds half a file under the final name.
        os.replace(written, home / data_set.filename)


def _read_npz(path, data_set, names):
    """Read some arrays of a file and check them against the layout."""
    with open(path, "rb") as file:
        try:
            with np.load(file, allow_pickle=False) as npz:
                arrays = [npz[name] for name in names]
        except READ_ERRORS as exc:
            raise OSError(
                _describe_damage(path, f"it cannot be read ({exc})", data_set, names)
            ) from exc
    for name, array in zip(names, arrays, strict=True):
        if (array.shape, array.dtype.name) != data_set.layout[name]:
            came = f"{name!r} has the shape {array.shape} and dtype {array.dtype.name}"
            raise OSError(_describe_damage(path, came, data_set, names))
    return arrays


def _describe_damage(path, came, data_set, names):
    """Message about a file that is there and is not what it should be."""
    expected = ", ".join(
        f"{name!r} of shape {shape} and dtype {dtype}"
        for name, (shape, dtype) in data_set.layout.items()
        if name in names
    )
    return (
        f"{path.name!r} in the data home {str(path.parent)!r} is damaged or another"
        f" file: expected the arrays {expected}, but {came}. Delete it, and it will be"
        " downloaded again."
    )
