"""The pool of programs, and what makes two trainings share one."""

import gc
import threading
import types
import weakref

import numpy as np
import pytest

from skae import _engine as engine
from skae._engine import _cache
from skae.corruptions import GaussianNoise, MaskingNoise
from skae.networks import DenseNetwork


@pytest.fixture
def pool():
    """The pool, empty before and after."""
    _cache.clear()
    yield _cache
    _cache.clear()


class Thing:
    """Stands for a program."""


# -------------------------------------------------------------------- the pool


def test_a_program_is_used_again(pool):
    with pool.borrowed("key", Thing) as first:
        assert pool.idle_programs() == 0
    with pool.borrowed("key", Thing) as again:
        assert again is first
    with pool.borrowed("other", Thing) as other:
        assert other is not first
    assert pool.idle_programs() == 2


def test_a_borrowed_program_is_nobody_elses(pool):
    with pool.borrowed("key", Thing) as outer, pool.borrowed("key", Thing) as inner:
        assert inner is not outer
    assert pool.idle_programs() == 2


def test_without_a_key_nothing_is_shared(pool):
    with pool.borrowed(None, Thing) as first, pool.borrowed(None, Thing) as second:
        assert first is not second
    assert pool.idle_programs() == 0


def test_a_program_whose_block_raised_is_dropped(pool):
    with pytest.raises(KeyError), pool.borrowed("key", Thing) as ruined:
        raise KeyError
    assert pool.idle_programs() == 0
    with pool.borrowed("key", Thing) as fresh:
        assert fresh is not ruined


def test_the_least_recently_used_make_room(pool):
    def use(key):
        with pool.borrowed(key, Thing) as program:
            return program

    most = pool._MOST_IDLE
    first, second = use(0), use(1)
    for key in range(2, most):
        use(key)
    assert use(0) is first  # now the most recent one
    use("one more")
    assert pool.idle_programs() == most
    assert use(0) is first
    assert use(1) is not second


def test_many_programs_of_one_key_are_bounded_too(pool):
    def nest(depth):
        with pool.borrowed("key", Thing):
            if depth:
                nest(depth - 1)

    nest(pool._MOST_IDLE + 5)
    assert pool.idle_programs() == pool._MOST_IDLE


def test_threads_never_share(pool):
    in_use, shared = set(), []
    barrier = threading.Barrier(4)

    def work():
        barrier.wait()
        for i in range(300):
            with pool.borrowed(i % 3, Thing) as program:
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
    assert pool.idle_programs() <= pool._MOST_IDLE


# ------------------------------------------------------ one program for whom


def test_what_shares_a_program(train, builds, X):
    train(X)
    train(X, seed=1)
    train(X[:20], batch_size=7, epochs=5)
    train(X, learning_rate=0.5)
    train(X.copy(), verbose=0, network=DenseNetwork((), latent_activation="tanh"))
    train(X, first_epoch=3)
    assert len(builds) == 1


def test_a_learning_rate_stays_with_its_fit(train, assert_same, builds, X):
    default = train(X)
    faster = train(X, learning_rate=0.1)
    assert faster.history != default.history
    assert_same(default, train(X))
    assert len(builds) == 1


@pytest.mark.parametrize(
    "difference",
    [
        {"loss": "mae"},
        {"optimizer": "sgd"},
        {"network": DenseNetwork((), latent_activation="relu")},
        {"latent_dim": 3},
        {"corruption": GaussianNoise(0.1)},
        {"patience": 2},
        {"validation": engine.Rows(np.ones((5, 6), np.float32))},
    ],
    ids=lambda difference: next(iter(difference)),
)
def test_what_needs_another_program(difference, train, builds, assert_same, X):
    before = train(X)
    assert train(X, **difference).history != before.history or "patience" in difference
    assert len(builds) == 2
    assert_same(before, train(X))
    assert len(builds) == 2


def test_parameters_of_a_corruption_are_part_of_the_key(train, builds, X):
    for corruption in (GaussianNoise(0.1), GaussianNoise(0.2), MaskingNoise(0.1)):
        train(X, corruption=corruption)
    train(X, corruption=GaussianNoise(0.1))
    assert len(builds) == 3


