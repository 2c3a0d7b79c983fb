"""Keras objects from plain descriptions: optimizers and losses."""

import keras
import tensorflow as tf

from skae._describe import CannotDescribeError
from skae.networks._keras_instances import describe_model

# ------------------------------------------------------------------- optimizers

# Keras would number them, and TensorFlow keeps something of every name it has seen.
_OPTIMIZER_NAME = "optimizer"


def make_optimizer(optimizer):
    """Return a new optimizer of a name, or a copy of an instance.

    Raises
    ------
    ValueError
        Where Keras does not know the name, or the instance cannot be copied.
    """
    if isinstance(optimizer, str):
        try:
            made = keras.optimizers.get(
                {"class_name": optimizer, "config": {"name": _OPTIMIZER_NAME}}
            )
        except ValueError as exc:
            raise ValueError(
                f"optimizer is {optimizer!r}, which is no optimizer of Keras; pass a "
                "name such as 'adam' or 'sgd', or a keras.optimizers instance."
            ) from exc
    else:
        made = _copied_optimizer(optimizer)
    _leave_replicas_out(made)
    return made


def _copied_optimizer(optimizer):
    """Return a fresh optimizer of an instance's configuration."""
    rate = _learning_rate_function(optimizer)
    known = {} if rate is None else {_class_of(rate).__name__: _class_of(rate)}
    try:
        with keras.saving.custom_object_scope(known):
            config = optimizer.get_config()
            if "name" in config:
                config["name"] = _OPTIMIZER_NAME
            return type(optimizer).from_config(config)
    except (NotImplementedError, TypeError, ValueError) as exc:
        raise ValueError(
            f"optimizer is an instance of {type(optimizer).__name__} that cannot be "
            f"copied from its configuration ({exc}). Give its class, and the class of "
            "its learning-rate schedule, a get_config method that returns all "
            "arguments of __init__."
        ) from exc


def _leave_replicas_out(optimizer):
    """Keep an optimizer from summing gradients over replicas, of which there is one.

    That sum registers a gradient with TensorFlow for good, which keeps the graph alive:
    every program would stay in memory.
    """
    inner = [getattr(optimizer, "inner_optimizer", None)]
    for one in [optimizer, *inner, *getattr(optimizer, "optimizers", [])]:
        if hasattr(one, "_all_reduce_sum_gradients"):
            one._all_reduce_sum_gradients = list


def _learning_rate_function(optimizer):
    """Return an optimizer's schedule or function of the learning rate, or None."""
    rate = getattr(optimizer, "_learning_rate", None)
    return rate if callable(rate) else None


def _class_of(rate):
    """Return a schedule's class, and a function itself: what Keras looks up."""
    return rate if hasattr(rate, "__name__") else type(rate)


# ----------------------------------------------------------------------- losses


class RowLoss(keras.losses.Loss):
    """A Keras loss whose values are arranged as one line per row.

    Keras weighs rows only where a loss returns one value for each; its losses return
    more for images and sequences. The numbers are Keras's otherwise.

    Parameters
    ----------
    loss : str, keras.losses.Loss or callable
        What to compute.

    Raises
    ------
    ValueError
        Where Keras does not know the name, or the loss is not reduced to one number.
    """

    def __init__(self, loss):
        found = _loss_of_name(loss) if isinstance(loss, str) else loss
        reduction = "sum_over_batch_size"
        if isinstance(found, keras.losses.Loss):
            found, reduction = found.call, found.reduction
        if reduction in (None, "none"):
            raise ValueError(
                f"loss is {loss!r} with reduction={reduction!r}, which leaves no "
                "single number to minimise. Leave reduction at its default."
            )
        super().__init__(reduction=reduction)
        self._values = found

    def call(self, y_true, y_pred):
        """Return the values of the loss, of shape (n, k), or () where there is one."""
        values = tf.convert_to_tensor(self._values(y_true, y_pred))
        if values.shape.rank in (None, 0, 2):
            return values
        return tf.reshape(values, (tf.shape(values)[0], -1))

    def reduced(self, y, output, weight=None):
        """Return one number: the weighted mean, unless it is reduced otherwise."""
        return self(y, output, None if weight is None else weight[:, None])


def _loss_of_name(name):
    """Return the loss that Keras knows by a name."""
    try:
        return keras.losses.get(name)
    except ValueError as exc:
        raise ValueError(
            f"loss is {name!r}, which is no loss of Keras; pass a name such as 'mse', "
            "'mae' or 'binary_crossentropy', or a keras.losses instance."
        ) from exc


# ------------------------------------------------------------------ description


def keras_config(value):
    """Return a describable stand-in for an object of Keras, None for others.

    It holds all that training takes from the object: an optimizer is copied from its
    configuration, a loss is used as it is (``Huber`` keeps its delta out of its
    configuration). Names are left out: Keras numbers the optimizers of a process.

    Raises
    ------
    CannotDescribeError
        Where it has no configuration.
    """
    if isinstance(value, keras.losses.Loss):
        return _without(vars(value), "name", "_dtype_policy")
    if isinstance(value, keras.layers.Layer):
        return describe_model(value)
    if not isinstance(value, keras.optimizers.Optimizer):
        return None
    try:
        config = keras.saving.serialize_keras_object(value)["config"]
    except (NotImplementedError, TypeError, ValueError) as exc:
        raise CannotDescribeError(f"{value!r} has no configuration: {exc}") from exc
    rate = _learning_rate_function(value)
    return [_without(config, "name"), None if rate is None else _class_of(rate)]


def _without(mapping, *names):
    return {key: value for key, value in mapping.items() if key not in names}
