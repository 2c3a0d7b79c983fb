"""Networks trained in NumPy: the same numbers as the compiled program."""

import os
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from skae import _engine as engine
from skae._engine import _threads
from skae._engine._numpy_layers import ACTIVATIONS
from skae._engine._numpy_optimizers import OPTIMIZERS
from skae._engine._numpy_program import numpy_program
from skae._engine._threads import OneBlasThread
from skae.corruptions import (
    GaussianNoise,
    MaskingNoise,
    SaltAndPepperNoise,
    SwapNoise,
)
from skae.networks import ConvNetwork, DenseNetwork

ROUNDING = 1e-6


@pytest.fixture
def U(rng):
    """Rows within the range of every activation."""
    return rng.uniform(0.05, 0.95, size=(50, 6)).astype(np.float32)


@pytest.fixture(params=["numpy", "xla"])
def kind(request, monkeypatch):
    """Train all in NumPy, or leave all epochs to XLA."""
    from skae._engine import _cache, _numpy_program

    if request.param == "xla":
        monkeypatch.setattr(_numpy_program, "_XLA_SECONDS", 0.0)
    yield request.param
    _cache.clear()


@pytest.fixture
def both(train, make_job, kind):
    """Return a function that trains in NumPy and compiled, and compares the two."""

    def both(*args, **options):
        spec, _, _, schedule, _, _ = make_job(*args, **options)
        assert numpy_program(spec, schedule, 50) is not None
        ours = train(*args, mode="auto", **options)
        compiled = train(*args, mode="compiled", **options)
        assert ours.history.keys() == compiled.history.keys()
        for name, losses in compiled.history.items():
            np.testing.assert_allclose(ours.history[name], losses, rtol=ROUNDING)
        for one, other in zip(ours.state.weights, compiled.state.weights, strict=True):
            assert one.dtype == np.float32
            np.testing.assert_allclose(one, other, rtol=ROUNDING, atol=ROUNDING)
        pairs = zip(ours.state.optimizer, compiled.state.optimizer, strict=True)
        for one, other in pairs:
            assert np.shape(one) == np.shape(other)
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=ROUNDING)
        assert ours.latent_shape == compiled.latent_shape
        return ours

    return both


# ---------------------------------------------------------- the same as compiled


ONLY_NUMPY = pytest.mark.parametrize("kind", ["numpy"], indirect=True)


@ONLY_NUMPY
@pytest.mark.parametrize("activation", [name for name in ACTIVATIONS if name])
def test_activations(activation, both, U):
    for options in (
        {"activation": activation},
        {"latent_activation": activation, "output_activation": activation},
    ):
        both(U, network=DenseNetwork((5,), **options))


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("loss", ["mse", "mae", "huber", "binary_crossentropy"])
def test_losses(loss, is_weighted, both, rng, U):
    weight = None
    if is_weighted:
        weight = rng.exponential(size=50).astype(np.float32)
        weight /= weight.mean()
    rows, validation = (engine.Rows(x, None, weight) for x in (U, U[::-1] ** 2))
    network = DenseNetwork((5,), output_activation="sigmoid")
    scale = 1 if loss == "binary_crossentropy" else 4  # both sides of Huber's delta
    rows = engine.Rows(U, scale * U, weight)
    both(rows, validation, loss=loss, network=network)


@ONLY_NUMPY
def test_the_cross_entropy_of_certain_outputs_is_finite(both, U):
    # Logits of a hundred: a probability of 1 to the last bit.
    network = DenseNetwork((), output_activation="sigmoid")
    weights = [np.full((6, 2), 10, np.float32), np.zeros(2, np.float32)]
    weights += [np.full((2, 6), 10, np.float32), np.zeros(6, np.float32)]
    ours = both(U, loss="bce", network=network, weights=weights, epochs=1)
    assert np.isfinite(ours.history["loss"]).all()


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_optimizers(optimizer, both, X):
    both(X, optimizer=optimizer, learning_rate=0.05, epochs=5)


@pytest.mark.parametrize("n_parts", [2, 4])
def test_batches_in_parts(n_parts, train, monkeypatch, X):
    from skae._engine import _numpy_program

    monkeypatch.setattr(_numpy_program, "_n_parts", lambda *sizes: n_parts)
    options = {"batch_size": 15, "mode": "auto"}  # the last batch has 5 rows
    cut = train(X, **options)
    monkeypatch.setattr(_numpy_program, "_n_parts", lambda *sizes: 1)
    whole = train(X, **options)
    np.testing.assert_allclose(cut.history["loss"], whole.history["loss"], rtol=1e-6)
    monkeypatch.setattr(_numpy_program, "_n_parts", lambda *sizes: n_parts)
    monkeypatch.setattr(_numpy_program, "allowed_threads", lambda: 1)
    alone = train(X, **options)
    assert cut.history == alone.history
    for one, other in zip(cut.state.weights, alone.state.weights, strict=True):
        assert np.array_equal(one, other)


