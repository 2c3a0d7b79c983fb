"""What the default parameters reach on real data."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from skae import (
    AutoencoderTransformer,
    DenoisingRegressor,
    ReconstructionOutlierDetector,
)


@pytest.mark.parametrize("seed", [0, 1])
def test_default_beats_pca_on_digits(seed):
    X = load_digits().data
    X_train, X_test = train_test_split(X, random_state=seed)
    pca = PCA(8).fit(X_train)
    error_of_pca = ((pca.inverse_transform(pca.transform(X_test)) - X_test) ** 2).mean()
    default = AutoencoderTransformer(latent_dim=8, random_state=seed).fit(X_train)
    assert -default.score(X_test) < error_of_pca


@pytest.mark.parametrize("seed", [0, 1])
def test_default_beats_ridge_on_digits(seed):
    X = load_digits().data / 16
    noisy = X + np.random.default_rng(seed).normal(scale=0.3, size=X.shape)
    split = train_test_split(noisy, X, random_state=seed)
    noisy_train, noisy_test, clean_train, clean_test = split
    ridge = Ridge().fit(noisy_train, clean_train)
    error_of_ridge = ((ridge.predict(noisy_test) - clean_test) ** 2).mean()
    default = DenoisingRegressor(random_state=seed).fit(noisy_train, clean_train)
    assert ((default.predict(noisy_test) - clean_test) ** 2).mean() < error_of_ridge


def test_default_detector_on_ecg5000(data_folder):
    with np.load(data_folder / "ecg5000.npz") as file:
        X, y = file["X"], file["y"]
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.2, random_state=21
    )
    detector = ReconstructionOutlierDetector(random_state=0).fit(X_train[y_train == 1])
    assert roc_auc_score(y_test, detector.score_samples(X_test)) >= 0.992
