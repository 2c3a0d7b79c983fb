"""The data home: one npz file per data set, downloaded once and checked when read."""

from __future__ import annotations

import hashlib
import os
import tempfile
import zlib
from contextlib import ExitStack
from dataclasses import dataclass
from logging import WARNING
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.lib import format as npy
from sklearn.utils import Bunch

from skae._validation import needs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Arrays = dict[str, Any]  # NumPy's, by name
    Layout = dict[str, tuple[tuple[int, ...], str]]  # shape and dtype of each array
    DataHome = str | os.PathLike[str] | None
    Labelled = tuple[NDArray[np.float32], NDArray[np.int64]]

N_TRIES = 3
TIMEOUT = (10, 60)  # seconds to connect, and between two pieces of an answer

# What reading a damaged file, or a file of another kind, can raise.
READ_ERRORS = (BadZipFile, EOFError, LookupError, OSError, RuntimeError, TypeError)
READ_ERRORS += (ValueError, zlib.error)

# The constraints that all loaders have in common.
PARAMETERS = {
    "data_home": [str, os.PathLike, None],
    "download_if_missing": ["boolean"],
    "return_X_y": ["boolean"],
}


@dataclass(frozen=True)
class Source:
    """Published files that together hold a data set, and the function to read them."""

    base_url: str
    files: dict[str, str | None]  # name: the published checksum, None without one
    read: Callable[..., Arrays]  # takes the paths of the files, in their order

    def url(self, name: str) -> str:
        """Return the address of a file."""
        return f"{self.base_url}/{name}"


@dataclass(frozen=True)
class DataSet:
    """The file of a data set in the data home: its content, and where it comes from."""

    filename: str
    layout: Layout
    content_hash: str
    sources: tuple[Source, ...]
    target_names: tuple[str, ...]
    description: str
    any_row_order: bool = False  # whether the hash disregards the order of the rows

    def bunch(self, data_home: DataHome, **content: Any) -> Bunch:
        """Return the content with a description and where the data come from."""
        details = {
            "filename": str(find_data_home(data_home) / self.filename),
            "urls": [one.url(name) for one in self.sources for name in one.files],
            "content_hash": self.content_hash,
        }
        content["target_names"] = list(self.target_names)
        return Bunch(**content, DESCR=self.description, details=details)


def content_hash(arrays: Arrays, *, any_row_order: bool = False) -> str:
    """Return a digest of names, dtypes, shapes and values, however they are stored."""
    digest = hashlib.sha256()
    contents: list[Any] = []
    for name in sorted(arrays):
        array = arrays[name]
        array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        contents.append(array)
    if any_row_order:
        rows = zip(*contents, strict=True)
        contents = sorted(b"".join(part.tobytes() for part in row) for row in rows)
    for part in contents:
        digest.update(part)
    return digest.hexdigest()


def find_data_home(data_home: DataHome = None) -> Path:
    """Return the data home's path: the argument, ``SKAE_DATA``, or the default."""
    chosen = data_home or os.environ.get("SKAE_DATA") or "~/skae_data"
    return Path(chosen).expanduser()


def load_arrays(
    data_set: DataSet, names: Sequence[str], data_home: DataHome, may_download: bool
) -> list[Any]:
    """Return the named arrays of a data set, downloading it if it is not there."""
    home = find_data_home(data_home)
    path = home / data_set.filename
    if not path.exists():
        if not may_download:
            raise OSError(
                f"{data_set.filename!r} is not in the data home and"
                " download_if_missing=False. Pass download_if_missing=True, or put the"
                f" file there. (The data home is {str(home)!r}; data_home or SKAE_DATA"
                " names another.)"
            )
        try:
            home.mkdir(parents=True, exist_ok=True)
            arrays = _download(data_set, home)
            with tempfile.TemporaryDirectory(prefix=".write-", dir=home) as folder:
                written = Path(folder) / data_set.filename
                np.savez_compressed(written, **arrays)
                # Replacing is atomic: half a file never has the final name.
                os.replace(written, path)
        except OSError as exc:
            if not is_local(exc):
                raise
            raise OSError(
                f"{data_set.filename!r} could not be kept in the data home "
                f"{str(home)!r}: {exc.strerror}. Make room there, or name another "
                "folder by data_home or SKAE_DATA."
            ) from exc
    arrays = _read_npz(path, data_set)
    return [arrays[name] for name in names]


