"""SciKeras wrappers: what is taken from them, and what is the estimator's."""

import functools
import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skae import AutoencoderTransformer, reconstruction_score
from skae import _engine as engine
from skae._engine._digest import digest
from skae.networks._keras import as_network
from skae.networks._quiet import import_quietly

import_quietly()

import keras  # noqa: E402

from skae._engine._keras._models import build_models, seeded_global_state  # noqa: E402

_PATCHED = (
    (keras.Model, "__reduce__"),
    (keras.Model, "__deepcopy__"),
    (keras.losses.Loss, "__reduce__"),
    (keras.metrics.Metric, "__reduce__"),
    (keras.optimizers.Optimizer, "__reduce__"),
)


@pytest.fixture(scope="module")
def wrappers():
    """Return SciKeras's wrappers, and take back what importing it does to Keras."""
    before = [vars(cls).get(name) for cls, name in _PATCHED]
    from scikeras import wrappers

    yield wrappers
    for (cls, name), value in zip(_PATCHED, before, strict=True):
        if value is not None:
            setattr(cls, name, value)
        elif name in vars(cls):
            delattr(cls, name)


@pytest.fixture
def regressor(wrappers):
    return wrappers.KerasRegressor


def build(meta, units=4, latent_dim=2):
    n_features = meta["n_features_in_"]
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Dense(units),
            layers.Dense(latent_dim, name="latent"),
            layers.Dense(n_features),
        ]
    )


def plain(units=4):
    return (
        keras.Sequential([keras.layers.Dense(units), keras.layers.Dense(2)]),
        keras.Sequential([keras.layers.Dense(6)]),
    )


def built(network, latent_dim=None):
    network.check()
    return build_models(engine.Architecture(network, (6,), (6,), latent_dim))


def network_of(wrapper):
    return as_network(wrapper).network


def test_routed_parameters_reach_the_function(regressor):
    models = built(network_of(regressor(build, model__units=9)))
    assert models.encoder.layers[0].units == 9
    assert models.model.output_shape == (None, 6)
    models = built(network_of(regressor(model=build, units=8, model__latent_dim=3)))
    assert models.encoder.layers[0].units == 8
    assert models.latent_shape == (3,)


def test_routed_names_win_over_plain_ones(regressor):
    network = network_of(regressor(build, units=8, model__units=9))
    assert built(network).encoder.layers[0].units == 9


def test_what_is_searched_over(regressor):
    wrapper = clone(regressor(build, model__units=9))
    wrapper.set_params(model__units=3, optimizer="sgd", optimizer__learning_rate=0.5)
    wanted = as_network(wrapper)
    assert built(wanted.network).encoder.layers[0].units == 3
    assert float(wanted.optimizer.learning_rate) == 0.5
    assert type(wanted.optimizer) is keras.optimizers.SGD


def test_the_older_name_of_the_model(regressor):
    wrapper = regressor(build_fn=build, model__units=5)
    assert built(network_of(wrapper)).encoder.layers[0].units == 5


def test_the_building_method_of_a_subclass(regressor):
    class Wrapper(regressor):
        def __init__(self, units=7, **options):
            super().__init__(**options)
            self.units = units

        def _keras_build_fn(self, meta, compile_kwargs):
            assert set(compile_kwargs) == {"optimizer", "loss", "metrics"}
            return build(meta, self.units)

    assert built(network_of(Wrapper())).encoder.layers[0].units == 7
    assert built(network_of(Wrapper(3))).encoder.layers[0].units == 3


def test_a_model_that_is_already_built(regressor):
    with seeded_global_state(0):
        model = build({"n_features_in_": 6})
        model(np.zeros((1, 6), np.float32))
    before = model.get_weights()
    models = built(network_of(regressor(model)))
    models.model.set_weights([w + 1 for w in models.model.get_weights()])
    assert all(map(np.array_equal, before, model.get_weights()))
    with pytest.raises(
        ValueError, match="was given 'units', but its model <Sequential"
    ):
        network_of(regressor(model, model__units=3)).check()


def test_what_scikeras_tells_a_function(regressor):
    seen = {}

    def tell(meta, compile_kwargs, params, units=4):
        seen.update(meta=meta, compile_kwargs=compile_kwargs, params=params)
        model = build(meta, units)
        model.compile(**compile_kwargs)
        return model

    wrapper = regressor(tell, loss="mae", optimizer__learning_rate=0.5)
    built(network_of(wrapper))
    assert seen["meta"] == {
        "n_features_in_": 6,
        "X_shape_": (None, 6),
        "X_dtype_": "float32",
        "n_outputs_": 6,
        "n_outputs_expected_": 1,
        "target_type_": "continuous-multioutput",
    }
    assert seen["compile_kwargs"]["loss"] == "mae"
    assert seen["compile_kwargs"]["metrics"] is None
    assert float(seen["compile_kwargs"]["optimizer"].learning_rate) == 0.5
    assert seen["params"]["optimizer__learning_rate"] == 0.5
    for optimizer in (None, "adam", keras.optimizers.Adam()):
        built(network_of(regressor(tell, loss="mse", optimizer=optimizer)))


