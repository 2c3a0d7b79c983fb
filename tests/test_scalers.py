"""Scalers equal scikit-learn's, keep shapes and dtypes, and say what does not suit."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
)
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from skae import make_heartbeats
from skae._scalers import (
    ChannelScaler,
    CommonScaler,
    IdentityScaler,
    TransformerScaler,
    fitted_scaler,
    share_a_unit,
)

ORACLES = {"standard": StandardScaler, "minmax": MinMaxScaler}
# Scalers that have an inverse wherever a network may go.
ALL = ["standard", "minmax", "common", None, RobustScaler()]


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    return rng.normal(size=(50, 4)) * [1, 10, 1e-3, 1e3] + [0, 5, -2, 1e4]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, IdentityScaler),
        ("standard", ChannelScaler),
        ("minmax", ChannelScaler),
        ("common", CommonScaler),
        (RobustScaler(), TransformerScaler),
    ],
)
def test_every_value_of_the_parameter_has_a_scaler(value, kind):
    assert type(fitted_scaler(value, np.eye(3))) is kind


# ------------------------------------------------------------- named scalers


@pytest.mark.parametrize("kind", ["standard", "minmax"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_columns_are_scaled_as_by_scikit_learn(X, kind, dtype):
    X = X.astype(dtype)
    X[:, 2] = 0.1
    ours, theirs = ChannelScaler(kind).fit(X), ORACLES[kind]().fit(X)
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    for method in ("transform", "inverse_transform"):
        found = getattr(ours, method)(X[::2])
        np.testing.assert_allclose(
            found, getattr(theirs, method)(X[::2]), rtol=tolerance, atol=tolerance
        )
        assert found.dtype == dtype


@pytest.mark.parametrize("kind", ["standard", "minmax"])
def test_channels_of_nd_rows_are_scaled_together(kind):
    X = np.random.default_rng(0).normal(size=(7, 5, 3)) * [1, 10, 100]
    scaler = ChannelScaler(kind).fit(X)
    flat = ORACLES[kind]().fit_transform(X.reshape(-1, 3))
    np.testing.assert_allclose(scaler.transform(X), flat.reshape(X.shape), atol=1e-12)
    assert scaler.scale_.shape == (3,)


@pytest.mark.parametrize("kind", ["standard", "minmax"])
@pytest.mark.parametrize("shape", [(40, 3), (40, 5, 3)])
def test_weights_are_copies(kind, shape):
    rng = np.random.default_rng(0)
    X, weight = rng.normal(size=shape), rng.integers(1, 4, size=40)
    weighted = ChannelScaler(kind).fit(X, weight.astype(float))
    copied = ChannelScaler(kind).fit(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(weighted.center_, copied.center_, atol=1e-12)
    np.testing.assert_allclose(weighted.scale_, copied.scale_, rtol=1e-12)


@pytest.mark.parametrize("kind", ["standard", "minmax"])
@pytest.mark.parametrize("value", [0.0, 0.1, -3e8])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_constant_columns_keep_their_scale(kind, value, dtype):
    X = np.full((30, 1), value, dtype)
    scaler = ChannelScaler(kind).fit(X)
    assert scaler.scale_.tolist() == [1.0]
    assert np.abs(scaler.transform(X)).max() < 1e-6 * max(1, abs(value))
    assert (scaler.inverse_transform(scaler.transform(X)) == X).all()


def test_rounding_is_constant_but_tiny_units_are_not():
    rng = np.random.default_rng(0)
    noise = np.where(rng.random((30, 1)) < 0.5, 0.3, 0.1 + 0.2)
    assert np.ptp(noise) > 0
    assert ChannelScaler("minmax").fit(noise).scale_.tolist() == [1.0]
    tiny = 1e-20 * rng.random((30, 1))
    scaled = ChannelScaler("minmax").fit(tiny).transform(tiny)
    assert (scaled.min(), scaled.max()) == (0, 1)


@pytest.mark.parametrize("kind", ["standard", "minmax"])
def test_values_that_cannot_be_scaled_raise(kind):
    X = np.array([[-1e308], [0.0], [1.7e308]])
    with pytest.raises(
        ValueError,
        match=f"scaler='{kind}' cannot scale values as large as these: they range from "
        r"-1e\+308 to 1.7e\+308. Divide them by a constant first.",
    ):
        ChannelScaler(kind).fit(X)


# ---------------------------------------------------------------- all scalers


@settings(max_examples=40, deadline=None)
@given(
    scaler=st.sampled_from(ALL),
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 1000),
)
def test_round_trip_keeps_values_shape_and_dtype(scaler, shape, dtype, seed):
    rng = np.random.default_rng(seed)
    X = (rng.normal(size=(9, *shape)) * 10.0 ** rng.integers(-3, 4)).astype(dtype)
    before = X.copy()
    fitted = fitted_scaler(scaler, X)
    scaled = fitted.transform(X)
    back = fitted.inverse_transform(scaled)
    assert scaled.shape == back.shape == X.shape
    assert scaled.dtype == back.dtype == dtype
    np.testing.assert_allclose(
        back, X, atol=(1e-5 if dtype == np.float32 else 1e-12) * np.abs(X).max()
    )
    assert (before == X).all()


@pytest.mark.parametrize("scaler", ALL)
def test_blocks_of_rows_are_scaled_as_all_rows_are(X, scaler):
    fitted = fitted_scaler(scaler, X)
    rows = [fitted.transform(X[i : i + 1]) for i in range(len(X))]
    np.testing.assert_allclose(np.vstack(rows), fitted.transform(X), atol=1e-12)


@pytest.mark.parametrize("scaler", ALL)
def test_any_array_like_is_scaled(scaler):
    """Users call a fitted estimator's scaler_ with tables, lists and integers."""
    X = np.random.default_rng(0).integers(0, 9, size=(20, 3))
    fitted = fitted_scaler(scaler, X.astype(float))
    expected = fitted.transform(X.astype(float))
    for same in (X, X.tolist(), pd.DataFrame(X, columns=list("abc"))):
        found = fitted.transform(same)
        assert type(found) is np.ndarray
        assert found.dtype == np.float64
        assert (found == expected).all()


