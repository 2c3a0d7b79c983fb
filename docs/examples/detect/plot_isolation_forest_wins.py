"""
Where IsolationForest wins
==========================

An autoencoder learns whatever it trains on. Where a group of similar outliers is
among the training rows, it learns the group, too, and IsolationForest may be ahead.
Labels of the outliers turn this around.
"""

# %%
# Two tables
# ----------
# In the first table, outliers are digits 0 among the other digits: a group of rows
# that are like each other. In the second, outliers break the relations between ten
# columns: each value is a normal one, but of another row.
import numpy as np
from sklearn.datasets import load_digits

rng = np.random.default_rng(0)
X, digit = load_digits(return_X_y=True)
zeros = np.flatnonzero(digit == 0)[:100]
others = np.flatnonzero(digit != 0)
group = X[np.r_[others, zeros]], np.repeat([1, -1], [len(others), 100])

hidden = rng.normal(size=(1500, 3))
normal = np.tanh(hidden @ rng.normal(size=(3, 10))) + rng.normal(
    scale=0.05, size=(1500, 10)
)
broken = rng.permuted(normal[:150], axis=0)
relations = np.r_[normal, broken], np.repeat([1, -1], [1500, 150])

# %%
# The comparison
# --------------
# ``compare_detectors`` trains on the same rows and tests on the same rows.
# ``train_on="all"`` trains on the outliers, too, as without labels.
import pandas as pd
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor

from skae import ReconstructionOutlierDetector, compare_detectors

detectors = {
    "autoencoder": ReconstructionOutlierDetector(epochs=20, random_state=0),
    "IsolationForest": IsolationForest(random_state=0),
    "LOF": LocalOutlierFactor(novelty=True),
}
results, seconds = {}, {}
for name, (X, y) in {"a group": group, "broken relations": relations}.items():
    for train_on in ("inliers", "all"):
        result = compare_detectors(detectors, X, y, cv=3, train_on=train_on)
        results[name, f"trained on {train_on}"] = result["roc_auc"]
        seconds[name, f"trained on {train_on}"] = result["fit_seconds"]
table = pd.DataFrame(results).T.round(3)
table

# %%
# Who has the highest ROC AUC:
table.idxmax(axis=1)

# %%
# And what a fit costs, in seconds:
pd.DataFrame(seconds).T.round(2)

# %%
# A picture
# ---------
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(8, 3.5), layout="constrained")
table.set_axis([" ".join(name) for name in table.index]).plot.barh(ax=axes)
axes.axvline(0.5, color="black", linestyle="--", label="by chance")
axes.set(xlabel="ROC AUC")
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))

# %%
# What to take away
# -----------------
# - Without labels, a group of outliers among the training rows is learned as if it
#   were normal. Below 0.5, the outliers have the highest scores of all.
# - Name the outliers that you know, ``fit(X, y)``, and the autoencoder does not learn
#   them.
# - Compare on your own rows: ``compare_detectors`` takes any detector with scikit-
#   learn's methods.
#
# Next: :ref:`sphx_glr_auto_examples_reduce_plot_pca_and_autoencoder.py` and
# :ref:`sphx_glr_auto_examples_detect_plot_few_labels.py`.
