"""Keras objects from plain descriptions: optimizers, losses, and what is minimised."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from skae._engine._digest import CannotDescribeError
from skae._engine._spec import TrainingSpec
from skae.networks._keras._copies import describe_model

# ------------------------------------------------------------------- optimizers

# Keras would number them, and TensorFlow keeps something of every name it has seen.
_OPTIMIZER_NAME = "optimizer"


def make_optimizer(optimizer: Any) -> Any:
    """Return a new optimizer of a name, or a copy of an instance."""
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


def _copied_optimizer(optimizer: Any) -> Any:
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


def _leave_replicas_out(optimizer: Any) -> None:
    """Keep an optimizer from summing gradients over replicas, of which there is one."""
    # That sum registers a gradient with TensorFlow for good, which keeps the graph
    # alive: every program would stay in memory.
    inner = [getattr(optimizer, "inner_optimizer", None)]
    for one in [optimizer, *inner, *getattr(optimizer, "optimizers", [])]:
        if hasattr(one, "_all_reduce_sum_gradients"):
            one._all_reduce_sum_gradients = list


def _learning_rate_function(optimizer: Any) -> Any:
    """Return an optimizer's schedule or function of the learning rate, or None."""
    rate = getattr(optimizer, "_learning_rate", None)
    return rate if callable(rate) else None


def _class_of(rate: Any) -> Any:
    """Return a schedule's class, and a function itself: what Keras looks up."""
    return rate if hasattr(rate, "__name__") else type(rate)


# ----------------------------------------------------------------------- losses


class RowLoss(keras.losses.Loss):
    """A Keras loss whose values are arranged as one line per row.

    Keras weighs rows only where a loss returns one value for each; its losses return
    more for images and sequences. The numbers are Keras's otherwise.
    """

    def __init__(self, loss: Any) -> None:
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

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the values of the loss, of shape (n, k), or () where there is one."""
        values = tf.convert_to_tensor(self._values(y_true, y_pred))
        if values.shape.rank in (None, 0, 2):
            return values
        return tf.reshape(values, (tf.shape(values)[0], -1))

    def reduced(self, y: Any, output: Any, weight: Any = None) -> Any:
        """Return one number: the weighted mean, unless it is reduced otherwise."""
        return self(y, output, None if weight is None else weight[:, None])


def _loss_of_name(name: str) -> Any:
    """Return the loss that Keras knows by a name."""
    try:
        return keras.losses.get(name)
    except ValueError as exc:
        raise ValueError(
            f"loss is {name!r}, which is no loss of Keras; pass a name such as 'mse', "
            "'mae' or 'binary_crossentropy', or a keras.losses instance."
        ) from exc


# ---------------------------------------------------------------- missing targets
# A loss that is the mean over entries can leave some out: it is computed for every
# entry apart, on arrays with one more axis, and the entries get weights.

_MEANS = ("sum_over_batch_size", "mean", "mean_with_sample_weight")


def observed_loss(loss: RowLoss, y: Any, output: Any, weight: Any = None) -> Any:
    """Return the mean over rows of the mean loss over a row's observed entries."""
    missing = tf.math.is_nan(y)
    flat = tf.reshape(missing, (tf.shape(y)[0], -1))
    share = tf.where(flat, 0.0, 1.0)
    count = tf.maximum(tf.reduce_sum(share, axis=1, keepdims=True), 1.0)
    share *= tf.cast(tf.shape(share)[1], share.dtype) / count
    if weight is not None:
        share *= weight[:, None]
    # Whatever stands for a missing target: its loss is finite, and counts nothing.
    y = tf.where(missing, tf.stop_gradient(output), y)
    return loss(y[..., None], output[..., None], share)


def _check_entrywise(loss: RowLoss, given: Any, shape: tuple[int, ...]) -> None:
    """Raise a ValueError where a loss is no mean over the entries of a row."""
    if loss.reduction in _MEANS and _is_entrywise(loss, shape):
        return
    raise ValueError(
        f"loss is {given!r}, which is not a mean over the entries of a row, so that "
        "missing entries cannot be left out of it. Use 'mse', 'mae', 'huber' or "
        "'binary_crossentropy', or rows without missing entries."
    )


