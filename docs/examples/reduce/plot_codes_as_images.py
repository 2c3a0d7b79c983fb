"""
Codes as images
===============

The code of a convolutional network is a stack of small maps. Drawn as images, they
show what it keeps of a digit.
"""

# %%
# The network
# -----------
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

from skae import AutoencoderTransformer, ConvNetwork

transformer = AutoencoderTransformer(
    network=ConvNetwork((16, 8), latent_activation="relu"), scaler=None, epochs=8,
    random_state=0,
).fit(X_train)  # fmt: skip
codes = transformer.transform(X_test)
print(f"codes {codes.shape}, maps {transformer.latent_shape_}")

# %%
# The maps
# --------
# ``transform`` returns flat codes; ``latent_shape_`` is the shape of the maps.
import matplotlib.pyplot as plt

maps = codes.reshape(-1, *transformer.latent_shape_)
n_maps = maps.shape[-1]
figure, axes = plt.subplots(
    4, n_maps + 2, figsize=(9, 4), layout="constrained",
    subplot_kw={"xticks": [], "yticks": []},
)  # fmt: skip
output = transformer.reconstruct(X_test[:4])
for row in range(4):
    pictures = [
        X_test[row, ..., 0],
        *np.moveaxis(maps[row], -1, 0),
        output[row, ..., 0],
    ]
    for ax, picture in zip(axes[row], pictures, strict=True):
        ax.imshow(picture, cmap="gray_r")
axes[0, 0].set_title("digit")
axes[0, -1].set_title("again")
axes[0, n_maps // 2].set_title("the maps of the code")

# %%
# How much is a code worth?
# -------------------------
# PCA with as many numbers:
from sklearn.decomposition import PCA

from skae import reconstruction_error

flat_train, flat = X_train.reshape(n_train, -1), X_test.reshape(len(X_test), -1)
n_components = min(codes.shape[1], flat.shape[1], 256)
pca = PCA(n_components).fit(flat_train)
print(
    f"skae {reconstruction_error(X_test, transformer.reconstruct(X_test)).mean():.5f}"
)
linear = pca.inverse_transform(pca.transform(flat))
print(f"PCA({n_components}) {reconstruction_error(flat, linear).mean():.5f}")

# %%
# What to take away
# -----------------
# - ``codes.reshape(-1, *transformer.latent_shape_)`` are the maps.
# - Maps keep places: each number belongs to a part of the image.
# - PCA of the same width may have the smaller error; the maps are for convolutional
#   steps that follow.
#
# Next: :ref:`sphx_glr_auto_examples_reduce_plot_mnist_conv.py` and
# :ref:`sphx_glr_auto_examples_reduce_plot_latent_map.py`.
