"""Rules for errors without labels, and what a detector's ``threshold`` may be."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy as np

from skae._validation import Interval, InvalidParameterError
from skae.thresholds._base import ThresholdRule, weighted_quantile


def as_threshold_rule(threshold: Any) -> Any:
    """Turn the ``threshold`` parameter of a detector into a threshold rule.

    Parameters
    ----------
    threshold : None, float or threshold rule
        None means ``Contamination(0.1)``, a number ``FixedThreshold(number)``. A rule
        is an estimator with ``fit`` and ``get_params`` whose ``fit`` learns
        ``threshold_``; it need not inherit from `ThresholdRule`.

    Returns
    -------
    rule : threshold rule
        The given object itself where it is a rule.

    Raises
    ------
    InvalidParameterError
        Both a ValueError and a TypeError: if `threshold` is anything else, or a
        number that is negative or not finite.

    Examples
    --------
    >>> from skae.thresholds import as_threshold_rule
    >>> as_threshold_rule(0.25)
    FixedThreshold(value=0.25)
    """
    if threshold is None:
        return Contamination(0.1)
    is_number = isinstance(threshold, Real) and not isinstance(threshold, bool)
    if is_number:
        if 0 <= threshold < math.inf:  # np.isfinite takes no large integers
            return FixedThreshold(threshold)
        raise InvalidParameterError(
            f"threshold must be finite and >= 0 where it is a number, but is "
            f"{threshold!r}. Errors are >= 0, unlike scores: the threshold is -offset_."
        )
    if isinstance(threshold, type):
        raise InvalidParameterError(
            f"threshold must be a rule, but is the class {threshold.__name__}. Pass an "
            f"instance: {threshold.__name__}()."
        )
    if hasattr(threshold, "fit") and hasattr(threshold, "get_params"):
        return threshold
    raise InvalidParameterError(
        "threshold must be None, a number or a threshold rule (an estimator whose fit "
        f"learns threshold_), but is {threshold!r}. Pass for instance "
        "threshold=Quantile(0.95)."
    )


class FixedThreshold(ThresholdRule):
    """A threshold that is known beforehand.

    The right rule when the units of the error have a meaning: a tolerance from a
    specification, or a value found on other data. A plain number given to a detector
    means this rule.

    Read more in the :doc:`User Guide </guide/thresholds>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    value : float
        The threshold, finite and >= 0, in the units of the errors.

    Attributes
    ----------
    threshold_ : float
        `value`.

    Examples
    --------
    >>> from skae.thresholds import FixedThreshold
    >>> FixedThreshold(0.25).fit([0.1, 0.2, 0.9]).threshold_
    0.25
    """

    sees_errors = False  # what it learns from them is nothing
    _parameter_constraints = {"value": [Interval(Real, 0, None, closed="left")]}

    _is_learned = False

    def __init__(self, value: float) -> None:
        self.value = value

    def _compute_threshold(self, errors: np.ndarray, weights: np.ndarray) -> float:
        """Return the given value."""
        return self.value


class Quantile(ThresholdRule):
    """A quantile of the training errors.

    The right rule when the training rows are all normal and a rate of false alarms
    can be named: about ``1 - q`` of fresh normal rows are flagged, more where the
    network overfits.

    Read more in the :doc:`User Guide </guide/thresholds>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    q : float, default=0.95
        Share of the training errors at or below the threshold, 0 < q <= 1.

    Attributes
    ----------
    threshold_ : float
        Of n errors in ascending order, counted from 0, the value at position
        :math:`(n - 1) q`, interpolated between neighbours: the default of
        ``numpy.quantile``, definition 7 of [1]_.

    See Also
    --------
    Conformal : Guarantees the rate, from errors of rows that did not train.

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

    def __init__(self, q: float = 0.95) -> None:
        self.q = q

    def _compute_threshold(self, errors: np.ndarray, weights: np.ndarray) -> float:
        """Return the weighted quantile."""
        return weighted_quantile(errors, weights, self.q)


class Contamination(ThresholdRule):
    r"""A threshold that flags an exact share of the training rows.

    The right rule when the training rows contain outliers and their share is roughly
    known. On purely normal training rows, `fraction` is the rate of false alarms.

    Read more in the :doc:`User Guide </guide/thresholds>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    fraction : float, default=0.1
        Share of the training rows to flag, 0 < fraction <= 0.5.

    Attributes
    ----------
    threshold_ : float
        With :math:`k = \operatorname{round}(\mathrm{fraction} \cdot n)`, half to even,
        the value midway between the k-th and the (k+1)-th largest of the n errors, so
        that exactly k are above it, or fewer where these two are equal. With k = 0 it
        is the largest error.

    Examples
    --------
    >>> from skae.thresholds import Contamination
    >>> Contamination(0.25).fit([1.0, 2.0, 4.0, 8.0]).threshold_
    6.0
    """

    _parameter_constraints = {"fraction": [Interval(Real, 0, 0.5, closed="right")]}

    def __init__(self, fraction: float = 0.1) -> None:
        self.fraction = fraction

    def _compute_threshold(self, errors: np.ndarray, weights: np.ndarray) -> float:
        """Return a value with a share of the copies above it, ties permitting."""
        # Midway between the neighbours of the cut, so that rounding elsewhere moves no
        # row across. Where the cut falls into equal values, these stay below.
        order = np.argsort(errors)
        errors, ends = errors[order], np.cumsum(weights[order])
        cut = ends[-1] - round(self.fraction * float(weights.sum()))
        tolerance = min(1e-9 * ends[-1], 0.25)  # sums of fractional weights are rounded
        below = np.searchsorted(ends, cut - tolerance, side="left")
        above = np.searchsorted(ends, cut + tolerance, side="right")
        lower = errors[min(below, len(errors) - 1)]
        if above == len(errors):
            return lower
        return lower + (errors[above] - lower) / 2


