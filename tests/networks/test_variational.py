"""The variational network: what trains, what encodes, what is drawn."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone

from skae import (
    AutoencoderTransformer,
    ConvNetwork,
    DenseNetwork,
    ReconstructionOutlierDetector,
    RecurrentNetwork,
    VariationalNetwork,
)
from skae._layers._base import NetworkLayers, run, with_weights
from skae.networks import KerasNetwork
from skae.networks._base import layers_of


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    return rng.normal(size=(200, 2)) @ rng.normal(size=(2, 6)) + 5


def fitted(X, cls=AutoencoderTransformer, base=None, beta=1.0, **params):
    options = {"latent_dim": 3, "epochs": 5, "random_state": 0, **params}
    return cls(network=VariationalNetwork(base, beta), **options).fit(X)


def kl_of(mean, log_variance):
    """Return the divergence as the textbook has it, row by row."""
    return -0.5 * np.sum(1 + log_variance - mean**2 - np.exp(log_variance), axis=1)


BASES = {
    "dense": (DenseNetwork((8,), normalization="batch", dropout=0.1), (6,)),
    "conv": (ConvNetwork((4, 2)), (7, 6, 1)),
    "recurrent": (RecurrentNetwork((5,)), (4, 2)),
}


@pytest.mark.parametrize("name", BASES)
def test_every_base(name):
    base, shape = BASES[name]
    X = np.random.default_rng(0).normal(size=(40, *shape))
    transformer = fitted(X, base=base)
    codes = transformer.transform(X)
    assert codes.shape == (40, 3)
    assert transformer.latent_shape_ == (3,)
    np.testing.assert_allclose(
        transformer.inverse_transform(codes), transformer.reconstruct(X), rtol=1e-9
    )
    assert {"loss", "kl", "val_loss", "val_kl"} == set(transformer.history_)
    assert transformer.sample(7, random_state=0).shape == (7, *shape)


def test_the_history_holds_the_divergence(X):
    """One batch, no gradient to speak of: the first epoch's numbers are the start's."""
    transformer = fitted(
        X,
        epochs=1,
        batch_size=200,
        beta=0.7,
        learning_rate=1e-12,
        validation_fraction=None,
        patience=None,
    )
    value = transformer.autoencoder_
    scaled = value.scaler.transform(X)
    expected = value.terms_scaled(scaled)["kl"].mean()
    assert transformer.history_["kl"] == pytest.approx([expected], rel=1e-4)
    drawn = transformer.history_["loss"][0] - 0.7 * expected / 6
    at_the_mean = np.mean((value.reconstruct_scaled(scaled) - scaled) ** 2)
    assert drawn > 0
    assert drawn != pytest.approx(at_the_mean, rel=1e-3)  # codes were drawn


def test_numpy_and_keras_agree(X):
    transformer = fitted(X)
    value = transformer.autoencoder_
    scaled = value.scaler.transform(X)
    from skae._engine._keras import _models

    for part, ours in (
        ("encode", value.forward.encode(scaled)),
        ("reconstruct", value.reconstruct_scaled(scaled)),
        ("terms", value.terms_scaled(scaled)),
    ):
        theirs = _models.run(
            value.architecture, "key", None, value.weights, part, scaled
        )
        if part == "terms":
            ours, theirs = ours["kl"], theirs["kl"]
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def test_the_divergence_is_the_textbooks(X):
    value = fitted(X).autoencoder_
    scaled = value.scaler.transform(X)
    encoder = value.architecture.layers.encoder
    weights = [weight.astype(float) for weight in value.weights]
    statistics = run(with_weights(encoder[:-1], weights), scaled)
    expected = kl_of(statistics[:, :3], statistics[:, 3:])
    np.testing.assert_allclose(value.terms_scaled(scaled)["kl"], expected)


def test_a_strong_beta_empties_the_codes(X):
    weak, strong = (fitted(X, beta=beta, epochs=60) for beta in (0.0, 1000.0))
    assert strong.history_["kl"][-1] < 0.1 < weak.history_["kl"][-1]
    assert strong.score(X) < weak.score(X)


def test_the_seed_decides_what_is_drawn(X):
    one, same, other = (fitted(X, random_state=seed) for seed in (0, 0, 1))
    assert one.history_ == same.history_
    assert one.history_ != other.history_


# -------------------------------------------------------------------------- sample


def test_samples_look_like_the_data(X):
    transformer = fitted(X, latent_dim=2, epochs=300, beta=0.05)
    drawn = transformer.sample(1000, random_state=0)
    assert drawn.dtype == np.float64
    np.testing.assert_allclose(drawn.mean(axis=0), X.mean(axis=0), atol=0.7)
    correlation = np.corrcoef(drawn.T)[np.triu_indices(6, 1)]
    of_data = np.corrcoef(X.T)[np.triu_indices(6, 1)]
    assert np.corrcoef(correlation, of_data)[0, 1] > 0.9
    assert np.array_equal(drawn, transformer.sample(1000, random_state=0))
    assert not np.array_equal(drawn[:5], transformer.sample(5))


def test_only_variational_networks_draw(X):
    transformer = AutoencoderTransformer(2, epochs=1).fit(X)
    assert not hasattr(transformer, "sample")
    with pytest.raises(AttributeError, match="has no attribute 'sample'") as caught:
        transformer.sample
    assert "Fit with network=VariationalNetwork()" in str(caught.value.__cause__)


def test_a_network_that_was_set_after_fit_draws_nothing(X):
    transformer = AutoencoderTransformer(2, epochs=1).fit(X)
    transformer.set_params(network=VariationalNetwork())
    with pytest.raises(ValueError, match="network was set after fit, and the fitted"):
        transformer.sample(3)


@pytest.mark.parametrize("n_samples", [0, 2.5, "3"])
def test_a_wrong_number_of_samples(n_samples, X):
    with pytest.raises(ValueError, match="'n_samples' parameter of sample must be a"):
        fitted(X, epochs=1).sample(n_samples)


# --------------------------------------------------------------------------- ELBO


@pytest.mark.parametrize(
    ("loss", "scaler", "activation"),
    [
        ("mse", "standard", None),
        ("mae", "standard", None),
        ("binary_crossentropy", "minmax", "sigmoid"),
    ],
)
def test_the_error_may_be_the_negative_elbo(loss, scaler, activation, X):
    detector = fitted(
        X,
        ReconstructionOutlierDetector,
        DenseNetwork((8,), output_activation=activation),
        loss=loss,
        scaler=scaler,
        error="negative_elbo",
        beta=0.5,
    )
    model = engine_loss(detector, X, loss)
    np.testing.assert_allclose(-detector.score_samples(X), model, rtol=1e-5)
    errors = detector.feature_errors(X)
    np.testing.assert_allclose(errors.sum(axis=1), -detector.score_samples(X))
    again = pickle.loads(pickle.dumps(detector))
    assert np.array_equal(again.score_samples(X), detector.score_samples(X))


def engine_loss(detector, X, loss):
    """Return Keras's loss plus the weighted divergence, at the mean of the code."""
    import keras

    value = detector.autoencoder_
    scaled = value.scaler.transform(X)
    output = value.reconstruct_scaled(scaled)
    rows = keras.ops.convert_to_numpy(keras.losses.get(loss)(scaled, output))
    return rows + 0.5 / 6 * value.terms_scaled(scaled)["kl"]


