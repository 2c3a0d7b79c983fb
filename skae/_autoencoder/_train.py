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
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skae import _engine as engine
from skae._autoencoder._settings import Passes, Settings, Table, Training, Watching
from skae._autoencoder._targets import check_targets, divergence_message
from skae._autoencoder._value import Autoencoder, TrainingInterrupted, blocks
from skae._missing import (
    check_columns_observed,
    extremes,
    has_missing,
    mean_of_observed,
)
from skae._random import stream
from skae._scalers import fitted_scaler
from skae.networks import DenseNetwork

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Shapes = tuple[int, ...]

# Rows on which the goodness of a fit is measured: to pass all of them once more would
# be a good part of a short training.
_MEASURED_ROWS = 10_000
# Rows of more numbers than this, of which no more rows give the first weights.
_WIDE_ROWS = 2_000
# Passes learn the scaler from so many rows, and keep it from then on.
_FIRST_ROWS = 100
# A training ended far worse than it began where the error of its rows is more than so
# many times that of the first weights, and that of the mean row.
_FAR_WORSE = 10.0


@dataclass(frozen=True)
class Progress:
    """Where the training of one network begins."""

    autoencoder: Autoencoder | None = None  # None begins a new one
    optimizer: list[NDArray] | None = None  # its state; None begins a new one
    n_passes: int = 0
    scalers: tuple[Any, Any] | None = None  # fitted; None fits them
    # The fingerprint of a new network and its models, where they are at hand.
    built: tuple[Any, Any] = (None, None)


def train(
    training: Training,
    watching: Watching,
    *,
    n_networks: int = 1,
    known: Sequence[Autoencoder] = (),
    memory: Any = None,
) -> list[Autoencoder]:
    """Return trained networks; they continue the known ones, or come from memory."""
    # Several share a scaler: columns that are nearly constant need all rows.
    folds, scalers = training.folds(n_networks), None
    if folds is not None:
        scalers = functools.cache(
            lambda: fitted_scalers(training.settings, training.table)
        )

    def trained(number: int, seed: int, begun: Autoencoder | None) -> Autoencoder:
        """Return one of the networks."""
        rows, built = training.rows, (None, None)
        if folds is not None:
            rows = rows.take(folds != number)
        if number == 0 and memory is not None:
            built = memory.built
        one = replace(training, rows=rows, seed=seed)
        progress = Progress(
            begun, scalers=None if scalers is None else scalers(), built=built
        )
        autoencoder, _, begun_with = train_autoencoder(one, watching, progress)
        if number == 0:
            _measure(autoencoder, training.rows, begun_with, training.settings)
        if autoencoder.was_interrupted:
            raise TrainingInterrupted([*networks, autoencoder])  # memory keeps none
        return autoencoder

    networks: list[Autoencoder] = []
    seeds = network_seeds(training.seed, n_networks)
    for number, pair in enumerate(zip_longest(seeds, known[:n_networks])):
        compute = functools.partial(trained, number, *pair)
        if memory is None:
            networks.append(compute())
            continue
        n_folds = None if folds is None else int(folds.max()) + 1
        name = ["network", number, n_folds]
        networks.append(memory.recall_network(name, training, compute))
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
        _check_same(known[0].architecture, Training(settings, rows).architecture)
        first = first.followed_by(rows)
        known = _rescaled(known, settings, first)
    for seed, begun, optimizer in zip_longest(seeds, known[:n_networks], states):
        history = {"loss": []} if begun is None else begun.history
        progress = Progress(begun, optimizer, len(history["loss"]))
        training = Training(settings.for_one_pass(), rows, None, seed)
        network, optimizer, begun_with = train_autoencoder(training, watching, progress)
        if network.was_interrupted:
            raise KeyboardInterrupt  # others have yet to make this pass
        network.history = {
            name: [*history.get(name, []), *network.history.get(name, [])]
            for name in {**history, **network.history}
        }
        networks.append(network)
        optimizers.append(optimizer)
        if len(networks) == 1:
            _measure(network, rows, begun_with, settings)
    if first is not None and len(first.X) >= _FIRST_ROWS:
        first = None
    return networks, Passes(passes.seed, optimizers, first)


def _rescaled(
    networks: Sequence[Autoencoder], settings: Settings, rows: Table
) -> list[Autoencoder]:
    """Return networks as they are, with scalers that are learned from some rows."""
    scalers, fill = fitted_scalers(settings, rows), None
    if settings.allow_nan:
        fill = mean_of_observed(_scaled(rows, scalers).x, rows.weight)
    return [Autoencoder(one.forward, *scalers, one.history, fill) for one in networks]


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
    if not 1 - network.train_r2 > _FAR_WORSE:
        return
    begun = engine.TrainedNetwork(network.architecture, first, network.latent_shape)
    if begun.runs_in_numpy(rows.X.dtype):
        scalers = network.scaler, network.target_scaler
        before, _ = Autoencoder(begun, *scalers, {}, network.fill).goodness(
            rows.X, rows.y, rows.weight
        )
        share = network.train_mse / before if before > 0 else np.inf
    else:  # to build a user's model once more may take long
        losses = network.history["loss"]
        share = losses[-1] / losses[0] if losses[0] > 0 else np.inf
    if share > _FAR_WORSE:
        knob = "the optimizer's learning rate"
        if isinstance(settings.optimizer, str):
            knob = f"learning_rate (now {settings.learning_rate!r})"
        other = ", or use scaler='standard'" if settings.scaler is None else ""
        warnings.warn(
            f"Training ended far worse than it began: the error of the rows is "
            f"{share:.3g} times as large, and r2_ is {network.train_r2:.3g}. Lower "
            f"{knob}{other}.",
            ConvergenceWarning,
            stacklevel=7,
        )


