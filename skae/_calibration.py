"""Which errors a threshold rule sees, and what must be known of them.

Errors of rows that trained the network are smaller than those of new rows. Rules that
promise a rate see errors of rows that neither trained, nor chose an epoch, nor fitted
the scaler or the scale of an error: a part that is held out, or the errors of networks
that are each trained without a fold of the rows.
"""

from dataclasses import dataclass

import numpy as np

from skae._fitting import Table
from skae._random import stream
from skae.thresholds._base import (
    check_enough_errors,
    check_outliers_known,
    fewer_needed,
    in_need,
)

# Share of the normal rows that threshold_on="validation" holds out, at least.
HELD_FRACTION = 0.2
# Networks of threshold_on="cv".
N_FOLDS = 5
# Errors that partial_fit keeps, the latest ones.
WINDOW = 10_000
# Rows that a network is trained on at least.
_FEWEST_TRAINED = 2


@dataclass(frozen=True)
class Calibration:
    """The errors that a rule may see.

    Attributes
    ----------
    errors : ndarray of shape (n,)

    weight : ndarray of shape (n,) or None
        In copies; None is one each.

    outlier : ndarray of shape (n,), bool, or None
        Which rows are known outliers; None is none of them.

    held_out : bool
        Whether the rows trained no network that these errors come from.
    """

    errors: np.ndarray
    weight: np.ndarray | None = None
    outlier: np.ndarray | None = None
    held_out: bool = True

    def fit(self, rule):
        """Fit a rule to the errors that it may see: outliers only with labels."""
        if not needs_labels(rule):
            normal = self.normal()
            return rule.fit(normal.errors, sample_weight=normal.weight)
        labels = np.where(self._outlier_mask(), -1, 1)
        return rule.fit(self.errors, labels, sample_weight=self.weight)

    def normal(self):
        """Return the part of the normal rows."""
        if self.outlier is None:
            return self
        weight = None if self.weight is None else self.weight[~self.outlier]
        return Calibration(self.errors[~self.outlier], weight, None, self.held_out)

    def with_outliers(self, errors, weight=None):
        """Return these errors of normal rows followed by those of outliers."""
        outlier = np.repeat([False, True], [len(self.errors), len(errors)])
        return self._followed_by(Calibration(errors, weight), outlier)

    def followed_by(self, later):
        """Return these errors and later ones."""
        masks = self._outlier_mask(), later._outlier_mask()
        return self._followed_by(later, np.concatenate(masks))

    def latest(self, rule):
        """Return the latest errors, as many as the window has and the rule needs."""
        n = max(WINDOW, getattr(rule, "min_errors", 1))
        parts = (self.errors, self.weight, self.outlier)
        kept = (None if part is None else part[-n:].copy() for part in parts)
        return Calibration(*kept, self.held_out)

    def check(self, rule, y):
        """Raise a ValueError where these errors are too few for a rule."""
        if needs_labels(rule):
            check_outliers_known(rule, y, self._outlier_mask())
        check_enough_errors(rule, _copies(self.normal()._weights()))

    def _followed_by(self, later, outlier):
        weights = None
        if self.weight is not None or later.weight is not None:
            weights = np.concatenate([self._weights(), later._weights()])
        errors = np.concatenate([self.errors, later.errors])
        return Calibration(errors, weights, outlier, self.held_out)

    def _outlier_mask(self):
        if self.outlier is None:
            return np.zeros(len(self.errors), dtype=bool)
        return self.outlier

    def _weights(self):
        return np.ones(len(self.errors)) if self.weight is None else self.weight


def needs_labels(rule):
    """Return whether a rule sees known outliers, too; any object may be a rule."""
    return getattr(rule, "needs_labels", False)


def needs_held_out(rule):
    """Return whether a rule's promise fails on errors of training rows."""
    return getattr(rule, "needs_held_out", False)


