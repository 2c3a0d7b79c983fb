"""What is measured in processes of its own: ``python -m harness.processes NAME ...``.

Each function prints its result as JSON. Importing this module imports NumPy alone.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

N_FIRST_FITS = 20
BATCH_SIZES = (4096, 32_768, 131_072)
# Rows at a time of the calls of NumPy alone: the fastest number of some.
AT_ONCE = 1920
# Rows of a block of rows that do not exist at once.
BLOCK_ROWS = 50_000


def first_fit(name: str, path: str, seed: str, epochs: str) -> list[float]:
    """Return the seconds of imports, those of the first fit, and the loss."""
    from harness.machine import timed
    from harness.trainers import ECG_TRAINERS, mean_absolute_error

    X = np.load(path)
    imports, fit = timed(ECG_TRAINERS[name])
    seconds, reconstruct = timed(fit, X, int(seed), int(epochs))
    return [imports, seconds, mean_absolute_error(reconstruct, X)]


def import_statement(statement: str) -> list[float]:
    """Return the seconds of an import, and how many of TensorFlow and Keras it took."""
    start = time.perf_counter()
    exec(statement)
    seconds = time.perf_counter() - start
    return [seconds, len({"tensorflow", "keras"} & set(sys.modules))]


def unpickle(path: str) -> float:
    """Return the score of the row that lies next to a pickle or a Keras file."""
    row = np.load(os.path.join(os.path.dirname(path), "row.npy"))
    if path.endswith(".keras"):
        import keras

        model = keras.saving.load_model(path)
        return float(np.mean(np.abs(model.predict(row, verbose=0) - row)))
    import pickle

    with open(path, "rb") as file:
        return -float(pickle.load(file).score_samples(row)[0])


def only_import() -> str:
    """Import what all of scikit-learn's estimators are made from, and no more."""
    import sklearn.base

    return sklearn.__version__


def many_fits(seed: str, normalization: str, n_networks: str, n_fits: str) -> float:
    """Return the megabytes by which memory grows after the first fits of many."""
    from harness.machine import resident_bytes
    from skae import DenseNetwork, ReconstructionOutlierDetector

    rng = np.random.default_rng(int(seed))
    network = DenseNetwork(normalization=None if normalization == "none" else "batch")
    networks = n_networks if n_networks == "auto" else int(n_networks)
    before = 0
    for i in range(int(n_fits)):
        X = rng.normal(size=(rng.integers(50, 2001), rng.integers(5, 101)))
        detector = ReconstructionOutlierDetector(network=network, epochs=2)
        detector.set_params(random_state=i, n_networks=networks).fit(X).predict(X)
        if i + 1 == min(N_FIRST_FITS, int(n_fits) // 2):
            before = resident_bytes()
    return (resident_bytes() - before) / 1e6


def curve_point(name: str, *size: str) -> list[float]:
    """Return the seconds of fit and score, and the megabytes, without the rows'."""
    from harness.machine import resident_bytes

    n_rows, n_columns, width, seed = map(int, size)
    rng = np.random.default_rng(seed)
    few = rng.standard_normal((100, n_columns))
    if name == "skae":
        from skae import ReconstructionOutlierDetector

        detector: Any = ReconstructionOutlierDetector(width, epochs=1, random_state=0)
    else:
        from sklearn.ensemble import IsolationForest

        detector = IsolationForest(random_state=0)
    detector.fit(few).score_samples(few)
    X = rng.standard_normal((n_rows, n_columns))
    fit, fit_bytes = _costs(detector.fit, X, resident_bytes())
    score, score_bytes = _costs(detector.score_samples, X, resident_bytes())
    return [fit, score, fit_bytes / 1e6, score_bytes / 1e6]


def score_bulk(
    name: str, path: str, n_rows: str, dtype: str, seed: str
) -> tuple[float, float]:
    """Return the seconds of scoring many rows, and the peak memory over the rows'."""
    from harness.machine import resident_bytes

    rng = np.random.default_rng(int(seed))
    candidates, n_columns = _bulk_scorers(name, path)
    few = rng.random((100, n_columns), np.float32).astype(dtype)
    for score in candidates:
        score(few)
    before = resident_bytes()
    X = rng.random((int(n_rows), n_columns), dtype)
    seconds, peak = min(_costs(score, X, before) for score in candidates)
    return seconds, peak / X.nbytes


def _costs(call: Callable, X: np.ndarray, before: int) -> tuple[float, int]:
    """Return the seconds of a call, and its peak memory above that of before."""
    from harness.machine import Peak

    with Peak() as peak:
        start = time.perf_counter()
        call(X)
        seconds = time.perf_counter() - start
    return seconds, peak.bytes - before


def _bulk_scorers(name: str, path: str) -> tuple[list[Callable], int]:
    """Return functions from rows to scores, of which the fastest counts; the columns.

    What the path names is a folder: detector.pkl, and its weights in weights.npz.
    """
    import pickle

    if name == "NumPy alone":
        weights = list(np.load(os.path.join(path, "weights.npz")).values())
        return [functools.partial(numpy_alone, weights)], len(weights[0])
    with open(os.path.join(path, "detector.pkl"), "rb") as file:
        detector = pickle.load(file)
    if name == "skae":
        return [detector.score_samples], detector.n_features_in_
    model = detector.to_keras()

    def of_batches(batch_size: int) -> Callable:
        def score_samples(X: np.ndarray) -> np.ndarray:
            restored = model.predict(X, batch_size=batch_size, verbose=0)
            return -np.mean(np.abs(restored - X), axis=1)

        return score_samples

    return [of_batches(size) for size in BATCH_SIZES], detector.n_features_in_


def numpy_alone(weights: list[np.ndarray], X: np.ndarray) -> np.ndarray:
    """Score rows by the fewest calls of NumPy that do it, in as many threads as cores.

    The tutorials' network: ReLU, and a sigmoid at last. Nothing is checked.
    """
    from concurrent.futures import ThreadPoolExecutor

    from threadpoolctl import threadpool_limits

    layers = [weight.astype(X.dtype) for weight in weights]
    layers = list(zip(layers[::2], layers[1::2], strict=True))
    scores, ones = np.empty(len(X)), np.ones(X.shape[1], X.dtype)

    def score(start: int) -> None:
        rows = slice(start, start + AT_ONCE)
        x = X[rows]
        for kernel, bias in layers:
            x = x @ kernel
            x += bias
            if kernel is not layers[-1][0]:
                np.maximum(x, 0, out=x)
        np.negative(x, out=x)
        np.exp(x, out=x)
        x += 1
        np.reciprocal(x, out=x)
        np.subtract(X[rows], x, out=x)
        np.abs(x, out=x)
        scores[rows] = np.vecdot(x, ones)

    with threadpool_limits(1), ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(score, range(0, len(X), AT_ONCE)))
    return scores / -X.shape[1]


