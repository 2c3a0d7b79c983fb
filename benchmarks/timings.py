"""Is skae as quick as it says: imports, trainings, scores?

Contenders run in turn in one process, each first in some rounds, so that all meet the
same noise. Ratios are taken round by round. Each contender is warmed up before; what
the first call costs is listed with the others where it matters.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
from harness.data import ecg_split, in_unit_range
from harness.jobs import Bar, Jobs, Key, Measurement, Size, collect, values_of
from harness.machine import import_keras, in_turn, run_process, timed
from harness.networks import ecg_detector
from harness.trainers import ECG_BATCH_SIZE, ECG_EPOCHS
from sklearn.ensemble import IsolationForest

from skae import (
    AutoencoderTransformer,
    ConvNetwork,
    DenseNetwork,
    ReconstructionOutlierDetector,
    RecurrentNetwork,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

JOBS = Jobs("timings")

N_FIT_ROWS = 2300
N_ONE_ROW_CALLS = 100

# ----------------------------------------------------------------------- imports

IMPORTS = {
    "import skae": "import skae",
    "skae's detector": "from skae import ReconstructionOutlierDetector",
    "sklearn.base and pandas": (
        "import sklearn.base, sklearn.utils.validation, pandas"
    ),
}


@JOBS.job("import", one_value_per="repeat")
def time_imports(size: Size) -> list[Measurement]:
    """Importing skae in a fresh process, beside what its users import anyway.

    The second contender is ``from skae import ReconstructionOutlierDetector``, the
    third ``import sklearn.base, sklearn.utils.validation, pandas``. Files are in the
    system's cache; the interpreter's own start is not counted.
    """
    skae, detector, usual = IMPORTS
    for statement in IMPORTS.values():
        run_process("import_statement", statement)
    rounds = []
    for turn in range(size.n_repeats):
        found = {
            name: run_process("import_statement", statement)
            for name, statement in in_turn(IMPORTS, turn)
        }
        seconds = {name: one[0] for name, one in found.items()}
        rounds.append(
            {("seconds", name): seconds[name] for name in IMPORTS}
            | {
                ("ratio to the usual", name): seconds[name] / seconds[usual]
                for name in (skae, detector)
            }
            | {
                ("of TensorFlow, Keras imported", name): found[name][1]
                for name in (skae, detector)
            }
        )
    none = Bar("<=", 0, of_every=True)
    return collect(
        rounds,
        {
            ("ratio to the usual", skae): Bar("<=", 1.3),
            ("of TensorFlow, Keras imported", skae): none,
            ("of TensorFlow, Keras imported", detector): none,
        },
    )


# ----------------------------------------------------------------------- trainings

FASTER_FIT = ("times faster than plain Keras", "skae")


@JOBS.job("fit", one_value_per="repeat")
def time_fits(size: Size) -> list[Measurement]:
    """Training the tutorials' ECG network, 140-32-16-8 and back.

    2,300 normal beats, 20 epochs, batches of 512, Adam, mean absolute error. skae's
    time is that of one ``fit``, threshold included; that of plain Keras is building,
    compiling and fitting. Every time takes other rows in another order and another
    seed. The loss is that of the last epoch; its ratio is of the medians. "first" is
    the first training in the process, with TensorFlow imported already.
    """
    import_keras()
    normals = in_unit_range(ecg_split(size)).normals
    contenders = {"skae": _fit_skae, "plain Keras": _fit_keras}
    epochs = size.count(ECG_EPOCHS)
    first, *rounds = (
        _fit_round(contenders, normals, turn, epochs)
        for turn in range(size.n_repeats + 1)
    )
    cold = [
        Measurement("seconds, first", name, (first["seconds", name],))
        for name in contenders
    ]
    warm = collect(rounds, {FASTER_FIT: Bar(">=", 8)})
    ours, theirs = (
        float(np.median(values_of(warm, "loss", name))) for name in contenders
    )
    away = abs(ours / theirs - 1)
    quantity = "median loss, relative distance from plain Keras's"
    return [*cold, *warm, Measurement(quantity, "skae", (away,), Bar("<=", 0.02))]


def _fit_round(
    contenders: dict[str, Callable], normals: np.ndarray, turn: int, epochs: int
) -> dict[Key, float]:
    """Train each contender once, on the same rows, which no other round has."""
    rows = np.random.default_rng(turn).permutation(len(normals))[:N_FIT_ROWS]
    found = {
        name: contender(normals[rows], turn, epochs)
        for name, contender in in_turn(contenders, turn)
    }
    seconds = {name: found[name][0] for name in contenders}
    return {
        **{("seconds", name): seconds[name] for name in contenders},
        FASTER_FIT: seconds["plain Keras"] / seconds["skae"],
        **{("loss", name): found[name][1] for name in contenders},
    }


def _fit_skae(X: np.ndarray, seed: int, epochs: int) -> tuple[float, float]:
    """Return seconds, and the last epoch's loss."""
    detector = ecg_detector(seed, epochs)
    seconds, _ = timed(detector.fit, X)
    return seconds, detector.history_["loss"][-1]


def _fit_keras(X: np.ndarray, seed: int, epochs: int) -> tuple[float, float]:
    """Return seconds, and the last epoch's loss."""
    from harness.keras_networks import fit_ecg

    seconds, (_, losses) = timed(
        fit_ecg, X, seed, epochs=epochs, batch_size=ECG_BATCH_SIZE
    )
    return seconds, losses[-1]


# -------------------------------------------------------------------------- scores


