"""The draws of a corruption inside a compiled program."""

import tensorflow as tf


class TensorDraw:
    """What ``Corruption.apply`` draws from, in TensorFlow.

    Stateless: the same seed gives the same numbers, whatever ran before. Each draw of
    one ``apply`` uses a seed of its own.

    Parameters
    ----------
    seed : int32 tensor of shape (2,)
        Seed of this step.

    data : dict of str to tensor
        The program's data: the training rows ``x``, and ``low`` and ``high``.
    """

    where = staticmethod(tf.where)
    clip = staticmethod(tf.clip_by_value)
    exp = staticmethod(tf.exp)

    def __init__(self, seed, data):
        self._seed = seed
        self._data = data
        self._n_draws = 0

    @property
    def low(self):
        """Smallest training value of each feature."""
        return self._data["low"]

    @property
    def high(self):
        """Largest training value of each feature."""
        return self._data["high"]

    def normal(self, x):
        """Return standard normal draws of x's shape."""
        return tf.random.stateless_normal(tf.shape(x), self._next_seed())

    def uniform(self, x):
        """Return draws from [0, 1) of x's shape."""
        return tf.random.stateless_uniform(tf.shape(x), self._next_seed())

    def uniform_per_row(self, x):
        """Return one draw from [0, 1) per row, shaped to multiply x."""
        shape = tf.concat([tf.shape(x)[:1], tf.ones(x.shape.rank - 1, tf.int32)], 0)
        return tf.random.stateless_uniform(shape, self._next_seed())

    def other_rows(self, x):
        """Return x's entries taken from random training rows, feature by feature."""
        rows = self._data["x"]
        n = tf.shape(rows)[0]
        width = int(rows.shape[1:].num_elements())
        flat = tf.reshape(rows, (-1, width))
        chosen = tf.random.stateless_uniform(
            (tf.shape(x)[0], width), self._next_seed(), 0, n, tf.int32
        )
        columns = tf.broadcast_to(tf.range(width), tf.shape(chosen))
        picked = tf.gather_nd(flat, tf.stack([chosen, columns], axis=-1))
        return tf.reshape(picked, tf.shape(x))

    def _next_seed(self):
        self._n_draws += 1
        return tf.random.experimental.stateless_fold_in(self._seed, self._n_draws)
