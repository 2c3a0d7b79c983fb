"""The trainer in Keras: a model, an optimizer, and compiled functions that run them.

It owns no result: a training acquires it, writes weights and optimizer state into it,
runs it, and copies the weights out. Everything is traced when it is made: it does not
look at the objects that it was made from again, so that whatever happens to them later
does not matter.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from skae._engine._keras._effects import side_effect
from skae._engine._keras._models import (
    Models,
    NetworkRunner,
    assign,
    build_models,
    seeded_global_state,
    traced,
)
from skae._engine._keras._objects import Objective, make_optimizer
from skae._engine._optimizers import check_optimizer_state
from skae._engine._spec import Rows, State, TrainingSpec, is_aligned
from skae.networks._quiet import without_chatter

_LARGE = 1 << 20  # bytes; copies of smaller arrays cost nothing
_NO_RATES = np.zeros(0, np.float32)
# What the steps of an epoch take besides the data: order of rows, seed, learning rates,
# batch size, and number of the first step.
_OF_STEPS = (
    tf.TensorSpec((None,), tf.int32),
    tf.TensorSpec((2,), tf.int32),
    tf.TensorSpec((None,), tf.float32),
    tf.TensorSpec((), tf.int32),
    tf.TensorSpec((), tf.int32),
)


@dataclass(frozen=True)
class DataSpec:
    """Which arrays come with the data, and whether every step sets the rate."""

    has_targets: bool
    is_weighted: bool
    has_validation: bool
    has_missing: bool
    has_extremes: bool
    sets_rate: bool

    @classmethod
    def of(cls, spec: TrainingSpec, rows: Rows, validation: Rows | None) -> DataSpec:
        """Return that of a training."""
        return cls(
            has_targets=rows.y is not None,
            is_weighted=rows.weight is not None,
            has_validation=validation is not None,
            has_missing=rows.fill is not None,
            has_extremes=getattr(spec.corruption, "needs_extremes", False),
            sets_rate=spec.learning_rate == "one_cycle",
        )

    def tensors(self, spec: TrainingSpec) -> dict[str, tf.TensorSpec]:
        """Return the specification of the data's tensors, by name."""

        def rows(*shape: int) -> tf.TensorSpec:
            return tf.TensorSpec((None, *shape), tf.float32)

        x = rows(*spec.architecture.input_shape)
        y = rows(*spec.architecture.output_shape)
        data = {"x": x}
        if self.has_targets:
            data["y"] = y
        if self.is_weighted:
            data["weight"] = rows()
        if self.has_extremes:
            data["low"] = data["high"] = tf.TensorSpec(x.shape[-1:], tf.float32)
        if self.has_missing:
            data["fill"] = x
        if self.has_validation:
            data |= {"val_x": x, "val_y": y, "val_weight": rows()}
        return data


def make_trainer(
    spec: TrainingSpec, data: DataSpec, seed: int, models: Models | None = None
) -> KerasTrainer:
    """Return a trainer; one that runs uncompiled where nothing else can serve."""
    # That is where the code of a user's network cannot be compiled, or does something
    # in Python besides computing its output, which a compiled program would not repeat.
    # The trainer's ``warning`` then says so, to every fit that acquires it. `models`
    # are untrained ones; None builds them.
    architecture, start = spec.architecture, time.perf_counter()
    network = architecture.network
    models = models or build_models(architecture, seed=seed)
    if network.draws_weights and not callable(spec.loss):
        return KerasTrainer(spec, data, models, start)
    with seeded_global_state(seed):
        reason = None
        if not network.draws_weights:
            n_variables = len(models.model.variables)
            reason = _reason_against_compiling(models, architecture.input_shape)
            if len(models.model.variables) != n_variables:  # made when it was called
                models = build_models(architecture, seed=seed)
        if reason is None:
            try:
                trainer = KerasTrainer(spec, data, models, start)
            except Exception as exc:
                if not _runs_uncompiled(models, spec):
                    # Compiling may have left something in the models.
                    models = build_models(architecture, seed=seed)
                    if not _runs_uncompiled(models, spec):
                        raise
                reason = f"it cannot be compiled ({_first_line(exc)})"
        if reason is not None:
            trainer = KerasTrainer(spec, data, models, start, is_compiled=False)
            trainer.warning = (
                f"The network built by {network!r} trains uncompiled, one operation "
                f"after the other in Python, which is slower: {reason}. Use keras.ops "
                "or tf functions only, and keep no state in Python attributes, to have "
                "it compiled."
            )
    return trainer


