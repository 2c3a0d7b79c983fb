"""A user's own Keras models: what is accepted, copied and refused."""

import functools
import pickle
import random
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone

from skae import _engine as engine
from skae._engine._digest import CannotDescribeError, digest
from skae.networks import KerasNetwork
from skae.networks._keras._copies import describe_model
from skae.networks._quiet import import_quietly

import_quietly()

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

from skae._engine._keras._models import build_models, seeded_global_state  # noqa: E402

X = np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32)


def stack(*widths, **options):
    return keras.Sequential([keras.layers.Dense(n) for n in widths], **options)


class Tutorial(keras.Model):
    """A class as the tutorials write it: no get_config."""

    def __init__(self, latent_dim=2, units=4):
        super().__init__()
        self.encoder = stack(units, latent_dim)
        self.decoder = stack(units, 6)

    def call(self, x):
        return self.decoder(self.encoder(x))


class OfParts(keras.Model):
    """Keras has no record of how it was made."""

    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def call(self, x):
        return self.decoder(self.encoder(x))


class Penalised(OfParts):
    def call(self, x):
        code = self.encoder(x)
        self.add_loss(tf.reduce_sum(code**2))
        return self.decoder(code)


class Configured(keras.Model):
    """A class that Keras can copy."""

    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = tuple(units)
        self.encoder = stack(*self.units)
        self.decoder = stack(6)

    def call(self, x):
        return tf.nn.relu(self.decoder(self.encoder(x)))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def functional(**latent):
    inputs = keras.Input((6,))
    hidden = keras.layers.Dense(5, activation="relu")(inputs)
    code = keras.layers.Dense(2, **{"name": "latent", **latent})(hidden)
    return keras.Model(inputs, keras.layers.Dense(6)(code))


def sequential():
    layers = keras.layers
    return keras.Sequential(
        [layers.Dense(5), layers.Dense(2, name="latent"), layers.Dense(6)]
    )


def pair(n_features, latent_dim=2, units=4):
    return stack(units, latent_dim), stack(units, n_features)


def with_parts():
    """Return a functional model that shows its parts."""
    inputs = keras.Input((6,))
    encoder, decoder = pair(6)
    model = keras.Model(inputs, decoder(encoder(inputs)))
    model.encoder, model.decoder = encoder, decoder
    return model


BUILDERS = {
    "class": Tutorial,
    "function for an instance": lambda: OfParts(*pair(6)),
    "functional": functional,
    "sequential": sequential,
    "pair": pair,
    "functional with parts": with_parts,
    "partial": functools.partial(pair, units=3),
}
BUILT = {
    "instance": Tutorial,
    "instance of parts": lambda: OfParts(*pair(6)),
    "instance with a configuration": lambda: Configured((3, 2)),
    "functional": functional,
    "sequential": sequential,
    "pair": lambda: pair(6),
    "functional with parts": with_parts,
}


def built(network, shape=(6,), latent_dim=None, dtype="float32", seed=0):
    network.check()
    return build_models(architecture(network, shape, latent_dim), dtype, seed)


def architecture(network, shape=(6,), latent_dim=None):
    return engine.Architecture(network, shape, shape, latent_dim)


def weights_of(network, seed=0):
    network.check()
    return engine.initial_weights(architecture(network), seed)


def each(model):
    return model if isinstance(model, tuple) else (model,)


def run(model):
    """Return what a model or a pair makes of rows; this makes its weights."""
    return functools.reduce(lambda x, part: part(x), each(model), X)


def same(some, others):
    return all(np.array_equal(a, b) for a, b in zip(some, others, strict=True))


@pytest.fixture(autouse=True)
def restored_world():
    """Give back the random states that a test's own models draw from."""
    with seeded_global_state(
        99
    ):  # no seed of the tests: copies shall draw other weights
        yield