@pytest.mark.parametrize("kind", ["standard", "minmax"])
@pytest.mark.parametrize("shape", [(5, 1), (5, 3), (4,)])
def test_rows_of_another_shape_raise(X, kind, shape):
    fitted = ChannelScaler(kind).fit(X)
    for method in (fitted.transform, fitted.inverse_transform):
        with pytest.raises(ValueError, match="fitted on rows whose last axis has leng"):
            method(np.zeros(shape))


# --------------------------------------------------------- users' transformers


TRANSFORMERS = [
    RobustScaler(),
    QuantileTransformer(n_quantiles=20, output_distribution="normal"),
    make_pipeline(RobustScaler(), MinMaxScaler()),
    StandardScaler().set_output(transform="pandas"),
    make_pipeline(StandardScaler(), PCA()).set_output(transform="pandas"),
]


@pytest.mark.parametrize("output", ["default", "pandas"])
@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=str)
def test_a_users_transformer_scales_flattened_rows(transformer, output):
    X = np.random.default_rng(0).normal(size=(30, 2, 3))
    with sklearn.config_context(transform_output=output):
        scaler = TransformerScaler(transformer).fit(X)
        found = scaler.transform(X)
        back = scaler.inverse_transform(found)
    flat = X.reshape(30, 6)
    expected = np.asarray(scaler.transformer_.fit_transform(flat)).reshape(X.shape)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(back, X, atol=1e-6)
    assert type(found) is type(back) is np.ndarray


def test_the_given_transformer_is_not_fitted(X):
    given = RobustScaler()
    TransformerScaler(given).fit(X)
    assert not hasattr(given, "center_")


def test_transformers_that_work_in_place_do_not_change_the_rows(X):
    in_place = make_pipeline(StandardScaler(copy=False), MinMaxScaler(copy=False))
    before = X.copy()
    scaler = TransformerScaler(in_place).fit(X)
    scaled = scaler.transform(X)
    kept = scaled.copy()
    np.testing.assert_allclose(scaler.inverse_transform(scaled), before)
    assert (before == X).all()
    assert (kept == scaled).all()
    X.flags.writeable = False
    assert (scaler.transform(X) == kept).all()


