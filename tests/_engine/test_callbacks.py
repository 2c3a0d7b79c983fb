"""Keras callbacks in the engine's loop."""

import copy
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest

from skae import _engine as engine
from skae._random import stream

# Keras 3.15 with NumPy 2.4, in keras.ops.convert_to_numpy of a variable.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)


@pytest.fixture
def make_recorder(keras):
    """Return a class of callbacks that note every call, outside themselves."""

    def make_recorder(calls, only=None):
        class Recorder(keras.callbacks.Callback):
            pass

        def note(name):
            def hook(self, *args, logs=None):
                *args, logs = (*args, logs) if logs is not None else args or (None,)
                calls.append((name, *args, dict(logs or {})))

            return hook

        for name in only or HOOKS:
            setattr(Recorder, name, note(name))
        return Recorder

    return make_recorder


HOOKS = (
    "on_train_begin",
    "on_train_end",
    "on_epoch_begin",
    "on_epoch_end",
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_test_begin",
    "on_test_end",
)


def test_calls_come_in_kerass_order(train, make_recorder, keras, make_job, X):
    calls, theirs = [], []
    validation = engine.Rows(X[:10])
    trained = train(X, validation, epochs=2, callbacks=[make_recorder(calls)])
    model = engine.keras_model(*untrained(make_job(X)))
    model.compile("adam", "mse")
    model.fit(
        X,
        X,
        batch_size=16,
        epochs=2,
        validation_data=(X[:10], X[:10]),
        callbacks=[make_recorder(theirs)()],
        verbose=0,
    )
    strip = [(*call[:-1], sorted(call[-1])) for call in calls]
    assert strip == [(*call[:-1], sorted(call[-1])) for call in theirs]
    ends = [call for call in calls if call[0] == "on_epoch_end"]
    assert [epoch for _, epoch, _ in ends] == [0, 1]
    for _, epoch, logs in ends:
        assert logs == {name: v[epoch] for name, v in trained.history.items()}
    assert calls[-1] == ("on_train_end", ends[-1][2])


def untrained(job):
    """Return an architecture and the weights that its training begins with."""
    architecture = job[0].architecture
    return architecture, engine.initial_weights(architecture, seed=0)


def test_the_last_batchs_running_mean_is_the_epochs_loss(train, make_recorder, X):
    calls = []
    trained = train(X, callbacks=[make_recorder(calls)])
    of_batches = [call for call in calls if call[0] == "on_train_batch_end"]
    assert [batch for _, batch, _ in of_batches] == [0, 1, 2, 3] * 3
    assert [logs["loss"] for _, _, logs in of_batches[3::4]] == trained.history["loss"]


def test_epochs_count_on_where_training_continues(train, make_recorder, X):
    calls = []
    only = ["on_epoch_begin", "on_epoch_end"]
    train(X, epochs=2, first_epoch=5, callbacks=[make_recorder(calls, only)])
    assert [epoch for _, epoch, _ in calls] == [5, 5, 6, 6]


# ------------------------------------------------------------------- stopping


