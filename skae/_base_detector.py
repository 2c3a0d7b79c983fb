"""What a detector does with errors: scores, labels, and the threshold between them.

The class is abstract: it has no parameters and no ``fit``.
"""

import numpy as np
from sklearn.base import OutlierMixin, clone
from sklearn.utils.validation import check_is_fitted

from skae._base import BaseAutoencoder
from skae._validation import check_parameters
from skae.thresholds import as_threshold_rule


class BaseDetector(OutlierMixin, BaseAutoencoder):
    """Base of the detector; see its docstring for parameters and attributes.

    A subclass defines ``_errors(X)`` for checked rows, and sets ``train_errors_``.
    """

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

    # ------------------------------------------------------------- the threshold

    def _check_rule(self):
        """Return the threshold rule, its parameters checked before any training."""
        rule = as_threshold_rule(self.threshold)
        check_parameters(rule)
        return rule

    def _learn_threshold(self, rule):
        self._set_threshold(rule, self.train_errors_, weight=self._train_weight)

    def _set_threshold(self, rule, errors, y=None, weight=None):
        self.threshold_rule_ = clone(rule).fit(errors, y, sample_weight=weight)
        self.threshold_ = float(self.threshold_rule_.threshold_)
        self.offset_ = -self.threshold_
