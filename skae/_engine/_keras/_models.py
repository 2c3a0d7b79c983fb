"""Keras models from descriptions of networks, and their forward pass."""

from __future__ import annotations

import contextlib
import random  # only to put its state back
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from skae._engine._digest import CannotDescribeError, digest
from skae._engine._fingerprint import Fingerprint, check_same
from skae._engine._keras import _pool
from skae._engine._keras._objects import keras_config
from skae._engine._spec import Architecture
from skae._random import stream
from skae.networks._keras._parts import output_range_of
from skae.networks._quiet import without_chatter

# Blocks of rows: about so many numbers in the widest layer, and so many rows.
_BLOCK_NUMBERS = 1 << 23
_LEAST_ROWS, _MOST_ROWS = 32, 4096
_numpy_state = np.random  # whose state is put back, and which is not drawn from
# User's code may draw from the process's random states while it builds a model.
_state_lock = threading.RLock()


@dataclass(frozen=True)
class Models:
    """The Keras models of one network."""

    model: Any  # what trains; it owns all variables
    encoder: Any  # these two as the network's ``build`` returned them
    decoder: Any
    latent_shape: tuple[int, ...]  # of one code, before it is flattened
    output_range: tuple[float, float] | None  # None is unknown
    block_rows: int  # rows at a time, where all would take too much memory

    def run(self, x: Any, training: bool) -> tuple[Any, dict[str, Any]]:
        """Return the output for rows, and a dict of the terms' values per row."""
        made = self.model(x, training=training)
        if not isinstance(made, dict):
            return made, {}
        made = dict(made)
        return made.pop("output"), made

    def encode(self, x: Any) -> Any:
        """Return flat codes of rows."""
        codes = self.encoder(x, training=False)
        return tf.reshape(codes, (tf.shape(codes)[0], prod(self.latent_shape)))

    def decode(self, codes: Any) -> Any:
        """Return the rows that flat codes stand for."""
        shaped = tf.reshape(codes, (tf.shape(codes)[0], *self.latent_shape))
        return self.decoder(shaped, training=False)


def build_models(
    architecture: Architecture,
    dtype: str = "float32",
    seed: int = 0,
    plain: bool = False,
) -> Models:
    """Return the untrained Keras models of an architecture, in float32 or float64."""
    # Where the network is skae's own, the model is a plain functional one, so that a
    # file saved from it loads wherever Keras is. The seed decides what a user's own
    # code draws while it builds its model; `plain` leaves out what serves training
    # alone.
    network = architecture.network
    with contextlib.ExitStack() as stack:
        if not network.draws_weights:
            stack.enter_context(seeded_global_state(seed))
        stack.enter_context(_precision(dtype))
        built = network.build(*architecture.shapes)
        is_plain = built.model is None or (plain and network.draws_weights)
        model = _composed(built, architecture) if is_plain else built.model
        latent_shape = _row_shape(built.encoder, architecture.input_shape, dtype)
        output = _row_shape(model, architecture.input_shape, dtype)
    architecture.check_built(latent_shape, output)
    _show_parts(model, built)
    layers = architecture.layers
    known = output_range_of(built.decoder) if layers is None else layers.output_range
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


def _widest(layer: Any) -> int:
    """Return the most numbers that a layer within a model makes of one row."""
    within = [_widest(inner) for inner in getattr(layer, "layers", ())]
    try:
        made = [prod(tensor.shape[1:]) for tensor in keras.tree.flatten(layer.output)]
    except (AttributeError, TypeError, ValueError):  # its shapes are not known
        made = []
    return max([1, *within, *made])


def _composed(built: Any, architecture: Architecture) -> Any:
    """Return the model that runs encoder and decoder one after the other."""
    dtype = keras.config.dtype_policy().compute_dtype
    inputs = keras.Input(architecture.input_shape, name="input", dtype=dtype)
    output = built.decoder(built.encoder(inputs))
    return keras.Model(inputs, output, name="autoencoder")


def _show_parts(model: Any, built: Any) -> None:
    """Give a model the attributes ``encoder`` and ``decoder``, if it lacks them."""
    for name in ("encoder", "decoder"):
        if getattr(model, name, None) is None:
            setattr(model, name, getattr(built, name))


