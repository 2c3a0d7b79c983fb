"""Order statistics of a weighted sample, as if each row were repeated.

A row of weight w covers a stretch of length w on the axis of cumulative weights. With
integer weights, position j of the repeated, sorted sample is the stretch [j, j + 1]:
no repetition is materialised, and fractional weights need no other rule.
"""

import numpy as np


def _weighted_quantile(values, weights, q):
    """Quantile `q` of the repeated sample, interpolated as NumPy does (type 7).

    The quantile at position h = (W - 1) q is the average of the sorted sample over
    the stretch [h, h + 1]. For whole copies that is the interpolation between
    positions floor(h) and floor(h) + 1.
    """
    order = np.argsort(values)
    values, ends = values[order], np.cumsum(weights[order])
    start = (ends[-1] - 1) * q
    # Stretches before the start have length 0, those past the end too.
    inside = np.clip(ends - start, 0.0, 1.0)
    overlap = np.diff(inside, prepend=0.0)
    covering = overlap > 0
    values, overlap = values[covering], overlap[covering]
    # One end plus a share of the rest: equal values come out exactly.
    return values[0] + np.dot(overlap, values - values[0]) / overlap.sum()


def _weighted_median(values, weights):
    """Median of the repeated sample."""
    return _weighted_quantile(values, weights, 0.5)


def _value_below_largest(values, weights, n_largest):
    """Value with exactly the `n_largest` copies strictly above it, ties permitting.

    It lies midway between the two neighbours of the cut, so that rounding elsewhere
    moves no row across. Where the cut falls into equal values, these stay below.
    """
    order = np.argsort(values)
    values, ends = values[order], np.cumsum(weights[order])
    cut = ends[-1] - n_largest
    # Sums of fractional weights miss a whole number by a few roundings; whole ones
    # are exact, and 1 apart.
    tolerance = min(1e-9 * ends[-1], 0.25)
    below = np.searchsorted(ends, cut - tolerance, side="left")
    above = np.searchsorted(ends, cut + tolerance, side="right")
    lower = values[min(below, len(values) - 1)]
    if above >= len(values):
        return lower
    return _between(lower, values[above])


def _between(lower, upper):
    """Value midway between two errors, or the lower one: never the upper."""
    middle = lower + (upper - lower) / 2
    # Between adjacent floats there is no middle: it may round up to the upper one.
    return middle if middle < upper else lower
