"""
A sequence autoencoder of heartbeats
====================================

The `Keras blog <https://blog.keras.io/building-autoencoders-in-keras.html>`_ ends
with a sequence-to-sequence autoencoder. Here an LSTM reads heartbeats, and a dense
network, a convolutional one and PCA are compared with it.
"""

# %%
# The data
# --------
# Every second value of generated beats, to keep the LSTM quick. Only normal beats
# train.
from skae import make_heartbeats

X, y = make_heartbeats(n_samples=1500, random_state=0)
series = X[:, ::2, None].astype("float32")  # 70 steps of one channel
train = slice(0, 1000)
test = slice(1000, None)
X_train = series[train][y[train] == 1]
print(X_train.shape)

# %%
# Four ways to read a beat
# ------------------------
# All have a code of 8 numbers and the mean squared error.
from time import perf_counter

from skae import (
    ConvNetwork,
    DenseNetwork,
    ReconstructionOutlierDetector,
    RecurrentNetwork,
    outlier_roc_auc_score,
)

networks = {
    "LSTM": (RecurrentNetwork(units=(32,)), 8),
    "convolutions": (ConvNetwork((16, 8)), 30),
    "dense": (DenseNetwork((32,)), 30),
}
fitted = {}
for name, (network, epochs) in networks.items():
    start = perf_counter()
    detector = ReconstructionOutlierDetector(
        8, network=network, error="mse", n_networks=1, epochs=epochs, batch_size=64,
        threshold_on="train", random_state=0,
    ).fit(X_train)  # fmt: skip
    fitted[name] = detector
    score = outlier_roc_auc_score(y[test], detector.score_samples(series[test]))
    print(
        f"{name:13} ROC AUC {score:.3f}, {perf_counter() - start:.1f} s, {epochs} epochs"
    )

# %%
# And PCA
# -------
from sklearn.decomposition import PCA

flat = series[..., 0]
pca = PCA(8).fit(flat[train][y[train] == 1])
errors = ((flat[test] - pca.inverse_transform(pca.transform(flat[test]))) ** 2).mean(1)
print(f"PCA           ROC AUC {outlier_roc_auc_score(y[test], -errors):.3f}")

# %%
# A beat by each
# --------------
import matplotlib.pyplot as plt

beat = series[test][y[test] == 1][:1]
figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
axes.plot(beat[0, :, 0], color="black", label="beat")
for name, detector in fitted.items():
    axes.plot(detector.reconstruct(beat)[0, :, 0], label=name)
axes.set(xlabel="time step", ylabel="mV")
axes.legend()

# %%
# What to take away
# -----------------
# - A recurrent network is one line, and trains and scores in TensorFlow: it takes
#   longest.
# - For series of fixed length that begin at the same point, dense networks and PCA
#   are strong. Try them first.
# - The job ``ecg-lstm`` of the benchmarks repeats this on ECG5000 with more epochs.
#
# Next: :ref:`sphx_glr_auto_examples_detect_plot_ecg.py` and
# :ref:`sphx_glr_auto_examples_detect_plot_series.py`.
