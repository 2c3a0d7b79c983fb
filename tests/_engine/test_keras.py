"""Keras objects made from descriptions, data as tensors, and users' own code."""

import random
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from skae import _engine as engine
from skae._engine._spec import is_aligned
from skae.corruptions import GaussianNoise
from skae.networks import (
    ConvNetwork,
    DenseNetwork,
    Network,
    RecurrentNetwork,
    VariationalNetwork,
)
from skae.networks._base import Built

MANY = 300_000  # numbers in more than a megabyte


class Stubborn(DenseNetwork):
    """Ignores what it is asked for."""

    def build(self, input_shape, output_shape, latent_dim):
        return super().build(input_shape, (7,), 3)


# ------------------------------------------------------------------------ models


def test_a_model_has_encoder_and_decoder(keras, make_job, X):
    architecture = make_job(X)[0].architecture
    weights = engine.initial_weights(architecture, seed=0)
    model = engine.keras_model(architecture, weights)
    assert isinstance(model, keras.Model)
    codes = model.encoder(X)
    assert codes.shape == (50, 2)
    np.testing.assert_allclose(model.decoder(codes), model(X), atol=1e-6)
    for weight, given in zip(model.get_weights(), weights, strict=True):
        assert np.array_equal(weight, given)
    assert model.encoder is model.get_layer("encoder")
    assert len(model.weights) == len({id(w) for w in model.weights}) == 4


def test_a_network_that_does_not_fit_the_rows(train, X):
    network = Stubborn((4,))
    message = (
        r"The network built by Stubborn\(hidden_units=\(4,\)\) returns rows of shape "
        r"\(7,\), but the rows to reconstruct have shape \(6,\)\. Give its last layer"
    )
    with pytest.raises(ValueError, match=message):
        train(X, network=network)


def test_a_network_that_does_not_obey_latent_dim(train, rng):
    message = r"has a code of width 3, but latent_dim=2\. Pass latent_dim=None for"
    with pytest.raises(ValueError, match=message):
        train(rng.normal(size=(9, 7)).astype(np.float32), network=Stubborn())


# -------------------------------------------------------------------- optimizers


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"optimizer": "adamm"},
            "optimizer is 'adamm', which is no optimizer of Keras;",
        ),
        ({"loss": "mze"}, "loss is 'mze', which is no loss of Keras; pass a name such"),
    ],
)
def test_unknown_names(options, message, train, X):
    with pytest.raises(ValueError, match=message):
        train(X, **options)


def test_a_learning_rate_beside_an_instance(train, keras, X):
    message = (
        "learning_rate is 0.1, but optimizer is an instance of SGD, which has its own "
        "learning rate. Set it there and leave learning_rate=None"
    )
    with pytest.raises(ValueError, match=message):
        train(X, optimizer=keras.optimizers.SGD(0.2), learning_rate=0.1)


def test_a_schedule_of_the_users(train, keras, pool, X):
    class Steps(keras.optimizers.schedules.LearningRateSchedule):
        def __init__(self, first):
            self.first = first

        def __call__(self, step):
            return self.first / keras.ops.cast(step + 1, "float32")

        def get_config(self):
            return {"first": self.first}

    def fit(first):
        return train(X, optimizer=keras.optimizers.SGD(Steps(first)))

    slow, fast = fit(0.01), fit(0.1)
    assert slow.history != fast.history
    assert fit(0.01).history == slow.history
    assert train.builds == 2
    without = type("Steps", (Steps,), {"get_config": lambda self: None + 1})
    message = (
        "optimizer is an instance of SGD that cannot be copied from its configuration "
        r"\(.*\)\. Give its class, and the class of its learning-rate schedule, a get_"
    )
    with pytest.raises(ValueError, match=message):
        train(X, optimizer=keras.optimizers.SGD(without(0.1)))


def test_optimizers_have_one_name(keras):
    """TensorFlow keeps memory for every name of a variable that it has seen."""
    from skae._engine._keras._objects import make_optimizer

    made = [make_optimizer(o) for o in ("adam", "adam", keras.optimizers.Adam())]
    paths = [[v.path for v in optimizer.variables] for optimizer in made]
    assert paths[0] == paths[1] == paths[2]


# ------------------------------------------------------------------------ losses


