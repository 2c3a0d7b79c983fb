"""Autoencoders for scikit-learn users.

Three estimators on Keras models: `AutoencoderTransformer` stands where PCA stands,
`ReconstructionOutlierDetector` where IsolationForest stands, and `DenoisingRegressor`
repairs rows. The names below are imported when they are first used, and TensorFlow when
a network first trains.
"""

from skae._lazy import lazy_names

__version__ = "0.1.0"

_PLACES = {
    "skae._transformer": ("AutoencoderTransformer",),
    "skae._denoiser": ("DenoisingRegressor",),
    "skae._detector": ("ReconstructionOutlierDetector",),
    "skae.networks": (
        "ConvNetwork",
        "DenseNetwork",
        "KerasNetwork",
        "RecurrentNetwork",
        "VariationalNetwork",
    ),
    "skae.corruptions": (
        "GaussianNoise",
        "MaskingNoise",
        "SaltAndPepperNoise",
        "SwapNoise",
    ),
    "skae.thresholds": (
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
        "benjamini_hochberg",
        "conformal_p_values",
    ),
    "skae.metrics": (
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
    ),
    "skae.model_selection": ("InlierKFold", "compare_detectors"),
    "skae.inspection": (
        "ErrorHistogramDisplay",
        "FeatureErrorDisplay",
        "LatentSpaceDisplay",
        "LossCurveDisplay",
        "ReconstructionDisplay",
    ),
    "skae.datasets": (
        "fetch_ecg5000",
        "fetch_fashion_mnist",
        "fetch_mnist",
        "make_heartbeats",
    ),
}
_MODULES = (
    "corruptions",
    "datasets",
    "inspection",
    "metrics",
    "model_selection",
    "networks",
    "thresholds",
)

_public, __getattr__, __dir__ = lazy_names(__name__, _PLACES, _MODULES)
__all__ = sorted([*_public, "__version__"])
