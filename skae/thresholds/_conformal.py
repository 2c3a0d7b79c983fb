"""Conformal prediction: the rule, the p-values behind it, and their selection."""

from __future__ import annotations

from math import ceil
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from skae._validation import Interval, check_array, validate_params
from skae.thresholds._base import ThresholdRule, check_errors, clear_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Counts of fractional weights, and shares of whole ones, miss a whole number by a few
# roundings.
_ROUNDING = 1e-9


class Conformal(ThresholdRule):
    r"""A threshold with a guaranteed rate of false alarms.

    The right rule when the rate of false alarms must hold for any network and any
    distribution of the errors: of fresh normal rows, at most a share `alpha` is flagged
    on average. It needs the errors of normal rows that neither trained the network nor
    chose its epoch, and a detector passes it no others.

    Read more in the :doc:`User Guide </guide/thresholds>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    alpha : float, default=0.05
        Rate of false alarms, 0 < alpha < 1. At least 1 / alpha - 1 errors are needed.

    Attributes
    ----------
    threshold_ : float
        The smallest error that at least ``(1 - alpha) * (n + 1)`` of the n errors do
        not exceed, plus the margin that every rule adds against rounding.

    See Also
    --------
    conformal_p_values : The p-values; a row is flagged where its own is <= alpha.
    benjamini_hochberg : Flags rows of a batch with a bound on the share of false ones.

    Notes
    -----
    With errors :math:`e_1, \dots, e_n` of held-out rows, a row of error e has the
    p-value

    .. math:: p = \frac{1 + \#\{i: e_i \ge e\}}{n + 1}

    and is flagged where :math:`p \le \alpha` [1]_. Where the row and the held-out ones
    are exchangeable, the probability of that is at most alpha, and more than
    :math:`\alpha - 1 / (n + 1)` where no two errors are equal. That is a mean over
    draws of the held-out rows; for one fit, the rate is spread around it by about
    :math:`\sqrt{\alpha (1 - \alpha) / n}` [2]_.

    A detector's ``threshold_on="validation"`` provides such errors. With ``"cv"``, new
    rows are judged by another network than these, trained on all rows. The guarantee is
    then lost, and even the rate 2 alpha of CV+ [3]_. In simulations, here and in [4]_,
    about alpha or fewer are flagged.

    References
    ----------
    .. [1] Laxhammar, R. and Falkman, G. (2010). Conformal prediction for
       distribution-independent anomaly detection in streaming vessel data. StreamKDD.
       :doi:`10.1145/1833280.1833287`
    .. [2] Bates, S., Candès, E., Lei, L., Romano, Y. and Sesia, M. (2023). Testing for
       outliers with conformal p-values. The Annals of Statistics 51(1).
       :doi:`10.1214/22-AOS2244`
    .. [3] Barber, R. F., Candès, E. J., Ramdas, A. and Tibshirani, R. J. (2021).
       Predictive inference with the jackknife+. The Annals of Statistics 49(1).
       :doi:`10.1214/20-AOS1965`
    .. [4] Hennhöfer, O. and Preisach, C. (2024). Leave-one-out-, bootstrap- and
       cross-conformal anomaly detectors. :doi:`10.48550/arXiv.2402.16388`

    Examples
    --------
    >>> from skae.thresholds import Conformal
    >>> round(Conformal(0.25).fit([1.0, 2.0, 4.0, 8.0]).threshold_, 3)
    8.0
    >>> round(Conformal(0.4).fit([1.0, 2.0, 4.0, 8.0]).threshold_, 3)
    4.0
    """

    _parameter_constraints = {"alpha": [Interval(Real, 0, 1, closed="neither")]}

    needs_held_out = True
    _why_errors, _fewer_errors = " (n >= 1/alpha - 1)", "raise alpha (now {alpha!r})"

    def __init__(self, alpha: float = 0.05) -> None:
        self.alpha = alpha

    @property
    def min_errors(self) -> int:  # type: ignore[override]
        """Fewest errors that ``fit`` takes, in copies: 1 / alpha - 1, rounded up."""
        return errors_for_rate(self.alpha)

    def _compute_threshold(self, errors: np.ndarray, weights: np.ndarray) -> float:
        """Return the smallest error that (1 - alpha)(n + 1) copies do not exceed."""
        order = np.argsort(errors)
        errors, ends = errors[order], np.cumsum(weights[order])
        needed = (1 - self.alpha) * (ends[-1] + 1)
        place = np.searchsorted(ends, needed * (1 - _ROUNDING))
        return errors[min(place, len(errors) - 1)]


def errors_for_rate(rate: float) -> int:
    """Return how many errors it takes for p-values as small as a rate."""
    return max(1, ceil((1 / rate - 1) * (1 - _ROUNDING)))


