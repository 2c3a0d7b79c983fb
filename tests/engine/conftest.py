"""Small data, small networks, and one door to the engine for its tests."""

import numpy as np
import pytest

from skae import _engine as engine
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
        weights = options.pop("weights", None)
        if weights is None:
            weights = engine.initial_weights(architecture, seed)
        spec = engine.TrainingSpec(
            architecture,
            options.pop("loss", "mse"),
            options.pop("optimizer", "adam"),
            options.pop("learning_rate", None),
            options.pop("corruption", None),
        )
        state = engine.State(weights, options.pop("optimizer_state", None))
        schedule = engine.Schedule(**{"epochs": 3, "batch_size": 16, **options})
        return spec, rows, validation, schedule, state, seed

    return make_job


@pytest.fixture
def train(make_job):
    """Return a function that trains with the options of ``make_job``."""

    def train(*args, mode="compiled", **options):
        return engine.train(*make_job(*args, **options), mode)

    return train


@pytest.fixture
def random_layers():
    """Return the class of a network with penalties, Dropout and BatchNorm."""
    return RandomLayersNetwork


@pytest.fixture
def assert_same():
    """Return a function that demands bit-identical weights and history."""

    def assert_same(one, other, *, but=()):
        drop = {*but}
        histories = [
            {k: v for k, v in trained.history.items() if k not in drop}
            for trained in (one, other)
        ]
        assert histories[0] == histories[1]
        pairs = zip(one.state.weights, other.state.weights, strict=True)
        assert all(np.array_equal(a, b) for a, b in pairs)

    return assert_same


@pytest.fixture
def builds(monkeypatch):
    """Begin with an empty pool, and return the list of programs built since."""
    engine_import()
    from skae._engine import _cache, _modes, _program

    built = []

    class CountedProgram(_program.Program):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            built.append(type(self).__name__)

    monkeypatch.setattr(_modes, "Program", CountedProgram)
    _cache.clear()
    yield built
    _cache.clear()


@pytest.fixture
def keras():
    """Return the module, imported the way that skae imports it."""
    engine_import()
    import keras

    return keras


def engine_import():
    from skae.networks._quiet import import_quietly

    import_quietly()
