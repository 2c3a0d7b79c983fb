"""The loop over the epochs of one training, and its history."""

import contextlib
import math

import numpy as np

from skae._engine._job import TrainingDivergedError
from skae._engine._order import batch_orders

# Epochs that go into one call of the program, at most: as many as have this many row
# numbers, and about this many steps. A call cannot be interrupted.
_ORDER_BUDGET = 1 << 20
_STEP_BUDGET = 1 << 14
_NO_PATIENCE_LIMIT = 2**31 - 1


class Loop:
    """The loop over epochs.

    Without callbacks and progress bar, many epochs run in one call of the program;
    otherwise Python is entered after every epoch, or every batch where a callback
    watches batches. The numbers are the same either way.

    Parameters
    ----------
    program : Program
        Loaded.

    data : dict of str to tensor

    schedule : Schedule

    callbacks : list of keras.callbacks.Callback
        This fit's own.

    seed : int
        Seed of the batch order.

    noise : numpy.random.Generator
        Seeds the corruption of every epoch.

    rates : float32 ndarray of shape (n_epochs, n_steps) or None
        The learning rate of every step; None leaves it alone.
    """

    def __init__(self, program, data, schedule, callbacks, seed, noise, rates=None):
        self._program = program
        self._data = data
        self._n = len(data["x"])
        self._n_steps = math.ceil(self._n / schedule.batch_size)
        self._schedule = schedule
        self._orders = batch_orders(seed, self._n, schedule.first_epoch)
        self._noise = noise
        self._rates = rates
        self._patience = schedule.patience or _NO_PATIENCE_LIMIT
        self._has_validation = "val_x" in data
        self._names = program.names
        if self._has_validation:
            self._names += tuple(f"val_{name}" for name in program.names)
        self._losses = {name: [] for name in self._names}
        self._callbacks, self._seen = None, None
        if callbacks:
            import keras

            # The last one: what the others add to the logs belongs to the history.
            self._seen = keras.callbacks.History()
            self._callbacks = keras.callbacks.CallbackList(
                [*callbacks, self._seen],
                model=program.model,
                epochs=schedule.first_epoch + schedule.epochs,
                steps=self._n_steps,
                verbose=0,
            )

    def run(self):
        """Train, and return the history, a dict of lists."""
        if self._callbacks is None:
            self._run_chunks()
            self._program.settle()
            return self._losses
        self._callbacks.on_train_begin()
        self._run_chunks()
        # Before the callbacks' last word, so that weights which they put in stay.
        self._program.settle()
        self._callbacks.on_train_end(self._logs())
        return self._seen.history

    def _run_chunks(self):
        total, epoch, stopped = self._schedule.epochs, 0, False
        with _progress_bar(self._schedule) as show:
            while epoch < total and not stopped:
                count = min(self._chunk(), total - epoch)
                orders = np.stack([next(self._orders) for _ in range(count)])
                seeds = self._noise.integers(2**31, size=(count, 2), dtype=np.int32)
                rates = None
                if self._rates is not None:
                    rates = self._rates[epoch : epoch + count]
                if self._callbacks is not None:
                    stopped = self._watched_epoch(epoch, orders, seeds, rates)
                elif self._program.by_parts:
                    stopped = self._run_apart(orders[0], seeds[0], rates)
                else:
                    stopped = self._run_epochs(orders, seeds, rates)
                epoch = len(self._losses["loss"])
                show(epoch, self._logs())

    def _chunk(self):
        """Return how many epochs go into one call of the program."""
        if self._callbacks is not None or self._schedule.verbose:
            return 1
        budgets = _ORDER_BUDGET // self._n, _STEP_BUDGET // self._n_steps
        return max(1, min(budgets))

    def _logs(self):
        """Return the losses of the last epoch."""
        return {name: losses[-1] for name, losses in self._losses.items()}

    def _run_epochs(self, orders, seeds, rates):
        """Run whole epochs in one call; return whether training should stop."""
        size = self._schedule.batch_size
        losses, val_losses, stopped = self._program.run_epochs(
            self._data, orders, seeds, size, self._patience, rates
        )
        for pair in zip(losses.tolist(), val_losses.tolist(), strict=True):
            self._record(*pair)
        return stopped

    def _run_apart(self, order, seed, rates):
        """Run one epoch, its steps and its end apart; return whether to stop."""
        size = self._schedule.batch_size
        losses = self._program.run_steps(self._data, order, seed, size, rates)
        return self._end_epoch(losses)

    def _watched_epoch(self, epoch, orders, seeds, rates):
        """Run one epoch under the callbacks' eyes."""
        number = self._schedule.first_epoch + epoch
        self._callbacks.on_epoch_begin(number)
        if self._program.by_parts:
            stopped = self._run_parts(orders[0], seeds[0], rates)
        else:
            stopped = self._run_epochs(orders, seeds, rates)
        self._callbacks.on_epoch_end(number, self._logs())
        return stopped or bool(self._program.model.stop_training)

    def _run_parts(self, order, seed, rates):
        """Run one epoch batch by batch; return whether training should stop."""
        callbacks, size = self._callbacks, self._schedule.batch_size
        batches = self._program.run_batches(self._data, order, seed, size, rates)
        for batch in range(self._n_steps):
            callbacks.on_train_batch_begin(batch)
            losses = next(batches).tolist()
            callbacks.on_train_batch_end(batch, self._named(losses))
            if self._program.model.stop_training:
                break
        if self._has_validation:
            callbacks.on_test_begin()
            callbacks.on_test_batch_begin(0)
        stopped = self._end_epoch(losses)
        if self._has_validation:  # all rows at once: to callbacks, that is one batch
            names = self._program.names
            logs = {name: self._losses[f"val_{name}"][-1] for name in names}
            callbacks.on_test_batch_end(0, logs)
            callbacks.on_test_end(logs)
        return stopped

    def _end_epoch(self, losses):
        """Validate, and add the epoch to the history; return whether to stop."""
        val_losses, stopped = self._program.end_epoch(
            self._data, losses, self._patience
        )
        self._record(losses, val_losses.tolist())
        return stopped

    def _named(self, losses):
        """Return the losses of a batch as callbacks want them."""
        return dict(zip(self._program.names, losses, strict=True))

    def _record(self, losses, val_losses):
        """Add an epoch to the history; raise where a loss is not finite."""
        # Without validation rows there is no name for what stands in their place.
        seen = dict(zip(self._names, losses + val_losses, strict=False))
        for name, value in seen.items():
            if not math.isfinite(value):
                raise TrainingDivergedError(
                    name=name,
                    value=value,
                    epoch=self._schedule.first_epoch + len(self._losses["loss"]) + 1,
                    last_finite=(self._losses[name] or [None])[-1],
                    learning_rate=self._program.learning_rate(),
                )
        for name, value in seen.items():
            self._losses[name].append(value)


@contextlib.contextmanager
def _progress_bar(schedule):
    """Give the block a function that shows (epochs done, losses), or does nothing."""
    if not schedule.verbose:
        yield lambda epoch, losses: None
        return
    from tqdm.auto import tqdm

    with tqdm(total=schedule.epochs, desc="epochs", unit="epoch") as bar:

        def show(epoch, losses):
            bar.set_postfix({k: f"{v:.4g}" for k, v in losses.items()}, refresh=False)
            bar.update(epoch - bar.n)

        yield show
