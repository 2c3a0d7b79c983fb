"""The trained autoencoder as a value: it pickles, and scores without TensorFlow."""

import pickle
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mean_squared_error, r2_score
from sklearn.preprocessing import RobustScaler

from skae import DenseNetwork, ReconstructionOutlierDetector
from skae import _engine as engine
from skae._autoencoder import Autoencoder
from skae._autoencoder._value import blocks
from skae._row_errors import Scorer, check_error
from skae._scalers import fitted_scaler

FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def made(
    X, y=None, *, latent_dim=3, network=None, scaler="standard", target_scaler="minmax"
):
    """Return an autoencoder that is not trained, for rows X (and targets y)."""
    network = DenseNetwork((8, 6), "tanh") if network is None else network
    output_shape = (X if y is None else y).shape[1:]
    shapes = X.shape[1:], output_shape, latent_dim
    rng = np.random.default_rng(0)
    architecture = engine.Architecture(network, *shapes)
    weights = engine.initial_weights(architecture, seed=0)
    weights = [w + 0.1 * rng.normal(size=w.shape).astype(np.float32) for w in weights]
    scaler = fitted_scaler(scaler, X)
    other = scaler if y is None else fitted_scaler(target_scaler, y)
    forward = engine.TrainedNetwork(architecture, weights, (latent_dim,))
    return Autoencoder(forward, scaler, other, {"loss": [1.0]})


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(300, 7)) * 5 + 3


# ---------------------------------------------------------------------- values


@FLOATS
@pytest.mark.parametrize("shape", [(7,), (4, 3), (3, 2, 2)])
@pytest.mark.parametrize("scaler", ["standard", "minmax", None, RobustScaler()])
def test_shapes_dtypes_and_identities(shape, scaler, dtype):
    X = np.random.default_rng(0).normal(size=(40, *shape)).astype(dtype)
    before = X.copy()
    value = made(X, scaler=scaler)
    codes = value.encode(X)
    assert value.width == 3
    assert codes.shape == (40, 3)
    assert value.reconstruct(X).shape == X.shape
    assert codes.dtype == value.decode(codes).dtype == value.reconstruct(X).dtype
    assert codes.dtype == dtype
    assert np.array_equal(value.decode(codes), value.reconstruct(X))
    scaled = value.scaler.transform(X)
    np.testing.assert_allclose(
        value.scaler.inverse_transform(value.reconstruct_scaled(scaled)),
        value.reconstruct(X),
        rtol=1e-6,
    )
    assert np.array_equal(X, before)


def test_outputs_can_have_a_shape_and_units_of_their_own(X):
    y = 1000 + X[:, :4].reshape(-1, 2, 2)
    value = made(X, y, scaler="standard")
    assert value.reconstruct(X).shape == y.shape
    scaled = value.reconstruct_scaled(value.scaler.transform(X))
    expected = value.target_scaler.inverse_transform(scaled)
    np.testing.assert_allclose(value.reconstruct(X), expected)


def test_float64_rows_do_not_depend_on_their_company(X):
    value = made(X)
    for method in (value.encode, value.reconstruct):
        alone = np.vstack([method(X[i : i + 1]) for i in range(len(X))])
        np.testing.assert_allclose(alone, method(X), rtol=1e-12, atol=1e-12)
        shuffled = np.random.default_rng(0).permutation(len(X))
        np.testing.assert_allclose(method(X[shuffled]), method(X)[shuffled], rtol=1e-11)


def test_float32_is_as_exact_as_float32_can_be(X):
    value = made(X)
    np.testing.assert_allclose(
        value.reconstruct(X.astype(np.float32)), value.reconstruct(X), atol=1e-4
    )


