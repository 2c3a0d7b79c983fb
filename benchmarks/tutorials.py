"""Do skae's estimators reach what the well-known tutorials reach?

Every function below is a tutorial's job: it takes a seed and the size of the run, and
returns numbers by (quantity, contender). To add one, write such a function and give it
a name, the tutorial that it follows, and the bars that skae's numbers should clear.
"""

import functools

from _ecg import BATCH_SIZE, EPOCHS, ecg_split, in_unit_range, tutorial_detector
from _jobs import Jobs
from _measurements import Bar, collect
from _rivals import mean_squared_error, pca_test_error
from sklearn.metrics import accuracy_score, precision_score, recall_score

from skae import AutoencoderTransformer, DenseNetwork, fetch_fashion_mnist
from skae.engine import import_quietly

JOBS = Jobs("tutorials")

INTRO = (
    "TensorFlow tutorials, https://www.tensorflow.org/tutorials/generative/autoencoder"
)


def tutorial(name, *, reference, bars):
    """Return a decorator that adds a function of (seed, size) as a job.

    Parameters
    ----------
    name : str
        Name on the command line and in the table.

    reference : str
        The tutorial.

    bars : dict
        Maps quantities of the contender "skae" to a Bar.
    """
    of_skae = {(quantity, "skae"): bar for quantity, bar in bars.items()}

    def add(one_seed):
        @JOBS.job(name, reference=reference)
        @functools.wraps(one_seed)
        def measure(size):
            return collect([one_seed(seed, size) for seed in size.seeds], of_skae)

        return one_seed

    return add


@tutorial(
    "ecg-detect",
    reference=f"{INTRO}, third example",
    bars={
        "accuracy": Bar(">=", 0.945),
        "precision": Bar(">=", 0.990),
        "recall": Bar(">=", 0.909),
    },
)
def ecg_detect(seed, size):
    """Odd heartbeats of ECG5000, found by a small dense autoencoder.

    The network 140-32-16-8 and back learns the normal beats of the training part, and
    a beat is flagged where its error exceeds their mean error by more than a standard
    deviation. Normal is the positive class. Plain Keras does the same job with the
    tutorial's own code.
    """
    import_quietly()
    import _keras_tutorial

    split = in_unit_range(ecg_split(size))
    epochs = size.count(EPOCHS)
    detector = tutorial_detector(seed, epochs).fit(split.X_train, split.y_train)
    _keras_tutorial.seed_batch_order(seed)
    model, _ = _keras_tutorial.train(
        split.normals, seed, epochs=epochs, batch_size=BATCH_SIZE
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
    return {
        (quantity, contender): float(score(split.y_test, flagged))
        for quantity, score in scores.items()
        for contender, flagged in flags.items()
    }


@tutorial(
    "fashion-dense",
    reference=f"{INTRO}, first example",
    bars={"test MSE": Bar("<=", 0.0089)},
)
def fashion_dense(seed, size):
    """Fashion-MNIST through 64 numbers, by one dense layer each way.

    784-64-784 with a ReLU code, a sigmoid output and the mean squared error, 10 epochs
    of batches of 32. PCA with as many components stands beside it: it is the best that
    a network without activations can do on the training images.
    """
    X_train, X_test = map(size.rows, _flat_fashion())
    transformer = AutoencoderTransformer(
        latent_dim=64,
        network=DenseNetwork(
            hidden_units=(), latent_activation="relu", output_activation="sigmoid"
        ),
        scaler=None,
        loss="mse",
        optimizer="adam",
        learning_rate=1e-3,
        epochs=size.count(10),
        batch_size=32,
        validation_fraction=None,
        patience=None,
        random_state=seed,
    ).fit(X_train)
    output = transformer.reconstruct(X_test)
    return {
        ("test MSE", "skae"): mean_squared_error(output, X_test),
        ("test MSE", "PCA(64)"): _pca_on_fashion(size),
    }


@functools.cache
def _pca_on_fashion(size):
    """Return PCA's test error, which is the same for every seed."""
    return pca_test_error(64, *map(size.rows, _flat_fashion()))


@functools.cache
def _flat_fashion():
    """Return training and test images in [0, 1], a row each."""
    parts = (
        fetch_fashion_mnist(subset=subset, return_X_y=True)[0]
        for subset in ("train", "test")
    )
    return tuple(images.reshape(len(images), -1) for images in parts)


if __name__ == "__main__":
    JOBS.main(__doc__)
