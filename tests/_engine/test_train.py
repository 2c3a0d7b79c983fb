"""What a training is, besides its agreement with Keras."""

import dataclasses
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from skae import _engine as engine
from skae._engine import _train
from skae.corruptions import GaussianNoise
from skae.networks import DenseNetwork

ENGINES = pytest.mark.parametrize("engine_name", ["numpy", "keras"])


@pytest.fixture
def watchers(keras):
    """Callbacks that make the loop return to Python: per epoch, and per batch."""
    nothing = {"on_epoch_end": lambda epoch, logs: None}
    by_batch = {"on_train_batch_end": lambda batch, logs: None}
    make = keras.callbacks.LambdaCallback
    return {"epoch": [make(**nothing)], "batch": [make(**by_batch)]}


@pytest.mark.parametrize("patience", [None, 2])
def test_results_do_not_depend_on_callbacks_that_only_watch(
    patience, train, assert_same, watchers, random_layers, X
):
    options = {
        "validation": engine.Rows(X[:10] + 1),
        "network": random_layers(dropout=0.3),
        "corruption": GaussianNoise(0.1),
        "optimizer": "sgd",
        "epochs": 7,
        "patience": patience,
    }
    whole = train(X, **options)
    assert_same(whole, train(X, callbacks=watchers["epoch"], **options))
    assert_same(whole, train(X, callbacks=watchers["batch"], **options))


@ENGINES
def test_the_progress_bar_changes_nothing(engine_name, train, assert_same, capsys, X):
    silent = train(X, engine_name=engine_name)
    assert capsys.readouterr() == ("", "")
    assert_same(silent, train(X, engine_name=engine_name, verbose=1))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "3/3" in shown.err
    assert "loss=" in shown.err


def test_validation_in_blocks_equals_validation_in_one(keras, make_job, rng, X):
    from skae._engine._keras._models import build_models
    from skae._engine._keras._trainer import DataSpec, KerasTrainer

    weight = rng.exponential(size=40).astype(np.float32)
    job = make_job(X, engine.Rows(X[:40] + 1, None, weight / weight.mean()))
    data = DataSpec.of(*job[:3])
    models = build_models(job[0].architecture)
    losses = []
    for size in (models.block_rows, 16):
        blocks = dataclasses.replace(models, block_rows=size)
        trainer = KerasTrainer(job[0], data, blocks, time.perf_counter())
        losses.append(_train.run(trainer, *job).history["val_loss"])
    assert models.block_rows > 40
    np.testing.assert_allclose(*losses, rtol=1e-6)


# ----------------------------------------------------------------- early stopping


@pytest.mark.parametrize("has_validation", [False, True])
@pytest.mark.parametrize("patience", [1, 3])
@ENGINES
def test_early_stopping(has_validation, patience, engine_name, train, X):
    """It stops `patience` epochs after the best, whose weights it returns."""
    validation = engine.Rows(X[:10] + 2) if has_validation else None
    # A learning rate at which the loss goes down first, and then astray.
    options = {"learning_rate": 0.15, "batch_size": 50, "engine_name": engine_name}
    trained = train(X, validation, epochs=200, patience=patience, **options)
    watched = trained.history["val_loss" if has_validation else "loss"]
    best = int(np.argmin(watched))
    assert best > 0
    assert len(watched) == best + 1 + patience < 200
    until_best = train(X, validation, epochs=best + 1, **options)
    for kept, expected in zip(
        trained.state.weights, until_best.state.weights, strict=True
    ):
        assert np.array_equal(kept, expected)
    for name, losses in until_best.history.items():
        assert trained.history[name][: best + 1] == losses


@ENGINES
def test_without_patience_the_last_weights_stay(engine_name, train, X):
    options = {"epochs": 200, "learning_rate": 0.15, "batch_size": 50}
    options["engine_name"] = engine_name
    last, best = train(X, **options), train(X, patience=200, **options)
    assert last.history == best.history
    assert np.argmin(last.history["loss"]) < 199
    pairs = zip(last.state.weights, best.state.weights, strict=True)
    assert not all(np.array_equal(a, b) for a, b in pairs)


# --------------------------------------------------------------------- divergence


def diverge(train, X, **options):
    with pytest.raises(engine.TrainingDivergedError) as caught:
        train(X, optimizer="sgd", **options)
    return caught.value


