"""The pool of programs, and what makes two trainings share one."""

import gc
import threading
import types
import weakref

import numpy as np
import pytest

from skae import _engine as engine
from skae._engine import _train
from skae.corruptions import GaussianNoise, MaskingNoise
from skae.networks import DenseNetwork, KerasNetwork


class Thing:
    """Stands for a program."""


# -------------------------------------------------------------------- the pool


def test_a_program_is_used_again(pool):
    with pool.acquired("key", Thing) as first:
        assert pool.n_idle() == 0
    with pool.acquired("key", Thing) as again:
        assert again is first
    with pool.acquired("other", Thing) as other:
        assert other is not first
    assert pool.n_idle() == 2


def test_an_acquired_program_is_nobody_elses(pool):
    with pool.acquired("key", Thing) as outer, pool.acquired("key", Thing) as inner:
        assert inner is not outer
    assert pool.n_idle() == 2


def test_without_a_key_nothing_is_shared(pool):
    with pool.acquired(None, Thing) as first, pool.acquired(None, Thing) as second:
        assert first is not second
    assert pool.n_idle() == 0


def test_a_program_whose_block_raised_is_dropped(pool):
    with pytest.raises(KeyError), pool.acquired("key", Thing) as ruined:
        raise KeyError
    assert pool.n_idle() == 0
    with pool.acquired("key", Thing) as fresh:
        assert fresh is not ruined


def test_a_program_answers_to_several_keys(pool):
    with pool.acquired("train", Thing, also=lambda: ("run", "show")) as first:
        pass
    for key in ("run", "show", "train", "run"):
        with pool.acquired(key, Thing) as again:
            assert again is first
        assert pool.n_idle() == 1
    acquired = pool.acquired
    with acquired("train", Thing) as first, acquired("run", Thing) as other:
        assert other is not first  # it is in use, whichever key is asked
    with pool.acquired("other", Thing, also=lambda: ("run",)) as latest:
        pass
    with pool.acquired("run", Thing) as again:
        assert again is latest  # the one that was used last


def test_the_least_recently_used_make_room(pool):
    def use(key):
        with pool.acquired(key, Thing) as program:
            return program

    most = pool._MOST_IDLE
    first, second = use(0), use(1)
    for key in range(2, most):
        use(key)
    assert use(0) is first  # now the most recent one
    use("one more")
    assert pool.n_idle() == most
    assert use(0) is first
    assert use(1) is not second


def test_many_programs_of_one_key_are_bounded_too(pool):
    def nest(depth):
        with pool.acquired("key", Thing):
            if depth:
                nest(depth - 1)

    nest(pool._MOST_IDLE + 5)
    assert pool.n_idle() == pool._MOST_IDLE


def test_threads_never_share(pool):
    in_use, shared = set(), []
    barrier = threading.Barrier(4)

    def work():
        barrier.wait()
        for i in range(300):
            with pool.acquired(i % 3, Thing) as program:
                if id(program) in in_use:
                    shared.append(program)
                in_use.add(id(program))
                in_use.discard(id(program))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not shared
    assert pool.n_idle() <= pool._MOST_IDLE


# ------------------------------------------------------ one program for whom


def test_what_shares_a_program(train, pool, X):
    train(X)
    train(X, seed=1)
    train(X[:20], batch_size=7, epochs=5)
    train(X, learning_rate=0.5)
    train(X.copy(), verbose=0, network=DenseNetwork((), latent_activation="tanh"))
    train(X, first_epoch=3, patience=2)
    assert train.builds == 1


def test_a_learning_rate_stays_with_its_fit(train, assert_same, pool, X):
    default = train(X)
    faster = train(X, learning_rate=0.1)
    assert faster.history != default.history
    assert_same(default, train(X))
    assert train.builds == 1


def test_what_needs_another_program(train, pool, assert_same, X):
    before = train(X)
    differences = [
        {"loss": "mae"},
        {"optimizer": "sgd"},
        {"network": DenseNetwork((), latent_activation="relu")},
        {"latent_dim": 3},
        {"corruption": GaussianNoise(0.1)},
        {"validation": engine.Rows(np.ones((5, 6), np.float32))},
    ]
    for number, difference in enumerate(differences):
        assert train(X, **difference).history != before.history
        assert train.builds == number + 2
    assert_same(before, train(X))
    assert train.builds == len(differences) + 1


