"""Whether the columns of a table are one quantity: a series, a spectrum, an image.

Columns in units of their own need a scale each. Those that share a unit do not, and are
better off with one: what hardly varies is not blown up to the size of what does.
"""

import numpy as np

# In fewer columns, neighbours may be alike by chance.
_FEWEST_COLUMNS = 20
# von Neumann's ratio is about 2 where the order of the columns means nothing. In the
# columns' own units, it is 0.1 for heartbeats, 0.2 to 0.5 for most images, and above
# 0.6 for tables; columns of unit variance have a little more each.
_LARGEST_RATIO, _LARGEST_OF_STANDARDISED = 0.5, 1.0
# One column of many that varies more than this, in units of the columns' mean square,
# may have a unit of its own.
_LARGEST_DEVIATION = 4.0
# Rows that are looked at, evenly spread, where there are more.
_MOST_ROWS = 10_000


def share_a_unit(X, weight=None):
    r"""Return whether the values of a row are one quantity, at successive places.

    Those of n-D rows are. Columns of a table are taken for it where each is much like
    the next one: von Neumann's ratio along the rows [1]_,

    .. math:: \frac{\sum (x_{j+1} - x_j)^2 / (p - 1)}{\sum (x_j - \bar x)^2 / p}

    with sums over all rows is small, both in the columns' units and with the columns
    standardised, and no column dominates the others.

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
        X -= np.nanmean(X)  # far from zero, squares lose digits
        mean = _means(X, weight)
        deviation = np.sqrt(_means((X - mean) ** 2, weight))
        varies = deviation > 0
        standardised = (X - mean)[:, varies] / deviation[varies]
        return bool(
            varies.sum() >= _FEWEST_COLUMNS
            and deviation.max() < _LARGEST_DEVIATION * np.sqrt(np.mean(deviation**2))
            and _ratio(X, weight) < _LARGEST_RATIO
            and _ratio(standardised, weight) < _LARGEST_OF_STANDARDISED
        )


def _ratio(X, weight):
    """Return von Neumann's ratio along rows, whose sums are over all of them."""
    row_mean = np.nanmean(X, axis=1, keepdims=True)
    spread = _means((X - row_mean) ** 2, weight)
    return np.nanmean(_means(np.diff(X) ** 2, weight)) / np.nanmean(spread)


def _means(X, weight):
    """Return the mean of each column over what is observed there."""
    observed = ~np.isnan(X)
    return weight @ np.where(observed, X, 0.0) / (weight @ observed)
