"""Learning rates that change from step to step."""

import numpy as np
import pytest

from skae import _engine as engine
from skae._engine._rates import ONE_CYCLE, step_rates


def test_a_number_and_none_change_nothing():
    assert step_rates(None, 0.001, 3, 4) is None
    assert step_rates(0.1, 0.001, 3, 4) is None


def test_one_cycle_rises_then_falls():
    rates = step_rates(ONE_CYCLE, 0.001, 10, 20)
    assert rates.shape == (10, 20)
    flat = rates.ravel()
    top = flat.argmax()
    assert 0.25 * len(flat) < top < 0.35 * len(flat)
    assert (np.diff(flat[: top + 1]) > 0).all()
    assert (np.diff(flat[top:]) < 0).all()
    np.testing.assert_allclose(flat.max(), 0.008, rtol=1e-3)
    assert flat[0] < 0.001
    assert flat[-1] < 0.0001


@pytest.mark.parametrize("n_steps", [1, 2, 3])
def test_few_steps_have_positive_rates(n_steps):
    assert (step_rates(ONE_CYCLE, 0.001, 1, n_steps) > 0).all()


@pytest.fixture
def as_keras_would(keras, make_job):
    """Return a function that trains, and checks the result against Keras's ``fit``.

    Keras gets the rate of every step from a callback.
    """

    def check(X, mode, **options):
        *parts, seed = make_job(X, learning_rate=ONE_CYCLE, **options)
        spec, rows, _, schedule, state = parts
        trained = engine.train(*parts, seed, mode=mode)
        model = engine.keras_model(spec.architecture, state.weights)
        model.compile(optimizer=spec.optimizer, loss=spec.loss, run_eagerly=True)
        n, size = len(rows.x), schedule.batch_size
        n_steps = -(-n // size)
        own = float(model.optimizer.learning_rate)
        rates = iter(step_rates(ONE_CYCLE, own, schedule.epochs, n_steps).ravel())

        class SetRate(keras.callbacks.Callback):
            def on_train_batch_begin(self, batch, logs=None):
                self.model.optimizer.learning_rate = next(rates)

        def batches():
            for order in engine.batch_orders(seed, n):
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
        np.testing.assert_allclose(trained.history["loss"], history["loss"], rtol=1e-5)
        for ours, theirs in zip(
            trained.state.weights, model.get_weights(), strict=True
        ):
            np.testing.assert_allclose(ours, theirs, atol=1e-5)

    return check


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("mode", ["auto", "compiled", "xla", "uncompiled"])
def test_trained_as_keras_would(mode, optimizer, as_keras_would, X):
    as_keras_would(X, mode, optimizer=optimizer, epochs=4)


def test_trained_as_keras_would_by_whole_epochs_in_xla(as_keras_would, monkeypatch, X):
    from skae._engine import _numpy_program

    monkeypatch.setattr(_numpy_program, "_XLA_SECONDS", 0.0)
    as_keras_would(X, "auto", epochs=4)


@pytest.mark.parametrize("verbose", [0, 1, 2])
def test_trained_as_keras_would_under_callbacks(verbose, as_keras_would, keras, X):
    class Watcher(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            pass

    callbacks = [Watcher()] if verbose < 2 else []
    as_keras_would(X, "compiled", epochs=4, callbacks=callbacks, verbose=verbose)


def test_the_next_training_has_the_optimizers_own_rate(make_job, X):
    for mode in ("auto", "compiled"):
        plain = engine.train(*make_job(X), mode=mode)
        engine.train(*make_job(X, learning_rate=ONE_CYCLE), mode=mode)
        again = engine.train(*make_job(X), mode=mode)
        assert again.history == plain.history