def is_local(error: OSError) -> bool:
    """Return whether the file system raised an error, and no server or network."""
    return error.errno is not None  # requests gives its errors none


def _download(data_set: DataSet, home: Path) -> Arrays:
    """Return the arrays of the first source that delivers the data set."""
    failures = []
    for source in data_set.sources:
        with tempfile.TemporaryDirectory(prefix=".download-", dir=home) as folder:
            try:
                return _read_source(source, data_set, folder)
            except OSError as exc:
                if is_local(exc):  # such as a full disk, which no other source mends
                    raise
                failures.append(exc)
    raise OSError(
        f"{data_set.filename!r} could not be downloaded:"
        f" {'; '.join(map(str, failures))}. Check the network and try again, or put"
        f" the file into the data home {str(home)!r} yourself (data_home or SKAE_DATA"
        " names another)."
    ) from failures[-1]


def _read_source(source: Source, data_set: DataSet, folder: str) -> Arrays:
    """Return the arrays of a source, or raise an OSError that says what failed."""
    with needs("pooch", "Downloading a data set"):
        import pooch

    fetcher = pooch.create(
        folder, source.base_url, registry=source.files, retry_if_failed=N_TRIES - 1
    )
    # An answer that is not read is closed, or its socket stays open.
    hooks = {"response": lambda answer, **_: None if answer.ok else answer.close()}
    downloader = pooch.HTTPDownloader(progressbar=True, timeout=TIMEOUT, hooks=hooks)
    logger, paths = pooch.get_logger(), []
    with ExitStack() as stack:
        stack.callback(logger.setLevel, logger.level)
        logger.setLevel(WARNING)  # there is a progress bar
        for name, checksum in source.files.items():
            try:
                paths.append(Path(fetcher.fetch(name, downloader=downloader)))
            except OSError as exc:
                if is_local(exc):
                    raise
                what = f"{source.url(name)} failed {N_TRIES} times, last with a"
                raise OSError(f"{what} {type(exc).__name__}") from exc
            except ValueError as exc:  # pooch's error for another checksum
                what = f"{source.url(name)} sent a damaged file {N_TRIES} times"
                raise OSError(f"{what}, not the one with {checksum!r}") from exc
    what = f"{source.url(next(iter(source.files)))} holds other data than published"
    try:
        arrays = source.read(*paths)
    except READ_ERRORS as exc:
        raise OSError(what) from exc
    found = content_hash(arrays, any_row_order=data_set.any_row_order)
    if found != data_set.content_hash:
        raise OSError(what)
    return arrays


def _read_arrays(file: IO[bytes], layout: Layout) -> Arrays:
    """Return the arrays of an npz file, or raise before reading any other shape."""
    # A small file may hold zeros for hundreds of megabytes.
    with ZipFile(file) as archive:
        for name, (shape, dtype) in layout.items():
            with archive.open(f"{name}.npy") as member:
                if npy.read_magic(member) == (1, 0):
                    found, _, kind = npy.read_array_header_1_0(member)
                else:
                    found, _, kind = npy.read_array_header_2_0(member)
            if (found, kind.name) != (shape, dtype):
                raise ValueError(f"{name!r} has the shape {found} and dtype {kind}")
    file.seek(0)
    with np.load(file, allow_pickle=False) as npz:
        return {name: npz[name] for name in layout}


def _read_npz(path: Path, data_set: DataSet) -> Arrays:
    """Return the arrays of a file, or raise where it is not the data set."""
    cause: Exception | None = None
    with open(path, "rb") as file:
        try:
            arrays = _read_arrays(file, data_set.layout)
        except READ_ERRORS as exc:
            cause, problem = exc, f"it cannot be read ({exc})"
        else:
            found = content_hash(arrays, any_row_order=data_set.any_row_order)
            if found == data_set.content_hash:
                return arrays
            problem = "their values are others"
    words = "{!r} of shape {} and dtype {}".format
    expected = ", ".join(words(name, *one) for name, one in data_set.layout.items())
    raise OSError(
        f"{path.name!r} in the data home {str(path.parent)!r} is damaged or another"
        f" file: expected the published arrays {expected}, but {problem}. Delete it,"
        " and it will be downloaded again."
    ) from cause