def test_parameters_of_a_corruption_are_part_of_the_key(train, pool, X):
    for corruption in (GaussianNoise(0.1), GaussianNoise(0.2), MaskingNoise(0.1)):
        train(X, corruption=corruption)
    train(X, corruption=GaussianNoise(0.1))
    assert train.builds == 3


def test_keras_objects_are_keyed_by_what_they_say(train, keras, pool, X):
    def adam(rate):
        return keras.optimizers.Adam(rate)

    # Keras calls them adam, adam_1, ...: names are no difference.
    train(X, optimizer=adam(0.01))
    train(X, optimizer=adam(0.01))
    assert train.builds == 1
    train(X, optimizer=adam(0.02))
    assert train.builds == 2
    train(X, loss=keras.losses.Huber(0.5))
    train(X, loss=keras.losses.Huber(0.5, name="mine"))
    assert train.builds == 3
    train(X, loss=keras.losses.Huber(0.6))
    assert train.builds == 4


def test_a_fit_copies_the_optimizer(train, keras, assert_same, X):
    optimizer = keras.optimizers.Adam(0.01)
    first = train(X, optimizer=optimizer)
    assert_same(first, train(X, optimizer=optimizer))
    assert int(optimizer.iterations) == 0


# -------------------------------------------------------- losses of the user's


def first_loss(train, X, loss):
    return train(X, loss=loss, epochs=1, batch_size=50).history["loss"][0]


def test_a_function_is_keyed_by_its_code_and_closure(train, pool, X):
    def make(factor):
        def loss(y, output):
            return factor * (y - output) ** 2

        return loss

    single, double = (first_loss(train, X, make(k)) for k in (1.0, 2.0))
    assert double == pytest.approx(2 * single)
    assert first_loss(train, X, make(1.0)) == single
    assert train.builds == 2


def test_a_function_is_keyed_by_the_globals_that_it_reads(train, pool, X):
    module = types.ModuleType("of_the_user")
    exec(
        "FACTOR = 1.0\ndef loss(y, p):\n    return FACTOR * (y - p) ** 2", vars(module)
    )
    single = first_loss(train, X, module.loss)
    module.FACTOR = 2.0
    assert first_loss(train, X, module.loss) == pytest.approx(2 * single)


def test_a_redefined_class_is_another_one(train, pool, X):
    def define(body):
        scope = {}
        code = f"class Loss:\n    def __call__(self, y, p):\n        return {body}"
        exec(code, scope)
        return scope["Loss"]()

    single = first_loss(train, X, define("(y - p) ** 2"))
    assert first_loss(train, X, define("2 * (y - p) ** 2")) == pytest.approx(2 * single)
    assert first_loss(train, X, define("(y - p) ** 2")) == single
    assert train.builds == 2


def test_attributes_of_a_keras_loss_count(train, keras, pool, X):
    """Also those that its get_config does not mention."""

    class Weighted(keras.losses.Loss):
        def __init__(self, factor):
            super().__init__()
            self.factor = factor

        def call(self, y_true, y_pred):
            return self.factor * (y_true - y_pred) ** 2

    single, double = (first_loss(train, X, Weighted(k)) for k in (1.0, 2.0))
    assert double == pytest.approx(2 * single)
    assert first_loss(train, X, Weighted(1.0)) == single
    assert train.builds == 2


def test_a_changed_object_finds_no_stale_program(train, keras, pool, X):
    class Loss:
        factor = 1.0

        def __call__(self, y, output):
            return self.factor * (y - output) ** 2

    loss = Loss()
    single = first_loss(train, X, loss)
    loss.factor = 5.0
    assert first_loss(train, X, loss) == pytest.approx(5 * single)
    # The first program was made from the object that has changed since. Asked to run
    # batch by batch for the first time, it must not look at it again.
    by_batch = keras.callbacks.TerminateOnNaN()
    twin = Loss()
    watched = train(X, loss=twin, epochs=1, batch_size=50, callbacks=[by_batch])
    assert watched.history["loss"] == [single]


