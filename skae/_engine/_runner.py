"""The forward pass in Keras, for networks that NumPy cannot serve.

Imports TensorFlow; ``skae._engine`` imports this module inside functions.
"""

from math import prod

import tensorflow as tf

from skae._describe import CannotDescribeError, digest
from skae._engine import _cache
from skae._engine._best import assign
from skae._engine._keras import keras_config
from skae._engine._models import build_models
from skae._engine._tracing import traced, zeros
from skae.networks._quiet import without_chatter


def run(architecture, key, weights, part, x):
    """Return what a part of a network makes of rows.

    Parameters
    ----------
    architecture : Architecture

    key : object
        ``runner_key`` of the architecture.

    weights : list of ndarray

    part : {"encode", "decode", "reconstruct", "terms"}

    x : ndarray
        Rows, or flat codes; float32 or float64, in which it is computed.

    Returns
    -------
    made : ndarray, or dict of str to ndarray of shape (n,)
        The latter for "terms".
    """
    dtype = x.dtype.name
    with _cache.borrowed(
        ("runner", key, dtype), lambda: Runner(architecture, dtype)
    ) as runner:
        return runner.run(part, weights, x)


def runner_key(architecture):
    """Return what tells one forward pass from another."""
    try:
        return digest([architecture.network, architecture.shapes], keras_config)
    except CannotDescribeError:
        return object()  # equal to itself alone


class Runner:
    """The models of a network, and compiled functions that run their parts."""

    def __init__(self, architecture, dtype):
        self._models = build_models(architecture, dtype)
        self._variables = [v.value for v in self._models.model.weights]
        self._loaded = None
        shapes = {
            "encode": architecture.input_shape,
            "decode": (prod(self._models.latent_shape),),
            "reconstruct": architecture.input_shape,
            "terms": architecture.input_shape,
        }
        self._specs = {
            part: tf.TensorSpec((None, *shape), dtype) for part, shape in shapes.items()
        }
        self._functions = {}

    def run(self, part, weights, x):
        """Return what a part makes of rows, in blocks of bounded size."""
        if self._loaded is not weights:
            assign(self._variables, weights)
            self._loaded = weights
        if part not in self._functions:
            self._functions[part] = self._compiled(part)
        function, size = self._functions[part], self._models.block_rows
        made = [function(tf.constant(x[i : i + size])) for i in range(0, len(x), size)]
        if part == "terms":
            return {name: _joined([one[name] for one in made]) for name in made[0]}
        return _joined(made)

    def _compiled(self, part):
        """Return a part as a graph function; as it is where it cannot be compiled."""
        function = {
            "encode": self._models.encode,
            "decode": self._models.decode,
            "reconstruct": lambda x: self._models.run(x, training=False)[0],
            "terms": lambda x: self._models.run(x, training=False)[1],
        }[part]
        spec = self._specs[part]
        try:
            graph = traced(function, spec)
        except Exception:  # a user's Python code; training has said so
            return function
        with without_chatter():  # TensorFlow optimizes it, and talks
            graph(zeros(spec, n_rows=1))
        return graph


def _joined(blocks):
    """Return one array of several tensors."""
    return tf.concat(blocks, axis=0).numpy()
