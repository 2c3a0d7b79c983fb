"""
Promised alarms, by simulation
==============================

``Conformal(0.05)`` promises that at most 5 % of new normal rows are flagged, on
average over fits. Many fits show the average, and how far a single fit may be from
it.
"""

# %%
# Many fits
# ---------
# Each fit gets its own 300 rows of five correlated columns, and 2,000 new ones. A
# small network keeps it quick. ``MeanStd(2)`` and a quantile of the training errors
# are compared with it.
import numpy as np

from skae import (
    Conformal,
    DenseNetwork,
    MeanStd,
    Quantile,
    ReconstructionOutlierDetector,
)

rng = np.random.default_rng(0)
mixing = rng.normal(size=(5, 5))


def draw(n_rows):
    """Return normal rows."""
    return rng.standard_t(df=4, size=(n_rows, 5)) @ mixing


rules = {
    "Conformal(0.05)": (Conformal(0.05), "auto"),
    "MeanStd(2)": (MeanStd(2), "validation"),
    "Quantile(0.95), of training rows": (Quantile(0.95), "train"),
}
rates = {name: [] for name in rules}
for seed in range(60):
    X, X_new = draw(300), draw(2000)
    for name, (rule, source) in rules.items():
        detector = ReconstructionOutlierDetector(
            2, network=DenseNetwork((16,)), error="mse", n_networks=1, epochs=20,
            threshold=rule, threshold_on=source, random_state=seed,
        ).fit(X)  # fmt: skip
        rates[name].append((detector.predict(X_new) == -1).mean())
for name, values in rates.items():
    print(
        f"{name:34} mean {np.mean(values):.3f}, single fits {np.std(values):.3f} apart"
    )

# %%
# The rates of single fits
# ------------------------
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
axes.boxplot(list(rates.values()), tick_labels=list(rates), orientation="horizontal")
axes.axvline(0.05, color="C1", linestyle="--")
axes.set(xlabel="share of new normal rows that is flagged (promise: 0.05)")

# %%
# What to take away
# -----------------
# - The promise of ``Conformal`` is about the mean over fits. A single fit with few
#   held-out rows may be above or below.
# - Errors of training rows are too small: a quantile of them flags more new rows than
#   it says.
# - A rule such as ``MeanStd`` promises no rate; heavy tails change what it flags.
#
# Next: :ref:`sphx_glr_auto_examples_detect_plot_threshold_rules.py` and
# :ref:`sphx_glr_auto_examples_detect_plot_few_labels.py`.
