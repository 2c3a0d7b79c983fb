"""
PCA and an autoencoder, by width
================================

Where does a hidden layer help? Narrow codes of two data sets, by PCA and by an
autoencoder, on rows that did not train.
"""

# %%
# Two data sets
# -------------
# Digits, and rows that depend linearly on four hidden numbers.
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

rng = np.random.default_rng(0)
linear = rng.normal(size=(1500, 4)) @ rng.normal(size=(4, 20))
linear += rng.normal(scale=0.3, size=linear.shape)
sets = {"digits": load_digits().data, "linear rows": linear}

# %%
# Errors by width
# ---------------
# As a share of the variance that is lost.
from time import perf_counter

import pandas as pd
from sklearn.decomposition import PCA

from skae import AutoencoderTransformer, reconstruction_error

rows = []
for name, X in sets.items():
    X_train, X_test = train_test_split(X, random_state=0)
    variance = X_test.var(axis=0).mean()
    for width in (1, 2, 4, 8, 16):
        models = {
            "PCA": PCA(width),
            "autoencoder": AutoencoderTransformer(
                width, scaler="common", epochs=60, random_state=0
            ),
        }
        for model_name, model in models.items():
            start = perf_counter()
            output = model.fit(X_train).inverse_transform(model.transform(X_test))
            lost = reconstruction_error(X_test, output).mean() / variance
            seconds = perf_counter() - start
            rows.append((name, width, model_name, lost, seconds))
table = pd.DataFrame(rows, columns=["data", "width", "model", "lost", "seconds"])
table.pivot(index=["data", "width"], columns="model", values="lost").round(3)

# %%
import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 2, figsize=(9, 3), sharey=True, layout="constrained")
for ax, name in zip(axes, sets, strict=True):
    for model, part in table[table.data == name].groupby("model"):
        ax.plot(part.width, part.lost, "o-", label=model)
    ax.set(title=name, xlabel="width of the code", xscale="log")
axes[0].set(ylabel="variance lost, test rows")
axes[0].legend()

# %%
# What it costs
# -------------
# Mean seconds of a fit and a reconstruction.
table.groupby("model").seconds.mean().round(3)

# %%
# What to take away
# -----------------
# - On linear data nothing beats PCA, and PCA takes milliseconds.
# - On curved data an autoencoder keeps more in a narrow code. The wider the code, the
#   less is there to gain.
# - The first components of PCA are ordered; the numbers of a code are not.
#
# Next: :ref:`sphx_glr_auto_examples_start_plot_reduce.py` and
# :ref:`sphx_glr_auto_examples_detect_plot_isolation_forest_wins.py`.
