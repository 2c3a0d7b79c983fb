"""Compiled, by XLA or in Python: the same numbers; and what decides between them."""

import random

import numpy as np
import pytest

from skae import _engine as engine
from skae.corruptions import GaussianNoise
from skae.networks import (
    ConvNetwork,
    DenseNetwork,
    Network,
    RecurrentNetwork,
    VariationalNetwork,
)
from skae.networks._base import Built

MODES = ("compiled", "xla", "uncompiled")
NETWORKS = {
    "dense": (DenseNetwork((8,)), (6,)),
    "conv": (ConvNetwork((4, 2)), (7, 6, 1)),
    "recurrent": (RecurrentNetwork((5,)), (4, 2)),
    "variational": (VariationalNetwork(DenseNetwork((8,))), (6,)),
}


class UsersNetwork(Network):
    """Stands for a user's code: one layer of a class that the test writes."""

    draws_weights = False

    def __init__(self, layer):
        self.layer = layer

    def build(self, input_shape, output_shape, latent_dim):
        import keras

        encoder = keras.Sequential([keras.Input(input_shape), keras.layers.Dense(2)])
        decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(6)])

        class Both(keras.Model):
            def __init__(self, layer):
                super().__init__()
                self.encoder, self.decoder, self.middle = encoder, decoder, layer

            def call(self, x):
                return self.decoder(self.middle(self.encoder(x)))

        model = Both(self.layer())
        model(np.zeros((1, *input_shape), "float32"))
        return Built(encoder, decoder, model)

    def output_range(self):
        return None


@pytest.mark.parametrize("name", NETWORKS)
def test_all_modes_agree(name, make_job):
    network, shape = NETWORKS[name]
    X = np.random.default_rng(0).uniform(size=(50, *shape)).astype(np.float32)
    job = make_job(
        X,
        engine.Rows(X[:10]),
        network=network,
        corruption=GaussianNoise(0.1),
        epochs=1,
        patience=1,
    )
    # XLA has its own way from a seed to a normal draw: codes that are drawn differ.
    modes = [mode for mode in MODES if (name, mode) != ("variational", "xla")]
    trained = [engine.train(*job, mode=mode) for mode in modes]
    for other in trained[1:]:
        for name, values in trained[0].history.items():
            assert other.history[name] == pytest.approx(values, rel=1e-4)
        pairs = zip(trained[0].state.weights, other.state.weights, strict=True)
        for one, another in pairs:
            np.testing.assert_allclose(one, another, atol=1e-4)


# ------------------------------------------------------------------- side effects


@pytest.fixture
def layers(keras):
    """Classes of layers, by what is wrong with them; "pure" has nothing wrong."""
    import tensorflow as tf

    seen = []

    class Pure(keras.layers.Layer):
        def call(self, x):
            return tf.nn.relu(x)

    class Counting(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.n_calls = 0

        def call(self, x):
            self.n_calls += 1
            return x

    class Remembering(keras.layers.Layer):
        def call(self, x):
            seen.append(len(seen))
            return x

    class Drawing(keras.layers.Layer):
        def call(self, x):
            return x + 0.01 * random.random()

    class Reading(keras.layers.Layer):
        def call(self, x):
            return x * float(tf.reduce_mean(x) > -1e9)

    class Deciding(keras.layers.Layer):
        def call(self, x):
            return x if tf.reduce_sum(x) > 1e9 else 2 * x

    return {cls.__name__: cls for cls in locals().values() if isinstance(cls, type)}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Counting", "changes the attribute 'n_calls' of Counting, a side effect in"),
        ("Remembering", "changes what the code of Remembering reads, a side effect"),
        ("Drawing", "changes Python's random state, a side effect in Python"),
        ("Reading", "it cannot be compiled"),
        ("Deciding", "it cannot be compiled"),
    ],
)
@pytest.mark.draws_globally("the user's own code does")
def test_python_code_runs_uncompiled_with_a_warning(name, reason, layers, train, X):
    with pytest.warns(UserWarning, match="trains uncompiled") as caught:
        trained = train(X, network=UsersNetwork(layers[name]), epochs=2)
    assert reason in str(caught[0].message)
    assert trained.history["loss"][1] < trained.history["loss"][0]


def test_pure_code_is_compiled_in_silence(layers, train, X, builds):
    trained = train(X, network=UsersNetwork(layers["Pure"]), epochs=2)
    assert trained.history["loss"][1] < trained.history["loss"][0]


def test_every_fit_warns_also_with_a_kept_program(layers, train, X, builds):
    network = UsersNetwork(layers["Counting"])
    for _ in range(2):
        with pytest.warns(UserWarning, match="trains uncompiled"):
            train(X, network=network, epochs=1)
    assert len(builds) == 1


def test_a_side_effect_happens_in_every_step(keras, train, X):
    calls = []

    class Logging(keras.layers.Layer):
        def call(self, x):
            calls.append(1)
            return x

    counts = []
    for epochs in (1, 3):
        before = len(calls)
        with pytest.warns(UserWarning, match="trains uncompiled"):
            train(X, network=UsersNetwork(Logging), epochs=epochs, batch_size=10)
        counts.append(len(calls) - before)
    assert counts[1] - counts[0] == 10  # two more epochs of five steps


def test_code_that_fails_in_any_mode_says_what_it_says(keras, train, X):
    class Broken(keras.layers.Layer):
        def call(self, x, training=False):
            if training:
                raise RuntimeError("my own mistake")
            return x

    with pytest.raises(RuntimeError, match="my own mistake"):
        train(X, network=UsersNetwork(Broken))