@JOBS.job("score", one_value_per="call")
def time_scores(size: Size) -> list[Measurement]:
    """Scoring heartbeats with the default network, one at a time and 5,000 at once.

    The rivals run the same network, as ``detector.to_keras()`` returns it, with the
    same scaler, and the mean squared error written out in NumPy: through
    ``Model.predict``, and by calling the model. ``Model.predict`` gets 5,000 rows in
    one batch. IsolationForest is another method. Every call gets another row, or all
    rows in another order.
    """
    split = ecg_split(size)
    X = np.concatenate([split.X_train, split.X_test])
    # How long a score takes does not depend on how long the network was trained.
    detector = ReconstructionOutlierDetector(
        error="mse", epochs=size.count(5), random_state=0
    ).fit(split.normals)
    forest = IsolationForest(random_state=0).fit(split.normals)
    model, scaler = detector.to_keras(), detector.scaler_
    predict = functools.partial(model.predict, batch_size=len(X), verbose=0)
    contenders = {
        "skae": detector.score_samples,
        "Model.predict": _scorer(scaler, predict),
        "Model(...)": _scorer(scaler, lambda scaled: model(scaled).numpy()),
        "IsolationForest": forest.score_samples,
    }
    rng = np.random.default_rng(0)
    one_row = [X[i : i + 1] for i in rng.permutation(len(X))[:N_ONE_ROW_CALLS]]
    all_rows = [rng.permutation(X) for _ in range(size.n_repeats)]
    measured = [
        *_time_calls(contenders, one_row[: size.count(len(one_row))], Bar(">=", 50)),
        *_time_calls(contenders, all_rows),
    ]
    ours, theirs = (contenders[name](X) for name in ("skae", "Model.predict"))
    away = float(np.max(np.abs(ours - theirs) / np.abs(theirs)))
    quantity = "largest relative difference from Model.predict's scores"
    return [*measured, Measurement(quantity, "skae", (away,), Bar("<=", 1e-3))]


def _scorer(scaler: Any, reconstruct: Callable) -> Callable:
    """Return ``score_samples`` as it is written without skae."""

    def score_samples(X: np.ndarray) -> np.ndarray:
        scaled = scaler.transform(X)
        return -np.mean(np.square(reconstruct(scaled) - scaled), axis=1)

    return score_samples


def _time_calls(
    contenders: dict[str, Callable], batches: list[np.ndarray], bar: Bar | None = None
) -> list[Measurement]:
    """Return the measurements of all contenders on all batches, a round for each."""
    rows = f"{len(batches[0]):,} row{'s' * (len(batches[0]) > 1)}"
    faster = f"{rows}, times faster than Model.predict", "skae"
    for contender in contenders.values():
        contender(batches[0])
    rounds = []
    for turn, batch in enumerate(batches):
        seconds = {
            name: timed(contender, batch)[0]
            for name, contender in in_turn(contenders, turn)
        }
        rounds.append(
            {(f"{rows}, ms", name): 1000 * seconds[name] for name in contenders}
            | {faster: seconds["Model.predict"] / seconds["skae"]}
        )
    return collect(rounds, {} if bar is None else {faster: bar})


# -------------------------------------------------------------------------- engines

# Name: (network, shape of a row, latent_dim, rows, batch size, engines)
IN_NUMPY, IN_KERAS = ("numpy", "keras", "auto"), ("keras", "auto")
CASES = {
    "small dense": (DenseNetwork((32, 16)), (140,), 8, 2300, 512, IN_NUMPY),
    "default dense": (DenseNetwork(), (140,), 4, 2300, 128, IN_NUMPY),
    "wide dense": (DenseNetwork(()), (784,), 64, 10_000, 32, IN_NUMPY),
    "convolutions": (ConvNetwork((16, 8)), (28, 28, 1), None, 2000, 32, IN_NUMPY),
    "LSTM": (RecurrentNetwork((16,)), (20, 1), 8, 1000, 128, IN_KERAS),
}


@JOBS.job("modes", one_value_per="repeat")
def time_modes(size: Size) -> list[Measurement]:
    """A fit of one epoch by each ``engine``: in NumPy, in Keras, and as "auto" chooses.

    Random rows, mean squared error, Adam. "first" is the first fit of such rows in the
    process: in Keras, a program is built and traced for it, which the others find. The
    default should be about as fast as the faster of the two.
    """
    import_keras()
    measurements = []
    for case, (
        network,
        shape,
        width,
        n_rows,
        batch_size,
        engines,
    ) in CASES.items():
        rows = np.random.default_rng(0).normal(size=(n_rows, *shape))
        X = size.rows(rows.astype(np.float32))
        fits = {
            engine: AutoencoderTransformer(
                width,
                network=network,
                scaler=None,
                learning_rate=None,
                epochs=1,
                batch_size=batch_size,
                validation_fraction=None,
                patience=None,
                engine=engine,
                random_state=0,
            ).fit
            for engine in engines
        }
        for engine in engines[:-1]:
            quantity = f"{case}: seconds of an epoch, first"
            seconds, _ = timed(fits[engine], X)
            measurements.append(Measurement(quantity, engine, (seconds,)))
        rounds = [
            {
                (f"{case}: seconds of an epoch", engine): timed(fit, X)[0]
                for engine, fit in in_turn(fits, turn)
            }
            for turn in range(size.n_repeats)
        ]
        measurements += collect(rounds)
    return measurements


if __name__ == "__main__":
    JOBS.main(__doc__)
