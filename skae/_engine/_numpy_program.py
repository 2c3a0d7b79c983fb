"""The training program of dense and convolutional networks, in NumPy.

It does what the compiled program of the same spec does, to rounding, and offers the
same methods. It neither imports TensorFlow nor traces anything: a small fit is done
before TensorFlow would be imported, and nothing of it stays in memory.
"""

import contextlib
import functools
import os
import time
from math import ceil

import numpy as np

from skae._engine._checks import check_optimizer_state
from skae._engine._data import as_arrays
from skae._engine._numpy_best import Best
from skae._engine._numpy_layers import ACTIVATIONS
from skae._engine._numpy_losses import numpy_loss
from skae._engine._numpy_optimizers import OPTIMIZERS
from skae._engine._numpy_part import Part
from skae._engine._numpy_stack import Stack
from skae._engine._threads import OneBlasThread, Team, allowed_threads
from skae._missing import entry_weights
from skae._random import stream
from skae.networks._quiet import import_quietly

# Fewer multiplications in a part of a batch are not worth the wait for a thread, since
# threads wait for each other at each call of a function: convolutions make many.
_PART_WORK, _CONV_PART_WORK = 6_000_000, 12_000_000
# Trainings that are expected to take longer are left to XLA, where batches are not cut.
# Where TensorFlow is yet to be imported, NumPy would be ahead up to about twice this.
_XLA_SECONDS = 6.0
# Validation rows that pass the network at a time.
_BLOCK_ROWS = 1024
# Where rows take more multiplications in convolutions than that, TensorFlow is up to a
# third faster: trainings that are expected to take longer are left to it.
_KERAS_PRODUCTS, _KERAS_SECONDS = 4_000_000, 20.0


def numpy_program(spec, schedule, n_rows):
    """Return a NumpyProgram, or None where the spec needs Keras.

    Parameters
    ----------
    spec : TrainingSpec

    schedule : Schedule

    n_rows : int
        Number of training rows.
    """
    plan = spec.architecture.network.numpy_plan(*spec.architecture.shapes)
    if plan is None or any(p.activation not in ACTIVATIONS for p in plan.layers):
        return None
    loss = numpy_loss(spec.loss, plan.layers[-1].activation)
    optimizer = isinstance(spec.optimizer, str) and OPTIMIZERS.get(spec.optimizer)
    if loss is None or not optimizer or _suits_keras(plan, schedule, n_rows):
        return None
    return NumpyProgram(spec, plan, loss, optimizer, schedule, n_rows)


