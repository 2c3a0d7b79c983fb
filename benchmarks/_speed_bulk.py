"""The process of the case ``score-bulk`` of ``speed.py``.

Prints the seconds of scoring many rows, and the peak memory over that of the rows.
"""

import functools
import json
import os
import pickle
import resource
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

BATCH_SIZES = (4096, 32_768, 131_072)
# Rows at a time of the calls of NumPy alone: the fastest number of some.
AT_ONCE = 1920


def resident_bytes():
    """Return the resident memory of this process (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


class Peak:
    """The highest resident memory while a block runs, looked at every 5 ms."""

    def __enter__(self):
        self._ended = threading.Event()
        self.bytes = resident_bytes()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self._ended.set()
        self._thread.join()

    def _watch(self):
        while not self._ended.wait(0.005):
            self.bytes = max(self.bytes, resident_bytes())


def scorers(name, detector):
    """Return functions from rows to scores, of which the fastest counts."""
    if name == "skae":
        return [detector.score_samples]
    if name == "NumPy alone":
        return [functools.partial(numpy_alone, detector.autoencoder_.weights)]
    model = detector.to_keras()

    def of_batches(batch_size):
        def score_samples(X):
            restored = model.predict(X, batch_size=batch_size, verbose=0)
            return -np.mean(np.abs(restored - X), axis=1)

        return score_samples

    return [of_batches(min(size, 2**20)) for size in BATCH_SIZES]


def numpy_alone(weights, X):
    """Score rows by the fewest calls of NumPy that do it, in as many threads as cores.

    The tutorials' network: ReLU, and a sigmoid at last. Nothing is checked.
    """
    layers = [weight.astype(X.dtype) for weight in weights]
    layers = list(zip(layers[::2], layers[1::2], strict=True))
    scores, ones = np.empty(len(X)), np.ones(X.shape[1], X.dtype)

    def score(start):
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


def main(name, path, n_rows, dtype, seed):
    """Print (seconds, peak over the rows' memory)."""
    detector = pickle.loads(Path(path).read_bytes())
    shape = int(n_rows), detector.n_features_in_
    candidates = scorers(name, detector)
    rng = np.random.default_rng(int(seed))
    few = rng.random((100, shape[1]), np.float32).astype(dtype)
    for score in candidates:
        score(few)
    before = resident_bytes()
    X = rng.random(shape, dtype)
    seconds, peaks = [], []
    for score in candidates:
        with Peak() as peak:
            start = time.perf_counter()
            score(X)
            seconds.append(time.perf_counter() - start)
        peaks.append((peak.bytes - before) / X.nbytes)
    best = int(np.argmin(seconds))
    print(json.dumps([seconds[best], peaks[best]]))


if __name__ == "__main__":
    main(*sys.argv[1:])
