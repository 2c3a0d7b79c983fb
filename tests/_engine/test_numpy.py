"""Networks trained in NumPy, and by epochs in XLA: the same numbers as in Keras."""

import os
import subprocess
import sys
import textwrap
import threading
from functools import partial

import numpy as np
import pytest

from skae import _engine as engine
from skae._engine import _numpy
from skae._engine._optimizers import OPTIMIZERS
from skae._layers._activations import ACTIVATIONS
from skae.corruptions import (
    GaussianNoise,
    MaskingNoise,
    SaltAndPepperNoise,
    SwapNoise,
)
from skae.networks import ConvNetwork, DenseNetwork, RecurrentNetwork

ROUNDING = 1e-6
IMAGE = (7, 6, 1)
CONV = ConvNetwork((4, 2), output_activation="sigmoid")
IN_NUMPY = pytest.mark.parametrize("engine_name", ["numpy", "xla"])


@pytest.fixture
def compare(train, train_uncompiled, assert_close):
    """Return a function that compares trainings in NumPy, or XLA too, with Keras's."""

    def compare(*args, engines=("numpy",), **options):
        of_keras = train_uncompiled(*args, **options)
        found = [train(*args, engine_name=name, **options) for name in engines]
        for ours in found:
            assert_close(ours, of_keras)
        return found[0]

    return compare


IN_BOTH = "numpy", "xla"


# --------------------------------------------------------------- the same as in Keras


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_activations(activation, compare, U):
    """Of hidden layers, of the code and of the output."""
    options = dict.fromkeys(("latent_activation", "output_activation"), activation)
    network = DenseNetwork((5,), activation, **options)
    weights = engine.initial_weights(engine.Architecture(network, (6,), (6,), 2), 0)
    small = [0.3 * one for one in weights]  # for exponentials of exponentials
    compare(U, network=network, weights=small)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_activations_of_maps(activation, compare, U):
    """Softmax is over the channels of each place."""
    options = dict.fromkeys(("latent_activation", "output_activation"), activation)
    network = ConvNetwork((3, 2), activation=activation, **options)
    X = 0.5 * U.reshape(50, 3, 2)
    options = {"network": network, "latent_dim": None}
    compare(X[:20], epochs=2, **options)


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("loss", ["mse", "mae", "huber", "binary_crossentropy"])
def test_losses(loss, is_weighted, compare, rng, U):
    weight = None
    if is_weighted:
        weight = rng.exponential(size=50).astype(np.float32)
        weight /= weight.mean()
    scale = 1 if loss == "binary_crossentropy" else 4  # both sides of Huber's delta
    rows = engine.Rows(U, scale * U, weight)
    validation = engine.Rows(U[::-1] ** 2, None, weight)
    network = DenseNetwork((5,), output_activation="sigmoid")
    # XLA's epochs have Keras's own losses.
    engines = IN_BOTH if (loss, is_weighted) == ("huber", True) else IN_BOTH[:1]
    compare(rows, validation, loss=loss, network=network, engines=engines)


def test_the_cross_entropy_of_certain_outputs_is_finite(compare, U):
    # Logits of a hundred: a probability of 1 to the last bit.
    network = DenseNetwork((), output_activation="sigmoid")
    weights = [np.full((6, 2), 10, np.float32), np.zeros(2, np.float32)]
    weights += [np.full((2, 6), 10, np.float32), np.zeros(6, np.float32)]
    options = {"loss": "bce", "network": network, "weights": weights}
    ours = compare(U, epochs=1, **options)
    assert np.isfinite(ours.history["loss"]).all()


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_optimizers(optimizer, compare, X):
    compare(X, optimizer=optimizer, learning_rate=0.05, engines=IN_BOTH)


def test_targets_and_early_stopping(compare, rng, X):
    y = rng.normal(size=(50, 3)).astype(np.float32)
    rows, validation = engine.Rows(X, y), engine.Rows(X[:20] + 1, y[:20])
    options = {"patience": 1, "epochs": 200, "learning_rate": 0.15}
    trained = compare(rows, validation, engines=IN_BOTH, **options)
    assert 3 <= len(trained.history["loss"]) < 200


