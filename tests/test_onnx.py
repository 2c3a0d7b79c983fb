"""Estimators in ONNX: onnxruntime scores as skae does."""

import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

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
from skae._layers._activations import ACTIVATIONS
from skae._layers._base import Layer
from skae._layers._special import KerasModel

skl2onnx = pytest.importorskip("skl2onnx", reason="needs skae[onnx]")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs skae[onnx]")
pytest.importorskip("skae.onnx")

RNG = np.random.default_rng(0)
# Columns of several units, far from zero and near; one is constant.
TABLE = np.tanh(RNG.normal(size=(200, 3)) @ RNG.normal(size=(3, 8)))
TABLE += 0.1 * RNG.normal(size=TABLE.shape)
TABLE = TABLE * [1, 5, 0.1, 1, 1, 100, 1, 0] + [0, 3, 0, 0, -50, 0, 0, 2]
SERIES = RNG.normal(size=(60, 15, 3)).cumsum(axis=1)
IMAGES = RNG.uniform(size=(60, 9, 7, 2))
QUICK = {"epochs": 3, "random_state": 0}
KINDS = ["mse", "mae", "standardized", "whitened", "nearest", "negative_elbo"]
TYPES = [np.float32, np.float64]


def session(estimator, X, opset=17, **options):
    """Return onnxruntime's session of an estimator for rows like X."""
    onnx = skl2onnx.to_onnx(estimator, X[:1], target_opset=opset, **options)
    how = onnxruntime.SessionOptions()
    how.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        onnx.SerializeToString(), how, providers=["CPUExecutionProvider"]
    )


def in_onnx(estimator, X, **options):
    """Return the outputs of an estimator in onnxruntime for X, in X's own type."""
    (given,) = (made := session(estimator, X, **options)).get_inputs()
    return made.run(None, {given.name: X})


def assert_same_scores(detector, X, rtol=1e-5):
    """In both float types, and labels where no score is that near the threshold."""
    for dtype in TYPES:
        with np.errstate(over="ignore"):
            rows = X.astype(dtype)
        if np.isinf(rows).any():
            continue
        chosen = {type(detector): {"score_samples": True}}
        label, decision, scores = in_onnx(detector, rows, options=chosen)
        expected = detector.score_samples(rows)
        assert (label.shape, scores.dtype) == ((len(X), 1), np.float64)
        np.testing.assert_allclose(scores[:, 0], expected, rtol=rtol)
        expected = detector.decision_function(rows)
        tolerance = rtol * detector.threshold_
        np.testing.assert_allclose(decision[:, 0], expected, rtol, tolerance)
        clear = ~(np.abs(expected) <= tolerance)
        assert clear.sum() > len(X) - 3
        np.testing.assert_array_equal(label[clear, 0], detector.predict(rows)[clear])


def assert_same_rows(method, estimator, X, rtol=1e-6):
    """To a few roundings of the largest value, in both float types."""
    for dtype in TYPES:
        expected = method(X.astype(dtype))
        (rows,) = in_onnx(estimator, X.astype(dtype))
        assert rows.dtype == dtype
        assert rows.shape == (len(X), *(expected.shape[1:] or (1,)))
        # Convolutions, and erf, are those of float32.
        scale = np.abs(expected).max()
        rows = rows.reshape(expected.shape)
        np.testing.assert_allclose(rows, expected, rtol, rtol * scale)


def detector(**parameters):
    if parameters.get("error") == "negative_elbo":
        base = parameters.pop("network", None)
        parameters.update(network=VariationalNetwork(base), latent_dim=2)
    return ReconstructionOutlierDetector(**QUICK | parameters)


@pytest.mark.parametrize("error", KINDS)
def test_every_kind_of_error(error):
    """Of rows like those of fit, of the same ones, and of rows far and absurdly far."""
    fitted = detector(error=error).fit(TABLE)
    far = [TABLE[:3] * 10.0**power for power in (1, 3, 6, 20, 30, 36, 100, 200)]
    rows = [TABLE, np.zeros((1, 8)), np.full((1, 8), -1e38), np.eye(8) * 3e38]
    assert_same_scores(fitted, np.concatenate(rows))
    for one in far:
        assert_same_scores(fitted, one)


@pytest.mark.parametrize("error", KINDS)
@pytest.mark.parametrize("scaler", ["standard", "common", StandardScaler()])
def test_missing_entries(error, scaler):
    """They are left out, whatever stands for them."""
    if error == "negative_elbo" and scaler != "standard":
        pytest.skip("the others say it of the scaler")
    X = TABLE.copy()
    X[RNG.random(X.shape) < 0.2] = np.nan
    X = X[~np.isnan(X).all(axis=1)]
    assert_same_scores(detector(error=error, scaler=scaler, allow_nan=True).fit(X), X)


