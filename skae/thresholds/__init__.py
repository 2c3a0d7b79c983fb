"""Threshold rules: from reconstruction errors to the value that flags outliers.

A rule is a small estimator, so that ``GridSearchCV`` can choose among rules
(``threshold=[MeanStd(1), Quantile(0.95)]``) and search inside one
(``threshold__n_std=[1, 2, 3]``).
"""

from skae.thresholds._base import ThresholdRule
from skae.thresholds._fixed import FixedThreshold
from skae.thresholds._resolve import as_threshold_rule
from skae.thresholds._share import Contamination, Quantile
from skae.thresholds._spread import IQR, MAD, MeanStd

__all__ = [
    "IQR",
    "MAD",
    "Contamination",
    "FixedThreshold",
    "MeanStd",
    "Quantile",
    "ThresholdRule",
    "as_threshold_rule",
]
