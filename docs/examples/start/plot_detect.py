"""
Find outliers
=============

A detector learns normal heartbeats, flags anomalous ones, and says why.
"""

# %%
# The data
# --------
# Heartbeats of 140 values, +1 normal and -1 anomalous. One half trains, one half tests.
from sklearn.model_selection import train_test_split

from skae import make_heartbeats

X, y = make_heartbeats(n_samples=2000, random_state=0)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.5, stratify=y, random_state=0
)
print(f"{(y_train == 1).sum()} normal rows train; {(y_test == -1).sum()} outliers test")

# %%
# The detector
# ------------
# Rows labelled -1 do not train. ``Conformal(0.05)`` promises at most 5 % false alarms.
from skae import Conformal, ReconstructionOutlierDetector

detector = ReconstructionOutlierDetector(threshold=Conformal(0.05), random_state=0)
detector.fit(X_train, y_train)
labels = detector.predict(X_test)

# %%
# How good is it?
from skae import outlier_f1_score, outlier_roc_auc_score

print(
    f"ROC AUC       {outlier_roc_auc_score(y_test, detector.score_samples(X_test)):.3f}"
)
print(f"F1            {outlier_f1_score(y_test, labels):.3f}")
print(f"false alarms  {(labels[y_test == 1] == -1).mean():.3f}")

# %%
# The errors
# ----------
# An error above the threshold makes an outlier.
from skae import ErrorHistogramDisplay

ErrorHistogramDisplay.from_estimator(detector, X_test, y_test)

# %%
# The reason
# ----------
# The outlier with the lowest score, what the network expected, and where they differ.
import numpy as np

from skae import FeatureErrorDisplay

worst = int(np.argmin(detector.score_samples(X_test)))
FeatureErrorDisplay.from_estimator(detector, X_test, row=worst)
detector.explain(X_test[[worst]], top_k=3)

# %%
# What to take away
# -----------------
# - ``fit(X, y)`` leaves known outliers out; ``fit(X)`` works without labels.
# - The rule ``Conformal`` turns "how many false alarms can I afford" into a threshold.
# - ``explain`` and ``FeatureErrorDisplay`` say which values were unexpected.
#
# Next: :ref:`sphx_glr_auto_examples_detect_plot_threshold_rules.py` and
# :ref:`sphx_glr_auto_examples_detect_plot_explain_sensors.py`.
