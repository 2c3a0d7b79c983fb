"""Autoencoders for scikit-learn users.

Three estimators on Keras models: `AutoencoderTransformer` stands where PCA stands,
`ReconstructionOutlierDetector` where IsolationForest stands, and `DenoisingRegressor`
repairs rows. The names, listed in ``__init__.pyi``, are imported when they are first
used, and TensorFlow when a network first trains in it.
"""

from skae._lazy import lazy_names as _lazy_names

__version__ = "0.1.0"

_names, __getattr__, __dir__ = _lazy_names(__name__)
__all__ = sorted([*_names, "__version__"])