# --------------------------------------------------------------------- building


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_builders(name, dtype):
    network = KerasNetwork(BUILDERS[name])
    models = built(network, dtype=dtype)
    assert models.latent_shape == (2,)
    assert models.model.compute_dtype == dtype
    assert models.model(X.astype(dtype)).shape == X.shape
    one, other = weights_of(network, 0), weights_of(network, 1)
    assert same(one, weights_of(network, 0))
    assert not same(one, other)


@pytest.mark.parametrize("name", BUILT)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("is_called", [False, True])
def test_what_is_built_is_copied(name, dtype, is_called):
    model = BUILT[name]()
    if is_called:
        run(model)
    parts = each(model)
    before = [part.get_weights() for part in parts]
    network = KerasNetwork(model)
    models = built(network, dtype=dtype)
    assert models.latent_shape == (2,)
    assert models.model.compute_dtype == dtype
    own = {id(v) for part in parts for v in part.weights}
    assert own.isdisjoint({id(v) for v in models.model.weights})
    assert all(map(same, before, [part.get_weights() for part in parts]))
    one, other = weights_of(network, 0), weights_of(network, 1)
    assert same(one, weights_of(network, 0))
    assert not same(one, other)


@pytest.mark.parametrize("name", BUILT)
def test_keep_starts_from_the_weights_of_the_model(name):
    model = BUILT[name]()
    expected = run(model)
    models = built(KerasNetwork(model, initial_weights="keep"))
    np.testing.assert_allclose(models.model(X), expected, rtol=1e-6, atol=1e-6)
    network = KerasNetwork(model, initial_weights="keep")
    assert same(weights_of(network, 0), weights_of(network, 1))


def test_a_function_decides_what_its_model_arrives_with():
    def pretrained(n_features):
        encoder, decoder = pair(n_features)
        encoder.build((None, n_features))
        encoder.set_weights([np.full(w.shape, 0.5) for w in encoder.get_weights()])
        return encoder, decoder

    for option in ("fresh", "keep"):
        network = KerasNetwork(pretrained, initial_weights=option)
        assert all((w == 0.5).all() for w in weights_of(network)[:4])


def test_the_users_model_trains_where_it_has_a_call_of_its_own():
    models = built(KerasNetwork(lambda: Penalised(*pair(6))))
    assert isinstance(models.model, Penalised)
    models.model(X)
    assert len(models.model.losses) == 1


def test_facts_about_the_data_are_handed_on():
    seen = {}

    def build(n_features, input_shape, output_shape, latent_dim, units=3):
        seen.update(locals())
        encoder = keras.Sequential([keras.layers.Flatten(), stack(latent_dim)])
        decoder = keras.Sequential(
            [stack(units, n_features), keras.layers.Reshape(input_shape)]
        )
        return encoder, decoder

    models = built(KerasNetwork(build, units=7), shape=(2, 3), latent_dim=np.int64(4))
    assert models.latent_shape == (4,)
    assert {name: seen[name] for name in ("n_features", "input_shape")} == {
        "n_features": 6,
        "input_shape": (2, 3),
    }
    assert (seen["output_shape"], seen["latent_dim"], seen["units"]) == ((2, 3), 4, 7)


def test_params_win_over_facts():
    assert built(KerasNetwork(pair, latent_dim=5)).latent_shape == (5,)
    assert built(KerasNetwork(pair, latent_dim=5), latent_dim=5).latent_shape == (5,)


def test_a_code_of_float32_computes_in_float32():
    class Bound(OfParts):
        def call(self, x):
            return self.decoder(self.encoder(x)) + tf.zeros((6,), tf.float32)

    models = built(KerasNetwork(lambda: Bound(*pair(6))), dtype="float64")
    assert models.model.compute_dtype == "float32"
    assert keras.config.dtype_policy().name == "float32"


class OfGraph(keras.Model):
    """A class that is a functional model."""

    def __init__(self, width=2):
        inputs = keras.Input((6,))
        code = keras.layers.Dense(width, name="latent")(inputs)
        super().__init__(inputs, keras.layers.Dense(6)(code))


