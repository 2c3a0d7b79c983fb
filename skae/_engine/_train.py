"""Training: choose a trainer, run its epochs, copy the result out.

A trainer owns weights and gradients while it trains, and has the methods ``load``,
``run_epoch``, ``validate``, ``weights`` and ``optimizer_state``. There are two, one in
NumPy and one in Keras, which is imported where it is needed. What closes an epoch
(history, patience, callbacks, progress bar, divergence) is here, once for both.
"""

from __future__ import annotations

import contextlib
import functools
import math
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from skae._engine._fingerprint import fingerprint
from skae._engine._spec import (
    Rows,
    Schedule,
    State,
    Trained,
    TrainingDivergedError,
    TrainingSpec,
)
from skae._random import stream
from skae.corruptions import corrupt, feature_extremes

#: What ``learning_rate`` may be besides a number and None.
ONE_CYCLE = "one_cycle"
# One cycle rises to this many times the optimizer's own rate, during this share of the
# steps, from this share of the highest rate; and falls to that share of it.
_PEAK, _RISE, _START, _END = 8.0, 0.3, 0.04, 0.004
# What a training draws besides its batch order: first counter of the stream.
_STEPS, _VALIDATION, _LAYERS = 1, 2, 3


def train(
    spec: TrainingSpec,
    rows: Rows,
    validation: Rows | None,
    schedule: Schedule,
    state: State,
    seed: int,
    engine: str,
    check_range: Callable[[tuple[float, float] | None], None],
) -> Trained:
    """Train a network; as ``skae._engine.train`` says."""
    if spec.learning_rate is not None and not isinstance(spec.optimizer, str):
        raise ValueError(
            f"learning_rate is {spec.learning_rate!r}, but optimizer is an instance of "
            f"{type(spec.optimizer).__name__}, which has its own learning rate. Set it "
            "there and leave learning_rate=None, or pass the optimizer's name."
        )
    start = time.perf_counter()
    layers = spec.architecture.layers
    if layers is not None:
        check_range(layers.output_range)
    if state.fingerprint is None:
        known, models = fingerprint(spec.architecture, seed)
        state = replace(state, fingerprint=known, models=models)
    context = _trainer(spec, rows, validation, schedule, state, seed, engine)
    with context as (trainer, seconds):
        if layers is None:
            check_range(trainer.output_range)
        if trainer.warning is not None:
            warnings.warn(trainer.warning, UserWarning, stacklevel=2)
        trained = run(trainer, spec, rows, validation, schedule, state, seed)
        trained.seconds = seconds | trained.seconds
    others = sum(trained.seconds.values())
    trained.seconds["training"] = time.perf_counter() - start - others
    return trained


def run(
    trainer: Any,
    spec: TrainingSpec,
    rows: Rows,
    validation: Rows | None,
    schedule: Schedule,
    state: State,
    seed: int,
) -> Trained:
    """Load a trainer, run its epochs, and copy the result out."""
    noise_seed = int(stream(seed, "corruption", _VALIDATION).integers(2**31))
    arrays = training_arrays(spec, rows, validation, noise_seed)
    n_validation = 0 if validation is None else len(validation.x)
    loop = EpochLoop(trainer, schedule, len(rows.x), n_validation)
    first = state.weights
    if first is None:
        first = trainer.fresh_weights(seed)
    one_cycle = spec.learning_rate == ONE_CYCLE
    trainer.load(
        State(first, state.optimizer),
        None if one_cycle else spec.learning_rate,
        stream(seed, "corruption", _LAYERS, schedule.first_epoch),
    )
    trainer.take(arrays)
    rates = None
    if one_cycle:
        n_steps = math.ceil(len(rows.x) / schedule.batch_size)
        shape = schedule.epochs, n_steps
        rates = functools.partial(one_cycle_rates, trainer.learning_rate, *shape)
    history = loop.run(seed, rates)
    weights = trainer.weights()
    for weight in weights:
        # The last steps, which no loss has seen, may have ruined the weights.
        finite = np.isfinite(weight)
        if not finite.all():
            raise TrainingDivergedError(
                name="weights",
                value=float(weight[~finite][0]),
                epoch=schedule.first_epoch + len(history["loss"]),
                last_finite=None,
                learning_rate=trainer.learning_rate,
            )
    seconds = {"validation": loop.validation_seconds}
    trained = State(weights, trainer.optimizer_state(), state.fingerprint)
    shape, interrupted = trainer.latent_shape, loop.was_interrupted
    return Trained(
        trained, history, seconds, shape, interrupted, first, loop.kept_start
    )


