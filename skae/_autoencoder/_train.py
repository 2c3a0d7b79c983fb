"""From settings and rows to trained networks: functions, no estimator.

The order of work: scale, split off validation rows, check that the network can produce
the targets, plan the epochs, draw weights, train.
"""

from __future__ import annotations

import functools
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skae import _engine as engine
from skae._autoencoder._value import Autoencoder, blocks
from skae._missing import (
    check_columns_observed,
    extremes,
    has_missing,
    mean_of_observed,
)
from skae._random import stream
from skae._scalers import fitted_scaler

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skae._autoencoder._settings import Settings

    Shapes = tuple[int, ...]

# Rows on which the goodness of a fit is measured: to pass all of them once more would
# be a good part of a short training.
_MEASURED_ROWS = 10_000
# A training ended far worse than it began where the error of its rows is more than so
# many times that of the first weights, and twice that of the mean row.
_FAR_WORSE = 4.0
_RANGE_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Table:
    """Rows in the input space: checked arrays, no zero weights."""

    X: NDArray
    y: NDArray | None = None  # None where X is its own target
    weight: NDArray | None = None  # a weight of k counts a row k times

    def take(self, chosen: Any) -> Table:
        """Return some of the rows."""
        if chosen.dtype == bool and chosen.all():
            return self
        return Table(
            self.X[chosen],
            None if self.y is None else self.y[chosen],
            None if self.weight is None else self.weight[chosen],
        )


@dataclass(frozen=True)
class Training:
    """All that trained networks follow from."""

    settings: Settings
    rows: Table
    validation: Table | None  # None splits rows off where the settings say so
    seed: int  # of weights, split, order and corruption


@dataclass(frozen=True)
class Watching:
    """What watches a training; it has no influence on what is learned otherwise."""

    callbacks: Sequence[Any] | None = None
    verbose: int = 0


@dataclass(frozen=True)
class Passes:
    """Where a training pass by pass stands."""

    seed: int
    optimizers: list[Any] = field(default_factory=list)  # a state for each network


@dataclass(frozen=True)
class Progress:
    """Where the training of one network begins."""

    autoencoder: Autoencoder | None = None  # None begins a new one
    optimizer: list[NDArray] | None = None  # its state; None begins a new one
    n_passes: int = 0


def train(
    training: Training,
    watching: Watching,
    *,
    n_networks: int = 1,
    known: Sequence[Autoencoder] = (),
    memory: Any = None,
) -> list[Autoencoder]:
    """Return trained networks; they continue the known ones, or come from memory."""

    def trained(number: int, seed: int, begun: Autoencoder | None) -> Autoencoder:
        one = replace(training, seed=seed)
        autoencoder, _, first = train_autoencoder(one, watching, Progress(begun))
        if number == 0:
            _measure(autoencoder, training.rows, first, training.settings)
        return autoencoder

    seeds = network_seeds(training.seed, n_networks)
    networks = []
    for number, pair in enumerate(zip_longest(seeds, known[:n_networks])):
        compute = functools.partial(trained, number, *pair)
        is_kept = memory is not None
        networks.append(
            memory.recall(["network", number], compute) if is_kept else compute()
        )
    return networks


def train_pass(
    settings: Settings,
    rows: Table,
    watching: Watching,
    passes: Passes,
    *,
    n_networks: int = 1,
    known: Sequence[Autoencoder] = (),
) -> tuple[list[Autoencoder], Passes]:
    """Make one pass over some rows, continuing where the last one ended."""
    seeds = network_seeds(passes.seed, n_networks)
    networks, optimizers = [], []
    states = passes.optimizers[:n_networks]
    for seed, begun, optimizer in zip_longest(seeds, known[:n_networks], states):
        history = {"loss": []} if begun is None else begun.history
        progress = Progress(begun, optimizer, len(history["loss"]))
        training = Training(settings.for_one_pass(), rows, None, seed)
        network, optimizer, first = train_autoencoder(training, watching, progress)
        network.history = {
            name: [*history.get(name, []), *network.history.get(name, [])]
            for name in {**history, **network.history}
        }
        networks.append(network)
        optimizers.append(optimizer)
        if len(networks) == 1:
            _measure(network, rows, first, settings)
    return networks, Passes(passes.seed, optimizers)