def _reason_against_compiling(
    models: Models, input_shape: tuple[int, ...]
) -> str | None:
    """Return why a user's network must run in Python, or None."""
    if getattr(models.model, "run_eagerly", False):
        return "it was compiled with run_eagerly=True"
    return side_effect(models.model, input_shape)


def _runs_uncompiled(models: Models, spec: TrainingSpec) -> bool:
    """Return whether the loss of two rows can be computed in Python."""
    architecture = spec.architecture
    try:
        objective = Objective(models, spec)
        x, y = (
            np.zeros((2, *shape), np.float32)
            for shape in (architecture.input_shape, architecture.output_shape)
        )
        objective.losses(x, y, None, training=True)
    except Exception:
        return False
    return True


def _first_line(exc: Exception) -> str:
    """Return the first line of an exception that says something."""
    lines = [line.strip() for line in str(exc).splitlines()]
    return next((line for line in lines if line), type(exc).__name__)


class KerasTrainer:
    """One network, optimizer, loss and corruption, compiled."""

    def __init__(
        self,
        spec: TrainingSpec,
        data: DataSpec,
        models: Models,
        start: float,  # when building began
        is_compiled: bool = True,
    ) -> None:
        self._architecture, self._corruption = spec.architecture, spec.corruption
        self._sets_rate, self._is_compiled = data.sets_rate, is_compiled
        self.warning: str | None = None
        self.callbacks: list = []
        self.is_watched_by_batch = False
        self.built_weights: list[np.ndarray] | None = None  # fresh ones, for one use
        self.model, self.latent_shape = models.model, models.latent_shape
        self.output_range = models.output_range
        self.runner = NetworkRunner(spec.architecture, models)
        self._objective = Objective(models, spec, data.has_missing)
        self.names = self._objective.names
        optimizer = make_optimizer(spec.optimizer)
        optimizer.build(self.model.trainable_variables)
        # Not for training: for callbacks, and for what they save.
        self.model.compile(optimizer=optimizer, loss=spec.loss, jit_compile=False)
        self._optimizer = self.model.optimizer
        self._weights = [v.value for v in self.model.weights]
        self._state = [v.value for v in self._optimizer.variables]
        self._fresh_state = [v.numpy() for v in self._state]
        known = [*self.model.weights, *self.model.metrics_variables]
        ids = {id(v) for v in [*known, *self._optimizer.variables]}
        # All but these are the states of random layers.
        others = [v.value for v in self.model.variables if id(v) not in ids]
        self._random_states = others
        built = time.perf_counter()
        tensors = data.tensors(spec)
        self._steps = self._compiled(self._run_steps, tensors, *_OF_STEPS)
        if data.has_validation:
            self._validation = self._compiled(self._objective.validation, tensors)
        if is_compiled:
            with without_chatter():
                self._run_on_nothing(tensors, data.has_validation)
        self._data: dict[str, tf.Tensor] = {}
        ready = time.perf_counter()
        self.seconds = {"building": built - start, "tracing": ready - built}

    def _compiled(self, function: Callable, *signature: Any) -> Callable:
        """Return a traced graph function, or the function where nothing is compiled."""
        return traced(function, *signature) if self._is_compiled else function

    def _run_on_nothing(
        self, tensors: dict[str, tf.TensorSpec], has_validation: bool
    ) -> None:
        """Run what is compiled on no rows: TensorFlow then optimizes it, and talks."""
        self._data = {
            name: tf.zeros([0 if size is None else size for size in one.shape])
            for name, one in tensors.items()
        }
        self._take_steps(np.zeros(0, np.int32), np.zeros(2, np.int32), _NO_RATES, 1, 0)
        if has_validation:
            self._validation(self._data)

    # ---------------------------------------------------------------- state

    @property
    def learning_rate(self) -> float:
        """The learning rate in force."""
        return float(self._optimizer.learning_rate)

    def fresh_weights(self, seed: int) -> list[np.ndarray]:
        """Return the weights that a training with this seed begins with."""
        network = self._architecture.network
        if network.draws_weights:
            return self.runner.fresh_weights(seed)
        built, self.built_weights = self.built_weights, None
        if built is None:
            built = build_models(self._architecture, seed=seed).model.get_weights()
        return built

    def load(
        self,
        state: State,
        learning_rate: float | None,
        layer_seed: np.random.Generator,  # seeds the layers that draw
    ) -> None:
        """Write weights and optimizer state; forget everything else."""
        optimizer = self._fresh_state if state.optimizer is None else state.optimizer
        check_optimizer_state(optimizer, self._fresh_state, self._optimizer)
        self.runner.forget()
        assign(self._weights, state.weights)
        assign(self._state, optimizer)
        for variable in self._random_states:
            draws = layer_seed.integers(2**31, size=variable.shape)
            variable.assign(draws.astype(variable.dtype.as_numpy_dtype))
        if learning_rate is not None:
            self._optimizer.learning_rate = learning_rate
        self.model.stop_training = False

    def take(self, data: dict[str, np.ndarray]) -> None:
        """Take the data of the training."""
        # One tensor of rows that are inputs and targets.
        tensors: dict[int, tf.Tensor] = {}
        for name, array in data.items():
            if id(array) not in tensors:
                tensors[id(array)] = tensor_of(array)
            self._data[name] = tensors[id(array)]

    def release(self) -> None:
        """Forget the data."""
        self._data = {}

    def weights(self) -> list[np.ndarray]:
        """Return the weights as NumPy arrays."""
        return [v.numpy() for v in self._weights]

    def optimizer_state(self) -> list[np.ndarray]:
        """Return the optimizer's variables as NumPy arrays."""
        return [v.numpy() for v in self._state]

    def finish(self, best: list[np.ndarray] | None) -> None:
        """End with the weights to keep: the best ones, or the optimizer's average."""
        if best is not None:
            assign(self._weights, best)
        else:
            self._optimizer.finalize_variable_values(self.model.trainable_variables)

    # ------------------------------------------------------------ execution

    def run_epoch(
        self, order: np.ndarray, seed: np.ndarray, batch_size: int, rates: Any
    ) -> list[float]:
        """Train one epoch; return its mean losses."""
        rates = _NO_RATES if rates is None else rates
        total = self._take_steps(order, seed, rates, batch_size, 0)
        return (total / len(order)).tolist()

    def run_batches(
        self, order: np.ndarray, seed: np.ndarray, batch_size: int, rates: Any
    ) -> Iterator[list[float]]:
        """Train one epoch, yielding the running mean losses after each batch."""
        total, n = np.zeros(len(self.names)), len(order)
        for step, start in enumerate(range(0, n, batch_size)):
            chosen = order[start : start + batch_size]
            rate = _NO_RATES if rates is None else rates[step : step + 1]
            total += self._take_steps(chosen, seed, rate, batch_size, step)
            yield (total / min(start + batch_size, n)).tolist()

    def validate(self) -> list[float]:
        """Return the mean losses of the validation rows."""
        return self._validation(self._data).numpy().tolist()

    def _take_steps(self, *arguments: Any) -> np.ndarray:
        """Take steps on (rows, seed, rates, batch size, number of the first)."""
        return self._steps(self._data, *map(tf.constant, arguments)).numpy()

    # ----------------------------------------- what is compiled, from outside in

    def _run_steps(
        self, data: dict, order: Any, seed: Any, rates: Any, size: Any, first_step: Any
    ) -> Any:
        """Return the sums over rows of the losses, one step after another."""
        n = tf.shape(order)[0]
        n_steps = (n + size - 1) // size

        def one_step(step: Any, total: Any) -> Any:
            rows = order[step * size : (step + 1) * size]
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

    def _step(self, x: Any, y: Any, weight: Any) -> Any:
        """Take one gradient step on a batch; return the losses before it."""
        variables = self.model.trainable_variables
        with tf.GradientTape() as tape:
            losses = self._objective.losses(x, y, weight, training=True)
            scaled = self._optimizer.scale_loss(losses[0])
        self._optimizer.apply(tape.gradient(scaled, variables), variables)
        return losses


