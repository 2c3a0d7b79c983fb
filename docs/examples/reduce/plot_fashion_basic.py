"""
Clothes through 64 numbers: the TensorFlow tutorial
===================================================

The first example of `TensorFlow's tutorial on autoencoders
<https://www.tensorflow.org/tutorials/generative/autoencoder>`_: one dense layer
each way, the mean squared error, ten epochs. The tutorial takes 60,000 images; here
are fewer.
"""

# %%
# The images
# ----------
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

n_train = min(10000, len(X) * 3 // 4)
X_train, X_test = X[:n_train], X[n_train : n_train + 1000]
y_train, y_test = y[:n_train], y[n_train : n_train + 1000]
print(data, X_train.shape)

# %%
# The tutorial's network
# ----------------------
from skae import AutoencoderTransformer, DenseNetwork

width = min(64, X_train[0].size // 4)
tutorial = AutoencoderTransformer(
    latent_dim=width,
    network=DenseNetwork((), latent_activation="relu", output_activation="sigmoid"),
    scaler=None,
    learning_rate=None,
    epochs=10,
    batch_size=32,
    validation_fraction=None,
    patience=None,
    random_state=0,
).fit(X_train)

# %%
# PCA, and a linear code
# ----------------------
# PCA is the best that a linear network can do on the training images. A network
# without activations is trained to compare.
from sklearn.decomposition import PCA

from skae import reconstruction_error

linear = AutoencoderTransformer(
    width, network=DenseNetwork(()), scaler=None, epochs=10, random_state=0
).fit(X_train)
pca = PCA(width).fit(X_train.reshape(n_train, -1))
flat = X_test.reshape(len(X_test), -1)
outputs = {
    "tutorial": tutorial.reconstruct(X_test),
    "linear": linear.reconstruct(X_test),
    "PCA": pca.inverse_transform(pca.transform(flat)).reshape(X_test.shape),
}
for name, output in outputs.items():
    print(f"{name:9} test MSE {reconstruction_error(X_test, output).mean():.5f}")

# %%
# Images and reconstructions
# --------------------------
from skae import ReconstructionDisplay

ReconstructionDisplay.from_estimator(tutorial, X_test, max_samples=5)

# %%
# The loss
# --------
from skae import LossCurveDisplay

LossCurveDisplay.from_estimator(tutorial)

# %%
# What to take away
# -----------------
# - The tutorial's class of twenty lines is ``DenseNetwork(())`` here.
# - To reproduce a tutorial, pass its batch size, epochs and ``learning_rate=None``;
#   the defaults train differently.
# - Compare with PCA of the same width before you believe the error of an autoencoder.
#
# Next: :ref:`sphx_glr_auto_examples_reduce_plot_pca_and_autoencoder.py` and
# :ref:`sphx_glr_auto_examples_denoise_plot_fashion_denoise.py`.