@pytest.mark.parametrize("watched", [None, "epoch", "batch"])
def test_a_diverging_training_says_where(watched, train, watchers, X):
    options = {"epochs": 50, "learning_rate": 50.0}
    if watched:
        options["callbacks"] = watchers[watched]
    error = diverge(train, X, **options)
    assert error.name == "loss"
    assert not np.isfinite(error.value)
    assert 1 < error.epoch < 50
    assert np.isfinite(error.last_finite)
    assert error.learning_rate == pytest.approx(50)
    assert str(error) == f"the loss became {error.value} in epoch {error.epoch}"


@ENGINES
def test_a_continued_training_counts_on(engine_name, train, X):
    options = {"epochs": 50, "learning_rate": 50.0, "engine_name": engine_name}
    assert diverge(train, X, first_epoch=10, **options).epoch > 11


@ENGINES
def test_a_validation_loss_can_diverge_alone(engine_name, train, X):
    huge = engine.Rows(X[:5] * np.float32(1e30))
    error = diverge(train, X, validation=huge, engine_name=engine_name)
    assert (error.name, error.epoch, error.last_finite) == ("val_loss", 1, None)


@ENGINES
def test_weights_that_the_last_step_ruined_are_an_error(engine_name, train, X):
    # One step: its loss, taken before it, is finite.
    options = {"epochs": 1, "batch_size": 50, "learning_rate": 3e38}
    options["engine_name"] = engine_name
    linear = DenseNetwork((), latent_activation=None)
    error = diverge(train, 1e3 * X, network=linear, **options)
    assert (error.name, error.epoch) == ("weights", 1)
    assert not np.isfinite(error.value)


# -------------------------------------------------------------------- determinism


def test_the_seed_decides(train, assert_same, random_layers, X):
    options = {"network": random_layers(dropout=0.5), "corruption": GaussianNoise(0.1)}
    first = train(X, **options)
    train(X[:30], seed=9, epochs=1, **options)  # the same program, in another state
    assert_same(first, train(X, **options))
    other = train(X, seed=1, **options)
    assert other.history != first.history


def initial_weights(network):
    return engine.initial_weights(engine.Architecture(network, (6,), (6,), 2), seed=0)


def test_every_draw_depends_on_the_seed(train, random_layers, X):
    # One batch per epoch, so that its order changes nothing but rounding.
    options = {"batch_size": 50, "optimizer": "sgd", "epochs": 1}
    network = random_layers()
    weights = initial_weights(network)

    def losses(**more):
        found = [
            train(X, seed=seed, weights=weights, **{**options, **more}).history["loss"]
            for seed in (0, 1)
        ]
        return np.ravel(found)

    alike = losses(network=network)
    assert alike[0] == pytest.approx(alike[1], rel=1e-5)
    for more in (
        {"network": random_layers(dropout=0.5)},
        {"network": network, "corruption": GaussianNoise(0.5)},
    ):
        one, other = losses(**more)
        assert one != pytest.approx(other, rel=1e-4)


def test_draws_continue_where_the_last_pass_ended(train, random_layers, X):
    options = {"network": random_layers(dropout=0.5), "epochs": 1, "batch_size": 50}
    weights = initial_weights(options["network"])
    passes = [
        train(X, weights=weights, first_epoch=k, **options).history["loss"][0]
        for k in (0, 1)
    ]
    assert passes[0] != pytest.approx(passes[1], rel=1e-4)


def test_threads_give_the_same_bits(train, assert_same, X):
    alone = {seed: train(X, seed=seed) for seed in (0, 1)}
    with ThreadPoolExecutor(4) as pool:
        seeds = [0, 1] * 4
        for seed, trained in zip(
            seeds, pool.map(lambda seed: train(X, seed=seed), seeds), strict=True
        ):
            assert_same(alone[seed], trained)


IN_ANOTHER_PROCESS = """
    import sys
    import numpy as np
    from skae import _engine as engine
    from skae.corruptions import GaussianNoise
    from skae.networks import DenseNetwork

    X = np.load(sys.argv[1])["X"]
    network = DenseNetwork((), latent_activation="tanh")
    architecture = engine.Architecture(network, (6,), (6,), 2)
    spec = engine.TrainingSpec(architecture, "mse", "adam", None, GaussianNoise(0.1))
    trained = engine.train(
        spec,
        engine.Rows(X),
        engine.Rows(X[:10]),
        engine.Schedule(epochs=3, batch_size=16),
        engine.State(),
        0,
        "keras",
    )
    np.savez(sys.argv[2], *trained.state.weights, **trained.history)
"""