@pytest.mark.parametrize("method", ["encode", "reconstruct"])
def test_results_that_a_dtype_does_not_hold_raise(X, method):
    if method == "reconstruct":
        value, rows = made(1e41 * X), np.full((3, 7), 3e38, np.float32)
        dtype, advice = "float32", "float64"
    else:
        value, rows = made(X, network=DenseNetwork((8,))), np.full((3, 7), 1e308)
        value.weights[0][...] = 1e20
        dtype, advice = "float64", "smaller"
    message = rf"{dtype} does not hold the results of rows .* Pass {advice} values"
    with pytest.raises(ValueError, match=message):
        getattr(value, method)(rows)


@pytest.mark.parametrize("shape", [(7,), (4, 3)])
def test_it_computes_what_its_keras_model_does(shape):
    X = np.random.default_rng(0).normal(size=(20, *shape)).astype(np.float32)
    value = made(X)
    model = value.to_keras()
    scaled = value.scaler.transform(X)
    np.testing.assert_allclose(model.encoder(scaled), value.encode(X), atol=1e-5)
    np.testing.assert_allclose(
        model(scaled), value.reconstruct_scaled(scaled), atol=1e-5
    )
    assert all(map(np.array_equal, model.get_weights(), value.weights))


# -------------------------------------------------------------------- goodness


@FLOATS
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("targets", [False, True])
def test_goodness_is_that_of_scikit_learn(X, dtype, weighted, targets):
    X = X.astype(dtype)
    y = X[:, :4] ** 2 if targets else None
    weight = np.random.default_rng(0).random(len(X)) if weighted else None
    value = made(X, y)
    mse, r2 = value.goodness(X, y, weight)
    truth, output = X if y is None else y, value.reconstruct(X)
    params = {"sample_weight": weight}
    assert mse == pytest.approx(mean_squared_error(truth, output, **params), rel=1e-5)
    expected = r2_score(truth, output, multioutput="variance_weighted", **params)
    assert r2 == pytest.approx(expected, abs=1e-5)
    assert type(mse) is type(r2) is float


def test_goodness_of_nd_rows_is_that_of_flattened_ones():
    X = np.random.default_rng(0).normal(size=(50, 3, 2))
    value = made(X)
    flat, output = X.reshape(50, -1), value.reconstruct(X).reshape(50, -1)
    expected = r2_score(flat, output, multioutput="variance_weighted")
    assert value.goodness(X)[1] == pytest.approx(expected)


@pytest.mark.parametrize("level", [0.0, 0.1, 1e9 / 3])
def test_constant_rows_have_no_variance_to_explain(level):
    """A mean that is off by rounding would make a huge negative R²."""
    X = np.full((37, 3), level)
    weight = np.random.default_rng(0).random(37)
    wrong, right = made(X), made(X)
    assert wrong.goodness(X, weight=weight)[1] == 0
    right.forward.weights = [np.zeros_like(w) for w in right.weights]
    mse, r2 = right.goodness(X, weight=weight)
    assert mse <= (1e-15 * level) ** 2
    assert r2 == (1 if mse == 0 else 0)


# ---------------------------------------------------------------------- blocks


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 5000), st.integers(1, 10**7))
def test_blocks_cover_every_row_once(n, row_size):
    covered = [row for rows in blocks(n, row_size) for row in range(n)[rows]]
    assert covered == list(range(n))


@pytest.mark.parametrize("block_size", [1, 7 * 50, 7 * 100, 1 << 30])
def test_results_do_not_depend_on_the_size_of_blocks(X, block_size):
    y = X[:, :2]
    value, pair = made(X), made(X, y)
    codes = value.encode(X)

    def results():
        return [
            value.encode(X),
            value.decode(codes),
            value.reconstruct(X),
            np.array(value.goodness(X)),
            pair.reconstruct(X),
            np.array(pair.goodness(X, y, np.arange(300.0))),
        ]

    expected = results()
    value.block_size = pair.block_size = block_size
    for found, one in zip(results(), expected, strict=True):
        np.testing.assert_allclose(found, one, rtol=1e-11, atol=1e-12)