def test_missing_entries_of_series_and_codes():
    X = SERIES.copy()
    X[RNG.random(X.shape) < 0.2] = np.nan
    fitted = detector(network=ConvNetwork((3,)), error="nearest", allow_nan=True)
    assert_same_scores(fitted.fit(X), X)
    transformer = AutoencoderTransformer(3, allow_nan=True, **QUICK).fit(X)
    assert_same_rows(transformer.transform, transformer, X)


def test_the_defaults():
    """Also where rows are few and long, and the network is linear."""
    assert_same_scores(detector().fit(TABLE), TABLE)
    long = RNG.normal(size=(30, 40)).cumsum(axis=1)
    assert_same_scores(detector().fit(long), long)


@pytest.mark.parametrize(
    "scaler",
    ["minmax", "common", None, RobustScaler(), MinMaxScaler(clip=True), MaxAbsScaler()],
)
def test_scalers_and_their_inverse(scaler):
    denoiser = DenoisingRegressor(4, scaler=scaler, **QUICK)
    denoiser.fit(TABLE + RNG.normal(size=TABLE.shape) / 10, TABLE)
    assert_same_rows(denoiser.predict, denoiser, TABLE)


def test_scalers_of_scikit_learn_without_an_inverse_in_onnx():
    """They do for codes and scores; a denoiser needs the inverse."""
    X = TABLE[:, :7]  # skl2onnx quantiles of constant columns are other ones
    both = make_pipeline(RobustScaler(), StandardScaler())
    for scaler in (QuantileTransformer(n_quantiles=5), both):
        assert_same_scores(detector(scaler=scaler, error="mse").fit(X), X)
        denoiser = DenoisingRegressor(4, scaler=scaler, **QUICK).fit(X, X)
        with pytest.raises(NotImplementedError, match="the inverse of scaler"):
            session(denoiser, X)


def test_targets_of_another_shape():
    for y in (TABLE[:, 0], TABLE[:, :1], TABLE[:, :6].reshape(-1, 3, 2)):
        denoiser = DenoisingRegressor(4, **QUICK).fit(TABLE, y)
        assert_same_rows(denoiser.predict, denoiser, TABLE)


def test_every_layer_of_skae_has_a_converter():
    from skae.onnx._nodes import linear

    def below(cls):
        return {cls}.union(*map(below, cls.__subclasses__()))

    without = {
        cls.__name__
        for cls in below(Layer)
        if cls.__module__.startswith("skae.")
        and linear.dispatch(cls) is linear.dispatch(object)
    }
    # Keras code, and what is no kind of layer.
    assert without == {"Layer", "CodeLayer", "KerasModel"}
    with pytest.raises(NotImplementedError, match="KerasModel has no converter"):
        linear(KerasModel(lambda: None), None, "x", [])


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_activations(activation):
    network = DenseNetwork((5,), latent_activation=activation)
    transformer = AutoencoderTransformer(4, network=network, **QUICK).fit(TABLE)
    assert_same_rows(transformer.transform, transformer, TABLE)


DENSE = {
    "none": {"hidden_units": ()},
    "linear path": {"linear_path": True},
    "batch": {"normalization": "batch", "activity_l1": 0.1, "dropout": 0.1},
    "layer": {"normalization": "layer"},
    "tied": {"tied_weights": True},
}
CONV = {
    "stride": {"latent_activation": "softmax", "output_activation": "sigmoid"},
    "pooled": {"down": "max_pool", "up": "upsample", "activation": "gelu"},
    "one": {"kernel_size": 1},
    "even": {"kernel_size": 4, "output_activation": "softmax"},
}
NORMALIZED = {
    "batch": (IMAGES, {"normalization": "batch", "kernel_size": 5}),
    "layer": (SERIES, {"normalization": "layer"}),
}


@pytest.mark.parametrize("options", DENSE.values(), ids=DENSE)
def test_dense_networks(options):
    """Those with batch normalisation and tied weights train in Keras."""
    network = DenseNetwork(**{"hidden_units": (6,)} | options)
    fitted = DenoisingRegressor(4, network=network, corruption=GaussianNoise(0.1))
    fitted.set_params(**QUICK).fit(TABLE)
    assert_same_rows(fitted.predict, fitted, TABLE)