def errors_seen(threshold_on, rule):
    """Return which errors a rule sees: "train", "validation" or "cv"."""
    if threshold_on == "auto":
        held_out = needs_held_out(rule) or needs_labels(rule)
        return "validation" if held_out else "train"
    if threshold_on == "train" and needs_held_out(rule):
        raise ValueError(
            f"{rule!r} needs errors of rows that did not train the network, but "
            "threshold_on='train'. Use threshold_on='validation', 'cv' or 'auto'."
        )
    return threshold_on


def hold_out(table, rule, seed):
    """Return (kept, held) parts of the normal rows, chosen at random.

    A fifth is held out, or as many as the rule needs; those of one seed begin alike.
    """
    n = len(table.X)
    needed = getattr(rule, "min_errors", 1)
    shuffled = stream(seed, "calibration").permutation(n)
    n_held = max(round(HELD_FRACTION * n), _rows_for(needed, table.weight, shuffled))
    if n_held > n - _FEWEST_TRAINED:
        raise ValueError(
            f"{in_need(rule)} that do not train the network, but of {n} normal rows at "
            f"most {max(0, n - _FEWEST_TRAINED)} can be held out. Pass more rows, or "
            f"{fewer_needed(rule)}{_or_cv(needed, n)}."
        )
    return _part(table, shuffled[n_held:]), _part(table, shuffled[:n_held])


def check_before_training(rule, table):
    """Raise a ValueError where there are fewer normal rows than a rule needs."""
    check_enough_errors(rule, _copies(_weights_of(table)))


def cross_fitted(make_detector, normal, outliers, validation, seed):
    """Return each row's error by a detector that was fitted without its fold.

    ``make_detector(seed)`` returns an unfitted one. Outliers, which train none, are
    spread over the folds as the normal rows are.
    """
    n = len(normal.X)
    if n <= _FEWEST_TRAINED:
        raise ValueError(
            f"threshold_on='cv' needs at least {_FEWEST_TRAINED + 1} normal rows, so "
            f"that each network trains on {_FEWEST_TRAINED}, but there are {n}. Pass "
            "more rows."
        )
    n_folds = min(N_FOLDS, n)
    tables = [normal] if outliers is None else [normal, outliers]
    parts = [_folds(len(table.X), n_folds, seed) for table in tables]
    errors = [np.empty(len(table.X)) for table in tables]
    X_val = None if validation is None else validation.X
    for fold in range(n_folds):
        others = _part(normal, np.flatnonzero(parts[0] != fold))
        detector = make_detector(int(stream(seed, "folds", fold).integers(2**31 - 1)))
        detector.fit(others.X, sample_weight=others.weight, X_val=X_val)
        for table, part, found in zip(tables, parts, errors, strict=True):
            found[part == fold] = detector._errors(table.X[part == fold])
    seen = Calibration(errors[0], normal.weight)
    if outliers is None:
        return seen
    return seen.with_outliers(errors[1], outliers.weight)


def _folds(n, n_folds, seed):
    """Return the fold of each of n rows, as even as can be."""
    return stream(seed, "folds").permutation(np.arange(n) % n_folds)


def outlier_weight(outliers, held, normal):
    """Return the weights that leave outliers as common as they are among all rows.

    Only a part of the normal rows is held out, but all outliers are shown: each counts
    by that part.
    """
    share = _weights_of(held).sum() / _weights_of(normal).sum()
    return _weights_of(outliers) * share


def _rows_for(needed, weight, order):
    """Return how many rows, in their order, hold as many copies as are needed."""
    if weight is None:
        return needed
    copies = np.cumsum(weight[order] / min(1.0, weight.max()))
    return int(np.searchsorted(copies, needed * (1 - 1e-9))) + 1


def _weights_of(table):
    return np.ones(len(table.X)) if table.weight is None else table.weight


def _copies(weight):
    """Return how many copies weights are, as the rules count them."""
    return (weight / min(1.0, weight.max())).sum() if len(weight) else 0


def _or_cv(needed, n):
    return ", or use threshold_on='cv'" if needed <= n else ""


def _part(table, chosen):
    chosen = np.sort(chosen)
    weight = None if table.weight is None else table.weight[chosen]
    return Table(table.X[chosen], None, weight)
