"""Losses of targets of which some are missing. Imports TensorFlow.

A loss that is the mean over entries can leave some out: it is computed for every entry
apart, on arrays with one more axis, and the entries get weights.
"""

import numpy as np
import tensorflow as tf

_MEANS = ("sum_over_batch_size", "mean", "mean_with_sample_weight")


def observed_loss(loss, y, output, weight=None):
    """Return the mean over rows of the mean loss over a row's observed entries.

    Parameters
    ----------
    loss : RowLoss

    y, output : tensor of shape (n, *shape)
        Missing targets are NaN.

    weight : tensor of shape (n,) or None
        Of the rows.
    """
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


def check_entrywise(loss, given, shape):
    """Raise a ValueError where a loss is no mean over the entries of a row.

    Parameters
    ----------
    loss : RowLoss

    given : object
        What the user passed.

    shape : tuple of int
        Shape of one row of targets.
    """
    if loss.reduction in _MEANS and _is_entrywise(loss, shape):
        return
    raise ValueError(
        f"loss is {given!r}, which is not a mean over the entries of a row, so that "
        "missing entries cannot be left out of it. Use 'mse', 'mae', 'huber' or "
        "'binary_crossentropy', or rows without missing entries."
    )


def _is_entrywise(loss, shape):
    """Return whether the loss of two rows is the mean of the losses of their entries.

    Tried on numbers: a user's function cannot be looked into.
    """
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
