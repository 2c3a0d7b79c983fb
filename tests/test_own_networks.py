"""Users' own Keras models in the estimators."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skae import (
    AutoencoderTransformer,
    DenoisingRegressor,
    KerasNetwork,
    ReconstructionOutlierDetector,
    reconstruction_score,
)
from skae.networks._quiet import import_quietly

import_quietly()

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

from skae._engine._keras._effects import side_effect  # noqa: E402
from skae._engine._keras._models import seeded_global_state  # noqa: E402

OPTIONS = {
    "epochs": 2,
    "validation_fraction": None,
    "patience": None,
    "random_state": 0,
}


class Tutorial(keras.Model):
    """A class as the tutorials write it."""

    def __init__(self, units=4, penalty=0.0):
        super().__init__()
        self.penalty = penalty
        self.encoder = stack(units, 2)
        self.decoder = stack(units, 6)

    def call(self, x):
        code = self.encoder(x)
        self.add_loss(self.penalty * keras.ops.mean(code**2))
        return self.decoder(code)


def stack(*widths):
    return keras.Sequential([keras.layers.Dense(n) for n in widths])


def pair(n_features, latent_dim=2, units=4):
    return stack(units, latent_dim), stack(units, n_features)


def functional():
    inputs = keras.Input((6,))
    code = keras.layers.Dense(2, name="latent")(inputs)
    return keras.Model(inputs, keras.layers.Dense(6)(code))


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 2)) @ rng.normal(size=(2, 6))


@pytest.fixture
def prebuilt():
    with seeded_global_state(99):
        return functional()


def transformer(network, **options):
    return AutoencoderTransformer(network=network, **{**OPTIONS, **options})


def test_a_class_in_every_estimator(X):
    network = KerasNetwork(Tutorial, units=3)
    codes = transformer(network).fit(X).transform(X)
    assert codes.shape == (60, 2)
    assert codes.dtype == np.float64
    regressor = DenoisingRegressor(network=network, **OPTIONS).fit(X, X)
    assert regressor.predict(X).shape == X.shape
    detector = ReconstructionOutlierDetector(
        None, network=network, threshold_on="train", **OPTIONS
    ).fit(X)
    assert (detector.predict(X) == -1).sum() == 6


def test_what_the_users_model_adds_to_the_loss(X):
    options = {"epochs": 1, "batch_size": 60}
    plain = transformer(KerasNetwork(Tutorial), **options).fit(X)
    penalised = transformer(KerasNetwork(Tutorial, penalty=10.0), **options).fit(X)
    assert penalised.history_["loss"][0] > plain.history_["loss"][0]


class Sampling(Tutorial):
    """Draws its codes in float32, as most of the web's examples do."""

    def call(self, x, training=False):
        code = self.encoder(x)
        noise = keras.random.normal((2,), seed=self.seeds, dtype="float32")
        self.add_loss(keras.ops.mean(code**2))
        return self.decoder(tf.add(code, noise if training else 0 * noise))

    @property
    def seeds(self):
        if not hasattr(self, "_seeds"):
            self._seeds = keras.random.SeedGenerator(0)
        return self._seeds


def test_a_model_that_computes_in_float32_alone(X):
    fitted = transformer(KerasNetwork(Sampling)).fit(X)
    again = clone(fitted).fit(X)
    assert fitted.history_ == again.history_
    assert fitted.reconstruct(X).dtype == np.float64
    assert np.array_equal(fitted.reconstruct(X), again.reconstruct(X))


def test_fits_depend_on_the_seed_alone(X):
    fitted = [
        transformer(KerasNetwork(pair), random_state=seed).fit(X) for seed in (0, 0, 1)
    ]
    one, again, other = (each.transform(X) for each in fitted)
    assert np.array_equal(one, again)
    assert not np.allclose(one, other)
    assert np.array_equal(one, clone(fitted[0]).fit(X).transform(X))


def test_search_over_the_functions_parameters(X):
    grid = {"network__units": [2, 3], "latent_dim": [1, 2]}
    search = GridSearchCV(
        transformer(KerasNetwork(pair)), grid, cv=2, scoring=reconstruction_score
    ).fit(X)
    best = search.best_estimator_
    assert search.best_params_["latent_dim"] == best.n_components_
    layers = best.to_keras().encoder.layers
    assert layers[0].units == search.best_params_["network__units"]
    assert best.get_params()["network__units"] == search.best_params_["network__units"]


