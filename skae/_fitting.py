"""From settings and arrays to a trained autoencoder: a function, no estimator.

The order of work: scale, split off validation rows, check that the network can produce
the targets, plan the epochs, draw weights, train.
"""

import sys
import time
from dataclasses import dataclass, replace

import numpy as np

from skae import _engine as engine
from skae._autoencoder import Autoencoder, blocks
from skae._missing import (
    check_columns_observed,
    extremes,
    has_missing,
    mean_of_observed,
)
from skae._random import stream
from skae._scalers import fitted_scaler
from skae._settings import corruption_for
from skae._targets import check_targets


@dataclass(frozen=True)
class Table:
    """Rows in the input space: checked arrays, no zero weights.

    ``y`` is None where X is its own target.
    """

    X: np.ndarray
    y: np.ndarray | None = None
    weight: np.ndarray | None = None


@dataclass(frozen=True)
class Watching:
    """Who watches a training; it has no influence on what is learned otherwise."""

    callbacks: list | None = None
    verbose: int = 0


@dataclass
class Progress:
    """Where a training that continues stands.

    Attributes
    ----------
    autoencoder : Autoencoder or None
        Its scalers and weights are kept; None begins a new one.

    optimizer : list of ndarray or None
        The optimizer's state; None begins a new one.

    n_passes : int
        Passes made before.
    """

    autoencoder: Autoencoder | None = None
    optimizer: list | None = None
    n_passes: int = 0


def fit_autoencoder(settings, table, validation, seed, watching, progress=None):
    """Train an autoencoder.

    Parameters
    ----------
    settings : Settings

    table : Table
        The rows to train on.

    validation : Table or None
        Rows that watch; None splits them off where the settings say so.

    seed : int
        Seed of weights, split, order and corruption.

    watching : Watching

    progress : Progress or None
        Where to continue; None begins anew.

    Returns
    -------
    autoencoder : Autoencoder

    optimizer : list of ndarray
        State of the optimizer.
    """
    start = time.perf_counter()
    progress = progress or Progress()
    known = progress.autoencoder
    architecture = _architecture(settings, table)
    if known is None:
        scaler, target_scaler = _fit_scalers(settings, table)
        weights = None  # fresh ones
    else:
        _check_same(known.architecture, architecture)
        scaler, target_scaler = known.scaler, known.target_scaler
        weights = known.weights
    scalers = scaler, target_scaler

    rows = _scaled(table, scalers)
    fill = None if known is None else known.fill
    if settings.allow_nan and fill is None:
        fill = mean_of_observed(rows.x, rows.weight)
    check_targets(settings, architecture, rows.targets)
    if validation is not None:
        rows, watched = _normalised(rows), _normalised(_scaled(validation, scalers))
    elif settings.validation_fraction is not None:
        rows, watched = _split(rows, settings.validation_fraction, seed)
    else:
        rows, watched = _normalised(rows), None
    if fill is not None:
        rows = _with_fill(rows, watched, fill)
    schedule = engine.Schedule(
        epochs=settings.n_epochs(rows.x),
        batch_size=settings.batch_size,
        patience=settings.patience,
        first_epoch=progress.n_passes,
        callbacks=watching.callbacks or [],
        verbose=watching.verbose,
    )
    spec = engine.TrainingSpec(
        architecture,
        settings.loss,
        settings.optimizer,
        settings.learning_rate,
        corruption_for(settings, rows.x),
    )
    scaling = time.perf_counter() - start
    state = engine.State(weights, progress.optimizer)
    try:
        trained = engine.train(spec, rows, watched, schedule, state, seed)
    except engine.TrainingDivergedError as exc:
        raise ValueError(_divergence_message(exc, settings, table)) from exc
    if watching.verbose >= 2:
        _report({"scaling": scaling, **trained.seconds})
    forward = engine.TrainedNetwork(
        architecture, trained.state.weights, trained.latent_shape
    )
    restored = settings.patience is not None
    autoencoder = Autoencoder(forward, *scalers, trained.history, fill, restored)
    return autoencoder, trained.state.optimizer