def network_seeds(seed: int, n: int) -> list[int]:
    """Return the seeds of n networks; the first is the only one's."""
    others = (stream(seed, "networks", number) for number in range(1, n))
    return [seed, *(int(rng.integers(2**31 - 1)) for rng in others)]


def _measure(
    network: Autoencoder, rows: Table, first: list[NDArray], settings: Settings
) -> None:
    """Set how well a network reconstructs its rows; warn where it began far better."""
    n = len(rows.X)
    if n > _MEASURED_ROWS:
        rows = rows.take(np.linspace(0, n - 1, _MEASURED_ROWS).astype(int))
    network.train_mse, network.train_r2 = network.goodness(rows.X, rows.y, rows.weight)
    if not network.train_r2 < -1:
        return
    begun = engine.TrainedNetwork(network.architecture, first, network.latent_shape)
    scalers = network.scaler, network.target_scaler
    before, _ = Autoencoder(begun, *scalers, {}, network.fill).goodness(
        rows.X, rows.y, rows.weight
    )
    if network.train_mse > _FAR_WORSE * before:
        knob = "the optimizer's learning rate"
        if isinstance(settings.optimizer, str):
            knob = f"learning_rate (now {settings.learning_rate!r})"
        other = ", or use scaler='standard'" if settings.scaler is None else ""
        warnings.warn(
            f"Training ended far worse than it began: the mean squared error of the "
            f"rows rose from {before:.3g} to {network.train_mse:.3g}, and r2_ is "
            f"{network.train_r2:.3g}. Lower {knob}{other}.",
            ConvergenceWarning,
            stacklevel=7,
        )


# ----------------------------------------------------------------------- one network


def train_autoencoder(
    training: Training, watching: Watching, progress: Progress
) -> tuple[Autoencoder, list[NDArray] | None, list[NDArray]]:
    """Return a trained autoencoder, its optimizer's state, and the first weights."""
    start = time.perf_counter()
    settings, table, known = training.settings, training.rows, progress.autoencoder
    if table.weight is not None and np.ptp(table.weight) == 0:
        table = replace(table, weight=None)  # equal ones change nothing
    shapes = table.X.shape[1:], (table.X if table.y is None else table.y).shape[1:]
    architecture = engine.Architecture(settings.network, *shapes, settings.latent_dim)
    if known is None:
        scalers, weights, fill = _fitted_scalers(settings, table), None, None
    else:
        _check_same(known.architecture, architecture)
        scalers = known.scaler, known.target_scaler
        weights, fill = known.weights, known.fill

    kept = held = None
    if training.validation is None and settings.validation_fraction is not None:
        n_rows, fraction = len(table.X), settings.validation_fraction
        kept, held = _split(n_rows, fraction, training.seed)
    rows, validation = _scaled(table, scalers, kept), None
    targets = [rows.targets]
    if training.validation is not None:
        validation = _scaled(training.validation, scalers)
    elif held is not None:
        validation = _scaled(table, scalers, held)
        targets.append(validation.targets)
    check = functools.partial(_check_targets, settings, targets)
    if settings.allow_nan and fill is None:
        fill = mean_of_observed(rows.x, rows.weight)
    if fill is not None:
        rows = _with_fill(rows, validation, fill)

    epochs = settings.epochs
    if isinstance(epochs, str):  # "auto"
        epochs = settings.budget.n_epochs(rows.x, settings.batch_size)
    schedule = engine.Schedule(
        epochs=epochs,
        batch_size=settings.batch_size,
        patience=settings.patience,
        first_epoch=progress.n_passes,
        callbacks=list(watching.callbacks or []),
        verbose=watching.verbose,
    )
    spec = engine.TrainingSpec(
        architecture,
        settings.loss,
        settings.optimizer,
        settings.learning_rate,
        settings.corruption_of(rows.x),
    )
    scaling = time.perf_counter() - start
    try:
        trained = engine.train(
            spec,
            rows,
            validation,
            schedule,
            engine.State(weights, progress.optimizer),
            training.seed,
            settings.engine,
            check,
        )
    except engine.TrainingDivergedError as exc:
        raise ValueError(_divergence_message(exc, settings, table)) from exc
    if watching.verbose >= 2:
        seconds = {"scaling": scaling, **trained.seconds}
        parts = ", ".join(f"{name} {value:.2f} s" for name, value in seconds.items())
        sys.stderr.write(f"skae: {parts}\n")
    forward = engine.TrainedNetwork(
        architecture, trained.state.weights or [], trained.latent_shape
    )
    restored = settings.patience is not None
    autoencoder = Autoencoder(forward, *scalers, trained.history, fill, restored)
    return autoencoder, trained.state.optimizer, trained.first_weights


