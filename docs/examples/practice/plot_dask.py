"""
Rows that memory does not hold: Dask
====================================

A detector takes Dask's collections and returns lazy ones: scores are computed block
by block, and equal those of the rows in memory.
"""

# %%
# A collection
# ------------
# A million rows of ten columns, made block by block, of which one in a thousand
# breaks the relations between columns. Only a few blocks are in memory at a time.
import dask
import dask.array as da
import numpy as np

N_BLOCKS, N_ROWS = 20, 50_000
mixing = np.random.default_rng(0).normal(size=(3, 10))


def block(number):
    """Return the rows of a block."""
    rng = np.random.default_rng([0, number])
    rows = np.tanh(rng.normal(size=(N_ROWS, 3)) @ mixing)
    rows += rng.normal(scale=0.05, size=rows.shape)
    broken = slice(None, None, 1000)
    rows[broken] = rng.permuted(rows[broken], axis=0)
    return rows


parts = [
    da.from_delayed(dask.delayed(block)(number), (N_ROWS, 10), float)
    for number in range(N_BLOCKS)
]
X = da.concatenate(parts)
print(f"{X.shape[0]:,} rows, {X.nbytes / 1e6:.0f} MB, {X.numblocks[0]} blocks")

# %%
# Train on a part
# ---------------
# The first block trains. ``fit(X)`` would take all blocks, and draw a sample where
# they are too many; ``partial_fit(X)`` makes a pass over all of them.
from skae import Conformal, ReconstructionOutlierDetector

detector = ReconstructionOutlierDetector(
    threshold=Conformal(0.001), error="mse", n_networks=1, epochs=10, random_state=0
)
detector.fit(X[:20_000])

# %%
# Score all rows
# --------------
# ``score_samples`` returns a lazy array. What is computed together reads each block
# once.
from time import perf_counter

scores = detector.score_samples(X)
labels = detector.predict(X)
print(type(scores).__module__, scores.chunks[0][:3])

start = perf_counter()
lowest, n_flagged = dask.compute(scores.topk(-5), (labels == -1).sum())
print(f"{n_flagged} of {len(X):,} rows flagged, in {perf_counter() - start:.1f} s")
print("lowest scores", lowest.round(3))

# %%
# The same as in memory
# ---------------------
rows = X[:N_ROWS].compute()
print(np.array_equal(detector.score_samples(rows), scores[:N_ROWS].compute()))

# %%
# Scores of the two kinds of rows
# -------------------------------
import matplotlib.pyplot as plt

errors = -scores[: 4 * N_ROWS].compute()
is_broken = np.arange(len(errors)) % 1000 == 0
bins = np.geomspace(errors.min(), errors.max(), 60)
figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.hist(errors[~is_broken], bins, density=True, alpha=0.6, label="normal")
axes.hist(errors[is_broken], bins, density=True, alpha=0.6, label="relations broken")
axes.axvline(detector.threshold_, color="black", linestyle="--", label="threshold")
axes.set(xscale="log", xlabel="reconstruction error", ylabel="density")
axes.legend()

# %%
# What to take away
# -----------------
# - Methods that return rows take a collection and return a lazy one of the same
#   chunks.
# - Training needs a part of the rows only; scoring reads all of them, a block at a
#   time.
# - ``dask.compute`` of several results at once reads the rows once.
#
# Next: :ref:`sphx_glr_auto_examples_practice_plot_saving_and_serving.py` and
# :ref:`sphx_glr_auto_examples_detect_plot_promised_alarms.py`.