def _architecture(settings, table):
    """Return the network with the shapes of the data."""
    input_shape = table.X.shape[1:]
    output_shape = input_shape if table.y is None else table.y.shape[1:]
    return engine.Architecture(
        settings.network, input_shape, output_shape, settings.latent_dim
    )


def _check_same(known, asked):
    """Raise a ValueError where a training cannot continue with other parameters."""
    if known.shapes != asked.shapes or not _alike(known.network, asked.network):
        raise ValueError(
            f"Training cannot continue: it began with {_in_words(known)}; now it is "
            f"{_in_words(asked)}. Keep them, or begin anew: fit with warm_start=False."
        )


def _alike(one, other):
    """Return whether two networks are described by the same parameters."""
    from skae._engine._digest import (  # to continue a training
        CannotDescribeError,
        digest,
    )

    try:
        return digest(one, engine.keras_config) == digest(other, engine.keras_config)
    except CannotDescribeError:
        return repr(one) == repr(other)  # all that can be said


def _in_words(architecture):
    shapes = [architecture.input_shape]
    if architecture.output_shape != architecture.input_shape:
        shapes.append(architecture.output_shape)
    return (
        f"{architecture.network!r} and latent_dim={architecture.latent_dim} on rows of "
        f"shape {' and targets of shape '.join(map(str, shapes))}"
    )


def _fit_scalers(settings, table):
    """Return the fitted scalers of inputs and targets."""
    if settings.allow_nan:
        for array, name in ((table.X, "X"), (table.y, "y")):
            if array is not None:
                check_columns_observed(array, name)
    scaler = fitted_scaler(settings.scaler, table.X, table.weight)
    if table.y is None or table.y.shape[1:] == table.X.shape[1:]:
        return scaler, scaler
    return scaler, fitted_scaler(settings.scaler, table.y, table.weight)


def _scaled(table, scalers):
    """Return a table's rows in scaled space."""
    x = _scaled_float32(scalers[0], table.X, "X")
    y = None if table.y is None else _scaled_float32(scalers[1], table.y, "y")
    weight = None if table.weight is None else table.weight.astype(np.float32)
    return engine.Rows(x, y, weight)


def _scaled_float32(scaler, array, name):
    """Return scaled rows in float32, made block by block."""
    scaled = engine.aligned_empty(array.shape)
    is_good = True
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
    return scaled


def _split(rows, fraction, seed):
    """Return (training, validation) rows, at least one of each."""
    n = len(rows.x)
    n_held = min(max(1, round(fraction * n)), n - 1)
    shuffled = stream(seed, "split").permutation(n)
    held, kept = np.sort(shuffled[:n_held]), np.sort(shuffled[n_held:])

    def take(chosen):
        parts = (rows.x, rows.y, rows.weight)
        return engine.Rows(*(None if part is None else part[chosen] for part in parts))

    return _normalised(take(kept)), _normalised(take(held))


def _normalised(rows):
    """Return rows whose weights have mean 1, so that a loss is a weighted mean."""
    if rows.weight is None:
        return rows
    mean = rows.weight.mean(dtype=np.float64)
    return replace(rows, weight=(rows.weight / mean).astype(np.float32))


def _with_fill(rows, watched, fill):
    """Return rows with what stands for missing entries, where there are any."""
    arrays = [rows.x, rows.y]
    if watched is not None:
        arrays += [watched.x, watched.y]
    if not has_missing(*arrays):
        return rows
    return replace(rows, fill=fill.astype(np.float32))


def _divergence_message(exc, settings, table):
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


def _report(seconds):
    """Write where the time went to the standard error."""
    parts = ", ".join(f"{name} {value:.2f} s" for name, value in seconds.items())
    sys.stderr.write(f"skae: {parts}\n")
