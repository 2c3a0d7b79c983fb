"""
Digits under strong noise
=========================

The `Keras blog <https://blog.keras.io/building-autoencoders-in-keras.html>`_ adds
Gaussian noise of 0.5 to digits. A dense network with fresh noise, PCA and a median
filter remove it; a classifier says how well the result can be read.
"""

# %%
# Noisy digits
# ------------
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

n_train = min(4000, len(X) * 3 // 4)
X_train, X_test = X[:n_train], X[n_train : n_train + 1000]
y_train, y_test = y[:n_train], y[n_train : n_train + 1000]
print(data, X_train.shape)

rng = np.random.default_rng(0)
noisy = np.clip(X_test + 0.5 * rng.normal(size=X_test.shape), 0, 1).astype(np.float32)

# %%
# Three ways to remove it
# -----------------------
from scipy.ndimage import median_filter
from sklearn.decomposition import PCA

from skae import DenoisingRegressor, DenseNetwork, GaussianNoise

denoiser = DenoisingRegressor(
    64,
    network=DenseNetwork((256,), output_activation="sigmoid"),
    corruption=GaussianNoise(0.5, clip=(0, 1)),
    scaler=None,
    epochs=25,
    random_state=0,
).fit(X_train)
pca = PCA(30).fit(X_train.reshape(n_train, -1))
flat = pca.inverse_transform(pca.transform(noisy.reshape(len(noisy), -1)))
outputs = {
    "noisy": noisy,
    "median filter": median_filter(noisy, size=(1, 3, 3, 1)),
    "PCA(30)": np.clip(flat, 0, 1).reshape(noisy.shape),
    "skae": denoiser.predict(noisy),
}

# %%
# Errors, and reading
# -------------------
# The classifier was trained on clean digits.
from sklearn.linear_model import LogisticRegression

from skae import reconstruction_error

reader = LogisticRegression(max_iter=300).fit(
    X_train[:3000].reshape(-1, X[0].size), y_train[:3000]
)
for name, output in {"clean": X_test, **outputs}.items():
    error = reconstruction_error(X_test, output).mean()
    accuracy = reader.score(output.reshape(len(output), -1), y_test)
    print(f"{name:14} MSE {error:.4f}, read correctly {accuracy:.3f}")

# %%
# Digits
# ------
import matplotlib.pyplot as plt

figure, axes = plt.subplots(5, 8, figsize=(9, 6), layout="constrained")
for row, (name, images) in zip(axes, {"clean": X_test, **outputs}.items(), strict=True):
    for ax, image in zip(row, images, strict=False):
        ax.imshow(image[..., 0], cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(name, fontsize="small")

# %%
# What to take away
# -----------------
# - A filter sees neighbouring pixels only; a network that has seen digits uses the
#   whole image.
# - A small error and a readable image are two things: measure what you need.
# - ``clip=(0, 1)`` keeps damaged pixels in their range, in scaled space.
#
# Next: :ref:`sphx_glr_auto_examples_denoise_plot_fashion_denoise.py` and
# :ref:`sphx_glr_auto_examples_denoise_plot_ridge_and_denoiser.py`.
