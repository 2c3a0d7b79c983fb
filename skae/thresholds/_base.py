"""What all threshold rules share: checks, order of steps, a weighted quantile.

A row of weight w covers a stretch of length w on the axis of cumulative weights. With
integer weights, position j of the repeated, sorted sample is the stretch [j, j + 1].
"""

from __future__ import annotations

import math
from abc import ABCMeta, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import UNUSED

from skae._validation import (
    check_array,
    check_consistent_length,
    check_sample_weight,
    column_or_1d,
    fit_context,
    with_nan,
)

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike

# Errors that are equal but for rounding: nearer than float32 tells, relative to them,
# and far nearer than errors of different rows are to each other, by their number.
_ROUNDING, _NEARER = 1e-5, 1e-2


class ThresholdRule(BaseEstimator, metaclass=ABCMeta):
    """Base class of the threshold rules.

    A rule learns from errors the value above which a row is an outlier. A detector's
    ``threshold_on`` says from which errors.

    To write a rule, inherit from this class, give it ``_parameter_constraints``, and
    define ``_compute_threshold(errors, weights)`` for checked errors with positive
    weights.

    Attributes
    ----------
    threshold_ : float
        The learned threshold, in the units of the errors. Set by ``fit``.
    needs_labels : bool
        Class attribute: whether ``fit`` needs `y`. ``_compute_threshold`` then has a
        third argument, the mask of the outliers.
    needs_held_out : bool
        Class attribute: whether the rule's promise holds only for errors of rows that
        did not train the network. A detector then passes it no others.
    min_errors : int
        Fewest errors of normal rows that ``fit`` takes, counted in copies.

    Notes
    -----
    A weight of k means k copies of the row, and 0 that it is absent. Weights that are
    all below 1, or all above a million, are no counts: they are first divided by the
    largest, so that only their ratios matter.

    The error of a row has other last digits when it is scored with other rows. So a
    threshold that equals an error up to rounding is moved above it: by a hundred
    thousandth of it, or half the way to the next larger error where that is less.

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

    _doc_link_module = "skae"  # scikit-learn's site has no pages of these
    _doc_link_template = ""

    # The errors are the data, not metadata that a pipeline could route.
    __metadata_request__fit = {"errors": UNUSED}

    needs_labels = False
    needs_held_out = False
    min_errors = 1  # or a property
    # Words of the error about too few: why they are needed, and how fewer would do.
    _why_errors, _fewer_errors = "", "use another rule"
    _is_learned = True  # whether the threshold follows from the errors

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        errors: ArrayLike,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn the threshold from reconstruction errors.

        Parameters
        ----------
        errors : array-like of shape (n_samples,)
            Reconstruction errors, finite and >= 0; high means anomalous.
        y : array-like of shape (n_samples,), default=None
            Labels, -1 for the known outliers. Used only where the rule `needs_labels`.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0; k means k copies, and None one copy of each.

        Returns
        -------
        self : ThresholdRule
            The fitted rule.

        Raises
        ------
        ValueError
            If the errors are not 1-D, not finite, negative, fewer than `min_errors` or
            too large for a finite threshold, if a weight is negative or all are zero,
            or if the rule `needs_labels` and `y` holds no -1.
        """
        errors, weights = check_errors(errors, sample_weight)
        normal = present = weights > 0
        rows = [errors[present], weights[present]]
        if self.needs_labels:
            outliers = np.zeros(len(errors), dtype=bool)
            if y is not None:
                labels = column_or_1d(with_nan(y))
                check_consistent_length(errors, labels)
                outliers = labels == -1
            check_outliers_known(self, y, outliers[present])
            rows.append(outliers[present])
            normal = present & ~outliers
        check_enough_errors(self, weights[normal].sum())
        with np.errstate(over="ignore", invalid="ignore"):
            try:
                threshold = float(self._compute_threshold(*rows))
            except OverflowError:  # a parameter is an integer that no float can hold
                threshold = math.inf
        if not np.isfinite(threshold):
            raise ValueError(
                f"{self!r} must learn a finite threshold, but got {threshold!r} from "
                f"errors up to {errors.max():.3g}. Scale the data, so that the errors "
                "are smaller."
            )
        if self._is_learned:
            threshold = float(clear_of(rows[0], np.array(threshold)))
        self.threshold_ = threshold
        return self

    @abstractmethod
    def _compute_threshold(self, errors: np.ndarray, weights: np.ndarray) -> float:
        """Return the threshold of checked errors with positive weights."""