def test_a_loss_that_is_not_reduced(train, keras, X):
    message = r"with reduction='none', which leaves no single number to minimise\. Lea"
    with pytest.raises(ValueError, match=message):
        train(X, loss=keras.losses.MeanSquaredError(reduction="none"))


@pytest.mark.parametrize("shape", [(6,), (3, 2), (3, 2, 4)])
def test_weights_count_rows_whatever_a_loss_returns(shape, keras, rng):
    """Per entry, per row, or as Keras does: over the last axis."""
    from skae._engine._keras._objects import RowLoss

    y, output = rng.normal(size=(2, 5, *shape)).astype(np.float32)
    weight = np.arange(5, dtype=np.float32)
    per_row = ((y - output) ** 2).reshape(5, -1).mean(axis=1)
    axes = tuple(range(1, y.ndim))
    losses = {
        "name": "mse",
        "instance": keras.losses.MeanSquaredError(),
        "per entry": lambda y, p: (y - p) ** 2,
        "per row": lambda y, p: keras.ops.mean((y - p) ** 2, axis=axes),
    }
    for name, loss in losses.items():
        reduced = RowLoss(loss).reduced
        np.testing.assert_allclose(reduced(y, output), per_row.mean(), rtol=1e-5)
        weighted = reduced(y, output, keras.ops.convert_to_tensor(weight))
        expected = np.mean(weight * per_row)
        np.testing.assert_allclose(weighted, expected, rtol=1e-5, err_msg=name)


# ------------------------------------------------------------------- description


def test_only_optimizers_and_losses_have_a_stand_in(keras):
    for other in (3, None, np.ones(2), keras.callbacks.History(), DenseNetwork()):
        assert engine.keras_config(other) is None
    assert engine.keras_config(keras.losses.Huber(0.3)) is not None
    assert engine.keras_config(keras.optimizers.Adam()) is not None


def test_every_loss_of_keras_can_be_described(keras):
    from skae._engine._digest import digest

    def described(*args, **kwargs):
        return digest(loss(*args, **kwargs), engine.keras_config)

    for name in dir(keras.losses):
        loss = getattr(keras.losses, name)
        if isinstance(loss, type) and loss is not keras.losses.Loss:
            assert described() == described(name="other"), name
            assert described() != described(reduction="sum"), name
    loss = keras.losses.Huber  # whose configuration lacks its delta
    assert described(0.5) == described(0.5) != described(0.6)


def test_an_optimizer_without_configuration_is_trained_without_sharing(keras):
    from skae._engine._digest import CannotDescribeError

    class Bare(keras.optimizers.SGD):
        def get_config(self):
            raise NotImplementedError("not done")

    with pytest.raises(CannotDescribeError, match="has no configuration: not done"):
        engine.keras_config(Bare())


@pytest.mark.parametrize(
    ("loss", "answer"),
    [
        ("binary_crossentropy", True),
        ("BinaryCrossentropy", True),
        ("bce", True),
        ("KLD", True),
        ("kl_divergence", True),
        ("categorical_focal_crossentropy", True),
        ("mse", False),
        (lambda y, output: output, False),
    ],
)
def test_losses_that_read_probabilities(loss, answer):
    assert engine.reads_probabilities(loss) is answer


def test_losses_that_read_probabilities_as_objects(keras):
    losses = keras.losses
    assert engine.reads_probabilities(losses.BinaryCrossentropy(name="mine"))
    assert engine.reads_probabilities(losses.binary_crossentropy)
    assert not engine.reads_probabilities(losses.MeanSquaredError())


# ------------------------------------------------------------------------- tensors


@pytest.mark.parametrize("shape", [(1,), (7, 3), (5, 4, 3), (1001, 7)])
def test_memory_is_aligned(shape):
    for _ in range(5):
        array = engine.aligned_empty(shape)
        assert array.shape == shape
        assert array.dtype == np.float32
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert is_aligned(array)


@pytest.fixture
def tensor_of(keras):
    from skae._engine._keras._trainer import tensor_of

    return tensor_of


def shares_memory(tensor, array):
    before = float(tensor[-1])
    array[-1] += 1
    return float(tensor[-1]) != before


