"""
A few labels
============

Twenty known outliers are not enough to train a classifier, but they help a detector
in two ways: they stay out of training, and they set the threshold.
"""

# %%
# The data
# --------
# 2,000 rows to learn from, of which 20 outliers are labelled and the other outliers
# are not.
import numpy as np

from skae import make_heartbeats

X, truth = make_heartbeats(n_samples=2000, outlier_fraction=0.05, random_state=0)
X_new, y_new = make_heartbeats(n_samples=2000, outlier_fraction=0.05, random_state=1)
known = np.random.default_rng(0).choice(np.flatnonzero(truth == -1), 20, replace=False)
y = np.ones(len(X), dtype=int)
y[known] = -1
print(f"{(truth == -1).sum()} outliers, of which {len(known)} are labelled")

# %%
# Without labels, with a few, and with all
# ----------------------------------------
# ``BestF`` takes the threshold with the best F1 on the labelled rows.
from sklearn.ensemble import HistGradientBoostingClassifier

from skae import (
    BestF,
    Contamination,
    ReconstructionOutlierDetector,
    outlier_average_precision_score,
    outlier_f1_score,
)

settings = {"epochs": 50, "random_state": 0}
results = {}
detectors = {
    "no labels": ReconstructionOutlierDetector(
        threshold=Contamination(0.05), **settings
    ).fit(X),
    "20 labels": ReconstructionOutlierDetector(threshold=BestF(), **settings).fit(X, y),
    "all labels": ReconstructionOutlierDetector(threshold=BestF(), **settings).fit(
        X, truth
    ),
}
for name, detector in detectors.items():
    precision = outlier_average_precision_score(y_new, detector.score_samples(X_new))
    f1 = outlier_f1_score(y_new, detector.predict(X_new))
    results[f"detector, {name}"] = precision, f1
    print(f"detector, {name:11} average precision {precision:.3f}, F1 {f1:.3f}")

# %%
# And a classifier
# ----------------
# A classifier needs examples of every kind of outlier. It gets the same labels.
for name, labels in {"20 labels": y, "all labels": truth}.items():
    classifier = HistGradientBoostingClassifier(random_state=0).fit(X, labels)
    scores = classifier.predict_proba(X_new)[:, 1]  # of the class +1, normal
    precision = outlier_average_precision_score(y_new, scores)
    f1 = outlier_f1_score(y_new, classifier.predict(X_new))
    results[f"classifier, {name}"] = precision, f1
    print(f"classifier, {name:11} average precision {precision:.3f}, F1 {f1:.3f}")

# %%
# A picture
# ---------
import matplotlib.pyplot as plt
import pandas as pd

figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
table = pd.DataFrame(results, index=["average precision", "F1"]).T
table.plot.barh(ax=axes)
axes.set(xlim=(0, 1))
axes.invert_yaxis()

# %%
# What to take away
# -----------------
# - Pass what you know as ``y == -1``: it does not train, and rules with labels use
#   it.
# - Rows whose label you do not know count as normal. A threshold learned from few
#   labels takes unlabelled outliers for false alarms, and may be worse than a rule
#   that needs none.
# - With few labels, compare with a classifier on the same labels before you choose;
#   with many, it may be the better tool.
#
# Next: :ref:`sphx_glr_auto_examples_detect_plot_isolation_forest_wins.py` and
# :ref:`sphx_glr_auto_examples_detect_plot_search_with_memory.py`.