def test_a_class_that_is_a_functional_model():
    assert built(KerasNetwork(OfGraph, width=3)).latent_shape == (3,)
    model = OfGraph()
    network = KerasNetwork(model, initial_weights="keep")
    np.testing.assert_allclose(built(network).model(X), model(X), rtol=1e-6)
    assert not same(weights_of(KerasNetwork(model)), model.get_weights())


def test_names_that_two_of_the_users_objects_share():
    """Each layer of a copy gets its own class and function, whatever their names."""

    def scaled_by(factor):
        class Scaled(keras.layers.Layer):
            def call(self, x):
                return x * factor

        def activation(x):
            return x * factor

        return Scaled(), activation

    (one, first), (other, second) = scaled_by(2.0), scaled_by(-3.0)
    layers = [
        keras.layers.Dense(4, activation=first, kernel_regularizer=Ridge(0.5)),
        one,
        keras.layers.Lambda(lambda x: x * 0.5),
        keras.layers.TimeDistributed(keras.layers.Dense(6, activation=second)),
        keras.layers.Dense(2, name="latent"),
        other,
        keras.layers.Lambda(second),
        keras.layers.Dense(6, activation=lambda x: x - 1.0),
    ]
    model = keras.Sequential(layers)
    rows = np.ones((3, 5, 6), np.float32)
    expected = model(rows)
    network = KerasNetwork(model, initial_weights="keep")
    models = built(network, shape=(5, 6))
    np.testing.assert_allclose(models.model(rows), expected, rtol=1e-6)
    assert len(models.model.losses) == 1


def test_functions_of_inner_layers():
    def double(x):
        return 2 * x

    def cells(*widths):
        return [keras.layers.SimpleRNNCell(n, activation=double) for n in widths]

    encoder = keras.Sequential([keras.layers.RNN(cells(3, 2))])
    decoder = keras.Sequential(
        [
            keras.layers.RepeatVector(5),
            keras.layers.RNN(cells(6)[0], return_sequences=True),
        ]
    )
    rows = np.ones((3, 5, 6), np.float32)
    expected = decoder(encoder(rows))
    network = KerasNetwork((encoder, decoder), initial_weights="keep")
    models = built(network, shape=(5, 6))
    np.testing.assert_allclose(models.model(rows), expected, rtol=1e-5)


class Ridge(keras.regularizers.Regularizer):
    def __init__(self, strength):
        self.strength = strength

    def __call__(self, weights):
        return self.strength * tf.reduce_sum(weights**2)

    def get_config(self):
        return {"strength": self.strength}


def test_what_layers_learned_about_data_is_kept():
    normalization = keras.layers.Normalization()
    normalization.adapt(X)
    layers = [keras.Input((6,)), normalization, keras.layers.Dense(2, name="latent")]
    model = keras.Sequential([*layers, keras.layers.Dense(6)])
    models = built(KerasNetwork(model))
    copied = models.encoder.layers[0]
    np.testing.assert_allclose(copied(X), normalization(X), rtol=1e-6)
    assert not same(models.model.get_weights()[3:4], model.get_weights()[3:4])


def test_explicit_seeds_are_the_users():
    seeded = keras.initializers.GlorotUniform(seed=3)
    network = KerasNetwork(functional(kernel_initializer=seeded))
    one, other = weights_of(network, 0), weights_of(network, 1)
    assert np.array_equal(one[2], other[2])
    assert not np.array_equal(one[0], other[0])


# ------------------------------------------------------------------- parameters


def build_with(n_features, *, units=4, activation="relu", depth):
    raise NotImplementedError


def test_parameters():
    network = KerasNetwork(build_with, units=8)
    expected = {
        "model": build_with,
        "initial_weights": "fresh",
        "units": 8,
        "activation": "relu",
    }
    assert network.get_params() == expected
    network.set_params(depth=2, initial_weights="keep")
    assert network.get_params() == {**expected, "depth": 2, "initial_weights": "keep"}
    twin = clone(network)
    assert twin is not network
    assert twin.get_params() == network.get_params()
    twin.set_params(units=1)
    assert network.get_params()["units"] == 8
    assert twin.set_params(model=pair).model is pair
    assert "n_features" not in KerasNetwork(pair).get_params()
    assert KerasNetwork(pair, n_features=3).get_params()["n_features"] == 3


