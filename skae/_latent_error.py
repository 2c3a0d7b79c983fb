"""The error that counts how odd a row's reconstruction is, and how odd its code."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skae._errors import ErrorMeasure, checked_for_gaps
from skae._neighbors import MOST_CODES, CodeNeighbors, Crowd
from skae.metrics._reconstruction import _reconstruction_error

# Codes are never nearer than this share of the mean over training rows: among rows that
# repeat each other, the reconstruction still decides.
_SMALLEST_SHARE = 1e-3


@dataclass(frozen=True)
class LatentMeasure:
    """How ``error="latent"`` is measured.

    Attributes
    ----------
    neighbors : CodeNeighbors
        Of the training rows.

    crowd : Crowd
        Of the training rows, too.

    scales : tuple of float
        Give distances of codes, by either, the mean of the reconstruction errors as
        their median.

    floor : float
        The smallest distance, once scaled.
    """

    neighbors: Any
    crowd: Any
    scales: tuple[float, float] = (1.0, 1.0)
    floor: float = 0.0

    def of_rows(self, autoencoder, X):
        """Return the error of each row, float64 of shape (n,)."""
        return self._of(*self._parts(autoencoder, X))

    def of_features(self, autoencoder, X):
        """Return each value's part of its row's error, float64 of X's shape.

        As it has a part in the squared error of the reconstruction.
        """
        parts = ErrorMeasure("mse").of_features(autoencoder, X)
        total = parts.sum(axis=(*range(1, X.ndim),))
        errors = self.of_rows(autoencoder, X)
        share = np.divide(errors, total, out=np.zeros(len(X)), where=total > 0)
        return parts * share.reshape(-1, *[1] * (X.ndim - 1))

    def scaled_by(self, autoencoder, X, weight):
        """Return the measure whose parts are comparable; and the errors of rows."""
        squared, *distances = self._parts(autoencoder, X)
        mean = np.average(squared, weights=weight)
        typical = [_typical(distance, weight) for distance in distances]
        scales = tuple(mean / one if min(mean, one) > 0 else 1.0 for one in typical)
        scaled = replace(self, scales=scales, floor=_SMALLEST_SHARE * mean)
        return scaled, scaled._of(squared, *distances)

    def _parts(self, autoencoder, X):
        """Return mean squared errors of rows, and the two distances of their codes."""
        allow_nan = checked_for_gaps(autoencoder, X)
        squared, near, far = np.empty(len(X)), np.empty(len(X)), np.empty(len(X))

        def measure(rows, scaled, codes, output):
            squared[rows] = _reconstruction_error(
                scaled, output, "mse", None, allow_nan
            )
            near[rows] = self.neighbors.distances(codes)
            far[rows] = self.crowd.distances(codes)

        autoencoder.for_coded_blocks(X, measure)
        return squared, near, far

    def _of(self, squared, *distances):
        """Return the geometric means of errors and of the larger of the distances."""
        near, far = (
            scale * one for scale, one in zip(self.scales, distances, strict=True)
        )
        odd = np.maximum(np.maximum(near, far), self.floor)
        return np.sqrt(squared) * np.sqrt(odd)


def _typical(distances, weight):
    """Return the median; where half of them are 0, the mean."""
    median = np.quantile(distances, 0.5, weights=weight, method="inverted_cdf")
    return float(median) or float(np.average(distances, weights=weight))


def rows_to_compare(passed, X):
    """Return the rows of a pass and those of earlier ones, each once, the latest.

    Parameters
    ----------
    passed : ndarray of shape (m, *input_shape)
        What this returned for the pass before; at first, no rows.

    X : ndarray of shape (n, *input_shape)
        Rows of this pass, which stand last.
    """
    again = {row.tobytes() for row in X}
    others = [row.tobytes() not in again for row in passed]
    return np.concatenate([passed[others], X])[-MOST_CODES:]


def learned_latent_measure(autoencoder, X, weight, others=None):
    """Return the measure of training rows, and their errors.

    Parameters
    ----------
    autoencoder : Autoencoder

    X : ndarray of shape (n, *input_shape)

    weight : ndarray of shape (n,) or None
        A weight of k counts a row k times.

    others : ndarray of shape (m, *input_shape), default=None
        Rows whose codes others are compared with; None: the training rows.
    """
    known, counted = (X, weight) if others is None else (others, None)
    measure = LatentMeasure(
        CodeNeighbors.of(known, autoencoder.encode),
        Crowd.of(known, counted, autoencoder.encode),
    )
    return measure.scaled_by(autoencoder, X, weight)