def test_stopping_at_the_end_of_an_epoch(train, keras, X):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    stopped = train(X, epochs=10, callbacks=[Stop()])
    until = train(X, epochs=2)
    assert stopped.history == until.history
    for one, other in zip(stopped.state.weights, until.state.weights, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("hook", ["on_train_batch_end", "on_batch_end"])
def test_stopping_within_an_epoch(hook, train, keras, make_recorder, X):
    class Stop(keras.callbacks.Callback):
        pass

    def stop(self, batch, logs=None):
        self.model.stop_training = batch == 1

    setattr(Stop, hook, stop)
    calls = []
    watcher = make_recorder(calls, ["on_train_batch_end", "on_epoch_end"])
    stopped = train(X, engine.Rows(X[:9]), epochs=10, callbacks=[Stop(), watcher])
    assert [call[:2] for call in calls] == [
        ("on_train_batch_end", 0),
        ("on_train_batch_end", 1),
        ("on_epoch_end", 0),
    ]
    assert stopped.history["loss"] == [calls[1][2]["loss"]]
    assert np.isfinite(stopped.history["val_loss"]).all()


def test_early_stopping_has_the_last_word_over_no_patience(train, keras, X):
    stop = keras.callbacks.EarlyStopping(
        monitor="loss", patience=3, restore_best_weights=True
    )
    options = {"learning_rate": 0.15, "batch_size": 50}
    stopped = train(X, epochs=200, callbacks=[stop], **options)
    best = int(np.argmin(stopped.history["loss"]))
    assert len(stopped.history["loss"]) == best + 4 < 200
    until = train(X, epochs=best + 1, **options)
    for one, other in zip(stopped.state.weights, until.state.weights, strict=True):
        assert np.array_equal(one, other)


# ------------------------------------------------------------- Keras's callbacks


def test_what_callbacks_add_to_the_logs_is_history(train, keras, tmp_path, X):
    plateau = keras.callbacks.ReduceLROnPlateau(
        monitor="loss", patience=1, min_delta=1e9, factor=0.1
    )
    logger = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    history = train(X, engine.Rows(X[:9]), callbacks=[plateau, logger]).history
    assert list(history) == ["loss", "val_loss", "learning_rate"]
    np.testing.assert_allclose(history["learning_rate"], [1e-3, 1e-3, 1e-4], rtol=1e-5)
    table = np.genfromtxt(tmp_path / "log.csv", delimiter=",", names=True)
    np.testing.assert_allclose(table["epoch"], [0, 1, 2])
    for name, values in history.items():
        np.testing.assert_allclose(table[name], values, rtol=1e-6)


def test_a_users_history_is_filled_and_is_not_ours(train, keras, X):
    used = keras.callbacks.History()
    histories = [train(X, callbacks=[used]).history for _ in range(2)]
    assert histories == [train(X).history] * 2
    # As in Keras, which forgets the epochs when a training begins, but not the losses.
    assert used.history == {"loss": 2 * histories[0]["loss"]}
    assert used.epoch == [0, 1, 2]


LOADS = """
import sys
import keras
import numpy as np

X = np.load(sys.argv[1])
model = keras.saving.load_model(sys.argv[2])
code = model.get_layer("encoder").predict(X, verbose=0)
output = model.get_layer("decoder").predict(code, verbose=0)
assert (output == model.predict(X, verbose=0)).all()
np.save(sys.argv[3], output)
"""


def test_a_checkpoint_holds_its_epochs_weights_and_loads_anywhere(
    train, keras, make_job, tmp_path, X
):
    save = keras.callbacks.ModelCheckpoint(tmp_path / "after_{epoch}.keras")
    only_weights = keras.callbacks.ModelCheckpoint(
        tmp_path / "after_{epoch}.weights.h5", save_weights_only=True
    )
    train(X, callbacks=[save, only_weights])
    after = {k: train(X, epochs=k).state.weights for k in (1, 3)}
    architecture, weights = untrained(make_job(X))
    for k, expected in after.items():
        model = engine.keras_model(architecture, weights)
        model.load_weights(tmp_path / f"after_{k}.weights.h5")
        for one, other in zip(model.get_weights(), expected, strict=True):
            assert np.array_equal(one, other)
    np.save(tmp_path / "X.npy", X)
    paths = (tmp_path / name for name in ("X.npy", "after_1.keras", "made.npy"))
    subprocess.run([sys.executable, "-c", LOADS, *paths], check=True)
    model = engine.keras_model(architecture, after[1])
    made = np.load(tmp_path / "made.npy")
    np.testing.assert_allclose(made, model.predict(X, verbose=0), atol=1e-6)


# --------------------------------------------------------------------- our own


def test_instances_begin_anew_in_each_fit_and_are_told(train, keras, X):
    class Counter(keras.callbacks.Callback):
        n_epochs = 0

        def __init__(self):
            super().__init__()
            self.n_batches = 0
            self.all_losses = []

        def on_train_begin(self, logs=None):
            self.losses = []

        def on_train_batch_end(self, batch, logs=None):
            self.n_batches += 1

        def on_epoch_end(self, epoch, logs=None):
            self.n_epochs += 1
            self.losses.append(logs["loss"])
            self.all_losses.append(logs["loss"])
            self.model.stop_training = self.n_epochs == 2

    counter = Counter()
    for callback in (counter, counter, copy.deepcopy(counter), counter):
        trained = train(X, callbacks=[callback])
        assert callback.losses == trained.history["loss"]
        assert (callback.n_epochs, callback.n_batches) == (2, 8)
        assert callback.model is None
    pickle.loads(pickle.dumps(vars(counter)))
    assert len(counter.all_losses) == 6  # what it held before is shared
    counter.n_epochs = 1  # the user has a word, too
    assert len(train(X, callbacks=[counter]).history["loss"]) == 1
    assert counter.n_epochs == 2


def test_what_a_callback_holds_is_the_users_own(train, keras, X):
    class Trial:
        """Has a lock, as a connection to a data base has."""

        def __init__(self):
            self.lock = threading.Lock()
            self.reported = []

        def report(self, value, step):
            self.reported.append((step, value))

    class PrunedError(Exception):
        pass

    class Pruning(keras.callbacks.Callback):
        def __init__(self, trial):
            super().__init__()
            self.trial = trial

        def on_epoch_end(self, epoch, logs=None):
            self.trial.report(logs["loss"], epoch)
            self.last_epoch = epoch
            if epoch == 1:
                raise PrunedError

    pruning = Pruning(Trial())
    with pytest.raises(PrunedError):
        train(X, callbacks=[pruning])
    losses = train(X, epochs=2).history["loss"]
    assert pruning.trial.reported == list(enumerate(losses))
    assert pruning.last_epoch == 1


def test_kerass_own_callbacks_begin_anew_and_are_told(train, keras, tmp_path, X):
    stop = keras.callbacks.EarlyStopping(
        monitor="loss", patience=1, min_delta=1e9, restore_best_weights=True
    )
    path = tmp_path / "best.weights.h5"
    save = keras.callbacks.ModelCheckpoint(
        path, monitor="loss", save_best_only=True, save_weights_only=True
    )
    for _ in range(2):
        trained = train(X, epochs=9, callbacks=[stop, save])
        assert len(trained.history["loss"]) == 2
        assert (stop.stopped_epoch, stop.best_epoch) == (1, 0)
        for kept, weight in zip(stop.best_weights, trained.state.weights, strict=True):
            assert np.array_equal(kept, weight)
        assert save.best == trained.history["loss"][1]
        path.unlink()  # written by each
    pickle.loads(pickle.dumps(vars(stop)))


def test_what_belongs_to_keras_stays_with_the_copy(train, keras, X):
    class Keep(keras.callbacks.Callback):
        def on_train_end(self, logs=None):
            self.kept, self.many = self.model, {"one": [1], "model": self.model}
            self.weights = self.model.get_weights()

    keep = Keep()
    trained = train(X, callbacks=[keep])
    assert not {"kept", "many"} & vars(keep).keys()
    for kept, weight in zip(keep.weights, trained.state.weights, strict=True):
        assert np.array_equal(kept, weight)


def test_a_callback_says_itself_how_it_is_copied(train, keras, X):
    class Shared(keras.callbacks.Callback):
        n_epochs = 0

        def __copy__(self):
            return self

        def on_epoch_end(self, epoch, logs=None):
            self.n_epochs += 1

    shared = Shared()
    for _ in range(2):
        train(X, callbacks=[shared])
    assert shared.n_epochs == 6


def test_functions_and_classes_make_callbacks(train, keras, make_recorder, X):
    calls, made = [], []

    def make():
        made.append(make_recorder(calls, ["on_epoch_end"])())
        return made[-1]

    train(X, callbacks=[make, keras.callbacks.TerminateOnNaN])
    train(X, callbacks=[make])
    assert len(made) == 2
    assert len(calls) == 6


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (3, "callbacks holds 3, which is neither a keras.callbacks.Callback nor a"),
        (dict, r"callbacks holds <class 'dict'>, which made {}; a function in call"),
    ],
)
def test_wrong_callbacks(wrong, message, train, X):
    with pytest.raises(TypeError, match=message):
        train(X, callbacks=[wrong])


