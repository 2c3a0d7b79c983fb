"""Downloads of published files, tried again and checked.

A data set can have several sources. Each is a few files and a function that reads them
into arrays; the first source whose arrays are the expected ones wins.
"""

import tempfile
import zlib
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from logging import WARNING
from pathlib import Path
from zipfile import BadZipFile

N_TRIES = 3
TIMEOUT = (10, 60)  # seconds to connect, and between two pieces of an answer

# What reading a damaged file, or a file of another kind, can raise.
READ_ERRORS = (
    BadZipFile,
    EOFError,
    IndexError,
    KeyError,
    NotImplementedError,
    OSError,
    TypeError,
    ValueError,
    zlib.error,
)


@dataclass(frozen=True)
class RemoteFile:
    """A published file; `known_hash` is as published, or None where nothing is."""

    url: str
    known_hash: str | None = None

    @property
    def name(self):
        """Last part of the URL."""
        return self.url.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Source:
    """Files that together hold a data set, and the function that reads them.

    `read` is given the paths, in the order of `files`, and returns a dict of arrays.
    """

    files: tuple[RemoteFile, ...]
    read: Callable


@contextmanager
def _quiet(logger):
    """Let a logger report warnings only; the progress bar says the rest."""
    level = logger.level
    logger.setLevel(WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _close_failed(response, **kwargs):
    """Close an answer that nobody will read, or its socket stays open."""
    if not response.ok:
        response.close()


def _download_file(remote, folder):
    """Download one file into a folder; return its path."""
    import pooch

    fetcher = pooch.create(
        path=folder,
        base_url="",
        registry={remote.name: remote.known_hash},
        urls={remote.name: remote.url},
        retry_if_failed=N_TRIES - 1,
    )
    downloader = pooch.HTTPDownloader(
        progressbar=True, timeout=TIMEOUT, hooks={"response": _close_failed}
    )
    with _quiet(pooch.get_logger()):
        return Path(fetcher.fetch(remote.name, downloader=downloader))


def _read_source(source, is_expected, folder):
    """Return the arrays of a source, or raise an OSError that says what failed."""
    paths = []
    for remote in source.files:
        try:
            paths.append(_download_file(remote, folder))
        except OSError as exc:
            what = f"{remote.url} failed {N_TRIES} times, last with a"
            raise OSError(f"{what} {type(exc).__name__}") from exc
        except ValueError as exc:  # pooch's word for another checksum
            what = f"{remote.url} sent a damaged file {N_TRIES} times"
            raise OSError(f"{what}, not the one with {remote.known_hash!r}") from exc
    what = f"{source.files[0].url} holds other data than published"
    try:
        arrays = source.read(*paths)
    except READ_ERRORS as exc:
        raise OSError(what) from exc
    if not is_expected(arrays):
        raise OSError(what)
    return arrays


def download_arrays(filename, sources, is_expected, home):
    """Download a data set from the first source that delivers it.

    Parameters
    ----------
    filename : str
        Name of the file in the data home that the arrays are for; for the message.

    sources : sequence of Source
        Where to look, in this order.

    is_expected : callable
        Given the dict of arrays, says whether it is the data set.

    home : Path
        Data home, an existing folder; the downloads live in a folder in it that is
        gone afterwards.

    Returns
    -------
    arrays : dict of ndarray
        The data set.

    Raises
    ------
    OSError
        If no source delivers.
    """
    failures = []
    for source in sources:
        with tempfile.TemporaryDirectory(prefix=".download-", dir=home) as folder:
            try:
                return _read_source(source, is_expected, folder)
            except OSError as exc:
                failures.append(exc)
    raise OSError(
        f"{filename!r} could not be downloaded: {'; '.join(map(str, failures))}. Check"
        f" the network and try again, or put the file into the data home {str(home)!r}"
        " yourself (data_home or SKAE_DATA names another)."
    ) from failures[-1]
