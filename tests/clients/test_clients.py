"""skae in the hands of other packages; docs/guide/with.md shows more of them."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingGridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import (
    AutoencoderTransformer,
    ConvNetwork,
    DenoisingRegressor,
    DenseNetwork,
    ReconstructionOutlierDetector,
    make_heartbeats,
    reconstruction_score,
)

QUICK = {"epochs": 2, "random_state": 0}
X = np.random.default_rng(0).normal(size=(120, 6))
NAMES = list("abcdef")


@pytest.fixture(scope="module")
def detector():
    return ReconstructionOutlierDetector(**QUICK).fit(X)


# --------------------------------------------------------------------------- frames


@pytest.fixture
def polars():
    return pytest.importorskip("polars", reason="polars is in skae[clients]")


def test_frames_of_polars_come_back(polars):
    """From whatever rows, by `set_output` and by scikit-learn's configuration."""
    frame = polars.DataFrame(X, schema=NAMES)
    names = ["autoencodertransformer0", "autoencodertransformer1"]
    transformer = AutoencoderTransformer(2, **QUICK)
    expected = transformer.fit_transform(X)
    asked = clone(transformer).set_output(transform="polars")
    for rows in (frame, X, pd.DataFrame(X, columns=NAMES)):
        codes = asked.fit(rows).transform(rows)
        assert isinstance(codes, polars.DataFrame)
        assert codes.columns == names
        np.testing.assert_array_equal(codes.to_numpy(), expected)
        rows = asked.inverse_transform(codes)
        np.testing.assert_array_equal(rows, transformer.inverse_transform(expected))
    with sklearn.config_context(transform_output="polars"):
        codes = AutoencoderTransformer(2, scaler=StandardScaler(), **QUICK)
        assert codes.fit_transform(X).columns == names
        pipe = make_pipeline(StandardScaler(), ReconstructionOutlierDetector(**QUICK))
        assert pipe.fit(frame).predict(frame).shape == (120,)


def test_frames_of_polars_between_steps(polars):
    frame = polars.DataFrame(X, schema=NAMES)
    steps = [
        ("codes", AutoencoderTransformer(2, **QUICK), ["a", "b", "c"]),
        ("kept", "passthrough", ["d"]),
    ]
    columns = ColumnTransformer(steps, verbose_feature_names_out=False)
    pipe = make_pipeline(columns, AutoencoderTransformer(1, **QUICK))
    codes = pipe.set_output(transform="polars").fit_transform(frame)
    assert codes.columns == ["autoencodertransformer0"]
    assert [*pipe[-1].feature_names_in_] == [
        "autoencodertransformer0",
        "autoencodertransformer1",
        "d",
    ]


def test_imputed_rows_are_frames_of_polars(polars):
    """A null is a missing entry, of integers, too."""
    frame = polars.DataFrame(X, schema=NAMES).with_columns(
        a=polars.when(polars.int_range(120) < 5).then(None).otherwise(7)
    )
    transformer = AutoencoderTransformer(2, allow_nan=True, **QUICK).fit(frame)
    filled = transformer.set_output(transform="polars").impute(frame)
    assert filled.columns == NAMES
    assert filled.null_count().sum_horizontal().item() == 0
    assert filled["a"][5:].to_list() == [7.0] * 115
    assert (filled["a"][:5] - 7).abs().max() < 1


def test_targets_labels_and_weights_of_polars(polars):
    frame = polars.DataFrame(X, schema=NAMES)
    labels = polars.Series([-1] * 10 + [1] * 110)
    weight = polars.Series([1.0] * 120)
    detector = ReconstructionOutlierDetector(**QUICK).fit(frame, labels, weight)
    expected = ReconstructionOutlierDetector(**QUICK).fit(X, labels.to_numpy())
    np.testing.assert_array_equal(detector.predict(frame), expected.predict(X))
    assert set(detector.explain(frame)["feature"]) == set(NAMES)
    denoiser = DenoisingRegressor(**QUICK).fit(frame, frame)
    expected = DenoisingRegressor(**QUICK).fit(X, X).score(X, X)
    assert denoiser.score(frame, frame) == expected


