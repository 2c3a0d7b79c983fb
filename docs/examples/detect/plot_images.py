"""
Outliers among images
=====================

Images go in as they are, (n, height, width, channels). Which network and which
error find a foreign digit?
"""

# %%
# The data
# --------
# Fours train; a hundred nines and sevens are outliers. They are similar on purpose.
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

four, foreign = X[y == 4], X[np.isin(y, [7, 9])][:100]
n_train = int(0.7 * min(len(four), 1500))
X_train, X_test = four[:n_train], np.r_[four[n_train:1500], foreign]
y_test = np.r_[np.ones(len(X_test) - 100, int), -np.ones(100, int)]
print(data, X_train.shape)

# %%
# Three detectors
# ---------------
from sklearn.decomposition import PCA

from skae import ConvNetwork, ReconstructionOutlierDetector, outlier_roc_auc_score

detectors = {
    "default, a dense network": ReconstructionOutlierDetector(
        epochs=20, random_state=0
    ),
    "convolutions": ReconstructionOutlierDetector(
        8, network=ConvNetwork((16, 8)), n_networks=1, epochs=20, random_state=0
    ),
}
for name, detector in detectors.items():
    scores = detector.fit(X_train).score_samples(X_test)
    print(f"{name:25} ROC AUC {outlier_roc_auc_score(y_test, scores):.3f}")
flat_train, flat = (part.reshape(len(part), -1) for part in (X_train, X_test))
pca = PCA(20).fit(flat_train)
errors = ((flat - pca.inverse_transform(pca.transform(flat))) ** 2).mean(1)
print(f"{'PCA(20)':25} ROC AUC {outlier_roc_auc_score(y_test, -errors):.3f}")

# %%
# Where an image is unlike a four
# -------------------------------
# The errors of the pixels of the outlier with the lowest score.
from skae import FeatureErrorDisplay

detector = detectors["default, a dense network"]
worst = int(np.argmin(detector.score_samples(X_test)))
FeatureErrorDisplay.from_estimator(detector, X_test, row=worst)

# %%
# What to take away
# -----------------
# - Pass images in their shape: the scaler then treats all pixels of a channel alike.
# - A convolutional network is not always better at finding outliers, and takes
#   longer.
# - ``FeatureErrorDisplay`` draws the errors of an image as an image.
#
# Next: :ref:`sphx_glr_auto_examples_detect_plot_isolation_forest_wins.py` and
# :ref:`sphx_glr_auto_examples_reduce_plot_codes_as_images.py`.
