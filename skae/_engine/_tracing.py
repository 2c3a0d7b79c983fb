"""From Python functions to TensorFlow's graphs."""

import tensorflow as tf

_NUMBERS = (tf.TensorSpec((), tf.int32),) * 2

#: What the steps of an epoch take beside the data: the order of rows, a seed, learning
#: rates, and two numbers.
OF_EPOCH = (
    tf.TensorSpec((None,), tf.int32),
    tf.TensorSpec((2,), tf.int32),
    tf.TensorSpec((None,), tf.float32),
    *_NUMBERS,
)
#: The same of several epochs.
OF_EPOCHS = (
    *(tf.TensorSpec((None, *one.shape), one.dtype) for one in OF_EPOCH[:3]),
    *_NUMBERS,
)


def traced(function, *signature):
    """Return a graph function.

    Without AutoGraph, whose analysis costs more than it does here; and as a concrete
    function, which does not compare its arguments with the signature at every call.
    """
    return tf.function(function, autograph=False).get_concrete_function(*signature)


def zeros(spec, n_rows=0):
    """Return zeros of a specification, with so many rows."""
    shape = [n_rows if size is None else size for size in spec.shape]
    return tf.zeros(shape, spec.dtype)
