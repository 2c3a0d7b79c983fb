"""Missing entries: allowed by ``allow_nan``, left out everywhere, and filled in."""

import pickle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import r2_score
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    PowerTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.utils import get_tags

from skae import (
    AutoencoderTransformer,
    ConvNetwork,
    DenoisingRegressor,
    DenseNetwork,
    GaussianNoise,
    InlierKFold,
    KerasNetwork,
    MaskingNoise,
    ReconstructionOutlierDetector,
    RecurrentNetwork,
    SaltAndPepperNoise,
    SwapNoise,
    VariationalNetwork,
    outlier_roc_auc,
    reconstruction_score,
)
from skae import _engine as engine
from skae._scalers import fitted_scaler
from skae.corruptions import corrupt
from skae.inspection import ReconstructionDisplay
from skae.metrics import elementwise_error, reconstruction_error

ESTIMATORS = [AutoencoderTransformer, DenoisingRegressor, ReconstructionOutlierDetector]
# Methods that take rows and nothing else.
METHODS = [
    "transform",
    "encode",
    "reconstruct",
    "predict",
    "score_samples",
    "decision_function",
    "feature_errors",
    "impute",
]


def quick(cls, **params):
    """Return an estimator that trains in a moment; a denoiser gets a corruption."""
    if cls is DenoisingRegressor:
        params.setdefault("corruption", GaussianNoise(0.1))
    if cls is ReconstructionOutlierDetector:
        params = {"threshold_on": "train", "n_networks": 1, **params}
    return cls(**{"epochs": 3, "random_state": 0, "allow_nan": True, **params})


def outputs(estimator, X):
    """Return what each method of an estimator makes of rows."""
    return {m: getattr(estimator, m)(X) for m in METHODS if hasattr(estimator, m)}


def reconstruction(estimator, X):
    """Return the network's output for rows."""
    if isinstance(estimator, DenoisingRegressor):
        return estimator.predict(X)
    return estimator.reconstruct(X)


