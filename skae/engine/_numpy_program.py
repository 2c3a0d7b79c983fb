"""The training program of dense networks, in NumPy.

It does what the compiled program of the same design does, to rounding, and offers the
same methods. It neither imports TensorFlow nor traces anything: a small fit is done
before TensorFlow would be imported, and nothing of it stays in memory.
"""

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
from skae.engine._threads import one_blas_thread

# Validation rows that pass the network at a time.
_BLOCK_ROWS = 1024


def numpy_program(design, keeps_best):
    """Return a NumpyProgram, or None where the design needs Keras.

    Parameters
    ----------
    design : Design

    keeps_best : bool
        Whether the best weights are kept.
    """
    plan = design.architecture.network.numpy_plan(*design.architecture.shapes)
    if plan is None or any(p.activation not in ACTIVATIONS for p in plan.layers):
        return None
    loss = numpy_loss(design.loss, plan.layers[-1].activation)
    optimizer = isinstance(design.optimizer, str) and OPTIMIZERS.get(design.optimizer)
    if loss is None or not optimizer:
        return None
    return NumpyProgram(design, plan, loss, optimizer, keeps_best)


class NumpyProgram:
    """A stack of dense layers, a loss, an optimizer and a corruption, for one training.

    Parameters
    ----------
    design : Design

    plan : skae.networks.StackPlan

    loss, optimizer : object
        An instance and a class, from ``_numpy_losses`` and ``_numpy_optimizers``.

    keeps_best : bool

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

    def __init__(self, design, plan, loss, optimizer, keeps_best):
        self._design = design
        self._stack = Stack(plan, loss)
        arrays = self._stack.weights, self._stack.gradients, self._stack.shapes
        self._optimizer = optimizer(*arrays)
        self._best = _Best(self._stack.weights) if keeps_best else None
        self._batches = {}
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
        # The loop looks at losses and weights.
        with one_blas_thread(), np.errstate(all="ignore"):
            for order, seed in zip(orders, seeds, strict=True):
                losses.append(self._run_epoch(data, order, seed, batch_size))
                watched = losses[-1]
                val_losses.append(np.nan)
                if "val_x" in data:
                    val_losses[-1] = watched = self._validation_loss(data)
                if self._best is not None:
                    waited = self._best.update(watched)
                if not np.isfinite(losses[-1] + watched) or waited >= patience:
                    break
        return _column(losses), _column(val_losses), waited >= patience

    def _run_epoch(self, data, order, seed, batch_size):
        """Return the mean loss over rows of one epoch of steps."""
        rng, total = np.random.default_rng(seed), 0.0
        order = order.astype(np.intp)
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            total += self._stack.descend(*self._batch(data, rows, rng)) * len(rows)
            self._optimizer.step()
        return total / len(order)

    def _batch(self, data, rows, rng):
        """Return inputs, damaged afresh, targets and weights of some rows."""
        arrays = self._memory_for(len(rows), data)
        for name, array in arrays.items():
            np.take(data[name], rows, axis=0, out=array, mode="clip")
        x = arrays["x"]
        y = arrays.get("y", x)
        corruption = self._design.corruption
        if corruption is not None:
            shape = -1, *self._design.architecture.input_shape
            extremes = (data["low"], data["high"]) if "low" in data else None
            draw = NumpyDraw(rng, data["x"].reshape(shape), extremes)
            damaged = corruption.apply(x.reshape(shape), draw)
            x = np.asarray(damaged, np.float32).reshape(x.shape)
        return x, y, arrays.get("weight")

    def _memory_for(self, n, data):
        """Return the arrays that a batch of n rows is gathered in."""
        if n not in self._batches:
            names = data.keys() & {"x", "y", "weight"}
            self._batches[n] = {
                name: np.empty((n, *data[name].shape[1:]), np.float32) for name in names
            }
        return self._batches[n]

    def _validation_loss(self, data):
        """Return the mean loss over validation rows."""
        start, total, n = time.perf_counter(), 0.0, len(data["val_x"])
        for first in range(0, n, _BLOCK_ROWS):
            rows = slice(first, first + _BLOCK_ROWS)
            x, y, weight = (data[f"val_{name}"][rows] for name in ("x", "y", "weight"))
            total += self._stack.loss(x, y, weight) * len(x)
        self.validation_seconds += time.perf_counter() - start
        return total / n


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


def _flat(array):
    """Return rows without their shape."""
    return array if array.ndim == 1 else array.reshape(len(array), -1)


def _column(values):
    return np.asarray(values, np.float64).reshape(-1, 1)
