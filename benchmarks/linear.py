"""Are the default transformer and denoiser ever behind linear methods?

PCA and ridge regression are what a network with a linear path begins with. Nothing is
set but ``random_state``, the width of codes, and the corruption.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from detection.tables import default_folders, read_tables
from harness.jobs import Bar, Findings, Grid, Jobs, Measurement
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler

from skae import (
    AutoencoderTransformer,
    DenoisingRegressor,
    GaussianNoise,
    fetch_ecg5000,
    fetch_fashion_mnist,
    fetch_mnist,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.jobs import Size

JOBS = Jobs("linear", n_seeds=3)

WIDTHS = (2, 8)
N_TEST = 2_000
DAY = 48  # half-hours of the taxi series
SERIES = "nyc_taxi", "machine_temperature_system_failure"
ALPHAS = np.logspace(-4, 5, 28)
N_COMPONENTS = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128)


class Rows(NamedTuple):
    """Rows that are trained on, and others."""

    name: str
    train: np.ndarray
    test: np.ndarray


def _drawn(name: str, X: np.ndarray, n: int, seed: int) -> Rows:
    """Return n rows to train on and others, at random."""
    order = np.random.default_rng(seed).permutation(len(X))
    X = X.reshape(len(X), -1).astype(np.float64)
    return Rows(name, X[order[:n]], X[order[n : n + N_TEST]])


def _sets(size: Size, seed: int) -> Iterator[Rows]:
    """Yield the data sets of the job on codes."""
    digits = load_digits().data
    yield _drawn("digits, 200 rows", digits, 200, seed)
    if size.is_quick:
        return
    yield _drawn("digits, 1,000 rows", digits, 1_000, seed)
    for name, fetch in (("MNIST", fetch_mnist), ("Fashion-MNIST", fetch_fashion_mnist)):
        X, _ = fetch(subset="train", return_X_y=True)
        for n in (200, 1_000, 10_000):
            yield _drawn(f"{name}, {n:,} rows", X, n, seed)
    yield _drawn("ECG5000", fetch_ecg5000(return_X_y=True)[0], 2_500, seed)
    for folder in default_folders():
        for table in read_tables(folder):
            normal = table.X[table.y == 1]
            yield _drawn(table.name, normal, min(len(normal) // 2, 2_000), seed)


@JOBS.job("codes")
def codes(size: Size) -> Findings:
    """Test R² of the default transformer minus PCA's, with codes of 2 and 8 numbers.

    Rows are standardised by the training rows. Digits, MNIST and Fashion-MNIST with 200
    to 10,000 rows, ECG5000, and the normal rows of the tables of detection.py, half of
    them, at most 2,000, to train; 8 numbers where there are more columns and rows.
    """
    rows, rounds = {}, []
    for seed in size.seeds:
        leads = []
        for name, train, test in _sets(size, seed):
            scaler = StandardScaler().fit(train)
            train, test = scaler.transform(train), scaler.transform(test)
            for width in WIDTHS:
                if width > min(train.shape):
                    continue
                pca = PCA(width).fit(train)
                linear = _r2(test, pca.inverse_transform(pca.transform(test)))
                own = AutoencoderTransformer(
                    width, random_state=seed, **size.training()
                ).fit(train)
                found = _r2(test, own.reconstruct(test))
                leads.append(found - linear)
                key = f"{name}, {train.shape[1]} columns, code of {width}"
                rows.setdefault(key, []).append((found, linear))
        rounds.append((np.mean(leads), np.min(leads)))
    mean, least = zip(*rounds, strict=True)
    grid = {key: [*map(float, np.mean(one, axis=0))] for key, one in rows.items()}
    columns = "skae", "PCA"
    return Findings(
        [
            Measurement("mean R² above PCA's", "skae", tuple(mean), Bar(">=", 0.03)),
            Measurement("least R² above PCA's", "skae", tuple(least), Bar(">=", -0.01)),
            Measurement("mean R² above PCA's", "PCA", (0.0,)),
        ],
        grids=(Grid("Test R², mean over the seeds", "data", columns, grid),),
    )


def _r2(X: np.ndarray, made: np.ndarray) -> float:
    """Return the share of the variance of all values that is kept."""
    return 1 - np.square(X - made).sum() / np.square(X - X.mean(axis=0)).sum()


def _clean(size: Size, seed: int) -> Iterator[Rows]:
    """Yield the clean rows of the job on noise."""
    yield _drawn("digits", load_digits().data, 1_000, seed)
    if size.is_quick:
        return
    yield _drawn("ECG5000", fetch_ecg5000(return_X_y=True)[0], 1_000, seed)
    for name in SERIES:
        folder: Path = default_folders()[0].with_name("real")
        with np.load(folder / f"nab_{name}.npz") as file:
            values = next(file[key] for key in file if file[key].dtype.kind == "f")
        step = DAY if name == SERIES[0] else DAY // 4
        windows = np.lib.stride_tricks.sliding_window_view(values.ravel(), DAY)[::step]
        half = len(windows) // 2
        yield Rows(f"NAB {name}", windows[:half].astype(float), windows[half:])


@JOBS.job("noise")
def noise(size: Size) -> Findings:
    """Test errors of the default denoiser, over those of the best linear method.

    Gaussian noise of so many standard deviations of all values, on digits, on beats of
    ECG5000, and on windows of 48 steps of two NAB series, the first half to train. The
    linear methods are RidgeCV with 28 strengths, and PCA of the noisy rows whose width
    is chosen on a fifth of the training rows. "from pairs" learns from noisy and clean
    rows, as they do; "from clean rows" from these and ``GaussianNoise``, with
    ``scaler="common"``, since the noise is the same for all columns.
    """
    ways = "from pairs", "from clean rows"
    rows, rounds = {}, []
    for seed in size.seeds:
        ratios = []
        for name, train, test in _clean(size, seed):
            for strength in (0.1, 0.3, 1.0) if name == "digits" else (0.1, 0.2, 0.5):
                rng, std = np.random.default_rng(seed), strength * train.std()
                noisy, noisy_test = (
                    X + std * rng.normal(size=X.shape) for X in (train, test)
                )
                rivals = _linear(noisy, train, noisy_test, test)
                scaled = std / np.sqrt(train.var(axis=0).mean())
                options = {"random_state": seed, **size.training()}
                own = (
                    DenoisingRegressor(**options).fit(noisy, train),
                    DenoisingRegressor(
                        corruption=GaussianNoise(float(scaled)),
                        scaler="common",
                        **options,
                    ).fit(train),
                )
                errors = [
                    np.square(one.predict(noisy_test) - test).mean() for one in own
                ]
                errors.append(np.square(noisy_test - test).mean())
                found = [error / min(rivals) for error in [*errors, *rivals]]
                ratios.append(found[:2])
                rows.setdefault(f"{name}, {strength} std", []).append(found)
        rounds.append(np.max(ratios, axis=0))
    largest = "largest test MSE, over the best linear method's"
    bar = Bar("<=", 1.02)
    grid = {key: [*map(float, np.mean(one, axis=0))] for key, one in rows.items()}
    columns = *(f"skae, {way}" for way in ways), "noisy rows", "Ridge", "PCA"
    title = "Test MSE over that of the better linear method, mean over the seeds"
    return Findings(
        [
            Measurement(largest, f"skae, {way}", tuple(one), bar)
            for way, one in zip(ways, np.transpose(rounds), strict=True)
        ],
        grids=(Grid(title, "data", columns, grid),),
    )


def _linear(
    noisy: np.ndarray, clean: np.ndarray, noisy_test: np.ndarray, test: np.ndarray
) -> tuple[float, float]:
    """Return the test errors of ridge regression and of PCA, tuned on training rows."""
    scaler = StandardScaler().fit(noisy)
    ridge = RidgeCV(ALPHAS).fit(scaler.transform(noisy), clean)
    by_ridge = ridge.predict(scaler.transform(noisy_test))

    def by_pca(width: int, known: np.ndarray, asked: np.ndarray) -> np.ndarray:
        """Return rows without what is off the first components."""
        pca = PCA(width).fit(known)
        return pca.inverse_transform(pca.transform(asked))

    kept = len(noisy) * 4 // 5
    widths = [k for k in N_COMPONENTS if k <= min(kept, noisy.shape[1])]
    errors = [
        np.square(by_pca(k, noisy[:kept], noisy[kept:]) - clean[kept:]).mean()
        for k in widths
    ]
    restored = by_pca(widths[int(np.argmin(errors))], noisy, noisy_test)
    return tuple(float(np.square(one - test).mean()) for one in (by_ridge, restored))


if __name__ == "__main__":
    JOBS.main(__doc__)
