from skae import corruptions as corruptions
from skae import datasets as datasets
from skae import inspection as inspection
from skae import metrics as metrics
from skae import model_selection as model_selection
from skae import networks as networks
from skae import thresholds as thresholds
from skae._autoencoder._value import SKOPS_TRUSTED as SKOPS_TRUSTED
from skae._denoiser import DenoisingRegressor as DenoisingRegressor
from skae._detector import (
    ReconstructionOutlierDetector as ReconstructionOutlierDetector,
)
from skae._series import SlidingWindowDetector as SlidingWindowDetector
from skae._transformer import AutoencoderTransformer as AutoencoderTransformer
from skae.corruptions import GaussianNoise as GaussianNoise
from skae.corruptions import MaskingNoise as MaskingNoise
from skae.corruptions import SaltAndPepperNoise as SaltAndPepperNoise
from skae.corruptions import SwapNoise as SwapNoise
from skae.datasets import fetch_ecg5000 as fetch_ecg5000
from skae.datasets import fetch_fashion_mnist as fetch_fashion_mnist
from skae.datasets import fetch_mnist as fetch_mnist
from skae.datasets import make_heartbeats as make_heartbeats
from skae.inspection import ErrorHistogramDisplay as ErrorHistogramDisplay
from skae.inspection import FeatureErrorDisplay as FeatureErrorDisplay
from skae.inspection import LatentSpaceDisplay as LatentSpaceDisplay
from skae.inspection import LossCurveDisplay as LossCurveDisplay
from skae.inspection import ReconstructionDisplay as ReconstructionDisplay
from skae.inspection import SeriesDisplay as SeriesDisplay
from skae.metrics import outlier_average_precision as outlier_average_precision
from skae.metrics import (
    outlier_average_precision_score as outlier_average_precision_score,
)
from skae.metrics import outlier_f1 as outlier_f1
from skae.metrics import outlier_f1_score as outlier_f1_score
from skae.metrics import outlier_roc_auc as outlier_roc_auc
from skae.metrics import outlier_roc_auc_score as outlier_roc_auc_score
from skae.metrics import psnr as psnr
from skae.metrics import reconstruction_error as reconstruction_error
from skae.metrics import reconstruction_score as reconstruction_score
from skae.metrics import smallest_within_one_se as smallest_within_one_se
from skae.metrics import ssim as ssim
from skae.model_selection import BlockKFold as BlockKFold
from skae.model_selection import InlierKFold as InlierKFold
from skae.model_selection import compare_detectors as compare_detectors
from skae.networks import ConvNetwork as ConvNetwork
from skae.networks import DenseNetwork as DenseNetwork
from skae.networks import KerasNetwork as KerasNetwork
from skae.networks import RecurrentNetwork as RecurrentNetwork
from skae.networks import VariationalNetwork as VariationalNetwork
from skae.thresholds import IQR as IQR
from skae.thresholds import MAD as MAD
from skae.thresholds import BestF as BestF
from skae.thresholds import Conformal as Conformal
from skae.thresholds import Contamination as Contamination
from skae.thresholds import FalseAlarmRate as FalseAlarmRate
from skae.thresholds import FixedThreshold as FixedThreshold
from skae.thresholds import MeanStd as MeanStd
from skae.thresholds import PeaksOverThreshold as PeaksOverThreshold
from skae.thresholds import Precision as Precision
from skae.thresholds import Quantile as Quantile
from skae.thresholds import benjamini_hochberg as benjamini_hochberg
from skae.thresholds import conformal_p_values as conformal_p_values

__version__: str
