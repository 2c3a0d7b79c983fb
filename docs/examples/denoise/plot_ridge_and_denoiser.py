"""
Denoising, compared with Ridge
==============================

A linear map removes much of Gaussian noise. Where is a network ahead of it? Two
data sets, three strengths of noise.
"""

# %%
# Two data sets
# -------------
import numpy as np
from sklearn.datasets import load_digits

from skae import make_heartbeats

rng = np.random.default_rng(0)
beats, _ = make_heartbeats(n_samples=1500, outlier_fraction=0, random_state=0)
sets = {"digits": load_digits().data, "heartbeats": beats}

# %%
# Errors by the strength of the noise
# -----------------------------------
# In units of the data's standard deviation. Ridge's penalty is chosen by cross-
# validation.
import pandas as pd
from sklearn.linear_model import RidgeCV

from skae import DenoisingRegressor

rows = []
for name, X in sets.items():
    for strength in (0.1, 0.3, 1.0):
        X_noisy = X + rng.normal(scale=strength * X.std(), size=X.shape)
        train, test = slice(0, 1000), slice(1000, None)
        models = {
            "Ridge": RidgeCV(np.logspace(-2, 4, 7)),
            "denoiser": DenoisingRegressor(scaler="common", epochs=60, random_state=0),
        }
        for model_name, model in models.items():
            output = model.fit(X_noisy[train], X[train]).predict(X_noisy[test])
            error = np.mean((output - X[test]) ** 2) / np.mean((X_noisy - X)[test] ** 2)
            rows.append((name, strength, model_name, error))
table = pd.DataFrame(rows, columns=["data", "noise", "model", "left"])
table.pivot(index=["data", "noise"], columns="model", values="left").round(3)

# %%
# The share of the noise that is left
# -----------------------------------
# Above 1, the result is worse than the noisy rows.
import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
for ax, name in zip(axes, sets, strict=True):
    for model, part in table[table.data == name].groupby("model"):
        ax.plot(part.noise, part.left, "o-", label=model)
    ax.axhline(1, color="black", linewidth=0.8)
    ax.set(title=name, xlabel="noise, standard deviations", xscale="log", yscale="log")
axes[0].set(ylabel="squared error, over the noise's")
axes[0].legend()

# %%
# Who is ahead
# ------------
table.pivot(index=["data", "noise"], columns="model", values="left").idxmin(axis=1)

# %%
# What to take away
# -----------------
# - The default denoiser begins at a linear map, and returns there where training does
#   not improve on it. A network with a narrow code of its own may add more error than
#   it removes: it cannot copy its input.
# - Ridge takes a fraction of a second. Keep it where it wins.
# - A wider code, more rows and more epochs are what a network needs to win.
#
# Next: :ref:`sphx_glr_auto_examples_start_plot_denoise.py` and
# :ref:`sphx_glr_auto_examples_reduce_plot_pca_and_autoencoder.py`.
