"""Metrics and scorers for outlier detection, reconstructions and images.

The functions take true and predicted values. The scorers (`outlier_f1`,
`outlier_average_precision`, `outlier_roc_auc`, `reconstruction_score`) take an
estimator and data: they are what ``scoring=`` expects.
"""

from skae._lazy import lazy_names as _lazy_names

__all__, __getattr__, __dir__ = _lazy_names(__name__)