@pytest.mark.parametrize("transformer", [StandardScaler(), RobustScaler()], ids=str)
def test_whole_weights_are_copies_for_every_transformer(X, transformer):
    weight = np.random.default_rng(0).integers(1, 4, size=len(X))
    weighted = TransformerScaler(transformer).fit(X, weight.astype(float))
    copied = TransformerScaler(transformer).fit(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(weighted.transform(X), copied.transform(X), atol=1e-9)


def test_fractional_weights_need_a_transformer_that_takes_them(X):
    weight = np.linspace(0.5, 1.5, len(X))
    TransformerScaler(StandardScaler()).fit(X, weight)
    with pytest.raises(
        ValueError,
        match=r"scaler RobustScaler\(\) takes no sample_weight in fit: weights must "
        "be whole numbers .* Use scaler='standard', or whole weights",
    ):
        TransformerScaler(RobustScaler()).fit(X, weight)


@pytest.mark.parametrize("scaler", [*ALL, StandardScaler()], ids=str)
@pytest.mark.parametrize("factor", [1e-9, 0.3, 1e5, 1e9])
@pytest.mark.parametrize("copies", ["equal", "unequal"])
def test_only_ratios_of_weights_matter(scaler, factor, copies):
    """With 1e9 copies of each row, scikit-learn takes a column of times as constant."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3)) * [1e4, 1, 1e-3] + [1.7e9, 0, 1]
    weight = rng.integers(1, 4, size=200) if copies == "unequal" else np.ones(200)
    plain = fitted_scaler(scaler, X, weight.astype(float)).transform(X)
    scaled = fitted_scaler(scaler, X, factor * weight).transform(X)
    np.testing.assert_allclose(scaled, plain, rtol=1e-9, atol=1e-9)


def test_a_transformer_that_changes_the_columns_raises(X):
    with pytest.raises(
        ValueError,
        match=r"transform of scaler PCA\(n_components=2\) makes rows of shape \(2,\) "
        r"of rows of shape \(4,\), but a scaler must keep it. Put a transformer that",
    ):
        TransformerScaler(PCA(n_components=2)).fit(X)


def test_an_inverse_that_changes_the_columns_raises(X):
    halving = FunctionTransformer(inverse_func=lambda X: X[:, :2])
    with pytest.raises(ValueError, match="inverse_transform of scaler FunctionTransfo"):
        TransformerScaler(halving).fit(X)


def test_sparse_output_is_made_dense(X):
    sparse = FunctionTransformer(scipy.sparse.csr_array, check_inverse=False)
    found = TransformerScaler(sparse).fit(X).transform(X)
    assert (found == X).all()


def test_a_transformer_that_makes_nan_raises(X):
    logarithm = FunctionTransformer(np.log, np.exp)
    scaler = TransformerScaler(logarithm).fit(np.abs(X) + 1)
    with pytest.raises(
        ValueError,
        match="scaler FunctionTransformer.* made NaN or infinity of finite values. Use "
        "one that suits all values, or scaler='standard'",
    ):
        scaler.transform(-np.ones((2, 4)))


def test_beyond_the_reach_of_an_inverse_the_nearest_fitted_value_counts():
    """The inverse of Yeo and Johnson's transform is bounded for skewed columns."""
    X = np.random.default_rng(0).exponential(size=(100, 2)) ** 3
    scaler = TransformerScaler(PowerTransformer()).fit(X)
    beyond = scaler.transform(X) * 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw = scaler.transformer_.inverse_transform(beyond)
    assert np.isnan(raw).any()
    back = scaler.inverse_transform(beyond)
    assert (back[np.isnan(raw)] <= X.max() * (1 + 1e-9)).all()
    assert (back[~np.isnan(raw)] == raw[~np.isnan(raw)]).all()


class NeedsWholeWeights(BaseEstimator):
    """A transformer as users write them: no sample_weight, no set_output."""

    def fit(self, X, y=None):
        self.n_rows_ = len(X)
        return self

    def transform(self, X):
        return X

    def inverse_transform(self, X):
        return X


def test_a_transformer_without_any_extras(X):
    scaler = TransformerScaler(NeedsWholeWeights()).fit(X, np.full(len(X), 2.0))
    assert scaler.transformer_.n_rows_ == 2 * len(X)
    assert (scaler.transform(X) == X).all()


# ------------------------------------------------- one scale for all of a row


def series(n=60, n_columns=40, seed=0):
    """Smooth rows, some columns of which hardly vary; and what they vary by."""
    rng = np.random.default_rng(seed)
    place = np.linspace(0, 3, n_columns)
    rows = rng.normal(size=(n, 1)) * np.sin(place) + rng.normal(size=(n, 1)) * np.cos(
        2 * place
    )
    return rows * (0.1 + 0.9 / (1 + np.exp(-8 * (place - 1)))) + 7 + place


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_common_scale_keeps_the_sizes_of_columns(dtype):
    X = series().astype(dtype)
    scaler = CommonScaler().fit(X)
    scaled = scaler.transform(X)
    assert scaled.dtype == dtype
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-5)
    assert np.isclose(scaled.var(axis=0).mean(), 1, atol=1e-4)
    sizes = X.std(axis=0) / X.std(axis=0)[-1]
    np.testing.assert_allclose(scaled.std(axis=0) / scaled.std(axis=0)[-1], sizes, 1e-3)
    np.testing.assert_allclose(scaler.inverse_transform(scaled), X, rtol=1e-5)
    assert scaler.center_.shape == (40,)
    assert scaler.scale_.shape == (1,)


