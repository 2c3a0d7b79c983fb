"""The rows on heartbeats: the tutorials' dense detector, and a recurrent one."""

from __future__ import annotations

import functools

import numpy as np
from harness.data import ecg_split, in_unit_range
from harness.jobs import Bar, Epochs, Turn
from harness.machine import import_keras, timed
from harness.networks import ecg_detector
from harness.rivals import PCAErrors
from harness.trainers import ECG_BATCH_SIZE, ECG_EPOCHS, SECONDS
from sklearn.metrics import accuracy_score, precision_score, recall_score

from skae import ReconstructionOutlierDetector, RecurrentNetwork, outlier_roc_auc_score
from tutorials import KERAS_BLOG, TENSORFLOW, Outcome, tutorial
from tutorials.pictures import beats

LSTM_EPOCHS = 100


@tutorial(
    "ecg-detect",
    reference=f"{TENSORFLOW}, third example",
    epochs=Epochs(ECG_EPOCHS, of=ECG_EPOCHS),
    published={
        ("accuracy", "skae"): "0.943 to 0.945",
        ("precision", "skae"): "0.992",
        ("recall", "skae"): "0.905 to 0.909",
    },
    bars={
        ("accuracy", "skae"): Bar(">=", 0.945),
        ("precision", "skae"): Bar(">=", 0.990),
        ("recall", "skae"): Bar(">=", 0.909),
    },
)
def ecg_detect(turn: Turn) -> Outcome:
    """Odd heartbeats of ECG5000, found by a small dense autoencoder.

    The network 140-32-16-8 and back learns the normal beats of the training part, and
    a beat is flagged where its error exceeds their mean error by more than a standard
    deviation. Normal is the positive class. Plain Keras does the same job with the
    tutorial's own code.
    """
    import_keras()
    from harness import keras_networks

    split = in_unit_range(ecg_split(turn.size))
    detector = ecg_detector(turn.seed, turn.epochs)
    detector.fit(split.X_train, split.y_train)
    keras_networks.seed_batch_order(turn.seed)
    model, _ = keras_networks.fit_ecg(
        split.normals, turn.seed, epochs=turn.epochs, batch_size=ECG_BATCH_SIZE
    )
    threshold = keras_networks.find_threshold(model, split.normals)
    flags = {
        "skae": detector.predict(split.X_test),
        "plain Keras": keras_networks.predict(model, split.X_test, threshold),
    }
    scores = {
        "accuracy": accuracy_score,
        "precision": functools.partial(precision_score, zero_division=0.0),
        "recall": recall_score,
    }
    numbers = {
        (quantity, contender): float(score(split.y_test, flagged))
        for quantity, score in scores.items()
        for contender, flagged in flags.items()
    }
    return Outcome(
        numbers, functools.partial(beats, detector, split.X_test, split.y_test)
    )


@tutorial("ecg-lstm", reference=f"{KERAS_BLOG}, sequence autoencoder", max_seeds=1)
def ecg_lstm(turn: Turn) -> Outcome:
    """Odd heartbeats of ECG5000, ranked by a sequence autoencoder.

    An LSTM of 32 units reads a beat as 140 values, one after the other, and gives a
    code of 8 numbers, from which another writes the beat. It learns the normal beats of
    the training part, scaled as in ecg-detect, whose network stands beside it. ROC AUC
    of the mean absolute error on the test part. PCA has as many components.
    """
    split = in_unit_range(ecg_split(turn.size))
    recurrent = ReconstructionOutlierDetector(
        latent_dim=8,
        network=RecurrentNetwork(units=(32,), cell="lstm"),
        scaler=None,
        loss="mae",
        learning_rate=5e-3,
        epochs=turn.size.count(LSTM_EPOCHS),
        batch_size=64,
        validation_fraction=None,
        patience=None,
        error="mae",
        random_state=turn.seed,
    )
    X_test = split.X_test[..., np.newaxis]
    seconds, _ = timed(recurrent.fit, split.normals[..., np.newaxis])
    dense = ecg_detector(turn.seed, turn.size.count(ECG_EPOCHS)).fit(split.normals)
    scores = {
        "skae": recurrent.score_samples(X_test),
        "skae, dense": dense.score_samples(split.X_test),
        "PCA(8)": PCAErrors(8).fit(split.normals).score_samples(split.X_test),
    }
    numbers = {
        ("ROC AUC", name): outlier_roc_auc_score(split.y_test, values)
        for name, values in scores.items()
    }
    numbers[SECONDS, "skae"] = seconds
    return Outcome(numbers, functools.partial(beats, recurrent, X_test, split.y_test))
