"""Metrics and scorers for outlier detection, reconstructions and images.

The functions take true and predicted values. The scorers (`outlier_f1`,
`outlier_average_precision`, `outlier_roc_auc`, `reconstruction_score`) take an
estimator and data: they are what ``scoring=`` expects.
"""

from skae._lazy import lazy_names

_PLACES = {
    "skae.metrics._images": ("psnr", "ssim"),
    "skae.metrics._reconstruction": ("elementwise_error", "reconstruction_error"),
    "skae.metrics._scorers": (
        "outlier_average_precision",
        "outlier_average_precision_score",
        "outlier_f1",
        "outlier_f1_score",
        "outlier_roc_auc",
        "outlier_roc_auc_score",
        "reconstruction_score",
        "smallest_within_one_se",
    ),
}

__all__, __getattr__, __dir__ = lazy_names(__name__, _PLACES)
