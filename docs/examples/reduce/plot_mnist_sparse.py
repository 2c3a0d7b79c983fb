"""
Sparse codes
============

A penalty on the code, ``activity_l1``, makes most of its numbers zero. The `Keras
blog <https://blog.keras.io/building-autoencoders-in-keras.html>`_ has such a
network with a penalty of 1e-7.
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

n_train = min(5000, len(X) * 3 // 4)
X_train, X_test = X[:n_train], X[n_train : n_train + 1000]
y_train, y_test = y[:n_train], y[n_train : n_train + 1000]
print(data, X_train.shape)

# %%
# Three penalties
# ---------------
# Networks with a penalty train in TensorFlow.
from skae import AutoencoderTransformer, DenseNetwork, reconstruction_error

fitted, numbers = {}, []
for penalty in (0.0, 1e-7, 3e-3):
    network = DenseNetwork(
        (), latent_activation="relu", output_activation="sigmoid", activity_l1=penalty
    )
    transformer = AutoencoderTransformer(
        32, network=network, scaler=None, loss="binary_crossentropy", epochs=20,
        random_state=0,
    ).fit(X_train)  # fmt: skip
    fitted[f"{penalty:g}"] = codes = transformer.transform(X_test)
    error = reconstruction_error(X_test, transformer.reconstruct(X_test)).mean()
    near_zero = (codes < 1e-3 * codes.max()).mean()
    print(
        f"penalty {penalty:g}: test MSE {error:.4f}, {near_zero:.1%} of the numbers near 0"
    )

# %%
# The codes
# ---------
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
for name, codes in fitted.items():
    axes.plot(np.sort(codes.mean(axis=0))[::-1], label=f"penalty {name}")
axes.set(xlabel="number of the code, largest first", ylabel="mean over test digits")
axes.legend()

# %%
# What to take away
# -----------------
# - The size of the penalty decides; that of the blog does next to nothing in Keras 3,
#   which divides it by the batch size.
# - Sparse codes cost a larger error.
# - Look at the codes, not at the loss alone, to choose a penalty.
#
# Next: :ref:`sphx_glr_auto_examples_reduce_plot_mnist_dense_and_deep.py` and
# :ref:`sphx_glr_auto_examples_reduce_plot_variational.py`.
