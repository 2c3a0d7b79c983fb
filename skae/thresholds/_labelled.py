"""Rules that learn from known outliers: each tries all thresholds on labelled rows."""

from __future__ import annotations

from abc import abstractmethod
from numbers import Real

import numpy as np
from scipy.special import betainc

from skae._validation import Interval
from skae.thresholds._base import ThresholdRule
from skae.thresholds._conformal import errors_for_rate

# Two thresholds that differ by roundings alone are equally good.
_ROUNDING = 1e-12
# Probability of as many outliers among the flagged rows by chance, for Precision.
_CHANCE = 0.1


class LabelledRule(ThresholdRule):
    """Base of the rules that try the thresholds that differ in what they flag."""

    needs_labels = True

    def _compute_threshold(  # type: ignore[override]  # with labels, a third argument
        self, errors: np.ndarray, weights: np.ndarray, outliers: np.ndarray
    ) -> float:
        """Return the best candidate's threshold: midway to the next error, if any."""
        # Ascending: candidate k flags what is above values[k].
        values, place = np.unique(errors, return_inverse=True)
        normal, found = (
            np.cumsum(np.bincount(place, weights * rows, len(values))[::-1])[::-1]
            for rows in (~outliers, outliers)
        )
        flagged, hits = np.append(normal[1:], 0.0), np.append(found[1:], 0.0)
        quality = self._quality(flagged, hits, normal[0], found[0])
        # The largest threshold of equally good ones.
        best = np.flatnonzero(quality >= quality.max() * (1 - _ROUNDING))[-1]
        lower, *higher = values[best:][:2]
        return lower + (higher[0] - lower) / 2 if higher else lower

    @abstractmethod
    def _quality(
        self, flagged: np.ndarray, found: np.ndarray, n_normal: float, n_outliers: float
    ) -> np.ndarray:
        """Return how good the candidates are; all arguments are numbers of copies."""


class BestF(LabelledRule):
    r"""The threshold with the highest F score on labelled rows.

    The right rule when outliers are known that are like those to come, and as common.
    On new rows, the score is lower than in the fit.

    Read more in the :doc:`User Guide </guide/thresholds>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    beta : float, default=1.0
        How much more a recall counts than a precision, > 0.

    Attributes
    ----------
    threshold_ : float
        Midway between the last error below and the first above; the largest one where
        several thresholds are best.

    See Also
    --------
    skae.outlier_f1 : The same score, for a search.

    Notes
    -----
    With TP the outliers found, FP the normal rows flagged and FN the outliers missed,

    .. math:: F_\beta = \frac{(1 + \beta^2) TP}{(1 + \beta^2) TP + \beta^2 FN + FP} .

    In a search, use ``StratifiedKFold``: `skae.InlierKFold` leaves the outliers out of
    the rows to fit.

    Examples
    --------
    >>> from skae.thresholds import BestF
    >>> BestF().fit([1.0, 2.0, 3.0, 5.0, 6.0], y=[1, 1, 1, -1, -1]).threshold_
    4.0
    """

    _parameter_constraints = {"beta": [Interval(Real, 0, None, closed="neither")]}

    def __init__(self, beta: float = 1.0) -> None:
        self.beta = beta

    def _quality(
        self, flagged: np.ndarray, found: np.ndarray, n_normal: float, n_outliers: float
    ) -> np.ndarray:
        """Return the F scores."""
        missed = self.beta**2 * (n_outliers - found)
        found = (1 + self.beta**2) * found
        return found / (found + missed + flagged)


