"""Every family of networks in every estimator, on the shapes that it takes."""

import math
import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest
from joblib.externals.loky import get_reusable_executor
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from skae import (
    AutoencoderTransformer,
    ConvNetwork,
    DenoisingRegressor,
    DenseNetwork,
    GaussianNoise,
    KerasNetwork,
    ReconstructionOutlierDetector,
    RecurrentNetwork,
    VariationalNetwork,
    reconstruction_score,
)

USERS_CODE = '''
import keras


class AnomalyDetector(keras.Model):
    """A class as TensorFlow's tutorial has it."""

    def __init__(self, n_features, units=8):
        super().__init__()
        dense = keras.layers.Dense
        self.encoder = keras.Sequential([dense(units, "relu"), dense(2)])
        self.decoder = keras.Sequential([dense(units, "relu"), dense(n_features)])

    def call(self, x):
        return self.decoder(self.encoder(x))


def build(n_features, latent_dim=3, units=8):
    """A functional model with a layer named latent."""
    inputs = keras.Input((n_features,))
    x = keras.layers.Dense(units, "relu")(inputs)
    x = keras.layers.Dense(latent_dim, name="latent")(x)
    x = keras.layers.Dense(units, "relu")(x)
    return keras.Model(inputs, keras.layers.Dense(n_features)(x))
'''


@pytest.fixture(scope="module")
def users_folder(tmp_path_factory):
    """A folder with the module ``users_code``, from which worker processes import."""
    folder = tmp_path_factory.mktemp("users")
    (folder / "users_code.py").write_text(USERS_CODE)
    return folder


@pytest.fixture
def users_code(users_folder, monkeypatch):
    from skae.networks._quiet import import_quietly

    import_quietly()
    monkeypatch.syspath_prepend(str(users_folder))
    import users_code

    yield users_code
    sys.modules.pop("users_code", None)


def network(name, users_code):
    """Return (a network of a family, the shape of rows that it takes)."""
    return {
        "conv": lambda: (ConvNetwork((4, 2)), (7, 6, 1)),
        "conv series": lambda: (ConvNetwork((4,)), (9, 2)),
        "conv 2-D": lambda: (ConvNetwork((4,), input_shape=(4, 4, 1)), (16,)),
        "lstm": lambda: (RecurrentNetwork((4,)), (3, 2)),
        "gru both ways": lambda: (
            RecurrentNetwork((3,), cell="gru", bidirectional=True),
            (3, 1),
        ),
        "variational": lambda: (VariationalNetwork(DenseNetwork((8,))), (6,)),
        "variational conv": lambda: (VariationalNetwork(ConvNetwork((4,))), (4, 4, 1)),
        "tied": lambda: (
            DenseNetwork((8,), tied_weights=True, normalization="batch", dropout=0.1),
            (6,),
        ),
        "class": lambda: (KerasNetwork(users_code.AnomalyDetector), (6,)),
        "function": lambda: (KerasNetwork(users_code.build, units=5), (6,)),
    }[name]()


FAMILIES = pytest.mark.parametrize(
    "name",
    [
        "conv",
        "conv series",
        "conv 2-D",
        "lstm",
        "gru both ways",
        "variational",
        "variational conv",
        "tied",
        "class",
        "function",
    ],
)


def rows(shape, n=50):
    return np.random.default_rng(0).normal(size=(n, *shape)) * 2 + 1


def made(cls, network, **params):
    if cls is DenoisingRegressor:
        params["corruption"] = GaussianNoise(0.1)
    options = {"latent_dim": None, "epochs": 3, "batch_size": 16, "random_state": 0}
    return cls(network=network, **{**options, **params})


def output(estimator, X):
    for method in ("score_samples", "transform", "predict"):
        if hasattr(estimator, method):
            return getattr(estimator, method)(X)
    raise AssertionError(f"{estimator} computes nothing")