def test_a_callback_that_cannot_be_copied(train, keras, X):
    class Locked(keras.callbacks.Callback):
        def __copy__(self):
            raise TypeError("it is locked")

    with pytest.raises(TypeError, match="cannot be copied .* Pass a function that"):
        train(X, callbacks=[Locked()])
    train(X, callbacks=[Locked])


# ------------------------------------------------------------------ what is left


def test_the_next_fit_knows_nothing_of_callbacks(train, keras, assert_same, X):
    class Vandal(keras.callbacks.Callback):
        def on_train_end(self, logs=None):
            self.model.optimizer.learning_rate = 1e3
            self.model.stop_training = True
            for layer in self.model.layers:
                layer.trainable = False
            self.model.set_weights([0 * w for w in self.model.get_weights()])

    before = train(X)
    ruined = train(X, callbacks=[Vandal()])
    assert not any(weight.any() for weight in ruined.state.weights)
    assert_same(before, train(X))
    lower = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 10)
    train(X, callbacks=[lower])
    assert_same(before, train(X))


def test_a_model_that_a_callback_kept_stays_as_it_was_trained(train, keras, X):
    kept = []

    class Keep(keras.callbacks.Callback):
        def on_train_end(self, logs=None):
            kept.append(self.model)

    trained = train(X, callbacks=[Keep()])
    train(X, seed=1)
    train(X, seed=2, callbacks=[Keep()])
    for one, other in zip(kept[0].get_weights(), trained.state.weights, strict=True):
        assert np.array_equal(one, other)