def test_a_name_that_the_function_lacks(X):
    estimator = transformer(KerasNetwork(pair)).set_params(network__depth=2)
    with pytest.raises(ValueError, match="pair, .*, does not accept 'depth'"):
        estimator.fit(X)


def test_a_width_that_the_model_does_not_obey(X, prebuilt):
    with pytest.raises(ValueError, match="has a code of width 2, but latent_dim=3"):
        transformer(KerasNetwork(prebuilt), latent_dim=3).fit(X)


def test_what_is_built_stays_as_it_is(X, prebuilt):
    before = prebuilt.get_weights()
    network = KerasNetwork(prebuilt)
    first = transformer(network).fit(X)
    again = transformer(network).fit(X)
    assert all(map(np.array_equal, before, prebuilt.get_weights()))
    assert not prebuilt.compiled
    assert np.array_equal(first.transform(X), again.transform(X))
    assert first.to_keras() is not prebuilt


def test_keep_starts_from_the_models_weights(X, prebuilt):
    options = {"scaler": None, "epochs": 1, "learning_rate": 1e-9}
    kept = transformer(KerasNetwork(prebuilt, initial_weights="keep"), **options).fit(X)
    expected = prebuilt(X.astype(np.float32))
    np.testing.assert_allclose(kept.reconstruct(X), expected, rtol=1e-4, atol=1e-5)
    fresh = transformer(KerasNetwork(prebuilt), **options).fit(X)
    assert not np.allclose(fresh.reconstruct(X), expected, atol=0.1)


def test_fitted_estimators_pickle(X, prebuilt, tmp_path):
    """In a process that knows nothing of the test but the user's module."""
    (tmp_path / "mine.py").write_text(
        "def pair(n_features):\n"
        "    import keras\n"
        "    dense = keras.layers.Dense\n"
        "    return dense(2), dense(n_features)\n"
    )
    script = (
        "import pickle, sys, numpy as np\n"
        "X = np.load('X.npy')\n"
        "from skae import AutoencoderTransformer, KerasNetwork\n"
        "import mine\n"
        f"options = {OPTIONS!r}\n"
        "fitted = AutoencoderTransformer(network=KerasNetwork(mine.pair), **options)\n"
        "pickle.dump(fitted.fit(X), open('of_function.pkl', 'wb'))\n"
        "np.save('of_function.npy', fitted.transform(X))\n"
        "of_model = pickle.load(open('of_model.pkl', 'rb'))\n"
        "assert np.array_equal(of_model.transform(X), np.load('of_model.npy'))\n"
        "assert of_model.fit(X).transform(X).shape == (60, 2)\n"
    )
    np.save(tmp_path / "X.npy", X)
    fitted = transformer(KerasNetwork(prebuilt)).fit(X)
    np.save(tmp_path / "of_model.npy", fitted.transform(X))
    (tmp_path / "of_model.pkl").write_bytes(pickle.dumps(fitted))
    run(script, tmp_path)
    load = (
        "import pickle, sys, numpy as np\n"
        "fitted = pickle.load(open('of_function.pkl', 'rb'))\n"
        "assert not {'keras', 'mine'} - set(sys.modules) == set()\n"
        "codes = fitted.transform(np.load('X.npy'))\n"
        "assert np.array_equal(codes, np.load('of_function.npy'))\n"
    )
    run(load, tmp_path)


def run(script, folder):
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    assert done.returncode == 0, done.stderr


class OfGraph(keras.Model):
    """A class that is a functional model."""

    def __init__(self):
        keras.n_built += 1
        inputs = keras.Input((6,))
        code = keras.layers.Dense(2, name="latent")(inputs)
        super().__init__(inputs, keras.layers.Dense(6)(code))


class Counted(Tutorial):
    def __init__(self):
        keras.n_built += 1
        super().__init__()


class Derived(Counted):
    """A subclass, with noise and a variable of TensorFlow's own."""

    def build(self, input_shape):
        self.noise = keras.layers.GaussianNoise(0.1)
        self.n_calls = tf.Variable(0.0, trainable=False)

    def call(self, x, training=False):
        self.n_calls.assign_add(1.0)
        return super().call(self.noise(x, training=training))


class Stateful(Counted):
    """Does something in Python that a compiled program would not repeat."""

    n_calls = 0

    def call(self, x):
        self.n_calls += 1
        return super().call(x)


