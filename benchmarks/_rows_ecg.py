"""The rows on heartbeats: the tutorials' dense detector, and a recurrent one."""

import functools

import numpy as np
from _clock import timed
from _contenders import SECONDS
from _ecg import BATCH_SIZE, EPOCHS, ecg_split, in_unit_range, tutorial_detector
from _jobs import Epochs
from _measurements import Bar
from _pictures import beats
from _rivals import pca_errors
from _tutorial import KERAS_BLOG, TENSORFLOW, Outcome, tutorial
from sklearn.metrics import accuracy_score, precision_score, recall_score

from skae import ReconstructionOutlierDetector, RecurrentNetwork
from skae._engine import import_quietly
from skae.metrics import outlier_roc_auc_score

LSTM_EPOCHS = 100


@tutorial(
    "ecg-detect",
    reference=f"{TENSORFLOW}, third example",
    epochs=Epochs(EPOCHS, of=EPOCHS),
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
def ecg_detect(turn):
    """Odd heartbeats of ECG5000, found by a small dense autoencoder.

    The network 140-32-16-8 and back learns the normal beats of the training part, and
    a beat is flagged where its error exceeds their mean error by more than a standard
    deviation. Normal is the positive class. Plain Keras does the same job with the
    tutorial's own code.
    """
    import_quietly()
    import _keras_tutorial

    split = in_unit_range(ecg_split(turn.size))
    detector = tutorial_detector(turn.seed, turn.epochs)
    detector.fit(split.X_train, split.y_train)
    _keras_tutorial.seed_batch_order(turn.seed)
    model, _ = _keras_tutorial.train(
        split.normals, turn.seed, epochs=turn.epochs, batch_size=BATCH_SIZE
    )
    threshold = _keras_tutorial.find_threshold(model, split.normals)
    flags = {
        "skae": detector.predict(split.X_test),
        "plain Keras": _keras_tutorial.predict(model, split.X_test, threshold),
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
def ecg_lstm(turn):
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
    dense = tutorial_detector(turn.seed, turn.size.count(EPOCHS)).fit(split.normals)
    scores = {
        "skae": recurrent.score_samples(X_test),
        "skae, dense": dense.score_samples(split.X_test),
        "PCA(8)": -pca_errors(8, split.normals, split.X_test),
    }
    numbers = {
        ("ROC AUC", name): outlier_roc_auc_score(split.y_test, values)
        for name, values in scores.items()
    }
    numbers[SECONDS, "skae"] = seconds
    return Outcome(numbers, functools.partial(beats, recurrent, X_test, split.y_test))