class MeanStd(ThresholdRule):
    r"""The mean of the training errors plus a number of standard deviations.

    The rule of the TensorFlow tutorials, for training rows that are all normal and
    errors without a heavy tail. For normally distributed errors, the rate of false
    alarms is 16 % at ``n_std=1``, 2.3 % at 2 and 0.13 % at 3; in general, at most
    ``1 / (1 + n_std**2)`` (Cantelli's inequality).

    Read more in the :doc:`User Guide </guide/thresholds>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    n_std : float, default=1.0
        Number of standard deviations above the mean, >= 0.

    Attributes
    ----------
    threshold_ : float
        :math:`\mu + n_\mathrm{std} \, \sigma`, with the population standard deviation
        :math:`\sigma`, as ``numpy.std`` computes it.

    See Also
    --------
    MAD : Robust to outliers among the training rows.

    Examples
    --------
    >>> from skae.thresholds import MeanStd
    >>> MeanStd(n_std=2.0).fit([1.0, 1.0, 3.0, 3.0]).threshold_
    4.0
    """

    _parameter_constraints = {"n_std": [Interval(Real, 0, None, closed="left")]}

    def __init__(self, n_std: float = 1.0) -> None:
        self.n_std = n_std

    def _compute_threshold(self, errors: np.ndarray, weights: np.ndarray) -> float:
        """Return the weighted mean plus weighted standard deviations."""
        # Counted from the smallest: the mean of equal errors is exactly that error, and
        # none of them lies above it by a rounding.
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

    The right rule when the training rows may contain an unknown number of outliers, up
    to half of them: the median and the median absolute deviation are robust to them.
    Reconstruction errors are skewed, so that more normal rows are flagged than the
    0.13 % of a normal distribution at ``n_mad=3``.

    Read more in the :doc:`User Guide </guide/thresholds>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    n_mad : float, default=3.0
        Number of median absolute deviations above the median, >= 0.

    Attributes
    ----------
    threshold_ : float
        With the median m of the errors e,
        :math:`m + 1.4826 \, n_\mathrm{mad} \operatorname{median} |e - m|` [1]_.

    References
    ----------
    .. [1] C. Leys, C. Ley, O. Klein, P. Bernard and L. Licata, "Detecting outliers",
       Journal of Experimental Social Psychology 49(4), 2013.
       :doi:`10.1016/j.jesp.2013.03.013`

    Examples
    --------
    >>> from skae.thresholds import MAD
    >>> MAD().fit([1.0, 2.0, 3.0, 100.0]).threshold_ < 10
    True
    """

    _parameter_constraints = {"n_mad": [Interval(Real, 0, None, closed="left")]}

    def __init__(self, n_mad: float = 3.0) -> None:
        self.n_mad = n_mad

    def _compute_threshold(self, errors: np.ndarray, weights: np.ndarray) -> float:
        """Return the weighted median plus scaled absolute deviations."""
        median = weighted_quantile(errors, weights, 0.5)
        deviation = weighted_quantile(np.abs(errors - median), weights, 0.5)
        # Of a normal sample, 1.4826 MAD estimates the standard deviation.
        return median + self.n_mad * 1.4826 * deviation


class IQR(ThresholdRule):
    r"""The upper quartile of the training errors plus a number of quartile ranges.

    Tukey's fence, the upper whisker of a box plot. The right rule when up to a
    quarter of the training rows may be outliers. For a normal distribution it flags
    0.35 % of the normal rows at ``k=1.5``, for skewed errors more.

    Read more in the :doc:`User Guide </guide/thresholds>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    k : float, default=1.5
        Number of interquartile ranges above the upper quartile, >= 0.

    Attributes
    ----------
    threshold_ : float
        :math:`Q_3 + k \, (Q_3 - Q_1)` [1]_, with quartiles as ``numpy.quantile``
        interpolates them.

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

    def __init__(self, k: float = 1.5) -> None:
        self.k = k

    def _compute_threshold(self, errors: np.ndarray, weights: np.ndarray) -> float:
        """Return the upper fence of the weighted quartiles."""
        lower = weighted_quantile(errors, weights, 0.25)
        upper = weighted_quantile(errors, weights, 0.75)
        return upper + self.k * (upper - lower)
