"""Whether the columns of a table are one quantity: a series, a spectrum, an image.

Columns in units of their own need a scale each. Those that share a unit do not, and are
better off with one: what hardly varies is not blown up to the size of what does.
"""

import numpy as np

from skae._missing import extremes

# In fewer columns, neighbours may be alike by chance.
_FEWEST_COLUMNS = 20
# von Neumann's ratio is about 2 where the order of the columns means nothing. In the
# columns' own units, it is 0.1 for heartbeats, 0.2 to 0.5 for most images, and above
# 0.6 for tables; columns of unit variance have a little more each.
_LARGEST_RATIO, _LARGEST_OF_STANDARDISED = 0.5, 1.0
# Deviations of columns that share a unit differ at most by these factors, from one to
# the next and in all: of heartbeats, by 2 and by 16.
_LARGEST_STEP, _LARGEST_RANGE = 3.0, 30.0
# Correlation of every column with one of its neighbours, at least.
_LEAST_CORRELATION = 0.3
# Images have columns that hardly vary. Theirs share the smallest value, and this share
# of them comes near to the largest one.
_SHARE_THAT_REACHES, _NEAR = 0.5, 0.9
# Rows that are looked at, evenly spread, where there are more.
_MOST_ROWS = 10_000


def share_a_unit(X, weight=None):
    r"""Return whether the values of a row are one quantity, at successive places.

    Those of n-D rows are. Columns of a table are taken for it where each is much like
    the next one: von Neumann's ratio along the rows [1]_,

    .. math:: \frac{\sum (x_{j+1} - x_j)^2 / (p - 1)}{\sum (x_j - \bar x)^2 / p}

    with sums over all rows is small, both in the columns' units and with the columns
    standardised. Besides, either their deviations go smoothly from one to the next, and
    each is correlated with a neighbour; or all have the same smallest value and most
    come near to the same largest one, as pixels do.

    Parameters
    ----------
    X : ndarray of shape (n, *shape)
        Missing entries (NaN) are left out.

    weight : ndarray of shape (n,), default=None
        A weight of k counts a row k times.

    References
    ----------
    .. [1] von Neumann, J. (1941). Distribution of the ratio of the mean square
       successive difference to the variance. Annals of Mathematical Statistics
       12:367-395. doi:10.1214/aoms/1177731677
    """
    if X.ndim > 2:
        return True
    if X.shape[1] < _FEWEST_COLUMNS:
        return False
    rows = np.linspace(0, len(X) - 1, min(len(X), _MOST_ROWS)).astype(int)
    X = X[rows].astype(np.float64)
    weight = np.ones(len(X)) if weight is None else weight[rows].astype(np.float64)
    with np.errstate(all="ignore"):  # what is not finite shares nothing
        X -= _mean(X)  # far from zero, squares lose digits
        mean = _means(X, weight)
        deviation = np.sqrt(_means((X - mean) ** 2, weight))
        # Of a constant column, rounding leaves a deviation.
        low, high = extremes(X, axis=0)
        varies = (high > low) & (deviation > 0)
        if varies.sum() < _FEWEST_COLUMNS or not _ratio(X, weight) < _LARGEST_RATIO:
            return False
        X, mean, deviation = X[:, varies], mean[varies], deviation[varies]
        standardised = (X - mean) / deviation
        return bool(
            _ratio(standardised, weight) < _LARGEST_OF_STANDARDISED
            and (_go_smoothly(deviation, standardised, weight) or _share_bounds(X))
        )


def _go_smoothly(deviation, standardised, weight):
    """Return whether columns change little from one to the next."""
    sizes = np.log(deviation)
    product = _means(standardised[:, 1:] * standardised[:, :-1], weight)
    nearest = np.maximum(np.append(product, -1), np.append(-1, product))
    return (
        np.abs(np.diff(sizes)).max() < np.log(_LARGEST_STEP)
        and np.ptp(sizes) < np.log(_LARGEST_RANGE)
        and nearest.min() > _LEAST_CORRELATION
    )


def _share_bounds(X):
    """Return whether all columns have one smallest value, and many one largest."""
    low, high = extremes(X, axis=0)
    reached = high >= low.min() + _NEAR * (high.max() - low.min())
    return (low == low.min()).all() and reached.mean() >= _SHARE_THAT_REACHES


def _ratio(X, weight):
    """Return von Neumann's ratio along rows, whose sums are over all of them."""
    row_mean = _means(X.T, np.ones(X.shape[1]))[:, None]
    spread = _means((X - row_mean) ** 2, weight)
    return _mean(_means(np.diff(X) ** 2, weight)) / _mean(spread)


def _mean(values):
    """Return the mean of what is observed; NaN, without a warning, where nothing is."""
    observed = values[~np.isnan(values)]
    return observed.sum() / np.float64(observed.size)


def _means(X, weight):
    """Return the mean of each column over what is observed there."""
    observed = ~np.isnan(X)
    return weight @ np.where(observed, X, 0.0) / (weight @ observed)
