"""Networks of users' code are known by what they turn out to be."""

import os
import pickle

import numpy as np
import pytest
from sklearn.base import clone

from skae import AutoencoderTransformer, DenseNetwork, KerasNetwork, VariationalNetwork
from skae import _engine as engine
from skae._engine._fingerprint import check_same, fingerprint, is_users

VARIABLE = "SKAE_TEST_KIND"


class Reading(DenseNetwork):
    """Reads at run time what no digest of its code sees."""

    def layers(self, *shapes):
        width = int(os.environ[VARIABLE])
        return DenseNetwork((width,), activation=self.activation).layers(*shapes)


class ReadingBuild(DenseNetwork):
    def build(self, *shapes):
        width = int(os.environ[VARIABLE])
        return DenseNetwork((width,)).build(*shapes)


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)


@pytest.fixture
def set_kind(monkeypatch):
    return lambda value: monkeypatch.setenv(VARIABLE, str(value))


def value_of(network, seed=0):
    found, _ = fingerprint(engine.Architecture(network, (6,), (6,), 2), seed)
    return found and found.value


# ------------------------------------------------------------------ without Keras


def test_networks_of_skae_need_no_fingerprint():
    for network in (DenseNetwork(), VariationalNetwork(DenseNetwork((3,)))):
        assert value_of(network) is None
        assert not is_users(network)
    assert is_users(VariationalNetwork(Reading()))
    assert is_users(KerasNetwork(len))


def test_layers_tell_networks_apart(set_kind):
    set_kind(4)
    before = value_of(Reading())
    assert value_of(Reading()) == before
    set_kind(5)
    assert value_of(Reading()) != before


def test_memory_trains_what_the_code_builds_now(X, tmp_path, set_kind):
    transformer = AutoencoderTransformer(
        2, network=Reading(), epochs=1, memory=tmp_path, random_state=0
    )
    widths = []
    for kind in (4, 5, 4):
        set_kind(kind)
        widths.append(clone(transformer).fit(X).autoencoder_.weights[0].shape[1])
    assert widths == [4, 5, 4]


def test_what_no_longer_builds_the_same_network_raises(X, set_kind):
    set_kind(4)
    fitted = AutoencoderTransformer(2, network=Reading(), epochs=1, random_state=0)
    fitted.fit(X)
    codes, copy = fitted.transform(X), pickle.dumps(fitted)
    assert np.array_equal(pickle.loads(copy).transform(X), codes)
    set_kind(5)
    assert np.array_equal(fitted.transform(X), codes)  # as it was built
    message = r"Reading\(.*\) no longer builds the network that was trained.*fit again"
    with pytest.raises(ValueError, match=message):
        pickle.loads(copy).transform(X)


def test_what_never_builds_the_same_is_let_through():
    class Random(DenseNetwork):
        def layers(self, *shapes):
            encoder, decoder = super().layers(*shapes)
            encoder[0].mark = os.urandom(8)
            return encoder, decoder

    one, other = (engine.Architecture(Random(), (6,), (6,), 2) for _ in range(2))
    found, _ = fingerprint(one, 0)
    assert found != fingerprint(other, 0)[0]
    check_same(other, found)


# ---------------------------------------------------------------------- with Keras

KINDS = {}


def dense(*args, **kwargs):
    engine.import_quietly()
    import keras

    return keras.layers.Dense(*args, **kwargs)


def pair(*layers):
    import keras

    return keras.Sequential([*layers, dense(2)]), keras.Sequential([dense(6)])


def by_order(kinds):
    return pair(*(dense(4, name) for name in kinds))


def by_variable():
    return pair(dense(4, os.environ[VARIABLE]))


def by_globals():
    return pair(dense(4, globals()["KINDS"]["activation"]))


def by_constant():
    import keras

    x = keras.Input((6,))
    code = dense(2)(x) * float(os.environ[VARIABLE])
    return keras.Model(x, code), pair()[1]


def by_wiring():
    import keras

    x = keras.Input((6,))
    one = dense(6)(x)
    two = dense(6)(one)
    chosen = x if os.environ[VARIABLE] == "skip" else one
    return keras.Model(x, dense(2)(keras.layers.add([chosen, two]))), pair()[1]


def by_attribute():
    import keras

    class Coder(keras.Model):
        def __init__(self):
            super().__init__()
            self.encoder, self.decoder = pair()
            self._factor = float(os.environ[VARIABLE])

        def call(self, x):
            return self._factor * self.decoder(self.encoder(x))

    return Coder()


def by_closure():
    factor = float(os.environ[VARIABLE])
    return pair(dense(4, lambda x: factor * x))


@pytest.mark.parametrize(
    ("build", "kinds"),
    [
        (by_variable, ("relu", "tanh")),
        (by_globals, ("relu", "tanh")),
        (by_constant, (1.0, 2.0)),
        (by_wiring, ("skip", "deep")),
        (by_attribute, (1.0, 2.0)),
        (by_closure, (1.0, 2.0)),
    ],
)
def test_models_are_told_apart_by_what_was_built(build, kinds, set_kind):
    values = []
    for kind in (*kinds, kinds[0]):
        set_kind(kind)
        KINDS["activation"] = kind
        values += [value_of(KerasNetwork(build), seed) for seed in (0, 1)]
    assert None not in values
    assert len(set(values[:4])) == 2  # weights do not count
    assert values[0] == values[1] == values[4] == values[5]


def test_a_networks_own_build_is_told_apart(set_kind):
    set_kind(4)
    before = value_of(ReadingBuild())
    assert before == value_of(ReadingBuild())
    set_kind(5)
    assert before != value_of(ReadingBuild())


def test_the_order_of_parameters_counts(X):
    made = []
    for kinds in ({"relu": 4, "tanh": 4}, {"tanh": 4, "relu": 4}):
        network = KerasNetwork(by_order, kinds=kinds)
        fitted = AutoencoderTransformer(network=network, epochs=1, random_state=0)
        fitted.fit(X)
        layers = fitted.to_keras().encoder.layers[:-1]
        made.append([layer.activation.__name__ for layer in layers])
        expected = fitted.to_keras().encoder(fitted.scaler_.transform(X)).numpy()
        np.testing.assert_allclose(fitted.transform(X), expected, atol=1e-5)
    assert made == [["relu", "tanh"], ["tanh", "relu"]]


@pytest.mark.parametrize("with_memory", [False, True])
def test_a_fit_trains_what_was_built_for_it(X, set_kind, with_memory, tmp_path):
    """A pooled program, or a network from memory, is that of the same models."""
    built = []

    def build():
        built.append(os.environ[VARIABLE])
        return by_variable()

    memory = tmp_path if with_memory else None
    for kind in ("relu", "tanh", "relu"):
        set_kind(kind)
        fitted = AutoencoderTransformer(
            network=KerasNetwork(build), epochs=1, random_state=0, memory=memory
        )
        n_before = len(built)
        codes = fitted.fit(X).transform(X)
        assert built[n_before:] == [kind]
        expected = fitted.to_keras().encoder(fitted.scaler_.transform(X)).numpy()
        np.testing.assert_allclose(codes, expected, atol=1e-5)
