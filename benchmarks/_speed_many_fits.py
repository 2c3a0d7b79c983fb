"""The process of the case ``many-fits`` of ``speed.py``: prints megabytes of growth."""

import json
import os
import sys
from pathlib import Path

import numpy as np

from skae import DenseNetwork, ReconstructionOutlierDetector

N_FIRST = 20


def resident_megabytes():
    """Return the resident memory of this process (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main(seed, normalization, n_networks, n_fits):
    """Fit, and print the growth after the first fits."""
    n_networks = n_networks if n_networks == "auto" else int(n_networks)
    rng = np.random.default_rng(int(seed))
    network = DenseNetwork(normalization=None if normalization == "none" else "batch")
    for i in range(int(n_fits)):
        X = rng.normal(size=(rng.integers(50, 2001), rng.integers(5, 101)))
        detector = ReconstructionOutlierDetector(network=network, epochs=2)
        detector.set_params(random_state=i, n_networks=n_networks).fit(X).predict(X)
        if i + 1 == N_FIRST:
            before = resident_megabytes()
    print(json.dumps(resident_megabytes() - before))


if __name__ == "__main__":
    main(*sys.argv[1:])
