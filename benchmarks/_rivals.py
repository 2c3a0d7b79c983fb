"""What skae is compared with, each as a careful user would write it.

All are trained on normal rows; errors are high where a row is odd.
"""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import NearestNeighbors


def mean_squared_error(output, target):
    """Return the mean over all values, summed in float64."""
    return float(np.mean(np.square(output - target, dtype=np.float64)))


def pca_test_error(n_components, X_train, X_test):
    """Return PCA's mean squared error of reconstruction."""
    pca = PCA(n_components, random_state=0).fit(X_train)
    return mean_squared_error(pca.inverse_transform(pca.transform(X_test)), X_test)


def pca_errors(n_components, X_train, X):
    """Return PCA's mean squared error of reconstruction of each row."""
    pca = PCA(n_components, random_state=0).fit(X_train)
    return np.mean((pca.inverse_transform(pca.transform(X)) - X) ** 2, axis=1)


def neighbor_distances(n_neighbors, X_train, X):
    """Return each row's mean distance to its nearest training rows."""
    neighbors = NearestNeighbors(n_neighbors=n_neighbors).fit(X_train)
    return neighbors.kneighbors(X)[0].mean(axis=1)


def forest_errors(seed, X_train, X):
    """Return how odd IsolationForest finds each row."""
    return -IsolationForest(random_state=seed).fit(X_train).score_samples(X)
