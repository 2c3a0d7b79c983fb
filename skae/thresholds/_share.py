"""Rules that fix which share of the training rows lies above the threshold."""

from numbers import Real

from skae._validation import Interval
from skae.thresholds._base import ThresholdRule
from skae.thresholds._weighted import _value_below_largest, _weighted_quantile


class Quantile(ThresholdRule):
    """A quantile of the training errors.

    The right rule when the training rows are all normal and a rate of false alarms
    can be named: about ``1 - q`` of fresh normal rows will be flagged, somewhat more
    where the network has learned its training rows by heart.

    Parameters
    ----------
    q : float, default=0.95
        Share of the training errors at or below the threshold, 0 < q <= 1. With 1
        the threshold is the largest training error.

    Attributes
    ----------
    threshold_ : float
        The quantile, interpolated linearly.

    See Also
    --------
    Contamination : Flags an exact number of training rows.
    Conformal : Guarantees the rate, from errors of rows that did not train.

    Notes
    -----
    For n errors in ascending order, counted from 0, the threshold is their value at
    position :math:`(n - 1) q`, interpolated between neighbours: the default of
    ``numpy.quantile``, definition 7 of [1]_.

    References
    ----------
    .. [1] R. J. Hyndman and Y. Fan, "Sample Quantiles in Statistical Packages", The
       American Statistician 50(4), 1996. :doi:`10.1080/00031305.1996.10473566`

    Examples
    --------
    >>> from skae.thresholds import Quantile
    >>> Quantile(0.5).fit([1.0, 2.0, 4.0, 8.0]).threshold_
    3.0
    """

    _parameter_constraints = {"q": [Interval(Real, 0, 1, closed="right")]}

    def __init__(self, q=0.95):
        self.q = q

    def _compute_threshold(self, errors, weights):
        """Return the weighted quantile."""
        return _weighted_quantile(errors, weights, self.q)


class Contamination(ThresholdRule):
    r"""A threshold that flags a given share of the training rows, to the row.

    The right rule when the training rows contain outliers and their share is roughly
    known. On purely normal training rows, `fraction` is the rate of false alarms.

    Parameters
    ----------
    fraction : float, default=0.1
        Share of the training rows to flag, 0 < fraction <= 0.5.

    Attributes
    ----------
    threshold_ : float
        The value with the round(fraction * n) largest of the n errors above it.

    See Also
    --------
    Quantile : Interpolates instead of counting.

    Notes
    -----
    With :math:`k = \operatorname{round}(\mathrm{fraction} \cdot n)`, half to even,
    the threshold lies midway between the k-th and the (k+1)-th largest error, so
    that exactly k errors are above it. Where these two are equal, the threshold is
    that error, and fewer than k are above. With k = 0 it is the largest error, and
    none is above.

    Examples
    --------
    >>> from skae.thresholds import Contamination
    >>> Contamination(0.25).fit([1.0, 2.0, 4.0, 8.0]).threshold_
    6.0
    """

    _parameter_constraints = {"fraction": [Interval(Real, 0, 0.5, closed="right")]}

    def __init__(self, fraction=0.1):
        self.fraction = fraction

    def _compute_threshold(self, errors, weights):
        """Return the value below the largest `fraction` of the copies."""
        n_flagged = round(self.fraction * float(weights.sum()))
        return _value_below_largest(errors, weights, n_flagged)