@FAMILIES
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_transformer_of_every_family(name, dtype, users_code):
    described, shape = network(name, users_code)
    X = rows(shape).astype(dtype)
    transformer = made(AutoencoderTransformer, described)
    codes = transformer.fit_transform(X)
    assert codes.shape == (50, transformer.n_components_)
    assert np.prod(transformer.latent_shape_) == transformer.n_components_
    back = transformer.inverse_transform(codes)
    assert back.shape == X.shape
    assert codes.dtype == back.dtype == dtype
    band = 1e-4 if dtype == np.float32 else 1e-6
    np.testing.assert_allclose(back, transformer.reconstruct(X), rtol=band, atol=band)
    # Neither the other rows nor their order matter.
    order = np.random.default_rng(1).permutation(50)
    np.testing.assert_allclose(
        transformer.transform(X[order]), codes[order], rtol=band, atol=1e-6
    )
    one_by_one = np.concatenate([transformer.transform(row[np.newaxis]) for row in X])
    np.testing.assert_allclose(one_by_one, codes, rtol=band, atol=1e-6)
    again = clone(transformer).fit(X)
    np.testing.assert_array_equal(again.transform(X), codes)
    assert transformer.history_["loss"] == again.history_["loss"]


@FAMILIES
def test_float64_rows_are_computed_in_float64(name, users_code):
    """Row by row equals all at once to what scikit-learn's checks ask for."""
    described, shape = network(name, users_code)
    X = rows(shape)
    detector = made(ReconstructionOutlierDetector, described).fit(X)
    scores = detector.score_samples(X)
    alone = np.concatenate([detector.score_samples(row[np.newaxis]) for row in X])
    np.testing.assert_allclose(alone, scores, atol=1e-7)
    np.testing.assert_allclose(
        detector.feature_errors(X).reshape(50, -1).sum(axis=1), -scores, rtol=1e-9
    )
    assert set(detector.predict(X)) == {-1, 1}


@FAMILIES
def test_a_denoiser_of_every_family(name, users_code):
    described, shape = network(name, users_code)
    X = rows(shape)
    noisy = X + np.random.default_rng(1).normal(scale=0.1, size=X.shape)
    paired = made(DenoisingRegressor, described).set_params(corruption=None)
    assert paired.fit(noisy, X).predict(noisy).shape == X.shape
    alone = made(DenoisingRegressor, described).fit(X)
    assert np.isfinite(alone.score(X))
    scores = cross_val_score(alone, X, X, cv=2)
    assert np.isfinite(scores).all()


@FAMILIES
def test_keras_gives_the_same(name, users_code):
    described, shape = network(name, users_code)
    X = rows(shape)
    transformer = made(AutoencoderTransformer, described).fit(X)
    scaled = transformer.scaler_.transform(X).astype(np.float32)
    model = transformer.to_keras()
    expected = transformer.scaler_.transform(transformer.reconstruct(X))
    np.testing.assert_allclose(model(scaled), expected, rtol=1e-3, atol=1e-4)
    codes = np.reshape(model.encoder(scaled), (50, -1))
    np.testing.assert_allclose(codes, transformer.transform(X), rtol=1e-3, atol=1e-4)


@FAMILIES
def test_training_goes_on(name, users_code):
    described, shape = network(name, users_code)
    X = rows(shape)
    transformer = made(AutoencoderTransformer, described, warm_start=True).fit(X)
    first = transformer.history_["loss"]
    assert transformer.fit(X).history_["loss"][0] < first[0]
    passes = made(AutoencoderTransformer, described)
    for n in (1, 2, 3):
        assert passes.partial_fit(X).n_iter_ == n
    assert passes.history_["loss"][2] < passes.history_["loss"][0]


FRESH_PROCESS = """
    import pickle, sys
    import numpy as np

    with open(sys.argv[1], "rb") as file:
        in_numpy, fitted = pickle.load(file)
    for name, (detector, X, expected) in pickle.loads(in_numpy).items():
        assert np.allclose(detector.score_samples(X), expected, rtol=1e-9), name
        assert detector.fit(X).n_iter_ == 3
    assert not {"tensorflow", "keras"} & set(sys.modules)
    fitted = pickle.loads(fitted)
    for name, (estimator, X, expected) in fitted.items():
        assert np.allclose(estimator.score_samples(X), expected, rtol=1e-9), name
    assert fitted["conv"][0].fit(fitted["conv"][1]).n_iter_ == 3
"""