def test_a_function_of_any_name_is_told_everything(regressor):
    seen = {}

    def tell(units=4, **options):
        seen.update(options)
        return plain(units)

    built(network_of(regressor(tell, model__depth=2)))
    assert set(seen) == {"meta", "compile_kwargs", "params", "depth"}
    network = network_of(regressor(functools.partial(tell, units=3)))
    assert built(network).encoder.layers[0].units == 3


def test_the_facts_of_keras_network_are_handed_on(regressor):
    seen = {}

    def tell(n_features, input_shape, latent_dim, meta):
        seen.update(locals())
        return build(meta, latent_dim=latent_dim)

    network = network_of(regressor(tell))
    assert repr(network) == "KerasNetwork(tell)"
    assert built(network, 3).latent_shape == (3,)
    assert (seen["n_features"], seen["input_shape"], seen["latent_dim"]) == (6, (6,), 3)


def test_latent_dim(regressor):
    assert built(network_of(regressor(build)), 5).latent_shape == (5,)
    network = network_of(regressor(build, model__latent_dim=5))
    assert built(network).latent_shape == (5,)
    with pytest.raises(
        ValueError, match="latent_dim=3 is asked of .*, but latent_dim=5 of build, "
    ):
        built(network, 3)


# -------------------------------------------------------- what the function lacks


def test_a_name_that_the_function_lacks(regressor):
    for wrapper in (regressor(build, model__unit=3), regressor(build, unit=3)):
        with pytest.raises(
            ValueError,
            match="build, the model of KerasNetwork, does not accept 'unit'; it "
            "accepts 'latent_dim', 'units'. Correct the name",
        ):
            network_of(wrapper).check()
    with pytest.raises(ValueError, match="plain, .* does not accept 'unit'"):
        network_of(regressor(plain, model__unit=3)).check()


def test_no_model(regressor):
    with pytest.raises(
        ValueError, match=r"network is a SciKeras KerasRegressor without a model. Pass "
    ):
        as_network(regressor())


# -------------------------------------------------------------------- compiling


def test_loss_and_optimizer(regressor):
    wanted = as_network(regressor(plain))
    assert (wanted.loss, wanted.optimizer) == (None, "rmsprop")
    wanted = as_network(regressor(plain, optimizer=None, loss="mae"))
    assert (wanted.loss, wanted.optimizer) == ("mae", None)
    huber = keras.losses.Huber(delta=3.0)
    assert as_network(regressor(plain, loss=huber)).loss is huber
    wanted = as_network(
        regressor(
            plain,
            loss=keras.losses.Huber,
            loss__delta=2.0,
            optimizer=keras.optimizers.Adam,
            optimizer__learning_rate=keras.optimizers.schedules.ExponentialDecay,
            optimizer__learning_rate__initial_learning_rate=0.5,
            optimizer__learning_rate__decay_steps=10,
            optimizer__learning_rate__decay_rate=0.9,
        )
    )
    assert float(wanted.loss(np.zeros((1, 1)), np.full((1, 1), 9.0))) == 2 * (9 - 1)
    schedule = wanted.optimizer.get_config()["learning_rate"]["config"]
    assert schedule["initial_learning_rate"] == 0.5
    wanted = as_network(regressor(plain, optimizer="adam", optimizer__0=0.25))
    assert float(wanted.optimizer.learning_rate) == 0.25
    with pytest.warns(
        UserWarning, match="'compile__loss_weights', which has no effect"
    ):
        wanted = as_network(
            regressor(plain, compile__loss="mae", compile__loss_weights=2)
        )
    assert wanted.loss == "mae"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"optimizer": keras.optimizers.Adam(), "optimizer__learning_rate": 0.1},
            "routes 'learning_rate' to its optimizer, but optimizer is .*Adam object",
        ),
        (
            {"loss": "mse", "loss__delta": 0.1},
            "routes 'delta' to its loss, but loss is 'mse', which takes no parameters. "
            "Pass a class",
        ),
        ({"loss": ["mse"]}, r"is \['mse'\], but a network here has one output and one"),
        (
            {"optimizer": "adm", "optimizer__learning_rate": 0.1},
            "optimizer of the SciKeras KerasRegressor is 'adm', which is no optimizer",
        ),
    ],
)
def test_what_cannot_be_compiled(regressor, options, message):
    with pytest.raises(ValueError, match=message):
        as_network(regressor(plain, **options))


# -------------------------------------------------- how to train is the estimator's


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 3),
        ("batch_size", 8),
        ("callbacks", []),
        ("random_state", 0),
        ("verbose", 0),
        ("warm_start", True),
        ("metrics", ["mae"]),
        ("validation_split", 0.5),
        ("validation_batch_size", 8),
        ("shuffle", False),
        ("run_eagerly", True),
        ("fit__batch_size", 8),
        ("predict__verbose", 0),
        ("callbacks__patience", 3),
    ],
)
def test_what_the_estimator_decides(regressor, name, value):
    with pytest.warns(
        UserWarning,
        match=f"SciKeras KerasRegressor sets '{name}', which has no effect: how long",
    ):
        as_network(regressor(plain, **{name: value}))


