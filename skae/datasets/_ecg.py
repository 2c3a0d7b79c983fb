"""ECG5000: recorded heartbeats, normal and abnormal."""

from __future__ import annotations

from io import TextIOWrapper
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any, cast
from zipfile import ZipFile

import numpy as np
from sklearn.utils import Bunch

from skae._validation import validate_params
from skae.datasets._store import PARAMETERS, DataSet, Source, load_arrays

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from skae.datasets._store import Arrays, DataHome, Labelled

PARTS = ("ECG5000_TRAIN.ts", "ECG5000_TEST.ts")
NORMAL_CLASS = 1  # of five; the others are kinds of abnormal beats


def _read_zip(path: Path) -> Arrays:
    """Read both parts from the archive of the UCR collection."""
    with ZipFile(path) as archive:
        members = {PurePosixPath(name).name: name for name in archive.namelist()}
        return _read_parts(archive.open(members[part]) for part in PARTS)


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
        Folder of the file ``ecg5000.npz``. None is the environment variable
        ``SKAE_DATA``, or ``~/skae_data`` where that is not set.
    download_if_missing : bool, default=True
        If False, raise an OSError if the file is not there.
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    dataset : :class:`~sklearn.utils.Bunch`
        With these attributes:

        data : ndarray of shape (5000, 140), float32
            A heartbeat per row.
        target : ndarray of shape (5000,), int64
            +1 for normal beats, -1 for abnormal ones.
        feature_names : list of str
            The time steps, "t0" to "t139".
        target_names : list of str
            Names of the labels -1 and +1, in this order.
        DESCR : str
            What the set is and who made it.
        details : dict
            The "filename", the "urls" of its originals, and the "content_hash" that a
            download is checked against.

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