@pytest.fixture
def complete():
    """Rows of correlated columns, in various units."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(80, 2)) @ rng.normal(size=(2, 6))
    return rows * [1, 10, 1e-3, 1e3, 1, 1] + [0, 5, -2, 1e4, 0, 1]


@pytest.fixture
def X(complete):
    """The same rows, of which a fifth is missing, but in no row everything."""
    missing = np.random.default_rng(1).random(complete.shape) < 0.2
    missing[np.arange(80), np.arange(80) % 6] = False
    return np.where(missing, np.nan, complete)


# ------------------------------------------------------------ what is accepted


@pytest.mark.parametrize("cls", ESTIMATORS)
class TestEveryEstimator:
    def test_nan_is_refused_by_default_and_the_error_says_how_not_to(
        self, cls, X, complete
    ):
        estimator = quick(cls, allow_nan=False)
        message = r"(?s)X contains NaN.*Or set allow_nan=True and fit: missing entries"
        with pytest.raises(ValueError, match=message):
            estimator.fit(X)
        with pytest.raises(ValueError, match=message):
            estimator.partial_fit(X)
        estimator.fit(complete)
        for method in outputs(estimator, complete):
            with pytest.raises(ValueError, match=message):
                getattr(estimator, method)(X)
        # What it was fitted with counts: its network knows no stand-in.
        estimator.set_params(allow_nan=True)
        with pytest.raises(ValueError, match=message):
            reconstruction(estimator, X)

    def test_infinity_is_refused_always(self, cls, X):
        estimator = quick(cls).fit(X)
        X[3, 2] = np.inf
        for call in (estimator.impute, estimator.fit, estimator.partial_fit):
            with pytest.raises(ValueError, match="X contains infinity"):
                call(X)

    def test_the_tag_follows_the_parameter(self, cls):
        assert get_tags(quick(cls)).input_tags.allow_nan
        assert not get_tags(quick(cls, allow_nan=False)).input_tags.allow_nan

    @pytest.mark.parametrize("scaler", ["standard", "minmax", None, RobustScaler()])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_every_method_returns_numbers(self, cls, scaler, dtype, X):
        X = X.astype(dtype)
        if scaler is None:
            X = (X - np.nanmean(X, axis=0)) / np.nanstd(X, axis=0)
        estimator = quick(cls, scaler=scaler).fit(X, X_val=X[:9])
        for name, values in outputs(estimator, X).items():
            assert np.isfinite(values).all(), name
        for losses in estimator.history_.values():
            assert np.isfinite(losses).all()
        assert np.isfinite([estimator.r2_, estimator.reconstruction_err_]).all()
        if hasattr(estimator, "score"):
            assert np.isfinite(estimator.score(X))

    def test_without_gaps_nothing_changes_to_the_last_bit(self, cls, complete):
        weight = np.random.default_rng(0).integers(1, 4, len(complete))
        plain, allowing = (
            quick(cls, allow_nan=allow, scaler="minmax").fit(complete, None, weight)
            for allow in (False, True)
        )
        assert plain.history_ == allowing.history_
        assert plain.r2_ == allowing.r2_
        assert plain.reconstruction_err_ == allowing.reconstruction_err_
        others = outputs(allowing, complete)
        for name, values in outputs(plain, complete).items():
            np.testing.assert_array_equal(values, others[name])

    def test_partial_fit(self, cls, X):
        estimator = quick(cls).partial_fit(np.tile(X[:40], (3, 1)))
        before = estimator.autoencoder_.fill
        for name, values in outputs(estimator.partial_fit(X[40:]), X).items():
            assert np.isfinite(values).all(), name
        assert estimator.autoencoder_.fill is before
        assert estimator.n_iter_ == 2

    def test_frames_with_none_and_pandas_na(self, cls, X):
        plain = quick(cls).fit(X)
        expected = outputs(plain, X)
        gaps = pd.DataFrame(X, columns=list("abcdef"))
        with_none = gaps.astype(object).where(gaps.notna(), None)
        with_na = gaps.astype("Float64")
        assert with_na.isna().to_numpy().any()
        for frame in (gaps, with_none, with_na):
            found = outputs(quick(cls).fit(frame), frame)
            for name, values in expected.items():
                np.testing.assert_array_equal(np.asarray(found[name]), values)

    def test_a_row_without_observed_values_does_not_train(self, cls, X):
        empty = np.full((1, 6), np.nan)
        without = quick(cls).fit(X, X_val=X[:5])
        rows = np.concatenate([X[:7], empty, X[7:]])
        with_it = quick(cls).fit(rows, X_val=np.concatenate([empty, X[:5]]))
        others = outputs(with_it, X)
        for name, values in outputs(without, X).items():
            np.testing.assert_array_equal(others[name], values)
        with pytest.raises(ValueError, match="an observed value in 1 of 2 rows; at le"):
            quick(cls).fit(np.concatenate([empty, X[:1]]))

    @pytest.mark.parametrize("scaler", ["standard", "minmax", None, RobustScaler()])
    def test_a_column_without_observed_values_is_an_error(self, cls, scaler, X):
        X[:, 3] = np.nan
        message = r"column 3 of X has no observed value in the 80 training rows \(1 of"
        with pytest.raises(ValueError, match=message):
            quick(cls, scaler=scaler).fit(X)
        channels = np.zeros((4, 3, 2))
        channels[..., 1] = np.nan
        with pytest.raises(ValueError, match="channel 1 of X has no observed value"):
            quick(cls).fit(channels)

    def test_a_pickle_and_a_clone_do_alike(self, cls, X):
        estimator = quick(cls).fit(X)
        expected = outputs(estimator, X)
        for other in (pickle.loads(pickle.dumps(estimator)), clone(estimator).fit(X)):
            for name, values in outputs(other, X).items():
                np.testing.assert_array_equal(values, expected[name])

    def test_weights_are_copies(self, cls, X):
        """One batch of all rows; what the scaler and the stand-in learn, too."""
        copies = np.random.default_rng(0).integers(0, 4, len(X))
        params = {
            "scaler": "minmax",
            "batch_size": 1000,
            "epochs": 20,
            "validation_fraction": None,
            "corruption": MaskingNoise(0.0),
        }
        weighted = quick(cls, **params).fit(X, None, copies)
        repeated = quick(cls, **params).fit(np.repeat(X, copies, axis=0))
        fills = (e.autoencoder_.fill for e in (weighted, repeated))
        np.testing.assert_allclose(*fills, rtol=1e-6)
        np.testing.assert_allclose(weighted.impute(X), repeated.impute(X), rtol=1e-3)

    def test_images_in_a_convolutional_network(self, cls):
        rng = np.random.default_rng(0)
        images = rng.normal(size=(24, 4, 4, 1))
        gaps = np.where(rng.random(images.shape) < 0.2, np.nan, images)
        estimator = quick(cls, network=ConvNetwork((2,)), latent_dim=3).fit(gaps)
        filled = estimator.impute(gaps)
        assert np.isfinite(filled).all()
        seen = ~np.isnan(gaps)
        np.testing.assert_array_equal(filled[seen], images[seen])

    def test_memory_tells_gaps_apart(self, cls, X, tmp_path, monkeypatch):
        first = quick(cls, memory=tmp_path).fit(X)
        trainings, real = [], engine.train

        def counted(*args, **options):
            trainings.append(args)
            return real(*args, **options)

        monkeypatch.setattr(engine, "train", counted)
        again = quick(cls, memory=tmp_path).fit(X)
        assert not trainings
        np.testing.assert_array_equal(again.impute(X), first.impute(X))
        other = X.copy()
        other[3, np.flatnonzero(~np.isnan(X[3]))[0]] = np.nan
        quick(cls, memory=tmp_path).fit(other)
        assert len(trainings) == len(getattr(first, "autoencoders_", [first]))

    def test_impute_keeps_what_is_observed(self, cls, X):
        estimator = quick(cls).fit(X)
        filled = estimator.impute(X)
        seen = ~np.isnan(X)
        np.testing.assert_array_equal(filled[seen], X[seen])
        output = reconstruction(estimator, X)
        np.testing.assert_array_equal(filled[~seen], output[~seen])
        assert estimator.impute(X.astype(np.float32)).dtype == np.float32


# --------------------------------------------------------------------- scalers


@pytest.mark.parametrize(
    ("kind", "oracle"), [("standard", StandardScaler()), ("minmax", MinMaxScaler())]
)
def test_named_scalers_learn_from_what_is_observed(kind, oracle, X):
    scaler = fitted_scaler(kind, X)
    np.testing.assert_allclose(scaler.transform(X), oracle.fit_transform(X), rtol=1e-9)
    series = X.reshape(40, 2, 6)
    np.testing.assert_allclose(
        fitted_scaler(kind, series).transform(series).reshape(X.shape),
        scaler.transform(X),
    )


@pytest.mark.parametrize("scaler", ["standard", "minmax", StandardScaler()])
def test_weights_of_rows_with_gaps_are_copies(scaler, X):
    copies = np.random.default_rng(0).integers(1, 4, len(X)).astype(float)
    weighted = fitted_scaler(scaler, X, copies).transform(X)
    repeated = fitted_scaler(scaler, np.repeat(X, copies.astype(int), axis=0))
    np.testing.assert_allclose(weighted, repeated.transform(X), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("transformer", [RobustScaler(), PowerTransformer()])
def test_a_transformer_leaves_gaps(transformer, X):
    scaler = fitted_scaler(transformer, X)
    scaled = scaler.transform(X)
    np.testing.assert_array_equal(np.isnan(scaled), np.isnan(X))
    np.testing.assert_allclose(scaler.inverse_transform(scaled), X, rtol=1e-6)
    assert np.isfinite([scaler.low_, scaler.high_]).all()


def test_a_transformer_that_fills_in_fills_nothing_in(X):
    zeros = FunctionTransformer(np.nan_to_num, np.asarray, check_inverse=False)
    scaled = fitted_scaler(zeros, X).transform(X)
    np.testing.assert_array_equal(scaled, X)


def test_a_transformer_that_refuses_gaps_is_named(X):
    picky = make_pipeline(FunctionTransformer(validate=True, inverse_func=np.asarray))
    message = r"(?s)scaler Pipeline.* does not take missing entries: .*NaN.*'standard'"
    with pytest.raises(ValueError, match=message):
        quick(AutoencoderTransformer, scaler=picky).fit(X)


@pytest.mark.parametrize("scaler", ["standard", "minmax", None, RobustScaler()])
def test_the_network_gets_the_training_mean(scaler, X):
    """Which differs from 0 in all scaled spaces but one."""
    if scaler is None:
        X = X / 1e3
    options = {"scaler": scaler, "validation_fraction": None}
    transformer = quick(AutoencoderTransformer, **options).fit(X)
    scaled = transformer.scaler_.transform(X)
    mean = np.nanmean(scaled, axis=0)
    np.testing.assert_allclose(transformer.autoencoder_.fill, mean, atol=1e-6)
    filled = transformer.scaler_.inverse_transform(
        np.where(np.isnan(X), transformer.autoencoder_.fill, scaled)
    )
    np.testing.assert_allclose(
        transformer.transform(X), transformer.transform(filled), atol=1e-5
    )


# ---------------------------------------------------------------------- errors


@pytest.mark.parametrize("error", ["mse", "mae", "standardized"])
def test_errors_average_what_is_observed(error, X):
    detector = quick(ReconstructionOutlierDetector, error=error).fit(X)
    s, output = detector.scaler_.transform, detector.reconstruct(X)
    errors = reconstruction_error(
        s(X),
        s(output),
        error=error,
        feature_scale=detector.feature_scale_,
        allow_nan=True,
    )
    np.testing.assert_allclose(-detector.score_samples(X), errors, rtol=1e-9)
    np.testing.assert_allclose(detector.train_errors_, errors, rtol=1e-9)
    by_hand = np.abs(s(X) - s(output)) ** (1 if error == "mae" else 2)
    if error == "standardized":
        scale = np.nanmean(by_hand, axis=0)
        np.testing.assert_allclose(detector.feature_scale_, scale, rtol=1e-9)
        by_hand /= scale
    np.testing.assert_allclose(errors, np.nanmean(by_hand, axis=1), rtol=1e-6)
    parts = detector.feature_errors(X)
    assert (parts[np.isnan(X)] == 0).all()
    np.testing.assert_allclose(parts.sum(axis=1), errors, rtol=1e-9)


def test_negative_elbo_averages_what_is_observed(X):
    detector = quick(
        ReconstructionOutlierDetector,
        network=VariationalNetwork(DenseNetwork((4,))),
        error="negative_elbo",
        loss="mse",
    ).fit(X)
    s, value = detector.scaler_.transform, detector.autoencoder_
    errors = reconstruction_error(s(X), s(detector.reconstruct(X)), allow_nan=True)
    terms = value.terms_scaled(s(X))["kl"] * value.terms["kl"]
    np.testing.assert_allclose(-detector.score_samples(X), errors + terms)
    parts = detector.feature_errors(X)
    assert (parts[np.isnan(X)] == 0).all()
    np.testing.assert_allclose(parts.sum(axis=1), errors + terms)


def test_a_place_that_is_never_observed_has_a_scale():
    """One time step of a channel that is observed at others."""
    X = np.random.default_rng(0).normal(size=(30, 5, 1))
    X[:, 2] = np.nan
    detector = quick(ReconstructionOutlierDetector, error="standardized").fit(X)
    scale = detector.feature_scale_
    assert scale[2] == pytest.approx(np.delete(scale, 2).mean())
    X[0, 2] = 1e6
    assert detector.predict(X[:1]) == [-1]


@pytest.mark.parametrize("cls", [AutoencoderTransformer, ReconstructionOutlierDetector])
def test_a_row_without_observed_values_has_no_error(cls, X):
    estimator = quick(cls).fit(X)
    X[[3, 5]] = np.nan
    message = r"row 3 of X has no observed value, and so .* \(2 of 80 rows have none\)"
    for method in ("score_samples", "feature_errors", "explain", "predict"):
        if hasattr(estimator, method):
            with pytest.raises(ValueError, match=message):
                getattr(estimator, method)(X)
    # Its reconstruction is that of the training mean.
    mean = estimator.scaler_.inverse_transform(estimator.autoencoder_.fill[None])
    output = estimator.reconstruct(np.concatenate([X[3:4], mean]))
    np.testing.assert_allclose(output[0], output[1])


def test_explain_ranks_missing_entries_last(X):
    detector = quick(ReconstructionOutlierDetector).fit(X)
    table = detector.explain(X, top_k=6)
    gaps = table[table["value"].isna()]
    assert len(gaps) == np.isnan(X).sum()
    assert (gaps["error"] == 0).all()
    assert (gaps["share"] == 0).all()
    n_seen = (~np.isnan(X)).sum(axis=1)
    assert (gaps["rank"] > n_seen[gaps["row"]]).all()
    assert np.isfinite(table["reconstruction"]).all()


def test_explain_ranks_missing_entries_behind_perfect_ones(X):
    """Where all errors are 0, what is observed comes first."""
    from skae._row_errors import explanation_table

    table = explanation_table(
        X[:5], X[:5], np.zeros((5, 6)), index=None, names=None, top_k=1
    )
    assert table["value"].notna().all()


def test_what_describes_the_training_rows(X):
    transformer = quick(AutoencoderTransformer, epochs=50).fit(X)
    assert transformer.reconstruction_err_ == pytest.approx(-transformer.score(X))
    output = transformer.reconstruct(X)
    spread = np.nansum((X - np.nanmean(X, axis=0)) ** 2)
    r2 = 1 - np.nansum((X - output) ** 2) / spread
    assert transformer.r2_ == pytest.approx(r2)


def test_r2_of_a_constant_is_that_of_complete_rows():
    X = np.full((20, 3), 0.1)
    X[::2, 1] = np.nan
    X[3, 1] = 0.1
    transformer = quick(AutoencoderTransformer).fit(X)
    assert transformer.r2_ in (0.0, 1.0)


def test_searches_and_scorers(X):
    y = np.where(np.arange(80) % 4, 1, -1)
    X[y == -1] *= -3
    detector = quick(ReconstructionOutlierDetector, epochs=20)
    scores = cross_val_score(detector, X, y, cv=InlierKFold(3), scoring=outlier_roc_auc)
    assert (scores > 0.5).all()
    detector.fit(X)
    score = reconstruction_score(detector, X)
    squared = (X - detector.reconstruct(X)) ** 2
    assert score == pytest.approx(-np.nanmean(squared, axis=1).mean())


def test_metrics_take_gaps_where_they_are_allowed():
    y_true, y_pred = [[1, np.nan, 3], [1, 2, 3]], [[2, 2, 0], [1, 2, 0]]
    with pytest.raises(ValueError, match="y_true contains NaN"):
        reconstruction_error(y_true, y_pred)
    np.testing.assert_allclose(
        reconstruction_error(y_true, y_pred, allow_nan=True), [5, 3]
    )
    np.testing.assert_allclose(
        elementwise_error(y_true, y_pred, error="mae", allow_nan=True),
        [[1, 0, 3], [0, 0, 3]],
    )
    with pytest.raises(ValueError, match="y_pred contains NaN"):
        reconstruction_error(y_pred, y_true, allow_nan=True)
    with pytest.raises(ValueError, match="row 1 of y_true has no observed value"):
        reconstruction_error([[1.0], [np.nan]], [[1.0], [1.0]], allow_nan=True)


def test_errors_of_many_rows_are_those_of_each():
    rng = np.random.default_rng(0)
    y_true = rng.normal(size=(5000, 30))
    y_true[rng.random(y_true.shape) < 0.1] = np.nan
    y_pred = rng.normal(size=y_true.shape)
    errors = reconstruction_error(y_true, y_pred, allow_nan=True)
    np.testing.assert_allclose(errors, np.nanmean((y_true - y_pred) ** 2, axis=1))


@pytest.mark.parametrize("shape", [(6,), (3, 2), (3, 2, 1), (2, 1, 3)])
def test_reconstructions_with_gaps_are_drawn(shape, complete, X):
    """A gap is a gap in the line, or an empty pixel."""
    X, X_val = (rows.reshape(80, *shape) for rows in (X, complete))
    detector = quick(ReconstructionOutlierDetector).fit(X, X_val=X_val)
    display = ReconstructionDisplay.from_estimator(detector, X[:3])
    for ax in np.ravel(display.axes_):
        assert np.isfinite(ax.get_ylim()).all()
    plt.close(display.figure_)


# ------------------------------------------------------------------- corruption


@pytest.mark.parametrize(
    "corruption",
    [
        GaussianNoise(2.0, clip=(-1, 1)),
        MaskingNoise(0.5),
        SaltAndPepperNoise(0.5),
        SwapNoise(0.5),
    ],
)
def test_corruptions_neither_make_nor_fill_gaps(corruption, X):
    damaged = corrupt(corruption, X, seed=0)
    np.testing.assert_array_equal(np.isnan(damaged), np.isnan(X))
    assert (damaged != X)[~np.isnan(X)].any()
    denoiser = quick(DenoisingRegressor, corruption=corruption).fit(X)
    assert np.isfinite(denoiser.history_["loss"]).all()
    assert np.isfinite(denoiser.score(X))


# -------------------------------------------------------------------- denoising


@pytest.mark.parametrize(("in_X", "in_y"), [(True, True), (True, False), (False, True)])
def test_gaps_in_noisy_rows_or_in_clean_ones(in_X, in_y, X, complete):
    noisy = X + 0.1 if in_X else complete + 0.1
    clean = X[::-1] if in_y else complete[::-1]
    denoiser = quick(DenoisingRegressor, corruption=None).fit(
        noisy, clean, X_val=noisy[:9], y_val=clean[:9]
    )
    predicted = denoiser.predict(noisy)
    assert np.isfinite(predicted).all()
    score = denoiser.score(noisy, clean)
    assert score == pytest.approx(denoiser.r2_)
    if not in_y:
        expected = r2_score(clean, predicted, multioutput="variance_weighted")
        assert score == pytest.approx(expected)


def test_gaps_in_targets_of_another_shape(X, complete):
    y = X[:, 0]
    denoiser = quick(DenoisingRegressor, corruption=None).fit(complete, y)
    assert denoiser.predict(complete).shape == (80,)
    assert np.isfinite(denoiser.score(complete, y))
    message = r"impute needs a network that gives rows of X's shape \(6,\), but this De"
    with pytest.raises(ValueError, match=message):
        denoiser.impute(X)
    with pytest.raises(ValueError, match="(?s)y contains NaN.*Or set allow_nan=True"):
        quick(DenoisingRegressor, corruption=None, allow_nan=False).fit(complete, y)
    two = X[:, :2].copy()
    two[:, 1] = np.nan
    with pytest.raises(ValueError, match="column 1 of y has no observed value"):
        quick(DenoisingRegressor, corruption=None).fit(complete, two)
    two[:] = np.nan
    with pytest.raises(ValueError, match="y has an observed value in 0 of 80 rows"):
        quick(DenoisingRegressor, corruption=None).fit(complete, two)


def test_pairs_without_an_observed_target_do_not_train(X, complete):
    weight = np.arange(80.0) + 1
    y = complete[:, :2].copy()
    y[[3, 70]] = np.nan
    kept = np.isfinite(y[:, 0])
    denoiser = quick(DenoisingRegressor, corruption=None)
    outputs = [
        clone(denoiser).fit(X[rows], y[rows], weight[rows]).predict(X)
        for rows in (slice(None), kept)
    ]
    np.testing.assert_array_equal(*outputs)
    denoiser.fit(X, y, weight)
    assert denoiser.score(X, y, weight) == pytest.approx(denoiser.r2_)
    nothing = np.full_like(y, np.nan)
    with pytest.raises(ValueError, match="none of the 80 target rows that count has"):
        denoiser.score(X, nothing)


# --------------------------------------------------------------- other networks


def build(n_features, latent_dim=3):
    """Return a Keras model as users write them."""
    import keras

    inputs = keras.Input((n_features,))
    code = keras.layers.Dense(latent_dim, name="latent")(inputs)
    return keras.Model(inputs, keras.layers.Dense(n_features)(code))


@pytest.mark.parametrize(
    ("network", "params"),
    [
        (RecurrentNetwork(units=(4,), input_shape=(-1, 1)), {}),
        (KerasNetwork(build), {"loss": "log_cosh", "verbose": 2}),
        (DenseNetwork(dropout=0.1, normalization="batch"), {"loss": "mae"}),
        (
            DenseNetwork(output_activation="sigmoid"),
            {"loss": "binary_crossentropy", "scaler": "minmax"},
        ),
    ],
)
def test_any_network_trains_on_rows_with_gaps(network, params, X):
    params = {"corruption": SwapNoise(0.2), "latent_dim": 2, **params}
    transformer = quick(AutoencoderTransformer, network=network, **params).fit(X)
    assert np.isfinite(transformer.history_["loss"]).all()
    assert np.isfinite(transformer.history_["val_loss"]).all()
    assert np.isfinite(transformer.impute(X)).all()


def test_a_loss_that_cannot_leave_entries_out_is_refused(X):
    transformer = quick(AutoencoderTransformer, loss="cosine_similarity")
    with pytest.raises(ValueError, match="loss is 'cosine_similarity', which is not"):
        transformer.fit(X)


# ---------------------------------------------------------------------- filling


def low_rank(missing_fraction=0.2):
    """Return complete rows of rank 4, and the same with gaps."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(1000, 4)) @ rng.normal(size=(4, 20))
    rows += 0.1 * rng.normal(size=rows.shape)
    missing = rng.random(rows.shape) < missing_fraction
    return rows, np.where(missing, np.nan, rows)