def test_large_aligned_arrays_are_not_copied(tensor_of):
    array = engine.aligned_empty((MANY,))
    array[:] = np.arange(MANY)
    tensor = tensor_of(array)
    np.testing.assert_array_equal(tensor.numpy(), array)
    assert shares_memory(tensor, array)
    expected = array.sum(dtype=np.float64)
    del array  # the tensor keeps what it needs
    assert tensor.numpy().sum(dtype=np.float64) == expected


@pytest.mark.parametrize("kind", ["small", "unaligned", "read-only", "float64"])
def test_others_are_copied(kind, tensor_of):
    array = engine.aligned_empty((MANY,))
    array[:] = 1
    array = {
        "small": array[:64],
        "unaligned": array[1:],
        "read-only": array,
        "float64": array.astype(np.float64),
    }[kind]
    if kind == "read-only":
        array.flags.writeable = False
    tensor = tensor_of(array)
    assert tensor.dtype == "float32"
    if kind == "read-only":
        array.flags.writeable = True
    assert not shares_memory(tensor, array)


def test_a_gpu_gets_its_own_copy(tensor_of, monkeypatch):
    import tensorflow as tf

    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [kind])
    array = engine.aligned_empty((MANY,))
    array[:] = 1
    assert not shares_memory(tensor_of(array), array)


def test_a_training_is_where_it_is_asked_to_be():
    """On a second device that stands for a GPU; each array is copied there once."""
    script = """
        import contextlib, sys
        import numpy as np
        import tensorflow as tf

        (cpu,) = tf.config.list_physical_devices("CPU")
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, two)
        from skae import AutoencoderTransformer
        from skae._engine._keras import _trainer

        cpus = tf.config.list_logical_devices("CPU")
        tf.config.list_logical_devices = lambda kind: cpus[1:]
        copies, variables = [], []
        copy, train = _trainer.tensor_of, _trainer.KerasTrainer.run_epoch

        def tensor_of(array):
            copies.append((array.shape, copy(array).device[-5:]))
            return copy(array)

        def run_epoch(self, *args):
            variables.extend(v.device[-5:] for v in self._weights + self._state)
            return train(self, *args)

        _trainer.tensor_of = tensor_of
        _trainer.KerasTrainer.run_epoch = run_epoch
        X = np.random.default_rng(0).normal(size=(1000, 50)).astype(np.float32)
        shapes = [(950, 50), (50, 50), (50,)]  # rows, those of validation, weights
        sums = set()
        for asked in ("CPU:1", None):
            copies.clear(), variables.clear()
            with tf.device(asked) if asked else contextlib.nullcontext():
                fitted = AutoencoderTransformer(
                    4, epochs=3, engine="keras", random_state=0
                ).fit(X)
            place = asked or "CPU:0"
            assert copies == [(shape, place) for shape in shapes], copies
            assert set(variables) == {place}, variables
            sums.add(float(fitted.transform(X).sum()))
        assert len(sums) == 1
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


# ------------------------------------------------------------- compiled or in Python


NETWORKS = {
    "dense": (DenseNetwork((8,)), (6,)),
    "conv": (ConvNetwork((4, 2)), (7, 6, 1)),
    "variational": (VariationalNetwork(DenseNetwork((8,))), (6,)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_compiled_and_uncompiled_steps_agree(name, train, train_uncompiled, rng):
    network, shape = NETWORKS[name]
    X = rng.uniform(size=(40, *shape)).astype(np.float32)
    options = {"network": network, "corruption": GaussianNoise(0.1), "epochs": 1}
    compiled, other = (
        train(X, engine.Rows(X[:10]), patience=1, **options)
        for train in (train, train_uncompiled)
    )
    for name, values in compiled.history.items():
        assert other.history[name] == pytest.approx(values, rel=1e-4)
    pairs = zip(compiled.state.weights, other.state.weights, strict=True)
    for one, another in pairs:
        np.testing.assert_allclose(one, another, atol=1e-4)


class UsersNetwork(Network):
    """Stands for a user's code: one layer of a class that the test writes."""

    draws_weights = False

    def __init__(self, layer):
        self.layer = layer

    def build(self, input_shape, output_shape, latent_dim):
        import keras

        encoder = keras.Sequential([keras.Input(input_shape), keras.layers.Dense(2)])
        decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(6)])

        class Both(keras.Model):
            def __init__(self, layer):
                super().__init__()
                self.encoder, self.decoder, self.middle = encoder, decoder, layer

            def call(self, x):
                return self.decoder(self.middle(self.encoder(x)))

        model = Both(self.layer())
        model(np.zeros((1, *input_shape), "float32"))
        return Built(encoder, decoder, model)


