"""
Digits by convolutions
======================

The convolutional network of the `Keras examples
<https://keras.io/examples/vision/autoencoder/>`_, smaller, with fewer images and
epochs, compared with a dense network.
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

n_train = min(2000, len(X) * 3 // 4)
X_train, X_test = X[:n_train], X[n_train : n_train + 1000]
y_train, y_test = y[:n_train], y[n_train : n_train + 1000]
print(data, X_train.shape)

# %%
# Two networks
# ------------
# ``down`` and ``up`` say how maps become smaller and larger.
from time import perf_counter

from skae import AutoencoderTransformer, ConvNetwork, DenseNetwork

activations = {"latent_activation": "relu", "output_activation": "sigmoid"}
networks = {
    "convolutions": ConvNetwork((16, 16), down="max_pool", **activations),
    "dense": DenseNetwork((128,), **activations),
}
fitted = {}
for name, network in networks.items():
    start = perf_counter()
    fitted[name] = AutoencoderTransformer(
        32 if name == "dense" else None, network=network, scaler=None,
        loss="binary_crossentropy", epochs=8, batch_size=64, random_state=0,
    ).fit(X_train, X_val=X_test)  # fmt: skip
    width, loss = fitted[name].n_components_, fitted[name].history_["val_loss"][-1]
    seconds = perf_counter() - start
    print(
        f"{name:13} {width:4} numbers, test cross-entropy {loss:.4f}, {seconds:.1f} s"
    )

# %%
# Digits and reconstructions
# --------------------------
from skae import ReconstructionDisplay

ReconstructionDisplay.from_estimator(fitted["convolutions"], X_test, max_samples=5)

# %%
# What to take away
# -----------------
# - Without ``latent_dim``, the code of a ``ConvNetwork`` is a map, here with many
#   more numbers than the dense code: the losses do not compare.
# - ``ConvNetwork(latent_dim=32)`` would flatten the map into 32 numbers, by the
#   estimator's ``latent_dim``.
# - Convolutions take longer. They pay off for images and for series.
#
# Next: :ref:`sphx_glr_auto_examples_reduce_plot_codes_as_images.py` and
# :ref:`sphx_glr_auto_examples_detect_plot_images.py`.