def score_lazily(n_rows: str, n_columns: str, n_workers: str) -> list[float]:
    """Return the seconds of scoring generated blocks, and the peak megabytes.

    In worker processes with a thread each, or, where there are none, in the threads of
    this process. The peak is that of all processes together, each at its own time.
    """
    import dask.array as da

    from skae import ReconstructionOutlierDetector

    shape = int(n_rows), int(n_columns)
    few = np.random.default_rng(0).random((5000, shape[1]))
    # How long a score takes does not depend on how long the networks were trained.
    detector = ReconstructionOutlierDetector(epochs=1, random_state=0).fit(few)
    X = da.random.default_rng(0).random(shape, chunks=(BLOCK_ROWS, shape[1]))
    mean = detector.score_samples(X).mean()
    if not int(n_workers):
        start = time.perf_counter()
        mean.compute()
        return [time.perf_counter() - start, _peak_megabytes()]
    from distributed import Client, LocalCluster

    options = {"threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with (
        LocalCluster(n_workers=int(n_workers), **options) as cluster,
        Client(cluster) as client,
    ):
        detector.score_samples(X[: 1000 * int(n_workers)]).compute()
        start = time.perf_counter()
        mean.compute()
        seconds = time.perf_counter() - start
        peaks = client.run(_peak_megabytes).values()
    return [seconds, _peak_megabytes() + sum(peaks)]


def fit_lazily(kind: str, folder: str, epochs: str) -> list[float]:
    """Return the seconds of a fit on files, and the peak megabytes of this process."""
    import dask

    from skae import ReconstructionOutlierDetector

    paths = sorted(os.path.join(folder, name) for name in os.listdir(folder))
    if kind == "Parquet":
        import dask.dataframe as dd

        X = dd.read_parquet(paths)
    else:
        import dask.array as da

        # A file is mapped while one of its rows is read, and no longer.
        shapes = [np.load(path, mmap_mode="r").shape for path in paths]
        load = dask.delayed(np.load)
        X = da.concatenate(
            [
                da.from_delayed(load(path, mmap_mode="r"), shape, np.float32)
                for path, shape in zip(paths, shapes, strict=True)
            ]
        )
    detector = ReconstructionOutlierDetector(random_state=0)
    detector.set_params(epochs=epochs if epochs == "auto" else int(epochs))
    start = time.perf_counter()
    detector.fit(X)
    return [time.perf_counter() - start, _peak_megabytes()]


def _peak_megabytes() -> float:
    """Return the highest resident memory that this process ever had."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


PROCESSES = {
    one.__name__: one
    for one in (
        first_fit,
        import_statement,
        unpickle,
        only_import,
        many_fits,
        curve_point,
        score_bulk,
        score_lazily,
        fit_lazily,
    )
}

if __name__ == "__main__":
    print(json.dumps(PROCESSES[sys.argv[1]](*sys.argv[2:])))