@pytest.fixture
def layers(keras):
    """Classes of layers, by what is wrong with them; "pure" has nothing wrong."""
    import tensorflow as tf

    seen = []

    class Pure(keras.layers.Layer):
        def call(self, x):
            return tf.nn.relu(x)

    class Counting(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.n_calls = 0

        def call(self, x):
            self.n_calls += 1
            return x

    class Remembering(keras.layers.Layer):
        def call(self, x):
            seen.append(len(seen))
            return x

    class Drawing(keras.layers.Layer):
        def call(self, x):
            return x + 0.01 * random.random()

    class Reading(keras.layers.Layer):
        def call(self, x):
            return x * float(tf.reduce_mean(x) > -1e9)

    class Deciding(keras.layers.Layer):
        def call(self, x):
            return x if tf.reduce_sum(x) > 1e9 else 2 * x

    return {cls.__name__: cls for cls in locals().values() if isinstance(cls, type)}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Counting", "changes the attribute 'n_calls' of Counting, a side effect in"),
        ("Remembering", "changes what the code of Remembering reads, a side effect"),
        ("Drawing", "changes Python's random state, a side effect in Python"),
        ("Reading", "it cannot be compiled"),
        ("Deciding", "it cannot be compiled"),
    ],
)
@pytest.mark.draws_globally("the user's own code does")
def test_python_code_runs_uncompiled_with_a_warning(name, reason, layers, train, X):
    with pytest.warns(UserWarning, match="trains uncompiled") as caught:
        trained = train(X, network=UsersNetwork(layers[name]), epochs=2)
    assert reason in str(caught[0].message)
    assert trained.history["loss"][1] < trained.history["loss"][0]


def test_pure_code_is_compiled_in_silence(layers, train, X):
    trained = train(X, network=UsersNetwork(layers["Pure"]), epochs=2)
    assert trained.history["loss"][1] < trained.history["loss"][0]


def test_every_fit_warns_also_with_a_kept_trainer(layers, train, X, pool):
    network = UsersNetwork(layers["Counting"])
    for _ in range(2):
        with pytest.warns(UserWarning, match="trains uncompiled"):
            train(X, network=network, epochs=1)
    assert train.builds == 1


def test_a_side_effect_happens_in_every_step(keras, train, X):
    calls = []

    class Logging(keras.layers.Layer):
        def call(self, x):
            calls.append(1)
            return x

    counts = []
    for epochs in (1, 3):
        before = len(calls)
        with pytest.warns(UserWarning, match="trains uncompiled"):
            train(X, network=UsersNetwork(Logging), epochs=epochs, batch_size=10)
        counts.append(len(calls) - before)
    assert counts[1] - counts[0] == 10  # two more epochs of five steps


def test_code_that_fails_in_any_way_says_what_it_says(keras, train, X):
    class Broken(keras.layers.Layer):
        def call(self, x, training=False):
            if training:
                raise RuntimeError("my own mistake")
            return x

    with pytest.raises(RuntimeError, match="my own mistake"):
        train(X, network=UsersNetwork(Broken))


# ---------------------------------------------------------------------- forks


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_forked_child_says_that_tensorflow_cannot_run(train, make_job, in_fork, X):
    weights = train(X).state.weights  # TensorFlow runs
    architecture = make_job(X)[0].architecture
    series = engine.Architecture(RecurrentNetwork((2,)), (3, 2), (3, 2), None)
    recurrent = engine.TrainedNetwork(series, [], (2,))
    asked = {
        "train": lambda: train(X),
        "score": lambda: recurrent.encode(np.zeros((4, 3, 2), np.float32)),
        "export": lambda: engine.keras_model(architecture, weights),
        "draw": lambda: engine.initial_weights(architecture, seed=0),
    }

    def check():
        for ask in asked.values():
            with pytest.raises(RuntimeError, match="forked from one in which TensorF"):
                ask()

    in_fork(check)
    in_fork(lambda: in_fork(check))
    asked["train"]()