def test_one_warning_names_all(regressor):
    with pytest.warns(UserWarning, match="sets 'epochs', 'verbose', which") as caught:
        as_network(regressor(plain, epochs=3, verbose=0))
    assert len(caught) == 1


def test_a_classifier_is_a_wrapper_like_any(wrappers):
    assert as_network(wrappers.KerasClassifier(plain)).optimizer == "rmsprop"


# ------------------------------------------------------------- pickles and imports


def test_descriptions(regressor):
    described = [
        digest(network_of(regressor(build, **options)))
        for options in ({}, {"model__units": 3}, {"model__units": 5})
    ]
    assert len(set(described)) == 3
    assert described[1] == digest(network_of(regressor(build, model__units=3)))


def test_networks_of_wrappers_pickle_without_scikeras(tmp_path):
    (tmp_path / "mine.py").write_text(
        "def build(meta, units=4):\n"
        "    import keras\n"
        "    layers = keras.layers\n"
        "    return keras.Sequential([layers.Dense(units, name='latent'),"
        " layers.Dense(meta['n_features_in_'])])\n"
    )
    make = (
        "import pickle, sys, mine\n"
        "from scikeras.wrappers import KerasRegressor\n"
        "from skae.networks._keras import as_network\n"
        "network = as_network(KerasRegressor(mine.build, model__units=3)).network\n"
        "sys.stdout.buffer.write(pickle.dumps(network))\n"
    )
    load = (
        "import pickle, sys\n"
        "network = pickle.loads(sys.stdin.buffer.read())\n"
        "assert not {'scikeras', 'keras'} & set(sys.modules)\n"
        "built = network.build((6,), (6,), None)\n"
        "print(built.encoder.output_shape)\n"
    )
    made = subprocess.run(
        [sys.executable, "-c", make], capture_output=True, cwd=tmp_path, check=True
    )
    read = subprocess.run(
        [sys.executable, "-c", load],
        input=made.stdout,
        capture_output=True,
        cwd=tmp_path,
        check=False,
    )
    assert read.returncode == 0, read.stderr.decode()
    assert read.stdout.strip() == b"(1, 3)"


# ----------------------------------------------------------- in an estimator


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 2)) @ rng.normal(size=(2, 6))


def told(meta, units=4):
    layers = keras.layers
    width = meta["n_features_in_"]
    return keras.Sequential([layers.Dense(units, name="latent"), layers.Dense(width)])


def transformer(network, **options):
    off = {"validation_fraction": None, "patience": None}
    options = {"epochs": 2, "random_state": 0, **off, **options}
    return AutoencoderTransformer(network=network, **options)


def test_search_over_the_routed_names_of_a_wrapper(X, regressor):
    wrapper = regressor(
        told, model__units=4, loss="mae", optimizer="adam", optimizer__learning_rate=0.1
    )
    grid = {
        "network__model__units": [2, 3],
        "network__optimizer__learning_rate": [1e-9, 0.1],
    }
    search = GridSearchCV(
        transformer(wrapper, epochs=5), grid, cv=2, scoring=reconstruction_score
    ).fit(X)
    assert search.best_params_["network__optimizer__learning_rate"] == 0.1
    best = search.best_estimator_
    assert best.n_components_ == search.best_params_["network__model__units"]
    assert wrapper.model__units == 4


def test_the_loss_of_a_wrapper_wins_unless_none(X, regressor):
    losses = {}
    for loss in (None, "mae"):
        wrapper = regressor(told, loss=loss, optimizer=None)
        estimator = transformer(wrapper, scaler=None, learning_rate=1e-9, epochs=1)
        estimator.fit(X)
        difference = X - estimator.reconstruct(X)
        expected = np.abs(difference) if loss == "mae" else difference**2
        losses[loss] = estimator.history_["loss"][0]
        np.testing.assert_allclose(losses[loss], expected.mean(), rtol=1e-4)
    assert losses[None] != losses["mae"]


def test_how_to_train_is_the_estimators(X, regressor):
    wrapper = regressor(told, epochs=7)
    with pytest.warns(UserWarning, match="sets 'epochs', which has no effect"):
        estimator = transformer(wrapper, epochs=2).fit(X)
    assert estimator.n_iter_ == 2


def test_a_routed_name_that_the_function_lacks(X, regressor):
    estimator = transformer(regressor(told))
    estimator.set_params(network__model__depth=2)
    with pytest.raises(ValueError, match="told, .*, does not accept 'depth'"):
        estimator.fit(X)


def test_fitted_with_a_wrapper_pickles(X, regressor):
    fitted = transformer(regressor(told, loss="mse")).fit(X)
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.transform(X), fitted.transform(X))
