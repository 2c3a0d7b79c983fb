"""Draw the pictures of the README and of the site: `python docs/images/draw.py`."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from skae import (
    IQR,
    MAD,
    AutoencoderTransformer,
    Conformal,
    Contamination,
    DenoisingRegressor,
    MeanStd,
    PeaksOverThreshold,
    ReconstructionOutlierDetector,
    make_heartbeats,
)

FOLDER = Path(__file__).parent
BLUE, ORANGE, GREY = "#1f77b4", "#d95f02", "#777777"
plt.rcParams.update(
    {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
)


def save(figure, name):
    """Write a small picture, on white, so that it can be read on dark pages."""
    from PIL import Image

    path = FOLDER / f"{name}.png"
    figure.savefig(path, dpi=110, facecolor="white", bbox_inches="tight")
    plt.close(figure)
    with Image.open(path) as image:
        small = image.convert("RGB").quantize(128)
    small.save(path, optimize=True)


def histogram(axes, errors, y, threshold):
    """Draw the errors of normal rows and of outliers, and a threshold."""
    bins = np.geomspace(errors.min(), errors.max(), 40)
    axes.hist(errors[y == 1], bins, color=BLUE, alpha=0.8, label="normal")
    axes.hist(errors[y == -1], bins, color=ORANGE, alpha=0.8, label="outlier")
    axes.axvline(threshold, color="black", linestyle="--", label="threshold")
    axes.set(xscale="log", xlabel="reconstruction error", ylabel="rows")
    axes.minorticks_off()
    axes.legend(frameon=False)


def detector_of(X, y):
    """Return the detector of all pictures, with errors above 0."""
    detector = ReconstructionOutlierDetector(
        threshold=Conformal(0.02), error="mse", random_state=0
    )
    return detector.fit(X, y)


def draw_overview():
    """A beat with its reconstruction, and the errors with the threshold."""
    X, y = make_heartbeats(n_samples=2000, random_state=0)
    detector = detector_of(X[:1000], y[:1000])
    X, y = X[1000:], y[1000:]
    errors = -detector.score_samples(X)
    found = np.flatnonzero((y == -1) & (detector.predict(X) == -1))
    row = found[np.argsort(errors[found])[len(found) // 2]]  # a typical one
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 2.6))
    left.plot(X[row], color=ORANGE, label="an anomalous heartbeat")
    left.plot(detector.reconstruct(X[[row]])[0], color=BLUE, label="reconstruction")
    left.fill_between(
        np.arange(X.shape[1]), X[row], detector.reconstruct(X[[row]])[0],
        color=ORANGE, alpha=0.2,
    )  # fmt: skip
    left.set(xlabel="time step", ylabel="value", ylim=(None, 1.2))
    left.legend(frameon=False, ncol=2, loc="upper center")
    histogram(right, errors, y, detector.threshold_)
    figure.tight_layout()
    save(figure, "overview")

    figure, axes = plt.subplots(figsize=(3.2, 2))
    histogram(axes, errors, y, detector.threshold_)
    save(figure, "detect")


def draw_thresholds():
    """Six rules on the errors of one detector."""
    X, y = make_heartbeats(n_samples=2000, random_state=0)
    detector = detector_of(X, y)
    rules = {
        "Contamination(0.1)": Contamination(0.1),
        "IQR(1.5)": IQR(1.5),
        "MeanStd(2)": MeanStd(2),
        "MAD(5)": MAD(5),
        "Conformal(0.02)": Conformal(0.02),
        "PeaksOverThreshold(0.001)": PeaksOverThreshold(0.001),
    }
    X_new, y_new = make_heartbeats(n_samples=2000, random_state=1)
    errors = -detector.score_samples(X_new)
    figure, axes = plt.subplots(figsize=(8, 3.2))
    bins = np.geomspace(errors.min(), errors.max(), 60)
    axes.hist(errors[y_new == 1], bins, color=GREY, alpha=0.5, label="normal")
    axes.hist(errors[y_new == -1], bins, color=ORANGE, alpha=0.7, label="outlier")
    for number, (name, rule) in enumerate(rules.items()):
        threshold = detector.set_params(threshold=rule).fit_threshold().threshold_
        flagged = (errors[y_new == 1] > threshold).mean()
        label = f"{name}: {flagged:.1%} of normal rows"
        style = "--" if name == "MAD(5)" else "-"  # it lies near another one
        axes.axvline(
            threshold, color=plt.cm.tab10(number), linestyle=style, label=label
        )
    axes.set(xscale="log", xlabel="reconstruction error", ylabel="new rows")
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    save(figure, "thresholds")


def draw_reduce():
    """Digits on a map of two numbers each."""
    X, y = load_digits(return_X_y=True)
    transformer = AutoencoderTransformer(latent_dim=2, scaler="common", random_state=0)
    codes = transformer.fit_transform(X)
    figure, axes = plt.subplots(figsize=(3.2, 2))
    axes.scatter(*codes.T, c=y, s=3, cmap="tab10")
    axes.set(xticks=[], yticks=[], xlabel="first number", ylabel="second")
    save(figure, "reduce")


def draw_denoise():
    """A noisy beat, the prediction, and the clean beat."""
    X, _ = make_heartbeats(n_samples=1000, outlier_fraction=0, random_state=0)
    noise = np.random.default_rng(0).normal(scale=0.4, size=X.shape)
    denoiser = DenoisingRegressor(random_state=0).fit(X[:900] + noise[:900], X[:900])
    noisy = X[950] + noise[950]
    figure, axes = plt.subplots(figsize=(3.2, 2))
    axes.plot(noisy, color=GREY, alpha=0.6, linewidth=1, label="noisy")
    axes.plot(denoiser.predict(noisy[None])[0], color=BLUE, label="predicted")
    axes.plot(X[950], color="black", linestyle=":", linewidth=1, label="clean")
    axes.set(xlabel="time step", ylabel="value")
    axes.legend(frameon=False, fontsize=7)
    save(figure, "denoise")


if __name__ == "__main__":
    draw_overview()
    draw_thresholds()
    draw_reduce()
    draw_denoise()
