"""What all threshold rules share: the checks, and the order of the steps."""

from abc import ABCMeta, abstractmethod

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, metadata_routing

from skae._validation import check_sample_weight, fit_context


class ThresholdRule(BaseEstimator, metaclass=ABCMeta):
    """Base class of the threshold rules.

    A rule learns, from the reconstruction errors of the training rows, the value
    above which a row is an outlier. A detector flags ``error > threshold_``.

    To write a rule, inherit from this class, give it ``_parameter_constraints``, and
    define ``_compute_threshold(errors, weights)``: one small pure computation on
    checked, positive weights.

    Attributes
    ----------
    threshold_ : float
        The learned threshold, in the units of the errors. Set by ``fit``.
    needs_labels : bool
        Class attribute: whether ``fit`` needs `y`. False for all rules that look at
        the errors of normal rows alone.

    See Also
    --------
    as_threshold_rule : Turn None, a number or a rule into a rule.

    Notes
    -----
    A weight of k means k copies of the row, and 0 means that the row is absent.
    Fractional weights are parts of a copy. Weights that are all below 1, normalised
    ones for instance, are first divided by the largest: only their ratios count.

    Examples
    --------
    >>> from skae.thresholds import ThresholdRule
    >>> class TwiceTheLargest(ThresholdRule):
    ...     _parameter_constraints = {}
    ...
    ...     def _compute_threshold(self, errors, weights):
    ...         return 2 * errors.max()
    >>> TwiceTheLargest().fit([1.0, 2.0, 4.0]).threshold_
    8.0
    """

    # The errors are the data, not metadata that a pipeline could route.
    __metadata_request__fit = {"errors": metadata_routing.UNUSED}

    needs_labels = False

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, errors, y=None, sample_weight=None):
        """Learn the threshold from reconstruction errors.

        Parameters
        ----------
        errors : array-like of shape (n_samples,)
            Reconstruction errors, finite and >= 0; high means odd.
        y : Ignored
            Not used, present for API consistency by convention.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0. A weight of k means k copies, 0 means absence. None means
            one copy of each.

        Returns
        -------
        self : ThresholdRule
            The fitted rule.

        Raises
        ------
        ValueError
            If the errors are empty, not 1-D, not finite or negative, if a weight is
            negative or all are zero, or if the errors are too large for a finite
            threshold.
        """
        errors, weights = _present_rows(_check_errors(errors), sample_weight)
        with np.errstate(over="ignore", invalid="ignore"):
            threshold = float(self._compute_threshold(errors, weights))
        if not np.isfinite(threshold):
            raise ValueError(
                f"{self!r} must learn a finite threshold, but got {threshold!r} from "
                f"errors up to {errors.max():.3g}. Scale the data, so that the errors "
                "are smaller."
            )
        self.threshold_ = threshold
        return self

    @abstractmethod
    def _compute_threshold(self, errors, weights):
        """Return the threshold of checked errors with positive weights."""


def _check_errors(errors):
    """Return `errors` as a float64 array of shape (n_samples,), or raise."""
    errors = check_array(
        errors,
        dtype=np.float64,
        ensure_2d=False,
        allow_nd=True,
        ensure_min_samples=0,
        ensure_min_features=0,
        input_name="errors",
    )
    if errors.ndim != 1:
        raise ValueError(
            f"errors must be 1-D, one reconstruction error per row, but has shape "
            f"{errors.shape}. Pass one number per row, for instance the result of "
            "reconstruction_error."
        )
    if errors.size == 0:
        raise ValueError(
            "errors must hold at least one reconstruction error, but is empty. Pass "
            "the errors of the training rows."
        )
    if errors.min() < 0:
        raise ValueError(
            f"errors must be >= 0, but the smallest is {float(errors.min())!r}. If "
            "these are scores, where high means normal, pass -score_samples(X)."
        )
    return errors


def _present_rows(errors, sample_weight):
    """Return the errors of positive weight, and their weights in copies."""
    if sample_weight is None:
        return errors, np.ones_like(errors)
    weights = check_sample_weight(
        sample_weight, errors, dtype=np.float64, ensure_non_negative=True
    )
    present = weights > 0
    errors, weights = errors[present], weights[present]
    # Weights that sum to 1 are not "one copy of the whole sample": where no row has
    # a full copy, the heaviest row counts as one.
    return errors, weights / min(1.0, weights.max())