def test_keras_objects_are_keyed_by_what_they_say(train, keras, builds, X):
    def adam(rate):
        return keras.optimizers.Adam(rate)

    # Keras calls them adam, adam_1, ...: names are no difference.
    train(X, optimizer=adam(0.01))
    train(X, optimizer=adam(0.01))
    assert len(builds) == 1
    train(X, optimizer=adam(0.02))
    assert len(builds) == 2
    train(X, loss=keras.losses.Huber(0.5))
    train(X, loss=keras.losses.Huber(0.5, name="mine"))
    assert len(builds) == 3
    train(X, loss=keras.losses.Huber(0.6))
    assert len(builds) == 4


def test_a_fit_copies_the_optimizer(train, keras, assert_same, X):
    optimizer = keras.optimizers.Adam(0.01)
    first = train(X, optimizer=optimizer)
    assert_same(first, train(X, optimizer=optimizer))
    assert int(optimizer.iterations) == 0


# -------------------------------------------------------- losses of the user's


def first_loss(train, X, loss):
    return train(X, loss=loss, epochs=1, batch_size=50).history["loss"][0]


def test_a_function_is_keyed_by_its_code_and_closure(train, builds, X):
    def make(factor):
        def loss(y, output):
            return factor * (y - output) ** 2

        return loss

    single, double = (first_loss(train, X, make(k)) for k in (1.0, 2.0))
    assert double == pytest.approx(2 * single)
    assert first_loss(train, X, make(1.0)) == single
    assert len(builds) == 2


def test_a_function_is_keyed_by_the_globals_that_it_reads(train, builds, X):
    module = types.ModuleType("of_the_user")
    exec(
        "FACTOR = 1.0\ndef loss(y, p):\n    return FACTOR * (y - p) ** 2", vars(module)
    )
    single = first_loss(train, X, module.loss)
    module.FACTOR = 2.0
    assert first_loss(train, X, module.loss) == pytest.approx(2 * single)


def test_a_redefined_class_is_another_one(train, builds, X):
    def define(body):
        scope = {}
        code = f"class Loss:\n    def __call__(self, y, p):\n        return {body}"
        exec(code, scope)
        return scope["Loss"]()

    single = first_loss(train, X, define("(y - p) ** 2"))
    assert first_loss(train, X, define("2 * (y - p) ** 2")) == pytest.approx(2 * single)
    assert first_loss(train, X, define("(y - p) ** 2")) == single
    assert len(builds) == 2


def test_attributes_of_a_keras_loss_count(train, keras, builds, X):
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
    assert len(builds) == 2


def test_a_changed_object_finds_no_stale_program(train, keras, builds, X):
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


def test_what_cannot_be_described_is_compiled_for_one_fit(
    train, builds, assert_same, X
):
    lock = threading.Lock()

    def loss(y, output):
        with lock:
            return (y - output) ** 2

    assert_same(train(X, loss=loss), train(X, loss=loss))
    assert len(builds) == 2
    assert _cache.idle_programs() == 0


# ----------------------------------------------------------- failures and memory


def test_a_diverged_fit_spoils_nothing(train, builds, assert_same, X):
    before = train(X, optimizer="sgd")
    with pytest.raises(engine.TrainingDivergedError):
        train(X, optimizer="sgd", learning_rate=1e3, epochs=50)
    assert _cache.idle_programs() == 0
    assert_same(before, train(X, optimizer="sgd"))


def test_a_rejected_fit_costs_no_program(train, builds, X):
    train(X)
    with pytest.raises(TypeError):
        train(X, callbacks=[3])
    assert _cache.idle_programs() == 1


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_forgotten_program_is_collected(optimizer, train, builds, X):
    """Graphs too, which TensorFlow's sum over replicas would keep for good."""
    from skae._engine import _modes

    made = []

    class Watched(_modes.Program):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            parts = self, self.model, self._epochs.graph
            made.extend(map(weakref.ref, parts))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_modes, "Program", Watched)
        trained = train(X, engine.Rows(X), patience=2, optimizer=optimizer)
    gc.collect()
    assert all(part() for part in made)
    _cache.clear()
    gc.collect()
    assert not any(part() for part in made)
    assert trained.state.weights  # what is left is NumPy
