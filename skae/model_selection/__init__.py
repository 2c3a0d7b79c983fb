"""Cross-validation and comparison of detectors."""

from skae.model_selection._block_kfold import BlockKFold
from skae.model_selection._compare import compare_detectors
from skae.model_selection._inlier_kfold import InlierKFold

__all__ = ["BlockKFold", "InlierKFold", "compare_detectors"]


def __dir__() -> list[str]:
    return __all__
