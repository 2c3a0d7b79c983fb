"""Small data, small networks, and one way into the engine for its tests."""

import os
import signal
import time
import traceback

import numpy as np
import pytest

from skae import _engine as engine
from skae._engine import _train
from skae._engine._numpy import NumpyTrainer
from skae.networks import DenseNetwork, Network
from skae.networks._base import Built


class RandomLayersNetwork(Network):
    """A network with all that a dense stack lacks: penalties, Dropout, BatchNorm."""

    def __init__(self, dropout=0.0, l2=0.01):
        self.dropout = dropout
        self.l2 = l2

    def build(self, input_shape, output_shape, latent_dim):
        import keras

        def dense(units, seed, **penalties):
            start = keras.initializers.GlorotUniform(seed=seed)
            return keras.layers.Dense(units, kernel_initializer=start, **penalties)

        inputs = keras.Input(input_shape)
        x = dense(5, 0, kernel_regularizer=keras.regularizers.L2(self.l2))(inputs)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.Dropout(self.dropout, seed=1)(x)
        penalty = keras.regularizers.L1(self.l2)
        code = dense(latent_dim or 2, 2, activity_regularizer=penalty)(x)
        latent = keras.Input((latent_dim or 2,))
        output = dense(output_shape[0], 3)(latent)
        encoder = keras.Model(inputs, code, name="encoder")
        return Built(encoder, keras.Model(latent, output, name="decoder"))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def X(rng):
    """Rows that a narrow network can learn something about."""
    codes = rng.normal(size=(50, 2))
    noise = 0.1 * rng.normal(size=(50, 6))
    return (codes @ rng.normal(size=(2, 6)) + noise).astype(np.float32)


@pytest.fixture
def U(rng):
    """Rows within the range of every activation."""
    return rng.uniform(0.05, 0.95, size=(50, 6)).astype(np.float32)


@pytest.fixture
def make_job():
    """Return a function that fills in the arguments of ``engine.train``.

    Names of ``TrainingSpec``, ``Schedule`` and ``Architecture.network`` go to their
    places; what comes back is a tuple for ``engine.train(*job)``.
    """

    def make_job(rows, validation=None, **options):
        rows = rows if isinstance(rows, engine.Rows) else engine.Rows(rows)
        architecture = engine.Architecture(
            options.pop("network", DenseNetwork((), latent_activation="tanh")),
            rows.x.shape[1:],
            rows.targets.shape[1:],
            options.pop("latent_dim", 2),
        )
        seed = options.pop("seed", 0)
        state = engine.State(
            options.pop("weights", None),
            options.pop("optimizer_state", None),
            options.pop("fingerprint", None),
        )
        spec = engine.TrainingSpec(
            architecture,
            options.pop("loss", "mse"),
            options.pop("optimizer", "adam"),
            options.pop("learning_rate", None),
            options.pop("corruption", None),
        )
        schedule = engine.Schedule(**{"epochs": 3, "batch_size": 16, **options})
        return spec, rows, validation, schedule, state, seed

    return make_job


@pytest.fixture
def train(make_job):
    """Return a function that trains with the options of ``make_job``.

    Its attribute ``builds`` counts the trainings that built a trainer.
    """

    def train(*args, engine_name="keras", **options):
        trained = engine.train(*make_job(*args, **options), engine_name)
        train.builds += trained.seconds["building"] > 0
        return trained

    train.builds = 0
    return train


@pytest.fixture
def train_in_numpy(make_job):
    """Return a function that trains by a ``NumpyTrainer`` with arguments of its own."""

    def train_in_numpy(*args, n_workers=1, block_rows=None, n_threads=None, **options):
        job = make_job(*args, **options)
        trainer = NumpyTrainer(job[0], job[3], n_workers, block_rows)
        with trainer.running(n_threads):
            return _train.run(trainer, *job)

    return train_in_numpy


@pytest.fixture
def train_uncompiled(make_job, keras):
    """Return a function that trains in Keras without compiling: fast for few steps."""
    from skae._engine._keras._models import build_models
    from skae._engine._keras._trainer import DataSpec, KerasTrainer

    def train_uncompiled(*args, **options):
        job = make_job(*args, **options)
        data, models = DataSpec.of(*job[:3]), build_models(job[0].architecture)
        trainer = KerasTrainer(job[0], data, models, time.perf_counter(), False)
        return _train.run(trainer, *job)

    return train_uncompiled


@pytest.fixture
def random_layers():
    """Return the class of a network with penalties, Dropout and BatchNorm."""
    return RandomLayersNetwork


@pytest.fixture
def assert_same():
    """Return a function that demands bit-identical weights and history."""

    def assert_same(one, other):
        assert one.history == other.history
        pairs = zip(one.state.weights, other.state.weights, strict=True)
        assert all(np.array_equal(a, b) for a, b in pairs)

    return assert_same


@pytest.fixture
def assert_close():
    """Return a function that compares history, weights and optimizer states."""

    def assert_close(one, other, rtol=1e-6):
        assert one.history.keys() == other.history.keys()
        for name, losses in other.history.items():
            np.testing.assert_allclose(one.history[name], losses, rtol=rtol)
        for a, b in zip(one.state.weights, other.state.weights, strict=True):
            assert a.dtype == np.float32
            np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)
        for a, b in zip(one.state.optimizer, other.state.optimizer, strict=True):
            assert np.shape(a) == np.shape(b)
            np.testing.assert_allclose(a, b, rtol=max(rtol, 1e-4), atol=rtol)
        assert one.latent_shape == other.latent_shape

    return assert_close


@pytest.fixture
def pool(keras):
    """Return the pool of programs, empty before and after."""
    from skae._engine._keras import _pool

    _pool.clear()
    yield _pool
    _pool.clear()


@pytest.fixture
def keras():
    """Return the module, imported the way that skae imports it."""
    engine.import_quietly()
    import keras

    return keras


@pytest.fixture
def in_fork():
    """Return a function that calls a function in a forked child, which must end well.

    The child is killed after half a minute: a wait for ever is a failure.
    """
    if not hasattr(os, "fork"):
        pytest.skip("this system cannot fork")

    def in_fork(function):
        child = os.fork()
        if child == 0:
            signal.alarm(30)
            try:
                function()
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0

    return in_fork
