"""What a training is, beside its agreement with Keras."""

import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from skae import _engine as engine
from skae.corruptions import GaussianNoise
from skae.networks import DenseNetwork


@pytest.fixture
def watchers(keras):
    """Callbacks that make the loop return to Python: per epoch, and per batch."""
    nothing = {"on_epoch_end": lambda epoch, logs: None}
    by_batch = {"on_train_batch_end": lambda batch, logs: None}
    make = keras.callbacks.LambdaCallback
    return {"epoch": [make(**nothing)], "batch": [make(**by_batch)]}


# ------------------------------------------------------------------------- chunks


@pytest.mark.parametrize("patience", [None, 2])
def test_results_do_not_depend_on_who_watches(
    patience, train, assert_same, watchers, monkeypatch, random_layers, X
):
    from skae._engine import _loop

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
    monkeypatch.setattr(_loop, "_STEP_BUDGET", 2 * 4)  # two epochs of four steps
    assert_same(whole, train(X, **options))


def test_the_progress_bar_changes_nothing(train, assert_same, capsys, X):
    silent = train(X)
    assert capsys.readouterr() == ("", "")
    assert_same(silent, train(X, verbose=1))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "3/3" in shown.err
    assert "loss=" in shown.err


def test_long_trainings_are_cut_into_interruptible_calls(make_job, X):
    from skae._engine._loop import Loop

    def chunk(n, batch_size):
        schedule = engine.Schedule(epochs=10**6, batch_size=batch_size)
        program = SimpleNamespace(names=("loss",))
        return Loop(program, {"x": np.empty((n, 1))}, schedule, [], 0, None)._chunk()

    assert chunk(10**8, 32) == 1
    assert 2 <= chunk(1000, 1000) <= 10**4
    assert 1 <= chunk(1000, 1) <= 100


def test_validation_in_blocks_equals_validation_in_one(
    train, monkeypatch, builds, rng, X
):
    from skae._engine import _cache, _models

    weight = rng.exponential(size=40).astype(np.float32)
    rows = engine.Rows(X[:40] + 1, None, weight / weight.mean())
    whole = train(X, rows).history["val_loss"]
    monkeypatch.setattr(_models, "_MOST_ROWS", 16)
    _cache.clear()
    np.testing.assert_allclose(train(X, rows).history["val_loss"], whole, rtol=1e-6)
    assert len(builds) == 2


# ----------------------------------------------------------------- early stopping


@pytest.mark.parametrize("has_validation", [False, True])
@pytest.mark.parametrize("patience", [1, 3])
def test_early_stopping(has_validation, patience, train, X):
    """It stops `patience` epochs after the best, whose weights it returns."""
    validation = engine.Rows(X[:10] + 2) if has_validation else None
    # A learning rate at which the loss goes down first, and then astray.
    options = {"optimizer": "adam", "learning_rate": 0.15, "batch_size": 50}
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


def test_without_patience_the_last_weights_stay(train, X):
    options = {"epochs": 200, "learning_rate": 0.15, "batch_size": 50}
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


def test_a_continued_training_counts_on(train, X):
    options = {"epochs": 50, "learning_rate": 50.0}
    assert diverge(train, X, first_epoch=10, **options).epoch > 11


def test_a_validation_loss_can_diverge_alone(train, X):
    error = diverge(train, X, validation=engine.Rows(X[:5] * np.float32(1e30)))
    assert (error.name, error.epoch, error.last_finite) == ("val_loss", 1, None)


def test_weights_that_the_last_step_ruined_are_an_error(train, X):
    # One step: its loss, taken before it, is finite.
    options = {"epochs": 1, "batch_size": 50, "learning_rate": 3e38}
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

    given = np.load(sys.argv[1])
    X, weights = given["X"], [given[f"w{i}"] for i in range(4)]
    network = DenseNetwork((), latent_activation="tanh")
    architecture = engine.Architecture(network, (6,), (6,), 2)
    spec = engine.TrainingSpec(architecture, "mse", "adam", None, GaussianNoise(0.1))
    trained = engine.train(
        spec,
        engine.Rows(X),
        engine.Rows(X[:10]),
        engine.Schedule(epochs=3, batch_size=16),
        engine.State(weights),
        0,
    )
    np.savez(sys.argv[2], *trained.state.weights, **trained.history)
"""


def test_another_process_gives_the_same_bits_in_silence(make_job, tmp_path, X):
    job = make_job(X, engine.Rows(X[:10]), corruption=GaussianNoise(0.1))
    here = engine.train(*job)
    weights = {f"w{i}": weight for i, weight in enumerate(job[4].weights)}
    np.savez(tmp_path / "given.npz", X=X, **weights)
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


def test_it_says_where_the_time_went(train, builds, X):
    first, second = train(X).seconds, train(X).seconds
    assert list(first) == list(second) == [*_PARTS]
    assert min(first[name] for name in _PARTS if name != "validation") > 0
    assert second["building"] == second["tracing"] == 0 < second["training"]


@pytest.mark.parametrize("mode", ["auto", "compiled"])
def test_validation_is_timed_where_the_user_wants_to_know(
    mode, train, assert_same, capsys, X
):
    options = {"validation": engine.Rows(X[:10] + 1), "mode": mode}
    told = train(X, verbose=2, **options)
    assert 0 < told.seconds["validation"] < told.seconds["training"]
    assert_same(told, train(X, **options))
