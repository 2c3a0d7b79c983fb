"""Threshold rules: from reconstruction errors to the value that flags outliers.

A rule is a small estimator, so that ``GridSearchCV`` can choose among rules
(``threshold=[MeanStd(1), Quantile(0.95)]``) and search inside one
(``threshold__n_std=[1, 2, 3]``).
"""

from skae.thresholds._base import ThresholdRule
from skae.thresholds._conformal import (
    Conformal,
    benjamini_hochberg,
    conformal_p_values,
)
from skae.thresholds._labelled import BestF, FalseAlarmRate, Precision
from skae.thresholds._rules import (
    IQR,
    MAD,
    Contamination,
    FixedThreshold,
    MeanStd,
    Quantile,
    as_threshold_rule,
)
from skae.thresholds._tail import PeaksOverThreshold

__all__ = [
    "IQR",
    "MAD",
    "BestF",
    "Conformal",
    "Contamination",
    "FalseAlarmRate",
    "FixedThreshold",
    "MeanStd",
    "PeaksOverThreshold",
    "Precision",
    "Quantile",
    "ThresholdRule",
    "as_threshold_rule",
    "benjamini_hochberg",
    "conformal_p_values",
]


def __dir__() -> list[str]:
    return __all__
