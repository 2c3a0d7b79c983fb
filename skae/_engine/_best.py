"""The best weights of a training, kept inside its compiled program."""

import numpy as np
import tensorflow as tf


class BestWeights:
    """A copy of the weights at the lowest loss so far, and the epochs since.

    Parameters
    ----------
    weights : list of tf.Variable
        What is watched.
    """

    def __init__(self, weights):
        self._weights = weights
        self._best = [tf.Variable(weight) for weight in weights]
        self._loss = tf.Variable(np.inf, dtype=tf.float64)
        self._waited = tf.Variable(0, dtype=tf.int32)

    @property
    def waited(self):
        """Epochs since the lowest loss, a tensor."""
        return self._waited.value()

    def forget(self):
        """Begin anew."""
        self._loss.assign(np.inf)
        self._waited.assign(0)

    def update(self, loss):
        """Keep the weights where a loss is the lowest; return the wait. Compiled."""

        def keep():
            assign(self._best, self._weights)
            self._loss.assign(loss)
            return self._waited.assign(0)

        def wait():
            return self._waited.assign_add(1)

        return tf.cond(loss < self._loss, keep, wait)

    def restore(self):
        """Put the best weights where they came from."""
        assign(self._weights, self._best)


def assign(variables, values):
    """Write values into variables, one by one."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(tf.cast(value, variable.dtype), read_value=False)
