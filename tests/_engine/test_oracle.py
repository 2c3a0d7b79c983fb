"""The oracle: ``keras.Model.fit``, from the same weights, in the same batch order."""

import copy
import itertools
from dataclasses import replace
from math import ceil

import numpy as np
import pytest

from skae import _engine as engine
from skae._engine._train import batch_orders
from skae.networks import ConvNetwork, DenseNetwork, KerasNetwork, RecurrentNetwork

TOLERANCE = 1e-5


def keras_fit(keras, job, callbacks=()):
    """Return the history and the weights of Keras's own training."""
    spec, rows, validation, schedule, state, seed = job
    model = engine.keras_model(spec.architecture, state.weights)
    optimizer = spec.optimizer
    if isinstance(optimizer, str):
        optimizer = keras.optimizers.get(optimizer)
    if spec.learning_rate is not None:
        optimizer.learning_rate = spec.learning_rate
    # Eagerly: the same operations, and nothing to trace for so few steps.
    model.compile(optimizer=optimizer, loss=spec.loss, run_eagerly=True)
    n, size = len(rows.x), schedule.batch_size

    def batches():
        for order in batch_orders(seed, n):
            for start in range(0, n, size):
                yield columns(rows, order[start : start + size])

    history = model.fit(
        batches(),
        steps_per_epoch=ceil(n / size),
        epochs=schedule.epochs,
        validation_data=validation and columns(validation, slice(None)),
        callbacks=list(callbacks),
        shuffle=False,
        verbose=0,
    )
    return history.history, model.get_weights()


def columns(rows, chosen):
    """Return some rows as Keras takes them: inputs, targets, weights if any."""
    parts = rows.x, rows.targets, rows.weight
    return tuple(part[chosen] for part in parts if part is not None)


def assert_agree(keras, job, callbacks=()):
    """Train by both, and compare history and weights."""
    spec, rows, validation, schedule, state, seed = job
    weights = engine.initial_weights(spec.architecture, seed)
    state = engine.State(weights)
    schedule = replace(schedule, callbacks=copy.deepcopy(callbacks))
    # "auto" is NumPy where that can be. Keras comes last: it uses the callbacks up.
    by_engine = [
        engine.train(spec, rows, validation, schedule, state, seed, name)
        for name in ("keras", "auto")
    ]
    job = spec, rows, validation, schedule, state, seed
    history, trained_weights = keras_fit(keras, job, callbacks)
    for trained in by_engine:
        assert set(trained.history) == set(history)
        for name, values in history.items():
            np.testing.assert_allclose(trained.history[name], values, rtol=TOLERANCE)
        for ours, theirs in zip(trained.state.weights, trained_weights, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=TOLERANCE, atol=TOLERANCE)
    # The band says something only where training has gone further than that.
    pairs = zip(trained_weights, weights, strict=True)
    assert max(abs(a - b).max() for a, b in pairs if a.size) > 100 * TOLERANCE


OPTIMIZERS = {
    "adam": lambda optimizers: "adam",
    "momentum": lambda optimizers: optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    "clipped, scheduled": lambda optimizers: optimizers.Adam(
        optimizers.schedules.ExponentialDecay(0.05, decay_steps=3, decay_rate=0.5),
        clipnorm=0.1,
    ),
    "averaged, decaying": lambda optimizers: optimizers.AdamW(
        0.01, weight_decay=0.1, use_ema=True, ema_momentum=0.5
    ),
    "scaled, accumulating": lambda optimizers: optimizers.SGD(
        0.05, loss_scale_factor=8.0, gradient_accumulation_steps=2
    ),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name, keras, make_job, X):
    assert_agree(keras, make_job(X, optimizer=OPTIMIZERS[name](keras.optimizers)))


def test_a_learning_rate_beside_a_name(keras, make_job, X):
    assert_agree(keras, make_job(X, optimizer="sgd", learning_rate=0.2))


@pytest.mark.parametrize(
    ("n", "batch_size"),
    [(50, 64), (50, 50), (6, 1)],
    ids=["fewer rows than a batch", "one batch", "one row per batch"],
)
def test_batch_sizes(n, batch_size, keras, make_job, X):
    assert_agree(keras, make_job(X[:n], batch_size=batch_size))


def with_weights(rng, rows):
    weight = rng.exponential(size=len(rows.x)).astype(np.float32)
    return engine.Rows(rows.x, rows.y, weight / weight.mean())


def test_targets_weights_and_validation(keras, make_job, rng, X):
    y = rng.normal(size=(50, 3)).astype(np.float32)
    rows = with_weights(rng, engine.Rows(X, y))
    validation = with_weights(rng, engine.Rows(X[:20] + 1, y[:20]))
    assert_agree(keras, make_job(rows, validation))


def test_penalties_and_batch_normalisation(keras, make_job, random_layers, X):
    # Not Adam: it makes whole steps of rounding errors, and these are all the gradient
    # of a bias that batch normalisation takes away again.
    options = {"network": random_layers(), "optimizer": "sgd", "learning_rate": 0.1}
    assert_agree(keras, make_job(X, engine.Rows(X[:20] + 1), **options))


