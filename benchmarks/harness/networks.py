"""The tutorials' networks in skae's words; `harness.keras_networks` has Keras's."""

from __future__ import annotations

from harness.trainers import ECG_BATCH_SIZE, ECG_EPOCHS, ECG_UNITS
from skae import ConvNetwork, DenseNetwork, MeanStd, ReconstructionOutlierDetector


def dense(
    *hidden_units: int,
    latent_activation: str | None = "relu",
    activity_l1: float = 0.0,
) -> DenseNetwork:
    """Return dense layers with an output in (0, 1)."""
    return DenseNetwork(
        hidden_units=hidden_units,
        activation="relu",
        latent_activation=latent_activation,
        output_activation="sigmoid",
        activity_l1=activity_l1,
    )


def conv(filters: tuple[int, ...], *, down: str, up: str) -> ConvNetwork:
    """Return convolutions of 3 x 3, one per stage, a ReLU code, an output in (0, 1)."""
    return ConvNetwork(
        filters=filters,
        kernel_size=3,
        down=down,
        up=up,
        activation="relu",
        latent_activation="relu",
        output_activation="sigmoid",
    )


CONV_SMALL = conv((16, 8, 8), down="max_pool", up="upsample")
CONV = conv((32, 32), down="max_pool", up="transpose")
CONV_STRIDED = conv((16, 8), down="stride", up="transpose")


def ecg_detector(seed: int, epochs: int = ECG_EPOCHS) -> ReconstructionOutlierDetector:
    """Return the tutorials' detector of heartbeats, untrained."""
    return ReconstructionOutlierDetector(
        latent_dim=ECG_UNITS[-1],
        network=dense(*ECG_UNITS[:-1]),
        scaler=None,
        loss="mae",
        optimizer="adam",
        learning_rate=1e-3,
        epochs=epochs,
        batch_size=ECG_BATCH_SIZE,
        # The tutorials watch the test rows, which changes nothing in the training.
        validation_fraction=None,
        patience=None,
        corruption=None,
        memory=None,
        threshold=MeanStd(1.0),
        error="mae",
        random_state=seed,
    )
