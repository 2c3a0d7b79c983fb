"""What a scorer learns from rows: how residuals spread, and where the rows lie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# The smallest variance of a residual, as a share of the mean over features: a constant
# feature has almost none.
_SMALLEST_SHARE = 1e-3
# With more features than this, or than residuals, correlations are left alone.
_MOST_CORRELATED = 1024
# Training rows that others are compared with, at most, in groups of so many; numbers in
# them (32 MB).
_N_COMPARED, _GROUP, _MOST_NUMBERS = 512, 16, 1 << 22
# Below this share of the squares of rows, a squared distance is that of a row to
# itself, or to a copy; below the other of its median, distances count as equal.
_ITSELF, _SMALLEST_FACTOR = 1e-10, 1e-2


@dataclass(frozen=True)
class Whitening:
    """Makes residuals uncorrelated and of variance 1, each still near its feature."""

    scale: Floats  # (p,), standard deviations
    root: (
        Floats | None
    )  # (p, p), inverse root of the correlations; None is the identity

    @classmethod
    def of(
        cls, residuals: Floats, weight: Floats | None, correlated: bool = True
    ) -> Whitening:
        """Return that of residuals, NaN where missing; correlations shrunken."""
        n, p = residuals.shape
        weight = np.ones(n) if weight is None else weight / weight.mean()
        observed = ~np.isnan(residuals)
        residuals = np.where(observed, residuals, 0.0)
        count = weight @ observed
        variance = np.divide(
            weight @ np.square(residuals), count, out=np.zeros(p), where=count > 0
        )
        variance[count == 0] = variance[count > 0].mean()  # never observed
        floor = _SMALLEST_SHARE * variance.mean()
        scale = np.sqrt(np.maximum(variance, floor if floor > 0 else 1.0))
        if not correlated or p == 1 or p > min(n, _MOST_CORRELATED):
            return cls(scale, None)
        # scikit-learn takes longer to import than all this takes.
        from sklearn.covariance import ledoit_wolf_shrinkage

        residuals *= np.sqrt(weight)[:, None] / scale
        share = ledoit_wolf_shrinkage(residuals, assume_centered=True)
        correlation = residuals.T @ residuals / n
        diagonal = np.diag(correlation).copy()
        correlation *= 1 - share
        np.fill_diagonal(correlation, np.maximum(diagonal, _SMALLEST_SHARE))
        values, vectors = np.linalg.eigh(correlation)
        values = np.maximum(values, _SMALLEST_SHARE)
        return cls(scale, (vectors / np.sqrt(values)) @ vectors.T)

    def apply(self, residuals: Floats) -> Floats:
        """Return whitened residuals; missing ones, 0, may get values of others."""
        white = residuals / self.scale
        return white if self.root is None else white @ self.root


def n_compared(row_shape: tuple[int, ...]) -> int:
    """Return how many training rows others are compared with, at most."""
    return max(1, min(_N_COMPARED, _MOST_NUMBERS // prod(row_shape)))


@dataclass(frozen=True)
class Neighbors:
    """Training rows that others are compared with: how far rows lie from them.

    Two distances, each in units of its median over training rows: to the nearest of
    them, and the root mean square of those to the nearest ones of random groups, which
    says less of single rows. The latter is that of Sugiyama and Borgwardt (2013), Rapid
    distance-based outlier detection via sampling, over several samples.
    """

    center: Floats  # (p,)
    rows: Floats  # (m, p), scaled and centred; every g-th is of one group
    squares: Floats  # (m,), infinite where a row only fills a group up
    units: Floats  # (2,), medians of the nearest and of the wide distance
    typical: float  # mean of the squares

    @classmethod
    def of(cls, rows: Floats) -> Neighbors:
        """Return scaled rows of any shape as what others are compared with."""
        rows = rows.reshape(len(rows), -1)
        center = rows.mean(axis=0)
        known = rows - center
        n_more = -len(rows) % _GROUP
        squares = np.vecdot(known, known)
        typical = float(squares.mean())
        squares = np.append(squares, np.full(n_more, np.inf))
        known = np.pad(known, ((0, n_more), (0, 0)))
        neighbors = cls(center, known, squares, np.ones(2), typical)
        units = np.ones(2)
        for i, one in enumerate(neighbors._distances(rows)):
            finite = one[np.isfinite(one)]
            typical = np.median(finite) or finite.mean() if len(finite) else 0.0
            units[i] = typical if typical > 0 else 1.0
        return replace(neighbors, units=units)

    def factors(self, x: Floats) -> Floats:
        """Return how far scaled rows, (n, p), lie, in units of training rows."""
        with np.errstate(over="ignore", invalid="ignore"):
            nearest, wide = self._distances(x)
            factors = np.maximum(nearest / self.units[0], wide / self.units[1])
        return np.maximum(factors, _SMALLEST_FACTOR)

    def _distances(self, x: Floats) -> tuple[Floats, Floats]:
        """Return distances to the nearest row, and to the nearest ones of groups."""
        # Copies of a row are no neighbours of it; where there are no others, 0.
        x = x - self.center
        squares = np.vecdot(x, x)
        squared = x @ (-2 * self.rows.T)
        squared += squares[:, None]
        squared += self.squares
        itself = _ITSELF * (squares + self.typical)
        np.copyto(squared, np.inf, where=squared <= itself[:, None])
        groups = squared.reshape(len(x), _GROUP, -1).min(axis=1)
        nearest = groups.min(axis=1)
        is_other = np.isfinite(groups)
        total = np.where(is_other, groups, 0.0).sum(axis=1)
        wide = total / np.maximum(is_other.sum(axis=1), 1)
        nearest[np.isinf(nearest)] = 0.0
        absurd = ~np.isfinite(squares)
        nearest[absurd], wide[absurd] = np.inf, np.inf
        return np.sqrt(nearest), np.sqrt(wide)