def test_parameters_of_parameters():
    inner = KerasNetwork(pair, units=3)
    network = KerasNetwork(lambda base=None: base, base=inner)
    assert network.get_params()["base__units"] == 3
    assert "base__units" not in network.get_params(deep=False)
    twin = clone(network).set_params(base__units=9)
    assert twin.get_params()["base__units"] == 9
    assert inner.get_params()["units"] == 3


def test_clones_share_the_model():
    model = functional()
    layer = keras.layers.Dense(3)
    assert clone(KerasNetwork(model)).model is model
    assert clone(KerasNetwork(pair, latent_dim=layer)).get_params()["latent_dim"] is (
        layer
    )


def test_repr():
    assert repr(KerasNetwork(pair)) == "KerasNetwork(pair)"
    network = KerasNetwork(Tutorial, initial_weights="keep", units=3)
    assert repr(network) == "KerasNetwork(Tutorial, initial_weights='keep', units=3)"
    assert repr(KerasNetwork(functools.partial(pair, 3))) == "KerasNetwork(pair)"
    named = keras.Sequential([keras.layers.Dense(2)], name="mine")
    assert repr(KerasNetwork(named)) == "KerasNetwork(<Sequential 'mine'>)"
    both = KerasNetwork((named, named))
    assert repr(both) == "KerasNetwork((<Sequential 'mine'>, <Sequential 'mine'>))"
    assert repr(KerasNetwork(3)) == "KerasNetwork(3)"


def test_a_function_of_any_name_accepts_all():
    def build(**options):
        return pair(6, **options)

    network = KerasNetwork(build, units=2, latent_dim=5)
    assert network.get_params()["units"] == 2
    assert built(network).latent_shape == (5,)


# --------------------------------------------------------------------- refusals


def test_unknown_parameter():
    network = KerasNetwork(build_with, unit=3)
    with pytest.raises(
        ValueError,
        match="build_with, the model of KerasNetwork, does not accept 'unit'; it "
        "accepts 'activation', 'depth', 'units'. Correct the name",
    ):
        network.check()


def test_missing_parameter():
    with pytest.raises(
        ValueError,
        match=r"build_with, .*, needs 'depth', which is not given. Pass "
        r"KerasNetwork\(build_with, depth=...\).",
    ):
        KerasNetwork(build_with).check()


def test_missing_latent_dim():
    network = KerasNetwork(lambda latent_dim: pair(6, latent_dim))
    with pytest.raises(
        ValueError, match="needs 'latent_dim', but the estimator has latent_dim=None. "
    ):
        built(network)
    assert built(network, latent_dim=3).latent_shape == (3,)


def test_two_latent_dims():
    with pytest.raises(
        ValueError,
        match="latent_dim=4 is asked of the estimator, but latent_dim=3 of pair, ",
    ):
        built(KerasNetwork(pair, latent_dim=3), latent_dim=4)


def test_parameters_of_what_is_built():
    with pytest.raises(
        ValueError,
        match="KerasNetwork was given 'units', but its model <Tutorial 'tutorial.*'> "
        "is already built and takes no parameters. Pass the class",
    ):
        KerasNetwork(Tutorial(), units=3).check()


@pytest.mark.parametrize("model", [3, "ae", None, (1, 2)])
def test_no_model(model):
    with pytest.raises(ValueError, match="model of KerasNetwork is .*, but must be a"):
        KerasNetwork(model).check()


def test_no_keras_model_returned():
    with pytest.raises(
        ValueError,
        match="The model returned by <lambda> is a Dense, but must be a Keras model, "
        "or a pair",
    ):
        built(KerasNetwork(lambda: keras.layers.Dense(3)))
    with pytest.raises(
        ValueError,
        match="The decoder of the model returned by <lambda> is a function, but must "
        "be a Keras model or layer.",
    ):
        built(KerasNetwork(lambda: (stack(2), pair)))


