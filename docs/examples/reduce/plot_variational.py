"""
Draw new rows with a variational autoencoder
============================================

A ``VariationalNetwork`` learns a smooth code, from which ``sample`` draws new rows.
``beta`` decides between sharp and smooth.
"""

# %%
# Digits in two numbers
# ---------------------
from sklearn.datasets import load_digits

from skae import AutoencoderTransformer, DenseNetwork, VariationalNetwork

X, y = load_digits(return_X_y=True)
X = X / 16
vae = AutoencoderTransformer(
    latent_dim=2,
    network=VariationalNetwork(
        DenseNetwork((128,), output_activation="sigmoid"), beta=1.0
    ),
    scaler=None,
    loss="binary_crossentropy",
    epochs=80,
    random_state=0,
).fit(X)
print(f"divergence {vae.history_['kl'][-1]:.2f} nats, {len(vae.history_['kl'])} epochs")

# %%
# Where the digits are
# --------------------
from skae import LatentSpaceDisplay

LatentSpaceDisplay.from_estimator(vae, X, y=y)

# %%
# New digits
# ----------
# ``sample`` draws codes from a normal distribution, and decodes them.
import matplotlib.pyplot as plt

figure, axes = plt.subplots(2, 8, figsize=(8, 2.2), layout="constrained")
for ax, digit in zip(axes.flat, vae.sample(16, random_state=0), strict=True):
    ax.imshow(digit.reshape(8, 8), cmap="gray_r")
    ax.set_axis_off()

# %%
# Digits on a grid of codes
# -------------------------
import numpy as np

steps = np.linspace(-2, 2, 12)
codes = np.array([(x, y) for y in steps[::-1] for x in steps])
digits = vae.inverse_transform(codes).reshape(12, 12, 8, 8)
figure, axes = plt.subplots(figsize=(5, 5), layout="constrained")
axes.imshow(np.block([[one for one in row] for row in digits]), cmap="gray_r")
axes.set(xticks=[], yticks=[], xlabel="first number", ylabel="second number")

# %%
# What to take away
# -----------------
# - ``sample(n)`` needs a ``VariationalNetwork``; other codes are not spread as a
#   known distribution.
# - A larger ``beta`` makes codes smoother and reconstructions blurred;
#   ``history_["kl"]`` shows how much the code says.
# - Two numbers make a picture; more numbers make better digits.
#
# Next: :ref:`sphx_glr_auto_examples_reduce_plot_latent_map.py` and
# :ref:`sphx_glr_auto_examples_practice_plot_own_keras_model.py`.
