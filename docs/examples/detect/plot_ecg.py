"""
Anomalous heartbeats: the TensorFlow tutorial
=============================================

The third example of `TensorFlow's tutorial on autoencoders
<https://www.tensorflow.org/tutorials/generative/autoencoder>`_: a dense network
learns normal heartbeats, and a beat is flagged if its error is more than a standard
deviation above the mean.
"""

# %%
# The data
# --------
# ECG5000 where it is in the data home, else generated heartbeats.
from sklearn.model_selection import train_test_split

from skae import fetch_ecg5000, make_heartbeats

try:
    X, y = fetch_ecg5000(download_if_missing=False, return_X_y=True)
    print("ECG5000")
except OSError:
    X, y = make_heartbeats(n_samples=5000, random_state=0)
    print("generated heartbeats: ECG5000 is not in the data home")
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.2, random_state=21
)

# %%
# The tutorial's network and rule
# -------------------------------
# The tutorial scales all values by one minimum and one maximum. It learns the
# threshold from the errors of the rows that trained.
from skae import DenseNetwork, MeanStd, ReconstructionOutlierDetector

low, high = X_train.min(), X_train.max()
X_train, X_test = (X_train - low) / (high - low), (X_test - low) / (high - low)
detector = ReconstructionOutlierDetector(
    latent_dim=8,
    network=DenseNetwork(
        (32, 16), latent_activation="relu", output_activation="sigmoid"
    ),
    scaler=None,
    loss="mae",
    error="mae",
    learning_rate=None,
    epochs=20,
    batch_size=512,
    corruption=None,
    n_networks=1,
    threshold=MeanStd(1),
    threshold_on="train",
    random_state=0,
).fit(X_train, y_train)

# %%
# Its numbers
# -----------
# The tutorial takes the normal class as the positive one.
from sklearn.metrics import accuracy_score, precision_score, recall_score

labels = detector.predict(X_test)
print(f"accuracy  {accuracy_score(y_test, labels):.3f}")
print(f"precision {precision_score(y_test, labels):.3f}")
print(f"recall    {recall_score(y_test, labels):.3f}")

# %%
# A normal and an anomalous beat
# ------------------------------
import matplotlib.pyplot as plt
import numpy as np

from skae import ErrorHistogramDisplay

figure, axes = plt.subplots(1, 2, figsize=(9, 3), sharey=True, layout="constrained")
for ax, label, name in zip(axes, (1, -1), ("normal", "anomalous"), strict=True):
    beat = X_test[y_test == label][:1]
    output = detector.reconstruct(beat)
    ax.plot(beat[0], color="C0", label="beat")
    ax.plot(output[0], color="C1", label="reconstruction")
    ax.fill_between(np.arange(beat.shape[1]), beat[0], output[0], color="C1", alpha=0.3)
    ax.set(title=name, xlabel="time step")
axes[0].legend()
ErrorHistogramDisplay.from_estimator(detector, X_test, y_test)

# %%
# With the default detector
# -------------------------
from skae import outlier_roc_auc_score

default = ReconstructionOutlierDetector(epochs=20, random_state=0).fit(X_train, y_train)
for name, one in {"tutorial": detector, "default": default}.items():
    score = outlier_roc_auc_score(y_test, one.score_samples(X_test))
    print(f"{name:9} ROC AUC {score:.4f}")

# %%
# What to take away
# -----------------
# - Every part of the tutorial is a parameter: network, loss, error, rule.
# - ``MeanStd(1)`` of training errors flags many normal rows: that is the tutorial's
#   choice, not a promise.
# - The published numbers, and more seeds, are in the benchmarks.
#
# Next: :ref:`sphx_glr_auto_examples_detect_plot_lstm.py` and
# :ref:`sphx_glr_auto_examples_detect_plot_threshold_rules.py`.