def test_batches_of_more_rows_than_there_are(compare, X):
    options = {"batch_size": 128, "patience": 2, "engines": IN_BOTH}
    compare(X, engine.Rows(X[:20]), **options)


def test_many_epochs_of_a_batch_larger_than_the_data(make_job, rng):
    """What would take long is left to XLA's epochs, and stops early there."""
    X = rng.normal(size=(100, 30)).astype(np.float32)
    options = {"batch_size": 128, "epochs": 10_000, "patience": 20}
    job = make_job(X, network=DenseNetwork(), learning_rate=0.1, **options)
    assert _numpy.fastest(job[0], job[3], 100) == "xla"
    assert 20 < len(engine.train(*job).history["loss"]) < 10_000


@pytest.mark.parametrize("loss", ["mse", "binary_crossentropy"])
@pytest.mark.parametrize("latent_dim", [None, 3])
def test_convolutions(loss, latent_dim, compare, rng):
    X, y = rng.uniform(size=(2, 50, *IMAGE)).astype(np.float32)
    rows, validation = engine.Rows(X, y), engine.Rows(X[::-1], y)
    options = {"network": CONV, "latent_dim": latent_dim, "loss": loss}
    ours = compare(rows, validation, **options)
    assert ours.latent_shape == ((2, 2, 2) if latent_dim is None else (3,))


def test_rows_with_a_shape(compare, rng):
    X = rng.normal(size=(20, 4, 3)).astype(np.float32)
    compare(X, engine.Rows(X[:7]), engines=IN_BOTH)