def test_no_parts():
    class Plain(keras.Model):
        def __init__(self):
            super().__init__()
            self.encoder = stack(2)

        def call(self, x):
            return self.encoder(x)

    with pytest.raises(
        ValueError,
        match=r"The model Plain is a Plain without .decoder. Set self.encoder and ",
    ):
        built(KerasNetwork(Plain))


def test_no_latent_layer():
    model = keras.Sequential(
        [keras.layers.Dense(2, name="code"), keras.layers.Dense(6, name="out")]
    )
    with pytest.raises(
        ValueError,
        match="has no layer named 'latent'; its layers are 'code', 'out'. Name the "
        "layer that returns the code 'latent', or pass the pair",
    ):
        built(KerasNetwork(model))
    with pytest.raises(ValueError, match="has no layer named 'latent'; .*'input"):
        built(KerasNetwork(functional(name="code")))


def test_latent_layer_at_the_end():
    model = keras.Sequential([keras.layers.Dense(6, name="latent")])
    with pytest.raises(ValueError, match="ends with its layer 'latent', which leaves"):
        built(KerasNetwork(model))


def test_skip_connection():
    inputs = keras.Input((6,))
    code = keras.layers.Dense(2, name="latent")(inputs)
    output = keras.layers.Add()([keras.layers.Dense(6)(code), inputs])
    with pytest.raises(
        ValueError,
        match=r"needs more than the code of its layer 'latent' .* \(a skip connection",
    ):
        built(KerasNetwork(keras.Model(inputs, output)))


def test_latent_layer_used_twice():
    inputs = keras.Input((6,))
    latent = keras.layers.Dense(6, name="latent")
    model = keras.Model(inputs, keras.layers.Dense(6)(latent(latent(inputs))))
    with pytest.raises(
        ValueError, match="layer 'latent' to make .*or it is used more than once"
    ):
        built(KerasNetwork(model))


def test_two_inputs():
    inputs = [keras.Input((6,)), keras.Input((6,))]
    code = keras.layers.Dense(2, name="latent")(keras.layers.Add()(inputs))
    model = keras.Model(inputs, keras.layers.Dense(6)(code))
    with pytest.raises(ValueError, match="has 2 inputs and 1 outputs, but must have"):
        built(KerasNetwork(model))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (functional, r"rows of shape \(8,\): it expects shape \(6,\). Reshape"),
        (
            lambda: keras.Sequential([keras.Input((6,)), *sequential().layers]),
            r"rows of shape \(8,\): it expects shape \(6,\)",
        ),
        (
            lambda: (keras.Sequential([keras.Input((6,)), stack(2)]), stack(6)),
            r"The encoder of the model .* not accept rows of shape \(8,\): it expects "
            r"shape \(6,\)",
        ),
        (
            lambda: (stack(2), keras.Sequential([keras.Input((3,)), stack(8)])),
            r"The decoder of the model .* not accept codes of shape \(2,\): it expects "
            r"shape \(3,\). Let the encoder return",
        ),
        (
            lambda: (keras.layers.Conv1D(2, 3), stack(8)),
            r"does not accept rows of shape \(8,\): Input 0 .*expected min_ndim=3, "
            "found ndim=2. Reshape the data",
        ),
    ],
)
def test_rows_of_another_shape(model, message):
    with pytest.raises(ValueError, match=message):
        built(KerasNetwork(model), shape=(8,))
    with pytest.raises(ValueError, match=message):
        built(KerasNetwork(model()), shape=(8,))


def test_several_outputs():
    class Several(OfParts):
        def call(self, x):
            code = self.encoder(x)
            return self.decoder(code), code

    with pytest.raises(
        ValueError, match="The model returned by .* returns a tuple of 2 values, but"
    ):
        built(KerasNetwork(lambda: Several(*pair(6))))

    class Split(keras.layers.Layer):
        def call(self, x):
            return [x[:, :2], x[:, 2:]]

    with pytest.raises(
        ValueError, match="The encoder of the model .* returns a list of 2 values"
    ):
        built(KerasNetwork(lambda: (Split(), stack(6))))


