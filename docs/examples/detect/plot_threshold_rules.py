"""
Six threshold rules on one histogram
====================================

One detector, one set of errors, six rules. How many normal rows does each flag, and
how many outliers does it find?
"""

# %%
# One detector
# ------------
# It is trained once. Its errors are stored, so that further rules cost no training.
from skae import ReconstructionOutlierDetector, make_heartbeats

X, y = make_heartbeats(n_samples=2000, random_state=0)
X_new, y_new = make_heartbeats(n_samples=2000, random_state=1)
detector = ReconstructionOutlierDetector(
    error="mse", threshold_on="validation", epochs=50, random_state=0
).fit(X, y)

# %%
# Six rules
# ---------
import pandas as pd

from skae import IQR, MAD, Conformal, Contamination, MeanStd, PeaksOverThreshold

rules = {
    "Contamination(0.1)": Contamination(0.1),
    "MeanStd(1)": MeanStd(1),
    "IQR(1.5)": IQR(1.5),
    "MAD(5)": MAD(5),
    "Conformal(0.02)": Conformal(0.02),
    "PeaksOverThreshold(0.001)": PeaksOverThreshold(0.001),
}
rows = []
for name, rule in rules.items():
    detector.set_params(threshold=rule).fit_threshold()
    flagged = detector.predict(X_new) == -1
    rows.append(
        {
            "rule": name,
            "threshold": detector.threshold_,
            "false alarms": flagged[y_new == 1].mean(),
            "outliers found": flagged[y_new == -1].mean(),
        }
    )
table = pd.DataFrame(rows).set_index("rule").round(3)
table

# %%
# On one histogram
# ----------------
import matplotlib.pyplot as plt
import numpy as np

errors = -detector.score_samples(X_new)
bins = np.geomspace(errors.min(), errors.max(), 60)
figure, axes = plt.subplots(figsize=(8, 3.5), layout="constrained")
axes.hist(errors[y_new == 1], bins, color="0.7", label="normal")
axes.hist(errors[y_new == -1], bins, color="C1", alpha=0.6, label="outlier")
for number, (name, threshold) in enumerate(table.threshold.items()):
    axes.axvline(threshold, color=f"C{number + 2}", label=name)
axes.set(xscale="log", xlabel="reconstruction error", ylabel="rows")
figure.legend(loc="outside right upper", fontsize="small")

# %%
# What to take away
# -----------------
# - A rule trades false alarms for outliers found. No rule moves the two histograms
#   apart.
# - ``fit_threshold`` changes the rule without training.
# - ``Conformal`` and ``PeaksOverThreshold`` name the false alarms that you accept;
#   the others do not know them.
#
# Next: :ref:`sphx_glr_auto_examples_detect_plot_promised_alarms.py` and
# :ref:`sphx_glr_auto_examples_detect_plot_few_labels.py`.
