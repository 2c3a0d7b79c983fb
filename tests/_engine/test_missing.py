"""Missing entries do not train: every trainer agrees with a loss computed by hand."""

import numpy as np
import pytest

from skae import _engine as engine
from skae.corruptions import GaussianNoise, MaskingNoise, SwapNoise
from skae.networks import ConvNetwork, DenseNetwork

ROUNDING = 1e-6
FILL = np.linspace(-0.2, 0.3, 6).astype(np.float32)


@pytest.fixture
def gaps(rng):
    """Which entries are missing: in no row all of them."""
    missing = rng.random((50, 6)) < 0.3
    missing[np.arange(50), np.arange(50) % 6] = False
    return missing


IN_NUMPY = pytest.mark.parametrize("engine_name", ["numpy", "xla"])
IN_BOTH = pytest.mark.parametrize("engine_name", ["numpy", "keras"])


def with_gaps(array, missing):
    return np.where(missing, np.float32(np.nan), array)


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("loss", ["mse", "mae", "huber", "binary_crossentropy"])
def test_numpy_and_keras_agree(
    loss, is_weighted, train, train_uncompiled, rng, gaps, U, assert_close
):
    weight = None
    if is_weighted:
        weight = rng.exponential(size=50).astype(np.float32)
        weight /= weight.mean()
    scale = 1 if loss == "binary_crossentropy" else 4
    x, y = with_gaps(U, gaps), with_gaps(scale * U, gaps[::-1])
    rows = engine.Rows(x, y, weight, FILL)
    validation = engine.Rows(x[:20], y[20:40], None if weight is None else weight[:20])
    network = DenseNetwork((5,), output_activation="sigmoid")
    options = {"loss": loss, "network": network}
    of_keras = train_uncompiled(rows, validation, **options)
    for engine_name in ("numpy", "xla")[: 1 + (loss == "huber" and is_weighted)]:
        ours = train(rows, validation, engine_name=engine_name, **options)
        assert_close(ours, of_keras)
        assert np.isfinite(ours.history["val_loss"]).all()


def test_inputs_are_targets_with_gaps(train, train_uncompiled, X, gaps, assert_close):
    x = with_gaps(X, gaps)
    rows = engine.Rows(x, None, None, FILL)
    alone = train(rows, engine_name="numpy")
    assert_close(alone, train(engine.Rows(x, x, None, FILL), engine_name="numpy"))
    assert_close(alone, train(rows, engine_name="xla"))
    assert_close(alone, train(rows))
    assert_close(alone, train_uncompiled(rows))


@pytest.mark.parametrize("loss", ["mse", "mae", "huber", "binary_crossentropy"])
def test_the_loss_is_the_mean_over_observed_entries(
    loss, train, rng, gaps, make_job, U
):
    """The loss of a first batch of all rows, by hand from the first weights."""
    x, y = with_gaps(U, gaps), with_gaps(U**2, gaps[::-1])
    weight = rng.exponential(size=50).astype(np.float32)
    weight /= weight.mean()
    options = {
        "loss": loss,
        "network": DenseNetwork((5,), output_activation="sigmoid"),
        "epochs": 1,
        "batch_size": 50,
    }
    rows = engine.Rows(x, y, weight, FILL)
    trained = train(rows, engine_name="numpy", **options)
    architecture = make_job(rows, **options)[0].architecture
    weights = engine.initial_weights(architecture, seed=0)
    forward = engine.TrainedNetwork(architecture, weights, (2,))
    output = forward.reconstruct(np.where(gaps, FILL, U).astype(np.float64))
    difference = np.abs(y - output)
    entries = {
        "mse": difference**2,
        "mae": difference,
        "huber": np.where(difference < 1, difference**2 / 2, difference - 0.5),
        "binary_crossentropy": -y * np.log(output) - (1 - y) * np.log(1 - output),
    }[loss]
    by_hand = np.average(np.nanmean(entries, axis=1), weights=weight)
    assert trained.history["loss"] == pytest.approx([by_hand], rel=1e-5)


@IN_BOTH
def test_the_gradient_is_that_of_the_loss_by_hand(
    engine_name, train, make_job, X, gaps
):
    """One step of SGD moves weights as numerical derivatives of that loss say."""
    rows = engine.Rows(with_gaps(X, gaps), None, None, FILL)
    options = {"epochs": 1, "batch_size": 50, "optimizer": "sgd", "learning_rate": 1.0}
    trained = train(rows, engine_name=engine_name, **options)
    architecture = make_job(rows, **options)[0].architecture
    start = engine.initial_weights(architecture, seed=0)
    weights = [w.astype(np.float64) for w in start]
    inputs = np.where(gaps, FILL, X).astype(np.float64)

    def loss():
        forward = engine.TrainedNetwork(architecture, weights, (2,))
        squared = (rows.x - forward.reconstruct(inputs)) ** 2
        return np.nanmean(squared, axis=1).mean()

    for weight, before, after in zip(
        weights, start, trained.state.weights, strict=True
    ):
        for place in np.ndindex(weight.shape):
            kept, step = weight[place], 1e-5
            weight[place] = kept + step
            above = loss()
            weight[place] = kept - step
            slope = (above - loss()) / (2 * step)
            weight[place] = kept
            moved = float(before[place]) - float(after[place])
            assert moved == pytest.approx(slope, rel=1e-3, abs=1e-5)


