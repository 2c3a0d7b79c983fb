"""
Save a detector, and serve it
=============================

Train in one process, score in another, without TensorFlow and without running code
from the file.
"""

# %%
# Train and save
# --------------
# skops writes files that run no code when they are loaded. Where it is not installed,
# this page uses pickle, which does.
import pickle
from pathlib import Path
from tempfile import mkdtemp

import skae
from skae import Conformal, ReconstructionOutlierDetector, make_heartbeats

X, _ = make_heartbeats(n_samples=1000, outlier_fraction=0, random_state=0)
detector = ReconstructionOutlierDetector(
    threshold=Conformal(0.02), epochs=30, random_state=0
).fit(X)

folder = Path(mkdtemp())
try:
    import skops.io

    file = folder / "detector.skops"
    skops.io.dump(detector, file)
    loaded = skops.io.load(file, trusted=skae.SKOPS_TRUSTED)
except ImportError:
    file = folder / "detector.pickle"
    file.write_bytes(pickle.dumps(detector))
    loaded = pickle.loads(file.read_bytes())
print(f"{file.name}: {file.stat().st_size / 1e6:.1f} MB")

# %%
# The same scores
# ---------------
import numpy as np

X_new, y_new = make_heartbeats(n_samples=500, random_state=1)
print(np.array_equal(loaded.score_samples(X_new), detector.score_samples(X_new)))

# %%
# One row at a time
# -----------------
# The time of a call with one row, checks included.
from time import perf_counter

import matplotlib.pyplot as plt

times = []
for row in X_new[:200]:
    start = perf_counter()
    loaded.predict(row[None])
    times.append(1000 * (perf_counter() - start))
print(f"one row: median {np.median(times):.2f} ms")

figure, axes = plt.subplots(figsize=(6, 2.5), layout="constrained")
axes.hist(times, 40)
axes.set(xlabel="milliseconds for a call with one row", ylabel="calls")

# %%
# The sensor drifts
# -----------------
# A new amplifier makes all values a quarter larger. The share of flagged normal rows
# says so; a new threshold from recent rows takes no training.
X_recent, _ = make_heartbeats(n_samples=600, outlier_fraction=0, random_state=2)
X_recent = 1.25 * X_recent
known, later = X_recent[:300], X_recent[300:]
print(f"flagged before: {(loaded.predict(later) == -1).mean():.3f}")
loaded.fit_threshold(known)
print(f"with a new threshold: {(loaded.predict(later) == -1).mean():.3f}")

# %%
# What to take away
# -----------------
# - Share models by skops and ``skae.SKOPS_TRUSTED``; a pickle is a program.
# - Watch the share of flagged rows. When normal rows change, ``fit_threshold`` on
#   recent ones brings it back.
# - When they change much, train again: a threshold cannot repair what the network has
#   not seen.
#
# Next: :ref:`sphx_glr_auto_examples_practice_plot_dask.py` and
# :ref:`sphx_glr_auto_examples_detect_plot_promised_alarms.py`.