def test_what_cannot_be_described_is_compiled_for_one_fit(train, pool, assert_same, X):
    lock = threading.Lock()

    def loss(y, output):
        with lock:
            return (y - output) ** 2

    assert_same(train(X, loss=loss), train(X, loss=loss))
    assert train.builds == 2
    assert pool.n_idle() == 0


# ----------------------------------------------------------- failures and memory


def test_a_diverged_fit_spoils_nothing(train, pool, assert_same, X):
    before = train(X, optimizer="sgd")
    with pytest.raises(engine.TrainingDivergedError):
        train(X, optimizer="sgd", learning_rate=1e3, epochs=50)
    assert pool.n_idle() == 0
    assert_same(before, train(X, optimizer="sgd"))


def test_a_rejected_fit_costs_no_program(train, pool, X):
    train(X)
    with pytest.raises(TypeError):
        train(X, callbacks=[3])
    assert pool.n_idle() == 1


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_forgotten_trainer_is_collected(optimizer, make_job, pool, X):
    """Graphs too, which TensorFlow's sum over replicas would keep for good."""
    from skae._engine import _keras

    job = make_job(X, engine.Rows(X), patience=2, optimizer=optimizer)
    spec, rows, validation, schedule, state, seed = job
    with _keras.acquired(spec, rows, validation, schedule, state, seed) as (trainer, _):
        trained = _train.run(trainer, *job)
        parts = trainer, trainer.model, trainer._steps.graph
        watched = [weakref.ref(part) for part in parts]
    del trainer, parts
    gc.collect()
    assert all(part() for part in watched)
    pool.clear()
    gc.collect()
    assert not any(part() for part in watched)
    assert trained.state.weights  # what is left is NumPy


# ------------------------------------------------------------- what runs a network


@pytest.fixture
def count_builds(monkeypatch):
    """Return a function that returns a list, which grows where a class builds."""

    def count_builds(cls):
        built, build = [], cls.build

        def counted(self, *shapes):
            built.append(shapes)
            return build(self, *shapes)

        monkeypatch.setattr(cls, "build", counted)
        return built

    return count_builds


def own_loss(y, output):
    return (y - output) ** 2


@pytest.mark.parametrize("loss", ["mse", own_loss])
def test_what_trained_a_network_runs_it(loss, train, make_job, pool, X, count_builds):
    """Scoring float32 rows builds no model again; float64 rows need another one."""
    built = count_builds(DenseNetwork)  # which then is no stack of layers
    architecture = make_job(X)[0].architecture
    trained = train(X, loss=loss)
    assert len(built) == 1
    network = engine.TrainedNetwork(
        architecture, trained.state.weights, trained.latent_shape
    )
    assert not network.runs_in_numpy(X.dtype)
    output = network.reconstruct(X)
    np.testing.assert_allclose(network.decode(network.encode(X)), output, atol=1e-6)
    assert len(built) == 1
    exact = network.reconstruct(X.astype(np.float64))
    assert len(built) == 2
    np.testing.assert_allclose(output, exact, atol=1e-5)
    train(X, loss=loss, seed=1)
    assert np.array_equal(network.reconstruct(X), output)  # not by the later weights
    assert len(built) == 2


def test_a_users_network_is_built_once(keras, train, make_job, pool, X, count_builds):
    def build(n_features):
        dense = keras.layers.Dense
        return keras.Sequential([dense(2)]), keras.Sequential([dense(n_features)])

    network = KerasNetwork(build)
    architecture = make_job(X, network=network)[0].architecture
    built = count_builds(KerasNetwork)
    state = train(X, network=network).state
    trained = architecture, state.weights, (2,), state.fingerprint
    engine.TrainedNetwork(*trained).reconstruct(X)
    assert len(built) == 1
    train(X, network=network, seed=1)
    assert len(built) == 2
    # Nor is one built whose training continues.
    train(X, network=network, weights=state.weights, fingerprint=state.fingerprint)
    assert len(built) == 2
