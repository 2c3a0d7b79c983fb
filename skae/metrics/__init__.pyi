from skae.metrics._images import psnr as psnr
from skae.metrics._images import ssim as ssim
from skae.metrics._reconstruction import elementwise_error as elementwise_error
from skae.metrics._reconstruction import reconstruction_error as reconstruction_error
from skae.metrics._scorers import outlier_average_precision as outlier_average_precision
from skae.metrics._scorers import (
    outlier_average_precision_score as outlier_average_precision_score,
)
from skae.metrics._scorers import outlier_f1 as outlier_f1
from skae.metrics._scorers import outlier_f1_score as outlier_f1_score
from skae.metrics._scorers import outlier_roc_auc as outlier_roc_auc
from skae.metrics._scorers import outlier_roc_auc_score as outlier_roc_auc_score
from skae.metrics._scorers import reconstruction_score as reconstruction_score
from skae.metrics._scorers import smallest_within_one_se as smallest_within_one_se