@pytest.mark.parametrize(
    ("network", "shape"),
    [(DenseNetwork((5, 4)), (6,)), (ConvNetwork((3, 2)), (3, 2))],
    ids=["dense", "conv"],
)
def test_fresh_weights_are_those_of_keras(network, shape, make_job, X):
    spec, _, _, schedule, _, seed = make_job(
        X.reshape(-1, *shape), network=network, seed=3
    )
    fresh = _numpy.NumpyTrainer(spec, schedule).fresh_weights(seed)
    expected = engine.initial_weights(spec.architecture, seed)
    for one, other in zip(fresh, expected, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_training_continues_in_any_trainer(optimizer, train, X):
    options = {"optimizer": optimizer, "epochs": 2}

    def run(first, second):
        begun = train(X, engine_name=first, **options).state
        state = {"weights": begun.weights, "optimizer_state": begun.optimizer}
        trained = train(X, first_epoch=2, engine_name=second, **options, **state)
        return trained.state.weights

    expected = run("numpy", "numpy")
    names = "numpy", "keras", "xla"
    for first in names:
        for second in names:
            for one, other in zip(expected, run(first, second), strict=True):
                np.testing.assert_allclose(one, other, rtol=ROUNDING, atol=ROUNDING)


# ------------------------------------------------------------------- parts and blocks


@pytest.mark.parametrize("n_workers", [2, 4])
def test_batches_in_parts(n_workers, train_in_numpy, assert_same, X):
    train = partial(train_in_numpy, X, batch_size=15)  # the last batch has 5 rows
    whole, cut = train(), train(n_workers=n_workers)
    np.testing.assert_allclose(cut.history["loss"], whole.history["loss"], rtol=1e-6)
    assert_same(cut, train(n_workers=n_workers, n_threads=1))


def test_a_last_batch_of_fewer_rows_than_workers(train_in_numpy, assert_close, X):
    whole, cut = (train_in_numpy(X[:18], batch_size=16, n_workers=n) for n in (1, 4))
    assert_close(cut, whole)


@pytest.mark.parametrize("n_rows", [1, 2, 3, 17, 21])  # the last batch has 1, 2, 3, 5
@pytest.mark.parametrize("has_gaps", [False, True])
@pytest.mark.parametrize(
    "corruption",
    [GaussianNoise((0.1, 1)), SaltAndPepperNoise(), SwapNoise(0.5), MaskingNoise()],
    ids=lambda corruption: type(corruption).__name__,
)
@pytest.mark.parametrize("kind", ["dense", "convolutional"])
def test_workers_without_rows_damage_none(
    kind, corruption, has_gaps, n_rows, train_in_numpy, rng
):
    shape, network = (IMAGE, CONV) if kind == "convolutional" else ((6,), None)
    rows = rng.uniform(size=(n_rows, *shape)).astype(np.float32)
    options = {"network": network} if network else {}
    fill = None
    if has_gaps:
        rows.reshape(n_rows, -1)[:, 0] = np.nan
        fill = np.full(shape[-1], 0.5, np.float32)
    weight = np.ones(n_rows, np.float32)
    trained = train_in_numpy(
        engine.Rows(rows, None, weight, fill),
        corruption=corruption,
        latent_dim=None,
        n_workers=4,
        n_threads=2,
        **options,
    )
    assert np.isfinite(trained.history["loss"]).all()


def test_an_error_in_a_thread_is_raised(train_in_numpy, X):
    class Broken(GaussianNoise):
        def apply(self, x, draw):
            if threading.current_thread() is not threading.main_thread():
                raise KeyError("broken")
            return super().apply(x, draw)

    with pytest.raises(KeyError, match="broken"):
        train_in_numpy(X, corruption=Broken(), n_workers=2, n_threads=2)
    assert threading.active_count() < 20


@pytest.mark.parametrize("n_workers", [1, 2])
def test_convolutions_of_few_rows_at_a_time(
    n_workers, train_in_numpy, assert_close, rng
):
    X = rng.uniform(size=(50, *IMAGE)).astype(np.float32)
    train = partial(train_in_numpy, X, engine.Rows(X[:10]), network=CONV)
    whole = train(latent_dim=None)
    assert_close(train(latent_dim=None, n_workers=n_workers, block_rows=3), whole)


def test_validation_in_blocks(train_in_numpy, X):
    whole, blocks = (
        train_in_numpy(X, engine.Rows(X + 1), epochs=1, block_rows=size).history
        for size in (None, 7)
    )
    np.testing.assert_allclose(blocks["val_loss"], whole["val_loss"], rtol=ROUNDING)


# ------------------------------------------------------------------------- optimizers


def make_optimizer(name, **options):
    """Return an optimizer of 20 weights, and the weights."""
    weights = np.ones(20, np.float32)
    gradients = [np.linspace(-1, 1, 20, dtype=np.float32)]
    return OPTIMIZERS[name](weights, gradients, [(4, 4), (4,)], **options), weights


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_blocks_of_weights_take_the_same_steps(name):
    (whole, expected), (cut, found) = (
        make_optimizer(name, block=size) for size in (20, 7)
    )
    for optimizer, n_blocks in ((whole, 1), (cut, 3)):
        tasks = optimizer.tasks()
        assert len(tasks) == n_blocks
        for task in tasks:
            task()
    assert np.array_equal(found, expected)
    assert (found != 1).all()


def test_a_state_comes_back_to_the_same_bits():
    (one, _), (other, _) = (make_optimizer("adam") for _ in range(2))
    for task in one.tasks():
        task()
    other.load(one.state())
    for a, b in zip(one.state(), other.state(), strict=True):
        assert np.array_equal(a, b)


def test_moments_decay_to_zero_and_not_into_denormals(train):
    X = np.zeros((64, 4), np.float32)
    X[:, 0] = np.linspace(-1, 1, 64)
    weights = [np.zeros((4, 2), np.float32), np.full(2, -1, np.float32)]
    weights += [np.zeros((2, 4), np.float32), np.ones(4, np.float32)]
    network = DenseNetwork((), latent_activation="relu")  # dead: no gradient below
    options = {"network": network, "weights": weights, "epochs": 300, "batch_size": 8}
    moments = train(X, engine_name="numpy", **options).state.optimizer[2:]
    sizes = np.abs(np.concatenate([np.ravel(m) for m in moments]))
    assert (sizes > 0).any()
    assert not ((sizes > 0) & (sizes < 1e-37)).any()


# ------------------------------------------------------------------------- corruption


CORRUPTIONS = [
    GaussianNoise(0.3),
    GaussianNoise((0.1, 0.5), clip=(-1, 1)),
    MaskingNoise(),
    SaltAndPepperNoise(),
    SwapNoise(),
]


@pytest.mark.parametrize("shape", [(6,), (3, 2)])
@pytest.mark.parametrize(
    ("engine_name", "corruption"),
    [
        *(("numpy", corruption) for corruption in CORRUPTIONS),
        ("xla", CORRUPTIONS[-1]),
    ],
)
def test_corruptions(engine_name, corruption, shape, train, assert_same, X):
    X = X.reshape(-1, *shape)
    train = partial(
        train, X, engine.Rows(X[:20]), batch_size=50, engine_name=engine_name
    )
    trained = train(corruption=corruption)
    assert_same(trained, train(corruption=corruption))
    assert trained.history["loss"][0] != train().history["loss"][0]
    assert trained.history != train(corruption=corruption, seed=1).history


@IN_NUMPY
def test_noise_is_fresh_in_every_epoch(engine_name, train, X):
    options = {"batch_size": 50, "optimizer": "sgd", "learning_rate": 1e-30}
    noise = GaussianNoise(0.5)
    loss = train(X, engine_name=engine_name, corruption=noise, **options).history[
        "loss"
    ]
    assert len(set(loss)) == 3
    assert loss == pytest.approx([np.mean(loss)] * 3, rel=0.3)


def test_a_corruption_of_images(train, assert_same, rng):
    X = rng.uniform(size=(50, *IMAGE)).astype(np.float32)
    train = partial(train, X, network=CONV, latent_dim=None, engine_name="numpy")
    trained = train(corruption=SwapNoise(0.5))
    assert_same(trained, train(corruption=SwapNoise(0.5)))
    assert trained.history != train().history


# ------------------------------------------------------------------ what trains where


class OwnBuild(DenseNetwork):
    """Builds something else than its layers."""

    def build(self, *shapes):
        return super().build(*shapes)


# Options of a training, and what stands against NumPy.
AGAINST_NUMPY = [
    (
        {"network": DenseNetwork((3,), dropout=0.5)},
        "the layer Dropout of network Dense",
    ),
    (
        {"network": DenseNetwork((), tied_weights=True)},
        "the layer TiedDense of network",
    ),
    ({"network": DenseNetwork((3,), normalization="batch")}, "the layer Normalization"),
    (
        {"network": DenseNetwork((), activity_l1=0.1)},
        "the layer ActivityPenalty of net",
    ),
    ({"network": ConvNetwork((2,), dropout=0.5, input_shape=(-1, 1))}, "layer Dropout"),
    (
        {"network": RecurrentNetwork((2,), input_shape=(-1, 1))},
        "the layer Recurrent of",
    ),
    (
        {"network": OwnBuild(())},
        r"network OwnBuild\(hidden_units=\(\)\) is built by code",
    ),
    (
        {"loss": "log_cosh"},
        "loss 'log_cosh' behind the output_activation 'linear' does",
    ),
    (
        {"loss": "binary_crossentropy"},
        "loss 'binary_crossentropy' behind the output_act",
    ),
    ({"loss": lambda y, output: (y - output) ** 2}, "loss <function <lambda> at"),
    ({"optimizer": "rmsprop"}, "optimizer 'rmsprop' does not"),
    ({"callbacks": [print]}, "callbacks are Keras's"),
]


@pytest.mark.parametrize(("options", "reason"), AGAINST_NUMPY)
def test_what_stands_against_numpy(options, reason, make_job, X):
    message = rf"engine='numpy' cannot train this: .*{reason}.* Use engine='auto', wh"
    with pytest.raises(ValueError, match=message):
        engine.train(*make_job(X, **options), "numpy")


def test_keras_objects_stand_against_numpy(keras, make_job, X):
    optimizer, loss = keras.optimizers.Adam(), keras.losses.MeanSquaredError()
    for options in ({"optimizer": optimizer}, {"loss": loss}):
        with pytest.raises(ValueError, match="engine='numpy' cannot train this: .* <"):
            engine.train(*make_job(X, **options), "numpy")


def test_callbacks_see_a_model_of_keras(keras, train, X):
    seen = []
    note = keras.callbacks.LambdaCallback(on_epoch_end=lambda *args: seen.append(args))
    watched = train(X, engine_name="auto", callbacks=[note])
    assert len(seen) == 3
    alone = train(X, engine_name="auto").history["loss"]
    np.testing.assert_allclose(watched.history["loss"], alone, rtol=ROUNDING)


@pytest.mark.parametrize(
    ("filters", "epochs", "n_rows", "expected"),
    [
        ((32, 16), 100, 60_000, "numpy"),
        ((32, 64), 1, 60_000, "keras"),
        ((32, 64), 3, 1000, "numpy"),
    ],
)
def test_large_convolutions_that_take_long_are_left_to_keras(
    filters, epochs, n_rows, expected, make_job
):
    X = np.empty((1, 28, 28, 1), np.float32)
    options = {"network": ConvNetwork(filters), "latent_dim": None}
    job = make_job(X, epochs=epochs, **options)
    assert _numpy.reason_against(job[0], job[3]) is None
    assert _numpy.fastest(job[0], job[3], n_rows) == expected


@pytest.mark.parametrize(
    ("n_rows", "batch_size", "epochs", "expected"),
    [
        (60_000, 32, 10, "xla"),
        (60_000, 32, 1, "numpy"),
        (6000, 32, 10, "numpy"),
        (60_000, 256, 50, "numpy"),  # threads share it
    ],
)
def test_long_trainings_are_left_to_xla(
    n_rows, batch_size, epochs, expected, make_job, monkeypatch
):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    X = np.empty((1, 784), np.float32)
    options = {"batch_size": batch_size, "epochs": epochs, "latent_dim": 64}
    job = make_job(X, network=DenseNetwork(()), **options)
    assert _numpy.fastest(job[0], job[3], n_rows) == expected


def run(script, **environment):
    """Return what a script prints, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_tensorflow_is_not_imported():
    """For no activation, and in neither family that trains in NumPy."""
    run("""
    import sys
    import numpy as np
    from skae import ConvNetwork, DenseNetwork, ReconstructionOutlierDetector
    from skae._layers._activations import ACTIVATIONS

    X = np.random.default_rng(0).uniform(size=(60, 5)) / 10
    networks = [None, ConvNetwork((2,), input_shape=(-1, 1))]
    for name in ACTIVATIONS:
        options = {"activation": name, "output_activation": name}
        networks.append(DenseNetwork((4,), **options))
        networks.append(ConvNetwork((2,), input_shape=(-1, 1), **options))
    for network in networks:
        options = {"network": network, "scaler": None, "epochs": 1, "random_state": 0}
        ReconstructionOutlierDetector(2, **options).fit(X).predict(X)
    assert len(networks) > 30
    assert not {"tensorflow", "keras"} & set(sys.modules)
    """)


def test_the_number_of_threads_changes_no_bit():
    script = """
    import hashlib
    import numpy as np
    from skae import AutoencoderTransformer, ConvNetwork

    X = np.random.default_rng(0).normal(size=(600, 140))
    weights = b""
    for network in (None, ConvNetwork(input_shape=(-1, 1))):
        options = {"network": network, "epochs": 2, "random_state": 0}
        model = AutoencoderTransformer(8, **options).fit(X)
        weights += b"".join(w.tobytes() for w in model.autoencoder_.weights)
    print(hashlib.sha256(weights).hexdigest())
    """
    found = {run(script, OPENBLAS_NUM_THREADS=n_threads) for n_threads in ("1", "2")}
    assert len(found) == 1
    assert len(found.pop()) == 65