class NumpyProgram:
    """A stack of layers, a loss, an optimizer and a corruption, for one training.

    Parameters
    ----------
    spec : TrainingSpec

    plan : skae.networks.StackPlan

    loss, optimizer : object
        An instance and a class, from ``_numpy_losses`` and ``_numpy_optimizers``.

    schedule : Schedule
        Large batches are cut into parts, which threads share; epochs of long trainings
        of dense networks with small batches are left to XLA.

    n_rows : int

    Attributes
    ----------
    names : tuple of str
        What the columns of losses are.

    latent_shape : tuple of int

    warning : None

    validation_seconds : float
        What validation took.
    """

    names = ("loss",)
    warning = None
    by_parts = False

    def __init__(self, spec, plan, loss, optimizer, schedule, n_rows):
        self._spec, self._plan = spec, plan
        first = Stack(plan, loss)
        least = _PART_WORK if plan.is_dense else _CONV_PART_WORK
        n_parts = _n_parts(plan.n_products * schedule.batch_size, least)
        seconds = _expected_seconds(len(first.weights), schedule, n_rows)
        # At convolutions, XLA is several times slower.
        self._uses_xla = plan.is_dense and n_parts == 1 and seconds > _XLA_SECONDS
        others = (Stack(plan, loss, first.weights) for _ in range(n_parts - 1))
        self._parts = [Part(spec, stack, plan.n_windowed) for stack in (first, *others)]
        self._stack = first
        gradients = [part.stack.gradients for part in self._parts]
        self._optimizer = optimizer(first.weights, gradients, first.shapes)
        keeps_best = schedule.patience is not None
        self._best = Best(first.weights) if keeps_best else None
        self.latent_shape = plan.latent_shape
        self.validation_seconds = 0.0

    def fresh_weights(self, spec, seed):
        """Return the weights that a training with this seed begins with."""
        rng, network = stream(seed, "weights"), spec.architecture.network
        pairs = zip(self._stack.names, self._stack.shapes, strict=True)
        return [network.draw_weight(name, shape, rng) for name, shape in pairs]

    def data(self, *arguments):
        """Return the data of a training; documented as ``as_arrays``."""
        arrays = as_arrays(*arguments)
        return {name: _flat(array) for name, array in arrays.items()}

    def load(self, state, learning_rate, layer_seed):
        """Write weights and optimizer state, None of which is a fresh one.

        Raises
        ------
        ValueError
            Where the state is another optimizer's.
        """
        self._stack.load(state.weights)
        if state.optimizer is not None:
            fresh = self._optimizer.state()
            check_optimizer_state(state.optimizer, fresh, self._optimizer)
            self._optimizer.load(state.optimizer)
        if learning_rate is not None:
            self._optimizer.learning_rate = float(learning_rate)

    def learning_rate(self):
        """Return the learning rate in force."""
        return self._optimizer.learning_rate

    def weights(self):
        """Return the weights, a list of new arrays."""
        return self._stack.copied_weights()

    def optimizer_state(self):
        """Return the optimizer's variables, in Keras's order."""
        return self._optimizer.state()

    def settle(self):
        """Put the best weights, where they are kept, into the network."""
        if self._best is not None:
            self._best.restore()

    def run_epochs(self, data, orders, seeds, batch_size, patience, rates=None):
        """Train over whole epochs; as ``Program.run_epochs``, on arrays."""
        if rates is None:
            rates = np.full((len(orders), 1), self.learning_rate(), np.float32)
        losses, val_losses, waited = [], [], 0
        # The loop looks at losses and weights.
        with (
            np.errstate(all="ignore"),
            OneBlasThread(),
            self._epochs(data, batch_size) as run_epoch,
        ):
            for order, seed, rate in zip(orders, seeds, rates, strict=True):
                losses.append(run_epoch(order, seed, rate) / len(order))
                watched = losses[-1]
                val_losses.append(np.nan)
                if "val_x" in data:
                    val_losses[-1] = watched = self._validation_loss(data)
                if self._best is not None:
                    waited = self._best.update(watched)
                if not np.isfinite(losses[-1] + watched) or waited >= patience:
                    break
        return _column(losses), _column(val_losses), waited >= patience

    @contextlib.contextmanager
    def _epochs(self, data, batch_size):
        """Give the block a function that trains an epoch and returns losses' sum."""
        rows = {name: array for name, array in data.items() if name[:3] != "val"}
        if self._uses_xla:
            import_quietly()
            from skae._engine import _xla_epochs

            optimizer = type(self._optimizer)
            arguments = self._plan, self._spec, optimizer, batch_size, rows
            with _xla_epochs.borrowed(*arguments) as epochs:
                tensors = epochs.tensors(rows)
                yield functools.partial(self._run_xla_epoch, epochs, tensors)
            return
        with Team(min(len(self._parts), allowed_threads())) as team:
            yield functools.partial(self._run_epoch, team, rows, batch_size)

    def _run_xla_epoch(self, epochs, data, order, seed, rates):
        optimizer = self._optimizer
        state = [self._stack.variables, *optimizer.moments()]
        total, n_steps = epochs.run(data, order, seed, state, optimizer.n_steps, rates)
        optimizer.count(n_steps)
        optimizer.learning_rate = float(rates[-1])
        return total

    def _run_epoch(self, team, data, batch_size, order, seed, rates):
        total, order = 0.0, order.astype(np.intp)
        for number, part in enumerate(self._parts):
            part.seed([*seed, number])
        starts = range(0, len(order), batch_size)
        for start, rate in zip(
            starts, np.broadcast_to(rates, len(starts)), strict=True
        ):
            self._optimizer.learning_rate = float(rate)
            rows = order[start : start + batch_size]
            n_rows = len(rows)
            size = -(-n_rows // len(self._parts))
            shares = team.run(
                [
                    functools.partial(
                        part.descend, data, rows[i * size : (i + 1) * size], n_rows
                    )
                    for i, part in enumerate(self._parts)
                ]
            )
            total += sum(shares) * n_rows
            team.run(self._optimizer.tasks())
        return total

    def _validation_loss(self, data):
        """Return the mean loss over validation rows."""
        start, total, n = time.perf_counter(), 0.0, len(data["val_x"])
        size = min(_BLOCK_ROWS, self._parts[0].at_once)
        for first in range(0, n, size):
            rows = slice(first, first + size)
            x, y, weight = (data[f"val_{name}"][rows] for name in ("x", "y", "weight"))
            if "fill" in data:
                y, weight = entry_weights(y, weight)
            total += self._stack.loss(x, y, weight) * len(x)
        self.validation_seconds += time.perf_counter() - start
        return total / n


def _suits_keras(plan, schedule, n_rows):
    """Return whether a training is better left to TensorFlow: see _KERAS_PRODUCTS."""
    seconds = schedule.epochs * n_rows * plan.n_products * 6 / 40e9
    is_large = not plan.is_dense and plan.n_products > _KERAS_PRODUCTS
    return is_large and seconds > _KERAS_SECONDS


def _n_parts(work, least):
    """Return into how many parts to cut a batch: as many as are worth a thread.

    It depends on the machine, but not on how many threads this process may use: worker
    processes may use fewer, and should come to the same bits.
    """
    n_cores = os.cpu_count() or 1
    return max(n for n in (1, 2, 4) if n == 1 or (work >= n * least and n <= n_cores))


def _expected_seconds(n_weights, schedule, n_rows):
    """Return about how long a training takes, in one thread and without stopping early.

    A rough count of multiplications, passes over the weights, and calls of functions,
    with speeds that were measured once: it need not be right elsewhere, but the same.
    """
    step = n_weights * (6 * schedule.batch_size / 70e9 + 1.2e-9) + 5e-5
    return schedule.epochs * ceil(n_rows / schedule.batch_size) * step


def _flat(array):
    """Return rows without their shape; contiguous, since `take` copies others."""
    flat = array if array.ndim == 1 else array.reshape(len(array), -1)
    return np.ascontiguousarray(flat)


def _column(values):
    return np.asarray(values, np.float64).reshape(-1, 1)