# ------------------------------------------------------------------------- data


def tensor_of(array: np.ndarray) -> Any:
    """Return a float32 tensor of an array."""
    # A large one from ``aligned_empty`` is not copied: it has to stay as it is. But on
    # a machine with a GPU all are, once, to where they are computed with.
    is_ours = array.flags.c_contiguous and array.flags.writeable and is_aligned(array)
    is_copied = array.nbytes < _LARGE or array.dtype != np.float32 or not is_ours
    if is_copied or tf.config.list_logical_devices("GPU"):
        return tf.constant(array, tf.float32)
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())


def batch_of(data: dict, rows: Any, corruption: Any, seed: Any) -> tuple:
    """Return inputs, damaged afresh, targets, and weights (or None) of some rows."""
    x = tf.gather(data["x"], rows)
    y = tf.gather(data["y"], rows) if "y" in data else x
    weight = tf.gather(data["weight"], rows) if "weight" in data else None
    given = x
    if corruption is not None:
        x = tf.ensure_shape(corruption.apply(x, TensorDraw(seed, data)), x.shape)
    if "fill" in data:  # as ``filled_inputs``
        x = tf.where(tf.math.is_nan(x), given, x)
        x = tf.where(tf.math.is_nan(given), data["fill"], x)
    return x, y, weight


