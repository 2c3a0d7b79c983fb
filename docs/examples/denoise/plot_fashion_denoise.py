"""
Clothes without noise: the TensorFlow tutorial
==============================================

The second example of `TensorFlow's tutorial on autoencoders
<https://www.tensorflow.org/tutorials/generative/autoencoder>`_: convolutions remove
Gaussian noise of 0.2. The tutorial takes 60,000 images; here are fewer.
"""

# %%
# Noisy images
# ------------
import numpy as np

from skae import fetch_fashion_mnist

try:
    X, y = fetch_fashion_mnist(download_if_missing=False, return_X_y=True)
    data = "Fashion-MNIST, 28 x 28 pixels"
except OSError:
    from sklearn.datasets import load_digits

    images, y = load_digits(return_X_y=True)
    X = (images.reshape(-1, 8, 8, 1) / 16).astype(np.float32)
    data = "scikit-learn's digits, 8 x 8 pixels: Fashion-MNIST is not in the data home"

n_train = min(2000, len(X) * 3 // 4)
X_train, X_test = X[:n_train], X[n_train : n_train + 1000]
y_train, y_test = y[:n_train], y[n_train : n_train + 1000]
print(data, X_train.shape)

rng = np.random.default_rng(0)
noisy_train, noisy_test = (
    np.clip(one + 0.2 * rng.normal(size=one.shape), 0, 1).astype(np.float32)
    for one in (X_train, X_test)
)

# %%
# The tutorial's network
# ----------------------
# It learns from pairs. The second one gets clean images and draws fresh noise in
# every epoch.
from skae import ConvNetwork, DenoisingRegressor, GaussianNoise

network = ConvNetwork((16, 8), latent_activation="relu", output_activation="sigmoid")
settings = {"network": network, "scaler": None, "epochs": 8, "batch_size": 32}
pairs = DenoisingRegressor(**settings, random_state=0).fit(noisy_train, X_train)
fresh = DenoisingRegressor(
    **settings, corruption=GaussianNoise(0.2, clip=(0, 1)), random_state=0
).fit(X_train)

# %%
# The default denoiser, and Ridge
# -------------------------------
from sklearn.linear_model import Ridge

from skae import psnr, reconstruction_error

default = DenoisingRegressor(scaler=None, epochs=20, random_state=0)
default.fit(noisy_train, X_train)
ridge = Ridge(100).fit(noisy_train.reshape(n_train, -1), X_train.reshape(n_train, -1))
linear = np.clip(ridge.predict(noisy_test.reshape(len(X_test), -1)), 0, 1)
outputs = {
    "noisy": noisy_test,
    "Ridge": linear.reshape(X_test.shape).astype(np.float32),
    "skae, pairs": pairs.predict(noisy_test),
    "skae, fresh noise": fresh.predict(noisy_test),
    "skae, default": np.clip(default.predict(noisy_test), 0, 1),
}
for name, output in outputs.items():
    error = reconstruction_error(X_test, output).mean()
    print(
        f"{name:18} test MSE {error:.5f}, PSNR {psnr(X_test, output, data_range=1):.2f} dB"
    )

# %%
# Images
# ------
import matplotlib.pyplot as plt

pictures = {"clean": X_test} | outputs
figure, axes = plt.subplots(6, 8, figsize=(9, 6), layout="constrained")
for row, (name, images) in zip(axes, pictures.items(), strict=True):
    for ax, image in zip(row, images, strict=False):
        ax.imshow(image[..., 0], cmap="gray", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(name, fontsize="small")

# %%
# What to take away
# -----------------
# - Images go in and come out in their shape.
# - Fresh noise needs the clean images only, and knows no end of noisy ones.
# - Convolutions need many images and epochs. For few of both, Ridge is a strong rival;
#   the benchmarks have the row with all images.
#
# Next: :ref:`sphx_glr_auto_examples_denoise_plot_ridge_and_denoiser.py` and
# :ref:`sphx_glr_auto_examples_denoise_plot_mnist_denoise.py`.