def training_arrays(
    spec: TrainingSpec, rows: Rows, validation: Rows | None, noise_seed: int
) -> dict[str, np.ndarray]:
    """Return float32 arrays by name; `noise_seed` is of the validation's corruption."""
    # That is drawn once, so that validation losses are comparable along a training.
    data = {"x": rows.x}
    if rows.y is not None:
        data["y"] = rows.y
    if rows.weight is not None:
        data["weight"] = rows.weight
    corruption = spec.corruption
    if corruption is not None and corruption.needs_extremes:
        data["low"], data["high"] = feature_extremes(rows.x)
    if rows.fill is not None:  # one row of it; x and y keep their gaps
        data["fill"] = np.broadcast_to(rows.fill, rows.x[:1].shape)
    if validation is not None:
        inputs, weight = validation.x, validation.weight
        if corruption is not None:
            inputs = corrupt(corruption, inputs, seed=noise_seed, training_rows=rows.x)
        if rows.fill is not None:
            inputs = np.where(np.isnan(inputs), rows.fill, inputs)
        if weight is None:
            weight = np.ones(len(inputs), np.float32)
        data |= {"val_x": inputs, "val_y": validation.targets, "val_weight": weight}
    return data


def _trainer(
    spec: TrainingSpec,
    rows: Rows,
    validation: Rows | None,
    schedule: Schedule,
    state: State,
    seed: int,
    engine: str,
) -> contextlib.AbstractContextManager[tuple[Any, dict[str, float]]]:
    """Return a context of (trainer, seconds that building and tracing took)."""
    from skae._engine import _numpy
    from skae.networks._quiet import import_quietly, keras_is_installed

    reason = None
    if engine != "keras":
        reason = _numpy.reason_against(spec, schedule)
        n_rows = len(rows.x)
        if reason is None and engine == "auto":
            engine = _numpy.fastest(spec, schedule, n_rows)
            if engine != "numpy" and not keras_is_installed():
                engine = "numpy"
        if reason is None and engine == "numpy":
            return _numpy.NumpyTrainer(spec, schedule).running()
    if engine in ("numpy", "xla") and reason is not None:
        raise ValueError(
            f"engine={engine!r} cannot train this: {reason}. Use engine='auto', which "
            "leaves to Keras what NumPy cannot train."
        )
    import_quietly()
    if engine == "xla":
        from skae._engine._keras._xla import XlaTrainer

        return XlaTrainer(spec, schedule).running()
    from skae._engine import _keras

    return _keras.acquired(spec, rows, validation, schedule, state, seed)