def conformal_p_values(
    errors: ArrayLike,
    calibration_errors: ArrayLike,
    sample_weight: ArrayLike | None = None,
) -> NDArray[np.float64]:
    r"""Return the conformal p-values of reconstruction errors.

    Read more in the :doc:`User Guide </guide/thresholds>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    errors : array-like of shape (n_samples,)
        Errors of the rows in question.
    calibration_errors : array-like of shape (n_calibration,)
        Errors of normal rows that did not train the network.
    sample_weight : array-like of shape (n_calibration,), default=None
        Weights of the calibration errors: k means k copies, 0 absence.

    Returns
    -------
    p_values : ndarray of shape (n_samples,)
        Between 1 / (n_calibration + 1) and 1; small means anomalous.

    See Also
    --------
    benjamini_hochberg : Flags rows by their p-values.

    Notes
    -----
    :math:`p = (1 + \#\{i: e_i \ge e\}) / (n + 1)`, counted in copies. For a normal row,
    :math:`P(p \le \alpha) \le \alpha` for every alpha; see `Conformal`.

    Examples
    --------
    >>> from skae.thresholds import conformal_p_values
    >>> conformal_p_values([0.5, 3.0, 9.0], [1.0, 2.0, 4.0])
    array([1.  , 0.5 , 0.25])
    """
    errors, _ = check_errors(errors)
    known, weights = check_errors(calibration_errors, sample_weight)
    order = np.argsort(known)
    # From the largest down: what lies at or above the k-th is summed, not subtracted.
    above = np.append(np.cumsum(weights[order][::-1])[::-1], 0.0)
    known = clear_of(known, known[order])  # as the thresholds of all alphas are
    at_least = above[np.searchsorted(known, errors)]
    return (1 + at_least) / (1 + above[0])


@validate_params(
    {"p_values": ["array-like"], "alpha": [Interval(Real, 0, 1, closed="neither")]},
    prefer_skip_nested_validation=True,
)
def benjamini_hochberg(p_values: ArrayLike, alpha: float = 0.1) -> NDArray[np.bool_]:
    r"""Select the outliers of a batch of rows, with a bounded share of false ones.

    The right choice when a batch of rows is inspected together, and the share of false
    alarms among the alarms matters. Whether a row is selected depends on the others.

    Read more in the :doc:`User Guide </guide/thresholds>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    p_values : array-like of shape (n_samples,)
        P-values of the batch, as a detector's ``p_values`` returns them.
    alpha : float, default=0.1
        Bound on the false discovery rate, 0 < alpha < 1: the expected share of normal
        rows among the selected ones.

    Returns
    -------
    selected : ndarray of shape (n_samples,), bool
        True for the rows that are selected as outliers.

    Raises
    ------
    ValueError
        If a p-value is not between 0 and 1, or if they are not 1-D.

    Notes
    -----
    With the p-values in ascending order, the first k rows are selected, k the largest
    number with :math:`p_{(k)} \le \alpha k / m` for m rows [1]_. Conformal p-values of
    one batch depend on each other, but positively, which keeps the bound [2]_. None can
    be below 1 / (n + 1) for n calibration errors: with few of them, nothing is selected
    in a large batch.

    References
    ----------
    .. [1] Benjamini, Y. and Hochberg, Y. (1995). Controlling the false discovery rate.
       Journal of the Royal Statistical Society B 57(1).
       :doi:`10.1111/j.2517-6161.1995.tb02031.x`
    .. [2] Bates, S., Candès, E., Lei, L., Romano, Y. and Sesia, M. (2023). Testing for
       outliers with conformal p-values. The Annals of Statistics 51(1).
       :doi:`10.1214/22-AOS2244`

    Examples
    --------
    >>> from skae.thresholds import benjamini_hochberg
    >>> benjamini_hochberg([0.01, 0.9, 0.03, 0.5], alpha=0.1)
    array([ True, False,  True, False])
    """
    p_values = check_array(
        p_values, dtype=np.float64, ensure_2d=False, allow_nd=True,
        ensure_min_samples=0, input_name="p_values",
    )  # fmt: skip
    if p_values.ndim != 1:
        raise ValueError(
            f"p_values must be 1-D, one per row, but has shape {p_values.shape}. Pass "
            "for instance the result of detector.p_values(X)."
        )
    if len(p_values) and (p_values.min() < 0 or p_values.max() > 1):
        raise ValueError(
            "p_values must lie between 0 and 1, but range from "
            f"{p_values.min():.3g} to {p_values.max():.3g}. Pass for instance the "
            "result of detector.p_values(X), not scores."
        )
    ascending = np.sort(p_values)
    bounds = alpha * np.arange(1, len(p_values) + 1) / max(1, len(p_values))
    passing = ascending[ascending <= bounds * (1 + _ROUNDING)]
    return p_values <= passing.max(initial=-1.0)