FAMILIES = {
    "dense, of sequences": (DenseNetwork((4,)), 2, (4, 3)),
    "strides": (ConvNetwork((4, 2)), None, (7, 6, 1)),
    "pools": (ConvNetwork((3,), down="max_pool", up="upsample"), 3, (5, 5, 2)),
    "series": (ConvNetwork((3, 2)), None, (9, 2)),
    "volumes": (ConvNetwork((3, 2), 2, activation="tanh"), 2, (3, 4, 5, 1)),
    "pools of pools": (ConvNetwork((2, 3), 4, "max_pool"), None, (7, 9, 1)),
    "lstm": (RecurrentNetwork((4,)), 3, (5, 2)),
    "gru": (RecurrentNetwork((4, 3), cell="gru", bidirectional=True), 3, (3, 2)),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_families_of_networks(name, keras, make_job, rng):
    network, latent_dim, shape = FAMILIES[name]
    rows = rng.normal(size=(30, *shape)).astype(np.float32)
    is_recurrent = isinstance(network, RecurrentNetwork)  # which takes Keras long
    options = {"network": network, "latent_dim": latent_dim}
    assert_agree(keras, make_job(rows, **options, epochs=1 if is_recurrent else 2))


LOSSES = {
    "instance": lambda losses: losses.Huber(delta=0.3),
    "sum": lambda losses: losses.MeanSquaredError(reduction="sum"),
    "weighted mean": lambda losses: losses.MeanSquaredError(
        reduction="mean_with_sample_weight"
    ),
    "function of one number": lambda losses: (
        lambda y, output: losses.log_cosh(y, output)[0]
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name, keras, make_job, rng, X):
    rows = with_weights(rng, engine.Rows(X))
    assert_agree(keras, make_job(rows, loss=LOSSES[name](keras.losses)))


def test_cross_entropy(keras, make_job, U):
    network = DenseNetwork((5,), output_activation="sigmoid")
    assert_agree(keras, make_job(U, network=network, loss="binary_crossentropy"))


def test_tied_weights_take_the_steps_of_their_own_gradient(keras, train, rng):
    """One linear layer W and its transpose: the gradient by hand."""
    x = rng.normal(size=(8, 4)).astype(np.float32)
    network = DenseNetwork((), tied_weights=True)
    architecture = engine.Architecture(network, (4,), (4,), 2)
    kernel, *biases = engine.initial_weights(architecture, seed=0)
    rate = 0.1
    difference = x @ kernel @ kernel.T - x
    slope = 2 / x.size * (x.T @ difference + difference.T @ x) @ kernel
    trained = train(
        x,
        network=network,
        weights=[kernel, *biases],
        optimizer="sgd",
        learning_rate=rate,
        epochs=1,
        batch_size=8,
    )
    np.testing.assert_allclose(
        trained.state.weights[0], kernel - rate * slope, rtol=1e-4, atol=1e-6
    )


def test_an_activity_penalty_is_that_of_keras(keras, train, X):
    """The same network twice: skae's term, and the regularizer of a Keras layer."""

    def build(n_features):
        dense, start = keras.layers.Dense, keras.initializers.GlorotUniform
        penalty = keras.regularizers.L1(0.03)
        latent = dense(
            2, "relu", activity_regularizer=penalty, kernel_initializer=start(0)
        )
        return keras.Sequential([latent]), keras.Sequential(
            [dense(n_features, kernel_initializer=start(1))]
        )

    ours = DenseNetwork((), latent_activation="relu", activity_l1=0.03)
    theirs = KerasNetwork(build)
    weights = engine.initial_weights(engine.Architecture(theirs, (6,), (6,), 2), seed=0)
    of_keras = train(X, network=theirs, epochs=5, weights=weights)
    of_skae = train(X, network=ours, epochs=5, weights=weights)
    assert of_skae.history["loss"] == pytest.approx(of_keras.history["loss"], rel=1e-5)
    assert of_skae.history["activity"][0] > 0


def halve(epoch, rate):
    return rate / 2


CALLBACKS = {
    "schedule": lambda callbacks: callbacks.LearningRateScheduler(halve),
    "plateau": lambda callbacks: callbacks.ReduceLROnPlateau(
        monitor="loss", patience=1, min_delta=1e9, factor=0.1
    ),
    "stop": lambda callbacks: callbacks.EarlyStopping(
        monitor="loss", patience=1, min_delta=1e9, restore_best_weights=True
    ),
    "average": lambda callbacks: callbacks.SwapEMAWeights(),
    "average of epochs": lambda callbacks: callbacks.SwapEMAWeights(swap_on_epoch=True),
}


# Keras 3.15 with NumPy 2.4, in keras.ops.convert_to_numpy of a variable.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("name", CALLBACKS)
def test_callbacks_that_change_the_training(name, keras, make_job, X):
    optimizer = "adam"
    if name.startswith("average"):
        optimizer = keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.5)
    job = make_job(X, engine.Rows(X[:20] + 1), optimizer=optimizer, epochs=5)
    assert_agree(keras, job, [CALLBACKS[name](keras.callbacks)])


def test_weights_of_rows_of_several_dimensions_equal_repeated_rows(train, rng):
    # Keras refuses these weights, or broadcasts them along the wrong axis.
    x = rng.normal(size=(6, 3, 2)).astype(np.float32)
    copies = np.array([1, 2, 3, 1, 2, 3])
    repeated = np.repeat(x, copies, axis=0)
    weighted = engine.Rows(x, None, (copies / copies.mean()).astype(np.float32))
    options = {"batch_size": 64, "optimizer": "sgd", "learning_rate": 0.1}
    trained = [train(rows, **options) for rows in (weighted, engine.Rows(repeated))]
    for one, other in itertools.zip_longest(*(t.state.weights for t in trained)):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=TOLERANCE)
