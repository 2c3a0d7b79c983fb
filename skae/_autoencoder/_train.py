"""From settings and rows to trained networks: functions, no estimator.

The order of work: scale, split off validation rows, check that the network can produce
the targets, plan the epochs, draw weights, train.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

from skae import _engine as engine
from skae._autoencoder._settings import Passes, Settings, Table, Training, Watching
from skae._autoencoder._value import Autoencoder, TrainingInterrupted, blocks
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

    Shapes = tuple[int, ...]

# Rows on which the goodness of a fit is measured: to pass all of them once more would
# be a good part of a short training.
_MEASURED_ROWS = 10_000
_RANGE_TOLERANCE = 1e-6
# Passes learn the scaler from so many rows, and keep it from then on.
_FIRST_ROWS = 100


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
        autoencoder, _ = train_autoencoder(one, watching, Progress(begun))
        if number == 0:
            _measure(autoencoder, training.rows)
        if autoencoder.was_interrupted:
            raise TrainingInterrupted([*networks, autoencoder])  # memory keeps none
        return autoencoder

    networks: list[Autoencoder] = []
    seeds = network_seeds(training.seed, n_networks)
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
    first = passes.first_rows if known else rows
    if known and first is not None:
        _check_same(known[0].architecture, _architecture(settings, rows))
        first = first.followed_by(rows)
        known = _rescaled(known, settings, first)
    for seed, begun, optimizer in zip_longest(seeds, known[:n_networks], states):
        history = {"loss": []} if begun is None else begun.history
        progress = Progress(begun, optimizer, len(history["loss"]))
        training = Training(settings.for_one_pass(), rows, None, seed)
        network, optimizer = train_autoencoder(training, watching, progress)
        if network.was_interrupted:
            raise KeyboardInterrupt  # others have yet to make this pass
        network.history = {
            name: [*history.get(name, []), *network.history.get(name, [])]
            for name in {**history, **network.history}
        }
        networks.append(network)
        optimizers.append(optimizer)
    _measure(networks[0], rows)
    if first is not None and len(first.X) >= _FIRST_ROWS:
        first = None
    return networks, Passes(passes.seed, optimizers, first)


def _rescaled(
    networks: Sequence[Autoencoder], settings: Settings, rows: Table
) -> list[Autoencoder]:
    """Return networks as they are, with scalers that are learned from some rows."""
    scalers, fill = _fitted_scalers(settings, rows), None
    if settings.allow_nan:
        fill = mean_of_observed(_scaled(rows, scalers).x, rows.weight)
    return [Autoencoder(one.forward, *scalers, one.history, fill) for one in networks]


def network_seeds(seed: int, n: int) -> list[int]:
    """Return the seeds of n networks; the first is the only one's."""
    others = (stream(seed, "networks", number) for number in range(1, n))
    return [seed, *(int(rng.integers(2**31 - 1)) for rng in others)]


def _measure(network: Autoencoder, rows: Table) -> None:
    """Set how well a network reconstructs its training rows."""
    n = len(rows.X)
    if n > _MEASURED_ROWS:
        rows = rows.take(np.linspace(0, n - 1, _MEASURED_ROWS).astype(int))
    network.train_mse, network.train_r2 = network.goodness(rows.X, rows.y, rows.weight)


# ----------------------------------------------------------------------- one network


def train_autoencoder(
    training: Training, watching: Watching, progress: Progress
) -> tuple[Autoencoder, list[NDArray] | None]:
    """Train one autoencoder; return it and the state of its optimizer."""
    start = time.perf_counter()
    settings, table, known = training.settings, training.rows, progress.autoencoder
    if table.weight is not None and np.ptp(table.weight) == 0:
        table = replace(table, weight=None)  # equal ones change nothing
    architecture = _architecture(settings, table)
    architecture.check_size()
    if known is None:
        scalers, weights, fill = _fitted_scalers(settings, table), None, None
    else:
        _check_same(known.architecture, architecture)
        scalers = known.scaler, known.target_scaler
        weights, fill = known.weights, known.fill

    rows, validation = _scaled(table, scalers), None
    if settings.allow_nan and fill is None:
        fill = mean_of_observed(rows.x, rows.weight)
    check = functools.partial(_check_targets, settings, rows.targets)
    if training.validation is not None:
        validation = _scaled(training.validation, scalers)
    elif settings.validation_fraction is not None:
        rows, validation = _split(rows, settings.validation_fraction, training.seed)
    if rows.weight is not None:
        rows = _normalised(rows, rows.weight)
    if validation is not None and validation.weight is not None:
        validation = _normalised(validation, validation.weight)
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
    state = engine.State(weights, progress.optimizer)
    try:
        trained = engine.train(
            spec,
            rows,
            validation,
            schedule,
            state,
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
    autoencoder.was_interrupted = trained.was_interrupted
    return autoencoder, trained.state.optimizer


def _architecture(settings: Settings, table: Table) -> engine.Architecture:
    """Return what is trained on a table."""
    shapes = table.X.shape[1:], (table.X if table.y is None else table.y).shape[1:]
    return engine.Architecture(settings.network, *shapes, settings.latent_dim)


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


def _scaled(table: Table, scalers: tuple[Any, Any]) -> engine.Rows:
    """Return a table's rows in scaled space, made block by block."""
    parts: list[NDArray[np.float32]] = []
    for name, array, scaler in zip("Xy", (table.X, table.y), scalers, strict=True):
        if array is None:
            continue
        scaled, is_good = engine.aligned_empty(array.shape), True
        with np.errstate(over="ignore"):
            for rows in blocks(len(array), max(1, array[:1].size)):
                scaled[rows] = scaler.transform(array[rows])
                finite = np.isfinite(scaled[rows])
                is_good &= finite.all() or (finite | np.isnan(array[rows])).all()
        if not is_good:
            low, high = extremes(array)
            raise ValueError(
                f"{name} is too large for float32 after scaling: it ranges from "
                f"{low:.3g} to {high:.3g}. Use scaler='standard', or rescale {name}."
            )
        parts.append(scaled)
    return engine.Rows(parts[0], None if table.y is None else parts[1], table.weight)


def _split(
    rows: engine.Rows, fraction: float, seed: int
) -> tuple[engine.Rows, engine.Rows]:
    """Return (training, validation) rows, at least one of each."""
    n = len(rows.x)
    n_held = min(max(1, round(fraction * n)), n - 1)
    shuffled = stream(seed, "split").permutation(n)
    table = Table(rows.x, rows.y, rows.weight)
    kept, held = (
        table.take(np.sort(shuffled[n_held:])),
        table.take(np.sort(shuffled[:n_held])),
    )
    return engine.Rows(*vars(kept).values()), engine.Rows(*vars(held).values())


def _normalised(rows: engine.Rows, weight: NDArray) -> engine.Rows:
    """Return rows whose weights have mean 1, so that a loss is a weighted mean."""
    mean = weight.mean(dtype=np.float64)
    return replace(rows, weight=(weight / mean).astype(np.float32))


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
    settings: Settings, targets: NDArray, allowed: tuple[float, float] | None
) -> None:
    """Raise a ValueError where the network or the loss cannot meet the targets."""
    network = settings.network
    is_bounded = allowed not in (None, (-np.inf, np.inf))
    is_probability = engine.reads_probabilities(settings.loss)
    if not (is_bounded or is_probability):
        return
    low, high = extremes(targets)
    seen = float(low), float(high)
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
