from skae.metrics._images import psnr, ssim
from skae.metrics._reconstruction import elementwise_error, reconstruction_error
from skae.metrics._scorers import (
    outlier_average_precision,
    outlier_average_precision_score,
    outlier_f1,
    outlier_f1_score,
    outlier_roc_auc,
    outlier_roc_auc_score,
    reconstruction_score,
    smallest_within_one_se,
)

__all__ = [
    "elementwise_error",
    "outlier_average_precision",
    "outlier_average_precision_score",
    "outlier_f1",
    "outlier_f1_score",
    "outlier_roc_auc",
    "outlier_roc_auc_score",
    "psnr",
    "reconstruction_error",
    "reconstruction_score",
    "smallest_within_one_se",
    "ssim",
]