@pytest.fixture
def in_threads(monkeypatch):
    """A list that grows by the number of blocks whenever threads share them."""
    lists, run = [], engine.run_in_threads

    def counted(tasks):
        lists.append(len(tasks))
        run(tasks)

    monkeypatch.setattr(engine, "run_in_threads", counted)
    return lists


@FLOATS
def test_threads_share_many_blocks_and_change_no_bit(X, in_threads, dtype):
    X, value = X.astype(dtype), made(X)
    scorer = Scorer([value], check_error("mse", "mse", None))
    codes, value.block_size = value.encode(X), 1

    def results():
        return [
            value.encode(X),
            value.decode(codes),
            value.reconstruct(X),
            scorer.errors(X),
            scorer.feature_errors(X),
        ]

    shared = results()
    assert in_threads == [10] * 5  # blocks of 32 rows
    value.many_blocks = 11
    for found, alone in zip(shared, results(), strict=True):
        assert np.array_equal(found, alone)
    assert len(in_threads) == 5


def test_users_scalers_stay_in_one_thread(X, in_threads):
    value = made(X, scaler=RobustScaler())
    value.block_size = 1
    value.reconstruct(X)
    assert in_threads == []


@pytest.mark.parametrize("units", [(16,), (4096,)])
def test_scoring_takes_little_memory(units):
    """Also where hidden layers are much wider than the rows."""
    X = np.zeros((5000, 4), np.float32)
    value = made(X, network=DenseNetwork(units), scaler=None)
    value.encode(X[:2])  # the weights' casts are made once
    for method in (value.encode, value.reconstruct, value.goodness):
        tracemalloc.start()
        method(X)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 20e6  # a hidden layer of 4096 units for all rows takes 82e6


# -------------------------------------------------------------------- pickling


def test_a_pickle_is_exact_and_keeps_one_scaler_one(X):
    value = made(X)
    expected = value.reconstruct(X)
    again = pickle.loads(pickle.dumps(value))
    assert np.array_equal(again.reconstruct(X), expected)
    assert again.scaler is again.target_scaler
    assert again.history == value.history
    assert len(pickle.dumps(value)) == len(pickle.dumps(made(X)))  # no casts inside


FRESH_PROCESS = """
import pickle, sys
import numpy as np, sklearn.base, sklearn.utils.validation
before = set(sys.modules)
X, detector, expected = pickle.load(open(sys.argv[1], "rb"))
value = detector.autoencoder_
found = [value.encode(X), value.reconstruct(X), detector.score_samples(X)]
found += [detector.predict(X), value.reconstruct(X.astype(np.float32))]
assert all(map(np.array_equal, found, expected))
for package in {"filelock", "matplotlib", "pooch", "skae._engine._train",
                "skae._engine._digest", "skae._autoencoder._memory",
                "skae.networks._keras._network", "skae._engine._numpy",
                "sklearn.metrics", "sklearn.model_selection",
                "sklearn.pipeline", "sklearn.preprocessing"} - before:
    assert package not in sys.modules, package
assert repr(detector) and detector._repr_html_()
assert detector.explain(X[:2]).shape == (10, 7)
assert not {"tensorflow", "keras"} & set(sys.modules)
"""


def test_a_fresh_process_computes_the_same_bits_without_tensorflow(X, tmp_path):
    detector = ReconstructionOutlierDetector(3, epochs=2, random_state=0).fit(X)
    value = detector.autoencoder_
    expected = [value.encode(X), value.reconstruct(X), detector.score_samples(X)]
    expected += [detector.predict(X), value.reconstruct(X.astype(np.float32))]
    with open(tmp_path / "fitted.pkl", "wb") as file:
        pickle.dump((X, detector, expected), file)
    done = subprocess.run(
        [sys.executable, "-c", FRESH_PROCESS, str(tmp_path / "fitted.pkl")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