def test_a_training_of_ones_own():
    class Own(OfParts):
        def train_step(self, data):
            raise NotImplementedError

    with pytest.raises(
        ValueError, match=r"defines train_step, which skae does not call: .*add_loss"
    ):
        built(KerasNetwork(lambda: Own(*pair(6))))


def test_parts_that_the_model_does_not_train():
    class Apart(keras.Model):
        def __init__(self):
            super().__init__()
            self.decoder = stack(6)
            self.__dict__["hidden"] = stack(6)

        @property
        def encoder(self):
            return self.hidden

        def call(self, x):
            return self.decoder(x)

    with pytest.raises(ValueError, match="whose weights are not its own"):
        built(KerasNetwork(Apart))


def test_the_same_layers_at_each_call():
    encoder = stack(2)
    network = KerasNetwork(lambda: (encoder, stack(6)))
    built(network)
    with pytest.raises(
        ValueError,
        match=r"<lambda>, .*, returns the same layers at each call, 'dense.*', 'seq",
    ):
        built(network)
    measured = keras.layers.Normalization()
    measured.adapt(X)
    network = KerasNetwork(lambda: (keras.Sequential([measured, stack(2)]), stack(6)))
    for _ in range(2):
        built(network)


def test_a_class_that_must_be_passed_itself():
    model = Penalised(*pair(6))
    with pytest.raises(
        ValueError,
        match=r"<Penalised 'penalised.*'> cannot be copied, .*\((Object Penalised was "
        r"created .*|Unable to revive .*)\). Instead, pass the class, "
        r"KerasNetwork\(Penalised\)",
    ):
        built(KerasNetwork(model))
    assert model.weights == []


@pytest.mark.parametrize("activation", ["linear", "tanh"])
def test_parts_exchanged_after_init_are_copied(activation):
    model = Tutorial()
    layers = [keras.layers.Dense(n, activation=activation) for n in (4, 2)]
    model.encoder = keras.Sequential(layers)
    models = built(KerasNetwork(model))
    assert models.encoder.layers[1].activation.__name__ == activation


def test_an_instance_without_parts():
    class Plain(keras.Model):
        def __init__(self, layer):
            super().__init__()
            self.encoder = self.decoder = layer

        def call(self, x):
            return x

    for part in (None, len):
        with pytest.raises(ValueError, match="Instead, pass the class, KerasNetwork.P"):
            built(KerasNetwork(Plain(part)))


def test_weights_that_copies_would_not_share():
    shared = keras.layers.Dense(6)
    tied = keras.Sequential([shared]), keras.Sequential([shared])
    for part in tied:
        part(X)
    with pytest.raises(
        ValueError, match=r"share the weights 'sequential.*kernel', .*, which their"
    ):
        built(KerasNetwork(tied))
    inputs = keras.Input((6,))
    twice = tied[1](keras.layers.Dense(6, name="latent")(tied[0](inputs)))
    with pytest.raises(ValueError, match="has 4 weights, but a copy that .* has 6"):
        built(KerasNetwork(keras.Model(inputs, twice)))


def test_an_instance_of_which_only_a_part_has_weights():
    model = OfParts(keras.Sequential([keras.Input((6,)), stack(2)]), stack(6))
    assert len(model.weights) == 2
    assert built(KerasNetwork(model)).latent_shape == (2,)
    for other, count in ((model, "0 of its 2"), (Tutorial(), "0 of its 8")):
        with pytest.raises(
            ValueError, match=f"='keep', but .* has {count} weights so far. Call it on"
        ):
            built(KerasNetwork(other, initial_weights="keep"))


def test_kept_weights_of_another_shape():
    model = Tutorial()
    model(X[:, :3])
    assert built(KerasNetwork(model)).latent_shape == (2,)
    with pytest.raises(
        ValueError,
        match=r"initial_weights='keep', but the weights of <Tutorial .*\(3, 4\).*, and "
        r"rows of this shape need .*\(6, 4\)",
    ):
        built(KerasNetwork(model, initial_weights="keep"))