def _row_shape(model: Any, input_shape: tuple[int, ...], dtype: str) -> tuple[int, ...]:
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


@contextlib.contextmanager
def _precision(dtype: str) -> Iterator[None]:
    """Let layers compute in a dtype; Keras's policy is each thread's own."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextlib.contextmanager
def seeded_global_state(seed: int) -> Iterator[None]:
    """Seed the process's random states for a block, and put them back after it."""
    # Keras's initializers without a seed, and whatever else the user's code draws, then
    # depend on the seed alone.
    rng = stream(seed, "weights")
    with _state_lock:
        before = random.getstate(), _numpy_state.get_state()
        random.seed(int(rng.integers(2**32)))
        _numpy_state.set_state(np.random.RandomState(rng.integers(2**32)).get_state())
        try:
            yield
        finally:
            random.setstate(before[0])
            _numpy_state.set_state(before[1])


# ----------------------------------------------------------------- the forward pass


class NetworkRunner:
    """The models of a network, and compiled functions that run their parts."""

    def __init__(
        self, architecture: Architecture, models: Models, dtype: str = "float32"
    ) -> None:
        self._network, self._models = architecture.network, models
        self._variables = [v.value for v in models.model.weights]
        self._loaded: Any = None
        shapes = {
            "encode": architecture.input_shape,
            "decode": (prod(models.latent_shape),),
            "reconstruct": architecture.input_shape,
            "terms": architecture.input_shape,
        }
        self._specs = {
            part: tf.TensorSpec((None, *shape), dtype) for part, shape in shapes.items()
        }
        self._functions: dict[str, Any] = {}

    @property
    def runner(self) -> NetworkRunner:
        """Itself, as a trainer has one, too."""
        return self

    def fresh_weights(self, seed: int) -> list[np.ndarray]:
        """Return fresh weights that depend on the seed alone."""
        draw, rng = self._network.draw_weight, stream(seed, "weights")
        weights = self._models.model.weights
        return [draw(v.path, tuple(v.shape), rng) for v in weights]

    def forget(self) -> None:
        """Note that the weights are about to change."""
        self._loaded = None

    def run(self, part: str, weights: list[np.ndarray], x: np.ndarray) -> Any:
        """Return the output of a part of the network, in blocks of bounded size."""
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

    def _compiled(self, part: str) -> Any:
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
            graph(tf.zeros((1, *spec.shape[1:]), spec.dtype))
        return graph


def run(
    architecture: Architecture,
    key: Any,  # the network's, as ``network_key`` gives it
    known: Fingerprint | None,
    weights: list[np.ndarray],
    part: str,  # encode, decode, reconstruct or terms
    x: np.ndarray,
) -> Any:
    """Return the output of a part of a network, computed in the dtype of x."""
    dtype = x.dtype.name

    def build() -> NetworkRunner:
        seed = 0 if known is None else known.seed
        models = build_models(architecture, dtype, seed)
        check_same(architecture, known, models)
        return NetworkRunner(architecture, models, dtype)

    with _pool.acquired((key, dtype), build) as program:
        return program.runner.run(part, weights, x)


def network_key(architecture: Architecture, known: Fingerprint | None) -> Any:
    """Return what tells the forward pass of one network from another's."""
    parts = [architecture.network, architecture.shapes]
    try:
        if known is not None:
            if known.value is None:
                return object()
            parts.append(known.value)
        return digest(parts, keras_config)
    except CannotDescribeError:
        return object()  # equal to itself alone


def traced(function: Any, *signature: Any) -> Any:
    """Return a graph function."""
    # Without AutoGraph, whose analysis costs more than it does here; and as a concrete
    # function, which does not compare its arguments with the signature at every call.
    return tf.function(function, autograph=False).get_concrete_function(*signature)


def assign(variables: list, values: Any) -> None:
    """Write values into variables, one by one."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(tf.cast(value, variable.dtype), read_value=False)


def _joined(blocks: list) -> np.ndarray:
    """Return one array of several tensors."""
    return tf.concat(blocks, axis=0).numpy()
