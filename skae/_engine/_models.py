"""Keras models from descriptions of networks.

Imports Keras; ``skae._engine`` imports this module inside functions.
"""

import contextlib
import random  # only to put its state back
import threading
from dataclasses import dataclass
from math import prod
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from skae._random import stream
from skae.networks._output_range import output_range_of

# Blocks of rows: about so many numbers in the widest layer, and so many rows.
_BLOCK_NUMBERS = 1 << 23
_LEAST_ROWS, _MOST_ROWS = 32, 4096
_numpy_world = np.random  # whose state is put back, and which is not drawn from
# User's code may draw from the process's random states while it builds a model.
_world_lock = threading.RLock()


@dataclass(frozen=True)
class Models:
    """The Keras models of one network.

    Attributes
    ----------
    model : keras.Model
        What trains; it owns all variables.

    encoder, decoder : keras.Model
        As the network's ``build`` returned them.

    latent_shape : tuple of int
        Shape of one code, before it is flattened.

    output_range : (float, float) or None
        Smallest and largest value of the output; None is unknown.

    block_rows : int
        Rows to handle at a time, where all rows would take too much memory.
    """

    model: Any
    encoder: Any
    decoder: Any
    latent_shape: tuple
    output_range: tuple | None
    block_rows: int

    def run(self, x, training):
        """Return the output for rows, and a dict of the terms' values per row."""
        made = self.model(x, training=training)
        if not isinstance(made, dict):
            return made, {}
        made = dict(made)
        return made.pop("output"), made

    def encode(self, x):
        """Return flat codes of rows."""
        codes = self.encoder(x, training=False)
        return tf.reshape(codes, (tf.shape(codes)[0], prod(self.latent_shape)))

    def decode(self, codes):
        """Return the rows that flat codes stand for."""
        shaped = tf.reshape(codes, (tf.shape(codes)[0], *self.latent_shape))
        return self.decoder(shaped, training=False)


def build_models(architecture, dtype="float32", seed=0, plain=False):
    """Return the untrained Keras models of an architecture.

    Where the network is skae's own, the model is a plain functional one, so that a file
    saved from it loads wherever Keras is.

    Parameters
    ----------
    architecture : skae._engine.Architecture

    dtype : {"float32", "float64"}, default="float32"
        What the layers compute in.

    seed : int, default=0
        Decides what a user's own code draws while it builds its model.

    plain : bool, default=False
        Whether the model of a network of skae's leaves out what serves training alone.

    Raises
    ------
    ValueError
        Where the network's output does not fit the targets, or its code is not as wide
        as asked.
    """
    network = architecture.network
    world = (
        contextlib.nullcontext() if network.draws_weights else seeded_global_state(seed)
    )
    with world, _precision(dtype):
        built = network.build(*architecture.shapes)
        is_plain = built.model is None or (plain and network.draws_weights)
        model = _composed(built, architecture) if is_plain else built.model
        latent_shape = _row_shape(built.encoder, architecture.input_shape, dtype)
        output = _row_shape(model, architecture.input_shape, dtype)
    _check_output(architecture, output)
    _check_width(architecture, prod(latent_shape))
    _show_parts(model, built)
    known = network.output_range()
    if known is None:
        known = output_range_of(built.decoder)
    size = max(prod(architecture.input_shape), prod(architecture.output_shape))
    block = _BLOCK_NUMBERS // max(size, _widest(model))
    return Models(
        model,
        built.encoder,
        built.decoder,
        latent_shape,
        known,
        min(max(block, _LEAST_ROWS), _MOST_ROWS),
    )


def initial_weights(architecture, model, seed):
    """Return fresh weights for a model of this architecture, a list of float32 arrays.

    They depend on the seed alone, and the process's random states stay as they are.
    """
    network = architecture.network
    if not network.draws_weights:
        return build_models(architecture, seed=seed).model.get_weights()
    rng = stream(seed, "weights")
    return [network.draw_weight(v.path, tuple(v.shape), rng) for v in model.weights]


def _widest(layer):
    """Return the most numbers that a layer within a model makes of one row."""
    within = [_widest(inner) for inner in getattr(layer, "layers", ())]
    try:
        made = [prod(tensor.shape[1:]) for tensor in keras.tree.flatten(layer.output)]
    except (AttributeError, TypeError, ValueError):  # its shapes are not known
        made = []
    return max([1, *within, *made])


def _composed(built, architecture):
    """Return the model that runs encoder and decoder one after the other."""
    dtype = keras.config.dtype_policy().compute_dtype
    inputs = keras.Input(architecture.input_shape, name="input", dtype=dtype)
    output = built.decoder(built.encoder(inputs))
    return keras.Model(inputs, output, name="autoencoder")


def _show_parts(model, built):
    """Give a model the attributes ``encoder`` and ``decoder``, if it lacks them."""
    for name in ("encoder", "decoder"):
        if getattr(model, name, None) is None:
            setattr(model, name, getattr(built, name))


def _row_shape(model, input_shape, dtype):
    """Return the shape of one row of what a model returns."""
    try:
        is_graph = model.output is not None  # functional or Sequential
    except (AttributeError, ValueError):
        is_graph = False
    # A user's own code may understand numbers only.
    x = keras.KerasTensor if is_graph else np.zeros
    made = model(x((1, *input_shape), dtype=dtype), training=False)
    if isinstance(made, dict):
        made = made["output"]
    return tuple(made.shape)[1:]


def _check_output(architecture, made):
    if made != architecture.output_shape:
        raise ValueError(
            f"The network built by {architecture.network!r} returns rows of shape "
            f"{made}, but the rows to reconstruct have shape "
            f"{architecture.output_shape}. Give its last layer the shape of the data "
            "instead of a fixed one."
        )


def _check_width(architecture, width):
    asked = architecture.latent_dim
    if asked is not None and width != asked:
        raise ValueError(
            f"The network built by {architecture.network!r} has a code of width "
            f"{width}, but latent_dim={asked}. Pass latent_dim=None for the network's "
            "own width, or let its build method obey latent_dim."
        )


@contextlib.contextmanager
def _precision(dtype):
    """Let layers compute in a dtype; Keras's policy is each thread's own."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextlib.contextmanager
def seeded_global_state(seed):
    """Seed the process's random states for a block, and put them back after it.

    Keras's initializers without a seed, and whatever else the user's code draws, then
    depend on the seed alone.
    """
    rng = stream(seed, "weights")
    with _world_lock:
        before = random.getstate(), _numpy_world.get_state()
        random.seed(int(rng.integers(2**32)))
        _numpy_world.set_state(np.random.RandomState(rng.integers(2**32)).get_state())
        try:
            yield
        finally:
            random.setstate(before[0])
            _numpy_world.set_state(before[1])
