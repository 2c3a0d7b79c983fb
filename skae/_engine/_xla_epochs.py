"""Epochs of a dense training as one XLA program each: for long trainings.

XLA makes few kernels of all that lies between the matrix products, and takes a third
less time than NumPy where batches are small; but TensorFlow has to be imported, and
every number of rows is compiled anew. Imports TensorFlow.
"""

import keras
import numpy as np
import tensorflow as tf

from skae._describe import digest
from skae._engine import _cache
from skae._engine._keras import RowLoss
from skae._engine._observed import observed_loss
from skae._engine._tensors import batch_of, tensor_of
from skae.networks._quiet import without_chatter


def borrowed(plan, spec, optimizer, batch_size, data):
    """Return a context of a program for these data, from the pool or new."""
    shapes = [(name, array.shape) for name, array in sorted(data.items())]
    layers = [vars(layer) for layer in plan.layers]
    parts = [layers, spec.architecture.input_shape, spec.loss, optimizer.__name__]
    key = digest(["xla", *parts, spec.corruption, batch_size, shapes])
    return _cache.borrowed(key, lambda: XlaEpochs(plan, spec, optimizer, batch_size))


class XlaEpochs:
    """One epoch of steps, compiled for a spec and for a number of rows.

    Parameters
    ----------
    plan : skae.networks.StackPlan

    spec : TrainingSpec

    optimizer : type
        From ``_numpy_optimizers``; its moments are taken over as they are.

    batch_size : int
    """

    def __init__(self, plan, spec, optimizer, batch_size):
        self._loss = RowLoss(spec.loss)
        self._corruption = spec.corruption
        self._shape = -1, *spec.architecture.input_shape
        self._optimizer = optimizer
        self._batch_size = batch_size
        self._activations = [keras.activations.get(p.activation) for p in plan.layers]
        # Kernels that have more rows than columns stand transposed here: of a product
        # that is wide, XLA makes less than half of the time of one that is tall.
        self._is_tall = [p.n_in > p.n_out for p in plan.layers]
        self._epoch = tf.function(self._steps, autograph=False, jit_compile=True)

    def tensors(self, data):
        """Return data as ``run`` takes them."""
        return {name: tensor_of(array) for name, array in data.items()}

    def run(self, data, order, seed, state, n_steps, rates):
        """Run an epoch; return the sum over rows of the losses, and the steps made.

        Parameters
        ----------
        data : dict of str to tensor
            Rows are flat.

        order : int32 ndarray of shape (n,)

        seed : int32 ndarray of shape (2,)

        state : list of list of ndarray
            The weights, then each of the optimizer's moments; overwritten.

        n_steps : int
            Steps that were taken before.

        rates : float32 ndarray of shape (1,) or (n_steps,)
            The learning rate, of all steps or of each.
        """
        given = [[tf.constant(array) for array in self._turned(part)] for part in state]
        n_made = -(-len(order) // self._batch_size)
        rates = np.broadcast_to(np.asarray(rates, np.float32), n_made)
        numbers = tf.constant(n_steps, tf.float32), tf.constant(rates)
        with without_chatter():
            loss, made = self._epoch(
                data, tf.constant(order), tf.constant(seed), given, *numbers
            )
        for part, tensors in zip(state, made, strict=True):
            arrays = self._turned([tensor.numpy() for tensor in tensors])
            for array, made_one in zip(part, arrays, strict=True):
                array[...] = made_one
        return float(loss), n_made

    def _turned(self, arrays):
        """Return kernels and biases with the tall kernels transposed, there or back."""
        kernels = zip(arrays[::2], self._is_tall, strict=True)
        kernels = [kernel.T if is_tall else kernel for kernel, is_tall in kernels]
        pairs = zip(kernels, arrays[1::2], strict=True)
        return [array for pair in pairs for array in pair]

    # ----------------------------------------- what is compiled, from outside in

    def _steps(self, data, order, seed, state, n_steps, rates):
        size, n = self._batch_size, order.shape[0]
        n_whole = n // size

        def step(number, total, state, n_rows):
            rows = tf.slice(order, [number * size], [n_rows])
            batch = self._batch(data, rows, tf.stack([seed[0], seed[1] + number]))
            loss, gradients = self._descend(*batch, state[0], "fill" in data)
            count = n_steps + tf.cast(number + 1, tf.float32)
            rate = rates[number]
            state = self._optimizer.stepped(tf.sqrt, state, gradients, count, rate)
            return number + 1, total + tf.cast(loss, tf.float64) * n_rows, state

        number, total, state = tf.while_loop(
            lambda number, *_: number < n_whole,
            lambda *now: step(*now, size),
            (tf.constant(0), tf.constant(0.0, tf.float64), state),
            parallel_iterations=1,
        )
        if n % size:
            _, total, state = step(number, total, state, n % size)
        return total, state

    def _batch(self, data, rows, seed):
        """Return flat inputs, damaged afresh, targets, and weights of some rows."""
        inputs = {name: data[name] for name in ("x", "fill") if name in data}
        shaped = {
            name: tf.reshape(array, self._shape) for name, array in inputs.items()
        }
        shaped = {**data, **shaped}
        targets = tf.gather(data["y" if "y" in data else "x"], rows)
        x, _, weight = batch_of(shaped, rows, self._corruption, seed)
        return tf.reshape(x, (rows.shape[0], -1)), targets, weight

    def _descend(self, x, targets, weight, weights, has_missing):
        """Return the loss of a batch, and its gradients."""
        with tf.GradientTape() as tape:
            tape.watch(weights)
            layers = weights[::2], weights[1::2], self._is_tall, self._activations
            for kernel, bias, is_tall, activation in zip(*layers, strict=True):
                x = activation(tf.matmul(x, kernel, transpose_b=is_tall) + bias)
            if has_missing:
                loss = observed_loss(self._loss, targets, x, weight)
            else:
                loss = self._loss.reduced(targets, x, weight)
        return loss, tape.gradient(loss, weights)