def filling_errors(cls, *corruptions):
    """Return the mean's error in gaps of new rows, then that with each corruption."""
    rows, gaps = low_rank()
    new, known = gaps[800:], rows[800:]
    missing = np.isnan(new)
    filled = [np.where(missing, np.nanmean(gaps[:800], axis=0), new)]
    for corruption in corruptions:
        estimator = quick(cls, latent_dim=8, corruption=corruption, epochs=200)
        filled.append(estimator.fit(gaps[:800]).impute(new))
    return [np.square(one - known)[missing].mean() for one in filled]


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_filling_beats_the_mean(cls):
    mean, error = filling_errors(cls, MaskingNoise(0.2))
    assert error < 0.1 * mean


def test_filling_is_better_where_it_was_practised():
    """As the docstring of ``impute`` says."""
    mean, plain, practised = filling_errors(
        AutoencoderTransformer, None, MaskingNoise(0.2)
    )
    assert practised < 0.5 * plain < 0.5 * mean


def test_frames_come_back_where_set_output_says_so(X):
    frame = pd.DataFrame(X, columns=list("abcdef"), index=np.arange(80) + 100)
    transformer = quick(AutoencoderTransformer).fit(frame)
    plain = transformer.impute(frame)
    assert isinstance(plain, np.ndarray)
    filled = transformer.set_output(transform="pandas").impute(frame)
    assert list(filled.columns) == list("abcdef")
    assert filled.index.equals(frame.index)
    np.testing.assert_array_equal(filled.to_numpy(), plain)
    unnamed = quick(AutoencoderTransformer).set_output(transform="pandas").fit(X)
    assert list(unnamed.impute(X).columns) == [f"x{i}" for i in range(6)]
    series = quick(AutoencoderTransformer).set_output(transform="pandas")
    series = series.fit(X.reshape(80, 3, 2))
    assert series.impute(X.reshape(80, 3, 2)).shape == (80, 3, 2)


def test_a_training_goes_on_with_gaps(X, complete):
    """A warm start that allows gaps learns its stand-in where it had none."""
    transformer = quick(AutoencoderTransformer, allow_nan=False, warm_start=True)
    transformer.fit(complete).set_params(allow_nan=True).fit(X)
    assert np.isfinite(transformer.impute(X)).all()