def test_every_family_pickles_into_a_fresh_process(users_code, users_folder, tmp_path):
    fitted = {}
    for name in FAMILIES.args[1]:
        described, shape = network(name, users_code)
        X = rows(shape)
        detector = made(ReconstructionOutlierDetector, described).fit(X)
        fitted[name] = detector, X, detector.score_samples(X)
    in_numpy = {name: fitted[name] for name in ("conv", "conv series", "conv 2-D")}
    pair = pickle.dumps(in_numpy), pickle.dumps(fitted)
    (tmp_path / "fitted.pkl").write_bytes(pickle.dumps(pair))
    path = str(tmp_path / "fitted.pkl")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(FRESH_PROCESS), path],
        capture_output=True,
        text=True,
        check=False,
        cwd=users_folder,
    )
    assert done.returncode == 0, done.stderr


# ------------------------------------------------------------------------- searches


def test_a_search_over_filters_and_latent_dim():
    X = rows((6, 6, 1), n=40)
    search = GridSearchCV(
        AutoencoderTransformer(
            network=ConvNetwork(), epochs=2, memory=None, random_state=0
        ),
        {"network__filters": [(2,), (4, 2)], "latent_dim": [None, 3]},
        cv=2,
        error_score="raise",
    ).fit(X)
    assert len(search.cv_results_["params"]) == 4
    best = search.best_estimator_
    assert best.transform(X).shape[1] == best.n_components_
    widths = {
        (filters, latent_dim): AutoencoderTransformer(
            latent_dim, network=ConvNetwork(filters), epochs=1
        )
        .fit(X)
        .n_components_
        for filters in ((2,), (4, 2))
        for latent_dim in (None, 3)
    }
    expected = {((2,), None): 18, ((4, 2), None): 8, ((2,), 3): 3, ((4, 2), 3): 3}
    assert widths == expected


def test_a_search_over_the_routed_names_of_a_scikeras_wrapper(users_code):
    from scikeras.wrappers import KerasRegressor

    X = rows((6,))
    wrapper = KerasRegressor(users_code.build, loss="mae", optimizer="adam")
    search = GridSearchCV(
        AutoencoderTransformer(network=wrapper, epochs=2, random_state=0),
        {
            "network__model__units": [4, 8],
            "network__optimizer__learning_rate": [1e-3, 1e-2],
            "latent_dim": [2, 4],
        },
        cv=2,
        scoring=reconstruction_score,
        error_score="raise",
    ).fit(X)
    scores = search.cv_results_["mean_test_score"]
    assert np.unique(scores).size == 8
    best = search.best_estimator_
    assert best.n_components_ == search.best_params_["latent_dim"]
    units = search.best_params_["network__model__units"]
    assert best.autoencoder_.weights[0].shape == (6, units)


def test_a_search_over_a_functions_parameters_in_two_processes(users_code):
    # Workers that an earlier test started do not know the folder of users_code.
    get_reusable_executor().shutdown(wait=True)
    search = GridSearchCV(
        made(AutoencoderTransformer, KerasNetwork(users_code.build)),
        {"network__units": [4, 8]},
        cv=2,
        n_jobs=2,
        error_score="raise",
    ).fit(rows((6,)))
    assert search.best_params_["network__units"] in (4, 8)


def test_float32_images_of_the_tutorials_size(users_code):
    """TensorFlow has other kernels for them, which refuse to see no rows at all."""
    X = np.random.default_rng(0).uniform(size=(40, 28, 28, 1)).astype(np.float32)
    network = ConvNetwork((16, 8), latent_activation="relu")
    denoiser = DenoisingRegressor(network=network, epochs=1, random_state=0)
    assert denoiser.fit(X, X).predict(X[:3]).shape == (3, 28, 28, 1)
    transformer = AutoencoderTransformer(network=network, epochs=1).fit(X)
    assert transformer.latent_shape_ == (7, 7, 8)
    codes = transformer.transform(X)
    assert transformer.inverse_transform(codes).dtype == np.float32


def test_images_in_a_pipeline_of_tables():
    X = pd.DataFrame(rows((16,)), index=range(100, 150)).add_prefix("pixel")
    y = (X["pixel0"] > 1).to_numpy()
    pipe = make_pipeline(
        AutoencoderTransformer(
            network=ConvNetwork((4,), input_shape=(4, 4, 1)), epochs=2, random_state=0
        ).set_output(transform="pandas"),
        LogisticRegression(),
    ).fit(X, y)
    codes = pipe[0].transform(X)
    assert list(codes.index) == list(range(100, 150))
    assert pipe.predict(X).shape == (50,)
    detector = ReconstructionOutlierDetector(
        network=RecurrentNetwork((4,), input_shape=(8, 2)), epochs=2, random_state=0
    ).fit(X)
    table = detector.explain(X, top_k=2)
    assert set(table["feature"]) <= set(X.columns)


