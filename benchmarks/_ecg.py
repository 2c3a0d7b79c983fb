"""The tutorials' ECG job: its rows, and the detector it trains, in skae's words.

``_keras_tutorial`` has the same detector in the tutorials' own code.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import train_test_split

from skae import (
    DenseNetwork,
    MeanStd,
    ReconstructionOutlierDetector,
    fetch_ecg5000,
)

EPOCHS = 20
BATCH_SIZE = 512


@dataclass(frozen=True)
class Split:
    """Rows and labels (+1 normal, -1 outlier) to train on and to test on."""

    X_train: np.ndarray
    X_test: np.ndarray
    y_train: np.ndarray
    y_test: np.ndarray

    @property
    def normals(self):
        """The normal rows of the training part."""
        return self.X_train[self.y_train == 1]


def ecg_split(size):
    """Return ECG5000 in its own units, split as the tutorials split it."""
    X, y = fetch_ecg5000(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.2, random_state=21
    )
    return Split(
        size.rows(X_train), size.rows(X_test), size.rows(y_train), size.rows(y_test)
    )


def in_unit_range(split):
    """Return a split with one minimum and maximum for all its values scaled away.

    They are those of the training part, outliers included, as in the tutorials.
    """
    low, high = split.X_train.min(), split.X_train.max()
    scaled = ((X - low) / (high - low) for X in (split.X_train, split.X_test))
    return Split(*scaled, split.y_train, split.y_test)


def tutorial_detector(seed, epochs=EPOCHS):
    """Return the tutorials' detector, untrained."""
    return ReconstructionOutlierDetector(
        latent_dim=8,
        network=DenseNetwork(
            hidden_units=(32, 16),
            activation="relu",
            latent_activation="relu",
            output_activation="sigmoid",
        ),
        scaler=None,
        loss="mae",
        optimizer="adam",
        learning_rate=1e-3,
        epochs=epochs,
        batch_size=BATCH_SIZE,
        # The tutorials watch the test rows, which changes nothing in the training.
        validation_fraction=None,
        patience=None,
        corruption=None,
        memory=None,
        threshold=MeanStd(1.0),
        error="mae",
        random_state=seed,
    )