def test_another_process_gives_the_same_bits_in_silence(make_job, tmp_path, X):
    job = make_job(X, engine.Rows(X[:10]), corruption=GaussianNoise(0.1))
    here = engine.train(*job, "keras")
    np.savez(tmp_path / "given.npz", X=X)
    code = textwrap.dedent(IN_ANOTHER_PROCESS)
    paths = [tmp_path / "given.npz", tmp_path / "made.npz"]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *paths], capture_output=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    there = np.load(paths[1])
    for i, weight in enumerate(here.state.weights):
        assert np.array_equal(there[f"arr_{i}"], weight)
    for name, losses in here.history.items():
        assert there[name].tolist() == losses


def test_random_states_of_tensorflow_and_keras_are_left_alone(train, keras, X):
    import tensorflow as tf

    def draws(between):
        tf.random.set_seed(7)
        first = tf.random.normal((3,)).numpy()
        between()
        layer = keras.random.normal((3,), seed=keras.random.SeedGenerator(3))
        return np.concatenate([first, tf.random.normal((3,)).numpy(), layer.numpy()])

    undisturbed = draws(lambda: None)
    assert np.array_equal(undisturbed, draws(lambda: train(X)))


# ------------------------------------------------------------------ continuing


def test_a_training_continues_from_its_state(train, X):
    # In one batch, whose order changes nothing but rounding.
    options = {"batch_size": 50, "learning_rate": 0.05}
    at_once = train(X, epochs=4, **options)
    begun = train(X, epochs=3, **options)
    options |= {"weights": begun.state.weights, "first_epoch": 3, "epochs": 1}
    continued = train(X, optimizer_state=begun.state.optimizer, **options)
    assert continued.history["loss"] == pytest.approx(at_once.history["loss"][3:])
    anew = train(X, **options)
    pairs = [trained.state.weights[0] for trained in (at_once, continued, anew)]
    np.testing.assert_allclose(pairs[0], pairs[1], atol=1e-6)
    assert abs(pairs[0] - pairs[2]).max() > 1e-3


def test_a_learning_rate_rules_over_a_state(train, X):
    begun = train(X, optimizer="sgd", learning_rate=0.1)
    options = {"optimizer": "sgd", "weights": begun.state.weights}
    options |= {"optimizer_state": begun.state.optimizer, "batch_size": 50, "epochs": 1}

    def step(**more):
        moved = train(X, **options, **more).state.weights
        return moved[0] - begun.state.weights[0]

    np.testing.assert_allclose(step(), step(learning_rate=0.1))
    np.testing.assert_allclose(step(), 10 * step(learning_rate=0.01), atol=1e-5)


def test_another_optimizers_state_is_an_error(train, X):
    begun = train(X, optimizer="adam")
    message = r"Training cannot continue: the optimizer is now SGD, but the state that"
    with pytest.raises(ValueError, match=message):
        train(X, optimizer="sgd", optimizer_state=begun.state.optimizer)


_PARTS = "building", "tracing", "validation", "training"


def test_it_says_where_the_time_went(train, pool, X):
    first, second = train(X).seconds, train(X).seconds
    assert list(first) == list(second) == [*_PARTS]
    assert min(first[name] for name in _PARTS if name != "validation") > 0
    assert second["building"] == second["tracing"] == 0 < second["training"]


@ENGINES
def test_validation_is_timed(engine_name, train, X):
    trained = train(X, engine.Rows(X[:10] + 1), engine_name=engine_name, verbose=0)
    assert 0 < trained.seconds["validation"] < trained.seconds["training"]


# ------------------------------------------------------------------- the output


@ENGINES
def test_the_range_of_the_output_is_known_before_anything_trains(
    engine_name, make_job, random_layers, X
):
    class RefusedError(Exception):
        pass

    def refuse(found):
        seen.append(found)
        raise RefusedError

    seen = []
    networks = DenseNetwork((), output_activation="sigmoid"), random_layers()
    for network, name in zip(networks, (engine_name, "auto"), strict=True):
        with pytest.raises(RefusedError):
            engine.train(*make_job(X, network=network), name, refuse)
    assert seen == [(0.0, 1.0), (-np.inf, np.inf)]
