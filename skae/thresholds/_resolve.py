"""From what a user may give as ``threshold`` to a rule: one form, at the door."""

from numbers import Real

import numpy as np

from skae._validation import InvalidParameterError
from skae.thresholds._fixed import FixedThreshold
from skae.thresholds._share import Contamination


def as_threshold_rule(threshold):
    """Turn None, a number or a rule into a threshold rule.

    Detectors call it on their ``threshold`` parameter before they fit a clone.

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

    See Also
    --------
    ThresholdRule : The base class of the rules.

    Examples
    --------
    >>> from skae.thresholds import as_threshold_rule
    >>> as_threshold_rule(0.25)
    FixedThreshold(value=0.25)
    """
    if threshold is None:
        return Contamination(0.1)
    if isinstance(threshold, Real) and not isinstance(threshold, (bool, np.bool_)):
        return _fixed_threshold(threshold)
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


def _fixed_threshold(value):
    """Return the rule of a plain number, or raise where it cannot be a threshold."""
    if not (np.isfinite(value) and value >= 0):
        raise InvalidParameterError(
            f"threshold must be finite and >= 0 where it is a number, but is "
            f"{value!r}. Errors are >= 0, unlike scores: the threshold is -offset_."
        )
    return FixedThreshold(value)