def test_an_error_in_a_thread_reaches_the_user(train, monkeypatch, X):
    from skae._engine import _numpy_program

    class Broken(GaussianNoise):
        def apply(self, x, draw):
            if len(X) > 8 and threading.current_thread() is not threading.main_thread():
                raise KeyError("broken")
            return super().apply(x, draw)

    monkeypatch.setattr(_numpy_program, "_n_parts", lambda *sizes: 2)
    monkeypatch.setattr(_numpy_program, "allowed_threads", lambda: 2)
    with pytest.raises(KeyError, match="broken"):
        train(X, corruption=Broken(), mode="auto")
    assert threading.active_count() < 20


def test_moments_decay_to_zero_and_not_into_denormals(train):
    X = np.zeros((64, 4), np.float32)
    X[:, 0] = np.linspace(-1, 1, 64)
    weights = [np.zeros((4, 2), np.float32), np.full(2, -1, np.float32)]
    weights += [np.zeros((2, 4), np.float32), np.ones(4, np.float32)]
    network = DenseNetwork((), latent_activation="relu")  # dead: no gradient below
    options = {"network": network, "weights": weights, "epochs": 300, "batch_size": 8}
    moments = train(X, mode="auto", **options).state.optimizer[2:]
    sizes = np.abs(np.concatenate([np.ravel(m) for m in moments]))
    assert (sizes > 0).any()
    assert not ((sizes > 0) & (sizes < 1e-37)).any()


@ONLY_NUMPY
def test_steps_over_several_blocks_of_weights(both, monkeypatch, X):
    from skae._engine import _numpy_optimizers

    monkeypatch.setattr(_numpy_optimizers, "_BLOCK", 7)
    both(X)


def test_targets_and_early_stopping(both, rng, X):
    y = rng.normal(size=(50, 3)).astype(np.float32)
    rows, validation = engine.Rows(X, y), engine.Rows(X[:20] + 1, y[:20])
    trained = both(rows, validation, patience=2, epochs=200, learning_rate=0.05)
    assert len(trained.history["loss"]) < 200


IMAGE = (7, 6, 1)
CONV = ConvNetwork((4, 2), output_activation="sigmoid")


@ONLY_NUMPY
@pytest.mark.parametrize("loss", ["mse", "binary_crossentropy"])
@pytest.mark.parametrize("latent_dim", [None, 3])
def test_convolutions(loss, latent_dim, both, rng):
    X, y = rng.uniform(size=(2, 50, *IMAGE)).astype(np.float32)
    rows, validation = engine.Rows(X, y), engine.Rows(X[::-1], y)
    options = {"network": CONV, "latent_dim": latent_dim, "loss": loss}
    ours = both(rows, validation, **options)
    assert ours.latent_shape == ((2, 2, 2) if latent_dim is None else (3,))


@ONLY_NUMPY
@pytest.mark.parametrize("n_parts", [1, 2])
def test_convolutions_of_few_rows_at_a_time(n_parts, both, monkeypatch, rng):
    from skae._engine import _numpy_part, _numpy_program

    monkeypatch.setattr(_numpy_program, "_n_parts", lambda *sizes: n_parts)
    n_windowed = CONV.numpy_plan(IMAGE, IMAGE, None).n_windowed
    assert n_windowed == 9 * 4 * 4 * 3  # of the last transposed convolution
    monkeypatch.setattr(_numpy_part, "_BLOCK_WINDOWED", 3 * n_windowed)
    X = rng.uniform(size=(50, *IMAGE)).astype(np.float32)
    both(X, engine.Rows(X[:10]), network=CONV, latent_dim=None)


def test_a_corruption_of_images(train, assert_same, rng):
    X = rng.uniform(size=(50, *IMAGE)).astype(np.float32)
    options = {"network": CONV, "latent_dim": None, "mode": "auto"}
    noisy = {"corruption": SwapNoise(0.5), **options}
    trained = train(X, **noisy)
    assert_same(trained, train(X, **noisy))
    assert trained.history != train(X, **options).history


