"""The tables of ``detection.py``: a folder of them, and how their rows are used."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from skae import fetch_fashion_mnist, fetch_mnist


class Limits(NamedTuple):
    """Rows of a table that are trained on and scored, at most."""

    train: int
    test: int


LIMITS = Limits(5_000, 10_000)
MIN_OUTLIERS = 100
# Next to the first folder: tables that came later, and features of images.
OTHER_FOLDERS = "adbench2", "adbench_cv"
# Of a quick run, which only shows that all is well.
QUICK_LIMITS = Limits(100, 200)
QUICK_TABLES = 3


@dataclass(frozen=True)
class Table:
    """Rows and labels, +1 normal and -1 outlier."""

    name: str
    X: np.ndarray
    y: np.ndarray
    group: str = ""  # the folder's name


@dataclass(frozen=True)
class Split:
    """Standardised rows, and which of them are trained on and scored."""

    X: np.ndarray
    y: np.ndarray
    train: np.ndarray
    test: np.ndarray


def default_folder() -> Path:
    """Return the folder of tables without the argument --tables."""
    home = os.environ.get("SKAE_DATA") or Path.home() / "skae_data"
    return Path(home) / "adbench"


def default_folders(is_quick: bool = False) -> list[Path]:
    """Return the folders of tables without the argument --tables; one when quick."""
    first = default_folder()
    others = [] if is_quick else [first.with_name(name) for name in OTHER_FOLDERS]
    return [first, *(folder for folder in others if folder.is_dir())]


def read_tables(folder: Path, is_quick: bool = False) -> list[Table]:
    """Return the tables of a folder, in the order of their names' numbers.

    It holds files ``*.npz`` with X, (rows, columns) of numbers, and y, where 1 marks
    the anomalies. A few small ones are enough for a quick run.
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


def _place(path: Path) -> tuple[int, int, str]:
    """Return what sorts 4_x before 14_y, and names without a number last."""
    number, _, name = path.stem.partition("_")
    return (0, int(number), name) if number.isdecimal() else (1, 0, path.stem)


def read_table(path: Path) -> Table:
    """Return one table: float64, finite columns."""
    with np.load(path, allow_pickle=False) as file:
        X = np.asarray(file["X"], dtype=np.float64)
        is_outlier = np.asarray(file["y"]).ravel() == 1
    X = X.reshape(len(X), -1)
    counts = int(is_outlier.sum()), int((~is_outlier).sum())
    n_infinite = int(np.sum(~np.isfinite(X)))
    n_outliers, n_normal = counts
    if len(is_outlier) != len(X) or n_infinite or n_outliers < 1 or n_normal < 4:
        raise SystemExit(
            f"{path} has {len(X)} rows, {len(is_outlier)} labels, {n_outliers} "
            f"anomalies and {n_infinite} values that are not finite. A table needs as "
            "many labels as rows, an anomaly, four normal rows and finite values."
        )
    return Table(path.stem, X, np.where(is_outlier, -1, 1), path.parent.name)


def image_tables(is_quick: bool = False) -> list[Table]:
    """Return wide tables: images of one class among others, by pixel and by component.

    Digits and clothes of even classes, of each class 2,000 normal images and 1,000 of
    others; as 784 pixels, and as their first 100 principal components.
    """
    sources = {"digits": fetch_mnist, "clothes": fetch_fashion_mnist}
    tables, n_normal = [], 200 if is_quick else 2_000
    for source, fetch in sources.items():
        images, labels = fetch(subset="train", return_X_y=True)
        pixels = images.reshape(len(images), -1).astype(np.float64)
        components = PCA(100, random_state=0).fit(pixels[: 6 * n_normal])
        for label in range(0, 10, 2):
            normal = np.flatnonzero(labels == label)[:n_normal]
            others = np.flatnonzero(labels != label)[: n_normal // 2]
            X = pixels[np.r_[normal, others]]
            y = np.repeat([1, -1], [n_normal, len(others)])
            parts = {"pixels": X, "components": components.transform(X)}
            tables += [
                Table(f"{source}_{label}_{name}", part, y)
                for name, part in parts.items()
            ]
    return tables[:QUICK_TABLES] if is_quick else tables


def normals_split(table: Table, seed: int, limits: Limits = LIMITS) -> Split:
    """Return a split that trains on half of the normal rows and scores the rest."""
    rng = np.random.default_rng(seed)
    normal = rng.permutation(np.flatnonzero(table.y == 1))
    half = len(normal) // 2
    others = np.concatenate([normal[half:], np.flatnonzero(table.y == -1)])
    train = normal[:half][: limits.train]
    return _standardised(table, train, thinned(others, table.y, limits.test, rng))


def contaminated_split(table: Table, seed: int, limits: Limits = LIMITS) -> Split:
    """Return a split that trains on all rows, and scores the same ones."""
    rng = np.random.default_rng(seed)
    rows = thinned(np.arange(len(table.y)), table.y, limits.train, rng)
    return _standardised(table, rows, rows)


def thinned(
    rows: np.ndarray, y: np.ndarray, n_kept: int, rng: np.random.Generator
) -> np.ndarray:
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


def _standardised(table: Table, train: np.ndarray, test: np.ndarray) -> Split:
    """Return a split by the mean and the deviation of the training rows."""
    scaler = StandardScaler().fit(table.X[train])
    return Split(scaler.transform(table.X), table.y, train, test)
