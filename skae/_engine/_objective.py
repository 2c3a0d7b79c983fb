"""What a training minimises."""

from functools import partial

import tensorflow as tf

from skae._engine._keras import RowLoss
from skae._engine._observed import check_entrywise, observed_loss


class Objective:
    """Keras's objective, plus the terms that the network brings along.

    The loss is the mean over rows of the reconstruction's loss, plus the penalties of
    layers, plus weight times mean for every term. Rows count by their weights in all
    but the penalties, which belong to no row.

    Parameters
    ----------
    models : Models

    spec : TrainingSpec

    has_missing : bool, default=False
        Whether targets may be missing, which then do not count.

    Attributes
    ----------
    names : tuple of str
        "loss", then the terms.
    """

    def __init__(self, models, spec, has_missing=False):
        architecture = spec.architecture
        self._models = models
        self._loss = RowLoss(spec.loss)
        self._reduced = self._loss.reduced
        if has_missing:
            check_entrywise(self._loss, spec.loss, architecture.output_shape)
            self._reduced = partial(observed_loss, self._loss)
        self._terms = architecture.network.terms(architecture.output_shape)
        self.names = ("loss", *self._terms)

    def losses(self, x, y, weight, training):
        """Return the loss and the mean of every term, a vector in order of `names`."""
        output, values = self._models.run(x, training)
        loss = self._reduced(y, output, weight)
        loss = tf.add_n([loss, *map(tf.reduce_sum, self._models.model.losses)])
        means = [_row_mean(values[name], weight) for name in self._terms]
        for share, mean in zip(self._terms.values(), means, strict=True):
            loss += share * mean
        return tf.stack([loss, *means])

    def validation(self, data):
        """Return the losses of the validation rows, in blocks of constant size."""
        n = tf.shape(data["val_x"])[0]
        size = self._models.block_rows

        def block(start, total):
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


def _row_mean(values, weight):
    """Return the mean of one value per row; weights have mean 1 over all rows."""
    return tf.reduce_mean(values if weight is None else values * weight)