def test_large_convolutions_that_take_long_are_left_to_keras(make_job):
    def trains_in_numpy(filters, epochs):
        options = {"network": ConvNetwork(filters), "latent_dim": None}
        X = np.empty((1, 28, 28, 1), np.float32)
        job = make_job(X, weights=[np.zeros(1)], epochs=epochs, **options)
        return numpy_program(job[0], job[3], 60_000) is not None

    assert trains_in_numpy((32, 16), 100)
    assert trains_in_numpy((32, 64), 1) is False
    X = np.empty((1, 28, 28, 1), np.float32)
    small = make_job(
        X, network=ConvNetwork((32, 64)), latent_dim=None, weights=[np.zeros(1)]
    )
    assert numpy_program(small[0], small[3], 1000) is not None


@ONLY_NUMPY
def test_validation_in_blocks(both, monkeypatch, X):
    from skae._engine import _numpy_program

    monkeypatch.setattr(_numpy_program, "_BLOCK_ROWS", 7)
    both(X, engine.Rows(X + 1))


def test_rows_with_a_shape(both, rng):
    X = rng.normal(size=(20, 4, 3)).astype(np.float32)
    both(X, engine.Rows(X[:7]))


@pytest.mark.parametrize(
    ("network", "shape"),
    [(DenseNetwork((5, 4)), (6,)), (ConvNetwork((3, 2)), (3, 2))],
    ids=["dense", "conv"],
)
def test_fresh_weights_are_those_that_keras_would_get(network, shape, make_job, X):
    X = X.reshape(-1, *shape)
    spec, _, _, schedule, state, seed = make_job(X, network=network, seed=3)
    fresh = numpy_program(spec, schedule, 50).fresh_weights(spec, seed)
    for one, other in zip(fresh, state.weights, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_training_continues_in_either(optimizer, kind, train, X):
    options = {"optimizer": optimizer, "epochs": 2}

    def run(first, second):
        begun = train(X, mode=first, **options).state
        state = {"weights": begun.weights, "optimizer_state": begun.optimizer}
        return train(X, first_epoch=2, mode=second, **options, **state).state.weights

    there = run("auto", "auto")
    for weights in (run("auto", "compiled"), run("compiled", "auto")):
        for one, other in zip(there, weights, strict=True):
            np.testing.assert_allclose(one, other, rtol=ROUNDING, atol=ROUNDING)


def test_a_state_comes_back_to_the_same_bits(X):
    def optimizer():
        arrays = np.ones(20, np.float32), [np.linspace(-1, 1, 20, dtype=np.float32)]
        return OPTIMIZERS["adam"](*arrays, [(4, 4), (4,)])

    one, other = optimizer(), optimizer()
    for task in one.tasks():
        task()
    other.load(one.state())
    for a, b in zip(one.state(), other.state(), strict=True):
        assert np.array_equal(a, b)


def test_long_trainings_are_left_to_xla(make_job, monkeypatch):
    from skae._engine import _numpy_program

    def uses_xla(n_rows, **options):
        X = np.empty((1, 784), np.float32)
        options = {"network": DenseNetwork(()), "latent_dim": 64, **options}
        weights = [np.zeros(1)]
        spec, _, _, schedule, _, _ = make_job(X, weights=weights, **options)
        return numpy_program(spec, schedule, n_rows)._uses_xla

    monkeypatch.setattr(_numpy_program.os, "cpu_count", lambda: 2)
    assert uses_xla(60_000, batch_size=32, epochs=10)
    assert not uses_xla(60_000, batch_size=32, epochs=1)
    assert not uses_xla(6000, batch_size=32, epochs=10)
    assert not uses_xla(60_000, batch_size=256, epochs=50)  # threads share it


# --------------------------------------------------------------------- corruption


@pytest.mark.parametrize(
    "corruption",
    [
        GaussianNoise(0.3),
        GaussianNoise((0.1, 0.5), clip=(-1, 1)),
        MaskingNoise(),
        SaltAndPepperNoise(),
        SwapNoise(),
    ],
    ids=lambda c: type(c).__name__,
)
@pytest.mark.parametrize("shape", [(6,), (3, 2)])
def test_corruptions(corruption, shape, kind, train, assert_same, X):
    X = X.reshape(-1, *shape)
    options = {"corruption": corruption, "batch_size": 50, "mode": "auto"}
    trained = train(X, engine.Rows(X[:20]), **options)
    assert_same(trained, train(X, engine.Rows(X[:20]), **options))
    clean = train(X, engine.Rows(X[:20]), batch_size=50, mode="auto")
    assert trained.history["loss"][0] != clean.history["loss"][0]
    other = train(X, engine.Rows(X[:20]), **options, seed=1)
    assert trained.history != other.history


def test_noise_is_fresh_in_every_epoch(kind, train, X):
    options = {"batch_size": 50, "mode": "auto", "optimizer": "sgd", "epochs": 3}
    still = {**options, "learning_rate": 1e-30}
    loss = train(X, corruption=GaussianNoise(0.5), **still).history["loss"]
    assert len(set(loss)) == 3
    assert loss == pytest.approx([np.mean(loss)] * 3, rel=0.3)


# ------------------------------------------------------------------- what needs Keras


class Squared(DenseNetwork):
    """Builds something else than a DenseNetwork."""

    def build(self, *shapes):
        return super().build(*shapes)


def test_what_numpy_cannot_serve_goes_to_keras(keras, make_job, X):
    for options in (
        {"network": DenseNetwork((), dropout=0.5)},
        {"network": DenseNetwork((), tied_weights=True)},
        {"network": DenseNetwork((3,), normalization="batch")},
        {"network": DenseNetwork((), activity_l1=0.1)},
        {"network": DenseNetwork((), latent_activation="gelu")},
        {"network": ConvNetwork((2,), dropout=0.5, input_shape=(-1, 1))},
        {"network": Squared(())},
        {"loss": keras.losses.MeanSquaredError()},
        {"loss": "log_cosh"},
        {"loss": "binary_crossentropy"},  # of an output that is no sigmoid
        {"optimizer": keras.optimizers.Adam()},
        {"optimizer": "rmsprop"},
    ):
        job = make_job(X, **options)
        assert numpy_program(job[0], job[3], 50) is None, options
    job = make_job(X)
    assert numpy_program(job[0], job[3], 50) is not None


def test_callbacks_see_a_model_of_keras(keras, train, X):
    seen = []
    note = keras.callbacks.LambdaCallback(on_epoch_end=lambda *args: seen.append(args))
    watched, alone = train(X, mode="auto", callbacks=[note]), train(X, mode="auto")
    assert len(seen) == 3
    np.testing.assert_allclose(
        watched.history["loss"], alone.history["loss"], rtol=ROUNDING
    )


def test_tensorflow_is_not_imported():
    check = """
    import sys
    import numpy as np
    from skae import ConvNetwork, ReconstructionOutlierDetector

    X = np.random.default_rng(0).normal(size=(100, 5))
    for network in (None, ConvNetwork((2,), input_shape=(-1, 1))):
        detector = ReconstructionOutlierDetector(network=network, epochs=2)
        detector.fit(X).predict(X)
    assert not {"tensorflow", "keras"} & set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(check)], check=True)


# ------------------------------------------------------------------------ threads


def blas_threads():
    """Return the numbers of threads of NumPy's libraries."""
    blas = [one for one in threadpool_info() if one["user_api"] == "blas"]
    of_numpy = [one for one in blas if "numpy" in one["filepath"]]
    return [one["num_threads"] for one in of_numpy or blas]


@pytest.fixture(params=["directly", "by threadpoolctl"])
def control(request, monkeypatch):
    """How numbers of threads are set: some libraries have only the second way."""
    if request.param == "by threadpoolctl":
        monkeypatch.setattr(_threads, "_openblas", lambda library: None)
    _threads._controls.cache_clear()
    yield
    _threads._controls.cache_clear()


def test_blas_gets_its_threads_back(control):
    before = blas_threads()
    with OneBlasThread():
        assert set(blas_threads()) == {1}
        with OneBlasThread():
            pass
        assert set(blas_threads()) == {1}
    with pytest.raises(KeyError), OneBlasThread():
        raise KeyError
    assert blas_threads() == before


def test_blas_heeds_every_thread(control):
    def inside():
        with OneBlasThread():
            return set(blas_threads())

    before = blas_threads()
    for _ in range(2):
        assert inside() == {1}
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(inside).result() == {1}
        assert blas_threads() == before
    with threadpool_limits(2, "blas"):  # by this thread, which is heeded then
        limited = blas_threads()
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(inside).result() == {1}
        assert blas_threads() == limited
    assert blas_threads() == before


@pytest.mark.parametrize("batch_size", [32, 300])
def test_fits_in_threads_are_the_fits_alone(train, assert_same, rng, batch_size):
    X = rng.normal(size=(300, 70)).astype(np.float32)
    options = {"network": DenseNetwork((90,)), "batch_size": batch_size, "mode": "auto"}
    before = blas_threads()

    def fit(seed):
        return train(X, seed=seed, **options)

    alone = [fit(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for one, other in zip(alone, pool.map(fit, range(4)), strict=True):
            assert_same(one, other)
    assert blas_threads() == before


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
    found = {
        subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script)],
            env={**os.environ, "OPENBLAS_NUM_THREADS": n_threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for n_threads in ("1", "2")
    }
    assert len(found) == 1
    assert len(found.pop()) == 65
