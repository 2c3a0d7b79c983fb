"""The tables of ``detection.py``: a folder of them, and how their rows are used."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from skae import fetch_fashion_mnist, fetch_mnist

MAX_TRAIN, MAX_TEST = 5_000, 10_000
MIN_OUTLIERS = 100
# Of a quick run, which only shows that all is well.
QUICK_TABLES, QUICK_TRAIN, QUICK_TEST = 3, 100, 200


@dataclass(frozen=True)
class Table:
    """Rows and labels, +1 normal and -1 outlier."""

    name: str
    X: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class Split:
    """Standardised rows, and which of them are trained on and scored."""

    X: np.ndarray
    y: np.ndarray
    train: np.ndarray
    test: np.ndarray


def default_folder():
    """Return where the tables are if nobody says it."""
    home = os.environ.get("SKAE_DATA") or Path.home() / "skae_data"
    return Path(home) / "adbench"


def read_tables(folder, is_quick=False):
    """Return the tables of a folder, in the order of their names' numbers.

    Parameters
    ----------
    folder : Path
        It holds files ``*.npz`` with X, (rows, columns) of numbers, and y, where 1
        marks the anomalies.

    is_quick : bool, default=False
        Whether a few small ones are enough.

    Returns
    -------
    tables : list of Table
    """
    paths = sorted(Path(folder).glob("*.npz"), key=_place)
    if not paths:
        raise SystemExit(
            f"There are no tables, *.npz with X and y, in {folder}. Pass a folder "
            "with --tables FOLDER, or set SKAE_DATA to the folder above adbench."
        )
    if is_quick:
        paths = sorted(paths, key=lambda path: path.stat().st_size)[:QUICK_TABLES]
    return [read_table(path) for path in paths]


def _place(path):
    """Return what sorts 4_x before 14_y, and names without a number last."""
    number, _, name = path.stem.partition("_")
    return (0, int(number), name) if number.isdecimal() else (1, 0, path.stem)


def read_table(path):
    """Return one table: float64, finite columns."""
    with np.load(path, allow_pickle=False) as file:
        X = np.asarray(file["X"], dtype=np.float64)
        odd = np.asarray(file["y"]).ravel() == 1
    X = X.reshape(len(X), -1)
    counts = int(odd.sum()), int((~odd).sum())
    if len(odd) != len(X) or not np.isfinite(X).all() or counts[0] < 1 or counts[1] < 4:
        raise SystemExit(
            f"{path} has {len(X)} rows, {len(odd)} labels, {counts[0]} anomalies and "
            f"{np.sum(~np.isfinite(X))} values that are not finite. A table needs as "
            "many labels as rows, an anomaly, four normal rows and finite values."
        )
    return Table(path.stem, X, np.where(odd, -1, 1))


def image_tables(is_quick=False):
    """Return wide tables: images of one class among others, by pixel and by component.

    Digits and clothes of even classes, of each class 2,000 normal images and 1,000 of
    others; as 784 pixels, and as their first 100 principal components.
    """
    sources = {"digits": fetch_mnist, "clothes": fetch_fashion_mnist}
    tables, n_normal = [], 200 if is_quick else 2_000
    for source, fetch in sources.items():
        images, labels = fetch(subset="train", return_X_y=True)
        pixels = images.reshape(len(images), -1).astype(np.float64)
        components = PCA(100, random_state=0).fit(pixels[:12_000])
        for label in range(0, 10, 2):
            normal = np.flatnonzero(labels == label)[:n_normal]
            odd = np.flatnonzero(labels != label)[: n_normal // 2]
            X, y = pixels[np.r_[normal, odd]], np.repeat([1, -1], [n_normal, len(odd)])
            parts = {"pixels": X, "components": components.transform(X)}
            tables += [
                Table(f"{source}_{label}_{name}", part, y)
                for name, part in parts.items()
            ]
    return tables[:QUICK_TABLES] if is_quick else tables


def normals_split(table, seed, is_quick=False):
    """Return a split that trains on half of the normal rows and scores the rest."""
    rng = np.random.default_rng(seed)
    normal = rng.permutation(np.flatnonzero(table.y == 1))
    half = len(normal) // 2
    others = np.concatenate([normal[half:], np.flatnonzero(table.y == -1)])
    n_train, n_test = _limits(is_quick)
    train = normal[:half][:n_train]
    return _standardised(table, train, thinned(others, table.y, n_test, rng))


def contaminated_split(table, seed, is_quick=False):
    """Return a split that trains on all rows, and scores the same ones."""
    rng = np.random.default_rng(seed)
    n_train, _ = _limits(is_quick)
    rows = thinned(np.arange(len(table.y)), table.y, n_train, rng)
    return _standardised(table, rows, rows)


def thinned(rows, y, n_kept, rng):
    """Return a random part of some rows, with as large a share of outliers.

    Up to ``MIN_OUTLIERS`` of them are kept even so: a ROC AUC of six outliers among
    10,000 rows would say more of the draw than of the detector.
    """
    if len(rows) <= n_kept:
        return rows
    parts = [rows[y[rows] == label] for label in (1, -1)]
    share = round(n_kept * len(parts[1]) / len(rows))
    n_outliers = min(max(share, min(len(parts[1]), MIN_OUTLIERS)), n_kept // 2)
    kept = (n_kept - n_outliers, n_outliers)
    return np.concatenate(
        [
            rng.permutation(part)[:n_part]
            for part, n_part in zip(parts, kept, strict=True)
        ]
    )


def _limits(is_quick):
    return (QUICK_TRAIN, QUICK_TEST) if is_quick else (MAX_TRAIN, MAX_TEST)


def _standardised(table, train, test):
    """Return a split by the mean and the deviation of the training rows."""
    scaler = StandardScaler().fit(table.X[train])
    return Split(scaler.transform(table.X), table.y, train, test)