@pytest.mark.parametrize("options", CONV.values(), ids=CONV)
@pytest.mark.parametrize("X", [SERIES, IMAGES], ids=["series", "images"])
def test_convolutions(options, X):
    """Odd lengths, spatial codes and narrow ones."""
    both = {"network": ConvNetwork((4, 3), **options), "scaler": "minmax"}
    fitted = DenoisingRegressor(corruption=GaussianNoise(0.1), **both, **QUICK).fit(X)
    assert_same_rows(fitted.predict, fitted, X)
    codes = AutoencoderTransformer(4, **both, **QUICK).fit(X)
    assert_same_rows(codes.transform, codes, X)
    kind = "standardized" if X is IMAGES else "whitened"
    assert_same_scores(detector(error=kind, **both).fit(X), X)


@pytest.mark.parametrize(("X", "options"), NORMALIZED.values(), ids=NORMALIZED)
def test_normalized_convolutions(X, options):
    """Which train in Keras; differences of nearly equal channels are rounded."""
    network = ConvNetwork((4, 3), **options)
    fitted = DenoisingRegressor(network=network, **QUICK).fit(X, X)
    assert_same_rows(fitted.predict, fitted, X, 1e-5)


def test_recurrent_networks():
    """Which skae runs in Keras, and onnxruntime in float32."""
    network = RecurrentNetwork((4, 3), "lstm", normalization="layer")
    assert_same_scores(detector(network=network, error="mse").fit(SERIES), SERIES)


def test_volumes_and_tables_read_as_series():
    volumes = RNG.normal(size=(30, 5, 4, 6, 2))
    network = ConvNetwork((3, 2))
    assert_same_scores(detector(network=network).fit(volumes), volumes)
    network = ConvNetwork((3,), input_shape=(-1, 1))
    assert_same_scores(detector(network=network).fit(TABLE), TABLE)


def test_variational_networks_of_convolutions():
    fitted = detector(
        error="negative_elbo",
        network=ConvNetwork((3,), output_activation="sigmoid"),
        loss="binary_crossentropy",
        scaler=None,
    ).fit(IMAGES)
    assert_same_scores(fitted, IMAGES)
    assert_same_rows(fitted.encode, as_transformer(fitted), IMAGES)


def as_transformer(detector):
    """Return the transformer of a detector's network."""
    transformer = AutoencoderTransformer()
    vars(transformer).update(
        {name: getattr(detector, name) for name in ("autoencoder_", "input_shape_")}
    )
    return transformer


IN_PIPELINES = {
    **{kind: {"error": kind} for kind in KINDS},
    "conv 1-D": {"network": ConvNetwork((3,), input_shape=(-1, 1))},
    "conv 2-D": {"network": ConvNetwork((3,), input_shape=(2, 4, 1))},
    "tied": {"network": DenseNetwork((6,), tied_weights=True)},
    "recurrent": {
        "network": RecurrentNetwork(
            (3,), "gru", bidirectional=True, normalization="batch", input_shape=(4, 2)
        )
    },
}


@pytest.mark.parametrize("parameters", IN_PIPELINES.values(), ids=IN_PIPELINES)
def test_every_kind_in_a_pipeline(parameters):
    """After a scaler that gives frames; of float32 rows."""
    X = TABLE.astype(np.float32)
    frame = pd.DataFrame(X, columns=list("abcdefgh"))
    pipe = make_pipeline(StandardScaler(), detector(**parameters))
    pipe.set_output(transform="pandas").fit(frame)
    label, decision = in_onnx(pipe, X)
    expected = pipe.decision_function(frame)
    tolerance = 1e-5 * pipe[-1].threshold_
    np.testing.assert_allclose(decision[:, 0], expected, 1e-5, tolerance)
    clear = np.abs(expected) > tolerance
    np.testing.assert_array_equal(label[clear, 0], pipe.predict(frame)[clear])


@pytest.mark.parametrize("opset", [17, 18, 21])
def test_pipelines(opset):
    """After a scaler, frames between the steps, and before a classifier."""
    frame = pd.DataFrame(TABLE, columns=list("abcdefgh"))
    pipe = make_pipeline(StandardScaler(), detector()).set_output(transform="pandas")
    pipe.fit(frame)
    label, decision = in_onnx(pipe, TABLE, opset=opset)
    np.testing.assert_array_equal(label[:, 0], pipe.predict(frame))
    np.testing.assert_allclose(decision[:, 0], pipe.decision_function(frame), 1e-5)

    codes = AutoencoderTransformer(3, **QUICK)
    pipe = make_pipeline(StandardScaler(), codes, LogisticRegression())
    pipe.set_output(transform="pandas").fit(frame, TABLE[:, 0] > 0)
    plain = {LogisticRegression: {"zipmap": False}}
    label, _ = in_onnx(pipe, TABLE, opset=opset, options=plain)
    np.testing.assert_array_equal(label, pipe.predict(frame))


