"""
A map of digits by t-SNE
========================

Codes of 32 numbers, drawn in the plane by t-SNE, next to t-SNE of as many principal
components. The labels colour the points; neither method has seen them.
"""

# %%
# Codes
# -----
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

from sklearn.decomposition import PCA

from skae import AutoencoderTransformer, DenseNetwork

transformer = AutoencoderTransformer(
    32, network=DenseNetwork((128, 64)), scaler="common", epochs=20, random_state=0
).fit(X_train)
pca = PCA(32).fit(X_train.reshape(n_train, -1))
codes = {
    "autoencoder": (transformer.transform(X_train), transformer.transform(X_test)),
    "PCA": tuple(pca.transform(one.reshape(len(one), -1)) for one in (X_train, X_test)),
}

# %%
# Do neighbours share a label?
# ----------------------------
# The accuracy of the five nearest training digits, seen through their codes.
from sklearn.neighbors import KNeighborsClassifier

for name, (known, new) in codes.items():
    accuracy = KNeighborsClassifier().fit(known, y_train).score(new, y_test)
    print(f"{name:12} {accuracy:.3f}")

# %%
# The map
# -------
import matplotlib.pyplot as plt
from sklearn.manifold import TSNE

from skae import LatentSpaceDisplay

figure, axes = plt.subplots(1, 2, figsize=(10, 4.5), layout="constrained")
for ax, (name, (_, new)) in zip(axes, codes.items(), strict=True):
    points = TSNE(random_state=0).fit_transform(new)
    LatentSpaceDisplay(points, y=y_test, axis_names=["t-SNE 0", "t-SNE 1"]).plot(ax=ax)
    ax.set_title(name)

# %%
# What to take away
# -----------------
# - ``LatentSpaceDisplay`` draws any codes, of the network or of a projection.
# - A map that looks good is no proof: look at the accuracies of both codes.
# - Count with a classifier what a map seems to show.
#
# Next: :ref:`sphx_glr_auto_examples_reduce_plot_codes_as_images.py` and
# :ref:`sphx_glr_auto_examples_reduce_plot_variational.py`.
