"""The rule that learns nothing."""

from numbers import Real

from skae._validation import Interval
from skae.thresholds._base import ThresholdRule


class FixedThreshold(ThresholdRule):
    """A threshold that is known beforehand.

    The right rule when the units of the error have a meaning: a tolerance from a
    specification, or a value found on other data. The share of false alarms is
    whatever the data make of it. A plain number given to a detector means this rule.

    Parameters
    ----------
    value : float
        The threshold, finite and >= 0, in the units of the errors.

    Attributes
    ----------
    threshold_ : float
        `value`.

    See Also
    --------
    Quantile : Fixes the share of false alarms instead.

    Notes
    -----
    Unlike every other rule, it does not scale with the errors.

    Examples
    --------
    >>> from skae.thresholds import FixedThreshold
    >>> FixedThreshold(0.25).fit([0.1, 0.2, 0.9]).threshold_
    0.25
    """

    _parameter_constraints = {"value": [Interval(Real, 0, None, closed="left")]}

    def __init__(self, value):
        self.value = value

    def _compute_threshold(self, errors, weights):
        """Return the value that the user gave."""
        return self.value