def check_outliers_known(rule: Any, y: ArrayLike | None, outliers: np.ndarray) -> None:
    """Raise a ValueError where no row is an outlier: the rule needs some."""
    if not outliers.any():
        found = "y is None" if y is None else "y holds none"
        raise ValueError(
            f"{rule!r} needs known outliers, rows with y == -1, but {found}. Pass y "
            "with them (in a search, cv=StratifiedKFold() keeps them, InlierKFold does "
            "not), or use a rule for normal rows alone, such as Conformal(0.05)."
        )


def check_enough_errors(rule: Any, n: float) -> None:
    """Raise a ValueError where a rule cannot learn from n errors of normal rows."""
    if n < getattr(rule, "min_errors", 1) * (1 - 1e-9):
        need, fewer = need_of(rule)
        raise ValueError(f"{need}, but there are {n:g}. Pass more rows, or {fewer}.")


def need_of(rule: Any) -> tuple[str, str]:
    """Return the words for how many errors a rule needs, and what makes them fewer."""
    why = getattr(rule, "_why_errors", "")
    fewer = getattr(rule, "_fewer_errors", "use another rule")
    return (
        f"{rule!r} needs the errors of at least {rule.min_errors} normal rows{why}",
        fewer.format(**rule.get_params(deep=False)),
    )


def check_errors(
    errors: ArrayLike, sample_weight: ArrayLike | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return errors and their weights in copies (0 is absence) as float64, or raise."""
    errors = check_array(
        errors, dtype=np.float64, ensure_2d=False, allow_nd=True,
        ensure_min_samples=0, ensure_min_features=0, input_name="errors",
    )  # fmt: skip
    if errors.ndim != 1:
        raise ValueError(
            f"errors must be 1-D, one reconstruction error per row, but has shape "
            f"{errors.shape}. Pass one number per row, as reconstruction_error returns."
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
    if sample_weight is None:
        return errors, np.ones_like(errors)
    return errors, check_sample_weight(sample_weight, errors)


def clear_of(errors: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return values, a bit larger where an error equals them up to rounding."""
    errors = np.sort(errors)
    tolerance = min(_ROUNDING, _NEARER / len(errors))
    place = np.searchsorted(errors, values * (1 + tolerance), side="right")
    below, above = errors[place - 1], np.append(errors, np.inf)[place]
    larger = below + np.minimum(_ROUNDING * below, (above - below) / 2)
    # Between adjacent floats, the middle may round up to the upper one.
    larger = np.minimum(larger, np.nextafter(above, below))
    return np.where(place > 0, np.maximum(larger, values), values)


def weighted_quantile(values: np.ndarray, weights: np.ndarray, q: float) -> float:
    """Return the quantile of the repeated sample, interpolated as by NumPy (type 7)."""
    # At position h = (W - 1) q, it is the average over the stretch [h, h + 1].
    order = np.argsort(values)
    values, ends = values[order], np.cumsum(weights[order])
    start = (ends[-1] - 1) * q
    # Stretches before the start have length 0, those past the end too.
    overlap = np.diff(np.clip(ends - start, 0.0, 1.0), prepend=0.0)
    covering = overlap > 0
    values, overlap = values[covering], overlap[covering]
    # One end plus a share of the rest: equal values come out exactly.
    return values[0] + np.dot(overlap, values - values[0]) / overlap.sum()