def _check_same(known: engine.Architecture, asked: engine.Architecture) -> None:
    """Raise a ValueError where a training cannot continue with other parameters."""
    if known.shapes != asked.shapes or not _are_alike(known.network, asked.network):
        raise ValueError(
            f"Training cannot continue: it began with {_in_words(known)}; now it is "
            f"{_in_words(asked)}. Keep them, or begin anew: fit with warm_start=False."
        )


def _are_alike(one: Any, other: Any) -> bool:
    """Return whether two networks are described by the same parameters."""
    from skae._engine._digest import (  # to continue a training
        CannotDescribeError,
        digest,
    )

    try:
        return digest(one, engine.keras_config) == digest(other, engine.keras_config)
    except CannotDescribeError:
        return repr(one) == repr(other)  # all that can be said


def _in_words(architecture: engine.Architecture) -> str:
    """Return what a training cannot change."""
    shapes = [architecture.input_shape]
    if architecture.output_shape != architecture.input_shape:
        shapes.append(architecture.output_shape)
    return (
        f"{architecture.network!r} and latent_dim={architecture.latent_dim} on rows of "
        f"shape {' and targets of shape '.join(map(str, shapes))}"
    )


def _fitted_scalers(settings: Settings, table: Table) -> tuple[Any, Any]:
    """Return the fitted scalers of inputs and targets."""
    if settings.allow_nan:
        for array, name in ((table.X, "X"), (table.y, "y")):
            if array is not None:
                check_columns_observed(array, name)
    scaler = fitted_scaler(settings.scaler, table.X, table.weight)
    if table.y is None or table.y.shape[1:] == table.X.shape[1:]:
        return scaler, scaler
    return scaler, fitted_scaler(settings.scaler, table.y, table.weight)


def _scaled(
    table: Table, scalers: tuple[Any, Any], chosen: NDArray | None = None
) -> engine.Rows:
    """Return a table's rows, or the chosen ones, in scaled space, block by block."""
    # Weights have mean 1, so that a loss is a weighted mean.
    parts: list[NDArray[np.float32]] = []
    for name, array, scaler in zip("Xy", (table.X, table.y), scalers, strict=True):
        if array is None:
            continue
        n_rows = len(array if chosen is None else chosen)
        scaled, is_good = engine.aligned_empty((n_rows, *array.shape[1:])), True
        with np.errstate(over="ignore"):
            for rows in blocks(n_rows, max(1, array[:1].size)):
                given = array[rows if chosen is None else chosen[rows]]
                scaled[rows] = scaler.transform(given)
                finite = np.isfinite(scaled[rows])
                is_good &= finite.all() or (finite | np.isnan(given)).all()
        if not is_good:
            low, high = extremes(array)
            raise ValueError(
                f"{name} is too large for float32 after scaling: it ranges from "
                f"{low:.3g} to {high:.3g}. Use scaler='standard', or rescale {name}."
            )
        parts.append(scaled)
    weight = table.weight
    if weight is not None:
        weight = weight if chosen is None else weight[chosen]
        weight = (weight / weight.mean(dtype=np.float64)).astype(np.float32)
    return engine.Rows(parts[0], None if table.y is None else parts[1], weight)