def test_tables_of_pyarrow_have_names():
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is in skae[clients]")
    table = pyarrow.table(dict(zip(NAMES, X.T, strict=True)))
    transformer = AutoencoderTransformer(2, **QUICK).fit(table)
    assert [*transformer.feature_names_in_] == NAMES
    with pytest.raises(ValueError, match="feature names should match"):
        transformer.transform(table.select(NAMES[::-1]))


# ----------------------------------------------------------- series of aeon, sktime


def beats(n_channels):
    """Return series of so many channels, (n, time steps, channels)."""
    made, _ = make_heartbeats(n_samples=40, random_state=0)
    return np.stack([np.roll(made, 7 * i) for i in range(n_channels)], axis=-1)


@pytest.mark.parametrize("n_channels", [1, 2, 5])
def test_time_as_the_last_axis_is_hinted_at(n_channels):
    """Not where the network says what its rows are, or where they are in order."""
    series = beats(n_channels)
    turned = np.swapaxes(series, 1, 2)
    message = (
        f"Rows of shape \\({n_channels}, 140\\) are read as {n_channels} time steps of "
        f"140 channels, but look like {n_channels} channels of 140 time steps, the "
        "axes of aeon and sktime. If they are, pass np.swapaxes"
    )
    for method in ("fit", "partial_fit"):
        with pytest.warns(UserWarning, match=message) as caught:
            getattr(AutoencoderTransformer(2, **QUICK), method)(turned)
        assert caught[0].filename == __file__
        getattr(AutoencoderTransformer(2, **QUICK), method)(series)
    network = DenseNetwork(input_shape=turned.shape[1:])
    AutoencoderTransformer(2, network=network, **QUICK).fit(turned)


def test_rows_that_only_may_be_series_are_taken_as_they_are():
    """Noise, few steps of many channels, rows that change smoothly along both axes."""
    noise = np.random.default_rng(0).normal(size=(40, 6, 40))
    both = noise.cumsum(axis=1).cumsum(axis=2)
    for rows in (noise, noise.cumsum(axis=1), both, noise[..., :12], 0 * noise):
        AutoencoderTransformer(2, **QUICK).fit(rows)


# ------------------------------------------------------------- searches and servers


@pytest.mark.parametrize("resource", ["epochs", "n_samples"])
def test_halving_search(resource):
    """The candidates that are left get twice the epochs, or rows."""
    most = {"max_resources": 4} if resource == "epochs" else {}
    search = HalvingGridSearchCV(
        ReconstructionOutlierDetector(random_state=0, n_networks=1, error="mse"),
        {"latent_dim": [1, 2, 3, 4]},
        resource=resource,
        scoring=reconstruction_score,
        cv=2,
        factor=2,
        random_state=0,
        **most,
    )
    if resource == "n_samples":
        search.estimator.set_params(epochs=2)
    assert search.fit(X).n_iterations_ >= 2
    assert search.predict(X).shape == (120,)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"error": "mse", "network": ConvNetwork((2,), input_shape=(-1, 1))},
    ],
    ids=["default", "convolutions"],
)
def test_threads_of_a_server_share_a_detector(parameters):
    """Rows of different numbers at once, from 16 threads."""
    detector = ReconstructionOutlierDetector(**QUICK, **parameters).fit(X)
    parts = [X[i : i + 1 + i % 7] for i in range(100)]
    expected = [detector.score_samples(part) for part in parts]
    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(detector.score_samples, parts))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.filterwarnings("ignore:.*type hint:UserWarning")  # MLflow's own models
def test_a_model_of_mlflow_in_cloudpickle(tmp_path, detector):
    reason = "mlflow is in skae[clients]"
    sklearn_models = pytest.importorskip("mlflow.sklearn", reason=reason)
    sklearn_models.save_model(
        detector,
        tmp_path / "model",
        serialization_format="cloudpickle",
        pip_requirements=["skae"],
    )
    loaded = sklearn_models.load_model(str(tmp_path / "model"))
    np.testing.assert_array_equal(loaded.predict(X), detector.predict(X))
