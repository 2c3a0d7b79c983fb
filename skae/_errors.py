"""Reconstruction errors of a trained autoencoder, in scaled space."""

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from skae._missing import (
    check_rows_observed,
    has_missing,
    mean_over_observed,
    n_observed,
)
from skae.metrics._reconstruction import _elementwise_error, _reconstruction_error

# The smallest training error that error="standardized" divides by, as a share of the
# mean over features: a constant feature has almost none.
_SMALLEST_SHARE = 1e-3
_EPSILON = 1e-7  # Keras's: no probability is nearer to 0 or 1
# What the reconstruction's part of error="negative_elbo" is called, by the loss.
_OF_LOSS = {
    "mse": "mse",
    "mean_squared_error": "mse",
    "mae": "mae",
    "mean_absolute_error": "mae",
    "binary_crossentropy": "binary_crossentropy",
    "bce": "binary_crossentropy",
}


@dataclass(frozen=True)
class ErrorMeasure:
    """How the error of a row is measured.

    Attributes
    ----------
    values : {"mse", "mae", "standardized", "binary_crossentropy"}
        The error of a value; a row's is their mean.

    feature_scale : ndarray of shape input_shape or None
        What "standardized" divides by.

    has_terms : bool
        Whether the network's terms are added, with their weights in the loss.
    """

    values: str
    feature_scale: Any = None
    has_terms: bool = False

    def shared(self, autoencoder, X):
        """Return what all networks have in common: here, nothing."""

    def of_rows(self, autoencoder, X, shared=None):
        """Return the error of each row, float64 of shape (n,).

        Raises
        ------
        ValueError
            Where a row has no observed value.
        """
        allow_nan = checked_for_gaps(autoencoder, X)
        errors = np.empty(len(X))

        def measure(rows, scaled, output):
            if self.has_terms:
                values = self._values(scaled, output)
                if allow_nan:
                    errors[rows] = mean_over_observed(values, np.isnan(scaled))
                else:
                    errors[rows] = values.mean(axis=(*range(1, X.ndim),))
                errors[rows] += self._terms(autoencoder, scaled)
            else:
                errors[rows] = _reconstruction_error(
                    scaled, output, self.values, self.feature_scale, allow_nan
                )

        autoencoder.for_blocks(X, measure)
        return errors

    def of_features(self, autoencoder, X, shared=None):
        """Return each value's part of its row's error, float64 of X's shape.

        Terms belong to no value: every value has an equal part of them. What is missing
        has no part in anything.

        Raises
        ------
        ValueError
            Where a row has no observed value.
        """
        allow_nan = checked_for_gaps(autoencoder, X)
        errors = np.empty(X.shape)
        one_each = (-1, *[1] * (X.ndim - 1))

        def measure(rows, scaled, output):
            errors[rows] = self._values(scaled, output)
            if self.has_terms:
                errors[rows] += self._terms(autoencoder, scaled).reshape(one_each)

        autoencoder.for_blocks(X, measure)
        if allow_nan:
            missing = np.isnan(X)
            errors[missing] = 0.0
            errors /= n_observed(missing).reshape(one_each)
        else:
            errors /= prod(X.shape[1:])
        return errors

    def _values(self, scaled, output):
        """Return the error of every value, float64."""
        if self.values == "binary_crossentropy":
            return _binary_crossentropy(scaled, output)
        return _elementwise_error(scaled, output, self.values, self.feature_scale)

    def _terms(self, autoencoder, scaled):
        """Return the weighted sum of the network's terms for each row."""
        values = autoencoder.terms_scaled(scaled)
        shares = autoencoder.terms
        return sum(share * values[name] for name, share in shares.items())


def checked_for_gaps(autoencoder, X):
    """Return whether rows have missing entries; raise where one has no other."""
    if autoencoder.fill is None or not has_missing(X):
        return False
    check_rows_observed(X, "X")
    return True


def _binary_crossentropy(target, output):
    """Return Keras's binary cross-entropy of every value."""
    probability = np.clip(output.astype(np.float64), _EPSILON, 1 - _EPSILON)
    return -(target * np.log(probability) + (1 - target) * np.log1p(-probability))


def measure_of(error, loss, network):
    """Return the measure of an estimator's ``error``, which has no scale yet.

    Raises
    ------
    ValueError
        For "negative_elbo" without codes that have a distribution, or of a loss whose
        values are not known here.
    """
    if error != "negative_elbo":
        return ErrorMeasure(error)
    if not getattr(network, "can_sample", False):
        raise ValueError(
            "error='negative_elbo' needs codes with a distribution, but network is "
            f"{network!r}. Use network=VariationalNetwork(), or error='mse'."
        )
    if not isinstance(loss, str) or loss not in _OF_LOSS:
        raise ValueError(
            f"error='negative_elbo' measures what training minimises, but loss is "
            f"{loss!r}. Use loss='mse', 'mae' or 'binary_crossentropy', or error='mse'."
        )
    return ErrorMeasure(_OF_LOSS[loss], has_terms=True)


def learned_measures(measure, autoencoders, X, weight):
    """Return a measure for each of some networks, and the errors of training rows.

    Parameters
    ----------
    measure : ErrorMeasure
        "standardized" has a scale of its own for each of them.

    autoencoders : list of Autoencoder

    X : ndarray of shape (n, *input_shape)

    weight : ndarray of shape (n,) or None
        A weight of k counts a row k times.

    Returns
    -------
    measures : list of ErrorMeasure

    errors : list of ndarray of shape (n,)
    """
    measures = [measure for _ in autoencoders]
    if measure.values == "standardized":
        scales = (training_scale(one, X, weight) for one in autoencoders)
        measures = [replace(measure, feature_scale=scale) for scale in scales]
    pairs = zip(measures, autoencoders, strict=True)
    return measures, [one.of_rows(autoencoder, X) for one, autoencoder in pairs]


def training_scale(autoencoder, X, weight):
    """Return each feature's mean squared error on the training rows, kept above 0.

    One that is never observed has the mean of the others.
    """
    weight = np.ones(len(X)) if weight is None else weight
    allow_nan = checked_for_gaps(autoencoder, X)
    total, count = np.zeros(X.shape[1:]), np.zeros(X.shape[1:])
    for rows, scaled, output in autoencoder.scaled_pairs(X):
        squared = _elementwise_error(scaled, output, "mse")
        if allow_nan:
            missing = np.isnan(scaled)
            squared[missing] = 0.0
            count += np.tensordot(weight[rows], ~missing, axes=1)
        total += np.tensordot(weight[rows], squared, axes=1)
    if allow_nan:
        seen = count > 0
        scale = np.divide(total, count, out=np.zeros_like(total), where=seen)
        scale[~seen] = scale[seen].mean()
    else:
        scale = total / weight.sum()
    floor = _SMALLEST_SHARE * scale.mean()
    return np.maximum(scale, floor if floor > 0 else 1.0)