@IN_BOTH
def test_a_column_missing_in_all_targets_trains_as_if_it_were_not_there(
    engine_name, train, X, make_job
):
    """Its weights in the last layer stay; the others learn as from fewer targets."""
    y = X.copy()
    y[:, 5] = np.nan
    options = {"batch_size": 16, "optimizer": "sgd", "epochs": 3}
    whole = engine.Rows(X, y, None, FILL)
    architecture = make_job(whole, **options)[0].architecture
    start = engine.initial_weights(architecture, seed=0)
    masked = train(whole, engine_name=engine_name, weights=start, **options)
    # Without the column: the last layer has five units.
    fewer = [*start[:2], start[2][:, :5], start[3][:5]]
    short = train(
        engine.Rows(X, y[:, :5]), engine_name=engine_name, weights=fewer, **options
    )
    np.testing.assert_array_equal(masked.state.weights[2][:, 5], start[2][:, 5])
    np.testing.assert_allclose(
        masked.history["loss"], short.history["loss"], rtol=ROUNDING
    )
    for one, other in zip(masked.state.weights[:2], short.state.weights, strict=False):
        np.testing.assert_allclose(one, other, atol=ROUNDING)
    np.testing.assert_allclose(
        masked.state.weights[2][:, :5], short.state.weights[2], atol=ROUNDING
    )


@IN_BOTH
@pytest.mark.parametrize(
    "corruption", [GaussianNoise(5.0), MaskingNoise(0.9), SwapNoise(0.9)]
)
def test_a_corruption_leaves_missing_inputs_alone(corruption, engine_name, train, X):
    """Weights of an input that is always the fill, 0, never move."""
    x = X.copy()
    x[:, 5] = np.nan
    x[::2, 4] = np.nan
    fill = np.zeros(6, np.float32)
    options = {"corruption": corruption, "optimizer": "sgd", "engine_name": engine_name}
    rows = engine.Rows(x, X, None, fill)
    trained = train(rows, engine.Rows(x[:9], X[:9]), **options)
    start = engine.Rows(np.where(np.isnan(x), fill, x), X)
    before = train(start, epochs=1, optimizer="sgd", learning_rate=1e-30)
    moved = trained.state.weights[0] != before.state.weights[0]
    assert not moved[5].any()
    assert moved[:5].all()
    assert np.isfinite(trained.history["loss"]).all()
    assert np.isfinite(trained.history["val_loss"]).all()


@IN_NUMPY
def test_corrupted_rows_with_gaps_train(engine_name, train, X, gaps):
    rows = engine.Rows(with_gaps(X, gaps), None, None, FILL)
    options = {"corruption": SwapNoise(0.5), "epochs": 20}
    trained = train(rows, engine_name=engine_name, **options)
    assert trained.history["loss"][-1] < trained.history["loss"][0]


@pytest.mark.parametrize("callbacks", [False, True])
def test_gaps_in_validation_rows_alone(callbacks, train, X, gaps, keras):
    watched = engine.Rows(with_gaps(X, gaps))
    options = {"callbacks": [keras.callbacks.Callback()]} if callbacks else {}
    losses = train(engine.Rows(X, None, None, FILL), watched, **options).history
    plain = train(engine.Rows(X)).history
    np.testing.assert_allclose(losses["loss"], plain["loss"], rtol=ROUNDING)
    assert np.isfinite(losses["val_loss"]).all()


@IN_BOTH
def test_rows_of_any_shape(engine_name, train, rng):
    """Images: the mean over observed entries, whatever axes the loss keeps."""
    x = rng.normal(size=(20, 4, 4, 2)).astype(np.float32)
    missing = rng.random(x.shape) < 0.3
    rows = engine.Rows(with_gaps(x, missing), None, None, np.zeros(2, np.float32))
    options = {"network": ConvNetwork((3,)), "latent_dim": None, "epochs": 1}
    trained = train(rows, batch_size=20, engine_name=engine_name, **options)
    shape = x.shape[1:]
    architecture = engine.Architecture(ConvNetwork((3,)), shape, shape, None)
    weights = engine.initial_weights(architecture, 0)
    forward = engine.TrainedNetwork(architecture, weights, None)
    output = forward.reconstruct(np.where(missing, 0, x).astype(np.float32))
    squared = ((x - output) ** 2).reshape(20, -1)
    observed = ~missing.reshape(20, -1)
    by_hand = ((squared * observed).sum(axis=1) / observed.sum(axis=1)).mean()
    assert trained.history["loss"] == pytest.approx([by_hand], rel=1e-5)


@pytest.mark.parametrize(
    "loss",
    [
        "cosine_similarity",
        "categorical_crossentropy",
        lambda y, p: ((y - p) ** 2)[:, 0],
        lambda y, p: 0 * y[0, 0] + ((y - p) ** 2)[0, 0],
    ],
)
def test_a_loss_that_is_no_mean_over_entries_is_refused(loss, train, X, gaps):
    rows = engine.Rows(with_gaps(X, gaps), None, None, FILL)
    with pytest.raises(ValueError, match="not a mean over the entries of a row, so th"):
        train(rows, loss=loss, network=DenseNetwork((), output_activation="sigmoid"))


def test_a_sum_is_refused_and_a_users_mean_is_not(
    train, train_uncompiled, X, gaps, keras, assert_close
):
    rows = engine.Rows(with_gaps(X, gaps), None, None, FILL)
    name = "(mean_squared_error|MeanSquaredError)"  # the latter in older Keras
    with pytest.raises(ValueError, match=f"loss is <.*{name}.*not a mean"):
        train(rows, loss=keras.losses.MeanSquaredError(reduction="sum"))

    def own(y, output):
        return keras.ops.mean((y - output) ** 2, axis=-1)

    mine, mse = (train_uncompiled(rows, loss=loss) for loss in (own, "mse"))
    assert_close(mine, mse)
    delta = keras.losses.Huber(delta=0.5)
    small, one = (
        train_uncompiled(rows, loss=loss).history["loss"] for loss in (delta, "huber")
    )
    assert (np.array(small) < one).all()