class Uncompilable(Counted):
    def call(self, x):
        output = super().call(x)
        return output if float(output[0, 0]) < 1e9 else x


def counted_pair(n_features):
    keras.n_built += 1
    return pair(n_features)


@pytest.fixture
def n_built(monkeypatch):
    """Return a function that counts the models built in a call.

    The number is in a module that is known by its version: no digest reads it.
    """
    from skae._engine._keras import _pool

    _pool.clear()
    monkeypatch.setattr(keras, "n_built", 0, raising=False)

    def n_built(function, *args):
        before = keras.n_built
        function(*args)
        return keras.n_built - before

    yield n_built
    _pool.clear()


@pytest.mark.parametrize(
    ("model", "with_memory", "dtype"),
    [
        (Counted, False, "float64"),
        (Counted, True, "float32"),
        (Derived, True, "float64"),
        (OfGraph, False, "float32"),
        (counted_pair, True, "float64"),
    ],
)
def test_a_model_is_built_once_a_fit(model, with_memory, dtype, X, n_built, tmp_path):
    """The same one says its range and its weights, is probed, trains and scores.

    Only float64 rows need another one, whose layers compute in float64.
    """
    X = X.astype(dtype)
    detector = ReconstructionOutlierDetector(
        network=KerasNetwork(model),
        memory=tmp_path if with_memory else None,
        **OPTIONS | {"patience": 1},
    )
    assert n_built(detector.fit, X) == (1 if dtype == "float32" else 2)
    first = detector.score_samples(X)
    # Compiled, or kept, by now: what is built says which program or network it is.
    assert n_built(detector.fit, X) == 1
    assert n_built(detector.score_samples, X) == 0
    assert np.array_equal(detector.score_samples(X), first)
    assert n_built(clone(detector).set_params(random_state=1).fit, X) == 1
    assert n_built(detector.score_samples, X[:3]) == 0


@pytest.mark.parametrize("model", [Stateful, Uncompilable])
def test_a_model_that_runs_uncompiled_is_not_built_again(model, X, n_built):
    estimator = transformer(KerasNetwork(model))
    with pytest.warns(UserWarning, match="trains uncompiled"):
        assert n_built(estimator.fit, X) == 2
    codes = estimator.transform(X)
    with pytest.warns(UserWarning, match="trains uncompiled"):
        assert n_built(estimator.fit, X) == 1
    assert np.array_equal(estimator.transform(X), codes)


def test_finding_a_side_effect_leaves_no_trace():
    class Remembers(Tutorial):
        def __init__(self):
            super().__init__()
            self.seen, self.n_calls, self.sizes = [], 0, (1, [2])
            self.total = np.zeros(1)
            self.steps = tf.Variable(0.0, trainable=False)
            self.norm = keras.layers.BatchNormalization()

        def call(self, x, training=False):
            self.n_calls += 1
            self.seen.append(self.n_calls)
            self.sizes[1].append(3)
            self.total += 1
            self.steps.assign_add(1.0)
            return super().call(self.norm(x, training=training))

    def state(model):
        of_python = [model.n_calls, [*model.seen], [*model.sizes[1]], model.total[0]]
        return of_python, float(model.steps), [w.tolist() for w in model.get_weights()]

    with seeded_global_state(0):
        model = Remembers()
        model(np.ones((1, 6), np.float32))
        before = state(model)
        assert "'seen' of Remembers" in side_effect(model, (6,))
    assert state(model) == before
    assert isinstance(model.sizes, tuple)


def test_memory(X, prebuilt, tmp_path):
    trained = []

    def counted(n_features, latent_dim=2, units=4):
        return pair(n_features, latent_dim, units)

    def fit(network):
        estimator = transformer(network, memory=tmp_path).fit(X)
        trained.append(estimator.transform(X))
        return len(list(tmp_path.rglob("entry.npz")))

    assert fit(KerasNetwork(counted)) == 1
    assert fit(KerasNetwork(counted)) == 1
    assert fit(KerasNetwork(counted, units=3)) == 2
    assert fit(KerasNetwork(prebuilt)) == 3
    assert fit(KerasNetwork(prebuilt)) == 3
    assert fit(KerasNetwork(prebuilt, initial_weights="keep")) == 4
    assert np.array_equal(trained[0], trained[1])
    assert np.array_equal(trained[3], trained[4])
