"""
Outliers in a table with gaps
=============================

A fifth of the entries is missing. The detector leaves them out of training, errors
and explanations; an imputer before it is not needed.
"""

# %%
# A table with gaps
# -----------------
import numpy as np
from sklearn.datasets import load_breast_cancer

X, benign = load_breast_cancer(as_frame=True, return_X_y=True)
y = np.where(benign == 1, 1, -1)  # malignant tumours are the outliers
rng = np.random.default_rng(0)
X_gaps = X.mask(rng.random(X.shape) < 0.2)
print(f"{X_gaps.isna().to_numpy().mean():.1%} of the entries are missing")

# %%
# Without and with an imputer
# ---------------------------
# Half of the benign rows trains; the others and all malignant ones test.
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.pipeline import make_pipeline

from skae import ReconstructionOutlierDetector, outlier_roc_auc_score

train = np.flatnonzero(y == 1)[::2]
test = np.setdiff1d(np.arange(len(y)), train)


def detector(**params):
    """Return a detector that trains for a few seconds."""
    return ReconstructionOutlierDetector(epochs=50, random_state=0, **params)


contenders = {
    "no gaps at all": (detector(), X),
    "gaps left out": (detector(allow_nan=True), X_gaps),
    "filled by the mean": (make_pipeline(SimpleImputer(), detector()), X_gaps),
    "filled by neighbours": (make_pipeline(KNNImputer(), detector()), X_gaps),
}
scores = {}
for name, (contender, rows) in contenders.items():
    contender.fit(rows.iloc[train])
    scores[name] = outlier_roc_auc_score(
        y[test], contender.score_samples(rows.iloc[test])
    )
    print(f"{name:21} ROC AUC {scores[name]:.4f}")

# %%
# Which gaps are filled how
# -------------------------
# ``impute`` fills the gaps with what the network expects; observed entries stay as
# they are.
import pandas as pd

fitted = contenders["gaps left out"][0]
filled = pd.DataFrame(fitted.impute(X_gaps), columns=X.columns)
names = ["mean radius", "mean area", "worst texture"]
gaps = X_gaps[names].isna()
error = ((filled - X)[names] ** 2).where(gaps).mean() ** 0.5 / X[names].std()
print("error in the gaps, in standard deviations of the column:")
print(error.round(2).to_string())

# %%
# A picture
# ---------
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(6, 2.5), layout="constrained")
axes.barh(list(scores), list(scores.values()))
axes.set(xlim=(0.5, 1), xlabel="ROC AUC")
axes.invert_yaxis()

# %%
# What to take away
# -----------------
# - ``allow_nan=True`` is all it takes: no entry has to be invented.
# - An imputer may hide an outlier by a likely value, or make one. Whether it costs
#   anything depends on the table: compare as above.
# - ``impute`` of a fitted estimator fills gaps where a later step needs numbers.
#
# Next: :ref:`sphx_glr_auto_examples_detect_plot_explain_sensors.py` and
# :ref:`sphx_glr_auto_examples_practice_plot_mixed_columns.py`.
