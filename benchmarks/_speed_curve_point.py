"""The process of a point of ``curves`` in ``speed.py``: prints times and memory."""

import json
import sys
import time

import numpy as np
from _speed_bulk import Peak, resident_bytes


def main(name, n_rows, n_columns, width, seed):
    """Print seconds of fit and score, and megabytes that they need beside the rows."""
    rng = np.random.default_rng(int(seed))
    few = rng.standard_normal((100, int(n_columns)))
    if name == "skae":
        from skae import ReconstructionOutlierDetector

        detector = ReconstructionOutlierDetector(int(width), epochs=1, random_state=0)
    else:
        from sklearn.ensemble import IsolationForest

        detector = IsolationForest(random_state=0)
    detector.fit(few).score_samples(few)
    X = rng.standard_normal((int(n_rows), int(n_columns)))
    costs = [
        _costs(lambda: detector.fit(X)),
        _costs(lambda: detector.score_samples(X)),
    ]
    print(json.dumps([cost for pair in zip(*costs, strict=True) for cost in pair]))


def _costs(call):
    """Return the seconds and the megabytes of a call."""
    before = resident_bytes()
    with Peak() as peak:
        start = time.perf_counter()
        call()
        seconds = time.perf_counter() - start
    return seconds, (peak.bytes - before) / 1e6


if __name__ == "__main__":
    main(*sys.argv[1:])