def _split(n: int, fraction: float, seed: int) -> tuple[NDArray, NDArray]:
    """Return the (training, validation) rows of n, at least one of each."""
    n_held = min(max(1, round(fraction * n)), n - 1)
    shuffled = stream(seed, "split").permutation(n)
    return np.sort(shuffled[n_held:]), np.sort(shuffled[:n_held])


def _with_fill(
    rows: engine.Rows, validation: engine.Rows | None, fill: NDArray
) -> engine.Rows:
    """Return rows with what stands for missing entries, where there are any."""
    arrays = [rows.x, rows.y]
    if validation is not None:
        arrays += [validation.x, validation.y]
    if not has_missing(*arrays):
        return rows
    return replace(rows, fill=fill.astype(np.float32))


# -------------------------------------------------------------------------- targets


def _check_targets(
    settings: Settings,
    targets: Sequence[NDArray],
    allowed: tuple[float, float] | None,
) -> None:
    """Raise a ValueError where the network or the loss cannot meet the targets."""
    network = settings.network
    is_bounded = allowed not in (None, (-np.inf, np.inf))
    is_probability = engine.reads_probabilities(settings.loss)
    if not (is_bounded or is_probability):
        return
    lows, highs = zip(*map(extremes, targets), strict=True)
    seen = float(np.fmin.reduce(lows)), float(np.fmax.reduce(highs))
    if allowed is not None:
        _check_range(seen, allowed, f"network {network!r} gives values", settings)
    if not is_probability:
        return
    _check_range(seen, (0.0, 1.0), f"loss {settings.loss!r} needs values", settings)
    is_logit = getattr(settings.loss, "from_logits", False)
    if allowed is None or is_logit or (allowed[0] >= 0 and allowed[1] <= 1):
        return
    advice = "Use output_activation='sigmoid'."
    if not network.draws_weights:
        advice = "Let its last layer have the activation 'sigmoid'."
    raise ValueError(
        f"loss {settings.loss!r} needs outputs in [0, 1], but network {network!r} "
        f"gives outputs in [{allowed[0]:g}, {allowed[1]:g}]. {advice}"
    )


def _check_range(
    seen: tuple[float, float],
    allowed: tuple[float, float],
    subject: str,
    settings: Settings,
) -> None:
    """Raise a ValueError where targets lie outside a range."""
    low, high = allowed[0] - _RANGE_TOLERANCE, allowed[1] + _RANGE_TOLERANCE
    if low <= seen[0] and seen[1] <= high:
        return
    advice = "Use scaler='minmax'"
    if settings.scaler == "minmax":  # only a training that continues gets here
        advice = "Let the first rows, which fix the scaler, span the data's range"
    unbounded = "output_activation=None"
    if not settings.network.draws_weights:
        unbounded = "no activation in its last layer"
    raise ValueError(
        f"{subject} in [{allowed[0]:g}, {allowed[1]:g}], but the data after "
        f"scaling (scaler={settings.scaler!r}) range from {seen[0]:.4g} to "
        f"{seen[1]:.4g}. {advice}, or an unbounded output ({unbounded}) with "
        "loss='mse'."
    )


def _divergence_message(
    exc: engine.TrainingDivergedError, settings: Settings, table: Table
) -> str:
    """Return what to tell a user whose training diverged."""
    last = ""
    if exc.last_finite is not None:
        last = f" (last finite value {exc.last_finite:.4g})"
    low, high = extremes(table.X)
    ranges = [f"X ranges from {low:.3g} to {high:.3g}"]
    if table.y is not None:
        low, high = extremes(table.y)
        ranges.append(f"y from {low:.3g} to {high:.3g}")
    knob = "learning_rate"
    if not isinstance(settings.optimizer, str):
        knob = "the optimizer's learning rate"
    advice = f"lower {knob} (now {exc.learning_rate:g})"
    if settings.scaler is None:
        advice = f"use scaler='standard', or {advice}"
    return (
        f"Training diverged: the {exc.name} became {exc.value} in epoch "
        f"{exc.epoch}{last}. {', '.join(ranges)}; {advice}."
    )
