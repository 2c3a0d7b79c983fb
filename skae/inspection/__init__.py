"""Pictures of fitted autoencoders, in the manner of scikit-learn's Display objects.

Each display keeps its data, draws them with ``plot`` and is made from a fitted
estimator with ``from_estimator``.
"""

from skae.inspection._feature_error import FeatureErrorDisplay
from skae.inspection._latent_space import LatentSpaceDisplay
from skae.inspection._losses import ErrorHistogramDisplay, LossCurveDisplay
from skae.inspection._reconstruction import ReconstructionDisplay
from skae.inspection._series import SeriesDisplay

__all__ = [
    "ErrorHistogramDisplay",
    "FeatureErrorDisplay",
    "LatentSpaceDisplay",
    "LossCurveDisplay",
    "ReconstructionDisplay",
    "SeriesDisplay",
]


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
