"""From Python functions to TensorFlow's graphs."""

import tensorflow as tf


def traced(function, *signature):
    """Return a graph function.

    Without AutoGraph, whose analysis costs more than it does here; and as a concrete
    function, which does not compare its arguments with the signature at every call.
    """
    return tf.function(function, autograph=False).get_concrete_function(*signature)


def no_rows(spec):
    """Return an array that fits a specification and has no rows."""
    return tf.zeros([size or 0 for size in spec.shape], spec.dtype)