def test_trainers_under_kerass_own_callbacks_are_reused(train, keras, pool, X):
    for _ in range(2):
        train(X, callbacks=[keras.callbacks.TerminateOnNaN()])  # batch by batch
        train(X, callbacks=[keras.callbacks.EarlyStopping(monitor="loss")])
    assert train.builds == 1
    train(X, callbacks=[keras.callbacks.TerminateOnNaN])
    assert train.builds == 2  # its maker may have kept it, and its model


def test_a_fit_inside_a_callback(train, keras, assert_same, pool, X):
    inner = []

    class Nested(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            inner.append(train(X, seed=5))

    alone = [train(X), train(X, seed=5)]
    outer = train(X, callbacks=[Nested()])
    assert_same(outer, alone[0])
    assert len(inner) == 3
    for trained in inner:
        assert_same(trained, alone[1])


def test_a_raising_callback_spoils_nothing(train, keras, assert_same, pool, X):
    before = train(X)
    assert pool.n_idle() == 1

    def explode(epoch, logs):
        raise KeyError("boom")

    with pytest.raises(KeyError, match="boom"):
        train(X, callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=explode)])
    assert pool.n_idle() == 0  # it had the one there was
    assert_same(before, train(X))
    assert train.builds == 2


def test_streams_of_one_fit_share_no_draws():
    # What training counts on: steps, validation and layers draw apart.
    draws = [
        stream(0, "corruption", *c).random() for c in ((1, 0), (1, 1), (2,), (3, 0))
    ]
    assert len(set(draws)) == 4


def test_tensorboard(keras, train, tmp_path, X):
    train(X, engine.Rows(X[:10]), callbacks=[keras.callbacks.TensorBoard(tmp_path)])
    for part in ("train", "validation"):
        assert list((tmp_path / part).glob("events.out.tfevents.*"))
