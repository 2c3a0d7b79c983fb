"""Corruptions draw the same distribution in NumPy and inside a compiled program."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from skae import (
    AutoencoderTransformer,
    DenoisingRegressor,
    GaussianNoise,
    MaskingNoise,
    SaltAndPepperNoise,
    SwapNoise,
)
from skae import _engine as engine
from skae.corruptions import Corruption, corrupt

FRACTIONS = [MaskingNoise, SaltAndPepperNoise, SwapNoise]
CORRUPTIONS = [
    GaussianNoise(0.3),
    GaussianNoise((0.05, 2.0)),
    GaussianNoise(0.3, clip=(0, 1)),
    MaskingNoise(0.3),
    SaltAndPepperNoise(0.3),
    SwapNoise(0.3),
]


def in_numpy(corruption, X, seed):
    return corrupt(corruption, X, seed=seed)


def in_tensorflow(corruption, X, seed):
    """Return all rows as a compiled program damages them."""
    engine.import_quietly()
    import tensorflow as tf

    from skae._engine._keras._trainer import TensorDraw

    data = {"x": X.astype(np.float32)}
    if corruption.needs_extremes:
        axes = tuple(range(X.ndim - 1))
        data["low"], data["high"] = data["x"].min(axes), data["x"].max(axes)
    data = {name: tf.constant(value) for name, value in data.items()}

    @tf.function
    def damage(seed):
        return corruption.apply(data["x"], TensorDraw(seed, data))

    return damage(tf.constant([seed, 0], tf.int32)).numpy()


PLACES = pytest.mark.parametrize("place", [in_numpy, in_tensorflow])


@pytest.fixture
def X():
    """Rows whose columns have values of their own, all positive."""
    return np.random.default_rng(0).random((4000, 3)) + [1.0, 10.0, 100.0]


# ------------------------------------------------------------------ everywhere


@PLACES
@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=str)
def test_a_seed_gives_its_own_draws(X, corruption, place):
    first = place(corruption, X, 1)
    assert np.array_equal(place(clone(corruption), X, 1), first)
    assert not np.array_equal(place(corruption, X, 2), first)


@PLACES
@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=str)
@pytest.mark.parametrize("shape", [(1,), (5,), (4, 2), (3, 4, 2)])
def test_shape_and_dtype_are_kept_and_the_rows_too(corruption, shape, place):
    X = np.random.default_rng(0).random((6, *shape), np.float32)
    before = X.copy()
    damaged = place(corruption, X, 0)
    assert damaged.shape == X.shape
    assert damaged.dtype == np.float32
    assert np.array_equal(X, before)


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=str)
@pytest.mark.parametrize("shape", [(5,), (3, 4, 2)])
@pytest.mark.parametrize("training_rows", [None, 6])
def test_no_rows_are_damaged_to_no_rows(corruption, shape, training_rows):
    X, known = np.empty((0, *shape), np.float32), None
    if training_rows is not None:
        known = np.ones((training_rows, *shape), np.float32)
    damaged = corrupt(corruption, X, seed=0, training_rows=known)
    assert damaged.shape == X.shape
    assert damaged.dtype == X.dtype


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=str)
def test_float64_stays_float64(X, corruption):
    assert corrupt(corruption, X, seed=0).dtype == np.float64


@PLACES
@pytest.mark.parametrize("cls", FRACTIONS)
def test_no_fraction_is_the_identity(X, cls, place):
    X = X.astype(np.float32)
    assert np.array_equal(place(cls(0.0), X, 0), X)
    assert np.array_equal(place(GaussianNoise(0.0), X, 0), X)


@PLACES
@pytest.mark.parametrize("cls", FRACTIONS)
@pytest.mark.parametrize("fraction", [0.05, 0.5, np.float64(0.25), 1])
def test_the_fraction_is_that_of_the_damaged_entries(X, cls, fraction, place):
    X = X.astype(np.float32)
    share = (place(cls(fraction), X, 0) != X).mean()
    assert abs(share - fraction) < 4 * np.sqrt(0.25 / X.size) + 0.002


@PLACES
@pytest.mark.parametrize("cls", FRACTIONS)
def test_columns_are_damaged_independently(X, cls, place):
    X = X.astype(np.float32)
    damaged = place(cls(0.5), X, 0) != X
    correlation = np.corrcoef(damaged, rowvar=False) - np.eye(3)
    assert np.abs(correlation).max() < 5 / np.sqrt(len(X))


# ------------------------------------------------------------------- each kind


@PLACES
@pytest.mark.parametrize("std", [0.5, 3, np.float64(0.1), np.float32(0.1)])
def test_gaussian_noise_has_its_standard_deviation(X, std, place):
    noise = place(GaussianNoise(std), X, 0) - X
    error = std / np.sqrt(noise.size)
    assert abs(noise.mean()) < 5 * error
    assert abs(noise.std() - std) < 5 * error
    normal = np.abs(noise / std)
    assert abs((normal < 1).mean() - 0.6827) < 0.03
    assert abs((normal < 2).mean() - 0.9545) < 0.015


@PLACES
@pytest.mark.parametrize("std", [(0.01, 1.0), [np.float64(0.01), np.float64(1)]])
def test_a_range_of_noise_is_drawn_per_row_and_log_uniformly(std, place):
    X = np.zeros((2000, 400), np.float32)
    per_row = place(GaussianNoise(std), X, 0).std(axis=1)
    place_in_range = (np.log(per_row) - np.log(0.01)) / np.log(100)
    grid = np.linspace(0, 1, len(X))
    # Kolmogorov's distance, and what 400 values tell of a standard deviation.
    distance = np.abs(np.sort(place_in_range) - grid).max()
    assert distance < 2 / np.sqrt(len(X)) + 0.02


@PLACES
def test_clipped_noise_stays_inside(X, place):
    X = np.random.default_rng(0).random((500, 4)).astype(np.float32)
    damaged = place(GaussianNoise(2.0, clip=(np.float64(0), 1)), X, 0)
    assert (damaged.min(), damaged.max()) == (0, 1)
    free = place(GaussianNoise(2.0), X, 0)
    np.testing.assert_allclose(damaged, np.clip(free, 0, 1), atol=1e-6)


@PLACES
def test_masked_entries_are_zero(X, place):
    X = X.astype(np.float32)
    damaged = place(MaskingNoise(0.5), X, 0)
    assert np.unique(damaged[damaged != X]).tolist() == [0.0]


@PLACES
def test_salt_and_pepper_are_the_extremes_of_a_column_in_halves(X, place):
    X = X.astype(np.float32)
    damaged = place(SaltAndPepperNoise(0.4), X, 0)
    low, high = X.min(axis=0), X.max(axis=0)
    changed = damaged != X
    assert ((damaged == low) | (damaged == high))[changed].all()
    assert abs((damaged == low)[changed].mean() - 0.5) < 0.05


@PLACES
def test_the_extremes_of_nd_rows_are_those_of_a_channel(place):
    X = np.random.default_rng(0).random((200, 5, 2)).astype(np.float32)
    X[..., 1] += 10
    damaged = place(SaltAndPepperNoise(1.0), X, 0)
    for channel in range(2):
        values = X[..., channel]
        expected = sorted([values.min(), values.max()])
        assert np.unique(damaged[..., channel]).tolist() == expected


@PLACES
@pytest.mark.parametrize("shape", [(3,), (2, 3)])
def test_swapped_entries_come_from_the_same_column_of_any_row(shape, place):
    X = np.arange(2000.0 * np.prod(shape), dtype=np.float32).reshape(2000, *shape)
    damaged = place(SwapNoise(1.0), X, 0).reshape(2000, -1)
    flat = X.reshape(2000, -1)
    for column in range(flat.shape[1]):
        found = damaged[:, column]
        assert np.isin(found, flat[:, column]).all()
        # Drawn with replacement: each row is hit once on average.
        assert abs(len(np.unique(found)) / len(flat) - (1 - np.exp(-1))) < 0.05
        assert abs(found.mean() - flat[:, column].mean()) < 0.1 * np.ptp(flat)
    rows = (damaged - flat[0]) / flat.shape[1]
    assert np.abs(np.corrcoef(rows, rowvar=False) - np.eye(rows.shape[1])).max() < 0.1


def test_values_of_other_rows_can_come_from_the_training_rows():
    X = np.zeros((50, 2), np.float32)
    training_rows = np.array([[1.0, 2.0], [3.0, 4.0]])
    swapped = corrupt(SwapNoise(1.0), X, seed=0, training_rows=training_rows)
    assert np.unique(swapped[:, 0]).tolist() == [1, 3]
    assert np.unique(swapped[:, 1]).tolist() == [2, 4]
    salted = corrupt(SaltAndPepperNoise(1.0), X, seed=0, training_rows=training_rows)
    assert np.unique(salted).tolist() == [1, 2, 3, 4]
    assert swapped.dtype == salted.dtype == np.float32


@settings(max_examples=30, deadline=None)
@given(
    shape=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    corruption=st.sampled_from(CORRUPTIONS),
    seed=st.integers(0, 1000),
)
def test_any_shape(shape, corruption, seed):
    X = np.random.default_rng(seed).random((4, *shape))
    damaged = corrupt(corruption, X, seed=seed)
    assert damaged.shape == X.shape
    assert np.isfinite(damaged).all()


# ------------------------------------------------------------------ parameters


@pytest.mark.parametrize(
    ("corruption", "message"),
    [
        (
            GaussianNoise((1.0, 0.5)),
            "The 'std' parameter of GaussianNoise as a range must be two numbers with "
            r"0 < low < high <= 1e\+15. Got \(1.0, 0.5\) instead",
        ),
        (GaussianNoise((0.0, 1.0)), "0 < low < high"),
        (GaussianNoise((0.1, np.inf)), "0 < low < high"),
        (GaussianNoise((0.1, np.nan)), "0 < low < high"),
        (GaussianNoise([0.1]), "0 < low < high"),
        (GaussianNoise((0.1, 0.2, 0.3)), "0 < low < high"),
        (GaussianNoise((False, True)), "0 < low < high"),
        (GaussianNoise(("a", "b")), "0 < low < high"),
        (
            GaussianNoise(clip=(1, 0)),
            "The 'clip' parameter of GaussianNoise as a range must be two numbers with "
            r"low < high. Got \(1, 0\) instead",
        ),
        (GaussianNoise(clip=(0,)), "low < high"),
        (GaussianNoise(clip=(0, 0)), "low < high"),
        (GaussianNoise(clip=(None, 1)), "low < high"),
    ],
)
def test_ranges_that_are_none_raise(corruption, message):
    with pytest.raises(ValueError, match=message):
        AutoencoderTransformer(corruption=corruption).fit(np.eye(5))


@pytest.mark.parametrize(
    "corruption",
    [
        GaussianNoise(-1.0),
        GaussianNoise(np.inf),
        GaussianNoise("a"),
        GaussianNoise(clip=1.0),
        MaskingNoise(1.1),
        SaltAndPepperNoise(-0.1),
        SwapNoise(None),
    ],
)
def test_impossible_parameters_raise(corruption):
    message = f"The '.*' parameter of {type(corruption).__name__} must be"
    with pytest.raises(ValueError, match=message):
        AutoencoderTransformer(corruption=corruption).fit(np.eye(5))


# --------------------------------------------------------- corruptions of users


def test_the_base_class_is_abstract():
    with pytest.raises(TypeError, match="abstract class Corruption .*apply"):
        Corruption()

    class Undefined(Corruption):
        pass

    with pytest.raises(TypeError, match="abstract class Undefined .*apply"):
        Undefined()


class Shift(Corruption):
    """Adds a constant."""

    def __init__(self, by=1.0):
        self.by = by

    def apply(self, x, draw):
        return x + self.by


def test_a_corruption_of_a_user_is_a_scikit_learn_object():
    assert repr(Shift(2.0)) == "Shift(by=2.0)"
    for copy in (clone(Shift(2.0)), pickle.loads(pickle.dumps(Shift(2.0)))):
        assert copy.get_params() == {"by": 2.0}
        assert corrupt(copy, np.zeros((2, 1)), seed=0).tolist() == [[2.0], [2.0]]
    assert Shift().set_params(by=3.0).by == 3.0


def test_the_module_shows_its_public_names():
    import skae.corruptions as module

    assert dir(module) == sorted(module.__all__)


# -------------------------------------------------------------------- training


class Marking(Corruption):
    """Pushes every row by one draw of its own, far: the loss shows the draw."""

    def apply(self, x, draw):
        return x + 100.0 * draw.uniform_per_row(x)


def losses(n_rows, **params):
    """Return the losses of a network that hardly learns, one step after another."""
    X = np.zeros((n_rows, 1), np.float32)
    params = {"scaler": None, "latent_dim": 1, "epochs": 4, "random_state": 0} | params
    fitted = AutoencoderTransformer(
        corruption=Marking(),
        learning_rate=1e-12,
        validation_fraction=None,
        patience=None,
        **params,
    ).fit(X)
    return fitted.history_["loss"]


def test_noise_is_drawn_afresh_every_epoch():
    """The only row is always the same, so equal noise would be an equal loss."""
    found = losses(2, batch_size=2)
    assert len(set(np.round(found, 6))) == len(found)
    assert losses(2, batch_size=2) == found
    assert losses(2, batch_size=2, random_state=1) != found


class SameWeights(Marking):
    """The same push for all rows of a step."""

    def apply(self, x, draw):
        return 0.0 * x + 100.0 * draw.uniform_per_row(x)[:1]


def test_noise_is_drawn_afresh_every_step():
    """With one draw per epoch, losses of rows that are alike would not average out."""
    X = np.zeros((100, 1), np.float32)

    def spread(batch_size):
        fitted = AutoencoderTransformer(
            corruption=SameWeights(),
            scaler=None,
            latent_dim=1,
            epochs=30,
            learning_rate=1e-12,
            batch_size=batch_size,
            validation_fraction=None,
            patience=None,
            random_state=0,
        ).fit(X)
        found = np.array(fitted.history_["loss"])
        return found.std() / found.mean()

    # 100 steps average the draws of an epoch: a tenth of the spread of one step.
    assert spread(1) < spread(100) / 3


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=str)
def test_the_same_seed_gives_the_same_weights(corruption):
    X = np.random.default_rng(0).random((60, 4))

    def weights(seed):
        denoiser = DenoisingRegressor(
            corruption=corruption, scaler=None, epochs=3, random_state=seed
        )
        return denoiser.fit(X).autoencoder_.weights

    first = weights(0)
    assert all(map(np.array_equal, weights(0), first))
    assert not all(map(np.array_equal, weights(1), first))


def test_corruption_changes_the_training():
    X = np.random.default_rng(0).random((60, 4))
    params = {"epochs": 3, "random_state": 0}
    plain = AutoencoderTransformer(**params).fit(X)
    noisy = AutoencoderTransformer(corruption=GaussianNoise(0.5), **params).fit(X)
    assert plain.history_["loss"] != noisy.history_["loss"]
