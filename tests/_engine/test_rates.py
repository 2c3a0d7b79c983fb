"""Learning rates that change from step to step."""

import numpy as np
import pytest

from skae import _engine as engine
from skae._engine._train import ONE_CYCLE, batch_orders, one_cycle_rates


def test_one_cycle_rises_then_falls():
    rates = [one_cycle_rates(0.001, 10, 20, epoch) for epoch in range(10)]
    assert [len(one) for one in rates] == [20] * 10
    flat = np.concatenate(rates)
    top = flat.argmax()
    assert 0.25 * len(flat) < top < 0.35 * len(flat)
    assert (np.diff(flat[: top + 1]) > 0).all()
    assert (np.diff(flat[top:]) < 0).all()
    np.testing.assert_allclose(flat.max(), 0.008, rtol=1e-3)
    assert flat[0] < 0.001
    assert flat[-1] < 0.0001


@pytest.mark.parametrize("n_steps", [1, 2, 3])
def test_few_steps_have_positive_rates(n_steps):
    assert (one_cycle_rates(0.001, 1, n_steps, 0) > 0).all()


def test_epochs_that_are_never_reached_take_no_memory():
    rates = one_cycle_rates(0.001, 10**18, 4000, 3)
    np.testing.assert_allclose(rates, 0.008 * 0.04, rtol=1e-5)


@pytest.fixture
def as_keras_would(keras, make_job):
    """Return a function that trains, and checks the result against Keras's ``fit``.

    Keras gets the rate of every step from a callback.
    """

    def check(X, *engine_names, **options):
        job = make_job(X, learning_rate=ONE_CYCLE, **options)
        spec, rows, _, schedule, _, seed = job
        weights = engine.initial_weights(spec.architecture, seed)
        model = engine.keras_model(spec.architecture, weights)
        model.compile(optimizer=spec.optimizer, loss=spec.loss, run_eagerly=True)
        n, size = len(rows.x), schedule.batch_size
        n_steps = -(-n // size)
        own = float(model.optimizer.learning_rate)
        shape = schedule.epochs, n_steps
        rates = (
            rate
            for epoch in range(schedule.epochs)
            for rate in one_cycle_rates(own, *shape, epoch)
        )

        class SetRate(keras.callbacks.Callback):
            def on_train_batch_begin(self, batch, logs=None):
                self.model.optimizer.learning_rate = next(rates)

        def batches():
            for order in batch_orders(seed, n):
                for start in range(0, n, size):
                    chosen = order[start : start + size]
                    yield rows.x[chosen], rows.x[chosen]

        history = model.fit(
            batches(),
            steps_per_epoch=n_steps,
            epochs=schedule.epochs,
            callbacks=[SetRate()],
            shuffle=False,
            verbose=0,
        ).history
        for name in engine_names:
            trained = engine.train(*job, name)
            losses = trained.history["loss"]
            np.testing.assert_allclose(losses, history["loss"], rtol=1e-5)
            for ours, theirs in zip(
                trained.state.weights, model.get_weights(), strict=True
            ):
                np.testing.assert_allclose(ours, theirs, atol=1e-5)

    return check


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_trained_as_keras_would(optimizer, as_keras_would, X):
    as_keras_would(X, "numpy", "keras", "xla", optimizer=optimizer, epochs=4)


@pytest.mark.parametrize("by_batch", [False, True])
def test_trained_as_keras_would_under_callbacks(by_batch, as_keras_would, keras, X):
    hook = "on_train_batch_end" if by_batch else "on_epoch_end"
    watcher = keras.callbacks.LambdaCallback(**{hook: lambda *_, **__: None})
    as_keras_would(X, "auto", epochs=4, callbacks=[watcher])


@pytest.mark.parametrize("engine_name", ["numpy", "keras", "xla"])
def test_the_next_training_has_the_optimizers_own_rate(engine_name, make_job, X):
    plain = engine.train(*make_job(X), engine_name)
    engine.train(*make_job(X, learning_rate=ONE_CYCLE), engine_name)
    again = engine.train(*make_job(X), engine_name)
    assert again.history == plain.history
