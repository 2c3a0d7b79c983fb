"""The trainer in NumPy: layers that learn, cut batches, and threads.

It does what the trainer in Keras does, to rounding. It neither imports TensorFlow nor
traces anything: a small fit is done before TensorFlow would be imported, and nothing of
it stays in memory.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from functools import partial
from math import ceil, prod
from typing import Any

import numpy as np

from skae._engine._losses import Loss, numpy_loss
from skae._engine._optimizers import (
    OPTIMIZERS,
    SGD,
    check_optimizer_state,
    parted,
)
from skae._engine._spec import Schedule, State, TrainingSpec
from skae._engine._threads import OneBlasThread, Team, allowed_threads
from skae._layers._activations import LINEAR
from skae._layers._base import Layer, Learned
from skae._missing import entry_weights, filled_inputs
from skae._random import stream
from skae.corruptions import NumpyDraw

Array = np.ndarray
# Fewer multiplications in a part of a batch are not worth the wait for a thread, since
# threads wait for each other at each call of a function: convolutions make many.
_PART_WORK, _CONV_PART_WORK = 6_000_000, 12_000_000
# Trainings that are expected to take longer are left to XLA, where batches are not cut.
# Where TensorFlow is yet to be imported, NumPy would be ahead up to about twice this.
_XLA_SECONDS = 6.0
_PER_ROW = {"x", "y", "weight"}  # data with an entry for each row
# Validation rows that pass the network at a time.
_BLOCK_ROWS = 1024
# Rows pass convolutions in blocks of about so many numbers in their windows: less than
# 16 rows of usual images are slower, more than 64 too, and all need memory.
_BLOCK_WINDOWED = 1 << 21
# Where rows take more multiplications in convolutions than that, TensorFlow is up to a
# third faster: trainings that are expected to take longer are left to it.
_KERAS_PRODUCTS, _KERAS_SECONDS = 4_000_000, 20.0


def reason_against(spec: TrainingSpec, schedule: Schedule) -> str | None:
    """Return why a training needs Keras, or None."""
    if schedule.callbacks:
        return "callbacks are Keras's"
    layers = spec.architecture.layers
    if layers is None:
        return f"network {spec.architecture.network!r} is built by code for Keras"
    for layer in layers.all:
        if not layer.trains_in_numpy:
            kind = type(layer).__name__
            return f"the layer {kind} of network {spec.architecture.network!r} does not"
    last = layers.stack[-1].activation.name
    if numpy_loss(spec.loss, last) is None:
        return f"loss {spec.loss!r} behind the output_activation {last!r} does not"
    if not isinstance(spec.optimizer, str) or spec.optimizer not in OPTIMIZERS:
        return f"optimizer {spec.optimizer!r} does not"
    return None


def fastest(spec: TrainingSpec, schedule: Schedule, n_rows: int) -> str:
    """Return what trains a network that NumPy can train: "numpy", "xla" or "keras"."""
    layers = spec.architecture.layers
    assert layers is not None
    n_products = layers.n_products
    if not layers.is_dense:
        seconds = schedule.epochs * n_rows * n_products * 6 / 40e9
        is_left = n_products > _KERAS_PRODUCTS and seconds > _KERAS_SECONDS
        return "keras" if is_left else "numpy"
    if _n_parts(n_products * schedule.batch_size, _PART_WORK) > 1:
        return "numpy"
    # A rough count of multiplications, passes over the weights (as many as products),
    # and calls of functions, in one thread without stopping early, with speeds that
    # were measured once: it need not be right elsewhere, but the same.
    step = n_products * (6 * schedule.batch_size / 70e9 + 1.2e-9) + 5e-5
    seconds = schedule.epochs * ceil(n_rows / schedule.batch_size) * step
    return "xla" if seconds > _XLA_SECONDS else "numpy"


class NumpyTrainer:
    """A stack of layers, a loss, an optimizer and a corruption, for one training.

    Large batches are cut into parts, which threads share; `n_workers` is how many, None
    is as many as are worth a thread, and rows pass in blocks of `block_rows` at most.
    """

    names = ("loss",)
    warning = None
    callbacks = ()
    _team: Team | None = None

    def __init__(
        self,
        spec: TrainingSpec,
        schedule: Schedule,
        n_workers: int | None = None,
        block_rows: int | None = None,
    ) -> None:
        start = time.perf_counter()
        layers = spec.architecture.layers
        assert layers is not None
        self.spec, self._network = spec, spec.architecture.network
        self.layers, self.latent_shape = layers.stack, layers.latent_shape
        made = self.layers[-1].output_shape(1)[1:]  # flat
        is_fit = prod(made) == prod(spec.architecture.output_shape)
        output_shape = spec.architecture.output_shape if is_fit else made
        spec.architecture.check_built(self.latent_shape, output_shape)
        loss = numpy_loss(spec.loss, self.layers[-1].activation.name)
        assert loss is not None
        self.stack = LayerStack(self.layers, loss)
        if n_workers is None:
            least = _PART_WORK if layers.is_dense else _CONV_PART_WORK
            n_workers = _n_parts(layers.n_products * schedule.batch_size, least)
        self.n_workers = n_workers
        stacks = [self.stack]
        for _ in range(self.n_workers - 1):
            stacks.append(LayerStack(self.layers, loss, self.stack.weights))
        if block_rows is None:
            n_windowed = max(layer.n_windowed for layer in self.layers)
            block_rows = max(1, _BLOCK_WINDOWED // max(1, n_windowed))
        self._block_rows = block_rows
        gradients, shapes = [stack.gradients for stack in stacks], self.stack.shapes
        optimizer = OPTIMIZERS[spec.optimizer]
        self.optimizer: SGD = optimizer(self.stack.weights, gradients, shapes)
        self._workers = [BatchWorker(spec, stack, block_rows) for stack in stacks]
        self._building = time.perf_counter() - start

    @contextlib.contextmanager
    def running(
        self, n_threads: int | None = None
    ) -> Iterator[tuple[NumpyTrainer, dict[str, float]]]:
        """Give the block the trainer, and the seconds that building it took."""
        # The epoch loop looks at losses and weights: no need for NumPy's warnings.
        with contextlib.ExitStack() as stack:
            stack.enter_context(np.errstate(all="ignore"))
            stack.enter_context(OneBlasThread())
            if self.n_workers > 1:
                n_threads = allowed_threads() if n_threads is None else n_threads
                self._team = stack.enter_context(Team(min(self.n_workers, n_threads)))
            yield self, {"building": self._building, "tracing": 0.0}

    @property
    def learning_rate(self) -> float:
        """The learning rate in force."""
        return self.optimizer.learning_rate

    def fresh_weights(self, seed: int) -> list[Array]:
        """Return the weights that a training with this seed begins with."""
        rng = stream(seed, "weights")
        pairs = zip(self.stack.names, self.stack.shapes, strict=True)
        return [self._network.draw_weight(name, shape, rng) for name, shape in pairs]

    def load(
        self, state: State, learning_rate: float | None, layer_seed: Any = None
    ) -> None:
        """Write weights and optimizer state, None of which is a fresh one."""
        self.stack.load(state.weights or [])
        if state.optimizer is not None:
            fresh = self.optimizer.state()
            check_optimizer_state(state.optimizer, fresh, self.optimizer)
            self.optimizer.load(state.optimizer)
        if learning_rate is not None:
            self.optimizer.learning_rate = float(learning_rate)

    def take(self, data: dict[str, Array]) -> None:
        """Take the data of the training: rows flat, and contiguous for ``np.take``."""
        flat = {
            name: array if array.ndim == 1 else array.reshape(len(array), -1)
            for name, array in data.items()
        }
        arrays = {name: np.ascontiguousarray(array) for name, array in flat.items()}
        self.rows = {name: one for name, one in arrays.items() if name[:4] != "val_"}
        self._validation = {
            name[4:]: one for name, one in arrays.items() if name[:4] == "val_"
        }

    def run_epoch(
        self, order: Array, seed: Array, batch_size: int, rates: Array | None
    ) -> list[float]:
        """Train one epoch; return its mean losses."""
        total, order, team = 0.0, order.astype(np.intp), self._team
        for number, worker in enumerate(self._workers):
            worker.rng = np.random.default_rng([*seed, number])
        for step, start in enumerate(range(0, len(order), batch_size)):
            if rates is not None:
                self.optimizer.learning_rate = float(rates[step])
            rows = order[start : start + batch_size]
            n_rows = len(rows)
            if team is None:
                total += self._workers[0].descend(self.rows, rows, n_rows) * n_rows
                for task in self.optimizer.tasks():
                    task()
                continue
            size = -(-n_rows // self.n_workers)
            parts = [rows[i * size : (i + 1) * size] for i in range(self.n_workers)]
            pairs = zip(self._workers, parts, strict=True)
            shares = team.run(
                [partial(one.descend, self.rows, part, n_rows) for one, part in pairs]
            )
            total += sum(shares) * n_rows
            team.run(self.optimizer.tasks())
        return [total / len(order)]

    def validate(self) -> list[float]:
        """Return the mean losses of the validation rows."""
        data = self._validation
        total, n = 0.0, len(data["x"])
        size = min(_BLOCK_ROWS, self._block_rows)
        for first in range(0, n, size):
            rows = slice(first, first + size)
            x, y, weight = (data[name][rows] for name in ("x", "y", "weight"))
            if "fill" in self.rows:
                y, weight = entry_weights(y, weight)
            total += self.stack.loss_of(x, y, weight) * len(x)
        return [total / n]

    def weights(self) -> list[Array]:
        """Return the weights, a list of new arrays."""
        return [view.copy() for view in self.stack.variables]

    def optimizer_state(self) -> list[Array]:
        """Return the optimizer's variables, in Keras's order."""
        return self.optimizer.state()

    def finish(self, best: list[Array] | None) -> None:
        """End with the best weights, where they were kept."""
        if best is not None:
            self.stack.load(best)


class LayerStack:
    """Layers whose weights lie in one flat array, as their gradients do."""

    def __init__(
        self, layers: list[Layer], loss: Loss, weights: Array | None = None
    ) -> None:
        self._layers, self._loss = layers, loss
        variables = [
            (one.name, *variable) for one in layers for variable in one.variables
        ]
        self.names = [f"{layer}/{name}" for layer, name, _ in variables]
        self.shapes = [shape for *_, shape in variables]
        if weights is None:  # else those of another stack, to share them
            n_weights = sum(int(np.prod(shape)) for shape in self.shapes)
            weights = np.zeros(n_weights, np.float32)
        self.weights = weights
        self.gradients = np.zeros_like(weights)
        self.variables = parted(weights, self.shapes)
        own, slopes = iter(self.variables), iter(parted(self.gradients, self.shapes))
        self._own = [
            Learned(
                [next(own) for _ in layer.variables],
                [next(slopes) for _ in layer.variables],
                {},
            )
            for layer in layers
        ]
        # No layer needs the gradients of what comes in before.
        self._first = next(i for i, layer in enumerate(layers) if layer.variables)
        # The loss of the last layer's output gives its gradient already.
        last = layers[-1].activation
        self._is_direct = loss.activation is not None or last is LINEAR
        # By numbers of rows: outputs of the layers, and gradients of these.
        self._outputs: dict[int, list[Array]] = {}
        self._slopes: dict[int, list[Array]] = {}

    def load(self, weights: list[Array]) -> None:
        """Write weights, a list of arrays."""
        for view, array in zip(self.variables, weights, strict=True):
            view[...] = array

    def descend(
        self, x: Array, target: Array, weight: Array | None, n_rows: int
    ) -> float:
        """Compute the gradients of some of a batch's `n_rows`; return their loss."""
        outputs = self._forward(x)
        gradients = self._slopes.get(len(x))
        if gradients is None:
            gradients = [np.empty_like(out) for out in outputs]
            self._slopes[len(x)] = gradients
        gradient = outputs[-1]
        if not self._is_direct:
            gradient = gradients[-1]
            np.copyto(gradient, outputs[-1])
        loss = self._loss(gradient, target, weight, n_rows)
        layers, own, inputs = self._layers, self._own, [x, *outputs[:-1]]
        below = gradients[-2] if len(layers) > 1 else None
        if self._is_direct:
            layers[-1].linear_backward(inputs[-1], gradient, own[-1], below)
        else:
            layers[-1].backward(inputs[-1], outputs[-1], gradient, own[-1], below)
        for i in range(len(layers) - 2, self._first - 1, -1):
            below = gradients[i - 1] if i > self._first else None
            layers[i].backward(inputs[i], outputs[i], gradients[i], own[i], below)
        return loss

    def loss_of(self, x: Array, target: Array, weight: Array | None) -> float:
        """Return the loss of rows."""
        return self._loss.value(self._forward(x)[-1], target, weight)

    def _forward(self, x: Array) -> list[Array]:
        """Return the layers' outputs, without the activation that the loss applies."""
        outputs = self._outputs.get(len(x))
        if outputs is None:
            shapes = [layer.output_shape(len(x)) for layer in self._layers]
            outputs = [np.empty(shape, np.float32) for shape in shapes]
            self._outputs[len(x)] = outputs
        for layer, own, out in zip(self._layers[:-1], self._own, outputs, strict=False):
            layer.forward(x, own.weights, out, own.memory)
            x = out
        last, own = self._layers[-1], self._own[-1]
        run = last.forward if self._loss.activation is None else last.linear
        run(x, own.weights, outputs[-1], own.memory)
        return outputs


