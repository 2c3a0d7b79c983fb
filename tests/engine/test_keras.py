"""Keras objects made from descriptions, and the messages where that fails."""

import numpy as np
import pytest

from skae import _engine as engine
from skae.networks import DenseNetwork


class Stubborn(DenseNetwork):
    """Ignores what it is asked for."""

    def build(self, input_shape, output_shape, latent_dim):
        return super().build(input_shape, (7,), 3)


# ------------------------------------------------------------------------ models


def test_a_model_has_encoder_and_decoder(keras, make_job, X):
    spec, _, _, _, state, _ = make_job(X)
    model = engine.keras_model(spec.architecture, state.weights)
    assert isinstance(model, keras.Model)
    codes = model.encoder(X)
    assert codes.shape == (50, 2)
    np.testing.assert_allclose(model.decoder(codes), model(X), atol=1e-6)
    for weight, given in zip(model.get_weights(), state.weights, strict=True):
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


def test_unknown_names(train, X):
    message = "optimizer is 'adamm', which is no optimizer of Keras; pass a name such"
    with pytest.raises(ValueError, match=message):
        train(X, optimizer="adamm")
    message = "loss is 'mze', which is no loss of Keras; pass a name such as 'mse'"
    with pytest.raises(ValueError, match=message):
        train(X, loss="mze")


def test_a_learning_rate_beside_an_instance(train, keras, X):
    message = (
        "learning_rate is 0.1, but optimizer is an instance of SGD, which has its own "
        "learning rate. Set it there and leave learning_rate=None"
    )
    with pytest.raises(ValueError, match=message):
        train(X, optimizer=keras.optimizers.SGD(0.2), learning_rate=0.1)


def test_a_schedule_of_the_users(train, keras, builds, X):
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
    assert len(builds) == 2
    without = type("Steps", (Steps,), {"get_config": lambda self: None + 1})
    message = (
        "optimizer is an instance of SGD that cannot be copied from its configuration "
        r"\(.*\)\. Give its class, and the class of its learning-rate schedule, a get_"
    )
    with pytest.raises(ValueError, match=message):
        train(X, optimizer=keras.optimizers.SGD(without(0.1)))


def test_optimizers_have_one_name(keras):
    """TensorFlow keeps memory for every name of a variable that it has seen."""
    from skae._engine._keras import make_optimizer

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
    from skae._engine._keras import RowLoss

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
