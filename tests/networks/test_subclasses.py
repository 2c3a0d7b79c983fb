"""Subclasses of networks: what trains is what scores, whatever they define."""

import numpy as np
import pytest

from skae import (
    AutoencoderTransformer,
    ConvNetwork,
    DenseNetwork,
    KerasNetwork,
    RecurrentNetwork,
    VariationalNetwork,
)
from skae import _engine as engine
from skae.networks._base import Built

SHAPE = (4, 3)
# Small networks, and what they are with another activation or width.
FAMILIES = {
    "dense": (DenseNetwork((5,)), {"activation": "tanh"}),
    "conv": (ConvNetwork((4, 3)), {"activation": "tanh"}),
    "recurrent": (RecurrentNetwork((2,)), {"units": (3,)}),
}


def subclass(base, **methods):
    """Return a network like `base`, of a subclass with these methods."""
    cls = type("Mine", (type(base),), methods)
    return cls(**base.get_params(deep=False))


def other(network, changes):
    """Return the network with other parameters, of the class that skae has."""
    return type(network).__mro__[1](**network.get_params(deep=False) | changes)


def builds_another(changes):
    def build(self, *shapes):
        return other(self, changes).build(*shapes)

    return {"build": build}


def builds_more(changes):
    def build(self, *shapes):
        import keras

        built = type(self).__mro__[1].build(self, *shapes)
        rescaled = keras.layers.Rescaling(0.5, offset=1.0)(built.decoder.output)
        decoder = keras.Model(built.decoder.inputs[0], rescaled, name="decoder")
        return Built(built.encoder, decoder)

    return {"build": build}


def has_other_layers(changes):
    def layers(self, *shapes):
        return other(self, changes).layers(*shapes)

    return {"layers": layers}


def draws_other_weights(changes):
    def draw_weight(self, path, shape, rng):
        drawn = type(self).__mro__[1].draw_weight(self, path, shape, rng)
        return drawn + np.float32(len(path) / 40 if path.endswith("bias") else 0)

    return {"draw_weight": draw_weight}


KINDS = [builds_another, builds_more, has_other_layers, draws_other_weights]
OWN_BUILD = KINDS[:2]
KIND = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def assert_scores_as_keras(network, latent_dim=2, **options):
    """Compare codes and reconstructions with those of the Keras model."""
    X = np.random.default_rng(0).uniform(size=(20, *SHAPE))
    fitted = AutoencoderTransformer(
        latent_dim, network=network, scaler=None, epochs=1, random_state=0, **options
    ).fit(X)
    model = fitted.to_keras()
    rows = X.astype(np.float32)
    codes = np.asarray(model.encoder(rows)).reshape(20, -1)
    output = np.asarray(model.decoder(model.encoder(rows)))
    for x in (rows, X):
        assert fitted.transform(x).dtype == x.dtype
        np.testing.assert_allclose(fitted.transform(x), codes, rtol=1e-4, atol=1e-5)
        found = fitted.reconstruct(x)
        np.testing.assert_allclose(found, output, rtol=1e-4, atol=1e-5)
    return fitted


@KIND
@pytest.mark.parametrize("name", FAMILIES)
def test_a_subclass_scores_as_it_was_trained(name, kind):
    network, changes = FAMILIES[name]
    fitted = assert_scores_as_keras(subclass(network, **kind(changes)))
    if name != "recurrent":  # it is another network
        assert fitted.history_ != assert_scores_as_keras(network).history_


@KIND
@pytest.mark.parametrize("name", ["dense", "conv"])  # recurrent ones take long
def test_a_subclass_as_base_of_a_variational_network(name, kind):
    network, changes = FAMILIES[name]
    mine = subclass(network, **kind(changes))
    assert_scores_as_keras(VariationalNetwork(mine), validation_fraction=None)


@pytest.mark.parametrize("kind", [has_other_layers, draws_other_weights])
def test_a_subclass_of_a_variational_network(kind):
    changes = {"base": DenseNetwork((5,), "tanh")}
    base = VariationalNetwork(DenseNetwork((5,)))
    assert_scores_as_keras(subclass(base, **kind(changes)))


@pytest.mark.parametrize("kind", [builds_another, has_other_layers])
def test_a_subclass_with_a_spatial_code(kind):
    network, changes = FAMILIES["conv"]
    fitted = assert_scores_as_keras(subclass(network, **kind(changes)), latent_dim=None)
    assert fitted.latent_shape_ == (1, 3)


def test_a_subclass_of_a_users_network():
    import keras

    def pair(input_shape):
        layers = keras.layers
        encoder = keras.Sequential([layers.Flatten(), layers.Dense(2)])
        decoder = keras.Sequential([layers.Dense(12), layers.Reshape(input_shape)])
        return encoder, decoder

    class Mine(KerasNetwork):
        def build(self, *shapes):
            built = super().build(*shapes)
            inputs = keras.Input((2,))
            rescaled = keras.layers.Rescaling(0.5)(built.decoder(inputs))
            return Built(built.encoder, keras.Model(inputs, rescaled))

    assert_scores_as_keras(Mine(pair))


@pytest.mark.parametrize("name", FAMILIES)
def test_own_weights_are_drawn_alike_in_numpy_and_keras(name):
    network, changes = FAMILIES[name]
    mine = subclass(network, **draws_other_weights(changes))
    architecture = engine.Architecture(mine, SHAPE, SHAPE, 2)
    drawn = engine.initial_weights(architecture, seed=3)
    assert all(np.abs(one).max() > 0.2 for one in drawn if one.ndim == 1)
    if name == "recurrent":
        return
    spec = engine.TrainingSpec(architecture, "mse", "sgd", 1e-30)
    rows = engine.Rows(np.zeros((5, *SHAPE), np.float32))
    schedule = engine.Schedule(1, 5)
    trained = engine.train(spec, rows, None, schedule, engine.State(), 3, "numpy")
    for one, expected in zip(trained.state.weights, drawn, strict=True):
        np.testing.assert_allclose(one, expected, rtol=1e-6)


@pytest.mark.parametrize("kind", OWN_BUILD, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("name", FAMILIES)
def test_what_a_class_builds_needs_keras(name, kind):
    network, changes = FAMILIES[name]
    mine = subclass(network, **kind(changes))
    spec = engine.TrainingSpec(engine.Architecture(mine, SHAPE, SHAPE, 2), "mse", "sgd")
    rows, schedule = (
        engine.Rows(np.zeros((5, *SHAPE), np.float32)),
        engine.Schedule(1, 5),
    )
    with pytest.raises(ValueError, match="engine='numpy' cannot train this: network"):
        engine.train(spec, rows, None, schedule, engine.State(), 0, "numpy")


class Wider(DenseNetwork):
    """Has a code of width 3, whatever is asked."""

    def layers(self, input_shape, output_shape, latent_dim):
        return super().layers(input_shape, output_shape, 3)


class Fixed(DenseNetwork):
    """Gives rows of seven values, whatever is asked."""

    def layers(self, input_shape, output_shape, latent_dim):
        return super().layers(input_shape, (7,), latent_dim)


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Wider(), "has a code of width 3, but latent_dim=2. Pass latent_dim=None for"),
        (Fixed(), r"returns rows of shape \(7,\), but the rows to reconstruct have"),
    ],
)
def test_layers_that_do_not_fit_raise_in_numpy_and_keras(network, message, optimizer):
    X = np.random.default_rng(0).normal(size=(20, 5))
    transformer = AutoencoderTransformer(
        2, network=network, optimizer=optimizer, epochs=1
    )
    with pytest.raises(ValueError, match=message):
        transformer.fit(X)