class EpochLoop:
    """The loop over the epochs of one training, and its history."""

    def __init__(
        self, trainer: Any, schedule: Schedule, n_rows: int, n_validation: int
    ) -> None:
        self._trainer, self._schedule = trainer, schedule
        self._n_validation = n_validation
        self._n_rows = n_rows
        self._n_steps = math.ceil(n_rows / schedule.batch_size)
        self._losses: dict[str, list[float]] = {name: [] for name in trainer.names}
        if n_validation:
            self._losses |= {f"val_{name}": [] for name in trainer.names}
        self.validation_seconds = 0.0
        self.was_interrupted = self.kept_start = False

    def run(
        self, seed: int, rates: Callable[[int], np.ndarray] | None
    ) -> dict[str, list[float]]:
        """Run the epochs, and return the history; the trainer keeps the weights."""
        trainer, schedule = self._trainer, self._schedule
        watching = seen = None
        if trainer.callbacks:
            import keras

            # The last one: what the others add to the logs belongs to the history.
            seen = keras.callbacks.History()
            watching = keras.callbacks.CallbackList(
                [*trainer.callbacks, seen],
                model=trainer.model,
                epochs=schedule.first_epoch + schedule.epochs,
                steps=self._n_steps,
                verbose=0,
            )
            watching.on_train_begin()
        orders = batch_orders(seed, self._n_rows, schedule.first_epoch)
        noise = stream(seed, "corruption", _STEPS, schedule.first_epoch)
        watched = "val_loss" if self._n_validation else "loss"
        lowest, waited, best, start = math.inf, 0, None, None
        if schedule.keeps_start and schedule.patience and self._n_validation:
            start = trainer.validate()[0], trainer.weights()
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._until_interrupted())
            show = None
            if schedule.verbose:
                show = stack.enter_context(_progress_bar(schedule))
            for epoch in range(schedule.epochs):
                number = schedule.first_epoch + epoch
                draws = noise.integers(2**31, size=2, dtype=np.int32)
                rate = None if rates is None else rates(epoch)
                step = next(orders), draws, schedule.batch_size, rate
                if watching is None:
                    self._close_epoch(number, trainer.run_epoch(*step), None)
                else:
                    watching.on_epoch_begin(number)
                    self._close_epoch(number, self._watched(step, watching), watching)
                    watching.on_epoch_end(number, self._logs())
                if show is not None:
                    show(epoch + 1, self._logs())
                if schedule.patience is not None:
                    waited += 1
                    if self._losses[watched][-1] < lowest:
                        lowest, waited = self._losses[watched][-1], 0
                        best = trainer.weights()
                    if waited >= schedule.patience:
                        break
                if watching is not None and trainer.model.stop_training:
                    break
        # The first weights, which the rows determine, are left for a clear gain only:
        # of few validation rows, some epoch seems better by chance. They have no part
        # in patience, since the first steps often harm them.
        if start is not None and start[0] * (1 - 1 / self._n_validation) <= lowest:
            best, self.kept_start = start[1], True
        # Before the callbacks' last word, so that weights which they put in stay.
        trainer.finish(best)
        if watching is None or seen is None:
            return self._losses
        watching.on_train_end(self._logs())
        return seen.history

    @contextlib.contextmanager
    def _until_interrupted(self) -> Iterator[None]:
        """Let Ctrl-C end the block, once an epoch is complete."""
        try:
            yield
        except KeyboardInterrupt:
            n_complete = min(map(len, self._losses.values()))
            if n_complete == 0:
                raise
            for losses in self._losses.values():
                del losses[n_complete:]
            self.was_interrupted = True

    def _watched(self, step: tuple, watching: Any) -> list[float]:
        """Train one epoch, by batches if callbacks watch them; return mean losses."""
        if not self._trainer.is_watched_by_batch:
            return self._trainer.run_epoch(*step)
        batches = self._trainer.run_batches(*step)
        for batch in range(self._n_steps):
            watching.on_train_batch_begin(batch)
            losses = next(batches)
            named = dict(zip(self._trainer.names, losses, strict=True))
            watching.on_train_batch_end(batch, named)
            if self._trainer.model.stop_training:
                break
        return losses

    def _close_epoch(self, number: int, losses: list[float], watching: Any) -> None:
        """Validate, and add the epoch to the history; raise where it diverged."""
        trainer, validated = self._trainer, []
        if self._n_validation:
            if watching is not None:  # to callbacks, all rows are one batch
                watching.on_test_begin()
                watching.on_test_batch_begin(0)
            start = time.perf_counter()
            validated = trainer.validate()
            self.validation_seconds += time.perf_counter() - start
        for name, value in zip(self._losses, [*losses, *validated], strict=True):
            if not math.isfinite(value):
                raise TrainingDivergedError(
                    name=name,
                    value=value,
                    epoch=number + 1,
                    last_finite=self._losses[name][-1] if self._losses[name] else None,
                    learning_rate=trainer.learning_rate,
                )
        for name, value in zip(self._losses, [*losses, *validated], strict=True):
            self._losses[name].append(value)
        if self._n_validation and watching is not None:
            named = dict(zip(trainer.names, validated, strict=True))
            watching.on_test_batch_end(0, named)
            watching.on_test_end(named)

    def _logs(self) -> dict[str, float]:
        """Return the losses of the last epoch."""
        return {name: losses[-1] for name, losses in self._losses.items()}


def batch_orders(seed: int, n: int, first_epoch: int = 0) -> Iterator[np.ndarray]:
    """Yield a permutation of ``range(n)`` (int32) for each epoch, without end."""
    # Batches are consecutive slices of it, the last one shorter where it must be. A fit
    # begins at epoch 0; each ``partial_fit`` begins where the last one ended.
    rng = stream(seed, "order", first_epoch)
    rows = np.arange(n, dtype=np.int32)
    while True:
        yield rng.permutation(rows)


def one_cycle_rates(own: float, n_epochs: int, n_steps: int, epoch: int) -> np.ndarray:
    """Return the learning rates of an epoch's steps; over all epochs, up and down."""
    # Smith and Topin (2019). Super-convergence. Proc. SPIE 11006.
    # doi:10.1117/12.2520589
    steps = epoch * n_steps + np.arange(n_steps)
    done = (steps + 0.5) / float(n_epochs * n_steps)
    rise = np.cos(np.pi * np.clip(done / _RISE, 0, 1))
    fall = np.cos(np.pi * np.clip((done - _RISE) / (1 - _RISE), 0, 1))
    up = _START + (1 - _START) * ((1 - rise) / 2)
    down = _END + (1 - _END) * (1 - (1 - fall) / 2)
    rates = own * _PEAK * np.where(done < _RISE, up, down)
    return rates.astype(np.float32)


@contextlib.contextmanager
def _progress_bar(schedule: Schedule) -> Iterator[Callable[[int, dict], None]]:
    """Give the block a function that shows (epochs done, losses)."""
    from tqdm.auto import tqdm

    with tqdm(total=schedule.epochs, desc="epochs", unit="epoch") as bar:

        def show(epoch: int, losses: dict[str, float]) -> None:
            bar.set_postfix({k: f"{v:.4g}" for k, v in losses.items()}, refresh=False)
            bar.update(epoch - bar.n)

        yield show