# ----------------------------------------------------------------------- one network


def train_autoencoder(
    training: Training, watching: Watching, progress: Progress
) -> tuple[Autoencoder, list[NDArray] | None, list[NDArray]]:
    """Return a trained autoencoder, its optimizer's state, and the first weights."""
    start = time.perf_counter()
    settings, table, known = training.settings, training.table, progress.autoencoder
    architecture = training.architecture
    architecture.check_size()
    if known is None:
        scalers = progress.scalers or fitted_scalers(settings, table)
        weights, fill = None, None
        built = progress.built
    else:
        _check_same(known.architecture, architecture)
        scalers = known.scaler, known.target_scaler
        weights, fill = known.weights, known.fill
        built = known.forward.fingerprint, None

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
    check = functools.partial(check_targets, settings, targets)
    if settings.allow_nan and fill is None:
        fill = mean_of_observed(rows.x, rows.weight)
    if fill is not None:
        rows = _with_fill(rows, validation, fill)

    epochs = settings.epochs
    if isinstance(epochs, str):  # "auto"
        epochs = settings.budget.n_epochs(rows.x, settings.batch_size)
    corruption = settings.corruption_of(rows.x)
    learned = None
    if weights is None and isinstance(settings.network, DenseNetwork):
        weights = learned = _first_weights(settings, rows, corruption, training.seed)
    schedule = engine.Schedule(
        epochs=epochs,
        batch_size=settings.batch_size,
        patience=settings.patience,
        keeps_start=learned is not None,
        first_epoch=progress.n_passes,
        callbacks=list(watching.callbacks or []),
        verbose=watching.verbose,
    )
    spec = engine.TrainingSpec(
        architecture,
        settings.loss,
        settings.optimizer,
        settings.learning_rate,
        corruption,
    )
    if epochs == 0:  # the first weights are the best ones
        width = settings.network.latent_width(rows.x.shape[1:], settings.latent_dim)
        forward = engine.TrainedNetwork(architecture, weights or [], (width,))
        autoencoder = Autoencoder(forward, *scalers, {"loss": []}, fill)
        difference = rows.x - autoencoder.reconstruct_scaled(rows.x)
        loss = np.average(
            np.nanmean(np.square(difference), axis=1), weights=rows.weight
        )
        autoencoder.history["loss"].append(float(loss))
        return autoencoder, None, weights or []
    scaling = time.perf_counter() - start
    state = engine.State(weights, progress.optimizer, *built)
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
        raise ValueError(divergence_message(exc, settings, table)) from exc
    if watching.verbose >= 2:
        seconds = {"scaling": scaling, **trained.seconds}
        parts = ", ".join(f"{name} {value:.2f} s" for name, value in seconds.items())
        sys.stderr.write(f"skae: {parts}\n")
    forward = engine.TrainedNetwork(
        architecture,
        trained.state.weights or [],
        trained.latent_shape,
        trained.state.fingerprint,
    )
    restored = settings.patience is not None and not trained.kept_start
    autoencoder = Autoencoder(forward, *scalers, trained.history, fill, restored)
    autoencoder.was_interrupted = trained.was_interrupted
    return autoencoder, trained.state.optimizer, trained.first_weights


def _first_weights(
    settings: Settings, rows: engine.Rows, corruption: Any, seed: int
) -> list[NDArray] | None:
    """Return what the network makes of the training rows; None draws weights."""
    x, y, weight = rows.x, rows.y, rows.weight
    most = _MEASURED_ROWS if x[:1].size <= _WIDE_ROWS else _WIDE_ROWS
    if len(x) > most:  # a decomposition takes the cube of the smaller side
        some = np.linspace(0, len(x) - 1, most).astype(int)
        x, y = x[some], None if y is None else y[some]
        weight = None if weight is None else weight[some]
    if rows.fill is not None:
        x = np.where(np.isnan(x), rows.fill, x)
        if y is not None and has_missing(y):
            return None
    noise = getattr(corruption, "mean_variance", 0.0)
    network = settings.network
    width = network.latent_width(x.shape[1:], settings.latent_dim)
    return network.weights_from(x, y, weight, noise, width, stream(seed, "weights"))


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


def fitted_scalers(settings: Settings, table: Table) -> tuple[Any, Any]:
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
