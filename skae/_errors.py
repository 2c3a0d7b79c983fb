"""Reconstruction errors of a trained autoencoder, in scaled space."""

import numpy as np

from skae.metrics._reconstruction import _elementwise_error, _reconstruction_error

# The smallest training error that error="standardized" divides by, as a share of the
# mean over features: a constant feature has almost none.
_SMALLEST_SHARE = 1e-3


def row_errors(autoencoder, X, error, feature_scale):
    """Return the error of each row, float64 of shape (n,)."""
    errors = np.empty(len(X))
    for rows, scaled, output in autoencoder.scaled_pairs(X):
        errors[rows] = _reconstruction_error(scaled, output, error, feature_scale)
    return errors


def feature_errors(autoencoder, X, error, feature_scale):
    """Return each value's part of its row's error, float64 of X's shape."""
    errors = np.empty(X.shape)
    for rows, scaled, output in autoencoder.scaled_pairs(X):
        errors[rows] = _elementwise_error(scaled, output, error, feature_scale)
    errors /= X[0].size
    return errors


def training_scale(autoencoder, X, weight):
    """Return each feature's mean squared error on the training rows, kept above 0."""
    weight = np.ones(len(X)) if weight is None else weight
    total = np.zeros(X.shape[1:])
    for rows, scaled, output in autoencoder.scaled_pairs(X):
        squared = _elementwise_error(scaled, output, "mse")
        total += np.tensordot(weight[rows], squared, axes=1)
    scale = total / weight.sum()
    floor = _SMALLEST_SHARE * scale.mean()
    return np.maximum(scale, floor if floor > 0 else 1.0)
