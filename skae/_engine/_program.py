"""Compiled training programs.

A program owns a Keras model, an optimizer and the functions that run them over whole
epochs without returning to Python. It owns no result: a training borrows it, writes
weights and optimizer state into it, runs it, and copies the weights out.

This module imports TensorFlow; ``skae._engine`` imports this module when it trains.
"""

import time

import numpy as np
import tensorflow as tf

from skae._engine._best import BestWeights
from skae._engine._keras import make_optimizer
from skae._engine._models import build_models, initial_weights
from skae._engine._objective import Objective
from skae._engine._tensors import as_tensors, batch_of, data_signature
from skae._engine._tracing import OF_EPOCH, OF_EPOCHS, traced, zeros
from skae._engine._variables import Variables
from skae.networks._quiet import without_chatter

_NO_RATES = np.zeros(0, np.float32)


class Program:
    """One network, optimizer, loss and corruption, compiled.

    Everything is traced here, once: a program does not look at the objects that it was
    made from again, so that whatever happens to them later does not matter.

    Parameters
    ----------
    spec : TrainingSpec
        What to compute.

    has_targets, is_weighted, has_validation, has_missing : bool
        Which arrays come with the data; the last, whether entries are missing.

    keeps_best : bool
        Whether the best weights are kept.

    by_parts : bool
        Whether it runs batch by batch instead of in whole epochs.

    sets_rate : bool, default=False
        Whether every step sets the learning rate.

    mode : {"compiled", "xla", "uncompiled"}, default="compiled"
        How it runs: as a TensorFlow graph, with XLA making one kernel of each step, or
        in Python, operation by operation.

    seed : int, default=0
        Decides what a user's own code draws while it builds its model.

    Attributes
    ----------
    model : keras.Model

    names : tuple of str
        What the columns of losses are: "loss", then the network's terms.

    latent_shape : tuple of int
        Shape of one code, before it is flattened.

    warning : str or None
        What every fit that borrows it should tell the user.

    seconds : dict of str to float
        What ``building`` and ``tracing`` took.

    validation_seconds : float
        What it took to end epochs, where it runs by parts.
    """

    def __init__(
        self,
        spec,
        *,
        has_targets,
        is_weighted,
        has_validation,
        keeps_best,
        by_parts,
        sets_rate=False,
        mode="compiled",
        seed=0,
        has_missing=False,
    ):
        start = time.perf_counter()
        self._corruption = spec.corruption
        self._has_validation = has_validation
        self.by_parts, self.mode, self._sets_rate = by_parts, mode, sets_rate
        self.warning = None
        models = build_models(spec.architecture, seed=seed)
        self.model, self.latent_shape = models.model, models.latent_shape
        self._objective = Objective(models, spec, has_missing)
        self.names = self._objective.names
        optimizer = make_optimizer(spec.optimizer)
        optimizer.build(self.model.trainable_variables)
        # Not for training: for callbacks, and for what they save.
        self.model.compile(optimizer=optimizer, loss=spec.loss, jit_compile=False)
        self._optimizer = self.model.optimizer
        self._variables = Variables(self.model, self._optimizer)
        self._best = BestWeights(self._variables.weights) if keeps_best else None
        self.validation_seconds = 0.0
        built = time.perf_counter()
        given = has_targets, is_weighted, has_validation, has_missing
        data = data_signature(spec, *given)
        self._compile(data)
        if mode != "uncompiled":
            with without_chatter():
                self._run_on_nothing(data)
        ready = time.perf_counter()
        self.seconds = {"building": built - start, "tracing": ready - built}

    def _compile(self, data):
        """Trace what runs, for data of this specification."""
        if self.mode == "xla":
            self._step = tf.function(self._step, autograph=False, jit_compile=True)
        if self.by_parts:
            losses = tf.TensorSpec((len(self.names),), tf.float64)
            self._batch = self._compiled(self._run_steps, data, *OF_EPOCH)
            self._close_epoch = self._compiled(self._end_epoch, data, losses)
        else:
            self._epochs = self._compiled(self._run_epochs, data, *OF_EPOCHS)

    def _run_on_nothing(self, data):
        """Run what is compiled on no rows: TensorFlow then optimizes it, and talks."""
        data = {name: zeros(spec) for name, spec in data.items()}
        order, seed = np.zeros((0, 1), np.int32), np.zeros((0, 2), np.int32)
        if self.by_parts:
            self._run_batch(data, order[:, 0], np.zeros(2, np.int32), _NO_RATES, 1, 0)
            self.end_epoch(data, np.zeros(len(self.names)), 1)
        else:
            self.run_epochs(data, order, seed, 1, 1)

    def _compiled(self, function, *signature):
        """Return a traced graph function, or the function where nothing is compiled."""
        if self.mode == "uncompiled":
            return function
        return traced(function, *signature)

    # ---------------------------------------------------------------- state

    def fresh_weights(self, spec, seed):
        """Return the weights that a training with this seed begins with."""
        return initial_weights(spec.architecture, self.model, seed)

    def data(self, *arguments):
        """Return the data of a training; documented as ``as_arrays``."""
        return as_tensors(*arguments)

    def load(self, state, learning_rate, layer_seed):
        """Write weights and optimizer state; forget everything else.

        Parameters
        ----------
        state : State

        learning_rate : float or None
            None is the optimizer's own, or the one of its state.

        layer_seed : numpy.random.Generator
            Seeds the layers that draw.
        """
        self._variables.load(state, layer_seed)
        if learning_rate is not None:
            self._optimizer.learning_rate = learning_rate
        if self._best is not None:
            self._best.forget()
        self.model.stop_training = False
        self.validation_seconds = 0.0

    def learning_rate(self):
        """Return the learning rate in force."""
        return float(self._optimizer.learning_rate)

    def weights(self):
        """Return the weights as NumPy arrays."""
        return [v.numpy() for v in self._variables.weights]

    def optimizer_state(self):
        """Return the optimizer's variables as NumPy arrays."""
        return [v.numpy() for v in self._variables.optimizer]

    def settle(self):
        """Put the kept weights into the model: the best ones, or an average."""
        if self._best is not None:
            self._best.restore()
        else:
            self._optimizer.finalize_variable_values(self.model.trainable_variables)

    # ------------------------------------------------------------ execution

    def run_epochs(self, data, orders, seeds, batch_size, patience, rates=None):
        """Train over whole epochs.

        Parameters
        ----------
        data : dict of str to tensor

        orders : int32 array of shape (n_epochs, n)
            The row order of every epoch.

        seeds : int32 array of shape (n_epochs, 2)
            Seeds of the corruption.

        batch_size, patience : int

        rates : float32 array of shape (n_epochs, n_steps), default=None
            Learning rates; None leaves it alone.

        Returns
        -------
        losses, val_losses : ndarray of shape (n_done, len(names))
            Epochs that were run: all, or up to the one that stopped.

        stopped : bool
            Whether patience ran out.
        """
        if rates is None:
            rates = np.zeros((len(orders), 0), np.float32)
        losses, val_losses, done, waited = self._epochs(
            data, *map(tf.constant, (orders, seeds, rates, batch_size, patience))
        )
        done = int(done)
        return losses.numpy()[:done], val_losses.numpy()[:done], int(waited) >= patience

    def run_batches(self, data, order, seed, batch_size, rates=None):
        """Train one epoch, yielding the running mean losses after each batch."""
        total, n = np.zeros(len(self.names)), len(order)
        for step, start in enumerate(range(0, n, batch_size)):
            chosen = order[start : start + batch_size]
            rate = _NO_RATES if rates is None else rates[0, step : step + 1]
            total += self._run_batch(data, chosen, seed, rate, batch_size, step)
            yield total / min(start + batch_size, n)

    def run_steps(self, data, order, seed, batch_size, rates=None):
        """Train one epoch; return the list of mean losses, without its end."""
        rates = _NO_RATES if rates is None else rates[0]
        total = self._run_batch(data, order, seed, rates, batch_size, 0)
        return (total / len(order)).tolist()

    def _run_batch(self, data, *arguments):
        """Take steps on (rows, seed, rates, batch size, number of the first)."""
        return self._batch(data, *map(tf.constant, arguments)).numpy()

    def end_epoch(self, data, losses, patience):
        """Close an epoch that ran batch by batch: (validation losses, stopped)."""
        start = time.perf_counter()
        val_losses, waited = self._close_epoch(data, tf.constant(losses, tf.float64))
        val_losses = val_losses.numpy()
        self.validation_seconds += time.perf_counter() - start
        return val_losses, int(waited) >= patience

    # ----------------------------------------- what is compiled, from outside in

    def _run_epochs(self, data, orders, seeds, rates, batch_size, patience):
        n_epochs = tf.shape(orders)[0]
        n = tf.cast(tf.shape(orders)[1], tf.float64)
        shape = (len(self.names),)
        losses, val_losses = (
            tf.TensorArray(tf.float64, size=n_epochs, element_shape=shape)
            for _ in range(2)
        )

        def keep_going(epoch, is_finite, waited, *_):
            return (epoch < n_epochs) & is_finite & (waited < patience)

        def one_epoch(epoch, _, waited, losses, val_losses):
            drawn = orders[epoch], seeds[epoch], rates[epoch]
            total = self._run_steps(data, *drawn, batch_size, 0)
            loss = total / n
            val_loss, waited = self._end_epoch(data, loss)
            checked = loss + val_loss if self._has_validation else loss
            is_finite = tf.reduce_all(tf.math.is_finite(checked))
            losses = losses.write(epoch, loss)
            val_losses = val_losses.write(epoch, val_loss)
            return epoch + 1, is_finite, waited, losses, val_losses

        start = (tf.constant(0), tf.constant(True), self._wait(), losses, val_losses)
        done, _, waited, losses, val_losses = tf.while_loop(
            keep_going, one_epoch, start, parallel_iterations=1
        )
        return losses.stack(), val_losses.stack(), done, waited

    def _run_steps(self, data, order, seed, rates, batch_size, first_step):
        """Return the sums over rows of the losses, one step after another."""
        n = tf.shape(order)[0]
        n_steps = (n + batch_size - 1) // batch_size

        def one_step(step, total):
            rows = order[step * batch_size : (step + 1) * batch_size]
            step_seed = tf.stack([seed[0], seed[1] + first_step + step])
            if self._sets_rate:
                self._optimizer.learning_rate.assign(rates[step])
            losses = self._step(*batch_of(data, rows, self._corruption, step_seed))
            in_batch = tf.cast(tf.shape(rows)[0], tf.float64)
            return step + 1, total + tf.cast(losses, tf.float64) * in_batch

        start = (tf.constant(0), tf.zeros(len(self.names), tf.float64))
        _, total = tf.while_loop(
            lambda step, _: step < n_steps, one_step, start, parallel_iterations=1
        )
        return total

    def _step(self, x, y, weight):
        """Take one gradient step on a batch; return the losses before it."""
        variables = self.model.trainable_variables
        with tf.GradientTape() as tape:
            losses = self._objective.losses(x, y, weight, training=True)
            scaled = self._optimizer.scale_loss(losses[0])
        self._optimizer.apply(tape.gradient(scaled, variables), variables)
        return losses

    def _end_epoch(self, data, losses):
        """Remember the best weights; return the validation losses and the wait."""
        val_losses = tf.fill((len(self.names),), tf.constant(np.nan, tf.float64))
        if self._has_validation:
            val_losses = self._objective.validation(data)
        if self._best is None:
            return val_losses, self._wait()
        watched = val_losses if self._has_validation else losses
        return val_losses, self._best.update(watched[0])

    def _wait(self):
        return tf.constant(0) if self._best is None else self._best.waited
