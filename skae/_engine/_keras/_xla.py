"""Epochs of a dense training as one XLA program each: for long trainings.

XLA makes few kernels of all that lies between the matrix products, and takes a third
less time than NumPy where batches are small; but TensorFlow has to be imported, and
every number of rows is compiled anew. All but the epoch is the trainer in NumPy's, with
Keras's own optimizer and loss.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from skae._engine._digest import digest
from skae._engine._keras import _pool
from skae._engine._keras._models import assign
from skae._engine._keras._objects import RowLoss, make_optimizer, observed_loss
from skae._engine._keras._trainer import batch_of, tensor_of
from skae._engine._numpy import NumpyTrainer
from skae._engine._spec import TrainingSpec
from skae.networks._quiet import without_chatter

Array = np.ndarray


class XlaTrainer(NumpyTrainer):
    """A stack of dense layers that trains in XLA, epoch by epoch."""

    def take(self, data: dict[str, Array]) -> None:
        """Take the data of the training, as arrays and as tensors."""
        super().take(data)
        self._tensors = {name: tensor_of(array) for name, array in self.rows.items()}

    def run_epoch(
        self, order: Array, seed: Array, batch_size: int, rates: Array | None
    ) -> list[float]:
        """Train one epoch; return its mean losses."""
        spec, size = self.spec, min(batch_size, len(order))
        if rates is None:
            rates = np.full(-(-len(order) // size), self.learning_rate, np.float32)
        shapes = [(name, one.shape) for name, one in sorted(self.rows.items())]
        layers = [(one.variables, one.activation.name) for one in self.layers]
        parts = [layers, spec.architecture.input_shape, spec.loss, spec.optimizer]
        key = digest(["xla", *parts, spec.corruption, size, shapes])
        with _pool.acquired(key, lambda: _Epoch(spec, self.layers, size)) as epoch:
            epoch.load(self.stack.variables, self.optimizer.state())
            steps = map(tf.constant, (order, seed, rates))
            with without_chatter():
                total = epoch.run(self._tensors, *steps)
            weights, state = epoch.result()
        self.stack.load(weights)
        self.optimizer.load(state)
        return [float(total) / len(order)]


class _Epoch:
    """The steps of an epoch, compiled for a number of rows."""

    def __init__(self, spec: TrainingSpec, layers: list, size: int) -> None:
        self._loss, self._corruption = RowLoss(spec.loss), spec.corruption
        self._shape, self._size = (-1, *spec.architecture.input_shape), size
        self._activations = [keras.activations.get(x.activation.name) for x in layers]
        # Kernels that have more rows than columns stand transposed here: of a product
        # that is wide, XLA makes less than half of the time of one that is tall.
        self._is_tall = [layer.n_in > layer.n_out for layer in layers]
        shapes = [shape for layer in layers for _, shape in layer.variables]
        zeros = self._turned([np.zeros(shape, np.float32) for shape in shapes])
        self._variables = [keras.Variable(array) for array in zeros]
        self._optimizer = make_optimizer(spec.optimizer)
        self._optimizer.build(self._variables)
        self.run = tf.function(self._steps, autograph=False, jit_compile=True)

    def load(self, weights: list[Array], state: list[Array]) -> None:
        """Write weights and optimizer state: two numbers, and moments."""
        values = [*self._turned(weights), *state[:2], *self._turned(state[2:])]
        variables = [*self._variables, *self._optimizer.variables]
        assign([variable.value for variable in variables], values)

    def result(self) -> tuple[list[Array], list[Array]]:
        """Return weights and optimizer state."""
        state = [variable.numpy() for variable in self._optimizer.variables]
        weights = self._turned([variable.numpy() for variable in self._variables])
        return weights, [*state[:2], *self._turned(state[2:])]

    def _turned(self, arrays: list[Array]) -> list[Array]:
        """Return each layer's arrays with tall kernels transposed, there or back."""
        each = len(arrays) // len(self._is_tall)
        is_tall = [tall for tall in self._is_tall for _ in range(each)]
        pairs = zip(arrays, is_tall, strict=True)
        return [one.T if one.ndim == 2 and tall else one for one, tall in pairs]

    def _steps(self, data: dict, order: Any, seed: Any, rates: Any) -> Any:
        """Take the steps; return the sum over rows of the losses."""
        n_whole, n_rest = divmod(order.shape[0], self._size)

        def step(number: Any, total: Any, n_rows: int = self._size) -> Any:
            rows = tf.slice(order, [number * self._size], [n_rows])
            self._optimizer.learning_rate.assign(rates[number])
            loss = self._descend(data, rows, tf.stack([seed[0], seed[1] + number]))
            return number + 1, total + tf.cast(loss, tf.float64) * n_rows

        start = tf.constant(0), tf.constant(0.0, tf.float64)
        number, total = tf.while_loop(
            lambda number, _: number < n_whole, step, start, parallel_iterations=1
        )
        return step(number, total, n_rest)[1] if n_rest else total

    def _descend(self, data: dict, rows: Any, seed: Any) -> Any:
        """Take a step on some rows; return their loss before it."""
        flat = [name for name in ("x", "fill") if name in data]
        shaped = {name: tf.reshape(data[name], self._shape) for name in flat}
        targets = tf.gather(data["y" if "y" in data else "x"], rows)
        x, _, weight = batch_of({**data, **shaped}, rows, self._corruption, seed)
        x = tf.reshape(x, (rows.shape[0], -1))
        own = [variable.value for variable in self._variables]
        with tf.GradientTape() as tape:
            tape.watch(own)
            layers = zip(
                own[::2], own[1::2], self._is_tall, self._activations, strict=True
            )
            for kernel, bias, is_tall, activation in layers:
                x = activation(tf.matmul(x, kernel, transpose_b=is_tall) + bias)
            reduced = self._loss.reduced
            if "fill" in data:
                reduced = partial(observed_loss, self._loss)
            loss = reduced(targets, x, weight)
        self._optimizer.apply(tape.gradient(loss, own), self._variables)
        return loss
