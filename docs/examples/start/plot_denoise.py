"""
Remove noise
============

A denoiser learns from pairs of noisy and clean rows, or from clean rows and a kind
of noise.
"""

# %%
# The data
# --------
# Clean heartbeats, and the same with Gaussian noise.
import numpy as np

from skae import make_heartbeats

X, _ = make_heartbeats(n_samples=1500, outlier_fraction=0, random_state=0)
noise = np.random.default_rng(0).normal(scale=0.3, size=X.shape)
X_noisy = X + noise
train, test = slice(0, 1000), slice(1000, None)

# %%
# From pairs
# ----------
# ``fit(X_noisy, X_clean)``, and ``predict`` for new noisy rows.
from skae import DenoisingRegressor

from_pairs = DenoisingRegressor(random_state=0).fit(X_noisy[train], X[train])

# %%
# From clean rows
# ---------------
# The noise is drawn afresh in every epoch. Its strength is in scaled space, after the
# scaler; with ``scaler=None`` it is in the units of X.
from skae import GaussianNoise

from_clean = DenoisingRegressor(
    corruption=GaussianNoise(0.3), scaler=None, random_state=0
).fit(X[train])

for name, denoiser in {"pairs": from_pairs, "clean rows": from_clean}.items():
    error = np.mean((denoiser.predict(X_noisy[test]) - X[test]) ** 2)
    print(f"trained on {name:10}  mean squared error {error:.4f}")
print(f"noisy rows as they are   mean squared error {np.mean(noise[test] ** 2):.4f}")

# %%
# A beat
# ------
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.plot(X_noisy[1000], color="0.7", label="noisy")
axes.plot(X[1000], color="black", label="clean")
axes.plot(from_clean.predict(X_noisy[[1000]])[0], color="C1", label="predicted")
axes.set(xlabel="time step", ylabel="mV")
axes.legend()

# %%
# What to take away
# -----------------
# - With pairs, call ``fit(X_noisy, X_clean)``; with clean rows, name the noise as
#   ``corruption``.
# - Fresh noise in every epoch replaces many noisy copies of the rows.
# - Compare with a linear map before you trust it with your data.
#
# Next: :ref:`sphx_glr_auto_examples_denoise_plot_ridge_and_denoiser.py` and
# :ref:`sphx_glr_auto_examples_denoise_plot_fashion_denoise.py`.
