"""The error that counts how odd a row's reconstruction is, and how odd its place."""

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from skae._errors import ErrorMeasure, checked_for_gaps
from skae._neighbors import MOST_CODES, Neighbors, WideNeighbors
from skae.metrics._reconstruction import _reconstruction_error

# Distances are never smaller than this share of the mean over training rows: among rows
# that repeat each other, the reconstruction still decides.
_SMALLEST_SHARE = 1e-3
# Numbers in the training rows that others are compared with, at most: 16 MB.
_MOST_NUMBERS = 1 << 22


@dataclass(frozen=True)
class LatentMeasure:
    """How ``error="latent"`` is measured.

    Attributes
    ----------
    center : ndarray of shape (n_values,)
        Of the training rows, scaled: far from it, float32 cannot tell rows apart.

    rows : Neighbors
        Among the training rows, scaled and centred; of all networks.

    codes : Neighbors
        Among the codes of the training rows.

    crowd : WideNeighbors
        Of codes of the training rows, too.

    scales : tuple of float
        Give distances by rows, codes and crowd the mean of the reconstruction errors as
        their median.

    floor : float
        The smallest distance, once scaled.
    """

    center: Any
    rows: Any
    codes: Any
    crowd: Any
    scales: tuple[float, float, float] = (1.0, 1.0, 1.0)
    floor: float = 0.0

    def shared(self, autoencoder, X):
        """Return what all networks have in common: distances of rows."""
        distances = np.empty(len(X))

        def measure(rows, scaled):
            flat = scaled.reshape(len(scaled), -1)
            distances[rows] = self.rows.distances(flat - self.center)

        autoencoder.for_inputs(X, measure)
        return distances

    def of_rows(self, autoencoder, X, shared):
        """Return the error of each row, float64 of shape (n,)."""
        return self._of(*self._parts(autoencoder, X, shared))

    def of_features(self, autoencoder, X, shared):
        """Return each value's part of its row's error, float64 of X's shape.

        As it has a part in the squared error of the reconstruction.
        """
        parts = ErrorMeasure("mse").of_features(autoencoder, X)
        total = parts.sum(axis=(*range(1, X.ndim),))
        errors = self.of_rows(autoencoder, X, shared)
        share = np.divide(errors, total, out=np.zeros(len(X)), where=total > 0)
        one_each = (-1, *[1] * (X.ndim - 1))
        # Of an absurd row, all is due to the values whose parts are infinite.
        absurd = np.isinf(total).reshape(one_each)
        parts = np.where(absurd & np.isfinite(parts), 0, parts)
        return parts * np.where(absurd, 1, share.reshape(one_each))

    def scaled_by(self, autoencoder, X, weight, shared):
        """Return the measure whose parts are comparable; and the errors of rows."""
        squared, *distances = self._parts(autoencoder, X, shared)
        mean = np.average(squared, weights=weight)
        typical = [_typical(distance, weight) for distance in distances]
        scales = tuple(mean / one if min(mean, one) > 0 else 1.0 for one in typical)
        scaled = replace(self, scales=scales, floor=_SMALLEST_SHARE * mean)
        return scaled, scaled._of(squared, *distances)

    def _parts(self, autoencoder, X, shared):
        """Return mean squared errors of rows, and the three distances."""
        allow_nan = checked_for_gaps(autoencoder, X)
        squared, near, far = np.empty(len(X)), np.empty(len(X)), np.empty(len(X))

        def measure(rows, scaled, codes, output):
            squared[rows] = _reconstruction_error(
                scaled, output, "mse", None, allow_nan
            )
            near[rows] = self.codes.distances(codes)
            far[rows] = self.crowd.distances(codes)

        autoencoder.for_coded_blocks(X, measure)
        return squared, shared, near, far

    def _of(self, squared, *distances):
        """Return the geometric means of errors and of how odd the place is."""
        by_rows, by_codes, by_crowd = (
            scale * one for scale, one in zip(self.scales, distances, strict=True)
        )
        odd = np.maximum((by_rows + by_codes) / 2, np.maximum(by_crowd, self.floor))
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


def learned_latent_measures(autoencoders, X, weight, others=None):
    """Return the measures of training rows by some networks, and their errors.

    Parameters
    ----------
    autoencoders : list of Autoencoder

    X : ndarray of shape (n, *input_shape)

    weight : ndarray of shape (n,) or None
        A weight of k counts a row k times.

    others : ndarray of shape (m, *input_shape), default=None
        Rows that others are compared with; None: the training rows.

    Returns
    -------
    measures : list of LatentMeasure

    errors : list of ndarray of shape (n,)
    """
    known, counted = (X, weight) if others is None else (others, None)
    first = autoencoders[0]
    most = max(1, min(MOST_CODES, _MOST_NUMBERS // prod(X.shape[1:])))
    some = first.inputs(known[:: 1 + len(known) // MOST_CODES])
    center = some.reshape(len(some), -1).mean(axis=0)

    def centred(rows):
        return first.inputs(rows).reshape(len(rows), -1) - center

    rows = Neighbors.of(known, centred, most, np.float32)
    learned, shared = [], None
    for autoencoder in autoencoders:
        measure = LatentMeasure(
            center,
            rows,
            Neighbors.of(known, autoencoder.encode),
            WideNeighbors.of(known, counted, autoencoder.encode),
        )
        if shared is None:
            shared = measure.shared(first, X)
        learned.append(measure.scaled_by(autoencoder, X, weight, shared))
    measures, errors = zip(*learned, strict=True)
    return list(measures), list(errors)