def _is_entrywise(loss: RowLoss, shape: tuple[int, ...]) -> bool:
    """Return whether a row's loss is the mean of the losses of its entries."""
    # Tried on numbers: a user's function cannot be looked into.
    y = np.linspace(0.2, 0.9, 2 * int(np.prod(shape)), dtype=np.float32)
    y = y.reshape(2, *shape)
    output = y[::-1] ** 2
    try:
        rows = loss.call(tf.constant(y), tf.constant(output)).numpy()
        entries = loss.call(tf.constant(y[..., None]), tf.constant(output[..., None]))
        entries = entries.numpy()
    except Exception:  # it takes no such arrays
        return False
    if entries.shape != (2, y[0].size) or rows.shape[:1] != (2,):
        return False
    means = entries.mean(axis=1), rows.reshape(2, -1).mean(axis=1)
    return bool(np.allclose(*means, rtol=1e-4, atol=1e-7))


class Objective:
    """Keras's objective, plus the terms that the network brings along.

    The loss is the mean over rows of the reconstruction's loss, plus the penalties of
    layers, plus weight times mean for every term. Rows count by their weights in all
    but the penalties, which belong to no row.
    """

    def __init__(
        self, models: Any, spec: TrainingSpec, has_missing: bool = False
    ) -> None:
        architecture = spec.architecture
        self._models = models
        self._loss = RowLoss(spec.loss)
        self._reduced = self._loss.reduced
        if has_missing:
            _check_entrywise(self._loss, spec.loss, architecture.output_shape)
            self._reduced = partial(observed_loss, self._loss)
        self._terms = architecture.network.terms(architecture.output_shape)
        self.names = ("loss", *self._terms)

    def losses(self, x: Any, y: Any, weight: Any, training: bool) -> Any:
        """Return the loss and the mean of every term, a vector in order of `names`."""
        output, values = self._models.run(x, training)
        loss = self._reduced(y, output, weight)
        loss = tf.add_n([loss, *map(tf.reduce_sum, self._models.model.losses)])
        means = [_row_mean(values[name], weight) for name in self._terms]
        for share, mean in zip(self._terms.values(), means, strict=True):
            loss += share * mean
        return tf.stack([loss, *means])

    def validation(self, data: dict[str, Any]) -> Any:
        """Return the losses of the validation rows, in blocks of constant size."""
        n = tf.shape(data["val_x"])[0]
        size = self._models.block_rows

        def block(start: Any, total: Any) -> Any:
            rows = slice(start, start + size)
            x, y, weight = (data[f"val_{k}"][rows] for k in ("x", "y", "weight"))
            losses = self.losses(x, y, weight, training=False)
            in_block = tf.cast(tf.shape(x)[0], tf.float64)
            return start + size, total + tf.cast(losses, tf.float64) * in_block

        _, total = tf.while_loop(
            lambda start, _: start < n,
            block,
            (tf.constant(0), tf.zeros(len(self.names), tf.float64)),
            parallel_iterations=1,
        )
        return total / tf.cast(n, tf.float64)


def _row_mean(values: Any, weight: Any) -> Any:
    """Return the mean of one value per row; weights have mean 1 over all rows."""
    return tf.reduce_mean(values if weight is None else values * weight)


# ------------------------------------------------------------------ description


def keras_config(value: Any) -> Any:
    """Return a describable stand-in for an object of Keras, None for others."""
    # It holds all that training takes from the object: an optimizer is copied from its
    # configuration, a loss is used as it is (``Huber`` keeps its delta out of its
    # configuration). Names are left out: Keras numbers the optimizers of a process.
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


def _without(mapping: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return a mapping without some names."""
    return {key: value for key, value in mapping.items() if key not in names}
