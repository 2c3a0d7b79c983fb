"""From Python functions to TensorFlow's graphs."""

import tensorflow as tf


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