class TensorDraw:
    """The draws of ``Corruption.apply`` in TensorFlow.

    Stateless: the same seed gives the same numbers, whatever ran before. Each draw of
    one ``apply`` uses a seed of its own.
    """

    where = staticmethod(tf.where)
    clip = staticmethod(tf.clip_by_value)
    exp = staticmethod(tf.exp)

    def __init__(self, seed: Any, data: dict) -> None:
        self._seed, self._data = seed, data
        self._n_draws = 0

    @property
    def low(self) -> Any:
        """Smallest training value of each feature."""
        return self._data["low"]

    @property
    def high(self) -> Any:
        """Largest training value of each feature."""
        return self._data["high"]

    def normal(self, x: Any) -> Any:
        """Return standard normal draws of x's shape."""
        return tf.random.stateless_normal(tf.shape(x), self._next_seed())

    def uniform(self, x: Any) -> Any:
        """Return draws from [0, 1) of x's shape."""
        return tf.random.stateless_uniform(tf.shape(x), self._next_seed())

    def uniform_per_row(self, x: Any) -> Any:
        """Return one draw from [0, 1) per row, shaped to multiply x."""
        shape = tf.concat([tf.shape(x)[:1], tf.ones(x.shape.rank - 1, tf.int32)], 0)
        return tf.random.stateless_uniform(shape, self._next_seed())

    def other_rows(self, x: Any) -> Any:
        """Return x's entries taken from random training rows, feature by feature."""
        rows = self._data["x"]
        n = tf.shape(rows)[0]
        width = int(rows.shape[1:].num_elements())
        flat = tf.reshape(rows, (-1, width))
        chosen = tf.random.stateless_uniform(
            (tf.shape(x)[0], width), self._next_seed(), 0, n, tf.int32
        )
        columns = tf.broadcast_to(tf.range(width), tf.shape(chosen))
        picked = tf.gather_nd(flat, tf.stack([chosen, columns], axis=-1))
        return tf.reshape(picked, tf.shape(x))

    def _next_seed(self) -> Any:
        """Return the seed of the next draw."""
        self._n_draws += 1
        return tf.random.experimental.stateless_fold_in(self._seed, self._n_draws)
