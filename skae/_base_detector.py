"""What a detector does with errors: scores, labels, and the threshold between them.

The class is abstract: it has no parameters and no ``fit``.
"""

from numbers import Integral

import numpy as np
from sklearn.base import OutlierMixin, clone

from skae._base import BaseAutoencoder
from skae._calibration import (
    Calibration,
    check_before_training,
    cross_fitted,
    errors_seen,
    hold_out,
    needs_labels,
    outlier_weight,
)
from skae._fitting import Table
from skae._missing import counted_rows
from skae._random import seed_from
from skae._validation import (
    check_is_fitted,
    check_parameters,
    fit_context,
    normal_rows,
)
from skae.thresholds import (
    FixedThreshold,
    as_threshold_rule,
    conformal_p_values,
)
from skae.thresholds._base import check_outliers_known


class BaseDetector(OutlierMixin, BaseAutoencoder):
    """Base of the detector; see its docstring for parameters and attributes.

    A subclass defines ``_errors(X)`` for checked rows, and sets ``train_errors_``.
    """

    @fit_context(prefer_skip_nested_validation=True)
    def fit_threshold(self, X=None, y=None):
        """Learn the threshold again, by the present rule, without training.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_), default=None
            Rows whose errors the rule sees; new ones, where its promise should hold.
            None: the rows of ``fit`` that `threshold_on` says.

        y : array-like of shape (n_samples,), default=None
            Labels of X. Rows with ``y == -1`` are left out, unless the rule needs
            labels.

        Returns
        -------
        self : object
            The estimator with a new ``threshold_``.

        Raises
        ------
        ValueError
            Where y is given without X, or X is None and the rule needs errors that the
            fit did not keep.
        """
        check_is_fitted(self)
        rule = self._check_rule()
        if X is None:
            if y is not None:
                raise ValueError(
                    "y is given without X. Pass the rows that y labels, or neither to "
                    "use the rows of fit."
                )
            self._set_threshold(rule, self._kept_for(rule))
            return self
        X = self._check_X(X)
        normal = normal_rows(y, X, "y", at_least=1)
        outliers = self._known_outliers(rule, X, y, normal)
        rows = Table(X[normal])
        self._set_threshold(rule, self._calibration(rows, rows, outliers))
        return self

    def score_samples(self, X):
        """Return minus the reconstruction error of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_)
            Rows.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            float64, in scaled space; high is normal.
        """
        check_is_fitted(self)
        return -self._errors(self._check_X(X))

    def decision_function(self, X):
        """Return ``score_samples(X) - offset_``.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_)
            Rows.

        Returns
        -------
        decision : ndarray of shape (n_samples,)
            Negative for outliers.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """Return +1 for inliers and -1 for outliers.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_)
            Rows.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            +1 where the decision function is at least 0, else -1.
        """
        return np.where(self.decision_function(X) >= 0, 1, -1)

    def fit_predict(self, X, y=None, **fit_params):
        """Fit, and return the labels of the rows of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, *shape)
            Training rows.

        y : array-like of shape (n_samples,), default=None
            As in ``fit``: rows with ``y == -1`` do not train.

        **fit_params : dict
            What else ``fit`` takes.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            +1 for inliers and -1 for outliers.
        """
        return self.fit(X, y, **fit_params).predict(X)

    def p_values(self, X):
        """Return how likely an error as large as each row's is for a normal row.

        They come from the errors that the threshold was learned from, those of normal
        rows (``calibration_errors_``), which must be of rows that did not train the
        network: fit with ``threshold_on="validation"``, the default of `Conformal`.

        Parameters
        ----------
        X : array-like of shape (n_samples, *input_shape_)
            Rows.

        Returns
        -------
        p_values : ndarray of shape (n_samples,)
            Conformal p-values, as `skae.conformal_p_values` defines them; small means
            odd. `skae.benjamini_hochberg` selects the outliers of a batch.

        Raises
        ------
        ValueError
            Where the threshold was learned from errors of training rows.

        Notes
        -----
        Of normal rows exchangeable with the held-out ones, at most a share alpha has
        a p-value of alpha or less, on average over fits. With ``threshold_on="cv"``,
        and after ``partial_fit``, that holds about, not exactly: the errors come from
        other networks than those of X.
        """
        check_is_fitted(self)
        X = self._check_X(X)
        if not self._seen.held_out:
            raise ValueError(
                "p_values needs errors of rows that did not train the network, but "
                f"{self.threshold_rule_!r} saw those of the training rows. Fit with "
                "threshold_on='validation' or 'cv', or call fit_threshold(X) with "
                "other normal rows."
            )
        normal = self._seen.normal()
        return conformal_p_values(self._errors(X), normal.errors, normal.weight)

    # ------------------------------------------------------- training and threshold

    def _check_rule(self):
        """Return the threshold rule, its parameters checked before any training."""
        rule = as_threshold_rule(self.threshold)
        check_parameters(rule)
        errors_seen(self.threshold_on, rule)
        return rule

    def _known_outliers(self, rule, X, y, normal, weight=None):
        """Return the table of the outliers where the rule sees them, else None."""
        if not needs_labels(rule):
            return None
        present = ~normal if weight is None else ~normal & (weight > 0)
        check_outliers_known(rule, y, present)
        return Table(X[present], None, None if weight is None else weight[present])

    def _fit_and_calibrate(self, rule, normal, outliers, validation):
        """Train on the normal rows; learn the threshold from what the rule may see."""
        on = errors_seen(self.threshold_on, rule)
        normal = counted_rows(normal, allow_nan=self._allows_nan, at_least=2)
        trained, held = normal, None
        if on == "validation":
            self._check_cold()
            trained, held = hold_out(normal, rule, seed_from(self.random_state))
        else:
            check_before_training(rule, normal)
        crossed = None
        if on == "cv":
            seed = seed_from(self.random_state)
            crossed = cross_fitted(self._twin, normal, outliers, validation, seed)
        self._fit_network(trained, validation)
        seen = crossed or self._calibration(normal, held, outliers)
        self._learn_threshold(rule, on, seen)

    def _partial_fit_and_calibrate(self, rule, X, y, normal):
        """Make one pass; the rule sees the rows' errors before it, where there are."""
        on, rows = errors_seen(self.threshold_on, rule), Table(X[normal])
        known = hasattr(self, "autoencoder_")
        if on != "train" and known:
            seen = Calibration(self._errors(rows.X))
            if needs_labels(rule):
                seen = Calibration(self._errors(X), outlier=~normal)
            if self._seen.held_out:
                seen = self._seen.followed_by(seen)
            seen = seen.latest(rule)
            seen.check(rule, y)
            self._partial_fit_network(rows)
        else:
            outliers = self._known_outliers(rule, X, y, normal)
            trained, held = rows, None
            if on != "train":
                trained, held = hold_out(rows, rule, seed_from(self.random_state))
            self._partial_fit_network(trained)
            seen = self._calibration(rows, held, outliers)
        self._learn_threshold(rule, on, seen)

    def _calibration(self, normal, held, outliers):
        """Return the errors of held-out rows, or of training rows, and of outliers.

        `normal` are all normal rows, of which `held` are a part.
        """
        seen = self._train_calibration()
        if held is not None:
            seen = Calibration(self._errors(held.X), held.weight)
        if outliers is None:
            return seen
        weight = outlier_weight(outliers, held or normal, normal)
        return seen.with_outliers(self._errors(outliers.X), weight)

    def _train_calibration(self):
        return Calibration(self.train_errors_, self._train_weight, held_out=False)

    def _twin(self, seed):
        """Return an unfitted detector that trains alike, from another seed."""
        can_remember = isinstance(self.random_state, Integral)
        changes = {
            "threshold": FixedThreshold(0.0),
            "threshold_on": "train",
            "warm_start": False,
            "memory": self.memory if can_remember else None,
            "random_state": seed,
        }
        return type(self)(**{**self.get_params(deep=False), **changes})

    def _check_cold(self):
        """Raise a ValueError where rows to hold out may have trained before."""
        if self.warm_start and hasattr(self, "autoencoder_"):
            raise ValueError(
                "warm_start=True continues a network that may have trained on rows "
                "that are to be held out now. Use warm_start=False, threshold_on='cv', "
                "or threshold_on='train' and then fit_threshold(X) with other rows."
            )

    def _learn_threshold(self, rule, on, seen):
        """Fit the rule to errors, which are kept for ``fit_threshold``."""
        self._kept_errors = {"train": self._train_calibration(), on: seen}
        self._seen = seen  # also where the rule fails: another may be tried
        self._set_threshold(rule, seen)

    def _kept_for(self, rule):
        """Return the errors that are kept of the rows that a rule may see."""
        on = errors_seen(self.threshold_on, rule)
        if on not in self._kept_errors:
            kept = " and ".join(map(repr, self._kept_errors))
            rows = "X, y" if needs_labels(rule) else "X"
            raise ValueError(
                f"{rule!r} with threshold_on={self.threshold_on!r} needs errors by "
                f"{on!r}, but this detector was fitted by {kept} and keeps no others. "
                f"Fit again, or pass rows that did not train: fit_threshold({rows})."
            )
        return self._kept_errors[on]

    def _set_threshold(self, rule, seen):
        self.threshold_rule_ = seen.fit(clone(rule))
        self.threshold_ = float(self.threshold_rule_.threshold_)
        self.offset_ = -self.threshold_
        self._seen = seen
        shown = seen if needs_labels(rule) else seen.normal()
        self.calibration_errors_ = shown.errors
