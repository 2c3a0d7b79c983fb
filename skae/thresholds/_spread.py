"""Rules that go a number of spreads beyond the bulk of the training errors."""

from numbers import Real

import numpy as np

from skae._validation import Interval
from skae.thresholds._base import ThresholdRule
from skae.thresholds._weighted import _weighted_median, _weighted_quantile

# Makes the MAD of a normal sample estimate its standard deviation.
_MAD_TO_STD = 1.4826


class MeanStd(ThresholdRule):
    r"""The mean of the training errors plus a number of standard deviations.

    The rule of the TensorFlow tutorials, for training rows that are all normal and
    errors without a heavy tail. The rate of false alarms follows from the shape of
    the errors' distribution: for a normal one it is 16 % at ``n_std=1``, 2.3 % at 2
    and 0.13 % at 3; in general, at most ``1 / (1 + n_std**2)``. Outliers among the
    training rows raise the threshold.

    Parameters
    ----------
    n_std : float, default=1.0
        Number of standard deviations above the mean, >= 0.

    Attributes
    ----------
    threshold_ : float
        Mean plus `n_std` standard deviations.

    See Also
    --------
    MAD : The same idea, unmoved by outliers among the training rows.

    Notes
    -----
    The threshold is :math:`\mu + n_\mathrm{std} \, \sigma`, with the population
    standard deviation :math:`\sigma`, as ``numpy.std`` computes it. The bound on the
    false alarms is Cantelli's inequality.

    Examples
    --------
    >>> from skae.thresholds import MeanStd
    >>> MeanStd(n_std=2.0).fit([1.0, 1.0, 3.0, 3.0]).threshold_
    4.0
    """

    _parameter_constraints = {"n_std": [Interval(Real, 0, None, closed="left")]}

    def __init__(self, n_std=1.0):
        self.n_std = n_std

    def _compute_threshold(self, errors, weights):
        """Return the weighted mean plus weighted standard deviations."""
        # Counted from the smallest: rows of equal errors get exactly their error, and
        # none of them lies above the mean by a rounding.
        smallest = errors.min()
        mean = smallest + np.average(errors - smallest, weights=weights)
        deviations = errors - mean
        largest = np.abs(deviations).max()
        if largest == 0:
            return mean
        # In units of the largest one, whose square can neither vanish nor overflow.
        variance = np.average((deviations / largest) ** 2, weights=weights)
        return mean + self.n_std * largest * np.sqrt(variance)


class MAD(ThresholdRule):
    r"""The median of the training errors plus a number of absolute deviations.

    The right rule when the training rows may contain outliers of unknown number, up
    to half of them: neither the median nor the median absolute deviation follows
    them. Reconstruction errors are skewed, so that more normal rows are flagged than
    the 0.13 % of a normal distribution at ``n_mad=3``.

    Parameters
    ----------
    n_mad : float, default=3.0
        Number of median absolute deviations above the median, >= 0, each scaled to
        one standard deviation of a normal distribution.

    Attributes
    ----------
    threshold_ : float
        Median plus `n_mad` scaled median absolute deviations.

    See Also
    --------
    MeanStd : The same idea, for training rows that are all normal.
    IQR : Takes the upper half of the errors into account.

    Notes
    -----
    With the median m of the errors e, the threshold is
    :math:`m + 1.4826 \, n_\mathrm{mad} \operatorname{median} |e - m|` [1]_. If more
    than half of the errors are equal, it is that error.

    References
    ----------
    .. [1] C. Leys, C. Ley, O. Klein, P. Bernard and L. Licata, "Detecting outliers:
       Do not use standard deviation around the mean, use absolute deviation around
       the median", Journal of Experimental Social Psychology 49(4), 2013.
       :doi:`10.1016/j.jesp.2013.03.013`

    Examples
    --------
    >>> from skae.thresholds import MAD
    >>> MAD().fit([1.0, 2.0, 3.0, 100.0]).threshold_ < 10
    True
    """

    _parameter_constraints = {"n_mad": [Interval(Real, 0, None, closed="left")]}

    def __init__(self, n_mad=3.0):
        self.n_mad = n_mad

    def _compute_threshold(self, errors, weights):
        """Return the weighted median plus scaled absolute deviations."""
        median = _weighted_median(errors, weights)
        deviation = _weighted_median(np.abs(errors - median), weights)
        return median + self.n_mad * _MAD_TO_STD * deviation


class IQR(ThresholdRule):
    r"""The upper quartile of the training errors plus a number of quartile ranges.

    Tukey's fence, the upper whisker of a box plot. The right rule when up to a
    quarter of the training rows may be outliers. For a normal distribution it flags
    0.35 % of the normal rows at ``k=1.5``, for skewed errors more.

    Parameters
    ----------
    k : float, default=1.5
        Number of interquartile ranges above the upper quartile, >= 0.

    Attributes
    ----------
    threshold_ : float
        Upper quartile plus `k` interquartile ranges.

    See Also
    --------
    MAD : Withstands outliers in up to half of the training rows.

    Notes
    -----
    The threshold is :math:`Q_3 + k \, (Q_3 - Q_1)` [1]_, with quartiles as
    ``numpy.quantile`` interpolates them.

    References
    ----------
    .. [1] R. McGill, J. W. Tukey and W. A. Larsen, "Variations of Box Plots", The
       American Statistician 32(1), 1978. :doi:`10.1080/00031305.1978.10479236`

    Examples
    --------
    >>> from skae.thresholds import IQR
    >>> IQR(k=2.0).fit([0.0, 1.0, 2.0, 3.0, 4.0]).threshold_
    7.0
    """

    _parameter_constraints = {"k": [Interval(Real, 0, None, closed="left")]}

    def __init__(self, k=1.5):
        self.k = k

    def _compute_threshold(self, errors, weights):
        """Return the upper fence of the weighted quartiles."""
        lower = _weighted_quantile(errors, weights, 0.25)
        upper = _weighted_quantile(errors, weights, 0.75)
        return upper + self.k * (upper - lower)