# ---------------------------------------------------- pickles and descriptions


@pytest.mark.parametrize(
    "name", ["functional", "sequential", "pair", "functional with parts"]
)
def test_what_is_built_pickles(name):
    model = BUILT[name]()
    expected = run(model)
    before = random.getstate()
    network = pickle.loads(pickle.dumps(KerasNetwork(model, initial_weights="keep")))
    assert random.getstate() == before
    np.testing.assert_allclose(built(network).model(X), expected, rtol=1e-6, atol=1e-6)
    assert digest(network) == digest(KerasNetwork(model, initial_weights="keep"))


def test_unpickling_is_silent(tmp_path):
    path = tmp_path / "network.pkl"
    path.write_bytes(pickle.dumps(KerasNetwork(functional())))
    script = (
        f"import pickle; network = pickle.load(open({str(path)!r}, 'rb')); "
        "print(network.model.get_layer('latent').units)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("2\n", "")


def test_layers_describe_themselves():
    """What a function reads from outside may hold layers and models."""

    def digest_of(layer):
        return digest(lambda: layer, special=special)

    def special(value):
        is_layer = isinstance(value, keras.layers.Layer)
        return describe_model(value) if is_layer else None

    model = functional()
    assert digest_of(model) == digest_of(keras_copy(model))
    assert digest_of(model) != digest_of(functional())
    assert digest_of(keras.layers.Dense(3)) != digest_of(keras.layers.Dense(4))
    with pytest.raises(CannotDescribeError, match="pass the class"):
        digest_of(Tutorial())


def keras_copy(model):
    copied = keras.Model.from_config(model.get_config())
    copied.set_weights(model.get_weights())
    return copied


def test_an_instance_that_does_not_say_what_it_was_called_with():
    class Silent(Configured):
        def get_build_config(self):
            return None

    model = Silent((3, 2))
    model(X)
    assert built(KerasNetwork(model)).latent_shape == (2,)
    with pytest.raises(TypeError, match="it does not say what it was called with"):
        pickle.dumps(KerasNetwork(model))


def test_instances_that_keras_can_copy_pickle():
    for model in (Configured((3, 2)), Configured((3, 2))):
        model(X)
        network = KerasNetwork(model, initial_weights="keep")
        state = network.__getstate__()
        twin = KerasNetwork.__new__(KerasNetwork)
        twin.__setstate__(state)
        np.testing.assert_allclose(built(twin).model(X), model(X), rtol=1e-6)


@pytest.mark.parametrize("make", [Tutorial, lambda: OfParts(*pair(6))])
def test_instances_that_keras_cannot_copy_do_not_pickle(make):
    network = KerasNetwork(make())
    with pytest.raises(
        TypeError,
        match=r"cannot leave this process: .* For n_jobs, pickling and memory, pass "
        "the class, KerasNetwork",
    ):
        pickle.dumps(network)
    with pytest.raises(CannotDescribeError, match="pass the class"):
        digest(network)


def test_descriptions_tell_networks_apart():
    model = functional()
    others = [
        KerasNetwork(functional()),
        KerasNetwork(functional(activation="relu")),
        KerasNetwork(model, initial_weights="keep"),
        KerasNetwork(pair),
        KerasNetwork(pair, units=3),
        KerasNetwork(lambda n_features: pair(n_features)),
        KerasNetwork(lambda n_features: pair(n_features, 3)),
        KerasNetwork(functional(activation=lambda x: x)),
        KerasNetwork(functional(activation=lambda x: x + 1)),
    ]
    digests = {digest(network) for network in others}
    assert len(digests) == len(others)
    assert digest(KerasNetwork(model)) not in digests
    assert digest(KerasNetwork(model)) == digest(clone(KerasNetwork(model)))
    assert digest(KerasNetwork(model)) == digest(KerasNetwork(keras_copy(model)))
