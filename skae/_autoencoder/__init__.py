"""From checked arrays to a trained autoencoder, a value: no estimator, no checks.

`Settings` are an estimator's training parameters, `Training` is all that trained
networks follow from, `train` trains them and `Autoencoder` is what comes out.
"""

from skae._autoencoder._settings import (
    AUTO_NOISE,
    Budget,
    Passes,
    Settings,
    Table,
    Training,
    Watching,
    detector_settings,
    is_dense,
    resolved_rate,
)
from skae._autoencoder._train import train, train_pass
from skae._autoencoder._value import Autoencoder, TrainingInterrupted

__all__ = [
    "AUTO_NOISE",
    "Autoencoder",
    "Budget",
    "Passes",
    "Settings",
    "Table",
    "Training",
    "TrainingInterrupted",
    "Watching",
    "detector_settings",
    "is_dense",
    "resolved_rate",
    "train",
    "train_pass",
]