class FalseAlarmRate(LabelledRule):
    r"""The threshold that finds most outliers at a bounded rate of false alarms.

    The right rule when outliers are known, perhaps few, and the rate of false alarms
    must hold: of fresh normal rows, at most a share `rate` is flagged on average.

    Read more in the :doc:`User Guide </guide/thresholds>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    rate : float, default=0.05
        Largest expected share of normal rows that are flagged, 0 < rate < 1. The errors
        of at least 1 / rate - 1 normal rows are needed.

    Attributes
    ----------
    threshold_ : float
        Of the thresholds with :math:`(1 + FP) / (n + 1) \le rate`, FP the flagged ones
        of n normal rows, the largest with the highest recall of outliers; where none of
        these finds any, the smallest, that of ``Conformal(rate)``.

    Notes
    -----
    The guarantee is that of `Conformal`, whose threshold bounds this one from below: it
    needs normal rows that did not train the network, and a detector passes it no
    others. The outliers need not be like those to come. In [1]_, there is a bound for
    each fit instead of their mean.

    References
    ----------
    .. [1] Tong, X., Feng, Y. and Li, J. J. (2018). Neyman-Pearson classification
       algorithms and NP receiver operating characteristics. Science Advances 4(2).
       :doi:`10.1126/sciadv.aao1659`

    Examples
    --------
    >>> from skae.thresholds import FalseAlarmRate
    >>> errors, y = [1.0, 2.0, 3.0, 7.0, 9.0], [1, 1, 1, -1, -1]
    >>> FalseAlarmRate(0.4).fit(errors, y).threshold_
    5.0
    """

    _parameter_constraints = {"rate": [Interval(Real, 0, 1, closed="neither")]}

    needs_held_out = True
    _why_errors, _fewer_errors = " (n >= 1/rate - 1)", "raise rate (now {rate!r})"

    def __init__(self, rate: float = 0.05) -> None:
        self.rate = rate

    @property
    def min_errors(self) -> int:  # type: ignore[override]
        """Fewest errors of normal rows that ``fit`` takes: 1 / rate - 1, rounded up."""
        return errors_for_rate(self.rate)

    def _quality(
        self, flagged: np.ndarray, found: np.ndarray, n_normal: float, n_outliers: float
    ) -> np.ndarray:
        """Return the outliers found at the rate."""
        allowed = 1 + flagged <= self.rate * (n_normal + 1) * (1 + 1e-9)
        found = np.where(allowed, found, 0.0)
        # Where none is found, only the smallest threshold is good.
        return found if found.any() else np.arange(len(found)) == np.argmax(allowed)


class Precision(LabelledRule):
    r"""The threshold that finds most outliers at a bounded precision.

    The right rule when every alarm costs an inspection: most of the flagged rows should
    be outliers. It needs known outliers that are like those to come, and as common.

    Read more in the :doc:`User Guide </guide/thresholds>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    target : float, default=0.9
        Smallest share of outliers among the flagged rows, 0 < target < 1.

    Attributes
    ----------
    threshold_ : float
        Of the thresholds at which so many outliers among the flagged rows, TP of
        TP + FP, have a probability of at most a tenth where the precision is just
        `target`, the largest with the highest recall. At least ``log(0.1) /
        log(target)`` outliers must be found: 4 at 0.5, 22 at 0.9.

    See Also
    --------
    benjamini_hochberg : Bounds the same share in a batch, without known outliers.

    Notes
    -----
    That probability, a binomial one [1]_, pays for having tried many thresholds. Where
    none has the precision, chance may show one all the same: in simulations, in at most
    a tenth of the fits; in the others, ``fit`` raises. The rule needs errors of normal
    rows that did not train the network, and a detector passes it no others; where only
    a part of them is held out, outliers count by the same part.

    References
    ----------
    .. [1] Clopper, C. J. and Pearson, E. S. (1934). The use of confidence or fiducial
       limits illustrated in the case of the binomial. Biometrika 26(4).
       :doi:`10.1093/biomet/26.4.404`

    Examples
    --------
    >>> from skae.thresholds import Precision
    >>> errors, y = [1.0, 2.0, 3.0, 5.0, 6.0], [1, 1, 1, -1, -1]
    >>> Precision(0.3).fit(errors, y).threshold_
    4.0
    """

    _parameter_constraints = {"target": [Interval(Real, 0, 1, closed="neither")]}

    needs_held_out = True

    def __init__(self, target: float = 0.9) -> None:
        self.target = target

    def _quality(
        self, flagged: np.ndarray, found: np.ndarray, n_normal: float, n_outliers: float
    ) -> np.ndarray:
        """Return the outliers found at the precision."""
        # P(at least so many outliers) for a binomial number; 1 where none is found.
        chance = np.where(found > 0, betainc(found, flagged + 1, self.target), 1.0)
        allowed = chance <= _CHANCE * (1 + 1e-9)
        if not allowed.any():
            highest = np.max(found / np.maximum(found + flagged, 1e-300))
            raise ValueError(
                f"{self!r} is out of reach: no threshold surely has this precision, "
                f"and the highest one seen is {highest:.3g}, for {n_outliers:g} "
                f"outliers and {n_normal:g} normal rows. Lower target, or pass more "
                "outliers."
            )
        return np.where(allowed, found, 0.0)
