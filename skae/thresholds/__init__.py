"""Threshold rules: from reconstruction errors to the value that flags outliers.

A rule is a small estimator, so that ``GridSearchCV`` can choose among rules
(``threshold=[MeanStd(1), Quantile(0.95)]``) and search inside one
(``threshold__n_std=[1, 2, 3]``).
"""

from skae._lazy import lazy_names as _lazy_names

__all__, __getattr__, __dir__ = _lazy_names(__name__)