# ------------------------------------------------------------- scikit-learn's checks


def one_layer(n_features, output_shape, latent_dim=2):
    """Build the smallest functional model there is, for targets of any shape."""
    from skae.networks._quiet import import_quietly

    import_quietly()
    import keras

    inputs = keras.Input((n_features,))
    x = keras.layers.Dense(latent_dim, name="latent")(inputs)
    x = keras.layers.Dense(math.prod(output_shape))(x)
    return keras.Model(inputs, keras.layers.Reshape(output_shape)(x))


def expected_failures(estimator):
    return {
        "check_sample_weight_equivalence_on_dense_data": (
            "training goes in mini-batches, whose composition changes when rows are "
            "repeated; test_weights_equal_repeated_rows_in_one_batch stands in"
        )
    }


@pytest.mark.draws_globally("scikit-learn's checks shuffle with numpy.random")
# The checks pass labels of classes, of which the detector says that none is -1.
@pytest.mark.filterwarnings("ignore:y holds the labels:UserWarning")
@parametrize_with_checks(
    [
        AutoencoderTransformer(
            network=ConvNetwork((2,), input_shape=(-1, 1)), epochs=20
        ),
        ReconstructionOutlierDetector(
            network=VariationalNetwork(DenseNetwork((8,))), latent_dim=2, epochs=20
        ),
        # Trained by Keras, as recurrent networks are, which take several times as long.
        DenoisingRegressor(network=KerasNetwork(one_layer), latent_dim=8, epochs=60),
    ],
    expected_failed_checks=expected_failures,
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


# --------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("network", "X", "message"),
    [
        (ConvNetwork(), rows((784,), 5), r"input_shape=\(28, 28, 1\)"),
        (ConvNetwork(input_shape=(5, 5, 1)), rows((16,)), "does not fit the rows"),
        (RecurrentNetwork(), rows((9,)), "input_shape"),
        (DenseNetwork, rows((6,)), r"Pass an instance, DenseNetwork\(\)"),
        (one_layer, rows((6,)), r"Wrap a Keras model, class or function: KerasNetwork"),
        ("dense", rows((6,)), "must be a network description, a SciKeras wrapper or"),
    ],
)
def test_what_does_not_fit_is_said(network, X, message):
    with pytest.raises(ValueError, match=message):
        AutoencoderTransformer(network=network, epochs=1).fit(X)


def test_an_output_of_another_size_is_said(users_code):
    import keras

    def build():
        dense = keras.layers.Dense
        return keras.Sequential([dense(2)]), keras.Sequential([dense(4)])

    with pytest.raises(ValueError, match=r"returns rows of shape \(4,\), but the rows"):
        made(AutoencoderTransformer, KerasNetwork(build)).fit(rows((6,)))


def test_a_width_that_is_not_obeyed_is_said(users_code):
    network = KerasNetwork(users_code.AnomalyDetector)
    message = r"has a code of width 2, but latent_dim=5\. Pass latent_dim=None for"
    with pytest.raises(ValueError, match=message):
        made(AutoencoderTransformer, network, latent_dim=5).fit(rows((6,)))


def test_a_model_without_a_latent_layer_is_said(users_code):
    import keras

    def build(n_features):
        inputs = keras.Input((n_features,))
        return keras.Model(inputs, keras.layers.Dense(n_features, name="last")(inputs))

    with pytest.raises(ValueError, match="latent"):
        made(AutoencoderTransformer, KerasNetwork(build)).fit(rows((6,)))


def test_a_sigmoid_of_the_users_needs_data_in_its_range(users_code):
    import keras

    def build(n_features):
        dense = keras.layers.Dense
        return (
            keras.Sequential([dense(2)]),
            keras.Sequential([dense(n_features, "sigmoid")]),
        )

    message = r"gives values in \[0, 1\], but the data after scaling .*'minmax'"
    estimator = made(AutoencoderTransformer, KerasNetwork(build))
    with pytest.raises(ValueError, match=message):
        estimator.fit(rows((6,)))
    assert estimator.set_params(scaler="minmax").fit(rows((6,))).n_components_ == 2
