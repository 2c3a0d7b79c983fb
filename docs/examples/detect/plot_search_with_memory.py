"""
Search the network and the threshold together
=============================================

With ``memory``, each network is trained once per fold, whatever the number of
threshold rules.
"""

# %%
# The search
# ----------
# Three widths, six rules, three folds: 54 candidates' fits, but nine trainings, and
# one for the refit.
from tempfile import TemporaryDirectory
from time import perf_counter

from sklearn.model_selection import GridSearchCV

from skae import (
    Contamination,
    InlierKFold,
    MeanStd,
    Quantile,
    ReconstructionOutlierDetector,
    make_heartbeats,
    outlier_f1,
)

X, y = make_heartbeats(n_samples=1000, random_state=0)
X_test, y_test = make_heartbeats(n_samples=1000, random_state=1)
grid = {
    "latent_dim": [4, 16, 64],
    "threshold": [
        MeanStd(1), MeanStd(2), MeanStd(3), Quantile(0.9), Quantile(0.95),
        Contamination(0.02),
    ],
}  # fmt: skip


def search(memory):
    """Return a fitted search and its seconds."""
    detector = ReconstructionOutlierDetector(
        n_networks=1, epochs=20, memory=memory, random_state=0
    )
    found = GridSearchCV(detector, grid, scoring=outlier_f1, cv=InlierKFold(3))
    start = perf_counter()
    found.fit(X, y)
    return found, perf_counter() - start


with TemporaryDirectory() as folder:
    found, first = search(folder)
    _, again = search(folder)
_, without = search(None)
print(f"without memory {without:.1f} s, with memory {first:.1f} s, again {again:.1f} s")

# %%
# The best candidates
# -------------------
import pandas as pd

results = pd.DataFrame(found.cv_results_)
columns = ["param_latent_dim", "param_threshold", "mean_test_score", "std_test_score"]
results.nlargest(5, "mean_test_score")[columns].round(3)

# %%
# All of them
# -----------
import matplotlib.pyplot as plt

table = results.assign(rule=[str(rule) for rule in results.param_threshold])
table = table.pivot(index="rule", columns="param_latent_dim", values="mean_test_score")
figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
table.plot.barh(ax=axes)
axes.set(xlabel="mean F1 of the outliers", ylabel="")
axes.legend(title="latent_dim", loc="center left", bbox_to_anchor=(1, 0.5))

# %%
# On new rows
# -----------
# The score of a search is that of the best of many, so a little too high.
print(f"best of the search {found.best_score_:.3f}")
print(f"on new rows        {outlier_f1(found.best_estimator_, X_test, y_test):.3f}")

# %%
# What to take away
# -----------------
# - Give searches ``memory="cache"`` and an int ``random_state``: further rules then
#   cost next to nothing.
# - Score with ``outlier_f1`` and split with ``InlierKFold``: the folds train on
#   normal rows, and test on both kinds.
# - Judge the winner on rows that the search has not seen.
#
# Next: :ref:`sphx_glr_auto_examples_detect_plot_threshold_rules.py` and
# :ref:`sphx_glr_auto_examples_reduce_plot_pipeline_search.py`.