class BatchWorker:
    """What one thread does of each step: its part of the batch, memory and draws."""

    def __init__(self, spec: TrainingSpec, stack: LayerStack, block_rows: int) -> None:
        self._stack, self._block_rows = stack, block_rows
        self._corruption = spec.corruption
        self._shape = -1, *spec.architecture.input_shape
        self._memory: dict[int, dict[str, Array]] = {}
        self.rng = np.random.default_rng(0)  # of an epoch, which sets it

    def descend(self, data: dict[str, Array], rows: Array, n_rows: int) -> float:
        """Compute the gradients of some of a batch's rows; return their loss."""
        if len(rows) == 0:  # a last batch of fewer rows than workers
            self._stack.gradients.fill(0)
            return 0.0
        n_blocks = -(-len(rows) // self._block_rows)
        if n_blocks == 1:
            return self._stack.descend(*self._gathered(data, rows), n_rows)
        loss, total = 0.0, np.zeros_like(self._stack.gradients)
        size = -(-len(rows) // n_blocks)
        for start in range(0, len(rows), size):
            batch = self._gathered(data, rows[start : start + size])
            loss += self._stack.descend(*batch, n_rows)
            total += self._stack.gradients
        np.copyto(self._stack.gradients, total)
        return loss

    def _gathered(
        self, data: dict[str, Array], rows: Array
    ) -> tuple[Array, Array, Array | None]:
        """Return inputs, damaged afresh, targets and weights of some rows."""
        arrays = self._memory.get(len(rows))
        if arrays is None:
            shapes = {name: data[name].shape for name in data.keys() & _PER_ROW}
            self._memory[len(rows)] = arrays = {
                name: np.empty((len(rows), *shape[1:]), np.float32)
                for name, shape in shapes.items()
            }
        for name, array in arrays.items():
            np.take(data[name], rows, axis=0, out=array, mode="clip")
        inputs = x = arrays["x"]
        y, weight = arrays.get("y", x), arrays.get("weight")
        if self._corruption is not None:
            extremes = (data["low"], data["high"]) if "low" in data else None
            known = data["x"].reshape(self._shape)
            draw = NumpyDraw(self.rng, known, extremes, np.float32)
            damaged = self._corruption.apply(x.reshape(self._shape), draw)
            x = np.asarray(damaged, np.float32).reshape(x.shape)
        if "fill" in data:
            x = filled_inputs(inputs, x, data["fill"])
            y, weight = entry_weights(y, weight)
        return x, y, weight


def _n_parts(work: int, least: int) -> int:
    """Return into how many parts to cut a batch: as many as are worth a thread."""
    # It depends on the machine, but not on how many threads this process may use:
    # worker processes may use fewer, and should come to the same bits.
    n_cores = os.cpu_count() or 1
    return max(n for n in (1, 2, 4) if n == 1 or (work >= n * least and n <= n_cores))