def test_a_negative_elbo_without_a_distribution(X):
    detector = ReconstructionOutlierDetector(error="negative_elbo")
    message = "error='negative_elbo' needs codes with a distribution, but network is"
    with pytest.raises(ValueError, match=message):
        detector.fit(X)


def test_a_negative_elbo_of_an_unknown_loss(X):
    message = "error='negative_elbo' measures what training minimises, but loss is"
    with pytest.raises(ValueError, match=message):
        fitted(X, ReconstructionOutlierDetector, error="negative_elbo", loss="huber")


# --------------------------------------------------------------------- description


@pytest.mark.parametrize(
    ("base", "message"),
    [
        (DenseNetwork(latent_activation="relu"), "has latent_activation='relu'"),
        (DenseNetwork(tied_weights=True), "has tied_weights=True"),
        (DenseNetwork(activity_l1=0.1), "has activity_l1=0.1"),
        (VariationalNetwork(), "whose code cannot be doubled"),
        (KerasNetwork(len), "whose code cannot be doubled"),
    ],
)
def test_bases_that_cannot_be_variational(base, message, X):
    with pytest.raises(ValueError, match=message):
        fitted(X, base=base)


def test_nested_parameters_can_be_searched(X):
    transformer = AutoencoderTransformer(network=VariationalNetwork(DenseNetwork()))
    copy = clone(transformer).set_params(
        network__beta=4.0, network__base__hidden_units=(7,)
    )
    assert copy.network.beta == 4.0
    assert copy.network.base.hidden_units == (7,)
    assert transformer.network.base.hidden_units != (7,)


# Keras 3.15 with NumPy 2.4, in keras.ops.convert_to_numpy of a variable.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_keras_model_gives_means_and_loads_without_skae(X, tmp_path):
    transformer = fitted(X)
    model = transformer.to_keras()
    scaled = transformer.scaler_.transform(X).astype(np.float32)
    expected = transformer.transform(X)
    np.testing.assert_allclose(model.encoder(scaled), expected, rtol=1e-4, atol=1e-5)
    model.save(tmp_path / "model.keras")
    np.savez(tmp_path / "rows.npz", x=scaled, output=model(scaled))
    code = (
        "import sys, numpy as np, keras; "
        "model = keras.models.load_model(sys.argv[1]); "
        "rows = np.load(sys.argv[2]); "
        "assert np.allclose(model(rows['x']), rows['output'], atol=1e-6); "
        "assert 'skae' not in sys.modules"
    )
    paths = [str(tmp_path / "model.keras"), str(tmp_path / "rows.npz")]
    done = subprocess.run(
        [sys.executable, "-c", code, *paths], capture_output=True, text=True, cwd="/"
    )
    assert done.returncode == 0, done.stderr


def test_terms_and_range():
    network = VariationalNetwork(beta=3.0)
    assert network.terms((4, 5)) == {"kl": 3.0 / 20}
    _, decoder = layers_of(network, (6,), (6,), 2)
    assert NetworkLayers([], decoder).output_range == (-np.inf, np.inf)
