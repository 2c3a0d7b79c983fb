"""
Digits: one layer, and three
============================

The first two networks of the `Keras blog <https://blog.keras.io/building-
autoencoders-in-keras.html>`_: a dense layer each way, and three. The blog trains
for 50 and 100 epochs on 60,000 digits; here are fewer of both.
"""

# %%
# The digits
# ----------
import numpy as np
from sklearn.datasets import load_digits

from skae import fetch_mnist

try:
    X, y = fetch_mnist(download_if_missing=False, return_X_y=True)
    data = "MNIST, 28 x 28 pixels"
except OSError:
    images, y = load_digits(return_X_y=True)
    X = (images.reshape(-1, 8, 8, 1) / 16).astype(np.float32)
    data = "scikit-learn's digits, 8 x 8 pixels: MNIST is not in the data home"

n_train = min(10000, len(X) * 3 // 4)
X_train, X_test = X[:n_train], X[n_train : n_train + 1000]
y_train, y_test = y[:n_train], y[n_train : n_train + 1000]
print(data, X_train.shape)

# %%
# Two networks
# ------------
from skae import AutoencoderTransformer, DenseNetwork

activations = {"latent_activation": "relu", "output_activation": "sigmoid"}
networks = {
    "one layer": DenseNetwork((), **activations),
    "three layers": DenseNetwork((128, 64), **activations),
}
fitted = {
    name: AutoencoderTransformer(
        32, network=network, scaler=None, loss="binary_crossentropy",
        epochs=15, batch_size=256, validation_fraction=None, random_state=0,
    ).fit(X_train, X_val=X_test)
    for name, network in networks.items()
}  # fmt: skip
for name, transformer in fitted.items():
    print(f"{name:13} test cross-entropy {transformer.history_['val_loss'][-1]:.4f}")

# %%
# The losses
# ----------
import matplotlib.pyplot as plt

from skae import LossCurveDisplay, ReconstructionDisplay

figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
for number, (name, transformer) in enumerate(fitted.items()):
    LossCurveDisplay.from_estimator(transformer, ax=axes, name=name, color=f"C{number}")

# %%
# Digits and reconstructions
# --------------------------
# By three layers:
ReconstructionDisplay.from_estimator(fitted["three layers"], X_test, max_samples=5)

# %%
# What to take away
# -----------------
# - ``hidden_units=(128, 64)`` is the encoder; the decoder mirrors it.
# - A sigmoid and the cross-entropy need values in [0, 1]: ``scaler=None`` where they
#   are, else ``"minmax"``.
# - The published losses, and skae's after as many epochs, are in the benchmarks.
#
# Next: :ref:`sphx_glr_auto_examples_reduce_plot_mnist_sparse.py` and
# :ref:`sphx_glr_auto_examples_reduce_plot_mnist_conv.py`.