def test_a_common_scale_is_one_per_channel_and_its_centers_one_per_value():
    X = np.random.default_rng(0).normal(size=(50, 5, 3)) * [1, 10, 100]
    X += np.arange(15).reshape(5, 3)
    scaler = CommonScaler().fit(X)
    assert scaler.center_.shape == (5, 3)
    np.testing.assert_allclose(scaler.center_, X.mean(axis=0))
    np.testing.assert_allclose(scaler.scale_, np.sqrt(X.var(axis=0).mean(axis=0)))


@pytest.mark.parametrize("shape", [(40, 3), (40, 5, 3)])
def test_weights_are_copies_for_a_common_scale(shape):
    rng = np.random.default_rng(0)
    X, weight = rng.normal(size=shape), rng.integers(1, 4, size=40)
    weighted = CommonScaler().fit(X, weight.astype(float))
    copied = CommonScaler().fit(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(weighted.center_, copied.center_, atol=1e-12)
    np.testing.assert_allclose(weighted.scale_, copied.scale_, rtol=1e-12)


@pytest.mark.parametrize("value", [0.0, 0.1, -3e8])
def test_where_nothing_varies_the_common_scale_is_one(value):
    X = np.full((30, 4), value)
    scaler = CommonScaler().fit(X)
    assert scaler.scale_.tolist() == [1.0]
    assert (scaler.inverse_transform(scaler.transform(X)) == X).all()


def test_a_common_scale_leaves_missing_entries_out():
    X = np.random.default_rng(0).normal(size=(50, 4, 2))
    X[::2, 0] = np.nan
    X[:, 1, 0] = np.nan  # a place that is never observed; its channel is
    scaler = CommonScaler().fit(X)
    np.testing.assert_allclose(scaler.center_[0], np.nanmean(X[:, 0], axis=0))
    assert np.isclose(scaler.center_[1, 0], scaler.center_[[0, 2, 3], 0].mean())
    variances = np.nanvar(np.delete(X[..., 0], 1, axis=1), axis=0)
    assert np.isclose(scaler.scale_[0], np.sqrt(variances.mean()))
    assert (np.isnan(scaler.transform(X)) == np.isnan(X)).all()


def test_rows_of_another_shape_do_not_suit_a_common_scale():
    scaler = CommonScaler().fit(np.ones((3, 4, 2)))
    with pytest.raises(
        ValueError, match=r"X has shape \(2, 5, 2\), but .* rows of shape \(4, 2\)\."
    ):
        scaler.transform(np.ones((2, 5, 2)))


def test_values_that_have_no_common_scale_raise():
    with pytest.raises(ValueError, match="scaler='common' cannot scale values as larg"):
        CommonScaler().fit(np.array([[-1e308], [0.0], [1.7e308]]))


# ------------------------------------------------------------- scaler="auto"


def test_series_and_nd_rows_get_a_common_scale():
    assert type(fitted_scaler("auto", series())) is CommonScaler
    assert type(fitted_scaler("auto", series().reshape(60, 20, 2))) is CommonScaler
    beats, _ = make_heartbeats(n_samples=100, random_state=0)
    assert type(fitted_scaler("auto", beats)) is CommonScaler


@pytest.mark.parametrize(
    "load", [load_breast_cancer, load_wine, load_digits, load_diabetes, load_iris]
)
def test_tables_get_a_scale_per_column(load):
    assert type(fitted_scaler("auto", load().data)) is ChannelScaler


def test_a_series_depends_on_the_order_of_columns():
    X = series()
    shuffled = X[:, np.random.default_rng(0).permutation(40)]
    assert share_a_unit(X)
    assert not share_a_unit(shuffled)


def test_few_columns_are_a_table_however_alike():
    assert not share_a_unit(series(n_columns=19))
    assert share_a_unit(series(n_columns=20))


@pytest.mark.parametrize("factor", [1e-4, 0.02, 50, 1e3])
@pytest.mark.parametrize("place", [0, 17, 39])
def test_a_column_with_a_unit_of_its_own_makes_a_table(factor, place):
    X = series()
    assert share_a_unit(X)
    X[:, place] *= factor
    assert not share_a_unit(X)


def test_rows_and_columns_that_are_hardly_observed_do_not_count():
    X = np.c_[np.ones(60), series()]
    X[0, 1:] = np.nan  # seen where nothing varies
    X[1:, 1] = np.nan  # a column without a value
    assert share_a_unit(X)
    X[:, 2::2] = np.nan  # no neighbours
    X[0, 2::2] = 1.0
    assert not share_a_unit(X)


@pytest.mark.parametrize("value", [0.0, 0.1, 7.3])
@pytest.mark.parametrize("make", ["series", "images"])
def test_constant_columns_do_not_count(make, value):
    X = {"series": series, "images": images}[make]()
    X = np.c_[np.full((len(X), 3), X.min() + value), X]
    assert share_a_unit(X)


def test_columns_that_are_no_part_of_the_series_make_a_table():
    X, rng = series(), np.random.default_rng(1)
    for other in (
        rng.normal(size=60),
        1e-4 * rng.normal(size=60),
        rng.random(60) < 0.5,
    ):
        assert not share_a_unit(np.c_[X, other])
        assert not share_a_unit(np.c_[other, X])


def test_several_series_in_units_of_their_own_make_a_table():
    blocks = [unit * series(seed=i) for i, unit in enumerate((1, 100, 1e4))]
    assert not share_a_unit(np.hstack(blocks))
    beats, _ = make_heartbeats(n_samples=200, random_state=0)
    assert share_a_unit(beats)
    beats[:, 70:] *= 1000
    assert not share_a_unit(beats)
    assert not share_a_unit(series() * np.logspace(0, 3, 40))


def images(n=200, seed=0):
    """Smooth spots on a dark ground, flat: pixels at the border hardly vary."""
    rng = np.random.default_rng(seed)
    across = np.linspace(-2, 2, 16)
    centers = rng.normal(scale=0.7, size=(2, n, 1))
    rows, columns = (np.exp(-((across - one) ** 2)) for one in centers)
    return np.clip(rows[:, :, None] * columns[:, None] - 0.2, 0, 0.7).reshape(n, -1)


def test_flat_images_get_a_common_scale():
    X = images()
    deviation = X.std(axis=0)
    assert deviation.max() > 30 * deviation.min()
    assert share_a_unit(X)
    assert share_a_unit(np.round(255 * X))
    X[:, 100] *= 10
    assert not share_a_unit(X)


def test_a_table_between_bounds_is_no_image():
    X = np.random.default_rng(0).random((100, 40)) ** np.linspace(0.5, 8, 40)
    assert type(fitted_scaler("auto", MinMaxScaler().fit_transform(X))) is ChannelScaler


def test_the_choice_depends_on_copies_and_gaps_but_not_on_location_or_unit():
    rng = np.random.default_rng(0)
    table, smooth = rng.normal(size=(30, 40)), series(30)
    X = np.concatenate([table, smooth])
    heavy = np.repeat([1.0, 0.0], 30)
    assert not share_a_unit(X, heavy)
    assert share_a_unit(X, 1 - heavy)
    smooth[rng.random(smooth.shape) < 0.1] = np.nan
    for moved in (smooth, 1e6 + smooth, 1e-9 * smooth):
        assert share_a_unit(moved)
    assert not share_a_unit(np.ones((30, 40)))
    assert not share_a_unit(np.full((3, 40), 1e200) * table[:3])


# ------------------------------------------------------------- float32 and float64

KINDS = pytest.mark.parametrize("kind", ["standard", "minmax", "common", "transformer"])


def fitted(kind, X, weight=None):
    scaler = StandardScaler() if kind == "transformer" else kind
    return fitted_scaler(scaler, X, weight)


@KINDS
@pytest.mark.parametrize("offset", [0, 50, 1e4])
def test_float32_rows_are_scaled_as_their_float64_copies(kind, offset):
    rng = np.random.default_rng(0)
    single = (offset + rng.normal(size=(200, 5)) * [1, 2, 3, 4, 5]).astype(np.float32)
    double = single.astype(np.float64)
    expected = fitted(kind, double).transform(double)
    for rows in (single, double):
        found = fitted(kind, rows).transform(single)
        assert found.dtype == np.float32
        assert np.array_equal(found, expected.astype(np.float32))
    back = fitted(kind, double).inverse_transform(expected.astype(np.float32))
    np.testing.assert_allclose(back, double, rtol=2e-7, atol=2e-6)


@KINDS
def test_float32_rows_are_scaled_where_float32_does_not_hold_the_center(kind):
    X = 1e40 * (50 + np.random.default_rng(0).normal(size=(30, 3)))
    single = np.array([[1.0, -2.0, 3e38]], np.float32)
    scaler = fitted(kind, X)
    expected = scaler.transform(single.astype(np.float64))
    np.testing.assert_allclose(scaler.transform(single), expected, rtol=1e-6)
    assert np.isfinite(expected).all()


@pytest.mark.parametrize("kind", ["standard", "minmax", "common"])
@pytest.mark.parametrize("shape", [(40, 3), (40, 2, 3)])
def test_float32_rows_that_lost_what_varies_raise(kind, shape):
    X = np.random.default_rng(0).normal(size=shape)
    X[..., 1] += 1e9
    scaler = fitted(kind, X)
    message = r"X is float32, which rounds values near .* too much: the rows of fit"
    with pytest.raises(ValueError, match=message):
        scaler.transform(X.astype(np.float32))
    single = X.astype(np.float32)  # what float32 rows were fitted on says enough
    assert np.isfinite(fitted(kind, single).transform(single)).all()


@pytest.mark.parametrize("kind", ["standard", "minmax", "common"])
def test_constant_columns_stay_constant_in_float32(kind):
    X = np.random.default_rng(0).normal(size=(40, 3))
    X[:, 1] = 1.7e9 + 0.3
    scaler = fitted(kind, X)
    scaled = scaler.transform(X.astype(np.float32))
    np.testing.assert_allclose(scaled, scaler.transform(X), atol=1e-5)
    assert not scaled[:, 1].any()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["standard", "common"])
def test_moments_are_learned_in_blocks(kind, weighted):
    """Also those of a column that the first blocks do not show."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600_000, 2)) + [3, 4]
    weight = rng.uniform(size=len(X)) if weighted else None
    X[:-1000, 1] = np.nan
    expected = StandardScaler().fit(X, sample_weight=weight)
    found = fitted(kind, X, weight)
    np.testing.assert_allclose(found.center_, expected.mean_, rtol=1e-9)
    scale = expected.scale_
    if kind == "common":
        scale = np.sqrt(np.mean(scale**2))
    np.testing.assert_allclose(found.scale_, scale, rtol=1e-9)