def test_a_frame_is_one_input_for_each_column():
    frame = pd.DataFrame(TABLE, columns=list("abcdefgh"))
    frame["h"] = np.arange(len(frame))  # of integers
    fitted = detector(error="mse").fit(frame)
    made = session(fitted, frame)
    assert [one.name for one in made.get_inputs()] == list(frame)
    columns = {name: frame[[name]].to_numpy() for name in frame}
    label, _ = made.run(None, columns)
    np.testing.assert_array_equal(label[:, 0], fitted.predict(frame))


def test_a_search_converts_as_its_best_estimator():
    search = GridSearchCV(
        detector(), {"latent_dim": [2, 4]}, scoring=reconstruction_score, cv=2
    )
    label, _ = in_onnx(search.fit(TABLE), TABLE)
    np.testing.assert_array_equal(label[:, 0], search.predict(TABLE))


def test_any_number_of_rows():
    """A session takes no row, one and many; each gets the score it has alone."""
    fitted = detector().fit(TABLE)
    made = session(fitted, TABLE)
    assert [(one.name, one.shape) for one in made.get_outputs()] == [
        ("label", [None, 1]),
        ("scores", [None, 1]),
    ]
    _, together = made.run(None, {"X": TABLE})
    _, alone = made.run(None, {"X": TABLE[7:8]})
    np.testing.assert_allclose(together[7:8], alone, rtol=1e-9)
    assert made.run(None, {"X": TABLE[:0]})[1].shape == (0, 1)
    conv = detector(network=ConvNetwork((3,))).fit(SERIES)
    assert in_onnx(conv, SERIES[:1])[0].shape == (1, 1)


@pytest.mark.parametrize("error", ["mse", "nearest"])
def test_rows_that_skae_refuses_are_outliers(error):
    """Those with missing entries, or with nothing else."""
    fitted = detector(error=error).fit(TABLE)
    gaps = TABLE[:20].copy()
    gaps[np.arange(20), np.arange(20) % 8] = np.nan
    with_gaps = detector(error=error, allow_nan=True).fit(TABLE)
    for one, rows in ((fitted, gaps), (with_gaps, np.full((3, 8), np.nan))):
        with pytest.raises(ValueError):
            one.predict(rows)
        label, scores = in_onnx(one, rows)
        assert set(label.ravel()) == {-1}
        assert not np.isfinite(scores).any()


def test_float32_rows_that_lost_what_varies():
    """As in Python: float32 does not hold these rows, float64 does."""
    X = TABLE[:, :3] / 1e3 + 1e6
    fitted = detector(error="mse").fit(X)
    with pytest.raises(ValueError, match="X is float32, which rounds"):
        session(fitted, X.astype(np.float32))
    np.testing.assert_array_equal(in_onnx(fitted, X)[0][:, 0], fitted.predict(X))


def test_what_is_not_fitted_or_keras_code_says_so():
    for estimator in (AutoencoderTransformer(), DenoisingRegressor(), detector()):
        with pytest.raises(ValueError, match="not fitted yet"):
            session(estimator, TABLE)

    def build(n_features):
        import keras

        layers = keras.layers
        code, output = layers.Dense(2), layers.Dense(n_features)
        return keras.Sequential([code]), keras.Sequential([output])

    own = AutoencoderTransformer(network=KerasNetwork(build), **QUICK).fit(TABLE)
    with pytest.raises(NotImplementedError, match="is Keras code, which has no conv"):
        session(own, TABLE)


def test_a_process_with_onnxruntime_alone_scores(tmp_path):
    """Neither skae nor scikit-learn is imported there."""
    fitted = detector().fit(TABLE)
    onnx = skl2onnx.to_onnx(fitted, TABLE[:1].astype(np.float32), target_opset=17)
    (tmp_path / "detector.onnx").write_bytes(onnx.SerializeToString())
    np.save(tmp_path / "rows.npy", TABLE.astype(np.float32))
    code = """
        import sys
        import numpy as np
        import onnxruntime

        session = onnxruntime.InferenceSession("detector.onnx")
        label, scores = session.run(None, {"X": np.load("rows.npy")})
        np.save("label.npy", label[:, 0])
        assert not {"skae", "sklearn", "scipy", "pandas"} & set(sys.modules)
    """
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, check=True
    )
    label = np.load(tmp_path / "label.npy")
    np.testing.assert_array_equal(label, fitted.predict(TABLE.astype(np.float32)))
