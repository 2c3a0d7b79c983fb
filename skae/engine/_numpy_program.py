"""The training program of dense networks, in NumPy.

It does what the compiled program of the same design does, to rounding, and offers the
same methods. It neither imports TensorFlow nor traces anything: a small fit is done
before TensorFlow would be imported, and nothing of it stays in memory.
"""

import functools
import time

import numpy as np

from skae._numpy_draw import NumpyDraw
from skae._random import stream
from skae.engine._checks import check_optimizer_state
from skae.engine._data import as_arrays
from skae.engine._numpy_layers import ACTIVATIONS
from skae.engine._numpy_losses import numpy_loss
from skae.engine._numpy_optimizers import OPTIMIZERS
from skae.engine._numpy_stack import Stack
from skae.engine._threads import Team, allowed_threads, one_blas_thread

# A part of a batch has at least so many multiplications in a layer's pass: about half a
# millisecond for both ways.
_PART_WORK = 1 << 22
# Validation rows that pass the network at a time.
_BLOCK_ROWS = 1024


def numpy_program(design, keeps_best, batch_size):
    """Return a NumpyProgram, or None where the design needs Keras.

    Parameters
    ----------
    design : Design

    keeps_best : bool
        Whether the best weights are kept.

    batch_size : int
    """
    plan = design.architecture.network.numpy_plan(*design.architecture.shapes)
    if plan is None or any(p.activation not in ACTIVATIONS for p in plan.layers):
        return None
    loss = numpy_loss(design.loss, plan.layers[-1].activation)
    optimizer = isinstance(design.optimizer, str) and OPTIMIZERS.get(design.optimizer)
    if loss is None or not optimizer:
        return None
    return NumpyProgram(design, plan, loss, optimizer, keeps_best, batch_size)


class NumpyProgram:
    """A stack of dense layers, a loss, an optimizer and a corruption, for one training.

    Parameters
    ----------
    design : Design

    plan : skae.networks.StackPlan

    loss, optimizer : object
        An instance and a class, from ``_numpy_losses`` and ``_numpy_optimizers``.

    keeps_best : bool

    batch_size : int
        Of the batches to come; large ones are cut into parts, which threads share.

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

    def __init__(self, design, plan, loss, optimizer, keeps_best, batch_size):
        self._design = design
        first = Stack(plan, loss)
        n_parts = _n_parts(len(first.weights), batch_size)
        others = (Stack(plan, loss, first.weights) for _ in range(n_parts - 1))
        self._parts = [_Part(design, stack) for stack in (first, *others)]
        self._stack = first
        gradients = [part.stack.gradients for part in self._parts]
        self._optimizer = optimizer(first.weights, gradients, first.shapes)
        self._best = _Best(first.weights) if keeps_best else None
        self.latent_shape = (plan.width,)
        self.validation_seconds = 0.0

    def fresh_weights(self, design, seed):
        """Return the weights that a training with this seed begins with."""
        rng, network = stream(seed, "weights"), design.architecture.network
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

    def run_epochs(self, data, orders, seeds, batch_size, patience):
        """Train over whole epochs; as ``Program.run_epochs``, on arrays."""
        losses, val_losses, waited = [], [], 0
        n_threads = min(len(self._parts), allowed_threads())
        # The loop looks at losses and weights.
        quiet = np.errstate(all="ignore")
        with one_blas_thread(), quiet, Team(n_threads) as team:
            for order, seed in zip(orders, seeds, strict=True):
                losses.append(self._run_epoch(team, data, order, seed, batch_size))
                watched = losses[-1]
                val_losses.append(np.nan)
                if "val_x" in data:
                    val_losses[-1] = watched = self._validation_loss(data)
                if self._best is not None:
                    waited = self._best.update(watched)
                if not np.isfinite(losses[-1] + watched) or waited >= patience:
                    break
        return _column(losses), _column(val_losses), waited >= patience

    def _run_epoch(self, team, data, order, seed, batch_size):
        """Return the mean loss over rows of one epoch of steps."""
        total, order = 0.0, order.astype(np.intp)
        for number, part in enumerate(self._parts):
            part.seed([*seed, number])
        for start in range(0, len(order), batch_size):
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
        return total / len(order)

    def _validation_loss(self, data):
        """Return the mean loss over validation rows."""
        start, total, n = time.perf_counter(), 0.0, len(data["val_x"])
        for first in range(0, n, _BLOCK_ROWS):
            rows = slice(first, first + _BLOCK_ROWS)
            x, y, weight = (data[f"val_{name}"][rows] for name in ("x", "y", "weight"))
            total += self._stack.loss(x, y, weight) * len(x)
        self.validation_seconds += time.perf_counter() - start
        return total / n


class _Part:
    """One of the parts into which every batch is cut: its stack, memory and draws.

    Parameters
    ----------
    design : Design

    stack : Stack
    """

    def __init__(self, design, stack):
        self.stack = stack
        self._corruption = design.corruption
        self._shape = -1, *design.architecture.input_shape
        self._memory = {}

    def seed(self, seed):
        """Begin an epoch's draws."""
        if self._corruption is not None:
            self._rng = np.random.default_rng(seed)

    def descend(self, data, rows, n_rows):
        """Compute the gradients of some of a batch's rows; return their loss."""
        return self.stack.descend(*self._gathered(data, rows), n_rows)

    def _gathered(self, data, rows):
        """Return inputs, damaged afresh, targets and weights of some rows."""
        arrays = self._memory_for(len(rows), data)
        for name, array in arrays.items():
            np.take(data[name], rows, axis=0, out=array, mode="clip")
        x = arrays["x"]
        y = arrays.get("y", x)
        if self._corruption is not None:
            extremes = (data["low"], data["high"]) if "low" in data else None
            rows = data["x"].reshape(self._shape)
            draw = NumpyDraw(self._rng, rows, extremes, np.float32)
            damaged = self._corruption.apply(x.reshape(self._shape), draw)
            x = np.asarray(damaged, np.float32).reshape(x.shape)
        return x, y, arrays.get("weight")

    def _memory_for(self, n, data):
        """Return the arrays that n rows are gathered in."""
        if n not in self._memory:
            names = data.keys() & {"x", "y", "weight"}
            self._memory[n] = {
                name: np.empty((n, *data[name].shape[1:]), np.float32) for name in names
            }
        return self._memory[n]


class _Best:
    """A copy of the weights at the lowest loss so far, and the epochs since."""

    def __init__(self, weights):
        self._weights = weights
        self._kept = weights.copy()
        self._loss, self._waited = np.inf, 0

    def update(self, loss):
        """Keep the weights where a loss is the lowest; return the wait."""
        self._waited += 1
        if loss < self._loss:
            np.copyto(self._kept, self._weights)
            self._loss, self._waited = loss, 0
        return self._waited

    def restore(self):
        """Put the best weights where they came from."""
        np.copyto(self._weights, self._kept)


def _n_parts(n_weights, batch_size):
    """Return into how many parts to cut a batch: as many as are worth a thread."""
    work = n_weights * batch_size
    return max(n for n in (1, 2, 4) if n == 1 or work >= n * _PART_WORK)


def _flat(array):
    """Return rows without their shape."""
    return array if array.ndim == 1 else array.reshape(len(array), -1)


def _column(values):
    return np.asarray(values, np.float64).reshape(-1, 1)
